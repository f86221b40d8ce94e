/* SPDX-License-Identifier: Apache-2.0
 * exps.c -- the exponential of a masked x by a one-time table (docs/compact.md, exponential), of rows the sum.
 *
 * The ring of x is cut into E = 2^b cells of h = 2^(n-b) units.  With X' = X - c, X' = X_hi h + X_lo, r = r_hi h + r_lo:
 *     e^x = table[X_hi] Mul(X_lo) / 2^(A+B)
 *     table[j] = round(2^B e^(((j - r_hi) mod E) h + c - r_lo)),  Mul(l) = round(2^A e^l)
 * in a ring of W = m + s bits, all in integers (fixexp.h).  A party multiplies its share of one entry by a public number.
 *
 * Opened here: nothing; which entry is read says what X says, and the table serves this look-up alone.  The result is
 * truncated locally and carries a fresh pad (exact.h).
 * Condition: x in [c, c + (E-1) h): the top cell is a guard.  Outside of it, for a part of the masks, the result is that of x +- E h.
 */
#include <string.h>
#include "exact.h"
#include "fixexp.h"

enum { CELL_BITS = 6, MOST_LOW = 16, FINE = 6, FACTOR = 63 /* fraction bits of e^-r_lo */ };

static unsigned width(const struct suf_step *s) { return (unsigned)(s->m + s->s); }
static unsigned low_bits(const struct suf_step *s) { return (unsigned)(s->n - s->b); }
static uint64_t block_elems(const struct suf_step *s) { return SUF_BLOCK >> s->b; }

/* words: public multipliers, then two blocks of entries */
static size_t
exps_scratch(const struct suf_step *s)
{
	return (((size_t)1 << low_bits(s)) + 2 * (size_t)SUF_BLOCK * (SUF_WIDE / 64)) * 8;
}

/* Mul: a fine and a coarse factor, so that few exponentials are computed. */
static void
multipliers(const struct suf_step *s, uint64_t *mul)
{
	const unsigned bits = low_bits(s), fine = bits < FINE ? bits : FINE;
	struct fix part[1 << FINE];
	for (uint32_t i = 0; i < 1u << fine; i++)
		part[i] = fix_exp(i, (unsigned)s->ca);
	for (uint64_t at = 0; at < 1ull << bits; at += 1u << fine) {
		const struct fix base = fix_exp((int64_t)at, (unsigned)s->ca);
		for (uint32_t i = 0; i < 1u << fine; i++) {
			struct fix x = { (uint64_t)((unsigned __int128)base.m * part[i].m >> 62), base.e + part[i].e + 62 };
			if (x.m >> 63) {
				x.m >>= 1;
				x.e++;
			}
			mul[at + i] = fix_round(x, (int)(s->cb & 255));
		}
	}
}

/* What the dealer multiplies: e^-(2^k) for the bits of r_lo, and 2^B e^(i h + c) for the cells. */
struct factors { uint64_t bit[MOST_LOW]; struct fix cell[1 << CELL_BITS]; };

static void
make_factors(const struct suf_step *s, struct factors *f)
{
	const int scale = (int)(s->cb >> 8);
	for (unsigned k = 0; k < low_bits(s); k++)
		f->bit[k] = fix_round(fix_exp(-(INT64_C(1) << k), (unsigned)s->ca), FACTOR);
	for (uint32_t i = 0; i < 1u << s->b; i++) {
		f->cell[i] = fix_exp(s->c + ((int64_t)i << low_bits(s)), (unsigned)s->ca);
		f->cell[i].e += scale - FACTOR;
	}
}

/* The table of one element in its order of positions; no branch and no address depends on r. */
static void
make_table(const struct suf_step *s, const struct factors *f, uint64_t r, uint64_t *entry)
{
	const unsigned limbs = suf_limbs(width(s)), low = low_bits(s), E = 1u << s->b;
	const uint64_t top = ring_mask(width(s) - 64 * (limbs - 1));
	uint64_t g = UINT64_C(1) << FACTOR, other[(1 << CELL_BITS) * (SUF_WIDE / 64)];
	for (unsigned k = 0; k < low; k++) {
		const uint64_t bit = 0 - (r >> k & 1), times = (bit & f->bit[k]) | (~bit & UINT64_C(1) << FACTOR);
		g = (uint64_t)((unsigned __int128)g * times >> FACTOR);
	}
	for (unsigned i = 0; i < E; i++) {
		uint64_t p, high = suf_mul_high(f->cell[i].m, g, &p);
		suf_exps_entry(limbs, high, p, f->cell[i].e, entry + i * limbs);
		entry[i * limbs + limbs - 1] &= top;
	}
	for (unsigned k = 0; k < s->b; k++) { /* rotate by bit k of r_hi */
		const uint64_t bit = 0 - (r >> (low + k) & 1);
		memcpy(other, entry, (size_t)E * limbs * 8);
		for (unsigned j = 0; j < E * limbs; j++) {
			const unsigned from = (j + (E - (1u << k)) * limbs) % (E * limbs);
			entry[j] = (other[j] & ~bit) | (other[from] & bit);
		}
	}
	prg_wipe(&g, sizeof g);
}

static enum suf_err
exps_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]), step = block_elems(s);
	uint64_t *entry = run_scratch(r, exps_scratch(s));
	const unsigned limbs = suf_limbs(width(s));
	struct factors f;
	if (!entry)
		return r->err;
	make_factors(s, &f);
	for (uint64_t at = 0; at < s->na; at += step) {
		const uint64_t k = s->na - at < step ? s->na - at : step;
		for (uint64_t i = 0; i < k; i++)
			make_table(s, &f, rx[at + i] & ring_mask(s->n), entry + (i << s->b) * limbs);
		enum suf_err e = deal_corr_wide(r, s, PART_exps_t, at << s->b, (size_t)(k << s->b), entry);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

/* Party `party`: the sum's share, truncated; the pad comes later. */
static uint64_t
finish(const struct suf_step *s, int party, struct suf_wide *sum)
{
	const unsigned limbs = suf_limbs(width(s));
	if (party == 0 && s->s) { /* + 2^s - 1 */
		const unsigned word = s->s / 64, bit = s->s % 64;
		uint64_t add[3] = { 0, 0, 0 }, carry = 0;
		for (unsigned j = 0; j < word; j++)
			add[j] = ~(uint64_t)0;
		add[word] = (UINT64_C(1) << bit) - 1;
		for (unsigned j = 0; j < limbs; j++) {
			const unsigned __int128 v = (unsigned __int128)sum->w[j] + add[j] + carry;
			sum->w[j] = (uint64_t)v;
			carry = (uint64_t)(v >> 64);
		}
	}
	return suf_wide_bits(limbs, sum, s->s, s->m);
}

/* Goes through elements in order and says when a row ends. */
struct rows { const struct suf_step *s; uint64_t row, left; struct suf_wide sum; };

static struct rows
rows_start(const struct suf_step *s)
{
	return (struct rows){ .s = s, .left = s->rows ? suf_rows_len(s->rows, 0) : 1 };
}

/* One element: true if it was its row's last. */
static inline bool
rows_add(struct rows *t, const uint64_t *entry, uint64_t mul)
{
	suf_wide_mul_add(suf_limbs(width(t->s)), &t->sum, entry, mul);
	return --t->left == 0;
}

static inline void
rows_next(struct rows *t)
{
	t->row++;
	t->left = t->s->rows ? t->row < t->s->count ? suf_rows_len(t->s->rows, t->row) : 0 : 1;
	t->sum = (struct suf_wide){ { 0, 0, 0 } };
}

static enum suf_err
exps_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), step = block_elems(s), low = ring_mask(low_bits(s));
	uint64_t *mul = run_scratch(r, exps_scratch(s)), *out = run_wire(r, s->out[0]);
	const unsigned limbs = suf_limbs(width(s));
	if (!mul)
		return r->err;
	uint64_t *entry = mul + ((size_t)1 << low_bits(s));
	struct rows t = rows_start(s);
	multipliers(s, mul);
	for (uint64_t at = 0; at < s->na; at += step) {
		const uint64_t k = s->na - at < step ? s->na - at : step;
		enum suf_err e = eval_corr_wide(r, s, PART_exps_t, at << s->b, (size_t)(k << s->b), entry);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++) {
			const uint64_t v = (x[at + i] - (uint64_t)s->c) & ring_mask(s->n);
			if (!rows_add(&t, entry + ((i << s->b) + (v >> low_bits(s))) * limbs, mul[v & low]))
				continue;
			out[t.row] = finish(s, r->party, &t.sum);
			rows_next(&t);
		}
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

/* a - b */
static struct suf_wide
minus(const struct suf_wide *a, const struct suf_wide *b)
{
	struct suf_wide d;
	uint64_t borrow = 0;
	for (int j = 0; j < 3; j++) {
		const unsigned __int128 v = (unsigned __int128)a->w[j] - b->w[j] - borrow;
		d.w[j] = (uint64_t)v;
		borrow = (uint64_t)(v >> 64) & 1;
	}
	return d;
}

static enum suf_err
exps_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), step = block_elems(s), low = ring_mask(low_bits(s));
	uint64_t *mul = run_scratch(r, exps_scratch(s)), *out = run_wire(r, s->out[0]), *out0 = run_share0(r, s->out[0]), pad[SUF_BLOCK];
	const unsigned limbs = suf_limbs(width(s));
	if (!mul)
		return r->err;
	uint64_t *entry = mul + ((size_t)1 << low_bits(s)), *share = entry + (size_t)SUF_BLOCK * limbs;
	struct rows t = rows_start(s), t0 = t;
	struct factors f;
	multipliers(s, mul);
	make_factors(s, &f);
	for (uint64_t at = 0; at < s->na; at += step) {
		const uint64_t k = s->na - at < step ? s->na - at : step;
		for (uint64_t i = 0; i < k; i++)
			make_table(s, &f, rx[at + i] & ring_mask(s->n), entry + (i << s->b) * limbs);
		sim_corr_wide_at(r, s, PART_exps_t, 0, at << s->b, k << s->b, entry, share);
		for (uint64_t i = 0; i < k; i++) {
			const uint64_t v = (x[at + i] + rx[at + i] - (uint64_t)s->c) & ring_mask(s->n), pos = ((i << s->b) + (v >> low_bits(s))) * limbs;
			rows_add(&t0, share + pos, mul[v & low]);
			if (!rows_add(&t, entry + pos, mul[v & low]))
				continue;
			struct suf_wide other = minus(&t.sum, &t0.sum);
			out0[t.row] = finish(s, 0, &t0.sum);
			out[t.row] = (out0[t.row] + finish(s, 1, &other)) & ring_mask(s->m);
			rows_next(&t);
			rows_next(&t0);
		}
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	FOR_BLOCKS(at, k, s->count) {
		party_pad(r, 0, s->id, 0, at, (size_t)k, s->m, pad);
		for (uint64_t i = 0; i < k; i++)
			out0[at + i] = (out0[at + i] + pad[i]) & ring_mask(s->m);
	}
	return SUF_OK;
}

const struct step_impl step_exps = { exps_deal, exps_eval, exps_sim, NULL, exps_scratch };

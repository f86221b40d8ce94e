/* SPDX-License-Identifier: Apache-2.0
 * exps.c -- e^t of a masked t, or the sum of a row of them, by one-time tables (compact gates, docs/compact.md).
 *
 * X' = (x_hat - c) mod 2^n = X_hi 2^(n-b) + X_lo is public, r = r_hi 2^(n-b) + r_lo the dealer's.  With the place of x in a
 * window of E = 2^b cells that begins at c, x - c mod 2^n = i 2^(n-b) + (X_lo - r_lo) for i = (X_hi - r_hi) mod E,
 *     e^((x - c)/2^f + c/2^f) = e^((i 2^(n-b) + c - r_lo)/2^f) e^(X_lo/2^f),
 * a secret entry, number X_hi of a table that the dealer has turned by r_hi, times a public factor.  The key holds shares of
 *     entry j = round(2^B e^((((j - r_hi) mod E) 2^(n-b) + c - r_lo)/2^f)) mod 2^W, W = m + s, halves upwards, 0 below half a unit,
 * and the factor is Mul(X_lo) = round(2^A e^(X_lo/2^f)).  (What is rounded has a relative error below 2^-57: kernels/exps.h.)
 *
 * Range: X_lo - r_lo may be negative, so x lies in cell i or in the one before, and i = 0 stands for the last cell too: the last
 * cell is a guard, valid are c <= x < c + (E-1) 2^(n-b).  Inside the last cell the result is e^(-E 2^(n-b)/2^f) times the right
 * one for a part of the masks.  Error: 2^-(A+1) of the value, and 2^-(B+1) e^(2^(n-b)/2^f).
 *
 * Sums are taken of exact shares mod 2^W, then cut to m bits (suf_wide_cut): the sum / 2^s, off by less than one unit.
 *
 * Opened here: nothing; the output share carries a fresh pad of full width.  Each entry has a pad of its own; that one of E is
 * read says nothing, its number is public.  The dealer computes the entries without an address or branch that depends on r.
 */
#include "blocks.h"
#include "fixfun.h"

enum { MAX_CELLS = 1 << 6 };

static unsigned cell_bits(const struct suf_step *s) { return (unsigned)(s->n - s->b); }
static unsigned limbs_of(const struct suf_step *s) { return suf_limbs((unsigned)s->m + s->s); }
static unsigned mul_scale(const struct suf_step *s) { return (unsigned)(s->cb & 0xff); }
static int entry_scale(const struct suf_step *s) { return (int)(s->cb >> 8); }

/* The parties' table Mul. */
static size_t exps_scratch(const struct suf_step *s) { return sizeof(uint64_t) << cell_bits(s); }

/* Elements whose entries are one block of the part. */
static uint64_t chunk(const struct suf_step *s) { return SUF_BLOCK >> s->b; }

#define FOR_CHUNKS(at, k, s) \
	for (uint64_t at = 0, k; at < (s)->na && (k = (s)->na - at < chunk(s) ? (s)->na - at : chunk(s), true); at += chunk(s))

/* ---- dealer ------------------------------------------------------------------------------ */

struct bases { struct suf_exp cell[MAX_CELLS]; };

static void
make_bases(const struct suf_step *s, struct bases *to)
{
	for (unsigned i = 0; i >> s->b == 0; i++)
		to->cell[i] = suf_exp(((int64_t)i << cell_bits(s)) + s->c, (unsigned)s->ca);
}

static inline __attribute__((always_inline)) void
entries_of(const struct suf_step *s, const struct bases *base, const uint64_t *r, uint64_t k, uint64_t *t, unsigned b, unsigned limbs)
{
	const unsigned low = cell_bits(s);
	const int scale = entry_scale(s);
	struct suf_exps_low f[SUF_BLOCK];
	for (uint64_t e = 0; e < k; e++)                 /* on its own: the processor overlaps these long chains */
		f[e] = suf_exps_low(r[e] & ring_mask(low), (unsigned)s->ca);
	for (uint64_t e = 0; e < k; e++, t += (uint64_t)limbs << b) {
		for (unsigned i = 0; i >> b == 0; i++) {
			const struct suf_wide v = suf_exps_entry(base->cell[i], scale, f[e]);
			for (unsigned j = 0; j < limbs; j++)
				t[i * limbs + j] = v.w[j];
		}
		suf_exps_turn(t, limbs, b, r[e] >> low);
	}
	prg_wipe(f, sizeof f);
}

/* Entries of k elements, not reduced to their bits. */
static void
entries(const struct suf_step *s, const struct bases *base, const uint64_t *r, uint64_t k, uint64_t *t)
{
	const unsigned limbs = limbs_of(s);
	if (s->b == 2 && limbs == 2)                     /* the usual ones */
		entries_of(s, base, r, k, t, 2, 2);
	else if (s->b == 3 && limbs == 2)
		entries_of(s, base, r, k, t, 3, 2);
	else
		entries_of(s, base, r, k, t, s->b, limbs);
}

static enum suf_err
exps_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]);
	uint64_t t[SUF_BLOCK * SUF_LIMBS];
	struct bases base;
	enum suf_err e = SUF_OK;
	make_bases(s, &base);
	FOR_CHUNKS(at, k, s) {
		entries(s, &base, rx + at, k, t);
		e = deal_corr_wide(r, s, PART_exps_t, at << s->b, (size_t)(k << s->b), t);
		if (e)
			break;
	}
	prg_wipe(t, sizeof t);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return e;
}

/* ---- sums of rows -------------------------------------------------------------------------- */

/* Where a walk over the elements is; party -1: the simulator, which has the value and party 0's share of it. */
struct walk { int party; const uint64_t *mul; uint64_t row, left, *out, *z0; struct suf_wide sum, share0; };

static uint64_t
row_len(const struct suf_step *s, uint64_t row)
{
	return s->rows ? suf_rows_len(s->rows, row) : 1;
}

/* The row is complete. */
static void
put_row(const struct suf_step *s, struct walk *w)
{
	if (w->party < 0) {
		const uint64_t p0 = suf_wide_cut(0, s->s, w->share0), p1 = suf_wide_cut(1, s->s, suf_wide_sub(w->sum, w->share0));
		w->out[w->row] = (p0 + p1) & ring_mask(s->m);
		w->z0[w->row] = p0 & ring_mask(s->m);
	} else
		w->out[w->row] = suf_wide_cut(w->party, s->s, w->sum) & ring_mask(s->m);
	w->sum = w->share0 = (struct suf_wide){ { 0, 0, 0 } };
}

/* To the first element of a row that has any. */
static void
next_row(const struct suf_step *s, struct walk *w)
{
	for (; w->row < s->count && (w->left = row_len(s, w->row)) == 0; w->row++)
		put_row(s, w);
}

static void
begin(const struct suf_step *s, struct walk *w)
{
	w->row = 0;
	w->sum = w->share0 = (struct suf_wide){ { 0, 0, 0 } };
	next_row(s, w);
}

/* r: masks in the simulator, whose x is not masked; t: entries, or a party's shares of them; t0: party 0's. */
static inline __attribute__((always_inline)) void
add_terms(const struct suf_step *s, struct walk *w, const uint64_t *x, const uint64_t *r, uint64_t k, const uint64_t *t, const uint64_t *t0, unsigned limbs)
{
	const unsigned low = cell_bits(s);
	const uint64_t stride = (uint64_t)limbs << s->b;
	for (uint64_t e = 0; e < k; e++) {
		const uint64_t place = suf_exps_place(s->n, s->c, x[e] + (r ? r[e] : 0)), at = e * stride + (place >> low) * limbs;
		const uint64_t mul = w->mul[place & ring_mask(low)];
		suf_wide_add_times(&w->sum, t + at, mul, limbs);
		if (t0)
			suf_wide_add_times(&w->share0, t0 + at, mul, limbs);
		if (--w->left == 0) {
			put_row(s, w);
			w->row++;
			next_row(s, w);
		}
	}
}

static void
terms(const struct suf_step *s, struct walk *w, const uint64_t *x, const uint64_t *r, uint64_t k, const uint64_t *t, const uint64_t *t0)
{
	switch (limbs_of(s)) {
	case 1: add_terms(s, w, x, r, k, t, t0, 1); break;
	case 2: add_terms(s, w, x, r, k, t, t0, 2); break;
	default: add_terms(s, w, x, r, k, t, t0, 3); break;
	}
}

/* ---- party, simulator ------------------------------------------------------------------------ */

static uint64_t *
mul_table(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *mul = run_scratch(r, exps_scratch(s));
	if (mul)
		fix_exp_table((unsigned)s->ca, cell_bits(s), mul_scale(s), mul);
	return mul;
}

static enum suf_err
exps_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]), t[SUF_BLOCK * SUF_LIMBS];
	struct walk w = { .party = r->party, .mul = mul_table(r, s), .out = out };
	enum suf_err e = SUF_OK;
	if (!w.mul)
		return r->err;
	begin(s, &w);
	FOR_CHUNKS(at, k, s) {
		e = eval_corr_wide(r, s, PART_exps_t, at << s->b, (size_t)(k << s->b), t);
		if (e)
			break;
		terms(s, &w, x + at, NULL, k, t, NULL);
	}
	prg_wipe(t, sizeof t);
	prg_wipe(&w, sizeof w);
	if (!e)
		eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return e;
}

/* mask = both pads, z0 += that of party 0. */
static void
sim_pads(struct suf_run *r, const struct suf_step *s, uint64_t *z0)
{
	uint64_t pad[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		party_pad(r, 0, s->id, 0, at, (size_t)k, s->m, pad);
		for (uint64_t i = 0; i < k; i++)
			z0[at + i] = (z0[at + i] + pad[i]) & ring_mask(s->m);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
}

static enum suf_err
exps_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]);
	uint64_t t[SUF_BLOCK * SUF_LIMBS], t0[SUF_BLOCK * SUF_LIMBS];
	struct walk w = { .party = -1, .mul = mul_table(r, s), .out = run_wire(r, s->out[0]), .z0 = run_share0(r, s->out[0]) };
	struct bases base;
	if (!w.mul)
		return r->err;
	make_bases(s, &base);
	begin(s, &w);
	FOR_CHUNKS(at, k, s) {
		entries(s, &base, rx + at, k, t);
		sim_corr_wide_at(r, s, PART_exps_t, 0, at << s->b, k << s->b, t, t0);
		terms(s, &w, x + at, rx + at, k, t, t0);
	}
	sim_pads(r, s, w.z0);
	return SUF_OK;
}

const struct step_impl step_exps = { .deal = exps_deal, .eval = exps_eval, .sim = exps_sim, .scratch = exps_scratch };

/* SPDX-License-Identifier: Apache-2.0
 * trig.c -- a function of a masked x as a trigonometric sum and a line (compact gates, docs/compact.md; angle addition):
 *     y = c_0 + sum_k (c_k cos(w k x) + s_k sin(w k x)) + 2^l x,  w = 2 pi / 2^p
 * With x = x_hat - r a term is cos(w k x_hat) U_k + sin(w k x_hat) V_k, where
 *     U_k = c_k cos(w k r) - s_k sin(w k r),  V_k = c_k sin(w k r) + s_k cos(w k r)
 * are the dealer's: the key holds shares of round(2^b U_k), round(2^b V_k) mod 2^R, R = m + s, and the parties multiply them by
 * public integers round(2^a cos), round(2^a sin).  2^l x is a gap extension (gapext.c) of all n bits to R - l bits.
 *
 * The sum has a + b fraction bits.  Error: 2^-(a+1) sum (|U_k| + |V_k|) + (0.5 2^-b + delta) sum (|cos| + |sin|), where delta is what
 * the dealer's angles are off: their rotations have 30 fraction bits, and a term is off by less than k (p + 3) 2^-30 |c_k, s_k|.
 * Range: for l >= 0 the line needs -2^(n-2) <= x < 2^(n-2), else it is off by 2^(n+l) for a part of the masks; the sum is periodic.
 *
 * Shares of y mod 2^R are cut to m bits (suf_local_cut): y / 2^s, off by less than one unit.
 *
 * Opened here: nothing; the output share carries a fresh pad of full width.  Each word of the key has a pad of its own.  The
 * dealer turns by the bits of r, one after the other, without an address or branch that depends on them.
 */
#include "blocks.h"
#include "fixfun.h"
#include "kernels/trig.h"
#include "kernels/wide.h"

enum { LANES = 64 };                             /* elements that the dealer works on at a time */

struct trig {
	unsigned n, ring, period, a, b, terms;
	int linear;
	const int64_t *cosine, *sine;                /* coefficients from k = 1 on; sine: NULL if there are none */
	uint64_t constant;
	struct suf_turn turn[SUF_TRIG_MAX_PERIOD];   /* by 2^i / 2^period */
};

static struct trig
trig_of(const struct suf_step *s)
{
	const int64_t *v = s->table->v;
	struct trig t = { .n = s->n, .ring = (unsigned)s->m + s->s, .period = s->b, .a = (unsigned)v[SUF_TRIG_A], .b = (unsigned)v[SUF_TRIG_B],
	                  .terms = (unsigned)suf_trig_terms(s), .linear = (int)v[SUF_TRIG_LINEAR], .cosine = v + SUF_TRIG_COEF + 1 };
	t.constant = suf_trig_constant(t.a + t.b, v[SUF_TRIG_COEF]);
	t.sine = s->table->len > SUF_TRIG_COEF + 1 + t.terms ? t.cosine + t.terms : NULL;
	for (unsigned i = 0; i < t.period; i++) {
		const struct fix_turn q = fix_turn(1, t.period - i);
		t.turn[i] = (struct suf_turn){ (int32_t)fix_round(q.c, SUF_TURN_FRAC), (int32_t)fix_round(q.s, SUF_TURN_FRAC) };
	}
	return t;
}

/* ---- kernels ---------------------------------------------------------------------------
 * One text, compiled for several instruction sets: the same words. */

/* c[e], s[e] += the angle of y[e] */
static inline __attribute__((always_inline)) void
add_angles(size_t n, int32_t *c, int32_t *s, const int32_t *yc, const int32_t *ys)
{
	for (size_t e = 0; e < n; e++) {
		const struct suf_turn v = suf_turn_add((struct suf_turn){ c[e], s[e] }, (struct suf_turn){ yc[e], ys[e] });
		c[e] = v.c;
		s[e] = v.s;
	}
}

/* LANES elements of a block of n: words of all terms. */
static inline __attribute__((always_inline)) void
words_of_lanes(const struct trig *t, size_t n, const uint64_t *r, uint64_t *cosine, uint64_t *sine)
{
	int32_t c1[LANES], s1[LANES], c[LANES], s[LANES];
	for (size_t e = 0; e < LANES; e++) {
		c1[e] = 1 << SUF_TURN_FRAC;
		s1[e] = 0;
	}
	for (unsigned i = 0; i < t->period; i++) {
		for (size_t e = 0; e < LANES; e++) {
			const struct suf_turn y = suf_turn_if(r[e] >> i, t->turn[i]);
			c[e] = y.c;
			s[e] = y.s;
		}
		add_angles(LANES, c1, s1, c, s);
	}
	for (size_t e = 0; e < LANES; e++) {
		c[e] = c1[e];
		s[e] = s1[e];
	}
	for (unsigned k = 0; k < t->terms; k++, cosine += n, sine += n) {
		const int64_t p = t->cosine[k], q = t->sine ? t->sine[k] : 0;
		for (size_t e = 0; e < LANES; e++) {
			cosine[e] = suf_trig_word(t->b, p, c[e], -q, s[e]);
			sine[e] = suf_trig_word(t->b, p, s[e], q, c[e]);
		}
		add_angles(LANES, c, s, c1, s1);
	}
}

/* sum[e] += terms of x[e] for a block of n */
static inline __attribute__((always_inline)) void
add_terms(const struct trig *t, size_t n, const uint64_t *x, const uint32_t *table, const uint64_t *cosine, const uint64_t *sine, uint64_t *sum)
{
	for (uint64_t k = 1; k <= t->terms; k++, cosine += n, sine += n)
		for (size_t e = 0; e < n; e++)
			sum[e] += suf_trig_term(table[k * x[e] & suf_ring(t->period)], cosine[e], sine[e]);
}

#define KERNELS(name, target) \
	static target void \
	words_##name(const struct trig *t, size_t n, const uint64_t *r, uint64_t *cosine, uint64_t *sine) \
	{ \
		words_of_lanes(t, n, r, cosine, sine); \
	} \
	static target void \
	terms_##name(const struct trig *t, size_t n, const uint64_t *x, const uint32_t *table, const uint64_t *cosine, const uint64_t *sine, uint64_t *sum) \
	{ \
		add_terms(t, n, x, table, cosine, sine, sum); \
	}
KERNELS(portable, )
#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target("avx2,bmi2"))))
KERNELS(avx512, __attribute__((target("avx2,bmi2,avx512f,avx512dq,avx512bw,avx512vl"))))
#endif

static void
words(enum suf_isa isa, const struct trig *t, size_t n, const uint64_t *r, uint64_t *cosine, uint64_t *sine)
{
#if defined(__x86_64__)
	if (isa == SUF_ISA_AVX512)
		words_avx512(t, n, r, cosine, sine);
	else if (isa != SUF_ISA_PORTABLE)
		words_avx2(t, n, r, cosine, sine);
	else
#endif
		words_portable(t, n, r, cosine, sine);
}

static void
terms(enum suf_isa isa, const struct trig *t, size_t n, const uint64_t *x, const uint32_t *table, const uint64_t *cosine, const uint64_t *sine, uint64_t *sum)
{
#if defined(__x86_64__)
	if (isa == SUF_ISA_AVX512)
		terms_avx512(t, n, x, table, cosine, sine, sum);
	else if (isa != SUF_ISA_PORTABLE)
		terms_avx2(t, n, x, table, cosine, sine, sum);
	else
#endif
		terms_portable(t, n, x, table, cosine, sine, sum);
}

/* ---- dealer ------------------------------------------------------------------------------ */

/* Words of a block: of the sum's terms, and of the line. */
struct block_words { uint64_t *cosine, *sine, r[SUF_BLOCK], msb[SUF_BLOCK]; };

static uint64_t
block_len(const struct suf_step *s)
{
	return s->count < SUF_BLOCK ? s->count : SUF_BLOCK;
}

/* Scratch: words of a block, twice in the simulator; the public table. */
static size_t words_len(const struct suf_step *s) { return (size_t)(block_len(s) * suf_trig_terms(s)); }
static size_t trig_scratch(const struct suf_step *s) { return 4 * words_len(s) * sizeof(uint64_t) + (sizeof(uint32_t) << s->b); }

static void
make_words(enum suf_isa isa, const struct trig *t, uint64_t k, const uint64_t *rx, struct block_words *w)
{
	uint64_t r[LANES];
	size_t at = 0;
	for (; at + LANES <= k; at += LANES)
		words(isa, t, (size_t)k, rx + at, w->cosine + at, w->sine + at);
	if (at < k) {
		uint64_t c[SUF_TRIG_MAX_TERMS * LANES], s[SUF_TRIG_MAX_TERMS * LANES];
		for (size_t e = 0; e < LANES; e++)
			r[e] = at + e < k ? rx[at + e] : 0;
		words(isa, t, LANES, r, c, s);
		for (size_t j = 0; j < t->terms; j++)
			for (size_t e = 0; at + e < k; e++) {
				w->cosine[j * k + at + e] = c[j * LANES + e];
				w->sine[j * k + at + e] = s[j * LANES + e];
			}
		prg_wipe(c, sizeof c);
		prg_wipe(s, sizeof s);
	}
	for (uint64_t i = 0; i < k; i++) {
		w->r[i] = rx[i] & ring_mask(t->n);
		w->msb[i] = w->r[i] >> (t->n - 1);
	}
}

static bool has_line(const struct suf_step *s) { return suf_trig_linear(s) > 0; }
static bool has_msb(const struct suf_step *s) { return suf_trig_linear(s) > s->n; }

static enum suf_err
trig_deal(struct suf_run *r, const struct suf_step *s)
{
	const struct trig t = trig_of(s);
	struct block_words w = { .cosine = run_scratch(r, trig_scratch(s)) };
	enum suf_err e = SUF_OK;
	if (!w.cosine)
		return r->err;
	w.sine = w.cosine + words_len(s);
	FOR_BLOCKS(at, k, s->count) {
		make_words(r->isa, &t, k, run_mask(r, s->in[0]) + at, &w);
		e = deal_corr(r, s, PART_trig_cosine, at * t.terms, (size_t)k * t.terms, w.cosine);
		if (!e)
			e = deal_corr(r, s, PART_trig_sine, at * t.terms, (size_t)k * t.terms, w.sine);
		if (!e && has_line(s))
			e = deal_corr(r, s, PART_trig_r, at, (size_t)k, w.r);
		if (!e && has_msb(s))
			e = deal_corr(r, s, PART_trig_msb, at, (size_t)k, w.msb);
		if (e)
			break;
	}
	prg_wipe(&w, sizeof w);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return e;
}

/* ---- party -------------------------------------------------------------------------------- */

/* Party p's exact share of a block, or with the dealer's own words and p = 0 the value. */
static void
exact(struct suf_run *r, const struct trig *t, int p, uint64_t k, const uint64_t *x_hat, const uint32_t *table, const struct block_words *w, uint64_t *sum)
{
	for (uint64_t i = 0; i < k; i++)
		sum[i] = (p ? 0 : t->constant) + suf_trig_line(p, t->n, t->linear, x_hat[i], w->r[i], w->msb[i]);
	terms(r->isa, t, (size_t)k, x_hat, table, w->cosine, w->sine, sum);
}

static enum suf_err
get_words(struct suf_run *r, const struct suf_step *s, const struct trig *t, uint64_t at, uint64_t k, struct block_words *w)
{
	enum suf_err e = eval_corr(r, s, PART_trig_cosine, at * t->terms, (size_t)k * t->terms, w->cosine);
	if (!e)
		e = eval_corr(r, s, PART_trig_sine, at * t->terms, (size_t)k * t->terms, w->sine);
	if (!e && has_line(s))
		e = eval_corr(r, s, PART_trig_r, at, (size_t)k, w->r);
	if (!e && has_msb(s))
		e = eval_corr(r, s, PART_trig_msb, at, (size_t)k, w->msb);
	return e;
}

static enum suf_err
trig_eval(struct suf_run *r, const struct suf_step *s)
{
	const struct trig t = trig_of(s);
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]);
	struct block_words w = { .cosine = run_scratch(r, trig_scratch(s)) };
	enum suf_err e = SUF_OK;
	if (!w.cosine)
		return r->err;
	w.sine = w.cosine + words_len(s);
	uint32_t *table = (uint32_t *)(void *)(w.cosine + 4 * words_len(s));
	fix_turn_table(t.period, t.a, table);
	FOR_BLOCKS(at, k, s->count) {
		uint64_t sum[SUF_BLOCK];
		e = get_words(r, s, &t, at, k, &w);
		if (e)
			break;
		exact(r, &t, r->party, k, x + at, table, &w, sum);
		for (uint64_t i = 0; i < k; i++)
			out[at + i] = suf_local_cut(r->party, t.ring, s->s, sum[i]) & ring_mask(s->m);
		prg_wipe(sum, sizeof sum);
	}
	prg_wipe(&w, sizeof w);
	if (!e)
		eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return e;
}

/* ---- simulator ---------------------------------------------------------------------------- */

/* Party 0's shares of the words. */
static void
share0_words(struct suf_run *r, const struct suf_step *s, const struct trig *t, uint64_t at, uint64_t k, const struct block_words *w, struct block_words *w0)
{
	sim_corr_at(r, s, PART_trig_cosine, 0, at * t->terms, k * t->terms, w->cosine, w0->cosine);
	sim_corr_at(r, s, PART_trig_sine, 0, at * t->terms, k * t->terms, w->sine, w0->sine);
	if (has_line(s))
		sim_corr_at(r, s, PART_trig_r, 0, at, k, w->r, w0->r);
	if (has_msb(s))
		sim_corr_at(r, s, PART_trig_msb, 0, at, k, w->msb, w0->msb);
}

static void
sim_block(struct suf_run *r, const struct suf_step *s, const struct trig *t, uint64_t at, uint64_t k, const uint32_t *table, struct block_words *w, struct block_words *w0)
{
	const uint64_t *x = run_wire(r, s->in[0]) + at, *rx = run_mask(r, s->in[0]) + at;
	uint64_t x_hat[SUF_BLOCK], y[SUF_BLOCK], y0[SUF_BLOCK], *out = run_wire(r, s->out[0]) + at, *z0 = run_share0(r, s->out[0]) + at;
	for (uint64_t i = 0; i < k; i++)
		x_hat[i] = (x[i] + rx[i]) & ring_mask(t->n);
	make_words(r->isa, t, k, rx, w);
	share0_words(r, s, t, at, k, w, w0);
	exact(r, t, 0, k, x_hat, table, w, y);
	exact(r, t, 0, k, x_hat, table, w0, y0);
	party_pad(r, 0, s->id, 0, at, (size_t)k, s->m, x_hat);
	for (uint64_t i = 0; i < k; i++) {
		const uint64_t p0 = suf_local_cut(0, t->ring, s->s, y0[i]), p1 = suf_local_cut(1, t->ring, s->s, y[i] - y0[i]);
		out[i] = (p0 + p1) & ring_mask(s->m);
		z0[i] = (p0 + x_hat[i]) & ring_mask(s->m);
	}
}

static enum suf_err
trig_sim(struct suf_run *r, const struct suf_step *s)
{
	const struct trig t = trig_of(s);
	struct block_words w = { .cosine = run_scratch(r, trig_scratch(s)) }, w0 = { 0 };
	if (!w.cosine)
		return r->err;
	w.sine = w.cosine + words_len(s);
	w0.cosine = w.sine + words_len(s);
	w0.sine = w0.cosine + words_len(s);
	uint32_t *table = (uint32_t *)(void *)(w0.sine + words_len(s));
	fix_turn_table(t.period, t.a, table);
	FOR_BLOCKS(at, k, s->count)
		sim_block(r, s, &t, at, k, table, &w, &w0);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_trig = { .deal = trig_deal, .eval = trig_eval, .sim = trig_sim, .scratch = trig_scratch };

/* SPDX-License-Identifier: Apache-2.0
 * tabmul.c -- i T[h] mod 2^m from the opened V = sg T[h] of step lutc and an opened bit i; T[h] itself without a bit.
 *
 * With |V| < 2^(w-2), V_hat = V + rho mod 2^w and V' = V_hat + 2^(w-2) mod 2^w, over the integers
 *     V = V' - 2^(w-2) - rho + 2^w (1 - msb V') msb rho      (gap extension)
 * so i T[h] = i sg V is linear in the public V', with words of the dealer: A = i sg, B = -i sg (rho + 2^(w-2)) and, for m > w,
 * C = i sg msb rho, which counts 2^w if msb V' = 0.  sg depends on the key that was evaluated, i.e. on c_hat, and i = i_hat ^ z:
 * the key holds all words for both values of each.
 *
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "blocks.h"
#include "kernels/steps.h"

/* Alternatives of a word, neighbours in the key: c_hat fastest, then i_hat.  A block has SUF_BLOCK words. */
static unsigned ways(const struct suf_step *s) { return (s->s ? 2u : 1u) << s->b; }
static struct suf_ref carry_of(const struct suf_step *s) { return s->in[2]; }
static struct suf_ref bit_of(const struct suf_step *s) { return s->in[s->s ? 3 : 2]; }
static bool has_lift(const struct suf_step *s) { return s->m > s->n; }

/* i sg for the alternative w; z, signs: of the element. */
static uint64_t
factor(const struct suf_step *s, unsigned w, uint64_t z, uint64_t signs)
{
	const unsigned c_hat = s->s ? w & 1 : 0;
	const uint64_t i = s->b ? (w >> (s->s ? 1 : 0)) ^ z : 1, sg = 2 * (signs >> c_hat & 1) - 1;
	return (0 - i) & sg;
}

/* Words [at, at+count) of each part. */
static enum suf_err
deal_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t count)
{
	const uint64_t *rho = run_mask(r, s->in[0]), *signs = run_mask(r, s->in[1]);
	const uint64_t *z = s->b ? run_mask(r, bit_of(s)) : NULL, m = ring_mask(s->m);
	const unsigned n = ways(s);
	uint64_t a[SUF_BLOCK], b[SUF_BLOCK], c[SUF_BLOCK], i = at / n;
	for (uint64_t k = 0; k < count; i++)
		for (unsigned w = 0; w < n; w++, k++) {
			const uint64_t f = factor(s, w, z ? z[i] : 0, signs[i]);
			a[k] = f & m;
			b[k] = (0 - f * (rho[i] + (1ull << (s->n - 2)))) & m;
			c[k] = has_lift(s) ? f * (rho[i] >> (s->n - 1)) & ring_mask((unsigned)(s->m - s->n)) : 0;
		}
	enum suf_err e = deal_corr(r, s, PART_tabmul_a, at, count, a);
	if (!e)
		e = deal_corr(r, s, PART_tabmul_b, at, count, b);
	if (!e && has_lift(s))
		e = deal_corr(r, s, PART_tabmul_c, at, count, c);
	return e;
}

static enum suf_err
tabmul_deal(struct suf_run *r, const struct suf_step *s)
{
	FOR_BLOCKS(at, k, ways(s) * s->count) {
		enum suf_err e = deal_block(r, s, at, k);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
eval_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t count)
{
	const uint64_t *v = run_wire(r, s->in[0]), *c_hat = s->s ? run_wire(r, carry_of(s)) : NULL;
	const uint64_t *i_hat = s->b ? run_wire(r, bit_of(s)) : NULL;
	uint64_t *out = run_wire(r, s->out[0]), a[SUF_BLOCK], b[SUF_BLOCK], c[SUF_BLOCK];
	const unsigned n = ways(s);
	enum suf_err e = eval_corr(r, s, PART_tabmul_a, at, count, a);
	if (!e)
		e = eval_corr(r, s, PART_tabmul_b, at, count, b);
	if (!e && has_lift(s))
		e = eval_corr(r, s, PART_tabmul_c, at, count, c);
	for (uint64_t i = at / n; !e && i < (at + count) / n; i++) { /* the opened bits are public */
		const uint64_t w = n * i - at + (c_hat ? c_hat[i] : 0) + (i_hat ? i_hat[i] << (c_hat ? 1 : 0) : 0);
		uint64_t wraps;
		out[i] = suf_tabmul_eval(s->n, v[i], a[w], b[w], &wraps);
		if (has_lift(s))
			out[i] += wraps * c[w] << s->n;
		out[i] &= ring_mask(s->m);
	}
	return e;
}

static enum suf_err
tabmul_eval(struct suf_run *r, const struct suf_step *s)
{
	FOR_BLOCKS(at, k, ways(s) * s->count) {
		enum suf_err e = eval_block(r, s, at, k);
		if (e)
			return e;
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, run_wire(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
tabmul_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *v = run_wire(r, s->in[0]), *rho = run_mask(r, s->in[0]), *signs = run_mask(r, s->in[1]);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++) {
		const uint64_t c_hat = s->s ? run_wire(r, carry_of(s))[i] ^ run_mask(r, carry_of(s))[i] : 0;
		const uint64_t bit = s->b ? run_wire(r, bit_of(s))[i] : 1, f = factor(s, (unsigned)(c_hat + (s->b ? bit << (s->s ? 1 : 0) : 0)), 0, signs[i]);
		uint64_t wraps, y = suf_tabmul_eval(s->n, (v[i] + rho[i]) & ring_mask(s->n), f, 0 - f * (rho[i] + (1ull << (s->n - 2))), &wraps);
		if (has_lift(s))
			y += wraps * (f * (rho[i] >> (s->n - 1))) << s->n;
		out[i] = y & ring_mask(s->m);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_tabmul = { .deal = tabmul_deal, .eval = tabmul_eval, .sim = tabmul_sim };

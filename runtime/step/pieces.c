/* SPDX-License-Identifier: Apache-2.0
 * pieces.c -- a polynomial of x, one of 2^b by opened masked index bits (SUF's interval look-up, with
 * hidden coefficients re-centred at the masked input).
 *
 *     c(x) = c'(X) with x = X + off, X public, and c'_k = sum_j c_j C(j,k) off^(j-k)
 *     |x| < 2^(n-2): X = (x_hat + 2^(n-2) mod 2^n) - 2^(n-2), off = -r + 2^n wraps msb(r), wraps public
 *     any x, m <= n: X = x_hat, off = -r
 *  The key has shares of the coefficients for each wraps and each masked
 * index; the opened bits and X say which of them count.  No product online.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include <string.h>
#include "blocks.h"
#include "kernels/steps.h"

enum { MAX_DEGREE = 7 };                    /* ir_check sees to it */

static unsigned degree(const struct suf_step *s) { return (unsigned)s->ca; }

/* Elements worked off together: their words begin at a multiple of SUF_BLOCK, as corrections ask. */
static uint64_t
chunk(const struct suf_step *s)
{
	uint64_t words = suf_pieces_words(s), k = SUF_BLOCK;
	while (k > 1 && k / 2 * words % SUF_BLOCK == 0)
		k /= 2;
	return k;
}

static size_t
pieces_scratch(const struct suf_step *s)
{
	return (size_t)(chunk(s) * suf_pieces_words(s)) * 8;
}

/* The index of element i; bit: [b][count] */
static uint64_t
index_of(const struct suf_step *s, const uint64_t *bit, uint64_t i)
{
	uint64_t at = 0;
	for (unsigned j = 0; j < s->b; j++)
		at |= bit[j * s->count + i] << j;
	return at;
}

/* The words of one element: for each wraps and each masked index, the coefficients. */
static void
center(const struct suf_step *s, uint64_t r, uint64_t z, uint64_t *word)
{
	const uint64_t pieces = 1ull << s->b, terms = degree(s) + 1u, m = ring_mask(s->m);
	for (uint64_t wraps = 0; wraps < (s->slack ? 2u : 1u); wraps++) {
		const uint64_t off = suf_pieces_off(s->n, r & ring_mask(s->n), wraps);
		for (uint64_t masked = 0; masked < pieces; masked++, word += terms) {
			suf_pieces_center(degree(s), s->table->v + (masked ^ z) * terms, off, word);
			for (uint64_t k = 0; k < terms; k++)
				word[k] &= m;
		}
	}
}

static enum suf_err
pieces_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]), *z = s->b ? run_mask(r, s->in[1]) : NULL;
	const uint64_t words = suf_pieces_words(s), step = chunk(s);
	uint64_t *word = run_scratch(r, pieces_scratch(s));
	if (!word)
		return r->err;
	for (uint64_t at = 0; at < s->count; at += step) {
		const uint64_t k = s->count - at < step ? s->count - at : step;
		for (uint64_t i = 0; i < k; i++)
			center(s, rx[at + i], z ? index_of(s, z, at + i) : 0, word + i * words);
		enum suf_err e = deal_corr(r, s, PART_pieces_c, at * words, (size_t)(k * words), word);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
pieces_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *bit = s->b ? run_wire(r, s->in[1]) : NULL;
	const uint64_t words = suf_pieces_words(s), terms = degree(s) + 1u, step = chunk(s);
	uint64_t *word = run_scratch(r, pieces_scratch(s)), *out = run_wire(r, s->out[0]);
	if (!word)
		return r->err;
	for (uint64_t at = 0; at < s->count; at += step) {
		const uint64_t k = s->count - at < step ? s->count - at : step;
		enum suf_err e = eval_corr(r, s, PART_pieces_c, at * words, (size_t)(k * words), word);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++) {
			uint64_t wraps, pub = suf_shift_public(s->n, 0, s->slack, x[at + i], &wraps);
			uint64_t piece = (wraps << s->b) + (bit ? index_of(s, bit, at + i) : 0);  /* all of it is public */
			out[at + i] = suf_pieces_eval(degree(s), pub, word + i * words + piece * terms) & ring_mask(s->m);
		}
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

static enum suf_err
pieces_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), *bit = s->b ? run_wire(r, s->in[1]) : NULL;
	uint64_t *out = run_wire(r, s->out[0]), c[MAX_DEGREE + 1];
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t wraps, pub = suf_shift_public(s->n, 0, s->slack, x[i] + rx[i], &wraps), piece = bit ? index_of(s, bit, i) : 0;
		suf_pieces_center(degree(s), s->table->v + piece * (degree(s) + 1u), suf_pieces_off(s->n, rx[i] & ring_mask(s->n), wraps), c);
		out[i] = suf_pieces_eval(degree(s), pub, c) & ring_mask(s->m);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_pieces = { pieces_deal, pieces_eval, pieces_sim, NULL, pieces_scratch };

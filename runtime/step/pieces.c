/* SPDX-License-Identifier: Apache-2.0
 * pieces.c -- a polynomial of x, one of 2^b by opened masked index bits (SUF's interval look-up, with
 * hidden coefficients re-centred at the masked input).
 *
 *     c(x) = c'(X) with x = X + off, X public, and c'_k = sum_j c_j C(j,k) off^(j-k)
 *     |x| < 2^(n-2): X = (x_hat + 2^(n-2) mod 2^n) - 2^(n-2), off = -r + 2^n wraps msb(r), wraps public
 *     any x, m <= n: X = x_hat, off = -r
 * The key has shares of the coefficients without a wrap for each masked index, and of what a wrap changes: multiples of
 * 2^n, so m-n bits of each, and nothing of the highest power.  The opened bits and X say which of them count.  No
 * product online.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include <string.h>
#include "blocks.h"
#include "kernels/steps.h"

enum { MAX_DEGREE = 7 };                    /* ir_check sees to it, and that b <= 10 */

static unsigned degree(const struct suf_step *s) { return (unsigned)s->ca; }
static bool has_change(const struct suf_step *s) { return s->m > s->n && s->ca > 0; }

/* Elements worked off together: their words begin at a multiple of SUF_BLOCK, as corrections ask. */
static uint64_t chunk(const struct suf_step *s) { return SUF_BLOCK >> s->b; }

static size_t
pieces_scratch(const struct suf_step *s)
{
	return (size_t)(chunk(s) * (suf_pieces_words(s, 1) + suf_pieces_words(s, 0))) * 8;
}

/* Words of one chunk */
struct words { uint64_t *c, *change; };

static struct words
words_in(const struct suf_step *s, uint64_t *scratch)
{
	return (struct words){ scratch, scratch + chunk(s) * suf_pieces_words(s, 1) };
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

/* The piece j goes to j ^ z: for each bit of z, halves are exchanged or not, by a mask. */
static void
permute(const struct suf_step *s, uint64_t z, uint64_t *c)
{
	const uint64_t terms = degree(s) + 1u, words = suf_pieces_words(s, 1);
	for (unsigned j = 0; j < s->b; j++) {
		const uint64_t half = terms << j, swap = 0 - (z >> j & 1);
		for (uint64_t i = 0; i < words; i += i % half == half - 1 ? half + 1 : 1) {
			uint64_t t = (c[i] ^ c[i + half]) & swap;
			c[i] ^= t;
			c[i + half] ^= t;
		}
	}
}

/* The words of one element, from the coefficients in order of masked indices. */
static void
center(const struct suf_step *s, uint64_t r, uint64_t *c, uint64_t *change)
{
	const unsigned d = degree(s);
	const uint64_t rv = r & ring_mask(s->n), plain = suf_pieces_off(s->n, rv, 0), wrapped = suf_pieces_off(s->n, rv, 1);
	for (uint64_t piece = 0; piece >> s->b == 0; piece++, c += d + 1, change += d) {
		uint64_t other[MAX_DEGREE + 1] = { 0 };
		memcpy(other, c, (d + 1) * sizeof *c);
		suf_pieces_center(d, plain, c);
		if (has_change(s))
			suf_pieces_center(d, wrapped, other);
		for (unsigned k = 0; k < d && has_change(s); k++)
			change[k] = (other[k] - c[k]) >> s->n & ring_mask(s->m - s->n);
		for (unsigned k = 0; k <= d; k++)
			c[k] &= ring_mask(s->m);
	}
}

static enum suf_err
pieces_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]), *z = s->b ? run_mask(r, s->in[1]) : NULL;
	const uint64_t nc = suf_pieces_words(s, 1), nchange = suf_pieces_words(s, 0), step = chunk(s);
	uint64_t *scratch = run_scratch(r, pieces_scratch(s));
	if (!scratch)
		return r->err;
	const struct words w = words_in(s, scratch);
	for (uint64_t at = 0; at < s->count; at += step) {
		const uint64_t k = s->count - at < step ? s->count - at : step;
		for (uint64_t i = 0; i < k; i++) {
			memcpy(w.c + i * nc, s->table->v, (size_t)nc * sizeof *w.c);
			permute(s, z ? index_of(s, z, at + i) : 0, w.c + i * nc);
			center(s, rx[at + i], w.c + i * nc, w.change + i * nchange);
		}
		enum suf_err e = deal_corr(r, s, PART_pieces_c, at * nc, (size_t)(k * nc), w.c);
		if (!e && has_change(s))
			e = deal_corr(r, s, PART_pieces_change, at * nchange, (size_t)(k * nchange), w.change);
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
	const uint64_t nc = suf_pieces_words(s, 1), nchange = suf_pieces_words(s, 0), step = chunk(s);
	uint64_t *scratch = run_scratch(r, pieces_scratch(s)), *out = run_wire(r, s->out[0]);
	if (!scratch)
		return r->err;
	const struct words w = words_in(s, scratch);
	for (uint64_t at = 0; at < s->count; at += step) {
		const uint64_t k = s->count - at < step ? s->count - at : step;
		enum suf_err e = eval_corr(r, s, PART_pieces_c, at * nc, (size_t)(k * nc), w.c);
		if (!e && has_change(s))
			e = eval_corr(r, s, PART_pieces_change, at * nchange, (size_t)(k * nchange), w.change);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++) { /* the index and whether x wraps are public */
			uint64_t wraps, pub = suf_shift_public(s->n, 0, s->slack, x[at + i], &wraps), piece = bit ? index_of(s, bit, at + i) : 0;
			out[at + i] = suf_pieces_eval(s->n, degree(s), pub, has_change(s) && wraps, w.c + i * nc + piece * (degree(s) + 1u),
			                              w.change + i * nchange + piece * degree(s)) & ring_mask(s->m);
		}
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

static enum suf_err
pieces_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), *bit = s->b ? run_wire(r, s->in[1]) : NULL;
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t wraps, at = suf_shift_public(s->n, 0, s->slack, x[i] + rx[i], &wraps) + suf_pieces_off(s->n, rx[i] & ring_mask(s->n), 0), y = 0;
		const int64_t *c = s->table->v + (bit ? index_of(s, bit, i) : 0) * (degree(s) + 1u);
		if (has_change(s) && wraps)
			at += (rx[i] >> (s->n - 1) & 1) << s->n;
		for (unsigned k = degree(s) + 1; k-- > 0;)
			y = y * at + (uint64_t)c[k];
		out[i] = y & ring_mask(s->m);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_pieces = { pieces_deal, pieces_eval, pieces_sim, NULL, pieces_scratch };

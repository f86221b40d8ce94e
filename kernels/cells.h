/* SPDX-License-Identifier: Apache-2.0
 * kernels/cells.h -- the per-element arithmetic of steps cells and cellfix (runtime/step/cells.c says what they compute): one
 * text for CPU and CUDA.  No branch and no address depends on a secret; x, the opened words and the table are public.
 */
#ifndef SUF_KERNELS_CELLS_H
#define SUF_KERNELS_CELLS_H
#include "kernels/steps.h"

/* Table of both steps: f and w of the words A, B, C in turn, F, Q, s, then p0, p1, p2 with Q fraction bits for each cell. */
enum { SUF_CELL_WORDS = 3, SUF_CELL_FRAC = 6, SUF_CELL_Q, SUF_CELL_SIZE, SUF_CELL_HEAD };
/* Secrets of cellfix, in the order of its key parts. */
enum { SUF_FIX_V, SUF_FIX_C1, SUF_FIX_C2, SUF_FIX_E, SUF_FIX_TOP, SUF_FIX_PARTS = SUF_FIX_TOP + SUF_CELL_WORDS };

struct suf_cells { unsigned f[SUF_CELL_WORDS], w[SUF_CELL_WORDS], frac, q, s; };

static inline SUF_HD struct suf_cells
suf_cells_of(const int64_t *table)
{
	struct suf_cells c;
	for (int z = 0; z < SUF_CELL_WORDS; z++) {
		c.f[z] = (unsigned)table[2 * z];
		c.w[z] = (unsigned)table[2 * z + 1];
	}
	c.frac = (unsigned)table[SUF_CELL_FRAC];
	c.q = (unsigned)table[SUF_CELL_Q];
	c.s = (unsigned)table[SUF_CELL_SIZE];
	return c;
}

/* v / 2^n, rounded to the nearest integer, halves upwards */
static inline SUF_HD int64_t
suf_cells_round(uint64_t v, unsigned n)
{
	return n ? (int64_t)(v + ((uint64_t)1 << (n - 1))) >> n : (int64_t)v;
}

/* A, B, C of the cell with polynomial p at the public low part x.  |p0| + |p1| + |p2| < 2^(61-2s): nothing wraps. */
static inline SUF_HD void
suf_cells_words(const struct suf_cells *c, const int64_t *p, uint64_t x, int64_t word[SUF_CELL_WORDS])
{
	const uint64_t p0 = (uint64_t)p[0], p1 = (uint64_t)p[1], p2 = (uint64_t)p[2];
	word[0] = suf_cells_round((((p0 << c->s) + p1 * x) << c->s) + p2 * x * x, c->q + 2 * c->s - c->f[0]);
	word[1] = suf_cells_round((p1 << c->s) + 2 * p2 * x, c->q + c->s - c->f[1]);
	word[2] = suf_cells_round(p2, c->q - c->f[2]);
}

/* Bits that hold a sum of word z over up to 2^b cells: |word| < 2^(w-2). */
static inline SUF_HD unsigned suf_cells_sum_bits(const struct suf_cells *c, unsigned b, int z) { return c->w[z] - 1 + b; }

/* The words as one, so that one sum does for all. */
static inline SUF_HD int64_t
suf_cells_pack(const struct suf_cells *c, unsigned b, const int64_t word[SUF_CELL_WORDS])
{
	const uint64_t ab = ((uint64_t)word[0] << suf_cells_sum_bits(c, b, 1)) + (uint64_t)word[1];
	return (int64_t)((ab << suf_cells_sum_bits(c, b, 2)) + (uint64_t)word[2]);
}

/* The sums of the words, A mod 2^w. */
static inline SUF_HD void
suf_cells_unpack(const struct suf_cells *c, unsigned b, uint64_t sum, uint64_t word[SUF_CELL_WORDS])
{
	for (int z = SUF_CELL_WORDS - 1; z > 0; z--) {
		const unsigned h = suf_cells_sum_bits(c, b, z);
		word[z] = (uint64_t)((int64_t)(sum << (64 - h)) >> (64 - h));
		sum = (sum - word[z]) >> h;
	}
	word[0] = sum;
}

/* Word j of the one-hot of q < 2^b. */
static inline SUF_HD uint64_t
suf_cells_hot(uint64_t q, uint64_t j)
{
	return (0 - ((((q >> 6) ^ j) - 1) >> 63)) & (uint64_t)1 << (q & 63);
}

/* 2^b bits, b > 6, turned by the public x: bit k of the result is bit k - x of t.  One word of the result. */
static inline SUF_HD uint64_t
suf_cells_turned(const uint64_t *t, unsigned b, uint64_t x, uint64_t j)
{
	const uint64_t last = ((uint64_t)1 << (b - 6)) - 1, from = j - (x >> 6), low = x & 63;
	return t[from & last] << low | (t[(from - 1) & last] >> 1) >> (63 - low);
}

/* The same for b <= 6, in one word. */
static inline SUF_HD uint64_t
suf_cells_turned_word(uint64_t t, unsigned b, uint64_t x)
{
	return (t << x | (t >> 1) >> ((1u << b) - 1 - x)) & suf_ring(1u << b);
}

/* A party's share of word z from its sum. */
static inline SUF_HD uint64_t
suf_cells_share(int p, unsigned w, uint64_t sum)
{
	return p ? 0 - sum : sum + ((uint64_t)1 << (w - 2));
}

/* cellfix: what the share of secret k counts, from the opened word that goes with it: this, times 2^suf_cellfix_shift. */
static inline SUF_HD uint64_t
suf_cellfix_factor(const struct suf_cells *c, int k, const uint64_t y[SUF_CELL_WORDS])
{
	const int z = k >= SUF_FIX_TOP ? k - SUF_FIX_TOP : k;
	if (k == SUF_FIX_E)
		return 1;
	const uint64_t f = k >= SUF_FIX_TOP ? 1 ^ (y[z] >> (c->w[z] - 1)) : y[z] - ((uint64_t)1 << (c->w[z] - 2));
	return z == 1 ? 0 - f : f;
}

static inline SUF_HD unsigned
suf_cellfix_shift(const struct suf_cells *c, int k)
{
	const unsigned scale = c->frac - c->f[0];
	return k == SUF_FIX_V ? scale : k < SUF_FIX_TOP ? 0 : c->w[k - SUF_FIX_TOP] + (k == SUF_FIX_TOP ? scale : 0);
}

/* What a party keeps of its exact share mod 2^ring of a value / 2^s: off by less than one unit, as the rests of both shares and the
 * 2^s - 1 carry or do not. */
static inline SUF_HD uint64_t
suf_cellfix_cut(int p, unsigned ring, unsigned s, uint64_t share)
{
	return ((share + (p ? 0 : suf_ring(s))) & suf_ring(ring)) >> s;
}
#endif

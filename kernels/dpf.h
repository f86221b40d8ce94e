/* SPDX-License-Identifier: Apache-2.0
 * kernels/dpf.h -- one element of a point function: what happens between two
 * calls of the tree hash.  The reference evaluator (runtime/kernel_portable.c)
 * and CUDA run this text.  Layout of the words: runtime/dpf.h.  Branch-free in
 * seeds, control bits and special points.
 */
#ifndef SUF_KERNELS_DPF_H
#define SUF_KERNELS_DPF_H
#include <stdint.h>
#include <string.h>
#include "kernels/steps.h"

struct block { uint64_t lo, hi; };                       /* 128 bits, little-endian; bit 0 of lo is the lsb */

static inline SUF_HD struct block
suf_block_mux(uint64_t bit, struct block if1, struct block if0)
{
	uint64_t m = 0 - bit;
	struct block r = { if0.lo ^ (m & (if0.lo ^ if1.lo)), if0.hi ^ (m & (if0.hi ^ if1.hi)) };
	return r;
}

/* A child, corrected by `word` if the parent's control bit t is set. */
static inline SUF_HD struct block
suf_dpf_correct(struct block c, uint64_t t, struct block word)
{
	uint64_t m = 0 - (t & 1);
	struct block r = { c.lo ^ (m & word.lo), c.hi ^ (m & word.hi) };
	return r;
}

/* The input of the second permutation of H for a node with p = pi(s); part: of the batch, so that few trees share a tweak. */
static inline SUF_HD struct block
suf_dpf_tweak(struct block p, uint64_t session, uint32_t id, uint32_t part, unsigned level, unsigned side)
{
	struct block r = { p.lo ^ session, p.hi ^ (id | (uint64_t)(2 * level + side) << 32 | (uint64_t)part << 40) };
	return r;
}

/* The unit vector of a leaf block: bit alpha mod 128. */
static inline SUF_HD struct block
suf_dpf_unit(uint64_t alpha)
{
	uint64_t bit = (uint64_t)1 << (alpha & 63), high = 0 - (alpha >> 6 & 1);
	struct block r = { bit & ~high, bit & high };
	return r;
}

static inline SUF_HD uint64_t
suf_parity(uint64_t v)
{
	for (int s = 32; s > 0; s >>= 1)
		v ^= v >> s;
	return v & 1;
}

/* The leaf's part of a comparison at x: parity of bits 0..pos, or of those after pos if the last turn was to the right. */
static inline SUF_HD uint64_t
suf_dpf_leaf_parity(struct block s, uint64_t x, uint64_t right)
{
	uint64_t low = ~(uint64_t)0 >> (63 - (x & 63)), high = 0 - (x >> 6 & 1), rest = 0 - right;
	return suf_parity((s.lo & ((low | high) ^ rest)) ^ (s.hi & ((low & high) ^ rest)));
}

/* Leaf bit x mod 128; x is public. */
static inline SUF_HD uint64_t
suf_dpf_leaf_bit(struct block s, uint64_t x)
{
	uint64_t high = 0 - (x >> 6 & 1);
	return ((s.lo & ~high) | (s.hi & high)) >> (x & 63) & 1;
}

/* Dealer, inner level: correction word and t_right from the children c[party][side]; k is the path bit.  Moves both states on. */
static inline SUF_HD void
suf_dpf_gen_level(struct block c[2][2], struct block s[2], uint64_t k, struct block *cw, uint64_t *t_right)
{
	struct block x0 = { c[0][0].lo ^ c[1][0].lo, c[0][0].hi ^ c[1][0].hi };
	struct block x1 = { c[0][1].lo ^ c[1][1].lo, c[0][1].hi ^ c[1][1].hi };
	uint64_t t0 = (x0.lo & 1) ^ k ^ 1, t1 = (x1.lo & 1) ^ k;
	struct block w = suf_block_mux(k, x0, x1);               /* the side that is lost */
	w.lo = (w.lo & ~(uint64_t)1) | t0;
	*cw = w;
	*t_right = t1;
	w.lo = (w.lo & ~(uint64_t)1) | ((0 - k) & t1) | ((k - 1) & t0);
	for (int p = 0; p < 2; p++)
		s[p] = suf_dpf_correct(suf_block_mux(k, c[p][1], c[p][0]), s[p].lo, w);
}

/* Dealer, last level: the two leaf words. */
static inline SUF_HD void
suf_dpf_gen_leaf(struct block c[2][2], uint64_t alpha, uint64_t k, struct block leaf[2])
{
	const struct block none = { 0, 0 }, e = suf_dpf_unit(alpha);
	for (int d = 0; d < 2; d++) {
		struct block on = d ? suf_block_mux(k, e, none) : suf_block_mux(k, none, e);
		leaf[d].lo = c[0][d].lo ^ c[1][d].lo ^ on.lo;
		leaf[d].hi = c[0][d].hi ^ c[1][d].hi ^ on.hi;
	}
}

/* Dealer: party 0's bit at alpha, from its children on the last level, its control bit before it, and the leaf words. */
static inline SUF_HD uint64_t
suf_dpf_own_bit(struct block c[2], uint64_t t, uint64_t alpha, uint64_t k, const struct block leaf[2])
{
	const struct block e = suf_dpf_unit(alpha);
	struct block s = suf_dpf_correct(suf_block_mux(k, c[1], c[0]), t, suf_block_mux(k, leaf[1], leaf[0]));
	return suf_parity((s.lo & e.lo) ^ (s.hi & e.hi));
}
#endif

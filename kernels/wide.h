/* SPDX-License-Identifier: Apache-2.0
 * kernels/wide.h -- words of up to 192 bits, three limbs of 64, least significant first: one text for CPU and CUDA.  No branch
 * and no address depends on a word's value; shifts by constants of a step may branch on those.
 */
#ifndef SUF_KERNELS_WIDE_H
#define SUF_KERNELS_WIDE_H
#include "kernels/steps.h"

enum { SUF_LIMBS = 3 };
struct suf_wide { uint64_t w[SUF_LIMBS]; };

static inline SUF_HD uint64_t
suf_mulhi(uint64_t a, uint64_t b)
{
	return (uint64_t)((unsigned __int128)a * b >> 64);
}

/* sum += k t mod 2^(64 limbs) */
static inline SUF_HD void
suf_wide_add_times(struct suf_wide *sum, const uint64_t *t, uint64_t k, unsigned limbs)
{
	uint64_t carry = 0;
	for (unsigned j = 0; j < limbs; j++) {
		const unsigned __int128 v = (unsigned __int128)t[j] * k + sum->w[j] + carry; /* never overflows */
		sum->w[j] = (uint64_t)v;
		carry = (uint64_t)(v >> 64);
	}
}

/* a - b mod 2^192 */
static inline SUF_HD struct suf_wide
suf_wide_sub(struct suf_wide a, struct suf_wide b)
{
	uint64_t borrow = 0;
	for (unsigned j = 0; j < SUF_LIMBS; j++) {
		const unsigned __int128 v = (unsigned __int128)a.w[j] - b.w[j] - borrow;
		a.w[j] = (uint64_t)v;
		borrow = (uint64_t)(v >> 64) & 1;
	}
	return a;
}

/* v >> k, k < 192 public */
static inline SUF_HD struct suf_wide
suf_wide_shr(struct suf_wide v, unsigned k)
{
	const unsigned skip = k >> 6, r = k & 63;
	for (unsigned j = 0; j < SUF_LIMBS; j++) {
		const uint64_t lo = j + skip < SUF_LIMBS ? v.w[j + skip] : 0, hi = j + skip + 1 < SUF_LIMBS ? v.w[j + skip + 1] : 0;
		v.w[j] = lo >> r | (hi << 1) << (63 - r);
	}
	return v;
}

/* v << k mod 2^192, any public k */
static inline SUF_HD struct suf_wide
suf_wide_shl(struct suf_wide v, unsigned k)
{
	const unsigned skip = k >> 6, r = k & 63;
	for (unsigned j = SUF_LIMBS; j-- > 0;) {
		const uint64_t hi = j >= skip ? v.w[j - skip] : 0, lo = j >= skip + 1 ? v.w[j - skip - 1] : 0;
		v.w[j] = hi << r | (lo >> 1) >> (63 - r);
	}
	return v;
}

/* v + 1 */
static inline SUF_HD struct suf_wide
suf_wide_inc(struct suf_wide v)
{
	uint64_t carry = 1;
	for (unsigned j = 0; j < SUF_LIMBS; j++) {
		v.w[j] += carry;
		carry &= v.w[j] == 0;
	}
	return v;
}

/* Local truncation: what party p keeps of its exact share of y, of 64 bits the lowest: ceil(share / 2^s) at party 0, floor at
 * party 1.  Both add up to y / 2^s, off by less than one unit; the rests of the own shares are the coin.  s < 192. */
static inline SUF_HD uint64_t
suf_wide_cut(int p, unsigned s, struct suf_wide share)
{
	uint64_t carry = 0;
	for (unsigned j = 0; !p && j < SUF_LIMBS; j++) {
		const uint64_t ones = s >= 64 * j + 64 ? ~(uint64_t)0 : s > 64 * j ? suf_ring(s - 64 * j) : 0;
		const unsigned __int128 v = (unsigned __int128)share.w[j] + ones + carry;
		share.w[j] = (uint64_t)v;
		carry = (uint64_t)(v >> 64);
	}
	return suf_wide_shr(share, s).w[0];
}

/* The same for a ring of `ring` <= 64 bits, s < ring. */
static inline SUF_HD uint64_t
suf_local_cut(int p, unsigned ring, unsigned s, uint64_t share)
{
	return ((share + (p ? 0 : suf_ring(s))) & suf_ring(ring)) >> s;
}
#endif

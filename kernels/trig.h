/* SPDX-License-Identifier: Apache-2.0
 * kernels/trig.h -- the arithmetic of step trig (runtime/step/trig.c says what it computes): one text for CPU and CUDA, the same
 * bits on every machine.  No branch and no address depends on r; x_hat is public.
 */
#ifndef SUF_KERNELS_TRIG_H
#define SUF_KERNELS_TRIG_H
#include "kernels/steps.h"

/* Table of the step: a, b, l, K, then coefficients with SUF_TRIG_FRAC fraction bits, of cosines from k = 0 on, of sines from k = 1. */
enum { SUF_TRIG_A, SUF_TRIG_B, SUF_TRIG_LINEAR, SUF_TRIG_TERMS, SUF_TRIG_COEF, SUF_TRIG_FRAC = 24, SUF_TRIG_MAX_PERIOD = 20, SUF_TRIG_MAX_TERMS = 64 };
enum { SUF_TURN_FRAC = 30 };                     /* of cosines and sines of secret angles */
struct suf_turn { int32_t c, s; };

/* v / 2^30 to the nearest integer, |v| < 2^61 + 2^60; halves upwards */
static inline SUF_HD int32_t
suf_turn_round(int64_t v)
{
	return (int32_t)(uint32_t)(((uint64_t)v + ((uint64_t)1 << (SUF_TURN_FRAC - 1))) >> SUF_TURN_FRAC);
}

/* The sum of two angles; each adds its error, and half a unit. */
static inline SUF_HD struct suf_turn
suf_turn_add(struct suf_turn x, struct suf_turn y)
{
	return (struct suf_turn){ suf_turn_round((int64_t)x.c * y.c - (int64_t)x.s * y.s), suf_turn_round((int64_t)x.s * y.c + (int64_t)x.c * y.s) };
}

/* y, or no turn at all if the secret bit is 0 */
static inline SUF_HD struct suf_turn
suf_turn_if(uint64_t bit, struct suf_turn y)
{
	const int32_t yes = -(int32_t)(bit & 1), unit = 1 << SUF_TURN_FRAC;
	return (struct suf_turn){ ((y.c - unit) & yes) + unit, y.s & yes };
}

/* A dealer's word: (p x + q y) 2^b to the nearest integer, p, q with SUF_TRIG_FRAC fraction bits and below 2^31, x, y of a turn. */
static inline SUF_HD uint64_t
suf_trig_word(unsigned b, int64_t p, int32_t x, int64_t q, int32_t y)
{
	const unsigned shift = SUF_TRIG_FRAC + SUF_TURN_FRAC - b;
	const uint64_t lift = (uint64_t)1 << 63, v = (uint64_t)(p * x + q * y);
	return ((v + lift + ((uint64_t)1 << (shift - 1))) >> shift) - (lift >> shift);
}

/* A term of a party's share: pair = cosine and sine of k x_hat, 16 bits each, public. */
static inline SUF_HD uint64_t
suf_trig_term(uint32_t pair, uint64_t cosine, uint64_t sine)
{
	return (uint64_t)(int64_t)(int16_t)(uint16_t)pair * cosine + (uint64_t)(int64_t)(int16_t)(uint16_t)(pair >> 16) * sine;
}

/* The constant, scaled by 2^(a+b), to the nearest integer. */
static inline SUF_HD uint64_t
suf_trig_constant(unsigned scale, int64_t c)
{
	if (scale >= SUF_TRIG_FRAC)
		return (uint64_t)c << (scale - SUF_TRIG_FRAC);
	return (uint64_t)((c + ((int64_t)1 << (SUF_TRIG_FRAC - 1 - scale))) >> (SUF_TRIG_FRAC - scale));
}

/* Party p's share of what follows the sum of terms: 2^l x, |x| < 2^(n-2), from shares of r and msb(r); l < 0: 0. */
static inline SUF_HD uint64_t
suf_trig_line(int p, unsigned n, int l, uint64_t x_hat, uint64_t r, uint64_t msb)
{
	return l < 0 ? 0 : suf_gapext_eval(p, n, x_hat, r, msb) << l;
}
#endif

/* SPDX-License-Identifier: Apache-2.0
 * kernels/exps.h -- the exponential in integers, and the per-element arithmetic of step exps (runtime/step/exps.c says what it
 * computes): one text for CPU and CUDA, the same bits on every machine.  No branch and no address depends on the argument.
 */
#ifndef SUF_KERNELS_EXPS_H
#define SUF_KERNELS_EXPS_H
#include "kernels/wide.h"

/* 2^g - 1, g and result with 64 fraction bits, at most 2^-61 too small: Horner's scheme on (ln 2)^k / k!, rounded down. */
static inline SUF_HD uint64_t
suf_exp2m1(uint64_t g)
{
	uint64_t p = 0x3;
	p = 0x66 + suf_mulhi(p, g);
	p = 0x9c7 + suf_mulhi(p, g);
	p = 0xe1b7 + suf_mulhi(p, g);
	p = 0x131496 + suf_mulhi(p, g);
	p = 0x1816193 + suf_mulhi(p, g);
	p = 0x1c3bd650 + suf_mulhi(p, g);
	p = 0x1e8cac735 + suf_mulhi(p, g);
	p = 0x1e4cf5158b + suf_mulhi(p, g);
	p = 0x1b5253d395e + suf_mulhi(p, g);
	p = 0x162c0223a5c8 + suf_mulhi(p, g);
	p = 0xffe5fe2c4586 + suf_mulhi(p, g);
	p = 0xa184897c363c3 + suf_mulhi(p, g);
	p = 0x5761ff9e299cc4 + suf_mulhi(p, g);
	p = 0x276556df749cee5 + suf_mulhi(p, g);
	p = 0xe35846b82505fc5 + suf_mulhi(p, g);
	p = 0x3d7f7bff058b1d50 + suf_mulhi(p, g);
	p = 0xb17217f7d1cf79ab + suf_mulhi(p, g);
	return suf_mulhi(p, g);
}

/* man 2^(exp - 63), man >= 2^63 */
struct suf_exp { uint64_t man; int exp; };

/* e^(v / 2^f), |v| < 2^40, f < 40; relative error below 2^-59. */
static inline SUF_HD struct suf_exp
suf_exp(int64_t v, unsigned f)
{
	/* log2(e) = 1 + high 2^-64 + low 2^-128 */
	const uint64_t high = 0x71547652b82fe177, low = 0x7d0ffda0d23a7d11;
	const __int128 y = (__int128)v * ((__int128)1 << 64) + (__int128)v * high + ((__int128)v * low >> 64);
	const __int128 scaled = y >> f;
	return (struct suf_exp){ (uint64_t)1 << 63 | suf_exp2m1((uint64_t)scaled) >> 1, (int)(int64_t)(scaled >> 64) };
}

/* Dealer: e^(-r / 2^f) with 127 fraction bits, for a secret r with e^(r / 2^f) < 2^63. */
struct suf_exps_low { uint64_t hi, lo; };
static inline SUF_HD struct suf_exps_low
suf_exps_low(uint64_t r, unsigned f)
{
	const struct suf_exp e = suf_exp(-(int64_t)r, f);
	const unsigned k = (unsigned)-e.exp;              /* 0 .. 63 */
	return (struct suf_exps_low){ e.man >> k, (e.man << 1) << (63 - k) };
}

/* Dealer: round(base.man low 2^-190 2^(base.exp + scale)) mod 2^192; base and scale public. */
static inline SUF_HD struct suf_wide
suf_exps_entry(struct suf_exp base, int scale, struct suf_exps_low low)
{
	const unsigned __int128 a = (unsigned __int128)base.man * low.lo, b = (unsigned __int128)base.man * low.hi + (uint64_t)(a >> 64);
	const struct suf_wide v = { { (uint64_t)a, (uint64_t)b, (uint64_t)(b >> 64) } };
	const int shift = 190 - base.exp - scale;
	if (shift > 192)
		return (struct suf_wide){ { 0, 0, 0 } };  /* less than half a unit */
	if (shift > 64) {                                 /* the usual case: two words are enough */
		const unsigned __int128 u = ((b >> (shift - 65)) + 1) >> 1;
		return (struct suf_wide){ { (uint64_t)u, (uint64_t)(u >> 64), 0 } };
	}
	return shift > 0 ? suf_wide_shr(suf_wide_inc(suf_wide_shr(v, (unsigned)shift - 1)), 1) : suf_wide_shl(v, (unsigned)-shift);
}

/* Dealer: the 2^b entries of `limbs` words in t, turned so that entry i comes to place i + by mod 2^b; `by` is secret. */
static inline SUF_HD void
suf_exps_turn(uint64_t *t, unsigned limbs, unsigned b, uint64_t by)
{
	const unsigned all = 1u << b;
	for (unsigned k = 0; k < b; k++) {
		const unsigned step = 1u << k;
		const uint64_t yes = 0 - (by >> k & 1);
		for (unsigned start = 0; start < step; start++) /* along the cycle start, start - step, ..., back to start */
			for (unsigned j = 0; j < limbs; j++) {
				uint64_t *at = t + start * limbs + j;
				const uint64_t first = *at;
				for (unsigned i = start;;) {
					const unsigned from = (i - step) & (all - 1);
					uint64_t *to = t + i * limbs + j;
					const uint64_t v = from == start ? first : t[from * limbs + j];
					*to ^= (*to ^ v) & yes;
					if (from == start)
						break;
					i = from;
				}
			}
	}
}

/* Place in the window that begins at c, of n bits. */
static inline SUF_HD uint64_t
suf_exps_place(unsigned n, int64_t c, uint64_t x_hat)
{
	return (x_hat - (uint64_t)c) & suf_ring(n);
}
#endif

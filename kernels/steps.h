/* SPDX-License-Identifier: Apache-2.0
 * kernels/steps.h -- the per-element arithmetic of the steps: one text for the
 * CPU evaluators (runtime/step/) and for CUDA kernels.  Names: p party (0, 1),
 * *_hat public masked values, other words secret shares.  No branch and no
 * address depends on a secret.  Results are not reduced: the caller takes them
 * mod 2^m after it has added the pad.
 */
#ifndef SUF_KERNELS_STEPS_H
#define SUF_KERNELS_STEPS_H
#include <stdint.h>
#ifdef __CUDACC__
#define SUF_HD __host__ __device__
#else
#define SUF_HD
#endif

static inline SUF_HD uint64_t
suf_ring(unsigned bits)
{
	return bits >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << bits) - 1;
}

/* trunc, slack = 0: (x_hat >> s) - (r >> s) - w; t = share of -(r >> s) - w for the opened bit. */
static inline SUF_HD uint64_t
suf_trunc_eval(int p, unsigned s, uint64_t x_hat, uint64_t t)
{
	return (p ? x_hat >> s : 0) + t;
}

/* trunc, slack = 1: |x| < 2^(n-2); msb = share of msb(r) * 2^(n-s). */
static inline SUF_HD uint64_t
suf_trunc_slack_eval(int p, unsigned n, unsigned s, uint64_t x_hat, uint64_t t, uint64_t msb)
{
	uint64_t up = (x_hat + ((uint64_t)1 << (n - 2))) & suf_ring(n);   /* of x + 2^(n-2) >= 0 */
	uint64_t wraps = (up >> (n - 1)) ^ 1;                             /* then r + x wrapped iff msb(r) = 1 */
	return (p ? (up >> s) - ((uint64_t)1 << (n - s - 2)) : 0) + t + wraps * msb;
}

/* sext: y = x_hat + 2^(n-1) mod 2^n; t = share of -r + w 2^n for the opened bit. */
static inline SUF_HD uint64_t
suf_sext_eval(int p, unsigned n, uint64_t x_hat, uint64_t t)
{
	const uint64_t half = (uint64_t)1 << (n - 1);
	return (p ? ((x_hat + half) & suf_ring(n)) - half : 0) + t;
}

/* gapext: x in [-2^(n-2), 2^(n-2)); r = share of r (m bits), msb = share of msb(r) (m-n bits). */
static inline SUF_HD uint64_t
suf_gapext_eval(int p, unsigned n, uint64_t x_hat, uint64_t r, uint64_t msb)
{
	const uint64_t quarter = (uint64_t)1 << (n - 2);
	uint64_t xo = (x_hat + quarter) & suf_ring(n);
	uint64_t u = (xo >> (n - 1)) ^ 1;
	return (p ? 0 : xo - quarter) - r + u * (msb << n);
}

/* select: bit * x; z = share of the bit's mask, u = share of -z r (bit_hat 0) or z r - r (bit_hat 1). */
static inline SUF_HD uint64_t
suf_select_eval(int p, uint64_t bit_hat, uint64_t x_hat, uint64_t z, uint64_t u)
{
	uint64_t pub = p ? bit_hat * x_hat : 0;
	return pub + (1 - 2 * bit_hat) * (x_hat * z) + u;
}

/* lutsign: sign * v with sign = 2 bit - 1; v1 = share of 2z - 1, vr = share of (2z - 1) r. */
static inline SUF_HD uint64_t
suf_lutsign_eval(uint64_t bit_hat, uint64_t v_hat, uint64_t v1, uint64_t vr)
{
	return (1 - 2 * bit_hat) * (v_hat * v1 - vr);
}

/* lt: where the key is evaluated: (x_hat + c) mod 2^b. */
static inline SUF_HD uint64_t
suf_lt_point(unsigned b, uint64_t x_hat, uint64_t c)
{
	return (x_hat + c) & suf_ring(b);
}

/* drelu: where the key is evaluated for the threshold t, on b-1 bits. */
static inline SUF_HD uint64_t
suf_drelu_point(unsigned b, uint64_t x_hat, uint64_t t)
{
	return (t - x_hat - 1) & suf_ring(b - 1);
}

/* drelu: share of [x >= t] but for the key's bit; less = the comparison at that point. */
static inline SUF_HD uint64_t
suf_drelu_bit(int p, unsigned b, uint64_t x_hat, uint64_t t, uint64_t less)
{
	return less ^ ((uint64_t)p & ((x_hat - t) >> (b - 1) & 1));
}

/* cuts: y = (x_hat >> s) - c - (r >> s) with the borrow c; x = x_hat >> s.  Where the key is evaluated for the threshold t, on b-1
 * bits: the point of c = 1, one above that of c = 0. */
static inline SUF_HD uint64_t
suf_cuts_point(unsigned b, uint64_t x, uint64_t t)
{
	return (t - x) & suf_ring(b - 1);
}

/* cuts: share of [y >= t] without a borrow, but for the key's bit, from the comparison and the equality at that point; with a
 * borrow it is another one exactly if the equality holds. */
static inline SUF_HD uint64_t
suf_cuts_bit(int p, unsigned b, uint64_t x, uint64_t t, uint64_t less, uint64_t equal)
{
	return less ^ equal ^ ((uint64_t)p & ((x - t - 1) >> (b - 1) & 1));
}

/* cutfix: base ^ c*d with the bits c_hat = c ^ zc, d_hat = d ^ zd; shares of zc, zd and zc*zd. */
static inline SUF_HD uint64_t
suf_cutfix_eval(int p, uint64_t c_hat, uint64_t d_hat, uint64_t base, uint64_t zc, uint64_t zd, uint64_t zz)
{
	return base ^ ((uint64_t)p & c_hat & d_hat) ^ (c_hat & zd) ^ (d_hat & zc) ^ zz;
}

/* lut: share of the sign bit from the signed number of set leaves. */
static inline SUF_HD uint64_t
suf_lut_sign(uint64_t ones)
{
	return (ones + 1) >> 1 & 1;
}

/* lin4: the words of the opened index. */
static inline SUF_HD uint64_t
suf_lin4_eval(uint64_t x_hat, uint64_t slope, uint64_t icept)
{
	return slope * x_hat + icept;
}

/* bitdot: one term, coefficient * bit; z = share of the bit's mask in the ring. */
static inline SUF_HD uint64_t
suf_bitdot_term(int p, uint64_t bit_hat, uint64_t coefficient, uint64_t z)
{
	return coefficient * ((uint64_t)p * bit_hat + (1 - 2 * bit_hat) * z);
}

/* shiftmul, shiftsq: x >> s = X + o with X public and o = -(r >> s) - borrow + wraps * msb(r) * 2^(n-s) the dealer's.
 * gap: |x| < 2^(n-2), else X + o is right mod 2^(n-s) only, and no word counts for the top bit of r. */
static inline SUF_HD uint64_t
suf_shift_public(unsigned n, unsigned s, int gap, uint64_t x_hat, uint64_t *wraps)
{
	const uint64_t lift = gap ? (uint64_t)1 << (n - 2) : 0;
	uint64_t up = (x_hat + lift) & suf_ring(n);
	*wraps = gap ? (up >> (n - 1)) ^ 1 : 0;
	return (up >> s) - (lift >> s);
}

/* shiftmul: (X + o) y; shares of o, of y's mask r and of o r. */
static inline SUF_HD uint64_t
suf_shiftmul_eval(int p, uint64_t x, uint64_t y_hat, uint64_t o, uint64_t r, uint64_t o_r)
{
	return ((p ? x : 0) + o) * y_hat - x * r - o_r;
}

/* shiftsq: (X + o)^2; shares of o and o^2. */
static inline SUF_HD uint64_t
suf_shiftsq_eval(int p, uint64_t x, uint64_t o, uint64_t o_o)
{
	return x * ((p ? x : 0) + 2 * o) + o_o;
}

/* pieces: a polynomial in public X; c: shares of the coefficients, the constant first, and of what of each but the last a wrap
 * of x changes, in units of 2^n. */
static inline SUF_HD uint64_t
suf_pieces_eval(unsigned n, unsigned degree, uint64_t x, uint64_t wraps, const uint64_t *c, const uint64_t *change)
{
	uint64_t y = c[degree];
	for (unsigned k = degree; k-- > 0;)
		y = y * x + c[k] + (wraps ? change[k] << n : 0);
	return y;
}

/* pieces: x = X + off, X of suf_shift_public without a shift; what the dealer knows of it. */
static inline SUF_HD uint64_t
suf_pieces_off(unsigned n, uint64_t r, uint64_t wraps)
{
	return (n < 64 ? (r >> (n - 1) & wraps) << n : 0) - r;
}

/* pieces, dealer: c(x) -> c(x + off), the constant first; Horner's scheme again and again. */
static inline SUF_HD void
suf_pieces_center(unsigned degree, uint64_t off, uint64_t *c)
{
	for (unsigned done = 0; done < degree; done++)
		for (unsigned k = degree; k-- > done;)
			c[k] += off * c[k + 1];
}

/* selshift: d (X + o); shares of the bit's mask z and of d o for the opened bits. */
static inline SUF_HD uint64_t
suf_selshift_eval(int p, uint64_t d_hat, uint64_t x, uint64_t z, uint64_t d_o)
{
	return ((p ? d_hat : 0) + (1 - 2 * d_hat) * z) * x + d_o;
}

/* shift: x_hat and its mask alike. */
static inline SUF_HD uint64_t
suf_shift_eval(unsigned s, unsigned m, uint64_t x_hat)
{
	return x_hat >> s & suf_ring(m);
}

/* tabmul: words for the opened bits; *wraps: a word c counts 2^w more. */
static inline SUF_HD uint64_t
suf_tabmul_eval(unsigned w, uint64_t v_hat, uint64_t a, uint64_t b, uint64_t *wraps)
{
	uint64_t up = (v_hat + ((uint64_t)1 << (w - 2))) & suf_ring(w);
	*wraps = (up >> (w - 1)) ^ 1;
	return a * up + b;
}
#endif

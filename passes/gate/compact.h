/* SPDX-License-Identifier: Apache-2.0
 * compact.h -- the vocabulary of the gates of the set `compact`: build.h has the rest.  docs/compact.md has the mathematics.
 * Results are SHARED, to be opened by the caller, unless said.
 */
#ifndef SUFC_COMPACT_H
#define SUFC_COMPACT_H
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"

/* --- compact_proto_lin.c: between products ---------------------------------------------------------------- */
/* The step whose pads, in order, are the mask shares of a masked value; 0: none (inputs, narrow openings, shifted values, products
 * with their mask defined last, sums).  Views and reductions to fewer bits keep them. */
uint32_t b_pad_step(const struct val *);
/* x / 2^s mod 2^m of a masked x, MASKED, off by less than a unit, no key; m <= n-s.  s = 0: x mod 2^m. */
struct val *b_shift(struct gb *, struct val *x, unsigned s, unsigned m);
/* shared + ca * masked, SHARED, in the ring of `shared` (m bits); `masked` has m bits, or one less for each zero at the end of ca.
 * map: a: shared, each element once, b: masked; NULL: elementwise.  `shared` is not opened besides. */
struct val *b_addx(struct gb *, struct val *shared, int64_t ca, struct val *masked, const struct suf_map *map);
/* Products with their masks defined last, SHARED; mask shares of masked operands are pads where there are any, else come from the key.
 * Weights (or public constants) may be b and bias.  rows: a is a packed triangle, mm->inner elements a row with its zeros; NULL: dense. */
struct val *b_matmul_last(struct gb *, struct val *a, struct val *b, struct val *bias, const struct suf_mm *, const struct suf_rows *rows);
struct val *b_mul_last(struct gb *, struct val *a, struct val *b, const struct suf_map *); /* as many as a; map NULL: elementwise */
/* Opens m bits of v / 2^s, |v| < 2^(n-1): the value mod 2^m, off by less than 1.5 units.  m <= n-s.  s = 0: v mod 2^m, exactly. */
struct val *b_open_narrow(struct gb *, struct val *v, unsigned s, unsigned m);

/* --- compact_proto_exp.c: functions by one-time tables, results SHARED; s: bits that a local truncation drops, m: ring of the result --- */
/* 2^(a+entry) e^(x / 2^frac) / 2^s; with rows the sum over each row (else rows is NULL).  x is read in a window of 2^b cells of
 * 2^(n-b) units that begins at origin, in units of x; valid are all but the last cell.  The public factor has a fraction bits,
 * the secret one `entry`.  m + s holds the largest sum; up to 192 bits, s up to 128. */
struct val *b_exps(struct gb *, struct val *x, const struct suf_rows *rows, unsigned frac, unsigned b, int64_t origin, unsigned a, unsigned entry, unsigned s, unsigned m);
/* 2^(a+bb) (sum_k coef[k] cos(2 pi k x / 2^p), k = 0 .. terms) / 2^s, coefficients with 24 fraction bits and below 2^31, plus 2^l x / 2^s for
 * -2^(n-2) <= x < 2^(n-2); l < 0: without.  m + s <= 64.  b_trig_series: and sine[k-1] sin(2 pi k x / 2^p). */
struct val *b_trig(struct gb *, struct val *x, unsigned p, unsigned terms, unsigned a, unsigned bb, int l, const int64_t *coef, unsigned s, unsigned m, const char *name);
struct val *b_trig_series(struct gb *, struct val *x, unsigned p, unsigned terms, unsigned a, unsigned bb, int l, const int64_t *coef, const int64_t *sine,
                          unsigned s, unsigned m, const char *name);

/* ---- compact_proto_norm.c ----------------------------------------------------------------------- */
/* (sum of x^2 of each row, + c) / 2^s mod 2^m; *r, *msb: shares of x's mask mod 2^w, w >= m+s-1, and of its top bit.  |x| < 2^(n-2). */
struct val *b_normsq(struct gb *, struct val *x, const struct suf_rows *, unsigned w, int64_t c, unsigned s, unsigned m, struct val **r, struct val **msb);
/* rho x / 2^s mod 2^m; rho: m+s bits, one for each row; r, msb: of b_normsq for this x. */
struct val *b_normmul(struct gb *, struct val *rho, struct val *x, struct val *r, struct val *msb, const struct suf_rows *, unsigned s, unsigned m);
/* w (c + sum of coeff[k] bit_k) / 2^s mod 2^m; bits: [K][elements], opened; w: m+s bits. */
struct val *b_bitmul(struct gb *, struct val *bits, unsigned K, struct val *w, int64_t c, const int64_t *coeff, unsigned s, unsigned m, const char *name);

/* ---- compact_rows.c ------------------------------------------------------------------------------- */
/* u, MASKED, 16 bits: z 16^(K-c) / 2^(n-16), off by less than 1.5, where c of the *bits [K][rows], MASKED, are set, lowest threshold first;
 * 2^11 <= u <= 2^15 + 33, so cells 8 .. 128 of 2^8.  0 < z < 2^(n-1); z < (1 + 2^-10) 2^(n-5-4K) has a u below that range. */
struct val *b_row_scale(struct gb *, struct val *z, unsigned K, struct val **bits);
#endif

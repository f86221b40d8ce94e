/* SPDX-License-Identifier: Apache-2.0
 * compact.h -- the vocabulary of the gates of the set `compact`: build.h has the rest.  docs/compact.md has the mathematics.
 * Results are SHARED, to be opened by the caller, unless said.
 */
#ifndef SUFC_COMPACT_H
#define SUFC_COMPACT_H
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"

/* ---- compact_proto_lin.c ---------------------------------------------------------------------- */
uint32_t b_pad_step(const struct val *);         /* the step whose pads are this masked value's mask shares; 0: none */
struct val *b_shift(struct gb *, struct val *x, unsigned s, unsigned m); /* MASKED: x / 2^s in m <= n-s bits, off by less than one unit; s > 0 */
/* As b_matmul and b_mul, with a mask that is defined last. */
struct val *b_matmul_last(struct gb *, struct val *a, struct val *b, struct val *bias, const struct suf_mm *);
struct val *b_mul_last(struct gb *, struct val *a, struct val *b, const struct suf_map *);

/* ---- compact_proto_exp.c ------------------------------------------------------------------------ */
/* 2^(A+B-s) e^(x / 2^f) mod 2^m, x in [origin, origin + (2^b - 1) cells); rows: their sums; A + B + integer bits = m + s <= 192. */
struct val *b_exps(struct gb *, struct val *x, const struct suf_rows *rows, unsigned b, int64_t origin, unsigned f, unsigned A, unsigned B, unsigned s, unsigned m);

/* 2^(a+b-s) (sum over k <= K of c[k] cos(2 pi k x / 2^period)) + 2^(l-s) x mod 2^m (l < 0: without the line; with it |x| < 2^(n-2)). */
struct val *b_trig(struct gb *, struct val *x, unsigned period, unsigned a, unsigned b, int l, unsigned K, const double *c, unsigned s, unsigned m, const char *name);

/* ---- compact_proto_norm.c ----------------------------------------------------------------------- */
/* (sum of x^2 of each row, + c) / 2^s mod 2^m; *r, *msb: shares of x's mask mod 2^w, w >= m+s-1, and of its top bit.  |x| < 2^(n-2). */
struct val *b_normsq(struct gb *, struct val *x, const struct suf_rows *, unsigned w, int64_t c, unsigned s, unsigned m, struct val **r, struct val **msb);
/* rho x / 2^s mod 2^m; rho: m+s bits, one for each row; r, msb: of b_normsq for this x. */
struct val *b_normmul(struct gb *, struct val *rho, struct val *x, struct val *r, struct val *msb, const struct suf_rows *, unsigned s, unsigned m);
/* w (c + sum of coeff[k] bit_k) / 2^s mod 2^m; bits: [K][elements], opened; w: m+s bits. */
struct val *b_bitmul(struct gb *, struct val *bits, unsigned K, struct val *w, int64_t c, const int64_t *coeff, unsigned s, unsigned m, const char *name);

/* ---- compact_rows.c ------------------------------------------------------------------------------- */
/* The top 16 bits, MASKED, of z 16^(K-c) in [2^(n-5), 2^(n-1)), where c of the *bits [K][rows], MASKED, are set; 0 < z < 2^(n-1), and
 * z >= 2^(n-5-4K). */
struct val *b_row_scale(struct gb *, struct val *z, unsigned K, struct val **bits);
#endif

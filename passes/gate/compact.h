/* SPDX-License-Identifier: Apache-2.0
 * compact.h -- the vocabulary of compact gates, beside build.h: pads as mask shares, masks defined last, openings that drop bits.
 */
#ifndef SUFC_GATE_COMPACT_H
#define SUFC_GATE_COMPACT_H
#include "passes/gate/build.h"

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
#endif

/* SPDX-License-Identifier: Apache-2.0
 * compact.h -- the vocabulary of compact gates, beside build.h: pads as mask shares, masks defined last, openings that drop bits.
 */
#ifndef SUFC_GATE_COMPACT_H
#define SUFC_GATE_COMPACT_H
#include "passes/gate/build.h"

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
#endif

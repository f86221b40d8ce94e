/* SPDX-License-Identifier: Apache-2.0
 * scan_f32.h -- what rows of floats hold: extremes and sums, for ranges of values and norms of weights.
 */
#ifndef SUFC_SCAN_F32_H
#define SUFC_SCAN_F32_H
#include "prg.h"

struct scan { double lo, hi, sum, magnitudes, squares; };   /* squares is not finite if a number is not: lo and hi do not see every NaN */

/* Of x[0] to x[n - 1], n > 0; the sums have an order of their own that depends on n alone. */
struct scan scan_f32(enum suf_isa isa, const float *x, int64_t n);
/* magnitudes[i] += |x[i]|, squares[i] += x[i]^2 for i < n */
void scan_columns(enum suf_isa isa, const float *x, int64_t n, double *magnitudes, double *squares);
#endif

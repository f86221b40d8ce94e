/* SPDX-License-Identifier: Apache-2.0
 * gemm_f32.h -- products of float matrices, for the reference interpreter and for norms of weights.
 */
#ifndef SUFC_GEMM_F32_H
#define SUFC_GEMM_F32_H
#include <stdbool.h>
#include <stdint.h>
#include "prg.h"

/* Element [i][j] is at[i * row + j * col], times factor[i] where there are factors. */
struct matrix_f32 { const float *at; int64_t row, col; const float *factor; };

/* c[m][n] = a[m][k] b[k][n] (+ bias[n], where it is not NULL); factors of a are not looked at.  Blocks of 256 terms are summed in float, the blocks in double;
 * the order of the terms is that of k for every element.  upper: what is below the diagonal may be left undefined.  Large products
 * go to all processors. */
void gemm_f32(enum suf_isa isa, float *c, int64_t m, int64_t n, int64_t k, struct matrix_f32 a, struct matrix_f32 b, const float *bias,
              bool upper);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * gemm.h -- sums of matrix products of unsigned 64-bit integers mod 2^64.
 *     C[i*ldc + j] += sum over the terms, sum over k, A[i*sa_i + k*sa_k] * B[k*sb_k + j*sb_j]     (strides in elements, any sign)
 * The B of a term is in memory or made where it is needed, a piece of a panel at a time: masks of large weights are never in memory
 * as a whole.
 */
#ifndef SUF_GEMM_H
#define SUF_GEMM_H
#include "prg.h"

enum { GEMM_TERMS = 2, GEMM_PIECE = 256 }; /* the most terms of a sum; the most words of a piece */
struct gemm_dims { size_t m, k, n; int64_t sa_i, sa_k, sb_k, sb_j, ldc; };
/* words: NULL, or gives words [first, first + count) of B, which lies in memory without gaps, by rows (sb_k = n, sb_j = 1) or by
 * columns (sb_k = 1, sb_j = k); every word is asked for once, in pieces of one line. */
struct gemm_term { const uint64_t *a, *b; void (*words)(void *arg, uint64_t first, size_t count, uint64_t *to); void *arg; };

size_t gemm_scratch(size_t m, size_t k, size_t n);
/* narrow52: the result is needed mod 2^52 only, whatever the operands (enables AVX-512 IFMA); else exact mod 2^64.
 * work: gemm_scratch() bytes, 64-byte aligned; packs panels, so strided operands cost no more. */
void gemm_u64(enum suf_isa, int narrow52, const struct gemm_dims *, const struct gemm_term *, size_t terms, uint64_t *c, void *work);
#endif

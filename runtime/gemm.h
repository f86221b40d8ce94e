/* SPDX-License-Identifier: Apache-2.0
 * gemm.h -- matrix products of unsigned 64-bit integers mod 2^64.
 * C[i*ldc + j] += sum_k A[i*sa_i + k*sa_k] * B[k*sb_k + j*sb_j] (strides in elements, any sign).
 * ifma52: the result is needed mod 2^52 only, and operands are < 2^52 (enables AVX-512 IFMA); else exact mod 2^64.
 * work: gemm_scratch() bytes, 64-byte aligned; packs panels, so strided operands cost no more.
 */
#ifndef SUF_GEMM_H
#define SUF_GEMM_H
#include "prg.h"
size_t gemm_scratch(size_t m, size_t k, size_t n);
void gemm_u64(enum suf_isa, int narrow52, size_t m, size_t k, size_t n,
              const uint64_t *a, int64_t sa_i, int64_t sa_k, const uint64_t *b, int64_t sb_k, int64_t sb_j,
              uint64_t *c, int64_t ldc, void *work);
#endif

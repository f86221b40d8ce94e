/* SPDX-License-Identifier: Apache-2.0
 * Kernels for AVX2 + AES-NI: vectors of one block. */
#include "kernel.h"
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,bmi2,popcnt,aes")))
#include "kernel_avx2.h"
#define NAME(x) x##_aesni
#define W 1
#define V __m128i
#define V_LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define V_STORE(p, v) _mm_storeu_si128((__m128i *)(void *)(p), v)
#define V_XOR _mm_xor_si128
#define V_AND _mm_and_si128
#define V_ANDNOT _mm_andnot_si128
#define V_ADD _mm_add_epi64
#define V_WORDS(lo, hi) _mm_set_epi64x(hi, lo)
#define V_KEY(p) V_LOAD(p)
#define V_ENC _mm_aesenc_si128
#define V_ENCLAST _mm_aesenclast_si128
#define V_PAIRS(p) _mm_set1_epi64x((long long)(p)[0])
#define V_SIGNS(v) _mm_srai_epi32(_mm_shuffle_epi32(v, 0xff), 31)
#define V_LSBS(v) _mm_srai_epi32(_mm_shuffle_epi32(_mm_slli_epi32(v, 31), 0), 31)
#define V_SHL1(v) _mm_slli_epi64(v, 1)
#define V_SHL(v, n) _mm_sll_epi64(v, _mm_cvtsi32_si128((int)(n)))
#define V_ONES_AT(v) _mm_sllv_epi64(_mm_set1_epi64x(1), _mm_sub_epi64(_mm_and_si128(v, _mm_set1_epi64x(127)), V_WORDS(0, 64)))
#define V_PUT_BITS(v) ((uint32_t)_mm_cvtsi128_si32(v) & 1)
#define V_GET_BITS(w) _mm_cvtsi32_si128((int)((w) & 1))
#include "kernel_vec.h"
#endif

/* SPDX-License-Identifier: Apache-2.0
 * Kernels for AVX2 + VAES: vectors of two blocks. */
#include "kernel.h"
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,bmi2,popcnt,aes,vaes")))
#include "kernel_avx2.h"
#define NAME(x) x##_vaes256
#define W 2
#define V __m256i
#define V_LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define V_STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define V_XOR _mm256_xor_si256
#define V_AND _mm256_and_si256
#define V_ANDNOT _mm256_andnot_si256
#define V_ADD _mm256_add_epi64
#define V_WORDS(lo, hi) _mm256_set_epi64x(hi, lo, hi, lo)
#define V_KEY(p) _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define V_ENC _mm256_aesenc_epi128
#define V_ENCLAST _mm256_aesenclast_epi128
#define V_PAIRS(p) _mm256_permute4x64_epi64(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(p))), 0x50)
#define V_SIGNS(v) _mm256_srai_epi32(_mm256_shuffle_epi32(v, 0xff), 31)
#define V_LSBS(v) _mm256_srai_epi32(_mm256_shuffle_epi32(_mm256_slli_epi32(v, 31), 0), 31)
#define V_SHL1(v) _mm256_slli_epi64(v, 1)
#define V_SHL(v, n) _mm256_sll_epi64(v, _mm_cvtsi32_si128((int)(n)))
#define V_ONES_AT(v) \
	_mm256_sllv_epi64(_mm256_set1_epi64x(1), _mm256_sub_epi64(_mm256_and_si256(v, _mm256_set1_epi64x(127)), V_WORDS(0, 64)))
#define V_PUT_BITS(v) put_bits(v)
#define V_GET_BITS(w) \
	_mm256_and_si256(_mm256_srlv_epi64(_mm256_set1_epi64x((long long)(w)), _mm256_set_epi64x(64, 1, 64, 0)), V_WORDS(1, 0))

static inline TARGET uint32_t put_bits(__m256i v)
{
	uint32_t m = (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_slli_epi64(v, 63)));

	return (m & 1) | (m >> 1 & 2);
}
#include "kernel_vec.h"
#endif

/* SPDX-License-Identifier: Apache-2.0
 * What kernel_aesni.c and kernel_vaes256.c share: the product of 128 bits with 128 table entries. */
#include <immintrin.h>

static inline __attribute__((always_inline)) TARGET uint64_t dot_words(struct block w, const int64_t *t)
{
	const __m256i start = _mm256_set_epi64x(0, 1, 2, 3); /* bits 60..63 to the top of their lanes */
	const __m256i zero = _mm256_setzero_si256();
	__m256i lo = _mm256_sllv_epi64(_mm256_set1_epi64x((long long)w.lo), start), lo_sum = zero;
	__m256i hi = _mm256_sllv_epi64(_mm256_set1_epi64x((long long)w.hi), start), hi_sum = zero;
	uint64_t sum[4];

	for (int q = 60; q >= 0; q -= 4) {
		__m256i a = _mm256_loadu_si256((const __m256i *)(t + q)), b = _mm256_loadu_si256((const __m256i *)(t + 64 + q));
		lo_sum = _mm256_add_epi64(lo_sum, _mm256_and_si256(_mm256_cmpgt_epi64(zero, lo), a));
		hi_sum = _mm256_add_epi64(hi_sum, _mm256_and_si256(_mm256_cmpgt_epi64(zero, hi), b));
		lo = _mm256_slli_epi64(lo, 4);
		hi = _mm256_slli_epi64(hi, 4);
	}
	_mm256_storeu_si256((__m256i *)sum, _mm256_add_epi64(lo_sum, hi_sum));
	return sum[0] + sum[1] + sum[2] + sum[3];
}

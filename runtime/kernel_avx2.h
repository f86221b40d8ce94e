/* SPDX-License-Identifier: Apache-2.0
 * What kernel_aesni.c and kernel_vaes256.c share: products of leaf bits with table entries of 64, 16 and 32 bits; packing. */
#include <immintrin.h>
#include <string.h>

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

/* Sum of the 32-bit lanes, mod 2^32. */
static inline __attribute__((always_inline)) TARGET uint64_t sum_lanes(__m256i v)
{
	__m128i d = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

	d = _mm_add_epi32(d, _mm_shuffle_epi32(d, 0x4e));
	return (uint32_t)_mm_cvtsi128_si32(d) + (uint64_t)(uint32_t)_mm_extract_epi32(d, 1);
}

/* Bits to lanes: a byte of the block goes to each lane and meets one bit there.  What is left is positive or 0, and as
 * the sign of an entry keeps or clears it. */
static inline __attribute__((always_inline)) TARGET uint64_t dot_half(const struct block *leaf, size_t stride, size_t blocks, const uint16_t *t)
{
	const __m256i bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128);
	const __m256i first = _mm256_setr_epi16(-256, -256, -256, -256, -256, -256, -256, -256, -255, -255, -255, -255, -255, -255, -255, -255);
	__m256i sum[2] = { _mm256_setzero_si256(), _mm256_setzero_si256() };

	for (size_t j = 0; j < blocks; j++, t += 128) {
		__m256i w = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(leaf + j * stride)));
		for (int q = 0; q < 8; q++) {
			__m256i lane = _mm256_shuffle_epi8(w, _mm256_add_epi16(first, _mm256_set1_epi16((short)(2 * q))));
			__m256i entry = _mm256_loadu_si256((const __m256i *)(const void *)(t + 16 * q));
			sum[q % 2] = _mm256_add_epi16(sum[q % 2], _mm256_sign_epi16(entry, _mm256_and_si256(lane, bit)));
		}
	}
	return sum_lanes(_mm256_madd_epi16(_mm256_add_epi16(sum[0], sum[1]), _mm256_set1_epi16(1))); /* sign extended: the same mod 2^16 */
}

static inline __attribute__((always_inline)) TARGET uint64_t dot_word(const struct block *leaf, size_t stride, size_t blocks, const uint32_t *t)
{
	const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), first = _mm256_set1_epi32(-256);
	__m256i sum[2] = { _mm256_setzero_si256(), _mm256_setzero_si256() };

	for (size_t j = 0; j < blocks; j++, t += 128) {
		__m256i w = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(leaf + j * stride)));
		for (int q = 0; q < 16; q++) {
			__m256i lane = _mm256_shuffle_epi8(w, _mm256_add_epi32(first, _mm256_set1_epi32(q)));
			__m256i entry = _mm256_loadu_si256((const __m256i *)(const void *)(t + 8 * q));
			sum[q % 2] = _mm256_add_epi32(sum[q % 2], _mm256_sign_epi32(entry, _mm256_and_si256(lane, bit)));
		}
	}
	return sum_lanes(_mm256_add_epi32(sum[0], sum[1]));
}

/* ---- packing: four elements in a vector, eight before the bits repeat ---------------------------------- */

/* The byte where each of eight begins, and of four the bit in it. */
static inline __attribute__((always_inline)) TARGET __m256i eight_places(unsigned bits, unsigned half, size_t place[8])
{
	uint64_t shift[4];

	for (unsigned k = 0; k < 4; k++) {
		place[4 * half + k] = (4 * half + k) * bits >> 3;
		shift[k] = (4 * half + k) * bits & 7;
	}
	return _mm256_loadu_si256((const __m256i *)shift);
}

static inline __attribute__((always_inline)) TARGET void put_four(uint8_t *to, const size_t *place, __m256i v)
{
	const __m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
	const long long word[4] = { _mm_cvtsi128_si64(low), _mm_extract_epi64(low, 1), _mm_cvtsi128_si64(high), _mm_extract_epi64(high, 1) };

	for (unsigned k = 0; k < 4; k++) /* upwards: each takes all from its first byte on */
		memcpy(to + place[k], &word[k], sizeof word[k]);
}

static inline __attribute__((always_inline)) TARGET __m256i get_four(const uint8_t *from, const size_t *place)
{
	uint64_t word[4];

	for (unsigned k = 0; k < 4; k++)
		memcpy(&word[k], from + place[k], sizeof word[k]);
	return _mm256_set_epi64x((long long)word[3], (long long)word[2], (long long)word[1], (long long)word[0]);
}

/* As pack_run; the first of eight begins with a byte, so whatever is before it has no bit there. */
static inline __attribute__((always_inline)) TARGET void pack_eights(uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	size_t place[8];
	const __m256i left[2] = { eight_places(bits, 0, place), eight_places(bits, 1, place) }, all = _mm256_set1_epi64x(bits);
	const __m256i right[2] = { _mm256_sub_epi64(all, left[0]), _mm256_sub_epi64(all, left[1]) };

	for (size_t i = 0; i < count; i += 8, from += 8, to += bits) {
		const __m256i a = _mm256_loadu_si256((const __m256i *)from), b = _mm256_loadu_si256((const __m256i *)(from + 4));
		const __m256i before_a = _mm256_permute4x64_epi64(a, 0x93), before_b = _mm256_loadu_si256((const __m256i *)(from + 3));
		put_four(to, place, _mm256_or_si256(_mm256_sllv_epi64(a, left[0]), _mm256_srlv_epi64(before_a, right[0])));
		put_four(to, place + 4, _mm256_or_si256(_mm256_sllv_epi64(b, left[1]), _mm256_srlv_epi64(before_b, right[1])));
	}
}

/* As unpack_run. */
static inline __attribute__((always_inline)) TARGET void unpack_eights(uint64_t *to, const uint8_t *from, size_t count, unsigned bits, bool wide)
{
	size_t place[8];
	const __m256i shift[2] = { eight_places(bits, 0, place), eight_places(bits, 1, place) };
	const __m256i keep = _mm256_set1_epi64x((long long)(~0ull >> (64 - bits))), byte = _mm256_set1_epi64x(8);

	for (size_t i = 0; i < count; i += 8, from += bits, to += 8)
		for (unsigned half = 0; half < 2; half++) {
			__m256i v = _mm256_srlv_epi64(get_four(from, place + 4 * half), shift[half]);
			if (wide)
				v = _mm256_or_si256(v, _mm256_sllv_epi64(get_four(from + 1, place + 4 * half), _mm256_sub_epi64(byte, shift[half])));
			_mm256_storeu_si256((__m256i *)(to + 4 * half), _mm256_and_si256(v, keep));
		}
}
#define PACK_EARLY pack_eights
#define UNPACK_EARLY unpack_eights
#include "kernel_pack.h"

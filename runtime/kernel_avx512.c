/* SPDX-License-Identifier: Apache-2.0
 * Kernels for AVX-512 + VAES: vectors of four blocks. */
#include "kernel.h"
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>
#define TARGET __attribute__((target("avx2,bmi2,popcnt,aes,vaes,avx512f,avx512dq,avx512bw,avx512vl,avx512vbmi")))
#define NAME(x) x##_avx512
#define W 4
#define V __m512i
#define V_LOAD(p) _mm512_loadu_si512((const void *)(p))
#define V_STORE(p, v) _mm512_storeu_si512((void *)(p), v)
#define V_XOR _mm512_xor_si512
#define V_AND _mm512_and_si512
#define V_ANDNOT _mm512_andnot_si512
#define V_ADD _mm512_add_epi64
#define V_WORDS(lo, hi) _mm512_set_epi64(hi, lo, hi, lo, hi, lo, hi, lo)
#define V_KEY(p) _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define V_ENC _mm512_aesenc_epi128
#define V_ENCLAST _mm512_aesenclast_epi128
#define V_PAIRS(p) \
	_mm512_permutexvar_epi64(_mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0), \
				 _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)(p))))
#define V_SIGNS(v) _mm512_srai_epi32(_mm512_shuffle_epi32(v, (_MM_PERM_ENUM)0xff), 31)
#define V_LSBS(v) _mm512_srai_epi32(_mm512_shuffle_epi32(_mm512_slli_epi32(v, 31), (_MM_PERM_ENUM)0), 31)
#define V_SHL1(v) _mm512_slli_epi64(v, 1)
#define V_SHL(v, n) _mm512_sll_epi64(v, _mm_cvtsi32_si128((int)(n)))
#define V_ONES_AT(v) \
	_mm512_sllv_epi64(_mm512_set1_epi64(1), _mm512_sub_epi64(_mm512_and_si512(v, _mm512_set1_epi64(127)), V_WORDS(0, 64)))
#define V_PUT_BITS(v) _pext_u32(_mm512_test_epi64_mask(v, _mm512_set1_epi64(1)), 0x55)
#define V_GET_BITS(w) \
	_mm512_and_si512(_mm512_srlv_epi64(_mm512_set1_epi64((long long)(w)), _mm512_set_epi64(64, 3, 64, 2, 64, 1, 64, 0)), V_WORDS(1, 0))

/* The compiler's own reduction adds signed words, whose overflow has no meaning in C. */
static inline __attribute__((always_inline)) TARGET uint64_t sum_words(__m512i v)
{
	__m256i q = _mm256_add_epi64(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
	__m128i d = _mm_add_epi64(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));

	return (uint64_t)_mm_cvtsi128_si64(d) + (uint64_t)_mm_extract_epi64(d, 1);
}

static inline __attribute__((always_inline)) TARGET uint64_t dot_words(struct block w, const int64_t *t)
{
	__m512i lo = _mm512_setzero_si512(), hi = lo;

	for (int q = 0; q < 64; q += 8) {
		lo = _mm512_mask_add_epi64(lo, (__mmask8)(w.lo >> q), lo, V_LOAD(t + q));
		hi = _mm512_mask_add_epi64(hi, (__mmask8)(w.hi >> q), hi, V_LOAD(t + 64 + q));
	}
	return sum_words(_mm512_add_epi64(lo, hi));
}
/* Sum of the 32-bit lanes, mod 2^32. */
static inline __attribute__((always_inline)) TARGET uint64_t sum_lanes(__m512i v)
{
	__m256i q = _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
	__m128i d = _mm_add_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));

	d = _mm_add_epi32(d, _mm_shuffle_epi32(d, 0x4e));
	return (uint32_t)_mm_cvtsi128_si32(d) + (uint64_t)(uint32_t)_mm_extract_epi32(d, 1);
}

static inline __attribute__((always_inline)) TARGET uint64_t dot_half(const struct block *leaf, size_t stride, size_t blocks, const uint16_t *t)
{
	__m512i a = _mm512_setzero_si512(), b = a;

	for (size_t j = 0; j < blocks; j++, t += 128) {
		struct block w = leaf[j * stride];
		a = _mm512_mask_add_epi16(a, (__mmask32)w.lo, a, V_LOAD(t));
		b = _mm512_mask_add_epi16(b, (__mmask32)(w.lo >> 32), b, V_LOAD(t + 32));
		a = _mm512_mask_add_epi16(a, (__mmask32)w.hi, a, V_LOAD(t + 64));
		b = _mm512_mask_add_epi16(b, (__mmask32)(w.hi >> 32), b, V_LOAD(t + 96));
	}
	return sum_lanes(_mm512_madd_epi16(_mm512_add_epi16(a, b), _mm512_set1_epi16(1))); /* sign extended: the same mod 2^16 */
}

static inline __attribute__((always_inline)) TARGET uint64_t dot_word(const struct block *leaf, size_t stride, size_t blocks, const uint32_t *t)
{
	__m512i lo = _mm512_setzero_si512(), hi = lo;

	for (size_t j = 0; j < blocks; j++, t += 128) {
		struct block w = leaf[j * stride];
		for (int q = 0; q < 64; q += 16) {
			lo = _mm512_mask_add_epi32(lo, (__mmask16)(w.lo >> q), lo, V_LOAD(t + q));
			hi = _mm512_mask_add_epi32(hi, (__mmask16)(w.hi >> q), hi, V_LOAD(t + 64 + q));
		}
	}
	return sum_lanes(_mm512_add_epi32(lo, hi));
}

/* ---- packing: eight elements, which are `bits` bytes, in one vector ------------------------------------ */

/* The bit where each of the eight begins. */
static inline __attribute__((always_inline)) TARGET __m512i first_bits(unsigned bits)
{
	return _mm512_mullo_epi64(_mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi64(bits));
}

/* Groups of eight that may be loaded or stored with 64 bytes. */
static inline size_t whole_vectors(size_t bytes, unsigned bits)
{
	return bytes < 64 ? 0 : (bytes - 64) / bits + 1;
}

static inline __mmask8 first_words(size_t n) { return (__mmask8)(n < 8 ? (1u << n) - 1 : 0xff); }
static inline __mmask64 first_bytes(size_t n) { return n < 64 ? (1ull << n) - 1 : ~0ull; }

/* Less than a byte each: their low bytes, and of these the bits. */
TARGET static void pack_narrow(uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	const uint64_t keep = 0x0101010101010101 * ((1ull << bits) - 1);
	size_t bytes = (count * bits + 7) / 8;

	for (; count >= 8 && bytes >= 8; count -= 8, bytes -= bits, from += 8, to += bits) {
		const uint64_t word = _pext_u64((uint64_t)_mm_cvtsi128_si64(_mm512_cvtepi64_epi8(V_LOAD(from))), keep);
		memcpy(to, &word, sizeof word);
	}
	for (; count; from += 8, to += bits) {
		const size_t n = count < 8 ? count : 8, size = bytes < bits ? bytes : bits;
		const __m512i v = _mm512_maskz_loadu_epi64(first_words(n), from);
		const uint64_t word = _pext_u64((uint64_t)_mm_cvtsi128_si64(_mm512_cvtepi64_epi8(v)), keep);
		memcpy(to, &word, size);
		count -= n;
		bytes -= size;
	}
}

struct packing { __m512i left, right, place; };

/* An element brings to the byte where it begins the last bits of the one before it, and what that one had beyond 64 bits: so every
 * byte is in one word.  place: which of the 64 it is. */
static inline __attribute__((always_inline)) TARGET __m512i pack_group(const struct packing *p, __m512i v)
{
	const __m512i before = _mm512_alignr_epi64(v, _mm512_setzero_si512(), 7);

	return _mm512_permutexvar_epi8(p->place, _mm512_or_si512(_mm512_sllv_epi64(v, p->left), _mm512_srlv_epi64(before, p->right)));
}

TARGET static void pack_words(uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	const __m512i left = _mm512_and_si512(first_bits(bits), _mm512_set1_epi64(7));
	size_t bytes = (count * bits + 7) / 8;
	uint8_t place[64];

	if (bits < 8) {
		pack_narrow(to, from, count, bits);
		return;
	}
	for (uint64_t j = 0; j < 8; j++) { /* upwards: each takes all from its first byte on */
		const uint64_t word = 0x0706050403020100 + j * 0x0808080808080808;
		memcpy(place + (j * bits >> 3), &word, sizeof word);
	}
	const struct packing p = { left, _mm512_sub_epi64(_mm512_set1_epi64(bits), left), V_LOAD(place) };
	for (size_t k = whole_vectors(bytes, bits); k > 0; k--, count -= 8, bytes -= bits, from += 8, to += bits)
		V_STORE(to, pack_group(&p, V_LOAD(from)));
	for (; count; from += 8, to += bits) {
		const size_t n = count < 8 ? count : 8, size = bytes < bits ? bytes : bits;
		_mm512_mask_storeu_epi8(to, first_bytes(size), pack_group(&p, _mm512_maskz_loadu_epi64(first_words(n), from)));
		count -= n;
		bytes -= size;
	}
}

struct unpacking { __m512i place, shift, ninth, keep; };

/* wide: an element may go on in a ninth byte.  Where it does not, `ninth` may be any byte: it is shifted beyond `keep`. */
static inline __attribute__((always_inline)) TARGET __m512i unpack_group(const struct unpacking *p, __m512i v, bool wide)
{
	__m512i x = _mm512_srlv_epi64(_mm512_permutexvar_epi8(p->place, v), p->shift);

	if (wide)
		x = _mm512_or_si512(x, _mm512_sllv_epi64(_mm512_maskz_permutexvar_epi8(0x0101010101010101, p->ninth, v),
							 _mm512_sub_epi64(_mm512_set1_epi64(64), p->shift)));
	return _mm512_and_si512(x, p->keep);
}

static inline __attribute__((always_inline)) TARGET void unpack_run(uint64_t *to, const uint8_t *from, size_t count, unsigned bits, bool wide)
{
	const __m512i first = first_bits(bits), byte = _mm512_srli_epi64(first, 3);
	const __m512i place = _mm512_add_epi8(_mm512_mullo_epi64(byte, _mm512_set1_epi64(0x0101010101010101)), _mm512_set1_epi64(0x0706050403020100));
	const struct unpacking p = { place, _mm512_and_si512(first, _mm512_set1_epi64(7)), _mm512_add_epi64(byte, _mm512_set1_epi64(8)),
				     _mm512_set1_epi64((long long)(~0ull >> (64 - bits))) };
	size_t bytes = (count * bits + 7) / 8;

	for (size_t k = whole_vectors(bytes, bits); k > 0; k--, count -= 8, bytes -= bits, from += bits, to += 8)
		V_STORE(to, unpack_group(&p, V_LOAD(from), wide));
	for (; count; from += bits, to += 8) {
		const size_t n = count < 8 ? count : 8, size = bytes < bits ? bytes : bits;
		_mm512_mask_storeu_epi64(to, first_words(n), unpack_group(&p, _mm512_maskz_loadu_epi8(first_bytes(size), from), wide));
		count -= n;
		bytes -= size;
	}
}

TARGET static void unpack_words(uint64_t *to, const uint8_t *from, size_t count, unsigned bits)
{
	if (bits <= 57)
		unpack_run(to, from, count, bits, false);
	else
		unpack_run(to, from, count, bits, true);
}
#include "kernel_vec.h"
#endif

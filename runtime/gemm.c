/* SPDX-License-Identifier: Apache-2.0
 * Matrix products: panels of both operands are packed into tiles (padded with zeros),
 * and a tile of C is a sum over the depth of the panel, kept in registers.
 *
 * 64-bit products from 32-bit ones: a*b = al*bl + ((al*bh + ah*bl) << 32) mod 2^64.
 * The second sum is kept in 32-bit lanes: only its low 32 bits count.
 */
#include "gemm.h"
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
	DEPTH = 256, ROWS = 512, COLS = 128, /* of a panel: A up to 1 MiB, B 256 KiB */
	TILE_MAX = 64,
	UNIT = 16                           /* every tile side divides it */
};

/* tile[rows][cols] = sum over k < depth of a[k][rows] * b[k][cols] */
struct tile_kernel {
	size_t rows, cols;
	void (*tile)(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *tile);
};

static void tile_portable(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *tile)
{
	uint64_t c00 = 0, c01 = 0, c02 = 0, c03 = 0, c10 = 0, c11 = 0, c12 = 0, c13 = 0;

	for (size_t k = 0; k < depth; k++, a += 2, b += 4) {
		uint64_t a0 = a[0], a1 = a[1];
		c00 += a0 * b[0];
		c01 += a0 * b[1];
		c02 += a0 * b[2];
		c03 += a0 * b[3];
		c10 += a1 * b[0];
		c11 += a1 * b[1];
		c12 += a1 * b[2];
		c13 += a1 * b[3];
	}
	memcpy(tile, (uint64_t[]){ c00, c01, c02, c03, c10, c11, c12, c13 }, 8 * sizeof *tile);
}
static const struct tile_kernel gemm_portable = { 2, 4, tile_portable };

#if defined(__x86_64__)
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* gcc would move the four products ahead of the sums and spill a sum: twice the time. */
#define KEEP_IN_REGISTERS(a, b) __asm__("" : "+x"(a), "+x"(b))

/* One vector of columns and four rows: the sixteen registers hold it without a spill. */
__attribute__((target("avx2"))) static void tile_avx2(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *tile)
{
	__m256i low[4], cross[4];

	UNROLL
	for (int i = 0; i < 4; i++)
		low[i] = cross[i] = _mm256_setzero_si256();
	for (size_t k = 0; k < depth; k++, a += 4, b += 4) {
		__m256i y = _mm256_load_si256((const __m256i *)b), swapped = _mm256_shuffle_epi32(y, 0xb1);
		UNROLL
		for (int i = 0; i < 4; i++) {
			__m256i x = _mm256_set1_epi64x((long long)a[i]);
			low[i] = _mm256_add_epi64(low[i], _mm256_mul_epu32(x, y));
			cross[i] = _mm256_add_epi32(cross[i], _mm256_mullo_epi32(x, swapped)); /* al*bh, ah*bl */
			KEEP_IN_REGISTERS(low[i], cross[i]);
		}
	}
	UNROLL
	for (int i = 0; i < 4; i++) {
		__m256i both = _mm256_add_epi32(cross[i], _mm256_shuffle_epi32(cross[i], 0xb1));
		_mm256_storeu_si256((__m256i *)(tile + 4 * i), _mm256_add_epi64(low[i], _mm256_slli_epi64(both, 32)));
	}
}
static const struct tile_kernel gemm_avx2 = { 4, 4, tile_avx2 };

__attribute__((target("avx512f,avx512dq"))) static void tile_avx512(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *tile)
{
	__m512i low[4][2], cross[4][2];

	UNROLL
	for (int i = 0; i < 4; i++) {
		UNROLL
		for (int j = 0; j < 2; j++)
			low[i][j] = cross[i][j] = _mm512_setzero_si512();
	}
	for (size_t k = 0; k < depth; k++, a += 4, b += 16) {
		__m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 8);
		__m512i h0 = _mm512_srli_epi64(b0, 32), h1 = _mm512_srli_epi64(b1, 32);
		UNROLL
		for (int i = 0; i < 4; i++) {
			__m512i x = _mm512_set1_epi64((long long)a[i]), xh = _mm512_srli_epi64(x, 32);
			low[i][0] = _mm512_add_epi64(low[i][0], _mm512_mul_epu32(x, b0));
			low[i][1] = _mm512_add_epi64(low[i][1], _mm512_mul_epu32(x, b1));
			cross[i][0] = _mm512_add_epi64(cross[i][0],
						       _mm512_add_epi64(_mm512_mul_epu32(x, h0), _mm512_mul_epu32(xh, b0)));
			cross[i][1] = _mm512_add_epi64(cross[i][1],
						       _mm512_add_epi64(_mm512_mul_epu32(x, h1), _mm512_mul_epu32(xh, b1)));
		}
	}
	UNROLL
	for (int i = 0; i < 4; i++) {
		UNROLL
		for (int j = 0; j < 2; j++)
			_mm512_storeu_si512(tile + 16 * i + 8 * j, _mm512_add_epi64(low[i][j], _mm512_slli_epi64(cross[i][j], 32)));
	}
}
static const struct tile_kernel gemm_avx512 = { 4, 16, tile_avx512 };

/* Operands < 2^52: sums of the low 52 bits of the products; right mod 2^52. */
__attribute__((target("avx512f,avx512ifma"))) static void tile_ifma(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *tile)
{
	__m512i c[4][2];

	UNROLL
	for (int i = 0; i < 4; i++)
		c[i][0] = c[i][1] = _mm512_setzero_si512();
	for (size_t k = 0; k < depth; k++, a += 4, b += 16) {
		__m512i b0 = _mm512_load_si512(b), b1 = _mm512_load_si512(b + 8);
		UNROLL
		for (int i = 0; i < 4; i++) {
			__m512i x = _mm512_set1_epi64((long long)a[i]);
			c[i][0] = _mm512_madd52lo_epu64(c[i][0], x, b0);
			c[i][1] = _mm512_madd52lo_epu64(c[i][1], x, b1);
		}
	}
	UNROLL
	for (int i = 0; i < 4; i++) {
		UNROLL
		for (int j = 0; j < 2; j++)
			_mm512_storeu_si512(tile + 16 * i + 8 * j, c[i][j]);
	}
}
static const struct tile_kernel gemm_ifma = { 4, 16, tile_ifma };
#endif

static const struct tile_kernel *tile_kernel_of(enum suf_isa isa, int narrow52)
{
#if defined(__x86_64__)
	if (isa == SUF_ISA_AVX512)
		return narrow52 ? &gemm_ifma : &gemm_avx512;
	if (isa != SUF_ISA_PORTABLE)
		return &gemm_avx2;
#else
	(void)isa;
	(void)narrow52;
#endif
	return &gemm_portable;
}

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

size_t gemm_scratch(size_t m, size_t k, size_t n)
{
	size_t depth = min_size(k, DEPTH), rows = round_up(min_size(m, ROWS), UNIT), cols = round_up(min_size(n, COLS), UNIT);

	return round_up(depth * (rows + cols) * sizeof(uint64_t), 64);
}

/* to[s][k][side] = from[(s*side + i)*si + k*sk], slivers of `side`, zero beyond `lines` */
static void pack(uint64_t *to, const uint64_t *from, int64_t si, int64_t sk, size_t lines, size_t depth, size_t side)
{
	for (size_t s = 0; s < lines; s += side, to += side * depth) {
		size_t have = min_size(side, lines - s);
		if (have == 4 && side == 4 && sk == 1) {
			const uint64_t *p = from + (int64_t)s * si;
			for (size_t k = 0; k < depth; k++)
				for (int i = 0; i < 4; i++)
					to[k * 4 + (size_t)i] = p[i * si + (int64_t)k];
			continue;
		}
		if (have < side)
			memset(to, 0, side * depth * sizeof *to);
		for (size_t i = 0; i < have; i++) {
			const uint64_t *p = from + (int64_t)(s + i) * si;
			for (size_t k = 0; k < depth; k++)
				to[k * side + i] = p[(int64_t)k * sk];
		}
	}
}

/* The same when the lines of a sliver lie side by side (si = 1): row after row. */
static void pack_rows(uint64_t *to, const uint64_t *from, int64_t sk, size_t lines, size_t depth, size_t side)
{
	for (size_t s = 0; s < lines; s += side, to += side * depth) {
		if (lines - s < side) {
			pack(to, from + s, 1, sk, lines - s, depth, side);
			return;
		}
		if (side == 16)                  /* a size that the compiler knows: no call for each line */
			for (size_t k = 0; k < depth; k++)
				memcpy(to + k * 16, from + (int64_t)k * sk + s, 16 * sizeof *to);
		else
			for (size_t k = 0; k < depth; k++)
				memcpy(to + k * side, from + (int64_t)k * sk + s, side * sizeof *to);
	}
}

static void pack_any(uint64_t *to, const uint64_t *from, int64_t si, int64_t sk, size_t lines, size_t depth, size_t side)
{
	if (si == 1)
		pack_rows(to, from, sk, lines, depth, side);
	else
		pack(to, from, si, sk, lines, depth, side);
}

/* C panel += A panel * B panel */
static void multiply_panels(const struct tile_kernel *kernel, size_t rows, size_t cols, size_t depth, const uint64_t *a,
			    const uint64_t *b, uint64_t *c, int64_t ldc)
{
	uint64_t tile[TILE_MAX];

	for (size_t j = 0; j < cols; j += kernel->cols)
		for (size_t i = 0; i < rows; i += kernel->rows) {
			size_t h = min_size(kernel->rows, rows - i), w = min_size(kernel->cols, cols - j);
			kernel->tile(depth, a + i * depth, b + j * depth, tile);
			for (size_t y = 0; y < h; y++) {
				uint64_t *to = c + (int64_t)(i + y) * ldc + (int64_t)j;
				for (size_t x = 0; x < w; x++)
					to[x] += tile[y * kernel->cols + x];
			}
		}
}

void gemm_u64(enum suf_isa isa, int narrow52, size_t m, size_t k, size_t n, const uint64_t *a, int64_t sa_i, int64_t sa_k,
	      const uint64_t *b, int64_t sb_k, int64_t sb_j, uint64_t *c, int64_t ldc, void *work)
{
	const struct tile_kernel *kernel = tile_kernel_of(isa, narrow52);
	uint64_t *pack_b = work, *pack_a = pack_b + min_size(k, DEPTH) * round_up(min_size(n, COLS), UNIT);

	/* each element of A is packed once, those of B once for every ROWS rows: products of few rows and a large B are what there is most of */
	for (size_t i = 0; i < m; i += ROWS)
		for (size_t p = 0; p < k; p += DEPTH) {
			size_t rows = min_size(ROWS, m - i), depth = min_size(DEPTH, k - p);
			pack_any(pack_a, a + (int64_t)i * sa_i + (int64_t)p * sa_k, sa_i, sa_k, rows, depth, kernel->rows);
			for (size_t j = 0; j < n; j += COLS) {
				size_t cols = min_size(COLS, n - j);
				pack_any(pack_b, b + (int64_t)p * sb_k + (int64_t)j * sb_j, sb_j, sb_k, cols, depth, kernel->cols);
				multiply_panels(kernel, rows, cols, depth, pack_a, pack_b, c + (int64_t)i * ldc + (int64_t)j, ldc);
			}
		}
}

/* SPDX-License-Identifier: Apache-2.0
 * Matrix products: panels of both operands are packed into slivers (padded with zeros),
 * and a tile of C is a sum over the depth of the panel, kept in registers.  A panel has the
 * same part of all terms, one after the other, so that their sum is one sum.
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
	DEPTH = 128, COLS = 256,            /* of a panel, all terms together: slivers of B have 32 KiB at most, panels 256 KiB */
	TILE_MAX = 128,
	UNIT = 32                           /* every tile side divides it */
};

/* c[rows][cols] += sum over k < depth of a[k][rows] * b[k][cols] */
struct tile_kernel {
	size_t rows, cols;
	void (*tile)(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *c, int64_t ldc);
};

static void tile_portable(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *c, int64_t ldc)
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
	const uint64_t sum[2][4] = { { c00, c01, c02, c03 }, { c10, c11, c12, c13 } };
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 4; j++)
			c[i * ldc + j] += sum[i][j];
}
static const struct tile_kernel gemm_portable = { 2, 4, tile_portable };

#if defined(__x86_64__)
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* gcc would move the four products ahead of the sums and spill a sum: twice the time. */
#define KEEP_IN_REGISTERS(a, b) __asm__("" : "+x"(a), "+x"(b))

/* One vector of columns and four rows: the sixteen registers hold it without a spill. */
__attribute__((target("avx2"))) static void tile_avx2(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *c, int64_t ldc)
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
		__m256i *to = (__m256i *)(void *)(c + i * ldc);
		_mm256_storeu_si256(to, _mm256_add_epi64(_mm256_loadu_si256(to), _mm256_add_epi64(low[i], _mm256_slli_epi64(both, 32))));
	}
}
static const struct tile_kernel gemm_avx2 = { 4, 4, tile_avx2 };

__attribute__((target("avx512f"))) static inline void add_at(uint64_t *c, __m512i sum)
{
	_mm512_storeu_si512(c, _mm512_add_epi64(_mm512_loadu_si512(c), sum));
}

__attribute__((target("avx512f,avx512dq"))) static void tile_avx512(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *c, int64_t ldc)
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
			add_at(c + i * ldc + 8 * j, _mm512_add_epi64(low[i][j], _mm512_slli_epi64(cross[i][j], 32)));
	}
}
static const struct tile_kernel gemm_avx512 = { 4, 16, tile_avx512 };

/* Sums of the low 52 bits of the products, which are those of the operands' low 52 bits; right mod 2^52. */
__attribute__((target("avx512f,avx512ifma"))) static void tile_ifma(size_t depth, const uint64_t *a, const uint64_t *b, uint64_t *c, int64_t ldc)
{
	__m512i sum[4][4], y[4];

	UNROLL
	for (int i = 0; i < 16; i++) {
		__builtin_prefetch(c + i / 4 * ldc + i % 4 * 8, 1); /* needed at the end; a wide C is in no near cache */
		sum[i / 4][i % 4] = _mm512_setzero_si512();
	}
	for (size_t k = 0; k < depth; k++, a += 4, b += 32) {
		UNROLL
		for (int j = 0; j < 4; j++)
			y[j] = _mm512_load_si512(b + 8 * j);
		UNROLL
		for (int i = 0; i < 4; i++) {
			__m512i x = _mm512_set1_epi64((long long)a[i]);
			UNROLL
			for (int j = 0; j < 4; j++)
				sum[i][j] = _mm512_madd52lo_epu64(sum[i][j], x, y[j]);
		}
	}
	UNROLL
	for (int i = 0; i < 16; i++)
		add_at(c + i / 4 * ldc + i % 4 * 8, sum[i / 4][i % 4]);
}
static const struct tile_kernel gemm_ifma = { 4, 32, tile_ifma };
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
	size_t depth = min_size(GEMM_TERMS * k, DEPTH), rows = round_up(m, UNIT), cols = round_up(min_size(n, COLS), UNIT);

	return round_up(depth * (rows + cols) * sizeof(uint64_t), 64);
}

/* A panel of one operand: slivers of `side` lines with `depth` terms each, `pitch` from one sliver to the next. */
struct panel { uint64_t *to; size_t lines, depth, side, pitch; };

/* Zeros for the lines that a last sliver does not have */
static void clear_edge(const struct panel *p)
{
	if (p->lines % p->side)
		memset(p->to + p->lines / p->side * p->pitch, 0, p->side * p->depth * sizeof *p->to);
}

/* to[s*pitch + k*side + i] = from[(s*side + i)*si + k*sk] */
static void pack_lines(const struct panel *p, const uint64_t *from, int64_t si, int64_t sk)
{
	const size_t side = p->side;
	uint64_t *to = p->to;

	for (size_t s = 0; s < p->lines; s += side, to += p->pitch, from += (int64_t)side * si) {
		const size_t have = min_size(side, p->lines - s);
		if (have == 4 && side == 4 && sk == 1) { /* sizes that the compiler knows: four lines side by side */
			for (size_t k = 0; k < p->depth; k++)
				for (int i = 0; i < 4; i++)
					to[k * 4 + (size_t)i] = from[i * si + (int64_t)k];
			continue;
		}
		for (size_t i = 0; i < have; i++)
			for (size_t k = 0; k < p->depth; k++)
				to[k * side + i] = from[(int64_t)i * si + (int64_t)k * sk];
	}
}

/* Term k of all lines, which lie side by side in `from` */
static void put_term(const struct panel *p, size_t k, const uint64_t *from)
{
	uint64_t *to = p->to + k * p->side;
	size_t s = 0;

	if (p->side == 32)                          /* a size that the compiler knows: no call for each sliver */
		for (; s + 32 <= p->lines; s += 32, to += p->pitch)
			memcpy(to, from + s, 32 * sizeof *to);
	for (; s < p->lines; s += p->side, to += p->pitch)
		memcpy(to, from + s, min_size(p->side, p->lines - s) * sizeof *to);
}

static void pack(const struct panel *p, const uint64_t *from, int64_t si, int64_t sk)
{
	clear_edge(p);
	if (si != 1)
		pack_lines(p, from, si, sk);
	else
		for (size_t k = 0; k < p->depth; k++)
			put_term(p, k, from + (int64_t)k * sk);
}

/* Rows from k0 and columns from j0 on of a B that is made here. */
static void make_panel(const struct panel *p, const struct gemm_term *t, const struct gemm_dims *d, size_t k0, size_t j0)
{
	uint64_t piece[GEMM_PIECE];

	clear_edge(p);
	for (size_t k = 0; d->sb_j == 1 && k < p->depth; k++) {
		t->words(t->arg, (k0 + k) * d->n + j0, p->lines, piece);
		put_term(p, k, piece);
	}
	for (size_t i = 0; d->sb_j != 1 && i < p->lines; i++) {
		uint64_t *to = p->to + i / p->side * p->pitch + i % p->side;
		t->words(t->arg, (j0 + i) * d->k + k0, p->depth, piece);
		for (size_t k = 0; k < p->depth; k++)
			to[k * p->side] = piece[k];
	}
	prg_wipe(piece, sizeof piece);
}

/* The next panel of a B that is in memory: brought near, a few cache lines with each tile, while this one is multiplied. */
struct ahead { const uint64_t *at; int64_t row; size_t rows, words, word, lines; };

static void fetch(struct ahead *next)
{
	for (size_t i = 0; i < next->lines && next->rows; i++) {
		__builtin_prefetch(next->at + next->word, 0, 2);
		next->word += 64 / sizeof *next->at;
		if (next->word >= next->words) {
			next->word = 0;
			if (--next->rows)
				next->at += next->row;
		}
	}
}

/* C panel += A panel * B panel */
static void multiply_panels(const struct tile_kernel *kernel, size_t rows, size_t cols, size_t depth, const uint64_t *a,
			    const uint64_t *b, uint64_t *c, int64_t ldc, struct ahead next)
{
	for (size_t j = 0; j < cols; j += kernel->cols)
		for (size_t i = 0; i < rows; i += kernel->rows) {
			size_t h = min_size(kernel->rows, rows - i), w = min_size(kernel->cols, cols - j);
			uint64_t edge[TILE_MAX], *to = c + (int64_t)i * ldc + (int64_t)j;
			fetch(&next);
			if (h == kernel->rows && w == kernel->cols) {
				kernel->tile(depth, a + i * depth, b + j * depth, to, ldc);
				continue;
			}
			memset(edge, 0, sizeof edge);
			kernel->tile(depth, a + i * depth, b + j * depth, edge, (int64_t)kernel->cols);
			for (size_t y = 0; y < h; y++)
				for (size_t x = 0; x < w; x++)
					to[(int64_t)y * ldc + (int64_t)x] += edge[y * kernel->cols + x];
		}
}

/* The panel of B after the one at (k, j), if rows of B lie in memory */
static struct ahead after(const struct gemm_dims *d, const uint64_t *b, size_t most, size_t k, size_t j, size_t tiles)
{
	const bool wrap = j + COLS >= d->n;
	const size_t k1 = wrap ? k + most : k, j1 = wrap ? 0 : j + COLS;

	if (!b || d->sb_j != 1 || k1 >= d->k)
		return (struct ahead){ 0 };
	const size_t rows = min_size(most, d->k - k1), words = min_size(COLS, d->n - j1);
	const size_t all = rows * (words * sizeof *b / 64 + 1);
	return (struct ahead){ b + (int64_t)k1 * d->sb_k + (int64_t)j1, d->sb_k, rows, words, 0, (all + tiles - 1) / tiles };
}

void gemm_u64(enum suf_isa isa, int narrow52, const struct gemm_dims *d, const struct gemm_term *term, size_t terms, uint64_t *c, void *work)
{
	const struct tile_kernel *kernel = tile_kernel_of(isa, narrow52);
	const size_t most = DEPTH / terms;
	uint64_t *pack_b = work, *pack_a = pack_b + min_size(terms * d->k, DEPTH) * round_up(min_size(d->n, COLS), UNIT);

	/* each element of either operand is packed once */
	for (size_t k = 0; k < d->k; k += most) {
		const size_t depth = min_size(most, d->k - k), pitch = terms * depth;
		for (size_t t = 0; t < terms; t++) {
			const struct panel a = { pack_a + t * depth * kernel->rows, d->m, depth, kernel->rows, pitch * kernel->rows };
			pack(&a, term[t].a + (int64_t)k * d->sa_k, d->sa_i, d->sa_k);
		}
		for (size_t j = 0; j < d->n; j += COLS) {
			const size_t cols = min_size(COLS, d->n - j);
			for (size_t t = 0; t < terms; t++) {
				const struct panel b = { pack_b + t * depth * kernel->cols, cols, depth, kernel->cols, pitch * kernel->cols };
				if (term[t].words)
					make_panel(&b, &term[t], d, k, j);
				else
					pack(&b, term[t].b + (int64_t)k * d->sb_k + (int64_t)j * d->sb_j, d->sb_j, d->sb_k);
			}
			const size_t tiles = (d->m + kernel->rows - 1) / kernel->rows * ((cols + kernel->cols - 1) / kernel->cols);
			multiply_panels(kernel, d->m, cols, pitch, pack_a, pack_b, c + j, d->ldc, after(d, term[terms - 1].b, most, k, j, tiles));
		}
	}
}

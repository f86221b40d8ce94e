/* SPDX-License-Identifier: Apache-2.0
 * gemm_f32.c -- products of float matrices: all of a and a panel of columns of b are packed into slivers, and a tile of c is summed in
 * registers, DEPTH terms at a time.  Panels go to the processors.
 *
 * Processors with AVX2 and with AVX-512 give the same bits: each term is fused into the sum, in the same order.
 */
#include "gemm_f32.h"
#include <stdlib.h>
#include <string.h>
#include "ir.h"
#include "passes/parallel.h"

enum { TILE_M = 12, TILE_N = 32, DEPTH = 256, QUAD = 4 };
enum { PANEL = 1 << 18, WIDEST = 256, ROWS = 8 * TILE_M };     /* floats of a panel of b, half of a cache of 2 MB, and columns; rows packed at a time */
enum { CACHE_LINE = 16, AHEAD = 8 };             /* floats; rows that are fetched before they are packed */
static const double WORTH_THREADS = 0x1p22;      /* multiplications: some 0.1 ms */

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 12")
#endif

typedef void tile_fn(const float *a, const float *b, int64_t depth, double *c);
typedef float vec4 __attribute__((vector_size(16)));

/* c[TILE_M][TILE_N] += sum over x < depth of a[x][TILE_M] b[x][TILE_N], HIGH rows by two vectors at a time */
#define TILE_KERNEL(NAME, VEC, HIGH)                                                                                       \
	static void NAME(const float *a, const float *b, int64_t depth, double *c)                              \
	{                                                                                                                  \
		enum { LANES = sizeof(VEC) / sizeof(float) };                                                              \
		for (int at = 0; at < TILE_M / HIGH * (TILE_N / (2 * LANES)); at++) {                                      \
			const int i0 = at % (TILE_M / HIGH) * HIGH, j0 = at / (TILE_M / HIGH) * 2 * LANES;                 \
			VEC s[HIGH][2] = { 0 };                                                                            \
			float sum[HIGH][2 * LANES];                                                                        \
			for (int64_t x = 0; x < depth; x++) {                                                              \
				const VEC *bx = (const VEC *)(const void *)(b + x * TILE_N + j0);                          \
				const float *ax = a + x * TILE_M + i0;                                                     \
				UNROLL for (int r = 0; r < HIGH; r++) {                                                    \
					s[r][0] += ax[r] * bx[0];                                                          \
					s[r][1] += ax[r] * bx[1];                                                          \
				}                                                                                          \
			}                                                                                                  \
			memcpy(sum, s, sizeof sum);                                                                        \
			for (int r = 0; r < HIGH; r++)                                                                     \
				for (int j = 0; j < 2 * LANES; j++)                                                        \
					c[(i0 + r) * TILE_N + j0 + j] += (double)sum[r][j];                                \
		}                                                                                                          \
	}
TILE_KERNEL(tile_portable, vec4, 6)
#if defined(__x86_64__)
typedef float vec8 __attribute__((vector_size(32)));
typedef float vec16 __attribute__((vector_size(64)));
__attribute__((target("avx2,fma"))) TILE_KERNEL(tile_avx2, vec8, 6)
__attribute__((target("avx512f"))) TILE_KERNEL(tile_avx512, vec16, 12)
#endif

static tile_fn *tile_of(enum suf_isa isa)
{
#if defined(__x86_64__)
	if (isa == SUF_ISA_AVX512)
		return tile_avx512;
	if (isa != SUF_ISA_PORTABLE && __builtin_cpu_supports("fma"))
		return tile_avx2;
#else
	(void)isa;
#endif
	return tile_portable;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t round_up(int64_t n, int64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* to[x * side + i] = from[i * line + x] for i, x < QUAD */
static void transpose(float *to, int64_t side, const float *from, int64_t line)
{
	vec4 r[QUAD];
	for (int i = 0; i < QUAD; i++)
		memcpy(&r[i], from + i * line, sizeof r[i]);
	const vec4 a = __builtin_shufflevector(r[0], r[1], 0, 4, 1, 5), b = __builtin_shufflevector(r[2], r[3], 0, 4, 1, 5);
	const vec4 c = __builtin_shufflevector(r[0], r[1], 2, 6, 3, 7), d = __builtin_shufflevector(r[2], r[3], 2, 6, 3, 7);
	r[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
	r[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
	r[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
	r[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
	for (int x = 0; x < QUAD; x++)
		memcpy(to + x * side, &r[x], sizeof r[x]);
}

/* Terms of a line are neighbours: four lines by four terms at a time. */
static void pack_lines(float *to, const float *from, int64_t line, int64_t lines, int64_t depth, int64_t side)
{
	for (int64_t i = 0; i < lines; i += QUAD) {
		float *at = to + i / side * side * depth + i % side;
		const int64_t whole = i + QUAD <= lines ? depth / QUAD * QUAD : 0;
		for (int64_t x = 0; x < whole; x += QUAD) {
			for (int64_t k = i + QUAD; k < least(i + 2 * QUAD, lines); k++)
				__builtin_prefetch(from + k * line + x);
			transpose(at + x * side, side, from + i * line + x, line);
		}
		for (int64_t k = 0; k < least(QUAD, lines - i); k++)
			for (int64_t x = whole; x < depth; x++)
				at[x * side + k] = from[(i + k) * line + x];
	}
}

/* to[s][x][side] = line s * side + i of `lines`, term x: from[(s * side + i) * line + x * term]; zeros behind the last line.
 * One of the strides is 1; the operand is read in the order of its memory. */
static void pack(float *to, const float *from, int64_t line, int64_t term, int64_t lines, int64_t depth, int64_t side)
{
	const int64_t rest = lines % side, whole = lines - rest;
	if (rest)
		memset(to + whole * depth, 0, (size_t)(side * depth) * sizeof *to);
	if (term == 1)
		pack_lines(to, from, line, lines, depth, side);
	else
		for (int64_t x = 0; x < depth; x++, from += term) {
			for (int64_t i = 0; x + AHEAD < depth && i < lines; i += CACHE_LINE)
				__builtin_prefetch(from + AHEAD * term + i);
			for (int64_t s = 0; s < whole; s += side)
				memcpy(to + s * depth + x * side, from + s, (size_t)side * sizeof *to);
			memcpy(to + whole * depth + x * side, from + whole, (size_t)rest * sizeof *to);
		}
}

/* Rounded to float, as ir_floats does. */
static void scale(float *panel, const float *factor, int64_t cols, int64_t depth)
{
	for (int64_t s = 0; s < cols; s += TILE_N)
		for (int64_t x = 0; x < depth; x++)
			for (int64_t j = 0; j < TILE_N; j++)
				panel[s * depth + x * TILE_N + j] *= factor[x];
}

struct product { tile_fn *tile; float *c; int64_t m, n, k; struct matrix_f32 a, b; const float *bias; bool upper; float *pack_a; int64_t wide; };

static float *floats(int64_t n)
{
	const size_t bytes = (size_t)round_up(n, CACHE_LINE) * sizeof(float);
	float *p = aligned_alloc(CACHE_LINE * sizeof(float), bytes);
	if (!p)
		arena_out_of_memory(bytes);
	return p;
}

static void pack_rows(void *arg, int64_t number)
{
	const struct product *p = arg;
	const int64_t i = number * ROWS;
	pack(p->pack_a + i * p->k, p->a.at + i * p->a.row, p->a.row, p->a.col, least(ROWS, p->m - i), p->k, TILE_M);
}

/* A tile of c whose corner is [i][j]; a and b are its slivers. */
static void corner(const struct product *p, int64_t i, int64_t j, const float *a, const float *b)
{
	double sum[TILE_M * TILE_N] = { 0 };
	for (int64_t x = 0; x < p->k; x += DEPTH)
		p->tile(a + x * TILE_M, b + x * TILE_N, least(DEPTH, p->k - x), sum);
	const int64_t rows = least(TILE_M, p->m - i), cols = least(TILE_N, p->n - j);
	for (int64_t r = 0; r < rows; r++)
		for (int64_t x = 0; x < cols; x++)
			p->c[(i + r) * p->n + j + x] = (float)(sum[r * TILE_N + x] + (p->bias ? (double)p->bias[j + x] : 0));
}

/* The columns of one panel of b, for all rows. */
static void panel(void *arg, int64_t number)
{
	const struct product *p = arg;
	const int64_t j0 = number * p->wide, cols = least(p->wide, p->n - j0), rows = p->upper ? least(p->m, j0 + cols) : p->m;
	float *pack_b = floats(round_up(cols, TILE_N) * p->k);
	pack(pack_b, p->b.at + j0 * p->b.col, p->b.col, p->b.row, cols, p->k, TILE_N);
	if (p->b.factor)
		scale(pack_b, p->b.factor, cols, p->k);
	for (int64_t i = 0; i < rows; i += TILE_M)
		for (int64_t j = p->upper && i > j0 ? (i - j0) / TILE_N * TILE_N : 0; j < cols; j += TILE_N)
			corner(p, i, j0 + j, p->pack_a + i * p->k, pack_b + j * p->k);
	free(pack_b);
}

static void all(int64_t n, void (*piece)(void *, int64_t), struct product *p)
{
	if ((double)p->m * (double)p->n * (double)p->k >= WORTH_THREADS)
		parallel_for(n, piece, p);
	else
		for (int64_t i = 0; i < n; i++)
			piece(p, i);
}

void gemm_f32(enum suf_isa isa, float *c, int64_t m, int64_t n, int64_t k, struct matrix_f32 a, struct matrix_f32 b, const float *bias,
              bool upper)
{
	const int64_t wide = k > 0 ? PANEL / k / TILE_N * TILE_N : 0;
	struct product p = { tile_of(isa), c, m, n, k, a, b, bias, upper, floats(round_up(m, TILE_M) * k), least(WIDEST, wide > TILE_N ? wide : TILE_N) };
	all((m + ROWS - 1) / ROWS, pack_rows, &p);
	all((n + p.wide - 1) / p.wide, panel, &p);
	free(p.pack_a);
}

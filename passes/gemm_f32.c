/* SPDX-License-Identifier: Apache-2.0
 * gemm_f32.c -- products of float matrices: both operands are packed into slivers of DEPTH terms, and a tile of c is summed in registers.
 *
 * Processors with AVX2 and with AVX-512 give the same bits: each term is fused into the sum, in the same order.
 */
#include "gemm_f32.h"
#include <stdlib.h>
#include <string.h>
#include "ir.h"

enum { TILE_M = 8, TILE_N = 32, DEPTH = 128, PANEL = 512 };   /* a panel of b has 256 KiB */

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

typedef void tile_fn(const float *a, const float *b, int64_t depth, double *c);
typedef float vec4 __attribute__((vector_size(16)));

/* c[TILE_M][TILE_N] += sum over x < depth of a[x][TILE_M] b[x][TILE_N], HIGH rows by two vectors at a time */
#define TILE_KERNEL(NAME, VEC, HIGH)                                                                                       \
	static void NAME(const float *a, const float *b, int64_t depth, double *c)                                         \
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
TILE_KERNEL(tile_portable, vec4, 4)
#if defined(__x86_64__)
typedef float vec8 __attribute__((vector_size(32)));
typedef float vec16 __attribute__((vector_size(64)));
__attribute__((target("avx2,fma"))) TILE_KERNEL(tile_avx2, vec8, 4)
__attribute__((target("avx512f"))) TILE_KERNEL(tile_avx512, vec16, 8)
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

/* to[s][x][side] = line s * side + i of `lines`, term x: from[(s * side + i) * line + x * term]; zeros behind the last line.
 * The operand is read in the order of its memory. */
static void pack(float *to, const float *from, int64_t line, int64_t term, int64_t lines, int64_t depth, int64_t side)
{
	const int64_t rest = lines % side, whole = lines - rest;
	if (rest)
		memset(to + whole * depth, 0, (size_t)(side * depth) * sizeof *to);
	if (line == 1)
		for (int64_t x = 0; x < depth; x++, from += term) {
			for (int64_t s = 0; s < whole; s += side)
				memcpy(to + s * depth + x * side, from + s, (size_t)side * sizeof *to);
			memcpy(to + whole * depth + x * side, from + whole, (size_t)rest * sizeof *to);
		}
	else
		for (int64_t i = 0; i < lines; i++)
			for (int64_t x = 0; x < depth; x++)
				to[i / side * side * depth + x * side + i % side] = from[i * line + x * term];
}

/* Rounded to float, as ir_floats does. */
static void scale(float *panel, const float *factor, int64_t cols, int64_t depth)
{
	for (int64_t s = 0; s < cols; s += TILE_N)
		for (int64_t x = 0; x < depth; x++)
			for (int64_t j = 0; j < TILE_N; j++)
				panel[s * depth + x * TILE_N + j] *= factor[x];
}

/* Columns j0 to j0 + cols, rows 0 to m; sum holds their tiles, tile columns one after the other. */
static void store(float *c, int64_t n, int64_t m, int64_t j0, int64_t cols, const float *bias, const double *sum)
{
	const int64_t high = round_up(m, TILE_M);
	for (int64_t i = 0; i < m; i++)
		for (int64_t j = 0; j < cols; j++) {
			double x = sum[j / TILE_N * TILE_N * high + i * TILE_N + j % TILE_N];
			c[i * n + j0 + j] = (float)(bias ? x + (double)bias[j0 + j] : x);
		}
}

void gemm_f32(enum suf_isa isa, float *c, int64_t m, int64_t n, int64_t k, struct matrix_f32 a, struct matrix_f32 b, const float *bias,
              bool upper)
{
	tile_fn *tile = tile_of(isa);
	const size_t rows = (size_t)round_up(m, TILE_M), bytes = (rows + PANEL) * DEPTH * sizeof(float) + rows * PANEL * sizeof(double);
	float *pack_b = aligned_alloc(64, bytes), *pack_a = pack_b + PANEL * DEPTH;
	if (!pack_b)
		arena_out_of_memory(bytes);
	double *sum = (double *)(void *)(pack_a + rows * DEPTH);

	for (int64_t j0 = 0; j0 < n; j0 += PANEL) {
		const int64_t cols = least(PANEL, n - j0), lines = upper ? least(m, j0 + cols) : m, high = round_up(lines, TILE_M);
		memset(sum, 0, rows * PANEL * sizeof *sum);
		for (int64_t k0 = 0; k0 < k; k0 += DEPTH) {
			const int64_t depth = least(DEPTH, k - k0);
			pack(pack_a, a.at + k0 * a.col, a.row, a.col, lines, depth, TILE_M);
			pack(pack_b, b.at + k0 * b.row + j0 * b.col, b.col, b.row, cols, depth, TILE_N);
			if (b.factor)
				scale(pack_b, b.factor + k0, cols, depth);
			for (int64_t j = 0; j < cols; j += TILE_N)
				for (int64_t i = 0; i < lines && !(upper && i >= j0 + j + TILE_N); i += TILE_M)
					tile(pack_a + i * depth, pack_b + j * depth, depth, sum + j * high + i * TILE_N);
		}
		store(c, n, lines, j0, cols, bias, sum);
	}
	free(pack_b);
}

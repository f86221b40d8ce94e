/* SPDX-License-Identifier: Apache-2.0
 * float_eval_matmul.c -- blocked float32 matrix product of the reference interpreter.
 *
 * Products of BLOCK_K terms are summed in float (register tiles of TILE_M rows
 * by TILE_N columns), the blocks in double.
 */
#include "float_eval.h"
#include <string.h>

enum { TILE_M = 4, TILE_N = 8, BLOCK_K = 64 };
typedef float v4 __attribute__((vector_size(16)));

struct panel {               /* TILE_N columns of b from row k0 on, zero padded */
	v4 b[BLOCK_K][2];
};

static void pack(struct panel *p, const float *b, int64_t n, int64_t k, bool trans, int64_t j0, int64_t k0, int64_t kb)
{
	float *to = (float *)p->b;
	memset(p->b, 0, (size_t)kb * sizeof p->b[0]);
	int64_t nb = n - j0 < TILE_N ? n - j0 : TILE_N;
	for (int64_t x = 0; x < kb; x++)
		for (int64_t j = 0; j < nb; j++)
			to[x * TILE_N + j] = trans ? b[(j0 + j) * k + k0 + x] : b[(k0 + x) * n + j0 + j];
}

static void tile4(const float *a, int64_t lda, const struct panel *p, int64_t kb, double *c)
{
	v4 s[TILE_M][2] = { 0 };
	for (int64_t x = 0; x < kb; x++) {
		v4 b0 = p->b[x][0], b1 = p->b[x][1];
		for (int r = 0; r < TILE_M; r++) {
			float f = a[r * lda + x];
			v4 av = { f, f, f, f };
			s[r][0] += av * b0;
			s[r][1] += av * b1;
		}
	}
	for (int r = 0; r < TILE_M; r++)
		for (int j = 0; j < TILE_N; j++)
			c[r * TILE_N + j] += (double)s[r][j / 4][j % 4];
}

static void tile1(const float *a, const struct panel *p, int64_t kb, double *c)
{
	v4 s[2] = { 0 };
	for (int64_t x = 0; x < kb; x++) {
		v4 av = { a[x], a[x], a[x], a[x] };
		s[0] += av * p->b[x][0];
		s[1] += av * p->b[x][1];
	}
	for (int j = 0; j < TILE_N; j++)
		c[j] += (double)s[j / 4][j % 4];
}

/* c[m][n] = a[m][k] @ b (+ bias); acc holds m * TILE_N doubles. */
static void product(float *c, const float *a, const float *b, int64_t m, int64_t n, int64_t k, bool trans, const float *bias, double *acc)
{
	struct panel p;
	for (int64_t j0 = 0; j0 < n; j0 += TILE_N) {
		memset(acc, 0, (size_t)(m * TILE_N) * sizeof *acc);
		for (int64_t k0 = 0; k0 < k; k0 += BLOCK_K) {
			int64_t kb = k - k0 < BLOCK_K ? k - k0 : BLOCK_K, i = 0;
			pack(&p, b, n, k, trans, j0, k0, kb);
			for (; i + TILE_M <= m; i += TILE_M)
				tile4(a + i * k + k0, k, &p, kb, acc + i * TILE_N);
			for (; i < m; i++)
				tile1(a + i * k + k0, &p, kb, acc + i * TILE_N);
		}
		for (int64_t i = 0; i < m; i++)
			for (int64_t j = 0; j < TILE_N && j0 + j < n; j++)
				c[i * n + j0 + j] = (float)(acc[i * TILE_N + j] + (bias ? (double)bias[j0 + j] : 0));
	}
}

/* Index of the matrix of v that belongs to batch number i of out. */
static int64_t batch_index(const struct val *v, const struct val *out, int64_t i)
{
	int64_t index = 0, stride = 1;
	for (int d = out->rank - 3; d >= 0; d--) {
		int own = d - (out->rank - v->rank);
		int64_t at = i % out->dim[d];
		i /= out->dim[d];
		if (own < 0)
			continue;
		if (v->dim[own] != 1)
			index += at * stride;
		stride *= v->dim[own];
	}
	return index;
}

void eval_matmul(const struct val *out, float *to, const struct val *a, const float *pa, const struct val *b, const float *pb,
                 bool trans_b, const float *bias, struct arena *scratch)
{
	int64_t m = out->dim[out->rank - 2], n = out->dim[out->rank - 1], k = a->dim[a->rank - 1], batches = 1;

	if (ir_count(out) == 0)
		return;
	for (int d = 0; d < out->rank - 2; d++)
		batches *= out->dim[d];
	if (b->rank == 2) { /* one matrix for all: the batch joins the rows */
		m *= batches;
		batches = 1;
	}
	double *acc = arena_alloc(scratch, (size_t)(m * TILE_N) * sizeof *acc);
	for (int64_t i = 0; i < batches; i++)
		product(to + i * m * n, pa + (batches > 1 ? batch_index(a, out, i) * m * k : 0),
		        pb + (batches > 1 ? batch_index(b, out, i) * k * n : 0), m, n, k, trans_b, bias, acc);
}

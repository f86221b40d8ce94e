/* SPDX-License-Identifier: Apache-2.0
 * range_matrix.c -- norms of constant matrices.
 *
 * The spectral norm decides how wide the ring must be in front of a norm: every
 * bit of it counts twice.  Two bounds, the smaller one counts:
 *     ||W||_2^2 <= max row 1-norm * max column 1-norm
 *     ||W||_2^2 = ||G||_2 with G = W^T W, ||G||_2^4 <= ||G^4||_F: for n columns at worst n^(1/8) too large
 *     (of ||W||_2^2)
 * A wide matrix is cut into blocks of columns, ||W||_2^2 <= sum of ||W_b||_2^2, so
 * that the product takes at most MOST multiplications.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "passes/gemm_f32.h"
#include "passes/parallel.h"
#include "passes/range.h"
#include "passes/scan_f32.h"

enum { UNIT = 8, SQUARINGS = 2, SQUARE = 32 }; /* of columns of a block; what is mirrored at a time */
static const double MOST = 0x1p30;

static void *array(size_t count, size_t size)
{
	void *p = malloc((count + 1) * size);
	if (!p)
		BUG("out of memory for %zu numbers", count);
	return p;
}

/* ---- W^T W ------------------------------------------------------------------ */

/* What is below the diagonal from what is above it, square by square. */
static void mirror(float *g, int64_t n)
{
	for (int64_t i0 = 0; i0 < n; i0 += SQUARE)
		for (int64_t j0 = 0; j0 <= i0; j0 += SQUARE)
			for (int64_t i = i0; i < n && i < i0 + SQUARE; i++)
				for (int64_t j = j0; j < i && j < j0 + SQUARE; j++)
					g[i * n + j] = g[j * n + i];
}

/* g = A^T A for A [k][n].  Returns a bound of the rounding's 2-norm:
 * |error| <= k 2^-23 |A|^T |A| elementwise, so its Frobenius norm is at most k 2^-23 ||A||_F^2. */
static double gram(float *g, struct matrix_f32 a, int64_t k, int64_t n)
{
	double trace = 0;
	gemm_f32(suf_cpu_best(), g, n, n, k, (struct matrix_f32){ a.at, a.col, a.row, NULL }, a, NULL, true);
	for (int64_t i = 0; i < n; i++)
		trace += (double)g[i * n + i];
	mirror(g, n);
	return ldexp((double)k, -22) * trace;
}

static double frobenius(const float *g, int64_t n)
{
	return sqrt(scan_f32(suf_cpu_best(), g, n * n).squares);
}

/* A bound of ||G||_2 for a symmetric G by ||G||_2^2 = ||G^T G||_2, `squarings` times; G and `next` are overwritten.
 * G is scaled to ||G||_F = 1 before, so nothing overflows. */
static double symmetric_norm(float *g, float *next, int64_t n, int squarings)
{
	double f = frobenius(g, n);
	if (!(f > 0) || squarings == 0)
		return f;
	const float scale = (float)(1 / f);
	for (int64_t i = 0; i < n * n; i++)
		g[i] *= scale;
	double error = gram(next, (struct matrix_f32){ g, n, 1, NULL }, n, n);
	return f * sqrt(symmetric_norm(next, g, n, squarings - 1) + error) * (1 + 0x1p-20);
}

/* A bound of ||W||_2^2 for a matrix of r x c elements. */
static double spectral2(const float *w, int64_t r, int64_t c)
{
	const int64_t k = r > c ? r : c, n = r > c ? c : r, row = r > c ? c : 1, col = r > c ? 1 : c;
	int64_t block = n;
	while (block > UNIT && (double)k * (double)n * (double)block / 2 > MOST)
		block = (block / 2 + UNIT - 1) / UNIT * UNIT;
	float *g = array((size_t)(block * block), sizeof *g), *next = array((size_t)(block * block), sizeof *next);
	double sum = 0;
	for (int64_t at = 0; at < n; at += block) {
		int64_t width = at + block < n ? block : n - at;
		double error = gram(g, (struct matrix_f32){ w + at * col, row, col, NULL }, k, width);
		sum += symmetric_norm(g, next, width, SQUARINGS) + error;
	}
	free(g); free(next);
	return sum;
}

/* ---- all norms ----------------------------------------------------------------- */

struct sums { double *row1, *row2, *col1, *col2; };

static void add_sums(const float *w, int64_t r, int64_t c, struct sums *s)
{
	const enum suf_isa isa = suf_cpu_best();
	memset(s->col1, 0, (size_t)c * sizeof(double)); memset(s->col2, 0, (size_t)c * sizeof(double));
	for (int64_t i = 0; i < r; i++, w += c) {
		const struct scan row = scan_f32(isa, w, c);
		s->row1[i] = row.magnitudes;
		s->row2[i] = row.squares;
		scan_columns(isa, w, c, s->col1, s->col2);
	}
}

static double largest(const double *x, int64_t n)
{
	double top = 0;
	for (int64_t i = 0; i < n; i++)
		top = fmax(top, x[i]);
	return top;
}

static struct matrix norms_of(const struct val *w, const float *x, bool trans)
{
	int64_t r = w->rank > 1 ? w->dim[w->rank - 2] : range_last(w), c = w->rank > 1 ? range_last(w) : 1;
	struct sums s = { array((size_t)r, 8), array((size_t)r, 8), array((size_t)c, 8), array((size_t)c, 8) };
	struct matrix most = { 0, 0, 0, 0 };
	for (int64_t at = 0, n = ir_count(w); at < n; at += r * c) {
		add_sums(x + at, r, c, &s);
		double row1 = largest(s.row1, r), col1 = largest(s.col1, c);
		most.col2 = fmax(most.col2, sqrt(largest(trans ? s.row2 : s.col2, trans ? r : c)));
		most.col1 = fmax(most.col1, trans ? row1 : col1);
		most.row1 = fmax(most.row1, trans ? col1 : row1);
		most.spectral = fmax(most.spectral, sqrt(fmin(row1 * col1, spectral2(x + at, r, c))));
	}
	free(s.row1); free(s.row2); free(s.col1); free(s.col2);
	return most;
}

struct matrix matrix_norms(const struct val *w, bool trans)
{
	const int64_t n = ir_count(w);
	if (w->norms[trans])
		return *w->norms[trans];
	if (w->dtype == DT_F32 && !w->factor)
		return norms_of(w, w->data, trans);
	float *all = array((size_t)n, sizeof *all);
	if (w->dtype == DT_F32)
		ir_floats(w, all);
	for (int64_t i = 0; w->dtype != DT_F32 && i < n; i++)
		all[i] = (float)ir_elem(w, i);
	struct matrix m = norms_of(w, all, trans);
	free(all);
	return m;
}

/* ---- of a whole program ----------------------------------------------------------- */

struct wanted { struct val *w; bool trans; struct matrix norms; };

static void work_out(void *arg, int64_t i)
{
	struct wanted *job = (struct wanted *)arg + i;
	job->norms = matrix_norms(job->w, job->trans);
}

void matrix_norms_prepare(struct prog *p)
{
	struct wanted *job = arena_alloc(p->arena, (size_t)(p->nvals + 1) * 2 * sizeof *job);
	static const struct matrix pending;
	int64_t n = 0;
	for (const struct node *m = p->first; m; m = m->next) {
		if (m->op != OP_matmul)
			continue;
		struct val *w = m->in[ir_is_const(m->in[1])];
		const bool trans = w == m->in[1] && ir_int_or(m, ATTR_trans_b, 0) != 0;
		if (!ir_is_const(w) || w->absent || w->norms[trans])
			continue;
		job[n++] = (struct wanted){ .w = w, .trans = trans };
		w->norms[trans] = &pending;
	}
	for (int64_t i = 0; i < n; i++)
		job[i].w->norms[job[i].trans] = NULL;
	parallel_for(n, work_out, job);
	for (int64_t i = 0; i < n; i++)
		job[i].w->norms[job[i].trans] = &job[i].norms;
}

void matrix_norms_forget(struct prog *p)
{
	for (int i = 0; i < p->nvals; i++)
		p->vals[i]->norms[0] = p->vals[i]->norms[1] = NULL;
}

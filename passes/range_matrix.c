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
#include "passes/range.h"

enum { STRIP = 8, SQUARINGS = 2 };           /* rows worked on together */
static const double MOST = 0x1p30;

static double element(const struct val *v, int64_t i)
{
	return v->dtype == DT_F32 ? (double)((const float *)v->data)[i] : ir_elem(v, i);
}

static void *array(size_t count, size_t size)
{
	void *p = calloc(count + 1, size);
	if (!p)
		BUG("out of memory for %zu numbers", count);
	return p;
}

/* ---- W^T W ------------------------------------------------------------------ */

/* g[i] += sum over the strip of a[t][i] * a[t], upper triangle only. */
static inline __attribute__((always_inline)) void add_strip(float *g, size_t n, const float *a, size_t lda)
{
	for (size_t i = 0; i < n; i++) {
		float *to = g + i * n, c[STRIP];
		for (size_t t = 0; t < STRIP; t++)
			c[t] = a[t * lda + i];
		for (size_t j = i; j < n; j++)
			to[j] += c[0] * a[j] + c[1] * a[lda + j] + c[2] * a[2 * lda + j] + c[3] * a[3 * lda + j]
			       + c[4] * a[4 * lda + j] + c[5] * a[5 * lda + j] + c[6] * a[6 * lda + j] + c[7] * a[7 * lda + j];
	}
}

#ifdef __x86_64__
/* The same text for wider vectors: the product is most of the time that a large model takes. */
__attribute__((target("avx2,fma"))) static void add_strip_avx2(float *g, size_t n, const float *a, size_t lda)
{
	add_strip(g, n, a, lda);
}
#endif

static void add_strips(float *g, size_t n, const float *a, size_t k, size_t lda)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
		for (size_t at = 0; at < k; at += STRIP)
			add_strip_avx2(g, n, a + at * lda, lda);
		return;
	}
#endif
	for (size_t at = 0; at < k; at += STRIP)
		add_strip(g, n, a + at * lda, lda);
}

/* g = A^T A for A [k][n], rows lda apart, k a multiple of STRIP.  Returns a bound of the rounding's 2-norm:
 * |error| <= k 2^-23 |A|^T |A| elementwise, so its Frobenius norm is at most k 2^-23 ||A||_F^2. */
static double gram(float *g, const float *a, size_t k, size_t n, size_t lda)
{
	double trace = 0;
	memset(g, 0, n * n * sizeof *g);
	add_strips(g, n, a, k, lda);
	for (size_t i = 0; i < n; i++) {
		trace += (double)g[i * n + i];
		for (size_t j = 0; j < i; j++)
			g[i * n + j] = g[j * n + i];
	}
	return ldexp((double)k, -22) * trace;
}

static double frobenius(const float *g, size_t n)
{
	double sum = 0;
	for (size_t i = 0; i < n * n; i++)
		sum += (double)g[i] * (double)g[i];
	return sqrt(sum);
}

/* A bound of ||G||_2 for a symmetric G by ||G||_2^2 = ||G^T G||_2, `squarings` times; G and `next` are overwritten.
 * G is scaled to ||G||_F = 1 before, so nothing overflows. */
static double symmetric_norm(float *g, float *next, size_t n, int squarings)
{
	double f = frobenius(g, n);
	if (!(f > 0) || squarings == 0)
		return f;
	const float scale = (float)(1 / f);
	for (size_t i = 0; i < n * n; i++)
		g[i] *= scale;
	double error = gram(next, g, n, n, n);
	return f * sqrt(symmetric_norm(next, g, n, squarings - 1) + error) * (1 + 0x1p-20);
}

/* A bound of ||W||_2^2 for the matrix of r x c elements at `first`. */
static double spectral2(const struct val *w, int64_t first, int64_t r, int64_t c)
{
	const size_t k = (size_t)(r > c ? r : c), n = (size_t)(r > c ? c : r), rows = (k + STRIP - 1) / STRIP * STRIP;
	const size_t side = (n + STRIP - 1) / STRIP * STRIP;
	size_t block = side;             /* multiples of STRIP, padded with zeros */
	while (block > STRIP && (double)k * (double)n * (double)block / 2 > MOST)
		block = (block / 2 + STRIP - 1) / STRIP * STRIP;
	float *a = array(rows * side, sizeof *a), *g = array(block * block, sizeof *g), *next = array(block * block, sizeof *next);
	for (int64_t i = 0; i < r; i++)
		for (int64_t j = 0; j < c; j++)
			a[r > c ? (size_t)i * side + (size_t)j : (size_t)j * side + (size_t)i] = (float)element(w, first + i * c + j);
	double sum = 0;
	for (size_t at = 0; at < side; at += block) {
		size_t width = at + block < side ? block : side - at;
		double error = gram(g, a + at, rows, width, side);
		sum += symmetric_norm(g, next, width, SQUARINGS) + error;
	}
	free(a); free(g); free(next);
	return sum;
}

/* ---- all norms ----------------------------------------------------------------- */

struct sums { double *row1, *row2, *col1, *col2; };

static void add_sums(const struct val *w, int64_t first, int64_t r, int64_t c, struct sums *s)
{
	memset(s->row1, 0, (size_t)r * sizeof(double)); memset(s->row2, 0, (size_t)r * sizeof(double));
	memset(s->col1, 0, (size_t)c * sizeof(double)); memset(s->col2, 0, (size_t)c * sizeof(double));
	for (int64_t i = 0; i < r; i++)
		for (int64_t j = 0; j < c; j++) {
			double x = fabs(element(w, first + i * c + j));
			s->row1[i] += x; s->row2[i] += x * x;
			s->col1[j] += x; s->col2[j] += x * x;
		}
}

static double largest(const double *x, int64_t n)
{
	double top = 0;
	for (int64_t i = 0; i < n; i++)
		top = fmax(top, x[i]);
	return top;
}

/* The elements of a folded matrix, computed once; w is it from now on.  The caller frees them. */
static float *unfold(struct val *w)
{
	float *all = array((size_t)ir_count(w), sizeof *all);
	ir_floats(w, all);
	w->data = all;
	w->factor = NULL;
	return all;
}

static struct matrix plain_norms(const struct val *w, bool trans)
{
	int64_t r = w->rank > 1 ? w->dim[w->rank - 2] : range_last(w), c = w->rank > 1 ? range_last(w) : 1;
	struct sums s = { array((size_t)r, 8), array((size_t)r, 8), array((size_t)c, 8), array((size_t)c, 8) };
	struct matrix most = { 0, 0, 0, 0 };
	for (int64_t at = 0, n = ir_count(w); at < n; at += r * c) {
		add_sums(w, at, r, c, &s);
		double row1 = largest(s.row1, r), col1 = largest(s.col1, c);
		most.col2 = fmax(most.col2, sqrt(largest(trans ? s.row2 : s.col2, trans ? r : c)));
		most.col1 = fmax(most.col1, trans ? row1 : col1);
		most.row1 = fmax(most.row1, trans ? col1 : row1);
		most.spectral = fmax(most.spectral, sqrt(fmin(row1 * col1, spectral2(w, at, r, c))));
	}
	free(s.row1); free(s.row2); free(s.col1); free(s.col2);
	return most;
}

struct matrix matrix_norms(const struct val *w, bool trans)
{
	if (!w->factor)
		return plain_norms(w, trans);
	struct val plain = *w;
	float *all = unfold(&plain);
	struct matrix m = plain_norms(&plain, trans);
	free(all);
	return m;
}

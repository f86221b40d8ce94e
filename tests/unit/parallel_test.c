/* SPDX-License-Identifier: Apache-2.0
 * parallel_test.c -- what the compiler does on all processors: float products against sums in double, scans of rows, calibration against one run
 * after the other, quantised weights against one at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "npy.h"
#include "passes/gemm_f32.h"
#include "passes/parallel.h"
#include "passes/quantize.h"
#include "passes/range.h"
#include "passes/scan_f32.h"
#include "stacks.h"

static float *numbers(int64_t n)
{
	static uint64_t random = 5;
	float *x = malloc((size_t)n * sizeof *x);
	assert_non_null(x);
	stack_random(&random, n, 0, 1, x);
	return x;
}

static void check(int64_t m, int64_t n, int64_t k, bool trans, bool with_factor, bool upper, enum suf_isa isa)
{
	float *a = numbers(m * k), *b = numbers(k * n), *bias = numbers(n), *factor = numbers(k), *got = numbers(m * n), *again = numbers(m * n);
	struct matrix_f32 right = { b, trans ? 1 : n, trans ? k : 1, with_factor ? factor : NULL };

	gemm_f32(isa, got, m, n, k, (struct matrix_f32){ a, k, 1, NULL }, right, upper ? NULL : bias, upper);
	for (int64_t i = 0; i < m; i++)
		for (int64_t j = upper ? i : 0; j < n; j++) {
			double want = upper ? 0 : (double)bias[j], size = fabs(want);
			for (int64_t x = 0; x < k; x++) {
				const double y = (double)b[x * right.row + j * right.col] * (with_factor ? (double)factor[x] : 1);
				want += (double)a[i * k + x] * y;
				size += fabs((double)a[i * k + x] * y);
			}
			if (!(fabs((double)got[i * n + j] - want) <= 0x1p-20 * size))
				fail_msg("%lld x %lld x %lld, transposed %d: element %lld, %lld is %g, not %g", (long long)m, (long long)n, (long long)k,
				         trans, (long long)i, (long long)j, (double)got[i * n + j], want);
		}
	for (int64_t i = 0; with_factor && i < k * n; i++)
		b[i] *= factor[trans ? i % k : i / n];
	right.factor = NULL;
	gemm_f32(isa, again, m, n, k, (struct matrix_f32){ a, k, 1, NULL }, right, upper ? NULL : bias, upper);
	for (int64_t i = 0; i < m; i++)                  /* the same bits, folded before or not */
		for (int64_t j = upper ? i : 0; j < n; j++)
			assert_true(got[i * n + j] == again[i * n + j]);
	free(a); free(b); free(bias); free(factor); free(got); free(again);
}

static void test_products(void **state)
{
	(void)state;
	static const int64_t size[][3] = { { 1, 1, 1 }, { 1, 70, 3 }, { 12, 32, 256 }, { 13, 33, 257 }, { 11, 31, 255 }, { 101, 520, 17 }, { 5, 1031, 300 } };
	for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++) {
		for (size_t s = 0; s < sizeof size / sizeof *size; s++)
			for (int how = 0; how < 4; how++)
				check(size[s][0], size[s][1], size[s][2], how % 2, how / 2, false, isa);
		for (int64_t n = 1; n < 1100; n = n * 3 + 5)
			check(n, n, 40, false, false, true, isa);
	}
}

/* Every instruction set that fuses gives the same bits, on all processors and, from inside of a piece, on one. */
struct one { float *c, *a, *b; int64_t m, n, k; enum suf_isa isa; };

static void alone(void *arg, int64_t i)
{
	const struct one *w = arg;
	if (i == 0)
		gemm_f32(w->isa, w->c, w->m, w->n, w->k, (struct matrix_f32){ w->a, w->k, 1, NULL }, (struct matrix_f32){ w->b, w->n, 1, NULL }, NULL, false);
}

static void test_bits(void **state)
{
	(void)state;
	enum { M = 150, N = 610, K = 700 };
	float *a = numbers(M * K), *b = numbers(K * N), *c = numbers(M * N), *d = numbers(M * N);
	for (enum suf_isa isa = SUF_ISA_AESNI; isa <= suf_cpu_best(); isa++) {
		struct one one = { c, a, b, M, N, K, suf_cpu_best() }, two = { d, a, b, M, N, K, isa };
		alone(&one, 0);
		parallel_for(2, alone, &two);
		assert_memory_equal(c, d, (size_t)(M * N) * sizeof *c);
	}
	free(a); free(b); free(c); free(d);
}

/* Scans of rows against sums one after the other; all instruction sets give the same bits. */
static void check_scan(const float *x, int64_t n, enum suf_isa isa)
{
	const struct scan got = scan_f32(isa, x, n), portable = scan_f32(SUF_ISA_PORTABLE, x, n);
	struct scan want = { INFINITY, -INFINITY, 0, 0, 0 };
	double *column = calloc((size_t)n * 2, sizeof *column);
	assert_non_null(column);
	scan_columns(isa, x, n, column, column + n);
	for (int64_t i = 0; i < n; i++) {
		const double y = (double)x[i];
		want = (struct scan){ fmin(want.lo, y), fmax(want.hi, y), want.sum + y, want.magnitudes + fabs(y), want.squares + y * y };
		assert_true(column[i] == fabs(y) && column[n + i] == y * y);
	}
	assert_memory_equal(&got, &portable, sizeof got);
	assert_true(got.lo == want.lo && got.hi == want.hi && fabs(got.sum - want.sum) <= 0x1p-40 * want.magnitudes);
	assert_true(fabs(got.magnitudes - want.magnitudes) <= 0x1p-40 * want.magnitudes && fabs(got.squares - want.squares) <= 0x1p-40 * want.squares);
	free(column);
}

static void test_scans(void **state)
{
	(void)state;
	enum { MOST = 700 };
	float *x = numbers(MOST);
	for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++)
		for (int64_t n = 1; n <= MOST; n = n < 40 ? n + 1 : n * 2)
			check_scan(x, n, isa);
	x[MOST - 1] = NAN;
	assert_true(!isfinite(scan_f32(suf_cpu_best(), x, MOST).squares));
	free(x);
}

static void count_up(void *arg, int64_t i)
{
	((int *)arg)[i]++;
}

static void test_parallel(void **state)
{
	(void)state;
	enum { MOST = 1000 };
	for (int64_t n = 0; n <= MOST; n = n * 2 + 1) {
		int seen[MOST] = { 0 };
		parallel_for(n, count_up, seen);
		for (int64_t i = 0; i < MOST; i++)
			assert_int_equal(seen[i], i < n);
	}
}

/* Weights of every size: small ones, those that a double rounds at once no more, folded ones. */
static void test_weights(void **state)
{
	(void)state;
	enum { ROWS = 700, COLS = 101 };
	struct diag *d = diag_new(stderr, false);
	struct prog *p = ir_new("weights", NULL, d);
	const int64_t dim[2] = { ROWS, COLS };
	float *x = numbers(ROWS * COLS), *gamma = numbers(ROWS);
	int64_t *got = malloc(ROWS * COLS * sizeof *got);
	assert_non_null(got);
	x[COLS + 1] = 0.5f, x[COLS + 2] = 1.5f, x[COLS + 3] = -2.5f;
	x[ROWS * COLS - 1] = 0x1p49f;
	struct val *factor = ir_const(p, "gamma", DT_F32, SEC_WEIGHT, 1, dim, gamma);
	for (int how = 0; how < 6; how++) {
		struct val *w = ir_const(p, "w", DT_F32, SEC_WEIGHT, 2, dim, x);
		w->type.frac = (uint8_t)(how / 3 * 12);
		if (how % 3)
			w->factor = factor, w->factor_step = how % 3 == 1 ? COLS : 1;
		quantize_weights(w, got);
		for (int64_t i = 0; i < ROWS * COLS; i++)
			if (got[i] != quantize_weight(w, i))
				fail_msg("kind %d, element %lld: %lld, not %lld", how, (long long)i, (long long)got[i], (long long)quantize_weight(w, i));
	}
	free(x); free(gamma); free(got);
	ir_free(p);
	diag_free(d);
}

/* Examples side by side, more than are run together, show what they show one after the other. */
static void test_calibration(void **state)
{
	(void)state;
	enum { SEQ = 12, HIDDEN = 64, COUNT = 11 };
	char path[] = "/tmp/parallel_test.XXXXXX.npy", text[256];
	const int fd = mkstemps(path, 4);
	assert_true(fd >= 0 && close(fd) == 0);
	float *x = numbers(COUNT * SEQ * HIDDEN);
	assert_int_equal(npy_write(path, 0600, NPY_F32, 3, (int64_t[]){ COUNT, SEQ, HIDDEN }, x, text), SUF_OK);
	struct stack_kind kind = *stack_find("gpt2");
	kind.layers = 2, kind.hidden = HIDDEN, kind.heads = 4, kind.ffn = 96;
	struct options opt = { .output_to = 2 };
	struct diag *d = diag_new(stderr, false);
	struct prog *p = stack_weighted(&kind, SEQ, 3, &opt, d);
	struct range *seen = NULL;
	assert_true(calibrate_run(p, path, &seen));
	void *result[COUNT][400] = { 0 };
	assert_true(p->nvals <= 400);
	for (int e = 0; e < COUNT; e++)
		assert_true(float_eval(p, (const void *const[]){ x + e * SEQ * HIDDEN }, result[e], p->arena));
	int results = 0;
	for (int i = 0; i < p->nvals; i++) {
		struct range want = { INFINITY, -INFINITY, 0 };
		for (int e = 0; e < COUNT && result[e][i] && !p->vals[i]->data; e++) {
			struct range one = range_of_data(p->vals[i], result[e][i]);
			want = (struct range){ fmin(want.lo, one.lo), fmax(want.hi, one.hi), fmax(want.norm, one.norm) };
		}
		if (!(want.lo <= want.hi))
			continue;
		results++;
		if (want.lo != seen[i].lo || want.hi != seen[i].hi || want.norm != seen[i].norm)
			fail_msg("%s: from %g to %g, not from %g to %g", p->vals[i]->name, seen[i].lo, seen[i].hi, want.lo, want.hi);
	}
	assert_true(results > 20);
	unlink(path);
	free(x);
	ir_free(p);
	diag_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_scans),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_calibration),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * compact_chain_test.c -- extension, product without key, narrow opening: its
 * error, its bytes as predicted, and replayed bit for bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/gate/compact.h"
#include "passes/gate/compact_chain.h"

enum { M = 3, K = 5, N = 4, F = 12, WIDE = 48, IN = 24 };

static struct suf_mm
product(uint32_t rows, uint32_t inner, uint32_t cols)
{
	return (struct suf_mm){ .batch = 1, .bh = 1, .rows = rows, .inner = inner, .cols = cols,
	                        .sa = { 0, 0, inner, 1 }, .sb = { 0, 0, cols, 1 } };
}

static double
magnitude(int64_t v)
{
	return (double)(v < 0 ? -v : v) / (1 << F);
}

/* z = (x w) v / 2^2F: the error of the first opening is multiplied by v. */
static void
two_products(void **state)
{
	(void)state;
	for (int again = 0; again < 20; again++) {
		struct gt t;
		gt_init(&t, IN, F);
		struct gb g = { t.p, NULL };
		int64_t data[3][M * K + K * N + N * N], z[M * N];
		const int64_t *in[3] = { data[0], data[1], data[2] };
		for (int k = 0; k < 3; k++)
			for (int i = 0; i < M * K + K * N + N * N; i++)
				data[k][i] = gt_bits(k ? 14 : 21);
		struct val *x = gt_input_step(&t, SHAPE(M, K), IN, F), *w = gt_input_step(&t, SHAPE(K, N), IN, F), *v = gt_input_step(&t, SHAPE(N, N), IN, F);
		const struct suf_mm first = product(M, K, N), second = product(M, N, N);
		struct val *xe = b_open(&g, b_gapext(&g, x, WIDE)), *we = b_open(&g, b_gapext(&g, w, WIDE)), *ve = b_open(&g, b_gapext(&g, v, WIDE));
		struct val *y = b_open_narrow(&g, b_matmul_last(&g, xe, we, NULL, &first, NULL), F, WIDE - F);
		assert_int_equal(y->type.bits, WIDE - F);
		struct val *ye = b_open(&g, b_gapext(&g, y, WIDE));
		gt_output_step(&t, b_open_narrow(&g, b_matmul_last(&g, ye, ve, NULL, &second, NULL), F, WIDE - F));
		gt_schedule(&t);
		for (const struct node *n = t.p->first; n; n = n->next)
			if (n->step->op == SUF_matmul) { /* no key at all */
				struct suf_cost c = suf_step_cost(n->step, 2);
				assert_int_equal(c.key[0] + c.key[1], 0);
			}
		gt_run(&t, in, z);
		for (int i = 0; i < M * N; i++) {
			double exact = 0, most = 1.5;
			for (int k = 0; k < N; k++) {
				int64_t yk = 0, vk = data[2][k * N + i % N];
				for (int j = 0; j < K; j++)
					yk += data[0][i / N * K + j] * data[1][j * N + k];
				exact += (double)yk / (1 << F) * (double)vk / (1 << F);
				most += 1.5 * magnitude(vk);
			}
			double off = (double)z[i] - exact;
			if (off >= most || off <= -most)
				fail_msg("element %d: %lld, exactly %f, allowed %f", i, (long long)z[i], exact, most);
		}
		gt_free(&t);
	}
}

/* One product: off by less than 1.5 units, by 0.5 in the mean square, and without bias. */
static void
one_product(void **state)
{
	(void)state;
	double square = 0, sum = 0;
	enum { RUNS = 60 };
	for (int again = 0; again < RUNS; again++) {
		struct gt t;
		gt_init(&t, IN, F);
		struct gb g = { t.p, NULL };
		int64_t a[M * K], b[K * N], z[M * N];
		const int64_t *in[2] = { a, b };
		for (int i = 0; i < M * K; i++)
			a[i] = gt_bits(22);
		for (int i = 0; i < K * N; i++)
			b[i] = gt_bits(22);
		struct val *x = gt_input_step(&t, SHAPE(M, K), IN, F), *w = gt_input_step(&t, SHAPE(K, N), IN, F);
		const struct suf_mm mm = product(M, K, N);
		struct val *xe = b_open(&g, b_gapext(&g, x, WIDE)), *we = b_open(&g, b_gapext(&g, w, WIDE));
		gt_output_step(&t, b_open_narrow(&g, b_matmul_last(&g, xe, we, NULL, &mm, NULL), F, WIDE - F));
		gt_schedule(&t);
		assert_int_equal(t.p->nrounds, 3);
		gt_run(&t, in, z);
		for (int i = 0; i < M * N; i++) {
			int64_t exact = 0;
			for (int k = 0; k < K; k++)
				exact += a[i / N * K + k] * b[k * N + i % N];
			int64_t off = z[i] * (1 << F) - exact;
			if (2 * off <= -3 * (1 << F) || 2 * off >= 3 * (1 << F))
				fail_msg("element %d is off by %lld/4096", i, (long long)off);
			sum += (double)off / (1 << F);
			square += (double)off / (1 << F) * (double)off / (1 << F);
		}
		gt_free(&t);
	}
	assert_true(square / (RUNS * M * N) > 0.15 && square / (RUNS * M * N) < 0.35); /* 1/4; five deviations are 0.06 */
	assert_true(sum / (RUNS * M * N) > -0.12 && sum / (RUNS * M * N) < 0.12);      /* 0; five deviations are 0.1 */
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(one_product), cmocka_unit_test(two_products) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

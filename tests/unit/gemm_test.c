/* SPDX-License-Identifier: Apache-2.0
 * Matrix products against three loops: odd shapes, strides of any sign, sums of two, operands made piece by piece, every instruction set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "gemm.h"

struct view { uint64_t *data; const uint64_t *at; int64_t s0, s1; };

static void random_bytes(void *to, size_t bytes)
{
	assert_int_equal(prg_os_random(to, bytes), SUF_OK);
}

/* rows x cols numbers; `kind` picks the strides: plain, transposed, gaps, backwards, one row repeated. */
static struct view view_new(size_t rows, size_t cols, int kind, uint64_t keep)
{
	const size_t n = 3 * rows * cols + 3;
	struct view v = { .data = malloc(n * sizeof *v.data) };

	assert_non_null(v.data);
	random_bytes(v.data, n * sizeof *v.data);
	for (size_t i = 0; i < n; i++)
		v.data[i] &= keep;
	v.at = v.data;
	switch (kind) {
	case 0: v.s0 = (int64_t)cols; v.s1 = 1; break;
	case 1: v.s0 = 1; v.s1 = (int64_t)rows; break;
	case 2: v.s0 = 3 * (int64_t)cols; v.s1 = 3; break;
	case 3: v.s0 = -(int64_t)cols; v.s1 = -1; v.at = v.data + rows * cols - 1; break;
	default: v.s0 = 0; v.s1 = 1; break;
	}
	return v;
}

static void check(size_t m, size_t k, size_t n, int ka, int kb, int narrow)
{
	const uint64_t keep = narrow ? (1ull << 52) - 1 : ~0ull;
	const size_t ldc = n + 3;
	struct view a = view_new(m, k, ka, keep), b = view_new(k, n, kb, keep);
	uint64_t *start = malloc(m * ldc * 8), *want = malloc(m * ldc * 8), *got = malloc(m * ldc * 8);
	void *work = aligned_alloc(64, gemm_scratch(m, k, n) + 64);

	const struct gemm_dims dims = { m, k, n, a.s0, a.s1, b.s0, b.s1, (int64_t)ldc };
	const struct gemm_term term = { .a = a.at, .b = b.at };

	assert_true(start && want && got && work);
	random_bytes(start, m * ldc * 8);
	memcpy(want, start, m * ldc * 8);
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++)
			for (size_t p = 0; p < k; p++)
				want[i * ldc + j] += a.at[(int64_t)i * a.s0 + (int64_t)p * a.s1] * b.at[(int64_t)p * b.s0 + (int64_t)j * b.s1];
	for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++) {
		uint8_t *end = (uint8_t *)work + gemm_scratch(m, k, n);
		memcpy(got, start, m * ldc * 8);
		memset(work, 0xee, gemm_scratch(m, k, n) + 64);
		gemm_u64(isa, narrow, &dims, &term, 1, got, work);
		for (size_t i = 0; i < m * ldc; i++) {
			uint64_t care = i % ldc < n ? keep : ~0ull; /* beside the product nothing changes */
			if ((got[i] ^ want[i]) & care)
				fail_msg("isa %d, %zu x %zu x %zu, strides %d %d, narrow %d: element %zu", isa, m, k, n, ka, kb, narrow, i);
		}
		for (int i = 0; i < 64; i++)
			assert_int_equal(end[i], 0xee);
	}
	free(a.data);
	free(b.data);
	free(start);
	free(want);
	free(got);
	free(work);
}

static void test_shapes(void **state)
{
	static const size_t shape[][3] = {
		{ 1, 1, 1 }, { 1, 64, 1 }, { 2, 3, 5 }, { 7, 11, 13 }, { 64, 64, 64 }, { 65, 257, 129 }, { 3, 600, 2 },
		{ 130, 17, 5 }, { 1, 300, 300 }, { 17, 1, 300 }, { 64, 256, 128 }, { 33, 512, 31 }, { 5, 0, 4 },
	};

	(void)state;
	for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
		for (int kinds = 0; kinds < 25; kinds++)
			for (int narrow = 0; narrow < 2; narrow++)
				if (s < 5 || kinds % 6 == 0 || kinds == 5 || kinds == 16)
					check(shape[s][0], shape[s][1], shape[s][2], kinds / 5, kinds % 5, narrow);
}

static void test_random_shapes(void **state)
{
	(void)state;
	for (int i = 0; i < 60; i++) {
		uint8_t r[6];
		random_bytes(r, sizeof r);
		check(1 + r[0] % 80u, 1 + r[1], 1 + r[2] % 150u, r[3] % 5, r[4] % 5, r[5] & 1);
	}
}

/* A B that is made piece by piece from a copy, and how often each of its words was asked for. */
struct maker { const uint64_t *from; uint8_t *asked; size_t line, n; };

static void make_words(void *arg, uint64_t first, size_t count, uint64_t *to)
{
	struct maker *m = arg;

	assert_true(count > 0 && count <= GEMM_PIECE && first + count <= m->n);
	assert_int_equal(first / m->line, (first + count - 1) / m->line);
	for (size_t i = 0; i < count; i++) {
		to[i] = m->from[first + i];
		m->asked[first + i]++;
	}
}

/* c += a made + a2 b, the second one only if `terms` is 2; by rows or, `columns`, by columns. */
static void check_made(size_t m, size_t k, size_t n, bool columns, size_t terms, int narrow)
{
	const uint64_t keep = narrow ? (1ull << 52) - 1 : ~0ull;
	const struct gemm_dims d = { m, k, n, (int64_t)k, 1, columns ? 1 : (int64_t)n, columns ? (int64_t)k : 1, (int64_t)n };
	uint64_t *a = malloc(m * k * 8), *a2 = malloc(m * k * 8), *b = malloc(k * n * 8), *b2 = malloc(k * n * 8);
	uint64_t *want = calloc(m * n, 8), *got = malloc(m * n * 8);
	struct maker maker = { b, malloc(k * n), columns ? k : n, k * n };
	const struct gemm_term term[GEMM_TERMS] = { { .a = a, .words = make_words, .arg = &maker }, { .a = a2, .b = b2 } };
	void *work = aligned_alloc(64, gemm_scratch(m, k, n));

	assert_true(a && a2 && b && b2 && want && got && maker.asked && work);
	random_bytes(a, m * k * 8); /* no operand is reduced */
	random_bytes(a2, m * k * 8);
	random_bytes(b, k * n * 8);
	random_bytes(b2, k * n * 8);
	for (size_t i = 0; i < m; i++)
		for (size_t j = 0; j < n; j++)
			for (size_t p = 0; p < k; p++) {
				const size_t at = (size_t)((int64_t)p * d.sb_k + (int64_t)j * d.sb_j);
				want[i * n + j] += a[i * k + p] * b[at] + (terms == 2 ? a2[i * k + p] * b2[at] : 0);
			}
	for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++) {
		memset(got, 0, m * n * 8);
		memset(maker.asked, 0, k * n);
		gemm_u64(isa, narrow, &d, term, terms, got, work);
		for (size_t i = 0; i < m * n; i++)
			if ((got[i] ^ want[i]) & keep)
				fail_msg("isa %d, %zu x %zu x %zu, columns %d, %zu terms, narrow %d: element %zu", isa, m, k, n, columns, terms, narrow, i);
		for (size_t i = 0; i < k * n; i++)
			assert_int_equal(maker.asked[i], 1);
	}
	free(a);
	free(a2);
	free(b);
	free(b2);
	free(want);
	free(got);
	free(maker.asked);
	free(work);
}

static void test_made(void **state)
{
	static const size_t shape[][3] = { { 1, 1, 1 }, { 3, 5, 7 }, { 64, 64, 64 }, { 5, 300, 140 }, { 130, 129, 257 }, { 600, 70, 33 } };

	(void)state;
	for (size_t s = 0; s < sizeof shape / sizeof *shape; s++)
		for (int kind = 0; kind < 8; kind++)
			check_made(shape[s][0], shape[s][1], shape[s][2], kind & 1, kind & 2 ? 2 : 1, kind >> 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_shapes), cmocka_unit_test(test_random_shapes), cmocka_unit_test(test_made) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

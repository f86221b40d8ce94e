/* SPDX-License-Identifier: Apache-2.0
 * Products, truncation, extension, selection and local steps, each against
 * its definition: exhaustively in small rings, randomly in large ones, through
 * both parties over a socket pair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step_harness.h"
#include <cmocka.h>

static const unsigned rings[] = { 37, 48, 50, 51, 64 };
enum { NRINGS = sizeof rings / sizeof rings[0] };

/* A masked bit equal to [x mod 2^b < r-ish]: the borrow bit has to come from lt; here the products only. */
static void
test_matmul(void **state)
{
	(void)state;
	for (int k = 0; k < NRINGS; k++) {
		const uint32_t M = 5, K = 33, N = 37;
		unsigned n = rings[k];
		struct harness h;
		uint64_t *a = harness_ring(M * K, n), *w = harness_ring(K * N, n), *b = harness_ring(N, n), *y = harness_ring(M * K, n);
		harness_init(&h);
		struct suf_ref ia = harness_input(&h, M * K, n, a), iy = harness_input(&h, M * K, n, y);
		harness_round(&h);
		struct suf_ref iw = harness_weight(&h, K * N, n, w), ib = harness_weight(&h, N, n, b);
		struct suf_mm mm = { .batch = 1, .bh = 1, .rows = M, .inner = K, .cols = N, .sa = { 0, 0, K, 1 }, .sb = { 0, 0, N, 1 } };
		struct suf_mm mt = { .batch = 1, .bh = 1, .rows = M, .inner = K, .cols = M, .sa = { 0, 0, K, 1 }, .sb = { 0, 0, 1, K } };
		struct suf_ref o1 = harness_wire(&h, M * N), o2 = harness_wire(&h, M * M);
		harness_step(&h, (struct suf_step){ .op = SUF_matmul, .count = M * N, .na = M * K, .nb = K * N, .n = (uint8_t)n, .m = (uint8_t)n,
			.weight_b = 1, .mm = &mm, .in = { ia, iw, ib }, .out = { o1 } });
		harness_step(&h, (struct suf_step){ .op = SUF_matmul, .count = M * M, .na = M * K, .nb = M * K, .n = (uint8_t)n, .m = (uint8_t)n,
			.mm = &mt, .in = { ia, iy }, .out = { o2 } });
		harness_open(&h, o1, M * N, n);
		harness_open(&h, o2, M * M, n);
		harness_round(&h);
		harness_output(&h, o1, M * N, n);
		harness_output(&h, o2, M * M, n);
		harness_run(&h);
		for (uint32_t i = 0; i < M; i++) {
			for (uint32_t j = 0; j < N; j++) {
				uint64_t want = b[j];
				for (uint32_t t = 0; t < K; t++)
					want += a[i * K + t] * w[t * N + j];
				assert_int_equal(h.out_party[1][0][i * N + j], want & ring_mask(n));
			}
			for (uint32_t j = 0; j < M; j++) {
				uint64_t want = 0;
				for (uint32_t t = 0; t < K; t++)
					want += a[i * K + t] * y[j * K + t];
				assert_int_equal(h.out_party[0][1][i * M + j], want & ring_mask(n));
			}
		}
		harness_free(&h);
		free(a); free(w); free(b); free(y);
	}
}

/* A weight by rows or by columns, lines of even and of odd length, longer than a piece; one matrix, one for all and one for each of
 * a batch: its mask is made in pieces or as a whole. */
static void
test_matmul_by_weight(void **state)
{
	static const struct { uint32_t batch, k, n; bool columns, shared; } layout[] = {
		{ 1, 33, 38, false, false }, { 1, 33, 37, false, false }, { 1, 34, 37, true, false }, { 1, 33, 38, true, false }, { 1, 150, 300, false, false }, { 1, 300, 150, true, false },
		{ 2, 34, 38, false, false }, { 3, 33, 38, true, false }, { 2, 34, 38, false, true },
	};
	(void)state;
	for (size_t l = 0; l < sizeof layout / sizeof *layout; l++)
		for (int k = 0; k < NRINGS; k++) {
			const uint32_t M = 5, B = layout[l].batch, W = layout[l].shared ? 1 : B, K = layout[l].k, N = layout[l].n;
			const unsigned n = rings[k];
			const bool columns = layout[l].columns;
			struct harness h;
			uint64_t *a = harness_ring(B * M * K, n), *w = harness_ring(W * K * N, n);
			harness_init(&h);
			struct suf_ref ia = harness_input(&h, B * M * K, n, a), iw = harness_weight(&h, W * K * N, n, w), o = harness_wire(&h, B * M * N);
			harness_round(&h);
			struct suf_mm mm = { .batch = B, .bh = B, .rows = M, .inner = K, .cols = N, .sa = { 0, M * K, K, 1 }, .sb = { 0, W > 1 ? K * N : 0, columns ? 1 : N, columns ? K : 1 } };
			harness_step(&h, (struct suf_step){ .op = SUF_matmul, .count = B * M * N, .na = B * M * K, .nb = W * K * N, .n = (uint8_t)n, .m = (uint8_t)n,
				.weight_b = 1, .mm = &mm, .in = { ia, iw, { SUF_NONE, 0 } }, .out = { o } });
			harness_open(&h, o, B * M * N, n);
			harness_round(&h);
			harness_output(&h, o, B * M * N, n);
			harness_run(&h);
			for (uint32_t at = 0; at < B * M * N; at++) {
				const uint32_t b = at / (M * N), i = at / N % M, j = at % N;
				uint64_t want = 0;
				for (uint32_t t = 0; t < K; t++)
					want += a[(b * M + i) * K + t] * w[b % W * K * N + (columns ? j * K + t : t * N + j)];
				assert_int_equal(h.out_party[1][0][at], want & ring_mask(n));
			}
			harness_free(&h);
			free(a); free(w);
		}
}

static void
test_mul_and_sqsum(void **state)
{
	(void)state;
	for (int k = 0; k < NRINGS; k++) {
		const uint32_t R = 7, C = 301;
		unsigned n = rings[k];
		struct harness h;
		uint64_t *a = harness_ring(R * C, n), *b = harness_ring(R, n);
		harness_init(&h);
		struct suf_ref ia = harness_input(&h, R * C, n, a), ib = harness_input(&h, R, n, b);
		harness_round(&h);
		struct suf_map map = { .ndim = 2, .dim = { R, C }, .so = { C, 1 }, .sa = { C, 1 }, .sb = { 1, 0 } };
		struct suf_rows rows = { .count = R, .first = C, .period = 1 };
		struct suf_ref o1 = harness_wire(&h, R * C), o2 = harness_wire(&h, R);
		harness_step(&h, (struct suf_step){ .op = SUF_mul, .count = R * C, .na = R * C, .nb = R, .n = (uint8_t)n, .m = (uint8_t)n,
			.map = &map, .in = { ia, ib }, .out = { o1 } });
		harness_step(&h, (struct suf_step){ .op = SUF_sqsum, .count = R, .na = R * C, .n = (uint8_t)n, .m = (uint8_t)n,
			.rows = &rows, .in = { ia }, .out = { o2 } });
		harness_open(&h, o1, R * C, n);
		harness_open(&h, o2, R, n);
		harness_round(&h);
		harness_output(&h, o1, R * C, n);
		harness_output(&h, o2, R, n);
		harness_run(&h);
		for (uint32_t i = 0; i < R; i++) {
			uint64_t sq = 0;
			for (uint32_t j = 0; j < C; j++) {
				assert_int_equal(h.out_party[1][0][i * C + j], a[i * C + j] * b[i] & ring_mask(n));
				sq += a[i * C + j] * a[i * C + j];
			}
			assert_int_equal(h.out_party[0][1][i], sq & ring_mask(n));
		}
		harness_free(&h);
		free(a); free(b);
	}
}

/* Every bit and every x of a 5-bit ring, many masks; then large rings. */
static void
test_select(void **state)
{
	(void)state;
	for (int k = -1; k < NRINGS; k++) {
		unsigned n = k < 0 ? 5 : rings[k];
		const uint64_t N = k < 0 ? 64 * 40 : 1500;
		struct harness h;
		uint64_t *x = harness_ring(N, n), *bit = harness_ring(N, 1);
		for (uint64_t i = 0; k < 0 && i < N; i++) {
			x[i] = i % 32;
			bit[i] = i / 32 % 2;
		}
		harness_init(&h);
		struct suf_ref ix = harness_input(&h, N, n, x), ibit = harness_input(&h, N, 1, bit);
		harness_round(&h);
		struct suf_ref o = harness_wire(&h, N);
		harness_step(&h, (struct suf_step){ .op = SUF_select, .count = N, .n = 1, .m = (uint8_t)n, .in = { ibit, ix }, .out = { o } });
		harness_open(&h, o, N, n);
		harness_round(&h);
		harness_output(&h, o, N, n);
		harness_run(&h);
		for (uint64_t i = 0; i < N; i++)
			assert_int_equal(h.out_party[1][0][i], bit[i] ? x[i] : 0);
		harness_free(&h);
		free(x); free(bit);
	}
}

/* wire -> gap extension -> product with its mask defined last -> narrow opening -> gap extension. */
static void
test_define_last_chain(void **state)
{
	(void)state;
	const uint32_t M = 9, K = 16, N = 130;
	const unsigned m0 = 16, f = 8, n = 36, keep = 24, big = 40;
	struct harness h;
	uint64_t *a = malloc(M * K * 8), *b = malloc(K * N * 8);
	for (uint32_t i = 0; i < M * K; i++)
		a[i] = (uint64_t)harness_signed(harness_random(), 13) & ring_mask(m0); /* |a| < 2^12, gap: < 2^14 */
	for (uint32_t i = 0; i < K * N; i++)
		b[i] = (uint64_t)harness_signed(harness_random(), 13) & ring_mask(m0);
	harness_init(&h);
	struct suf_ref ia = harness_input(&h, M * K, m0, a), ib = harness_input(&h, K * N, m0, b);
	harness_round(&h);
	struct suf_ref ea = harness_wire(&h, M * K), eb = harness_wire(&h, K * N), p = harness_wire(&h, M * N), e = harness_wire(&h, M * N);
	uint32_t ida = harness_step(&h, (struct suf_step){ .op = SUF_gapext, .count = M * K, .n = m0, .m = n, .in = { ia }, .out = { ea } });
	uint32_t idb = harness_step(&h, (struct suf_step){ .op = SUF_gapext, .count = K * N, .n = m0, .m = n, .in = { ib }, .out = { eb } });
	harness_open(&h, ea, M * K, n);
	harness_open(&h, eb, K * N, n);
	harness_round(&h);
	struct suf_mm mm = { .batch = 1, .bh = 1, .rows = M, .inner = K, .cols = N, .sa = { 0, 0, K, 1 }, .sb = { 0, 0, N, 1 } };
	harness_step(&h, (struct suf_step){ .op = SUF_matmul, .count = M * N, .na = M * K, .nb = K * N, .n = n, .m = n, .define_last = 1,
		.pad_a = ida, .pad_b = idb, .mm = &mm, .in = { ea, eb }, .out = { p } });
	harness_step(&h, (struct suf_step){ .op = SUF_open, .count = M * N, .n = n, .m = keep, .s = f, .round_half = 1, .in = { p }, .out = { p } });
	harness_round(&h);
	harness_output(&h, p, M * N, keep);
	harness_step(&h, (struct suf_step){ .op = SUF_gapext, .count = M * N, .n = keep, .m = big, .in = { p }, .out = { e } });
	harness_open(&h, e, M * N, big);
	harness_round(&h);
	harness_output(&h, e, M * N, big);
	harness_run(&h);
	for (uint32_t i = 0; i < M; i++)
		for (uint32_t j = 0; j < N; j++) {
			int64_t want = 0;
			for (uint32_t t = 0; t < K; t++)
				want += harness_signed(a[i * K + t], m0) * harness_signed(b[t * N + j], m0);
			int64_t got = harness_signed(h.out_party[1][0][i * N + j], keep);
			double err = (double)got - (double)want / (1 << f);
			assert_true(err > -1.5 && err < 1.5); /* two shares rounded apart, docs/numerics.md */
			assert_int_equal(harness_signed(h.out_party[0][1][i * N + j], big), got);
		}
	harness_free(&h);
	free(a); free(b);
}

static void
test_local(void **state)
{
	(void)state;
	const uint32_t R = 6, C = 11;
	const unsigned n = 50;
	struct harness h;
	uint64_t *a = harness_ring(R * C, n), *w = harness_ring(C, n);
	int64_t tab[11];
	for (int i = 0; i < 11; i++)
		tab[i] = harness_signed(harness_random(), 9);
	struct suf_table t = { "t", 11, tab };
	harness_init(&h);
	struct suf_ref ia = harness_input(&h, R * C, n, a), iw = harness_weight(&h, C, n, w);
	harness_round(&h);
	struct suf_map tr = { .ndim = 2, .dim = { C, R }, .so = { R, 1 }, .sa = { 1, C }, .sb = { 1, 0 } };
	struct suf_map row = { .ndim = 2, .dim = { R, C }, .so = { C, 1 }, .sa = { C, 1 }, .sb = { 0, 1 } };
	struct suf_rows rows = { .count = R, .first = 2, .inc = 1, .period = 3 };
	struct suf_ref o[5];
	uint64_t total = suf_rows_total(&rows);
	for (int k = 0; k < 5; k++)
		o[k] = harness_wire(&h, R * C);
	harness_step(&h, (struct suf_step){ .op = SUF_lin, .count = R * C, .na = R * C, .nb = C, .n = n, .m = n, .ca = 3, .cb = -1, .c = 77,
		.map = &tr, .in = { ia, iw }, .out = { o[0] } });
	harness_step(&h, (struct suf_step){ .op = SUF_mulc, .count = R * C, .na = R * C, .n = n, .m = n, .map = &row, .table = &t, .in = { ia }, .out = { o[1] } });
	harness_step(&h, (struct suf_step){ .op = SUF_addc, .count = R * C, .na = R * C, .n = n, .m = n, .map = &row, .table = &t, .in = { ia }, .out = { o[2] } });
	harness_step(&h, (struct suf_step){ .op = SUF_tril, .count = total, .na = R * C, .n = n, .m = n, .c = C, .rows = &rows, .in = { ia }, .out = { o[3] } });
	harness_step(&h, (struct suf_step){ .op = SUF_untril, .count = R * C, .na = total, .n = n, .m = n, .c = C, .rows = &rows, .in = { o[3] }, .out = { o[4] } });
	for (int k = 0; k < 5; k++)
		harness_output(&h, o[k], k == 3 ? total : R * C, n);
	harness_run(&h);
	for (uint32_t i = 0; i < R; i++)
		for (uint32_t j = 0; j < C; j++) {
			assert_int_equal(h.out_sim[0][j * R + i], (3 * a[i * C + j] - w[j] + 77) & ring_mask(n));
			assert_int_equal(h.out_sim[1][i * C + j], (a[i * C + j] * (uint64_t)tab[j]) & ring_mask(n));
			assert_int_equal(h.out_sim[2][i * C + j], (a[i * C + j] + (uint64_t)tab[j]) & ring_mask(n));
			assert_int_equal(h.out_sim[4][i * C + j], j < 2 + i % 3 ? a[i * C + j] : 0);
		}
	harness_free(&h);
	free(a); free(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matmul), cmocka_unit_test(test_matmul_by_weight), cmocka_unit_test(test_mul_and_sqsum), cmocka_unit_test(test_select),
		cmocka_unit_test(test_define_last_chain), cmocka_unit_test(test_local),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

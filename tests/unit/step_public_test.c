/* SPDX-License-Identifier: Apache-2.0
 * Products with weights that everybody knows, each against its definition: exhaustively in small rings, randomly in large
 * ones, through dealer and both parties over a socket pair; and the steps that are made for masked weights, with public ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step_harness.h"
#include <cmocka.h>

static const struct suf_ref none = { SUF_NONE, 0 };

/* How often a step was used: messages and keys of wmul and wscale are none. */
static void
no_cost(const struct harness *h, enum suf_op op)
{
	for (uint32_t k = 0; k < h->nitem; k++)
		if (h->item[k].s.op == op) {
			const struct suf_cost c = suf_step_cost(&h->item[k].s, 2);
			assert_int_equal(c.key[0] + c.key[1] + c.sent[0] + c.sent[1], 0);
			assert_int_equal(c.prg[0] + c.prg[1] + c.prg[2], op == SUF_wshare ? 4 * prg_blocks(0, h->item[k].s.count) : 0);
		}
}

/* ---- matrices ----------------------------------------------------------------------------------- */

/* A: [batch/bh][bh][rows][inner] as strides have it, W likewise; widths of A, W and the result. */
struct matrix_case { struct suf_mm mm; uint64_t na, nb; unsigned n, w, m; bool bias, exhaustive; };

static uint64_t
entry(const struct matrix_case *k, const uint64_t *a, const uint64_t *w, const uint64_t *bias, uint32_t batch, uint32_t i, uint32_t j)
{
	const struct suf_mm *m = &k->mm;
	uint64_t sum = bias ? bias[j] : 0;
	for (uint32_t t = 0; t < m->inner; t++)
		sum += a[(int64_t)m->a0 + batch / m->bh * m->sa[0] + batch % m->bh * m->sa[1] + i * m->sa[2] + t * m->sa[3]] *
		       w[(int64_t)m->b0 + batch / m->bh * m->sb[0] + batch % m->bh * m->sb[1] + t * m->sb[2] + j * m->sb[3]];
	return sum & ring_mask(k->m);
}

/* A as a masked value, or as a share that gap extension gives (of n - 1 bits before it; then it may be opened beside). */
static void
matrix(const struct matrix_case *k, bool shared)
{
	struct harness h;
	const uint64_t count = (uint64_t)k->mm.batch * k->mm.rows * k->mm.cols;
	const unsigned from = shared ? k->n - 1 : k->n;
	uint64_t *a = harness_ring(k->na, k->n), *w = harness_ring(k->nb, k->w), *bias = harness_ring(k->mm.cols, k->w);
	for (uint64_t i = 0; k->exhaustive && i < k->na; i++)
		a[i] = (i + i / k->mm.inner * (k->mm.inner - 1)) & ring_mask(k->n); /* every value in every column */
	for (uint64_t i = 0; shared && i < k->na; i++)      /* |a| < 2^(n-3) */
		a[i] = (uint64_t)harness_signed(a[i], from - 1) & ring_mask(k->n);
	harness_init(&h);
	uint64_t *narrow = malloc(k->na * 8);
	for (uint64_t i = 0; i < k->na; i++)
		narrow[i] = a[i] & ring_mask(from);
	struct suf_ref x = harness_input(&h, k->na, from, narrow), out = harness_wire(&h, count), in = x;
	harness_round(&h);
	struct suf_step s = { .op = shared ? SUF_wshare : SUF_wmul, .count = count, .na = k->na, .nb = k->nb, .n = (uint8_t)k->n, .m = (uint8_t)k->m,
		.define_last = shared, .mm = &k->mm };
	if (shared) {
		in = harness_wire(&h, k->na);
		harness_step(&h, (struct suf_step){ .op = SUF_gapext, .count = k->na, .na = k->na, .n = (uint8_t)from, .m = (uint8_t)k->n, .in = { x }, .out = { in } });
	}
	s.in[0] = in;
	s.in[1] = harness_public(&h, k->nb, k->w, w);
	s.in[2] = k->bias ? harness_public(&h, k->mm.cols, k->w, bias) : none;
	s.out[0] = out;
	harness_step(&h, s);
	if (shared) {
		harness_open(&h, out, count, k->m);
		harness_open(&h, in, k->na, k->n);
		harness_round(&h);
		harness_output(&h, in, k->na, k->n);
	}
	harness_output(&h, out, count, k->m);
	harness_run(&h);
	no_cost(&h, s.op);
	for (uint32_t b = 0, at = 0; b < k->mm.batch; b++)
		for (uint32_t i = 0; i < k->mm.rows; i++)
			for (uint32_t j = 0; j < k->mm.cols; j++, at++)
				if (h.out_party[at & 1][shared][at] != entry(k, a, w, k->bias ? bias : NULL, b, i, j))
					fail_msg("n %u w %u m %u shared %d: element %u", k->n, k->w, k->m, shared, at);
	for (uint64_t i = 0; shared && i < k->na; i++)
		assert_int_equal(h.out_party[0][0][i], a[i]);
	harness_free(&h);
	free(a); free(w); free(bias); free(narrow);
}

static void
test_small_matrices(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= 7; n++)
		for (unsigned m = 1; m <= n; m += m < 3 ? 1 : 2)
			for (uint32_t inner = 1; inner <= 3; inner++) {
				const uint32_t rows = 32u << n, cols = 1 + (n + m + inner) % 4;
				struct matrix_case k = { .mm = { .batch = 1, .bh = 1, .rows = rows, .inner = inner, .cols = cols, .sa = { 0, 0, inner, 1 }, .sb = { 0, 0, cols, 1 } },
					.na = (uint64_t)rows * inner, .nb = (uint64_t)inner * cols, .n = n, .w = n + (inner == 2), .m = m, .bias = inner & 1, .exhaustive = true };
				matrix(&k, false);
				if (n >= 4)
					matrix(&k, true);
			}
}

/* Batches in two axes, a transposed factor, places before and behind what is read. */
static void
test_large_matrices(void **state)
{
	(void)state;
	static const unsigned rings[][3] = { { 16, 16, 16 }, { 37, 37, 37 }, { 48, 64, 40 }, { 52, 52, 52 }, { 53, 53, 53 }, { 64, 64, 51 }, { 64, 64, 64 } };
	const struct suf_mm plain = { .batch = 1, .bh = 1, .rows = 5, .inner = 300, .cols = 37, .sa = { 0, 0, 300, 1 }, .sb = { 0, 0, 37, 1 } };
	const struct suf_mm heads = { .batch = 6, .bh = 2, .rows = 7, .inner = 9, .cols = 11, .a0 = 3, .b0 = 5, .sa = { 126, 9, 18, 1 }, .sb = { 99, 0, 1, 9 } };
	const struct suf_mm wide = { .batch = 2, .bh = 1, .rows = 1, .inner = 2, .cols = SUF_BLOCK + 3, .sa = { 2, 0, 0, 1 }, .sb = { 0, 0, SUF_BLOCK + 3, 1 } };
	for (size_t k = 0; k < sizeof rings / sizeof rings[0]; k++)
		for (int shared = 0; shared < 2; shared++) {
			struct matrix_case c = { .mm = plain, .na = 5 * 300, .nb = 300 * 37, .n = rings[k][0], .w = rings[k][1], .m = rings[k][2], .bias = k & 1 };
			matrix(&c, shared);
			c.mm = heads;
			c.na = 3 + 3 * 126;
			c.nb = 5 + 3 * 99;
			c.bias = !c.bias;
			matrix(&c, shared);
			c.mm = wide;
			c.na = 4;
			c.nb = 2 * (SUF_BLOCK + 3);
			matrix(&c, shared);
		}
}

/* got 2^s is want but for less than one unit and a half of 2^s: a narrow opening rounds three times. */
static bool
near(uint64_t got, uint64_t want, unsigned s, unsigned bits)
{
	const int64_t off = 2 * (harness_signed(got, bits) * (INT64_C(1) << s) - (int64_t)want);
	return s ? off > -(INT64_C(3) << s) && off < INT64_C(3) << s : off == 0;
}

/* The low bits of a product with a shared value are dropped: the rounding is that of the parties' shares. */
static void
test_narrow_opening(void **state)
{
	(void)state;
	const uint32_t R = 300, K = 5, C = 8;
	const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = R, .inner = K, .cols = C, .sa = { 0, 0, K, 1 }, .sb = { 0, 0, C, 1 } };
	for (unsigned s = 1; s <= 20; s += 5) {
		struct harness h;
		const unsigned n = 40, m = n - s;
		uint64_t *x = harness_ring(R * K, 30), *w = harness_ring(K * C, 6), *b = harness_ring(C, 30);
		for (uint32_t i = 0; i < R * K; i++)
			x[i] = (uint64_t)harness_signed(x[i], 30) & ring_mask(39);
		harness_init(&h);
		struct suf_ref in = harness_input(&h, R * K, 39, x), u = harness_wire(&h, R * K), z = harness_wire(&h, R * C);
		harness_round(&h);
		harness_step(&h, (struct suf_step){ .op = SUF_gapext, .count = R * K, .na = R * K, .n = 39, .m = n, .in = { in }, .out = { u } });
		struct suf_ref iw = harness_public(&h, K * C, n, w), ib = harness_public(&h, C, n, b);
		harness_step(&h, (struct suf_step){ .op = SUF_wshare, .count = R * C, .na = R * K, .nb = K * C, .n = n, .m = n, .define_last = 1, .mm = &mm,
			.in = { u, iw, ib }, .out = { z } });
		harness_step(&h, (struct suf_step){ .op = SUF_open, .count = R * C, .n = n, .m = (uint8_t)m, .s = (uint8_t)s, .round_half = 1, .in = { z }, .out = { z } });
		harness_round(&h);
		harness_output(&h, z, R * C, m);
		harness_run(&h);
		unsigned up = 0;
		for (uint32_t i = 0; i < R; i++)
			for (uint32_t j = 0; j < C; j++) {
				int64_t want = (int64_t)b[j];
				for (uint32_t t = 0; t < K; t++)
					want += harness_signed(x[i * K + t], 39) * (int64_t)w[t * C + j];
				const uint64_t got = h.out_party[1][0][i * C + j];
				assert_true(near(got, (uint64_t)want, s, m));
				up += harness_signed(got, m) * (INT64_C(1) << s) > want;
			}
		assert_true(up > R * C / 4 && up < R * C * 3 / 4);
		harness_free(&h);
		free(x); free(w); free(b);
	}
}

/* ---- elementwise ------------------------------------------------------------------------------- */

static void
scale(unsigned n, unsigned m, const struct suf_map *map, uint64_t na, uint64_t nb, uint64_t count, bool exhaustive)
{
	struct harness h;
	uint64_t *a = harness_ring(na, n), *w = harness_ring(nb, n), *want = calloc(count, 8);
	for (uint64_t i = 0; exhaustive && i < na; i++)
		a[i] = i & ring_mask(n);
	harness_init(&h);
	struct suf_ref x = harness_input(&h, na, n, a), out = harness_wire(&h, count);
	harness_round(&h);
	harness_step(&h, (struct suf_step){ .op = SUF_wscale, .count = count, .na = na, .nb = nb, .n = (uint8_t)n, .m = (uint8_t)m, .map = map,
		.in = { x, harness_public(&h, nb, n, w) }, .out = { out } });
	harness_output(&h, out, count, m);
	harness_run(&h);
	no_cost(&h, SUF_wscale);
	uint32_t i[3] = { 0 };
	for (i[0] = 0; i[0] < map->dim[0]; i[0]++)
		for (i[1] = 0; i[1] < map->dim[1]; i[1]++)
			for (i[2] = 0; i[2] < map->dim[2]; i[2]++) {
				int64_t at[3] = { (int64_t)map->out0, (int64_t)map->a0, (int64_t)map->b0 };
				for (int k = 0; k < 3; k++) {
					at[0] += i[k] * map->so[k];
					at[1] += i[k] * map->sa[k];
					at[2] += i[k] * map->sb[k];
				}
				want[at[0]] = a[at[1]] * w[at[2]] & ring_mask(m);
			}
	for (uint64_t k = 0; k < count; k++)
		for (int p = 0; p < 2; p++)
			assert_int_equal(h.out_party[p][0][k], want[k]);
	harness_free(&h);
	free(a); free(w); free(want);
}

static void
test_scale(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 6; n++) {
		const uint32_t rows = 64u << n; /* every value times many weights */
		const struct suf_map one = { .ndim = 3, .dim = { 1, 1, rows }, .so = { 0, 0, 1 }, .sa = { 0, 0, 1 }, .sb = { 0, 0, 1 } };
		scale(n, n, &one, rows, rows, rows, true);
		scale(n, 1, &one, rows, rows, rows, true);
	}
	/* [4][5][6] times [1][5][1], turned round, and a part of the operands */
	const struct suf_map turn = { .ndim = 3, .dim = { 4, 5, 6 }, .a0 = 7, .b0 = 2, .so = { 1, 4, 20 }, .sa = { 30, 6, 1 }, .sb = { 0, 1, 0 } };
	static const unsigned rings[] = { 37, 50, 64 };
	for (int k = 0; k < 3; k++) {
		scale(rings[k], rings[k], &turn, 127, 7, 120, false);
		scale(rings[k], 30, &turn, 127, 7, 120, false);
	}
}

/* ---- steps for masked weights ------------------------------------------------------------------- */

/* Product with bias, elementwise product, product with a shifted value, sum: weights with mask 0 take no generator. */
static void
test_steps_of_masked_weights(void **state)
{
	(void)state;
	for (int last = 0; last < 2; last++) {
		const uint32_t R = 100, C = 13;
		const unsigned n = 41, s = last ? 9 : 0;
		struct harness h;
		const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = R, .inner = C, .cols = C, .sa = { 0, 0, C, 1 }, .sb = { 0, 0, C, 1 } };
		const struct suf_map map = { .ndim = 2, .dim = { R, C }, .so = { C, 1 }, .sa = { C, 1 }, .sb = { 0, 1 } };
		uint64_t *x = harness_ring(R * C, 20), *w = harness_ring(C * C, 10), *v = harness_ring(C, 10);
		harness_init(&h);
		struct suf_ref in = harness_input(&h, R * C, n, x), o[4];
		for (int k = 0; k < 4; k++)
			o[k] = harness_wire(&h, R * C);
		harness_round(&h);
		struct suf_ref iw = harness_public(&h, C * C, n, w), iv = harness_public(&h, C, n, v);
		harness_step(&h, (struct suf_step){ .op = SUF_matmul, .count = R * C, .na = R * C, .nb = C * C, .n = n, .m = n, .weight_b = 1, .define_last = (uint8_t)last,
			.mm = &mm, .in = { in, iw, iv }, .out = { o[0] } });
		harness_step(&h, (struct suf_step){ .op = SUF_mul, .count = R * C, .na = R * C, .nb = C, .n = n, .m = n, .weight_b = 1, .define_last = (uint8_t)last,
			.map = &map, .in = { in, iv }, .out = { o[1] } });
		harness_step(&h, (struct suf_step){ .op = SUF_shiftmul, .count = R * C, .na = R * C, .nb = C, .n = n, .m = n, .weight_b = 1, .map = &map,
			.in = { in, iv }, .out = { o[2] } });
		harness_step(&h, (struct suf_step){ .op = SUF_lin, .count = R * C, .na = R * C, .nb = C, .n = n, .m = n, .ca = 3, .cb = 5, .c = 1, .map = &map,
			.in = { in, iv }, .out = { o[3] } });
		for (int k = 0; k < 2; k++)
			harness_step(&h, (struct suf_step){ .op = SUF_open, .count = R * C, .n = n, .m = (uint8_t)(n - s), .s = (uint8_t)s, .round_half = 1, .in = { o[k] }, .out = { o[k] } });
		harness_open(&h, o[2], R * C, n);
		harness_round(&h);
		for (int k = 0; k < 4; k++)
			harness_output(&h, o[k], R * C, k < 2 ? n - s : n);
		harness_run(&h);
		for (uint32_t i = 0; i < R; i++)
			for (uint32_t j = 0; j < C; j++) {
				const uint64_t at = i * C + j;
				uint64_t want = v[j];
				for (uint32_t t = 0; t < C; t++)
					want += x[i * C + t] * w[t * C + j];
				assert_true(near(h.out_party[1][0][at], want, s, n - s));
				assert_true(near(h.out_party[0][1][at], x[at] * v[j], s, n - s));
				assert_int_equal(h.out_party[1][2][at], x[at] * v[j]);
				assert_int_equal(h.out_party[0][3][at], 3 * x[at] + 5 * v[j] + 1);
			}
		harness_free(&h);
		free(x); free(w); free(v);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_matrices), cmocka_unit_test(test_large_matrices), cmocka_unit_test(test_narrow_opening), cmocka_unit_test(test_scale),
		cmocka_unit_test(test_steps_of_masked_weights)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

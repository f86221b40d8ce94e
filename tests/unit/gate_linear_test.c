/* SPDX-License-Identifier: Apache-2.0
 * gate_linear_test.c -- products, sums and layout gates against their definition
 * in clear integers, with masked and with public weights; simulation, dealer and parties agree (support/gate_run.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"

static const unsigned ring[] = { 37, 48, 50, 51, 64 };
enum { NRING = sizeof ring / sizeof ring[0] };

static int64_t wrap(int64_t x, unsigned n) { return gt_signed((uint64_t)x, n); }

/* ---- products ----------------------------------------------------------------------------------- */

static int64_t
wrapped_sum(int64_t sum, int64_t a, int64_t b)
{
	return (int64_t)((uint64_t)sum + (uint64_t)a * (uint64_t)b);
}

static void
matmul_weight(void **state)
{
	(void)state;
	for (int k = 0; k < NRING; k++) {
		enum { B = 2, M = 5, K = 24, N = 7 };
		struct gt t;
		const unsigned n = ring[k];
		int64_t *x = gt_randoms(B * M * K, n), *w = gt_randoms(K * N, n - 1), *bias = gt_randoms(N, n - 1), want[B * M * N];
		gt_init(&t, n, 12);
		for (int i = 0; i < B * M; i++)
			for (int j = 0; j < N; j++) {
				int64_t s = bias[j];
				for (int c = 0; c < K; c++)
					s = wrapped_sum(s, x[i * K + c], w[c * N + j]);
				want[i * N + j] = wrap(s, n);
			}
		struct val *out = gt_op(&t, OP_matmul, 24, SHAPE(B, M, N), 3, gt_input(&t, SHAPE(B, M, K)),
		                        gt_const(&t, SEC_WEIGHT, 12, SHAPE(K, N), w), gt_const(&t, SEC_WEIGHT, 24, SHAPE(N), bias));
		gt_expect(&t, out, x, want, "matmul");
		free(x), free(w), free(bias);
	}
}

/* A weight on the left; a public matrix; bias. */
static void
matmul_weight_first(void **state)
{
	(void)state;
	enum { B = 3, M = 4, K = 6, N = 5 };
	struct gt t;
	int64_t *x = gt_randoms(B * K * N, 50), *w = gt_randoms(M * K, 40), *bias = gt_randoms(N, 40), want[B * M * N];
	gt_init(&t, 50, 12);
	for (int b = 0; b < B; b++)
		for (int i = 0; i < M; i++)
			for (int j = 0; j < N; j++) {
				int64_t s = bias[j];
				for (int c = 0; c < K; c++)
					s = wrapped_sum(s, w[i * K + c], x[(b * K + c) * N + j]);
				want[(b * M + i) * N + j] = wrap(s, 50);
			}
	struct val *in = gt_input(&t, SHAPE(B, K, N));
	struct val *out = gt_op(&t, OP_matmul, 24, SHAPE(B, M, N), 3, gt_const(&t, SEC_PUBLIC, 12, SHAPE(M, K), w), in,
	                        gt_const(&t, SEC_WEIGHT, 24, SHAPE(N), bias));
	gt_expect(&t, out, x, want, "weight first");
	free(x), free(w), free(bias);
}

/* q k^T over heads, then the triangle only: what is opened is the triangle. */
static void
attention_scores(void **state)
{
	(void)state;
	enum { B = 2, H = 3, S = 5, D = 8, T = S * (S + 1) / 2 };
	for (int causal = 0; causal < 2; causal++) {
		struct gt t;
		int64_t *x = gt_randoms(B * H * S * D, 50), want[B * H * S * S];
		int at = 0;
		gt_init(&t, 50, 12);
		for (int h = 0; h < B * H; h++)
			for (int i = 0; i < S; i++)
				for (int j = 0; j < (causal ? i + 1 : S); j++) {
					int64_t s = 0;
					for (int c = 0; c < D; c++)
						s = wrapped_sum(s, x[(h * S + i) * D + c], x[(h * S + j) * D + c]);
					want[at++] = causal ? wrap(s, 50) >> 15 : wrap(s, 50);
				}
		struct val *in = gt_input(&t, SHAPE(B, H, S, D));
		struct val *out = gt_op(&t, OP_matmul, 24, SHAPE(B, H, S, S), 2, in, in);
		ir_set_int(t.p, out->def, ATTR_trans_b, 1);
		if (causal) {
			out = gt_op(&t, OP_tril, 12, SHAPE(B, H, T), 1, gt_rescale(&t, out, 12));
			ir_set_int(t.p, out->def, ATTR_past, 0);
			out = gt_rescale(&t, out, 3); /* the factor 1/8 */
		}
		gt_expect(&t, out, x, want, causal ? "causal scores" : "scores");
		free(x);
	}
}

/* Only the triangle of a product is opened and truncated, once for both shifts. */
static void
triangle_is_cut_first(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	struct val *in = gt_input(&t, SHAPE(4, 6, 8)), *out = gt_op(&t, OP_matmul, 24, SHAPE(4, 6, 6), 2, in, in);
	ir_set_int(t.p, out->def, ATTR_trans_b, 1);
	out = gt_op(&t, OP_tril, 12, SHAPE(4, 21), 1, gt_rescale(&t, out, 12));
	ir_set_int(t.p, out->def, ATTR_past, 0);
	out = gt_rescale(&t, out, 3);
	gt_compile(&t, out);
	int opened = 0;
	for (const struct node *n = t.p->first; n; n = n->next)
		if (n->step->op == SUF_open) {
			assert_int_equal(n->step->count, 4 * 21);
			opened++;
		}
	assert_int_equal(opened, 5);
	gt_free(&t);
}

/* One batch axis of each operand is broadcast. */
static void
matmul_broadcast(void **state)
{
	(void)state;
	enum { A = 2, B = 3, C = 2, M = 3, K = 4, N = 2 };
	struct gt t;
	int64_t *x = gt_randoms(A * B * M * K, 50), *w = gt_randoms(C * K * N, 50), want[A * B * C * M * N];
	for (int e = 0; e < A * B * C * M * N; e++) {
		int j = e % N, i = e / N % M, c = e / N / M % C, ab = e / N / M / C;
		int64_t s = 0;
		for (int l = 0; l < K; l++)
			s = wrapped_sum(s, x[(ab * M + i) * K + l], w[(c * K + l) * N + j]);
		want[e] = wrap(s, 50);
	}
	gt_init(&t, 50, 12);
	struct val *a = gt_input(&t, SHAPE(A, B, 1, M, K)), *b = gt_input(&t, SHAPE(C, K, N));
	struct val *out = gt_op(&t, OP_matmul, 24, SHAPE(A, B, C, M, N), 2, a, b);
	const int64_t *in[2] = { x, w };
	int64_t got[A * B * C * M * N];
	gt_compile(&t, out);
	gt_run(&t, in, got);
	assert_true(gt_same("broadcast", got, want, A * B * C * M * N));
	free(x), free(w);
	gt_free(&t);
}

static void
elementwise(void **state)
{
	(void)state;
	enum { R = 3, C = 4 };
	const enum op ops[] = { OP_mul, OP_add, OP_sub };
	for (int k = 0; k < 3; k++)
		for (int kind = 0; kind < 6; kind++) { /* 0 wires, 1 weight row, 2 public row, 3 public - wire, 4 smaller wire first, 5 wire + narrower */
			struct gt t;
			const enum op op = ops[k];
			const unsigned n = 50, f2 = op == OP_mul ? 24 : 12, fb = op != OP_mul && kind == 2 ? 10 : 12;
			int64_t *x = gt_randoms(R * C, n), *y = gt_randoms(R * C, 30), want[R * C], got[R * C];
			gt_init(&t, n, 12);
			struct val *a = gt_input(&t, SHAPE(R, C)), *b;
			const bool first = kind == 3 || kind == 4, row = kind != 0;
			if (kind == 0)
				b = gt_input(&t, SHAPE(R, C));
			else if (kind >= 4)
				b = gt_input(&t, SHAPE(1, C));
			else
				b = gt_const(&t, kind == 1 ? SEC_WEIGHT : SEC_PUBLIC, fb, SHAPE(C), y);
			for (int i = 0; i < R * C; i++) {
				int64_t u = x[i], v = row ? y[i % C] : y[i];
				v *= op == OP_mul ? 1 : INT64_C(1) << (12 - fb);
				uint64_t p = (uint64_t)(first ? v : u), q = (uint64_t)(first ? u : v);
				want[i] = gt_signed(op == OP_mul ? p * q : op == OP_add ? p + q : p - q, n);
			}
			struct val *out = first ? gt_op(&t, op, f2, SHAPE(R, C), 2, b, a) : gt_op(&t, op, f2, SHAPE(R, C), 2, a, b);
			const int64_t *in[2] = { x, y };
			gt_compile(&t, out);
			gt_run(&t, in, got);
			if (!gt_same("elementwise", got, want, R * C))
				fail_msg("operation %d, operands %d", k, kind);
			free(x), free(y);
			gt_free(&t);
		}
}

/* ---- layout ---------------------------------------------------------------------------------- */

/* out[i] = x[from[i]] with -1 for zero */
static void
check_layout(struct gt *t, struct val *out, const int64_t *x, const int64_t *from, const char *what)
{
	int64_t want[512];
	for (int64_t i = 0; i < ir_count(out); i++)
		want[i] = from[i] < 0 ? 0 : x[from[i]];
	gt_expect(t, out, x, want, what);
}

static void
layout(void **state)
{
	(void)state;
	enum { A = 3, B = 4, C = 5 };
	struct gt t;
	int64_t *x = gt_randoms(A * B * C, 50), from[512];
	const int64_t perm[3] = { 2, 0, 1 };
	gt_init(&t, 50, 12);
	struct val *out = gt_op(&t, OP_transpose, 12, SHAPE(C, A, B), 1, gt_input(&t, SHAPE(A, B, C)));
	ir_set_ints(t.p, out->def, ATTR_perm, 3, perm);
	for (int i = 0; i < A * B * C; i++)
		from[i] = i / B % A * B * C + i % B * C + i / B / A;
	check_layout(&t, out, x, from, "transpose");

	gt_init(&t, 50, 12);
	out = gt_op(&t, OP_slice, 12, SHAPE(A, 2, C), 1, gt_input(&t, SHAPE(A, B, C)));
	ir_set_int(t.p, out->def, ATTR_axis, 1);
	ir_set_int(t.p, out->def, ATTR_start, 3);
	ir_set_int(t.p, out->def, ATTR_step, -2);
	for (int i = 0; i < A * 2 * C; i++)
		from[i] = i / C / 2 * B * C + (3 - 2 * (i / C % 2)) * C + i % C;
	check_layout(&t, out, x, from, "slice");

	gt_init(&t, 50, 12);
	out = gt_op(&t, OP_expand, 12, SHAPE(2, A, B, C), 1, gt_input(&t, SHAPE(A, 1, C)));
	for (int i = 0; i < 2 * A * B * C; i++)
		from[i] = i / C / B % A * C + i % C;
	check_layout(&t, out, x, from, "expand");

	const int64_t index[] = { 2, 2, 0, 3, -1, 1 };
	gt_init(&t, 50, 12);
	struct val *ids = gt_const(&t, SEC_PUBLIC, 0, SHAPE(6), index);
	out = gt_op(&t, OP_gather, 12, SHAPE(A, 6, C), 2, gt_input(&t, SHAPE(A, B, C)), ids);
	ir_set_int(t.p, out->def, ATTR_axis, 1);
	for (int i = 0; i < A * 6 * C; i++)
		from[i] = i / C / 6 * B * C + (index[i / C % 6] + B) % B * C + i % C;
	check_layout(&t, out, x, from, "gather");

	gt_init(&t, 50, 12);
	struct val *in = gt_input(&t, SHAPE(A, B, C)), *again = gt_op(&t, OP_reshape, 12, SHAPE(A, 1, B * C), 1, in);
	struct val *flat = gt_op(&t, OP_reshape, 12, SHAPE(A, B, C), 1, again);
	out = gt_op(&t, OP_concat, 12, SHAPE(A, 3 * B, C), 3, in, flat, in);
	ir_set_int(t.p, out->def, ATTR_axis, 1);
	for (int i = 0; i < A * 3 * B * C; i++)
		from[i] = i / C / B / 3 * B * C + i / C % B * C + i % C;
	check_layout(&t, out, x, from, "concat");

	gt_init(&t, 50, 12);
	out = gt_op(&t, OP_untril, 12, SHAPE(A, 3, 5), 1, gt_op(&t, OP_tril, 12, SHAPE(A, 9), 1, gt_input(&t, SHAPE(A, 3, 5))));
	ir_set_int(t.p, out->def, ATTR_rows, 3);
	ir_set_int(t.p, out->def, ATTR_past, 1);
	ir_set_int(t.p, out->def, ATTR_cols, 5);
	ir_set_int(t.p, out->def->in[0]->def, ATTR_past, 1);
	for (int i = 0; i < A * 15; i++)
		from[i] = i % 5 <= i / 5 % 3 + 1 ? i : -1;
	check_layout(&t, out, x, from, "tril, untril");
	free(x);
}

/* A class token before the patches: a weight, and a public constant after them. */
static void
concat_of_constants(void **state)
{
	(void)state;
	enum { R = 3, C = 4 };
	struct gt t;
	int64_t *x = gt_randoms(R * C, 50), *w = gt_randoms(C, 49), *c = gt_randoms(2 * C, 49), want[(R + 3) * C];
	gt_init(&t, 50, 12);
	struct val *a = gt_const(&t, SEC_WEIGHT, 12, SHAPE(1, C), w), *b = gt_const(&t, SEC_PUBLIC, 12, SHAPE(2, C), c);
	struct val *out = gt_op(&t, OP_concat, 12, SHAPE(R + 3, C), 3, a, gt_input(&t, SHAPE(R, C)), b);
	ir_set_int(t.p, out->def, ATTR_axis, 0);
	memcpy(want, w, C * sizeof *want);
	memcpy(want + C, x, R * C * sizeof *want);
	memcpy(want + (R + 1) * C, c, 2 * C * sizeof *want);
	gt_expect(&t, out, x, want, "concat of constants");
	free(x), free(w), free(c);
}

/* A bias that is itself secret */
static void
matmul_secret_bias(void **state)
{
	(void)state;
	enum { M = 3, K = 4, N = 2 };
	struct gt t;
	int64_t *x = gt_randoms(M * K, 50), *w = gt_randoms(K * N, 50), *b = gt_randoms(N, 50), want[M * N], got[M * N];
	const int64_t *in[3] = { x, w, b };
	gt_init(&t, 50, 12);
	struct val *vx = gt_input(&t, SHAPE(M, K)), *vw = gt_input(&t, SHAPE(K, N)), *vb = gt_input(&t, SHAPE(N));
	vb->type.frac = 24;
	for (int i = 0; i < M * N; i++) {
		int64_t s = b[i % N];
		for (int k = 0; k < K; k++)
			s = wrapped_sum(s, x[i / N * K + k], w[k * N + i % N]);
		want[i] = wrap(s, 50);
	}
	gt_compile(&t, gt_op(&t, OP_matmul, 24, SHAPE(M, N), 3, vx, vw, vb));
	gt_run(&t, in, got);
	assert_true(gt_same("secret bias", got, want, M * N));
	free(x), free(w), free(b);
	gt_free(&t);
}

static void
sums_and_factors(void **state)
{
	(void)state;
	enum { A = 3, B = 4, C = 5 };
	for (int k = 0; k < 4; k++) { /* 0 trailing axes, 1 middle axis, 2 factor, 3 negation */
		struct gt t;
		int64_t *x = gt_randoms(A * B * C, 51), want[A * B * C];
		const int64_t trailing[2] = { 1, -1 }, middle[1] = { 1 };
		gt_init(&t, 51, 12);
		struct val *in = gt_input(&t, SHAPE(A, B, C)), *out;
		memset(want, 0, sizeof want);
		for (int i = 0; i < A * B * C; i++) {
			int to = k == 0 ? i / C / B : k == 1 ? i / C / B * C + i % C : i;
			want[to] = wrap((int64_t)((uint64_t)want[to] + (uint64_t)x[i] * (uint64_t)(k == 2 ? -37 : k == 3 ? -1 : 1)), 51);
		}
		if (k == 0)
			out = gt_op(&t, OP_reduce_sum, 12, SHAPE(A), 1, in);
		else if (k == 1)
			out = gt_op(&t, OP_reduce_sum, 12, SHAPE(A, 1, C), 1, in);
		else
			out = gt_op(&t, k == 2 ? OP_scale : OP_neg, 12, SHAPE(A, B, C), 1, in);
		if (k < 2) {
			ir_set_ints(t.p, out->def, ATTR_axes, k ? 1 : 2, k ? middle : trailing);
			ir_set_int(t.p, out->def, ATTR_keepdims, k);
		} else if (k == 2) {
			ir_set_f64(t.p, out->def, ATTR_factor, -37);
		}
		gt_expect(&t, out, x, want, "sums and factors");
		free(x);
	}
}

/* ---- rotation, tables ---------------------------------------------------------------------------- */

static void
rope_then_rescale(void **state)
{
	(void)state;
	enum { H = 2, S = 3, D = 8 };
	for (int gap = 0; gap < 2; gap++) {
		struct gt t;
		const unsigned n = 50, f = 12;
		int64_t x[H * S * D], co[S * D], si[S * D], want[H * S * D];
		gt_init(&t, n, f);
		for (int i = 0; i < S * D; i++) {
			co[i] = (int64_t)(gt_random() % 1023) - 511;
			si[i] = (int64_t)(gt_random() % 1023) - 511;
		}
		int64_t y[H * S * D];
		for (int i = 0; i < H * S * D; i++) {
			y[i] = gt_bits(30);
			x[i] = gap ? gt_raised(y[i], f) : y[i];
		}
		for (int i = 0; i < H * S * D; i++) {
			int j = i % D, e = i % (S * D);
			int64_t other = j < D / 2 ? -y[i + D / 2] : y[i - D / 2];
			want[i] = (y[i] * co[e] + other * si[e]) >> 9;
		}
		struct val *in = gt_input(&t, SHAPE(1, H, S, D));
		if (gap)
			in = gt_rescale(&t, in, 12);
		struct val *r = gt_op(&t, OP_rope, 21, SHAPE(1, H, S, D), 3, in, gt_const(&t, SEC_PUBLIC, 9, SHAPE(S, D), co),
		                      gt_const(&t, SEC_PUBLIC, 9, SHAPE(S, D), si));
		ir_set_int(t.p, r->def, ATTR_half, D / 2);
		struct val *out = gt_rescale(&t, r, 9);
		gt_compile(&t, out);
		int slack = 0;
		for (const struct node *k = t.p->first; k; k = k->next)
			slack += k->step->op == SUF_trunc && k->step->slack;
		assert_int_equal(slack, gap); /* with slack only where the steps before prove that there is room */
		int64_t got[H * S * D];
		const int64_t *data = x;
		gt_run(&t, &data, got);
		assert_true(gt_same("rope", got, want, H * S * D));
		gt_free(&t);
	}
}

static void
embedding_rows(void **state)
{
	(void)state;
	enum { IDS = 5, V = 11, D = 6 };
	struct gt t;
	int64_t *table = gt_randoms(V * D, 40), hot[IDS * V] = {0}, want[IDS * D], got[IDS * D];
	gt_init(&t, 50, 12);
	struct val *ids = ir_val(t.p, "ids", DT_I64, (struct type){ .sec = SEC_SECRET, .bits = 50 }, 2, SHAPE(1, IDS).dim);
	ids->onehot = V;
	ir_add_input(t.p, ids);
	struct val *out = gt_op(&t, OP_embedding, 12, SHAPE(1, IDS, D), 2, gt_const(&t, SEC_WEIGHT, 12, SHAPE(V, D), table), ids);
	for (int i = 0; i < IDS; i++) {
		int id = (int)(gt_random() % V);
		hot[i * V + id] = 1;
		memcpy(want + i * D, table + id * D, D * sizeof *want);
	}
	const int64_t *in = hot;
	gt_compile(&t, out);
	gt_run(&t, &in, got);
	assert_true(gt_same("embedding", got, want, IDS * D));
	free(table);
	gt_free(&t);
}

static int
with_public_weights(void **state)
{
	(void)state;
	gt_weights = WEIGHTS_PUBLIC;
	return 0;
}

static int
with_owner_weights(void **state)
{
	(void)state;
	gt_weights = WEIGHTS_OWNER;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matmul_weight),
		cmocka_unit_test(matmul_weight_first),
		cmocka_unit_test(attention_scores),
		cmocka_unit_test(triangle_is_cut_first),
		cmocka_unit_test(matmul_broadcast),
		cmocka_unit_test(elementwise),
		cmocka_unit_test(layout),
		cmocka_unit_test(concat_of_constants),
		cmocka_unit_test(matmul_secret_bias),
		cmocka_unit_test(sums_and_factors),
		cmocka_unit_test(rope_then_rescale),
		cmocka_unit_test(embedding_rows),
	};
	const int masked = cmocka_run_group_tests_name("masked weights", tests, NULL, NULL);
	const int owner = cmocka_run_group_tests_name("weights of party 0", tests, with_owner_weights, NULL);
	return masked + owner + cmocka_run_group_tests_name("public weights", tests, with_public_weights, NULL);
}

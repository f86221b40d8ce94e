/* SPDX-License-Identifier: Apache-2.0
 * suf_softmax_test.c -- softmax of the set `suf`, alone and with the product behind it: bit for bit the integer function
 * that descriptor, reciprocal and truncations define, through dealer and both parties; and close to the real one.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/descriptor.h"
#include "passes/gate/suf_rows.h"

/* s: fraction bits of the scores beyond f; |score| < 2^spread, which is known if ranged: then fewer bits are compared.  width: columns of V; 0: softmax alone.  packed: a lower triangle. */
struct form { unsigned n, f, s, pv; int64_t batch, rows, cols, width; bool packed; int spread; bool ranged; };

static unsigned
log2_ceil(int64_t v)
{
	unsigned k = 0;
	while (INT64_C(1) << k < v)
		k++;
	return k;
}

static unsigned row_frac(const struct form *k) { return reciprocal_frac((uint64_t)k->cols); }
static int64_t row_len(const struct form *k, int64_t row) { return k->packed ? k->cols - k->rows + 1 + row % k->rows : k->cols; }

/* Exponentials of a row, and the factor of their sum. */
static int64_t
clear_row(const struct form *k, const struct descriptor *d, const struct reciprocal *t, const int64_t *x, int64_t len, int64_t *e)
{
	int64_t most = x[0], sum = 0;
	for (int64_t i = 0; i < len; i++)
		most = x[i] > most ? x[i] : most;
	for (int64_t i = 0; i < len; i++)
		sum += e[i] = descriptor_eval(d, k->f + k->s, most - x[i]);
	return reciprocal_eval(t, sum);
}

/* Probabilities, or their products with V; *worst: largest distance from the real ones. */
static void
clear_softmax(const struct form *k, const int64_t *x, const int64_t *v, int64_t *out, double *worst)
{
	struct arena *a = arena_new();
	const struct descriptor *d = desc_builtin_make(a, desc_builtin_find("exp"), k->f + k->s, k->f);
	struct reciprocal *t = arena_alloc(a, sizeof *t);
	int64_t *e = arena_alloc(a, (size_t)k->cols * sizeof *e);
	reciprocal_fit(t, (uint64_t)k->cols, k->f, row_frac(k));
	*worst = 0;
	for (int64_t r = 0; r < k->batch * k->rows; r++) {
		const int64_t len = row_len(k, r), factor = clear_row(k, d, t, x, len, e);
		double real = 0;
		for (int64_t i = 0; i < len; i++)
			real += exp(ldexp((double)(x[i] - x[0]), -(int)(k->f + k->s)));
		for (int64_t i = 0; i < len && !k->width; i++) {
			*out = e[i] * factor >> row_frac(k);
			*worst = fmax(*worst, fabs(ldexp((double)*out++, -(int)k->f) - exp(ldexp((double)(x[i] - x[0]), -(int)(k->f + k->s))) / real));
		}
		const int64_t *m = v + r / k->rows * k->cols * k->width;
		for (int64_t c = 0; c < k->width; c++) {
			int64_t sum = 0;
			double want = 0;
			for (int64_t i = 0; i < len; i++) {
				sum += e[i] * m[i * k->width + c];
				want += exp(ldexp((double)(x[i] - x[0]), -(int)(k->f + k->s))) / real * ldexp((double)m[i * k->width + c], -(int)k->f);
			}
			*out = (sum >> k->f) * factor >> row_frac(k);
			*worst = fmax(*worst, fabs(ldexp((double)*out++, -(int)k->f) - want));
		}
		x += len;
	}
	arena_free(a);
}

static int64_t
score_count(const struct form *k)
{
	int64_t count = 0;
	for (int64_t r = 0; r < k->batch * k->rows; r++)
		count += row_len(k, r);
	return count;
}

/* Rows of all kinds: narrow, wide, all equal, one large score */
static void
fill_scores(const struct form *k, int64_t *x)
{
	for (int64_t r = 0; r < k->batch * k->rows; r++)
		for (int64_t i = 0, len = row_len(k, r); i < len; i++)
			*x++ = r % 4 == 3 && !k->ranged ? (i == r % len ? INT64_C(1) << (k->n - 3) : -(INT64_C(1) << (k->n - 3)))
			     : r % 4 == 2 ? 12345 : gt_bits(k->f + k->s + (unsigned)k->spread + (unsigned)r % 2);
}

static void
check(struct form k, double allowed)
{
	struct gt t;
	const int64_t scores = score_count(&k), results = k.width ? k.batch * k.rows * k.width : scores;
	int64_t *x = gt_array((uint64_t)scores), *v = gt_array((uint64_t)(k.batch * k.cols * k.width)), *want = gt_array((uint64_t)results);
	int64_t *got = gt_array((uint64_t)results);
	const int64_t *in[2] = { x, v };
	double worst;
	gt_init(&t, k.n, k.f);
	t.opt.gates = "suf";
	struct val *score = gt_input(&t, k.packed ? SHAPE(k.batch, scores / k.batch) : SHAPE(k.batch, k.rows, k.cols)), *y;
	score->type.frac = (uint8_t)(k.f + k.s);
	if (k.ranged) {
		score->from = RANGE_PROVEN;
		score->hi = ldexp(1, k.spread);
		score->lo = -score->hi;
	}
	if (k.width) {
		struct val *value = gt_input(&t, SHAPE(k.batch, k.cols, k.width));
		value->type.bits = (uint8_t)k.pv;
		y = gt_op(&t, OP_softmax_pv, k.f, SHAPE(k.batch, k.rows, k.width), 2, score, value);
	} else {
		y = gt_op(&t, k.packed ? OP_softmax_tril : OP_softmax, k.f, k.packed ? SHAPE(k.batch, scores / k.batch) : SHAPE(k.batch, k.rows, k.cols), 1, score);
		if (!k.packed)
			ir_set_int(t.p, y->def, ATTR_axis, 2);
	}
	if (k.packed) {
		ir_set_int(t.p, y->def, ATTR_rows, k.rows);
		ir_set_int(t.p, y->def, ATTR_past, k.cols - k.rows);
	}
	if (k.s)
		ir_set_int(t.p, y->def, ATTR_shift, k.s);
	fill_scores(&k, x);
	const unsigned bits = k.pv - k.f - log2_ceil(k.cols) - 1; /* of V, with its sign: as pass fuse_pv has it */
	for (int64_t i = 0; i < k.batch * k.cols * k.width; i++)
		v[i] = gt_bits(i % 2 ? k.f + 2 : bits);
	clear_softmax(&k, x, v, want, &worst);
	for (int64_t i = 0; i < k.batch * k.cols * k.width; i++) /* for the error: V of usual size */
		v[i] = gt_bits(i % 3 ? k.f + 2 : bits < k.f + 3 ? bits : k.f + 3);
	clear_softmax(&k, x, v, want, &worst);
	if (worst > allowed)
		fail_msg("rows of %d: off by %g, %g allowed", (int)k.cols, worst, allowed);
	gt_compile(&t, y);
	gt_run(&t, in, got);
	assert_true(gt_same(k.width ? "softmax_pv" : "softmax", got, want, (uint64_t)results));
	gt_free(&t);
	free(x), free(v), free(want), free(got);
}

static void
alone(void **state)
{
	(void)state;
	static const unsigned rings[] = { 48, 50, 51, 64 };
	for (int k = 0; k < 4; k++) {
		check((struct form){ .n = rings[k], .f = 12, .s = 15, .batch = 2, .rows = 6, .cols = 16, .spread = 2 }, 0.0015);
		check((struct form){ .n = rings[k], .f = 12, .s = 12, .batch = 1, .rows = 9, .cols = 9, .packed = true, .spread = 3 }, 0.0015);
	}
	check((struct form){ .n = 50, .f = 12, .s = 0, .batch = 1, .rows = 5, .cols = 4, .spread = 2 }, 0.0015);
	check((struct form){ .n = 37, .f = 9, .s = 9, .batch = 1, .rows = 8, .cols = 33, .spread = 2 }, 0.01);
	check((struct form){ .n = 50, .f = 12, .s = 15, .batch = 1, .rows = 4, .cols = 128, .spread = 2 }, 0.0015);
	check((struct form){ .n = 51, .f = 12, .s = 15, .batch = 1, .rows = 4, .cols = 512, .spread = 2 }, 0.0015);
	check((struct form){ .n = 50, .f = 12, .s = 15, .batch = 1, .rows = 7, .cols = 1, .spread = 2 }, 0.0015);
	check((struct form){ .n = 50, .f = 12, .s = 15, .batch = 1, .rows = 7, .cols = 2, .spread = 2 }, 0.0015);
	check((struct form){ .n = 64, .f = 12, .s = 15, .batch = 1, .rows = 2, .cols = 4096, .spread = 2 }, 0.02);
	for (int spread = 0; spread < 8; spread++)
		check((struct form){ .n = 50, .f = 12, .s = 15, .batch = 2, .rows = 4, .cols = 16, .spread = spread, .ranged = true }, 0.0015);
}

static void
with_product(void **state)
{
	(void)state;
	static const unsigned rings[] = { 48, 50, 51, 64 };
	for (int k = 0; k < 4; k++) {
		check((struct form){ .n = rings[k], .f = 12, .s = 15, .pv = 57, .batch = 3, .rows = 5, .cols = 16, .width = 8, .spread = 2 }, 0.005);
		check((struct form){ .n = rings[k], .f = 12, .s = 12, .pv = 45, .batch = 2, .rows = 7, .cols = 9, .width = 3, .packed = true, .spread = 2 }, 0.005);
	}
	check((struct form){ .n = 50, .f = 12, .s = 0, .pv = 50, .batch = 1, .rows = 9, .cols = 9, .width = 5, .packed = true, .spread = 2 }, 0.005);
	check((struct form){ .n = 37, .f = 9, .s = 9, .pv = 37, .batch = 2, .rows = 4, .cols = 20, .width = 6, .spread = 2 }, 0.05);
	check((struct form){ .n = 50, .f = 12, .s = 15, .pv = 57, .batch = 1, .rows = 4, .cols = 128, .width = 64, .spread = 2 }, 0.005);
	check((struct form){ .n = 51, .f = 12, .s = 15, .pv = 60, .batch = 1, .rows = 4, .cols = 512, .width = 4, .spread = 2 }, 0.005);
	for (int64_t cols = 1; cols < 4; cols++)
		check((struct form){ .n = 50, .f = 12, .s = 12, .pv = 45, .batch = 2, .rows = 3, .cols = cols, .width = 3, .spread = 2 }, 0.03);
	check((struct form){ .n = 50, .f = 12, .s = 12, .pv = 45, .batch = 2, .rows = 1, .cols = 1, .width = 3, .packed = true, .spread = 2 }, 0.03);
	check((struct form){ .n = 51, .f = 12, .s = 15, .pv = 62, .batch = 1, .rows = 2, .cols = 4096, .width = 2, .spread = 2 }, 0.05);
}

/* P and V with batch axes of their own, some of them repeated */
struct batches { struct shape x, v; int64_t xb, xh, vb, vh; bool fused; };
enum { B = 2, H = 3, R = 2, L = 4, D = 2 };

static void
check_repeated(const struct batches *k)
{
	struct gt t;
	int64_t x[B * H * R * L], v[B * H * L * D], got[B * H * R * D];
	const int64_t *in[2] = { x, v };
	gt_init(&t, 50, 12);
	t.opt.gates = "suf";
	struct val *p = gt_op(&t, OP_softmax, 12, k->x, 1, gt_input(&t, k->x));
	ir_set_int(t.p, p->def, ATTR_axis, 3);
	struct val *o = gt_rescale(&t, gt_op(&t, OP_matmul, 24, SHAPE(B, H, R, D), 2, p, gt_input(&t, k->v)), 12);
	for (int i = 0; i < B * H * R * L; i++)
		x[i] = gt_bits(14);
	for (int i = 0; i < B * H * L * D; i++)
		v[i] = gt_bits(14);
	ir_add_output(t.p, o);
	assert_true(pass_bind(t.p));
	t.p->stage = STAGE_GATE;
	assert_true(pass_fuse_pv(t.p));
	assert_int_equal(o->def->op == OP_softmax_pv, k->fused);
	assert_true(ir_check(t.p, STAGE_GATE) && pass_expand(t.p) && pass_join_open(t.p));
	gt_schedule(&t);
	gt_run(&t, in, got);
	for (int64_t i = 0; i < B * H * R * D; i++) {
		const int64_t b = i / (H * R * D), h = i / (R * D) % H, r = i / D % R;
		const int64_t *row = x + ((b % k->xb * k->xh + h % k->xh) * R + r) * L, *m = v + (b % k->vb * k->vh + h % k->vh) * L * D + i % D;
		double top = 0, sum = 0;
		for (int j = 0; j < L; j++) {
			const double e = exp(ldexp((double)row[j], -12));
			sum += e;
			top += e * (double)m[j * D];
		}
		if (fabs(top / sum - (double)got[i]) > 60)
			fail_msg("batches %d x %d and %d x %d: %g instead of %g", (int)k->xb, (int)k->xh, (int)k->vb, (int)k->vh, (double)got[i], top / sum);
	}
	gt_free(&t);
}

static void
repeated(void **state)
{
	(void)state;
	check_repeated(&(struct batches){ SHAPE(B, H, R, L), SHAPE(B, H, L, D), B, H, B, H, true });
	check_repeated(&(struct batches){ SHAPE(B, H, R, L), SHAPE(B, 1, L, D), B, H, B, 1, true });
	check_repeated(&(struct batches){ SHAPE(B, H, R, L), SHAPE(L, D), B, H, 1, 1, true });
	check_repeated(&(struct batches){ SHAPE(B, H, R, L), SHAPE(1, H, L, D), B, H, 1, H, false });
	check_repeated(&(struct batches){ SHAPE(B, H, R, L), SHAPE(H, L, D), B, H, 1, H, false });
	check_repeated(&(struct batches){ SHAPE(1, H, R, L), SHAPE(B, 1, L, D), 1, H, B, 1, false });
	check_repeated(&(struct batches){ SHAPE(1, 1, R, L), SHAPE(B, H, L, D), 1, 1, B, H, false });
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(alone), cmocka_unit_test(with_product), cmocka_unit_test(repeated) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

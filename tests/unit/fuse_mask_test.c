/* SPDX-License-Identifier: Apache-2.0
 * fuse_mask_test.c -- softmax masks in the forms of exporters, and the clean-up before quantisation.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "fuse_harness.h"

enum { B = 2, H = 3, R = 5, D = 4 };
enum kind { WHERE_BOOL, WHERE_INVERTED, ADD_MIN, ADD_INF, ADD_WEIGHT, TWO_PARTS, CLIPPED, BIASED, N_KIND };

static const double lowest = -3.4028234663852886e38;

/* [1, 1, rows, cols] of hidden elements: j > i + past */
static bool hides(int64_t i, int64_t j, int64_t past)
{
	return j > i + past;
}

static struct val *bool_mask(struct ctx *c, int64_t rows, int64_t cols, int64_t past, bool value)
{
	bool *data = arena_alloc(c->p->arena, (size_t)(rows * cols) * sizeof *data);

	for (int64_t i = 0; i < rows * cols; i++)
		data[i] = hides(i / cols, i % cols, past) == value;
	return ir_const(c->p, "mask", DT_BOOL, SEC_PUBLIC, DIMS(1, 1, rows, cols), data);
}

static struct val *float_mask(struct ctx *c, int64_t rows, int64_t cols, int64_t past, double low, enum sec sec, float slope)
{
	float *data = arena_alloc(c->p->arena, (size_t)(rows * cols) * sizeof *data);

	for (int64_t i = 0; i < rows * cols; i++)
		data[i] = hides(i / cols, i % cols, past) ? (float)low : slope * (float)(i % cols);
	return ir_const(c->p, "mask", DT_F32, sec, DIMS(1, 1, rows, cols), data);
}

static struct val *where(struct ctx *c, struct val *cond, struct val *a, struct val *b, const struct val *like)
{
	return op_n(c, OP_where, 3, (struct val *[]){ cond, a, b }, like->rank, like->dim);
}

/* (1 - mask) * low for a secret mask of cols positions, [1, 1, 1, cols] */
static struct val *secret_mask(struct ctx *c, int64_t cols, double low)
{
	struct val *m = input(c, DT_I64, DIMS(1, 1, 1, cols));
	struct val *f = op_n(c, OP_cast, 1, &m, m->rank, m->dim);

	ir_set_int(c->p, f->def, ATTR_to, DT_F32);
	f = low > 0 ? bin(c, OP_sub, f, num(c, 1)) : bin(c, OP_sub, num(c, 1), f);
	return bin(c, OP_mul, f, num(c, low));
}

static struct val *scores(struct ctx *c, int64_t rows, int64_t cols)
{
	struct val *s = product(c, input(c, DT_F32, DIMS(B, H, rows, D)), input(c, DT_F32, DIMS(B, H, D, cols)));

	return bin(c, OP_div, s, num(c, 2));
}

static struct val *masked(struct ctx *c, struct val *s, enum kind kind, int64_t past)
{
	int64_t rows = s->dim[2], cols = s->dim[3];

	switch (kind) {
	case WHERE_BOOL:
		return where(c, bool_mask(c, rows, cols, past, false), s, num(c, lowest), s);
	case WHERE_INVERTED:
		return where(c, bool_mask(c, rows, cols, past, true), num(c, lowest), s, s);
	case ADD_MIN: case ADD_WEIGHT:
		return bin(c, OP_add, float_mask(c, rows, cols, past, lowest, kind == ADD_MIN ? SEC_PUBLIC : SEC_WEIGHT, 0), s);
	case ADD_INF:
		return bin(c, OP_add, s, float_mask(c, rows, cols, past, -(double)INFINITY, SEC_PUBLIC, 0));
	case TWO_PARTS: /* each hides a part, neither is causal alone */
		s = where(c, bool_mask(c, rows, cols, past + 1, false), s, num(c, -10000), s);
		return bin(c, OP_add, s, float_mask(c, rows, cols, past, -1e9, SEC_PUBLIC, 0));
	case CLIPPED:
		s = masked(c, s, WHERE_BOOL, past);
		s = un(c, OP_clip, s);
		ir_set_f64(c->p, s->def, ATTR_lo, lowest);
		ir_set_f64(c->p, s->def, ATTR_hi, (double)INFINITY);
		return s;
	default: /* positions and mask in one addend (ALiBi) */
		return bin(c, OP_add, s, float_mask(c, rows, cols, past, lowest, SEC_PUBLIC, 0.125f));
	}
}

static void attend(struct ctx *c, struct val *s)
{
	ir_add_output(c->p, product(c, softmax(c, s), input(c, DT_F32, DIMS(B, H, s->dim[3], D))));
}

static struct node *find(struct ctx *c, enum op op)
{
	struct node *n = c->p->first;

	while (n && n->op != op)
		n = n->next;
	return n;
}

static void test_causal(void **state)
{
	struct ctx c;

	(void)state;
	for (int i = 0; i < 2 * N_KIND; i++) {
		int64_t past = i < N_KIND ? 0 : 3;
		start(&c, 600 + (uint64_t)i);
		attend(&c, masked(&c, scores(&c, R, R + past), (enum kind)(i % N_KIND), past));
		run_pass(&c, pass_fuse_linear);
		run_pass(&c, pass_fuse_mask);
		assert_int_equal(count(&c, OP_softmax) + count(&c, OP_where) + count(&c, OP_clip), 0);
		assert_int_equal(count(&c, OP_add), i % N_KIND == BIASED);
		struct node *t = find(&c, OP_tril), *s = find(&c, OP_softmax_tril);
		assert_non_null(t);
		assert_int_equal(t->in[0]->def->op, OP_matmul); /* before the scale */
		assert_int_equal(ir_int(t, ATTR_past), past);
		assert_int_equal(s->in[0]->dim[2], R * past + R * (R + 1) / 2);
		assert_int_equal(find(&c, OP_untril)->next->op, OP_matmul);
		finish(&c);
	}
}

static void test_other_public_mask(void **state)
{
	struct ctx c;
	double low = 0;

	(void)state;
	start(&c, 640); /* a band: row i sees i - 1 and i */
	struct val *s = masked(&c, scores(&c, R, R), WHERE_BOOL, 0);
	bool *band = arena_alloc(c.p->arena, R * R * sizeof *band);
	for (int i = 0; i < R * R; i++)
		band[i] = i % R >= i / R - 1;
	attend(&c, where(&c, ir_const(c.p, "band", DT_BOOL, SEC_PUBLIC, DIMS(R, R), band), s, num(&c, lowest), s));
	run_pass(&c, pass_fuse_mask);
	assert_int_equal(count(&c, OP_where), 0);
	assert_int_equal(count(&c, OP_tril), 0);
	struct val *mask = find(&c, OP_softmax)->in[0]->def->in[1];
	assert_int_equal(mask->type.sec, SEC_PUBLIC);
	for (int64_t i = 0; i < ir_count(mask); i++)
		low = ir_elem(mask, i) < low ? ir_elem(mask, i) : low;
	assert_true(low == MASK_PUBLIC);
	finish(&c);

	start(&c, 642); /* only the last column of the first row is hidden: no triangle of R rows */
	attend(&c, masked(&c, scores(&c, R, R), WHERE_BOOL, R - 2));
	run_pass(&c, pass_fuse_mask);
	assert_int_equal(count(&c, OP_tril), 0);
	assert_int_equal(count(&c, OP_add), 1);
	finish(&c);

	start(&c, 641); /* a mask that hides nothing goes */
	attend(&c, masked(&c, scores(&c, R, R), WHERE_BOOL, R));
	run_pass(&c, pass_fuse_mask);
	assert_int_equal(count(&c, OP_where) + count(&c, OP_add) + count(&c, OP_tril), 0);
	finish(&c);
}

static void test_secret_mask(void **state)
{
	static const double low[] = { -3.4028234663852886e38, -10000, 1e9 };
	struct ctx c;

	(void)state;
	for (int i = 0; i < 6; i++) {
		start(&c, 660 + (uint64_t)i);
		struct val *m = secret_mask(&c, R, low[i % 3]);
		for (int layer = 0; layer < 2; layer++) { /* both use one mask */
			struct val *s = scores(&c, R, R);
			if (i >= 3)
				s = masked(&c, s, WHERE_BOOL, 0);
			attend(&c, layer ? bin(&c, OP_add, s, m) : bin(&c, OP_add, m, s));
		}
		run_pass(&c, pass_fuse_linear);
		run_pass(&c, pass_fuse_mask);
		int found = 0;
		for (struct node *n = c.p->first; n; n = n->next)
			if (n->op == OP_scale) {
				found += fabs(ir_f64(n, ATTR_factor)) == -MASK_SECRET;
				assert_true(fabs(ir_f64(n, ATTR_factor)) <= -MASK_SECRET);
			}
		assert_int_equal(found, 1);
		assert_int_equal(count(&c, OP_softmax_tril), i < 3 ? 0 : 2);
		assert_int_equal(count(&c, OP_where), 0);
		finish(&c);
	}
}

static void test_no_mask(void **state)
{
	struct ctx c;

	(void)state;
	start(&c, 680); /* an addend of moderate numbers is none */
	attend(&c, bin(&c, OP_add, scores(&c, R, R), weight(&c, DIMS(H, R, R))));
	int before = c.p->nvals;
	run_pass(&c, pass_fuse_mask);
	assert_int_equal(c.p->nvals, before);
	finish(&c);

	start(&c, 681); /* along another axis the mask is not understood */
	struct val *s = masked(&c, scores(&c, R, R), WHERE_BOOL, 0), *y = softmax(&c, s);
	ir_set_int(c.p, y->def, ATTR_axis, 2);
	ir_add_output(c.p, y);
	run_pass(&c, pass_fuse_mask);
	assert_int_equal(count(&c, OP_where), 1);
	finish(&c);

	start(&c, 682); /* where in another place than a mask's */
	s = scores(&c, R, R);
	attend(&c, where(&c, bool_mask(&c, R, R, 0, false), s, num(&c, 0), s));
	run_pass(&c, pass_fuse_mask);
	assert_int_equal(count(&c, OP_where), 1);
	finish(&c);

	start(&c, 683); /* masked scores that are wanted themselves keep their mask; the softmax is canonical nevertheless */
	s = masked(&c, scores(&c, R, R), WHERE_BOOL, 0);
	attend(&c, s);
	ir_add_output(c.p, s);
	run_pass(&c, pass_fuse_mask);
	assert_int_equal(count(&c, OP_where), 1);
	assert_int_equal(count(&c, OP_softmax_tril), 1);
	finish(&c);
}

static void test_nan_guard(void **state)
{
	struct ctx c;
	bool *no;

	(void)state;
	start(&c, 690);
	struct val *y = softmax(&c, masked(&c, scores(&c, R, R), ADD_INF, 0));
	no = arena_alloc(c.p->arena, sizeof *no);
	y = where(&c, ir_const(c.p, "isnan", DT_BOOL, SEC_PUBLIC, 0, NULL, no), num(&c, 0), y, y);
	ir_add_output(c.p, product(&c, y, input(&c, DT_F32, DIMS(B, H, R, D))));
	run_pass(&c, pass_fuse_mask);
	assert_int_equal(count(&c, OP_where), 0);
	assert_int_equal(count(&c, OP_softmax_tril), 1);
	finish(&c);
}

static void expect_error(struct ctx *c, bool (*pass)(struct prog *), const char *code, const char *word)
{
	char text[4096];

	assert_false(pass(c->p));
	assert_true(diag_errors(c->diag) > 0);
	fflush(c->log);
	rewind(c->log);
	text[fread(text, 1, sizeof text - 1, c->log)] = '\0';
	assert_non_null(strstr(text, code));
	assert_non_null(strstr(text, word));
}

static void test_hidden_row(void **state)
{
	struct ctx c;

	(void)state;
	start(&c, 695);
	attend(&c, masked(&c, scores(&c, R, R), ADD_MIN, -1));
	expect_error(&c, pass_fuse_mask, "masked-row", "row 0");
	finish(&c);
}

/* ---- clean ------------------------------------------------------------------------- */

static void test_clean_layout(void **state)
{
	static const int64_t heads[] = { 0, 2, 1, 3 }, last[] = { 0, 1, 3, 2 }, ones[] = { 1, 0, 2, 3 };
	struct ctx c;

	(void)state;
	start(&c, 700); /* two transpositions that cancel, a chain of reshapes, a dead node */
	struct val *x = input(&c, DT_F32, DIMS(2, 3, 4, 5)), *y = transposed(&c, transposed(&c, x, 4, heads), 4, heads);
	y = reshaped(&c, reshaped(&c, reshaped(&c, y, DIMS(6, 20)), DIMS(120)), DIMS(2, 3, 4, 5));
	un(&c, OP_sqrt, x);
	ir_add_output(c.p, un(&c, OP_neg, y));
	expect_only(&c, pass_clean, OP_neg);
	finish(&c);

	start(&c, 701); /* transpositions join into one; one of axes of size 1 is a reshape */
	x = input(&c, DT_F32, DIMS(1, 3, 4, 5));
	y = transposed(&c, transposed(&c, x, 4, heads), 4, last);
	ir_add_output(c.p, un(&c, OP_neg, y));
	ir_add_output(c.p, transposed(&c, x, 4, ones));
	run_pass(&c, pass_clean);
	assert_int_equal(count(&c, OP_transpose), 1);
	assert_int_equal(count(&c, OP_reshape), 1);
	finish(&c);
}

static void test_clean_rewrites(void **state)
{
	struct ctx c;

	(void)state;
	for (int i = 0; i < 6; i++) {
		start(&c, 710 + (uint64_t)i);
		struct val *x = input(&c, DT_F32, DIMS(2, 3, 4)), *y = x;
		int64_t axes[2] = { 0, 1 };
		switch (i) {
		case 0: y = bin(&c, OP_pow, x, num(&c, 2)); break;
		case 1: y = bin(&c, OP_pow, x, num(&c, 3)); break;
		case 2: y = mean(&c, x); break;
		case 3: y = mean_over(&c, x, 1); break;
		case 4:
			y = softmax(&c, x);
			ir_set_int(c.p, y->def, ATTR_axis, 1);
			break;
		default:
			y = op_n(&c, OP_reduce_mean, 1, &x, DIMS(4));
			ir_set_ints(c.p, y->def, ATTR_axes, 2, axes);
			ir_set_int(c.p, y->def, ATTR_keepdims, 0);
		}
		ir_add_output(c.p, y);
		run_pass(&c, pass_clean);
		assert_int_equal(count(&c, OP_pow) + count(&c, OP_reduce_mean), 0);
		assert_int_equal(count(&c, OP_mul), i < 2 ? i + 1 : 0);
		assert_int_equal(count(&c, OP_scale), i == 2 || i == 3 || i == 5);
		assert_int_equal(count(&c, OP_transpose), i < 3 ? 0 : i == 4 ? 2 : 1);
		struct node *s = find(&c, OP_reduce_sum), *m = find(&c, OP_softmax);
		if (s) {
			int n;
			const int64_t *list = ir_ints(s, ATTR_axes, &n);
			assert_int_equal(list[n - 1], s->in[0]->rank - 1);
		}
		if (m)
			assert_int_equal(ir_int(m, ATTR_axis), 2);
		finish(&c);
	}
}

static struct val *cast_to(struct ctx *c, struct val *x, enum dtype to)
{
	struct val *y = ir_val(c->p, NULL, to, (struct type){ .sec = SEC_SECRET }, x->rank, x->dim);

	ir_set_int(c->p, ir_node(c->p, NULL, OP_cast, NULL, 1, &x, 1, &y), ATTR_to, to);
	return y;
}

/* not (mask != 0), moved as a truth value, used as a number */
static void test_clean_truth(void **state)
{
	struct ctx c;

	(void)state;
	start(&c, 725);
	struct val *t = cast_to(&c, input(&c, DT_I64, DIMS(1, 6)), DT_BOOL), *wide;
	t = cast_to(&c, bin(&c, OP_sub, num(&c, 1), cast_to(&c, t, DT_F32)), DT_BOOL);
	wide = ir_val(c.p, NULL, DT_BOOL, t->type, DIMS(3, 6));
	ir_node(c.p, NULL, OP_expand, NULL, 1, &t, 1, &wide);
	ir_add_output(c.p, bin(&c, OP_mul, cast_to(&c, wide, DT_F32), input(&c, DT_F32, DIMS(3, 6))));
	run_pass(&c, pass_clean);
	assert_int_equal(count(&c, OP_cast), 1);
	for (struct node *n = c.p->first; n; n = n->next)
		assert_int_equal(n->out[0]->dtype, DT_F32);
	finish(&c);
}

static void test_clean_refuses(void **state)
{
	static const enum op op[] = { OP_sqrt, OP_recip, OP_exp, OP_log, OP_cos, OP_reduce_l2, OP_clip };
	struct ctx c;

	(void)state;
	for (size_t i = 0; i < sizeof op / sizeof op[0]; i++) {
		start(&c, 730 + i);
		ir_add_output(c.p, un(&c, op[i], input(&c, DT_F32, DIMS(4))));
		expect_error(&c, pass_clean, "no-gate", op_desc[op[i]].name);
		finish(&c);
	}
	start(&c, 750);
	struct val *x = input(&c, DT_F32, DIMS(4));
	ir_add_output(c.p, bin(&c, OP_div, x, x));
	ir_add_output(c.p, bin(&c, OP_pow, x, num(&c, 1.5)));
	expect_error(&c, pass_clean, "no-gate", "div");
	assert_int_equal(diag_errors(c.diag), 2);
	finish(&c);

	start(&c, 751); /* x != 0 of a real number */
	ir_add_output(c.p, cast_to(&c, cast_to(&c, input(&c, DT_F32, DIMS(4)), DT_BOOL), DT_F32));
	expect_error(&c, pass_clean, "no-gate", "cast");
	finish(&c);

	start(&c, 752); /* ids must be an input */
	struct val *ids = bin(&c, OP_add, input(&c, DT_I64, DIMS(4)), input(&c, DT_I64, DIMS(4)));
	ids->dtype = DT_I64;
	ir_add_output(c.p, op_n(&c, OP_embedding, 2, (struct val *[]){ weight(&c, DIMS(9, 3)), ids }, DIMS(4, 3)));
	expect_error(&c, pass_clean, "computed-ids", "embedding");
	finish(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_causal),
		cmocka_unit_test(test_other_public_mask),
		cmocka_unit_test(test_secret_mask),
		cmocka_unit_test(test_no_mask),
		cmocka_unit_test(test_nan_guard),
		cmocka_unit_test(test_hidden_row),
		cmocka_unit_test(test_clean_layout),
		cmocka_unit_test(test_clean_rewrites),
		cmocka_unit_test(test_clean_truth),
		cmocka_unit_test(test_clean_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

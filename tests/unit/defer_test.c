/* SPDX-License-Identifier: Apache-2.0
 * defer_test.c -- truncations move behind sums, into gates that shift, or stay: the numbers are those of before up
 * to rounding, less is truncated, formats fit, a second time changes nothing.
 *
 * The wide gates of these tests are those of `sigma` behind a truncation of their own.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "random_model.h"
#include "passes/gate/build.h"
#include "passes/verify.h"

/* ---- wide gates ------------------------------------------------------------------ */

static struct gate wide[N_OP];

/* x >> shift, then the gate of sigma */
static bool
expand_wide(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const unsigned shift = (unsigned)ir_int_or(n, ATTR_shift, 0);
	if (shift) {
		struct val *low = b_trunc_slack(&g, x, shift, x->type.bits), *view = ir_val_like(p, x, ".low");
		view->type = (struct type){ .sec = SEC_MASKED, .bits = x->type.bits, .frac = n->out[0]->type.frac };
		view->alias = low;
		ir_set_in(p, n, 0, view);
		ir_set_int(p, n, ATTR_shift, 0);
	}
	return gate_find("sigma", n->op)->expand(p, n);
}

static bool
can_shift(enum op op)
{
	switch (op) {
	case OP_relu: case OP_gelu: case OP_softmax: case OP_softmax_tril: case OP_layernorm: case OP_rmsnorm: return true;
	default: return false;
	}
}

static void
widen(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		if (can_shift(n->op)) {
			wide[n->op] = *gate_find("sigma", n->op);
			wide[n->op].expand = expand_wide;
			wide[n->op].wide = true;
			n->gate = &wide[n->op];
		}
}

/* In the place of the pass bind: verification binds wide gates, too. */
static bool widens;
bool __real_pass_bind(struct prog *), __wrap_pass_bind(struct prog *);
bool
__wrap_pass_bind(struct prog *p)
{
	bool ok = __real_pass_bind(p);
	if (widens)
		widen(p);
	return ok;
}

/* ---- small programs ---------------------------------------------------------------- */

enum { R = 3, C = 4, COUNT = R * C };

static struct val *
product(struct gt *t, struct val *x)
{
	struct shape s = { .rank = x->rank };
	memcpy(s.dim, x->dim, sizeof s.dim);
	return gt_rescale(t, gt_op(t, OP_mul, 24, s, 2, x, x), 12);
}

static struct val *square_of(struct gt *t) { return product(t, gt_input(t, SHAPE(R, C))); }
static struct val *two(struct gt *t, enum op op, struct val *a, struct val *b) { return gt_op(t, op, 12, SHAPE(R, C), 2, a, b); }
static struct val *relu(struct gt *t, struct val *x) { return gt_op(t, OP_relu, 12, SHAPE(R, C), 1, x); }

/* Elements that are truncated */
static int64_t
truncated(const struct prog *p)
{
	int64_t n = 0;
	for (const struct node *k = p->first; k; k = k->next)
		n += k->op == OP_rescale && ir_int(k, ATTR_shift) > 0 ? ir_count(k->out[0]) : 0;
	return n;
}

static int
count_of(const struct prog *p, enum op op)
{
	int n = 0;
	for (const struct node *k = p->first; k; k = k->next)
		n += k->op == op;
	return n;
}

static char *
text(const struct prog *p)
{
	char *s = NULL;
	size_t size;
	FILE *to = open_memstream(&s, &size);
	ir_print(p, to);
	fclose(to);
	return s;
}

static void
bind(struct gt *t, struct val *out)
{
	ir_add_output(t->p, out);
	assert_true(__real_pass_bind(t->p));
	t->p->stage = STAGE_GATE;
	assert_true(ir_check(t->p, STAGE_GATE));
	widen(t->p);
}

/* The pass, checked, and again: it changes nothing then. */
static void
defer(struct prog *p)
{
	assert_true(pass_defer(p));
	assert_true(ir_check(p, STAGE_GATE));
	char *once = text(p);
	assert_true(pass_defer(p));
	char *twice = text(p);
	assert_string_equal(once, twice);
	free(once), free(twice);
}

/* A program with this output: `before` elements are truncated, then `after`. */
static void
expect(struct gt *t, struct val *out, int64_t before, int64_t after)
{
	bind(t, out);
	assert_int_equal(truncated(t->p), before);
	defer(t->p);
	assert_int_equal(truncated(t->p), after);
}

/* ---- where truncations go -------------------------------------------------------------- */

static void
into_the_gate(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	struct val *s = square_of(&t), *y = relu(&t, s);
	expect(&t, y, COUNT, 0);
	assert_int_equal(ir_int(y->def, ATTR_shift), 12);
	assert_ptr_equal(y->def->in[0], s);              /* the value keeps its name */
	assert_int_equal(s->def->op, OP_mul);
	assert_int_equal(s->type.frac, 24);
	gt_free(&t);
}

/* x = x + product, norm(x), again: wide all along; the output takes the only truncation. */
static void
stream(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	struct val *x = gt_input(&t, SHAPE(R, C)), *first = x, *sum[5];
	const struct val *before;
	for (int k = 0; k < 5; k++) {
		struct val *z = gt_op(&t, OP_rmsnorm, 12, SHAPE(R, C), 1, x);
		ir_set_f64(t.p, z->def, ATTR_eps, 1e-5);
		x = sum[k] = two(&t, OP_add, x, product(&t, z));
	}
	first->lo = -2;
	first->hi = 3;
	first->from = RANGE_PROVEN;
	x->lo = -7;
	x->hi = x->norm = 8;
	x->from = RANGE_CALIBRATED;
	expect(&t, x, 5 * COUNT, COUNT);
	for (int k = 0; k < 4; k++)
		assert_int_equal(sum[k]->type.frac, 24);
	assert_int_equal(sum[4]->type.frac, 12);
	assert_int_equal(sum[4]->def->op, OP_rescale);
	before = sum[4]->def->in[0];
	assert_true(before->lo == -7 && before->hi == 8 && before->norm == 8 && before->from == RANGE_CALIBRATED && before->type.frac == 24);
	assert_int_equal(count_of(t.p, OP_scale), 1);    /* the input, raised */
	for (const struct node *n = t.p->first; n; n = n->next)
		if (n->op == OP_scale)
			assert_true(n->out[0]->lo == -2 && n->out[0]->hi == 3 && n->out[0]->from == RANGE_PROVEN);
		else if (n->op == OP_rmsnorm)
			assert_int_equal(ir_int_or(n, ATTR_shift, 0), n->in[0] == first ? 0 : 12);
	gt_free(&t);
}

/* A sum that a product reads, too: the truncation might as well stay where it is. */
static void
stays(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	struct val *h = two(&t, OP_add, gt_input(&t, SHAPE(R, C)), square_of(&t)), *y = relu(&t, h), *z = product(&t, h);
	bind(&t, two(&t, OP_add, y, z));
	char *before = text(t.p);
	defer(t.p);
	char *after = text(t.p);
	assert_string_equal(before, after);
	free(before), free(after);
	gt_free(&t);
}

/* Of a product of 12 columns 4 are read by a product and 8 by gates: 4 are truncated. */
static void
pieces(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	struct val *p = product(&t, gt_input(&t, SHAPE(R, 3 * C))), *cut[3], *y[3];
	for (int k = 0; k < 3; k++) {
		cut[k] = gt_op(&t, OP_slice, 12, SHAPE(R, C), 1, p);
		ir_set_int(t.p, cut[k]->def, ATTR_axis, 1);
		ir_set_int(t.p, cut[k]->def, ATTR_start, k * C);
		ir_set_int(t.p, cut[k]->def, ATTR_step, 1);
		y[k] = k ? relu(&t, cut[k]) : product(&t, cut[k]);
	}
	expect(&t, two(&t, OP_add, two(&t, OP_add, y[0], y[1]), y[2]), 4 * COUNT, 2 * COUNT);
	assert_int_equal(cut[0]->type.frac, 12);
	assert_int_equal(cut[0]->def->op, OP_rescale);
	assert_int_equal(cut[1]->type.frac, 24);
	assert_int_equal(p->type.frac, 24);
	gt_free(&t);
}

/* Scores over 8 and a mask: the factor is in the shift. */
static void
scores(void **state)
{
	(void)state;
	static int64_t mask[COUNT] = { 0, -(512 << 12), 0 };
	for (int k = 0; k < 4; k++) {
		struct gt t;
		gt_init(&t, k == 3 ? 40 : 50, 12);
		struct val *x = gt_input(&t, SHAPE(R, C)), *qk = gt_op(&t, OP_mul, 24, SHAPE(R, C), 2, x, x), *s = gt_rescale(&t, qk, 15);
		if (k) {
			struct val *m = gt_const(&t, SEC_PUBLIC, 12, SHAPE(R, C), mask);
			if (k != 2)
				m->lo = -512, m->hi = 0, m->from = RANGE_PROVEN;
			s = two(&t, OP_add, s, m);
		}
		struct val *y = gt_op(&t, OP_softmax, 12, SHAPE(R, C), 1, s);
		ir_set_int(t.p, y->def, ATTR_axis, 1);
		expect(&t, y, COUNT, k < 2 ? 0 : COUNT);     /* an unknown mask, a ring without room: as before */
		assert_int_equal(s->type.frac, k < 2 ? 27 : 12);
		assert_int_equal(ir_int_or(y->def, ATTR_shift, 0), k < 2 ? 15 : 0);
		assert_int_equal(qk->type.frac, 24);
		if (k == 1)
			assert_int_equal(((const int64_t *)s->def->in[1]->data)[1], -(INT64_C(512) << 27));
		gt_free(&t);
	}
}

/* Two truncations in a row, one of them a factor, are one. */
static void
chains(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	struct val *y = relu(&t, gt_rescale(&t, square_of(&t), 3));
	expect(&t, y, 2 * COUNT, 0);
	assert_int_equal(ir_int(y->def, ATTR_shift), 15);
	gt_free(&t);
}

/* Into another ring: that truncation takes over the one before it, behind what moves elements. */
static void
other_ring(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	struct val *p = square_of(&t), *r = gt_op(&t, OP_reshape, 12, SHAPE(COUNT), 1, p), *v = gt_rescale(&t, r, 0);
	v->type.bits = 58;
	ir_add_output(t.p, relu(&t, p));
	struct val *y = gt_op(&t, OP_relu, 12, SHAPE(COUNT), 1, v);
	y->type.bits = 58;
	expect(&t, y, COUNT, COUNT);
	assert_false(ir_has(y->def, ATTR_shift));
	assert_int_equal(p->def->op, OP_mul);
	assert_int_equal(ir_int(v->def, ATTR_shift), 12);
	gt_free(&t);
}

/* A product that is truncated twice, by different shifts: the wide value is a view of it. */
static void
read_twice(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	struct val *x = gt_input(&t, SHAPE(R, C)), *p = gt_op(&t, OP_mul, 24, SHAPE(R, C), 2, x, x);
	struct val *a = relu(&t, gt_rescale(&t, p, 12)), *b = relu(&t, gt_rescale(&t, p, 10));
	expect(&t, two(&t, OP_add, a, b), 2 * COUNT, 0);
	assert_int_equal(count_of(t.p, OP_rescale), 2);
	assert_int_equal(ir_int(b->def, ATTR_shift), 10);
	assert_int_equal(b->def->in[0]->type.frac, 22);
	gt_free(&t);
}

static void
known(struct val *v, double most)
{
	v->lo = -most;
	v->hi = most;
	v->from = RANGE_PROVEN;
}

/* Scores that a product reads and two wide sums: truncated for the product, one view for the sums. */
static void
both_ways(void **state)
{
	(void)state;
	for (int k = 0; k < 3; k++) {
		struct gt t;
		gt_init(&t, 50, 12);
		struct val *x = gt_input(&t, SHAPE(R, C)), *s[2], *sum[2];
		for (int i = 0; i < 2; i++)
			known(s[i] = gt_rescale(&t, gt_op(&t, OP_mul, 24, SHAPE(R, C), 2, x, x), 15), 100);
		for (int i = 0; i < 2; i++)
			known(sum[i] = two(&t, i ? OP_sub : OP_add, s[0], s[1]), k == 1 ? 1e9 : 200);
		sum[1]->from = k == 2 ? RANGE_NONE : RANGE_PROVEN; /* nothing is known: what has 27 bits must not be added */
		bind(&t, two(&t, OP_add, two(&t, OP_add, relu(&t, sum[0]), relu(&t, sum[1])), product(&t, s[0])));
		defer(t.p);
		assert_int_equal(truncated(t.p), k ? 3 * COUNT : 2 * COUNT); /* with that of the product */
		assert_int_equal(sum[0]->type.frac, k == 0 ? 27 : 12);
		assert_int_equal(s[0]->type.frac, 12);
		if (k == 0) {
			const struct val *wide_s = sum[0]->def->in[0];
			assert_ptr_equal(wide_s, sum[1]->def->in[0]);
			assert_true(wide_s->type.frac == 27 && wide_s->lo == -100 && wide_s->from == RANGE_PROVEN);
		}
		gt_free(&t);
	}
}

/* Shifts that are too long for the ring, fractions for the text form, sums that nothing bounds: as before. */
static void
limits(void **state)
{
	(void)state;
	for (int k = 0; k < 4; k++) {
		struct gt t;
		gt_init(&t, k == 1 ? 64 : 37, 12);
		struct val *x = gt_input(&t, SHAPE(R, C)), *p = gt_op(&t, OP_mul, 24, SHAPE(R, C), 2, x, x), *y;
		if (k == 0) {                            /* 12 + 24 > 35 */
			p = gt_rescale(&t, p, 12);
			y = two(&t, OP_add, relu(&t, p), gt_rescale(&t, p, 24));
		} else if (k == 1) {
			y = relu(&t, gt_rescale(&t, p, 51));
		} else {
			p = gt_rescale(&t, p, k == 2 ? 15 : 12);
			y = gt_op(&t, OP_reduce_sum, 12, SHAPE(R, 1), 1, p);
			ir_set_ints(t.p, y->def, ATTR_axes, 1, (int64_t[]){ 1 });
			ir_set_int(t.p, y->def, ATTR_keepdims, 1);
			y = gt_op(&t, OP_relu, 12, SHAPE(R, 1), 1, y);
		}
		expect(&t, y, (k ? 1 : 2) * COUNT, k == 3 ? 0 : (k ? 1 : 2) * COUNT);
		gt_free(&t);
	}
}

/* Truncations by 12 and by 9 bits do not meet in a sum; a constant is finer there. */
static void
levels(void **state)
{
	(void)state;
	static int64_t c[C] = { 1, -2, 3, 1 << 30 };
	static const float w[C] = { 0.1f, -0.2f, 0.3f, 7 };
	for (int k = 0; k < 5; k++) {
		struct gt t;
		gt_init(&t, 50, 12);
		struct val *a = square_of(&t), *b;
		if (k == 0) {
			struct val *x = gt_input(&t, SHAPE(R, C));
			b = gt_rescale(&t, gt_op(&t, OP_mul, 21, SHAPE(R, C), 2, x, gt_const(&t, SEC_PUBLIC, 9, SHAPE(C), c)), 9);
		} else {
			b = k < 3 ? gt_const(&t, k == 1 ? SEC_PUBLIC : SEC_WEIGHT, 12, SHAPE(C), c)
			          : ir_const(t.p, "w", DT_F32, SEC_WEIGHT, 1, (int64_t[]){ C }, w);
			b->type = (struct type){ .sec = b->type.sec, .bits = 50, .frac = 12 };
			if (k == 4)
				b->lo = -1e9, b->hi = 1e9, b->from = RANGE_PROVEN; /* does not fit with 24 bits */
		}
		struct val *s = two(&t, OP_sub, a, b), *y = relu(&t, s);
		expect(&t, y, (k ? 1 : 2) * COUNT, k == 0 ? 2 * COUNT : k == 4 ? COUNT : 0);
		assert_int_equal(s->type.frac, k == 0 || k == 4 ? 12 : 24);
		if (k == 1 || k == 2)
			assert_int_equal(((const int64_t *)s->def->in[1]->data)[1], -2 * 4096);
		if (k == 3)
			assert_ptr_equal(s->def->in[1]->data, w);
		gt_free(&t);
	}
}

/* No gate of the program can shift: not even two truncations become one. */
static void
without_wide_gates(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	ir_add_output(t.p, relu(&t, two(&t, OP_add, square_of(&t), square_of(&t))));
	assert_true(__real_pass_bind(t.p));
	t.p->stage = STAGE_GATE;
	char *before = text(t.p);
	assert_true(pass_defer(t.p));
	char *after = text(t.p);
	assert_string_equal(before, after);
	free(before), free(after);
	gt_free(&t);
}

/* What the checker says of a shift that does not fit. */
static void
checked(void **state)
{
	(void)state;
	static const char *const say[] = { "12 fraction bits, the result has 12: no shift by 12", "takes no operand with more fraction bits", "before gates are chosen" };
	for (int k = 0; k < 3; k++) {
		struct gt t;
		char *log = NULL;
		size_t size;
		gt_init(&t, 50, 12);
		FILE *to = open_memstream(&log, &size);
		diag_free(t.diag);
		t.diag = t.p->diag = diag_new(to, false);
		struct val *x = gt_input(&t, SHAPE(R, C)), *y = relu(&t, k == 1 ? gt_op(&t, OP_mul, 24, SHAPE(R, C), 2, x, x) : x);
		if (k == 2)
			ir_add_output(t.p, y);
		else
			bind(&t, y);
		ir_set_int(t.p, y->def, ATTR_shift, 12);
		if (k == 1)
			y->def->gate = gate_find("sigma", OP_relu);
		assert_false(ir_check(t.p, t.p->stage));
		gt_free(&t);
		fclose(to);
		if (!strstr(log, say[k]))
			fail_msg("%s", log);
		free(log);
	}
}

/* ---- the numbers ------------------------------------------------------------------------ */

/* Values of a random program and what they are exactly. */
struct item { struct val *v; double x[COUNT]; };

static void
random_programs(void **state)
{
	(void)state;
	int64_t saved = 0;
	for (int again = 0; again < 60; again++) {
		struct gt t;
		struct item item[24];
		int n = 1;
		int64_t x[COUNT], got[COUNT];
		const int64_t *in = x;
		gt_init(&t, 56, 12);
		item[0].v = gt_input(&t, SHAPE(R, C));
		for (int i = 0; i < COUNT; i++)
			item[0].x[i] = ldexp((double)(x[i] = gt_bits(12)), -12);
		for (; n < 24; n++) {
			struct item *y = &item[n], *a = &item[gt_random() % (uint64_t)n], *b = &item[gt_random() % (uint64_t)n];
			const int what = n == 23 ? 0 : (int)(gt_random() % 7);
			switch (what) {
			case 0: case 1: y->v = two(&t, OP_add, a->v, b->v); break;
			case 2: y->v = two(&t, OP_sub, a->v, b->v); break;
			case 3: y->v = gt_op(&t, OP_neg, 12, SHAPE(R, C), 1, a->v); break;
			case 4: y->v = relu(&t, a->v); break;
			default: y->v = product(&t, a->v); b = a;
			}
			for (int i = 0; i < COUNT; i++)
				y->x[i] = what < 2 ? a->x[i] + b->x[i] : what == 2 ? a->x[i] - b->x[i] : what == 3 ? -a->x[i] : what == 4 ? fmax(a->x[i], 0) : a->x[i] * a->x[i];
			double most = 0;
			for (int i = 0; i < COUNT; i++)
				most = fmax(most, fabs(y->x[i]));
			if (most > 4) { /* large numbers make large errors: take half */
				y->v = gt_rescale(&t, y->v, 4);
				for (int i = 0; i < COUNT; i++)
					y->x[i] /= 16;
			}
		}
		bind(&t, item[23].v);
		const int64_t before = truncated(t.p);
		defer(t.p);
		assert_true(truncated(t.p) <= before);
		saved += before - truncated(t.p);
		assert_true(pass_expand(t.p));
		gt_schedule(&t);
		gt_run(&t, &in, got);
		for (int i = 0; i < COUNT; i++)
			if (!(fabs(ldexp((double)got[i], -12) - item[23].x[i]) < 0.1))
				fail_msg("element %d is %g, exactly %g", i, ldexp((double)got[i], -12), item[23].x[i]);
		gt_free(&t);
	}
	assert_true(saved > 100 * COUNT);
}

/* A transformer: every value that is left is compared with its float, most truncations are gone. */
static void
transformer(void **state)
{
	(void)state;
	for (int causal = 0; causal < 2; causal++) {
		const int64_t dim = causal ? 16 : 32;
		uint64_t sent[2];
		for (widens = false;; widens = true) {
			struct model m;
			struct exec_seeds seeds;
			struct verify v;
			int64_t ids[5] = { 3, 1, 4, 49, 9 };
			struct examples ex = { 1, (void *[]){ ids } };
			model_init(&m, 91);
			model_transformer(&m, 5, dim, 2, 2, 4, causal != 0);
			assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
			if (!verify_run(m.p, &m.opt, &ex, &seeds, &v))
				fail_msg("%s", model_log(&m));
			for (int k = 0; k < v.nrow; k++)
				if (!(v.row[k].max_error < 0.05))
					fail_msg("%s: %g", v.row[k].val->name, v.row[k].max_error);
			const struct val *h = ir_find(m.p, "layer0.res2"), *s = ir_find(m.p, "layer1.scores");
			assert_int_equal(h->type.frac, widens ? 24 : 12);
			assert_int_equal(s->type.frac, !widens ? 12 : dim == 32 ? 26 : 25); /* 1/4 is part of the shift, 1/sqrt(8) a product of its own */
			sent[widens] = v.run.sent[0];
			model_free(&m);
			if (widens)
				break;
		}
		widens = false;
		assert_true(sent[1] < sent[0]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(into_the_gate),
		cmocka_unit_test(stream),
		cmocka_unit_test(stays),
		cmocka_unit_test(pieces),
		cmocka_unit_test(scores),
		cmocka_unit_test(chains),
		cmocka_unit_test(other_ring),
		cmocka_unit_test(read_twice),
		cmocka_unit_test(both_ways),
		cmocka_unit_test(limits),
		cmocka_unit_test(levels),
		cmocka_unit_test(without_wide_gates),
		cmocka_unit_test(checked),
		cmocka_unit_test(random_programs),
		cmocka_unit_test(transformer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

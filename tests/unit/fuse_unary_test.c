/* SPDX-License-Identifier: Apache-2.0
 * fuse_unary_test.c -- described functions are recognised however they are written, the largest piece first, and
 * look-alikes are left alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "fuse_harness.h"
#include "passes/descriptor.h"
#include "passes/match.h"

static const int64_t shape[2] = { 3, 5 };

/* A function that the user described; table or pieces do not matter here. */
static struct descriptor *
described(struct ctx *c, const char *function, double lo, double hi, const char *left, const char *right)
{
	struct arena *a = c->p->arena;
	struct formula_error e;
	struct descriptor *d = arena_alloc(a, sizeof *d);
	*d = (struct descriptor){ .name = arena_printf(a, "f%d", c->p->ndesc), .function = function, .formula = formula_parse(a, function, &e), .lo = lo, .hi = hi,
	                          .max_error = 0.01, .fitted = true, .form = DESC_TABLE, .in = 24, .out = 12 };
	assert_non_null(d->formula);
	assert_true(tail_parse(left, 12, &d->tail[0]) && tail_parse(right, 12, &d->tail[1]));
	if (!c->p->desc)
		c->p->desc = arena_alloc(a, 8 * sizeof *c->p->desc);
	c->p->desc[c->p->ndesc++] = d;
	return d;
}

static struct descriptor *mish(struct ctx *c) { return described(c, "x*tanh(log(1+exp(x)))", -8, 8, "0", "x"); }

/* The program, of one input, becomes `acts` acts and `others` other operations; the results stay. */
static void
expect(struct ctx *c, struct val *y, int acts, int others)
{
	int n = 0;
	ir_add_output(c->p, y);
	run_pass(c, pass_fuse_unary);
	for (const struct node *k = c->p->first; k; k = k->next)
		n++;
	assert_int_equal(count(c, OP_act), acts);
	assert_int_equal(n - acts, others);
	finish(c);
}

/* ---- spellings -------------------------------------------------------------------- */

static struct val *
softplus_of(struct ctx *c, struct val *x, int spelling)
{
	switch (spelling) {
	case 0: return un(c, OP_softplus, x);
	case 1: return un(c, OP_log, bin(c, OP_add, un(c, OP_exp, x), num(c, 1)));
	case 2: return un(c, OP_log, bin(c, OP_add, num(c, 1), un(c, OP_exp, x)));
	default: return bin(c, OP_sub, un(c, OP_relu, x), un(c, OP_log, un(c, OP_sigmoid, un(c, OP_abs, x)))); /* relu(x) - log sigmoid |x| */
	}
}

static struct val *
mish_of(struct ctx *c, struct val *x, int spelling)
{
	struct val *s = softplus_of(c, x, spelling % 4);
	if (spelling < 4)
		return bin(c, OP_mul, x, un(c, OP_tanh, s));
	if (spelling < 8)
		return bin(c, OP_mul, un(c, OP_tanh, s), x);
	/* x (1 - 2 / (e^2s + 1)) */
	struct val *e = un(c, OP_exp, bin(c, OP_mul, s, num(c, 2)));
	return bin(c, OP_mul, x, bin(c, OP_sub, num(c, 1), bin(c, OP_div, num(c, 2), bin(c, OP_add, e, num(c, 1)))));
}

static void
spellings(void **state)
{
	(void)state;
	for (int k = 0; k < 12; k++) {
		struct ctx c;
		start(&c, (uint64_t)k);
		mish(&c);
		expect(&c, mish_of(&c, input(&c, DT_F32, 2, shape), k), 1, 0);
	}
}

/* Between products with weights, more than once, and a weight in the middle of nowhere. */
static void
surroundings(void **state)
{
	(void)state;
	struct ctx c;
	start(&c, 1);
	mish(&c);
	struct val *x = input(&c, DT_F32, 2, shape), *w = weight(&c, 1, &shape[1]);
	struct val *h = bin(&c, OP_mul, x, w); /* a row of weights is no number */
	struct val *y = mish_of(&c, h, 1);
	y = bin(&c, OP_add, y, weight(&c, 1, &shape[1]));
	expect(&c, mish_of(&c, y, 6), 2, 2);

	start(&c, 2);                    /* what is used elsewhere stays */
	mish(&c);
	x = input(&c, DT_F32, 2, shape);
	struct val *t = un(&c, OP_tanh, softplus_of(&c, x, 0));
	y = bin(&c, OP_add, bin(&c, OP_mul, x, t), un(&c, OP_neg, t));
	expect(&c, y, 1, 4);

	start(&c, 3);                    /* uniform public rows count as numbers, weights do not */
	described(&c, "2*tanh(x)+1", -4, 4, "-1", "3");
	x = input(&c, DT_F32, 2, shape);
	y = bin(&c, OP_add, bin(&c, OP_mul, un(&c, OP_tanh, x), num(&c, 2)), num(&c, 1));
	expect(&c, y, 1, 0);
	start(&c, 4);
	described(&c, "2*tanh(x)+1", -4, 4, "-1", "3");
	x = input(&c, DT_F32, 2, shape);
	float *two;
	struct val *row = const_like(c.p, x, "two", SEC_WEIGHT, &two);
	for (int k = 0; k < 15; k++)
		two[k] = 2;
	y = bin(&c, OP_add, bin(&c, OP_mul, un(&c, OP_tanh, x), row), num(&c, 1));
	expect(&c, y, 0, 3);
}

/* The whole before its parts, and the part if the whole is none. */
static void
largest_first(void **state)
{
	(void)state;
	struct ctx c;
	for (int whole = 0; whole < 2; whole++) {
		start(&c, 5);
		described(&c, "tanh(x)", -4, 4, "-1", "1");
		if (whole)
			mish(&c);
		expect(&c, mish_of(&c, input(&c, DT_F32, 2, shape), 0), 1, whole ? 0 : 2);
	}
	start(&c, 6);                    /* f(f(x)): twice f, not once */
	described(&c, "tanh(x)", -4, 4, "-1", "1");
	expect(&c, un(&c, OP_tanh, un(&c, OP_tanh, input(&c, DT_F32, 2, shape))), 2, 0);
	start(&c, 7);                    /* unless f(f(x)) is described too */
	described(&c, "tanh(x)", -4, 4, "-1", "1");
	described(&c, "tanh(tanh(x))", -4, 4, "-0.75", "0.75");
	expect(&c, un(&c, OP_tanh, un(&c, OP_tanh, input(&c, DT_F32, 2, shape))), 1, 0);
}

/* What ends up a little different, or is a function of two values. */
static void
look_alikes(void **state)
{
	(void)state;
	struct ctx c;
	for (int k = 0; k < 6; k++) {
		start(&c, 8);
		mish(&c);
		struct val *x = input(&c, DT_F32, 2, shape), *z = input(&c, DT_F32, 2, shape), *s = softplus_of(&c, x, 0);
		struct val *y = k == 0 ? bin(&c, OP_mul, z, un(&c, OP_tanh, s))                                    /* two inputs */
		              : k == 1 ? bin(&c, OP_mul, x, un(&c, OP_sigmoid, s))                                 /* another function */
		              : k == 2 ? bin(&c, OP_mul, x, un(&c, OP_tanh, bin(&c, OP_mul, s, num(&c, 1.0001))))  /* nearly */
		              : k == 3 ? bin(&c, OP_mul, x, un(&c, OP_tanh, un(&c, OP_log, bin(&c, OP_add, un(&c, OP_exp, x), num(&c, 1.001)))))
		              : k == 4 ? bin(&c, OP_mul, x, mean(&c, un(&c, OP_tanh, s)))                          /* not elementwise */
		                       : bin(&c, OP_mul, x, un(&c, OP_tanh, un(&c, OP_relu, x)));
		if (k)
			y = bin(&c, OP_add, y, z);
		int before = 0;
		ir_add_output(c.p, y);
		sweep_dead(c.p);
		for (const struct node *n = c.p->first; n; n = n->next)
			before++;
		assert_true(pass_fuse_unary(c.p));
		for (const struct node *n = c.p->first; n; n = n->next)
			before--;
		assert_int_equal(before, 0);
		assert_int_equal(count(&c, OP_act), 0);
		finish(&c);
	}
	start(&c, 9);                    /* equal on the domain only: what is promised of the logarithm's input is not promised of the clamp's */
	described(&c, "log(x)", 0.5, 4, "none", "none");
	struct val *y = un(&c, OP_clip, input(&c, DT_F32, 2, shape));
	ir_set_f64(c.p, y->def, ATTR_lo, 0.5);
	ir_set_f64(c.p, y->def, ATTR_hi, 4);
	expect(&c, un(&c, OP_log, y), 1, 1);
}

/* Chains and grids deeper than the search: left alone or found, in bounded time. */
static void
large_pieces(void **state)
{
	(void)state;
	struct ctx c;
	start(&c, 10);
	mish(&c);
	struct val *y = input(&c, DT_F32, 2, shape);
	for (int k = 0; k < 400; k++)
		y = bin(&c, OP_add, un(&c, OP_tanh, y), un(&c, OP_relu, y));
	expect(&c, y, 0, 1200);
	start(&c, 11);
	described(&c, "x*1.5", -8, 8, "none", "none");
	struct val *x = input(&c, DT_F32, 2, shape);
	y = bin(&c, OP_mul, x, num(&c, 0));
	for (int k = 0; k < 15; k++)
		y = bin(&c, OP_add, y, bin(&c, OP_mul, x, num(&c, 0.1)));
	expect(&c, y, 1, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(spellings), cmocka_unit_test(surroundings), cmocka_unit_test(largest_first), cmocka_unit_test(look_alikes),
		                            cmocka_unit_test(large_pieces) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

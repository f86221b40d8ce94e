/* SPDX-License-Identifier: Apache-2.0
 * clone_test.c -- a copy of a program is the same program at every stage, goes through the passes as the original
 * does, and neither notices what happens to the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "random_model.h"

static char *
printed(const struct prog *p, bool data)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	ir_print(p, f);
	if (data)
		ir_print_data(p, f);
	fclose(f);
	return text;
}

static void
same(const struct prog *a, const struct prog *b, const char *when)
{
	char *x = printed(a, true), *y = printed(b, true);
	if (strcmp(x, y))
		fail_msg("%s: another text:\n%s\n%s", when, x, y);
	free(x);
	free(y);
}

static bool
owns(const struct prog *p, const struct val *v)
{
	return !v || ir_find(p, v->name) == v;
}

/* Nothing of the copy leads into the original but constants' data. */
static void
closed(const struct prog *p)
{
	const struct node *prev = NULL;
	for (int k = 0; k < p->nvals; k++)
		assert_true(owns(p, p->vals[k]) && owns(p, p->vals[k]->source) && owns(p, p->vals[k]->alias) && owns(p, p->vals[k]->factor));
	for (const struct node *n = p->first; n; prev = n, n = n->next) {
		assert_ptr_equal(n->prev, prev);
		for (int k = 0; k < n->nin; k++)
			assert_true(owns(p, n->in[k]));
		for (int k = 0; k < n->nout; k++)
			assert_true(owns(p, n->out[k]) && n->out[k]->def == n);
	}
	assert_ptr_equal(p->last, prev);
}

/* After pass k: copy, finish the copy, finish the original. */
static void
after_pass(struct model *m, int k)
{
	m->opt.stop_after = passes[k].name;
	assert_true(run_passes(m->p, &m->opt, stdout));
	struct prog *c = ir_clone(m->p, m->diag);
	same(m->p, c, passes[k].name);
	closed(c);
	assert_true(ir_check(c, c->stage));
	assert_int_equal(c->nvals, m->p->nvals);
	char *before = printed(m->p, false);
	m->opt.stop_after = NULL;
	assert_true(run_passes_after(c, passes[k].name, &m->opt, stdout));
	char *after = printed(m->p, false);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_true(run_passes_after(m->p, passes[k].name, &m->opt, stdout));
	same(m->p, c, "at the end");
	closed(m->p);
	closed(c);
	ir_free(c);
}

static void
every_stage(void **state)
{
	(void)state;
	for (int k = 0; k < npasses; k++) {
		struct model m;
		model_init(&m, 42);
		model_transformer(&m, 5, 8, 2, 2, 3, k % 2);
		after_pass(&m, k);
		model_free(&m);
	}
}

static void
independent(void **state)
{
	(void)state;
	const int64_t dim[] = { 2, 3 };
	const struct type secret = { .sec = SEC_SECRET };
	static const float data[6] = { 1, 2, 3, 4, 5, 6 };
	struct diag *d = diag_new(stderr, false);
	struct prog *p = ir_new("m", NULL, d);
	struct val *x = ir_val(p, "x", DT_F32, secret, 2, dim), *y = ir_val(p, "y", DT_F32, secret, 2, dim);
	struct val *w = ir_const(p, "w", DT_F32, SEC_WEIGHT, 2, dim, data), *f = ir_const(p, "f", DT_F32, SEC_WEIGHT, 1, dim, data);
	ir_add_input(p, x);
	w->factor = f;
	w->factor_step = 3;
	struct node *n = ir_node(p, NULL, OP_concat, NULL, 2, (struct val *[]){ x, w }, 1, &y);
	y->dim[0] = 4;
	ir_set_int(p, n, ATTR_axis, 0);
	ir_add_output(p, y);
	struct prog *c = ir_clone(p, d);
	struct val *cw = ir_find(c, "w");
	assert_ptr_equal(cw->data, data);
	assert_ptr_equal(cw->factor, ir_find(c, "f"));
	assert_int_equal(cw->factor_step, 3);
	assert_ptr_not_equal(ir_find(c, "x"), x);
	ir_set_int(c, c->first, ATTR_axis, 1);
	assert_int_equal(ir_int(n, ATTR_axis), 0);
	ir_set_in(c, c->first, 1, ir_find(c, "x"));
	assert_int_equal(w->nuse, 1);
	assert_int_equal(cw->nuse, 0);
	assert_int_equal(ir_find(c, "x")->nuse, 2);
	assert_int_equal(x->nuse, 1);
	for (int k = 0; k < 600; k++) { /* more than its tables had room for */
		const struct val *a = ir_val(p, k % 2 ? NULL : "x", DT_F32, secret, 0, NULL), *b = ir_val(c, k % 2 ? NULL : "x", DT_F32, secret, 0, NULL);
		assert_string_equal(a->name, b->name);
		assert_ptr_equal(ir_find(p, a->name), a);
		assert_ptr_equal(ir_find(c, a->name), b);
	}
	ir_free(c);
	assert_true(ir_check(p, STAGE_FLOAT));
	ir_free(p);
	diag_free(d);
}

/* What was made once for a program is there for its copies and for their copies, and the other way round. */
static void
made_once(void **state)
{
	(void)state;
	struct prog *p = ir_new("m", NULL, NULL), *c = ir_clone(p, NULL), *cc = ir_clone(c, NULL);
	assert_null(arena_known(cc->arena, "table 1"));
	int *t = arena_alloc(arena_elder(cc->arena), sizeof *t);
	*t = 5;
	arena_remember(cc->arena, "table 1", t);
	arena_remember(p->arena, "table 2", p);
	ir_free(cc);
	assert_ptr_equal(arena_known(p->arena, "table 1"), t);
	assert_ptr_equal(arena_known(c->arena, "table 1"), t);
	assert_ptr_equal(arena_known(c->arena, "table 2"), p);
	assert_null(arena_known(c->arena, "table"));
	ir_free(c);
	assert_int_equal(*t, 5);
	ir_free(p);
}

static void
empty(void **state)
{
	(void)state;
	struct prog *p = ir_new("nothing", NULL, NULL), *c = ir_clone(p, NULL);
	same(p, c, "empty");
	assert_null(c->first);
	assert_non_null(ir_val(c, "a", DT_F32, (struct type){ .sec = SEC_SECRET }, 0, NULL));
	assert_int_equal(p->nvals, 0);
	ir_free(c);
	ir_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_stage), cmocka_unit_test(independent), cmocka_unit_test(made_once), cmocka_unit_test(empty) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

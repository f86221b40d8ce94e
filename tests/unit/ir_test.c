/* SPDX-License-Identifier: Apache-2.0
 * ir_test.c -- the program representation: build functions and diagnostics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ir_text.h"

/* ---- build ---------------------------------------------------------------- */

static const struct type secret = { .sec = SEC_SECRET };

static void
build_keeps_lists_and_uses(void **state)
{
	(void)state;
	struct diag *d = diag_new(stderr, false);
	struct prog *p = ir_new("m", NULL, d);
	const int64_t dim[] = { 2, 3 };
	struct val *x = ir_val(p, "x", DT_F32, secret, 2, dim);
	ir_add_input(p, x);
	struct node *a = sum_node(p, x, x, "a"), *b = sum_node(p, a->out[0], x, "b"), *c = sum_node(p, b->out[0], b->out[0], "c");
	ir_add_output(p, c->out[0]);
	assert_int_equal(x->nuse, 3);
	assert_ptr_equal(ir_user(p, a->out[0]), b);
	assert_null(ir_user(p, b->out[0]));   /* two uses */
	assert_null(ir_user(p, c->out[0]));   /* an output */
	assert_true(ir_check(p, STAGE_FLOAT));

	ir_replace(p, b->out[0], a->out[0]);
	assert_int_equal(b->out[0]->nuse, 0);
	assert_int_equal(a->out[0]->nuse, 3);
	ir_remove(p, b);
	assert_ptr_equal(a->next, c);
	assert_ptr_equal(c->prev, a);
	assert_int_equal(x->nuse, 2);
	ir_replace(p, c->out[0], a->out[0]);
	assert_ptr_equal(p->out[0], a->out[0]);
	assert_true(ir_check(p, STAGE_FLOAT));

	struct node *e = sum_node(p, x, x, "e");
	ir_move_before(p, e, a);
	assert_ptr_equal(p->first, e);
	assert_ptr_equal(p->last, c);
	ir_move_before(p, e, NULL);
	assert_ptr_equal(p->last, e);
	ir_set_in(p, e, 1, a->out[0]);
	assert_int_equal(x->nuse, 3);
	assert_true(ir_check(p, STAGE_FLOAT));
	ir_free(p);
	diag_free(d);
}

static void
names_are_unique(void **state)
{
	(void)state;
	struct prog *p = ir_new("m", NULL, NULL);
	for (int k = 0; k < 3000; k++)
		ir_val(p, k % 3 ? "a" : NULL, DT_F32, secret, 0, NULL);
	for (int k = 0; k < p->nvals; k++)
		assert_ptr_equal(ir_find(p, p->vals[k]->name), p->vals[k]);
	assert_string_equal(p->vals[1]->name, "a");
	assert_string_equal(p->vals[2]->name, "a.1");
	assert_null(ir_find(p, "b"));
	assert_string_equal(ir_val_like(p, p->vals[1], ".wide")->name, "a.wide");
	ir_free(p);
}

static void
attributes_and_constants(void **state)
{
	(void)state;
	struct prog *p = ir_new("m", NULL, NULL);
	const int64_t dim[] = { 3 }, axes[] = { 0, -1 }, ints[] = { 5, -7, 9 };
	const bool flags[] = { true, false, true };
	struct val *x = ir_val(p, "x", DT_F32, secret, 1, dim);
	struct node *n = sum_node(p, x, ir_scalar(p, "half", 0.5), "y");
	ir_set_int(p, n, ATTR_axis, 4);
	ir_set_int(p, n, ATTR_axis, 5);
	ir_set_f64(p, n, ATTR_eps, 1e-5);
	ir_set_ints(p, n, ATTR_axes, 2, axes);
	int count;
	assert_int_equal(n->nattr, 3);
	assert_int_equal(ir_int(n, ATTR_axis), 5);
	assert_int_equal(ir_int_or(n, ATTR_start, 7), 7);
	assert_true(ir_f64(n, ATTR_eps) == 1e-5);
	assert_int_equal(ir_ints(n, ATTR_axes, &count)[1], -1);
	assert_int_equal(count, 2);
	double half;
	assert_true(ir_scalar_value(n->in[1], &half) && half == 0.5);
	assert_false(ir_scalar_value(x, &half));
	struct val *c = ir_const(p, "c", DT_I64, SEC_PUBLIC, 1, dim, ints), *f = ir_const(p, "f", DT_BOOL, SEC_PUBLIC, 1, dim, flags);
	assert_true(ir_elem(c, 1) == -7 && ir_elem(f, 1) == 0 && ir_elem(f, 2) == 1);
	assert_false(ir_scalar_value(c, &half));
	ir_free(p);
}

static void
steps_get_ids_and_own_their_parameters(void **state)
{
	(void)state;
	struct prog *p = ir_new("m", NULL, NULL);
	const int64_t dim[] = { 4 };
	struct val *a = ir_val(p, "a", DT_I64, (struct type){ .sec = SEC_MASKED, .bits = 20 }, 1, dim), *b = ir_val_like(p, a, ".b");
	struct suf_map map = { .ndim = 1, .dim = { 4 }, .so = { 1 }, .sa = { 1 } };
	struct node like = { .klass = "gelu", .loc = { .node = "/act", .op = "Gelu", .index = 3 } };
	struct node *n = ir_step(p, NULL, &like, (struct suf_step){ .op = SUF_lin, .map = &map, .n = 20 }, 1, &a, 1, &b);
	map.dim[0] = 99;
	assert_int_equal(n->step->map->dim[0], 4);
	assert_int_equal(n->step->id, 1);
	assert_int_equal(p->next_id, 2);
	assert_string_equal(n->step->klass, "gelu");
	assert_string_equal(n->loc.node, "/act");
	ir_free(p);
}

static void
arena_memory_is_zero_and_aligned(void **state)
{
	(void)state;
	static const size_t size[] = { 1, 16, 100000, 17, 300000, 3, 262144, 48, 65536, 1 };
	int freed = 0;
	struct arena *a = arena_new();
	arena_on_free(a, (void (*)(void *))(void *)free, malloc(1)); /* the leak checker sees if the hook is not run */
	for (int round = 0; round < 20; round++)
		for (size_t k = 0; k < sizeof size / sizeof size[0]; k++) {
			unsigned char *p = arena_alloc(a, size[k]);
			assert_int_equal((uintptr_t)p % 16, 0);
			for (size_t i = 0; i < size[k]; i++)
				freed += p[i];
			memset(p, 0xff, size[k]);
		}
	assert_int_equal(freed, 0);
	assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
	arena_free(a);
}

/* ---- diagnostics ------------------------------------------------------------------ */

static void
diagnostics_as_text_and_json(void **state)
{
	(void)state;
	const struct loc at = { .file = "m.onnx", .node = "/a/\"b\"\x1b[1m", .op = "NonZero", .index = 57 };
	for (int json = 0; json < 2; json++) {
		struct text t;
		text_open(&t);
		struct diag *d = diag_new(t.f, json);
		diag_error(d, &at, "unsupported-op", "operator %s", "not supported");
		diag_hint(d, "first %d", 1);
		diag_hint(d, "second");
		diag_warning(d, NULL, "w", "careful");
		diag_quiet(d, true);
		diag_warning(d, NULL, "w", "not shown");
		diag_hint(d, "not shown");
		assert_int_equal(diag_errors(d), 1);
		assert_int_equal(diag_warnings(d), 2);
		assert_string_equal(diag_warning_text(d, 1), "not shown");
		diag_free(d);
		fclose(t.f);
		assert_string_equal(t.s, json ?
			"{\"severity\":\"error\",\"code\":\"unsupported-op\",\"file\":\"m.onnx\",\"node\":\"/a/\\\"b\\\"\\u001b[1m\",\"op\":\"NonZero\",\"index\":57,"
			"\"message\":\"operator not supported\",\"hints\":[\"first 1\",\"second\"]}\n"
			"{\"severity\":\"warning\",\"code\":\"w\",\"message\":\"careful\",\"hints\":[]}\n" :
			"m.onnx:/a/\"b\"?[1m (#57, NonZero): error: operator not supported [unsupported-op]\n"
			"    hint   first 1\n    hint   second\n"
			"sufc: warning: careful [w]\n");
		free(t.s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_keeps_lists_and_uses), cmocka_unit_test(names_are_unique), cmocka_unit_test(attributes_and_constants),
		cmocka_unit_test(steps_get_ids_and_own_their_parameters), cmocka_unit_test(arena_memory_is_zero_and_aligned),
		cmocka_unit_test(diagnostics_as_text_and_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

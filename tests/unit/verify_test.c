/* SPDX-License-Identifier: Apache-2.0
 * verify_test.c -- verification of a transformer on several examples: errors
 * are small where the float program says so, and a wrong program is noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "npy.h"
#include "passes/verify.h"
#include "random_model.h"

static void read_ids(struct model *m, struct examples *ex, int64_t count, int64_t top)
{
	char path[] = "/tmp/verify_test_XXXXXX.npy", text[256];
	int64_t s = m->p->in[0]->dim[0], dim[1] = { count * s }, ids[256];
	int fd = mkstemps(path, 4);
	assert_true(fd >= 0);
	close(fd);
	for (int64_t i = 0; i < count * s; i++)
		ids[i] = (int64_t)((double)top * model_uniform(m));
	assert_int_equal(npy_write(path, 0600, NPY_I64, 1, dim, ids, text), SUF_OK);
	assert_true(examples_read(m->p, ex, 0, path));
	assert_true(examples_complete(m->p, ex));
	assert_int_equal(ex->count, count);
	unlink(path);
}

static void test_examples(void **state)
{
	(void)state;
	struct model m;
	struct examples ex = { .count = 0 };
	struct exec_seeds seeds;
	struct verify v;
	model_init(&m, 91);
	model_transformer(&m, 5, 16, 1, 2, 4, true);
	read_ids(&m, &ex, 3, 50);
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	if (!verify_run(m.p, &m.opt, &ex, &seeds, &v))
		fail_msg("%s", model_log(&m));
	assert_true(v.nrow > 15);
	assert_true(v.opened > 300);
	bool seen = false;
	for (int k = 0; k < v.nrow; k++) {
		const struct verify_row *r = &v.row[k];
		if (!(r->max_error < 0.05))
			fail_msg("%s: %g", r->val->name, r->max_error);
		assert_int_equal(r->count, 3 * ir_count(r->val));
		seen |= !strcmp(r->val->name, "logits");
	}
	assert_true(seen);
	assert_true(v.row[0].max_error <= 0.5001 / 4096); /* the embedding: rounded once */
	char *text; size_t size;
	FILE *to = open_memstream(&text, &size);
	verify_print(m.p, &v, to);
	fclose(to);
	assert_non_null(strstr(text, "layer0.gelu "));
	assert_non_null(strstr(text, "bit for bit"));
	free(text);
	model_free(&m);
}

static void test_bad_ids(void **state)
{
	(void)state;
	struct model m;
	struct examples ex = { .count = 0 };
	struct exec_seeds seeds;
	struct verify v;
	model_init(&m, 92);
	model_transformer(&m, 5, 16, 1, 2, 4, false);
	read_ids(&m, &ex, 1, 5000);
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	assert_false(verify_run(m.p, &m.opt, &ex, &seeds, &v));
	assert_non_null(strstr(model_log(&m), "ids"));
	model_free(&m);
}

/* Integers that the program takes as numbers must be what it was compiled for. */
static void test_mask_values(void **state)
{
	(void)state;
	for (int64_t top = 1; top < 3; top++) {
		struct model m;
		int64_t dim[2] = { 3, 4 }, one = 4, values[4] = { 1, 0, 1, top };
		float x[12];
		void *data[2] = { x, values };
		struct examples ex = { 1, data };
		struct exec_seeds seeds;
		struct verify v;
		model_init(&m, 94);
		for (int i = 0; i < 12; i++)
			x[i] = (float)model_normal(&m);
		struct val *s = model_input(&m, "scores", DT_F32, 2, dim), *mask = model_input(&m, "mask", DT_I64, 1, &one);
		s->lo = -8; s->hi = 8; s->from = RANGE_PROVEN;
		struct node *c = model_node(&m, OP_cast, "cast", 1, &one, 1, &mask);
		ir_set_int(m.p, c, ATTR_to, DT_F32);
		struct node *inverse = model_node(&m, OP_sub, "inverse", 1, &one, 2, (struct val *[]){ ir_scalar(m.p, "one", 1), c->out[0] });
		struct node *f = model_node(&m, OP_scale, "hidden", 1, &one, 1, inverse->out);
		ir_set_f64(m.p, f, ATTR_factor, MASK_SECRET);
		struct node *a = model_node(&m, OP_add, "masked", 2, dim, 2, (struct val *[]){ s, f->out[0] });
		struct node *p = model_node(&m, OP_softmax, "p", 2, dim, 1, a->out);
		ir_set_int(m.p, p, ATTR_axis, 1);
		ir_add_output(m.p, p->out[0]);
		assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
		bool ok = verify_run(m.p, &m.opt, &ex, &seeds, &v);
		if (top == 1 && !ok)
			fail_msg("%s", model_log(&m));
		if (top == 1)
			assert_true(v.row[v.nrow - 1].max_error < 0.02);
		else
			assert_true(!ok && strstr(model_log(&m), "element 3 of the input 'mask'"));
		model_free(&m);
	}
}

/* --argmax: only the index leaves the protocol. */
static void test_argmax(void **state)
{
	(void)state;
	struct model m;
	struct examples ex = { .count = 0 };
	struct exec_seeds seeds;
	struct verify v;
	model_init(&m, 93);
	model_transformer(&m, 5, 16, 1, 2, 9, false);
	m.opt.argmax = true;
	read_ids(&m, &ex, 2, 50);
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	if (!verify_run(m.p, &m.opt, &ex, &seeds, &v))
		fail_msg("%s", model_log(&m));
	assert_string_equal(m.p->out[0]->name, "logits.argmax");
	const struct verify_row *last = &v.row[v.nrow - 1];
	assert_ptr_equal(last->val, m.p->out[0]);
	assert_int_equal(last->count, 10);
	assert_true(last->max_float > 0 && last->sum_error2 == 0); /* logits are further apart than the error, with this seed */
	model_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_bad_ids),
		cmocka_unit_test(test_mask_values),
		cmocka_unit_test(test_argmax),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

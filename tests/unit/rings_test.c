/* SPDX-License-Identifier: Apache-2.0
 * rings_test.c -- formats of their own: every value fits its ring, operands have the rings that their readers need, products
 * are truncated behind sums, extensions stand where they are cheaper, and the same program comes out each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ir_text.h"
#include "random_model.h"
#include "passes/formats.h"

static void
start(struct model *m, uint64_t seed)
{
	model_init(m, seed);
	m->opt.gates = "compact";
	m->opt.stop_after = "rings";
	m->p->opt = &m->opt;
}

static void
to_rings(struct model *m)
{
	if (!run_passes(m->p, &m->opt, stdout))
		fail_msg("%s", model_log(m));
	assert_true(m->p->mixed);
}

static void
check_node(const struct node *n)
{
	const struct val *out = n->out[0];
	if (n->op == OP_rescale) {
		assert_true(n->in[0]->type.bits >= out->type.bits + ir_int(n, ATTR_shift));
		if (out->lo <= out->hi)
			assert_true(fmax(fabs(out->lo), fabs(out->hi)) * ldexp(1, out->type.frac) < ldexp(1, out->type.bits - 1));
	}
	if (n->op == OP_matmul || n->op == OP_mul)
		for (int k = 0; k < n->nin; k++)
			assert_true(n->in[k]->type.bits >= out->type.bits);
	if (n->op == OP_layernorm) /* a bit to spare */
		assert_true(fmax(fabs(n->in[0]->lo), fabs(n->in[0]->hi)) * ldexp(1, n->in[0]->type.frac) < ldexp(1, n->in[0]->type.bits - 2));
	if (n->op == OP_widen)
		assert_true(n->in[0]->type.bits < out->type.bits && n->in[0]->type.frac == out->type.frac);
}

static void
test_transformers(void **state)
{
	(void)state;
	for (int causal = 0; causal < 2; causal++) {
		char *text[2];
		for (int k = 0; k < 2; k++) {
			struct model m;
			start(&m, 71);
			model_transformer(&m, 6, 32, 2, 4, 7, causal);
			to_rings(&m);
			int narrower = 0, residual = 0;
			for (const struct node *n = m.p->first; n; n = n->next) {
				check_node(n);
				narrower += n->out[0]->type.bits < 30;
				residual += n->op == OP_add && n->out[0]->type.frac > 15; /* before the truncation */
			}
			assert_true(narrower > 20 && residual >= 4);
			text[k] = text_print(m.p);
			model_free(&m);
		}
		assert_string_equal(text[0], text[1]);
		free(text[0]);
		free(text[1]);
	}
}

/* x [1, first] -> [1, middle] -> [1, last], nothing between the products */
static int
extensions(int64_t first, int64_t middle, int64_t last)
{
	struct model m;
	int count = 0;
	start(&m, 5);
	const int64_t ids = 1, table[2] = { 50, first }, dim[2] = { 1, first };
	struct val *in = model_input(&m, "ids", DT_I64, 1, &ids), *w = model_weight(&m, "table", 1, 0, 2, table);
	struct val *x = model_node(&m, OP_embedding, "x", 2, dim, 2, (struct val *[]){ w, in })->out[0];
	struct val *y = model_linear(&m, "a", x, middle, 1 / sqrt((double)first));
	ir_add_output(m.p, model_linear(&m, "b", y, last, 1 / sqrt((double)middle)));
	to_rings(&m);
	for (const struct node *n = m.p->first; n; n = n->next) {
		check_node(n);
		count += n->op == OP_widen;
	}
	model_free(&m);
	return count;
}

static void
test_extensions(void **state)
{
	(void)state;
	assert_int_equal(extensions(4, 512, 4), 0);   /* few elements before many: the wide ring is cheap there */
	assert_int_equal(extensions(2048, 4, 4), 1);  /* many before few */
}

/* A value that nothing bounds makes wide rings and a warning. */
static void
test_unknown(void **state)
{
	(void)state;
	struct model m;
	start(&m, 3);
	const int64_t dim[2] = { 2, 8 };
	ir_add_output(m.p, model_linear(&m, "y", model_input(&m, "x", DT_F32, 2, dim), 4, 0.3));
	to_rings(&m);
	assert_true(strstr(model_log(&m), "nothing bounds") != NULL);
	model_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_transformers), cmocka_unit_test(test_extensions), cmocka_unit_test(test_unknown) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * masked_softmax_test.c -- attention masks made from a secret input, by gates of the set compact: masks are as deep as the scores
 * ask for, no maxima are needed where scores are small, hidden columns and rows that are hidden in full get zeros, lengths and causal rows mixed;
 * both parties against the float program (verify_run, which also compares them with the simulator).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "passes/exec.h"
#include "passes/verify.h"
#include "random_model.h"

/* Scores x [rows, cols] with |x| <= reach; columns from `visible` on are hidden by the secret mask. */
struct mask_case {
	const char *gates;
	int64_t rows, cols, visible;
	double reach;
	bool causal;
	double bound, rms;               /* of the error of probabilities */
	bool maxima, tables;             /* how: with a tree of maxima, with one-time tables */
};

static const struct mask_case cases[] = {
	{ "compact", 12, 40, 29, 3, false, 2e-3, 2e-4, false, true },
	{ "compact", 12, 40, 1, 3, false, 4e-3, 1e-3, false, true },
	{ "compact", 12, 40, 40, 8, false, 3e-3, 3e-4, false, true },
	{ "compact", 9, 128, 77, 12, false, 3e-3, 3e-4, false, true },
	{ "compact", 33, 33, 20, 4, true, 4e-3, 5e-4, false, true },
	{ "compact", 12, 40, 29, 25, false, 4e-3, 1e-3, true, true },
	{ "compact", 33, 33, 20, 30, true, 4e-3, 1e-3, true, true },
	{ "compact", 9, 64, 50, 70, false, 4e-3, 1e-3, true, false },
	{ "suf", 12, 40, 29, 3, false, 4e-3, 1e-3, true, false },
};

static void
build(struct model *m, const struct mask_case *k)
{
	const int64_t dim[2] = { k->rows, k->cols };
	m->opt.gates = k->gates;
	m->opt.output_to = 1;
	m->p->opt = &m->opt;
	struct val *x = model_input(m, "x", DT_F32, 2, dim), *mask = model_input(m, "mask", DT_I64, 1, dim + 1);
	x->lo = -k->reach;
	x->hi = k->reach;
	x->norm = k->reach * sqrt((double)k->cols);
	x->from = RANGE_PROVEN;
	struct node *c = model_node(m, OP_cast, "cast", 1, dim + 1, 1, &mask);
	ir_set_int(m->p, c, ATTR_to, DT_F32);
	struct node *s = model_node(m, OP_sub, "inverse", 1, dim + 1, 2, (struct val *[]){ ir_scalar(m->p, "one", 1), c->out[0] });
	struct node *f = model_node(m, OP_scale, "hidden", 1, dim + 1, 1, s->out);
	ir_set_f64(m->p, f, ATTR_factor, 10 * MASK_LIMIT);
	struct val *sum = model_node(m, OP_add, "masked", 2, dim, 2, (struct val *[]){ x, f->out[0] })->out[0];
	if (k->causal) {
		float *data = arena_alloc(m->p->arena, (size_t)(k->rows * k->cols) * sizeof *data);
		for (int64_t i = 0; i < k->rows * k->cols; i++)
			data[i] = i % k->cols > i / k->cols ? (float)(10 * MASK_LIMIT) : 0;
		struct val *upper = ir_const(m->p, "upper", DT_F32, SEC_PUBLIC, 2, dim, data);
		sum = model_node(m, OP_add, "both", 2, dim, 2, (struct val *[]){ sum, upper })->out[0];
	}
	struct node *p = model_node(m, OP_softmax, "p", 2, dim, 1, &sum);
	ir_set_int(m->p, p, ATTR_axis, 1);
	ir_add_output(m->p, p->out[0]);
}

static const struct verify_row *
probabilities(const struct verify *v)
{
	for (int i = 0; i < v->nrow; i++)
		if (!strcmp(v->row[i].val->name, "p"))
			return &v->row[i];
	fail_msg("the probabilities are not compared");
	return NULL;
}

static uint32_t
steps_of(const struct prog *p, enum suf_op op)
{
	uint32_t count = 0;
	for (const struct node *n = p->first; n; n = n->next)
		count += n->op == OP_step && n->step->op == op;
	return count;
}

/* One example: the row's errors, and the program behind them. */
static struct verify_row
run(struct model *m, const struct mask_case *k, int64_t visible)
{
	float *x = malloc((size_t)(k->rows * k->cols) * sizeof *x);
	int64_t *mask = malloc((size_t)k->cols * sizeof *mask);
	struct exec_seeds seeds;
	struct verify v;
	assert_true(x && mask);
	build(m, k);
	for (int64_t i = 0; i < k->rows * k->cols; i++)
		x[i] = (float)fmax(-k->reach, fmin(k->reach, k->reach / 4 * model_normal(m)));
	for (int64_t j = 0; j < k->cols; j++)
		mask[j] = j < visible;
	struct examples ex = { 1, (void *[]){ x, mask } };
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	if (!verify_run(m->p, &m->opt, &ex, &seeds, &v))
		fail_msg("%s", model_log(m));
	assert_int_equal(steps_of(m->p, SUF_row_next) > 0, k->maxima);
	assert_int_equal(steps_of(m->p, SUF_exps), k->tables ? 2 : 0);
	free(x);
	free(mask);
	return *probabilities(&v);
}

static void
test_hidden_columns(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct mask_case *k = &cases[i];
		struct model m;
		model_init(&m, 500 + i);
		const struct verify_row r = run(&m, k, k->visible);
		const double rms = sqrt(r.sum_error2 / (double)r.count);
		print_message("%-8s |x| <= %-3g %d of %d columns%s: off by %.2g, rms %.2g\n", k->gates, k->reach, (int)k->visible, (int)k->cols, k->causal ? ", causal" : "",
		              r.max_error, rms);
		if (r.max_error > k->bound || rms > k->rms)
			fail_msg("case %u: off by %g (%g allowed), rms %g (%g)", (unsigned)i, r.max_error, k->bound, rms, k->rms);
		model_free(&m);
	}
}

/* All columns hidden: zeros, where the float program has the softmax of the scores themselves. */
static void
test_hidden_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct mask_case *k = &cases[i];
		struct model m;
		if (k->maxima)           /* what is hidden everywhere is not hidden from the maximum */
			continue;
		model_init(&m, 700 + i);
		const struct verify_row r = run(&m, k, 0);
		assert_true(fabs(r.max_error - r.max_float) < 1e-3 && fabs(sqrt(r.sum_error2) - sqrt(r.sum_float2)) < 1e-2);
		model_free(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_hidden_columns), cmocka_unit_test(test_hidden_rows) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

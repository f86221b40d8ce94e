/* SPDX-License-Identifier: Apache-2.0
 * compact_gate_test.c -- gates of the set compact against real functions: small programs of one operation, from the float graph
 * to dealer and both parties; the parties' results equal the simulator's, bytes the predicted ones, errors stay in their bounds;
 * and what happens outside of the ranges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "random_model.h"
#include "passes/exec.h"

/* One operation on an input x [rows, cols] with |x| <= reach; x is drawn by draw(). */
struct gate_case {
	enum op op;
	const char *gates;
	int64_t rows, cols;
	double reach, norm;              /* norm of a row; 0: follows from reach */
	double (*draw)(struct model *, double reach, int64_t i);
	int64_t tanh;
	double bound, rms;               /* of the error */
	double least;                    /* a row of scores has an element of at least this; 0: nothing is known */
};

static double evenly(struct model *m, double reach, int64_t i) { (void)i; return reach * (2 * model_uniform(m) - 1); }
static double normally(struct model *m, double reach, int64_t i) { (void)i; return fmax(-reach, fmin(reach, reach / 4 * model_normal(m))); }
/* One peak in a row of small ones; a row of equal ones */
static double peaks(struct model *m, double reach, int64_t i) { return i % 37 == 0 ? reach : i % 37 == 5 ? -reach : model_normal(m) * reach / 20; }

static struct exec *
build(struct model *m, const struct gate_case *k)
{
	const int64_t dim[2] = { k->rows, k->cols };
	m->opt.gates = k->gates;
	m->opt.output_to = 1;
	m->p->opt = &m->opt;
	struct val *x = model_input(m, "x", DT_F32, 2, dim);
	x->lo = -k->reach;
	x->hi = k->reach;
	x->norm = k->norm > 0 ? k->norm : k->reach * sqrt((double)k->cols);
	x->from = RANGE_PROVEN;
	x->has_row_max = k->least != 0;
	x->row_max = k->least;
	struct node *n = model_node(m, k->op, "y", 2, dim, 1, &x);
	if (k->op == OP_softmax)
		ir_set_int(m->p, n, ATTR_axis, 1);
	if (k->op == OP_gelu)
		ir_set_int(m->p, n, ATTR_tanh, k->tanh);
	if (k->op == OP_layernorm || k->op == OP_rmsnorm)
		ir_set_f64(m->p, n, ATTR_eps, 1e-5);
	ir_add_output(m->p, n->out[0]);
	if (!run_passes(m->p, &m->opt, stdout))
		fail_msg("%s", model_log(m));
	return exec_new(m->p);
}

/* The parties' outputs, which are the simulator's; as real numbers. */
static float *
run(struct exec *e, const struct gate_case *k, const float *x)
{
	const struct suf_program *prog = exec_program(e);
	const size_t count = (size_t)(k->rows * k->cols);
	struct exec_seeds seeds;
	struct exec_parties parties;
	struct suf_plan plan;
	exec_trace *none[3] = { 0 };
	void *arg[3] = { 0 };
	char text[256] = "";
	uint64_t bad, *in = malloc(count * 8), *sim = malloc(count * 8), *out = malloc(count * 8);
	assert_non_null(in);
	if (!exec_encode(&prog->input[0], x, in, &bad))
		fail_msg("x[%u] = %g does not fit %u bits", (unsigned)bad, (double)x[bad], prog->input[0].bits);
	assert_true(exec_random_seeds(&seeds) == SUF_OK && suf_plan(prog, &plan, text) == SUF_OK);
	if (exec_simulate(e, &seeds, &in, &sim, NULL, NULL, text) || exec_run(e, &seeds, &in, &out, none, arg, &parties, text))
		fail_msg("%s", text);
	assert_memory_equal(sim, out, count * 8);
	for (int p = 0; p < 2; p++) {
		assert_int_equal(parties.key[p], plan.total.key[p]);
		assert_int_equal(parties.sent[p], plan.total.sent[p]);
	}
	float *y = malloc(count * sizeof *y);
	assert_non_null(y);
	exec_decode(&prog->output[0], out, y);
	free(in);
	free(sim);
	free(out);
	return y;
}

static void
check(const struct gate_case *k)
{
	struct model m;
	model_init(&m, 9000 + (uint64_t)k->op);
	struct exec *e = build(&m, k);
	const int64_t count = k->rows * k->cols;
	float *x = malloc((size_t)count * sizeof *x), *want = malloc((size_t)count * sizeof *want);
	double worst = 0, square = 0;
	assert_non_null(x);
	for (int64_t i = 0; i < count; i++)
		x[i] = (float)k->draw(&m, k->reach, i);
	float *y = run(e, k, x);
	struct model f;                  /* the float result: the same operation again, before the passes */
	model_init(&f, 1);
	const int64_t dim[2] = { k->rows, k->cols };
	struct val *in = model_input(&f, "x", DT_F32, 2, dim);
	struct node *n = model_node(&f, k->op, "y", 2, dim, 1, &in);
	if (k->op == OP_softmax)
		ir_set_int(f.p, n, ATTR_axis, 1);
	if (k->op == OP_gelu)
		ir_set_int(f.p, n, ATTR_tanh, k->tanh);
	if (k->op == OP_layernorm || k->op == OP_rmsnorm)
		ir_set_f64(f.p, n, ATTR_eps, 1e-5);
	const void *fin[1] = { x };
	void *fout[1] = { want };
	assert_true(float_eval_node(n, fin, fout, f.p->arena));
	for (int64_t i = 0; i < count; i++) {
		const double d = (double)y[i] - (double)want[i];
		worst = fmax(worst, fabs(d));
		square += d * d;
	}
	const double rms = sqrt(square / (double)count);
	print_message("%-10s %-8s |x| <= %-5g off by %.2g, rms %.2g\n", op_desc[k->op].name, k->gates, k->reach, worst, rms);
	if (worst > k->bound || rms > k->rms)
		fail_msg("%s, |x| <= %g: off by %g (%g allowed), rms %g (%g)", op_desc[k->op].name, k->reach, worst, k->bound, rms, k->rms);
	exec_free(e);
	model_free(&m);
	model_free(&f);
	free(x);
	free(y);
	free(want);
}

static const struct gate_case acts[] = {
	{ OP_gelu, "compact", 40, 50, 5, 0, evenly, 0, 3e-3, 1e-3, 0 },
	{ OP_gelu, "compact", 40, 50, 14, 0, evenly, 1, 3.6e-3, 1.1e-3, 0 },
	{ OP_gelu, "compact", 40, 50, 60, 0, evenly, 0, 4.2e-3, 1.2e-3, 0 },
	{ OP_silu, "compact", 40, 50, 7, 0, normally, 0, 4e-3, 1.2e-3, 0 },
	{ OP_silu, "compact", 40, 50, 100, 0, evenly, 0, 2e-2, 6e-3, 0 },
	{ OP_tanh, "compact", 40, 50, 6, 0, normally, 0, 2.5e-3, 1e-3, 0 },
	{ OP_sigmoid, "compact", 40, 50, 20, 0, evenly, 0, 2e-3, 8e-4, 0 },
	{ OP_erf, "compact", 40, 50, 3, 0, evenly, 0, 3e-3, 1.2e-3, 0 },
	{ OP_relu, "compact", 40, 50, 30, 0, evenly, 0, 1.1e-3, 8e-4, 0 },
};
static const struct gate_case rows[] = {
	{ OP_softmax, "compact", 20, 1, 3, 0, evenly, 0, 4e-3, 2e-3, 0 },
	{ OP_softmax, "compact", 20, 17, 1, 0, evenly, 0, 1.5e-3, 3e-4, 0 },
	{ OP_softmax, "compact", 20, 128, 8, 0, normally, 0, 3e-3, 4e-4, 0 },
	{ OP_softmax, "compact", 9, 111, 13, 0, peaks, 0, 3e-3, 5e-4, 0 },
	{ OP_softmax, "compact", 9, 64, 40, 0, normally, 0, 4e-3, 1e-3, 0 },      /* by maxima */
	{ OP_softmax, "compact", 4, 512, 5, 0, normally, 0, 2e-3, 2e-4, 0 },
	{ OP_softmax, "compact", 9, 64, 40, 0, peaks, 0, 4e-3, 1e-3, 30 },
	{ OP_softmax, "compact", 9, 64, 40, 0, peaks, 0, 4e-3, 1e-3, -5 },      /* by maxima */
	{ OP_softmax, "compact", 9, 63, 125, 0, normally, 0, 4e-3, 1e-3, 0 },   /* by maxima */
	{ OP_softmax, "compact", 20, 1, 40, 0, evenly, 0, 4e-3, 2e-3, 0 },      /* by maxima, of one */
	{ OP_softmax, "compact", 9, 64, 130, 0, normally, 0, 4e-3, 1e-3, 0 },   /* by the set suf: no table is as long */
	{ OP_layernorm, "compact", 12, 64, 8, 0, normally, 0, 6e-3, 1.5e-3, 0 },
	{ OP_layernorm, "compact", 3, 768, 30, 260, normally, 0, 2e-2, 2e-3, 0 },
	{ OP_layernorm, "compact", 7, 48, 0.5, 0, normally, 0, 1.2e-2, 3e-3, 0 },
	{ OP_rmsnorm, "compact", 12, 100, 8, 0, normally, 0, 6e-3, 1.5e-3, 0 },
	{ OP_rmsnorm, "compact", 5, 1, 2, 0, evenly, 0, 6e-3, 3e-3, 0 },
};

static void
test_activations(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof acts / sizeof acts[0]; k++)
		check(&acts[k]);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
		check(&rows[k]);
}

/* One row as far beyond its range as its ring can hold: wrong numbers, in this row alone, and the simulator has the same ones (run()). */
static void
test_outside(void **state)
{
	(void)state;
	static const enum op ops[] = { OP_softmax, OP_layernorm, OP_gelu };
	for (int j = 0; j < 3; j++) {
		const struct gate_case k = { ops[j], "compact", 8, 32, 4, 0, normally, 0, 0, 0, 0 };
		struct model m;
		model_init(&m, 77);
		struct exec *e = build(&m, &k);
		float x[8 * 32], far[8 * 32];
		for (int i = 0; i < 8 * 32; i++)
			far[i] = x[i] = (float)normally(&m, 4, i);
		const struct suf_tensor *t = &exec_program(e)->input[0];
		const float most = (float)ldexp(0.9, t->bits - 2 - t->frac);
		for (int i = 3 * 32; i < 4 * 32; i++)
			far[i] = x[i] < 0 ? -most : most;
		float *y = run(e, &k, x), *z = run(e, &k, far);
		for (int i = 0; i < 8 * 32; i++)
			if (i / 32 != 3)
				assert_true(fabs((double)y[i] - (double)z[i]) < 1e-2);
		free(y);
		free(z);
		exec_free(e);
		model_free(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_activations), cmocka_unit_test(test_rows), cmocka_unit_test(test_outside) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * exec_test.c -- a transformer from the float program to runs of the schedule:
 * simulation is near the float interpreter, dealer and parties give exactly
 * what the simulation gives, at the predicted cost.
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

/* FLOAT to SCHED, with the float interpreter's output. */
static float *compile(struct model *m, void **in)
{
	struct arena *mem = arena_new();
	const struct val *out = m->p->out[0];
	assert_true(pass_ranges(m->p));
	void **result = arena_alloc(mem, (size_t)m->p->nvals * sizeof *result);
	assert_true(float_eval(m->p, (const void *const *)in, result, mem));
	float *want = malloc((size_t)ir_count(out) * sizeof *want);
	for (int i = 0; i < m->p->nvals; i++)
		if (m->p->vals[i] == out)
			memcpy(want, result[i], (size_t)ir_count(out) * sizeof *want);
	arena_free(mem);
	bool (*const pass[])(struct prog *) = { pass_quantize, pass_bind, pass_expand, pass_schedule, pass_plan };
	static const enum stage after[] = { STAGE_RING, STAGE_GATE, STAGE_SCHED, STAGE_SCHED, STAGE_SCHED };
	for (int k = 0; k < 5; k++) {
		if (!pass[k](m->p))
			fail_msg("%s", model_log(m));
		m->p->stage = after[k];
		if (!ir_check(m->p, m->p->stage))
			fail_msg("%s", model_log(m));
	}
	return want;
}

struct wires { uint64_t *in[4], *out[4]; };

static void encode(const struct suf_program *p, void **in, struct wires *w)
{
	uint64_t bad;
	for (uint32_t k = 0; k < p->ninput; k++) {
		w->in[k] = calloc(exec_wire_count(&p->input[k]), 8);
		assert_true(exec_encode(&p->input[k], in[k], w->in[k], &bad));
	}
	for (uint32_t k = 0; k < p->noutput; k++)
		w->out[k] = calloc(exec_wire_count(&p->output[k]), 8);
}

static void wires_free(const struct suf_program *p, struct wires *w)
{
	for (uint32_t k = 0; k < p->ninput; k++)
		free(w->in[k]);
	for (uint32_t k = 0; k < p->noutput; k++)
		free(w->out[k]);
}

static double distance(const struct suf_tensor *t, const uint64_t *x, const float *want)
{
	uint64_t n = exec_wire_count(t);
	float *got = malloc(n * sizeof *got);
	double worst = 0;
	exec_decode(t, x, got);
	for (uint64_t i = 0; i < n; i++)
		worst = fmax(worst, fabs((double)got[i] - (double)want[i]));
	free(got);
	return worst;
}

static void run_model(struct model *m, double tolerance)
{
	char text[256];
	void **in = model_inputs(m);
	float *want = compile(m, in);
	struct exec *e = exec_new(m->p);
	const struct suf_program *p = exec_program(e);
	struct exec_seeds seeds;
	struct exec_parties got;
	struct wires a, b;
	struct cost cost;
	encode(p, in, &a);
	encode(p, in, &b);
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	if (exec_simulate(e, &seeds, a.in, a.out, NULL, NULL, text))
		fail_msg("%s", text);
	double far = distance(&p->output[0], a.out[0], want);
	if (!(far < tolerance))
		fail_msg("the simulation is %g from the float program", far);
	if (exec_run(e, &seeds, b.in, b.out, NULL, NULL, &got, text))
		fail_msg("%s", text);
	assert_memory_equal(a.out[0], b.out[0], exec_wire_count(&p->output[0]) * 8);
	prog_cost(m->p, &cost);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(got.key[k], cost.total.key[k]);
		assert_int_equal(got.sent[k], cost.total.sent[k]);
	}
	assert_int_equal(got.rounds, m->p->nrounds);
	wires_free(p, &a);
	wires_free(p, &b);
	exec_free(e);
	free(want);
	model_inputs_free(m, in);
}

static void test_transformer(void **state)
{
	(void)state;
	for (int causal = 0; causal < 2; causal++) {
		struct model m;
		model_init(&m, 21 + (uint64_t)causal);
		model_transformer(&m, 6, 16, 1, 2, 5, causal != 0);
		run_model(&m, 0.1);
		model_free(&m);
	}
}

/* A float input, a rank-3 batch, activations. */
static void test_float_input(void **state)
{
	(void)state;
	struct model m;
	int64_t dim[3] = { 2, 3, 8 };
	model_init(&m, 31);
	struct val *x = model_input(&m, "x", DT_F32, 3, dim);
	x->lo = -8; x->hi = 8; x->from = RANGE_PROVEN;
	struct val *y = model_linear(&m, "up", x, 12, 0.4);
	struct node *n = model_node(&m, OP_silu, "silu", 3, y->dim, 1, &y);
	struct node *t = model_node(&m, OP_tanh, "tanh", 3, y->dim, 1, &y);
	struct node *p = model_node(&m, OP_mul, "gate", 3, y->dim, 2, (struct val *[]){ n->out[0], t->out[0] });
	ir_add_output(m.p, model_linear(&m, "down", p->out[0], 4, 0.3));
	run_model(&m, 0.1);
	model_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_float_input),
		cmocka_unit_test(test_transformer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

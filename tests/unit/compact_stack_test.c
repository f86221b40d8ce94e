/* SPDX-License-Identifier: Apache-2.0
 * compact_stack_test.c -- one layer of each row of the goals in passes/published.def, with random weights and calibrated
 * ranges: twelve of them keep the bounds on traffic and keys, for masked and for public weights; and small layers, a Llama's
 * among them, run through dealer and both parties, as predicted and near to float; pass secure takes time in proportion to the layers.
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
#include "stacks.h"
#include "passes/choose.h"
#include "passes/exec.h"
#include "passes/machine.h"
#include "passes/published.h"

enum { LAYERS = 12 };
static char path[] = "/tmp/compact_stack.XXXXXX.npy";

/* Random hidden states of `count` elements, of shape [seq, hidden] in a .npy file; their elements. */
static float *
examples(int64_t seq, int64_t hidden)
{
	float *x = malloc((size_t)(seq * hidden) * sizeof *x);
	uint64_t state = 42;
	char head[128];
	assert_non_null(x);
	stack_random(&state, seq * hidden, 0, 1, x);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	memset(head, ' ', sizeof head);
	memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10);
	const int n = snprintf(head + 10, 117, "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }", (long long)seq, (long long)hidden);
	head[10 + n] = ' ';
	head[127] = '\n';
	assert_int_equal(fwrite(head, 1, 128, f), 128);
	assert_int_equal(fwrite(x, sizeof *x, (size_t)(seq * hidden), f), seq * hidden);
	fclose(f);
	return x;
}

/* One layer of the kind, compiled. */
static struct prog *
layer(const struct stack_kind *kind, int64_t seq, enum weights_mode weights, enum objective objective, struct options *opt, struct diag *d)
{
	*opt = (struct options){ .gates = "compact", .output_to = 2, .calibrate = path, .objective = objective, .weights = weights };
	struct prog *p = stack_weighted(kind, seq, 7, opt, d);
	p->weights = weights;
	assert_true(run_passes(p, opt, stdout));
	return p;
}

static void
test_goals(void **state)
{
	(void)state;
	static const char *const model[] = { "bert-base", "gpt2" };
	const double gib = 1 << 30;
	for (int m = 0; m < 2; m++)
		for (int64_t seq = 128; seq <= 512; seq *= 2) {
			free(examples(seq, 768));
			for (enum weights_mode weights = WEIGHTS_MASKED; weights <= WEIGHTS_PUBLIC; weights++) {
				const struct goal *g = goal_find(model[m], seq, weights);
				struct options opt;
				struct diag *d = diag_new(stderr, false);
				struct stack_kind kind = *stack_find(model[m]);
				kind.layers = 1;
				struct prog *p = layer(&kind, seq, weights, LEAST_COMM, &opt, d);
				struct cost cost;
				prog_cost(p, &cost);
				const double comm = LAYERS * (double)(cost.total.sent[0] + cost.total.sent[1]) / gib;
				const double key = LAYERS * (double)(cost.total.key[0] + cost.total.key[1]) / 2 / gib;
				print_message("%s %lld, weights %s: comm %.3f (bound %.3f, aim %.3f), key %.3f (%.2f, %.2f) GiB, %u rounds a layer\n", model[m], (long long)seq,
				              weights_label(weights), comm, g->comm, g->aim_comm, key, g->key, g->aim_key, cost.total.rounds);
				assert_true(comm <= g->comm && key <= g->key);
				assert_true(cost.total.rounds <= (weights == WEIGHTS_PUBLIC ? 27u : 31u) + 2); /* the input and the last opening are no layer's */
				ir_free(p);
				diag_free(d);
			}
		}
}

/* `example` (hidden states) once through dealer and both parties, as the simulator and the plan say; the result. */
static void
run(struct prog *p, const float *example, float *result)
{
	struct exec *e = exec_new(p);
	struct exec_seeds seeds;
	struct exec_parties parties;
	struct suf_plan plan;
	exec_trace *none[3] = { 0 };
	void *arg[3] = { 0 };
	char text[256] = "";
	const size_t bytes = exec_wire_count(&exec_program(e)->input[0]) * 8;
	uint64_t bad, *in = malloc(bytes), *sim = malloc(bytes), *out = malloc(bytes);
	assert_true(in && sim && out);
	assert_true(exec_encode(&exec_program(e)->input[0], example, in, &bad));
	assert_true(exec_random_seeds(&seeds) == SUF_OK && suf_plan(exec_program(e), &plan, text) == SUF_OK);
	if (exec_simulate(e, &seeds, &in, &sim, NULL, NULL, text) || exec_run(e, &seeds, &in, &out, none, arg, &parties, text))
		fail_msg("%s", text);
	assert_memory_equal(sim, out, bytes);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(parties.key[k], plan.total.key[k]);
		assert_int_equal(parties.sent[k], plan.total.sent[k]);
	}
	exec_decode(&exec_program(e)->output[0], out, result);
	free(in);
	free(sim);
	free(out);
	exec_free(e);
}

/* The result of a program at stage FLOAT, which owns it. */
static const float *
in_float(struct prog *p, const float *example)
{
	void **result = calloc((size_t)p->nvals, sizeof *result), *found = NULL;
	assert_true(result && float_eval(p, (const void *const[]){ example }, result, p->arena));
	for (int i = 0; i < p->nvals; i++)
		if (p->vals[i] == p->out[0])
			found = result[i];
	free(result);
	return found;
}

/* |a - b| / |b| */
static double
relative(const float *a, const float *b, int64_t n)
{
	double error = 0, norm = 0;
	for (int64_t i = 0; i < n; i++) {
		error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
		norm += (double)b[i] * b[i];
	}
	return sqrt(error / norm);
}

/* Small layers of three kinds against float; then inputs far outside of what was calibrated: wrong at worst. */
static void
test_run(void **state)
{
	(void)state;
	enum { SEQ = 24, HIDDEN = 128, FAR = 40 };
	static const char *const model[] = { "bert-base", "gpt2", "llama2-7b" };
	static float far[SEQ * HIDDEN], got[SEQ * HIDDEN];
	float *x = examples(SEQ, HIDDEN);
	for (int m = 0; m < 9; m++) {
		struct stack_kind kind = *stack_find(model[m / 3]);
		const enum weights_mode weights = (enum weights_mode)(m % 3);
		struct options opt;
		struct diag *d = diag_new(stderr, false);
		kind.layers = 1, kind.hidden = HIDDEN, kind.heads = 4, kind.ffn = 352;
		struct prog *p = layer(&kind, SEQ, weights, LEAST_KEY, &opt, d), *f = stack_weighted(&kind, SEQ, 7, &opt, d);
		const float *want = in_float(f, x);
		run(p, x, got);
		const double error = relative(got, want, SEQ * HIDDEN);
		print_message("%s, weights %s: relative error %.4f\n", model[m / 3], weights_label(weights), error);
		assert_true(error > 0 && error < 0.01);
		const float most = ldexpf(0.99f, (int)p->in[0]->type.bits - 2 - p->in[0]->type.frac); /* what an input may have */
		for (int i = 0; i < SEQ * HIDDEN; i++)
			far[i] = i % 7 ? x[i] : fmaxf(-most, fminf(most, FAR * x[i]));
		run(p, far, got);
		ir_free(f);
		ir_free(p);
		diag_free(d);
	}
	free(x);
}

/* The least time of pass secure, of several runs on its thread's own clock, ms; *steps: of the program. */
static double
time_of_secure(struct stack_kind kind, int layers, int *steps)
{
	enum { TIMES = 7 };
	double least = INFINITY;
	struct options opt;
	struct diag *d = diag_new(stderr, false);
	kind.layers = layers;
	struct prog *p = layer(&kind, 128, false, LEAST_KEY, &opt, d);
	*steps = 0;
	for (const struct node *n = p->first; n; n = n->next)
		(*steps)++;
	for (int k = 0; k < TIMES; k++) {
		const double start = machine_cpu_ns();
		assert_true(pass_secure(p));
		least = fmin(least, (machine_cpu_ns() - start) / 1e6);
	}
	ir_free(p);
	diag_free(d);
	return least;
}

/* Pass secure on the steps of BERT-base: layers of its shape, narrow ones, since only their number counts.  Four times the layers take
 * four times as long, not sixteen times. */
static void
test_secure(void **state)
{
	(void)state;
	enum { HIDDEN = 96 };
	static const int layers[] = { 6, LAYERS, 4 * 6 };
	struct stack_kind kind = *stack_find("bert-base");
	kind.hidden = HIDDEN, kind.ffn = 4 * HIDDEN;
	free(examples(128, HIDDEN));
	double ms[3];
	int steps[3];
	for (int k = 0; k < 3; k++) {
		ms[k] = time_of_secure(kind, layers[k], &steps[k]);
		print_message("pass secure, %d layers: %d steps, %.2f ms\n", layers[k], steps[k], ms[k]);
	}
	assert_true(ms[1] < 1000);
	assert_true(steps[2] < 4.2 * steps[0] && ms[2] < 8 * ms[0]);
}

/* The planner decides equal layers together: twice the layers, GPT-2-medium's, take no more programs, each of twice the steps. */
static void
test_planner(void **state)
{
	(void)state;
	int trials[2];
	for (int k = 0; k < 2; k++) {
		const struct options opt = { .gates = "auto", .output_to = 2, .ring_bits = 50 };
		struct stack_kind kind = *stack_find("gpt2");
		struct diag *d = diag_new(stderr, false);
		diag_quiet(d, true);
		kind.layers = LAYERS << k, kind.hidden = 1024, kind.heads = 16, kind.ffn = 4096;
		struct prog *p = stack_new(&kind, 128, &opt, d);
		const double start = machine_cpu_ns();
		assert_true(run_passes(p, &opt, stdout));
		assert_true(p->choice && p->choice->complete);
		trials[k] = p->choice->trials;
		print_message("%d layers: %d programs, %d groups, %.0f ms\n", kind.layers, trials[k], p->choice->ngroup, (machine_cpu_ns() - start) / 1e6);
		ir_free(p);
		diag_free(d);
	}
	assert_true(trials[0] < 200 && trials[1] <= trials[0] + 8);
}

static int
make_path(void **state)
{
	(void)state;
	const int fd = mkstemps(path, 4);
	return fd < 0 ? -1 : close(fd);
}

static int
remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_goals), cmocka_unit_test(test_run), cmocka_unit_test(test_secure), cmocka_unit_test(test_planner) };
	return cmocka_run_group_tests(tests, make_path, remove_path);
}

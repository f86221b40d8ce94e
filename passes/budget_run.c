/* SPDX-License-Identifier: Apache-2.0
 * budget_run.c -- the relative error of a program in the simulator, on calibration inputs and under fixed seeds, so that it is
 * the same whenever it is measured.  The seeds serve no other run.
 */
#include <math.h>
#include <string.h>
#include "passes/budget_priv.h"
#include "passes/exec_priv.h"

struct squares { double error, size; };

/* The program with its weights, to the end; false: an error was reported. */
static bool
compile(struct budget_job *j, struct trial_copy *copy, const struct role_set *at)
{
	budget_copy_start(j, copy, at);
	for (int k = 0; k < j->p->nvals; k++)
		copy->p->vals[k]->absent = j->p->vals[k]->absent;
	return run_passes_after(copy->p, "budget", &j->opt, NULL) && !diag_errors(copy->d);
}

static uint64_t **
buffers(struct arena *a, const struct suf_tensor *t, uint32_t n)
{
	uint64_t **list = arena_alloc(a, (n + 1) * sizeof *list);
	for (uint32_t k = 0; k < n; k++)
		list[k] = arena_alloc(a, (size_t)(exec_wire_count(&t[k]) + 1) * sizeof **list);
	return list;
}

/* The output of the program that is output k of those that count. */
static uint32_t
output_of(const struct budget_job *j, int k)
{
	uint32_t i = 0;
	while (j->p->out[i] != j->p->vals[j->out[k]])
		i++;
	return i;
}

static void
compare(const struct suf_tensor *t, const uint64_t *got, const float *want, struct squares *s)
{
	for (uint64_t i = 0, n = exec_wire_count(t); i < n; i++) {
		const double x = ldexp((double)exec_signed(got[i], t->bits), -t->frac), d = x - (double)want[i];
		s->error += d * d;
		s->size += (double)want[i] * (double)want[i];
	}
}

static bool
one_example(struct budget_job *j, struct prog *p, struct exec *e, int64_t example, struct squares *s)
{
	static const struct exec_seeds fixed = { .session = 1, .party = { { { 1 } }, { { 2 } } }, .model = { { { 3 } }, { { 4 } } }, .client = { { 5 } } };
	const struct suf_program *sp = exec_program(e);
	const struct exec_seeds own = exec_seeds_of(&fixed, (uint64_t)example);
	struct arena *mem = arena_new();
	uint64_t **in = buffers(mem, sp->input, sp->ninput), **out = buffers(mem, sp->output, sp->noutput);
	float **want = budget_float(j, example);
	char text[256] = "";
	bool ok = want && exec_encode_inputs(p, e, &j->ex, example, in);
	if (ok && exec_simulate(e, &own, in, out, NULL, NULL, text)) {
		diag_error(p->diag, NULL, "run-failed", "%s", text);
		ok = false;
	}
	for (int k = 0; ok && k < j->nout; k++) {
		const uint32_t i = output_of(j, k);
		compare(&sp->output[i], out[i], want[k], &s[k]);
	}
	arena_free(mem);
	return ok;
}

double
budget_measure(struct budget_job *j, const struct role_set *at, int examples)
{
	struct squares *s = arena_alloc(j->a, (size_t)(j->nout + 1) * sizeof *s);
	struct trial_copy copy;
	double worst = 0;
	bool ok = compile(j, &copy, at);
	if (ok) {
		struct exec *e = exec_new(copy.p);
		for (int k = 0; ok && k < examples; k++)
			ok = one_example(j, copy.p, e, budget_pick(j, k, examples), s);
		exec_free(e);
	}
	const char *why = trial_copy_end(&copy, ok ? NULL : j->p->arena);
	if (!ok) {
		if (!diag_errors(j->p->diag))
			diag_error(j->p->diag, NULL, "max-error", "the program could not be simulated: %s", why);
		return -1;
	}
	for (int k = 0; k < j->nout; k++)
		worst = fmax(worst, s[k].size > 0 ? s[k].error / s[k].size : s[k].error);
	return sqrt(worst);
}

/* SPDX-License-Identifier: Apache-2.0
 * budget_run.c -- the relative error of a program in the simulator, on calibration inputs and under fixed seeds, so that it is
 * the same whenever it is measured.  The seeds serve no other run.
 */
#include <math.h>
#include <string.h>
#include "passes/budget_priv.h"
#include "passes/exec_priv.h"

enum { STANDARD_ERRORS = 2 };

struct squares { double error, size, of_errors; };   /* sums over examples: squares of errors, of results; squares of an example's error */

/* The program with its weights, to the end; what is ranked becomes the output, in the format that it has otherwise.  False: an
 * error was reported. */
static bool
compile(struct budget_job *j, struct trial_copy *copy, const struct role_set *bits)
{
	struct role_set at = *bits;
	if (j->ranked)
		at.bits[ROLE_output] = at.bits[ROLE_stream];
	budget_copy_start(j, copy, &at);
	for (int k = 0; j->ranked && k < j->nout; k++)
		copy->p->out[j->port[k]] = copy->p->vals[j->out[k]];
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

static void
compare(const struct suf_tensor *t, const uint64_t *got, const float *want, struct squares *s)
{
	double error = 0;
	for (uint64_t i = 0, n = exec_wire_count(t); i < n; i++) {
		const double x = ldexp((double)exec_signed(got[i], t->bits), -t->frac), d = x - (double)want[i];
		error += d * d;
		s->size += (double)want[i] * (double)want[i];
	}
	s->error += error;
	s->of_errors += error * error;
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
	for (int k = 0; ok && k < j->nout; k++)
		compare(&sp->output[j->port[k]], out[j->port[k]], want[k], &s[k]);
	arena_free(mem);
	return ok;
}

/* The output that is worst. */
static struct measured
worst(const struct budget_job *j, const struct squares *s, int examples)
{
	struct measured m = { .error = 0 };
	for (int k = 0; k < j->nout; k++) {
		const double n = examples, variance = n > 1 ? fmax(s[k].of_errors - s[k].error * s[k].error / n, 0) * n / (n - 1) : 0; /* of the sum */
		const double size = s[k].size > 0 ? s[k].size : 1, bound = s[k].error + STANDARD_ERRORS * sqrt(variance);
		m.error = fmax(m.error, sqrt(s[k].error / size));
		m.bound = fmax(m.bound, sqrt(bound / size));
	}
	return m;
}

bool
budget_measure(struct budget_job *j, const struct role_set *at, int examples, struct measured *m)
{
	struct squares *s = arena_alloc(j->a, (size_t)(j->nout + 1) * sizeof *s);
	struct trial_copy copy;
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
		return false;
	}
	*m = worst(j, s, examples);
	return true;
}

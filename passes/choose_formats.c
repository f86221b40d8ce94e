/* SPDX-License-Identifier: Apache-2.0
 * choose_formats.c -- for --gates=auto: one format for all values, which the gates of the sets `sigma` and `suf` take, or a
 * format of its own for each, which those of `compact` do.
 *
 * Formats are decided before gates, and a program has either kind.  So the remaining passes run on copies, once with each of
 * the sets alone, and the least program decides.  Where that is one of one format, pass bind goes on choosing among the gates
 * of these sets.  A program whose ranges are not known has no formats of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include "passes/choose_priv.h"

struct formats { struct prog *p; struct machine machine; struct network net; int64_t steps; };

/* The program with the gates of one set. */
static struct choice_set
try_set(struct formats *f, const char *set)
{
	struct choice_set result = { .set = set, .tried = true };
	struct options opt = f->p->opt ? *f->p->opt : (struct options){0};
	struct trial_copy copy;
	trial_copy_start(&copy, f->p);
	opt.gates = set;
	opt.verbose = false;
	copy.p->opt = &opt;
	if (run_passes_after(copy.p, "ranges", NULL, NULL) && !diag_errors(copy.d))
		result.all = measure_of(copy.p, &f->machine, &f->net, &f->steps);
	result.why_not = trial_copy_end(&copy, result.all.possible ? NULL : f->p->arena);
	return result;
}

bool
choose_formats(struct prog *p)
{
	struct formats f = { .p = p };
	const enum objective objective = p->opt ? p->opt->objective : LEAST_TIME;
	struct choice *out = arena_alloc(p->arena, sizeof *out);
	const char *set;
	int best = 0;
	if (!measure_start(p, &f.machine, &f.net))
		return false;
	while (gates_set(out->nset))
		out->nset++;
	out->set = arena_alloc(p->arena, (size_t)out->nset * sizeof *out->set);
	for (int k = 0; (set = gates_set(k)); k++) {
		out->set[k] = try_set(&f, set);
		if (measure_compare(objective, &out->set[k].all, &out->set[best].all) < 0)
			best = k;
	}
	p->mixed = out->set[best].all.possible && gate_is_mixed(out->set[best].set);
	if (!p->mixed)
		return true;
	out->objective = objective;
	out->network = arena_strdup(p->arena, f.net.name);
	out->cpu = f.machine.measured ? arena_strdup(p->arena, f.machine.cpu) : NULL;
	out->all = out->set[best].all;
	out->complete = true;
	out->trials = out->nset;
	p->choice = out;
	return true;
}

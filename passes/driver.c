/* SPDX-License-Identifier: Apache-2.0
 * driver.c -- runs the pipeline of passes.def, checking the program after each pass.
 */
#include <string.h>
#include <time.h>
#include "passes/passes.h"

const struct pass passes[] = {
#define PASS(name, needs, gives, doc) { #name, STAGE_##needs, STAGE_##gives, pass_##name, doc },
#include "passes.def"
#undef PASS
};
const int npasses = sizeof passes / sizeof passes[0];

static double
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int
count_nodes(const struct prog *p)
{
	int n = 0;
	for (const struct node *k = p->first; k; k = k->next)
		n++;
	return n;
}

/* One pass, its check, its time.  False: an error was reported. */
static bool
run_pass(struct prog *p, const struct pass *pass, bool verbose)
{
	if (p->stage != pass->needs)
		BUG("pass %s needs stage %d, the program is at %d", pass->name, (int)pass->needs, (int)p->stage);
	int before = diag_errors(p->diag);
	double start = now_ms();
	bool ok = pass->run(p);
	double ran = now_ms();
	int errors = diag_errors(p->diag) - before;
	if (!ok && errors == 0)
		BUG("pass %s failed without a message", pass->name);
	if (!ok || errors)
		return false;
	p->stage = pass->gives;
	ok = ir_check(p, p->stage);
	if (!ok)
		diag_hint(p->diag, "the program is malformed after pass '%s'; this is a fault of sufc unless the program was read from a file", pass->name);
	if (verbose)
		fprintf(stderr, "sufc: pass %-12s %8.1f ms  check %6.1f ms  %6d nodes\n", pass->name, ran - start, now_ms() - ran, count_nodes(p));
	return ok;
}

/* From passes[k] on. */
static bool
run_from(struct prog *p, int k, const struct options *opt, FILE *dump_to)
{
	for (; k < npasses; k++) {
		if (!run_pass(p, &passes[k], opt && opt->verbose))
			return false;
		if (opt && opt->dump && !strcmp(opt->dump, passes[k].name))
			ir_print(p, dump_to);
		if (opt && opt->stop_after && !strcmp(opt->stop_after, passes[k].name))
			break;
	}
	return true;
}

bool
run_passes(struct prog *p, const struct options *opt, FILE *dump_to)
{
	int k = 0;
	if (!ir_check(p, p->stage)) /* what the importer or the parser made */
		return false;
	if (p->stage == STAGE_SCHED && p->wire_elems) /* planned: complete */
		return pass_secure(p);
	while (k < npasses && passes[k].needs != p->stage)
		k++;
	return run_from(p, k, opt, dump_to);
}

bool
run_passes_after(struct prog *p, const char *after, const struct options *opt, FILE *dump_to)
{
	int k = 0;
	while (k < npasses && strcmp(passes[k].name, after))
		k++;
	return run_from(p, k + 1, opt, dump_to);
}

bool
run_passes_unchecked(struct prog *p)
{
	int k = 0;
	while (k < npasses && passes[k].needs != p->stage)
		k++;
	for (; k < npasses; k++) {
		if (passes[k].run == pass_secure)
			continue;
		if (!passes[k].run(p) || diag_errors(p->diag))
			return false;
		p->stage = passes[k].gives;
	}
	return true;
}

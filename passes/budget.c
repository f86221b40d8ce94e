/* SPDX-License-Identifier: Apache-2.0
 * budget.c -- pass `budget`: with --max-error=E, fraction bits of roles in place of those of precision.def, so that the relative
 * error of the outputs on calibration inputs is at most E and the program takes least.
 *
 * A model (budget_model.c) gives the error of any bits, the search (budget_search.c) the cheapest bits for an error; then the
 * simulator says what the error is (budget_run.c).  Where that, with a margin for other inputs, is above E, the search goes on for a smaller estimate; where it is
 * far below, for a larger one.  A program for which one example takes longer than RUN_MS in the simulator rests on the model.
 *
 * All of it depends on the model, the calibration data and the options alone; it reads no clock.  The bits depend on weights,
 * as calibrated ranges do, and are in the program's text (docs/planner.md).
 */
#include <math.h>
#include <string.h>
#include "passes/budget_priv.h"

enum { FEW_EXAMPLES = 8, MOST_MEASURES = 8, MOST_EXAMPLES = 64, RUN_MS = 20000, MEASURE_MS = 2000, ALL_MS = 120000 };
/* Of E: what the next target aims at; below what another one is tried for; of the model where nothing is measured. */
static const double aim = 0.97, close_to = 0.9, unmeasured = 0.6;

struct budget *
budget_copy(struct arena *a, const struct budget *from)
{
	struct budget *b = arena_alloc(a, sizeof *b);
	*b = *from;
	b->role = memcpy(arena_alloc(a, (size_t)from->nrole * sizeof *b->role), from->role, (size_t)from->nrole * sizeof *b->role);
	return b;
}

/* ---- the bits ---------------------------------------------------------------------------- */

/* "attend 8, scores 9"; roles of the program alone. */
static const char *
bits_text(const struct budget_job *j, const struct role_set *at)
{
	const char *s = "";
	for (int r = 0; r < N_ROLE; r++)
		if (budget_is_used(j, r))
			s = arena_printf(j->p->arena, "%s%s%s %d", s, *s ? ", " : "", role_desc[r].name, at->bits[r]);
	return s;
}

static bool
unreachable(struct budget_job *j, const struct role_set *at, double least, bool measured)
{
	diag_error(j->p->diag, NULL, "max-error", "the relative error cannot be kept at %g: it is %.3g, %s, with the most fraction bits that are possible: %s",
	           j->p->opt->max_error, least, measured ? "measured with its margin" : "estimated", bits_text(j, at));
	diag_hint(j->p->diag, "ask for more than that, --max-error=%.2g; the rest is what gates approximate with constants of their own (docs/numerics.md)", least * 1.1);
	return false;
}

/* Errors that are measured count with their bound.  Estimates that are known to be small enough, and too large; 0, INFINITY: nothing is known. */
struct hunt { double ok, failed; struct role_set best; struct measured error; bool have; };

/* The target after bits of the estimate `target` gave the error m; 0: that is it. */
static double
next_target(const struct hunt *h, double target, double m, double asked)
{
	if (m <= asked && m >= close_to * asked)
		return 0;
	double next = target * fmin(fmax(aim * asked / m, 0.1), 10);
	if (h->have && isfinite(h->failed)) {
		if (h->failed < 1.04 * h->ok)
			return 0;
		if (next <= h->ok * 1.01 || next >= h->failed * 0.99)
			next = sqrt(h->ok * h->failed);
	}
	return next;
}

static bool
is_cheaper(struct budget_job *j, const struct role_set *a, const struct role_set *b)
{
	return measure_compare(j->objective, &budget_try(j, a, NULL, NULL)->all, &budget_try(j, b, NULL, NULL)->all) < 0;
}

/* Measured once; what it says about estimates. */
static bool
consider(struct budget_job *j, struct hunt *h, const struct role_set *at, int examples, struct measured *m)
{
	const double asked = j->p->opt->max_error, target = budget_estimate(j, at);
	if (!budget_measure(j, at, examples, m))
		return false;
	if (m->bound > asked) {
		h->failed = fmin(h->failed, target);
		return true;
	}
	h->ok = fmax(h->ok, target);
	if (!h->have || is_cheaper(j, at, &h->best)) {
		h->best = *at;
		h->error = *m;
	}
	h->have = true;
	return true;
}

static bool
by_measuring(struct budget_job *j, struct budget *b, int most, struct role_set *to)
{
	const double asked = b->asked;
	struct hunt h = { .failed = INFINITY };
	struct role_set strict, at, last = { { 0 } };
	struct measured m = { .error = 0 };
	double target = asked;
	budget_strictest(j, &strict);
	for (int k = 0; k < most && target > 0; k++) {
		if (!budget_cheapest(j, target, &at))
			at = strict;
		if (!memcmp(&at, &last, sizeof at))
			break;
		last = at;
		if (!consider(j, &h, &at, b->examples, &m))
			return false;
		if (m.bound > asked && !memcmp(&at, &strict, sizeof at))
			break;
		target = next_target(&h, m.bound > asked ? budget_estimate(j, &at) : fmax(target, budget_estimate(j, &at)), m.bound, asked);
	}
	if (!h.have && memcmp(&at, &strict, sizeof at) && !consider(j, &h, &strict, b->examples, &m))
		return false;
	if (!h.have)
		return unreachable(j, &strict, m.bound, true);
	*to = h.best;
	b->measured = h.error.error;
	b->bound = h.error.bound;
	return true;
}

static bool
by_model(struct budget_job *j, const struct budget *b, struct role_set *to)
{
	if (budget_cheapest(j, unmeasured * b->asked, to))
		return true;
	budget_strictest(j, to);
	return unreachable(j, to, budget_estimate(j, to) / unmeasured, false);
}

/* ---- the pass ----------------------------------------------------------------------------- */

static void
explain(struct budget_job *j, struct budget *b, const struct role_set *at)
{
	double share[N_ROLE];
	budget_shares(j, at, share);
	b->nrole = N_ROLE;
	b->role = arena_alloc(j->p->arena, N_ROLE * sizeof *b->role);
	b->estimated = budget_estimate(j, at);
	b->fixed = 1;
	for (int r = 0; r < N_ROLE; r++) {
		b->role[r] = (struct budget_role){ .name = role_desc[r].name, .doc = role_desc[r].doc, .table = j->table.bits[r], .bits = at->bits[r],
			.least = j->least[r], .most = j->most[r], .share = share[r], .used = budget_is_used(j, r) };
		b->fixed -= share[r];
	}
	b->fixed = sqrt(fmax(b->fixed, 0)) * b->estimated;
	b->probes = j->probes;
	b->runs = j->runs;
	b->table = budget_try(j, &j->table, NULL, NULL)->all;
	b->chosen = budget_try(j, at, NULL, NULL)->all;
	b->trials = j->npoint;
}

static bool
choose_bits(struct budget_job *j)
{
	struct prog *p = j->p;
	struct budget *b = arena_alloc(p->arena, sizeof *b);
	struct role_set at;
	const char *why = NULL;
	if (!budget_bounds(j, &why)) {
		diag_error(p->diag, NULL, "max-error", "there is no program whose values have formats of their own: %s", why);
		diag_hint(p->diag, "--max-error needs one; leave it out, or give --calibrate more examples");
		return false;
	}
	if (!budget_model(j))
		return false;
	*b = (struct budget){ .asked = p->opt->max_error, .measured = -1, .table_measured = -1 };
	const double ms = budget_try(j, &j->table, NULL, NULL)->run_ms, fit = fmin(fmin(floor(MEASURE_MS / ms), MOST_EXAMPLES), (double)j->ex.count);
	if (ms <= RUN_MS) {
		b->examples = fit < 1 ? 1 : (int)fit;
		struct measured m;
		if (!budget_measure(j, &j->table, b->examples, &m))
			return false;
		b->table_measured = m.error;
	}
	const double most = fmin(MOST_MEASURES, ALL_MS / (ms * fmax(b->examples, 1)));
	if (!(b->examples ? by_measuring(j, b, (int)most, &at) : by_model(j, b, &at)))
		return false;
	if (j->ex.count < FEW_EXAMPLES) {
		diag_warning(p->diag, NULL, "few-examples", "--max-error rests on %lld calibration example%s: other inputs may be off by more", (long long)j->ex.count, j->ex.count == 1 ? "" : "s");
		diag_hint(p->diag, "give %d or more, like those that will come and not among those that the model was trained on", (int)FEW_EXAMPLES);
	}
	explain(j, b, &at);
	p->role_bits = memcpy(arena_alloc(p->arena, N_ROLE), at.bits, N_ROLE);
	p->nrole_bits = N_ROLE;
	p->budget = b;
	return true;
}

/* Outputs that are numbers; of a program that has none, what its indices rank. */
static void
add_outputs(struct budget_job *j, bool ranked)
{
	struct prog *p = j->p;
	for (int k = 0; k < p->nout; k++) {
		const struct val *v = p->out[k];
		if (ranked)
			v = v->def && v->def->op == OP_argmax ? v->def->in[0] : NULL;
		for (int i = 0; v && v->dtype == DT_F32 && !v->data && i < p->nvals; i++)
			if (p->vals[i] == v) {
				j->port[j->nout] = k;
				j->out[j->nout++] = i;
			}
	}
	j->ranked = ranked;
}

static bool
find_outputs(struct budget_job *j)
{
	struct prog *p = j->p;
	j->out = arena_alloc(j->a, (size_t)(p->nout + 1) * sizeof *j->out);
	j->port = arena_alloc(j->a, (size_t)(p->nout + 1) * sizeof *j->port);
	add_outputs(j, false);
	if (!j->nout)
		add_outputs(j, true);
	if (!j->nout) {
		diag_error(p->diag, NULL, "max-error", "no output of the program is a number that can be nearly right: --max-error has no meaning");
		diag_hint(p->diag, "leave it out");
	}
	return j->nout > 0;
}

bool
pass_budget(struct prog *p)
{
	if (p->role_bits && p->nrole_bits != N_ROLE) {
		diag_error(p->diag, NULL, "roles", "the program gives fraction bits of %d roles, there are %d", p->nrole_bits, (int)N_ROLE);
		return false;
	}
	if (!p->opt || !(p->opt->max_error > 0))
		return true;
	if (!gates_wants_mixed(p->opt)) {
		diag_error(p->diag, NULL, "max-error", "the gates of '%s' take values of one format: there are no fraction bits to choose", p->opt->gates);
		diag_hint(p->diag, "--gates=compact or --gates=auto; or --frac-bits=F for one format");
		return false;
	}
	struct budget_job j = { .p = p, .a = arena_new(), .opt = *p->opt, .objective = p->opt->objective };
	j.opt.max_error = 0;
	j.opt.verbose = false;
	j.opt.dump = j.opt.stop_after = NULL;
	j.opt.gates = gates_is_file(p->opt->gates ? p->opt->gates : "auto") ? p->opt->gates : "compact";
	for (int r = 0; r < N_ROLE; r++)
		j.table.bits[r] = (uint8_t)role_desc[r].bits;
	bool ok = find_outputs(&j) && measure_start(p, &j.machine, &j.net);
	for (int k = 0; ok && k < p->nin; k++)
		ok = examples_read(p, &j.ex, k, p->opt->calibrate);
	ok = ok && choose_bits(&j);
	arena_free(j.a);
	return ok;
}

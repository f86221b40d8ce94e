/* SPDX-License-Identifier: Apache-2.0
 * budget_search.c -- the cheapest fraction bits of roles with an estimated error within a target.
 *
 * What bits cost is not modelled where it decides: copies of the program get the bits, go through all later passes, and what
 * the whole program takes is compared, as choose.c does.  First each role alone goes to its bounds: this says what a bit of
 * it costs, which bits are possible at all, and which values it decides.  Then, from the most bits of all roles down, the bit
 * goes that saves most for the error it adds, as long as the estimate stays within the target; costs are taken as linear here.
 * For convex costs no bits with the same error cost less.  What is left are bits that do not fit: the end is improved by
 * changes of one role or two, with exact costs.
 *
 * Takes 21 copies for the bounds, or some more, and at most MOST_TRIALS in all.
 */
#include <math.h>
#include <string.h>
#include "passes/budget_priv.h"

enum { FEWER = 6, MORE = 6, FEWEST = 2, MOST_TRIALS = 300, MOST_STEPS = 600000 };

/* ---- one program ------------------------------------------------------------------------ */

void
budget_copy_start(struct budget_job *j, struct trial_copy *t, const struct role_set *at)
{
	trial_copy_start(t, j->p);
	struct role_set *own = arena_alloc(t->p->arena, sizeof *own);
	*own = *at;
	t->p->opt = &j->opt;
	t->p->role_bits = own->bits;
	t->p->nrole_bits = N_ROLE;
}

static bool
is_matrix(const struct prog *p, const struct val *v)
{
	for (const struct node *n = p->first; n; n = n->next)
		if ((n->op == OP_matmul || n->op == OP_mul) && (n->in[0] == v || n->in[1] == v))
			return true;
	return false;
}

/* How the value of the program in rings is rounded to its format. */
static enum source_kind
kind_of(const struct prog *original, const struct val *before, const struct val *v)
{
	const struct node *n = v->def;
	if (v->data)
		return v->type.sec == SEC_WEIGHT && v->dtype == DT_F32 && is_matrix(original, before) ? SOURCE_NEAREST : SOURCE_NONE;
	if (v->dtype != DT_F32)
		return SOURCE_NONE;
	if (!n)
		return v->nuse ? SOURCE_NEAREST : SOURCE_NONE;
	switch (n->op) {
	case OP_embedding: return SOURCE_NEAREST;
	case OP_rescale: return ir_int(n, ATTR_shift) > 0 ? SOURCE_STEP : SOURCE_NONE;
	case OP_softmax: case OP_softmax_tril: case OP_layernorm: case OP_rmsnorm:
	case OP_gelu: case OP_silu: case OP_tanh: case OP_sigmoid: case OP_erf: case OP_act: return SOURCE_STEP;
	default: return SOURCE_NONE;
	}
}

static struct trial_point *
new_point(struct budget_job *j, const struct role_set *at)
{
	if (j->npoint == j->cap) {
		struct trial_point **longer = arena_alloc(j->a, 2 * ((size_t)j->cap + 16) * sizeof *longer);
		if (j->npoint)
			memcpy(longer, j->point, (size_t)j->npoint * sizeof *longer);
		j->point = longer;
		j->cap = 2 * (j->cap + 16);
	}
	struct trial_point *t = j->point[j->npoint++] = arena_alloc(j->a, sizeof *t);
	t->at = *at;
	return t;
}

/* Of one simulated run on a reference machine, so that it is the same everywhere. */
static double
run_time(const struct prog *p)
{
	struct machine reference;
	struct network net;
	struct prediction time;
	machine_reference(&reference);
	if (!network_parse("loopback", &net) || !predict(p, &reference, &net, &time))
		BUG("a copy without a schedule");
	return time.keygen_ms + time.compute_ms;
}

const struct trial_point *
budget_try(struct budget_job *j, const struct role_set *at, uint8_t *fracs, enum source_kind *kinds)
{
	for (int k = 0; k < j->npoint && !fracs; k++)
		if (!memcmp(&j->point[k]->at, at, sizeof *at))
			return j->point[k];
	struct trial_point *t = new_point(j, at);
	struct trial_copy copy;
	budget_copy_start(j, &copy, at);
	j->opt.stop_after = "rings";
	bool ok = run_passes_after(copy.p, "budget", &j->opt, NULL);
	for (int k = 0; ok && fracs && k < j->p->nvals; k++) {
		fracs[k] = copy.p->vals[k]->type.frac;
		if (kinds)
			kinds[k] = kind_of(j->p, j->p->vals[k], copy.p->vals[k]);
	}
	j->opt.stop_after = NULL;
	if (ok && run_passes_after(copy.p, "rings", &j->opt, NULL) && !diag_errors(copy.d)) {
		t->all = measure_of(copy.p, &j->machine, &j->net, &j->steps);
		t->run_ms = run_time(copy.p);
	}
	t->why_not = trial_copy_end(&copy, t->all.possible ? NULL : j->a);
	return t;
}

/* ---- bounds ------------------------------------------------------------------------------ */

/* What is made least, as one number. */
static double
cost_of(const struct budget_job *j, const struct measure *m)
{
	return j->objective == LEAST_TIME ? m->online_ms : j->objective == LEAST_KEY ? (double)m->keys : (double)m->comm;
}

/* The role alone, from `bits` towards the table's as far as needed; NULL: the table's it is. */
static const struct trial_point *
farthest(struct budget_job *j, int role, int bits, uint8_t *fracs)
{
	for (const int by = bits < j->table.bits[role] ? 1 : -1; bits != j->table.bits[role]; bits += by) {
		struct role_set at = j->table;
		at.bits[role] = (uint8_t)bits;
		const struct trial_point *t = budget_try(j, &at, fracs, NULL);
		if (t->all.possible)
			return t;
	}
	return NULL;
}

static void
add_sources(struct budget_job *j, const enum source_kind *kind, const uint8_t *frac)
{
	j->source = arena_alloc(j->a, ((size_t)j->p->nvals + 1) * sizeof *j->source);
	for (int k = 0; k < j->p->nvals; k++)
		if (kind[k] != SOURCE_NONE)
			j->source[j->nsource++] = (struct source){ .value = k, .kind = kind[k], .frac = frac[k], .count = (double)ir_count(j->p->vals[k]) };
}

bool
budget_bounds(struct budget_job *j, const char **why)
{
	const size_t n = (size_t)j->p->nvals + 1;
	uint8_t *frac = arena_alloc(j->a, n), *high = arena_alloc(j->a, n);
	enum source_kind *kind = arena_alloc(j->a, n * sizeof *kind);
	const struct trial_point *table = budget_try(j, &j->table, frac, kind);
	if (!table->all.possible) {
		*why = table->why_not;
		return false;
	}
	add_sources(j, kind, frac);
	for (int r = 0; r < N_ROLE; r++) {
		const int from = j->table.bits[r], low = from - FEWER > FEWEST ? from - FEWER : FEWEST;
		const struct trial_point *up = farthest(j, r, from + MORE, high), *down = farthest(j, r, low, NULL);
		j->most[r] = up ? up->at.bits[r] : from;
		j->least[r] = down ? down->at.bits[r] : from;
		j->slope[r][0] = down ? (cost_of(j, &table->all) - cost_of(j, &down->all)) / (from - j->least[r]) : 0;
		j->slope[r][1] = up ? (cost_of(j, &up->all) - cost_of(j, &table->all)) / (j->most[r] - from) : 0;
		for (int k = 0; up && k < j->nsource; k++) {
			struct source *s = &j->source[k];
			const int more = high[s->value] - frac[s->value];
			if (more <= 0)
				continue;
			s->roles |= 1u << r;
			s->slack[r] = (uint8_t)(more < j->most[r] - from ? j->most[r] - from - more : 0);
		}
	}
	return true;
}

/* ---- the search ---------------------------------------------------------------------------- */

bool
budget_is_used(const struct budget_job *j, int role)
{
	for (int k = 0; k < j->nsource; k++)
		if (j->source[k].roles >> role & 1)
			return true;
	return false;
}

/* From all bits down. */
static void
descend(const struct budget_job *j, double target, struct role_set *at)
{
	for (;;) {
		const double now = budget_estimate(j, at);
		int best = -1;
		double most = 0;
		for (int r = 0; r < N_ROLE; r++) {
			struct role_set next = *at;
			if (at->bits[r] <= j->least[r])
				continue;
			next.bits[r]--;
			const double then = budget_estimate(j, &next), saved = fmax(j->slope[r][at->bits[r] > j->table.bits[r]], 0);
			const double gain = (saved + 1e-9) / (then * then - now * now + 1e-30);
			if (then > target || gain <= most)
				continue;
			most = gain;
			best = r;
		}
		if (best < 0)
			return;
		at->bits[best]--;
	}
}

static bool
in_bounds(const struct budget_job *j, int role, int bits)
{
	return bits >= j->least[role] && bits <= j->most[role];
}

/* One change of one role or two that makes the program cheaper within the target. */
static bool
improve(struct budget_job *j, double target, const struct trial_point **now)
{
	static const int8_t change[][2] = { { -1, 0 }, { -1, -1 }, { -1, 1 }, { -2, 1 }, { -1, 2 }, { 1, -1 }, { -2, 2 } };
	for (size_t c = 0; c < sizeof change / sizeof *change; c++)
		for (int a = 0; a < N_ROLE; a++)
			for (int b = 0; b < (change[c][1] ? N_ROLE : 1); b++) {
				struct role_set at = (*now)->at;
				if ((change[c][1] && a == b) || !in_bounds(j, a, at.bits[a] + change[c][0]) || (change[c][1] && !in_bounds(j, b, at.bits[b] + change[c][1])))
					continue;
				at.bits[a] = (uint8_t)(at.bits[a] + change[c][0]);
				at.bits[b] = (uint8_t)(at.bits[b] + change[c][1]);
				if (budget_estimate(j, &at) > target)
					continue;
				if (j->npoint >= MOST_TRIALS || j->steps >= MOST_STEPS)
					return false;
				const struct trial_point *t = budget_try(j, &at, NULL, NULL);
				if (measure_compare(j->objective, &t->all, &(*now)->all) < 0) {
					*now = t;
					return true;
				}
			}
	return false;
}

/* Bits that are possible one by one may not be together: then roles take one bit more in turn, as long as that is possible. */
bool
budget_strictest(struct budget_job *j, struct role_set *at)
{
	struct role_set all = j->table;
	for (int r = 0; r < N_ROLE; r++)
		if (budget_is_used(j, r))
			all.bits[r] = (uint8_t)j->most[r];
	*at = all;
	if (budget_try(j, &all, NULL, NULL)->all.possible)
		return true;
	*at = j->table;
	for (int more = 1; more <= MORE; more++)
		for (int r = 0; r < N_ROLE; r++) {
			struct role_set next = *at;
			if (next.bits[r] != j->table.bits[r] + more - 1 || next.bits[r] >= all.bits[r])
				continue;
			next.bits[r]++;
			if (budget_try(j, &next, NULL, NULL)->all.possible)
				*at = next;
		}
	return budget_try(j, at, NULL, NULL)->all.possible;
}

bool
budget_cheapest(struct budget_job *j, double target, struct role_set *to)
{
	struct role_set at;
	if (!budget_strictest(j, &at) || budget_estimate(j, &at) > target)
		return false;
	const struct trial_point *now = budget_try(j, &at, NULL, NULL);
	descend(j, target, &at);
	const struct trial_point *end = budget_try(j, &at, NULL, NULL);
	if (end->all.possible)
		now = end;
	while (improve(j, target, &now))
		;
	*to = now->at;
	return true;
}

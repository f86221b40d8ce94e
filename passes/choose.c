/* SPDX-License-Identifier: Apache-2.0
 * choose.c -- chooses gates by what the whole program takes.
 *
 * An assignment gives every group of alike operations (choose_groups.c) one of its
 * gates.  It is measured on a copy of the program: the gates are bound, the
 * remaining passes run, and the steps' exact costs and the predicted time are
 * taken.  So all that gates do to one another counts: deferred truncations,
 * joined openings, rounds in parallel.
 *
 * The search starts from each of the sets, wherever it has gates, and changes one
 * group at a time, then two neighbours at a time, as long as the program takes
 * less; the best end counts.  It looks at no clock: the same program, options and
 * machine constants give the same gates.  MAX_STEPS bounds its work.
 *
 * The choice rests on shapes, widths and ranges: in the copies the values of
 * weights are marked unknown, and inputs have none.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "passes/choose_priv.h"
#include "passes/predict.h"

/* Steps of all programs that are tried in the search, unless these are few; as many again over EXPLAIN for what the report shows. */
enum { MAX_STEPS = 800000, MIN_TRIALS = 32, EXPLAIN = 4 };

const char *const objective_name[] = { "time", "comm", "key", "rounds", NULL };

struct trial { uint8_t *pick; struct measure all; const char *why_not; };

struct chooser {
	struct prog *p;
	struct arena *a;                 /* of this search alone, but for what p->choice shows */
	struct groups g;
	struct machine machine;
	struct network net;
	enum objective objective;
	struct trial **trial; int ntrial, cap; /* of the present groups */
	int trials;                      /* all of them */
	int64_t steps, most;
	bool stopped;                    /* the bound was reached */
	uint8_t *twin;                   /* by group and option: the first option that took the same in all measures */
	uint8_t *now, *other;            /* by group: the option that is taken; scratch */
	const struct trial *best;        /* that of `now` */
};

/* ---- measures ---------------------------------------------------------------------- */

/* The objective, then the others in this order: bytes sent, bytes of keys, rounds, time. */
int
measure_compare(enum objective objective, const struct measure *a, const struct measure *b)
{
	static const enum objective rest[] = { LEAST_COMM, LEAST_KEY, LEAST_ROUNDS, LEAST_TIME };
	const double x[] = { round(a->online_ms * 1e6), (double)a->comm, (double)a->keys, a->rounds }; /* whole ns, bytes < 2^53 */
	const double y[] = { round(b->online_ms * 1e6), (double)b->comm, (double)b->keys, b->rounds };
	if (a->possible != b->possible || !a->possible)
		return b->possible - a->possible;
	if (x[objective] != y[objective])
		return x[objective] < y[objective] ? -1 : 1;
	for (int k = 0; k < MEASURES; k++)
		if (x[rest[k]] != y[rest[k]])
			return x[rest[k]] < y[rest[k]] ? -1 : 1;
	return 0;
}

/* ---- one trial ------------------------------------------------------------------------ */

static void
use_gate(struct node *n, const struct gate *g)
{
	n->gate = g;
	n->klass = g->klass;
}

/* The first error, without its place. */
static const char *
first_error(struct arena *a, const char *log)
{
	const char *text = strstr(log, "error: ");
	text = text ? text + 7 : log;
	size_t n = strcspn(text, "\n");
	const char *code = text;
	for (const char *s = text; s < text + n; s++)
		if (s[0] == ' ' && s[1] == '[')
			code = s;
	return arena_printf(a, "%.*s", (int)(code > text ? (size_t)(code - text) : n), text);
}

void
trial_copy_start(struct trial_copy *t, const struct prog *p)
{
	*t = (struct trial_copy){0};
	t->to = open_memstream(&t->log, &t->size);
	if (!t->to)
		arena_out_of_memory(0);
	t->d = diag_new(t->to, false);
	diag_quiet(t->d, true);
	t->p = ir_clone(p, t->d);
	for (int k = 0; k < t->p->nvals; k++)
		t->p->vals[k]->absent |= t->p->vals[k]->data && t->p->vals[k]->type.sec == SEC_WEIGHT;
}

const char *
trial_copy_end(struct trial_copy *t, struct arena *a)
{
	ir_free(t->p);
	diag_free(t->d);
	fclose(t->to);
	const char *reason = a ? first_error(a, t->log) : NULL;
	free(t->log);
	return reason;
}

struct measure
measure_of(const struct prog *p, const struct machine *machine, const struct network *net, int64_t *steps)
{
	struct cost cost;
	struct prediction time;
	prog_cost(p, &cost);
	if (!predict(p, machine, net, &time))
		BUG("a copy without a schedule");
	*steps += (int64_t)cost.steps;
	return (struct measure){ .possible = true, .online_ms = time.online_ms, .comm = cost.total.sent[0] + cost.total.sent[1],
	                         .keys = cost.total.key[0] + cost.total.key[1], .rounds = cost.total.rounds };
}

static void
run_trial(struct chooser *c, struct trial *t)
{
	struct trial_copy copy;
	trial_copy_start(&copy, c->p);
	struct prog *p = copy.p;
	int i = 0;
	for (struct node *n = p->first; n; n = n->next, i++)
		if (c->g.of[i] >= 0)
			use_gate(n, c->g.v[c->g.of[i]].gate[t->pick[c->g.of[i]]]);
	p->stage = STAGE_GATE;
	c->steps += c->g.nnode;
	c->trials++;
	if (run_passes_unchecked(p))
		t->all = measure_of(p, &c->machine, &c->net, &c->steps);
	t->why_not = trial_copy_end(&copy, t->all.possible ? NULL : c->p->arena);
}

static struct trial *
new_trial(struct chooser *c)
{
	if (c->ntrial == c->cap) {
		struct trial **longer = arena_alloc(c->a, 2 * ((size_t)c->cap + 16) * sizeof *longer);
		if (c->ntrial)
			memcpy(longer, c->trial, (size_t)c->ntrial * sizeof *longer);
		c->trial = longer;
		c->cap = 2 * (c->cap + 16);
	}
	return c->trial[c->ntrial++] = arena_alloc(c->a, sizeof(struct trial));
}

/* The program with these options; measured once.  NULL: the bound is reached. */
static const struct trial *
try(struct chooser *c, const uint8_t *pick)
{
	const size_t bytes = (size_t)c->g.n;
	for (int k = 0; k < c->ntrial; k++)
		if (!memcmp(c->trial[k]->pick, pick, bytes))
			return c->trial[k];
	if (c->steps >= c->most && c->trials >= MIN_TRIALS) {
		c->stopped = true;
		return NULL;
	}
	struct trial *t = new_trial(c);
	t->pick = arena_alloc(c->a, bytes);
	memcpy(t->pick, pick, bytes);
	run_trial(c, t);
	return t;
}

/* ---- the search ------------------------------------------------------------------------------ */

static uint8_t *
twin_of(struct chooser *c, int g, int k)
{
	return &c->twin[g * ngates + k];
}

/* Two sets may name the same gate: what once took the same here is not tried again. */
static bool
same_gate(struct chooser *c, int g, int k)
{
	return *twin_of(c, g, k) == *twin_of(c, g, c->now[g]);
}

static void
note_twins(struct chooser *c, int g, int k)
{
	const uint8_t a = *twin_of(c, g, k), b = *twin_of(c, g, c->now[g]), first = a < b ? a : b;
	for (int i = 0; i < c->g.v[g].ngate; i++)
		if (*twin_of(c, g, i) == a || *twin_of(c, g, i) == b)
			*twin_of(c, g, i) = first;
}

/* Takes c->other, if it is better.  *equal: it is neither better nor worse. */
static bool
take_better(struct chooser *c, bool *equal)
{
	const struct trial *t = try(c, c->other);
	const int order = t ? measure_compare(c->objective, &t->all, &c->best->all) : 1;
	*equal = order == 0 && t->all.possible;
	if (order >= 0)
		return false;
	c->best = t;
	memcpy(c->now, c->other, (size_t)c->g.n);
	return true;
}

/* Each group's best gate, the others as they are. */
static bool
change_one(struct chooser *c)
{
	bool changed = false, equal;
	for (int g = 0; g < c->g.n; g++)
		for (int k = 0; k < c->g.v[g].ngate; k++) {
			if (same_gate(c, g, k))
				continue;
			memcpy(c->other, c->now, (size_t)c->g.n);
			c->other[g] = (uint8_t)k;
			changed |= take_better(c, &equal);
			if (equal)
				note_twins(c, g, k);
		}
	return changed;
}

/* Two neighbours that gain only together. */
static bool
change_two(struct chooser *c)
{
	bool changed = false, equal;
	for (int i = 0; i < c->g.npair; i++) {
		const struct pair p = c->g.pair[i];
		for (int k = 0; k < c->g.v[p.a].ngate * c->g.v[p.b].ngate; k++) {
			const int a = k / c->g.v[p.b].ngate, b = k % c->g.v[p.b].ngate;
			if (same_gate(c, p.a, a) || same_gate(c, p.b, b))
				continue;
			memcpy(c->other, c->now, (size_t)c->g.n);
			c->other[p.a] = (uint8_t)a;
			c->other[p.b] = (uint8_t)b;
			changed |= take_better(c, &equal);
		}
	}
	return changed;
}

/* From c->now, down to where no change helps. */
static void
descend(struct chooser *c)
{
	c->best = try(c, c->now);
	if (!c->best)
		return;
	do
		while (change_one(c))
			;
	while (change_two(c));
}

/* The set's gates wherever it has some, first ones elsewhere. */
static void
pick_set(struct chooser *c, const char *set, uint8_t *pick)
{
	for (int g = 0; g < c->g.n; g++) {
		pick[g] = 0;
		for (int k = c->g.v[g].ngate - 1; k >= 0; k--)
			if (!strcmp(c->g.v[g].gate[k]->set, set))
				pick[g] = (uint8_t)k;
	}
}

/* Gates that cannot be used are those of `good` instead. */
static void
repair(struct chooser *c, uint8_t *pick, const uint8_t *good)
{
	for (int g = 0; g < c->g.n; g++) {
		if (pick[g] == good[g])
			continue;
		memcpy(c->other, good, (size_t)c->g.n);
		c->other[g] = pick[g];
		const struct trial *t = try(c, c->other);
		if (t && !t->all.possible)
			pick[g] = good[g];
	}
}

/* The k-th set whose gates suit the formats of the program's values */
static const char *
set_of(const struct prog *p, int k)
{
	const char *set;
	for (int i = 0; (set = gates_set(i)); i++)
		if (gate_is_mixed(set) == p->mixed && k-- == 0)
			return set;
	return NULL;
}

/* The sets' own costs; the best of them. */
static int
best_set(struct chooser *c, struct choice *out)
{
	const char *set;
	int best = 0;
	while (set_of(c->p, out->nset))
		out->nset++;
	out->set = arena_alloc(c->p->arena, (size_t)out->nset * sizeof *out->set);
	for (int k = 0; (set = set_of(c->p, k)); k++) {
		pick_set(c, set, c->other);
		const struct trial *t = try(c, c->other);
		out->set[k] = (struct choice_set){ .set = set, .tried = t };
		if (!t)
			continue;
		out->set[k].all = t->all;
		out->set[k].why_not = t->why_not;
		if (measure_compare(c->objective, &t->all, &out->set[best].all) < 0)
			best = k;
	}
	return best;
}

/* From each of the sets, the best one first. */
static void
search(struct chooser *c, struct choice *out)
{
	const size_t bytes = (size_t)c->g.n;
	const int best = best_set(c, out);
	uint8_t *good = arena_alloc(c->a, bytes), *result = arena_alloc(c->a, bytes);
	pick_set(c, out->set[best].set, good);
	memcpy(c->now, good, bytes);
	descend(c);
	const struct trial *found = c->best;
	memcpy(result, c->now, bytes);
	for (int k = 0; k < out->nset; k++) {
		if (k == best || !out->set[k].tried)
			continue;
		pick_set(c, out->set[k].set, c->now);
		if (!out->set[k].all.possible)
			repair(c, c->now, good);
		descend(c);
		if (c->best && measure_compare(c->objective, &c->best->all, &found->all) < 0) {
			found = c->best;
			memcpy(result, c->now, bytes);
		}
	}
	c->best = found;
	memcpy(c->now, result, bytes);
}

/* ---- groups --------------------------------------------------------------------------------------- */

static void
forget_trials(struct chooser *c)
{
	const size_t bytes = (size_t)c->g.n + 1;
	c->now = arena_alloc(c->a, bytes);
	c->other = arena_alloc(c->a, bytes);
	c->twin = arena_alloc(c->a, (size_t)c->g.n * (size_t)ngates + 1);
	for (int g = 0; g < c->g.n; g++)
		for (int k = 0; k < c->g.v[g].ngate; k++)
			*twin_of(c, g, k) = (uint8_t)k;
	c->best = NULL;
	c->ntrial = 0;
}

/* A gate that cannot be used in a group may serve those of its nodes whose ranges are smaller: they become groups of their own. */
static bool
split_by_range(struct chooser *c)
{
	bool split = false;
	for (int g = 0; g < c->g.n; g++)
		for (int k = 0; k < c->g.v[g].ngate; k++) {
			memcpy(c->other, c->now, (size_t)c->g.n);
			c->other[g] = (uint8_t)k;
			const struct trial *t = c->g.v[g].ranges_differ ? try(c, c->other) : NULL;
			for (int i = 0; i < c->g.nnode && t && !t->all.possible; i++)
				if (c->g.of[i] == g)
					split = c->g.by_range[i] = true;
		}
	if (!split)
		return false;
	uint8_t *by_node = arena_alloc(c->a, (size_t)c->g.nnode);
	for (int i = 0; i < c->g.nnode; i++)
		by_node[i] = c->g.of[i] < 0 ? 0 : c->now[c->g.of[i]];
	groups_make(&c->g, c->a, c->p);
	forget_trials(c);
	for (int i = 0; i < c->g.nnode; i++)
		if (c->g.of[i] >= 0)
			c->now[c->g.of[i]] = by_node[i];
	return true;
}

/* ---- what was chosen -------------------------------------------------------------------------------- */

static const char *
shape_text(struct arena *a, const struct val *v)
{
	const char *s = "";
	for (int k = 0; k < v->rank; k++)
		s = arena_printf(a, "%s%s%lld", s, k ? "x" : "", (long long)v->dim[k]);
	return s;
}

static void
explain_group(struct chooser *c, int g, struct choice_group *out)
{
	const struct group *v = &c->g.v[g];
	struct arena *a = c->p->arena;
	*out = (struct choice_group){ .op = op_desc[v->first->op].name, .shape = shape_text(a, v->first->in[0]), .nodes = v->nodes, .taken = c->now[g],
		.node = v->first->loc.node ? v->first->loc.node : v->first->out[0]->name, .n = v->ngate, .option = arena_alloc(a, (size_t)v->ngate * sizeof *out->option) };
	for (int k = 0; k < v->ngate; k++) {
		memcpy(c->other, c->now, (size_t)c->g.n);
		c->other[g] = (uint8_t)k;
		const struct trial *t = try(c, c->other);
		out->option[k] = (struct choice_option){ .gate = v->gate[k], .tried = t };
		if (t) {
			out->option[k].all = t->all;
			out->option[k].why_not = t->why_not;
		}
	}
}

static void
explain(struct chooser *c, struct choice *out)
{
	out->objective = c->objective;
	out->network = arena_strdup(c->p->arena, c->net.name);
	out->cpu = c->machine.measured ? arena_strdup(c->p->arena, c->machine.cpu) : NULL;
	out->all = c->best->all;
	out->complete = !c->stopped;
	out->ngroup = c->g.n;
	out->group = arena_alloc(c->p->arena, (size_t)c->g.n * sizeof *out->group);
	for (int g = 0; g < c->g.n; g++)
		explain_group(c, g, &out->group[g]);
	out->trials = c->trials;
}

bool
measure_start(struct prog *p, struct machine *machine, struct network *net)
{
	const struct options *o = p->opt;
	const char *network = o && o->network ? o->network : "lan";
	if (!network_parse(network, net))
		BUG("the network '%s' was not checked", network);
	char why[256];
	if (machine_try(o ? o->machine : NULL, machine, why))
		return true;
	if (o && o->machine)
		diag_error(p->diag, NULL, "machine", "%s", why);
	else
		diag_warning(p->diag, NULL, "machine", "%s; gates are chosen for a reference machine", why);
	diag_hint(p->diag, "measure this machine again: sufc calibrate-machine");
	return !(o && o->machine);
}

bool
choose_gates(struct prog *p)
{
	struct chooser c = { .p = p, .a = arena_new(), .most = MAX_STEPS };
	struct choice *out = arena_alloc(p->arena, sizeof *out);
	bool ok = measure_start(p, &c.machine, &c.net);
	c.objective = p->opt ? p->opt->objective : LEAST_TIME;
	if (ok) {
		groups_init(&c.g, c.a, p);
		forget_trials(&c);
		search(&c, out);
		if (split_by_range(&c))
			descend(&c);
		c.most += MAX_STEPS / EXPLAIN;
		explain(&c, out);
		for (int i = 0; i < c.g.nnode; i++)
			if (c.g.of[i] >= 0)
				use_gate(c.g.node[i], c.g.v[c.g.of[i]].gate[c.now[c.g.of[i]]]);
		if (p->choice) {                 /* what choose_formats found */
			out->set = p->choice->set;
			out->nset = p->choice->nset;
			out->trials += p->choice->trials;
		}
		p->choice = out;
	}
	arena_free(c.a);
	return ok;
}

struct choice *
choice_copy(struct arena *a, const struct choice *from)
{
	struct choice *c = arena_alloc(a, sizeof *c);
	*c = *from;
	c->network = arena_strdup(a, from->network);
	c->cpu = from->cpu ? arena_strdup(a, from->cpu) : NULL;
	c->group = arena_alloc(a, (size_t)c->ngroup * sizeof *c->group);
	c->set = arena_alloc(a, (size_t)c->nset * sizeof *c->set);
	for (int k = 0; k < c->nset; k++) {
		c->set[k] = from->set[k];
		c->set[k].why_not = c->set[k].why_not ? arena_strdup(a, c->set[k].why_not) : NULL;
	}
	for (int g = 0; g < c->ngroup; g++) {
		struct choice_group *to = &c->group[g];
		*to = from->group[g];
		to->shape = arena_strdup(a, to->shape);
		to->node = arena_strdup(a, to->node);
		to->option = arena_alloc(a, (size_t)to->n * sizeof *to->option);
		for (int k = 0; k < to->n; k++) {
			to->option[k] = from->group[g].option[k];
			to->option[k].why_not = to->option[k].why_not ? arena_strdup(a, to->option[k].why_not) : NULL;
		}
	}
	return c;
}

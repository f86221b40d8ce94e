/* SPDX-License-Identifier: Apache-2.0
 * report_choice.c -- which gates --gates=auto chose and what the others would take, as text and as JSON.
 */
#include <math.h>
#include <stdlib.h>
#include "frontend/compare.h"
#include "frontend/report.h"

enum { GROUP = 44, GATE = 22 };

const char *
choice_objective(const struct choice *c)
{
	static const char *const text[] = { "the least time", "the fewest bytes sent", "the shortest keys", "the fewest rounds" };
	return text[c->objective];
}

const char *
choice_group_name(struct arena *a, const struct choice_group *g)
{
	return arena_printf(a, "%s %s, %d node%s", g->op, g->shape, g->nodes, g->nodes == 1 ? "" : "s");
}

const char *
choice_gate_name(struct arena *a, const struct gate *g)
{
	return arena_printf(a, "%s.%s", g->set, g->name);
}

struct change
choice_change(const struct measure *from, const struct measure *to)
{
	return (struct change){ .key = ((double)to->keys - (double)from->keys) / 2, .comm = (double)to->comm - (double)from->comm,
	                        .rounds = (double)to->rounds - (double)from->rounds, .ms = to->online_ms - from->online_ms };
}

/* ---- text ---------------------------------------------------------------------- */

/* "+1.2 MB"; nothing for no change. */
static void
put_change(FILE *to, double x, const char *(*unit)(double, char *))
{
	char number[24], text[32];
	snprintf(text, sizeof text, x == 0 ? "=" : "%c%s", x < 0 ? '-' : '+', unit(fabs(x), number));
	fprintf(to, " %12s", text);
}

static const char *
whole(double x, char *text)
{
	snprintf(text, 24, "%.0f", x);
	return text;
}

static void
put_other(FILE *to, const char *gate, bool tried, const struct measure *all, const char *why_not, const struct measure *now)
{
	fprintf(to, "%-*s%-*s", GROUP, "", GATE, gate);
	if (!tried || !all->possible) {
		fprintf(to, " %s%s\n", tried ? "not possible: " : "not tried", tried ? why_not : "");
		return;
	}
	struct change d = choice_change(now, all);
	put_change(to, d.key, unit_bytes);
	put_change(to, d.comm, unit_bytes);
	put_change(to, d.rounds, whole);
	put_change(to, d.ms, unit_time);
	fputc('\n', to);
}

static void
put_program(FILE *to, const struct choice *c)
{
	char key[24], comm[24], ms[24];
	fprintf(to, "%-*s%-*s %12s %12s %12u %12s\n", GROUP, "the whole program", GATE, "as chosen", unit_bytes((double)c->all.keys / 2, key),
	        unit_bytes((double)c->all.comm, comm), c->all.rounds, unit_time(c->all.online_ms, ms));
	for (int k = 0; k < c->nset; k++)
		put_other(to, c->set[k].set, c->set[k].tried, &c->set[k].all, c->set[k].why_not, &c->all);
}

/* Does it matter which gate it is? */
static bool
matters(const struct choice *c, const struct choice_group *g)
{
	for (int k = 0; k < g->n; k++)
		if (!g->option[k].tried || measure_compare(c->objective, &g->option[k].all, &c->all))
			return true;
	return false;
}

static void
put_group(FILE *to, const struct choice *c, const struct choice_group *g, struct arena *a)
{
	fprintf(to, "%-*s%-*s  first: %s\n", GROUP, choice_group_name(a, g), GATE, choice_gate_name(a, g->option[g->taken].gate), g->node);
	for (int k = 0; k < g->n; k++)
		if (k != g->taken)
			put_other(to, choice_gate_name(a, g->option[k].gate), g->option[k].tried, &g->option[k].all, g->option[k].why_not, &c->all);
}

void
report_choice(const struct choice *c, FILE *to)
{
	struct arena *a = arena_new();
	fprintf(to, "\nGates were chosen for %s of one run; times: %s, %s; %d programs were tried.\n"
	            "A line below a group: the whole program with this gate in the group instead, compared with the choice.\n",
	        choice_objective(c), c->network, c->cpu ? c->cpu : "a reference machine", c->trials);
	if (!c->complete)
		fputs("The bound on programs to try was reached: there may be better choices.\n", to);
	fprintf(to, "\n%-*s%-*s %12s %12s %12s %12s\n", GROUP, "group", GATE, "gate", "key, mean", "sent by both", "rounds", "time");
	put_program(to, c);
	int same = 0;
	for (int g = 0; g < c->ngroup; g++)
		if (matters(c, &c->group[g]))
			put_group(to, c, &c->group[g], a);
		else
			same++;
	if (same)
		fprintf(to, "%d more group%s, for which all gates take the same\n", same, same == 1 ? "" : "s");
	arena_free(a);
}

/* ---- JSON ------------------------------------------------------------------------ */

static json_t *
decimal(double x)
{
	return json_real(round(x * 1e6) / 1e6);
}

/* what: "set" or "gate" */
static json_t *
other_json(const char *what, const char *name, bool tried, const struct measure *all, const char *why_not, const struct measure *now)
{
	if (!tried || !all->possible)
		return json_pack("{ss ss}", what, name, "not_possible", tried ? why_not : "not tried");
	struct change d = choice_change(now, all);
	return json_pack("{ss so sI sI so}", what, name, "key_bytes", decimal(d.key), "comm_bytes", (json_int_t)d.comm, "rounds", (json_int_t)d.rounds,
	                 "time_ms", decimal(d.ms));
}

static json_t *
group_json(const struct choice *c, const struct choice_group *g, struct arena *a)
{
	json_t *others = json_array();
	for (int k = 0; k < g->n; k++)
		if (k != g->taken)
			json_array_append_new(others, other_json("gate", choice_gate_name(a, g->option[k].gate), g->option[k].tried, &g->option[k].all,
			                                         g->option[k].why_not, &c->all));
	return json_pack("{ss ss si ss ss so}", "op", g->op, "shape", g->shape, "nodes", g->nodes, "first_node", g->node,
	                 "gate", choice_gate_name(a, g->option[g->taken].gate), "instead", others);
}

json_t *
choice_json(const struct choice *c)
{
	struct arena *a = arena_new();
	json_t *groups = json_array(), *sets = json_array();
	for (int k = 0; k < c->nset; k++)
		json_array_append_new(sets, other_json("set", c->set[k].set, c->set[k].tried, &c->set[k].all, c->set[k].why_not, &c->all));
	for (int g = 0; g < c->ngroup; g++)
		json_array_append_new(groups, group_json(c, &c->group[g], a));
	arena_free(a);
	return json_pack("{ss ss sb si sb so so}", "objective", objective_name[c->objective], "network", c->network, "machine_measured", c->cpu != NULL,
	                 "programs_tried", c->trials, "complete", c->complete, "sets", sets, "groups", groups);
}

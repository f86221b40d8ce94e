/* SPDX-License-Identifier: Apache-2.0
 * compare_html_gates.c -- the section on gates that were chosen.
 */
#include <math.h>
#include "frontend/compare_html.h"
#include "frontend/report.h"

static const char *
whole(double x, char *text)
{
	snprintf(text, 24, "%.0f", x);
	return text;
}

static void
change(FILE *to, double x, const char *(*unit)(double, char *))
{
	char number[24];
	fprintf(to, "<td class=\"n\" data-v=\"%.6g\">%s%s</td>", x, x == 0 ? "" : x < 0 ? "&minus;" : "+", x == 0 ? "=" : unit(fabs(x), number));
}

/* One row: the whole program with another gate. */
static void
other(FILE *to, const char *group, const char *chosen, const char *gate, bool tried, const struct measure *all, const char *why_not, const struct measure *now)
{
	fputs("<tr><td class=\"name\">", to);
	html_text(to, group);
	fputs("</td><td class=\"one\">", to);
	html_text(to, chosen);
	fputs("</td><td class=\"one\">", to);
	html_text(to, gate);
	fputs("</td>", to);
	if (tried && all->possible) {
		struct change d = choice_change(now, all);
		change(to, d.key, unit_bytes);
		change(to, d.comm, unit_bytes);
		change(to, d.rounds, whole);
		change(to, d.ms, unit_time);
	} else {
		fputs("<td colspan=\"4\">", to);
		html_text(to, tried ? why_not : "not tried");
		fputs("</td>", to);
	}
	fputs("</tr>\n", to);
}

static void
choice(const struct comparison *c, FILE *to, const struct choice *x)
{
	fprintf(to, "<p>Chosen for %s of one answer; times: ", choice_objective(x));
	html_text(to, x->network);
	fprintf(to, ", %s. %d programs were tried%s.</p>\n", x->cpu ? "this machine" : "a reference machine", x->trials,
	        x->complete ? "" : ", the most that are allowed, so there may be better choices");
	fputs("<div class=\"wide tall\"><table class=\"sortable\"><thead><tr><th>Operations that are alike</th><th>Chosen</th><th>Instead</th><th class=\"n\">Key</th>"
	      "<th class=\"n\">Sent by both</th><th class=\"n\">Rounds</th><th class=\"n\">Time</th></tr></thead>\n<tbody>\n", to);
	for (int k = 0; k < x->nset; k++)
		other(to, "all", "", x->set[k].set, x->set[k].tried, &x->set[k].all, x->set[k].why_not, &x->all);
	for (int g = 0; g < x->ngroup; g++) {
		const struct choice_group *v = &x->group[g];
		for (int k = 0; k < v->n; k++)
			if (k != v->taken)
				other(to, choice_group_name(c->arena, v), choice_gate_name(c->arena, v->option[v->taken].gate),
				      choice_gate_name(c->arena, v->option[k].gate), v->option[k].tried, &v->option[k].all, v->option[k].why_not, &x->all);
	}
	fputs("</tbody></table></div>\n", to);
}

void
html_choices(const struct comparison *c, FILE *to)
{
	for (int k = 0; k < c->n; k++) {
		if (!c->v[k].choice)
			continue;
		fputs("<h2>Why these gates", to);
		if (c->n > 1) {
			fputs(", ", to);
			html_strategy_name(to, &c->v[k]);
		}
		fputs("</h2>\n<p>A gate is a way to compute an operation on masked numbers. Where there are several, sufc takes those with which the whole program takes least. "
		      "A row says how the whole program would change (key of a party, mean; bytes; rounds; time) if these operations had the other gate.</p>\n", to);
		choice(c, to, c->v[k].choice);
	}
}

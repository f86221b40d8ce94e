/* SPDX-License-Identifier: Apache-2.0
 * compare_html_budget.c -- the section on fraction bits that --max-error chose.
 */
#include "frontend/compare_html.h"
#include "frontend/report.h"

static void
program(FILE *to, const char *name, const struct measure *m, double error)
{
	char key[24], comm[24], ms[24];
	fprintf(to, "<tr><td>%s</td>", name);
	if (error >= 0)
		fprintf(to, "<td class=\"n\">%.3g</td>", error);
	else
		fputs("<td class=\"n\">not run</td>", to);
	fprintf(to, "<td class=\"n\">%s</td><td class=\"n\">%s</td><td class=\"n\">%u</td><td class=\"n\">%s</td></tr>\n", unit_bytes((double)m->keys / 2, key),
	        unit_bytes((double)m->comm, comm), m->rounds, unit_time(m->online_ms, ms));
}

static void
budget(const struct comparison *c, FILE *to, const struct budget *b)
{
	fprintf(to, "<p>Asked for: a relative error of at most %g; %s.</p>\n", b->asked, budget_basis(c->arena, b));
	fputs("<div class=\"wide\"><table><thead><tr><th>Fraction bits</th><th class=\"n\">Error</th><th class=\"n\">Key, mean</th><th class=\"n\">Sent by both</th>"
	      "<th class=\"n\">Rounds</th><th class=\"n\">Time</th></tr></thead>\n<tbody>\n", to);
	program(to, "usual ones", &b->table, b->table_measured);
	program(to, "chosen", &b->chosen, b->measured);
	fputs("</tbody></table></div>\n<div class=\"wide\"><table class=\"sortable\"><thead><tr><th>Numbers</th><th>Role</th><th class=\"n\">Usual bits</th>"
	      "<th class=\"n\">Chosen</th><th class=\"n\">Possible</th><th class=\"n\">Of the squared error</th></tr></thead>\n<tbody>\n", to);
	for (int k = 0; k < b->nrole; k++) {
		const struct budget_role *r = &b->role[k];
		if (r->used)
			fprintf(to, "<tr><td>%s</td><td>%s</td><td class=\"n\">%d</td><td class=\"n\">%d</td><td class=\"n\">%d to %d</td><td class=\"n\" data-v=\"%.6g\">%.1f %%</td></tr>\n",
			        r->doc, r->name, r->table, r->bits, r->least, r->most, r->share, 100 * r->share);
	}
	fputs("</tbody></table></div>\n", to);
}

void
html_budgets(const struct comparison *c, FILE *to)
{
	for (int k = 0; k < c->n; k++) {
		if (!c->v[k].budget)
			continue;
		fputs("<h2>How exact the answer is", to);
		if (c->n > 1) {
			fputs(", ", to);
			html_strategy_name(to, &c->v[k]);
		}
		fputs("</h2>\n<p>Numbers are rounded to some binary digits behind the point, their fraction bits. Fewer of them make keys and messages shorter and the answer "
		      "less exact. Here they were chosen so that the program takes least and its answer differs from that of the model by no more than was asked for, relative to its size.</p>\n", to);
		budget(c, to, c->v[k].budget);
	}
}

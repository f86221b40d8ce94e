/* SPDX-License-Identifier: Apache-2.0
 * compare_html_tables.c -- tables of nodes, steps and tensors.
 */
#include <string.h>
#include "frontend/compare_html.h"
#include "ir/text.h"

/* A number that sorts by its value: data-v. */
static void
number(FILE *to, double x, const char *(*unit)(double, char *))
{
	char text[24];
	fprintf(to, "<td class=\"n\" data-v=\"%.0f\">%s</td>", x, x > 0 ? unit(x, text) : "");
}

static void
text_cell(FILE *to, const char *text)
{
	fputs("<td class=\"one\">", to);
	html_text(to, text);
	fputs("</td>", to);
}

static const char *
whole(double x, char *text)
{
	snprintf(text, 24, "%.0f", x);
	return text;
}

static void
row_cells(FILE *to, const struct cost_row *r)
{
	number(to, (double)r->key[0], unit_bytes);
	number(to, (double)r->key[1], unit_bytes);
	number(to, (double)r->sent[0], unit_bytes);
	number(to, (double)r->sent[1], unit_bytes);
	number(to, r->rounds, whole);
	number(to, (double)r->prg[SUF_DEALER], unit_count);
	number(to, (double)r->prg[SUF_P0], unit_count);
	number(to, (double)r->prg[SUF_P1], unit_count);
	number(to, (double)r->mul_adds[SUF_P0], unit_count);
	number(to, (double)r->mul_adds[SUF_P1], unit_count);
}

static const char row_heads[] =
	"<th class=\"n\">Key, party 0</th><th class=\"n\">Key, party 1</th><th class=\"n\">Sent by party 0</th><th class=\"n\">Sent by party 1</th>"
	"<th class=\"n\">Rounds</th><th class=\"n\">AES, dealer</th><th class=\"n\">AES, party 0</th><th class=\"n\">AES, party 1</th>"
	"<th class=\"n\">Multiply-adds, party 0</th><th class=\"n\">Multiply-adds, party 1</th>";

/* A section that can be folded; one strategy needs no name. */
static void
open_details(const struct comparison *c, FILE *to, const struct strategy *s, const char *what, bool open)
{
	fprintf(to, "<details%s><summary>%s", open ? " open=\"open\"" : "", what);
	if (c->n > 1) {
		fputs(", gates ", to);
		html_strategy_name(to, s);
	}
	fputs("</summary>\n<div class=\"wide tall\"><table class=\"sortable\"><thead><tr>", to);
}

/* ---- nodes ----------------------------------------------------------------------- */

static void
node_row(FILE *to, const struct node_cost *n)
{
	fputs("<tr><td class=\"name\"><code>", to);
	html_text(to, *n->name ? n->name : "(input and output)");
	fputs("</code></td>", to);
	fprintf(to, "<td class=\"n\" data-v=\"%d\">", n->layer);
	if (n->layer >= 0)
		fprintf(to, "%d", n->layer);
	fputs("</td>", to);
	text_cell(to, n->op);
	fprintf(to, "<td class=\"one\"><span class=\"dot %s\"></span>%s</td>", n->klass, n->klass);
	row_cells(to, &n->row);
	text_cell(to, n->gate);
	fputs("</tr>\n", to);
}

void
html_nodes(const struct comparison *c, FILE *to)
{
	fputs("<h2>Every node of the model</h2>\n<p>What each node of the model file costs in one run. A node that needs both a product and its truncation has two rows. "
	      "A round in which several nodes send counts for each of them. A click on a heading sorts.</p>\n", to);
	for (int k = 0; k < c->n; k++) {
		const struct strategy *s = &c->v[k];
		open_details(c, to, s, "Nodes", k == 0);
		fprintf(to, "<th>Node</th><th class=\"n\">Layer</th><th>Operator</th><th>Class</th>%s<th>Gates</th></tr></thead>\n<tbody>\n", row_heads);
		for (int i = 0; i < s->nnode; i++)
			node_row(to, &s->node[i]);
		fputs("</tbody></table></div></details>\n", to);
	}
}

/* ---- steps ------------------------------------------------------------------------- */

void
html_steps(const struct comparison *c, FILE *to)
{
	fputs("<h2>Steps</h2>\n<p>The program is a list of elementary steps: local sums, products, comparisons, look-ups, openings. <code>docs/gates.md</code> says what each does.</p>\n", to);
	for (int k = 0; k < c->n; k++) {
		const struct strategy *s = &c->v[k];
		open_details(c, to, s, "Steps", false);
		fprintf(to, "<th>Step</th><th class=\"n\">How many</th>%s</tr></thead>\n<tbody>\n", row_heads);
		for (int i = 0; i < s->nstep; i++) {
			fprintf(to, "<tr><td class=\"one\"><code>%s</code></td>", s->step[i].name);
			number(to, (double)s->step[i].steps, whole);
			row_cells(to, &s->step[i].row);
			fputs("</tr>\n", to);
		}
		fputs("</tbody></table></div></details>\n", to);
	}
}

/* ---- tensors -------------------------------------------------------------------------- */

static void
tensor_row(FILE *to, const struct tensor_row *t)
{
	fputs("<tr><td class=\"name\"><code>", to);
	html_text(to, t->name);
	fputs("</code></td>", to);
	text_cell(to, t->shape);
	fprintf(to, "<td class=\"n\" data-v=\"%d\">%d</td><td class=\"n\" data-v=\"%d\">%d</td>", t->bits, t->bits, t->frac, t->frac);
	if (t->known)
		fprintf(to, "<td class=\"n\" data-v=\"%.9g\">%.4g</td><td class=\"n\" data-v=\"%.9g\">%.4g</td><td>%s</td>", t->lo, t->lo, t->hi, t->hi, t->from ? ir_range_name[t->from] : "");
	else
		fputs("<td class=\"n\" data-v=\"0\"></td><td class=\"n\" data-v=\"0\"></td><td>unknown</td>", to);
	fputs("</tr>\n", to);
}

void
html_tensors(const struct comparison *c, FILE *to)
{
	fputs("<h2>Ranges and precision</h2>\n"
	      "<p>A tensor is computed on as whole numbers of a fixed number of bits; the lowest of them are digits after the binary point. A value that grows beyond "
	      "its bits would wrap around and the answer would be wrong, so the compiler bounds every tensor. <b>proven</b>: follows from the weights, for every input. "
	      "<b>calibrated</b>: the largest value on example inputs, with a margin; an input unlike the examples could leave it "
	      "(<code>sufc simulate --check-ranges</code> tests that).</p>\n", to);
	for (int k = 0; k < c->n; k++) {
		const struct strategy *s = &c->v[k];
		open_details(c, to, s, arena_printf(c->arena, "Tensors (%d)", s->ntensor), false);
		fputs("<th>Tensor</th><th>Shape</th><th class=\"n\">Bits</th><th class=\"n\">After the point</th><th class=\"n\">Least</th><th class=\"n\">Largest</th>"
		      "<th>Source of the range</th></tr></thead>\n<tbody>\n", to);
		for (int i = 0; i < s->ntensor; i++)
			tensor_row(to, &s->tensor[i]);
		fputs("</tbody></table></div></details>\n", to);
	}
}

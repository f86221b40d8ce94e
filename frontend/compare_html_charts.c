/* SPDX-License-Identifier: Apache-2.0
 * compare_html_charts.c -- bars of bytes by class and of time by cause.
 */
#include <string.h>
#include "frontend/compare_html.h"

static const double gib = 1073741824;

/* ---- bytes by class ------------------------------------------------------------ */

enum bytes_of { COMM, KEY0, KEY1 };

static double
bytes_in(const struct cost_row *r, enum bytes_of what)
{
	return what == COMM ? (double)(r->sent[0] + r->sent[1]) : (double)r->key[what == KEY1];
}

static int
strategy_parts(const struct strategy *s, enum bytes_of what, struct html_part *part)
{
	int n = 0;
	for (int k = 0; k < COMPARE_CLASSES; k++) {
		const struct cost_row *r = compare_class(s, compare_classes[k]);
		if (r)
			part[n++] = (struct html_part){ compare_classes[k], compare_classes[k], bytes_in(r, what) };
	}
	return n;
}

static int
published_parts(const struct published *p, enum bytes_of what, struct html_part *part)
{
	double rest = what == COMM ? p->comm : p->key;
	int n = 0;
	for (int k = 0; k < COMPARE_CLASSES && what == COMM; k++) {
		double x = published_class_gib(p, compare_classes[k]);
		if (x > 0)
			part[n++] = (struct html_part){ compare_classes[k], compare_classes[k], x * gib };
		rest -= x;
	}
	part[n] = (struct html_part){ n ? "the rest, not published by class" : "not published by class", "rest", rest > 0 ? rest * gib : 0 };
	return n + 1;
}

static void
byte_bars(const struct comparison *c, FILE *to, enum bytes_of what)
{
	struct html_part part[COMPARE_CLASSES + 1];
	double longest = 0;
	for (int k = 0; k < c->n; k++)
		longest = bytes_in(&c->v[k].cost.total, what) > longest ? bytes_in(&c->v[k].cost.total, what) : longest;
	for (int k = 0; k < c->npub; k++) {
		double x = gib * (what == COMM ? c->pub[k]->comm : c->pub[k]->key);
		longest = x > longest ? x : longest;
	}
	for (int k = 0; k < c->n; k++) {
		const char *whose = what == COMM ? "" : what == KEY0 ? ", party 0" : ", party 1";
		html_bar(to, arena_printf(c->arena, "%s%s", c->v[k].gates, whose), part, strategy_parts(&c->v[k], what, part), longest, unit_bytes);
	}
	for (int k = 0; k < c->npub; k++)
		if ((what == COMM ? c->pub[k]->comm : c->pub[k]->key) > 0 && what != KEY1)
			html_bar(to, arena_printf(c->arena, "%s, published%s", c->pub[k]->system, what == COMM ? "" : ", each party"), part, published_parts(c->pub[k], what, part),
			         longest, unit_bytes);
}

static const char *
class_text(const char *name)
{
	static const char *const text[][2] = {
		{ "matmul", "products of matrices: linear layers, queries with keys, probabilities with values" },
		{ "truncate", "numbers are whole numbers with a fixed binary point; after a product the surplus digits are cut off, which needs a comparison" },
		{ "softmax", "the softmax of attention: a maximum, exponentials, a division" },
		{ "gelu", "activation functions: GELU, SiLU, ReLU, tanh and others" },
		{ "layernorm", "normalisations: LayerNorm and RMSNorm" },
		{ "embedding", "secret words are looked up in a private table" },
		{ "other", "inputs, outputs and sums" },
	};
	for (size_t k = 0; k < sizeof text / sizeof text[0]; k++)
		if (!strcmp(text[k][0], name))
			return text[k][1];
	return "";
}

void
html_charts(const struct comparison *c, FILE *to)
{
	fputs("<h2>Where the bytes go</h2>\n<p>The operations of the model fall into classes:</p>\n<dl>\n", to);
	for (int k = 0; k < COMPARE_CLASSES; k++)
		if (compare_has_class(c, compare_classes[k]))
			fprintf(to, "<dt><span class=\"dot %s\"></span>%s</dt><dd>%s</dd>\n", compare_classes[k], compare_classes[k], class_text(compare_classes[k]));
	fputs("</dl>\n<h3>Key of a party, for one run</h3>\n", to);
	byte_bars(c, to, KEY0);
	byte_bars(c, to, KEY1);
	fputs("<h3>Sent and received by a party, in one run</h3>\n<p class=\"soft\">What one party sends the other receives, so both parties have the same sum.</p>\n", to);
	byte_bars(c, to, COMM);
}

/* ---- time ------------------------------------------------------------------------- */

static void
time_bars(const struct comparison *c, FILE *to, int net)
{
	double longest = 0;
	const struct network *n = &c->net[net];
	for (int k = 0; k < c->n; k++)
		longest = c->v[k].time[net].p.online_ms > longest ? c->v[k].time[net].p.online_ms : longest;
	if (!strcmp(n->name, "lan") || !strcmp(n->name, "wan"))
		fprintf(to, "<h3>%s: %g Gbit/s, round trip %g ms</h3>\n", !strcmp(n->name, "lan") ? "LAN, both parties in one building" : "WAN, parties in two cities", n->gbps, n->rtt_ms);
	else {
		fputs("<h3>", to);
		html_text(to, n->name);
		fputs("</h3>\n", to);
	}
	for (int k = 0; k < c->n; k++) {
		const struct timing *t = &c->v[k].time[net];
		const struct html_part part[] = { { "computing", "compute", t->p.compute_ms }, { "bytes on the line", "bandwidth", t->bandwidth_ms },
		                                  { "waiting for rounds", "latency", t->latency_ms } };
		html_bar(to, c->v[k].gates, part, 3, longest, unit_time);
	}
}

void
html_times(const struct comparison *c, FILE *to)
{
	fputs("<h2>How long an answer takes</h2>\n"
	      "<p>Times are predicted, for parties that have their keys already. <b>Computing</b> is the work of the slower party. "
	      "<b>Bytes on the line</b> is what the messages take at the speed of the line, so it shrinks on a faster one. <b>Waiting for rounds</b> is the number "
	      "of rounds times the way from one party to the other: only fewer rounds or nearer parties help.</p>\n", to);
	if (!c->machine.measured)
		fputs("<p class=\"soft\">They are those of a reference machine; <code>sufc calibrate-machine</code> measures the one at hand.</p>\n", to);
	for (int k = 0; k < c->nnet; k++)
		time_bars(c, to, k);
}

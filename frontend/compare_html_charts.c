/* SPDX-License-Identifier: Apache-2.0
 * compare_html_charts.c -- bars of bytes by class and of time by cause.
 */
#include <string.h>
#include "frontend/compare_html.h"

static const double gib = 1073741824;

/* ---- bytes by class ------------------------------------------------------------ */

typedef double bytes_in(const struct cost_row *);

static double comm(const struct cost_row *r) { return (double)(r->sent[0] + r->sent[1]); }
static double key0(const struct cost_row *r) { return (double)r->key[0]; }
static double key1(const struct cost_row *r) { return (double)r->key[1]; }

static void
strategy_bar(FILE *to, const char *title, const struct strategy *s, bytes_in *get, double longest)
{
	struct html_part part[COMPARE_CLASSES];
	int n = 0;
	for (int k = 0; k < COMPARE_CLASSES; k++) {
		const struct cost_row *r = compare_class(s, compare_classes[k]);
		if (r)
			part[n++] = (struct html_part){ compare_classes[k], compare_classes[k], get(r) };
	}
	html_bar(to, title, part, n, longest, unit_bytes);
}

/* Communication by class as far as it was published; nothing is known of keys. */
static void
published_bar(FILE *to, const char *title, const struct published *p, double all, bool classes, double longest)
{
	struct html_part part[COMPARE_CLASSES + 1];
	int n = 0;
	for (int k = 0; k < COMPARE_CLASSES && classes; k++) {
		const double x = published_class_gib(p, compare_classes[k]) * gib;
		if (x > 0)
			part[n++] = (struct html_part){ compare_classes[k], compare_classes[k], x };
		all -= x;
	}
	part[n] = (struct html_part){ n ? "the rest, not published by class" : "not published by class", "rest", all > 0 ? all : 0 };
	html_bar(to, title, part, n + 1, longest, unit_bytes);
}

static double
more(double a, double b)
{
	return a > b ? a : b;
}

static void
key_bars(const struct comparison *c, FILE *to)
{
	double longest = 0;
	for (int k = 0; k < c->n; k++)
		longest = more(longest, more(key0(&c->v[k].cost.total), key1(&c->v[k].cost.total)));
	for (int k = 0; k < c->npub; k++)
		longest = more(longest, c->pub[k]->key * gib);
	for (int k = 0; k < c->n; k++) {
		strategy_bar(to, arena_printf(c->arena, "gates %s, party 0", c->v[k].gates), &c->v[k], key0, longest);
		strategy_bar(to, arena_printf(c->arena, "gates %s, party 1", c->v[k].gates), &c->v[k], key1, longest);
	}
	for (int k = 0; k < c->npub; k++)
		if (c->pub[k]->key > 0)
			published_bar(to, arena_printf(c->arena, "%s, published, each party", c->pub[k]->system), c->pub[k], c->pub[k]->key * gib, false, longest);
}

static void
comm_bars(const struct comparison *c, FILE *to)
{
	double longest = 0;
	for (int k = 0; k < c->n; k++)
		longest = more(longest, comm(&c->v[k].cost.total));
	for (int k = 0; k < c->npub; k++)
		longest = more(longest, c->pub[k]->comm * gib);
	for (int k = 0; k < c->n; k++)
		strategy_bar(to, arena_printf(c->arena, "gates %s", c->v[k].gates), &c->v[k], comm, longest);
	for (int k = 0; k < c->npub; k++)
		published_bar(to, arena_printf(c->arena, "%s, published", c->pub[k]->system), c->pub[k], c->pub[k]->comm * gib, true, longest);
}

static const char *
class_text(const char *name)
{
	static const char *const text[][2] = {
		{ "matmul", "products of matrices: linear layers, queries with keys, probabilities with values" },
		{ "truncate", "numbers are whole numbers with a fixed binary point; after a product the surplus digits are cut off, here where that is a step of its own" },
		{ "softmax", "the softmax of attention: exponentials over their sum, of some gate sets also the maximum before" },
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
	key_bars(c, to);
	fputs("<h3>Sent and received by a party, in one run</h3>\n<p class=\"soft\">What one party sends the other receives, so both parties have the same sum.</p>\n", to);
	comm_bars(c, to);
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
		fprintf(to, "<h3>%s: %g %s, round trip %g ms</h3>\n", !strcmp(n->name, "lan") ? "LAN, both parties in one building" : "WAN, parties in two cities",
		        n->gbps < 1 ? n->gbps * 1e3 : n->gbps, n->gbps < 1 ? "Mbit/s" : "Gbit/s", n->rtt_ms);
	else if (n->gbps > 0)
		fprintf(to, "<h3>Your network: %g Gbit/s, round trip %g ms</h3>\n", n->gbps, n->rtt_ms);
	else
		fputs("<h3>Both parties on this machine</h3>\n", to);
	for (int k = 0; k < c->n; k++) {
		const struct timing *t = &c->v[k].time[net];
		const struct html_part part[] = { { "computing", "compute", t->p.compute_ms }, { "bytes on the line", "bandwidth", t->bandwidth_ms },
		                                  { "waiting for rounds", "latency", t->latency_ms } };
		html_bar(to, arena_printf(c->arena, "gates %s", c->v[k].gates), part, 3, longest, unit_time);
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

/* SPDX-License-Identifier: Apache-2.0
 * compare_text.c -- the comparison as a table for a terminal of 100 columns:
 * strategies side by side, published systems beside them.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "frontend/compare.h"

enum { LABEL = 30, CELL = 17, COLUMNS = 4 };

/* A column: one of the strategies or a published system. */
struct column { const struct strategy *s; const struct published *p; };
struct table { const struct comparison *c; FILE *to; struct column col[COLUMNS]; int n; };

/* ---- lines ---------------------------------------------------------------------- */

static void
label(const struct table *t, const char *text)
{
	fprintf(t->to, "%-*.*s", LABEL, LABEL, text);
}

static void
cell(const struct table *t, const char *text)
{
	fprintf(t->to, "%*.*s", CELL, CELL, text);
}

static void
end(const struct table *t)
{
	fputc('\n', t->to);
}

static const char *
short_name(const char *name)
{
	size_t n = strlen(name);
	return n <= CELL - 2 ? name : name + (n - (CELL - 2)); /* the end of a path says most */
}

static void
heads(const struct table *t)
{
	label(t, "");
	for (int k = 0; k < t->n; k++)
		cell(t, t->col[k].s ? short_name(t->col[k].s->gates) : t->col[k].p->system);
	end(t);
	if (!t->c->npub)
		return;
	label(t, "");
	for (int k = 0; k < t->n; k++)
		cell(t, t->col[k].s ? "" : t->col[k].p->source == 1 ? "published [1]" : "published [2]");
	end(t);
}

/* A row of numbers of strategies; get: the number, published: of a published system, 0: none.  unit: unit_bytes or another. */
typedef double get_number(const struct strategy *, int arg);
static void
row(const struct table *t, const char *name, get_number *get, int arg, double (*published_value)(const struct published *), const char *(*unit)(double, char *))
{
	char text[24];
	label(t, name);
	for (int k = 0; k < t->n; k++) {
		double x = t->col[k].s ? get(t->col[k].s, arg) : published_value ? published_value(t->col[k].p) : 0;
		cell(t, t->col[k].s || x > 0 ? unit(x, text) : "");
	}
	end(t);
}

/* ---- totals ------------------------------------------------------------------------ */

static const char *
whole(double x, char *text)
{
	snprintf(text, 24, "%.0f", x);
	return text;
}

static double get_ring(const struct strategy *s, int arg) { (void)arg; return s->ring_bits; }
static double get_key(const struct strategy *s, int party) { return (double)s->cost.total.key[party]; }
static double get_client_key(const struct strategy *s, int arg) { (void)arg; return (double)s->cost.total.client_key; }
static double get_words(const struct strategy *s, int arg) { (void)arg; return (double)s->cost.total.words; }
static double get_comm(const struct strategy *s, int arg) { (void)arg; return (double)(s->cost.total.sent[0] + s->cost.total.sent[1]); }
static double get_offline(const struct strategy *s, int arg) { (void)arg; return (double)s->cost.total.offline; }
static double get_sent(const struct strategy *s, int party) { return (double)s->cost.total.sent[party]; }
static double get_rounds(const struct strategy *s, int arg) { (void)arg; return s->cost.total.rounds; }
static double get_prg(const struct strategy *s, int role) { return (double)s->cost.total.prg[role]; }
static double get_mul_adds(const struct strategy *s, int role) { return (double)s->cost.total.mul_adds[role]; }
static double get_peak(const struct strategy *s, int party) { return (double)s->cost.peak[party]; }
static const double gib = 1073741824;
static double published_key(const struct published *p) { return p->key * gib; }
static double published_comm(const struct published *p) { return p->comm * gib; }

static void
totals(const struct table *t)
{
	bool client = false;
	for (int k = 0; k < t->n; k++)
		client |= t->col[k].s && t->col[k].s->cost.total.client_key;
	row(t, "widest ring, bits", get_ring, 0, NULL, whole);
	row(t, "key of party 0", get_key, 0, published_key, unit_bytes);
	row(t, "key of party 1", get_key, 1, published_key, unit_bytes);
	if (client)
		row(t, "key of the client", get_client_key, 0, NULL, unit_bytes);
	if (t->c->npub)
		row(t, "key in the published layout", get_words, 0, published_key, unit_bytes);
	row(t, "sent + received by a party", get_comm, 0, published_comm, unit_bytes);
	row(t, "  sent by party 0", get_sent, 0, NULL, unit_bytes);
	row(t, "  sent by party 1", get_sent, 1, NULL, unit_bytes);
	if (t->c->weights == WEIGHTS_OWNER)
		row(t, "  before, by party 1", get_offline, 0, NULL, unit_bytes);
	row(t, "rounds", get_rounds, 0, NULL, whole);
	row(t, "AES calls of the dealer", get_prg, SUF_DEALER, NULL, unit_count);
	row(t, "  of party 0", get_prg, SUF_P0, NULL, unit_count);
	row(t, "  of party 1", get_prg, SUF_P1, NULL, unit_count);
	row(t, "multiply-adds of party 0", get_mul_adds, SUF_P0, NULL, unit_count);
	row(t, "  of party 1", get_mul_adds, SUF_P1, NULL, unit_count);
	row(t, "memory of party 0", get_peak, 0, NULL, unit_bytes);
	row(t, "  of party 1", get_peak, 1, NULL, unit_bytes);
}

/* ---- times ------------------------------------------------------------------------- */

static double get_online(const struct strategy *s, int net) { return s->time[net].p.online_ms; }
static double get_compute(const struct strategy *s, int net) { return s->time[net].p.compute_ms; }
static double get_bandwidth(const struct strategy *s, int net) { return s->time[net].bandwidth_ms; }
static double get_latency(const struct strategy *s, int net) { return s->time[net].latency_ms; }
static double get_keygen(const struct strategy *s, int net) { return s->time[net].p.keygen_ms; }
static double get_transfer(const struct strategy *s, int net) { return s->time[net].p.key_transfer_ms; }
static double published_total(const struct published *p) { return p->total_ms; }
static double published_keygen(const struct published *p) { return p->keygen_ms; }
static double get_none(const struct strategy *s, int arg) { (void)s; (void)arg; return 0; }
static const char *time_or_blank(double x, char *text) { return x > 0 ? unit_time(x, text) : ""; }

static void
times(const struct table *t)
{
	const struct comparison *c = t->c;
	for (int k = 0; k < c->nnet; k++) {
		char name[96];
		if (c->only >= 0 && c->only != k)
			continue;
		snprintf(name, sizeof name, "time, %s", c->net[k].name);
		end(t);
		row(t, name, get_online, k, NULL, unit_time);
		row(t, "  computing", get_compute, k, NULL, unit_time);
		row(t, "  bytes on the line", get_bandwidth, k, NULL, unit_time);
		row(t, "  waiting for rounds", get_latency, k, NULL, unit_time);
		row(t, "  key to a party, before", get_transfer, k, NULL, unit_time);
	}
	row(t, "dealer's work, before", get_keygen, 0, published_keygen, unit_time);
	if (c->npub)
		row(t, "time as published, on GPUs", get_none, 0, published_total, time_or_blank);
}

/* ---- classes ------------------------------------------------------------------------- */

enum figure { COMM, KEY, ROUNDS };

static double
class_figure(const struct cost_row *r, enum figure f)
{
	return f == COMM ? (double)(r->sent[0] + r->sent[1]) : f == KEY ? (double)(r->key[0] + r->key[1]) / 2 : r->rounds;
}

/* "1.23 MiB  26 %" */
static void
class_cell(const struct table *t, const struct column *col, const char *name, enum figure f)
{
	char number[24], text[64] = "";
	const struct cost_row *r = col->s ? compare_class(col->s, name) : NULL;
	const double x = r ? class_figure(r, f) : col->p && f == COMM ? published_class_gib(col->p, name) * gib : 0;
	const double all = col->s ? class_figure(&col->s->cost.total, f) : published_comm(col->p);
	if (f == ROUNDS && r)
		snprintf(text, sizeof text, "%.0f", x);
	else if ((r || x > 0) && all > 0)
		snprintf(text, sizeof text, "%s %3.0f %%", unit_bytes(x, number), 100 * x / all);
	cell(t, text);
}

static void
by_class(const struct table *t, const char *title, enum figure f)
{
	fprintf(t->to, "\n%s\n", title);
	for (int i = 0; i < COMPARE_CLASSES; i++) {
		char name[32];
		if (!compare_has_class(t->c, compare_classes[i]))
			continue;
		snprintf(name, sizeof name, "  %s", compare_classes[i]);
		label(t, name);
		for (int k = 0; k < t->n; k++)
			class_cell(t, &t->col[k], compare_classes[i], f);
		end(t);
	}
}

/* ---- all ------------------------------------------------------------------------------- */

static void
one_table(const struct table *t)
{
	end(t);
	heads(t);
	totals(t);
	times(t);
	by_class(t, "sent + received by a party", COMM);
	by_class(t, "key, mean of both parties", KEY);
	by_class(t, "rounds (one in which several classes send counts for each)", ROUNDS);
}

static void
notes(const struct comparison *c, FILE *to)
{
	bool source[3] = { false };
	fprintf(to, "\nBytes, rounds and calls are exact, for one run; times are predicted%s.\n",
	        c->machine.measured ? "" : " for a reference\nmachine: sufc calibrate-machine measures this one");
	for (int k = 0; k < c->npub; k++)
		source[c->pub[k]->source] = true;
	for (int k = 1; k < 3; k++)
		if (source[k])
			fprintf(to, "[%d] %s\n", k, published_source(k));
	if (c->npub && c->shape.more)
		fprintf(to, "Published are the layers of %s alone; this model has more (embedding, head, another norm).\n", c->known->name);
}

/* One figure beside what it is held to. */
static void
beside(FILE *to, const char *what, double have, double bound, double aim)
{
	const double off = (have / aim - 1) * 100;
	fprintf(to, "  %s %.3f GiB: %s the bound of %.3f, %.0f %% %s the aim of %.3f\n", what, have, have <= bound ? "keeps" : "MISSES", bound, fabs(off),
	        off <= 0 ? "below" : "above", aim);
}

static void
goals(const struct comparison *c, FILE *to)
{
	const struct goal *g = c->known && !c->shape.more ? goal_find(c->known->name, c->shape.seq, c->weights) : NULL;
	for (int k = 0; g && k < c->n; k++) {
		const struct cost_row *t = &c->v[k].cost.total;
		if (strcmp(c->v[k].gates, "compact") && strcmp(c->v[k].gates, "auto"))
			continue;
		fprintf(to, "\n%s, beside what this project holds it to:\n", c->v[k].gates);
		beside(to, "sent + received", (double)(t->sent[0] + t->sent[1]) / gib, g->comm, g->aim_comm);
		beside(to, "key, mean", (double)(t->key[0] + t->key[1]) / 2 / gib, g->key, g->aim_key);
	}
}

void
compare_text(const struct comparison *c, FILE *to)
{
	const char *shape = compare_shape(c);
	const int columns = COLUMNS - c->npub;
	fprintf(to, "%s\n", c->model);
	if (shape)
		fprintf(to, "%s%s%s\n", c->known ? c->known->name : "", c->known ? ": " : "", shape);
	fprintf(to, "%s\n", compare_setting(c));
	for (int first = 0; first < c->n; first += columns) {
		struct table t = { .c = c, .to = to };
		for (int k = first; k < c->n && k < first + columns; k++)
			t.col[t.n++].s = &c->v[k];
		for (int k = 0; k < c->npub; k++)
			t.col[t.n++].p = c->pub[k];
		one_table(&t);
	}
	goals(c, to);
	notes(c, to);
}

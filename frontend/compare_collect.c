/* SPDX-License-Identifier: Apache-2.0
 * compare_collect.c -- the costs of a scheduled program by node of the model,
 * by layer and by kind of step; its tensors and warnings.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include "frontend/compare.h"
#include "frontend/report.h"
#include "run.h"

struct node_entry { const char *key; int at; UT_hash_handle hh; };

/* ---- layers ------------------------------------------------------------------ */

/* The first ".N" that ends a part of the name: "/model/h.3/attn/MatMul" -> 3. */
static int
layer_of(const char *name)
{
	for (const char *dot = strchr(name, '.'); dot; dot = strchr(dot + 1, '.')) {
		char *end;
		if (dot == name || !isalpha((unsigned char)dot[-1]) || !isdigit((unsigned char)dot[1]))
			continue;
		long n = strtol(dot + 1, &end, 10);
		if ((*end == '/' || *end == '.' || !*end) && n < 100000)
			return (int)n;
	}
	return -1;
}

static int
by_layer(const void *a, const void *b)
{
	const struct layer_cost *x = a, *y = b;
	return (x->layer > y->layer) - (x->layer < y->layer);
}

static void add_row(struct cost_row *to, const struct cost_row *from);

static void
sum_layers(struct arena *a, struct strategy *s)
{
	s->layer = arena_alloc(a, ((size_t)s->nnode + 1) * sizeof *s->layer);
	for (int k = 0; k < s->nnode; k++) {
		int i = 0;
		while (i < s->nlayer && s->layer[i].layer != s->node[k].layer)
			i++;
		if (i == s->nlayer)
			s->layer[s->nlayer++].layer = s->node[k].layer;
		add_row(&s->layer[i].row, &s->node[k].row);
	}
	if (s->nlayer)
		qsort(s->layer, (size_t)s->nlayer, sizeof *s->layer, by_layer);
}

/* ---- sums ----------------------------------------------------------------------- */

static void
add_row(struct cost_row *to, const struct cost_row *from)
{
	for (int k = 0; k < 2; k++) {
		to->key[k] += from->key[k];
		to->sent[k] += from->sent[k];
	}
	for (int k = 0; k < 3; k++) {
		to->prg[k] += from->prg[k];
		to->mul_adds[k] += from->mul_adds[k];
	}
	to->client_key += from->client_key;
	to->offline += from->offline;
	to->words += from->words;
	to->rounds += from->rounds;
}

static struct cost_row
row_of(const struct suf_cost *c)
{
	return (struct cost_row){ .key = { c->key[0], c->key[1] }, .client_key = c->client_key, .sent = { c->sent[0], c->sent[1] }, .offline = c->offline, .words = c->words,
	                          .prg = { c->prg[0], c->prg[1], c->prg[2] }, .mul_adds = { c->mul_adds[0], c->mul_adds[1], c->mul_adds[2] } };
}

/* ---- nodes ------------------------------------------------------------------------- */

static struct node_cost *
new_node(struct arena *a, struct strategy *s)
{
	if (s->nnode == s->node_cap) {
		s->node_cap = s->node_cap ? 2 * s->node_cap : 256;
		struct node_cost *v = arena_alloc(a, (size_t)s->node_cap * sizeof *v);
		if (s->nnode)
			memcpy(v, s->node, (size_t)s->nnode * sizeof *v);
		s->node = v;
	}
	return &s->node[s->nnode++];
}

/* The operator without domain and version: "ai.onnx MatMul-17" -> "MatMul". */
static const char *
operator(struct arena *a, const char *op)
{
	const char *blank = op ? strrchr(op, ' ') : NULL, *name = blank ? blank + 1 : op, *dash = name ? strrchr(name, '-') : NULL;
	return !name ? "" : dash ? arena_printf(a, "%.*s", (int)(dash - name), name) : name;
}

/* The row of a node and class; made when it is new. */
static struct node_cost *
node_row(struct arena *a, struct strategy *s, const struct node *n)
{
	const char *name = n->loc.node ? n->loc.node : "", *klass = n->klass ? n->klass : "other";
	const char *key = arena_printf(a, "%s\t%s", name, klass);
	struct node_entry *e;
	HASH_FIND_STR(s->index, key, e);
	if (e)
		return &s->node[e->at];
	e = arena_alloc(a, sizeof *e);
	e->key = key;
	e->at = s->nnode;
	HASH_ADD_KEYPTR(hh, s->index, e->key, strlen(e->key), e);
	struct node_cost *row = new_node(a, s);
	*row = (struct node_cost){ .name = arena_strdup(a, name), .op = operator(a, n->loc.op), .klass = arena_strdup(a, klass), .gate = "",
	                           .layer = layer_of(name), .shown_round = -1 };
	return row;
}

void
compare_collect_gates(struct comparison *c, struct strategy *s, const struct prog *p)
{
	for (const struct node *n = p->first; n; n = n->next) {
		if (!n->gate || !strcmp(n->gate->set, "local"))
			continue;
		struct node_cost *row = node_row(c->arena, s, n);
		const char *gate = arena_printf(c->arena, "%s.%s", n->gate->set, n->gate->name);
		if (!strstr(row->gate, gate))
			row->gate = *row->gate ? arena_printf(c->arena, "%s, %s", row->gate, gate) : gate;
	}
}

static void
collect_steps(struct arena *a, struct strategy *s, const struct prog *p)
{
	const uint8_t output_to = (uint8_t)(p->opt ? p->opt->output_to : 1);
	int kind[SUF_NSTEP], last[SUF_NSTEP];    /* place in s->step; the round that was counted last */
	memset(kind, -1, sizeof kind);
	memset(last, -1, sizeof last);
	for (const struct node *n = p->first; n; n = n->next) {
		const struct suf_step step = cost_step(p, n);
		const struct suf_cost c = suf_step_cost(&step, output_to);
		struct cost_row row = row_of(&c);
		const bool opens = step.op == SUF_open || step.op == SUF_input;
		struct node_cost *to = node_row(a, s, n);
		row.rounds = opens && to->shown_round != n->round;
		if (opens)
			to->shown_round = n->round;
		add_row(&to->row, &row);
		if (kind[step.op] < 0) {
			kind[step.op] = s->nstep;
			s->step[s->nstep++].name = suf_step_desc[step.op].name;
		}
		s->step[kind[step.op]].steps++;
		row.rounds = opens && last[step.op] != n->round;
		if (opens)
			last[step.op] = n->round;
		add_row(&s->step[kind[step.op]].row, &row);
	}
}

/* Nodes that vanished, such as truncations that were joined. */
static void
drop_free_nodes(struct strategy *s)
{
	int n = 0;
	for (int k = 0; k < s->nnode; k++) {
		const struct cost_row *r = &s->node[k].row;
		if (r->key[0] | r->key[1] | r->sent[0] | r->sent[1] | r->prg[0] | r->prg[1] | r->prg[2] | r->mul_adds[0] | r->mul_adds[1] | r->mul_adds[2])
			s->node[n++] = s->node[k];
	}
	s->nnode = n;
}

/* ---- tensors, warnings ---------------------------------------------------------------- */

/* Helper values of gates are left out. */
static bool
is_tensor(const struct val *v)
{
	return !v->data && v->source && (v->def || v->nuse);
}

static const char *
shape_text(struct arena *a, const struct val *v)
{
	const char *s = "";
	for (int k = 0; k < v->rank; k++)
		s = arena_printf(a, "%s%s%lld", s, k ? " x " : "", (long long)v->dim[k]);
	return s;
}

static void
collect_tensors(struct arena *a, struct strategy *s, const struct prog *p)
{
	int n = 0;
	for (int k = 0; k < p->nvals; k++)
		n += is_tensor(p->vals[k]);
	s->tensor = arena_alloc(a, ((size_t)n + 1) * sizeof *s->tensor);
	for (int k = 0; k < p->nvals; k++) {
		const struct val *v = p->vals[k];
		if (is_tensor(v))
			s->tensor[s->ntensor++] = (struct tensor_row){ .name = arena_strdup(a, v->name), .shape = shape_text(a, v), .bits = v->type.bits,
				.frac = v->type.frac, .known = v->lo <= v->hi, .lo = v->lo, .hi = v->hi, .from = v->from };
	}
	s->nwarning = diag_warnings(p->diag);
	s->warning = arena_alloc(a, ((size_t)s->nwarning + 1) * sizeof *s->warning);
	for (int k = 0; k < s->nwarning; k++)
		s->warning[k] = arena_strdup(a, diag_warning_text(p->diag, k));
}

void
compare_collect(struct comparison *c, struct strategy *s, const struct prog *p)
{
	s->ring_bits = report_ring(p);
	s->json = cost_json(p);
	prog_cost(p, &s->cost);
	for (int k = 0; k < s->cost.nklass; k++) /* they may be the program's */
		s->cost.klass[k].klass = arena_strdup(c->arena, s->cost.klass[k].klass);
	collect_steps(c->arena, s, p);
	HASH_CLEAR(hh, s->index);
	drop_free_nodes(s);
	sum_layers(c->arena, s);
	collect_tensors(c->arena, s, p);
}

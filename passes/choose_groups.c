/* SPDX-License-Identifier: Apache-2.0
 * choose_groups.c -- operations that are alike, such as those of equal layers, so
 * that one decision serves all of them; and which groups are neighbours.
 *
 * Alike are nodes with the same colour.  A colour begins as a hash of what the
 * node is: operation, attributes, shapes, widths, who knows its values.  Then
 * HOPS times it takes in the colours of producers and consumers, with the layout
 * operations on the way, so passes after `bind` that look that far treat nodes of
 * a group alike.  Names, elements of constants and exact ranges do not count;
 * whether a value is proven to leave its ring's top bits free does.  The grouping
 * bounds what is tried, never what it costs: equal hashes of different nodes cost
 * a chance, not correctness (the operation is compared).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "ir/check.h"
#include "passes/choose_priv.h"
#include "passes/descriptor.h"

enum { HOPS = 2 };                       /* of colours, and between neighbours */

/* ---- hashes ---------------------------------------------------------------------- */

static uint64_t
mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15u;   /* splitmix64 */
	h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
	return h ^ h >> 27;
}

static uint64_t
mix_f64(uint64_t h, double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	return mix(h, bits);
}

/* Is |x| proven to leave the two top bits of the ring free? */
static bool
has_gap(const struct val *v)
{
	return v->from == RANGE_PROVEN && v->lo <= v->hi && ldexp(fmax(fabs(v->lo), fabs(v->hi)), v->type.frac) < ldexp(1, v->type.bits - 2);
}

static uint64_t
mix_val(uint64_t h, const struct val *v)
{
	h = mix(h, (uint64_t)v->dtype << 32 | (uint64_t)v->type.sec << 24 | (uint64_t)v->type.bits << 16 | (uint64_t)v->type.frac << 8 | v->type.owner);
	h = mix(h, (uint64_t)v->onehot << 8 | (uint64_t)(v->data != NULL) << 2 | (uint64_t)v->is_wire_input << 1 | has_gap(v));
	for (int k = 0; k < v->rank; k++)
		h = mix(h, (uint64_t)v->dim[k]);
	return mix(h, (uint64_t)v->rank);
}

static uint64_t
own_colour(const struct node *n)
{
	uint64_t h = mix((uint64_t)n->op, n->gate ? (uint64_t)(n->gate - gates) + 1 : 0);
	for (int k = 0; k < n->nattr; k++) {
		const struct attr *a = &n->attr[k];
		h = mix_f64(mix(mix(h, a->key), (uint64_t)a->i), a->f);
		for (int i = 0; i < a->nlist; i++)
			h = mix(h, (uint64_t)a->list[i]);
	}
	for (const char *s = n->desc ? n->desc->name : ""; *s; s++)
		h = mix(h, (unsigned char)*s);
	for (int k = 0; k < n->nin; k++)
		h = mix_val(h, n->in[k]);
	for (int k = 0; k < n->nout; k++)
		h = mix(mix_val(h, n->out[k]), (uint64_t)n->out[k]->nuse);
	return h;
}

/* Bits of the integers of its values, by their ranges. */
static uint64_t
range_sizes(const struct node *n)
{
	uint64_t h = 0;
	for (int k = 0; k < n->nin + n->nout; k++) {
		const struct val *v = k < n->nin ? n->in[k] : n->out[k - n->nin];
		int bits = -1;
		if (v->lo <= v->hi)
			(void)frexp(ldexp(fmax(fabs(v->lo), fabs(v->hi)), v->type.frac), &bits);
		h = mix(h, (uint64_t)(bits + 4096));
	}
	return h;
}

/* ---- colours --------------------------------------------------------------------------- */

/* own: what a node is; now: with what is around it, as far as it was looked at; before, behind: as its consumers
 * and producers see it. */
struct painter { struct groups *g; struct pos_map pos; uint64_t *own, *now, *before, *behind; };

static int
maker(const struct painter *c, const struct node *n, int k)
{
	return n->in[k]->def ? pos_of(&c->pos, n->in[k]->def) : -1;
}

/* One operand's elements elsewhere, or negated or scaled: its producer and its consumers look through it. */
static bool
is_clear(const struct node *n)
{
	switch (n->op) {
	case OP_reshape: case OP_transpose: case OP_slice: case OP_expand: case OP_gather: case OP_tril: case OP_untril: case OP_neg: case OP_scale:
		return true;
	default:
		return false;
	}
}

static void
set_up(struct painter *c, struct groups *g, struct arena *a, const struct prog *p)
{
	const size_t count = (size_t)g->nnode + 1;
	*c = (struct painter){ .g = g, .own = arena_alloc(a, count * sizeof *c->own), .now = arena_alloc(a, count * sizeof *c->now),
	                       .before = arena_alloc(a, count * sizeof *c->before), .behind = arena_alloc(a, count * sizeof *c->behind) };
	pos_init(&c->pos, a, g->nnode);
	for (int i = 0; i < g->nnode; i++) {
		pos_set(&c->pos, g->node[i], i);
		c->own[i] = mix(own_colour(g->node[i]), g->by_range[i] ? g->range[i] : 0);
	}
	for (int k = 0; k < p->nout; k++)
		if (p->out[k]->def) {
			uint64_t *colour = &c->own[pos_of(&c->pos, p->out[k]->def)];
			*colour = mix(*colour, 7);
		}
	memcpy(c->now, c->own, (size_t)g->nnode * sizeof *c->now);
}

/* Producers count in their order, consumers as a set; parts of a concatenation are alike. */
static void
repaint(struct painter *c)
{
	const struct groups *g = c->g;
	memset(c->behind, 0, (size_t)g->nnode * sizeof *c->behind);
	for (int i = 0; i < g->nnode; i++) {
		const struct node *n = g->node[i];
		const int from = is_clear(n) ? maker(c, n, 0) : i;
		c->before[i] = is_clear(n) ? mix(c->own[i], from < 0 ? 0 : c->before[from]) : c->now[i];
	}
	for (int i = g->nnode - 1; i >= 0; i--) {
		const struct node *n = g->node[i];
		for (int k = 0; k < n->nin; k++)
			if (maker(c, n, k) >= 0)
				c->behind[maker(c, n, k)] += is_clear(n) ? mix(c->own[i], c->behind[i]) : mix(c->now[i], n->op == OP_concat ? 0 : (uint64_t)k + 1);
	}
	for (int i = 0; i < g->nnode; i++) {
		uint64_t h = mix(mix(c->now[i], 3), c->behind[i]);
		for (int k = 0; k < g->node[i]->nin; k++)
			h = mix(h, maker(c, g->node[i], k) < 0 ? 0 : c->before[maker(c, g->node[i], k)]);
		c->now[i] = h;
	}
}

/* ---- groups ------------------------------------------------------------------------------ */

static void
new_group(struct group *g, struct arena *a, const struct prog *p, const struct node *n)
{
	*g = (struct group){ .first = n };
	while (gate_choice(p, n->op, g->ngate))
		g->ngate++;
	g->gate = arena_alloc(a, (size_t)g->ngate * sizeof *g->gate);
	for (int k = 0; k < g->ngate; k++)
		g->gate[k] = gate_choice(p, n->op, k);
}

static void
assign(struct painter *c, struct arena *a, const struct prog *p)
{
	struct groups *g = c->g;
	int *leader = arena_alloc(a, ((size_t)g->nnode + 1) * sizeof *leader); /* by group */
	g->n = 0;
	for (int i = 0; i < g->nnode; i++) {
		int k = 0;
		g->of[i] = -1;
		if (g->node[i]->gate)
			continue;
		while (k < g->n && (c->now[leader[k]] != c->now[i] || g->v[k].first->op != g->node[i]->op))
			k++;
		if (k == g->n) {
			leader[k] = i;
			new_group(&g->v[g->n++], a, p, g->node[i]);
		}
		g->of[i] = k;
		g->v[k].nodes++;
		g->v[k].ranges_differ |= g->range[i] != g->range[leader[k]];
	}
}

/* ---- neighbours ---------------------------------------------------------------------------- */

static void
add_pair(struct groups *g, int a, int b)
{
	struct pair p = { a < b ? a : b, a < b ? b : a };
	for (int k = 0; k < g->npair; k++)
		if (g->pair[k].a == p.a && g->pair[k].b == p.b)
			return;
	if (a != b)
		g->pair[g->npair++] = p;
}

/* Groups that produce for n, HOPS away at most, are neighbours of `of`. */
static void
look_back(struct painter *c, const struct node *n, int of, int hops)
{
	for (int k = 0; k < n->nin; k++) {
		const int from = maker(c, n, k);
		if (from < 0)
			continue;
		const bool clear = is_clear(c->g->node[from]);
		if (c->g->of[from] >= 0)
			add_pair(c->g, c->g->of[from], of);
		if (clear || hops > 1)
			look_back(c, c->g->node[from], of, hops - !clear);
	}
}

static int
by_place(const void *x, const void *y)
{
	const struct pair *p = x, *q = y;
	return p->a != q->a ? p->a - q->a : p->b - q->b;
}

void
groups_make(struct groups *g, struct arena *a, const struct prog *p)
{
	struct painter c;
	set_up(&c, g, a, p);
	for (int k = 0; k < HOPS; k++)
		repaint(&c);
	assign(&c, a, p);
	g->npair = 0;
	g->pair = arena_alloc(a, ((size_t)g->n * (size_t)g->n / 2 + 1) * sizeof *g->pair);
	for (int i = 0; i < g->nnode; i++)
		if (g->of[i] >= 0)
			look_back(&c, g->node[i], g->of[i], HOPS);
	qsort(g->pair, (size_t)g->npair, sizeof *g->pair, by_place);
}

void
groups_init(struct groups *g, struct arena *a, const struct prog *p)
{
	*g = (struct groups){ .nnode = 0 };
	for (const struct node *n = p->first; n; n = n->next)
		g->nnode++;
	const size_t count = (size_t)g->nnode + 1;
	g->node = arena_alloc(a, count * sizeof *g->node);
	g->of = arena_alloc(a, count * sizeof *g->of);
	g->range = arena_alloc(a, count * sizeof *g->range);
	g->by_range = arena_alloc(a, count * sizeof *g->by_range);
	g->v = arena_alloc(a, count * sizeof *g->v);
	int i = 0;
	for (struct node *n = p->first; n; n = n->next) {
		g->range[i] = range_sizes(n);
		g->node[i++] = n;
	}
	groups_make(g, a, p);
}

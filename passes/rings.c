/* SPDX-License-Identifier: Apache-2.0
 * rings.c -- pass `rings`: the ring of each value, where values have formats of their own.
 *
 * From the outputs back, a value gets the widest ring that a reader takes it modulo (formats.c): a product the bits that are
 * kept of it and those that are dropped, its operands as many.  So most values need no extension at all: they are opened
 * once, in the ring of the products that read them.
 *
 * The alternative for an operand of a product: open it narrow, as wide as its range, and extend it (operation `widen`, a gap
 * extension that is opened again).  That takes more for this value, but what makes it gets a narrower ring, and what makes
 * that, and so on up to the next gate, which takes operands as wide as it likes.  Which operands to extend is decided
 * exactly: values whose ring depends on such decisions fall into small connected parts, of which every combination is
 * costed (docs/planner.md).
 *
 * Needs: rings of 64 bits.  Decides from shapes, ranges and options alone.
 */
#include <math.h>
#include <stdlib.h>
#include "passes/choose.h"
#include "passes/formats.h"
#include "passes/range.h"

enum { WIDEST = 64, MOST_TOGETHER = 10 };

/* An operand of products that may be extended. */
struct spot { struct val *v; unsigned own; bool extend, fixed; int part; };
struct rings {
	struct prog *p;
	struct spot *spot; int nspot;
	unsigned *bits;                  /* by val.slot, for now the number of a value: as it is opened */
	unsigned *used;                  /* as its products read it, extended */
	const struct node **reader;      /* who asks for bits[]; NULL: its range */
	int nval;
	double open_weight, key_weight;
};

static bool
is_product(const struct node *n)
{
	return n->op == OP_matmul || n->op == OP_mul;
}

static bool
moves_only(enum op op)
{
	switch (op) {
	case OP_reshape: case OP_transpose: case OP_slice: case OP_concat: case OP_expand: case OP_gather: case OP_tril: case OP_untril: return true;
	default: return false;
	}
}

static const struct val *
origin(const struct val *v)
{
	while (v->def && moves_only(v->def->op))
		v = v->def->in[0];
	return v;
}

/* Gates give any ring that is asked for; products and what is linear in them do not. */
static bool
from_product(const struct val *v)
{
	const struct node *n = origin(v)->def;
	return n && (n->op == OP_rescale || is_product(n) || n->op == OP_add || n->op == OP_sub || n->op == OP_scale);
}

/* ---- rings for given extensions ------------------------------------------------------ */

static struct spot *
spot_of(const struct rings *r, const struct val *v)
{
	for (int k = 0; k < r->nspot; k++)
		if (r->spot[k].v == v)
			return &r->spot[k];
	return NULL;
}

static bool
at_least(unsigned *bits, unsigned need)
{
	if (*bits >= need)
		return false;
	*bits = need < WIDEST ? need : WIDEST;
	return true;
}

/* What its range asks for, read by nobody in particular: kept whole. */
static unsigned
own_bits(const struct val *v)
{
	return v->dtype == DT_F32 || v->onehot == 0 ? format_bits(v, 0) : 2;
}

/* Readers first: every value's ring is known when its operands' are asked for. */
static void
solve(struct rings *r)
{
	struct prog *p = r->p;
	for (int k = 0; k < r->nval; k++)
		r->bits[k] = r->used[k] = 0;
	for (int k = 0; k < p->nout; k++)
		at_least(&r->bits[p->out[k]->slot], own_bits(p->out[k]));
	for (int k = 0; k < p->nin; k++) /* what a client may give: runtime/quant.c */
		at_least(&r->bits[p->in[k]->slot], p->in[k]->dtype == DT_F32 || (!p->in[k]->onehot && p->in[k]->from != RANGE_NONE) ? format_bits(p->in[k], 1) : 2);
	for (struct node *n = p->last; n; n = n->prev) {
		struct val *out = n->out[0];
		if (at_least(&r->bits[out->slot], n->op == OP_rescale || n->op == OP_argmax ? own_bits(out) : 2))
			r->reader[out->slot] = NULL;
		if (at_least(&r->bits[out->slot], format_result(n)))
			r->reader[out->slot] = NULL;
		const unsigned keep = out->type.bits;
		out->type.bits = (uint8_t)r->bits[out->slot];
		for (int k = 0; k < n->nin; k++) {
			const struct spot *s = is_product(n) ? spot_of(r, n->in[k]) : NULL;
			const unsigned need = format_operand(n, k);
			at_least(&r->used[n->in[k]->slot], need);
			if (at_least(&r->bits[n->in[k]->slot], s && s->extend && s->own < need ? s->own : need))
				r->reader[n->in[k]->slot] = s && s->extend && s->own < need ? NULL : n;
		}
		out->type.bits = (uint8_t)keep;
	}
}

/* Weights of party 0: what party 1 sends online of products of v with them, if v's mask is not pads. */
static double
sent_online(const struct rings *r, const struct val *v)
{
	double bits = 0;
	for (const struct node *n = r->p->first; n && r->p->weights == WEIGHTS_OWNER; n = n->next)
		if (is_product(n) && ((n->in[0] == v && n->in[1]->data) || (n->in[1] == v && n->in[0]->data)))
			bits += (double)ir_count(n->out[0]) * r->bits[n->out[0]->slot];
	return bits;
}

/* Opened bits, and key bits that grow with rings: of extensions, of mask shares that operands of products need. */
static double
cost(const struct rings *r)
{
	double sum = 0;
	for (const struct node *n = r->p->first; n; n = n->next) {
		const struct val *v = n->out[0];
		if (n->op == OP_rescale || (!moves_only(n->op) && !is_product(n) && n->op != OP_add && n->op != OP_sub && n->op != OP_scale))
			sum += (double)ir_count(v) * r->bits[v->slot] * (2 * r->open_weight + (n->op == OP_rescale ? 0 : 4 * r->key_weight));
	}
	for (int k = 0; k < r->nspot; k++) {
		const struct spot *s = &r->spot[k];
		const double count = (double)ir_count(s->v);
		const unsigned wide = r->used[s->v->slot];
		const double online = sent_online(r, s->v);
		if (s->extend && s->own < wide) /* of party 0's weights' operand one party sends */
			sum += count * (wide * (online > 0 ? 1 : 2) * r->open_weight + (2 * wide - s->own) * r->key_weight);
		else
			sum += count * wide * r->key_weight + online * r->open_weight;
	}
	return sum;
}

/* ---- which extensions ------------------------------------------------------------------ */

static int
root(int *of, int k)
{
	while (of[k] != k)
		k = of[k] = of[of[k]];
	return k;
}

/* Values whose ring differs between no extension and all of them are connected through the operations that make them. */
static void
find_parts(struct rings *r)
{
	struct prog *p = r->p;
	int *of = malloc((size_t)r->nval * sizeof *of);
	unsigned *none = malloc((size_t)r->nval * sizeof *none);
	if (!of || !none)
		arena_out_of_memory((size_t)r->nval * sizeof *of);
	for (int k = 0; k < r->nspot; k++)
		r->spot[k].extend = false;
	solve(r);
	for (int k = 0; k < r->nval; k++) {
		of[k] = k;
		none[k] = r->bits[k];
	}
	for (int k = 0; k < r->nspot; k++)
		r->spot[k].extend = true;
	solve(r);
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			const uint64_t a = n->in[k]->slot, b = n->out[0]->slot;
			if (!n->in[k]->data && none[a] != r->bits[a] && (none[b] != r->bits[b] || spot_of(r, n->in[k])))
				of[root(of, (int)a)] = root(of, (int)b);
		}
	for (int k = 0; k < r->nspot; k++) {
		const uint64_t at = r->spot[k].v->slot;
		r->spot[k].part = root(of, (int)at);
		r->spot[k].fixed = none[at] == r->bits[at]; /* not wider than its range anyway */
		r->spot[k].extend = false;
	}
	free(of);
	free(none);
}

static void
set_part(struct rings *r, int part, unsigned pattern)
{
	int bit = 0;
	for (int k = 0; k < r->nspot; k++)
		if (!r->spot[k].fixed && r->spot[k].part == part)
			r->spot[k].extend = pattern >> bit++ & 1;
}

static void
decide(struct rings *r)
{
	find_parts(r);
	for (int k = 0; k < r->nspot; k++) {
		const int part = r->spot[k].part;
		int members = 0;
		bool done = r->spot[k].fixed;
		for (int j = 0; j < r->nspot; j++) {
			const bool same = !r->spot[j].fixed && r->spot[j].part == part;
			members += same;
			done |= same && j < k;
		}
		if (done)
			continue;
		const int most = members < MOST_TOGETHER ? members : MOST_TOGETHER;
		unsigned best = 0;
		double least = INFINITY;
		for (unsigned pattern = 0; pattern < 1u << most; pattern++) {
			set_part(r, part, pattern);
			solve(r);
			const double c = cost(r);
			if (c < least) {
				least = c;
				best = pattern;
			}
		}
		set_part(r, part, best);
	}
	solve(r);
}

/* ---- the program -------------------------------------------------------------------------- */

static void
collect(struct rings *r)
{
	struct prog *p = r->p;
	int most = 0;
	for (struct node *n = p->first; n; n = n->next)
		most += is_product(n) ? n->nin : 0;
	r->spot = arena_alloc(p->arena, ((size_t)most + 1) * sizeof *r->spot);
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < 2 && is_product(n); k++) {
			struct val *v = n->in[k];
			const unsigned own = v->data ? WIDEST : format_bits(v, 1);
			if (v->data || own >= WIDEST || !from_product(v) || spot_of(r, v))
				continue;
			r->spot[r->nspot++] = (struct spot){ .v = v, .own = own };
		}
}

static void
extend(struct rings *r, struct spot *s)
{
	struct prog *p = r->p;
	struct val *v = s->v, *wide = ir_val_like(p, v, ".extended");
	struct node *widen = NULL;
	wide->type.bits = (uint8_t)r->used[v->slot];
	wide->lo = v->lo; wide->hi = v->hi; wide->norm = v->norm; wide->from = v->from;
	wide->source = NULL;
	wide->why = arena_printf(p->arena, "extended from the %u bits of '%s'", s->own, v->name);
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin && is_product(n); k++) {
			if (n->in[k] != v)
				continue;
			if (!widen)
				widen = ir_node(p, n, OP_widen, &n->loc, 1, &v, 1, &wide);
			ir_set_in(p, n, k, wide);
		}
}

/* For the report. */
static const char *
reason(const struct rings *r, const struct val *v)
{
	const struct node *n = r->reader[v->slot];
	const char *frac = v->why ? v->why : "terms of a sum";
	if (!n)
		return arena_printf(r->p->arena, "%s; ring of its range", frac);
	const struct val *out = n->out[0];
	if (n->op == OP_rescale)
		return arena_printf(r->p->arena, "%s; ring: %u kept, %lld dropped for '%s'", frac, r->bits[out->slot], (long long)ir_int(n, ATTR_shift), out->name);
	return arena_printf(r->p->arena, "%s; ring as %s '%s' reads it", frac, op_desc[n->op].name, out->name);
}

static void
apply(struct rings *r)
{
	struct prog *p = r->p;
	for (int k = 0; k < r->nval; k++) {
		struct val *v = p->vals[k];
		const bool is_public = v->data && v->type.sec == SEC_PUBLIC;
		if (!v->data && r->bits[k])
			v->why = reason(r, v);
		if (!is_public && r->bits[k])
			v->type.bits = (uint8_t)(v->data && format_bits(v, 0) > r->bits[k] ? format_bits(v, 0) : r->bits[k]); /* a weight is kept whole */
	}
	for (int k = 0; k < r->nspot; k++)
		if (r->spot[k].extend && r->spot[k].own < r->used[r->spot[k].v->slot])
			extend(r, &r->spot[k]);
}

static void
warn_unknown(struct prog *p)
{
	int count = 0;
	for (const struct node *n = p->first; n; n = n->next) {
		const struct val *v = n->out[0];
		if (n->op != OP_rescale || v->from != RANGE_NONE || p->opt->no_weights || count++ >= 5)
			continue;
		diag_warning(p->diag, &n->loc, "no-range", "nothing bounds '%s'; wide rings are used", v->name);
		diag_hint(p->diag, "give example inputs: --calibrate=FILE.npz");
	}
}

bool
pass_rings(struct prog *p)
{
	if (!p->mixed)
		return true;
	const enum objective objective = p->opt ? p->opt->objective : LEAST_TIME;
	struct rings r = { .p = p, .nval = p->nvals, .open_weight = 1, .key_weight = objective == LEAST_KEY ? 1 : 0.05 };
	r.bits = arena_alloc(p->arena, ((size_t)r.nval + 1) * sizeof *r.bits);
	r.used = arena_alloc(p->arena, ((size_t)r.nval + 1) * sizeof *r.used);
	r.reader = arena_alloc(p->arena, ((size_t)r.nval + 1) * sizeof *r.reader);
	for (int k = 0; k < p->nvals; k++)
		p->vals[k]->slot = (uint64_t)k;
	if (p->opt)
		warn_unknown(p);
	collect(&r);
	decide(&r);
	apply(&r);
	for (int k = 0; k < p->nvals; k++)
		p->vals[k]->slot = 0;
	return true;
}

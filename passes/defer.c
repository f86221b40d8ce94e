/* SPDX-License-Identifier: Apache-2.0
 * defer.c -- pass `defer`: truncations where they are cheapest, or nowhere.
 *
 * A product has 2f fraction bits and pass quantize brings each one down to f.  But a gate that is `wide`
 * (gates.def) shifts within its own protocol for nothing, and linear operations do not care.  So a value that
 * comes from a rescale may stay as it was before it, wide, through sums and layout operations, up to the gates
 * that read it: `shift` of such a gate says how many fraction bits the operand has more than the result.
 * Sums raise their other operands, which is free.  What needs f bits, products, outputs, other gates, gets a
 * rescale: on the way from rescales to those readers a cheapest set of values is truncated (vertex_cut.h).
 * So the stream of a transformer with the norm before each block stays wide up to the output.
 *
 * Ring: a wide value is |x| 2^(2f) < 2^(n-2), which pass quantize made sure of for every operand, sums too.
 * Where more fraction bits meet (scores, of which the factor 1/8 is in the shift), known ranges must allow it.
 *
 * Values keep names and meaning, only with more fraction bits.  A wide value whose fraction is not that of the
 * product (the factor) is a rescale by 0 bits, a view.  Shapes, widths and ranges decide, never data.
 * Needs every node bound; programs without wide gates stay as they are.
 */
#include <math.h>
#include "passes/passes.h"
#include "passes/range.h"
#include "passes/vertex_cut.h"

/* A value that may be wide. */
struct spot {
	struct val *v;
	struct node *rescale;        /* its definition, if that is a rescale */
	const struct node *like;     /* the rescale whose gate a new one gets */
	struct val *wide;            /* cut: the value before the truncation */
	int level;                   /* fraction bits more */
	bool sink;                   /* something needs it as it is */
};
struct defer {
	struct prog *p;
	struct spot *spot; int nspot, spot_cap;
	struct edge *edge; int nedge, edge_cap;
	struct vertex *vertex;
};

/* ---- values that may be wide -------------------------------------------------- */

/* The slot, which only pass plan sets, holds the number of a spot meanwhile. */
static struct spot *spot_of(const struct defer *d, const struct val *v)
{
	return v->slot ? &d->spot[v->slot - 1] : NULL;
}

static void *grow(struct prog *p, void *list, int n, int *cap, size_t size)
{
	if (n < *cap)
		return list;
	char *more = arena_alloc(p->arena, (size_t)(*cap = 2 * *cap + 64) * size);
	for (size_t i = 0; i < (size_t)n * size; i++)
		more[i] = ((const char *)list)[i];
	return more;
}

static struct spot *add_spot(struct defer *d, struct val *v, int level)
{
	d->spot = grow(d->p, d->spot, d->nspot, &d->spot_cap, sizeof *d->spot);
	d->spot[d->nspot] = (struct spot){ .v = v, .level = level };
	v->slot = (uint64_t)d->nspot + 1;
	return &d->spot[d->nspot++];
}

static void add_edge(struct defer *d, const struct val *from, const struct val *to)
{
	d->edge = grow(d->p, d->edge, d->nedge, &d->edge_cap, sizeof *d->edge);
	d->edge[d->nedge++] = (struct edge){ (int)from->slot - 1, (int)to->slot - 1 };
}

/* Operands, the first ones, that have the format of the result, which is linear in them; 0: not such an operation. */
static int aligned(const struct node *n)
{
	switch (n->op) {
	case OP_add: case OP_sub: return 2;
	case OP_concat: return n->nin;
	case OP_neg: case OP_scale: case OP_reduce_sum: case OP_reshape: case OP_transpose: case OP_slice: case OP_expand: case OP_gather:
	case OP_tril: case OP_untril: return 1;
	default: return 0;
	}
}

/* May the first operand of n have `level` fraction bits more? */
static bool accepts(const struct node *n, int level)
{
	if (n->op == OP_rescale)
		return ir_int(n, ATTR_shift) + level <= n->in[0]->type.bits - 2;
	return n->gate->wide;
}

static bool known(const struct val *v) { return v->from != RANGE_NONE && v->lo <= v->hi; }

static bool below(const struct val *v, int frac, int bits) { return ldexp(range_max(v), frac) < ldexp(1, bits); }

/* Can the linear operation n work on `level` bits more?  Up to 2f the rule of the ring says so, but for constants. */
static bool fits(const struct defer *d, const struct node *n, int level, int f)
{
	const struct val *r = n->out[0];
	const int frac = r->type.frac + level, bits = r->type.bits - 2, m = aligned(n);
	const bool ruled = frac <= 2 * f;
	int wide = 0;
	for (int k = 0; k < m; k++) {
		const struct val *v = n->in[k];
		const struct spot *s = spot_of(d, v);
		wide += s != NULL;
		if (s ? s->level != level : !ruled && (!known(v) || !below(v, frac, bits - 2)))
			return false;
		if (v->data && known(v) && !below(v, frac, bits))
			return false;
	}
	return ruled || (known(r) ? below(r, frac, bits) : wide == 1 && n->op != OP_reduce_sum && n->op != OP_scale);
}

/* n reads its operands as they are, but the first one, if it is a gate that can shift. */
static void read_narrow(struct defer *d, const struct node *n)
{
	for (int k = 0; k < n->nin; k++) {
		struct spot *s = spot_of(d, n->in[k]);
		if (s && !(k == 0 && accepts(n, s->level)))
			s->sink = true;
	}
}

/* The first spot among the operands that a linear result depends on. */
static const struct spot *first_spot(const struct defer *d, const struct node *n)
{
	for (int k = 0; k < aligned(n); k++)
		if (spot_of(d, n->in[k]))
			return spot_of(d, n->in[k]);
	return NULL;
}

static void visit(struct defer *d, struct node *n)
{
	const struct spot *from = first_spot(d, n);
	const struct val *x = n->nin ? n->in[0] : NULL;
	const int level = from ? from->level : n->op == OP_rescale ? (int)ir_int(n, ATTR_shift) : 0;
	const bool room = n->nout && n->out[0]->type.frac + level <= 62;
	if (room && from && fits(d, n, level, from->like->out[0]->type.frac)) {
		const struct node *like = from->like;
		add_spot(d, n->out[0], level)->like = like;
		for (int k = 0; k < aligned(n); k++)
			if (spot_of(d, n->in[k]))
				add_edge(d, n->in[k], n->out[0]);
	} else if (room && n->op == OP_rescale && !spot_of(d, x) && x->type.bits == n->out[0]->type.bits && level > 0) {
		struct spot *s = add_spot(d, n->out[0], level);
		s->rescale = n;
		s->like = n;
	} else {
		read_narrow(d, n);
	}
}

static void choose(struct defer *d)
{
	d->vertex = arena_alloc(d->p->arena, ((size_t)d->nspot + 1) * sizeof *d->vertex);
	for (int k = 0; k < d->p->nout; k++)
		if (spot_of(d, d->p->out[k]))
			spot_of(d, d->p->out[k])->sink = true;
	for (int i = 0; i < d->nspot; i++)
		d->vertex[i] = (struct vertex){ .cost = ir_count(d->spot[i].v), .source = d->spot[i].rescale != NULL, .sink = d->spot[i].sink };
	vertex_cut(d->p->arena, d->vertex, d->nspot, d->edge, d->nedge);
}

/* ---- the new program ------------------------------------------------------------ */

static const struct vertex *vertex_of(const struct defer *d, const struct val *v)
{
	static const struct vertex narrow = { .cost = 1 };
	return v->slot ? &d->vertex[v->slot - 1] : &narrow;
}

static bool is_wide(const struct defer *d, const struct val *v) { return vertex_of(d, v)->reached && !vertex_of(d, v)->cut; }

static void like_range(struct val *v, const struct val *like)
{
	v->lo = like->lo; v->hi = like->hi; v->norm = like->norm; v->from = like->from;
}

static struct val *raised_constant(struct prog *p, const struct val *c, int level)
{
	const char *name = arena_printf(p->arena, "%s.frac%d", c->name, c->type.frac + level);
	struct val *v = ir_const_like(p, name, c, c->type.sec, c->rank, c->dim);
	if (c->dtype == DT_I64) {
		const int64_t n = ir_count(c);
		int64_t *data = arena_alloc(p->arena, (size_t)n * sizeof *data);
		for (int64_t i = 0; i < n; i++)
			data[i] = (int64_t)((uint64_t)((const int64_t *)c->data)[i] << level);
		v->data = data;
	}
	v->type = c->type;
	v->type.frac = (uint8_t)(c->type.frac + level);
	v->source = c->source;
	like_range(v, c);
	return v;
}

/* v times 2^level, before n */
static struct val *raised(struct prog *p, struct node *n, struct val *v, int level)
{
	if (v->data)
		return raised_constant(p, v, level);
	struct val *up = ir_val_like(p, v, ".raised");
	struct node *m = ir_node(p, n, OP_scale, &n->loc, 1, &v, 1, &up);
	up->type.frac = (uint8_t)(v->type.frac + level);
	like_range(up, v);
	ir_set_f64(p, m, ATTR_factor, ldexp(1, level));
	m->gate = gate_find("local", OP_scale);
	m->klass = m->gate->klass;
	return up;
}

/* A rescale by `shift` bits like another one. */
static struct node *rescale(struct prog *p, struct node *at, const struct node *like, int shift, struct val *x, struct val *out)
{
	struct node *n = ir_node(p, at, OP_rescale, &like->loc, 1, &x, 1, &out);
	ir_set_int(p, n, ATTR_shift, shift);
	n->gate = like->gate;
	n->klass = like->klass;
	return n;
}

/* Operand v of n as it is before the truncation */
static struct val *widened(struct defer *d, struct node *n, struct val *v, int level)
{
	struct spot *s = spot_of(d, v);
	if (!s || !vertex_of(d, v)->reached)
		return raised(d->p, n, v, level);
	if (!vertex_of(d, v)->cut)
		return v;
	if (s->wide)
		return s->wide;
	s->wide = s->rescale->in[0]; /* a rescale that stays */
	if (s->wide->type.frac != v->type.frac + level) {
		struct val *x = s->wide;
		s->wide = ir_val_like(d->p, v, ".wide");
		s->wide->type.frac = (uint8_t)(v->type.frac + level);
		like_range(s->wide, v);
		rescale(d->p, s->rescale, s->rescale, 0, x, s->wide);
	}
	return s->wide;
}

/* The value of a rescale is what was rescaled. */
static void drop_rescale(struct defer *d, struct spot *s)
{
	struct node *n = s->rescale;
	struct val *x = n->in[0], *v = s->v;
	const int frac = v->type.frac + s->level;
	v->type.frac = (uint8_t)frac;
	if (x->def && ir_user(d->p, x) && x->type.frac == frac && x->dtype == v->dtype) {
		ir_take_out(d->p, x->def, v);
		ir_set_in(d->p, n, 0, v);        /* x, its result now, is unused */
		ir_remove(d->p, n);
	} else {
		ir_set_int(d->p, n, ATTR_shift, 0);
	}
}

static void make_wide(struct defer *d, struct node *n, struct spot *s)
{
	struct val *v = s->v;
	for (int k = 0; k < aligned(n); k++)
		ir_set_in(d->p, n, k, widened(d, n, n->in[k], s->level));
	if (vertex_of(d, v)->cut) {
		struct val *after = ir_val_like(d->p, v, ".wide");
		struct node *down = rescale(d->p, n->next, s->like, s->level, v, after);
		ir_take_out(d->p, down, v);
		s->wide = n->out[0];
		ir_set_in(d->p, down, 0, s->wide);
		down->loc = n->loc;
		like_range(s->wide, v);
		s->wide->source = v;
		s->wide->type.frac = (uint8_t)(v->type.frac + s->level);
	} else {
		v->type.frac = (uint8_t)(v->type.frac + s->level);
	}
}

static void rewrite(struct defer *d, struct node *n)
{
	struct spot *s = n->nout ? spot_of(d, n->out[0]) : NULL;
	if (s && s->rescale) {
		if (!vertex_of(d, s->v)->cut)
			drop_rescale(d, s);
	} else if (s && vertex_of(d, s->v)->reached) {
		make_wide(d, n, s);
	} else if (n->nin && is_wide(d, n->in[0])) {
		ir_set_int(d->p, n, ATTR_shift, ir_int_or(n, ATTR_shift, 0) + spot_of(d, n->in[0])->level);
	}
}

static bool has_wide_gate(const struct prog *p)
{
	for (const struct node *n = p->first; n; n = n->next)
		if (n->gate->wide)
			return true;
	return false;
}

/* Elements that are truncated */
static int64_t truncated(const struct prog *p)
{
	int64_t sum = 0;
	for (const struct node *n = p->first; n; n = n->next)
		sum += n->op == OP_rescale && ir_int(n, ATTR_shift) > 0 ? ir_count(n->out[0]) : 0;
	return sum;
}

static void defer_once(struct prog *p)
{
	struct defer d = { .p = p };
	struct node *next;
	for (int k = 0; k < p->nvals; k++)
		p->vals[k]->slot = 0;
	for (struct node *n = p->first; n; n = n->next)
		if (n->op == OP_rescale)
			rescale_join(p, n);
	for (struct node *n = p->first; n; n = n->next)
		visit(&d, n);
	choose(&d);
	for (struct node *n = p->first; n; n = next) {
		next = n->next;
		rewrite(&d, n);
	}
	for (int i = 0; i < d.nspot; i++)
		d.spot[i].v->slot = 0;
}

bool pass_defer(struct prog *p)
{
	int64_t before;
	if (!has_wide_gate(p))
		return true;
	do { /* a truncation that took over another one may move, too; every change makes less of them */
		before = truncated(p);
		defer_once(p);
	} while (truncated(p) < before);
	return true;
}

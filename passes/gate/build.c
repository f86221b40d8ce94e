/* SPDX-License-Identifier: Apache-2.0
 * build.c -- values, maps and local steps of the gate vocabulary. */
#include <string.h>
#include "passes/gate/build.h"

uint64_t
b_count(const struct val *v)
{
	return (uint64_t)ir_count(v) * (v->onehot ? v->onehot : 1);
}

/* A flat helper value, named after the gate's output. */
struct val *
b_new(struct gb *g, const char *what, enum sec sec, unsigned bits, uint64_t count)
{
	if (bits < 1 || bits > 64)
		BUG("%s: a ring of %u bits", what, bits);
	const char *of = g->at && g->at->nout ? g->at->out[0]->name : "in";
	int64_t dim = (int64_t)count;
	struct type t = { .sec = sec, .bits = (uint8_t)bits };
	return ir_val(g->p, arena_printf(g->p->arena, "%s.%s", of, what), DT_I64, t, 1, &dim);
}

struct val *
b_step(struct gb *g, struct suf_step st, enum sec sec, int nin, struct val *const *in)
{
	struct val *out = b_new(g, suf_step_desc[st.op].name, sec, st.m, st.count);
	ir_step(g->p, g->at, g->at, st, nin, in, 1, &out);
	return out;
}

/* The output keeps its identity: the step that made v makes it now.  What an earlier node made is shown in
 * another shape instead. */
void
b_done_node(struct gb *g, struct node *n, struct val *v)
{
	struct val *out = n->out[0];
	if (b_count(v) != b_count(out))
		BUG("'%s': the gate made %llu elements", out->name, (unsigned long long)b_count(v));
	if (v->type.sec != SEC_MASKED)
		BUG("'%s': the gate's result is not opened", out->name);
	out->type.sec = SEC_MASKED;
	out->type.bits = v->type.bits;
	if (v->def && v->nuse == 0) {
		out->alias = v->alias;
		v->dtype = out->dtype;
		ir_take_out(g->p, v->def, out);
		ir_remove(g->p, n);
		return;
	}
	struct val *hold = ir_val_like(g->p, out, ".gate");
	ir_replace(g->p, out, hold);
	ir_remove(g->p, n);
	out->alias = v;
	ir_replace(g->p, hold, out);
}

bool
b_done(struct gb *g, struct val *v)
{
	b_done_node(g, g->at, v);
	return true;
}

bool
b_ring_error(struct gb *g, unsigned need)
{
	const struct val *out = g->at->out[0];
	diag_error(g->p->diag, &g->at->loc, "ring-too-small", "'%s' (%s) needs a ring of at least %u bits with %u fraction bits; the ring has %u",
	           out->name, op_desc[g->at->op].name, need, out->type.frac, out->type.bits);
	diag_hint(g->p->diag, "choose a larger ring: --ring-bits=%u", need);
	return false;
}

const struct node *
b_maker(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v->def;
}

static unsigned
bits_of(int64_t c)
{
	uint64_t u = c < 0 ? (uint64_t)-(c + 1) : (uint64_t)c;
	unsigned b = 1; /* the sign */
	while (u) {
		b++;
		u >>= 1;
	}
	return b;
}

static unsigned
table_bits(const struct suf_table *t)
{
	unsigned most = 0;
	for (uint32_t i = 0; i < t->len; i++)
		if (bits_of(t->v[i]) > most)
			most = bits_of(t->v[i]);
	return most;
}

/* |c| <= 2^log2_up(c) */
static unsigned
log2_up(int64_t c)
{
	uint64_t u = c < 0 ? 0 - (uint64_t)c : (uint64_t)c;
	unsigned b = 0;
	while (b < 63 && (1ull << b) < u)
		b++;
	return b;
}

static unsigned width(const struct val *v, int *fuel);

static unsigned
width_lin(const struct node *d, int *fuel)
{
	const struct suf_step *s = d->step;
	unsigned a = s->ca ? width(d->in[0], fuel) + log2_up(s->ca) : 1;
	if (d->in[0]->data || (d->nin > 1 && d->in[1]->data)) /* weights are not looked at: the program does not depend on them */
		return s->m;
	if (s->cb && d->nin > 1) {
		unsigned b = width(d->in[1], fuel) + log2_up(s->cb);
		a = (a > b ? a : b) + 1;
	}
	if (s->c) {
		unsigned c = bits_of(s->c);
		a = (a > c ? a : c) + 1;
	}
	return a;
}

static unsigned
width_step(const struct node *d, unsigned n, int *fuel)
{
	const struct suf_step *s = d->step;
	unsigned a, t;
	switch (s->op) {
	case SUF_open:
		return s->s ? n : width(d->in[0], fuel);
	case SUF_sext:
	case SUF_gapext:
		return s->n;
	case SUF_tril:
	case SUF_untril:
		return width(d->in[0], fuel);
	case SUF_lin:
	case SUF_addx:
		return width_lin(d, fuel);
	case SUF_shift:
		a = width(d->in[0], fuel);
		return (a > s->s ? a - s->s : 1) + 1; /* off by less than a unit */
	case SUF_addc:
		a = width(d->in[0], fuel);
		t = table_bits(s->table);
		return (a > t ? a : t) + 1;
	case SUF_mulc:
		return width(d->in[0], fuel) + table_bits(s->table) - 1;
	default:
		return n;
	}
}

/* fuel: values still to be looked at, so that a chain of x + x takes no exponential time */
static unsigned
width(const struct val *v, int *fuel)
{
	const struct node *d = b_maker(v);
	const unsigned n = v->type.bits;
	if (!d || d->op != OP_step || --*fuel < 0)
		return n;
	const unsigned w = width_step(d, n, fuel);
	return w < n ? w : n;
}

unsigned
b_width(const struct val *v)
{
	int fuel = 1000;
	return width(v, &fuel);
}

struct val *
b_weight(struct gb *g, struct val *v, unsigned bits)
{
	if (v->type.sec != SEC_PUBLIC)
		return v;
	struct val *w = ir_const_like(g->p, arena_printf(g->p->arena, "%s.weight", v->name), v, SEC_WEIGHT, v->rank, v->dim);
	w->type.bits = (uint8_t)bits;
	w->type.frac = v->type.frac;
	w->source = v->source;
	return w;
}

int64_t *
b_words(struct gb *g, uint64_t len)
{
	return arena_alloc(g->p->arena, (size_t)len * sizeof(int64_t));
}

const struct suf_table *
b_known_table(struct gb *g, const char *name)
{
	for (struct node *n = g->at ? g->at->prev : g->p->last; n; n = n->prev)
		if (n->op == OP_step && n->step->table && !strcmp(n->step->table->name, name))
			return n->step->table;
	return NULL;
}

const struct suf_table *
b_table(struct gb *g, const char *name, uint32_t len, const int64_t *v)
{
	for (struct node *n = g->at ? g->at->prev : g->p->last; n; n = n->prev) {
		const struct suf_table *t = n->op == OP_step ? n->step->table : NULL;
		if (t && t->len == len && !strcmp(t->name, name) && !memcmp(t->v, v, len * sizeof *v))
			return t;
	}
	struct suf_table *t = arena_alloc(g->p->arena, sizeof *t);
	int64_t *own = b_words(g, len);
	memcpy(own, v, len * sizeof *v);
	*t = (struct suf_table){ .name = arena_strdup(g->p->arena, name), .len = len, .v = own };
	return t;
}

/* ---- rows and maps ---------------------------------------------------------- */

struct suf_rows
b_rows(uint64_t count, uint64_t len)
{
	return (struct suf_rows){ .count = count, .first = (uint32_t)len, .inc = 0, .period = 1 };
}

struct suf_rows
b_tril_rows(uint64_t count, uint64_t period, uint64_t past)
{
	return (struct suf_rows){ .count = count, .first = (uint32_t)(past + 1), .inc = 1, .period = (uint32_t)period };
}

void
b_contiguous(int rank, const int64_t *dim, int64_t *stride)
{
	int64_t step = 1;
	for (int k = rank - 1; k >= 0; k--) {
		stride[k] = step;
		step *= dim[k];
	}
}

void
b_strides(const struct val *v, int rank, const int64_t *dim, int64_t *stride)
{
	int64_t own[MAX_RANK];
	b_contiguous(v->rank, v->dim, own);
	for (int k = 0; k < rank; k++) {
		int j = k - (rank - v->rank);
		stride[k] = j < 0 || v->dim[j] == 1 ? 0 : own[j];
		if (j >= 0 && v->dim[j] != 1 && v->dim[j] != dim[k])
			BUG("'%s': axis %d has %lld elements, not %lld", v->name, j, (long long)v->dim[j], (long long)dim[k]);
	}
}

struct suf_map
b_map(int rank, const int64_t *dim, const int64_t *so, const int64_t *sa, const int64_t *sb)
{
	int64_t d[MAX_RANK], s[3][MAX_RANK];
	int n = 0;
	for (int k = 0; k < rank; k++) {
		if (dim[k] == 1)
			continue;
		int64_t t[3] = { so[k], sa[k], sb ? sb[k] : 0 };
		bool join = n > 0;
		for (int j = 0; join && j < 3; j++)
			join = s[j][n - 1] == t[j] * dim[k];
		n -= join;
		d[n] = join ? d[n] * dim[k] : dim[k];
		for (int j = 0; j < 3; j++)
			s[j][n] = t[j];
		n++;
	}
	if (n > SUF_MAX_DIM)
		BUG("a copy over %d axes", n);
	struct suf_map m = { .ndim = n ? (uint32_t)n : 1, .dim = { 1 } };
	for (int k = 0; k < n; k++) {
		m.dim[k] = (uint32_t)d[k];
		m.so[k] = s[0][k];
		m.sa[k] = s[1][k];
		m.sb[k] = s[2][k];
	}
	return m;
}

static uint64_t
map_count(const struct suf_map *m)
{
	uint64_t n = 1;
	for (uint32_t k = 0; k < m->ndim; k++)
		n *= m->dim[k];
	return n;
}

static struct suf_map
flat_map(uint64_t count)
{
	return (struct suf_map){ .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
}

/* The order of axes with `axis` at the end: dims, and strides in x. */
static int
last_axis(const struct val *x, int64_t axis, int64_t *dim, int64_t *stride)
{
	int64_t own[MAX_RANK];
	int at = (int)(axis < 0 ? axis + x->rank : axis), n = 0;
	b_contiguous(x->rank, x->dim, own);
	for (int k = 0; k <= x->rank; k++) {
		int j = k == x->rank ? at : k;
		if (k == at)
			continue;
		dim[n] = x->dim[j];
		stride[n++] = own[j];
	}
	return at;
}

struct val *
b_axis_last(struct gb *g, struct val *x, int64_t axis)
{
	int64_t dim[MAX_RANK], sa[MAX_RANK], so[MAX_RANK];
	if (last_axis(x, axis, dim, sa) == x->rank - 1)
		return x;
	b_contiguous(x->rank, dim, so);
	const struct suf_map map = b_map(x->rank, dim, so, sa, NULL);
	return b_lin(g, 1, x, 0, NULL, 0, x->type.bits, &map);
}

struct val *
b_axis_back(struct gb *g, struct val *rows, const struct val *like, int64_t axis)
{
	int64_t dim[MAX_RANK], sa[MAX_RANK], so[MAX_RANK];
	if (last_axis(like, axis, dim, so) == like->rank - 1)
		return rows;
	b_contiguous(like->rank, dim, sa);
	const struct suf_map map = b_map(like->rank, dim, so, sa, NULL);
	return b_lin(g, 1, rows, 0, NULL, 0, rows->type.bits, &map);
}

/* ---- local steps --------------------------------------------------------------- */

static enum sec
form_of(const struct val *a, const struct val *b)
{
	if (b && (a->type.sec == SEC_SHARED) != (b->type.sec == SEC_SHARED))
		BUG("'%s' and '%s': a local step on a share and a masked value", a->name, b->name);
	return a->type.sec == SEC_SHARED ? SEC_SHARED : SEC_MASKED;
}

static struct val *
local(struct gb *g, struct suf_step st, struct val *a, struct val *b)
{
	enum sec sec = form_of(a, b);
	struct val *in[2] = { a, b };
	st.n = a->type.bits;
	st.na = b_count(a);
	st.nb = b ? b_count(b) : 0;
	st.shared = sec == SEC_SHARED;
	return b_step(g, st, sec, b ? 2 : 1, in);
}

struct val *
b_lin(struct gb *g, int64_t ca, struct val *a, int64_t cb, struct val *b, int64_t c, unsigned m, const struct suf_map *map)
{
	struct suf_map flat = flat_map(b_count(a));
	if (!map)
		map = &flat;
	struct suf_step st = { .op = SUF_lin, .count = map_count(map), .m = (uint8_t)m, .ca = ca, .cb = cb, .c = c, .map = map };
	return local(g, st, a, b);
}

struct val *
b_reduce(struct gb *g, struct val *x, unsigned m)
{
	return x->type.bits == m ? x : b_lin(g, 1, x, 0, NULL, 0, m, NULL);
}

struct val *
b_part(struct gb *g, struct val *x, uint64_t first, uint64_t count)
{
	struct suf_map map = flat_map(count);
	map.a0 = first;
	return b_lin(g, 1, x, 0, NULL, 0, x->type.bits, &map);
}

struct val *
b_mulc(struct gb *g, struct val *a, const struct suf_table *t, unsigned m, const struct suf_map *map)
{
	struct suf_step st = { .op = SUF_mulc, .count = map_count(map), .m = (uint8_t)m, .map = map, .table = t };
	return local(g, st, a, NULL);
}

struct val *
b_addc(struct gb *g, struct val *a, const struct suf_table *t, unsigned m, const struct suf_map *map)
{
	struct suf_step st = { .op = SUF_addc, .count = map_count(map), .m = (uint8_t)m, .map = map, .table = t };
	return local(g, st, a, NULL);
}

struct val *
b_row_sum(struct gb *g, struct val *a, const struct suf_rows *rows)
{
	struct suf_step st = { .op = SUF_row_sum, .count = rows->count, .m = a->type.bits, .rows = rows };
	return local(g, st, a, NULL);
}

struct val *
b_row_lin(struct gb *g, int64_t ca, struct val *a, int64_t cb, struct val *b, const struct suf_rows *rows)
{
	struct suf_step st = { .op = SUF_row_lin, .count = b_count(a), .m = a->type.bits, .ca = ca, .cb = cb, .rows = rows };
	return local(g, st, a, b);
}

struct val *
b_tril(struct gb *g, struct val *a, const struct suf_rows *rows)
{
	struct suf_step st = { .op = SUF_tril, .count = suf_rows_total(rows), .m = a->type.bits, .rows = rows,
	                       .c = (int64_t)(b_count(a) / rows->count) }; /* c: the dense row length */
	return local(g, st, a, NULL);
}

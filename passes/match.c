/* SPDX-License-Identifier: Apache-2.0
 * match.c -- patterns over FLOAT programs, and the edits that follow a match.
 *
 * Complexity: linear in the pattern per candidate; orders of operands multiply
 * by two per nested add or mul, and patterns are a dozen operations deep.
 */
#include "match.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool match_form(struct match *m, const char *s, struct val *v);

static const char *skip_space(const char *s)
{
	while (*s == ' ')
		s++;
	return s;
}

/* The text after one form. */
static const char *skip_form(const char *s)
{
	int depth = 0;

	s = skip_space(s);
	if (islower((unsigned char)s[0]) && s[1] == '=')
		s += 2;
	do {
		if (*s == '(' || *s == '{')
			depth++;
		if (*s == ')' || *s == '}')
			depth--;
		if (*s == '\0')
			BUG("pattern ends inside a form");
		s++;
	} while (depth > 0);
	if (s[-1] != ')' && s[-1] != '}')
		while (*s && !strchr(" (){}", *s))
			s++;
	return s;
}

static bool near(double a, double b)
{
	return fabs(a - b) <= 1e-3 * fabs(b);
}

static bool add_match(struct match *m, struct node *n)
{
	for (int i = 0; i < m->n; i++)
		if (m->node[i] == n)
			return true;
	if (m->n == MATCH_NODES)
		return false;
	m->node[m->n++] = n;
	return true;
}

bool reduces_last_axis(const struct node *n)
{
	int naxes, rank = n->in[0]->rank;
	const int64_t *axes = ir_ints(n, ATTR_axes, &naxes);

	return naxes == 1 && (axes[0] == rank - 1 || axes[0] == -1);
}

static bool is_op(const struct node *n, const char *word, size_t len)
{
	if (len == 4 && strncmp(word, "mean", len) == 0)
		return n->op == OP_reduce_mean && ir_int(n, ATTR_keepdims) == 1 && reduces_last_axis(n);
	return strlen(op_desc[n->op].name) == len && strncmp(op_desc[n->op].name, word, len) == 0;
}

static bool match_operands(struct match *m, int n, const char *const *form, struct val *const *in)
{
	for (int i = 0; i < n; i++)
		if (!match_form(m, form[i], in[i]))
			return false;
	return true;
}

/* s: after the opening parenthesis */
static bool match_node(struct match *m, const char *s, struct val *v)
{
	const char *word = s, *form[4];
	struct node *n = v->def;
	struct match before;
	int nforms = 0;

	while (*s && *s != ' ' && *s != ')')
		s++;
	if (n == NULL || !is_op(n, word, (size_t)(s - word)))
		return false;
	for (s = skip_space(s); *s != ')'; s = skip_space(skip_form(s))) {
		if (nforms == 4)
			BUG("pattern with more than 4 operands");
		form[nforms++] = s;
	}
	if (n->nin != nforms || !add_match(m, n))
		return false;
	before = *m;
	if (match_operands(m, nforms, form, n->in))
		return true;
	if (n->op != OP_add && n->op != OP_mul)
		return false;
	*m = before;
	return match_form(m, form[0], n->in[1]) && match_form(m, form[1], n->in[0]);
}

static bool match_any(struct match *m, const char *s, struct val *v)
{
	struct match before = *m;

	for (s = skip_space(s); *s != '}'; s = skip_space(skip_form(s))) {
		if (match_form(m, s, v))
			return true;
		*m = before;
	}
	return false;
}

static bool match_letter(struct match *m, char c, struct val *v)
{
	struct val **at = &m->letter[(unsigned char)c];

	if (isupper((unsigned char)c) && !ir_is_const(v))
		return false;
	if (*at == NULL)
		*at = v;
	return *at == v;
}

static bool match_form(struct match *m, const char *s, struct val *v)
{
	double have;

	s = skip_space(s);
	if (*s == '(')
		return match_node(m, s + 1, v);
	if (*s == '{')
		return match_any(m, s + 1, v);
	if (isalpha((unsigned char)*s)) {
		if (!match_letter(m, *s, v))
			return false;
		return s[1] != '=' || match_form(m, s + 2, v);
	}
	return ir_scalar_value(v, &have) && near(have, strtod(s, NULL));
}

/* Is v used by matched operations only? */
static bool is_inner(const struct prog *p, const struct match *m, const struct val *v)
{
	int uses = 0;

	for (int i = 0; i < m->n; i++)
		for (int k = 0; k < m->node[i]->nin; k++)
			uses += m->node[i]->in[k] == v;
	return uses == v->nuse && !is_output(p, v);
}

bool match(struct prog *p, struct match *m, struct val *root, const char *pattern)
{
	memset(m, 0, sizeof *m);
	if (!match_form(m, pattern, root))
		return false;
	for (int i = 1; i < m->n; i++)
		for (int k = 0; k < m->node[i]->nout; k++)
			if (!is_inner(p, m, m->node[i]->out[k]))
				return false;
	return true;
}

bool is_output(const struct prog *p, const struct val *v)
{
	for (int i = 0; i < p->nout; i++)
		if (p->out[i] == v)
			return true;
	return false;
}

bool same_shape(const struct val *a, const struct val *b)
{
	return a->rank == b->rank && memcmp(a->dim, b->dim, (size_t)a->rank * sizeof a->dim[0]) == 0;
}

bool uniform_value(const struct val *v, double *x)
{
	int64_t n;

	if (!ir_is_const(v) || v->absent || (n = ir_count(v)) == 0)
		return false;
	*x = ir_elem(v, 0);
	for (int64_t i = 1; i < n; i++)
		if (!(ir_elem(v, i) == *x))
			return false;
	return isfinite(*x);
}

bool is_last_axis_vector(const struct val *c, int64_t n)
{
	return ir_is_const(c) && c->dtype == DT_F32 && c->rank > 0 && c->dim[c->rank - 1] == n && ir_count(c) == n;
}

bool next_pos(int rank, const int64_t *dim, int64_t *pos)
{
	for (int k = rank - 1; k >= 0; k--) {
		if (++pos[k] < dim[k])
			return true;
		pos[k] = 0;
	}
	return false;
}

int64_t offset_at(const struct val *t, int rank, const int64_t *pos)
{
	int64_t at = 0;

	for (int k = 0; k < t->rank; k++)
		at = at * t->dim[k] + (t->dim[k] == 1 ? 0 : pos[k + rank - t->rank]);
	return at;
}

struct val *const_view(struct prog *p, struct val *c, enum sec sec, int rank, const int64_t *dim)
{
	if (c->type.sec == sec && c->rank == rank && memcmp(c->dim, dim, (size_t)rank * sizeof *dim) == 0)
		return c;
	return ir_const_like(p, c->name, c, sec, rank, dim);
}

struct val *const_fill(struct prog *p, const char *name, int64_t n, double fill)
{
	float *data = arena_alloc(p->arena, (size_t)n * sizeof *data);

	for (int64_t i = 0; i < n; i++)
		data[i] = (float)fill;
	return ir_const(p, name, DT_F32, SEC_PUBLIC, 1, &n, data);
}

struct val *const_like(struct prog *p, const struct val *like, const char *name, enum sec sec, float **data)
{
	*data = arena_alloc(p->arena, (size_t)ir_count(like) * sizeof **data);
	return ir_const(p, name, DT_F32, sec, like->rank, like->dim, *data);
}

struct node *make_node(struct prog *p, struct node *at, enum op op, const struct loc *loc, int nin, struct val *const *in, int rank, const int64_t *dim)
{
	struct val *out = ir_val(p, NULL, in[0]->dtype, (struct type){ .sec = SEC_SECRET }, rank, dim);

	return ir_node(p, at, op, loc, nin, in, 1, &out);
}

struct node *make_node_like(struct prog *p, struct node *at, enum op op, const struct loc *loc, int nin, struct val *const *in, const struct val *like)
{
	return make_node(p, at, op, loc, nin, in, like->rank, like->dim);
}

struct node *make_scale(struct prog *p, struct node *at, const struct loc *loc, struct val *x, double factor)
{
	struct node *n = make_node_like(p, at, OP_scale, loc, 1, &x, x);

	ir_set_f64(p, n, ATTR_factor, factor);
	return n;
}

struct node *copy_node(struct prog *p, struct node *at, const struct node *d, struct val *x, int rank, const int64_t *dim)
{
	struct val **in = arena_alloc(p->arena, (size_t)d->nin * sizeof(struct val *));
	struct node *n;

	for (int k = 0; k < d->nin; k++)
		in[k] = k == 0 ? x : d->in[k];
	n = make_node(p, at, d->op, &d->loc, d->nin, in, rank, dim);
	n->desc = d->desc;
	for (int i = 0; i < d->nattr; i++) {
		const struct attr *a = &d->attr[i];
		switch (attr_desc[a->key].kind) {
		case 'I': ir_set_int(p, n, a->key, a->i); break;
		case 'F': ir_set_f64(p, n, a->key, a->f); break;
		default: ir_set_ints(p, n, a->key, a->nlist, a->list); break;
		}
	}
	return n;
}

bool is_layout(const struct node *n)
{
	return n->op == OP_transpose || n->op == OP_reshape || n->op == OP_slice || n->op == OP_expand || n->op == OP_gather;
}

void remove_dead(struct prog *p, struct node *n)
{
	struct val *const *in = n->in;

	for (int k = 0; k < n->nout; k++)
		if (n->out[k]->nuse > 0 || is_output(p, n->out[k]))
			return;
	ir_remove(p, n);
	for (int k = 0; k < n->nin; k++)
		if (in[k]->def) /* NULL too when an earlier operand took it along */
			remove_dead(p, in[k]->def);
}

void take_over(struct prog *p, struct node *n, struct val *old)
{
	struct node *was = old->def;

	ir_take_out(p, n, old);
	remove_dead(p, was);
}

bool bypass(struct prog *p, struct node *n, struct val *with)
{
	struct val *old = n->out[0];

	if (is_output(p, old)) {
		if (n->op == OP_reshape)
			return false;
		take_over(p, make_node_like(p, n, OP_reshape, &n->loc, 1, &with, old), old);
		return true;
	}
	ir_replace(p, old, with);
	remove_dead(p, n);
	return true;
}

void sweep_dead(struct prog *p)
{
	struct node *before;

	for (struct node *n = p->last; n; n = before) {
		bool used = false;
		before = n->prev;
		for (int k = 0; k < n->nout; k++)
			used |= n->out[k]->nuse > 0 || is_output(p, n->out[k]);
		if (!used)
			ir_remove(p, n);
	}
}

/* SPDX-License-Identifier: Apache-2.0
 * fuse_mask.c -- one canonical mask per softmax; causal attention on packed rows.
 *
 * What is added to the scores, or chosen instead of them, is taken apart: the
 * scores themselves, finite constants (position biases), constant masks, masks
 * computed from a secret input.  Constant masks are joined.  If the joint mask is
 * causal, row i sees the columns j <= i + past, softmax runs on the packed lower
 * triangle, and `tril` stands directly behind the product, before any opening.
 * Another joint mask becomes one addend of MASK_PUBLIC; secret masks are scaled
 * to MASK_SECRET (passes.h says what that asks of the scores).
 *
 * Masks are structure, not learned: a constant whose elements are 0 or hidden
 * becomes public even if it came as a weight.  Nothing depends on secrets.
 * Linear in nodes and mask elements.
 */
#include "match.h"
#include <string.h>

enum { MAX_TERM = 16 };
struct mask {                    /* hidden where cond == hides, or (cond NULL) where value <= MASK_LIMIT */
	struct val *cond, *value;
	bool hides;
};
struct terms {                   /* the argument of one softmax */
	struct val *score[MAX_TERM], *bias[MAX_TERM], *secret[MAX_TERM];
	struct mask mask[MAX_TERM];
	int nscore, nbias, nsecret, nmask;
	bool overflow;
};
struct pair { struct val *old, *new; };
struct renamed { struct pair *pair; int n; };  /* secret masks rewritten so far: layers share them */
struct joint { int rank; int64_t dim[MAX_RANK]; bool *hidden; };

static void push(struct terms *t, struct val **list, int *n, struct val *v)
{
	if (*n == MAX_TERM)
		t->overflow = true;
	else
		list[(*n)++] = v;
}

static void push_mask(struct terms *t, struct mask m)
{
	if (t->nmask == MAX_TERM)
		t->overflow = true;
	else
		t->mask[t->nmask++] = m;
}

/* ---- taking the argument apart ------------------------------------------- */

static bool all_hidden(const struct val *v)
{
	if (!ir_is_const(v))
		return false;
	for (int64_t i = 0, n = ir_count(v); i < n; i++)
		if (!(ir_elem(v, i) <= MASK_LIMIT))
			return false;
	return true;
}

/* Is n the product of one number with 1 - m, or m - 1, that makes a mask?  Gives its operand and the number. */
static struct val *mask_operand(const struct node *n, double *factor)
{
	int k = n->op == OP_mul && ir_is_const(n->in[0]);

	if (n->op == OP_scale)
		*factor = ir_f64(n, ATTR_factor);
	else if (n->op != OP_mul || !uniform_value(n->in[1 - k], factor) || !same_shape(n->in[k], n->out[0]))
		return NULL;
	return *factor <= MASK_LIMIT || *factor >= -MASK_LIMIT ? n->in[k] : NULL;
}

static bool is_secret_mask(const struct val *v)
{
	double factor;

	while (v->def && is_layout(v->def))
		v = v->def->in[0];
	return v->def && mask_operand(v->def, &factor);
}

/* A constant addend: what is hidden, and what is left when the hidden elements are 0. */
static void collect_const(struct prog *p, struct terms *t, struct val *c)
{
	int64_t n = ir_count(c), nhidden = 0, nrest = 0;
	float *data;

	for (int64_t i = 0; i < n && !c->absent; i++) {
		double x = ir_elem(c, i);
		nhidden += x <= MASK_LIMIT;
		nrest += x > MASK_LIMIT && x != 0;
	}
	if (nhidden)
		push_mask(t, (struct mask){ .value = c });
	if (nrest == 0 && !c->absent)
		return;
	if (nhidden) {
		struct val *rest = const_like(p, c, arena_printf(p->arena, "%s.finite", c->name), c->type.sec, &data);
		for (int64_t i = 0; i < n; i++)
			data[i] = ir_elem(c, i) <= MASK_LIMIT ? 0 : (float)ir_elem(c, i);
		c = rest;
	}
	push(t, t->bias, &t->nbias, c);
}

static void collect(struct prog *p, struct terms *t, struct val *v)
{
	struct node *d = v->def;

	if (t->overflow)                 /* sums of sums may hold a term many times */
		return;
	if (ir_is_const(v)) {
		collect_const(p, t, v);
	} else if (is_secret_mask(v)) {
		push(t, t->secret, &t->nsecret, v);
	} else if (d && d->op == OP_add) {
		collect(p, t, d->in[0]);
		collect(p, t, d->in[1]);
	} else if (d && d->op == OP_clip && ir_f64(d, ATTR_lo) <= MASK_LIMIT && ir_f64(d, ATTR_hi) >= -MASK_LIMIT) {
		collect(p, t, d->in[0]); /* max(scores, the smallest float): bounds no real score */
	} else if (d && d->op == OP_where && ir_is_const(d->in[0]) && (all_hidden(d->in[1]) || all_hidden(d->in[2]))) {
		bool hides = all_hidden(d->in[1]);
		push_mask(t, (struct mask){ .cond = d->in[0], .hides = hides });
		collect(p, t, d->in[hides ? 2 : 1]);
	} else {
		push(t, t->score, &t->nscore, v);
	}
}

/* ---- the joint constant mask --------------------------------------------- */

static bool is_hidden(const struct mask *m, int rank, const int64_t *pos)
{
	const struct val *c = m->cond ? m->cond : m->value;
	double x = ir_elem(c, offset_at(c, rank, pos));

	return m->cond ? (x != 0) == m->hides : x <= MASK_LIMIT;
}

/* All constant masks together: the last two axes in full, the others as far as a mask varies over them. */
static void join_masks(struct prog *p, const struct terms *t, const struct val *arg, struct joint *j)
{
	int64_t pos[MAX_RANK] = { 0 }, n = 1, at = 0;

	j->rank = arg->rank;
	for (int k = 0; k < j->rank; k++) {
		j->dim[k] = k >= j->rank - 2 ? arg->dim[k] : 1;
		for (int i = 0; i < t->nmask; i++) {
			const struct val *c = t->mask[i].cond ? t->mask[i].cond : t->mask[i].value;
			int ck = k - (j->rank - c->rank);
			if (ck >= 0 && c->dim[ck] > 1)
				j->dim[k] = arg->dim[k];
		}
		n *= j->dim[k];
	}
	j->hidden = arena_alloc(p->arena, (size_t)n * sizeof *j->hidden);
	do {
		for (int i = 0; i < t->nmask && !j->hidden[at]; i++)
			j->hidden[at] = is_hidden(&t->mask[i], j->rank, pos);
		at++;
	} while (next_pos(j->rank, j->dim, pos));
}

static int64_t joint_count(const struct joint *j)
{
	int64_t n = 1;

	for (int k = 0; k < j->rank; k++)
		n *= j->dim[k];
	return n;
}

/* The first row without a visible column; -1: none. */
static int64_t hidden_row(const struct joint *j)
{
	int64_t cols = j->dim[j->rank - 1], n = joint_count(j), seen = 0;

	for (int64_t i = 0; i < n; i++) {
		seen = i % cols ? seen : 0;
		seen += !j->hidden[i];
		if (i % cols == cols - 1 && seen == 0)
			return i / cols;
	}
	return -1;
}

/* Exactly the columns j <= i + past are visible in row i, the same everywhere? */
static bool is_causal(const struct joint *j, int64_t *past)
{
	int64_t cols = j->dim[j->rank - 1], rows = j->dim[j->rank - 2], n = joint_count(j), visible = 0;

	while (visible < cols && !j->hidden[visible])
		visible++;
	*past = visible - 1;
	if (*past < 0 || rows + *past > cols)
		return false;
	for (int64_t i = 0; i < n; i++)
		if (j->hidden[i] != (i % cols > i / cols % rows + *past))
			return false;
	return true;
}

static bool hides_nothing(const struct joint *j)
{
	for (int64_t i = 0, n = joint_count(j); i < n; i++)
		if (j->hidden[i])
			return false;
	return true;
}

static struct val *mask_const(struct prog *p, const struct joint *j, const char *name)
{
	int64_t n = joint_count(j);
	float *data = arena_alloc(p->arena, (size_t)n * sizeof *data);

	for (int64_t i = 0; i < n; i++)
		data[i] = j->hidden[i] ? (float)MASK_PUBLIC : 0;
	return ir_const(p, arena_printf(p->arena, "%s.mask", name), DT_F32, SEC_PUBLIC, j->rank, j->dim, data);
}

/* ---- putting it together again ------------------------------------------- */

/* The secret mask v with the number in its product replaced. */
static struct val *soften(struct prog *p, struct renamed *r, struct val *v)
{
	struct node *d = v->def;
	struct val *new;
	double factor;

	for (int i = 0; i < r->n; i++)
		if (r->pair[i].old == v)
			return r->pair[i].new;
	if (is_layout(d)) {
		new = copy_node(p, d, d, soften(p, r, d->in[0]), v->rank, v->dim)->out[0];
	} else {
		struct val *x = mask_operand(d, &factor);
		new = make_scale(p, d, &d->loc, x, factor < 0 ? MASK_SECRET : -MASK_SECRET)->out[0];
	}
	struct pair *more = arena_alloc(p->arena, (size_t)(r->n + 1) * sizeof *more);
	if (r->n)
		memcpy(more, r->pair, (size_t)r->n * sizeof *more);
	more[r->n++] = (struct pair){ v, new };
	r->pair = more;
	return new;
}

struct triangle { int64_t rows, cols, past, packed; };

static int packed_shape(const struct triangle *t, const struct val *v, int64_t *dim)
{
	memcpy(dim, v->dim, MAX_RANK * sizeof *dim);
	dim[v->rank - 2] = t->packed;
	return v->rank - 1;
}

/* The lower triangle of a constant addend, packed. */
static struct val *pack_const(struct prog *p, const struct triangle *t, const struct val *c)
{
	int64_t dim[MAX_RANK], pos[MAX_RANK] = { 0 }, at = 0;
	struct val full = *c, *out;
	float *data;
	int rank = c->rank < 2 ? 2 : c->rank;

	full.rank = rank;
	for (int k = 0; k < rank; k++)
		full.dim[k] = k < rank - c->rank ? 1 : c->dim[k - (rank - c->rank)];
	full.dim[rank - 2] = t->rows;
	full.dim[rank - 1] = t->cols;
	struct val packed = { .rank = packed_shape(t, &full, dim) };
	memcpy(packed.dim, dim, sizeof packed.dim);
	out = const_like(p, &packed, arena_printf(p->arena, "%s.packed", c->name), c->type.sec, &data);
	do {
		if (pos[rank - 1] <= pos[rank - 2] + t->past)
			data[at++] = (float)ir_elem(c, offset_at(c, rank, pos));
	} while (next_pos(rank, full.dim, pos));
	return out;
}

static struct val *make_tril(struct prog *p, struct node *at, const struct triangle *t, struct val *v)
{
	int64_t dim[MAX_RANK];
	int rank = v->rank < 2 ? 2 : v->rank;
	struct node *n;

	for (int k = 0; k < rank; k++)
		dim[k] = k < rank - v->rank ? 1 : v->dim[k - (rank - v->rank)];
	dim[rank - 2] = t->rows;
	dim[rank - 1] = t->cols;
	if (rank != v->rank || memcmp(dim, v->dim, (size_t)rank * sizeof *dim) != 0)
		v = make_node(p, at, OP_expand, &at->loc, 1, &v, rank, dim)->out[0];
	rank = packed_shape(t, v, dim);
	n = make_node(p, at, OP_tril, &at->loc, 1, &v, rank, dim);
	ir_set_int(p, n, ATTR_past, t->past);
	return n->out[0];
}

/* tril(v), moved in front of scales, signs and public numbers added or multiplied. */
static struct val *tril_score(struct prog *p, struct node *at, const struct triangle *t, struct val *v)
{
	int64_t dim[MAX_RANK];
	struct node *d = v->def;
	double c;
	bool number = d && d->nin == 2 && same_shape(d->in[0], v) && ir_scalar_value(d->in[1], &c)
		&& (d->op == OP_add || d->op == OP_sub || d->op == OP_mul);

	if (v->rank < 2 || d == NULL || !(d->op == OP_scale || d->op == OP_neg || number)
	    || v->dim[v->rank - 2] != t->rows || v->dim[v->rank - 1] != t->cols)
		return make_tril(p, at, t, v);
	struct val *x = tril_score(p, at, t, d->in[0]);
	return copy_node(p, at, d, x, packed_shape(t, v, dim), dim)->out[0];
}

static struct val *add_to(struct prog *p, struct node *at, struct val *sum, struct val *v)
{
	struct val *in[2] = { sum, v };
	struct val shape = *sum;

	if (v->rank > sum->rank)
		BUG("addend '%s' of scores has too many axes", v->name);
	for (int k = 0; k < v->rank; k++) {
		int64_t *dim = &shape.dim[k + sum->rank - v->rank];
		*dim = *dim > v->dim[k] ? *dim : v->dim[k];
	}
	return make_node_like(p, at, OP_add, &at->loc, 2, in, &shape)->out[0];
}

static void rebuild_causal(struct prog *p, struct node *softmax, const struct terms *t, struct renamed *r, const struct joint *j, int64_t past)
{
	struct val *arg = softmax->in[0], *sum = NULL;
	int64_t rows = j->dim[j->rank - 2], cols = j->dim[j->rank - 1], dim[MAX_RANK];
	struct triangle tri = { rows, cols, past, rows * (past + 1) + rows * (rows - 1) / 2 };

	for (int i = 0; i < t->nscore; i++) {
		struct val *v = tril_score(p, softmax, &tri, t->score[i]);
		sum = sum ? add_to(p, softmax, sum, v) : v;
	}
	for (int i = 0; i < t->nbias; i++)
		sum = add_to(p, softmax, sum, pack_const(p, &tri, t->bias[i]));
	for (int i = 0; i < t->nsecret; i++)
		sum = add_to(p, softmax, sum, make_tril(p, softmax, &tri, soften(p, r, t->secret[i])));
	struct node *s = make_node(p, softmax, OP_softmax_tril, &softmax->loc, 1, &sum, packed_shape(&tri, arg, dim), dim);
	ir_set_int(p, s, ATTR_rows, rows);
	ir_set_int(p, s, ATTR_past, past);
	struct node *u = make_node_like(p, softmax, OP_untril, &softmax->loc, 1, s->out, arg);
	ir_set_int(p, u, ATTR_rows, rows);
	ir_set_int(p, u, ATTR_past, past);
	ir_set_int(p, u, ATTR_cols, cols);
	take_over(p, u, softmax->out[0]);
}

static void rebuild(struct prog *p, struct node *softmax, const struct terms *t, struct renamed *r, struct val *mask)
{
	struct val *sum = t->score[0], *arg = softmax->in[0];

	for (int i = 1; i < t->nscore; i++)
		sum = add_to(p, softmax, sum, t->score[i]);
	for (int i = 0; i < t->nbias; i++)
		sum = add_to(p, softmax, sum, t->bias[i]);
	for (int i = 0; i < t->nsecret; i++)
		sum = add_to(p, softmax, sum, soften(p, r, t->secret[i]));
	if (mask)
		sum = add_to(p, softmax, sum, mask);
	ir_set_in(p, softmax, 0, sum);
	if (arg->def)
		remove_dead(p, arg->def);
}

/* ---- one softmax ---------------------------------------------------------- */

static bool fuse(struct prog *p, struct node *softmax, struct renamed *r)
{
	struct terms t = { .nscore = 0 };
	struct val *arg = softmax->in[0];
	struct joint j;
	int64_t axis = ir_int(softmax, ATTR_axis), past, row;

	if (arg->rank < 2 || (axis != arg->rank - 1 && axis != -1))
		return true;
	collect(p, &t, arg);
	if (t.overflow || t.nscore == 0 || t.nmask + t.nsecret == 0 || !same_shape(t.score[0], arg))
		return true;
	join_masks(p, &t, arg, &j);
	if ((row = hidden_row(&j)) >= 0) {
		diag_error(p->diag, &softmax->loc, "masked-row", "row %lld of the attention mask hides every column",
			(long long)(row % j.dim[j.rank - 2]));
		diag_hint(p->diag, "the softmax of nothing is not defined; let each position see at least itself");
		return false;
	}
	if (hides_nothing(&j))
		rebuild(p, softmax, &t, r, NULL);
	else if (is_causal(&j, &past))
		rebuild_causal(p, softmax, &t, r, &j, past);
	else
		rebuild(p, softmax, &t, r, mask_const(p, &j, arg->name));
	return true;
}

/* where(all true, a, b) = a; guards against NaN behind the softmax end here. */
static void choose(struct prog *p, struct node *n)
{
	double c;

	if (!uniform_value(n->in[0], &c))
		return;
	struct val *x = n->in[c != 0 ? 1 : 2];
	if (same_shape(x, n->out[0]))
		bypass(p, n, x);
	else
		take_over(p, make_node_like(p, n, OP_expand, &n->loc, 1, &x, n->out[0]), n->out[0]);
}

bool pass_fuse_mask(struct prog *p)
{
	struct renamed r = { NULL, 0 };
	struct node *after;
	bool ok = true;

	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == OP_where)
			choose(p, n);
	}
	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == OP_softmax)
			ok = fuse(p, n, &r) && ok;
	}
	return ok;
}

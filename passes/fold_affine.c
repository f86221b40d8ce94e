/* SPDX-License-Identifier: Apache-2.0
 * fold_affine.c -- pass `fold_affine`: norms without gamma and beta, for gate sets that want them so.
 *
 * y = gamma z + beta behind a norm is an affine map of each row, and what a product makes of it is one again:
 *
 *   1. y W + b = z W' + b' with W' = diag(gamma) W and b' = b + beta W: the owner of the weights folds
 *      both before they are masked.  Also behind layout operations that keep rows.
 *   2. y + (x W + b), the sum after a block: gamma z + (x W + b''), b'' = b + beta.  Both terms are opened
 *      products, which pass join_open opens as one.
 *   3. Anything else: gamma z and + beta as operations of their own.
 *
 * W' is the old data with a factor for each row (struct val), so it takes no memory.  A weight that something
 * else uses too, such as a tied table, is not folded: it would be masked and stored twice.
 *
 * Values keep their names and meaning: sums with other biases are new values.  Exact over the real numbers.
 * Which products fold depends on the graph and on public constants, never on weights.  Norms times nodes.
 */
#include "match.h"

/* y = gamma z + beta along the last axis */
struct form { struct val *y, *z, *gz; };
struct fold {
	struct prog *p;
	struct val *gamma, *beta;            /* NULL: 1, 0; of public ones that is known */
	struct form *form; int n, cap;
};

/* An operation before y's definition with a result like y, called after it. */
static struct node *make_before(struct prog *p, const struct val *y, enum op op, int nin, struct val *const *in, const char *suffix)
{
	struct val *out = ir_val_like(p, y, suffix);

	return ir_node(p, y->def, op, &y->def->loc, nin, in, 1, &out);
}

static void add_form(struct fold *f, struct val *y, struct val *z)
{
	if (f->n == f->cap) {
		struct form *more = arena_alloc(f->p->arena, (size_t)(f->cap = 2 * f->cap + 4) * sizeof *more);
		for (int i = 0; i < f->n; i++)
			more[i] = f->form[i];
		f->form = more;
	}
	f->form[f->n++] = (struct form){ .y = y, .z = z };
}

/* Does the layout operation move whole rows of its first operand? */
static bool keeps_rows(const struct node *n)
{
	const struct val *x = n->in[0], *y = n->out[0];
	int r;
	int64_t axis;

	if (!is_layout(n) || y->rank < 1 || y->dim[y->rank - 1] != x->dim[x->rank - 1])
		return false;
	switch (n->op) {
	case OP_transpose:
		return ir_ints(n, ATTR_perm, &r)[x->rank - 1] == x->rank - 1;
	case OP_slice: case OP_gather:
		axis = ir_int(n, ATTR_axis);
		return axis != -1 && axis != x->rank - 1;
	default:
		return true;
	}
}

/* y and every y that layout operations make of it, with the same for z. */
static void collect(struct fold *f, struct val *y, struct val *z)
{
	add_form(f, y, z);
	for (int i = 0; i < f->n; i++)
		for (struct node *u = f->form[i].y->def->next; u; u = u->next)
			if (u->nin && u->in[0] == f->form[i].y && keeps_rows(u))
				add_form(f, u->out[0], copy_node(f->p, u, u, f->form[i].z, u->out[0]->rank, u->out[0]->dim)->out[0]);
}

/* ---- 1. products -------------------------------------------------------------------- */

static bool reads(const struct node *u, const struct val *y)
{
	return u->op == OP_matmul && u->in[0] == y && ir_is_const(u->in[1])
		&& u->in[1]->rank == 2 && u->in[1]->dtype == DT_F32 && (u->nin < 3 || ir_is_const(u->in[2]));
}

/* Is w, of a product, used by products of these forms alone? */
static bool is_own(const struct fold *f, const struct val *w)
{
	int uses = 0;

	for (int i = 0; i < f->n; i++)
		for (const struct node *u = f->form[i].y->def->next; u; u = u->next)
			uses += reads(u, f->form[i].y) && u->in[1] == w;
	return uses == w->nuse && !w->factor;
}

static const char *name_like(struct prog *p, const struct val *v, const char *suffix)
{
	return arena_printf(p->arena, "%s.%s", v->name, suffix);
}

/* diag(gamma) w */
static struct val *fold_matrix(struct prog *p, const struct val *w, const struct val *gamma, bool trans)
{
	const char *name = name_like(p, w, "folded");
	if (w->absent || gamma->absent)
		return ir_absent(p, name, w->rank, w->dim);
	struct val *v = ir_const_like(p, name, w, SEC_WEIGHT, w->rank, w->dim);
	v->factor = gamma;
	v->factor_step = trans ? 1 : w->dim[1];
	return v;
}

/* b + beta w, of n elements; w NULL: the unit matrix; b NULL: 0. */
static struct val *fold_bias(struct prog *p, const struct val *of, const struct val *b, const struct val *beta, const struct val *w, bool trans,
                             int64_t n)
{
	const char *name = name_like(p, of, "bias");
	const int64_t d = ir_count(beta);
	if (beta->absent || (b && b->absent) || (w && w->absent))
		return ir_absent(p, name, 1, &n);
	struct arena *scratch = arena_new();
	double *sum = arena_alloc(scratch, (size_t)n * sizeof *sum);
	float *data = arena_alloc(p->arena, (size_t)n * sizeof *data);
	for (int64_t j = 0; j < n; j++)
		sum[j] = (b ? ir_elem(b, j) : 0) + (w ? 0 : ir_elem(beta, j));
	const float *at = w ? w->data : NULL, *by = beta->data;
	for (int64_t r = 0; w && r < (trans ? n : d); r++)
		for (int64_t c = 0; c < (trans ? d : n); c++)
			sum[trans ? r : c] += (double)by[trans ? c : r] * (double)*at++;
	for (int64_t j = 0; j < n; j++)
		data[j] = (float)sum[j];
	arena_free(scratch);
	return ir_const(p, name, DT_F32, SEC_WEIGHT, 1, &n, data);
}

/* The product u with other operands */
static struct node *product_like(struct prog *p, struct node *u, struct val *x, struct val *w, struct val *b)
{
	struct val *in[3] = { x, w, b };
	struct node *n = make_before(p, u->out[0], OP_matmul, b ? 3 : 2, in, ".moved");

	if (ir_has(u, ATTR_trans_b))
		ir_set_int(p, n, ATTR_trans_b, ir_int(u, ATTR_trans_b));
	return n;
}

static void fold_product(struct fold *f, struct node *u, struct val *z, struct val *folded)
{
	const bool trans = ir_int_or(u, ATTR_trans_b, 0) != 0;
	struct val *w = u->in[1], *b = u->nin > 2 ? u->in[2] : NULL, *y = u->out[0];

	if (f->beta)
		b = fold_bias(f->p, y, b, f->beta, w, trans, y->dim[y->rank - 1]);
	ir_take_out(f->p, product_like(f->p, u, z, folded, b), y);
	ir_remove(f->p, u);
}

/* All products with w, of which the first is u. */
static void fold_products(struct fold *f, struct val *w, bool trans)
{
	struct val *folded = f->gamma ? fold_matrix(f->p, w, f->gamma, trans) : w;
	struct node *after;

	for (int i = 0; i < f->n; i++)
		for (struct node *u = f->form[i].y->def->next; u; u = after) {
			after = u->next;
			if (reads(u, f->form[i].y) && u->in[1] == w && (ir_int_or(u, ATTR_trans_b, 0) != 0) == trans)
				fold_product(f, u, f->form[i].z, folded);
		}
}

static void each_product(struct fold *f)
{
	struct node *after;

	for (int i = 0; i < f->n; i++)
		for (struct node *u = f->form[i].y->def->next; u; u = after) {
			after = u->next;
			if (reads(u, f->form[i].y) && is_own(f, u->in[1])) {
				fold_products(f, u->in[1], ir_int_or(u, ATTR_trans_b, 0) != 0);
				after = f->form[i].y->def->next; /* several may be gone */
			}
		}
}

/* ---- 2. sums, 3. what is left ---------------------------------------------------------- */

/* gamma z */
static struct val *times_gamma(struct fold *f, struct form *form)
{
	struct val *in[2] = { form->z, f->gamma };
	double c;

	if (!f->gamma)
		return form->z;
	if (form->gz)
		return form->gz;
	const bool number = f->gamma->type.sec == SEC_PUBLIC && uniform_value(f->gamma, &c);
	struct node *n = make_before(f->p, form->y, number ? OP_scale : OP_mul, number ? 1 : 2, in, ".scaled");
	if (number)
		ir_set_f64(f->p, n, ATTR_factor, c);
	return form->gz = n->out[0];
}

/* The product whose bias can take beta in a sum with y; NULL: there is none. */
static struct node *bias_owner(struct prog *p, const struct node *sum, int k)
{
	const struct val *y = sum->in[k], *m = sum->in[1 - k];
	struct node *n = m->def;

	if (!n || n->op != OP_matmul || m == y || ir_user(p, m) != sum || !same_shape(m, y) || ir_is_const(n->in[0]))
		return NULL;
	return ir_is_const(n->in[1]) && (n->nin < 3 || ir_is_const(n->in[2])) ? n : NULL;
}

static void fold_sums(struct fold *f, struct form *form)
{
	const struct val *y = form->y;
	const int64_t d = y->dim[y->rank - 1];
	struct node *m;

	for (struct node *u = y->def->next; u; u = u->next)
		for (int k = 0; k < 2 && u->op == OP_add; k++) {
			if (u->in[k] != y || !(m = bias_owner(f->p, u, k)))
				continue;
			struct val *b = fold_bias(f->p, m->out[0], m->nin > 2 ? m->in[2] : NULL, f->beta, NULL, false, d);
			struct node *n = product_like(f->p, m, m->in[0], m->in[1], b);
			ir_set_in(f->p, u, 1 - k, n->out[0]);
			ir_set_in(f->p, u, k, times_gamma(f, form));
		}
}

/* y itself, for whoever still uses it */
static void define(struct fold *f)
{
	struct val *y = f->form[0].y, *in[2] = { times_gamma(f, &f->form[0]), f->beta };
	struct node *n = f->beta ? make_before(f->p, y, OP_add, 2, in, ".moved") : in[0]->def;

	ir_take_out(f->p, n, y);
}

static bool is_public(const struct val *v, double x)
{
	double c;
	return v->type.sec == SEC_PUBLIC && uniform_value(v, &c) && c == x;
}

static void fold_norm(struct prog *p, struct node *n)
{
	struct fold f = { .p = p };
	struct val *y = n->out[0];
	const int64_t d = y->rank ? y->dim[y->rank - 1] : 0;

	for (int k = 1; k < n->nin; k++)
		if (!is_last_axis_vector(n->in[k], d))
			return;
	if (!is_public(n->in[1], 1))
		f.gamma = const_view(p, n->in[1], n->in[1]->type.sec, 1, &d);
	if (n->nin > 2 && !is_public(n->in[2], 0))
		f.beta = const_view(p, n->in[2], n->in[2]->type.sec, 1, &d);
	struct node *unit = make_before(p, y, n->op, 1, n->in, ".unit");
	ir_set_f64(p, unit, ATTR_eps, ir_f64(n, ATTR_eps));
	if (!f.gamma && !f.beta) {
		ir_take_out(p, unit, y);
		return;
	}
	collect(&f, y, unit->out[0]);
	each_product(&f);
	for (int i = 0; f.beta && i < f.n; i++)
		fold_sums(&f, &f.form[i]);
	define(&f);
}

bool pass_fold_affine(struct prog *p)
{
	struct node *after;

	if (!gates_wants_folding(p->opt))
		return true;
	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if ((n->op == OP_layernorm || n->op == OP_rmsnorm) && n->nin > 1)
			fold_norm(p, n);
	}
	sweep_dead(p);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * matmul.c -- masked matrix product with bias (SIGMA, eprint 2023/1269, section
 * 5.1; Beaver 1991).  Any batch axes, broadcast as NumPy does.
 *
 * Opened: the result in full under its own pad, and nothing else; with a public weight, nothing.  If only the
 * lower triangle is used, only that is opened: the rest of the shares is dropped.
 * Condition: none (exact mod 2^n).
 */
#include "passes/gate/build.h"

/* An operand as a stack of matrices: strides of the two last axes, shape of the others. */
struct stack { int rank; int64_t dim[MAX_RANK], stride[MAX_RANK], row, col, rows, cols; };

static struct stack
stack_of(const struct val *v, bool left)
{
	int64_t s[MAX_RANK];
	struct stack k = { .rank = v->rank - 2 };
	b_contiguous(v->rank, v->dim, s);
	if (v->rank < 2) { /* a vector is a row on the left, a column on the right */
		k.rank = 0;
		k.rows = left ? 1 : v->dim[0];
		k.cols = left ? v->dim[0] : 1;
		k.row = k.col = 1;
		return k;
	}
	for (int j = 0; j < k.rank; j++) {
		k.dim[j] = v->dim[j];
		k.stride[j] = v->dim[j] == 1 ? 0 : s[j];
	}
	k.rows = v->dim[v->rank - 2];
	k.cols = v->dim[v->rank - 1];
	k.row = s[v->rank - 2];
	k.col = 1;
	return k;
}

static void
swap(int64_t *a, int64_t *b)
{
	int64_t t = *a;
	*a = *b;
	*b = t;
}

static void
transpose(struct stack *k)
{
	swap(&k->row, &k->col);
	swap(&k->rows, &k->cols);
}

/* The batch axes of both operands, joined as far as they can be; false: more than two are left. */
static bool
batch_axes(const struct stack *a, const struct stack *b, struct suf_mm *mm)
{
	int rank = a->rank > b->rank ? a->rank : b->rank, n = 0;
	int64_t dim[MAX_RANK + 2] = {0}, sa[MAX_RANK + 2] = {0}, sb[MAX_RANK + 2] = {0};
	for (int k = 0; k < rank; k++) {
		int ja = k - (rank - a->rank), jb = k - (rank - b->rank);
		int64_t da = ja < 0 ? 1 : a->dim[ja], db = jb < 0 ? 1 : b->dim[jb], d = da > db ? da : db;
		int64_t ta = ja < 0 ? 0 : a->stride[ja], tb = jb < 0 ? 0 : b->stride[jb];
		if (d == 1)
			continue;
		if (n && sa[n - 1] == ta * d && sb[n - 1] == tb * d)
			d *= dim[--n];
		dim[n] = d;
		sa[n] = ta;
		sb[n] = tb;
		n++;
	}
	if (n > 2)
		return false;
	if (n == 1) { /* one axis: it is the inner one */
		dim[1] = dim[0], sa[1] = sa[0], sb[1] = sb[0];
		dim[0] = 1, sa[0] = sb[0] = 0;
	}
	if (n == 0)
		dim[0] = dim[1] = 1;
	mm->batch = (uint32_t)(dim[0] * dim[1]);
	mm->bh = (uint32_t)dim[1];
	mm->sa[0] = sa[0], mm->sa[1] = sa[1];
	mm->sb[0] = sb[0], mm->sb[1] = sb[1];
	return true;
}

static struct suf_mm
product(struct stack *a, struct stack *b, bool *ok)
{
	struct suf_mm mm = { .rows = (uint32_t)a->rows, .inner = (uint32_t)a->cols, .cols = (uint32_t)b->cols };
	if (a->cols != b->rows)
		BUG("a product of %lld columns and %lld rows", (long long)a->cols, (long long)b->rows);
	*ok = batch_axes(a, b, &mm);
	mm.sa[2] = a->row, mm.sa[3] = a->col;
	mm.sb[2] = b->row, mm.sb[3] = b->col;
	/* one matrix on the right for all of the batch: the batch is more rows */
	if (mm.bh == mm.batch && mm.sb[1] == 0 && mm.sa[1] == mm.sa[2] * mm.rows) {
		mm.rows *= mm.batch;
		mm.batch = mm.bh = 1;
		mm.sa[1] = 0;
	}
	return mm;
}

/* a repeated to the batch shape of both, so that its axes join */
static struct val *
spread(struct gb *g, struct val *a, const struct val *out)
{
	int64_t dim[MAX_RANK], sa[MAX_RANK], so[MAX_RANK];
	for (int k = 0; k < out->rank; k++)
		dim[k] = out->dim[k];
	dim[out->rank - 2] = a->dim[a->rank - 2];
	dim[out->rank - 1] = a->dim[a->rank - 1];
	b_strides(a, out->rank, dim, sa);
	b_contiguous(out->rank, dim, so);
	struct suf_map map = b_map(out->rank, dim, so, sa, NULL);
	struct val *v = b_lin(g, 1, a, 0, NULL, 0, a->type.bits, &map);
	v->rank = out->rank;
	for (int k = 0; k < out->rank; k++)
		v->dim[k] = dim[k];
	return v;
}

/* The product, opened, or only its triangle when nothing else is used; the result goes to the node's or tril's output. */
static bool
give(struct gb *g, struct val *a, struct val *b, struct val *bias, const struct suf_mm *mm)
{
	struct node *user = ir_user(g->p, g->at->out[0]);
	if (!user || user->op != OP_tril || b_is_public(g, b))
		return b_done(g, b_linear(g, a, b, bias, mm));
	struct val *z = b_is_owned(g, b) ? b_owned_product(g, a, b, bias, mm) : b_matmul(g, a, b, bias, mm);
	const struct val *dense = g->at->out[0];
	const uint64_t rows = (uint64_t)dense->dim[dense->rank - 2], past = (uint64_t)ir_int_or(user, ATTR_past, 0);
	const struct suf_rows r = b_tril_rows(b_count(dense) / (uint64_t)dense->dim[dense->rank - 1], rows, past);
	b_done_node(g, user, b_open(g, b_tril(g, z, &r)));
	ir_remove(g->p, g->at);
	return true;
}

static bool
batch_error(struct gb *g)
{
	diag_error(g->p->diag, &g->at->loc, "batch-axes", "'%s': the operands are broadcast over more than two batch axes that cannot be joined", g->at->out[0]->name);
	diag_hint(g->p->diag, "reshape the operands so that broadcast and other batch axes do not alternate");
	return false;
}

/* weight @ x: as (x^T weight^T)^T, since the first operand of the step is a wire */
static bool
weight_first(struct gb *g, struct stack a, struct stack b)
{
	struct node *n = g->at;
	bool ok;
	transpose(&a);
	transpose(&b);
	struct suf_mm mm = product(&b, &a, &ok);
	if (!ok)
		return batch_error(g);
	struct val *z = b_linear(g, n->in[1], n->in[0], NULL, &mm);
	const int64_t cols = b.rows, rows = a.cols, batch = (int64_t)(b_count(z) / (uint64_t)(rows * cols));
	const int64_t dim[3] = { batch, rows, cols }, so[3] = { rows * cols, cols, 1 }, sa[3] = { rows * cols, 1, rows }, sb[3] = { 0, 0, 1 };
	const struct suf_map map = b_map(3, dim, so, sa, sb);
	struct val *bias = n->nin > 2 ? b_weight(g, n->in[2], z->type.bits) : NULL;
	return b_done(g, b_lin(g, 1, z, bias ? 1 : 0, bias, 0, z->type.bits, &map));
}

bool
expand_sigma_matmul(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *a = n->in[0], *b = n->in[1];
	struct stack sa = stack_of(a, true), sb = stack_of(b, false);
	if (ir_int_or(n, ATTR_trans_b, 0))
		transpose(&sb);
	if (ir_is_const(a))
		return weight_first(&g, sa, sb);
	bool ok;
	struct suf_mm mm = product(&sa, &sb, &ok);
	if (!ok) {
		a = spread(&g, a, n->out[0]);
		sa = stack_of(a, true);
		if (!ir_is_const(b)) {
			b = spread(&g, b, n->out[0]);
			sb = stack_of(b, false);
			if (ir_int_or(n, ATTR_trans_b, 0))
				transpose(&sb);
		}
		mm = product(&sa, &sb, &ok);
	}
	if (!ok)
		return batch_error(&g);
	struct val *bias = n->nin > 2 ? n->in[2] : NULL;
	if (!bias || ir_is_const(bias))
		return give(&g, a, b, bias, &mm);
	struct val *z = b_linear(&g, a, b, NULL, &mm); /* a computed bias is added to the result */
	const int64_t dim[2] = { (int64_t)(b_count(z) / mm.cols), mm.cols }, so[2] = { dim[1], 1 }, row[2] = { 0, 1 };
	const struct suf_map map = b_map(2, dim, so, so, row);
	return b_done(&g, b_lin(&g, 1, z, 1, bias, 0, z->type.bits, &map));
}

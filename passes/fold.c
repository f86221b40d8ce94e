/* SPDX-License-Identifier: Apache-2.0
 * fold.c -- pass fold: evaluate nodes whose operands are constants, drop nodes that do nothing or are not used.
 *
 * Needs: stage FLOAT.  Leaves true: no node has only constant operands, unless
 * it defines an output or its result is larger than MAX_GROWTH and everything
 * it reads; every node is used; no cast or reshape keeps type and shape of a value that has a
 * definition.  A folded value is as secret as its operands, except sines and
 * cosines (angles are structure) and attention masks.
 * One walk forward, one backward: linear in nodes and constant elements.
 */
#include "passes.h"
#include "float_eval.h"
#include <string.h>

enum { MAX_GROWTH = 1 << 26 };       /* elements */

static bool is_output(const struct prog *p, const struct val *v)
{
	for (int k = 0; k < p->nout; k++)
		if (p->out[k] == v)
			return true;
	return false;
}

static bool all_const(const struct node *n)
{
	int64_t largest = MAX_GROWTH;
	for (int k = 0; k < n->nin; k++) {
		if (!ir_is_const(n->in[k]))
			return false;
		largest = ir_count(n->in[k]) > largest ? ir_count(n->in[k]) : largest;
	}
	return n->nin > 0 && n->nout == 1 && ir_count(n->out[0]) <= largest;
}

/* A reshape of a constant shares its elements. */
static const void *evaluate(struct prog *p, const struct node *n)
{
	if (n->op == OP_reshape)
		return n->in[0]->data;
	int64_t count = ir_count(n->out[0]);
	struct arena *scratch = arena_new();
	void *data = arena_alloc(p->arena, (size_t)(count ? count : 1) * eval_elem_size(n->out[0]->dtype));
	const void **in = arena_alloc(scratch, (size_t)n->nin * sizeof *in);
	for (int k = 0; k < n->nin; k++)
		in[k] = n->in[k]->data;
	bool ok = float_eval_node(n, in, (void *const[]){ data }, scratch);
	arena_free(scratch);
	if (!ok)
		diag_error(p->diag, &n->loc, "evaluate", "%s: cannot evaluate this on its constant operands; an index may be out of range", op_desc[n->op].name);
	return ok ? data : NULL;
}

static bool is_absent(const struct node *n)
{
	for (int k = 0; k < n->nin; k++)
		if (n->in[k]->absent)
			return n->out[0]->dtype == DT_F32;
	return false;
}

static void replace(struct prog *p, struct node *n, struct val *with)
{
	with->source = n->out[0]->source;
	ir_replace(p, n->out[0], with);
	ir_remove(p, n);
}

static bool fold_node(struct prog *p, struct node *n)
{
	struct val *out = n->out[0];
	enum sec sec = SEC_PUBLIC;
	if (is_absent(n)) {
		replace(p, n, ir_absent(p, out->name, out->rank, out->dim));
		return true;
	}
	const void *data = evaluate(p, n);
	if (!data)
		return false;
	for (int k = 0; k < n->nin; k++)
		sec = n->in[k]->type.sec > sec ? n->in[k]->type.sec : sec;
	if (n->op == OP_sin || n->op == OP_cos || eval_is_mask(out->dtype, ir_count(out), data))
		sec = SEC_PUBLIC;
	struct val *c = ir_const(p, out->name, out->dtype, sec, out->rank, out->dim, data);
	replace(p, n, c);
	return true;
}

static bool same_shape(const struct val *a, const struct val *b)
{
	return a->dtype == b->dtype && a->rank == b->rank && !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim);
}

/* A node whose result is its operand; an output keeps its own node. */
static bool does_nothing(const struct prog *p, const struct node *n)
{
	return (n->op == OP_cast || n->op == OP_reshape || n->op == OP_expand) && same_shape(n->in[0], n->out[0]) && !is_output(p, n->out[0]);
}

static bool unused(const struct prog *p, const struct node *n)
{
	for (int k = 0; k < n->nout; k++)
		if (n->out[k]->nuse || is_output(p, n->out[k]))
			return false;
	return true;
}

bool pass_fold(struct prog *p)
{
	struct node *next, *prev;
	bool ok = true;

	for (struct node *n = p->first; n; n = next) {
		next = n->next;
		if (does_nothing(p, n)) {
			ir_replace(p, n->out[0], n->in[0]);
			ir_remove(p, n);
		} else if (all_const(n) && !unused(p, n) && !is_output(p, n->out[0])) {
			ok = fold_node(p, n) && ok;
		}
	}
	for (struct node *n = p->last; n; n = prev) {
		prev = n->prev;
		if (unused(p, n))
			ir_remove(p, n);
	}
	return ok;
}

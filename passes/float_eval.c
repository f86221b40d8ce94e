/* SPDX-License-Identifier: Apache-2.0
 * float_eval.c -- the reference interpreter of stage FLOAT.
 *
 * It defines what a program computes: calibration, verification and constant
 * folding all use it.
 */
#include "passes.h"
#include "float_eval.h"
#include <stdlib.h>

struct index { const struct val *val; int at; };

static int by_address(const void *a, const void *b)
{
	const struct index *x = a, *y = b;
	return x->val < y->val ? -1 : x->val > y->val;
}

static int index_of(const struct index *map, int n, const struct val *v)
{
	struct index key = { v, 0 };
	const struct index *hit = bsearch(&key, map, (size_t)n, sizeof key, by_address);
	if (!hit)
		BUG("value %s is not of this program", v->name);
	return hit->at;
}

bool float_eval_node(const struct node *n, const void *const *in, void *const *out, struct arena *scratch)
{
	bool ok = true;

	if (n->op == OP_matmul) {
		eval_matmul(n->out[0], out[0], n->in[0], in[0], n->in[1], in[1], ir_int_or(n, ATTR_trans_b, 0) != 0,
		            n->nin > 2 ? in[2] : NULL, scratch);
		return true;
	}
	if (eval_elem(n, in, out) || eval_norm(n, in, out, scratch))
		return true;
	return eval_layout(n, in, out, &ok) && ok;
}

static bool eval_one(const struct prog *p, const struct node *n, const struct index *map, void **result,
                     struct arena *mem, struct arena *scratch, const struct float_change *change)
{
	const void **in = arena_alloc(scratch, (size_t)n->nin * sizeof *in);
	void **out = arena_alloc(scratch, (size_t)n->nout * sizeof *out);

	for (int k = 0; k < n->nin; k++) {
		in[k] = result[index_of(map, p->nvals, n->in[k])];
		if (!in[k]) {
			diag_error(p->diag, &n->loc, "eval", "input %s has no value", n->in[k]->name);
			return false;
		}
		if (n->in[k]->factor) {
			float *all = arena_alloc(scratch, (size_t)ir_count(n->in[k]) * sizeof *all);
			ir_floats(n->in[k], all);
			in[k] = all;
		}
		if (change && n->in[k]->data)
			in[k] = change->constant(change->arg, index_of(map, p->nvals, n->in[k]), in[k], scratch);
	}
	for (int k = 0; k < n->nout; k++) {
		int64_t count = ir_count(n->out[k]);
		out[k] = arena_alloc(mem, (size_t)(count ? count : 1) * eval_elem_size(n->out[k]->dtype));
		result[index_of(map, p->nvals, n->out[k])] = out[k];
	}
	if (float_eval_node(n, in, out, scratch)) {
		for (int k = 0; change && k < n->nout; k++)
			change->result(change->arg, index_of(map, p->nvals, n->out[k]), out[k]);
		return true;
	}
	if (n->op == OP_embedding || n->op == OP_gather)
		diag_error(p->diag, &n->loc, "eval", "an index of %s is outside the table of %lld rows", n->in[1]->name,
		           (long long)n->in[0]->dim[n->op == OP_gather ? ir_int(n, ATTR_axis) : 0]);
	else
		diag_error(p->diag, &n->loc, "eval", "operation %s cannot be evaluated at stage FLOAT", op_desc[n->op].name);
	return false;
}

bool float_eval_changed(const struct prog *p, const void *const *in, void **result, struct arena *mem, const struct float_change *change)
{
	struct arena *own = arena_new();
	struct index *map = arena_alloc(own, (size_t)(p->nvals ? p->nvals : 1) * sizeof *map);
	bool ok = true;

	for (int i = 0; i < p->nvals; i++) {
		map[i] = (struct index){ p->vals[i], i };
		result[i] = (void *)(uintptr_t)p->vals[i]->data;
	}
	qsort(map, (size_t)p->nvals, sizeof *map, by_address);
	for (int k = 0; k < p->nin; k++)
		result[index_of(map, p->nvals, p->in[k])] = (void *)(uintptr_t)in[k];
	for (const struct node *n = p->first; n && ok; n = n->next) {
		struct arena *scratch = arena_new();
		ok = eval_one(p, n, map, result, mem, scratch, change);
		arena_free(scratch);
	}
	arena_free(own);
	return ok;
}

bool float_eval(const struct prog *p, const void *const *in, void **result, struct arena *mem)
{
	return float_eval_changed(p, in, result, mem, NULL);
}

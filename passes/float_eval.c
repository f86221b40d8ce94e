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
		            n->nin > 2 ? in[2] : NULL);
		return true;
	}
	if (eval_elem(n, in, out) || eval_norm(n, in, out, scratch))
		return true;
	return eval_layout(n, in, out, &ok) && ok;
}

/* One run.  report: errors are said, not only returned; change: NULL, or what it changes. */
struct run { const struct prog *p; struct index *map; void **result; bool report; const struct float_change *change; };

static int place(const struct run *r, const struct val *v)
{
	return index_of(r->map, r->p->nvals, v);
}

static bool fail(const struct run *r, const struct node *n)
{
	if (!r->report)
		return false;
	if (n->op == OP_embedding || n->op == OP_gather)
		diag_error(r->p->diag, &n->loc, "eval", "an index of %s is outside the table of %lld rows", n->in[1]->name,
		           (long long)n->in[0]->dim[n->op == OP_gather ? ir_int(n, ATTR_axis) : 0]);
	else
		diag_error(r->p->diag, &n->loc, "eval", "operation %s cannot be evaluated at stage FLOAT", op_desc[n->op].name);
	return false;
}

/* Results go into mem, or each into memory of its own where mem is NULL. */
static bool eval_one(const struct run *r, const struct node *n, struct arena *mem, struct arena *scratch)
{
	const void **in = arena_alloc(scratch, (size_t)n->nin * sizeof *in);
	void **out = arena_alloc(scratch, (size_t)n->nout * sizeof *out);

	for (int k = 0; k < n->nin; k++) {
		in[k] = r->result[place(r, n->in[k])];
		if (!in[k]) {
			if (r->report)
				diag_error(r->p->diag, &n->loc, "eval", "input %s has no value", n->in[k]->name);
			return false;
		}
		if (n->in[k]->factor && !(n->op == OP_matmul && k == 1)) { /* a product takes them as they are */
			float *all = arena_alloc(scratch, (size_t)ir_count(n->in[k]) * sizeof *all);
			ir_floats(n->in[k], all);
			in[k] = all;
		}
		if (r->change && n->in[k]->data)
			in[k] = r->change->constant(r->change->arg, place(r, n->in[k]), in[k], scratch);
	}
	for (int k = 0; k < n->nout; k++) {
		int64_t count = ir_count(n->out[k]);
		size_t bytes = (size_t)(count ? count : 1) * eval_elem_size(n->out[k]->dtype);
		out[k] = mem ? arena_alloc(mem, bytes) : calloc(1, bytes);
		if (!out[k])
			arena_out_of_memory(bytes);
		r->result[place(r, n->out[k])] = out[k];
	}
	if (!float_eval_node(n, in, out, scratch))
		return fail(r, n);
	for (int k = 0; r->change && k < n->nout; k++)
		r->change->result(r->change->arg, place(r, n->out[k]), out[k]);
	return true;
}

static struct run run_start(const struct prog *p, const void *const *in, void **result, bool report, struct arena *own)
{
	struct run r = { .p = p, .map = arena_alloc(own, (size_t)(p->nvals + 1) * sizeof *r.map), .result = result, .report = report };
	for (int i = 0; i < p->nvals; i++) {
		r.map[i] = (struct index){ p->vals[i], i };
		result[i] = (void *)(uintptr_t)p->vals[i]->data;
	}
	qsort(r.map, (size_t)p->nvals, sizeof *r.map, by_address);
	for (int k = 0; k < p->nin; k++)
		result[place(&r, p->in[k])] = (void *)(uintptr_t)in[k];
	return r;
}

bool float_eval_changed(const struct prog *p, const void *const *in, void **result, struct arena *mem, const struct float_change *change)
{
	struct arena *own = arena_new();
	struct run r = run_start(p, in, result, true, own);
	r.change = change;
	bool ok = true;

	for (const struct node *n = p->first; n && ok; n = n->next) {
		struct arena *scratch = arena_new();
		ok = eval_one(&r, n, mem, scratch);
		arena_free(scratch);
	}
	arena_free(own);
	return ok;
}

bool float_eval(const struct prog *p, const void *const *in, void **result, struct arena *mem)
{
	return float_eval_changed(p, in, result, mem, NULL);
}

/* The operands that no later node reads, and results that none reads. */
static void release(const struct run *r, const struct node *n, const struct node *const *last)
{
	for (int k = 0; k < n->nin + n->nout; k++) {
		const struct val *v = k < n->nin ? n->in[k] : n->out[k - n->nin];
		const int at = place(r, v);
		if (v->def && !v->data && (last[at] == n || !last[at])) {
			free(r->result[at]);
			r->result[at] = NULL;
		}
	}
}

bool float_eval_watched(const struct prog *p, const void *const *in, float_watch *see, void *arg, bool report)
{
	struct arena *own = arena_new();
	struct run r = run_start(p, in, arena_alloc(own, (size_t)(p->nvals + 1) * sizeof *r.result), report, own);
	const struct node **last = arena_alloc(own, (size_t)(p->nvals + 1) * sizeof *last);
	bool ok = true;

	for (const struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++)
			last[place(&r, n->in[k])] = n;
	for (int k = 0; k < p->nin; k++)
		see(arg, place(&r, p->in[k]), in[k]);
	for (const struct node *n = p->first; n && ok; n = n->next) {
		struct arena *scratch = arena_new();
		ok = eval_one(&r, n, NULL, scratch);
		arena_free(scratch);
		for (int k = 0; ok && k < n->nout; k++)
			see(arg, place(&r, n->out[k]), r.result[place(&r, n->out[k])]);
		if (ok)
			release(&r, n, last);
	}
	for (int i = 0; i < p->nvals; i++)               /* what an error left */
		if (p->vals[i]->def && !p->vals[i]->data)
			free(r.result[i]);
	arena_free(own);
	return ok;
}

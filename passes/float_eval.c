/* SPDX-License-Identifier: Apache-2.0
 * float_eval.c -- the reference interpreter of stage FLOAT.
 *
 * It defines what a program computes: calibration, verification and constant
 * folding all use it.
 */
#include "passes.h"
#include "float_eval.h"
#include "passes/parallel.h"
#include <stdatomic.h>
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

/* One run, or those of some examples: a value that is no constant is an array of what it is in each of them.
 * report: errors are said, not only returned; change: NULL, or what it changes. */
struct run { const struct prog *p; struct index *map; void **result; bool report; const struct float_change *change; };

static int place(const struct run *r, const struct val *v)
{
	return index_of(r->map, r->p->nvals, v);
}

/* Bytes of a value, of one element at least. */
static int64_t size_of(const struct val *v)
{
	const int64_t count = ir_count(v);
	return (count ? count : 1) * (int64_t)eval_elem_size(v->dtype);
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

static bool operands(const struct run *r, const struct node *n, int64_t example, const void **in, struct arena *scratch)
{
	for (int k = 0; k < n->nin; k++) {
		const struct val *v = n->in[k];
		in[k] = r->result[place(r, v)];
		if (!in[k]) {
			if (r->report)
				diag_error(r->p->diag, &n->loc, "eval", "input %s has no value", v->name);
			return false;
		}
		if (!v->data)
			in[k] = (const char *)in[k] + example * size_of(v);
		if (v->factor && !(n->op == OP_matmul && k == 1)) { /* a product takes them as they are */
			float *all = arena_alloc(scratch, (size_t)ir_count(v) * sizeof *all);
			ir_floats(v, all);
			in[k] = all;
		}
		if (r->change && v->data)
			in[k] = r->change->constant(r->change->arg, place(r, v), in[k], scratch);
	}
	return true;
}

static bool eval_one(const struct run *r, const struct node *n, struct arena *mem, struct arena *scratch)
{
	const void **in = arena_alloc(scratch, (size_t)n->nin * sizeof *in);
	void **out = arena_alloc(scratch, (size_t)n->nout * sizeof *out);

	if (!operands(r, n, 0, in, scratch))
		return false;
	for (int k = 0; k < n->nout; k++)
		r->result[place(r, n->out[k])] = out[k] = arena_alloc(mem, (size_t)size_of(n->out[k]));
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

/* One node of all examples.  ptr: `most` pointers for each example, to operands and results. */
struct task { const struct run *run; const struct node *node; const void **ptr; int most; bool done; float_watch *see; void *arg; _Atomic bool ok; };

static void task_example(void *arg, int64_t example)
{
	struct task *t = arg;
	const struct node *n = t->node;
	const void **in = t->ptr + example * t->most;
	void **out = (void **)(uintptr_t)(in + n->nin);
	struct arena *scratch = arena_new();
	bool ok = t->done || operands(t->run, n, example, in, scratch);

	for (int k = 0; k < n->nout; k++)
		out[k] = (char *)t->run->result[place(t->run, n->out[k])] + example * size_of(n->out[k]);
	if (ok && !t->done && !float_eval_node(n, in, out, scratch))
		ok = fail(t->run, n);
	arena_free(scratch);
	for (int k = 0; ok && k < n->nout; k++)
		t->see(t->arg, example, place(t->run, n->out[k]), out[k]);
	if (!ok)
		t->ok = false;
}

/* A product with one constant matrix takes the rows of all examples at once, and reads the matrix only once. */
static bool task_product(const struct task *t, int64_t count)
{
	const struct node *n = t->node;
	if (n->op != OP_matmul || n->in[0]->data || !n->in[1]->data || n->in[1]->rank != 2 || (n->nin > 2 && !n->in[2]->data))
		return false;
	struct val rows = *n->out[0];
	const void *in[3] = { NULL };
	struct arena *scratch = arena_new();
	rows.dim[0] *= count;
	if (operands(t->run, n, 0, in, scratch))
		eval_matmul(&rows, t->run->result[place(t->run, n->out[0])], n->in[0], in[0], n->in[1], in[1], ir_int_or(n, ATTR_trans_b, 0) != 0, in[2]);
	arena_free(scratch);
	return in[n->nin - 1] != NULL;
}

static bool task_run(struct task *t, const struct node *n, int64_t count)
{
	t->node = n;
	for (int k = 0; k < n->nout; k++) {
		const size_t bytes = (size_t)(count * size_of(n->out[k]));
		void *all = malloc(bytes);               /* every operation writes all of its results */
		if (!all)
			arena_out_of_memory(bytes);
		t->run->result[place(t->run, n->out[k])] = all;
	}
	t->done = task_product(t, count);
	parallel_for(count, task_example, t);
	return t->ok;
}

bool float_eval_watched(const struct prog *p, int64_t count, const void *const *in, float_watch *see, void *arg, bool report)
{
	struct arena *own = arena_new();
	struct run r = run_start(p, in, arena_alloc(own, (size_t)(p->nvals + 1) * sizeof *r.result), report, own);
	const struct node **last = arena_alloc(own, (size_t)(p->nvals + 1) * sizeof *last);
	struct task t = { .run = &r, .see = see, .arg = arg, .ok = true };

	for (const struct node *n = p->first; n; n = n->next) {
		t.most = n->nin + n->nout > t.most ? n->nin + n->nout : t.most;
		for (int k = 0; k < n->nin; k++)
			last[place(&r, n->in[k])] = n;
	}
	t.ptr = arena_alloc(own, (size_t)(count * t.most) * sizeof *t.ptr);
	for (int k = 0; k < p->nin; k++)
		for (int64_t e = 0; e < count; e++)
			see(arg, e, place(&r, p->in[k]), (const char *)in[k] + e * size_of(p->in[k]));
	for (const struct node *n = p->first; n && t.ok; n = n->next)
		if (task_run(&t, n, count))
			release(&r, n, last);
	for (int i = 0; i < p->nvals; i++)               /* what an error left */
		if (p->vals[i]->def && !p->vals[i]->data)
			free(r.result[i]);
	arena_free(own);
	return t.ok;
}

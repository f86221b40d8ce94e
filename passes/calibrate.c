/* SPDX-License-Identifier: Apache-2.0
 * calibrate.c -- what every value of a float program takes on example inputs.
 */
#include <math.h>
#include <string.h>
#include "passes/examples.h"
#include "passes/passes.h"
#include "passes/range.h"

static void widen(struct range *r, struct range x)
{
	if (!(x.lo <= x.hi))
		return;
	bool first = !(r->lo <= r->hi);
	r->lo = first ? x.lo : fmin(r->lo, x.lo);
	r->hi = first ? x.hi : fmax(r->hi, x.hi);
	r->norm = fmax(r->norm, x.norm);
}

static double row_sum(const struct val *v, const float *x)
{
	const int64_t last = range_last(v), n = ir_count(v);
	double most = 0;
	for (int64_t i = 0; i < n; i += last) {
		double sum = 0;
		for (int64_t j = i; j < i + last; j++)
			sum += (double)x[j];
		most = fmax(most, fabs(sum));
	}
	return most;
}

/* Rows of a softmax along the last axis, packed ones too. */
static void row_maxima(const struct node *n, const float *x)
{
	struct val *v = n->in[0];
	const bool packed = n->op == OP_softmax_tril;
	const int64_t rank = v->rank, axis = packed ? -1 : ir_int(n, ATTR_axis), count = ir_count(v);
	if (!packed && (axis + rank) % rank != rank - 1)
		return;
	const int64_t rows = packed ? ir_int(n, ATTR_rows) : 1, first = packed ? ir_int_or(n, ATTR_past, 0) + 1 : range_last(v);
	for (int64_t at = 0, row = 0; at < count; row = (row + 1) % rows) {
		double most = -INFINITY;
		for (const int64_t end = at + first + (packed ? row : 0); at < end; at++)
			most = fmax(most, (double)x[at]);
		v->row_max = v->has_row_max ? fmin(v->row_max, most) : most;
		v->has_row_max = true;
	}
}

static int index_of(const struct prog *p, const struct val *v)
{
	int i = 0;
	while (p->vals[i] != v)
		i++;
	return i;
}

static bool run_example(struct prog *p, const struct examples *ex, int64_t example, struct range *seen)
{
	struct arena *mem = arena_new();
	const void **in = arena_alloc(mem, (size_t)(p->nin + 1) * sizeof *in);
	void **result = arena_alloc(mem, (size_t)(p->nvals + 1) * sizeof *result);
	for (int k = 0; k < p->nin; k++)
		in[k] = example_at(p, ex, k, example);
	bool ok = float_eval(p, in, result, mem);
	for (int i = 0; ok && i < p->nvals; i++)
		if (result[i] && !p->vals[i]->data) {
			struct val *v = p->vals[i];
			widen(&seen[i], range_of_data(v, result[i]));
			if (v->dtype == DT_F32 && range_last(v) > 0)
				v->row_sum = fmax(v->row_sum, row_sum(v, result[i]));
		}
	for (const struct node *n = p->first; ok && n; n = n->next)
		if (n->op == OP_softmax || n->op == OP_softmax_tril) {
			const void *x = result[index_of(p, n->in[0])];
			if (x)
				row_maxima(n, x);
		}
	arena_free(mem);
	return ok;
}

bool calibrate_run(struct prog *p, const char *path, struct range **to)
{
	struct examples ex = { .count = 0 };
	size_t len = strlen(path);
	bool npz = len > 4 && !strcmp(path + len - 4, ".npz");
	if (p->nin > 1 && !npz) {
		diag_error(p->diag, NULL, "calibrate", "%s: the program has %d inputs, calibration takes an .npz file with an array for each", path, p->nin);
		diag_hint(p->diag, "np.savez(path, %s=...)", p->in[0]->name);
		return false;
	}
	for (int k = 0; k < p->nin; k++)
		if (!examples_read(p, &ex, k, path))
			return false;
	struct range *seen = arena_alloc(p->arena, (size_t)(p->nvals + 1) * sizeof *seen);
	for (int i = 0; i < p->nvals; i++)
		seen[i] = range_unknown();
	for (int64_t e = 0; e < ex.count; e++)
		if (!run_example(p, &ex, e, seen))
			return false;
	*to = seen;
	return true;
}

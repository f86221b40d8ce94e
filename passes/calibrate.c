/* SPDX-License-Identifier: Apache-2.0
 * calibrate.c -- what every value of a float program takes on example inputs.
 */
#include <math.h>
#include <string.h>
#include "passes/examples.h"
#include "passes/float_eval.h"
#include "passes/passes.h"
#include "passes/range.h"
#include "passes/scan_f32.h"

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
	const enum suf_isa isa = suf_cpu_best();
	double most = 0;
	for (int64_t i = 0; i < n; i += last)
		most = fmax(most, fabs(scan_f32(isa, x + i, last).sum));
	return most;
}

enum { ROW_MARGIN = 6 };     /* nats by which rows may stay below those of the examples */

/* Rows of a softmax along the last axis, packed ones too: the least of their maxima; rows that a mask hides in full do not count. */
static double row_maxima(const struct node *n, const float *x)
{
	const struct val *v = n->in[0];
	const bool packed = n->op == OP_softmax_tril;
	const int64_t rank = v->rank, axis = packed ? -1 : ir_int(n, ATTR_axis), count = ir_count(v);
	const enum suf_isa isa = suf_cpu_best();
	double result = INFINITY;
	if (!packed && (axis + rank) % rank != rank - 1)
		return result;
	const int64_t rows = packed ? ir_int(n, ATTR_rows) : 1, first = packed ? ir_int_or(n, ATTR_past, 0) + 1 : range_last(v);
	for (int64_t at = 0, row = 0; at < count; row = (row + 1) % rows) {
		const int64_t length = first + (packed ? row : 0);
		const double most = scan_f32(isa, x + at, length).hi;
		result = fmin(result, most > MASK_SECRET / 2 ? most : INFINITY);
		at += length;
	}
	return result;
}

/* What one example, or all, showed of a value; reader: the softmax whose scores it is. */
struct seen { struct range range; double row_sum, row_max; };
struct job { const struct prog *p; const struct examples *ex; const struct node **reader; struct seen *seen; int64_t first; };

enum { TOGETHER = 8 };       /* examples whose results are there at the same time */

static void see(void *arg, int64_t example, int i, const void *data)
{
	const struct job *w = arg;
	const struct val *v = w->p->vals[i];
	struct seen *s = &w->seen[(w->first + example) * w->p->nvals + i];
	if (v->data)
		return;
	*s = (struct seen){ range_of_data(v, data), 0, INFINITY };
	if (v->dtype == DT_F32 && range_last(v) > 0)
		s->row_sum = row_sum(v, data);
	if (w->reader[i])
		s->row_max = row_maxima(w->reader[i], data);
}

static bool run_some(struct job *job, int64_t first, int64_t count, bool report)
{
	struct arena *mem = arena_new();
	const struct prog *p = job->p;
	const void **in = arena_alloc(mem, (size_t)(p->nin + 1) * sizeof *in);
	job->first = first;
	for (int k = 0; k < p->nin; k++)
		in[k] = example_at(p, job->ex, k, first);
	const bool ok = float_eval_watched(p, count, in, see, job, report);
	arena_free(mem);
	return ok;
}

static int index_of(const struct prog *p, const struct val *v)
{
	int i = 0;
	while (p->vals[i] != v)
		i++;
	return i;
}

/* All examples, some at the same time; (*to)[i] is what they showed of prog->vals[i], whatever their order. */
static bool run_examples(struct prog *p, const struct examples *ex, struct range *to)
{
	struct arena *mem = arena_new();
	const size_t n = (size_t)p->nvals, count = (size_t)ex->count;
	struct job job = { .p = p, .ex = ex, .reader = arena_alloc(mem, (n + 1) * sizeof *job.reader), .seen = arena_alloc(mem, (n * count + 1) * sizeof *job.seen) };
	bool ok = true;
	for (const struct node *s = p->first; s; s = s->next)
		if (s->op == OP_softmax || s->op == OP_softmax_tril)
			job.reader[index_of(p, s->in[0])] = s;
	for (size_t i = 0; i < n * count; i++)
		job.seen[i] = (struct seen){ range_unknown(), 0, INFINITY };
	for (int64_t at = 0; ok && at < ex->count; at += TOGETHER) {
		const int64_t some = ex->count - at < TOGETHER ? ex->count - at : TOGETHER;
		const bool all = run_some(&job, at, some, false);
		for (int64_t e = at; ok && !all && e < at + some; e++)
			ok = run_some(&job, e, 1, true);                 /* once more, to say why */
	}
	for (size_t i = 0; ok && i < n * count; i++) {
		struct val *v = p->vals[i % n];
		widen(&to[i % n], job.seen[i].range);
		v->row_sum = fmax(v->row_sum, job.seen[i].row_sum);
		if (job.seen[i].row_max < INFINITY) {
			const double least = job.seen[i].row_max - ROW_MARGIN;
			v->row_max = v->has_row_max ? fmin(v->row_max, least) : least;
			v->has_row_max = true;
		}
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
	if (!run_examples(p, &ex, seen))
		return false;
	*to = seen;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * ranges.c -- pass `ranges`: an interval and a bound of the 2-norm along the
 * last axis for every value; soundness arguments in range_rule.c.
 *
 * Where calibration data is given, a value whose rule gives no bound, or a
 * bound more than 2^6 above what the data shows (2^3 for a norm: its square must
 * fit the ring) and wide enough to cost ring bits, gets twice the largest magnitude seen (one bit of margin) and is
 * marked RANGE_CALIBRATED; so is everything derived from it.
 */
#include <math.h>
#include <stdlib.h>
#include "passes/parallel.h"
#include "passes/passes.h"
#include "passes/range.h"
#include "passes/scan_f32.h"

enum { LOOSE = 64, LOOSE_NORM = 8, MARGIN = 2, HARMLESS = 1024, HARMLESS_NORM = 32, SCORE_MARGIN = 8 };

double range_max(const struct val *v)
{
	return v->lo <= v->hi ? fmax(fabs(v->lo), fabs(v->hi)) : INFINITY;
}

int64_t range_last(const struct val *v)
{
	return v->rank ? v->dim[v->rank - 1] : 1;
}

struct range range_unknown(void)
{
	return (struct range){ .lo = 1, .hi = -1, .norm = -1 };
}

/* Each bound tightens the other: |x_i| <= norm <= sqrt(length) * max|x|. */
static struct range tighten(struct range r, int64_t last)
{
	if (!isfinite(r.lo) || !isfinite(r.hi)) {
		r.lo = 1; r.hi = -1;
	}
	if (!isfinite(r.norm))
		r.norm = -1;
	if (r.lo <= r.hi) {
		double m = sqrt((double)last) * fmax(fabs(r.lo), fabs(r.hi));
		if (isfinite(m) && (r.norm < 0 || m < r.norm))
			r.norm = m;
	}
	if (r.norm >= 0 && !(r.lo <= r.hi)) {
		r.lo = -r.norm; r.hi = r.norm;
	} else if (r.norm >= 0) {
		r.lo = fmin(fmax(r.lo, -r.norm), r.norm);
		r.hi = fmax(fmin(r.hi, r.norm), -r.norm);
	}
	return r;
}

static void set_range(struct val *v, struct range r, enum range_source from)
{
	r = tighten(r, range_last(v));
	v->lo = r.lo; v->hi = r.hi; v->norm = r.norm;
	v->from = r.lo <= r.hi ? from : RANGE_NONE;
}

static struct range range_of_floats(const float *x, int64_t n, int64_t last)
{
	const enum suf_isa isa = suf_cpu_best();
	struct range r = { INFINITY, -INFINITY, 0 };
	for (int64_t at = 0; at < n; at += last) {
		const struct scan row = scan_f32(isa, x + at, last);
		r.lo = fmin(r.lo, row.lo);
		r.hi = fmax(r.hi, row.hi);
		if (!(row.squares <= r.norm) && !isnan(r.norm))  /* NaN and infinity stay: sums of squares of other floats are finite */
			r.norm = row.squares;
	}
	return isfinite(r.norm) ? (struct range){ r.lo, r.hi, sqrt(r.norm) } : range_unknown();
}

static struct range range_of_integers(const struct val *v, const void *data)
{
	const int64_t last = range_last(v), n = ir_count(v);
	struct range r = { INFINITY, -INFINITY, 0 };
	double row = 0;
	for (int64_t i = 0; i < n; i++) {
		double x = v->dtype == DT_I64 ? (double)((const int64_t *)data)[i] : (double)((const bool *)data)[i];
		r.lo = fmin(r.lo, x); r.hi = fmax(r.hi, x);
		row += x * x;
		if ((i + 1) % last == 0) {
			r.norm = fmax(r.norm, row);
			row = 0;
		}
	}
	r.norm = sqrt(r.norm);
	return r;
}

/* Exact for constants. */
struct range range_of_data(const struct val *v, const void *data)
{
	const int64_t n = ir_count(v);
	if (n == 0)
		return (struct range){ 0, 0, 0 };
	if (v->dtype != DT_F32)
		return range_of_integers(v, data);
	if (!v->factor || data != v->data)
		return range_of_floats(data, n, range_last(v));
	float *all = malloc((size_t)n * sizeof *all);
	if (!all)
		arena_out_of_memory((size_t)n * sizeof *all);
	ir_floats(v, all);
	struct range r = range_of_floats(all, n, range_last(v));
	free(all);
	return r;
}

/* Rings of their own: every bit of a looser bound is paid for. */
static void calibrate(struct val *v, const struct range *seen, bool mixed)
{
	if (v->dtype != DT_F32 || !(seen->lo <= seen->hi) || v->is_masked || range_is_masked(v))
		return;
	double max = fmax(fabs(seen->lo), fabs(seen->hi)), m = MARGIN * max, norm = MARGIN * seen->norm;
	if (mixed && v->is_score)        /* what a table of exponentials has to cover */
		m = fmin(m, max + fmax(SCORE_MARGIN, max / 2));
	bool loose = v->from == RANGE_NONE || range_max(v) > (mixed ? 2 * m : fmax(LOOSE * max, HARMLESS));
	bool loose_norm = v->norm < 0 || v->norm > (mixed ? 2 * norm : fmax(LOOSE_NORM * seen->norm, HARMLESS_NORM));
	if (!loose && !loose_norm)
		return;
	struct range r = { v->lo, v->hi, v->norm };
	if (v->from == RANGE_NONE)
		r = (struct range){ -m, m, -1 };
	else if (loose)
		r.lo = fmax(r.lo, -m), r.hi = fmin(r.hi, m);
	if (r.lo > r.hi)                         /* outside of the proven interval: the data is not what the rule saw */
		r.lo = -m, r.hi = m;
	if (loose_norm)
		r.norm = norm;
	set_range(v, r, RANGE_CALIBRATED);
}

static enum range_source source_of(const struct node *n)
{
	if (range_self_bounded(n->op))
		return RANGE_PROVEN;
	for (int k = 0; k < n->nin; k++)
		if (n->in[k]->from == RANGE_CALIBRATED)
			return RANGE_CALIBRATED;
	return RANGE_PROVEN;
}

static struct range input_range(const struct prog *p, const struct val *v)
{
	double rows = 0;
	if (v->lo <= v->hi && v->from != RANGE_NONE)       /* an earlier pass knows, e.g. a 0/1 mask */
		return (struct range){ v->lo, v->hi, v->norm };
	if (v->dtype == DT_BOOL || v->is_masked)  /* a mask: 0 and 1 */
		return (struct range){ 0, 1, -1 };
	for (const struct node *n = p->first; n; n = n->next)
		if (n->op == OP_embedding && n->in[1] == v)
			rows = fmax(rows, (double)n->in[0]->dim[0]);
	return rows > 0 ? (struct range){ 0, rows - 1, -1 } : range_unknown();
}

struct place { const struct val *val; int index; };   /* where a value stands in prog->vals */

static int by_address(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct place *)a)->val, y = (uintptr_t)((const struct place *)b)->val;
	return (x > y) - (x < y);
}

static struct place *places(struct prog *p)
{
	struct place *list = arena_alloc(p->arena, (size_t)p->nvals * sizeof *list);
	for (int i = 0; i < p->nvals; i++)
		list[i] = (struct place){ p->vals[i], i };
	qsort(list, (size_t)p->nvals, sizeof *list, by_address);
	return list;
}

static int place_of(const struct place *list, int n, const struct val *v)
{
	const struct place *at = bsearch(&(struct place){ v, 0 }, list, (size_t)n, sizeof *list, by_address);
	if (!at)
		BUG("value %s is not in the program's list", v->name);
	return at->index;
}

/* Every output in program order; without `products` those with constant matrices, the slow ones, are left as they are. */
static void sweep(struct prog *p, const struct range *seen, bool products)
{
	struct place *place = seen ? places(p) : NULL;
	for (struct node *n = p->first; n; n = n->next) {
		if (!products && n->op == OP_matmul)
			continue;
		for (int k = 0; k < n->nout; k++) {
			set_range(n->out[k], range_rule(n, k), source_of(n));
			if (seen)
				calibrate(n->out[k], &seen[place_of(place, p->nvals, n->out[k])], gates_may_be_mixed(p->opt));
		}
	}
}

static void constant_range(void *arg, int64_t i)
{
	struct val *v = ((const struct prog *)arg)->vals[i];
	if (v->data)
		set_range(v, v->absent ? range_unknown() : range_of_data(v, v->data), RANGE_PROVEN);
}

bool pass_ranges(struct prog *p)
{
	struct range *seen = NULL;
	ranges_mark(p);
	if (p->opt && p->opt->calibrate && !calibrate_run(p, p->opt->calibrate, &seen))
		return false;
	parallel_for(p->nvals, constant_range, p);
	for (int i = 0; i < p->nvals; i++) {               /* inputs; results are overwritten below */
		struct val *v = p->vals[i];
		if (v->data || v->def)
			continue;
		set_range(v, input_range(p, v), RANGE_PROVEN);
		if (seen)
			calibrate(v, &seen[i], gates_may_be_mixed(p->opt));
	}
	matrix_norms_prepare(p);
	sweep(p, seen, true);
	matrix_norms_forget(p);
	if (ranges_fit_masks(p, gates_may_be_mixed(p->opt)))
		sweep(p, seen, false);           /* masks go into softmax only: products keep their ranges */
	return true;
}

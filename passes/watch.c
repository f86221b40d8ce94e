/* SPDX-License-Identifier: Apache-2.0
 * watch.c -- ranges at run time of the simulation.
 *
 * Gates round and tables are coarse, so a value may leave its interval by 2 %
 * of its bound and 2^8 units: that much is not reported; the ring has a bit to
 * spare.  A value that wrapped around is far outside.
 */
#include <math.h>
#include "passes/exec_priv.h"
#include "passes/range.h"
#include "passes/watch.h"

enum { NAMED = 8 };

struct item { const struct val *val; uint32_t step; double lo, hi; uint64_t outside; };
struct watch { struct item *item; int n; };

static const struct node *maker(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v->def;
}

static bool is_copy(const struct suf_step *s)
{
	return s->op == SUF_lin && s->nb == 0 && s->ca == 1 && s->c == 0;
}

/* Another view of a value that is watched already. */
static bool seen(const struct watch *w, uint32_t step)
{
	return w->n > 0 && w->item[w->n - 1].step == step;
}

struct watch *watch_new(struct prog *p)
{
	struct watch *w = arena_alloc(p->arena, sizeof *w);
	w->item = arena_alloc(p->arena, (size_t)(p->nvals + 1) * sizeof *w->item);
	for (int i = 0; i < p->nvals; i++) {
		const struct val *v = p->vals[i];
		const struct node *n = maker(v);
		if (v->data || v->from == RANGE_NONE || v->lo > v->hi || !v->type.bits || v->onehot || !n || n->op != OP_step || is_copy(n->step) || seen(w, n->step->id))
			continue;
		w->item[w->n++] = (struct item){ .val = v, .step = n->step->id, .lo = INFINITY, .hi = -INFINITY };
	}
	return w;
}

static void look(struct item *it, const uint64_t *x)
{
	const struct val *v = it->val;
	double slack = 0.02 * range_max(v) + ldexp(1, 8 - v->type.frac);
	for (int64_t i = 0, n = ir_count(v); i < n; i++) {
		double real = ldexp((double)exec_signed(x[i], v->type.bits), -v->type.frac);
		it->lo = fmin(it->lo, real);
		it->hi = fmax(it->hi, real);
		it->outside += real < v->lo - slack || real > v->hi + slack;
	}
}

void watch_step(void *arg, const struct suf_run *r, const struct suf_step *s)
{
	struct watch *w = arg;
	for (int k = 0; k < w->n; k++)
		if (w->item[k].step == s->id)
			look(&w->item[k], r->wire + w->item[k].val->slot);
}

int watch_report(struct prog *p, const struct watch *w)
{
	int count = 0;
	for (int k = 0; k < w->n; k++) {
		const struct item *it = &w->item[k];
		if (!it->outside || count++ >= NAMED)
			continue;
		diag_warning(p->diag, NULL, "range", "'%s' took values in [%.5g, %.5g], its %s range is [%.5g, %.5g]; %llu elements are outside",
		             it->val->name, it->lo, it->hi, it->val->from == RANGE_PROVEN ? "proven" : "calibrated", it->val->lo, it->val->hi,
		             (unsigned long long)it->outside);
		diag_hint(p->diag, it->val->from == RANGE_PROVEN ? "a value that wrapped around? try --ring-bits=%d" : "add examples like this one to --calibrate, or --ring-bits=%d",
		          it->val->type.bits < 62 ? it->val->type.bits + 2 : 64);
	}
	if (count > NAMED)
		diag_hint(p->diag, "and %d more values", count - NAMED);
	return count;
}

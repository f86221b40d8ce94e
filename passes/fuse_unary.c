/* SPDX-License-Identifier: Apache-2.0
 * fuse_unary.c -- pass fuse_unary: arithmetic on the elements of one value that computes a function the user described
 * (--descriptor) becomes one operation.
 *
 * From each elementwise result backwards, operand by operand, latest first: whenever a single value is left that
 * everything depends on, the piece between is a function of it.  The largest such piece is compared with each
 * descriptor's formula on its domain and beside it (beyond a tail `none` too: a clamp before a logarithm is not part of
 * it), at POINTS inputs, within TOLERANCE; so it does not matter how an exporter spells a function.
 *
 * Reads public constants only.  Linear in nodes times DEPTH times POINTS, and only with descriptors.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "passes/descriptor.h"
#include "passes/match.h"

enum { DEPTH = 64, POINTS = 1000 };
#define TOLERANCE 1e-5
#define FARTHEST 64.0                    /* beyond, exponentials of float32 overflow */

struct place { const struct node *node; int at; };
struct unary {
	struct prog *p;
	struct place *place; int n;          /* position of each node, by address */
	const struct node *inner[DEPTH]; int ninner; /* nodes between root and frontier, latest first */
	struct val *input[DEPTH]; int depth[DEPTH], ninput; /* single values on the way, and how many nodes they are behind */
};

static int
by_address(const void *a, const void *b)
{
	const uintptr_t x = (uintptr_t)((const struct place *)a)->node, y = (uintptr_t)((const struct place *)b)->node;
	return (x > y) - (x < y);
}

static void
number(struct unary *u)
{
	for (const struct node *n = u->p->first; n; n = n->next)
		u->n++;
	u->place = arena_alloc(u->p->arena, (size_t)(u->n + 1) * sizeof *u->place);
	int at = 0;
	for (const struct node *n = u->p->first; n; n = n->next, at++)
		u->place[at] = (struct place){ n, at };
	qsort(u->place, (size_t)u->n, sizeof *u->place, by_address);
}

/* -1: no node of the program as it was, or none at all. */
static int
position(const struct unary *u, const struct node *n)
{
	const struct place key = { n, 0 }, *hit = n ? bsearch(&key, u->place, (size_t)u->n, sizeof key, by_address) : NULL;
	return hit ? hit->at : -1;
}

static bool
elementwise(const struct node *n)
{
	switch (n->op) {
	case OP_add: case OP_sub: case OP_mul: case OP_div: case OP_neg: case OP_pow: case OP_sqrt: case OP_recip: case OP_exp: case OP_log: case OP_erf:
	case OP_tanh: case OP_sigmoid: case OP_softplus: case OP_abs: case OP_relu: case OP_clip: case OP_gelu: case OP_silu: case OP_scale:
		return n->out[0]->dtype == DT_F32;
	default:
		return false;
	}
}

/* A public constant, the same number everywhere. */
static bool
is_number(const struct val *v)
{
	double x;
	return v->dtype == DT_F32 && v->type.sec == SEC_PUBLIC && uniform_value(v, &x);
}

/* ---- the piece behind a root -------------------------------------------------------- */

static bool
may_open(const struct unary *u, const struct val *v, const struct val *root)
{
	if (position(u, v->def) < 0 || !elementwise(v->def) || !same_shape(v, root))
		return false;
	for (int k = 0; k < v->def->nin; k++)
		if (!is_number(v->def->in[k]) && (ir_is_const(v->def->in[k]) || !same_shape(v->def->in[k], root) || v->def->in[k]->dtype != DT_F32))
			return false;
	return true;
}

static void
walk(struct unary *u, struct val *root)
{
	struct val *open[2 * DEPTH] = { root };
	int n = 1;
	u->ninner = u->ninput = 0;
	while (u->ninner < DEPTH) {
		int last = 0;
		for (int k = 1; k < n; k++)
			if (position(u, open[k]->def) > position(u, open[last]->def))
				last = k;
		struct val *v = n ? open[last] : NULL;
		if (!v || !may_open(u, v, root))
			return;
		u->inner[u->ninner++] = v->def;
		open[last] = open[--n];
		for (int k = 0; k < v->def->nin; k++) {
			struct val *w = v->def->in[k];
			bool there = is_number(w);
			for (int i = 0; i < n && !there; i++)
				there = open[i] == w;
			if (there)
				continue;
			if (n == 2 * DEPTH)
				return;
			open[n++] = w;
		}
		if (n == 1) {
			u->input[u->ninput] = open[0];
			u->depth[u->ninput++] = u->ninner;
		}
	}
}

/* ---- is it that function? -------------------------------------------------------------- */

/* The piece between input k and the root at `x`. */
static void
evaluate(const struct unary *u, int k, const float *x, float *y, struct arena *scratch)
{
	const int n = u->depth[k];
	struct val *like = arena_alloc(scratch, (size_t)n * sizeof *like);
	float **result = arena_alloc(scratch, (size_t)n * sizeof *result);
	struct val input = *u->input[k];
	input.rank = 1;
	input.dim[0] = POINTS;
	for (int i = n - 1; i >= 0; i--) {
		struct node copy = *u->inner[i];
		struct val *in[3], *out[1] = { &like[i] };
		const void *from[3];
		like[i] = *copy.out[0];
		like[i].rank = 1;
		like[i].dim[0] = POINTS;
		result[i] = arena_alloc(scratch, POINTS * sizeof **result);
		for (int j = 0; j < copy.nin; j++) {
			struct val *w = copy.in[j];
			in[j] = w;
			from[j] = w->data;
			if (w == u->input[k]) {
				in[j] = &input;
				from[j] = x;
			}
			for (int b = i + 1; b < n; b++)
				if (u->inner[b]->out[0] == w) {
					in[j] = &like[b];
					from[j] = result[b];
				}
			if (ir_is_const(w)) {    /* one of its elements */
				in[j] = arena_alloc(scratch, sizeof *in[j]);
				*in[j] = *w;
				in[j]->rank = 0;
			}
		}
		copy.in = in;
		copy.out = out;
		if (!float_eval_node(&copy, from, (void *const[]){ result[i] }, scratch))
			BUG("cannot evaluate %s", op_desc[copy.op].name);
	}
	memcpy(y, result[0], POINTS * sizeof *y);
}

static bool
computes(const struct unary *u, int k, const struct descriptor *d)
{
	float x[POINTS], y[POINTS];
	const double beside = (d->hi - d->lo) / 2;
	const double a = fmax(d->lo - beside, -FARTHEST), b = fmin(d->hi + beside, FARTHEST);
	struct arena *scratch = arena_new();
	bool same = a < b;
	for (int i = 0; i < POINTS; i++)
		x[i] = (float)(a + (b - a) * (i + 0.37) / POINTS);
	evaluate(u, k, x, y, scratch);
	for (int i = 0; i < POINTS && same; i++) {
		const double want = descriptor_real(d, (double)x[i]);
		same = isfinite(want) ? fabs((double)y[i] - want) <= TOLERANCE * fmax(1, fabs(want)) : !isfinite((double)y[i]);
	}
	arena_free(scratch);
	return same;
}

/* The largest piece that is a described function; the node that replaced it, or NULL. */
static struct node *
fuse(struct unary *u, struct val *root)
{
	struct prog *p = u->p;
	walk(u, root);
	for (int k = u->ninput - 1; k >= 0; k--)
		for (int i = 0; i < p->ndesc; i++) {
			if (!computes(u, k, p->desc[i]))
				continue;
			struct node *n = make_node_like(p, root->def, OP_act, &root->def->loc, 1, &u->input[k], root);
			n->desc = p->desc[i];
			take_over(p, n, root);
			return n;
		}
	return NULL;
}

bool
pass_fuse_unary(struct prog *p)
{
	struct unary u = { .p = p };
	if (!p->ndesc)
		return true;
	number(&u);
	for (struct node *n = p->last, *before; n; n = before) {
		struct node *made = n->nout == 1 && elementwise(n) ? fuse(&u, n->out[0]) : NULL;
		before = made ? made->prev : n->prev; /* n and nodes before it may be gone */
	}
	return true;
}

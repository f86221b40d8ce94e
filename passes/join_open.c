/* SPDX-License-Identifier: Apache-2.0
 * join_open.c -- pass `join_open`: local steps before openings.
 *
 * A local step on values that are opened for it alone is applied to the shares
 * instead, and its result is opened: one opening for a sum of two products (a
 * residual that a private diagonal scales, plus the projection), a narrow one
 * for a value of which few bits or few elements are used.
 *
 * Security: what is opened now is the local step applied to what was opened
 * before.  So each view is a function of the view without this pass, and nothing
 * new is revealed.  The shares keep the pads of their makers, which hide no
 * other opening any more.
 *
 * With masks that are defined last (docs/compact.md) two more kinds of step go before openings: a shift of an opened value
 * becomes a narrow opening of its share, and the sum of an opened value and a masked one is taken by party 0 on its share
 * (step addx).  So a product, the residual that is added to it and the truncation behind are one opening of few bits.
 *
 * Left alone: a value that anything else reads, an output among them; operands
 * that are masked otherwise (inputs, weights, results of local steps); narrow
 * openings, which round; values whose pads serve as mask shares, since the mask
 * of a sum is a sum of pads; untril, whose zeros have no pads; a step that would
 * open more bits than its operands (a repeated one).
 *
 * Only for programs with gates of another set than `sigma`: the costs of that
 * set are those of the publication.  Pass `expand` notes it (struct prog.joins).
 * Linear in the number of steps.
 */
#include "passes/passes.h"
#include "run.h"

static struct val *
unalias(struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v;
}

/* The opening that makes v, directly or as another view; NULL: it has another maker. */
static struct node *
opening(struct val *v)
{
	struct node *n = unalias(v)->def;
	return n && n->step->op == SUF_open ? n : NULL;
}

/* How many operands and outputs read what each step makes, by step id; room for one opening for each step. */
static int *
count_uses(struct prog *p)
{
	int *uses = arena_alloc(p->arena, 2 * (size_t)p->next_id * sizeof *uses);
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			const struct node *maker = unalias(n->in[k])->def;
			if (maker)
				uses[maker->step->id]++;
		}
	for (int k = 0; k < p->nout; k++)
		if (unalias(p->out[k])->def)
			uses[unalias(p->out[k])->def->step->id]++;
	return uses;
}

static uint64_t
opened_bits(const struct node *open)
{
	return open->step->count * open->step->m;
}

/* May the local step n go before the openings of its operands? */
static bool
joins(const struct node *n, const int *uses)
{
	const struct node *first = opening(n->in[0]), *second = n->nin > 1 ? opening(n->in[1]) : first;
	if (!first || !second)
		return false;
	uint64_t bits = opened_bits(first);
	const int readers = first == second ? n->nin : 1;
	for (const struct node *open = first;; open = second) {
		if (open->step->s || open->out[0]->pad_step || uses[open->step->id] != readers)
			return false;
		if (open == second)
			break;
		bits += opened_bits(second);
	}
	return n->step->count * n->step->m <= bits;
}

/* The result of n, on shares from now on, is opened behind it. */
static struct node *
open_result(struct prog *p, struct node *n, const struct node *like)
{
	struct val *v = n->out[0], *opened = ir_val_like(p, v, ".share");
	const struct suf_step st = { .op = SUF_open, .count = n->step->count, .n = n->step->m, .m = n->step->m };
	struct node *open = ir_step(p, n->next, like, st, 1, &v, 1, &opened);
	ir_take_out(p, open, v);
	struct val *share = n->out[0];
	ir_set_in(p, open, 0, share);
	share->type.sec = SEC_SHARED;
	share->source = NULL;
	v->alias = share;
	return open;
}

static void
join(struct prog *p, struct node *n, int *uses)
{
	struct node *open[2] = { opening(n->in[0]), n->nin > 1 ? opening(n->in[1]) : NULL };
	for (int k = 0; k < n->nin; k++)
		ir_set_in(p, n, k, open[k]->in[0]);
	n->step->shared = 1;
	uses[open_result(p, n, open[0])->step->id] = uses[n->step->id];
	for (int k = 0; k < n->nin; k++)
		if (open[k]->out[0]->def && (k == 0 || open[k] != open[0])) {
			open[k]->out[0]->alias = open[k]->in[0];
			ir_remove(p, open[k]);
		}
}

/* ---- a share and a masked value -------------------------------------------------------- */

/* The only operand of the sum n that is opened for n alone and may be a share instead; -1: there is none. */
static int
share_operand(const struct node *n, const int *uses)
{
	if (n->step->op != SUF_lin || n->nin != 2 || n->in[0] == n->in[1])
		return -1;
	for (int k = 0; k < 2; k++) {
		const struct node *open = opening(n->in[k]);
		const struct val *other = n->in[1 - k];
		if (open && !open->step->s && !open->out[0]->pad_step && uses[open->step->id] == 1 && other->type.sec == SEC_MASKED &&
		    n->step->count * n->step->m <= opened_bits(open) && n->step->count <= open->step->count)
			return k;
	}
	return -1;
}

/* ca a + cb b + c of the share in operand k and the masked other one; the result is opened behind. */
static void
add_masked(struct prog *p, struct node *n, int k, int *uses)
{
	struct suf_step st = *n->step;
	struct node *open = opening(n->in[k]);
	if (k == 1) {
		struct suf_map map = *st.map;
		for (uint32_t i = 0; i < map.ndim; i++) {
			map.sa[i] = st.map->sb[i];
			map.sb[i] = st.map->sa[i];
		}
		map.a0 = st.map->b0;
		map.b0 = st.map->a0;
		st.map = arena_alloc(p->arena, sizeof map);
		*(struct suf_map *)(uintptr_t)st.map = map;
		st.ca = n->step->cb, st.cb = n->step->ca, st.na = n->step->nb, st.nb = n->step->na;
		struct val *a = n->in[0];
		ir_set_in(p, n, 0, n->in[1]);
		ir_set_in(p, n, 1, a);
	}
	st.op = SUF_addx;
	st.shared = 1;
	ir_set_in(p, n, 0, open->in[0]);
	st.n = open->in[0]->type.bits;
	*n->step = st;
	uses[open_result(p, n, open)->step->id] = uses[n->step->id];
	if (open->out[0]->def) {
		open->out[0]->alias = open->in[0];
		ir_remove(p, open);
	}
}

/* ---- a shift ------------------------------------------------------------------------------ */

static bool
narrows(const struct node *n, const int *uses)
{
	const struct node *open = n->step->op == SUF_shift ? opening(n->in[0]) : NULL;
	return open && !open->step->s && !open->out[0]->pad_step && uses[open->step->id] == 1;
}

/* The shift n becomes the opening, a narrow one, and the opening before it goes. */
static void
narrow(struct prog *p, struct node *n)
{
	struct node *open = opening(n->in[0]);
	struct val *share = open->in[0];
	const struct suf_step st = { .op = SUF_open, .id = n->step->id, .count = n->step->count, .na = n->step->count, .n = share->type.bits, .m = n->step->m,
	                             .s = n->step->s, .round_half = 1, .klass = open->step->klass };
	ir_set_in(p, n, 0, share);
	*n->step = st;
	n->klass = open->klass;
	n->out[0]->alias = share;
	open->out[0]->alias = share;
	ir_remove(p, open);
}

static bool
is_local(const struct node *n)
{
	return suf_step_desc[n->step->op].form == FORM_LOCAL && n->step->op != SUF_untril && n->out[0]->type.sec == SEC_MASKED;
}

bool
pass_join_open(struct prog *p)
{
	if (!p->joins)
		return true;
	p->joins = false;
	int *uses = count_uses(p);
	for (struct node *n = p->first; n; n = n->next) {
		int k;
		if (narrows(n, uses))
			narrow(p, n);
		else if (is_local(n) && n->step->op != SUF_shift && joins(n, uses))
			join(p, n, uses);
		else if (is_local(n) && (k = share_operand(n, uses)) >= 0)
			add_masked(p, n, k, uses);
	}
	return true;
}

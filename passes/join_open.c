/* SPDX-License-Identifier: Apache-2.0
 * join_open.c -- pass `join_open`: local steps before openings.
 *
 * A local step on values that are opened for it alone is applied to the shares
 * instead, and its result is opened: one opening for a sum of two products (a
 * residual that a private diagonal scales, plus the projection), a narrow one
 * for a value of which few bits or few elements are used.  Which steps are is
 * decided by join_plan.c, so that least is opened; here the program is changed.
 *
 * Security: what is opened now is the local step applied to what was opened
 * before.  So each view is a function of the view without this pass, and nothing
 * new is revealed.  The shares keep the pads of their makers, which hide no
 * other opening any more.
 *
 * Programs with the step `shift` (compact gates) get more: a shift of a value that is opened for it alone is a narrow opening; and
 * a masked value is added to the share (step `addx`) before the opening, if it is there in time, so that matmul, residual and shift
 * end in one narrow opening.  That one reveals less: top bits of what would be opened, under the same pads.  It rounds by
 * the shares instead of the masked value, so shares have to have uniform low bits (an odd factor, or one term with one).
 *
 * And a product with a public matrix of a value that is opened for it alone may be taken on the shares (step wshare, which gives the
 * result pads of its own).
 *
 * Only for programs with gates of another set than `sigma`: the costs of that
 * set are those of the publication.  Pass `expand` notes it (struct prog.joins).
 */
#include "passes/join.h"

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
	share->pad_step = 0;
	v->alias = share;
	return open;
}

/* The opening goes: its value is that of the share, of which somebody may hold a view. */
static void
drop(struct prog *p, struct node *open)
{
	open->out[0]->alias = open->in[0];
	ir_remove(p, open);
}

static void
join(struct prog *p, struct node *n)
{
	struct node *open[2] = { join_opening(n->in[0]), n->nin > 1 ? join_opening(n->in[1]) : NULL };
	for (int k = 0; k < n->nin; k++)
		ir_set_in(p, n, k, open[k]->in[0]);
	n->step->shared = 1;
	open_result(p, n, open[0]);
	for (int k = 0; k < n->nin; k++)
		if (open[k]->out[0]->def && (k == 0 || open[k] != open[0]))
			drop(p, open[k]);
}

/* lin becomes addx with the share of operand k as its first one, opened behind it. */
static void
add_to_share(struct prog *p, struct node *n, int k)
{
	struct node *open = join_opening(n->in[k]);
	struct val *other = n->in[1 - k];
	struct suf_step *s = n->step;
	ir_set_in(p, n, 0, open->in[0]);
	ir_set_in(p, n, 1, other);
	if (k == 1) {
		struct suf_map *m = arena_alloc(p->arena, sizeof *m);
		const struct suf_step was = *s;
		*m = *s->map;
		m->a0 = s->map->b0, m->b0 = s->map->a0;
		for (uint32_t j = 0; j < SUF_MAX_DIM; j++)
			m->sa[j] = s->map->sb[j], m->sb[j] = s->map->sa[j];
		s->map = m;
		s->ca = was.cb, s->cb = was.ca;
		s->na = was.nb, s->nb = was.na;
	}
	s->op = SUF_addx;
	s->n = open->in[0]->type.bits;
	s->shared = 1;
	open_result(p, n, open);
	drop(p, open);
}

static void
narrow(struct prog *p, struct node *n)
{
	struct node *open = join_opening(n->in[0]);
	struct val *v = n->out[0], *was = open->out[0];
	ir_set_in(p, n, 0, open->in[0]);
	open->step->s = n->step->s;
	open->step->m = n->step->m;
	open->step->round_half = 1;
	was->dtype = v->dtype;
	ir_take_out(p, open, v);
	v->alias = open->in[0];
	was->alias = open->in[0];
	ir_remove(p, n);
}

/* Each party multiplies its share; the result is opened behind, under pads of its own. */
static void
multiply_shares(struct prog *p, struct node *n)
{
	struct node *open = join_opening(n->in[0]);
	ir_set_in(p, n, 0, open->in[0]);
	n->step->op = SUF_wshare;
	n->step->define_last = 1;
	open_result(p, n, open);
	drop(p, open);
}

bool
pass_join_open(struct prog *p)
{
	if (!p->joins)
		return true;
	p->joins = false;
	const struct join *plan = join_plan(p);
	for (struct node *n = p->first, *next; n; n = next) {
		const struct join *j = &plan[n->step->id];
		next = n->next;
		switch (j->on_shares ? j->way : JOIN_STAYS) {
		case JOIN_LINEAR: join(p, n); next = n->next; break;
		case JOIN_ADDS: add_to_share(p, n, j->share); next = n->next; break;
		case JOIN_MULTIPLIES: multiply_shares(p, n); next = n->next; break;
		case JOIN_NARROWS: narrow(p, n); break;
		case JOIN_STAYS: break;
		}
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * schedule.c -- pass `schedule`: rounds as soon as possible, openings that do
 * not depend on one another in one message.
 *
 * A step belongs to the round whose exchange comes next once its operands are
 * there: the largest round among the openings (and inputs) it depends on, plus
 * one.  The number of rounds is then the length of the longest chain of
 * openings, which no order can beat.  Steps of a round keep their order, its
 * openings follow them.  An opening is in place, so nothing may read its
 * share after it.
 */
#include "passes/passes.h"

static bool is_message(const struct node *n)
{
	return n->step->op == SUF_open || n->step->op == SUF_input;
}

static const struct node *maker(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v->def;
}

static int round_of(const struct node *n)
{
	int round = 0;
	for (int k = 0; k < n->nin; k++) {
		const struct node *m = maker(n->in[k]);
		int ready = m ? m->round + is_message(m) : 0;
		round = ready > round ? ready : round;
	}
	return round;
}

/* Nodes by round, steps before messages, otherwise in their order. */
static void reorder(struct prog *p, int rounds, size_t count)
{
	size_t bins = 2 * (size_t)rounds, *at = arena_alloc(p->arena, (bins + 1) * sizeof *at);
	struct node **sorted = arena_alloc(p->arena, count * sizeof *sorted);
	for (const struct node *n = p->first; n; n = n->next)
		at[2 * (size_t)n->round + is_message(n) + 1]++;
	for (size_t b = 0; b < bins; b++)
		at[b + 1] += at[b];
	for (struct node *n = p->first; n; n = n->next)
		sorted[at[2 * (size_t)n->round + is_message(n)]++] = n;
	for (size_t i = 0; i < count; i++)
		ir_move_before(p, sorted[i], NULL);
}

/* The share of an opening is overwritten by it; who else reads the share comes before.  The slot, which
 * only pass plan sets, holds the opening's round meanwhile. */
static void check_in_place(const struct prog *p)
{
	for (const struct node *n = p->first; n; n = n->next)
		if (n->step->op == SUF_open)
			n->in[0]->slot = (uint64_t)n->round + 1;
	for (const struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			const struct val *v = n->in[k];
			if (v->type.sec == SEC_SHARED && v->slot && (uint64_t)n->round >= v->slot)
				BUG("the share '%s' is opened in round %d, step %u reads it in round %d", v->name, (int)v->slot - 1, n->step->id, n->round);
		}
	for (const struct node *n = p->first; n; n = n->next)
		if (n->step->op == SUF_open)
			n->in[0]->slot = 0;
}

bool pass_schedule(struct prog *p)
{
	int last = 0;
	size_t count = 0;
	p->nrounds = 0;
	for (struct node *n = p->first; n; n = n->next, count++) {
		n->round = round_of(n);
		last = n->round > last ? n->round : last;
		if (is_message(n) && n->round >= p->nrounds)
			p->nrounds = n->round + 1;
	}
	reorder(p, last + 1, count);
	check_in_place(p);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * join_plan.c -- where values are opened, so that the fewest bits are: the decision of pass `join_open`.
 *
 * A value may be opened at any place of the chain of local steps between its maker and whoever needs it masked.  A step that reads two
 * such values joins two chains.  So the places of a value and of what it is added to form a tree, from the openings (its leaves) to the
 * last local step (its root), since a value that anything else reads as well has to be opened where it is.  Of all cuts of a tree
 * the one with the fewest bits is found by dynamic programming:
 *
 *     bits(leaf) = what its opening sends,   bits(step) = min(what opening its result takes, sum of bits(operand) over its operands)
 *
 * from the leaves on; then from the root back, each step that is cheaper opened behind than before works on shares, with everything
 * before it.  Among equals the later place is taken: fewer steps on both, fewer openings.  Exact; linear in the steps, but that each
 * shift looks back along its chain.
 *
 * Left alone: a value that anything else reads, an output among them; operands that are masked otherwise (weights; inputs), but for
 * addx; narrow openings, which round; values that are marked (pad_step), since the mask of a sum is a sum of pads; untril, whose
 * zeros have no pads.
 */
#include "passes/join.h"

enum { MOST_STEPS = 10000 };

/* What is known of the steps, by id. */
struct facts {
	int *uses;                       /* operands and outputs that read what the step makes */
	int *round;                      /* the exchange that it comes before, as pass schedule will have it */
	bool shifts;                     /* the program has a step shift */
	struct join *plan;
};

static struct val *
unalias(struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v;
}

struct node *
join_opening(struct val *v)
{
	struct node *n = unalias(v)->def;
	return n && n->step->op == SUF_open ? n : NULL;
}

static bool
is_message(const struct node *n)
{
	return n->step->op == SUF_open || n->step->op == SUF_input;
}

static struct facts
facts_of(struct prog *p)
{
	const size_t size = (size_t)p->next_id;
	struct facts f = { arena_alloc(p->arena, size * sizeof *f.uses), arena_alloc(p->arena, size * sizeof *f.round), false,
	                   arena_alloc(p->arena, 2 * size * sizeof *f.plan) }; /* the pass adds an opening for each step at most */
	for (struct node *n = p->first; n; n = n->next) {
		for (int k = 0; k < n->nin; k++) {
			const struct node *maker = unalias(n->in[k])->def;
			if (maker)
				f.uses[maker->step->id]++;
		}
		f.shifts |= n->step->op == SUF_shift;
	}
	for (int k = 0; k < p->nout; k++)
		if (unalias(p->out[k])->def)
			f.uses[unalias(p->out[k])->def->step->id]++;
	return f;
}

/* The round in which v is there. */
static int
ready(const struct facts *f, struct val *v)
{
	const struct node *maker = unalias(v)->def;
	return maker ? f->round[maker->step->id] + is_message(maker) : 0;
}

static void
set_round(const struct facts *f, const struct node *n)
{
	int round = 0;
	for (int k = 0; k < n->nin; k++) {
		const int at = ready(f, n->in[k]);
		round = at > round ? at : round;
	}
	f->round[n->step->id] = round;
}

/* ---- sources ------------------------------------------------------------------------ */

/* Where v comes from, if it need not be opened before `readers` operands of a step, which alone read it: a full opening, or a step that
 * may work on shares itself.  So whoever takes its pads for mask shares does so behind that step, which is a reduction then and keeps
 * them (ir_pads).  NULL: it has to be masked. */
static const struct node *
source(const struct facts *f, struct val *v, int readers)
{
	const struct node *n = unalias(v)->def;
	if (!n || unalias(v)->pad_step || f->uses[n->step->id] != readers)
		return NULL;
	const enum join_way way = f->plan[n->step->id].way;
	return (n->step->op == SUF_open && !n->step->s) || (way != JOIN_STAYS && way != JOIN_NARROWS) ? n : NULL;
}

static uint64_t
bits_of(const struct facts *f, const struct node *from)
{
	return from->step->op == SUF_open ? from->step->count * from->step->m : f->plan[from->step->id].bits;
}

/* Is the share of v fit for a narrow opening: low bits of either party's share uniform, and known to the simulator?  fuel: steps that
 * are still looked at, since sums of sums may be reached in many ways. */
static bool
rounds_well(const struct facts *f, struct val *v, int *fuel)
{
	while (--*fuel > 0) {
		const struct node *n = unalias(v)->def;
		const struct suf_step *s = n ? n->step : NULL;
		const struct join *j = n ? &f->plan[s->id] : NULL;
		switch (s ? s->op : SUF_NSTEP) {
		case SUF_matmul: case SUF_mul: case SUF_gapext: case SUF_wshare: case SUF_omul: case SUF_oscale:
		case SUF_cellfix: case SUF_trig: case SUF_exps: case SUF_normmul: case SUF_bitmul: return true;
		case SUF_wmul: return j->way == JOIN_MULTIPLIES;
		case SUF_open:
			if (s->s)
				return false;
			break;
		case SUF_lin: case SUF_row_lin: case SUF_addx:
			if (j->way == JOIN_ADDS) {
				if (!((j->share ? s->cb : s->ca) & 1))
					return false;
				v = n->in[j->share];
				continue;
			}
			if (s->ca & 1)
				break;
			if (s->op == SUF_lin && n->nin == 2 && s->cb & 1 && rounds_well(f, n->in[0], fuel)) {
				v = n->in[1];
				continue;
			}
			return false;
		case SUF_addc: case SUF_row_sum: case SUF_tril: break;
		default: return false;
		}
		if (n->nin == 2 && s->op != SUF_addx && n->in[1] != n->in[0] && !rounds_well(f, n->in[1], fuel))
			return false;
		v = n->in[0];
	}
	return false;
}

/* ---- what a step may do ---------------------------------------------------------------- */

static bool
is_local(const struct node *n)
{
	const enum suf_op op = n->step->op;
	return suf_step_desc[op].form == FORM_LOCAL && op != SUF_untril && op != SUF_shift && op != SUF_addx && n->out[0]->type.sec == SEC_MASKED;
}

/* All operands are shares then; *bits: what opening them takes. */
static bool
works_on_shares(const struct facts *f, const struct node *n, uint64_t *bits)
{
	if (!is_local(n))
		return false;
	const bool twice = n->nin > 1 && unalias(n->in[0]) == unalias(n->in[1]);
	const struct node *first = source(f, n->in[0], twice ? 2 : 1), *second = n->nin > 1 ? source(f, n->in[1], twice ? 2 : 1) : first;
	if (!first || !second)
		return false;
	*bits = bits_of(f, first) + (second != first ? bits_of(f, second) : 0);
	return true;
}

/* The multiple of a value of `bits` bits is right mod 2^m. */
static bool
wide_enough(int64_t factor, unsigned bits, unsigned m)
{
	while (bits < m && factor && !(factor & 1)) {
		factor /= 2;
		bits++;
	}
	return bits >= m || !factor;
}

/* The operand of a lin that may stay a share while the other one, masked, is added to it; -1: none.  The other one is there when the
 * share is, so that no round is added. */
static int
share_of_sum(const struct facts *f, const struct node *n)
{
	const struct suf_step *s = n->step;
	const struct suf_map *m = s->map;
	if (s->op != SUF_lin || n->nin != 2 || !s->cb || n->out[0]->type.sec != SEC_MASKED)
		return -1;
	for (int k = 0; k < 2; k++) {
		const struct node *from = source(f, n->in[k], 1);
		struct val *other = n->in[1 - k];
		if (!from || other->type.sec != SEC_MASKED || ready(f, other) >= ready(f, n->in[k]))
			continue;
		if (!ir_map_once(m, k ? m->sb : m->sa, k ? m->b0 : m->a0, ir_wire_count(n->in[k])))
			continue;
		if (wide_enough(s->ca, n->in[0]->type.bits, s->m) && wide_enough(s->cb, n->in[1]->type.bits, s->m))
			return k;
	}
	return -1;
}

/* bits_before: what opening the operands takes. */
static struct join
look(const struct facts *f, const struct node *n)
{
	struct join j = { .way = JOIN_STAYS };
	const bool alone = f->shifts && (n->step->op == SUF_shift || n->step->op == SUF_wmul);
	const struct node *from = alone ? source(f, n->in[0], 1) : NULL;
	uint64_t before = 0;
	int fuel = MOST_STEPS;
	if (works_on_shares(f, n, &before))
		j.way = JOIN_LINEAR;
	else if (f->shifts && (j.share = share_of_sum(f, n)) >= 0) {
		j.way = JOIN_ADDS;
		before = bits_of(f, source(f, n->in[j.share], 1));
	} else if (from && rounds_well(f, n->in[0], &fuel)) {
		j.way = n->step->op == SUF_shift ? JOIN_NARROWS : JOIN_MULTIPLIES;
		before = bits_of(f, from);
	}
	j.bits = n->step->count * n->step->m;
	j.on_shares = j.way != JOIN_STAYS && j.bits <= before; /* if it is a root */
	j.bits = j.on_shares ? j.bits : before;
	return j;
}

/* Steps before one that works on shares do, too. */
static void
keep_shares(const struct facts *f, const struct node *n, bool *forced)
{
	const struct join *j = &f->plan[n->step->id];
	for (int k = 0; k < n->nin; k++) {
		const struct node *maker = unalias(n->in[k])->def;
		if (maker && (j->way != JOIN_ADDS || k == j->share))
			forced[maker->step->id] = true;
	}
}

const struct join *
join_plan(struct prog *p)
{
	const struct facts f = facts_of(p);
	bool *forced = arena_alloc(p->arena, (size_t)p->next_id * sizeof *forced);
	for (struct node *n = p->first; n; n = n->next) {
		set_round(&f, n);
		f.plan[n->step->id] = look(&f, n);
	}
	for (struct node *n = p->last; n; n = n->prev) {
		struct join *j = &f.plan[n->step->id];
		if (j->way == JOIN_STAYS)
			continue;
		j->on_shares |= forced[n->step->id];
		if (j->on_shares)
			keep_shares(&f, n, forced);
	}
	return f.plan;
}

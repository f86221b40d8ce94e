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
 * Programs with the step `shift` (compact gates) get more: a shift of a value that is opened for it alone is a narrow opening; and
 * a masked value is added to the share (step `addx`) before the opening, if it is there in time, so that matmul, residual and shift
 * end in one narrow opening.  That one reveals less: top bits of what would be opened, under the same pads.  It rounds by
 * the shares instead of the masked value, so shares have to have uniform low bits (an odd factor, or one term with one).
 *
 * And a product with a public matrix of a value that is opened for it alone is taken on the shares, where its result has no
 * more bits (step wshare, which gives the result pads of its own).
 *
 * Left alone: a value that anything else reads, an output among them; operands
 * that are masked otherwise (weights; inputs and results of local steps, but for addx); narrow
 * openings, which round; values that are marked (pad_step), since the mask of a
 * sum is a sum of pads; untril, whose zeros have no pads; a step that would
 * open more bits than its operands (a repeated one).
 *
 * Only for programs with gates of another set than `sigma`: the costs of that
 * set are those of the publication.  Pass `expand` notes it (struct prog.joins).
 * Linear in the number of steps, but for chains of local steps on shares.
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

/* What is known of the steps, by id. */
struct facts {
	int *uses;                       /* operands and outputs that read what the step makes */
	int *round;                      /* the exchange that it comes before, as pass schedule will have it */
	bool shifts;                     /* the program has a step shift */
};

static bool
is_message(const struct node *n)
{
	return n->step->op == SUF_open || n->step->op == SUF_input;
}

/* Room for one opening more for each step. */
static struct facts
facts_of(struct prog *p)
{
	const size_t size = 2 * (size_t)p->next_id;
	struct facts f = { arena_alloc(p->arena, size * sizeof *f.uses), arena_alloc(p->arena, size * sizeof *f.round), false };
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

static uint64_t
opened_bits(const struct node *open)
{
	return open->step->count * open->step->m;
}

/* May n work on the share behind this opening?  It is one of full width, which `readers` operands of n read and nothing else.  So whoever
 * takes its pads for mask shares does so behind n, which is a reduction then and keeps them (ir_pads). */
static bool
may_move(const struct facts *f, const struct node *open, int readers)
{
	return !open->step->s && !open->out[0]->pad_step && f->uses[open->step->id] == readers;
}

/* May the local step n go before the openings of its operands? */
static bool
joins(const struct facts *f, const struct node *n)
{
	const struct node *first = opening(n->in[0]), *second = n->nin > 1 ? opening(n->in[1]) : first;
	if (!first || !second)
		return false;
	uint64_t bits = opened_bits(first);
	const int readers = first == second ? n->nin : 1;
	if (!may_move(f, first, readers) || !may_move(f, second, readers))
		return false;
	if (second != first)
		bits += opened_bits(second);
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
join(struct prog *p, struct node *n, const struct facts *f)
{
	struct node *open[2] = { opening(n->in[0]), n->nin > 1 ? opening(n->in[1]) : NULL };
	for (int k = 0; k < n->nin; k++)
		ir_set_in(p, n, k, open[k]->in[0]);
	n->step->shared = 1;
	f->uses[open_result(p, n, open[0])->step->id] = f->uses[n->step->id];
	for (int k = 0; k < n->nin; k++)
		if (open[k]->out[0]->def && (k == 0 || open[k] != open[0]))
			drop(p, open[k]);
}

static bool
is_local(const struct node *n)
{
	const enum suf_op op = n->step->op;
	return suf_step_desc[op].form == FORM_LOCAL && op != SUF_untril && op != SUF_shift && op != SUF_addx && n->out[0]->type.sec == SEC_MASKED;
}

/* ---- masked values on shares -------------------------------------------------------- */

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

/* The operand of a lin whose opening may wait until the other one, masked, was added to the share; -1: none.  The other one is there
 * when the share is, so that no round is added. */
static int
share_of_sum(const struct facts *f, const struct node *n)
{
	const struct suf_step *s = n->step;
	const struct suf_map *m = s->map;
	if (s->op != SUF_lin || n->nin != 2 || !s->cb || n->out[0]->type.sec != SEC_MASKED)
		return -1;
	for (int k = 0; k < 2; k++) {
		const struct node *open = opening(n->in[k]);
		struct val *other = n->in[1 - k];
		if (!open || !may_move(f, open, 1) || other->type.sec != SEC_MASKED || ready(f, other) > f->round[open->step->id])
			continue;
		if (!ir_map_once(m, k ? m->sb : m->sa, k ? m->b0 : m->a0, open->step->count) || s->count * s->m > opened_bits(open))
			continue;
		if (wide_enough(s->ca, n->in[0]->type.bits, s->m) && wide_enough(s->cb, n->in[1]->type.bits, s->m))
			return k;
	}
	return -1;
}

/* lin becomes addx with the share of operand k as its first one, opened behind it. */
static void
add_to_share(struct prog *p, struct node *n, int k, const struct facts *f)
{
	struct node *open = opening(n->in[k]);
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
	f->uses[open_result(p, n, open)->step->id] = f->uses[n->step->id];
	drop(p, open);
}

/* ---- narrow openings --------------------------------------------------------------------- */

/* Is the share of v fit for a narrow opening: low bits of either party's share uniform, and known to the simulator? */
static bool
rounds_well(struct val *v)
{
	for (;;) {
		const struct node *n = unalias(v)->def;
		const struct suf_step *s = n->step;
		switch (s->op) {
		case SUF_matmul: case SUF_mul: case SUF_gapext: case SUF_wshare: case SUF_omul: case SUF_oscale:
		case SUF_cellfix: case SUF_trig: case SUF_exps: case SUF_normmul: case SUF_bitmul: return true;
		case SUF_lin: case SUF_row_lin: case SUF_addx:
			if (s->ca & 1)
				break;
			if (s->op == SUF_lin && n->nin == 2 && s->cb & 1 && rounds_well(n->in[0])) {
				v = n->in[1];
				continue;
			}
			return false;
		case SUF_addc: case SUF_row_sum: case SUF_tril: break;
		default: return false;
		}
		if (n->nin == 2 && s->op != SUF_addx && !rounds_well(n->in[1]))
			return false;
		v = n->in[0];
	}
}

/* A shift of what is opened for it alone. */
static bool
narrows(const struct facts *f, const struct node *n)
{
	const struct node *open = n->step->op == SUF_shift ? opening(n->in[0]) : NULL;
	return open && may_move(f, open, 1) && rounds_well(open->in[0]);
}

static void
narrow(struct prog *p, struct node *n)
{
	struct node *open = opening(n->in[0]);
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

/* ---- public matrices ------------------------------------------------------------------------ */

/* A product with a public matrix of what is opened for it alone, where its result takes no more bits. */
static bool
shares_product(const struct facts *f, const struct node *n)
{
	const struct node *open = n->step->op == SUF_wmul ? opening(n->in[0]) : NULL;
	return open && may_move(f, open, 1) && rounds_well(open->in[0]) && n->step->count * n->step->m <= opened_bits(open);
}

/* Each party multiplies its share; the result is opened behind, under pads of its own. */
static void
multiply_shares(struct prog *p, struct node *n, const struct facts *f)
{
	struct node *open = opening(n->in[0]);
	ir_set_in(p, n, 0, open->in[0]);
	n->step->op = SUF_wshare;
	n->step->define_last = 1;
	f->uses[open_result(p, n, open)->step->id] = f->uses[n->step->id];
	drop(p, open);
}

bool
pass_join_open(struct prog *p)
{
	if (!p->joins)
		return true;
	p->joins = false;
	const struct facts f = facts_of(p);
	for (struct node *n = p->first, *next; n; n = next) {
		const int share = f.shifts ? share_of_sum(&f, n) : -1;
		if (is_local(n) && joins(&f, n))
			join(p, n, &f);
		else if (share >= 0)
			add_to_share(p, n, share, &f);
		else if (f.shifts && shares_product(&f, n))
			multiply_shares(p, n, &f);
		set_round(&f, n);
		next = n->next;
		if (f.shifts && narrows(&f, n))
			narrow(p, n);
	}
	return true;
}

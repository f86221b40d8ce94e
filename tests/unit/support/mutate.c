/* SPDX-License-Identifier: Apache-2.0
 * mutate.c -- see mutate.h. */
#include <string.h>
#include "mutate.h"
#include "run.h"

/* ---- places for faults ----------------------------------------------------------- */

typedef bool test(const struct node *);

static struct node *
find(struct prog *p, test *fits, int skip)
{
	for (struct node *n = p->first; n; n = n->next)
		if (fits(n) && skip-- == 0)
			return n;
	return NULL;
}

static const struct val *
root(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v;
}

static bool opened_in_full(const struct val *v) { v = root(v); return v->def && v->def->step->op == SUF_open && !v->def->step->s; }
static bool is_open(const struct node *n) { return n->step->op == SUF_open; }
static bool is_full(const struct node *n) { return is_open(n) && !n->step->s; }
static bool is_narrow(const struct node *n) { return is_open(n) && n->step->s; }
static bool is_input(const struct node *n) { return n->step->op == SUF_input; }
static bool is_output(const struct node *n) { return n->step->op == SUF_output; }
static bool is_shared(const struct node *n) { return n->nout && n->out[0]->type.sec == SEC_SHARED; }
static bool has_pads(const struct node *n) { return is_shared(n) && suf_step_desc[n->step->op].form == FORM_SHARED; }
static bool is_product(const struct node *n) { return n->step->op == SUF_matmul || n->step->op == SUF_mul; }
static bool of_wires(const struct node *n) { return is_product(n) && n->nin == 2 && !n->in[1]->data && n->step->n == n->step->m; }
static bool of_weight(const struct node *n) { return is_product(n) && n->step->weight_b; }
static bool refers(const struct node *n) { return is_product(n) && n->step->pad_a; }
static bool is_last(const struct node *n) { return is_product(n) && n->step->define_last; }
static bool is_masked_lin(const struct node *n) { return n->step->op == SUF_lin && n->out[0]->type.sec == SEC_MASKED && !n->in[0]->data && n->step->map; }
static bool is_masked_copy(const struct node *n) { return is_masked_lin(n) && n->nin == 1 && n->step->ca & 1; }
static bool is_shift(const struct node *n) { return n->step->op == SUF_shift; }
static bool is_addx(const struct node *n) { return n->step->op == SUF_addx; }
static bool is_cutfix(const struct node *n) { return n->step->op == SUF_cutfix; }
static bool is_gapext(const struct node *n) { return n->step->op == SUF_gapext; }
static bool is_local(const struct node *n) { return suf_step_desc[n->step->op].form == FORM_LOCAL; }
static bool is_word_and_bit(const struct node *n) { return n->step->op == SUF_trunc || n->step->op == SUF_sext || n->step->op == SUF_select; }

/* Its result is opened, in full, behind at least one more step. */
static bool
is_opened(const struct node *n)
{
	return has_pads(n) && n->next && n->out[0]->nuse == 1;
}

static struct node *
opening_of(struct prog *p, const struct val *v)
{
	for (struct node *n = p->first; n; n = n->next)
		if (is_open(n) && root(n->in[0]) == v)
			return n;
	return NULL;
}

static struct val *
result_of_form(struct prog *p, enum sec form)
{
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nout; k++)
			if (n->out[k]->type.sec == form)
				return n->out[k];
	return NULL;
}

/* A step with a result of its own place behind `at`, in its round (or behind the round if `at` sends). */
static struct val *
add(struct prog *p, struct node *at, struct suf_step st, enum sec sec, unsigned bits, uint64_t count, int nin, struct val **in)
{
	const int64_t dim = (int64_t)count;
	struct val *v = ir_val(p, NULL, DT_I64, (struct type){ .sec = sec, .bits = (uint8_t)bits }, 1, &dim);
	st.count = count;
	st.m = (uint8_t)bits;
	st.n = nin ? in[0]->type.bits : st.m;
	struct node *n = ir_step(p, at->next, at, st, nin, in, 1, &v);
	n->round = at->round;
	v->slot = p->wire_elems;
	p->wire_elems += count;
	return v;
}

static struct val *
open_too(struct prog *p, struct node *at, struct val *share)
{
	struct val *v = add(p, at, (struct suf_step){ .op = SUF_open }, SEC_MASKED, share->type.bits, ir_wire_count(share), 1, &share);
	v->slot = share->slot;
	v->alias = share;
	return v;
}

static struct val *
copy_of(struct prog *p, struct node *at, struct val *v, uint64_t first, uint64_t count, int64_t ca)
{
	const struct suf_map map = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 }, .a0 = first };
	const struct suf_step st = { .op = SUF_lin, .na = ir_wire_count(v), .ca = ca, .map = &map, .shared = v->type.sec == SEC_SHARED };
	return add(p, at, st, v->type.sec, v->type.bits, count, 1, &v);
}

static bool
referred(const struct prog *p, uint32_t id)
{
	for (const struct node *n = p->first; n; n = n->next)
		if (n->step->pad_a == id || n->step->pad_b == id)
			return true;
	return false;
}

/* The first share with pads of `least` elements, no mask shares of others, that is opened; *open opens it. */
static struct val *
opened_share(struct prog *p, uint64_t least, struct node **open)
{
	for (struct node *n = p->first; n; n = n->next)
		if (is_full(n) && n->in[0]->def && has_pads(n->in[0]->def) && n->step->count >= least && n->in[0]->nuse == 1 &&
		    !referred(p, n->in[0]->def->step->id)) {
			*open = n;
			return n->in[0];
		}
	return NULL;
}

/* ---- R1: pads ---------------------------------------------------------------------- */

static bool
opened_twice(struct prog *p)
{
	struct node *open;
	struct val *z = opened_share(p, 1, &open);
	return z && open_too(p, open, z);
}

static bool
multiple_opened(struct prog *p)
{
	struct node *open;
	struct val *z = opened_share(p, 1, &open);
	return z && open_too(p, open, copy_of(p, open->prev, z, 0, ir_wire_count(z), 3));
}

/* From[0], length[0] and from[1], length[1] of a share are opened instead of all of it, the whole is not. */
static bool
two_slices(struct prog *p, uint64_t from, uint64_t length)
{
	struct node *open;
	struct val *z = opened_share(p, 4, &open);
	if (!z)
		return false;
	struct node *maker = z->def;
	struct val *other = copy_of(p, maker, z, 0, ir_wire_count(z), 1); /* a share that is opened in the place of z */
	ir_set_in(p, open, 0, other);
	open->out[0]->slot = other->slot;
	open->out[0]->alias = other;
	for (int k = 0; k < p->nvals; k++)                               /* views of what is opened */
		if (!p->vals[k]->data && root(p->vals[k]) == open->out[0])
			p->vals[k]->slot = other->slot;
	other->def->step->map = NULL;
	const struct suf_map first = { .ndim = 1, .dim = { (uint32_t)ir_wire_count(z) }, .so = { 1 }, .sa = { 0 }, .sb = { 1 } };
	struct suf_map *m = arena_alloc(p->arena, sizeof *m);
	*m = first;                                                      /* element 0 again and again */
	other->def->step->map = m;
	open_too(p, open, copy_of(p, maker, z, from, length, 1));
	return true;
}

static bool slices_overlap(struct prog *p) { return two_slices(p, 0, 2); }
static bool slices_apart(struct prog *p) { return two_slices(p, 1, 3); }

/* z1 + z2 beside z1 */
static bool
sum_and_addend(struct prog *p)
{
	struct node *open;
	struct val *z = opened_share(p, 1, &open);
	if (!z)
		return false;
	struct val *in[2] = { z, copy_of(p, z->def, z, 0, ir_wire_count(z), 5) };
	const struct suf_map map = { .ndim = 1, .dim = { (uint32_t)ir_wire_count(z) }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	const struct suf_step st = { .op = SUF_lin, .na = ir_wire_count(z), .nb = ir_wire_count(z), .ca = 1, .cb = 1, .map = &map, .shared = 1 };
	return open_too(p, open, add(p, open->prev, st, SEC_SHARED, z->type.bits, ir_wire_count(z), 2, in));
}

static bool
exact_opened(struct prog *p)
{
	struct val *v = result_of_form(p, SEC_EXACT);
	struct node *open = v ? opening_of(p, v->def->out[0]) : NULL;
	return open && open_too(p, open, v);
}

static bool
dealer_opened(struct prog *p)
{
	struct val *v = result_of_form(p, SEC_DEALER);
	struct node *open = v ? opening_of(p, v->def->out[0]) : NULL;
	return open && open_too(p, open, v);
}

static bool
exact_copied(struct prog *p)
{
	struct val *v = result_of_form(p, SEC_EXACT);
	if (!v)
		return false;
	struct val *c = copy_of(p, v->def, v, 0, ir_wire_count(v), 1);
	c->type.sec = SEC_SHARED;
	c->def->step->shared = 1;
	return true;
}

static bool
exact_called_shared(struct prog *p)
{
	struct val *v = result_of_form(p, SEC_EXACT);
	struct node *open = v ? opening_of(p, v->def->out[0]) : NULL;
	if (!open)
		return false;
	v->type.sec = SEC_SHARED;
	return open_too(p, open, v);
}

static bool
masked_opened(struct prog *p)
{
	struct node *n = find(p, is_input, 0), *open = find(p, is_open, 0);
	if (!open)
		return false;
	ir_set_in(p, open, 0, n->out[0]);
	return true;
}

static bool
pad_too_narrow(struct prog *p)
{
	struct node *n = find(p, is_opened, 0);
	if (!n)
		return false;
	n->out[0]->type.bits++;
	return true;
}

static bool
pad_too_short(struct prog *p)
{
	struct node *n = find(p, is_opened, 0);
	return n && n->step->count-- > 1;
}

static bool
share_called_masked(struct prog *p)
{
	struct node *n = find(p, is_opened, 0);
	if (!n)
		return false;
	n->out[0]->type.sec = SEC_MASKED;
	return true;
}

static bool
forms_mixed(struct prog *p)
{
	struct node *n = find(p, is_local, 0), *open;
	struct val *z = opened_share(p, 1, &open);
	if (!z)
		return false;
	for (n = open; n; n = n->next)
		if (is_masked_lin(n) && n->nin == 2)
			break;
	struct node *late = n ? n->prev : NULL;
	while (late && !(has_pads(late) && ir_wire_count(late->out[0]) == ir_wire_count(n->in[1]) && late->out[0]->type.bits == n->in[1]->type.bits))
		late = late->prev;
	if (!late)
		return false;
	ir_set_in(p, n, 1, late->out[0]);
	return true;
}

static bool
flag_wrong(struct prog *p)
{
	struct node *n = find(p, is_masked_lin, 0);
	if (!n)
		return false;
	n->step->shared = 1;
	return true;
}

static bool
view_grows(struct prog *p)
{
	for (int k = 0; k < p->nvals; k++) {
		struct val *v = p->vals[k];
		if (v->nuse && !v->def && v->alias && v->rank) {
			v->dim[0]++;
			return true;
		}
	}
	return false;
}

static bool
weight_too_narrow(struct prog *p)
{
	struct node *n = find(p, of_weight, 0);
	if (!n)
		return false;
	n->in[1]->type.bits = (uint8_t)(n->step->n - 1);
	return true;
}

/* ---- R2: everything at its time and place ------------------------------------------------- */

static bool
open_left_out(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		if (is_full(n) && n->out[0]->nuse && n->prev != n) {
			struct val *was = n->out[0], *share = n->in[0];
			for (int k = 0; k < p->nout; k++)
				if (p->out[k] == was)
					return false;
			ir_replace(p, was, share);
			ir_remove(p, n);
			return true;
		}
	return false;
}

static bool
step_twice(struct prog *p)
{
	struct node *n = find(p, has_pads, 0);
	struct val *out = n ? n->out[0] : NULL;
	if (!n)
		return false;
	struct node *again = ir_node(p, n->next, OP_step, &n->loc, n->nin, n->in, 1, (struct val *[]){ ir_val_like(p, out, ".again") });
	again->step = n->step;
	again->round = n->round;
	again->out[0] = out;
	return true;
}

/* The same under a number of its own: a pad more, the first one lost. */
static bool
made_twice(struct prog *p)
{
	if (!step_twice(p))
		return false;
	struct node *n = find(p, has_pads, 0)->next;
	struct suf_step *s = arena_alloc(p->arena, sizeof *s);
	*s = *n->step;
	s->id = p->next_id++;
	n->step = s;
	return true;
}

static bool
message_early(struct prog *p)
{
	struct node *n = find(p, is_open, 1);
	for (struct node *k = n; k; k = k->next)
		if (is_open(k) && k->round > 1) {
			k->round = 0;
			return true;
		}
	return false;
}

static bool
round_left_out(struct prog *p)
{
	p->nrounds++;
	return true;
}

static bool
round_skipped(struct prog *p)
{
	const int at = p->nrounds / 2;
	for (struct node *n = p->first; n; n = n->next)
		n->round += n->round >= at;
	p->nrounds++;
	return true;
}

static bool
read_before_exchange(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; !is_open(n) && k < n->nin; k++)
			if (opened_in_full(n->in[k]) && root(n->in[k])->def->round == n->round - 1) {
				n->round--;
				return true;
			}
	return false;
}

static bool
read_before_made(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		if (n->prev && n->nin && !n->in[0]->data && root(n->in[0])->def == n->prev) {
			ir_move_before(p, n, n->prev);
			return true;
		}
	return false;
}

static bool
place_taken(struct prog *p)
{
	struct node *open;
	struct val *z = opened_share(p, 1, &open);
	for (struct node *n = z ? z->def->next : NULL; n && n != open; n = n->next)
		if (has_pads(n) || is_local(n)) {
			n->out[0]->slot = z->slot;
			return true;
		}
	return false;
}

/* A share's place goes to something else between its opening and the exchange. */
static bool
place_taken_late(struct prog *p)
{
	struct node *open;
	struct val *z = opened_share(p, 1, &open);
	if (!z)
		return false;
	struct val *in = find(p, is_input, 0)->out[0];
	copy_of(p, open, in, 0, 1, 1)->slot = z->slot;
	return true;
}

static bool
place_beside_buffer(struct prog *p)
{
	struct node *n = find(p, is_opened, 0);
	if (!n)
		return false;
	n->out[0]->slot = p->wire_elems;
	return true;
}

static bool
opened_elsewhere(struct prog *p)
{
	struct node *n = find(p, is_open, 0);
	if (!n)
		return false;
	n->out[0]->slot++;
	return true;
}

static bool
element_not_written(struct prog *p)
{
	struct node *n = find(p, is_masked_lin, 0);
	if (!n)
		return false;
	struct suf_map *m = arena_alloc(p->arena, sizeof *m);
	*m = *n->step->map;
	m->so[m->ndim - 1] = 0;
	n->step->map = m;
	return true;
}

/* ---- R3: parts ----------------------------------------------------------------------------- */

static bool uses_na(const struct node *n) { return (n->step->op == SUF_sqsum || n->step->op == SUF_cuts || n->step->op == SUF_drelu || n->step->op == SUF_bitdot || n->step->op == SUF_normsq) && n->step->na > 1; }

static bool
part_too_short(struct prog *p)
{
	struct node *n = find(p, uses_na, 0);
	return n && n->step->na--;
}

/* A part as wide as the ring, of a step that looks no further at n. */
static bool
part_too_narrow(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		for (enum suf_part part = 0; (is_product(n) || n->step->op == SUF_sqsum) && part < SUF_NPART; part++)
			if (suf_part_desc[part].step == n->step->op && suf_part_count(part, n->step) && suf_part_bits(part, n->step) == n->step->n) {
				n->step->n--;
				return true;
			}
	return false;
}

static bool
shares_of_fewer(struct prog *p)
{
	struct node *n = find(p, of_wires, 0);
	return n && n->step->nb--;
}

/* ---- R4, R6: openings of fewer bits -------------------------------------------------------------- */

static bool
rounded_by_no_rule(struct prog *p)
{
	struct node *n = find(p, is_narrow, 0);
	if (!n)
		return false;
	n->step->round_half = 0;
	return true;
}

static bool
rounded_by_other_pads(struct prog *p)
{
	struct node *n = find(p, is_narrow, 0);
	if (!rounded_by_no_rule(p))
		return false;
	n->step->pad_a = n->in[0]->def->step->id == 1 ? 2 : 1;
	return true;
}

/* Pads of a product with its mask defined last. */
static bool
rounded_by_more_than_pads(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		if (is_narrow(n) && n->in[0]->def && is_last(n->in[0]->def)) {
			n->step->round_half = 0;
			n->step->pad_a = n->in[0]->def->step->id;
			return true;
		}
	return false;
}

static bool
keeps_too_much(struct prog *p)
{
	struct node *n = find(p, is_narrow, 0);
	if (!n)
		return false;
	const unsigned more = (unsigned)(n->step->n - n->step->s - n->step->m) + 1;
	n->step->m = (uint8_t)(n->step->m + more);
	n->out[0]->type.bits = n->step->m;
	return true;
}

static bool
bits_lost(struct prog *p)
{
	struct node *n = find(p, is_full, 0);
	if (!n || n->step->m < 2)
		return false;
	n->out[0]->type.bits = --n->step->m;
	return true;
}

static bool
range_does_not_fit(struct prog *p)
{
	struct node *n = find(p, is_narrow, 0);
	if (!n)
		return false;
	n->out[0]->from = RANGE_PROVEN;
	n->out[0]->hi = 0x1p64;
	n->out[0]->lo = -1;
	return true;
}

static bool
wrap_stays(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		if (is_masked_copy(n) && n->step->m == n->step->n && n->step->m < 64) {
			n->out[0]->type.bits = ++n->step->m;
			return true;
		}
	return false;
}

static bool
shifted_too_far(struct prog *p)
{
	struct node *n = find(p, is_shift, 0);
	if (!n)
		return false;
	n->step->s = (uint8_t)(n->step->n - n->step->m + 1);
	return true;
}

/* ---- R5: mask shares ------------------------------------------------------------------------------- */

static bool
refers_to(struct prog *p, uint32_t id)
{
	struct node *n = find(p, refers, 0);
	if (!n || !id)
		return false;
	n->step->pad_a = id;
	return true;
}

static bool pads_of_another(struct prog *p) { const struct node *n = find(p, refers, 0); return n && refers_to(p, n->step->pad_a == 1 ? 2 : 1); }
static bool pads_of_input(struct prog *p) { return refers_to(p, find(p, is_input, 0)->step->id); }
static bool pads_of_nobody(struct prog *p) { return refers_to(p, p->next_id + 7); }

static bool
pads_of_product(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next) {
		const struct val *v = of_wires(n) && opened_in_full(n->in[0]) ? root(n->in[0])->def->in[0] : NULL;
		if (v && v->def && is_last(v->def)) {
			n->step->pad_a = v->def->step->id;
			return true;
		}
	}
	return false;
}

static bool
pads_of_narrow(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next) {
		const struct val *v = n->nin && !n->in[0]->data ? root(n->in[0]) : NULL;
		if (v && is_product(n) && v->def && is_narrow(v->def) && v->def->in[0]->def && has_pads(v->def->in[0]->def)) {
			n->step->pad_a = v->def->in[0]->def->step->id;
			return true;
		}
	}
	return false;
}

static bool
pads_for_nothing(struct prog *p)
{
	struct node *n = find(p, is_local, 0);
	if (!n)
		return false;
	n->step->pad_a = find(p, has_pads, 0)->step->id;
	return true;
}

static bool
shares_of_nobody(struct prog *p)
{
	struct node *n = find(p, is_cutfix, 0);
	if (!n)
		return false;
	n->step->pad_b = 0;
	return true;
}

static bool
last_is_first(struct prog *p)
{
	struct node *n = find(p, is_gapext, 0);
	if (!n)
		return false;
	n->step->define_last = 1;
	return true;
}

/* The second of two like steps takes what belongs to the first one. */
static bool
others_companion(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			const enum sec form = n->in[k]->type.sec;
			if (form != SEC_EXACT && form != SEC_DEALER)
				continue;
			for (struct node *j = p->first; j != n; j = j->next)
				if (j->step->op == n->step->op && j->in[k] != n->in[k] && ir_wire_count(j->in[k]) == ir_wire_count(n->in[k]) &&
				    j->in[k]->type.bits == n->in[k]->type.bits) {
					ir_set_in(p, n, k, j->in[k]);
					return true;
				}
		}
	return false;
}

/* ---- R9: labels -------------------------------------------------------------------------------------- */

static bool
number_twice(struct prog *p)
{
	struct node *a = find(p, has_pads, 0), *b = find(p, has_pads, 1);
	if (!b)
		return false;
	b->step->id = a->step->id;
	return true;
}

static bool
number_beyond(struct prog *p)
{
	struct node *n = find(p, has_pads, 0);
	if (!n)
		return false;
	n->step->id = p->next_id;
	return true;
}

static bool
wire_as_weight(struct prog *p)
{
	struct node *n = find(p, of_wires, 0);
	if (!n)
		return false;
	n->step->weight_b = 1;
	n->step->pad_b = 0;
	return true;
}

static bool
input_as_weight(struct prog *p)
{
	struct node *n = find(p, of_weight, 0), *in = find(p, is_input, 0);
	if (!n || ir_wire_count(in->out[0]) != n->step->nb)
		return false;
	ir_set_in(p, n, 1, in->out[0]);
	return true;
}

static bool
weight_dealt(struct prog *p)
{
	struct node *n = find(p, of_weight, 0);
	if (!n)
		return false;
	n->step->weight_b = 0;
	return true;
}

static bool
weights_alike(struct prog *p)
{
	struct node *a = find(p, of_weight, 0), *b = find(p, of_weight, 1);
	if (!b || a->in[1] == b->in[1])
		return false;
	b->in[1]->slot = a->in[1]->slot;
	return true;
}

/* ---- R11, R12: borders, messages ------------------------------------------------------------------------ */

static bool
wire_given_away(struct prog *p)
{
	struct node *open = find(p, is_full, 0);
	if (!open)
		return false;
	struct val *v = open->out[0];
	const uint64_t count = ir_wire_count(v);
	const struct suf_step st = { .op = SUF_output, .count = count, .na = count, .n = v->type.bits, .m = v->type.bits };
	ir_step(p, NULL, p->last, st, 1, &v, 0, NULL)->round = p->last->prev->round;
	v->slot = p->wire_elems;                                         /* it still stands somewhere */
	for (int k = 0; k < p->nvals; k++)
		if (!p->vals[k]->data && (p->vals[k] == open->in[0] || root(p->vals[k]) == v))
			p->vals[k]->slot = p->wire_elems;
	p->wire_elems += count;
	return true;
}

static bool
output_twice(struct prog *p)
{
	struct node *n = find(p, is_output, 0);
	struct node *again = ir_step(p, NULL, n, *n->step, 1, n->in, 0, NULL);
	again->round = n->round;
	return true;
}

static bool
output_left_out(struct prog *p)
{
	ir_remove(p, find(p, is_output, 0));
	return true;
}

static bool
output_of_share(struct prog *p)
{
	struct node *n = find(p, is_output, 0), *open;
	struct val *z = opened_share(p, 1, &open);
	if (!z)
		return false;
	ir_set_in(p, n, 0, z);
	return true;
}

static bool
output_to_nobody(struct prog *p)
{
	struct options *o = arena_alloc(p->arena, sizeof *o);
	*o = *p->opt;
	o->output_to = 3;
	p->opt = o;
	return true;
}

static bool
input_of_nobody(struct prog *p)
{
	struct node *n = find(p, is_input, 0);
	add(p, n, (struct suf_step){ .op = SUF_input }, SEC_MASKED, 20, 3, 0, NULL);
	return true;
}

static bool
sent_too_short(struct prog *p)
{
	struct node *n = find(p, is_full, 0);
	return n && n->step->count-- > 1;
}

static bool
sent_unreduced(struct prog *p)
{
	struct node *n = find(p, is_input, 0);
	if (n->step->m >= 64)
		return false;
	n->step->m++;
	return true;
}

static bool
operands_swapped(struct prog *p)
{
	struct node *n = find(p, is_word_and_bit, 0);
	if (!n)
		return false;
	struct val *a = n->in[0], *b = n->in[1];
	ir_set_in(p, n, 0, b);
	ir_set_in(p, n, 1, a);
	return true;
}

static bool
share_and_wire_swapped(struct prog *p)
{
	struct node *n = find(p, is_addx, 0);
	if (!n || ir_wire_count(n->in[0]) != ir_wire_count(n->in[1]))
		return false;
	struct val *a = n->in[0], *b = n->in[1];
	ir_set_in(p, n, 0, b);
	ir_set_in(p, n, 1, a);
	return true;
}

const struct fault faults[] = {
	{ "a round that nothing belongs to", round_skipped, "R2:", false },
	{ "a share opened twice", opened_twice, "R1:", false },
	{ "a share and a multiple of it opened", multiple_opened, "R1:", false },
	{ "two slices of a share opened that overlap", slices_overlap, "R1:", false },
	{ "two slices of a share opened that do not", slices_apart, NULL, true },
	{ "a sum and its addend opened", sum_and_addend, "R1:", false },
	{ "shares without pads opened", exact_opened, "R1:", false },
	{ "a value of the dealer opened", dealer_opened, "R1:", false },
	{ "a local step on shares without pads", exact_copied, "R1:", false },
	{ "shares without pads called padded, and opened", exact_called_shared, "R1:", false },
	{ "a masked value opened again", masked_opened, "R1:", false },
	{ "a pad narrower than the ring", pad_too_narrow, "R1:", false },
	{ "a pad of fewer elements than the value", pad_too_short, "R1:", false },
	{ "a share called masked", share_called_masked, "R1:", false },
	{ "a local step on a share and a masked value", forms_mixed, "R1:", false },
	{ "a local step that says it works on shares", flag_wrong, "R1:", false },
	{ "a view of more elements", view_grows, "R1:", false },
	{ "a weight masked with fewer bits than the product has", weight_too_narrow, "R1:", false },
	{ "an opening left out", open_left_out, "R2:", false },
	{ "a step twice under one number", step_twice, "R9:", false },
	{ "a value made twice", made_twice, "R2:", false },
	{ "a message before its round", message_early, "R2:", false },
	{ "a round in which nothing is sent", round_left_out, "R2:", false },
	{ "an opened value read before the exchange", read_before_exchange, "R2:", false },
	{ "a value read before it is made", read_before_made, "R2:", false },
	{ "the place of a share taken before its opening", place_taken, "R2:", false },
	{ "the place of a share taken before the exchange", place_taken_late, "R2:", false },
	{ "a value beside the buffer", place_beside_buffer, "R2:", false },
	{ "an opening at another place", opened_elsewhere, "R2:", false },
	{ "an element that is not written", element_not_written, "R2:", false },
	{ "a part of too few words", part_too_short, "R3:", false },
	{ "a part of too few bits", part_too_narrow, "R3:", false },
	{ "mask shares of fewer elements", shares_of_fewer, "R3:", false },
	{ "bits dropped by no rule", rounded_by_no_rule, "R4:", false },
	{ "bits dropped of pads of another step", rounded_by_other_pads, "R4:", false },
	{ "bits dropped of pads that are not the mask alone", rounded_by_more_than_pads, "R4:", false },
	{ "too many bits kept", keeps_too_much, "R6:", false },
	{ "bits lost by no shift", bits_lost, "R6:", false },
	{ "a range that does not fit the bits kept", range_does_not_fit, "R6:", false },
	{ "a wrap of the mask that stays", wrap_stays, "R6:", false },
	{ "a shift by too many bits", shifted_too_far, "R6:", false },
	{ "mask shares from pads of another step", pads_of_another, "R5:", false },
	{ "mask shares from pads of an input", pads_of_input, "R5:", false },
	{ "mask shares from pads of no step", pads_of_nobody, "R5:", false },
	{ "mask shares from pads of a product whose mask is defined last", pads_of_product, "R5:", false },
	{ "mask shares from pads of a narrow opening", pads_of_narrow, "R5:", false },
	{ "pads for a step that takes no mask shares", pads_for_nothing, "R5:", false },
	{ "mask shares that nobody has", shares_of_nobody, "R5:", false },
	{ "a mask defined last where it is pads", last_is_first, "R5:", false },
	{ "shares or signs that belong to another value", others_companion, "R5:", false },
	{ "two steps of one number", number_twice, "R9:", false },
	{ "a number beyond the last", number_beyond, "R9:", false },
	{ "a weight's stream as the mask of a wire", wire_as_weight, "R9:", false },
	{ "an input read as a weight", input_as_weight, "R9:", false },
	{ "a weight's mask dealt again", weight_dealt, "R9:", false },
	{ "two weights of one number", weights_alike, "R9:", false },
	{ "a wire given away as an output", wire_given_away, "R11:", false },
	{ "an output given away twice", output_twice, "R11:", false },
	{ "an output left out", output_left_out, "R11:", false },
	{ "an output of a share", output_of_share, "R2:", false },
	{ "outputs to nobody", output_to_nobody, "R11:", false },
	{ "an input that the program does not have", input_of_nobody, "R11:", false },
	{ "a message of fewer elements", sent_too_short, "R12:", false },
	{ "a message of more bits than the value", sent_unreduced, "R12:", false },
	{ "a bit and a word exchanged", operands_swapped, "R12:", false },
	{ "a share and a masked value exchanged", share_and_wire_swapped, "R2:", false },
};
const int nfaults = sizeof faults / sizeof faults[0];

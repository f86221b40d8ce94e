/* SPDX-License-Identifier: Apache-2.0
 * mutate.c -- faults of pads, and of times and places. */
#include "mutate_find.h"

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

const struct fault faults_places[] = {
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
};
const int nfaults_places = sizeof faults_places / sizeof faults_places[0];

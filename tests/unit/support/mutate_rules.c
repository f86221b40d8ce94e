/* SPDX-License-Identifier: Apache-2.0
 * mutate_rules.c -- faults of key material, narrow openings, mask shares, labels and borders. */
#include <math.h>
#include "mutate_find.h"

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
range_without_gap(struct prog *p)
{
	struct node *n = find(p, is_gapext, 0);
	if (!n)
		return false;
	struct val *v = n->in[0];
	v->hi = ldexp(1, (int)v->type.bits - 2 - v->type.frac);          /* one unit too many */
	v->lo = -1;
	v->from = RANGE_CALIBRATED;
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

static bool takes_public(const struct node *n) { return n->step->op == SUF_wmul || n->step->op == SUF_wscale || n->step->op == SUF_wshare; }

static bool
masked_as_public(struct prog *p)
{
	if (!find(p, takes_public, 0))
		return false;
	p->weights = WEIGHTS_MASKED;
	return true;
}

static bool
wire_as_public(struct prog *p)
{
	struct node *n = find(p, takes_public, 0);
	if (!n)
		return false;
	ir_set_in(p, n, 1, n->in[0]);
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

const struct fault faults_rules[] = {
	{ "a part of too few words", part_too_short, "R3:", false },
	{ "a part of too few bits", part_too_narrow, "R3:", false },
	{ "mask shares of fewer elements", shares_of_fewer, "R3:", false },
	{ "bits dropped by no rule", rounded_by_no_rule, "R4:", false },
	{ "bits dropped of pads of another step", rounded_by_other_pads, "R4:", false },
	{ "bits dropped of pads that are not the mask alone", rounded_by_more_than_pads, "R4:", false },
	{ "too many bits kept", keeps_too_much, "R6:", false },
	{ "bits lost by no shift", bits_lost, "R6:", false },
	{ "a range that does not fit the bits kept", range_does_not_fit, "R6:", false },
	{ "a range that leaves no bit for an extension", range_without_gap, "R6:", false },
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
	{ "masked weights read as they are", masked_as_public, "R9:", false },
	{ "a wire read as a public weight", wire_as_public, "R9:", false },
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
const int nfaults_rules = sizeof faults_rules / sizeof faults_rules[0];

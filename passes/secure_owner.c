/* SPDX-License-Identifier: Apache-2.0
 * secure_owner.c -- R10: weights of party 0.
 *
 * Offline is what party 1 computes and sends before the input is there.  From the rows alone: its part of a step depends on nothing
 * online if it is blind to each operand (BLIND), or has it from before: a weight that party 0 owns (OWNED: masked, at party 1) or a
 * share of which the same holds; and if the step takes no key, which is read in program order, online.  Whether a step says that it
 * is offline must follow from that.  Party 1 does such a step once, in advance: so what reads its share is done in advance, too, and
 * the other way round.
 *
 * Masked values that are opened to party 0 alone, and linear images of them, are read by steps that party 1 is blind to.
 */
#include "passes/secure.h"

bool
secure_is_early(const struct secure *c, const struct node *n)
{
	if (c->p->weights != WEIGHTS_OWNER || suf_takes_key(n->step) || !n->nin)
		return false;
	for (int k = 0; k < n->nin; k++) {
		const struct fact *f = secure_fact(c, n->in[k]);
		const bool before = n->in[k]->data ? suf_operand_owned(n->step, k) : f && f->form == SEC_SHARED && f->early;
		if (!before && !suf_operand_blind(n->step, k))
			return false;
	}
	return true;
}

bool
secure_is_party0(const struct secure *c, const struct node *n)
{
	const enum mask_of mask = secure_mask(n->step);
	if (mask == MASK_OPENED)
		return n->step->one_way;
	for (int k = 0; k < n->nin && (mask == MASK_LINEAR || mask == MASK_FLOOR || mask == MASK_IMAGE); k++) {
		const struct fact *f = secure_fact(c, n->in[k]);
		if (f && f->form == SEC_MASKED && f->party0)
			return true;
	}
	return false;
}

static void
check_operand(struct secure *c, const struct node *n, int k)
{
	const struct fact *f = secure_fact(c, n->in[k]);
	if (!f)
		return;
	if (f->form == SEC_SHARED && f->maker->step->offline != n->step->offline)
		secure_fail(c, 10, n, n->in[k], "is a share that party 1 has %s only, of step %u", n->step->offline ? "online" : "in advance", f->maker->step->id);
	if (f->form == SEC_MASKED && f->party0 && !suf_operand_blind(n->step, k) && !secure_is_party0(c, n))
		secure_fail(c, 10, n, n->in[k], "is known to party 0 alone, and party 1 reads it");
}

void
secure_owner(struct secure *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const enum mask_of mask = secure_mask(s);
	if (s->offline && !secure_is_early(c, n))
		secure_fail(c, 10, n, n->nin ? n->in[0] : NULL, "party 1's part is to be done before the input is there, but depends on what is online");
	if (s->offline && mask != MASK_OPENED && (n->nout != 1 || n->out[0]->type.sec != SEC_SHARED))
		secure_fail(c, 10, n, NULL, "only shares and their openings are made before the input is there");
	if (s->one_way && (mask != MASK_OPENED || s->offline || c->p->weights != WEIGHTS_OWNER))
		secure_fail(c, 10, n, NULL, "is one way: only openings are, of programs with weights of party 0, and not those that party 1 sends offline");
	for (int k = 0; k < n->nin; k++)
		check_operand(c, n, k);
}

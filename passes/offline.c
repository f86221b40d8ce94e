/* SPDX-License-Identifier: Apache-2.0
 * offline.c -- pass `offline`: with weights of party 0, which messages go before the input is there, and which only one way.
 *
 * Party 1's share of a product with such weights is a function of its seeds and of the masked weights (runtime/step/owned.h).
 * So is what is linear in such shares, and its part of their openings: these steps are marked `offline`; party 1 does them in advance
 * (runtime/ahead.c) and no more online.  A step is, if party 1 reads nothing for it but pads, owned weights and results of such steps,
 * takes no key, and if no other step reads its result.
 *
 * A masked value that party 1 reads nowhere is opened one way: party 1 sends its share, party 0 alone learns the value.  Those are
 * the operands of products with party 0's weights, and residuals, which party 0 adds alone; linear images of them, too.
 *
 * Security: a message less than before, or the same one earlier.  What is sent and what hides it stays as it is; that nothing offline
 * depends on anything online, and that party 1 reads nothing that it does not learn, is checked by pass `secure` (R10).
 * Linear in the steps, times the longest chain of offline steps.
 */
#include "passes/passes.h"
#include "run.h"

static struct node *
maker(struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v->def;
}

/* Party 1 does without in[k], or has it already. */
static bool needs_nothing(const struct suf_step *s, int k) { return suf_operand_blind(s, k) || suf_operand_owned(s, k); }

/* ---- in advance ------------------------------------------------------------------ */

/* Party 1's part of n: from shares that it has in advance, as far as is known now. */
static bool
may_be_offline(const struct node *n)
{
	const struct suf_step *s = n->step;
	const bool shares = n->nout == 1 && n->out[0]->type.sec == SEC_SHARED;
	bool linear = s->op == SUF_open || s->op == SUF_addx || (suf_step_desc[s->op].form == FORM_LOCAL && s->shared);
	for (int k = 0; k < n->nin; k++) {
		const struct node *from = n->in[k]->data ? NULL : maker(n->in[k]);
		if (needs_nothing(s, k)) {
			linear |= s->op != SUF_addx;
			continue;
		}
		if (!from || n->in[k]->type.sec != SEC_SHARED || !from->step->offline)
			return false;
	}
	return linear && (shares || s->op == SUF_open) && !suf_takes_key(s);
}

/* What a step reads that is not done in advance itself has to be there online. */
static bool
keep_online(const struct node *n)
{
	bool changed = false;
	for (int k = 0; k < n->nin && !n->step->offline; k++) {
		struct node *from = n->in[k]->data || n->in[k]->type.sec != SEC_SHARED ? NULL : maker(n->in[k]);
		changed |= from && from->step->offline;
		if (from)
			from->step->offline = 0;
	}
	return changed;
}

static void
mark_offline(struct prog *p)
{
	for (struct node *n = p->first; n; n = n->next)
		n->step->offline = may_be_offline(n);
	for (bool changed = true; changed;) {
		changed = false;
		for (struct node *n = p->first; n; n = n->next) {
			n->step->offline &= may_be_offline(n);
			changed |= keep_online(n);
		}
	}
}

/* ---- one way ----------------------------------------------------------------------- */

static void
mark_one_way(struct prog *p)
{
	bool *read = arena_alloc(p->arena, (size_t)p->next_id * sizeof *read); /* by step: party 1 reads its result */
	for (struct node *n = p->last; n; n = n->prev) {
		const struct suf_step *s = n->step;
		const bool passes_on = suf_step_desc[s->op].form == FORM_LOCAL && !s->shared && s->op != SUF_addx && !read[s->id];
		if (s->op == SUF_open)
			n->step->one_way = !read[s->id] && !s->offline;
		for (int k = 0; k < n->nin; k++) {
			const struct node *from = n->in[k]->data ? NULL : maker(n->in[k]);
			if (from && !needs_nothing(s, k) && !passes_on)
				read[from->step->id] = true;
		}
	}
}

bool
pass_offline(struct prog *p)
{
	if (p->weights != WEIGHTS_OWNER)
		return true;
	mark_offline(p);
	mark_one_way(p);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * pads.c -- whose pads are the mask shares of a masked value?
 *
 * A step gives a share under the mask pad_0 + pad_1.  Opened in full it is a masked value of which each party has a share of the
 * mask: its pad.  A view of the value, and the value reduced to fewer bits (before or after the opening), keep the elements and their
 * order, and their masks are the pads' words mod 2^bits.  Everything else has another mask: what is computed from it, a product that
 * has its mask defined last, a narrow opening (the carry of the bits dropped is in its mask), an input.
 */
#include "ir.h"
#include "run.h"

static const struct val *
unalias(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v;
}

/* x mod 2^m, element by element */
static bool
reduces(const struct node *n)
{
	const struct suf_step *s = n->step;
	const struct suf_map *m = s->map;
	if (s->op != SUF_lin || n->nin != 1 || s->ca != 1 || s->c || s->m > s->n || n->in[0]->type.sec == SEC_WEIGHT || !m ||
	    m->a0 || m->out0 || ir_wire_count(n->in[0]) != ir_wire_count(n->out[0]))
		return false;
	for (uint32_t k = 0; k < m->ndim; k++)
		if (m->sa[k] != m->so[k])
			return false;
	return true;
}

const struct node *
ir_pads(const struct val *v)
{
	bool opened = false;
	for (v = unalias(v); v->def && v->def->op == OP_step; v = unalias(v->def->in[0])) {
		const struct suf_step *s = v->def->step;
		if (s->op == SUF_open && s->s == 0)
			opened = true;
		else if (!reduces(v->def))
			break;
	}
	const struct node *n = v->def;
	if (!opened || !n || n->op != OP_step || n->out[0] != v || n->step->define_last)
		return NULL;
	return suf_step_desc[n->step->op].form == FORM_SHARED && suf_result_form(n->step, 0) == FORM_SHARED ? n : NULL;
}

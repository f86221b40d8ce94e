/* SPDX-License-Identifier: Apache-2.0
 * compact_linear.c -- products, look-ups and changes of format of the set `compact`: where values have rings of their own.
 *
 * A product is taken modulo the ring of its result; its mask is defined last, as pads less the product of the masks, so it
 * needs no key but the mask shares of an operand whose mask is not pads alone (docs/compact.md, products).  A rescale is a
 * shift of an opened value, free; pass `join_open` makes one narrow opening of both.  An extension needs a gap of one bit.
 *
 * Opened: each product once, in full or narrowly, under its own pads; each extension once, under its own.
 */
#include "passes/formats.h"
#include "passes/gate/build.h"
#include "passes/gate/compact.h"

/* Operand k modulo 2^bits, in its own shape. */
static bool
narrow(struct gb *g, int k, unsigned bits)
{
	struct node *n = g->at;
	struct val *v = n->in[k];
	if (ir_is_const(v) || v->type.bits == bits)
		return true;
	if (v->type.bits < bits) {
		diag_error(g->p->diag, &n->loc, "ring-too-small", "'%s' has a ring of %u bits; '%s' needs it in %u", v->name, v->type.bits, n->out[0]->name, bits);
		diag_hint(g->p->diag, "give example inputs, so that ranges are known: --calibrate=FILE.npz");
		return false;
	}
	struct val *w = b_reduce(g, v, bits);
	w->rank = v->rank;
	for (int j = 0; j < v->rank; j++)
		w->dim[j] = v->dim[j];
	w->onehot = v->onehot;
	if (v->onehot) { /* its elements are counted one by one on the wire */
		w->onehot = 0;
		w->rank = v->rank + 1;
		w->dim[v->rank] = v->onehot;
	}
	ir_set_in(g->p, n, k, w);
	return true;
}

static bool
narrow_all(struct gb *g)
{
	bool ok = true;
	for (int k = 0; k < g->at->nin; k++)
		ok &= narrow(g, k, g->at->out[0]->type.bits);
	return ok;
}

bool
expand_compact_matmul(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return narrow_all(&g) && expand_sigma_matmul(p, n);
}

bool
expand_compact_mul(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return narrow_all(&g) && expand_sigma_mul(p, n);
}

bool
expand_compact_embedding(struct prog *p, struct node *n)
{
	return expand_sigma_embedding(p, n);
}

bool
expand_compact_argmax(struct prog *p, struct node *n)
{
	return expand_sigma_argmax(p, n);
}

bool
expand_compact_rescale(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const unsigned s = (unsigned)ir_int(n, ATTR_shift), m = n->out[0]->type.bits;
	if (x->type.bits < s + m) {
		diag_error(p->diag, &n->loc, "ring-too-small", "'%s' has a ring of %u bits; a shift by %u would leave less than the %u bits of '%s'", x->name,
		           x->type.bits, s, m, n->out[0]->name);
		diag_hint(p->diag, "give example inputs, so that ranges are known: --calibrate=FILE.npz");
		return false;
	}
	return b_done(&g, s ? b_shift(&g, x, s, m) : b_reduce(&g, x, m));
}

bool
expand_compact_widen(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const unsigned own = format_bits(x, 1), m = n->out[0]->type.bits;
	return b_done(&g, b_open(&g, b_gapext(&g, b_reduce(&g, x, own < x->type.bits ? own : x->type.bits), m)));
}

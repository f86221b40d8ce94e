/* SPDX-License-Identifier: Apache-2.0
 * compact_chain.c -- a chain gap extension -> product -> narrow opening.
 *
 * Each party's pad of an opened gap extension is that party's share of its mask
 * r = pad_0 + pad_1, so a product needs no shares of r_a and r_b from the dealer;
 * and as the product's output is opened once and narrowly, its mask may be
 * whatever pad_0 + pad_1 - r_a r_b is, so it needs no share of r_a r_b either.
 * The narrow opening drops s bits of each share and thereby truncates.
 *
 * Opened: the two extensions in full, each under its pads, m bits; the product's
 * top m-s bits, under its own pads.  Every pad hides one opening; that it also
 * stands in later shares is harmless, since those carry pads of their own
 * (docs/gates.md, "Masks made of pads").
 *
 * Error of a narrow opening of v: with a, d the dropped bits of the shares and
 * r' = r mod 2^s, the result is (v + 2^(s-1) + r' - a - d) / 2^s, so it is off by
 * (2^(s-1) + r' - a - d) / 2^s: mean about 0, standard deviation 0.5, less than 1.5 units.
 */
#include "passes/gate/compact_chain.h"

struct val *
b_gapext(struct gb *g, struct val *x, unsigned m)
{
	if (x->type.sec != SEC_MASKED || m < x->type.bits)
		BUG("'%s': extension of %u to %u bits", x->name, x->type.bits, m);
	struct suf_step st = { .op = SUF_gapext, .count = b_count(x), .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m };
	return b_step(g, st, SEC_SHARED, 1, &x);
}

/* The step whose pads are the mask shares of an opened value */
static uint32_t
pad_of(const struct val *v)
{
	const struct node *open = b_maker(v), *made = NULL;
	if (open && open->op == OP_step && open->step->op == SUF_open && open->step->s == 0)
		made = b_maker(open->in[0]);
	if (!made || made->op != OP_step || made->step->op != SUF_gapext)
		BUG("'%s' is not an opened gap extension", v->name);
	return made->step->id;
}

struct val *
b_product_define_last(struct gb *g, struct val *a, struct val *b, const struct suf_mm *mm)
{
	if (a->type.bits != b->type.bits)
		BUG("'%s' * '%s': rings of %u and %u bits", a->name, b->name, a->type.bits, b->type.bits);
	struct val *in[2] = { a, b };
	a->pad_step = pad_of(a);
	b->pad_step = pad_of(b);
	struct suf_step st = { .op = SUF_matmul, .count = (uint64_t)mm->batch * mm->rows * mm->cols, .na = b_count(a), .nb = b_count(b),
	                       .n = a->type.bits, .m = a->type.bits, .pad_a = a->pad_step, .pad_b = b->pad_step, .define_last = 1, .mm = mm };
	return b_step(g, st, SEC_SHARED, 2, in);
}

struct val *
b_open_narrow(struct gb *g, struct val *v, unsigned s)
{
	if (v->type.sec != SEC_SHARED || s >= v->type.bits)
		BUG("'%s': %u of %u bits dropped", v->name, s, v->type.bits);
	struct suf_step st = { .op = SUF_open, .count = b_count(v), .na = b_count(v), .n = v->type.bits, .m = (uint8_t)(v->type.bits - s),
	                       .s = (uint8_t)s, .round_half = 1 };
	struct val *out = b_step(g, st, SEC_MASKED, 1, &v);
	out->alias = v;
	return out;
}

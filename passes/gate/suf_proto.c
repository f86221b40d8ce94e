/* SPDX-License-Identifier: Apache-2.0
 * suf_proto.c -- table gates of the vocabulary: comparisons, look-ups and products of a masked x that is shifted
 * without being opened.
 *
 * What is opened: the borrow bit of the shift and, for each bit of b_cuts, what the borrow changes and the bit; look-ups
 * with a secret sign.  What hides it: a pad of each value's own, of full width (steps.def, PADS).
 */
#include <string.h>
#include "passes/gate/build.h"

static void
need_masked(const struct val *v, unsigned bits)
{
	if (v->type.sec != SEC_MASKED || (bits && v->type.bits != bits))
		BUG("'%s' must be opened, and of %u bits, before a protocol step", v->name, bits ? bits : v->type.bits);
}

struct val *
b_borrow(struct gb *g, struct val *x, unsigned s)
{
	return s ? b_lt(g, x, 0, s) : NULL;
}

/* The opened bit that is known, or a new one. */
static struct val *
borrow_of(struct gb *g, struct val *x, unsigned s, struct val *known)
{
	if (!s || !known)
		return b_borrow(g, x, s);
	need_masked(known, 1);
	if (b_count(known) != b_count(x))
		BUG("'%s' is not the borrow of '%s'", known->name, x->name);
	return known;
}

/* The step whose pads are the mask of an opened value. */
static uint32_t
pads_of(const struct val *v)
{
	const struct node *open = b_maker(v);
	return open->in[0]->def->step->id;
}

static const struct suf_table *
cut_table(struct gb *g, uint32_t outputs, const struct cut_list *list, const char *name)
{
	uint32_t len = 1;
	for (uint32_t k = 0; k < outputs; k++)
		len += 1 + list[k].n;
	int64_t *t = b_words(g, len), *to = t;
	*to++ = outputs;
	for (uint32_t k = 0; k < outputs; k++) {
		*to++ = list[k].n;
		memcpy(to, list[k].at, list[k].n * sizeof *to);
		to += list[k].n;
	}
	return b_table(g, name, len, t);
}

struct val *
b_cuts(struct gb *g, struct val *x, unsigned s, struct val *borrow, unsigned b, uint32_t outputs, const struct cut_list *list, const char *name)
{
	const uint64_t count = b_count(x), all = count * outputs;
	need_masked(x, 0);
	if (b < 2 || b + s > x->type.bits)
		BUG("'%s': comparing %u of %u bits after a shift by %u", x->name, b, x->type.bits, s);
	borrow = borrow_of(g, x, s, borrow);
	struct suf_step st = { .op = SUF_cuts, .count = all, .na = count, .n = x->type.bits, .m = 1, .s = (uint8_t)s, .b = (uint8_t)b,
	                       .table = cut_table(g, outputs, list, name) };
	if (!s)
		return b_open(g, b_step(g, st, SEC_SHARED, 1, &x));
	struct val *out[2] = { b_new(g, "cuts.change", SEC_SHARED, 1, all), b_new(g, "cuts", SEC_EXACT, 1, all) };
	ir_step(g->p, g->at, g->at, st, 1, &x, 2, out);
	struct val *in[3] = { borrow, b_open(g, out[0]), out[1] };
	struct suf_step fix = { .op = SUF_cutfix, .count = all, .na = count, .nb = all, .n = 1, .m = 1, .pad_a = pads_of(borrow), .pad_b = pads_of(in[1]) };
	return b_open(g, b_step(g, fix, SEC_SHARED, 3, in));
}

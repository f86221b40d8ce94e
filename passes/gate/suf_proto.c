/* SPDX-License-Identifier: Apache-2.0
 * suf_proto.c -- table gates of the vocabulary: comparisons, look-ups and products of a masked x that is shifted
 * without being opened.
 *
 * What is opened: for each bit of b_cuts, what the borrow bit changes and the bit; the value of b_lut_shift, with a secret
 * sign.  What hides it: a pad of each value's own, of full width (steps.def, PADS).
 */
#include <string.h>
#include "passes/gate/build.h"

static void
need_masked(const struct val *v, unsigned bits)
{
	if (v->type.sec != SEC_MASKED || (bits && v->type.bits != bits))
		BUG("'%s' must be opened, and of %u bits, before a protocol step", v->name, bits ? bits : v->type.bits);
}

/* x, and the opened borrow bits of a shift by s. */
static void
need_shift(const struct val *x, unsigned s, const struct val *carry)
{
	need_masked(x, 0);
	if (!carry != !s)
		BUG("'%s': a shift by %u with%s borrow bits", x->name, s, carry ? "" : "out");
	if (carry)
		need_masked(carry, 1);
	if (carry && b_count(carry) != b_count(x))
		BUG("'%s' has not the borrow bits of '%s'", carry->name, x->name);
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
b_cuts(struct gb *g, struct val *x, unsigned s, struct val *carry, unsigned b, uint32_t outputs, const struct cut_list *list, const char *name)
{
	const uint64_t count = b_count(x), all = count * outputs;
	need_shift(x, s, carry);
	if (b < 2 || b + s > x->type.bits)
		BUG("'%s': comparing %u of %u bits after a shift by %u", x->name, b, x->type.bits, s);
	struct suf_step st = { .op = SUF_cuts, .count = all, .na = count, .n = x->type.bits, .m = 1, .s = (uint8_t)s, .b = (uint8_t)b,
	                       .table = cut_table(g, outputs, list, name) };
	if (!s)
		return b_open(g, b_step(g, st, SEC_SHARED, 1, &x));
	struct val *out[2] = { b_new(g, "cuts.change", SEC_SHARED, 1, all), b_new(g, "cuts", SEC_EXACT, 1, all) };
	ir_step(g->p, g->at, g->at, st, 1, &x, 2, out);
	struct val *in[3] = { carry, b_open(g, out[0]), out[1] };
	struct suf_step fix = { .op = SUF_cutfix, .count = all, .na = count, .nb = all, .n = 1, .m = 1, .pad_a = pads_of(carry), .pad_b = pads_of(in[1]) };
	return b_open(g, b_step(g, fix, SEC_SHARED, 3, in));
}

struct lookup
b_lut_shift(struct gb *g, struct val *x, unsigned s, struct val *carry, unsigned b, unsigned w, const struct suf_table *t)
{
	const uint64_t count = b_count(x);
	need_shift(x, s, carry);
	if (b + s > x->type.bits || t->len != 1u << b)
		BUG("'%s': a table of %u entries for %u of %u bits", x->name, t->len, b, x->type.bits);
	struct val *in[2] = { x, carry }, *out[2] = { b_new(g, "lutc", SEC_SHARED, w, count), b_new(g, "lutc.signs", SEC_DEALER, s ? 2 : 1, count) };
	struct suf_step st = { .op = SUF_lutc, .count = count, .na = count, .nb = s ? count : 0, .n = x->type.bits, .m = (uint8_t)w, .s = (uint8_t)s,
	                       .b = (uint8_t)b, .table = t };
	ir_step(g->p, g->at, g->at, st, s ? 2 : 1, in, 2, out);
	return (struct lookup){ b_open(g, out[0]), out[1], carry, s };
}

struct val *
b_lookup_times(struct gb *g, const struct lookup *l, struct val *bit, unsigned m)
{
	const uint64_t count = b_count(l->value);
	struct val *in[4] = { l->value, l->signs };
	int nin = 2;
	if (l->s)
		in[nin++] = l->carry;
	if (bit) {
		need_masked(bit, 1);
		in[nin++] = bit;
	}
	struct suf_step st = { .op = SUF_tabmul, .count = count, .na = count, .nb = count, .n = l->value->type.bits, .m = (uint8_t)m, .s = (uint8_t)l->s,
	                       .b = bit != NULL };
	return b_step(g, st, SEC_SHARED, nin, in);
}

struct val *
b_select_shift(struct gb *g, struct val *bit, struct val *x, unsigned s, struct val *carry, unsigned m)
{
	const uint64_t count = b_count(x);
	const unsigned n = x->type.bits;
	need_shift(x, s, carry);
	need_masked(bit, 1);
	if (s + 2 > n || b_count(bit) != count)
		BUG("'%s': a selection of %u bits shifted by %u", x->name, n, s);
	struct val *in[3] = { x, bit, carry };
	struct suf_step st = { .op = SUF_selshift, .count = count, .na = count, .nb = count, .n = (uint8_t)n, .m = (uint8_t)m, .s = (uint8_t)s, .slack = m + s > n };
	return b_step(g, st, SEC_SHARED, s ? 3 : 2, in);
}

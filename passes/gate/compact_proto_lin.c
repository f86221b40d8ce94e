/* SPDX-License-Identifier: Apache-2.0
 * compact_proto_lin.c -- steps between the products of compact gates (docs/compact.md).
 *
 * Each party's pad of a value opened in full is that party's share of its mask r = pad_0 + pad_1, so a product needs no shares of
 * r_a and r_b from the dealer; and as the product's output is opened once, its mask may be whatever pad_0 + pad_1 - r_a r_b is, so it
 * needs no share of r_a r_b either.  A narrow opening drops s bits of each share and thereby truncates.
 *
 * Opened: what b_open_narrow is given, its upper bits, under the pads of its maker as wide as the ring; addx and reductions before it
 * leave these pads where they are.  Every pad hides one opening; that it also stands in later shares is harmless, since those carry
 * pads of their own (docs/gates.md, "Masks made of pads").
 *
 * Error of a narrow opening of v: with a, d the dropped bits of the shares and r' = r mod 2^s, the result is
 * (v + 2^(s-1) + r' - a - d) / 2^s, so it is off by (2^(s-1) + r' - a - d) / 2^s: mean 2^-(s+1), standard deviation 0.5, less than 1.5.
 */
#include "passes/gate/compact.h"
#include "ir/text.h"

uint32_t
b_pad_step(const struct val *v)
{
	const struct node *maker = v->type.sec == SEC_MASKED ? ir_pads(v) : NULL;
	return maker ? maker->step->id : 0;
}

static void
need_form(const struct val *v, enum sec sec)
{
	if (v->type.sec != sec)
		BUG("'%s' is %s, expected %s", v->name, ir_sec_name[v->type.sec], ir_sec_name[sec]);
}

struct val *
b_shift(struct gb *g, struct val *x, unsigned s, unsigned m)
{
	need_form(x, SEC_MASKED);
	if (m + s > x->type.bits || !m)
		BUG("'%s': %u bits of %u shifted by %u", x->name, m, x->type.bits, s);
	if (s == 0)
		return b_reduce(g, x, m);
	struct suf_step st = { .op = SUF_shift, .count = b_count(x), .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s };
	return b_step(g, st, SEC_MASKED, 1, &x);
}

/* Zeros at the end of a factor, which the operand may have fewer bits than the product. */
static unsigned
zeros(int64_t factor)
{
	unsigned k = 0;
	while (k < 64 && !((uint64_t)factor >> k & 1))
		k++;
	return k;
}

struct val *
b_addx(struct gb *g, struct val *shared, int64_t ca, struct val *masked, const struct suf_map *map)
{
	const uint64_t count = b_count(shared);
	const struct suf_map flat = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	const uint8_t m = shared->type.bits;
	need_form(shared, SEC_SHARED);
	need_form(masked, SEC_MASKED);
	if (masked->type.bits + zeros(ca) < m)
		BUG("'%s' has %u bits, too few for its multiple by %lld in %u", masked->name, masked->type.bits, (long long)ca, m);
	struct val *in[2] = { shared, masked };
	struct suf_step st = { .op = SUF_addx, .count = count, .na = count, .nb = b_count(masked), .n = m, .m = m, .shared = 1, .ca = 1, .cb = ca,
	                       .map = map ? map : &flat };
	return b_step(g, st, SEC_SHARED, 2, in);
}

/* The operands and what of a product with its mask defined last follows from them; b, and bias, become weights if they are public. */
static struct suf_step
product_last(struct gb *g, enum suf_op op, struct val *a, struct val **b)
{
	const uint8_t n = a->type.bits;
	*b = b_weight(g, *b, n);
	const bool weight = (*b)->type.sec == SEC_WEIGHT;
	need_form(a, SEC_MASKED);
	if (!weight)
		need_form(*b, SEC_MASKED);
	if (weight ? (*b)->type.bits < n : (*b)->type.bits != n)
		BUG("'%s' * '%s': rings of %u and %u bits", a->name, (*b)->name, n, (*b)->type.bits);
	a->pad_step = b_pad_step(a);
	if (!weight)
		(*b)->pad_step = b_pad_step(*b);
	return (struct suf_step){ .op = op, .na = b_count(a), .nb = b_count(*b), .n = n, .m = n, .weight_b = weight, .define_last = 1,
	                          .pad_a = a->pad_step, .pad_b = weight ? 0 : (*b)->pad_step };
}

struct val *
b_matmul_last(struct gb *g, struct val *a, struct val *b, struct val *bias, const struct suf_mm *mm, const struct suf_rows *rows)
{
	struct suf_step st = product_last(g, SUF_matmul, a, &b);
	bias = bias ? b_weight(g, bias, a->type.bits) : NULL;
	if (bias)
		need_form(bias, SEC_WEIGHT);
	struct val *in[3] = { a, b, bias };
	st.count = (uint64_t)mm->batch * mm->rows * mm->cols;
	st.mm = mm;
	st.rows = rows;
	st.c = rows ? mm->inner : 0;
	return b_step(g, st, SEC_SHARED, bias ? 3 : 2, in);
}

struct val *
b_mul_last(struct gb *g, struct val *a, struct val *b, const struct suf_map *map)
{
	const uint64_t count = b_count(a);
	const struct suf_map flat = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	struct suf_step st = product_last(g, SUF_mul, a, &b);
	struct val *in[2] = { a, b };
	st.count = count;
	st.map = map ? map : &flat;
	return b_step(g, st, SEC_SHARED, 2, in);
}

struct val *
b_open_narrow(struct gb *g, struct val *v, unsigned s, unsigned m)
{
	need_form(v, SEC_SHARED);
	if (m + s > v->type.bits || !m)
		BUG("'%s': %u bits opened of %u without %u", v->name, m, v->type.bits, s);
	if (s == 0)
		return b_open(g, b_reduce(g, v, m));
	struct suf_step st = { .op = SUF_open, .count = b_count(v), .na = b_count(v), .n = v->type.bits, .m = (uint8_t)m, .s = (uint8_t)s, .round_half = 1 };
	struct val *out = b_step(g, st, SEC_MASKED, 1, &v);
	out->alias = v;
	return out;
}

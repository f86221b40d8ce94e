/* SPDX-License-Identifier: Apache-2.0
 * compact_proto_lin.c -- linear steps of the gate vocabulary where masks are defined last: products without keys, sums of a
 * share and a wire, shifts and narrow openings.
 */
#include "passes/gate/compact.h"

uint32_t
b_pad_step(const struct val *v)
{
	const struct node *n = ir_pads(v);
	return n ? n->step->id : 0;
}

struct val *
b_shift(struct gb *g, struct val *x, unsigned s, unsigned m)
{
	struct suf_step st = { .op = SUF_shift, .count = b_count(x), .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s };
	if (x->type.sec != SEC_MASKED || s == 0 || m + s > x->type.bits)
		BUG("'%s': %u of %u bits behind a shift by %u", x->name, m, x->type.bits, s);
	return b_step(g, st, SEC_MASKED, 1, &x);
}

/* Rings of both operands and of the bias */
static void
same_ring(const struct val *a, const struct val *b)
{
	if (a->type.sec != SEC_MASKED || (b->type.sec != SEC_MASKED && b->type.sec != SEC_WEIGHT) || b->type.bits < a->type.bits ||
	    (b->type.sec == SEC_MASKED && b->type.bits != a->type.bits))
		BUG("'%s' * '%s': rings of %u and %u bits", a->name, b->name, a->type.bits, b->type.bits);
}

struct val *
b_matmul_last(struct gb *g, struct val *a, struct val *b, struct val *bias, const struct suf_mm *mm)
{
	same_ring(a, b);
	const struct suf_rows *rows = NULL;
	int64_t columns = 0;
	struct node *dense = a->def;
	if (dense && dense->op == OP_step && dense->step->op == SUF_untril && a->nuse == 1) { /* the step expands packed rows itself */
		rows = dense->step->rows;
		columns = dense->step->c;
		a = dense->in[0];
	}
	struct val *in[3] = { a, b, bias };
	struct suf_step st = { .op = SUF_matmul, .count = (uint64_t)mm->batch * mm->rows * mm->cols, .na = b_count(a), .nb = b_count(b),
	                       .n = a->type.bits, .m = a->type.bits, .weight_b = b->type.sec == SEC_WEIGHT, .define_last = 1, .mm = mm,
	                       .pad_a = b_pad_step(a), .pad_b = b->type.sec == SEC_WEIGHT ? 0 : b_pad_step(b), .rows = rows, .c = columns };
	return b_step(g, st, SEC_SHARED, bias ? 3 : 2, in);
}

struct val *
b_mul_last(struct gb *g, struct val *a, struct val *b, const struct suf_map *map)
{
	const uint64_t count = b_count(a);
	const struct suf_map flat = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	same_ring(a, b);
	struct val *in[2] = { a, b };
	struct suf_step st = { .op = SUF_mul, .count = count, .na = count, .nb = b_count(b), .n = a->type.bits, .m = a->type.bits,
	                       .weight_b = b->type.sec == SEC_WEIGHT, .define_last = 1, .pad_a = b_pad_step(a),
	                       .pad_b = b->type.sec == SEC_WEIGHT ? 0 : b_pad_step(b), .map = map ? map : &flat };
	return b_step(g, st, SEC_SHARED, 2, in);
}

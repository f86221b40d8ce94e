/* SPDX-License-Identifier: Apache-2.0
 * weight_proto.c -- products with weights: masked ones, those that party 0 knows, public ones (struct prog.weights).  Where everybody
 * knows the weights, the product with a masked value is local and the result as masked as the value was.
 *
 * Opened: a product with masked weights or those of party 0, once, in full, under its own pad; one with public weights never.
 */
#include "passes/gate/build.h"
#include "passes/gate/compact.h"

bool
b_is_public(const struct gb *g, const struct val *b)
{
	return g->p->weights == WEIGHTS_PUBLIC && ir_is_const(b);
}

bool
b_is_owned(const struct gb *g, const struct val *b)
{
	return g->p->weights == WEIGHTS_OWNER && ir_is_const(b);
}

/* Shares are given to step wshare; here they are a mistake. */
static void
need_masked(const struct val *v)
{
	if (v->type.sec != SEC_MASKED)
		BUG("'%s' must be opened before it is multiplied", v->name);
}

/* Of omul and oscale: mask shares of a are pads where it has them. */
static struct suf_step
owned_step(enum suf_op op, struct val *a, const struct val *b, uint64_t count)
{
	need_masked(a);
	a->pad_step = b_pad_step(a);
	return (struct suf_step){ .op = op, .count = count, .na = b_count(a), .nb = b_count(b), .n = a->type.bits, .m = a->type.bits, .define_last = 1,
	                          .pad_a = a->pad_step };
}

struct val *
b_owned_product(struct gb *g, struct val *a, struct val *b, struct val *bias, const struct suf_mm *mm)
{
	struct suf_step st = owned_step(SUF_omul, a, b, (uint64_t)mm->batch * mm->rows * mm->cols);
	struct val *in[3] = { a, b_weight(g, b, a->type.bits), bias ? b_weight(g, bias, a->type.bits) : NULL };
	st.mm = mm;
	return b_step(g, st, SEC_SHARED, bias ? 3 : 2, in);
}

struct val *
b_linear(struct gb *g, struct val *a, struct val *b, struct val *bias, const struct suf_mm *mm)
{
	if (b_is_owned(g, b))
		return b_open(g, b_owned_product(g, a, b, bias, mm));
	if (!b_is_public(g, b))
		return b_open(g, b_matmul(g, a, b, bias, mm));
	need_masked(a);
	struct val *in[3] = { a, b_weight(g, b, a->type.bits), bias ? b_weight(g, bias, a->type.bits) : NULL };
	struct suf_step st = { .op = SUF_wmul, .count = (uint64_t)mm->batch * mm->rows * mm->cols, .na = b_count(a), .nb = b_count(b),
	                       .n = a->type.bits, .m = a->type.bits, .mm = mm };
	return b_step(g, st, SEC_MASKED, bias ? 3 : 2, in);
}

struct val *
b_linear_share(struct gb *g, struct val *a, struct val *b, struct val *bias, const struct suf_mm *mm)
{
	if (!b_is_public(g, b) || a->type.sec != SEC_SHARED)
		BUG("'%s' * '%s': a share times public weights was expected", a->name, b->name);
	struct val *in[3] = { a, b_weight(g, b, a->type.bits), bias ? b_weight(g, bias, a->type.bits) : NULL };
	struct suf_step st = { .op = SUF_wshare, .count = (uint64_t)mm->batch * mm->rows * mm->cols, .na = b_count(a), .nb = b_count(b),
	                       .n = a->type.bits, .m = a->type.bits, .define_last = 1, .mm = mm };
	return b_step(g, st, SEC_SHARED, bias ? 3 : 2, in);
}

struct val *
b_times(struct gb *g, struct val *a, struct val *b, const struct suf_map *map)
{
	const uint64_t count = b_count(a);
	const struct suf_map flat = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	struct val *in[2] = { a, b };
	if (b_is_owned(g, b)) {
		struct suf_step st = owned_step(SUF_oscale, a, b, count);
		st.map = map ? map : &flat;
		in[1] = b_weight(g, b, a->type.bits);
		return b_open(g, b_step(g, st, SEC_SHARED, 2, in));
	}
	if (!b_is_public(g, b))
		return b_open(g, b_mul(g, a, b, map));
	need_masked(a);
	in[1] = b_weight(g, b, a->type.bits);
	struct suf_step st = { .op = SUF_wscale, .count = count, .na = count, .nb = b_count(b), .n = a->type.bits, .m = a->type.bits,
	                       .map = map ? map : &flat };
	return b_step(g, st, SEC_MASKED, 2, in);
}

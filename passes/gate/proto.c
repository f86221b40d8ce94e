/* SPDX-License-Identifier: Apache-2.0
 * proto.c -- protocol steps of the gate vocabulary.
 *
 * Security: every SHARED value made here carries its own full-width pad of each
 * party (steps.def, PADS), used by no other step; b_open opens it once, in
 * full, before any further protocol step reads it.  Which steps there are
 * depends on shapes and widths only.
 */
#include <string.h>
#include "passes/gate/build.h"
#include "passes/gate/compact.h"

struct val *
b_open(struct gb *g, struct val *v)
{
	if (v->type.sec != SEC_SHARED)
		BUG("'%s' is opened twice", v->name);
	struct suf_step st = { .op = SUF_open, .count = b_count(v), .n = v->type.bits, .m = v->type.bits };
	struct val *out = b_step(g, st, SEC_MASKED, 1, &v);
	out->alias = v;
	return out;
}

/* A SHARED value of `bits` bits that goes into a protocol step is a mistake: only masked values do. */
static void
need_masked(const struct val *v)
{
	if (v->type.sec != SEC_MASKED)
		BUG("'%s' must be opened before a protocol step", v->name);
}

struct val *
b_lt(struct gb *g, struct val *x, uint64_t c, unsigned b)
{
	need_masked(x);
	struct suf_step st = { .op = SUF_lt, .count = b_count(x), .na = b_count(x), .n = x->type.bits, .m = 1,
	                       .b = (uint8_t)b, .c = (int64_t)c };
	return b_open(g, b_step(g, st, SEC_SHARED, 1, &x));
}

static struct val *
trunc_step(struct gb *g, struct val *x, unsigned s, unsigned m, bool slack)
{
	struct val *in[2] = { x, b_lt(g, x, 0, s) };
	struct suf_step st = { .op = SUF_trunc, .count = b_count(x), .na = b_count(x), .nb = b_count(x), .n = x->type.bits,
	                       .m = (uint8_t)m, .s = (uint8_t)s, .b = (uint8_t)s, .slack = slack };
	return b_open(g, b_step(g, st, SEC_SHARED, 2, in));
}

struct val *
b_trunc_reduce(struct gb *g, struct val *x, unsigned s, unsigned m)
{
	if (m > x->type.bits - s)
		BUG("'%s': %u bits cannot be left of %u after a shift by %u", x->name, m, x->type.bits, s);
	return s ? trunc_step(g, x, s, m, false) : b_reduce(g, x, m);
}

struct val *
b_trunc_slack(struct gb *g, struct val *x, unsigned s, unsigned m)
{
	return trunc_step(g, x, s, m, true);
}

struct val *
b_sext(struct gb *g, struct val *x, unsigned m)
{
	unsigned n = x->type.bits;
	struct val *in[2] = { x, b_lt(g, x, 1ull << (n - 1), n) };
	struct suf_step st = { .op = SUF_sext, .count = b_count(x), .na = b_count(x), .nb = b_count(x), .n = (uint8_t)n,
	                       .m = (uint8_t)m, .b = (uint8_t)n };
	return b_open(g, b_step(g, st, SEC_SHARED, 2, in));
}

struct val *
b_trunc_floor(struct gb *g, struct val *x, unsigned s, unsigned m)
{
	return b_sext(g, b_trunc_reduce(g, x, s, x->type.bits - s), m);
}

struct val *
b_drelu(struct gb *g, struct val *x, unsigned b, uint32_t outputs, const int64_t *from, const int64_t *to, const char *name)
{
	need_masked(x);
	if (b < 2 || b > x->type.bits)
		BUG("'%s': comparing %u of %u bits", x->name, b, x->type.bits);
	/* rows t_k, u_k; u_k = t_k: a single threshold */
	int64_t *t = b_words(g, 2 * (uint64_t)outputs);
	for (uint32_t k = 0; k < outputs; k++) {
		t[2 * k] = from[k];
		t[2 * k + 1] = to ? to[k] : from[k];
	}
	struct suf_step st = { .op = SUF_drelu, .count = b_count(x) * outputs, .na = b_count(x), .n = x->type.bits, .m = 1,
	                       .b = (uint8_t)b, .table = b_table(g, name, 2 * outputs, t) };
	return b_open(g, b_step(g, st, SEC_SHARED, 1, &x));
}

struct val *
b_sign(struct gb *g, struct val *x, unsigned b, int64_t at_least)
{
	const char *name = arena_printf(g->p->arena, "at_least_%lld", (long long)at_least);
	return b_drelu(g, x, b, 1, &at_least, NULL, name);
}

struct val *
b_select(struct gb *g, struct val *bit, struct val *x, unsigned m)
{
	need_masked(bit);
	need_masked(x);
	if (m > x->type.bits || b_count(bit) != b_count(x))
		BUG("'%s': select of %u from %u bits", x->name, m, x->type.bits);
	struct val *in[2] = { bit, x };
	struct suf_step st = { .op = SUF_select, .count = b_count(x), .na = b_count(bit), .nb = b_count(x), .n = 1, .m = (uint8_t)m };
	return b_step(g, st, SEC_SHARED, 2, in);
}

struct val *
b_lut(struct gb *g, struct val *x, unsigned b, unsigned m, const struct suf_table *t)
{
	need_masked(x);
	if (t->len != 1u << b || b > x->type.bits)
		BUG("'%s': a table of %u entries for %u bits", x->name, t->len, b);
	const uint64_t count = b_count(x);
	struct val *out[2] = { b_new(g, "lut.sign", SEC_SHARED, 1, count), b_new(g, "lut", SEC_SHARED, m, count) };
	struct suf_step st = { .op = SUF_lut, .count = count, .na = count, .n = x->type.bits, .m = (uint8_t)m, .b = (uint8_t)b, .table = t };
	ir_step(g->p, g->at, g->at, st, 1, &x, 2, out);
	struct val *in[2] = { b_open(g, out[0]), b_open(g, out[1]) };
	struct suf_step fix = { .op = SUF_lutsign, .count = count, .na = count, .nb = count, .n = 1, .m = (uint8_t)m };
	return b_step(g, fix, SEC_SHARED, 2, in);
}

struct val *
b_lin4(struct gb *g, struct val *bit0, struct val *bit1, struct val *x, unsigned m, const int64_t icept[4], const int64_t slope[4], const char *name)
{
	need_masked(x);
	int64_t t[8];
	memcpy(t, icept, 4 * sizeof *t);
	memcpy(t + 4, slope, 4 * sizeof *t);
	struct val *in[3] = { bit0, bit1, x };
	struct suf_step st = { .op = SUF_lin4, .count = b_count(x), .na = b_count(bit0), .nb = b_count(bit1), .n = 1, .m = (uint8_t)m,
	                       .table = b_table(g, name, 8, t) };
	return b_step(g, st, SEC_SHARED, 3, in);
}

struct val *
b_bitdot(struct gb *g, struct val *bits, uint32_t nbits, int64_t c, unsigned m, const int64_t *coeff, const char *name)
{
	need_masked(bits);
	struct suf_step st = { .op = SUF_bitdot, .count = b_count(bits) / nbits, .na = b_count(bits), .n = 1, .m = (uint8_t)m, .c = c,
	                       .table = b_table(g, name, nbits, coeff) };
	return b_step(g, st, SEC_SHARED, 1, &bits);
}

struct val *
b_mul(struct gb *g, struct val *a, struct val *b, const struct suf_map *map)
{
	const uint64_t count = b_count(a);
	const struct suf_map flat = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	need_masked(a);
	b = b_weight(g, b, a->type.bits);
	if (g->p->mixed)
		return b_mul_last(g, a, b, map);
	if (b->type.sec != SEC_WEIGHT)
		need_masked(b);
	if (a->type.bits != b->type.bits)
		BUG("'%s' * '%s': rings of %u and %u bits", a->name, b->name, a->type.bits, b->type.bits);
	struct val *in[2] = { a, b };
	struct suf_step st = { .op = SUF_mul, .count = count, .na = count, .nb = b_count(b), .n = a->type.bits, .m = a->type.bits,
	                       .weight_b = b->type.sec == SEC_WEIGHT, .map = map ? map : &flat };
	return b_step(g, st, SEC_SHARED, 2, in);
}

struct val *
b_mul_rows(struct gb *g, struct val *a, struct val *b, const struct suf_rows *rows)
{
	if (rows->inc) /* strides cannot say this: repeat b */
		return b_mul(g, a, b_row_lin(g, 0, a, 1, b, rows), NULL);
	const int64_t dim[2] = { (int64_t)rows->count, rows->first }, s[2] = { dim[1], 1 }, sb[2] = { 1, 0 };
	const struct suf_map map = b_map(2, dim, s, s, sb);
	return b_mul(g, a, b, &map);
}

struct val *
b_sqsum(struct gb *g, struct val *x, const struct suf_rows *rows)
{
	need_masked(x);
	struct suf_step st = { .op = SUF_sqsum, .count = rows->count, .na = b_count(x), .n = x->type.bits, .m = x->type.bits, .rows = rows };
	return b_step(g, st, SEC_SHARED, 1, &x);
}

/* Packed rows that were made dense for this product alone are taken as they are: their pads are mask shares. */
static struct val *
matmul_last(struct gb *g, struct val *a, struct val *b, struct val *bias, const struct suf_mm *mm)
{
	struct node *dense = a->def;
	if (!dense || dense->op != OP_step || dense->step->op != SUF_untril || a->nuse != 1 || g->at->in[0] != a || dense->step->c != mm->inner)
		return b_matmul_last(g, a, b, bias, mm, NULL);
	struct val *z = b_matmul_last(g, dense->in[0], b, bias, mm, dense->step->rows);
	ir_set_in(g->p, g->at, 0, dense->in[0]);
	ir_remove(g->p, dense);
	return z;
}

struct val *
b_matmul(struct gb *g, struct val *a, struct val *b, struct val *bias, const struct suf_mm *mm)
{
	need_masked(a);
	b = b_weight(g, b, a->type.bits);
	bias = bias ? b_weight(g, bias, a->type.bits) : NULL;
	if (g->p->mixed)
		return matmul_last(g, a, b, bias, mm);
	if (b->type.sec != SEC_WEIGHT)
		need_masked(b);
	struct val *in[3] = { a, b, bias };
	struct suf_step st = { .op = SUF_matmul, .count = (uint64_t)mm->batch * mm->rows * mm->cols, .na = b_count(a), .nb = b_count(b),
	                       .n = a->type.bits, .m = a->type.bits, .weight_b = b->type.sec == SEC_WEIGHT, .mm = mm };
	return b_step(g, st, SEC_SHARED, bias ? 3 : 2, in);
}

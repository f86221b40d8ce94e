/* SPDX-License-Identifier: Apache-2.0
 * compact_proto_norm.c -- steps of norms and of row normalisers in the gate vocabulary: squares and products of values with a
 * gap, products with opened bits.  Every result is SHARED under its own fresh pads; the caller opens it, once.
 */
#include "passes/gate/compact.h"

struct val *
b_normsq(struct gb *g, struct val *x, const struct suf_rows *rows, unsigned w, int64_t c, unsigned s, unsigned m, struct val **r, struct val **msb)
{
	struct suf_step st = { .op = SUF_normsq, .count = rows->count, .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s,
	                       .b = (uint8_t)w, .c = c, .rows = rows };
	if (x->type.sec != SEC_MASKED || x->type.bits < 3 || x->type.bits > 31 || m + s > 64 || w + 1 < m + s)
		BUG("'%s': squares of %u bits in a ring of %u", x->name, x->type.bits, m + s);
	struct val *out[3] = { b_new(g, "normsq", SEC_SHARED, m, rows->count), b_new(g, "mask", SEC_EXACT, w, b_count(x)),
	                       b_new(g, "mask_msb", SEC_EXACT, suf_normsq_msb(&st), b_count(x)) };
	ir_step(g->p, g->at, g->at, st, 1, &x, 3, out);
	*r = out[1];
	*msb = out[2];
	return out[0];
}

struct val *
b_normmul(struct gb *g, struct val *rho, struct val *x, struct val *r, struct val *msb, const struct suf_rows *rows, unsigned s, unsigned m)
{
	const unsigned ring = rho->type.bits, n = x->type.bits;
	if (ring != m + s || r->type.bits < ring || msb->type.bits + n < ring)
		BUG("'%s' times '%s': a ring of %u bits", rho->name, x->name, ring);
	struct val *in[4] = { rho, x, r, msb };
	struct suf_step st = { .op = SUF_normmul, .count = b_count(x), .na = rows->count, .nb = b_count(x), .n = (uint8_t)ring, .m = (uint8_t)m,
	                       .s = (uint8_t)s, .b = (uint8_t)n, .pad_a = b_pad_step(rho), .rows = rows };
	return b_step(g, st, SEC_SHARED, 4, in);
}

struct val *
b_bitmul(struct gb *g, struct val *bits, unsigned K, struct val *w, int64_t c, const int64_t *coeff, unsigned s, unsigned m, const char *name)
{
	if (w->type.bits != m + s || b_count(bits) != K * b_count(w))
		BUG("'%s': %u bits for each of '%s' in a ring of %u", bits->name, K, w->name, m + s);
	struct val *in[2] = { bits, w };
	struct suf_step st = { .op = SUF_bitmul, .count = b_count(w), .na = b_count(bits), .nb = b_count(w), .n = 1, .m = (uint8_t)m, .s = (uint8_t)s,
	                       .pad_b = b_pad_step(w), .c = c, .table = b_table(g, name, K, coeff) };
	return b_step(g, st, SEC_SHARED, 2, in);
}

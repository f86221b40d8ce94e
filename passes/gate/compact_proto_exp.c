/* SPDX-License-Identifier: Apache-2.0
 * compact_proto_exp.c -- exponentials and trigonometric sums in the gate vocabulary: SHARED, the caller opens them. */
#include <math.h>
#include "passes/gate/compact.h"

struct val *
b_exps(struct gb *g, struct val *x, const struct suf_rows *rows, unsigned b, int64_t origin, unsigned f, unsigned A, unsigned B, unsigned s, unsigned m)
{
	const uint64_t count = rows ? rows->count : b_count(x);
	struct suf_step st = { .op = SUF_exps, .count = count, .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s, .b = (uint8_t)b,
	                       .ca = (int64_t)f, .cb = (int64_t)(A + 256 * B), .c = origin, .rows = rows };
	if (A + ldexp(1, (int)x->type.bits - (int)b - (int)f) / M_LN2 > 62) /* the public multiplier is a word */
		BUG("'%s': cells of 2^%u units", x->name, x->type.bits - b);
	if (x->type.sec != SEC_MASKED || b < 1 || b > 6 || x->type.bits < b || x->type.bits - b > 16 || m > 64 || m + s > SUF_WIDE)
		BUG("'%s': %u cells of %u bits, entries of %u", x->name, 1u << b, x->type.bits, m + s);
	return b_step(g, st, SEC_SHARED, 1, &x);
}

struct val *
b_trig(struct gb *g, struct val *x, unsigned period, unsigned a, unsigned b, int l, unsigned K, const double *c, unsigned s, unsigned m, const char *name)
{
	int64_t *t = b_words(g, 5 + (uint64_t)K);
	t[0] = a, t[1] = b, t[2] = l, t[3] = K;
	for (unsigned k = 0; k <= K; k++)
		t[4 + k] = llround(ldexp(c[k], 24));
	struct suf_step st = { .op = SUF_trig, .count = b_count(x), .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s, .b = (uint8_t)period,
	                       .table = b_table(g, name, 5 + K, t) };
	if (x->type.sec != SEC_MASKED || period > x->type.bits || m + s > 64)
		BUG("'%s': a period of 2^%u in %u bits, a ring of %u", x->name, period, x->type.bits, m + s);
	return b_step(g, st, SEC_SHARED, 1, &x);
}

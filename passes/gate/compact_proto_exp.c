/* SPDX-License-Identifier: Apache-2.0
 * compact_proto_exp.c -- exponentials and trigonometric sums of a masked x in the vocabulary of compact gates (docs/compact.md).
 *
 * Nothing is opened here; the results are shares under pads of full width (steps.def, PADS), to be opened once.  Tables are public.
 */
#include <string.h>
#include "check.h"
#include "kernels/trig.h"
#include "passes/gate/compact.h"

static void
need_masked(const struct val *x)
{
	if (x->type.sec != SEC_MASKED)
		BUG("'%s' must be opened before a protocol step", x->name);
}

struct val *
b_exps(struct gb *g, struct val *x, const struct suf_rows *rows, unsigned frac, unsigned b, int64_t origin, unsigned a, unsigned entry, unsigned s, unsigned m)
{
	const uint64_t na = b_count(x);
	struct suf_step st = { .op = SUF_exps, .count = rows ? rows->count : na, .na = na, .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s, .b = (uint8_t)b,
	                       .ca = frac, .cb = (int64_t)a + 256 * (int64_t)entry, .c = origin, .rows = rows };
	need_masked(x);
	if (m > 64 || s > 128 || b > 6 || a > 62 || !check_exps(&st))
		BUG("'%s': exponentials of %d bits in 2^%u cells, %u fraction bits, factors of %u and %u bits, m=%u, s=%u", x->name, x->type.bits, b, frac, a, entry, m, s);
	return b_step(g, st, SEC_SHARED, 1, &x);
}

struct val *
b_trig_series(struct gb *g, struct val *x, unsigned p, unsigned terms, unsigned a, unsigned bb, int l, const int64_t *coef, const int64_t *sine, unsigned s, unsigned m,
              const char *name)
{
	const uint32_t len = SUF_TRIG_COEF + 1 + (sine ? 2 : 1) * terms;
	int64_t *v = b_words(g, len);
	v[SUF_TRIG_A] = a;
	v[SUF_TRIG_B] = bb;
	v[SUF_TRIG_LINEAR] = l;
	v[SUF_TRIG_TERMS] = terms;
	memcpy(v + SUF_TRIG_COEF, coef, (terms + 1) * sizeof *coef);
	if (sine)
		memcpy(v + SUF_TRIG_COEF + 1 + terms, sine, terms * sizeof *sine);
	struct suf_step st = { .op = SUF_trig, .count = b_count(x), .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s, .b = (uint8_t)p,
	                       .table = b_table(g, name, len, v) };
	need_masked(x);
	if (m > 64 || s > 64 || p > SUF_TRIG_MAX_PERIOD || !check_trig(&st))
		BUG("'%s': %u terms of period 2^%u of %d bits, factors of %u and %u bits, a line by 2^%d, m=%u, s=%u", x->name, terms, p, x->type.bits, a, bb, l, m, s);
	return b_step(g, st, SEC_SHARED, 1, &x);
}

struct val *
b_trig(struct gb *g, struct val *x, unsigned p, unsigned terms, unsigned a, unsigned bb, int l, const int64_t *coef, unsigned s, unsigned m, const char *name)
{
	return b_trig_series(g, x, p, terms, a, bb, l, coef, NULL, s, m, name);
}

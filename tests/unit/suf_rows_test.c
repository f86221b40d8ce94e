/* SPDX-License-Identifier: Apache-2.0
 * suf_rows_test.c -- the reciprocal of a row's sum: its error for every sum that a row can have, and the integer function
 * through dealer, both parties and the simulator. */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/gate/build.h"
#include "passes/gate/suf_rows.h"

static const struct { unsigned longest, frac, out, bits; } form[] = {
	{ 4, 12, 18, 5 }, { 8, 12, 18, 5 }, { 16, 12, 18, 6 }, { 32, 12, 18, 6 }, { 64, 12, 18, 6 }, { 128, 12, 18, 6 }, { 197, 12, 18, 7 },
	{ 256, 12, 18, 7 }, { 512, 12, 19, 7 }, { 512, 12, 20, 7 }, { 7, 8, 16, 5 }, { 128, 14, 20, 6 }, { 1, 12, 18, 3 },
};
enum { NFORM = sizeof form / sizeof form[0] };

/* Every sum from a little below 1 to longest + 1. */
static void
test_error(void **state)
{
	(void)state;
	for (int k = 0; k < NFORM; k++) {
		struct reciprocal t;
		const double c = ldexp(1, (int)(form[k].frac + form[k].out));
		const int64_t end = (int64_t)(form[k].longest + 1) << form[k].frac;
		double worst = 0;
		reciprocal_fit(&t, form[k].longest, form[k].frac, form[k].out);
		assert_int_equal(t.bits, form[k].bits);
		assert_int_equal(t.from[1 << t.bits], end);
		assert_int_equal(t.from[0], (INT64_C(1) << form[k].frac) - (INT64_C(1) << (form[k].frac - 7)));
		for (int64_t s = t.from[0], line = 0; s < end; s++) {
			line += s == t.from[line + 1];
			const int64_t y = (t.c0[line] + t.c1[line] * s) >> t.shift;
			worst = fmax(worst, fabs((double)y * (double)s / c - 1));
			if ((s & 1023) == 0)
				assert_int_equal(reciprocal_eval(&t, s), y);
		}
		if (worst > 1e-3 || worst < 1e-4)
			fail_msg("rows of %u, %u fraction bits: relative error %g", form[k].longest, form[k].out, worst);
	}
}

/* Half a unit alone may be more than 10^-3. */
static void
test_few_fraction_bits(void **state)
{
	(void)state;
	struct reciprocal t;
	reciprocal_fit(&t, 4096, 12, 12);
	for (int64_t s = t.from[0]; s < t.from[1 << t.bits]; s += 37) {
		const double want = ldexp(1, 24) / (double)s;
		assert_true(fabs((double)reciprocal_eval(&t, s) - want) <= 0.5 + 6e-4 * want);
	}
}

/* ---- through the parties -------------------------------------------------------- */

/* Sums at the ends of every line, and random ones */
static int64_t *
sums(const struct reciprocal *t, uint64_t count)
{
	const int64_t lines = INT64_C(1) << t->bits, lo = t->from[0], hi = t->from[lines] - 1;
	int64_t *s = gt_array(count);
	for (uint64_t i = 0; i < count; i++) {
		s[i] = t->from[i / 3 % (uint64_t)lines] + (int64_t)(i % 3) - 1;
		if (i >= 3 * (uint64_t)lines)
			s[i] = lo + (int64_t)(gt_random() % (uint64_t)(hi - lo + 1));
		s[i] = s[i] < lo ? lo : s[i] > hi ? hi : s[i];
	}
	s[0] = hi;
	return s;
}

static void
through_parties(unsigned longest, unsigned frac, unsigned out, unsigned n, unsigned m, uint64_t count, uint64_t most_key)
{
	struct gt t;
	struct reciprocal r;
	struct cost c;
	reciprocal_fit(&r, longest, frac, out);
	int64_t *x = sums(&r, count), *y = gt_array(count), *want = gt_array(count);
	gt_init(&t, n, frac);
	struct gb g = { t.p, NULL };
	struct val *v = gt_input(&t, SHAPE((int64_t)count));
	v->type = (struct type){ .sec = SEC_MASKED, .bits = (uint8_t)n, .frac = (uint8_t)frac };
	ir_step(t.p, NULL, NULL, (struct suf_step){ .op = SUF_input, .count = count, .n = (uint8_t)n, .m = (uint8_t)n }, 0, NULL, 1, &v);
	v = b_reciprocal_row(&g, v, longest, frac, out, m);
	assert_int_equal(v->type.bits, m);
	ir_add_output(t.p, v);
	ir_step(t.p, NULL, NULL, (struct suf_step){ .op = SUF_output, .count = count, .na = count, .n = (uint8_t)m, .m = (uint8_t)m }, 1, &v, 0, NULL);
	t.p->stage = STAGE_SCHED;
	gt_schedule(&t);
	assert_int_equal(t.p->nrounds, 5);       /* the input's, and four */
	prog_cost(t.p, &c);
	if (most_key && (c.total.key[0] + c.total.key[1]) / 2 > most_key * count)
		fail_msg("%g bytes of key for a row, at most %u were expected", (double)(c.total.key[0] + c.total.key[1]) / 2 / (double)count, (unsigned)most_key);
	const int64_t *in = x;
	gt_run(&t, &in, y);
	for (uint64_t i = 0; i < count; i++)
		want[i] = gt_signed((uint64_t)reciprocal_eval(&r, x[i]), m);
	assert_true(gt_same("reciprocal", y, want, count));
	gt_free(&t);
	free(x);
	free(y);
	free(want);
}

static void
test_through_parties(void **state)
{
	(void)state;
	through_parties(128, 12, 18, 64, 57, 1536, 765); /* as in attention: sums from another ring, into that of a product */
	through_parties(128, 12, 18, 22, 20, 301, 0);
	through_parties(4, 12, 18, 48, 20, 1031, 0);
	through_parties(512, 12, 20, 51, 64, 533, 0);
	through_parties(1, 6, 12, 37, 37, 77, 0);
	through_parties(7, 8, 16, 50, 50, 1025, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_error), cmocka_unit_test(test_few_fraction_bits), cmocka_unit_test(test_through_parties) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * compact_exp_test.c -- builders of exponentials and trigonometric sums: whole programs, as text too, and what the checker refuses
 * of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "gate_run.h"
#include "ir_text.h"
#include "kernels/trig.h"
#include "passes/gate/compact.h"

enum { ROWS = 5, COLS = 7, COUNT = ROWS * COLS, BITS = 16, F = 9, UNIT = 1 << F };

/* Sums of exponentials with 20 fraction bits. */
static struct val *
row_sums(struct gb *g, struct val *x, const struct suf_rows *rows)
{
	return b_open(g, b_exps(g, x, rows, F, 2, -92 * UNIT, 10, 60, 50, 52));
}

/* cos(2 pi x / 64) - sin(4 pi x / 64) / 2 + x / 8 with 12 fraction bits, in a ring of 40 bits */
static struct val *
wave(struct gb *g, struct val *x)
{
	static const int64_t cosine[] = { 0, 1 << SUF_TRIG_FRAC, 0 }, sine[] = { 0, -(1 << (SUF_TRIG_FRAC - 1)) };
	return b_open(g, b_trig_series(g, x, 15, 2, 13, 13, 26 - 3 - F, cosine, sine, 14, 26, "wave"));
}

static int64_t *
inputs(int64_t least, int64_t most)
{
	int64_t *x = gt_array(COUNT);
	for (int i = 0; i < COUNT; i++)
		x[i] = least + (int64_t)(gt_random() % (uint64_t)(most - least + 1));
	return x;
}

static void
exponentials(void **state)
{
	(void)state;
	for (int ragged = 0; ragged < 2; ragged++) {
		const struct suf_rows rows = ragged ? (struct suf_rows){ .count = 7, .first = 2, .inc = 1, .period = 7 } : b_rows(ROWS, COLS);
		struct gt t;
		gt_init(&t, BITS, F);
		struct gb g = { t.p, NULL };
		int64_t *x = inputs(-90 * UNIT, 3 * UNIT), got[COUNT];
		const int64_t *in = x, *at = x;
		gt_output_step(&t, row_sums(&g, gt_input_step(&t, SHAPE(ROWS, COLS), BITS, F), &rows));
		gt_schedule(&t);
		gt_run(&t, &in, got);
		for (uint64_t row = 0; row < rows.count; row++) {
			double want = 0;
			for (uint64_t k = suf_rows_len(&rows, row); k > 0; k--)
				want += exp(ldexp((double)*at++, -F));
			assert_true(fabs(ldexp((double)got[row], -20) - want) < 6e-4 * want + 3e-3);
		}
		free(x);
		gt_free(&t);
	}
}

static void
waves(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, BITS, F);
	struct gb g = { t.p, NULL };
	int64_t *x = inputs(-32 * UNIT, (32 * UNIT) - 1), got[COUNT];
	const int64_t *in = x;
	gt_output_step(&t, wave(&g, gt_input_step(&t, SHAPE(ROWS, COLS), BITS, F)));
	gt_schedule(&t);
	gt_run(&t, &in, got);
	for (int i = 0; i < COUNT; i++) {
		const double v = ldexp((double)x[i], -F), turn = acos(-1) * v / 32;
		assert_true(fabs(ldexp((double)got[i], -12) - (cos(turn) - sin(2 * turn) / 2 + v / 8)) < 7e-4);
	}
	free(x);
	gt_free(&t);
}

static void
cosines_alone(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, BITS, F);
	struct gb g = { t.p, NULL };
	const int64_t c[] = { 3 << SUF_TRIG_FRAC, 1 << (SUF_TRIG_FRAC + 1) };
	int64_t *x = inputs(-64 * UNIT, (64 * UNIT) - 1), got[COUNT];
	const int64_t *in = x;
	gt_output_step(&t, b_open(&g, b_trig(&g, gt_input_step(&t, SHAPE(ROWS, COLS), BITS, F), 12, 1, 10, 10, -1, c, 10, 20, "cosine")));
	gt_schedule(&t);
	gt_run(&t, &in, got);
	for (int i = 0; i < COUNT; i++)
		assert_true(fabs(ldexp((double)got[i], -10) - (3 + 2 * cos(acos(-1) * (double)x[i] / 2048))) < 5e-3);
	free(x);
	gt_free(&t);
}

/* ---- refusals ----------------------------------------------------------------------------- */

static struct suf_step *
step_of(struct prog *p, enum suf_op op)
{
	struct node *n = p->first;
	while (n->step->op != op)
		n = n->next;
	return (struct suf_step *)(uintptr_t)n->step;
}

#define REFUSED(field, value) \
	do { \
		const struct suf_step kept = *s; \
		s->field = (value); \
		if (text_passes(t.p)) \
			fail_msg("%s = %s passes", #field, #value); \
		*s = kept; \
	} while (0)

static void
wrong_exps(void **state)
{
	(void)state;
	const struct suf_rows rows = b_rows(ROWS, COLS), longer = b_rows(ROWS, COLS + 1), fewer = b_rows(ROWS - 1, COLS);
	struct gt t;
	gt_init(&t, BITS, F);
	struct gb g = { t.p, NULL };
	gt_output_step(&t, row_sums(&g, gt_input_step(&t, SHAPE(ROWS, COLS), BITS, F), &rows));
	struct suf_step *s = step_of(t.p, SUF_exps);
	assert_true(text_passes(t.p));
	REFUSED(b, 0);
	REFUSED(b, 7);
	REFUSED(b, 1);           /* e^64 is too much for the public factor */
	REFUSED(ca, 8);
	REFUSED(ca, -1);
	REFUSED(ca, 33);
	REFUSED(c, INT64_C(1) << 33);
	REFUSED(cb, -1);
	REFUSED(cb, INT64_C(1) << 18);
	REFUSED(cb, 16 + 256 * 60);
	REFUSED(s, 129);
	REFUSED(s, 141);
	REFUSED(na, 0);
	REFUSED(na, COUNT - 1);
	REFUSED(rows, &longer);
	REFUSED(rows, &fewer);
	REFUSED(rows, NULL);
	gt_free(&t);
}

static void
wrong_trig(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, BITS, F);
	struct gb g = { t.p, NULL };
	gt_output_step(&t, wave(&g, gt_input_step(&t, SHAPE(ROWS, COLS), BITS, F)));
	struct suf_step *s = step_of(t.p, SUF_trig);
	assert_true(text_passes(t.p));
	REFUSED(b, 1);
	REFUSED(b, 17);
	REFUSED(s, 39);
	REFUSED(count, COUNT - 1);
	REFUSED(table, NULL);
	static const struct { uint32_t at; int64_t v; } bad[] = {
		{ SUF_TRIG_A, 15 }, { SUF_TRIG_A, -1 }, { SUF_TRIG_B, 25 }, { SUF_TRIG_B, -1 }, { SUF_TRIG_LINEAR, 64 }, { SUF_TRIG_LINEAR, -2 }, { SUF_TRIG_TERMS, 0 },
		{ SUF_TRIG_TERMS, 1 }, { SUF_TRIG_TERMS, 3 }, { SUF_TRIG_TERMS, 1 << 30 }, { SUF_TRIG_COEF, INT64_C(1) << 31 }, { SUF_TRIG_COEF + 4, -(INT64_C(1) << 31) },
	};
	for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
		int64_t v[SUF_TRIG_COEF + 5];
		for (uint32_t i = 0; i < s->table->len; i++)
			v[i] = s->table->v[i];
		v[bad[k].at] = bad[k].v;
		const struct suf_table worse = { "wave", s->table->len, v };
		REFUSED(table, &worse);
	}
	for (uint32_t len = 1; len < SUF_TRIG_COEF + 5; len++) {
		const struct suf_table cut = { "wave", len, s->table->v };
		if (len != SUF_TRIG_COEF + 3) /* the cosines alone are well */
			REFUSED(table, &cut);
	}
	gt_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exponentials), cmocka_unit_test(waves), cmocka_unit_test(cosines_alone), cmocka_unit_test(wrong_exps), cmocka_unit_test(wrong_trig)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

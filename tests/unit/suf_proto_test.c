/* SPDX-License-Identifier: Apache-2.0
 * suf_proto_test.c -- the builders of table gates: programs of theirs run as they should, survive print and parse, and
 * ir_check sees when results without pads get where they must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "gate_run.h"
#include "ir_text.h"
#include "passes/gate/build.h"

/* ---- cuts --------------------------------------------------------------------------- */

static const int64_t at_zero[] = { 0 }, inside[] = { -5, 7 }, three[] = { -6, 1, 6 };
static const struct cut_list lists[] = { { 1, at_zero }, { 2, inside }, { 3, three } };
enum { COUNT = 1300, OUTPUTS = 3 };

static struct val *
cuts_program(struct gt *t, unsigned s)
{
	struct gb g = { t->p, NULL };
	struct val *x = gt_input_step(t, SHAPE(COUNT), t->n, t->f);
	struct val *bits = b_cuts(&g, x, s, b_carry(&g, x, s), t->n - s, OUTPUTS, lists, "regions");
	gt_output_step(t, bits);
	gt_schedule(t);
	return bits;
}

static void
cuts(void **state)
{
	(void)state;
	for (int turn = 0; turn < 6; turn++) {
		struct gt t;
		const unsigned n = turn < 4 ? 50 : 64, s = turn == 3 ? 0 : 11 + (unsigned)turn;
		gt_init(&t, n, 12);
		cuts_program(&t, s);
		assert_int_equal(t.p->nrounds, s ? 3 : 2);
		assert_true(text_passes(t.p));
		int64_t *x = gt_randoms(COUNT, s + 5), *got = gt_array(COUNT * OUTPUTS);
		const int64_t *in = x;
		gt_run(&t, &in, got);
		for (int j = 0; j < OUTPUTS; j++)
			for (int i = 0; i < COUNT; i++) {
				bool want = false;
				for (uint32_t k = 0; k < lists[j].n; k++)
					want ^= x[i] >> s >= lists[j].at[k];
				assert_int_equal(got[j * COUNT + i] & 1, want);
			}
		free(x);
		free(got);
		gt_free(&t);
	}
}

static void
cuts_are_checked(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	cuts_program(&t, 12);
	const struct prog *p = t.p;
	text_refused(p, "exact 1.0", "shared 1.0", "is shared, expected exact");
	text_refused(p, "exact 1.0", "dealer 1.0", "is dealer, expected exact");
	text_refused(p, "exact 1.0", "exact 2.0", "the content of 'in.cuts' has 3900 elements of 1 bits, the value 3900 of 2");
	text_refused(p, "%in.cuts : i64[3900] exact", "%in.cuts : i64[3899] exact", "the content of 'in.cuts' has 3900 elements of 1 bits, the value 3899 of 1");
	text_refused(p, "step.open %in.cuts.change", "step.open %in.cuts", "'in.cuts' is exact, only shared values are opened");
	text_refused(p, ", %in.cuts {", ", %in.lt {", "is shared, expected exact");
	text_refused(p, "step.cutfix %", "step.cutfix %in.cuts, %", "4 operands, expected 3");
	text_refused(p, ", %in.cuts {", " {", "2 operands, expected 3");
	text_refused(p, "pad_a=2", "pad_a=3", "is not the pad of step 3");
	text_refused(p, "pad_a=2, ", "", "do not go together");
	text_refused(p, "= 3 1 0 2 -5 7 3 -6 1 6", "= 3 1 0 2 -5 7 4 -6 1 6", "do not go together");
	text_refused(p, "= 3 1 0 2 -5 7 3 -6 1 6", "= 2 1 0 2 -5 7 3 -6 1 6", "do not go together");
	text_refused(p, "= 3 1 0 2 -5 7 3 -6 1 6", "= 3 1 0 2 -5 7 3 -6 1 6 0", "do not go together");
	text_refused(p, "s=12, b=38", "s=12, b=39", "do not go together");
	text_refused(p, "s=12, b=38", "b=38", "2 results, expected 1");
	/* a view cannot have another form */
	text_refused(p, "step.output %in.open.2", "value %v : i64[3900] masked 1.0 alias %in.cuts\nstep.output %v",
	        "'v' has 3900 masked elements of 1 bits and is a view of 'in.cuts', which has 3900 exact ones of 1");
	gt_free(&t);
}

/* ---- a table gate: ReLU of x >> 12 plus a table of x >> 5 on [-8, 8), 0 beyond; in a wider ring -------- */

enum { SHIFT = 12, FINE = 5, CELLS = 8, WIDE = 60, LOW = 20 };
static int64_t cell[1 << CELLS];
static const int64_t edges[] = { -(1 << (CELLS - 1)), 1 << (CELLS - 1) };
static const struct cut_list regions[] = { { 1, at_zero }, { 2, edges } };

/* m: the ring of the result.  fine: the shift of the table. */
static void
table_program(struct gt *t, unsigned fine, unsigned shift, unsigned m)
{
	struct gb g = { t->p, NULL };
	for (int k = 0; k < 1 << CELLS; k++)
		cell[k] = (k * 37 % 1023) - 511;
	struct val *x = gt_input_step(t, SHAPE(COUNT), t->n, t->f), *low = b_carry(&g, x, fine), *high = b_carry(&g, x, shift);
	struct val *bits = b_cuts(&g, x, fine, low, t->n - fine, 2, regions, "regions");
	struct lookup l = b_lut_shift(&g, x, fine, low, CELLS, 11, b_table(&g, "cells", 1 << CELLS, cell));
	struct val *inner = b_lookup_times(&g, &l, b_part(&g, bits, COUNT, COUNT), m);
	struct val *relu = b_select_shift(&g, b_part(&g, bits, 0, COUNT), x, shift, high, m);
	gt_output_step(t, b_open(&g, b_lin(&g, 1, inner, 1, relu, 0, m, NULL)));
	gt_schedule(t);
}

static void
table_gate(void **state)
{
	(void)state;
	for (int turn = 0; turn < 5; turn++) {
		struct gt t;
		const unsigned n = turn == 1 ? 64 : 50, fine = turn == 2 ? 0 : FINE, shift = turn == 3 ? 0 : SHIFT, m = turn == 4 ? LOW : turn == 1 ? 64 : WIDE;
		gt_init(&t, n, 12);
		table_program(&t, fine, shift, m);
		assert_int_equal(t.p->nrounds, fine ? 4 : 3);
		assert_true(text_passes(t.p));
		int64_t *x = gt_randoms(COUNT, fine + CELLS + 1), *got = gt_array(COUNT);
		const int64_t *in = x;
		for (int i = 0; i < COUNT; i += 5)
			x[i] = gt_bits(n - 1);
		gt_run(&t, &in, got);
		for (int i = 0; i < COUNT; i++) {
			const int64_t h = x[i] >> fine;
			int64_t want = h >= edges[0] && h < edges[1] ? cell[h & ((1 << CELLS) - 1)] : 0;
			want += x[i] >= 0 ? x[i] >> shift : 0;
			assert_int_equal(got[i], gt_signed((uint64_t)want, m));
		}
		free(x);
		free(got);
		gt_free(&t);
	}
}

static void
table_gates_are_checked(void **state)
{
	(void)state;
	struct gt t;
	gt_init(&t, 50, 12);
	table_program(&t, FINE, SHIFT, WIDE);
	const struct prog *p = t.p;
	text_refused(p, "dealer 2.0", "shared 2.0", "the result 'in.lutc.signs' is shared, expected dealer");
	text_refused(p, "dealer 2.0", "dealer 1.0", "the content of 'in.lutc.signs' has 1300 elements of 2 bits, the value 1300 of 1");
	text_refused(p, "step.open %in.lutc ", "step.open %in.lutc.signs ", "'in.lutc.signs' is dealer, only shared values are opened");
	text_refused(p, "%in.lutc.signs, %in.open", "%in.open, %in.open", "is masked, expected dealer");
	text_refused(p, "step.lin %in.tabmul", "step.lin %in.lutc.signs", "a local step on 'in.lutc.signs', which is dealer, and a shared value");
	text_refused(p, "b=8, table=$cells", "b=8, table=$regions", "do not go together");
	text_refused(p, "-511 -474", "-512 -474", "do not go together");
	text_refused(p, "m=60, s=12, slack=1", "m=60, s=12", "do not go together");
	text_refused(p, "n=11, m=60, s=5, b=1", "n=11, m=60, s=5", "4 operands, expected 3");
	text_refused(p, "n=11, m=60, s=5, b=1", "n=11, m=60, b=1", "4 operands, expected 3");
	gt_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cuts), cmocka_unit_test(cuts_are_checked), cmocka_unit_test(table_gate),
	                                    cmocka_unit_test(table_gates_are_checked) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * suf_proto_test.c -- the builders of table gates: programs of theirs run as they should, survive print and parse, and
 * ir_check sees when results without pads get where they must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/gate/build.h"

static struct val *
input_wire(struct gt *t, struct gb *g, int64_t count)
{
	struct val *v = gt_input(t, SHAPE(count));
	v->type = (struct type){ .sec = SEC_MASKED, .bits = (uint8_t)t->n, .frac = (uint8_t)t->f };
	struct suf_step st = { .op = SUF_input, .count = b_count(v), .n = (uint8_t)t->n, .m = (uint8_t)t->n };
	ir_step(t->p, g->at, NULL, st, 0, NULL, 1, &v);
	return v;
}

static void
output_wire(struct gt *t, struct val *v)
{
	ir_add_output(t->p, v);
	struct suf_step st = { .op = SUF_output, .count = b_count(v), .na = b_count(v), .n = v->type.bits, .m = v->type.bits };
	ir_step(t->p, NULL, NULL, st, 1, &v, 0, NULL);
	t->p->stage = STAGE_SCHED;
	gt_schedule(t);
}

/* ---- text ------------------------------------------------------------------------- */

/* The compiler must not see through this: it would take a stream's buffer for its own variable. */
static __attribute__((noinline)) char *
print(const struct prog *p)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	assert_non_null(f);
	ir_print(p, f);
	fclose(f);
	return text;
}

static struct prog *
parse(const char *text, struct diag *d)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	assert_non_null(f);
	struct prog *p = ir_parse(f, "test.ir", NULL, d);
	fclose(f);
	return p;
}

static void
round_trip(const struct prog *p)
{
	struct diag *d = diag_new(stderr, false);
	char *text = print(p);
	struct prog *again = parse(text, d);
	assert_non_null(again);
	assert_true(ir_check(again, STAGE_SCHED));
	char *same = print(again);
	assert_string_equal(text, same);
	free(text);
	free(same);
	ir_free(again);
	diag_free(d);
}

/* The program with `what` instead of `part` is refused with a message. */
static void
refused(const struct prog *p, const char *part, const char *what, const char *message)
{
	char *text = print(p), *said = NULL, *at = strstr(text, part), *edited = calloc(1, strlen(text) + strlen(what) + 1);
	size_t size;
	FILE *f = open_memstream(&said, &size);
	struct diag *d = diag_new(f, false);
	if (!at)
		fail_msg("nothing to edit: %s\n%s", part, text);
	sprintf(edited, "%.*s%s%s", (int)(at - text), text, what, at + strlen(part));
	struct prog *bad = parse(edited, d);
	bool ok = bad && ir_check(bad, STAGE_SCHED);
	diag_free(d);
	fclose(f);
	if (!bad || ok || !strstr(said, message))
		fail_msg("%s\n%s\nexpected: %s", edited, said, message);
	ir_free(bad);
	free(text);
	free(said);
	free(edited);
}

/* ---- cuts --------------------------------------------------------------------------- */

static const int64_t at_zero[] = { 0 }, inside[] = { -5, 7 }, three[] = { -6, 1, 6 };
static const struct cut_list lists[] = { { 1, at_zero }, { 2, inside }, { 3, three } };
enum { COUNT = 1300, OUTPUTS = 3 };

static struct val *
cuts_program(struct gt *t, unsigned s, bool own_borrow)
{
	struct gb g = { t->p, NULL };
	struct val *x = input_wire(t, &g, COUNT), *borrow = own_borrow ? b_borrow(&g, x, s) : NULL;
	struct val *bits = b_cuts(&g, x, s, borrow, t->n - s, OUTPUTS, lists, "regions");
	output_wire(t, bits);
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
		cuts_program(&t, s, turn & 1);
		assert_int_equal(t.p->nrounds, s ? 3 : 2);
		round_trip(t.p);
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
	cuts_program(&t, 12, false);
	const struct prog *p = t.p;
	refused(p, "exact 1.0", "shared 1.0", "is shared, expected exact");
	refused(p, "exact 1.0", "dealer 1.0", "is dealer, expected exact");
	refused(p, "exact 1.0", "exact 2.0", "the content of 'in.cuts' has 3900 elements of 1 bits, the value 3900 of 2");
	refused(p, "%in.cuts : i64[3900] exact", "%in.cuts : i64[3899] exact", "the content of 'in.cuts' has 3900 elements of 1 bits, the value 3899 of 1");
	refused(p, "step.open %in.cuts.change", "step.open %in.cuts", "'in.cuts' is exact, only shared values are opened");
	refused(p, ", %in.cuts {", ", %in.lt {", "is shared, expected exact");
	refused(p, "step.cutfix %", "step.cutfix %in.cuts, %", "4 operands, expected 3");
	refused(p, ", %in.cuts {", " {", "2 operands, expected 3");
	refused(p, "pad_a=2", "pad_a=3", "is not the pad of step 3");
	refused(p, "pad_a=2, ", "", "do not go together");
	refused(p, "= 3 1 0 2 -5 7 3 -6 1 6", "= 3 1 0 2 -5 7 4 -6 1 6", "do not go together");
	refused(p, "= 3 1 0 2 -5 7 3 -6 1 6", "= 2 1 0 2 -5 7 3 -6 1 6", "do not go together");
	refused(p, "= 3 1 0 2 -5 7 3 -6 1 6", "= 3 1 0 2 -5 7 3 -6 1 6 0", "do not go together");
	refused(p, "s=12, b=38", "s=12, b=39", "do not go together");
	refused(p, "s=12, b=38", "b=38", "2 results, expected 1");
	/* a view cannot have another form */
	refused(p, "step.output %in.open.2", "value %v : i64[3900] masked 1.0 alias %in.cuts\nstep.output %v",
	        "'v' has 3900 masked elements of 1 bits and is a view of 'in.cuts', which has 3900 exact ones of 1");
	gt_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cuts), cmocka_unit_test(cuts_are_checked) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

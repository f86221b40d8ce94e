/* SPDX-License-Identifier: Apache-2.0
 * secure_test.c -- pass `secure` passes programs of all gate sets, and refuses each of many faults by the rule that it breaks; programs
 * with random changes that both checkers pass still run, and the parties compute what the simulator says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "mutate.h"
#include "random_model.h"
#include "stacks.h"
#include "passes/gate/build.h"
#include "passes/gate/compact.h"

enum { WIRES = 4, LEAST_KINDS = 24, LEAST_BY_SECURE = 15 };
static const char *const set_name[] = { "sigma", "suf", "compact" };
enum { SETS = sizeof set_name / sizeof *set_name, PROGRAMS = SETS + 2 };

/* ---- programs --------------------------------------------------------------------- */

/* What a checker says is in .text. */
struct verdict { struct diag *diag; FILE *to; char *text; size_t size; };

static void
verdict_open(struct verdict *v)
{
	v->to = open_memstream(&v->text, &v->size);
	v->diag = diag_new(v->to, false);
}

static void
verdict_close(struct verdict *v)
{
	diag_free(v->diag);
	fclose(v->to);
	free(v->text);
}

static void
transformer(struct model *m, const char *set)
{
	int64_t dim[2] = { 3, 8 };
	model_init(m, 5);
	m->opt.gates = set;
	struct val *x = model_input(m, "x", DT_F32, 2, dim);
	x->lo = -4; x->hi = 4; x->from = RANGE_PROVEN;
	ir_add_output(m->p, model_linear(m, "logits", model_layer(m, "layer", x, 2, true), 3, 0.3));
	if (!run_passes(m->p, &m->opt, stdout))
		fail_msg("%s: %s", set, model_log(m));
}

static struct val *
wire(struct gt *t, struct gb *g, const char *name, int rows, int cols, unsigned bits)
{
	const int64_t dim[2] = { rows, cols };
	struct val *v = ir_val(t->p, name, DT_I64, (struct type){ .sec = SEC_MASKED, .bits = (uint8_t)bits }, 2, dim);
	ir_add_input(t->p, v);
	ir_step(g->p, NULL, NULL, (struct suf_step){ .op = SUF_input, .count = b_count(v), .n = v->type.bits, .m = v->type.bits }, 0, NULL, 1, &v);
	return v;
}

static void
finish(struct gt *t, struct val *v)
{
	ir_add_output(t->p, v);
	ir_step(t->p, NULL, NULL, (struct suf_step){ .op = SUF_output, .count = b_count(v), .na = b_count(v), .n = v->type.bits, .m = v->type.bits }, 1, &v, 0, NULL);
	t->p->stage = STAGE_SCHED;
	gt_schedule(t);
}

/* Products by pads, residual, narrow openings, a shift: what lies between the nonlinear gates of `compact`. */
static void
chain(struct gt *t)
{
	static const int64_t w[WIRES * WIRES] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3 };
	gt_init(t, 20, 8);
	struct gb g = { t->p, NULL };
	const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = WIRES, .inner = WIRES, .cols = WIRES, .sa = { 0, 0, WIRES, 1 }, .sb = { 0, 0, WIRES, 1 } };
	struct val *x = wire(t, &g, "x", WIRES, WIRES, 20), *weight = gt_const(t, SEC_WEIGHT, 0, SHAPE(WIRES, WIRES), w);
	weight->type.bits = 40;
	struct val *e = b_open(&g, b_gapext(&g, x, 40));
	struct val *y = b_open(&g, b_matmul_last(&g, e, weight, NULL, &mm, NULL));
	struct val *z = b_mul_last(&g, e, y, NULL);
	z = b_open_narrow(&g, b_addx(&g, z, 4, e, NULL), 8, 30);
	struct val *n = b_open_narrow(&g, b_mul(&g, z, z, NULL), 4, 20);
	struct val *q = b_open(&g, b_gapext(&g, b_open_narrow(&g, b_mul(&g, n, n, NULL), 3, 16), 30));
	z = b_open(&g, b_mul_last(&g, q, z, NULL));
	z = b_open(&g, b_mul(&g, z, b_lin(&g, 3, z, 5, z, 1, 30, NULL), NULL));
	finish(t, b_shift(&g, z, 6, 20));
}

/* Steps whose results belong together, twice. */
static void
pairs(struct gt *t)
{
	static const int64_t table[16] = { 1, 5, 2, 6, 3, 7, 4, 8, -1, -5, -2, -6, -3, -7, -4, -8 }, at[2] = { 3, 9 };
	gt_init(t, 20, 8);
	struct gb g = { t->p, NULL };
	struct val *sum = NULL, *x[2] = { wire(t, &g, "x", 1, WIRES, 20), wire(t, &g, "y", 1, WIRES, 20) };
	for (int k = 0; k < 2; k++) {
		struct val *carry = b_carry(&g, x[k], 4);
		const struct cut_list list = { 2, at };
		struct val *bit = b_cuts(&g, x[k], 4, carry, 8, 1, &list, "cuts");
		const struct lookup l = b_lut_shift(&g, x[k], 4, carry, 4, 10, b_table(&g, "table", 16, table));
		struct val *y = b_open(&g, b_lookup_times(&g, &l, bit, 20));
		sum = sum ? b_lin(&g, 1, sum, 1, y, 0, 20, NULL) : y;
	}
	finish(t, sum);
}

/* A program of each kind, shared by all tests. */
static struct model model[SETS];
static struct gt made[2];

static struct prog *
program(int k)
{
	return k < SETS ? model[k].p : made[k - SETS].p;
}

static const char *
program_name(int k)
{
	return k < SETS ? set_name[k] : k == SETS ? "chain" : "pairs";
}

static int
setup(void **state)
{
	(void)state;
	for (int k = 0; k < SETS; k++)
		transformer(&model[k], set_name[k]);
	chain(&made[0]);
	pairs(&made[1]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (int k = 0; k < SETS; k++)
		model_free(&model[k]);
	gt_free(&made[0]);
	gt_free(&made[1]);
	return 0;
}

/* ---- faults ------------------------------------------------------------------------ */

enum { BY_SECURE = 1, BY_IR = 2 };

/* Which checkers refuse program k with the fault; -1: it has no place for it. */
static int
caught(int k, const struct fault *f)
{
	struct verdict ir, secure;
	verdict_open(&ir);
	verdict_open(&secure);
	struct prog *p = ir_clone(program(k), secure.diag);
	int by = -1;
	if (f->make(p)) {
		by = pass_secure(p) ? 0 : BY_SECURE;
		fflush(secure.to);
		if (f->rule && !strstr(secure.text, f->rule))
			fail_msg("%s, %s: expected %s, said:\n%s", program_name(k), f->name, f->rule, secure.text);
		if (f->harmless && by)
			fail_msg("%s, %s: %s", program_name(k), f->name, secure.text);
		if (by && !strstr(secure.text, "[secure]"))
			fail_msg("%s, %s: without the code of the pass: %s", program_name(k), f->name, secure.text);
		p->diag = ir.diag;
		by |= ir_check(p, STAGE_SCHED) ? 0 : BY_IR;
	}
	ir_free(p);
	verdict_close(&ir);
	verdict_close(&secure);
	return by;
}

static void
faults_are_found(void **state)
{
	(void)state;
	int alone = 0, both = 0, kinds = 0;
	for (int i = 0; i < nfaults; i++) {
		int places = 0, by = BY_SECURE | BY_IR;
		for (int k = 0; k < PROGRAMS; k++) {
			const int now = caught(k, &faults[i]);
			places += now >= 0;
			by &= now >= 0 ? now : by;
		}
		if (!places)
			fail_msg("%s: no program has a place for it", faults[i].name);
		if (faults[i].harmless)
			continue;
		if (!by)
			fail_msg("%s: not found", faults[i].name);
		printf("%-62s %d of %d programs, found by %s\n", faults[i].name, places, PROGRAMS, by == BY_SECURE ? "secure alone" : by == BY_IR ? "ir_check alone" : "both");
		kinds++;
		alone += by & BY_SECURE ? 1 : 0;
		both += by == BY_SECURE ? 1 : 0;
	}
	printf("%d kinds of faults, %d found by secure, %d of them by it alone\n", kinds, alone, both);
	assert_true(kinds >= LEAST_KINDS && alone >= LEAST_BY_SECURE);
}

/* Every program without a fault. */
static void
programs_pass(void **state)
{
	(void)state;
	for (int k = 0; k < PROGRAMS; k++) {
		struct verdict v;
		verdict_open(&v);
		struct prog *p = ir_clone(program(k), v.diag);
		if (!pass_secure(p) || !ir_check(p, STAGE_SCHED)) {
			fflush(v.to);
			fail_msg("%s: %s", program_name(k), v.text);
		}
		ir_free(p);
		verdict_close(&v);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(programs_pass), cmocka_unit_test(faults_are_found) };
	return cmocka_run_group_tests(tests, setup, teardown);
}

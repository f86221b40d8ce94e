/* SPDX-License-Identifier: Apache-2.0
 * secure_test.c -- pass `secure` passes programs of all gate sets, and refuses each of many faults by the rule that it breaks; programs
 * with random changes that both checkers pass still run, and the parties compute what the simulator says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "gate_run.h"
#include "mutate.h"
#include "random_model.h"
#include "stacks.h"
#include "passes/gate/build.h"
#include "passes/gate/compact.h"

enum { WIRES = 4, LEAST_KINDS = 24, LEAST_BY_SECURE = 15 };
static const char *const set_name[] = { "sigma", "suf", "compact", "compact", "compact" };
enum { SETS = sizeof set_name / sizeof *set_name, PUBLIC_WEIGHTS = SETS - 2, OWNER_WEIGHTS = SETS - 1, PROGRAMS = SETS + 2 };

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
transformer(struct model *m, const char *set, enum weights_mode weights)
{
	int64_t dim[2] = { 3, 8 };
	model_init(m, 5);
	m->opt.gates = set;
	m->opt.weights = weights;
	m->p->weights = weights;
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
	return k == PUBLIC_WEIGHTS ? "compact, public weights" : k == OWNER_WEIGHTS ? "compact, weights of party 0" : k < SETS ? set_name[k] : k == SETS ? "chain" : "pairs";
}

static int
setup(void **state)
{
	(void)state;
	for (int k = 0; k < SETS; k++)
		transformer(&model[k], set_name[k], k == PUBLIC_WEIGHTS ? WEIGHTS_PUBLIC : k == OWNER_WEIGHTS ? WEIGHTS_OWNER : WEIGHTS_MASKED);
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

/* Faults found by secure, of them by it alone, and all. */
struct tally { int alone, only, kinds; };

static void
find_fault(const struct fault *f, struct tally *t)
{
	int places = 0, by = BY_SECURE | BY_IR;
	for (int k = 0; k < PROGRAMS; k++) {
		const int now = caught(k, f);
		places += now >= 0;
		by &= now >= 0 ? now : by;
	}
	if (!places)
		fail_msg("%s: no program has a place for it", f->name);
	if (f->harmless)
		return;
	if (!by)
		fail_msg("%s: not found", f->name);
	printf("%-62s %d of %d programs, found by %s\n", f->name, places, PROGRAMS, by == BY_SECURE ? "secure alone" : by == BY_IR ? "ir_check alone" : "both");
	t->kinds++;
	t->alone += by & BY_SECURE ? 1 : 0;
	t->only += by == BY_SECURE ? 1 : 0;
}

static void
faults_are_found(void **state)
{
	(void)state;
	struct tally t = { 0 };
	for (int i = 0; i < nfaults_places; i++)
		find_fault(&faults_places[i], &t);
	for (int i = 0; i < nfaults_rules; i++)
		find_fault(&faults_rules[i], &t);
	for (int i = 0; i < nfaults_owner; i++)
		find_fault(&faults_owner[i], &t);
	printf("%d kinds of faults, %d found by secure, %d of them by it alone\n", t.kinds, t.alone, t.only);
	assert_true(t.kinds >= LEAST_KINDS && t.alone >= LEAST_BY_SECURE);
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

/* Whole stacks in every set that needs no ranges of examples; twelve layers take a small part of a second. */
static void
stacks_pass(void **state)
{
	(void)state;
	for (int k = 0; k < 2; k++) {
		const struct options opt = { .gates = set_name[k], .output_to = 1, .ring_bits = 50 };
		struct verdict v;
		struct timespec a, b;
		verdict_open(&v);
		struct prog *p = stack_new(stack_find("bert-base"), 128, &opt, v.diag);
		if (!run_passes(p, &opt, stdout)) {
			fflush(v.to);
			fail_msg("%s: %s", set_name[k], v.text);
		}
		clock_gettime(CLOCK_MONOTONIC, &a);
		assert_true(pass_secure(p));
		clock_gettime(CLOCK_MONOTONIC, &b);
		const double ms = (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6;
		printf("bert-base, %s: %u steps, %.1f ms\n", set_name[k], p->next_id - 1, ms);
		assert_true(ms < 1000);
		ir_free(p);
		verdict_close(&v);
	}
}

/* ---- random changes ------------------------------------------------------------------ */

/* Dealer and parties against the simulator; false: they differ. */
static bool
runs(struct prog *p)
{
	struct exec *e = exec_new(p);
	const struct suf_program *sp = exec_program(e);
	uint64_t *in[4] = { NULL }, *sim[4] = { NULL }, *got[4] = { NULL };
	bool same = true;
	for (uint32_t k = 0; k < sp->ninput; k++) {
		in[k] = calloc(exec_wire_count(&sp->input[k]) + 1, 8);
		for (uint64_t i = 0; i < exec_wire_count(&sp->input[k]); i++)
			in[k][i] = (uint64_t)gt_bits(12) & ring_mask(sp->input[k].bits);
	}
	for (uint32_t k = 0; k < sp->noutput; k++) {
		sim[k] = calloc(exec_wire_count(&sp->output[k]) + 1, 8);
		got[k] = calloc(exec_wire_count(&sp->output[k]) + 1, 8);
	}
	struct exec_seeds seeds;
	struct exec_parties parties;
	char text[256] = "";
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	if (exec_simulate(e, &seeds, in, sim, NULL, NULL, text) || exec_run(e, &seeds, in, got, NULL, NULL, &parties, text)) {
		print_error("%s\n", text);
		same = false;
	}
	for (uint32_t k = 0; same && k < sp->noutput; k++)
		same = !memcmp(sim[k], got[k], exec_wire_count(&sp->output[k]) * 8);
	for (int k = 0; k < 4; k++) {
		free(in[k]);
		free(sim[k]);
		free(got[k]);
	}
	exec_free(e);
	return same;
}

static uint64_t state_of_changes;

static uint64_t
draw(uint64_t below)
{
	state_of_changes = state_of_changes * 6364136223846793005ull + 1442695040888963407ull;
	return (state_of_changes >> 33) % below;
}

static void nudge(uint8_t *x) { *x = (uint8_t)(draw(3) ? *x + 1 - 2 * draw(2) : draw(20)); }
static void nudge_count(uint64_t *x) { *x = draw(3) ? *x + 1 - 2 * draw(2) : draw(100); }
static void nudge_number(int64_t *x) { *x = draw(3) ? *x + 1 - 2 * (int64_t)draw(2) : (int64_t)draw(100); }

enum { KINDS = 24 };

/* One number, flag or operand of one step becomes another. */
static void
change(struct prog *p, struct node *n, uint64_t kind, struct node *other)
{
	struct suf_step *s = n->step;
	switch (kind) {
	case 0: nudge_count(&s->count); break;
	case 1: nudge_count(&s->na); break;
	case 2: nudge_count(&s->nb); break;
	case 3: nudge(&s->n); break;
	case 4: nudge(&s->m); break;
	case 5: nudge(&s->s); break;
	case 6: nudge(&s->b); break;
	case 7: s->shared ^= 1; break;
	case 8: s->slack ^= 1; break;
	case 9: s->weight_b ^= 1; break;
	case 10: s->define_last ^= 1; break;
	case 11: s->round_half ^= 1; break;
	case 12: s->pad_a = s->pad_a && draw(2) ? 0 : other->step->id; break;
	case 13: s->pad_b = s->pad_b && draw(2) ? 0 : other->step->id; break;
	case 14: nudge_number(draw(2) ? &s->ca : &s->cb); break;
	case 15: s->id = other->step->id; break;
	case 16: n->round += draw(2) ? 1 : -1; break;
	case 17: if (n->nout) nudge(&n->out[draw((uint64_t)n->nout)]->type.bits); break;
	case 18: if (n->nout) n->out[0]->type.sec = (enum sec)(SEC_WEIGHT + (int)draw(6)); break;
	case 19: if (n->nout) n->out[0]->slot += draw(2) ? 8 : (uint64_t)-8; break;
	case 20: s->offline ^= 1; break;
	case 21: s->one_way ^= 1; break;
	case 22: if (n->nin && other->nout) ir_set_in(p, n, (int)draw((uint64_t)n->nin), other->out[0]); break;
	default: if (n->prev && n != other) ir_move_before(p, n, other); break;
	}
}

static void
random_changes(void **state)
{
	(void)state;
	enum { TIMES = 1500 };
	int passed = 0, both = 0, alone[2] = { 0, 0 };
	for (int i = 0; i < TIMES; i++) {
		struct verdict v;
		verdict_open(&v);
		state_of_changes = (uint64_t)i * 977 + 13;
		const int k = (int)draw(PROGRAMS);
		struct prog *p = ir_clone(program(k), v.diag);
		struct node *n = p->first, *other = p->first;
		int nodes = 0;
		for (struct node *j = p->first; j; j = j->next)
			nodes++;
		for (uint64_t skip = draw((uint64_t)nodes); skip--;)
			n = n->next;
		for (uint64_t skip = draw((uint64_t)nodes); skip--;)
			other = other->next;
		const uint64_t kind = draw(KINDS);
		change(p, n, kind, other);
		const bool ir = ir_check(p, STAGE_SCHED), secure = pass_secure(p);
		both += !ir && !secure;
		alone[0] += ir && !secure;
		alone[1] += !ir && secure;
		if (ir && secure) {
			passed++;
			if (!runs(p))
				fail_msg("change %d, kind %d at step %u (%s) of %s: passes, but parties and simulator differ", i, (int)kind, n->step->id,
				         suf_step_desc[n->step->op].name, program_name(k));
		}
		ir_free(p);
		verdict_close(&v);
	}
	printf("%d changes: %d refused by both checkers, %d by secure alone, %d by ir_check alone, %d by none and run\n", TIMES, both, alone[0], alone[1], passed);
	assert_true(both + alone[0] > TIMES / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(programs_pass), cmocka_unit_test(stacks_pass), cmocka_unit_test(faults_are_found), cmocka_unit_test(random_changes) };
	return cmocka_run_group_tests(tests, setup, teardown);
}

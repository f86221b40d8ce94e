/* SPDX-License-Identifier: Apache-2.0
 * join_least_test.c -- pass join_open opens the fewest bits: random trees of local steps, among them those that first repeat elements
 * and then drop them, against every way to cut the tree; what comes out is what came out before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/gate/build.h"
#include "passes/gate/compact.h"

enum { RING = 40, MOST = 9, MOST_COUNT = 60, TIMES = 300 };

/* A place where something may be opened: a square (a leaf) or the result of a local step; count: its elements. */
struct place { struct val *v; uint64_t count; int parent; int64_t *want; };
struct tree { struct gt t; struct gb g; struct place at[MOST]; int n, leaves; int64_t *in[MOST]; };

static uint64_t below(uint64_t n) { return gt_random() % n; }

static struct place *
place(struct tree *t, struct val *v, uint64_t count)
{
	struct place *p = &t->at[t->n++];
	*p = (struct place){ v, count, -1, calloc(MOST_COUNT, sizeof(int64_t)) };
	assert_non_null(p->want);
	return p;
}

/* x^2, opened */
static void
leaf(struct tree *t)
{
	const uint64_t count = 1 + below(12);
	struct val *x = gt_input(&t->t, SHAPE((int64_t)count));
	x->type.sec = SEC_MASKED;
	ir_step(t->t.p, NULL, NULL, (struct suf_step){ .op = SUF_input, .count = count, .n = RING, .m = RING }, 0, NULL, 1, &x);
	int64_t *in = t->in[t->leaves++] = calloc(count, sizeof *in);
	struct place *p = place(t, b_open(&t->g, b_mul(&t->g, x, x, NULL)), count);
	for (uint64_t i = 0; i < count; i++) {
		in[i] = gt_bits(10);
		p->want[i] = in[i] * in[i];
	}
}

/* Element i of a or of a sum is element i mod `wrap` of each operand: repeated, cut, or as it is. */
static void
join_places(struct tree *t, int a, int b)
{
	const uint64_t repeat = below(3) ? 1 : 1 + below(MOST_COUNT / t->at[a].count);
	uint64_t each = 1 + below(t->at[a].count);
	if (b >= 0 && each > t->at[b].count)
		each = t->at[b].count;
	const uint64_t count = repeat * each;
	const int64_t ca = 1 + (int64_t)below(5), cb = b < 0 ? 0 : 1 + (int64_t)below(5);
	const struct suf_map map = { .ndim = 2, .dim = { (uint32_t)repeat, (uint32_t)each }, .so = { (int64_t)each, 1 }, .sa = { 0, 1 }, .sb = { 0, 1 } };
	struct val *v = b_lin(&t->g, ca, t->at[a].v, cb, b < 0 ? NULL : t->at[b].v, 7, RING, &map);
	struct place *p = place(t, v, count);
	t->at[a].parent = t->n - 1;
	if (b >= 0)
		t->at[b].parent = t->n - 1;
	for (uint64_t i = 0; i < count; i++)
		p->want[i] = ca * t->at[a].want[i % each] + (b < 0 ? 0 : cb * t->at[b].want[i % each]) + 7;
}

static int
root_but(struct tree *t, int not)
{
	for (;;) {
		const int k = (int)below((uint64_t)t->n);
		if (t->at[k].parent < 0 && k != not)
			return k;
	}
}

static int
roots(const struct tree *t)
{
	int n = 0;
	for (int k = 0; k < t->n; k++)
		n += t->at[k].parent < 0;
	return n;
}

static void
grow(struct tree *t)
{
	memset(t, 0, sizeof *t);
	gt_init(&t->t, RING, 0);
	t->g = (struct gb){ t->t.p, NULL };
	t->t.p->joins = true;
	for (uint64_t k = 1 + below(3); k > 0; k--)
		leaf(t);
	while (t->n < MOST && (roots(t) > 1 || below(5))) {
		const int a = root_but(t, -1);
		/* as many sums as it takes to end in one root */
		const bool sum = roots(t) > 1 && (below(2) || MOST - t->n <= roots(t) - 1);
		join_places(t, a, sum ? root_but(t, a) : -1);
	}
	struct val *v = t->at[t->n - 1].v;
	ir_add_output(t->t.p, v);
	ir_step(t->t.p, NULL, NULL, (struct suf_step){ .op = SUF_output, .count = b_count(v), .na = b_count(v), .n = RING, .m = RING }, 1, &v, 0, NULL);
	t->t.p->stage = STAGE_SCHED;
}

/* The least elements that a set of places takes which has one on the way from each leaf to the root. */
static uint64_t
least(const struct tree *t)
{
	uint64_t best = UINT64_MAX;
	for (unsigned set = 1; set < 1u << t->n; set++) {
		uint64_t sum = 0;
		bool cut = true;
		for (int k = 0; k < t->n; k++)
			sum += set >> k & 1 ? t->at[k].count : 0;
		for (int l = 0; l < t->leaves && cut; l++) {
			int on_way = 0;
			for (int k = l; k >= 0; k = t->at[k].parent)
				on_way += (int)(set >> k & 1);
			cut = on_way == 1;
		}
		best = cut && sum < best ? sum : best;
	}
	return best;
}

static uint64_t
opened(const struct prog *p)
{
	uint64_t n = 0;
	for (const struct node *k = p->first; k; k = k->next)
		n += k->step->op == SUF_open ? k->step->count : 0;
	return n;
}

static void
least_is_opened(void **state)
{
	(void)state;
	int later = 0;
	for (int time = 0; time < TIMES; time++) {
		struct tree t;
		int64_t got[MOST_COUNT];
		grow(&t);
		const struct place *last = &t.at[t.n - 1];
		const uint64_t before = opened(t.t.p), want = least(&t);
		assert_true(pass_join_open(t.t.p));
		if (opened(t.t.p) != want)
			fail_msg("tree %d of %d places: %llu elements are opened, %llu would do", time, t.n, (unsigned long long)opened(t.t.p), (unsigned long long)want);
		later += want < before;
		gt_schedule(&t.t);
		gt_run(&t.t, (const int64_t *const *)t.in, got);
		assert_true(gt_same("tree", got, last->want, last->count));
		for (int k = 0; k < t.n; k++)
			free(t.at[k].want);
		for (int k = 0; k < t.leaves; k++)
			free(t.in[k]);
		gt_free(&t.t);
	}
	printf("%d trees, %d of them opened with fewer elements than before\n", TIMES, later);
	assert_true(later > TIMES / 4);
}

/* Sums of sums reach a value in 2^60 ways; whoever looks for it must not take them all. */
static void
sums_of_sums(void **state)
{
	(void)state;
	struct gt t;
	int64_t x[1] = { 5 }, got[1], want[1] = { 25 };
	const int64_t *in[1] = { x };
	gt_init(&t, RING, 0);
	struct gb g = { t.p, NULL };
	t.p->joins = true;
	struct val *v = gt_input(&t, SHAPE(1));
	v->type.sec = SEC_MASKED;
	ir_step(t.p, NULL, NULL, (struct suf_step){ .op = SUF_input, .count = 1, .n = RING, .m = RING }, 0, NULL, 1, &v);
	v = b_open(&g, b_mul(&g, v, v, NULL));
	for (int k = 0; k < 60; k++) {
		v = b_lin(&g, 1, v, 1, v, 0, RING, NULL);
		want[0] = gt_signed(2 * (uint64_t)want[0], RING);
	}
	v = b_shift(&g, v, 1, RING - 1);
	ir_add_output(t.p, v);
	ir_step(t.p, NULL, NULL, (struct suf_step){ .op = SUF_output, .count = 1, .na = 1, .n = RING - 1, .m = RING - 1 }, 1, &v, 0, NULL);
	t.p->stage = STAGE_SCHED;
	assert_true(pass_join_open(t.p));
	gt_schedule(&t);
	gt_run(&t, in, got);
	assert_true(llabs(got[0] - want[0] / 2) <= 1);
	gt_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(least_is_opened), cmocka_unit_test(sums_of_sums) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

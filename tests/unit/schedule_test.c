/* SPDX-License-Identifier: Apache-2.0
 * schedule_test.c -- rounds are as few as the longest chain of openings, the
 * order keeps every dependency, values that live at once never share elements.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "random_model.h"

static void lower(struct model *m)
{
	bool (*const pass[])(struct prog *) = { pass_ranges, pass_quantize, pass_bind, pass_expand };
	static const enum stage after[] = { STAGE_FLOAT, STAGE_RING, STAGE_GATE, STAGE_SCHED };
	for (int k = 0; k < 4; k++) {
		if (!pass[k](m->p))
			fail_msg("%s", model_log(m));
		m->p->stage = after[k];
	}
}

static bool sends(const struct node *n) { return n->step->op == SUF_open || n->step->op == SUF_input; }

static const struct node *maker(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v->def;
}

/* Openings on the longest chain that ends with n, computed anew by recursion. */
static int depth(const struct node *n, int *memo)
{
	int *d = &memo[n->step->id];
	if (*d < 0) {
		*d = 0;
		for (int k = 0; k < n->nin; k++) {
			const struct node *m = maker(n->in[k]);
			int below = m ? depth(m, memo) + sends(m) : 0;
			*d = below > *d ? below : *d;
		}
	}
	return *d;
}

static long *positions(const struct prog *p)
{
	long *at = calloc(p->next_id, sizeof *at), now = 0;
	for (const struct node *n = p->first; n; n = n->next)
		at[n->step->id] = now++;
	return at;
}

static void test_rounds(void **state)
{
	(void)state;
	struct model m;
	model_init(&m, 81);
	model_transformer(&m, 5, 12, 2, 2, 3, true);
	lower(&m);
	int *memo = malloc(m.p->next_id * sizeof *memo), longest = 0, count = 0, after = 0;
	memset(memo, -1, m.p->next_id * sizeof *memo);
	for (const struct node *n = m.p->first; n; n = n->next, count++) {
		int d = depth(n, memo) + sends(n);
		longest = d > longest ? d : longest;
	}
	assert_true(pass_schedule(m.p));
	assert_int_equal(m.p->nrounds, longest);
	long *at = positions(m.p);
	for (const struct node *n = m.p->first; n; n = n->next, after++) {
		assert_int_equal(n->round, depth(n, memo));
		for (int k = 0; k < n->nin; k++)
			if (maker(n->in[k]))
				assert_true(at[maker(n->in[k])->step->id] < at[n->step->id]);
		if (n->next) {                   /* rounds in order; in a round first steps, then messages */
			assert_true(n->next->round >= n->round);
			assert_false(n->next->round == n->round && sends(n) && !sends(n->next));
		}
	}
	assert_int_equal(after, count);
	free(memo);
	free(at);
	model_free(&m);
}

/* Queries, keys and values are truncated and opened in the same rounds. */
static void test_shared_messages(void **state)
{
	(void)state;
	struct model m;
	model_init(&m, 82);
	model_transformer(&m, 4, 8, 1, 2, 3, false);
	lower(&m);
	assert_true(pass_schedule(m.p));
	int round[3];
	static const char *const name[3] = { "layer0.q", "layer0.k", "layer0.v" };
	for (int k = 0; k < 3; k++) {
		const struct val *v = ir_find(m.p, name[k]);
		assert_non_null(v);
		round[k] = maker(v)->round;
	}
	assert_int_equal(round[0], round[1]);
	assert_int_equal(round[1], round[2]);
	model_free(&m);
}

struct place { uint64_t at, size; long from, to; const struct val *val; };

static struct val *home(struct val *v)
{
	for (;;) {
		if (v->def && v->def->step->op == SUF_open)
			v = v->def->in[0];
		else if (v->alias)
			v = v->alias;
		else
			return v;
	}
}

static void test_slots(void **state)
{
	(void)state;
	struct model m;
	model_init(&m, 83);
	model_transformer(&m, 6, 16, 1, 2, 4, false);
	lower(&m);
	assert_true(pass_schedule(m.p) && pass_plan(m.p));
	size_t n = 0;
	long now = 0;
	struct place *p = calloc(m.p->next_id * 2, sizeof *p);
	for (struct node *k = m.p->first; k; k = k->next, now++)
		for (int j = 0; j < k->nout + k->nin; j++) {
			struct val *v = j < k->nout ? k->out[j] : k->in[j - k->nout], *h = home(v);
			size_t i = 0;
			if (v->data)
				continue;
			assert_int_equal(v->slot, h->slot);
			while (i < n && p[i].val != h)
				i++;
			if (i == n)
				p[n++] = (struct place){ .at = h->slot, .from = now, .val = h };
			p[i].to = now;
			uint64_t size = (uint64_t)ir_count(v) * (v->onehot ? v->onehot : 1);
			p[i].size = size > p[i].size ? size : p[i].size;
		}
	uint64_t most = 0, end = 0;
	for (size_t i = 0; i < n; i++) {
		uint64_t alive = 0;
		for (size_t j = 0; j < n; j++) {
			bool together = p[i].from <= p[j].to && p[j].from <= p[i].to;
			bool meet = p[i].at < p[j].at + p[j].size && p[j].at < p[i].at + p[i].size;
			if (i != j && together && meet)
				fail_msg("'%s' and '%s' share elements", p[i].val->name, p[j].val->name);
			if (p[j].from <= p[i].from && p[i].from <= p[j].to)
				alive += (p[j].size + 7) / 8 * 8;
		}
		most = alive > most ? alive : most;
		end = p[i].at + p[i].size > end ? p[i].at + p[i].size : end;
	}
	assert_true(n > 100);
	assert_true(end <= m.p->wire_elems);
	if (m.p->wire_elems > most + most / 2)
		fail_msg("%llu elements, %llu are alive at most", (unsigned long long)m.p->wire_elems, (unsigned long long)most);
	free(p);
	model_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_shared_messages),
		cmocka_unit_test(test_slots),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

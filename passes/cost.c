/* SPDX-License-Identifier: Apache-2.0
 * cost.c -- what a scheduled program costs: sums of suf_step_cost, by class.  A
 * class counts a round when it opens something in it, so rounds of classes may
 * add up to more than the total.
 */
#include <string.h>
#include "passes/passes.h"
#include "run.h"

static int class_of(struct cost *c, const char *name)
{
	enum { MAX = sizeof c->klass / sizeof c->klass[0] };
	for (int i = 0; i < c->nklass; i++)
		if (!strcmp(c->klass[i].klass, name))
			return i;
	if (c->nklass == MAX)
		BUG("more than %d cost classes", (int)MAX);
	c->klass[c->nklass].klass = name;
	return c->nklass++;
}

static void add(struct cost_row *row, const struct suf_cost *c)
{
	for (int p = 0; p < 2; p++) {
		row->key[p] += c->key[p];
		row->sent[p] += c->sent[p];
	}
	row->client_key += c->client_key;
}

void prog_cost(const struct prog *p, struct cost *c)
{
	int last[8];                             /* of a class: the last round that it was counted in */
	memset(c, 0, sizeof *c);
	memset(last, -1, sizeof last);
	c->total.klass = "total";
	for (const struct node *n = p->first; n; n = n->next) {
		if (n->op != OP_step)
			BUG("the cost of a program that is not scheduled");
		struct suf_cost s = suf_step_cost(n->step, (uint8_t)(p->opt ? p->opt->output_to : 1));
		int k = class_of(c, n->klass ? n->klass : "other");
		add(&c->klass[k], &s);
		add(&c->total, &s);
		c->steps++;
		if ((n->step->op == SUF_open || n->step->op == SUF_input) && last[k] != n->round) {
			last[k] = n->round;
			c->klass[k].rounds++;
		}
	}
	c->total.rounds = (uint32_t)p->nrounds;
}

/* SPDX-License-Identifier: Apache-2.0
 * cost.c -- what a scheduled program costs: sums of suf_step_cost, by class.  A
 * class counts a round when it opens something in it, so rounds of classes may
 * add up to more than the total.
 */
#include <string.h>
#include "ir/text.h"
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
	for (int r = 0; r < SUF_NROLE; r++) {
		row->prg[r] += c->prg[r];
		row->mul_adds[r] += c->mul_adds[r];
	}
	row->client_key += c->client_key;
	row->offline += c->offline;
	row->words += c->words;
}

enum suf_space space_of(const struct prog *p, const struct val *v)
{
	return !v->data ? SUF_WIRE : p->weights == WEIGHTS_PUBLIC ? SUF_PUBLIC : SUF_WEIGHT;
}

const char *weights_label(enum weights_mode m) { return ir_weights_name[m]; }

const char *weights_words(enum weights_mode m)
{
	return m == WEIGHTS_PUBLIC ? "public (everybody knows the weights, nobody but its owner the input)"
	     : m == WEIGHTS_OWNER ? "owner (party 0 knows the weights, party 1 the input)" : "masked (neither party knows weights or input)";
}

/* The step as the runtime sees it, but for places. */
struct suf_step cost_step(const struct prog *p, const struct node *n)
{
	struct suf_step s = *n->step;
	for (int k = 0; k < n->nin; k++)
		s.in[k].space = space_of(p, n->in[k]);
	for (int k = 0; k < n->nout; k++)
		s.out[k].space = SUF_WIRE;
	return s;
}

static uint64_t elements(const struct val *v)
{
	return (uint64_t)ir_count(v) * (v->onehot ? v->onehot : 1);
}

/* Weights, inputs and outputs at a party; a weight's slot is its number by first use. */
static uint64_t border_bytes(const struct prog *p)
{
	uint64_t n = 0, seen = 0;
	for (int k = 0; k < p->nin; k++)
		n += elements(p->in[k]);
	for (int k = 0; k < p->nout; k++)
		n += elements(p->out[k]);
	for (const struct node *at = p->first; at; at = at->next)
		for (int k = 0; k < at->nin; k++)
			if (at->in[k]->data && at->in[k]->slot == seen) {
				n += elements(at->in[k]);
				seen++;
			}
	return n * sizeof(uint64_t);
}

void prog_cost(const struct prog *p, struct cost *c)
{
	const uint8_t output_to = (uint8_t)(p->opt ? p->opt->output_to : 1);
	struct suf_plan plan = { .wire_bytes = p->wire_elems * sizeof(uint64_t), .border_bytes = border_bytes(p) };
	int last[8], round = 0;                  /* last: of a class, the round that it was counted in */
	memset(c, 0, sizeof *c);
	memset(last, -1, sizeof last);
	c->total.klass = "total";
	for (const struct node *n = p->first; n; n = n->next) {
		if (n->op != OP_step)
			BUG("the cost of a program that is not scheduled");
		for (; round < n->round; round++)
			suf_plan_round(&plan);
		struct suf_step step = cost_step(p, n);
		struct suf_cost s = suf_step_cost(&step, output_to);
		int k = class_of(c, n->klass ? n->klass : "other");
		suf_plan_step(&plan, &step, output_to);
		add(&c->klass[k], &s);
		if ((step.op == SUF_open || step.op == SUF_input) && last[k] != n->round) {
			last[k] = n->round;
			c->klass[k].rounds++;
		}
	}
	suf_plan_round(&plan);
	add(&c->total, &plan.total);
	c->steps = plan.steps;
	c->total.rounds = (uint32_t)p->nrounds;
	c->peak[0] = c->peak[1] = suf_plan_peak(&plan);
}

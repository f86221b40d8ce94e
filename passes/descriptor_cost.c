/* SPDX-License-Identifier: Apache-2.0
 * descriptor_cost.c -- what a descriptor's gate takes: the costs of its steps (steps.def), in a program of its own.
 */
#include <math.h>
#include <stdlib.h>
#include "passes/descriptor.h"
#include "passes/passes.h"
#include "run.h"

enum { COUNT = 8192 };           /* elements: whole bytes, and both parties alike */
enum { ONLINE = 8, ADDS = 8 };   /* a byte online is worth so many of key; so many additions one; an AES block is worth one */

/* One operation on COUNT elements, at stage SCHED; false: the ring is too small. */
static bool
expanded(struct prog *p, const struct descriptor *d, unsigned n)
{
	const int64_t dim = COUNT;
	struct type in = { .sec = SEC_SECRET, .bits = (uint8_t)n, .frac = (uint8_t)d->in }, out = { .sec = SEC_SECRET, .bits = (uint8_t)n, .frac = (uint8_t)d->out };
	struct val *x = ir_val(p, "x", DT_F32, in, 1, &dim), *y = ir_val(p, "y", DT_F32, out, 1, &dim);
	ir_add_input(p, x);
	struct node *act = ir_node(p, NULL, OP_act, NULL, 1, &x, 1, &y);
	act->desc = d;
	act->gate = gate_find("suf", OP_act);
	act->klass = act->gate->klass;
	ir_set_int(p, act, ATTR_shift, (int64_t)d->in - (int64_t)d->out);
	ir_add_output(p, y);
	p->stage = STAGE_GATE;
	return pass_expand(p) && pass_schedule(p);
}

static void
add_steps(const struct prog *p, struct desc_cost *c)
{
	for (const struct node *n = p->first; n; n = n->next) {
		if (n->step->op == SUF_input || n->step->op == SUF_output)
			continue;
		const struct suf_step s = cost_step(p, n);
		const struct suf_cost k = suf_step_cost(&s, 1);
		c->key += (double)(k.key[0] + k.key[1]) / 2 / COUNT;
		c->sent += (double)(k.sent[0] + k.sent[1]) / 2 / COUNT;
		c->aes += (double)k.prg[SUF_P0] / COUNT;
		c->adds += (double)k.mul_adds[SUF_P0] / COUNT;
	}
	c->rounds = p->nrounds - 1;          /* the first one brings the input */
	c->total = c->key + ONLINE * 2 * c->sent + c->aes + c->adds / ADDS;
}

struct desc_cost
descriptor_cost(const struct descriptor *d, unsigned n)
{
	struct desc_cost c = { .total = INFINITY };
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	if (!to)
		arena_out_of_memory(sizeof *to);
	struct diag *diag = diag_new(to, false);
	struct prog *p = ir_new("cost", NULL, diag);
	if (expanded(p, d, n))
		add_steps(p, &c);
	ir_free(p);
	diag_free(diag);
	fclose(to);
	free(text);
	return c;
}

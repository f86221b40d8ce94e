/* SPDX-License-Identifier: Apache-2.0
 * plan.c -- what a run takes: the sums of its steps' costs and the sizes of its buffers. */
#include "run.h"
#include "session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Beside what a step says of itself, the dealer needs room for a weight's mask in local steps. */
static uint64_t
step_scratch(const struct suf_step *s)
{
	const struct step_impl *im = suf_step_impl[s->op];
	uint64_t elems = 0;
	if (!im->local)
		return im->scratch ? im->scratch(s) : 0;
	for (int k = 0; k < suf_step_desc[s->op].nin; k++)
		if (ref_is_weight(s->in[k]))
			elems = most(elems, suf_operand_count(s, k));
	return elems * 8;
}

/* Key material of one block, packed or as correction words of trees. */
static uint64_t
step_block(const struct suf_step *s)
{
	uint64_t bytes = SUF_BLOCK * 8;
	for (enum suf_part part = 0; part < SUF_NPART; part++)
		if (suf_part_desc[part].step == s->op && suf_part_count(part, s))
			bytes = most(bytes, suf_part_desc[part].kind == KIND_DPF ? dpf_key_bytes(suf_part_bits(part, s), SUF_BLOCK)
			                    : (uint64_t)SUF_BLOCK / 8 * suf_part_bits(part, s));
	return bytes;
}

void
suf_plan_step(struct suf_plan *plan, const struct suf_step *s, uint8_t output_to)
{
	struct suf_cost c = suf_step_cost(s, output_to);
	suf_cost_add(&plan->total, &c);
	for (int p = 0; p < 2; p++)
		plan->round_sent[p] += c.sent[p];
	plan->scratch_bytes = most(plan->scratch_bytes, step_scratch(s));
	plan->key_bytes = most(plan->key_bytes, step_block(s));
	plan->narrow |= s->op == SUF_open && s->s > 0;
	for (int k = 0; plan->read && k < SUF_MAX_IN; k++)
		if (ref_is_weight(s->in[k]))
			plan->read[s->in[k].at] |= suf_operand_owned(s, k) ? PLAN_OWNED : PLAN_MASKED;
	plan->steps++;
}

void
suf_plan_round(struct suf_plan *plan)
{
	plan->msg_bytes = most(plan->msg_bytes, most(plan->round_sent[0], plan->round_sent[1]));
	plan->round_sent[0] = plan->round_sent[1] = 0;
	plan->rounds++;
}

uint64_t
suf_plan_peak(const struct suf_plan *plan)
{
	return plan->border_bytes + plan->wire_bytes + plan->scratch_bytes + 2 * plan->msg_bytes + plan->key_bytes + plan->total.offline;
}

static uint64_t
tensor_bytes(const struct suf_tensor *t, uint32_t n)
{
	uint64_t elems = 0;
	for (uint32_t k = 0; k < n; k++)
		elems += wire_elems(&t[k]);
	return elems * 8;
}

enum suf_err
suf_plan_reads(const struct suf_program *prog, uint8_t *read)
{
	struct suf_run *r = calloc(1, sizeof *r);
	if (!r)
		return SUF_ENOMEM;
	r->prog = prog;
	r->mode = RUN_PLAN;
	r->plan.read = read;
	const enum suf_err e = prog->body(r);
	free(r);
	return e;
}

enum suf_err
suf_plan(const struct suf_program *prog, struct suf_plan *plan, char *err)
{
	struct suf_run *r = malloc(sizeof *r);
	if (!r)
		return SUF_ENOMEM;
	enum suf_err e = run_init(r, prog, RUN_PLAN);
	if (e)
		snprintf(err, 256, "%s", r->errmsg);
	*plan = r->plan;
	plan->border_bytes = tensor_bytes(prog->weight, prog->nweight) + tensor_bytes(prog->input, prog->ninput) + tensor_bytes(prog->output, prog->noutput);
	run_done(r);
	free(r);
	return e;
}

/* SPDX-License-Identifier: Apache-2.0
 * run.c -- the engine of a run: operands, pads, dispatch of steps.  Key
 * material is in corr.c, rounds and messages are in round.c.
 *
 * Security: every correction word is v - u with u a pad of the other party
 * from its own stream (step id, part, element); every opened share carries its
 * own full-width pad (step id, output, element).  Streams never meet, because
 * step ids are unique in a program and seeds are unique in a session.
 */
#include "run.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG_PAD = 0x100 };

const struct step_impl *const suf_step_impl[SUF_NSTEP] = {
#define STEP(name, nin, nout, form, doc) [SUF_##name] = &step_##name,
#include "steps.def"
};

enum suf_err
run_fail(struct suf_run *r, enum suf_err err, const char *fmt, ...)
{
	if (r->err == SUF_OK) {
		va_list ap;
		va_start(ap, fmt);
		vsnprintf(r->errmsg, sizeof r->errmsg, fmt, ap);
		va_end(ap);
		r->err = err;
	}
	return r->err;
}

/* ---- operands -------------------------------------------------------------- */

uint64_t *run_wire(struct suf_run *r, struct suf_ref ref) { return r->wire + ref.at; }
uint64_t *run_mask(struct suf_run *r, struct suf_ref ref) { return r->mask + ref.at; }
uint64_t *run_share0(struct suf_run *r, struct suf_ref ref) { return r->share0 + ref.at; }
const uint64_t *run_weight(struct suf_run *r, struct suf_ref ref) { return r->weight[ref.at]; }
const uint64_t *run_owned(struct suf_run *r, struct suf_ref ref) { return r->mode == RUN_PARTY && r->party == 0 ? r->owned[ref.at] : r->weight[ref.at]; }

void
run_stream(struct suf_run *r, const struct prg_stream_key *key, uint32_t id, uint32_t tag,
           uint64_t first, size_t count, unsigned bits, uint64_t *out)
{
	prg_stream(r->isa, key, id, tag, first, count, bits, out);
	r->aes_calls += prg_blocks(first, count);
}

/* a += b mod 2^bits */
static void
add_to(uint64_t *a, const uint64_t *b, size_t count, unsigned bits)
{
	const uint64_t m = ring_mask(bits);
	for (size_t i = 0; i < count; i++)
		a[i] = (a[i] + b[i]) & m;
}

void
run_weight_mask(struct suf_run *r, struct suf_ref ref, uint64_t first, size_t count, unsigned bits, uint64_t *out)
{
	uint64_t other[SUF_BLOCK];
	uint32_t id = (uint32_t)ref.at + 1;
	if (ref.space == SUF_PUBLIC) {
		memset(out, 0, count * sizeof *out);
		return;
	}
	if (r->mode == RUN_PARTY) {
		run_stream(r, &r->model[r->party], id, 0, first, count, bits, out);
		return;
	}
	for (size_t at = 0; at < count; at += SUF_BLOCK) {
		size_t k = count - at < SUF_BLOCK ? count - at : SUF_BLOCK;
		run_stream(r, &r->model[0], id, 0, first + at, k, bits, out + at);
		run_stream(r, &r->model[1], id, 0, first + at, k, bits, other);
		add_to(out + at, other, k, bits);
	}
}

void
sim_weight_mask(struct suf_run *r, struct suf_ref ref, int party, size_t count, unsigned bits, uint64_t *share)
{
	if (ref.space == SUF_PUBLIC)
		memset(share, 0, count * sizeof *share);
	else
		prg_stream(r->isa, &r->model[party], (uint32_t)ref.at + 1, 0, 0, count, bits, share);
}

void *
run_scratch(struct suf_run *r, size_t bytes)
{
	if (bytes > r->plan.scratch_bytes) {
		run_fail(r, SUF_ENOMEM, "a step asks for %zu bytes of scratch, %llu were planned", bytes, (unsigned long long)r->plan.scratch_bytes);
		return NULL;
	}
	return r->scratch;
}

/* ---- pads -------------------------------------------------------------------- */

void
party_pad(struct suf_run *r, int party, uint32_t id, int output, uint64_t first, size_t count, unsigned bits, uint64_t *pad)
{
	run_stream(r, &r->seed[party], id, TAG_PAD + (uint32_t)output, first, count, bits, pad);
}

void
eval_pad(struct suf_run *r, const struct suf_step *s, int output, uint64_t first, size_t count, unsigned bits, uint64_t *v)
{
	uint64_t pad[SUF_BLOCK];
	for (size_t at = 0; at < count; at += SUF_BLOCK) {
		size_t k = count - at < SUF_BLOCK ? count - at : SUF_BLOCK;
		party_pad(r, r->party, s->id, output, first + at, k, bits, pad);
		add_to(v + at, pad, k, bits);
	}
}

void
deal_pad(struct suf_run *r, const struct suf_step *s, int output, uint64_t first, size_t count, unsigned bits, uint64_t *mask)
{
	uint64_t pad[SUF_BLOCK];
	for (size_t at = 0; at < count; at += SUF_BLOCK) {
		size_t k = count - at < SUF_BLOCK ? count - at : SUF_BLOCK;
		party_pad(r, 0, s->id, output, first + at, k, bits, mask + at);
		party_pad(r, 1, s->id, output, first + at, k, bits, pad);
		add_to(mask + at, pad, k, bits);
	}
}

/* ---- local steps ---------------------------------------------------------------- */

/* The mask array of operand k: of a wire, or made for a weight. */
static const uint64_t *
local_mask(struct suf_run *r, const struct suf_step *s, int k)
{
	struct suf_ref ref = s->in[k];
	if (!ref_is_weight(ref))
		return ref.space == SUF_NONE ? NULL : run_mask(r, ref);
	uint64_t count = suf_operand_count(s, k);
	uint64_t *m = run_scratch(r, (size_t)count * 8);
	if (m)
		run_weight_mask(r, ref, 0, (size_t)count, s->n, m);
	return m;
}

static const uint64_t *
local_value(struct suf_run *r, struct suf_ref ref)
{
	return ref.space == SUF_NONE ? NULL : ref_is_weight(ref) ? run_weight(r, ref) : run_wire(r, ref);
}

static enum suf_err
run_local(struct suf_run *r, const struct suf_step *s)
{
	const struct step_impl *im = suf_step_impl[s->op];
	if (r->mode != RUN_DEAL)
		im->local(s, !s->shared || r->mode == RUN_SIM || r->party == 0,
		          local_value(r, s->in[0]), local_value(r, s->in[1]), run_wire(r, s->out[0]));
	if (r->mode == RUN_SIM && s->shared)
		im->local(s, true, run_share0(r, s->in[0]), s->in[1].space == SUF_WIRE ? run_share0(r, s->in[1]) : NULL,
		          run_share0(r, s->out[0]));
	if (r->mode != RUN_PARTY) {
		const uint64_t *a = local_mask(r, s, 0), *b = local_mask(r, s, 1);
		if (r->err)
			return r->err;
		im->local(s, false, a, b, run_mask(r, s->out[0]));
	}
	return SUF_OK;
}

/* ---- one step ---------------------------------------------------------------------- */

static struct run_class *
find_class(struct suf_run *r, const char *name)
{
	const uint32_t max = sizeof r->klass / sizeof r->klass[0];
	for (uint32_t i = 0; i < r->nklass; i++)
		if (strcmp(r->klass[i].name, name) == 0)
			return &r->klass[i];
	if (r->nklass == max)
		return &r->klass[max - 1];
	r->klass[r->nklass].name = name;
	return &r->klass[r->nklass++];
}

struct run_class *
run_class(struct suf_run *r, const struct suf_step *s)
{
	return find_class(r, s->klass ? s->klass : "other");
}

double
run_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The key position after a step must be what steps.def says. */
static enum suf_err
check_cursor(struct suf_run *r, const struct suf_step *s, const uint64_t before[2], const uint64_t after[2])
{
	struct suf_cost c = suf_step_cost(s, r->prog->output_to);
	int from = r->mode == RUN_PARTY ? r->party : 0, to = r->mode == RUN_PARTY ? r->party : 1;
	if (s->op == SUF_output && r->outside_client)
		return SUF_OK;
	for (int p = from; p <= to; p++)
		if (after[p] - before[p] != c.key[p])
			return run_fail(r, SUF_EPROTO, "step %u (%s): key part of party %d is %llu bytes, its description says %llu",
			                s->id, suf_step_desc[s->op].name, p, (unsigned long long)(after[p] - before[p]),
			                (unsigned long long)c.key[p]);
	return SUF_OK;
}

static void
key_position(const struct suf_run *r, uint64_t at[2])
{
	for (int p = 0; p < 2; p++)
		at[p] = r->mode == RUN_DEAL ? suf_sink_bytes(r->sink[p])
		      : r->mode == RUN_PARTY && p == r->party ? suf_source_bytes(r->key) : 0;
}

/* What party 1 does not do now: online, its part of offline steps, but for taking their openings; in advance, everything else. */
static bool
not_now(const struct suf_run *r, const struct suf_step *s)
{
	if (r->mode != RUN_PARTY || r->party != 1)
		return false;
	return r->in_advance ? !s->offline : s->offline && s->op != SUF_open;
}

enum suf_err
suf_step(struct suf_run *r, const struct suf_step *s)
{
	const struct step_impl *im = suf_step_impl[s->op];
	if (r->err)
		return r->err;
	if (r->mode == RUN_PLAN) {
		suf_plan_step(&r->plan, s, r->prog->output_to);
		return SUF_OK;
	}
	double t0 = run_now_ms();
	uint64_t before[2], after[2];
	key_position(r, before);
	enum suf_err e = not_now(r, s) ? SUF_OK : im->local ? run_local(r, s)
	               : r->mode == RUN_DEAL ? im->deal(r, s)
	               : r->mode == RUN_PARTY ? im->eval(r, s) : im->sim(r, s);
	if (e)
		return run_fail(r, e, "step %u (%s) failed", s->id, suf_step_desc[s->op].name);
	if (r->in_advance)
		return SUF_OK;
	if (r->mode == RUN_DEAL && run_sinks_flush(r, 1)) /* what a step needs is not kept back while the next one is dealt */
		return r->err;
	key_position(r, after);
	if (r->mode != RUN_SIM && check_cursor(r, s, before, after))
		return r->err;
	struct run_class *k = run_class(r, s);
	k->ms += run_now_ms() - t0;
	k->key += after[r->party] - before[r->party];
	if (r->trace && s->op != SUF_open)
		r->trace(r->trace_arg, r, s);
	return SUF_OK;
}

/* ---- set-up ------------------------------------------------------------------------- */

enum suf_err
run_init(struct suf_run *r, const struct suf_program *prog, enum run_mode mode)
{
	memset(r, 0, sizeof *r);
	r->prog = prog;
	r->isa = suf_cpu_best();
	r->mode = RUN_PLAN;
	r->plan.wire_bytes = prog->wire_elems * 8;
	enum suf_err e = prog->body(r);
	if (e)
		return e;
	r->mode = mode;
	r->rounds = 0;
	return SUF_OK;
}

/* Zeroed, 64-byte aligned. */
static void *
buffer(struct suf_run *r, uint64_t bytes)
{
	uint64_t size = (bytes + 64) / 64 * 64;
	void *p = aligned_alloc(64, (size_t)size);
	if (!p)
		run_fail(r, SUF_ENOMEM, "no memory for a buffer of %llu bytes", (unsigned long long)size);
	else
		memset(p, 0, (size_t)size);
	return p;
}

enum suf_err
run_start(struct suf_run *r)
{
	const uint64_t wires = r->plan.wire_bytes;
	if (r->mode != RUN_DEAL)
		r->wire = buffer(r, wires);
	if (r->mode != RUN_PARTY)
		r->mask = buffer(r, wires);
	if (r->mode == RUN_SIM)
		r->share0 = buffer(r, wires);
	if (r->mode == RUN_PARTY) {
		r->msg_out = buffer(r, r->plan.msg_bytes);
		r->msg_in = buffer(r, r->plan.msg_bytes);
		r->ahead = r->plan.total.offline ? buffer(r, r->plan.total.offline) : NULL;
	}
	r->scratch = buffer(r, r->plan.scratch_bytes);
	r->key_buf = buffer(r, r->plan.key_bytes);
	return r->err || run_ahead(r) ? r->err : r->prog->body(r);
}

static void
drop(void *p, uint64_t bytes)
{
	if (p)
		prg_wipe(p, (size_t)bytes);
	free(p);
}

/* Steps keep masks and shares of a block on the stack: wipe where they were. */
static __attribute__((noinline)) void
wipe_stack(void)
{
	uint8_t depth[128 * 1024]; /* more than any step and the functions that it calls */
	prg_wipe(depth, sizeof depth);
}

void
run_done(struct suf_run *r)
{
	wipe_stack();
	const uint64_t wires = r->plan.wire_bytes;
	drop(r->wire, wires);
	drop(r->mask, wires);
	drop(r->share0, wires);
	drop(r->ahead, r->plan.total.offline);
	drop(r->msg_out, r->plan.msg_bytes);
	drop(r->msg_in, r->plan.msg_bytes);
	drop(r->scratch, r->plan.scratch_bytes);
	drop(r->key_buf, r->plan.key_bytes);
	free(r->open);
	prg_wipe(r->seed, sizeof r->seed);
	prg_wipe(r->model, sizeof r->model);
	prg_wipe(&r->client, sizeof r->client);
	r->wire = r->mask = r->share0 = NULL;
	r->ahead = r->msg_out = r->msg_in = r->key_buf = NULL;
	r->scratch = NULL;
	r->open = NULL;
}

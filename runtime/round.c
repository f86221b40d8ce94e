/* SPDX-License-Identifier: Apache-2.0
 * round.c -- rounds: the steps open, input and output, and the one message
 * that a round exchanges.
 *
 * A message is the concatenation of the round's openings (and inputs) in
 * program order, each bit-packed to its ring width and padded to a byte.
 * Nothing is sent that is not reduced to its width.
 *
 * What is opened: shares that carry a pad of their own of full width
 * (steps.def, PADS); a narrow opening sends only the top bits of such a share.
 * What hides it: the sender's pad.
 */
#include "run.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- queueing ------------------------------------------------------------- */

static enum suf_err
queue(struct suf_run *r, const struct suf_step *s)
{
	if (r->nopen == r->open_cap) {
		uint32_t cap = r->open_cap ? 2 * r->open_cap : 64;
		struct suf_step *p = realloc(r->open, cap * sizeof *p);
		if (!p)
			return run_fail(r, SUF_ENOMEM, "no memory for %u openings", cap);
		r->open = p;
		r->open_cap = cap;
	}
	r->open[r->nopen++] = *s;
	return SUF_OK;
}

void
open_top(const struct suf_step *s, int party, size_t count, const uint64_t *z, uint64_t *top)
{
	const bool rounds = s->round_half && party == 0 && s->s;
	const unsigned drop = s->s;
	const uint64_t half = rounds ? 1ull << (drop - 1) : 0, keep = (rounds ? ring_mask(s->n) >> drop : ~0ull) & ring_mask(s->m);
	for (size_t i = 0; i < count; i++)
		top[i] = (z[i] + half) >> drop & keep;
}

/* mask of a narrow opening: rule 1 (rounded): r >> s; otherwise both parties'
 * pads lose their low bits separately and their tops are mask shares. */
static void
open_mask(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *mask = run_mask(r, s->out[0]);
	const uint64_t keep = ring_mask(s->m), count = s->count;
	const unsigned drop = s->s;
	if (drop == 0)
		return;
	if (s->round_half) {
		for (uint64_t i = 0; i < count; i++)
			mask[i] = (mask[i] >> drop) & keep;
		return;
	}
	uint64_t pad[2][SUF_BLOCK];
	for (uint64_t at = 0; at < count; at += SUF_BLOCK) {
		size_t k = count - at < SUF_BLOCK ? (size_t)(count - at) : SUF_BLOCK;
		for (int p = 0; p < 2; p++)
			party_pad(r, p, s->pad_a, 0, at, k, s->n, pad[p]);
		for (size_t i = 0; i < k; i++)
			mask[at + i] = ((pad[0][i] >> drop) + (pad[1][i] >> drop)) & keep;
	}
}

static enum suf_err open_deal(struct suf_run *r, const struct suf_step *s) { open_mask(r, s); return SUF_OK; }
static enum suf_err open_eval(struct suf_run *r, const struct suf_step *s) { return r->in_advance ? ahead_put(r, s) : queue(r, s); }

static enum suf_err
open_sim(struct suf_run *r, const struct suf_step *s)
{
	if (s->s) { /* the rounding depends on the shares: replay them */
		uint64_t *x = run_wire(r, s->in[0]), *z0 = run_share0(r, s->in[0]);
		const uint64_t *m = run_mask(r, s->in[0]);
		const uint64_t ring = ring_mask(s->n), keep = ring_mask(s->m), count = s->count;
		uint64_t z1[SUF_BLOCK], top[SUF_BLOCK];
		for (uint64_t at = 0; at < count; at += SUF_BLOCK) {
			const size_t k = count - at < SUF_BLOCK ? (size_t)(count - at) : SUF_BLOCK;
			for (size_t i = 0; i < k; i++)
				z1[i] = (x[at + i] + m[at + i] - z0[at + i]) & ring;
			open_top(s, 0, k, z0 + at, top);
			open_top(s, 1, k, z1, z1);
			for (size_t i = 0; i < k; i++)
				x[at + i] = top[i] + z1[i];
		}
		open_mask(r, s);
		for (uint64_t i = 0; i < count; i++)
			x[i] = (x[i] - m[i]) & keep;
	}
	if (r->trace)
		return queue(r, s);
	return SUF_OK;
}

static enum suf_err
input_deal(struct suf_run *r, const struct suf_step *s)
{
	prg_stream(r->isa, &r->client, s->id, RUN_TAG_INPUT, 0, s->count, s->m, run_mask(r, s->out[0]));
	r->aes_calls += prg_blocks(0, s->count);
	return SUF_OK;
}

static int
tensor_index(const struct suf_tensor *t, uint32_t n, uint32_t step)
{
	for (uint32_t i = 0; i < n; i++)
		if (t[i].step == step)
			return (int)i;
	return -1;
}

static enum suf_err
input_value(struct suf_run *r, const struct suf_step *s)
{
	int k = tensor_index(r->prog->input, r->prog->ninput, s->id);
	if (k < 0 || !r->input || !r->input[k])
		return run_fail(r, SUF_EUSAGE, "no value was given for the input of step %u", s->id);
	uint64_t *x = run_wire(r, s->out[0]);
	const uint64_t *given = r->input[k], keep = ring_mask(s->m), count = s->count;
	for (uint64_t i = 0; i < count; i++)
		x[i] = given[i] & keep;
	return SUF_OK;
}

static enum suf_err
input_eval(struct suf_run *r, const struct suf_step *s)
{
	if (r->input_masked)
		return input_value(r, s);
	if (r->has_client) {
		if (input_value(r, s))
			return r->err;
		uint64_t pad[SUF_BLOCK], *x = run_wire(r, s->out[0]);
		for (uint64_t at = 0; at < s->count; at += SUF_BLOCK) {
			size_t k = s->count - at < SUF_BLOCK ? (size_t)(s->count - at) : SUF_BLOCK;
			prg_stream(r->isa, &r->client, s->id, RUN_TAG_INPUT, at, k, s->m, pad);
			for (size_t i = 0; i < k; i++)
				x[at + i] = (x[at + i] + pad[i]) & ring_mask(s->m);
		}
		r->aes_calls += prg_blocks(0, s->count);
	}
	return queue(r, s);
}

static enum suf_err
input_sim(struct suf_run *r, const struct suf_step *s)
{
	enum suf_err e = input_value(r, s);
	return e ? e : input_deal(r, s);
}

/* ---- output ------------------------------------------------------------------ */

static enum suf_err
output_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *mask = run_mask(r, s->in[0]);
	uint8_t *buf = r->key_buf;
	for (uint64_t at = 0; at < s->count; at += SUF_BLOCK) {
		size_t k = s->count - at < SUF_BLOCK ? (size_t)(s->count - at) : SUF_BLOCK;
		pack_bits(r->isa, buf, mask + at, k, s->n);
		size_t bytes = (k * s->n + 7) / 8;
		for (int p = 0; p < 3; p++) {
			bool wants = p == 2 ? r->outside_client
			           : !r->outside_client && (r->prog->output_to == p || r->prog->output_to == 2);
			struct suf_sink *to = p == 2 ? r->client_sink : r->sink[p];
			if (wants && suf_sink_write(to, buf, bytes))
				return run_fail(r, SUF_EIO, "%s", suf_sink_error(to));
		}
	}
	return SUF_OK;
}

static enum suf_err
output_eval(struct suf_run *r, const struct suf_step *s)
{
	int k = tensor_index(r->prog->output, r->prog->noutput, s->id);
	const uint64_t *x = run_wire(r, s->in[0]);
	const bool receives = r->prog->output_to == r->party || r->prog->output_to == 2;
	uint64_t *to = k >= 0 && r->output ? r->output[k] : NULL;
	if (r->outside_client) {
		for (uint64_t i = 0; to && i < s->count; i++)
			to[i] = x[i];
		return SUF_OK;
	}
	if (!receives)
		return SUF_OK;
	uint64_t mask[SUF_BLOCK];
	for (uint64_t at = 0; at < s->count; at += SUF_BLOCK) {
		size_t n = s->count - at < SUF_BLOCK ? (size_t)(s->count - at) : SUF_BLOCK;
		if (suf_source_read(r->key, r->key_buf, (n * s->n + 7) / 8))
			return run_fail(r, SUF_EPROTO, "%s", suf_source_error(r->key));
		unpack_bits(r->isa, mask, r->key_buf, n, s->n);
		for (size_t i = 0; to && i < n; i++)
			to[at + i] = (x[at + i] - mask[i]) & ring_mask(s->n);
	}
	return SUF_OK;
}

static enum suf_err
output_sim(struct suf_run *r, const struct suf_step *s)
{
	int k = tensor_index(r->prog->output, r->prog->noutput, s->id);
	const uint64_t *x = run_wire(r, s->in[0]);
	for (uint64_t i = 0; k >= 0 && r->output && i < s->count; i++)
		r->output[k][i] = x[i] & ring_mask(s->n);
	return SUF_OK;
}

const struct step_impl step_open = { .deal = open_deal, .eval = open_eval, .sim = open_sim };
const struct step_impl step_input = { .deal = input_deal, .eval = input_eval, .sim = input_sim };
const struct step_impl step_output = { .deal = output_deal, .eval = output_eval, .sim = output_sim };

/* ---- the exchange ------------------------------------------------------------- */

/* Does `party` send for this step, online? */
static bool
sends(const struct suf_step *s, int party)
{
	return party == 0 ? s->op == SUF_open && !s->one_way : !s->offline;
}

static size_t
put_message(struct suf_run *r)
{
	uint8_t *at = r->msg_out;
	uint64_t block[SUF_BLOCK];
	for (uint32_t k = 0; k < r->nopen; k++) {
		const struct suf_step *s = &r->open[k];
		if (!sends(s, r->party))
			continue;
		const uint64_t *z = run_wire(r, s->out[0]);
		for (uint64_t i = 0; i < s->count; i += SUF_BLOCK) {
			size_t n = s->count - i < SUF_BLOCK ? (size_t)(s->count - i) : SUF_BLOCK;
			const uint64_t *top = s->op == SUF_open ? block : z + i;
			if (s->op == SUF_open)
				open_top(s, r->party, n, z + i, block);
			pack_bits(r->isa, at, top, n, s->m);
			at += (n * s->m + 7) / 8;
		}
	}
	return (size_t)(at - r->msg_out);
}

static size_t
peer_message_bytes(const struct suf_run *r)
{
	size_t bytes = 0;
	for (uint32_t k = 0; k < r->nopen; k++)
		if (sends(&r->open[k], 1 - r->party))
			bytes += (size_t)((r->open[k].count * r->open[k].m + 7) / 8);
	return bytes;
}

/* A block of an opening, from the other's part and the own one; of both, party 1's was made before if the opening is offline. */
static void
open_block(struct suf_run *r, const struct suf_step *s, size_t n, uint64_t *z, uint64_t *theirs)
{
	const uint64_t keep = ring_mask(s->m);
	uint64_t own[SUF_BLOCK];
	if (s->offline)
		ahead_get(r, s, n, r->party == 0 ? theirs : own);
	if (!s->offline || r->party == 0)
		open_top(s, r->party, n, z, own);
	for (size_t j = 0; j < n; j++)
		z[j] = (own[j] + theirs[j]) & keep;
}

static void
get_message(struct suf_run *r)
{
	const uint8_t *at = r->msg_in;
	uint64_t theirs[SUF_BLOCK];
	for (uint32_t k = 0; k < r->nopen; k++) {
		const struct suf_step *s = &r->open[k];
		const bool sent = sends(s, 1 - r->party), closed = s->one_way && r->party == 1; /* not for party 1: a share is no value */
		uint64_t *z = run_wire(r, s->out[0]);
		for (uint64_t i = 0; i < s->count && (sent || closed || s->offline); i += SUF_BLOCK) {
			size_t n = s->count - i < SUF_BLOCK ? (size_t)(s->count - i) : SUF_BLOCK;
			if (sent) {
				unpack_bits(r->isa, theirs, at, n, s->m);
				at += (n * s->m + 7) / 8;
			}
			if (s->op == SUF_open && !closed)
				open_block(r, s, n, z + i, theirs);
			else
				memcpy(z + i, closed ? memset(theirs, 0, n * sizeof *theirs) : theirs, n * sizeof *theirs);
		}
	}
}

static void
count_message(struct suf_run *r, double ms)
{
	for (uint32_t k = 0; k < r->nopen; k++) {
		const struct suf_step *s = &r->open[k];
		uint64_t bytes = (s->count * s->m + 7) / 8;
		struct run_class *c = run_class(r, s);
		c->sent += sends(s, r->party) ? bytes : 0;
		c->received += sends(s, 1 - r->party) ? bytes : 0;
		c->ms += ms / r->nopen;
		bool again = false; /* a class counts a round once */
		for (uint32_t j = 0; j < k; j++)
			again |= run_class(r, &r->open[j]) == c;
		c->rounds += !again;
	}
}

static enum suf_err
exchange(struct suf_run *r)
{
	double t0 = run_now_ms();
	size_t out = put_message(r), in = peer_message_bytes(r);
	enum suf_err e = suf_chan_exchange(r->chan, r->msg_out, out, r->msg_in, in);
	if (e)
		return run_fail(r, e, "round %u: %s", r->rounds, suf_chan_error(r->chan));
	get_message(r);
	count_message(r, run_now_ms() - t0);
	return SUF_OK;
}

enum suf_err
suf_round(struct suf_run *r)
{
	if (r->err)
		return r->err;
	if (r->in_advance)
		return ahead_round(r);
	r->rounds++;
	if (r->mode == RUN_PLAN) {
		suf_plan_round(&r->plan);
		return SUF_OK;
	}
	if (r->mode == RUN_PARTY && exchange(r))
		return r->err;
	if (r->trace)
		for (uint32_t k = 0; k < r->nopen; k++)
			r->trace(r->trace_arg, r, &r->open[k]);
	r->nopen = 0;
	return SUF_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * ahead.c -- messages of party 1 that depend on no input: made and sent before the run goes online.
 *
 * With weights of party 0, party 1's share of a linear layer is a function of its seeds and of W_hat (step/owned.h).  So it goes through the
 * program once, does the steps marked `offline` and sends its part of their openings.  Both parties keep these parts, in the order of
 * the program, and take them in that order online.
 *
 * Sent: shares with pads of their own of full width, their top bits where the opening is narrow; as in step open.
 * No step that is done here reads the key, which comes in program order and is read online.
 */
#include "run.h"

enum { MOST_AT_ONCE = 1 << 20 };

enum suf_err
ahead_put(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *z = run_wire(r, s->in[0]);
	uint64_t top[SUF_BLOCK];
	for (uint64_t i = 0; i < s->count; i += SUF_BLOCK) {
		const size_t n = s->count - i < SUF_BLOCK ? (size_t)(s->count - i) : SUF_BLOCK, bytes = (n * s->m + 7) / 8;
		if (r->ahead_at + bytes > r->plan.total.offline)
			return run_fail(r, SUF_EPROTO, "more offline messages than were planned");
		open_top(s, 1, n, z + i, top);
		pack_bits(r->isa, r->ahead + r->ahead_at, top, n, s->m);
		r->ahead_at += bytes;
	}
	return SUF_OK;
}

void
ahead_get(struct suf_run *r, const struct suf_step *s, size_t count, uint64_t *top)
{
	unpack_bits(r->isa, top, r->ahead + r->ahead_at, count, s->m);
	r->ahead_at += (count * s->m + 7) / 8;
}

/* [from, to) of the messages goes from party 1 to party 0. */
static enum suf_err
move(struct suf_run *r, size_t from, size_t to)
{
	const enum suf_err e = r->party == 1 ? suf_chan_exchange(r->chan, r->ahead + from, to - from, NULL, 0)
	                                     : suf_chan_exchange(r->chan, NULL, 0, r->ahead + from, to - from);
	return e ? run_fail(r, e, "offline messages: %s", suf_chan_error(r->chan)) : SUF_OK;
}

enum suf_err
ahead_round(struct suf_run *r)
{
	const enum suf_err e = move(r, r->ahead_sent, r->ahead_at);
	r->ahead_sent = e ? r->ahead_sent : r->ahead_at;
	return e;
}

/* Party 1, in advance. */
static enum suf_err
make(struct suf_run *r)
{
	r->in_advance = true;
	enum suf_err e = r->prog->body(r);
	r->in_advance = false;
	if (!e)
		e = ahead_round(r);
	if (!e && r->ahead_at != r->plan.total.offline)
		e = run_fail(r, SUF_EPROTO, "%zu bytes of offline messages were made, %llu planned", r->ahead_at, (unsigned long long)r->plan.total.offline);
	return e;
}

enum suf_err
run_ahead(struct suf_run *r)
{
	const size_t bytes = (size_t)r->plan.total.offline;
	enum suf_err e = SUF_OK;
	if (r->mode != RUN_PARTY || !bytes)
		return SUF_OK;
	const double start = run_now_ms(), waited = suf_chan_wait_ms(r->chan);
	if (r->party == 1)
		e = make(r);
	while (r->party == 0 && r->ahead_sent < bytes && !e) {
		const size_t to = bytes - r->ahead_sent < MOST_AT_ONCE ? bytes : r->ahead_sent + MOST_AT_ONCE;
		e = move(r, r->ahead_sent, to);
		r->ahead_sent = e ? r->ahead_sent : to;
	}
	r->ahead_at = 0;
	r->offline_ms = run_now_ms() - start;
	r->offline_wait_ms = suf_chan_wait_ms(r->chan) - waited;
	return e;
}

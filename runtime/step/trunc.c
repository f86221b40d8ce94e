/* SPDX-License-Identifier: Apache-2.0
 * trunc.c -- shift right, given the opened borrow bit w = [x_hat mod 2^s < r mod 2^s]
 * (SIGMA, eprint 2023/1269, section 4.2: TR and TrWithSlack).
 *
 *     slack = 0: x >> s = (x_hat >> s) - (r >> s) - w            mod 2^(n-s), any x
 *     slack = 1: |x| < 2^(n-2): the same for x + 2^(n-2), which wrapped iff msb(x_hat + 2^(n-2)) = 0 and msb(r) = 1
 * The bit is public as w_hat = w ^ z; the key holds -(r >> s) - w for both w_hat, shared.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "blocks.h"
#include "kernels/steps.h"

static enum suf_err
trunc_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]), *z = run_mask(r, s->in[1]);
	const uint64_t m = ring_mask(s->m), ring = ring_mask(s->n);
	uint64_t t[2 * SUF_BLOCK], msb[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		for (uint64_t i = 0; i < k; i++) {
			uint64_t rv = rx[at + i] & ring;
			for (uint64_t w_hat = 0; w_hat < 2; w_hat++)
				t[2 * i + w_hat] = (0 - (rv >> s->s) - (w_hat ^ z[at + i])) & m;
			msb[i] = ((rv >> (s->n - 1)) << (s->n - s->s)) & m;
		}
		enum suf_err e = deal_corr(r, s, PART_trunc_t, 2 * at, 2 * k, t);
		if (!e && s->slack)
			e = deal_corr(r, s, PART_trunc_msb, at, k, msb);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
trunc_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *w = run_wire(r, s->in[1]);
	const uint64_t m = ring_mask(s->m), ring = ring_mask(s->n);
	uint64_t *out = run_wire(r, s->out[0]);
	uint64_t t[2 * SUF_BLOCK], msb[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = eval_corr(r, s, PART_trunc_t, 2 * at, 2 * k, t);
		if (!e && s->slack)
			e = eval_corr(r, s, PART_trunc_msb, at, k, msb);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++) {
			uint64_t xh = x[at + i] & ring, tw = t[2 * i + w[at + i]]; /* w is public */
			out[at + i] = (s->slack ? suf_trunc_slack_eval(r->party, s->n, s->s, xh, tw, msb[i])
			                        : suf_trunc_eval(r->party, s->s, xh, tw)) & m;
		}
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

static enum suf_err
trunc_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), *w = run_wire(r, s->in[1]);
	const uint64_t ring = ring_mask(s->n);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t rv = rx[i] & ring, xh = (x[i] + rv) & ring, t = 0 - (rv >> s->s) - w[i];
		uint64_t msb = (rv >> (s->n - 1)) << (s->n - s->s);
		out[i] = (s->slack ? suf_trunc_slack_eval(1, s->n, s->s, xh, t, msb) : suf_trunc_eval(1, s->s, xh, t)) & ring_mask(s->m);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_trunc = { .deal = trunc_deal, .eval = trunc_eval, .sim = trunc_sim };

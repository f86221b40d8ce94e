/* SPDX-License-Identifier: Apache-2.0
 * lt.c -- the borrow bit w = [(x_hat + c) mod 2^b < r mod 2^b] by one point function at
 * r mod 2^b (SIGMA, eprint 2023/1269, section 4.2; Boyle et al., eprint 2020/1392).
 *
 * Opened later: w ^ pad.
 */
#include "dpf_block.h"
#include "kernels/steps.h"

static enum suf_err
lt_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]);
	uint64_t alpha[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		for (uint64_t i = 0; i < k; i++)
			alpha[i] = rx[at + i] & ring_mask(s->b);
		enum suf_err e = deal_dpf(r, s, PART_lt_cw, at, k, alpha);
		if (e)
			return e;
	}
	prg_wipe(alpha, sizeof alpha);
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
lt_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]), y[SUF_BLOCK];
	struct dpf_block d;
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = dpf_block_get(r, s, PART_lt_cw, at, k, &d);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++)
			y[i] = suf_lt_point(s->b, x[at + i], (uint64_t)s->c);
		dpf_less(&d.ctx, r->party, s->b, k, d.root, d.words, y, out + at);
		dpf_block_done(r, &d);
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, 1, out);
	return SUF_OK;
}

static enum suf_err
lt_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), m = ring_mask(s->b);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++)
		out[i] = ((x[i] + rx[i] + (uint64_t)s->c) & m) < (rx[i] & m);
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_lt = { .deal = lt_deal, .eval = lt_eval, .sim = lt_sim };

/* SPDX-License-Identifier: Apache-2.0
 * sext.c -- sign extension n -> m bits, given the opened borrow bit
 * w = [x_hat + 2^(n-1) mod 2^n < r] (SIGMA, eprint 2023/1269, section 4.2).
 *
 *     x = (x_hat + 2^(n-1) mod 2^n) - 2^(n-1) - r + w 2^n
 * The bit is public as w_hat = w ^ z; the key holds -r + w 2^n for both w_hat, shared.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "blocks.h"
#include "kernels/steps.h"

static uint64_t two_n(const struct suf_step *s) { return s->n >= 64 ? 0 : 1ull << s->n; }

static enum suf_err
sext_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]), *z = run_mask(r, s->in[1]);
	uint64_t t[2 * SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		for (uint64_t i = 0; i < k; i++)
			for (uint64_t w_hat = 0; w_hat < 2; w_hat++)
				t[2 * i + w_hat] = ((w_hat ^ z[at + i]) * two_n(s) - (rx[at + i] & ring_mask(s->n))) & ring_mask(s->m);
		enum suf_err e = deal_corr(r, s, PART_sext_t, 2 * at, 2 * k, t);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
sext_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *w = run_wire(r, s->in[1]);
	uint64_t *out = run_wire(r, s->out[0]), t[2 * SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = eval_corr(r, s, PART_sext_t, 2 * at, 2 * k, t);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++)
			out[at + i] = suf_sext_eval(r->party, s->n, x[at + i], t[2 * i + w[at + i]]) & ring_mask(s->m);
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

static enum suf_err
sext_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), *w = run_wire(r, s->in[1]);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t rv = rx[i] & ring_mask(s->n);
		out[i] = suf_sext_eval(1, s->n, x[i] + rv, w[i] * two_n(s) - rv) & ring_mask(s->m);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_sext = { .deal = sext_deal, .eval = sext_eval, .sim = sext_sim };

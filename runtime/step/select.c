/* SPDX-License-Identifier: Apache-2.0
 * select.c -- a masked bit times a masked value (SIGMA, eprint 2023/1269,
 * section 4.3; three words instead of five, since the mask is made of pads).
 *
 * With bit = bit_hat ^ z and x = x_hat - r:
 *     bit_hat = 0:  bit x =  x_hat z - z r
 *     bit_hat = 1:  bit x =  x_hat - x_hat z + (z r - r)
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "blocks.h"
#include "kernels/steps.h"

static enum suf_err
select_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *z = run_mask(r, s->in[0]), *rx = run_mask(r, s->in[1]);
	uint64_t u[2 * SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		for (uint64_t i = 0; i < k; i++) {
			uint64_t zr = z[at + i] * rx[at + i];
			u[2 * i] = (0 - zr) & ring_mask(s->m);
			u[2 * i + 1] = (zr - rx[at + i]) & ring_mask(s->m);
		}
		enum suf_err e = deal_corr(r, s, PART_select_z, at, k, z + at);
		if (!e)
			e = deal_corr(r, s, PART_select_u, 2 * at, 2 * k, u);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
select_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit = run_wire(r, s->in[0]), *x = run_wire(r, s->in[1]);
	uint64_t *out = run_wire(r, s->out[0]), z[SUF_BLOCK], u[2 * SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = eval_corr(r, s, PART_select_z, at, k, z);
		if (!e)
			e = eval_corr(r, s, PART_select_u, 2 * at, 2 * k, u);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++) /* the opened bit is public */
			out[at + i] = suf_select_eval(r->party, bit[at + i], x[at + i], z[i], u[2 * i + bit[at + i]]) & ring_mask(s->m);
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

static enum suf_err
select_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit = run_wire(r, s->in[0]), *x = run_wire(r, s->in[1]);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++)
		out[i] = (0 - bit[i]) & x[i] & ring_mask(s->m);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_select = { .deal = select_deal, .eval = select_eval, .sim = select_sim };

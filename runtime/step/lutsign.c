/* SPDX-License-Identifier: Apache-2.0
 * lutsign.c -- T[x] = U * V from the opened sign bit [U = 1] and the opened V = U * T[x] of
 * step lut (SIGMA, eprint 2023/1269, section 4.4).
 *
 * With bit = bit_hat ^ z and V = V_hat - r:
 *     bit_hat = 0:  U = 2z - 1,  U V = V_hat (2z - 1) - (2z - 1) r
 *     bit_hat = 1:  the negative of that
 */
#include "blocks.h"
#include "kernels/steps.h"

static enum suf_err
lutsign_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *z = run_mask(r, s->in[0]), *rv = run_mask(r, s->in[1]), m = ring_mask(s->m);
	uint64_t v[SUF_BLOCK], vr[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		for (uint64_t i = 0; i < k; i++) {
			v[i] = (2 * z[at + i] - 1) & m;
			vr[i] = v[i] * rv[at + i] & m;
		}
		enum suf_err e = deal_corr(r, s, PART_lutsign_v, at, k, v);
		if (!e)
			e = deal_corr(r, s, PART_lutsign_vr, at, k, vr);
		if (e)
			return e;
	}
	prg_wipe(v, sizeof v);
	prg_wipe(vr, sizeof vr);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
lutsign_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit = run_wire(r, s->in[0]), *value = run_wire(r, s->in[1]);
	uint64_t *out = run_wire(r, s->out[0]), v[SUF_BLOCK], vr[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = eval_corr(r, s, PART_lutsign_v, at, k, v);
		if (!e)
			e = eval_corr(r, s, PART_lutsign_vr, at, k, vr);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++)
			out[at + i] = suf_lutsign_eval(bit[at + i], value[at + i], v[i], vr[i]) & ring_mask(s->m);
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

static enum suf_err
lutsign_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit = run_wire(r, s->in[0]), *value = run_wire(r, s->in[1]);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++)
		out[i] = (2 * bit[i] - 1) * value[i] & ring_mask(s->m);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_lutsign = { .deal = lutsign_deal, .eval = lutsign_eval, .sim = lutsign_sim };

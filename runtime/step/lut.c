/* SPDX-License-Identifier: Apache-2.0
 * lut.c -- table look-up of x mod 2^b: all leaves of a point function at r mod 2^b
 * against the public table, turned by x_hat (SIGMA, eprint 2023/1269, section 4.4).
 *
 * The parties' leaf bits agree everywhere but at r, so with party 1's negated,
 * sum of bits = U = +-1 and sum of bits * T[x_hat - j] = U * T[x].
 * U = u_0 + u_1 mod 4, one of u_0, u_1 odd: [U = 1] is the XOR of the bits ((u_p + 1) >> 1) & 1.
 *
 * Opened later, each under its own pad: [U = 1], and U * T[x]; step lutsign finishes.
 */
#include "dpf_block.h"
#include "kernels/steps.h"

static size_t
lut_scratch(const struct suf_step *s)
{
	return dpf_lut_scratch(s->b);
}

static void
lut_pads(struct suf_run *r, const struct suf_step *s)
{
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	deal_pad(r, s, 1, 0, (size_t)s->count, s->m, run_mask(r, s->out[1]));
}

static enum suf_err
lut_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]);
	uint64_t alpha[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		for (uint64_t i = 0; i < k; i++)
			alpha[i] = rx[at + i] & ring_mask(s->b);
		enum suf_err e = deal_dpf(r, s, PART_lut_cw, at, k, alpha);
		if (e)
			return e;
	}
	prg_wipe(alpha, sizeof alpha);
	lut_pads(r, s);
	return SUF_OK;
}

static enum suf_err
lut_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *sign = run_wire(r, s->out[0]), *value = run_wire(r, s->out[1]), at_x[SUF_BLOCK];
	void *scratch = run_scratch(r, lut_scratch(s));
	struct dpf_block d;
	if (!scratch)
		return r->err;
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = dpf_block_get(r, s, PART_lut_cw, at, k, &d);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++)
			at_x[i] = x[at + i] & ring_mask(s->b);
		dpf_lut(&d.ctx, r->party, s->b, k, d.root, d.words, at_x, s->table->v, sign + at, value + at, scratch);
		dpf_block_done(r, &d);
		for (uint64_t i = 0; i < k; i++) {
			sign[at + i] = suf_lut_sign(sign[at + i]);
			value[at + i] &= ring_mask(s->m);
		}
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, 1, sign);
	eval_pad(r, s, 1, 0, (size_t)s->count, s->m, value);
	return SUF_OK;
}

/* The true sign lies in the seeds of the trees, and lutsign's result does not depend on it: 1 stands for it. */
static enum suf_err
lut_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *sign = run_wire(r, s->out[0]), *value = run_wire(r, s->out[1]);
	for (uint64_t i = 0; i < s->count; i++) {
		sign[i] = 1;
		value[i] = (uint64_t)s->table->v[x[i] & ring_mask(s->b)] & ring_mask(s->m);
	}
	lut_pads(r, s);
	return SUF_OK;
}

const struct step_impl step_lut = { .deal = lut_deal, .eval = lut_eval, .sim = lut_sim, .scratch = lut_scratch };

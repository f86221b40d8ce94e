/* SPDX-License-Identifier: Apache-2.0
 * lin4.c -- icept[j] + slope[j] * x with j = 2 * bit1 + bit0, both bits masked
 * (SIGMA, eprint 2023/1269, section 5: GeLU).
 *
 * The key holds, for e = 2 * bit1_hat + bit0_hat = 0..3, the shares of slope[j] and of
 * icept[j] - slope[j] * r with j = e ^ (2 * z1 + z0): the public bits pick the pair, and
 * the pairs do not show which function it is.
 * table: four intercepts, four slopes.
 */
#include "blocks.h"
#include "kernels/steps.h"

/* t[j] for a secret j < 4: reads all of them. */
static uint64_t
pick(const int64_t t[4], uint64_t j)
{
	uint64_t odd = 0 - (j & 1), high = 0 - (j >> 1);
	uint64_t low_pair = ((uint64_t)t[0] & ~odd) | ((uint64_t)t[1] & odd);
	uint64_t high_pair = ((uint64_t)t[2] & ~odd) | ((uint64_t)t[3] & odd);
	return (low_pair & ~high) | (high_pair & high);
}

static enum suf_err
lin4_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *z0 = run_mask(r, s->in[0]), *z1 = run_mask(r, s->in[1]), *rx = run_mask(r, s->in[2]);
	const uint64_t m = ring_mask(s->m);
	uint64_t icept[4 * SUF_BLOCK], slope[4 * SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		for (uint64_t i = 0; i < 4 * k; i++) {
			uint64_t j = i % 4 ^ (2 * z1[at + i / 4] + z0[at + i / 4]);
			slope[i] = pick(s->table->v + 4, j) & m;
			icept[i] = (pick(s->table->v, j) - slope[i] * rx[at + i / 4]) & m;
		}
		enum suf_err e = deal_corr(r, s, PART_lin4_icept, 4 * at, 4 * k, icept);
		if (!e)
			e = deal_corr(r, s, PART_lin4_slope, 4 * at, 4 * k, slope);
		if (e)
			return e;
	}
	prg_wipe(icept, sizeof icept);
	prg_wipe(slope, sizeof slope);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
lin4_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit0 = run_wire(r, s->in[0]), *bit1 = run_wire(r, s->in[1]), *x = run_wire(r, s->in[2]);
	uint64_t *out = run_wire(r, s->out[0]), icept[4 * SUF_BLOCK], slope[4 * SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = eval_corr(r, s, PART_lin4_icept, 4 * at, 4 * k, icept);
		if (!e)
			e = eval_corr(r, s, PART_lin4_slope, 4 * at, 4 * k, slope);
		if (e)
			return e;
		for (uint64_t i = 0; i < k; i++) {
			uint64_t j = 4 * i + 2 * bit1[at + i] + bit0[at + i]; /* opened bits: public */
			out[at + i] = suf_lin4_eval(x[at + i], slope[j], icept[j]) & ring_mask(s->m);
		}
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

static enum suf_err
lin4_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit0 = run_wire(r, s->in[0]), *bit1 = run_wire(r, s->in[1]), *x = run_wire(r, s->in[2]);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t j = 2 * bit1[i] + bit0[i];
		out[i] = ((uint64_t)s->table->v[j] + (uint64_t)s->table->v[4 + j] * x[i]) & ring_mask(s->m);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_lin4 = { .deal = lin4_deal, .eval = lin4_eval, .sim = lin4_sim };

/* SPDX-License-Identifier: Apache-2.0
 * bitdot.c -- out = sum over k of table[k] * bit_k + c for masked bits [k][elements], in the ring of
 * the output: bit = bit_hat ^ z = bit_hat + (1 - 2 bit_hat) z, and the key holds z shared mod 2^m.
 */
#include "blocks.h"
#include "kernels/steps.h"

static enum suf_err
bitdot_deal(struct suf_run *r, const struct suf_step *s)
{
	enum suf_err e = deal_corr(r, s, PART_bitdot_z, 0, (size_t)s->na, run_mask(r, s->in[0]));
	if (!e)
		deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return e;
}

static enum suf_err
bitdot_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]), z[SUF_BLOCK];
	for (uint64_t i = 0; i < s->count; i++)
		out[i] = (uint64_t)r->party * (uint64_t)s->c;
	FOR_BLOCKS(at, k, s->na) {
		enum suf_err e = eval_corr(r, s, PART_bitdot_z, at, k, z);
		if (e)
			return e;
		uint64_t row = at / s->count, col = at % s->count;
		for (uint64_t i = 0; i < k; i++) {
			out[col] += suf_bitdot_term(r->party, bit[at + i], (uint64_t)s->table->v[row], z[i]);
			if (++col == s->count) {
				col = 0;
				row++;
			}
		}
	}
	for (uint64_t i = 0; i < s->count; i++)
		out[i] &= ring_mask(s->m);
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, out);
	return SUF_OK;
}

/* Party 0's share, on which a narrow opening's rounding depends. */
static enum suf_err
sim_share0(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit = run_wire(r, s->in[0]), *mask = run_mask(r, s->in[0]);
	uint64_t *z0 = run_scratch(r, (size_t)s->na * 8), *out = run_share0(r, s->out[0]), pad[SUF_BLOCK];
	if (!z0)
		return r->err;
	sim_corr(r, s, PART_bitdot_z, 0, s->na, mask, z0);
	FOR_BLOCKS(at, k, s->count) {
		party_pad(r, 0, s->id, 0, at, (size_t)k, s->m, pad);
		for (uint64_t i = 0; i < k; i++) {
			uint64_t sum = pad[i];
			for (uint64_t row = 0, e = at + i; row < s->table->len; row++, e += s->count)
				sum += suf_bitdot_term(0, bit[e] ^ mask[e], (uint64_t)s->table->v[row], z0[e]);
			out[at + i] = sum & ring_mask(s->m);
		}
	}
	return SUF_OK;
}

static enum suf_err
bitdot_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t sum = (uint64_t)s->c;
		for (uint32_t k = 0; k < s->table->len; k++)
			sum += (uint64_t)s->table->v[k] * bit[k * s->count + i];
		out[i] = sum & ring_mask(s->m);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return sim_share0(r, s);
}

static size_t bitdot_scratch(const struct suf_step *s) { return (size_t)s->na * 8; }

const struct step_impl step_bitdot = { bitdot_deal, bitdot_eval, bitdot_sim, NULL, bitdot_scratch };

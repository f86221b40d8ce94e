/* SPDX-License-Identifier: Apache-2.0
 * drelu.c -- bits [x >= t_k], or [x >= t_k] ^ [x >= u_k], for any number of public thresholds
 * from one point function (SIGMA, eprint 2023/1269, section 4.1).
 *
 * x - t is read as a b-bit number, |x - t| < 2^(b-1).  With y = x_hat - t = (x - t) + r,
 *     msb(x - t) = msb(y) ^ msb(-r) ^ carry,   carry = [(-y - 1) mod 2^(b-1) < -r mod 2^(b-1)]
 * so the point is -r mod 2^(b-1), and 1 ^ msb(-r) is shared in the key; it
 * cancels in an output with two thresholds.
 *
 * table: pairs t_k, u_k; u_k = t_k: the single threshold t_k.
 * Opened later: the bits, each under its own pad.
 */
#include "dpf_block.h"
#include "kernels/steps.h"

static uint32_t
outputs(const struct suf_step *s)
{
	return s->table->len / 2;
}

static uint64_t
msb(uint64_t v, unsigned b)
{
	return v >> (b - 1) & 1;
}

static enum suf_err
drelu_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]);
	uint64_t alpha[SUF_BLOCK], high[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->na) {
		for (uint64_t i = 0; i < k; i++) {
			alpha[i] = (0 - rx[at + i]) & ring_mask(s->b - 1u);
			high[i] = 1 ^ msb(0 - rx[at + i], s->b);
		}
		enum suf_err e = deal_dpf(r, s, PART_drelu_cw, at, k, alpha);
		if (!e)
			e = deal_corr(r, s, PART_drelu_msb, at, k, high);
		if (e)
			return e;
	}
	prg_wipe(alpha, sizeof alpha);
	prg_wipe(high, sizeof high);
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	return SUF_OK;
}

/* bit ^= own share of [x >= t], but for the part that the key holds; x_hat in x. */
static void
add_threshold(struct suf_run *r, const struct suf_step *s, struct dpf_block *d, uint64_t t, size_t k, const uint64_t *x, uint64_t *bit)
{
	uint64_t at[SUF_BLOCK], less[SUF_BLOCK];
	for (size_t i = 0; i < k; i++)
		at[i] = suf_drelu_point(s->b, x[i], t);
	dpf_less(&d->ctx, r->party, s->b - 1u, k, d->root, d->words, at, less);
	for (size_t i = 0; i < k; i++)
		bit[i] ^= suf_drelu_bit(r->party, s->b, x[i], t, less[i]);
}

static enum suf_err
drelu_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]), high[SUF_BLOCK];
	struct dpf_block d;
	FOR_BLOCKS(at, k, s->na) {
		enum suf_err e = dpf_block_get(r, s, PART_drelu_cw, at, k, &d);
		if (e)
			return e;
		for (uint32_t j = 0; j < outputs(s); j++) {
			uint64_t *bit = out + j * s->na + at;
			for (uint64_t i = 0; i < k; i++)
				bit[i] = 0;
			add_threshold(r, s, &d, (uint64_t)s->table->v[2 * j], k, x + at, bit);
			if (!suf_threshold_single(s, j))
				add_threshold(r, s, &d, (uint64_t)s->table->v[2 * j + 1], k, x + at, bit);
		}
		dpf_block_done(r, &d);
		e = eval_corr(r, s, PART_drelu_msb, at, k, high); /* only now: it may take the words' place */
		if (e)
			return e;
		for (uint32_t j = 0; j < outputs(s); j++)
			for (uint64_t i = 0; i < k && suf_threshold_single(s, j); i++)
				out[j * s->na + at + i] ^= high[i];
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, 1, out);
	return SUF_OK;
}

static enum suf_err
drelu_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint32_t j = 0; j < outputs(s); j++) {
		uint64_t t = (uint64_t)s->table->v[2 * j], u = (uint64_t)s->table->v[2 * j + 1];
		for (uint64_t i = 0; i < s->na; i++)
			out[j * s->na + i] = msb(x[i] - t, s->b) ^ (suf_threshold_single(s, j) ? 1 : msb(x[i] - u, s->b));
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_drelu = { .deal = drelu_deal, .eval = drelu_eval, .sim = drelu_sim };

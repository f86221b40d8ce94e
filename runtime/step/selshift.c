/* SPDX-License-Identifier: Apache-2.0
 * selshift.c -- a masked bit times a shifted value, d (x >> s) mod 2^m, where x >> s is never opened.
 *
 *     x >> s = X + o      X public, o with the dealer: shift.h
 *     d (x >> s) = d X + d o
 * With d = d_hat ^ z, d = d_hat + (1 - 2 d_hat) z: the word z serves both values of d_hat.  d o (without the top bit of r) is in
 * the key for all values of d_hat and of the opened borrow bit, d msb(r) for both values of d_hat.
 *
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "shift.h"

static enum suf_err
deal_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t count)
{
	const uint64_t *rx = run_mask(r, s->in[0]) + at, *z = run_mask(r, s->in[1]) + at, *zc = s->s ? run_mask(r, s->in[2]) + at : NULL;
	const unsigned ways = shift_ways(s);
	uint64_t o[4 * SUF_BLOCK], top[2 * SUF_BLOCK];
	for (uint64_t i = 0; i < count; i++)
		for (uint64_t d_hat = 0; d_hat < 2; d_hat++) {
			const uint64_t d = 0 - (d_hat ^ z[i]);
			top[2 * i + d_hat] = d & rx[i] >> (s->n - 1) & 1;
			for (unsigned w = 0; w < ways; w++)
				o[ways * (2 * i + d_hat) + w] = d & shift_o(s, rx[i], w, zc ? zc[i] : 0) & ring_mask(s->m);
		}
	enum suf_err e = deal_corr(r, s, PART_selshift_z, at, count, z);
	if (!e)
		e = deal_corr(r, s, PART_selshift_o, 2 * ways * at, 2 * ways * count, o);
	if (!e && s->slack)
		e = deal_corr(r, s, PART_selshift_top, 2 * at, 2 * count, top);
	return e;
}

static enum suf_err
selshift_deal(struct suf_run *r, const struct suf_step *s)
{
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = deal_block(r, s, at, k);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
eval_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t count)
{
	const uint64_t *x = run_wire(r, s->in[0]) + at, *d = run_wire(r, s->in[1]) + at, *c = s->s ? run_wire(r, s->in[2]) + at : NULL;
	const unsigned ways = shift_ways(s);
	uint64_t *out = run_wire(r, s->out[0]) + at, z[SUF_BLOCK], o[4 * SUF_BLOCK], top[2 * SUF_BLOCK];
	enum suf_err e = eval_corr(r, s, PART_selshift_z, at, count, z);
	if (!e)
		e = eval_corr(r, s, PART_selshift_o, 2 * ways * at, 2 * ways * count, o);
	if (!e && s->slack)
		e = eval_corr(r, s, PART_selshift_top, 2 * at, 2 * count, top);
	for (uint64_t i = 0; !e && i < count; i++) { /* the opened bits are public */
		const uint64_t k = 2 * i + d[i];
		uint64_t wraps, X = suf_shift_public(s->n, s->s, s->slack, x[i], &wraps);
		out[i] = suf_selshift_eval(r->party, d[i], X, z[i], o[ways * k + (c ? c[i] : 0)]);
		if (s->slack)
			out[i] += wraps * top[k] << (s->n - s->s);
		out[i] &= ring_mask(s->m);
	}
	return e;
}

static enum suf_err
selshift_eval(struct suf_run *r, const struct suf_step *s)
{
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = eval_block(r, s, at, k);
		if (e)
			return e;
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, run_wire(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
selshift_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), *d = run_wire(r, s->in[1]), *c = s->s ? run_wire(r, s->in[2]) : NULL;
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++)
		out[i] = (0 - d[i]) & shift_sim(s, x[i], rx[i], c ? c[i] : 0) & ring_mask(s->m);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_selshift = { .deal = selshift_deal, .eval = selshift_eval, .sim = selshift_sim };

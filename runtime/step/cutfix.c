/* SPDX-License-Identifier: Apache-2.0
 * cutfix.c -- the bits of step cuts: base ^ c d with the opened borrow c_hat = c ^ zc and the opened change
 * d_hat = d ^ zd, a product of bits as in Beaver's triples:
 *     c d = c_hat d_hat ^ c_hat zd ^ d_hat zc ^ zc zd
 * Shares of zc and zd are the pads of the steps that made c and d (pad_a, pad_b); the key holds zc zd.  base is shared
 * without a mask and never opened.
 *
 * Opened later: the bits, each under its own pad.
 */
#include "blocks.h"
#include "kernels/steps.h"

static enum suf_err
cutfix_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *zc = run_mask(r, s->in[0]), *zd = run_mask(r, s->in[1]);
	uint64_t zz[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->count) {
		uint64_t col = at % s->na;
		for (uint64_t i = 0; i < k; i++, col = col + 1 == s->na ? 0 : col + 1)
			zz[i] = zc[col] & zd[at + i];
		enum suf_err e = deal_corr(r, s, PART_cutfix_zz, at, k, zz);
		if (e)
			return e;
	}
	prg_wipe(zz, sizeof zz);
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	return SUF_OK;
}

/* The shares of zc, one byte each: every output reads them again. */
static size_t
cutfix_scratch(const struct suf_step *s)
{
	return (size_t)s->na;
}

static enum suf_err
cutfix_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *c = run_wire(r, s->in[0]), *d = run_wire(r, s->in[1]), *base = run_wire(r, s->in[2]);
	uint64_t *out = run_wire(r, s->out[0]), zd[SUF_BLOCK], zz[SUF_BLOCK];
	uint8_t *zc = run_scratch(r, cutfix_scratch(s));
	if (!zc)
		return r->err;
	FOR_BLOCKS(at, k, s->na) {
		party_pad(r, r->party, s->pad_a, 0, at, k, 1, zd);
		for (uint64_t i = 0; i < k; i++)
			zc[at + i] = (uint8_t)zd[i];
	}
	FOR_BLOCKS(at, k, s->count) {
		party_pad(r, r->party, s->pad_b, 0, at, k, 1, zd);
		enum suf_err e = eval_corr(r, s, PART_cutfix_zz, at, k, zz);
		if (e)
			return e;
		uint64_t col = at % s->na;
		for (uint64_t i = 0; i < k; i++, col = col + 1 == s->na ? 0 : col + 1)
			out[at + i] = suf_cutfix_eval(r->party, c[col], d[at + i], base[at + i], zc[col], zd[i], zz[i]);
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, 1, out);
	return SUF_OK;
}

static enum suf_err
cutfix_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *c = run_wire(r, s->in[0]), *d = run_wire(r, s->in[1]), *base = run_wire(r, s->in[2]);
	uint64_t *out = run_wire(r, s->out[0]);
	for (uint64_t i = 0, col = 0; i < s->count; i++, col = col + 1 == s->na ? 0 : col + 1)
		out[i] = base[i] ^ (c[col] & d[i]);
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_cutfix = { .deal = cutfix_deal, .eval = cutfix_eval, .sim = cutfix_sim, .scratch = cutfix_scratch };

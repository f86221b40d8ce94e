/* SPDX-License-Identifier: Apache-2.0
 * bitmul.c -- w (c + sum_k table[k] bit_k) for masked w (R = m + s bits) and opened bits [k][elements]:
 *
 *     bit w = bit_hat w + (1 - 2 bit_hat) z w,   z the bit's mask,   z w = z W - z r
 *
 * The dealer shares z and z r of every bit, and r unless its shares are the pads of the step that made w (pad_b).
 *
 * Opened here: nothing; the product is truncated locally and carries a fresh pad (exact.h).
 */
#include "exact.h"

static size_t bitmul_scratch(const struct suf_step *s) { return (size_t)(s->count + 3 * s->na) * 8; }

static enum suf_err
bitmul_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *z = run_mask(r, s->in[0]), *rw = run_mask(r, s->in[1]);
	uint64_t *zr = run_scratch(r, bitmul_scratch(s));
	if (!zr)
		return r->err;
	for (uint64_t i = 0; i < s->na; i++)
		zr[i] = (0 - z[i]) & rw[i % s->count];
	enum suf_err e = s->pad_b ? SUF_OK : deal_corr(r, s, PART_bitmul_r_w, 0, (size_t)s->count, rw);
	if (!e)
		e = deal_corr(r, s, PART_bitmul_z, 0, (size_t)s->na, z);
	if (!e)
		e = deal_corr(r, s, PART_bitmul_zr, 0, (size_t)s->na, zr);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return e;
}

/* out = one party's share (or, with whole words, party 0 and 1 together) */
static void
combine(const struct suf_step *s, int party, const uint64_t *bit_hat, const uint64_t *w_hat, const uint64_t *r, const uint64_t *z, const uint64_t *zr, uint64_t *out)
{
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t v = (uint64_t)s->c * ((party ? 0 : w_hat[i]) - r[i]);
		for (uint64_t k = 0, at = i; at < s->na; k++, at += s->count)
			v += (uint64_t)s->table->v[k] * suf_bitmul_term(party, bit_hat[at], w_hat[i], r[i], z[at], zr[at]);
		out[i] = v;
	}
}

static enum suf_err
bitmul_eval(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *rw = run_scratch(r, bitmul_scratch(s)), *out = run_wire(r, s->out[0]);
	if (!rw)
		return r->err;
	uint64_t *z = rw + s->count, *zr = z + s->na;
	enum suf_err e = SUF_OK;
	if (s->pad_b)
		party_pad(r, r->party, s->pad_b, 0, 0, (size_t)s->count, (unsigned)(s->m + s->s), rw);
	else
		e = eval_corr(r, s, PART_bitmul_r_w, 0, (size_t)s->count, rw);
	if (!e)
		e = eval_corr(r, s, PART_bitmul_z, 0, (size_t)s->na, z);
	if (!e)
		e = eval_corr(r, s, PART_bitmul_zr, 0, (size_t)s->na, zr);
	if (e)
		return e;
	combine(s, r->party, run_wire(r, s->in[0]), run_wire(r, s->in[1]), rw, z, zr, out);
	exact_finish(r, s, 0, 0, (size_t)s->count, out);
	return SUF_OK;
}

static enum suf_err
bitmul_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *bit = run_wire(r, s->in[0]), *z = run_mask(r, s->in[0]), *w = run_wire(r, s->in[1]), *rw = run_mask(r, s->in[1]);
	uint64_t *y = run_wire(r, s->out[0]), *y0 = run_share0(r, s->out[0]), *r0 = run_scratch(r, bitmul_scratch(s));
	if (!r0)
		return r->err;
	uint64_t *z0 = r0 + s->count, *zr0 = z0 + s->na, *hat = zr0 + s->na;
	if (s->pad_b)
		party_pad(r, 0, s->pad_b, 0, 0, (size_t)s->count, (unsigned)(s->m + s->s), r0);
	else
		sim_corr(r, s, PART_bitmul_r_w, 0, s->count, rw, r0);
	for (uint64_t i = 0; i < s->na; i++)
		hat[i] = (0 - z[i]) & rw[i % s->count];
	sim_corr(r, s, PART_bitmul_z, 0, s->na, z, z0);
	sim_corr(r, s, PART_bitmul_zr, 0, s->na, hat, zr0);
	for (uint64_t i = 0; i < s->na; i++)
		hat[i] = bit[i] ^ z[i];
	for (uint64_t i = 0; i < s->count; i++) /* W, for a while */
		y[i] = (w[i] + rw[i]) & ring_mask((unsigned)(s->m + s->s));
	combine(s, 0, hat, y, r0, z0, zr0, y0);
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t v = (uint64_t)s->c * w[i];
		for (uint64_t k = 0, at = i; at < s->na; k++, at += s->count)
			v += (uint64_t)s->table->v[k] * (bit[at] ? w[i] : 0);
		y[i] = v;
	}
	exact_sim(r, s, 0, s->count, y, y0);
	return SUF_OK;
}

const struct step_impl step_bitmul = { bitmul_deal, bitmul_eval, bitmul_sim, NULL, bitmul_scratch };

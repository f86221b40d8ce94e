/* SPDX-License-Identifier: Apache-2.0
 * shiftmul.c -- (x >> s) y, where x >> s is never opened (after SUF's fused truncations; Beaver 1991 for the product).
 *
 *     (X + o)(y_hat - r_y) = X y_hat + o y_hat - X r_y - o r_y      X + o = x >> s: shift.h
 * Shared in the key, for both values of what is chosen in public: o, o r_y (borrow bit), msb(r), msb(r) r_y (gap).
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "shift.h"
#include "map.h"
#include "product.h"

/* One word of y for each element of the result, and the masks of y as they come: nb of them. */
static size_t shiftmul_scratch(const struct suf_step *s) { return (size_t)(2 * s->count + s->nb) * 8; }

/* out[i] = y of element i; the result lies in order. */
static void
spread(const struct suf_step *s, const uint64_t *y, uint64_t *out)
{
	uint32_t idx[SUF_MAX_DIM];
	struct map_run m;
	map_first(s->map, idx, &m);
	do {
		for (int64_t i = 0; i < m.len; i++)
			out[(int64_t)m.out + i * m.so] = y[(int64_t)m.b + i * m.sb];
	} while (map_next(s->map, idx, &m));
}

/* The words of one block, in key order.  ry: the mask of y, spread. */
static enum suf_err
deal_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t count, const uint64_t *ry)
{
	const uint64_t *rx = run_mask(r, s->in[0]) + at, *z = s->s ? run_mask(r, s->in[2]) + at : NULL;
	const unsigned ways = shift_ways(s);
	const uint64_t lift = ring_mask(shift_lift(s)), m = ring_mask(s->m);
	uint64_t o[2 * SUF_BLOCK], o_r[2 * SUF_BLOCK], top[SUF_BLOCK], top_r[SUF_BLOCK];
	for (uint64_t i = 0; i < count; i++) {
		for (unsigned w = 0; w < ways; w++) {
			uint64_t v = shift_o(s, rx[i], w, z ? z[i] : 0);
			o[ways * i + w] = v & m;
			o_r[ways * i + w] = v * ry[i] & m;
		}
		top[i] = rx[i] >> (s->n - 1) & 1 & lift;
		top_r[i] = top[i] * ry[i] & lift;
	}
	enum suf_err e = deal_corr(r, s, PART_shiftmul_o, ways * at, ways * count, o);
	if (!e && s->slack)
		e = deal_corr(r, s, PART_shiftmul_top, at, count, top);
	if (!e)
		e = deal_corr(r, s, PART_shiftmul_o_r, ways * at, ways * count, o_r);
	if (!e && s->slack)
		e = deal_corr(r, s, PART_shiftmul_top_r, at, count, top_r);
	return e;
}

static enum suf_err
shiftmul_deal(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *ry = run_scratch(r, shiftmul_scratch(s));
	const uint64_t *mask = ry ? product_deal_mask(r, s, 1, PART_shiftmul_r_y, ry + 2 * s->count) : NULL;
	if (!mask)
		return r->err;
	spread(s, mask, ry);
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = deal_block(r, s, at, k, ry + at);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

/* ry: the party's shares of the mask of y, y: y_hat; both spread. */
static enum suf_err
eval_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t count, const uint64_t *ry, const uint64_t *y)
{
	const uint64_t *x = run_wire(r, s->in[0]) + at, *w = s->s ? run_wire(r, s->in[2]) + at : NULL;
	const unsigned ways = shift_ways(s), up = s->n - s->s;
	uint64_t *out = run_wire(r, s->out[0]) + at;
	uint64_t o[2 * SUF_BLOCK], o_r[2 * SUF_BLOCK], top[SUF_BLOCK], top_r[SUF_BLOCK];
	enum suf_err e = eval_corr(r, s, PART_shiftmul_o, ways * at, ways * count, o);
	if (!e && s->slack)
		e = eval_corr(r, s, PART_shiftmul_top, at, count, top);
	if (!e)
		e = eval_corr(r, s, PART_shiftmul_o_r, ways * at, ways * count, o_r);
	if (!e && s->slack)
		e = eval_corr(r, s, PART_shiftmul_top_r, at, count, top_r);
	if (e)
		return e;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t wraps, pub = suf_shift_public(s->n, s->s, s->slack, x[i], &wraps), k = ways * i + (w ? w[i] : 0); /* w is public */
		uint64_t part = o[k], part_r = o_r[k];
		if (s->slack) {
			part += wraps * top[i] << up;
			part_r += wraps * top_r[i] << up;
		}
		out[i] = suf_shiftmul_eval(r->party, pub, y[i], part, ry[i], part_r) & ring_mask(s->m);
	}
	return SUF_OK;
}

static enum suf_err
shiftmul_eval(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *ry = run_scratch(r, shiftmul_scratch(s));
	if (!ry)
		return r->err;
	uint64_t *y = ry + s->count, *share = y + s->count;
	enum suf_err e = product_eval_mask(r, s, 1, PART_shiftmul_r_y, share);
	if (e)
		return e;
	spread(s, share, ry);
	spread(s, product_value(r, s->in[1]), y);
	FOR_BLOCKS(at, k, s->count) {
		e = eval_block(r, s, at, k, ry + at, y + at);
		if (e)
			return e;
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, run_wire(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
shiftmul_sim(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *y = run_scratch(r, shiftmul_scratch(s));
	if (!y)
		return r->err;
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), *w = s->s ? run_wire(r, s->in[2]) : NULL;
	uint64_t *out = run_wire(r, s->out[0]);
	spread(s, product_value(r, s->in[1]), y);
	for (uint64_t i = 0; i < s->count; i++)
		out[i] = shift_sim(s, x[i], rx[i], w ? w[i] : 0) * y[i] & ring_mask(s->m);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_shiftmul = { shiftmul_deal, shiftmul_eval, shiftmul_sim, NULL, shiftmul_scratch };

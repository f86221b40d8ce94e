/* SPDX-License-Identifier: Apache-2.0
 * shiftsq.c -- sum of (x >> s)^2 over each row, where x >> s is never opened (after SUF's fused truncations).
 *
 *     (X + o)^2 = X^2 + 2 X o + o^2      X + o = x >> s: shift.h
 * With G = msb(r) 2^(n-s), which counts if x_hat says so, o = o' + G and o^2 = o'^2 + 2 G (o' + 2^(n-s-1)).
 * Shared in the key, for both values of the borrow bit: o', o'^2, the bracket times msb(r); and msb(r).  The choices
 * differ from element to element, so nothing can be added up over the row beforehand.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "shift.h"

static size_t shiftsq_scratch(const struct suf_step *s) { return (size_t)s->na * 8; }

/* One word for each element -> one for each row */
static void
add_rows(const struct suf_step *s, const uint64_t *x, uint64_t *out)
{
	for (uint64_t k = 0; k < s->rows->count; k++) {
		uint64_t len = suf_rows_len(s->rows, k), sum = 0;
		for (uint64_t i = 0; i < len; i++)
			sum += x[i];
		x += len;
		out[k] = sum & ring_mask(s->m);
	}
}

static enum suf_err
deal_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t count)
{
	const uint64_t *rx = run_mask(r, s->in[0]) + at, *z = s->s ? run_mask(r, s->in[1]) + at : NULL;
	const unsigned ways = shift_ways(s);
	const uint64_t m = ring_mask(s->m), half = 1ull << (s->n - s->s - 1), lift = shift_lift(s);
	uint64_t o[2 * SUF_BLOCK], o_o[2 * SUF_BLOCK], top[SUF_BLOCK], top_o[2 * SUF_BLOCK];
	for (uint64_t i = 0; i < count; i++) {
		top[i] = rx[i] >> (s->n - 1) & 1;
		for (unsigned w = 0; w < ways; w++) {
			uint64_t v = shift_o(s, rx[i], w, z ? z[i] : 0);
			o[ways * i + w] = v & m;
			o_o[ways * i + w] = v * v & m;
			top_o[ways * i + w] = lift ? top[i] * (v + half) & ring_mask((unsigned)lift - 1) : 0;
		}
	}
	enum suf_err e = deal_corr(r, s, PART_shiftsq_o, ways * at, ways * count, o);
	if (!e && s->slack)
		e = deal_corr(r, s, PART_shiftsq_top, at, count, top);
	if (!e)
		e = deal_corr(r, s, PART_shiftsq_o_o, ways * at, ways * count, o_o);
	if (!e && suf_shiftsq_top(s))
		e = deal_corr(r, s, PART_shiftsq_top_o, ways * at, ways * count, top_o);
	return e;
}

static enum suf_err
shiftsq_deal(struct suf_run *r, const struct suf_step *s)
{
	FOR_BLOCKS(at, k, s->na) {
		enum suf_err e = deal_block(r, s, at, k);
		if (e)
			return e;
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
eval_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t count, uint64_t *square)
{
	const uint64_t *x = run_wire(r, s->in[0]) + at, *w = s->s ? run_wire(r, s->in[1]) + at : NULL;
	const unsigned ways = shift_ways(s), up = s->n - s->s;
	uint64_t o[2 * SUF_BLOCK], o_o[2 * SUF_BLOCK], top[SUF_BLOCK], top_o[2 * SUF_BLOCK];
	enum suf_err e = eval_corr(r, s, PART_shiftsq_o, ways * at, ways * count, o);
	if (!e && s->slack)
		e = eval_corr(r, s, PART_shiftsq_top, at, count, top);
	if (!e)
		e = eval_corr(r, s, PART_shiftsq_o_o, ways * at, ways * count, o_o);
	if (!e && suf_shiftsq_top(s))
		e = eval_corr(r, s, PART_shiftsq_top_o, ways * at, ways * count, top_o);
	if (e)
		return e;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t wraps, pub = suf_shift_public(s->n, s->s, s->slack, x[i], &wraps), k = ways * i + (w ? w[i] : 0); /* w is public */
		uint64_t part = o[k], part_sq = o_o[k];
		if (s->slack)
			part += wraps * top[i] << up;
		if (suf_shiftsq_top(s))
			part_sq += wraps * top_o[k] << (up + 1);
		square[i] = suf_shiftsq_eval(r->party, pub, part, part_sq);
	}
	return SUF_OK;
}

static enum suf_err
shiftsq_eval(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *square = run_scratch(r, shiftsq_scratch(s));
	if (!square)
		return r->err;
	FOR_BLOCKS(at, k, s->na) {
		enum suf_err e = eval_block(r, s, at, k, square + at);
		if (e)
			return e;
	}
	add_rows(s, square, run_wire(r, s->out[0]));
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, run_wire(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
shiftsq_sim(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *square = run_scratch(r, shiftsq_scratch(s));
	if (!square)
		return r->err;
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), *w = s->s ? run_wire(r, s->in[1]) : NULL;
	for (uint64_t i = 0; i < s->na; i++) {
		uint64_t v = shift_sim(s, x[i], rx[i], w ? w[i] : 0);
		square[i] = v * v;
	}
	add_rows(s, square, run_wire(r, s->out[0]));
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_shiftsq = { shiftsq_deal, shiftsq_eval, shiftsq_sim, NULL, shiftsq_scratch };

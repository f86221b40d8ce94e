/* SPDX-License-Identifier: Apache-2.0
 * normsq.c -- row sums of squares of a masked value with a gap, x in [-2^(n-2), 2^(n-2)), in a ring of R = m + s bits:
 *
 *     x = X - r + 2^n u msb(r),  X the re-centred masked value, u = 1 if it did not wrap
 *     x^2 = X^2 - 2 X r + r^2 + u (2^(2n) msb + 2^(n+1) (X msb - r msb))
 *
 * The dealer shares r, msb and r msb of each element and the row's sum of r^2.  Shares of r and msb are handed on (EXACT):
 * step normmul multiplies the same x.
 *
 * Opened here: nothing; the sum is truncated locally and carries a fresh pad (exact.h).  Outside of the gap a square is
 * off by a multiple of 2^(n+1) for a part of the masks.
 */
#include "exact.h"

static unsigned ring_of(const struct suf_step *s) { return (unsigned)(s->m + s->s); }

static enum suf_err
normsq_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]);
	uint64_t *square = run_scratch(r, (size_t)s->count * 8), low[SUF_BLOCK], msb[SUF_BLOCK], rm[SUF_BLOCK];
	if (!square)
		return r->err;
	FOR_BLOCKS(at, k, s->na) {
		for (uint64_t i = 0; i < k; i++) {
			low[i] = rx[at + i] & ring_mask(s->n);
			msb[i] = low[i] >> (s->n - 1);
			rm[i] = (0 - msb[i]) & low[i];
		}
		enum suf_err e = deal_corr(r, s, PART_normsq_r, at, k, low);
		if (!e)
			e = deal_corr(r, s, PART_normsq_msb, at, k, msb);
		if (!e && suf_part_count(PART_normsq_rm, s))
			e = deal_corr(r, s, PART_normsq_rm, at, k, rm);
		if (e)
			return e;
	}
	uint64_t at = 0;
	for (uint64_t row = 0; row < s->count; row++) {
		square[row] = 0;
		for (const uint64_t end = at + suf_rows_len(s->rows, row); at < end; at++)
			square[row] += (rx[at] & ring_mask(s->n)) * (rx[at] & ring_mask(s->n));
	}
	prg_wipe(low, sizeof low);
	prg_wipe(msb, sizeof msb);
	prg_wipe(rm, sizeof rm);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return deal_corr(r, s, PART_normsq_rr, 0, (size_t)s->count, square);
}

static size_t normsq_scratch(const struct suf_step *s) { return (size_t)(s->na * 3 + s->count) * 8; }

/* sum[row] += what a party computes of its elements' squares */
static void
add_rows(const struct suf_step *s, int party, const uint64_t *x_hat, const uint64_t *r, const uint64_t *msb, const uint64_t *rm, uint64_t *sum)
{
	uint64_t at = 0;
	for (uint64_t row = 0; row < s->count; row++) {
		uint64_t v = party ? 0 : (uint64_t)s->c;
		for (const uint64_t end = at + suf_rows_len(s->rows, row); at < end; at++)
			v += suf_normsq_eval(party, s->n, x_hat[at], r[at], msb[at], rm[at]);
		sum[row] = (sum[row] + v) & ring_mask(ring_of(s));
	}
}

static enum suf_err
normsq_eval(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *rm = run_scratch(r, normsq_scratch(s));
	if (!rm)
		return r->err;
	uint64_t *sum = run_wire(r, s->out[0]), *low = run_wire(r, s->out[1]), *msb = run_wire(r, s->out[2]);
	const bool has_rm = suf_part_count(PART_normsq_rm, s) > 0;
	FOR_BLOCKS(at, k, s->na) {
		enum suf_err e = eval_corr(r, s, PART_normsq_r, at, k, low + at);
		if (!e)
			e = eval_corr(r, s, PART_normsq_msb, at, k, msb + at);
		if (!e && has_rm)
			e = eval_corr(r, s, PART_normsq_rm, at, k, rm + at);
		if (e)
			return e;
		for (uint64_t i = 0; i < k && !has_rm; i++)
			rm[at + i] = 0;
	}
	enum suf_err e = eval_corr(r, s, PART_normsq_rr, 0, (size_t)s->count, sum);
	if (e)
		return e;
	add_rows(s, r->party, run_wire(r, s->in[0]), low, msb, rm, sum);
	exact_finish(r, s, 0, 0, (size_t)s->count, sum);
	return SUF_OK;
}

/* The words of the dealer for all elements, and party 0's shares of them. */
static void
sim_words(struct suf_run *r, const struct suf_step *s, uint64_t *rm, uint64_t *rm0)
{
	const uint64_t *rx = run_mask(r, s->in[0]);
	uint64_t *low = run_wire(r, s->out[1]), *msb = run_wire(r, s->out[2]);
	for (uint64_t i = 0; i < s->na; i++) {
		low[i] = rx[i] & ring_mask(s->n);
		msb[i] = low[i] >> (s->n - 1);
		rm[i] = (0 - msb[i]) & low[i];
		rm0[i] = 0;
	}
	sim_corr(r, s, PART_normsq_r, 0, s->na, low, run_share0(r, s->out[1]));
	sim_corr(r, s, PART_normsq_msb, 0, s->na, msb, run_share0(r, s->out[2]));
	if (suf_part_count(PART_normsq_rm, s))
		sim_corr(r, s, PART_normsq_rm, 0, s->na, rm, rm0);
}

static enum suf_err
normsq_sim(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *rm = run_scratch(r, normsq_scratch(s));
	if (!rm)
		return r->err;
	uint64_t *rm0 = rm + s->na, *hat = rm0 + s->na, *y = run_wire(r, s->out[0]), *y0 = run_share0(r, s->out[0]);
	const uint64_t *x = run_wire(r, s->in[0]), *low = run_wire(r, s->out[1]);
	sim_words(r, s, rm, rm0);
	uint64_t at = 0;
	for (uint64_t row = 0; row < s->count; row++) {
		y[row] = 0;
		for (const uint64_t end = at + suf_rows_len(s->rows, row); at < end; at++)
			y[row] += low[at] * low[at];
		y[row] &= ring_mask(ring_of(s));
	}
	sim_corr(r, s, PART_normsq_rr, 0, s->count, y, y0);
	for (uint64_t i = 0; i < s->na; i++)
		hat[i] = (x[i] + low[i]) & ring_mask(s->n);
	add_rows(s, 0, hat, low, run_wire(r, s->out[2]), rm, y); /* as one party that holds the words themselves */
	add_rows(s, 0, hat, run_share0(r, s->out[1]), run_share0(r, s->out[2]), rm0, y0);
	exact_sim(r, s, 0, s->count, y, y0);
	return SUF_OK;
}

const struct step_impl step_normsq = { normsq_deal, normsq_eval, normsq_sim, NULL, normsq_scratch };

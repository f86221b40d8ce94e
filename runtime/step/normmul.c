/* SPDX-License-Identifier: Apache-2.0
 * normmul.c -- rho x for each row's masked rho (R = m + s bits) and its elements x, masked with a gap on b bits:
 *
 *     (RHO - r_rho)(X - r + 2^b u msb(r)),  X the re-centred masked x, u = 1 if it did not wrap
 *
 * with the shares of r and msb(r) that step normsq handed on; the dealer adds shares of r_rho r and r_rho msb(r), and of r_rho,
 * unless its shares are the pads of the step that made rho (pad_a).
 *
 * Opened here: nothing; the product is truncated locally and carries a fresh pad (exact.h).
 */
#include "exact.h"

/* The rows of elements [first, first + count): a cursor, so that blocks need no search. */
struct cursor { uint64_t row, left; };

static struct cursor cursor_start(const struct suf_step *s) { return (struct cursor){ 0, suf_rows_len(s->rows, 0) }; }

static inline uint64_t
cursor_next(const struct suf_step *s, struct cursor *c)
{
	while (c->left == 0)
		c->left = suf_rows_len(s->rows, ++c->row);
	c->left--;
	return c->row;
}

static size_t normmul_scratch(const struct suf_step *s) { return (size_t)(s->na + 3 * s->count) * 8; }

static enum suf_err
normmul_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rho = run_mask(r, s->in[0]), *rx = run_mask(r, s->in[1]);
	uint64_t pr[SUF_BLOCK], pm[SUF_BLOCK];
	enum suf_err e = s->pad_a ? SUF_OK : deal_corr(r, s, PART_normmul_r_rho, 0, (size_t)s->na, rho);
	struct cursor at_row = cursor_start(s);
	for (uint64_t at = 0, k; !e && at < s->count; at += k) {
		k = s->count - at < SUF_BLOCK ? s->count - at : SUF_BLOCK;
		for (uint64_t i = 0; i < k; i++) {
			const uint64_t low = rx[at + i] & ring_mask(s->b), row = cursor_next(s, &at_row);
			pr[i] = rho[row] * low;
			pm[i] = (0 - (low >> (s->b - 1))) & rho[row];
		}
		e = deal_corr(r, s, PART_normmul_pr, at, (size_t)k, pr);
		if (!e)
			e = deal_corr(r, s, PART_normmul_pm, at, (size_t)k, pm);
	}
	prg_wipe(pr, sizeof pr);
	prg_wipe(pm, sizeof pm);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return e;
}

static enum suf_err
normmul_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rho = run_wire(r, s->in[0]), *x = run_wire(r, s->in[1]), *low = run_wire(r, s->in[2]), *msb = run_wire(r, s->in[3]);
	uint64_t *out = run_wire(r, s->out[0]), *r_rho = run_scratch(r, normmul_scratch(s)), pr[SUF_BLOCK], pm[SUF_BLOCK];
	if (!r_rho)
		return r->err;
	enum suf_err e = SUF_OK;
	if (s->pad_a)
		party_pad(r, r->party, s->pad_a, 0, 0, (size_t)s->na, s->n, r_rho);
	else
		e = eval_corr(r, s, PART_normmul_r_rho, 0, (size_t)s->na, r_rho);
	struct cursor at_row = cursor_start(s);
	for (uint64_t at = 0, k; !e && at < s->count; at += k) {
		k = s->count - at < SUF_BLOCK ? s->count - at : SUF_BLOCK;
		e = eval_corr(r, s, PART_normmul_pr, at, (size_t)k, pr);
		if (!e)
			e = eval_corr(r, s, PART_normmul_pm, at, (size_t)k, pm);
		for (uint64_t i = 0; i < k && !e; i++) {
			const uint64_t row = cursor_next(s, &at_row);
			out[at + i] = suf_normmul_eval(r->party, s->b, rho[row], x[at + i], r_rho[row], low[at + i], msb[at + i], pr[i], pm[i]);
		}
	}
	if (!e)
		exact_finish(r, s, 0, 0, (size_t)s->count, out);
	return e;
}

static enum suf_err
normmul_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rho = run_wire(r, s->in[0]), *rr = run_mask(r, s->in[0]), *x = run_wire(r, s->in[1]), *rx = run_mask(r, s->in[1]);
	const uint64_t *low0 = run_share0(r, s->in[2]), *msb0 = run_share0(r, s->in[3]);
	uint64_t *y = run_wire(r, s->out[0]), *y0 = run_share0(r, s->out[0]), *r0 = run_scratch(r, normmul_scratch(s));
	if (!r0)
		return r->err;
	uint64_t *p = r0 + s->na, *pr0 = p + s->count, *pm0 = pr0 + s->count;
	if (s->pad_a)
		party_pad(r, 0, s->pad_a, 0, 0, (size_t)s->na, s->n, r0);
	else
		sim_corr(r, s, PART_normmul_r_rho, 0, s->na, rr, r0);
	struct cursor c = cursor_start(s);
	for (uint64_t i = 0; i < s->count; i++)
		p[i] = rr[cursor_next(s, &c)] * (rx[i] & ring_mask(s->b));
	sim_corr(r, s, PART_normmul_pr, 0, s->count, p, pr0);
	c = cursor_start(s);
	for (uint64_t i = 0; i < s->count; i++)
		p[i] = (0 - ((rx[i] & ring_mask(s->b)) >> (s->b - 1))) & rr[cursor_next(s, &c)];
	sim_corr(r, s, PART_normmul_pm, 0, s->count, p, pm0);
	c = cursor_start(s);
	for (uint64_t i = 0; i < s->count; i++) {
		const uint64_t row = cursor_next(s, &c), low = rx[i] & ring_mask(s->b), msb = low >> (s->b - 1);
		const uint64_t rho_hat = (rho[row] + rr[row]) & ring_mask(s->n), x_hat = (x[i] + low) & ring_mask(s->b);
		y0[i] = suf_normmul_eval(0, s->b, rho_hat, x_hat, r0[row], low0[i], msb0[i], pr0[i], pm0[i]);
		y[i] = suf_normmul_eval(0, s->b, rho_hat, x_hat, rr[row], low, msb, rr[row] * low, rr[row] * msb);
	}
	exact_sim(r, s, 0, s->count, y, y0);
	return SUF_OK;
}

const struct step_impl step_normmul = { normmul_deal, normmul_eval, normmul_sim, NULL, normmul_scratch };

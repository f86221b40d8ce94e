/* SPDX-License-Identifier: Apache-2.0
 * sqsum.c -- sum of squares of each row of a masked array (SIGMA, eprint
 * 2023/1269, section 5.4: summed before it is opened).
 *
 *     sum x^2 = sum x_hat^2 - 2 sum x_hat r + sum r^2
 * party p: p sum x_hat^2 - 2 sum x_hat [r]_p + [sum r^2]_p + pad_p, one word of key for a row's last term.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "run.h"

static size_t sqsum_scratch(const struct suf_step *s) { return (size_t)(s->na + s->count) * 8; }

/* out[row] = sum of x*y over the row, mod 2^64; returns nothing else */
static void
row_dot(const struct suf_rows *rows, const uint64_t *x, const uint64_t *y, uint64_t *out)
{
	for (uint64_t k = 0; k < rows->count; k++) {
		uint64_t len = suf_rows_len(rows, k), sum = 0;
		for (uint64_t i = 0; i < len; i++)
			sum += x[i] * y[i];
		x += len;
		y += len;
		out[k] = sum;
	}
}

static enum suf_err
sqsum_deal(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *rr = run_scratch(r, sqsum_scratch(s));
	if (!rr)
		return r->err;
	const uint64_t *mask = run_mask(r, s->in[0]);
	row_dot(s->rows, mask, mask, rr);
	for (uint64_t i = 0; i < s->count; i++)
		rr[i] &= ring_mask(s->n);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->n, run_mask(r, s->out[0]));
	enum suf_err e = deal_corr(r, s, PART_sqsum_r, 0, (size_t)s->na, mask);
	return e ? e : deal_corr(r, s, PART_sqsum_rr, 0, (size_t)s->count, rr);
}

static enum suf_err
sqsum_eval(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *share = run_scratch(r, sqsum_scratch(s)), *dot = share ? share + s->na : NULL;
	if (!share)
		return r->err;
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]);
	enum suf_err e = eval_corr(r, s, PART_sqsum_r, 0, (size_t)s->na, share);
	if (!e)
		e = eval_corr(r, s, PART_sqsum_rr, 0, (size_t)s->count, out);
	if (e)
		return e;
	for (uint64_t i = 0; i < s->na; i++)
		share[i] = (r->party ? x[i] : 0) - 2 * share[i];
	row_dot(s->rows, x, share, dot);
	for (uint64_t i = 0; i < s->count; i++)
		out[i] = (out[i] + dot[i]) & ring_mask(s->n);
	eval_pad(r, s, 0, 0, (size_t)s->count, s->n, out);
	return SUF_OK;
}

static enum suf_err
sqsum_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]);
	row_dot(s->rows, x, x, out);
	for (uint64_t i = 0; i < s->count; i++)
		out[i] &= ring_mask(s->n);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->n, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_sqsum = { sqsum_deal, sqsum_eval, sqsum_sim, NULL, sqsum_scratch };

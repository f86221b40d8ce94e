/* SPDX-License-Identifier: Apache-2.0
 * wmul.c -- product of a masked value with a public matrix: local on X and on the mask,
 *     (X + r) W + b = (X W + b) + r W,
 * so the result is masked by r W, which the dealer computes from the weights.
 *
 * Opened: nothing.  Key: none.  r W is no fresh mask, but both sides of the equation are functions of what the parties knew
 * already, X + r and W.
 */
#include "product.h"
#include "public.h"

size_t
public_scratch(const struct suf_step *s)
{
	return gemm_scratch(s->mm->rows, s->mm->inner, s->mm->cols) + 64;
}

const uint64_t *
public_bias(struct suf_run *r, const struct suf_step *s)
{
	return s->in[2].space == SUF_NONE ? NULL : run_weight(r, s->in[2]);
}

void
public_product(struct suf_run *r, const struct suf_step *s, const uint64_t *w, const uint64_t *bias, const uint64_t *a, uint64_t *c, void *work)
{
	const struct suf_mm *m = s->mm;
	for (uint64_t i = 0; i < s->count; i += m->cols)
		for (uint32_t j = 0; j < m->cols; j++)
			c[i + j] = bias ? bias[j] : 0;
	product_accumulate(r, m, s->m, a, w, c, work);
	for (uint64_t i = 0; i < s->count; i++)
		c[i] &= ring_mask(s->m);
}

static enum suf_err
wmul_deal(struct suf_run *r, const struct suf_step *s)
{
	void *work = run_scratch(r, public_scratch(s));
	if (!work)
		return r->err;
	public_product(r, s, run_weight(r, s->in[1]), NULL, run_mask(r, s->in[0]), run_mask(r, s->out[0]), work);
	return SUF_OK;
}

static enum suf_err
wmul_eval(struct suf_run *r, const struct suf_step *s)
{
	void *work = run_scratch(r, public_scratch(s));
	if (!work)
		return r->err;
	public_product(r, s, run_weight(r, s->in[1]), public_bias(r, s), run_wire(r, s->in[0]), run_wire(r, s->out[0]), work);
	return SUF_OK;
}

static enum suf_err
wmul_sim(struct suf_run *r, const struct suf_step *s)
{
	const enum suf_err e = wmul_eval(r, s);
	return e ? e : wmul_deal(r, s);
}

const struct step_impl step_wmul = { wmul_deal, wmul_eval, wmul_sim, NULL, public_scratch };

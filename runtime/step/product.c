/* SPDX-License-Identifier: Apache-2.0
 * product.c -- mask shares of the operands of a product.  Three sources: the
 * pads of the step that made the operand (no key), a model's mask seeds (no
 * key, weights; of public ones they are zero), or a correction. */
#include "product.h"

/* Ring bits of operand k. */
static unsigned operand_bits(const struct suf_step *s, int k) { return k ? s->m : s->n; }

const uint64_t *
product_sim_mask(struct suf_run *r, const struct suf_step *s, int k, uint64_t *buf)
{
	if (!ref_is_weight(s->in[k]))
		return run_mask(r, s->in[k]);
	run_weight_mask(r, s->in[k], 0, (size_t)suf_operand_count(s, k), operand_bits(s, k), buf);
	return buf;
}

const uint64_t *
product_deal_mask(struct suf_run *r, const struct suf_step *s, int k, enum suf_part part, uint64_t *buf)
{
	const uint64_t *mask = product_sim_mask(r, s, k, buf);
	if (!ref_is_weight(s->in[k]) && suf_operand_pad(s, k) == 0 && deal_corr(r, s, part, 0, (size_t)suf_operand_count(s, k), mask))
		return NULL;
	return mask;
}

enum suf_err
product_eval_mask(struct suf_run *r, const struct suf_step *s, int k, enum suf_part part, uint64_t *share)
{
	size_t count = (size_t)suf_operand_count(s, k);
	if (ref_is_weight(s->in[k]))
		run_weight_mask(r, s->in[k], 0, count, operand_bits(s, k), share);
	else if (suf_operand_pad(s, k))
		party_pad(r, r->party, suf_operand_pad(s, k), 0, 0, count, operand_bits(s, k), share);
	else
		return eval_corr(r, s, part, 0, count, share);
	return SUF_OK;
}

void
product_sim_share0(struct suf_run *r, const struct suf_step *s, int k, enum suf_part part, const uint64_t *mask, uint64_t *share)
{
	size_t count = (size_t)suf_operand_count(s, k);
	if (ref_is_weight(s->in[k]))
		sim_weight_mask(r, s->in[k], 0, count, operand_bits(s, k), share);
	else if (suf_operand_pad(s, k))
		party_pad(r, 0, suf_operand_pad(s, k), 0, 0, count, operand_bits(s, k), share);
	else
		sim_corr(r, s, part, 0, count, mask, share);
}

const uint64_t *
product_value(struct suf_run *r, struct suf_ref ref)
{
	return ref_is_weight(ref) ? run_weight(r, ref) : run_wire(r, ref);
}

void
product_accumulate(const struct suf_run *r, const struct suf_mm *m, unsigned bits, const uint64_t *a, const uint64_t *b, uint64_t *c, void *work)
{
	const struct gemm_dims dims = { m->rows, m->inner, m->cols, m->sa[2], m->sa[3], m->sb[2], m->sb[3], m->cols };
	for (uint32_t k = 0; k < m->batch; k++) {
		const int64_t hi = k / m->bh, lo = k % m->bh;
		const struct gemm_term term = { .a = a + (int64_t)m->a0 + hi * m->sa[0] + lo * m->sa[1],
		                                .b = b + (int64_t)m->b0 + hi * m->sb[0] + lo * m->sb[1] };
		gemm_u64(r->isa, bits <= 52, &dims, &term, 1, c + (uint64_t)k * m->rows * m->cols, work);
	}
}

bool
product_in_pieces(const struct suf_step *s)
{
	const struct suf_mm *m = s->mm;
	const bool rows = m->sb[3] == 1 && m->sb[2] == m->cols, columns = m->sb[2] == 1 && m->sb[3] == m->inner;
	return ref_is_weight(s->in[1]) && !s->rows && m->batch == 1 && m->a0 == 0 && m->b0 == 0 && s->nb == (uint64_t)m->inner * m->cols
	    && ((rows && m->cols % 2 == 0) || (columns && m->inner % 2 == 0));
}

struct mask_of { struct suf_run *r; const struct suf_step *s; bool minus; };

static void
mask_words(void *arg, uint64_t first, size_t count, uint64_t *to)
{
	const struct mask_of *of = arg;
	run_weight_mask(of->r, of->s->in[1], first, count, of->s->m, to);
	for (size_t i = 0; of->minus && i < count; i++)
		to[i] = 0 - to[i];
}

void
product_accumulate_weight(struct suf_run *r, const struct suf_step *s, const uint64_t *a, const uint64_t *a_hat, uint64_t *c, void *work)
{
	const struct suf_mm *m = s->mm;
	const struct gemm_dims dims = { m->rows, m->inner, m->cols, m->sa[2], m->sa[3], m->sb[2], m->sb[3], m->cols };
	struct mask_of of = { r, s, a_hat != NULL };
	const struct gemm_term term[] = { { .a = a_hat ? a_hat : a, .words = mask_words, .arg = &of }, { .a = a, .b = a_hat ? run_weight(r, s->in[1]) : NULL } };
	gemm_u64(r->isa, s->n <= 52, &dims, term, a_hat ? 2 : 1, c, work);
}

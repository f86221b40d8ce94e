/* SPDX-License-Identifier: Apache-2.0
 * mul.c -- elementwise product of masked values, b broadcast (Beaver 1991).
 *
 *     a b = a_hat b_hat - a_hat r_b - r_a b_hat + r_a r_b
 * party p: p a_hat b_hat - a_hat [r_b]_p - [r_a]_p b_hat + [r_a r_b]_p + pad_p.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "product.h"
#include "map.h"

static size_t mul_scratch(const struct suf_step *s) { return (size_t)(s->na + s->nb + s->count) * 8; }

/* out[so.i] += (or -=) x[sa.i] * y[sb.i] */
static void
add_product(const struct suf_step *s, bool minus, const uint64_t *x, const uint64_t *y, uint64_t *out)
{
	uint32_t idx[SUF_MAX_DIM];
	struct map_run m;
	map_first(s->map, idx, &m);
	do {
		for (int64_t i = 0; i < m.len; i++) {
			uint64_t v = x[(int64_t)m.a + i * m.sa] * y[(int64_t)m.b + i * m.sb];
			out[(int64_t)m.out + i * m.so] += minus ? 0 - v : v;
		}
	} while (map_next(s->map, idx, &m));
}

static void
set_zero(uint64_t *v, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		v[i] = 0;
}

static void
reduce(uint64_t *v, uint64_t count, unsigned bits)
{
	for (uint64_t i = 0; i < count; i++)
		v[i] &= ring_mask(bits);
}

static enum suf_err
mul_deal(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *buf = run_scratch(r, mul_scratch(s));
	if (!buf)
		return r->err;
	uint64_t *c = buf + s->na + s->nb;
	const uint64_t *ra = product_deal_mask(r, s, 0, PART_mul_r_a, buf);
	const uint64_t *rb = ra ? product_deal_mask(r, s, 1, PART_mul_r_b, buf + s->na) : NULL;
	if (!rb)
		return r->err;
	set_zero(c, s->count);
	add_product(s, false, ra, rb, c);
	reduce(c, s->count, s->n);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->n, run_mask(r, s->out[0]));
	return deal_corr(r, s, PART_mul_r_ab, 0, (size_t)s->count, c);
}

static enum suf_err
mul_eval(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *ra = run_scratch(r, mul_scratch(s)), *rb = ra ? ra + s->na : NULL;
	if (!ra)
		return r->err;
	const uint64_t *ah = product_value(r, s->in[0]), *bh = product_value(r, s->in[1]);
	uint64_t *c = run_wire(r, s->out[0]);
	enum suf_err e = product_eval_mask(r, s, 0, PART_mul_r_a, ra);
	if (!e)
		e = product_eval_mask(r, s, 1, PART_mul_r_b, rb);
	if (!e)
		e = eval_corr(r, s, PART_mul_r_ab, 0, (size_t)s->count, c);
	if (e)
		return e;
	for (uint64_t i = 0; i < s->nb; i++)
		rb[i] = (r->party ? bh[i] : 0) - rb[i];
	add_product(s, false, ah, rb, c);
	add_product(s, true, ra, bh, c);
	reduce(c, s->count, s->n);
	eval_pad(r, s, 0, 0, (size_t)s->count, s->n, c);
	return SUF_OK;
}

static enum suf_err
mul_sim(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *c = run_wire(r, s->out[0]);
	set_zero(c, s->count);
	add_product(s, false, product_value(r, s->in[0]), product_value(r, s->in[1]), c);
	reduce(c, s->count, s->n);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->n, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_mul = { mul_deal, mul_eval, mul_sim, NULL, mul_scratch };

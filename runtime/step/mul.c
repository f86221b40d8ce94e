/* SPDX-License-Identifier: Apache-2.0
 * mul.c -- elementwise product of masked values, b broadcast (Beaver 1991).
 *
 *     a b = a_hat b_hat - a_hat r_b - r_a b_hat + r_a r_b
 * party p: p a_hat b_hat - a_hat [r_b]_p - [r_a]_p b_hat + [r_a r_b]_p + pad_p.
 * define_last leaves the third share away: the mask is then pad_0 + pad_1 - r_a r_b, as in matmul.
 * Opened here: nothing; the output share carries a fresh pad of full width, which hides its one opening.
 */
#include "product.h"
#include "map.h"

/* [a: na][b: nb][c: count]; c holds one operand or the product of the masks */
static uint64_t
c_elems(const struct suf_step *s)
{
	const uint64_t most = s->na > s->nb ? s->na : s->nb;
	return most > s->count ? most : s->count;
}

static size_t mul_scratch(const struct suf_step *s) { return (size_t)(s->na + s->nb + c_elems(s)) * 8; }

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

/* c = r_a r_b, reduced, and the mask of the output. */
static void
output_mask(struct suf_run *r, const struct suf_step *s, const uint64_t *ra, const uint64_t *rb, uint64_t *c)
{
	uint64_t *mask = run_mask(r, s->out[0]);
	set_zero(c, s->count);
	add_product(s, false, ra, rb, c);
	reduce(c, s->count, s->n);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->n, mask);
	for (uint64_t i = 0; s->define_last && i < s->count; i++)
		mask[i] = (mask[i] - c[i]) & ring_mask(s->n);
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
	output_mask(r, s, ra, rb, c);
	return s->define_last ? SUF_OK : deal_corr(r, s, PART_mul_r_ab, 0, (size_t)s->count, c);
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
	if (!e && s->define_last)
		set_zero(c, s->count);
	else if (!e)
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

/* hat = x + r */
static void
masked(const uint64_t *x, const uint64_t *r, uint64_t count, unsigned bits, uint64_t *hat)
{
	for (uint64_t i = 0; i < count; i++)
		hat[i] = (x[i] + r[i]) & ring_mask(bits);
}

/* Party 0's share: [r_a r_b]_0 - a_hat [r_b]_0 - [r_a]_0 b_hat + pad_0, as mul_eval has it.  buf: as in mul_scratch, c = r_a r_b. */
static void
sim_share0(struct suf_run *r, const struct suf_step *s, const uint64_t *ra, const uint64_t *rb, uint64_t *buf)
{
	uint64_t *z0 = run_share0(r, s->out[0]), *share = buf, *hat = buf + s->na + s->nb;
	if (s->define_last)
		set_zero(z0, s->count);
	else
		sim_corr(r, s, PART_mul_r_ab, 0, s->count, hat, z0);
	masked(product_value(r, s->in[1]), rb, s->nb, s->n, hat);
	product_sim_share0(r, s, 0, PART_mul_r_a, ra, share);
	add_product(s, true, share, hat, z0);
	masked(product_value(r, s->in[0]), ra, s->na, s->n, hat);
	product_sim_share0(r, s, 1, PART_mul_r_b, rb, share + s->na); /* may overwrite a weight's mask */
	add_product(s, true, hat, share + s->na, z0);
	party_pad(r, 0, s->id, 0, 0, (size_t)s->count, s->n, hat);
	for (uint64_t i = 0; i < s->count; i++)
		z0[i] = (z0[i] + hat[i]) & ring_mask(s->n);
}

static enum suf_err
mul_sim(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *c = run_wire(r, s->out[0]), *buf = run_scratch(r, mul_scratch(s));
	if (!buf)
		return r->err;
	set_zero(c, s->count);
	add_product(s, false, product_value(r, s->in[0]), product_value(r, s->in[1]), c);
	reduce(c, s->count, s->n);
	const uint64_t *ra = product_sim_mask(r, s, 0, buf), *rb = product_sim_mask(r, s, 1, buf + s->na);
	output_mask(r, s, ra, rb, buf + s->na + s->nb);
	if (r->plan.narrow)
		sim_share0(r, s, ra, rb, buf);
	return SUF_OK;
}

const struct step_impl step_mul = { mul_deal, mul_eval, mul_sim, NULL, mul_scratch };

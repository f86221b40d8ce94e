/* SPDX-License-Identifier: Apache-2.0
 * matmul.c -- product of two masked matrices (Beaver 1991; SIGMA, eprint
 * 2023/1269, section 5.1).
 *
 * With A_hat = A + r_A, B_hat = B + r_B public to the parties:
 *     A B = A_hat B_hat - A_hat r_B - r_A B_hat + r_A r_B
 * party p: (p A_hat - [r_A]_p) B_hat - A_hat [r_B]_p + [r_A r_B]_p + pad_p.
 * define_last leaves the last share away; the output's mask is then
 * pad_0 + pad_1 - r_A r_B (no key).
 * rows: A has a triangle's rows (a causal softmax), packed, c elements each with the zeros that are not there.  Zeros have no mask:
 * values, masks and mask shares alike are laid out by the public lengths, so a packed A has the pads of its maker in their order.
 * Opened here: nothing; the output share carries a fresh pad of full width.
 */
#include "product.h"
#include <string.h>

static size_t work_elems(const struct suf_step *s) { return gemm_scratch(s->mm->rows, s->mm->inner, s->mm->cols) / 8 + 8; }

/* scratch: [a][b: nb][c: count][d: A laid out, if it is packed][gemm work] in elements, each 64-byte aligned */
struct parts { uint64_t *a, *b, *c, *d; void *work; };
static uint64_t round8(uint64_t n) { return (n + 7) & ~7ull; }

/* Elements of A with the zeros of its rows */
static uint64_t dense_elems(const struct suf_step *s) { return s->rows ? s->rows->count * (uint64_t)s->c : s->na; }

/* a and b also hold a bias row. */
static uint64_t a_elems(const struct suf_step *s) { return round8(dense_elems(s) > s->mm->cols ? dense_elems(s) : s->mm->cols); }
static uint64_t d_elems(const struct suf_step *s) { return s->rows ? round8(dense_elems(s)) : 0; }
static uint64_t b_elems(const struct suf_step *s) { return round8(s->nb > s->mm->cols ? s->nb : s->mm->cols); }

/* c also holds one operand in the simulator. */
static uint64_t
c_elems(const struct suf_step *s)
{
	uint64_t most = s->count > dense_elems(s) ? s->count : dense_elems(s);
	return round8(most > s->nb ? most : s->nb);
}

static size_t
matmul_scratch(const struct suf_step *s)
{
	return (size_t)(a_elems(s) + b_elems(s) + c_elems(s) + d_elems(s) + work_elems(s)) * 8;
}

static bool
get_parts(struct suf_run *r, const struct suf_step *s, struct parts *p)
{
	uint64_t *at = run_scratch(r, matmul_scratch(s));
	if (!at)
		return false;
	p->a = at;
	p->b = p->a + a_elems(s);
	p->c = p->b + b_elems(s);
	p->d = p->c + c_elems(s);
	p->work = p->d + d_elems(s);
	return true;
}

/* Packed rows, laid out; `to` may be `from`: the last row goes first. */
static void
lay_out(const struct suf_step *s, const uint64_t *from, uint64_t *to)
{
	uint64_t at = s->na;
	const uint64_t c = (uint64_t)s->c;
	for (uint64_t row = s->rows->count; row-- > 0;) {
		const uint64_t len = suf_rows_len(s->rows, row);
		at -= len;
		memmove(to + row * c, from + at, (size_t)len * 8);
		memset(to + row * c + len, 0, (size_t)(c - len) * 8);
	}
}

/* What `accumulate` reads as A */
static const uint64_t *
dense(const struct suf_step *s, const uint64_t *a, const struct parts *p)
{
	if (!s->rows)
		return a;
	lay_out(s, a, p->d);
	return p->d;
}

/* c += a b for every matrix of the batch */
static void
accumulate(struct suf_run *r, const struct suf_step *s, const uint64_t *a, const uint64_t *b, uint64_t *c, void *work)
{
	product_accumulate(r, s->mm, s->n, a, b, c, work);
}

static void
reduce(uint64_t *c, uint64_t count, unsigned bits)
{
	for (uint64_t i = 0; i < count; i++)
		c[i] &= ring_mask(bits);
}

static void
negate(uint64_t *a, uint64_t count, unsigned bits)
{
	for (uint64_t i = 0; i < count; i++)
		a[i] = (0 - a[i]) & ring_mask(bits);
}

/* Adds sign * bias, a row repeated; any bias source fits. */
static void
add_row(const struct suf_step *s, const uint64_t *row, bool minus, uint64_t *c)
{
	const uint32_t cols = s->mm->cols;
	for (uint64_t i = 0; i < s->count; i += cols)
		for (uint32_t j = 0; j < cols; j++)
			c[i + j] += minus ? 0 - row[j] : row[j];
}

/* Party p's exact share of the bias: p0 b_hat - [r_b]_0, p1 -[r_b]_1; blockwise through tmp (cols elements). */
static void
add_bias_share(struct suf_run *r, const struct suf_step *s, uint64_t *tmp, uint64_t *c)
{
	if (!ref_is_weight(s->in[2]))
		return;
	run_weight_mask(r, s->in[2], 0, (size_t)suf_operand_count(s, 2), s->n, tmp);
	add_row(s, tmp, true, c);
	if (r->party == 0)
		add_row(s, run_weight(r, s->in[2]), false, c);
}

static enum suf_err
matmul_deal(struct suf_run *r, const struct suf_step *s)
{
	struct parts p;
	if (!get_parts(r, s, &p))
		return r->err;
	const bool pieces = product_in_pieces(s);
	const uint64_t *ra = product_deal_mask(r, s, 0, PART_matmul_r_a, p.a);
	const uint64_t *rb = ra && !pieces ? product_deal_mask(r, s, 1, PART_matmul_r_b, p.b) : NULL;
	if (r->err)
		return r->err;
	memset(p.c, 0, (size_t)s->count * 8);
	if (pieces)
		product_accumulate_weight(r, s, ra, NULL, p.c, p.work);
	else
		accumulate(r, s, dense(s, ra, &p), rb, p.c, p.work);
	reduce(p.c, s->count, s->n);
	uint64_t *mask = run_mask(r, s->out[0]);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->n, mask);
	if (!s->define_last)
		return deal_corr(r, s, PART_matmul_r_ab, 0, (size_t)s->count, p.c);
	for (uint64_t i = 0; i < s->count; i++)
		mask[i] = (mask[i] - p.c[i]) & ring_mask(s->n);
	return SUF_OK;
}

static enum suf_err
matmul_eval(struct suf_run *r, const struct suf_step *s)
{
	struct parts p;
	if (!get_parts(r, s, &p))
		return r->err;
	const uint64_t *ah = product_value(r, s->in[0]), *bh = product_value(r, s->in[1]);
	uint64_t *c = run_wire(r, s->out[0]);
	const bool pieces = product_in_pieces(s);
	enum suf_err e = product_eval_mask(r, s, 0, PART_matmul_r_a, p.a);
	if (!e && !pieces)
		e = product_eval_mask(r, s, 1, PART_matmul_r_b, p.b);
	if (e)
		return e;
	for (uint64_t i = 0; i < s->na; i++)
		p.a[i] = ((r->party ? ah[i] : 0) - p.a[i]) & ring_mask(s->n);
	if (s->define_last)
		memset(c, 0, (size_t)s->count * 8);
	else if ((e = eval_corr(r, s, PART_matmul_r_ab, 0, (size_t)s->count, c)))
		return e;
	if (pieces)
		product_accumulate_weight(r, s, p.a, ah, c, p.work);
	else {
		negate(p.b, s->nb, s->n);
		accumulate(r, s, dense(s, ah, &p), p.b, c, p.work);
		accumulate(r, s, dense(s, p.a, &p), bh, c, p.work);
	}
	add_bias_share(r, s, p.b, c);
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

/* Party 0's share: [r_A r_B]_0 - A_hat [r_B]_0 - [r_A]_0 B_hat + pad_0 (+ bias).  ra, rb: masks; p->c: their product. */
static void
sim_share0(struct suf_run *r, const struct suf_step *s, struct parts *p, const uint64_t *ra, const uint64_t *rb)
{
	const uint64_t *x = product_value(r, s->in[0]), *y = product_value(r, s->in[1]);
	uint64_t *z0 = run_share0(r, s->out[0]);
	if (s->define_last)
		memset(z0, 0, (size_t)s->count * 8);
	else
		sim_corr(r, s, PART_matmul_r_ab, 0, s->count, p->c, z0);
	product_sim_share0(r, s, 0, PART_matmul_r_a, ra, p->a);
	negate(p->a, s->na, s->n);
	masked(y, rb, s->nb, s->n, p->c);
	accumulate(r, s, dense(s, p->a, p), p->c, z0, p->work);
	masked(x, ra, s->na, s->n, p->c);
	product_sim_share0(r, s, 1, PART_matmul_r_b, rb, p->b); /* may overwrite a weight's mask */
	negate(p->b, s->nb, s->n);
	accumulate(r, s, dense(s, p->c, p), p->b, z0, p->work);
	if (ref_is_weight(s->in[2])) { /* b_hat - [r_b]_0 = b + [r_b]_1 */
		sim_weight_mask(r, s->in[2], 1, s->mm->cols, s->n, p->a);
		add_row(s, p->a, false, z0);
		add_row(s, run_weight(r, s->in[2]), false, z0);
	}
	party_pad(r, 0, s->id, 0, 0, (size_t)s->count, s->n, p->c);
	for (uint64_t i = 0; i < s->count; i++)
		z0[i] = (z0[i] + p->c[i]) & ring_mask(s->n);
}

static enum suf_err
matmul_sim(struct suf_run *r, const struct suf_step *s)
{
	struct parts p;
	if (!get_parts(r, s, &p))
		return r->err;
	uint64_t *c = run_wire(r, s->out[0]), *mask = run_mask(r, s->out[0]);
	memset(c, 0, (size_t)s->count * 8);
	accumulate(r, s, dense(s, product_value(r, s->in[0]), &p), product_value(r, s->in[1]), c, p.work);
	if (ref_is_weight(s->in[2]))
		add_row(s, run_weight(r, s->in[2]), false, c);
	reduce(c, s->count, s->n);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->n, mask);
	if (!s->define_last && !r->plan.narrow)
		return SUF_OK;
	const uint64_t *ra = product_sim_mask(r, s, 0, p.a), *rb = product_sim_mask(r, s, 1, p.b);
	memset(p.c, 0, (size_t)s->count * 8);
	accumulate(r, s, dense(s, ra, &p), rb, p.c, p.work);
	reduce(p.c, s->count, s->n);
	for (uint64_t i = 0; s->define_last && i < s->count; i++)
		mask[i] = (mask[i] - p.c[i]) & ring_mask(s->n);
	if (r->plan.narrow)
		sim_share0(r, s, &p, ra, rb);
	return SUF_OK;
}

const struct step_impl step_matmul = { matmul_deal, matmul_eval, matmul_sim, NULL, matmul_scratch };

/* SPDX-License-Identifier: Apache-2.0
 * owned.c -- products with weights that party 0 knows (owned.h): dealer, parties and simulator of steps omul and oscale. */
#include "owned.h"
#include <string.h>

/* [a: na][w: nb][c: count][work], each 64-byte aligned */
struct parts { uint64_t *a, *w, *c; void *work; };
static uint64_t round8(uint64_t n) { return (n + 7) & ~7ull; }

size_t
owned_scratch(const struct owned *o, const struct suf_step *s)
{
	return (size_t)(round8(s->na) + round8(s->nb) + round8(s->count)) * 8 + o->bytes(s);
}

static bool
get_parts(const struct owned *o, struct suf_run *r, const struct suf_step *s, struct parts *p)
{
	p->a = run_scratch(r, owned_scratch(o, s));
	if (!p->a)
		return false;
	p->w = p->a + round8(s->na);
	p->c = p->w + round8(s->nb);
	p->work = p->c + round8(s->count);
	return true;
}

static const uint64_t *
bias_of(struct suf_run *r, const struct suf_step *s)
{
	return s->in[2].space == SUF_NONE ? NULL : run_owned(r, s->in[2]);
}

/* r = pad_0 + pad_1 - [r_A]_1 r_W, from party 1's share in p->a */
static void
define_mask(const struct owned *o, struct suf_run *r, const struct suf_step *s, const struct parts *p)
{
	uint64_t *mask = run_mask(r, s->out[0]);
	if (o->pieces && product_in_pieces(s)) {
		memset(p->c, 0, (size_t)s->count * 8);
		product_accumulate_weight(r, s, p->a, NULL, p->c, p->work);
	} else {
		run_weight_mask(r, s->in[1], 0, (size_t)s->nb, s->n, p->w);
		o->product(r, s, p->w, NULL, p->a, p->c, p->work);
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->n, mask);
	for (uint64_t i = 0; i < s->count; i++)
		mask[i] = (mask[i] - p->c[i]) & ring_mask(s->n);
}

/* Party 1's share of the mask of A, into p->a.  A correction goes to party 1 in even blocks: v - u_0; its share is its stream in odd ones. */
static enum suf_err
deal_share1(const struct owned *o, struct suf_run *r, const struct suf_step *s, const struct parts *p)
{
	const uint64_t *v = run_mask(r, s->in[0]);
	if (s->pad_a) {
		party_pad(r, 1, s->pad_a, 0, 0, (size_t)s->na, s->n, p->a);
		return SUF_OK;
	}
	const enum suf_err e = deal_corr_known(r, s, o->r_a, 0, (size_t)s->na, v, p->a);
	for (uint64_t i = 0; i < s->na; i++)
		if (corr_party(i) == 1)
			p->a[i] = (v[i] - p->a[i]) & ring_mask(s->n);
	return e;
}

enum suf_err
owned_deal(const struct owned *o, struct suf_run *r, const struct suf_step *s)
{
	struct parts p;
	if (!get_parts(o, r, s, &p))
		return r->err;
	const enum suf_err e = deal_share1(o, r, s, &p);
	if (!e)
		define_mask(o, r, s, &p);
	return e;
}

enum suf_err
owned_eval(const struct owned *o, struct suf_run *r, const struct suf_step *s)
{
	struct parts p;
	uint64_t *z = run_wire(r, s->out[0]);
	if (!get_parts(o, r, s, &p))
		return r->err;
	const enum suf_err e = product_eval_mask(r, s, 0, o->r_a, p.a);
	if (e)
		return e;
	const uint64_t *a_hat = run_wire(r, s->in[0]);
	for (uint64_t i = 0; i < s->na; i++)
		p.a[i] = ((r->party == 0 ? a_hat[i] : 0) - p.a[i]) & ring_mask(s->n);
	o->product(r, s, run_owned(r, s->in[1]), r->party == 0 ? bias_of(r, s) : NULL, p.a, z, p.work);
	eval_pad(r, s, 0, 0, (size_t)s->count, s->n, z);
	return SUF_OK;
}

enum suf_err
owned_sim(const struct owned *o, struct suf_run *r, const struct suf_step *s)
{
	struct parts p;
	if (!get_parts(o, r, s, &p))
		return r->err;
	const uint64_t *x = run_wire(r, s->in[0]), *mask = run_mask(r, s->in[0]), *w = run_owned(r, s->in[1]), *bias = bias_of(r, s);
	o->product(r, s, w, bias, x, run_wire(r, s->out[0]), p.work);
	product_sim_share0(r, s, 0, o->r_a, mask, p.a);
	for (uint64_t i = 0; i < s->na; i++) /* [r]_1 = r - [r]_0 */
		p.a[i] = (mask[i] - p.a[i]) & ring_mask(s->n);
	define_mask(o, r, s, &p);
	if (!r->plan.narrow)
		return SUF_OK;
	for (uint64_t i = 0; i < s->na; i++) /* A_hat - [r]_0 = x + [r]_1 */
		p.a[i] = (x[i] + p.a[i]) & ring_mask(s->n);
	uint64_t *z0 = run_share0(r, s->out[0]);
	o->product(r, s, w, bias, p.a, z0, p.work);
	party_pad(r, 0, s->id, 0, 0, (size_t)s->count, s->n, p.c);
	for (uint64_t i = 0; i < s->count; i++)
		z0[i] = (z0[i] + p.c[i]) & ring_mask(s->n);
	return SUF_OK;
}

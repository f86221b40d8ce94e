/* SPDX-License-Identifier: Apache-2.0
 * addx.c -- adds a masked value to a share: a residual before the one, narrow opening of a product (compact gates, docs/compact.md).
 *
 * With shares z_0 + z_1 = a + r_a and X = b + r_b known to both parties, party 0 takes ca z_0 + cb X + c, party 1 ca z_1: shares of
 * ca a + cb b + c under the mask ca r_a + cb r_b.  Exact mod 2^m: a and b have m bits, or as many less as the factor has zeros at its end.
 * Opened later: the result, once, instead of a, under the pads of a, which stand in it as they stood in a (each element of a is read
 * once).  What is added is known to both parties.  The mask holds r_b too, so it is not the pads alone.
 */
#include "map.h"

/* out = ca a + cb (b + rb) + c; rb NULL: without it; b NULL: without the term */
static void
combine(const struct suf_step *s, uint64_t c, const uint64_t *a, const uint64_t *b, const uint64_t *rb, uint64_t *out)
{
	const uint64_t ca = (uint64_t)s->ca, cb = (uint64_t)s->cb, m = ring_mask(s->m);
	uint32_t idx[SUF_MAX_DIM];
	struct map_run r;
	map_first(s->map, idx, &r);
	do {
		const uint64_t *pa = a + r.a, *pb = b ? b + r.b : NULL, *pr = rb ? rb + r.b : NULL;
		uint64_t *po = out + r.out;
		if (pr)
			for (int64_t i = 0; i < r.len; i++)
				po[i * r.so] = (ca * pa[i * r.sa] + cb * (pb[i * r.sb] + pr[i * r.sb]) + c) & m;
		else if (pb)
			for (int64_t i = 0; i < r.len; i++)
				po[i * r.so] = (ca * pa[i * r.sa] + cb * pb[i * r.sb] + c) & m;
		else
			for (int64_t i = 0; i < r.len; i++)
				po[i * r.so] = (ca * pa[i * r.sa]) & m;
	} while (map_next(s->map, idx, &r));
}

static enum suf_err
addx_deal(struct suf_run *r, const struct suf_step *s)
{
	combine(s, 0, run_mask(r, s->in[0]), run_mask(r, s->in[1]), NULL, run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
addx_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = r->party == 0 ? run_wire(r, s->in[1]) : NULL;
	combine(s, (uint64_t)s->c, run_wire(r, s->in[0]), x, NULL, run_wire(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
addx_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *b = run_wire(r, s->in[1]), *rb = run_mask(r, s->in[1]);
	combine(s, (uint64_t)s->c, run_wire(r, s->in[0]), b, NULL, run_wire(r, s->out[0]));
	combine(s, (uint64_t)s->c, run_share0(r, s->in[0]), b, rb, run_share0(r, s->out[0]));
	return addx_deal(r, s);
}

const struct step_impl step_addx = { .deal = addx_deal, .eval = addx_eval, .sim = addx_sim };

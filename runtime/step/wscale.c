/* SPDX-License-Identifier: Apache-2.0
 * wscale.c -- product of a masked value with public weights, element by element, broadcast by the strides of suf_map:
 *     (x + r) w = x w + r w,
 * local on x and on the mask, as in step wmul.
 *
 * Opened: nothing.  Key: none.
 */
#include "map.h"

static void
scale(struct suf_run *r, const struct suf_step *s, const uint64_t *a, uint64_t *out)
{
	const uint64_t *w = run_weight(r, s->in[1]), ring = ring_mask(s->m);
	uint32_t idx[SUF_MAX_DIM];
	struct map_run m;
	map_first(s->map, idx, &m);
	do {
		for (int64_t i = 0; i < m.len; i++)
			out[(int64_t)m.out + i * m.so] = a[(int64_t)m.a + i * m.sa] * w[(int64_t)m.b + i * m.sb] & ring;
	} while (map_next(s->map, idx, &m));
}

static enum suf_err
wscale_deal(struct suf_run *r, const struct suf_step *s)
{
	scale(r, s, run_mask(r, s->in[0]), run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
wscale_eval(struct suf_run *r, const struct suf_step *s)
{
	scale(r, s, run_wire(r, s->in[0]), run_wire(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
wscale_sim(struct suf_run *r, const struct suf_step *s)
{
	const enum suf_err e = wscale_eval(r, s);
	return e ? e : wscale_deal(r, s);
}

const struct step_impl step_wscale = { wscale_deal, wscale_eval, wscale_sim, NULL, NULL };

/* SPDX-License-Identifier: Apache-2.0
 * shift.c -- drops the low s bits of a masked value without a key or a message
 * (compact gates, docs/compact.md).
 *
 *     X' = (X >> s) mod 2^m        r' = (r >> s) mod 2^m        m <= n-s
 * Let t = X mod 2^s and u = r mod 2^s.  X = x + r less a multiple of 2^n, which is 0 mod 2^m after the shift; so
 * x' = X' - r' = (x - t + u) / 2^s = ceil((x - t) / 2^s), off by less than a unit either way.  t is uniform, hence the mean of x' is
 * x / 2^s: to add half a unit, as one does before an opening that drops bits of both shares, would be half a unit too much here.
 * Opened: nothing, here or later; what hides x stays the mask r, of which r' is the upper part.  The coin t is public: both parties
 * know X.  r' is no sum of pads, as the carry out of their low bits is in it, so nothing may take it for one (ir_pads).
 */
#include "kernels/steps.h"
#include "run.h"

static void
drop(const struct suf_step *s, const uint64_t *v, uint64_t *out)
{
	for (uint64_t i = 0; i < s->count; i++)
		out[i] = suf_shift_eval(s->s, s->m, v[i]);
}

static enum suf_err
shift_deal(struct suf_run *r, const struct suf_step *s)
{
	drop(s, run_mask(r, s->in[0]), run_mask(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
shift_eval(struct suf_run *r, const struct suf_step *s)
{
	drop(s, run_wire(r, s->in[0]), run_wire(r, s->out[0]));
	return SUF_OK;
}

static enum suf_err
shift_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]);
	uint64_t *out = run_wire(r, s->out[0]), *mask = run_mask(r, s->out[0]);
	for (uint64_t i = 0; i < s->count; i++) {
		mask[i] = suf_shift_eval(s->s, s->m, rx[i]);
		out[i] = (suf_shift_eval(s->s, s->m, (x[i] + rx[i]) & ring_mask(s->n)) - mask[i]) & ring_mask(s->m);
	}
	return SUF_OK;
}

const struct step_impl step_shift = { .deal = shift_deal, .eval = shift_eval, .sim = shift_sim };

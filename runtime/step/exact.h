/* SPDX-License-Identifier: Apache-2.0
 * exact.h -- the end of steps that compute exact additive shares of y in a ring of m + s bits: local truncation, then a pad.
 *
 *     party 0 adds 2^s - 1;   z_i = ([y]_i >> s) + pad_i mod 2^m
 *
 * so z_0 + z_1 less the pads is y / 2^s, off by less than one unit and 0 on average; exact mod 2^m whatever y is.  The
 * rounding depends on the low bits of a party's own share, which contain a pad or a correction and so are uniform to it.
 */
#ifndef SUF_STEP_EXACT_H
#define SUF_STEP_EXACT_H
#include "blocks.h"
#include "kernels/steps.h"

/* Party, in place: shares of y to shares of the result with its pad. */
static inline void
exact_finish(struct suf_run *r, const struct suf_step *s, int output, uint64_t first, size_t count, uint64_t *share)
{
	for (size_t i = 0; i < count; i++)
		share[i] = suf_exact_top(r->party, s->s, s->m, share[i]);
	eval_pad(r, s, output, first, count, s->m, share);
}

/* Simulator: y and party 0's share of it (in *zero) to the result, its mask and party 0's share of that. */
static inline void
exact_sim(struct suf_run *r, const struct suf_step *s, int output, uint64_t count, uint64_t *y, uint64_t *zero)
{
	uint64_t pad[SUF_BLOCK];
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t other = suf_exact_top(1, s->s, s->m, y[i] - zero[i]);
		zero[i] = suf_exact_top(0, s->s, s->m, zero[i]);
		y[i] = (zero[i] + other) & ring_mask(s->m);
	}
	FOR_BLOCKS(at, k, count) {
		party_pad(r, 0, s->id, output, at, (size_t)k, s->m, pad);
		for (uint64_t i = 0; i < k; i++)
			zero[at + i] = (zero[at + i] + pad[i]) & ring_mask(s->m);
	}
	prg_wipe(pad, sizeof pad);
	deal_pad(r, s, output, 0, (size_t)count, s->m, run_mask(r, s->out[output]));
}
#endif

/* SPDX-License-Identifier: Apache-2.0
 * shift.h -- what shiftmul and shiftsq share: the dealer's part o of x >> s = X + o.
 *
 * X is public (suf_shift_public of kernels/steps.h); o = -(r >> s) - w, and msb(r) 2^(n-s) more if x + 2^(n-2) + r
 * wrapped, which x_hat and msb(r) tell.  The opened borrow bit is w_hat = w ^ z: the key has words for both.
 */
#ifndef SUF_STEP_SHIFT_H
#define SUF_STEP_SHIFT_H
#include "blocks.h"
#include "kernels/steps.h"

/* Values of w_hat: one if nothing is shifted out. */
static inline unsigned shift_ways(const struct suf_step *s) { return s->s ? 2 : 1; }
/* Bits above those that x >> s has by itself. */
static inline unsigned shift_lift(const struct suf_step *s) { return s->slack ? (unsigned)(s->m + s->s - s->n) : 0; }

/* o for w_hat, without the top bit of r; z: the mask of the borrow bit. */
static inline uint64_t
shift_o(const struct suf_step *s, uint64_t r, uint64_t w_hat, uint64_t z)
{
	return 0 - ((r & ring_mask(s->n)) >> s->s) - (s->s ? w_hat ^ z : 0);
}

/* x >> s as the protocol has it, for simulation; w: the borrow bit. */
static inline uint64_t
shift_sim(const struct suf_step *s, uint64_t x, uint64_t r, uint64_t w)
{
	uint64_t wraps, at = suf_shift_public(s->n, s->s, s->slack, x + r, &wraps), top = (r & ring_mask(s->n)) >> (s->n - 1);
	return at + shift_o(s, r, s->s ? w : 0, 0) + (s->slack ? wraps * top << (s->n - s->s) : 0);
}
#endif

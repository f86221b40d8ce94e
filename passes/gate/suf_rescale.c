/* SPDX-License-Identifier: Apache-2.0
 * suf_rescale.c -- floor(x / 2^s) for -2^(n-2) <= x < 2^(n-2), into any ring of m bits: the borrow bit of the
 * s low bits, then the result; two rounds instead of the four of a faithful truncation.
 *
 * The condition is the rule by which the ring was chosen (passes/quantize_ring.c).  Where m <= n-s nothing wraps
 * and every x is right.  Outside the range the result is off by a multiple of 2^(n-s) for a part of the masks.
 *
 * Opened: a borrow bit and the result, each under its own pad.  Without a shift: nothing where the ring becomes
 * no wider, the result (gap extension) where it does.
 */
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"

bool
expand_suf_rescale(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const int64_t shift = ir_int(n, ATTR_shift);
	const unsigned bits = x->type.bits, m = n->out[0]->type.bits;
	if (shift < 0 || shift > x->type.bits - 2)
		BUG("'%s': a shift by %lld", x->name, (long long)shift);
	if (m <= bits - (unsigned)shift)
		return b_done(&g, b_trunc_reduce(&g, x, (unsigned)shift, m));
	return b_done(&g, shift ? b_trunc_slack(&g, x, (unsigned)shift, m) : b_open(&g, b_gapext(&g, x, m)));
}

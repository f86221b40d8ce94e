/* SPDX-License-Identifier: Apache-2.0
 * compact_chain.c -- gap extension (docs/gates.md).
 *
 * Opened later: the extension, under its own pads of m bits, which may serve as shares of its mask then.
 */
#include "passes/gate/compact_chain.h"

struct val *
b_gapext(struct gb *g, struct val *x, unsigned m)
{
	if (x->type.sec != SEC_MASKED || m < x->type.bits)
		BUG("'%s': extension of %u to %u bits", x->name, x->type.bits, m);
	struct suf_step st = { .op = SUF_gapext, .count = b_count(x), .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m };
	return b_step(g, st, SEC_SHARED, 1, &x);
}

/* SPDX-License-Identifier: Apache-2.0
 * relu.c -- max(x, 0): the sign bit by DReLU, then bit * x.
 * SIGMA (eprint 2023/1269), section 4.3.  Opened: the bit and the result, each
 * under its own pad.  Condition: |x| < 2^(w-1), w the width of x.
 */
#include "passes/gate/build.h"

bool
expand_sigma_relu(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0], *d = b_sign(&g, x, b_width(x), 0);
	return b_done(&g, b_open(&g, b_select(&g, d, x, x->type.bits)));
}

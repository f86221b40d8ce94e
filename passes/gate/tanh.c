/* SPDX-License-Identifier: Apache-2.0
 * tanh.c -- hyperbolic tangent: an odd function on cells of 1/256, |x| < 4.
 * Error at most 2^-9 + 2^-(f+1).  After SIGMA (eprint 2023/1269), section 5.2; opened values: act.c.
 */
#include <math.h>
#include "passes/gate/build.h"

bool
expand_sigma_tanh(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return gate_odd(&g, "tanh", 8, 10, 0, tanh);
}

/* SPDX-License-Identifier: Apache-2.0
 * sigmoid.c -- 1 / (1 + e^-x) = 1/2 + an odd function, on cells of 1/128, |x| < 8.
 * Error at most 2^-10 + 2^-(f+1).  After SIGMA (eprint 2023/1269), section 5.2; opened values: act.c.
 */
#include <math.h>
#include "passes/gate/build.h"

static double half(double z) { return 1 / (1 + exp(-z)) - 0.5; }

bool
expand_sigma_sigmoid(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return gate_odd(&g, "sigmoid", 7, 10, 0.5, half);
}

/* SPDX-License-Identifier: Apache-2.0
 * silu.c -- x * sigmoid(x) = ReLU(x) - delta(|x|), delta from a table of 2^10
 * entries in steps of 1/64.  SIGMA (eprint 2023/1269), section 5.2.  Opened values: act.c.
 */
#include <math.h>
#include "passes/gate/build.h"

static double delta(double z) { return z - z / (1 + exp(-z)); }

bool
expand_sigma_silu(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return gate_relu_minus(&g, "silu", 10, delta);
}

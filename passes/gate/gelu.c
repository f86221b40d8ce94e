/* SPDX-License-Identifier: Apache-2.0
 * gelu.c -- GeLU(x) = ReLU(x) - delta(|x|), delta from a table of 2^8 entries in
 * steps of 1/64; the erf form or the tanh form by the attribute.
 * SIGMA (eprint 2023/1269), section 5.2.  Opened values and what hides them: act.c.
 */
#include <math.h>
#include "passes/gate/build.h"

/* ReLU(z) - GeLU(z), z >= 0 (an even function of z) */
static double delta_erf(double z) { return z - z * 0.5 * (1 + erf(z / sqrt(2))); }
static double delta_tanh(double z) { return z - z * 0.5 * (1 + tanh(sqrt(2 / acos(-1)) * (z + 0.044715 * z * z * z))); }

bool
expand_sigma_gelu(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	bool tanh_form = ir_int_or(n, ATTR_tanh, 0) != 0;
	return gate_relu_minus(&g, tanh_form ? "gelu_tanh" : "gelu_erf", 8, tanh_form ? delta_tanh : delta_erf);
}

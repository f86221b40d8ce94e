/* SPDX-License-Identifier: Apache-2.0
 * erf.c -- error function: an odd function on cells of 1/512 (its slope exceeds
 * 1), |x| < 4.  Error at most 2^-9.  After SIGMA (eprint 2023/1269), section
 * 5.2; opened values: act.c.
 */
#include <math.h>
#include "passes/gate/build.h"

bool
expand_sigma_erf(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return gate_odd(&g, "erf", 9, 11, 0, erf);
}

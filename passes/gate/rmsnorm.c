/* SPDX-License-Identifier: Apache-2.0
 * rmsnorm.c -- gamma * x / sqrt(mean(x^2) + eps) over the last axis.
 * SIGMA (eprint 2023/1269), section 5.4.  Protocol and opened values: norm.c.
 */
#include "passes/gate/build.h"

bool
expand_sigma_rmsnorm(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return gate_norm(&g, false);
}

/* SPDX-License-Identifier: Apache-2.0
 * layernorm.c -- gamma * (x - mean) / sqrt(var + eps) + beta over the last axis.
 * SIGMA (eprint 2023/1269), section 5.4.  Protocol and opened values: norm.c.
 */
#include "passes/gate/build.h"

bool
expand_sigma_layernorm(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return gate_norm(&g, true);
}

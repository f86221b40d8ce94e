/* SPDX-License-Identifier: Apache-2.0
 * softmax_tril.c -- softmax of the rows of a packed lower triangle: row i has
 * past + 1 + i elements.  SIGMA (eprint 2023/1269), section 5.3, causal form.
 * Protocol and opened values: softmax.c.
 */
#include "passes/gate/build.h"

bool
expand_sigma_softmax_tril(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	const uint64_t rows = (uint64_t)ir_int(n, ATTR_rows), past = (uint64_t)ir_int_or(n, ATTR_past, 0);
	const uint64_t packed = rows * (past + 1) + rows * (rows - 1) / 2;
	const struct suf_rows r = b_tril_rows(b_count(n->in[0]) / packed * rows, rows, past);
	struct val *y = gate_softmax(&g, n->in[0], &r);
	return y && b_done(&g, y);
}

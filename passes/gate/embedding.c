/* SPDX-License-Identifier: Apache-2.0
 * embedding.c -- rows of a private table at secret ids: the client sends its ids
 * as masked one-hot rows (passes/expand.c), the gate is a matrix product with them.
 * Opened: the result in full under its own pad; of a public table nothing, though the ids stay secret.  Exact.
 */
#include "passes/gate/build.h"

bool
expand_sigma_embedding(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *table = n->in[0], *hot = n->in[1];
	const uint32_t rows = (uint32_t)table->dim[0], cols = (uint32_t)table->dim[1];
	const uint32_t ids = (uint32_t)(b_count(n->out[0]) / cols), width = hot->onehot;
	if (table->rank != 2 || width < rows || b_count(hot) != (uint64_t)ids * width || !ir_is_const(table))
		BUG("'%s': %u one-hot columns for a table of %u rows", table->name, width, rows);
	const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = ids, .inner = rows, .cols = cols,
	                           .sa = { 0, 0, width, 1 }, .sb = { 0, 0, cols, 1 } };
	return b_done(&g, b_linear(&g, hot, table, NULL, &mm));
}

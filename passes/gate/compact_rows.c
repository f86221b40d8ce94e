/* SPDX-License-Identifier: Apache-2.0
 * compact_rows.c -- a positive number of each row, brought to a fixed size (docs/compact.md, normaliser of a row).
 *
 * Opened, each under its own pads: K bits, the top 16 bits of the normalised number.
 */
#include "passes/gate/compact.h"

/* Bits of the result; sizes begin 2^-MARGIN above a power of two.  The narrow opening is off by less than 1.5 units and the least
 * number of a size has 2^11 of them: with the margin, 2 more, so it stays above 2^11, where the cells of a function begin. */
enum { TOP = 16, MARGIN = 10 };

struct val *
b_row_scale(struct gb *g, struct val *z, unsigned K, struct val **bits)
{
	const unsigned n = z->type.bits;
	if (z->type.sec != SEC_MASKED || K < 1 || n < TOP + 1 || n < 4 * K + 6 || n > 63)
		BUG("'%s': %u sizes of %u bits", z->name, K, n);
	int64_t *at = b_words(g, K), *step = b_words(g, K);
	for (unsigned k = 1; k <= K; k++) {
		at[k - 1] = INT64_C(1) << (n - 1 - 4 * (K - k + 1));
		at[k - 1] += at[k - 1] >> MARGIN ? at[k - 1] >> MARGIN : 1;
		step[k - 1] = (INT64_C(1) << 4 * (K - k)) - (INT64_C(1) << 4 * (K - k + 1));
	}
	const char *name = arena_printf(g->p->arena, "sizes_%u_%u", n, K);
	*bits = b_drelu(g, z, n, K, at, NULL, name);
	struct val *y = b_bitmul(g, *bits, K, z, INT64_C(1) << 4 * K, step, 0, n, arena_printf(g->p->arena, "size_steps_%u", K));
	return b_open_narrow(g, y, n - TOP, TOP);
}

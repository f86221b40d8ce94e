/* SPDX-License-Identifier: Apache-2.0
 * mul.c -- elementwise product, broadcast (Beaver 1991).  A public constant
 * costs nothing, a weight is masked once for all inferences; times a public weight is local.
 * Opened: the result in full under its own pad, unless it is local.  Condition: none (exact mod 2^n).
 */
#include "passes/gate/build.h"

/* a read at the positions of the output, when it is smaller */
static struct val *
spread(struct gb *g, struct val *a, const struct val *out)
{
	if (b_count(a) == b_count(out))
		return a;
	int64_t sa[MAX_RANK], so[MAX_RANK];
	b_strides(a, out->rank, out->dim, sa);
	b_contiguous(out->rank, out->dim, so);
	const struct suf_map map = b_map(out->rank, out->dim, so, sa, NULL);
	return b_lin(g, 1, a, 0, NULL, 0, a->type.bits, &map);
}

bool
expand_sigma_mul(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *a = n->in[0], *b = n->in[1], *out = n->out[0];
	if (ir_is_const(a)) {
		a = n->in[1];
		b = n->in[0];
	}
	const unsigned bits = a->type.bits;
	int64_t sa[MAX_RANK], sb[MAX_RANK], so[MAX_RANK];
	b_contiguous(out->rank, out->dim, so);
	b_strides(b, out->rank, out->dim, sb);
	if (b->type.sec == SEC_PUBLIC) {
		b_strides(a, out->rank, out->dim, sa);
		const struct suf_map map = b_map(out->rank, out->dim, so, sa, sb);
		return b_done(&g, b_mulc(&g, a, b_table(&g, b->name, (uint32_t)b_count(b), b->data), bits, &map));
	}
	if (!ir_is_const(b) && b_count(a) < b_count(b)) { /* the step repeats its second operand */
		struct val *t = a;
		a = b;
		b = t;
		b_strides(b, out->rank, out->dim, sb);
	}
	const struct suf_map map = b_map(out->rank, out->dim, so, so, sb);
	return b_done(&g, b_times(&g, spread(&g, a, out), b, &map));
}

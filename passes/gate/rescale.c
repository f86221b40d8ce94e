/* SPDX-License-Identifier: Apache-2.0
 * rescale.c -- arithmetic shift right, floor, for every x: truncate and reduce to
 * n-s bits, then sign extension (SIGMA, eprint 2023/1269, section 4.2; four rounds).
 * After a rotary embedding SIGMA truncates with slack (two rounds), which is
 * the same floor as long as |x| < 2^(n-2); so does this gate where that is certain.
 * Opened: one borrow bit and the value, twice (once); each under its own pad.
 */
#include <math.h>
#include "passes/gate/build.h"

/* x*cos + rotate(x)*sin, as expand_local_rope leaves it */
static bool
is_rope(const struct val *x)
{
	const struct node *d = b_maker(x);
	if (!d || d->op != OP_step || d->step->op != SUF_lin || d->nin != 2)
		return false;
	const struct node *a = b_maker(d->in[0]), *b = b_maker(d->in[1]);
	return a && b && a->op == OP_step && b->op == OP_step && a->step->op == SUF_mulc && b->step->op == SUF_mulc && a->in[0] == b->in[0];
}

/* |x| < 2^(n-2), by the steps before or by a proven range with a factor of two to spare */
static bool
has_gap(const struct val *x)
{
	const int n = x->type.bits;
	if (b_width(x) < x->type.bits)
		return true;
	double most = fmax(fabs(x->lo), fabs(x->hi));
	return x->from == RANGE_PROVEN && x->lo <= x->hi && ldexp(most, x->type.frac + 1) < ldexp(1, n - 2);
}

bool
expand_sigma_rescale(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const int64_t shift = ir_int(n, ATTR_shift);
	const unsigned m = n->out[0]->type.bits;
	if (shift < 0 || shift > x->type.bits - 2)
		BUG("'%s': a shift by %lld", x->name, (long long)shift);
	if (shift == 0)
		return b_done(&g, m == x->type.bits ? x : b_sext(&g, x, m));
	if (is_rope(x) && has_gap(x))
		return b_done(&g, b_trunc_slack(&g, x, (unsigned)shift, m));
	return b_done(&g, b_trunc_floor(&g, x, (unsigned)shift, m));
}

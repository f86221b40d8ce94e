/* SPDX-License-Identifier: Apache-2.0
 * suf_poly.c -- protocol steps of SUF's gates: products with a shifted value and polynomials of a piece.
 *
 * Security as in proto.c: every SHARED value has its own full-width pad, and what chooses a word of key was
 * opened under a pad of its own.
 */
#include "passes/gate/build.h"

static void
need_masked(const struct val *v)
{
	if (v->type.sec != SEC_MASKED)
		BUG("'%s' must be opened before a protocol step", v->name);
}

/* For a step on x >> s with m bits: is the gap needed, that is, are there more bits than x >> s has? */
static bool
needs_gap(const struct val *x, const struct val *carry, unsigned s, unsigned m)
{
	need_masked(x);
	if (!carry != !s || s + 2u > x->type.bits)
		BUG("'%s': a shift by %u with%s borrow bits", x->name, s, carry ? "" : "out");
	return m + s > x->type.bits;
}

struct val *
b_carry(struct gb *g, struct val *x, unsigned s)
{
	return s ? b_lt(g, x, 0, s) : NULL;
}

/* The step whose pads are the mask shares of v. */
static uint32_t
pads_of(const struct val *v)
{
	const struct node *n = v->type.sec == SEC_MASKED ? b_maker(v) : NULL;
	if (!n || n->op != OP_step || n->step->op != SUF_open)
		return 0;
	n = b_maker(n->in[0]);
	return n && n->step && suf_step_desc[n->step->op].form == FORM_SHARED && !n->step->define_last && n->nout == 1 ? n->step->id : 0;
}

struct val *
b_shift_mul(struct gb *g, struct val *x, struct val *carry, unsigned s, struct val *y, unsigned m, const struct suf_rows *rows)
{
	const uint64_t count = b_count(x);
	y = b_weight(g, y, m);
	if (y->type.bits != m)
		BUG("'%s': %u bits in a product of %u", y->name, y->type.bits, m);
	if (rows && rows->inc) /* strides cannot say this: repeat y */
		y = b_row_lin(g, 0, x, 1, y, rows);
	const bool wide = rows && !rows->inc;
	const int64_t dim[2] = { wide ? (int64_t)rows->count : 1, wide ? (int64_t)rows->first : (int64_t)count };
	const int64_t so[2] = { dim[1], 1 }, sy[2] = { wide, !wide };
	const struct suf_map map = b_map(2, dim, so, so, sy);
	struct val *in[3] = { x, y, carry };
	struct suf_step st = { .op = SUF_shiftmul, .count = count, .na = count, .nb = b_count(y), .n = x->type.bits, .m = (uint8_t)m,
	                       .s = (uint8_t)s, .slack = needs_gap(x, carry, s, m), .weight_b = y->type.sec == SEC_WEIGHT, .pad_b = pads_of(y), .map = &map };
	if (!st.weight_b)
		need_masked(y);
	return b_step(g, st, SEC_SHARED, carry ? 3 : 2, in);
}

struct val *
b_shift_sq(struct gb *g, struct val *x, struct val *carry, unsigned s, unsigned m, const struct suf_rows *rows)
{
	struct val *in[2] = { x, carry };
	struct suf_step st = { .op = SUF_shiftsq, .count = rows->count, .na = b_count(x), .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s,
	                       .slack = needs_gap(x, carry, s, m), .rows = rows };
	return b_step(g, st, SEC_SHARED, carry ? 2 : 1, in);
}

struct val *
b_pieces(struct gb *g, struct val *x, struct val *index, unsigned bits, unsigned degree, const int64_t *coeff, bool gap, unsigned m, const char *name)
{
	const uint64_t count = b_count(x);
	need_masked(x);
	if (!index != !bits || bits > 10 || (index && b_count(index) != bits * count) || (gap ? m < x->type.bits : m > x->type.bits))
		BUG("'%s': pieces from %u to %u bits", x->name, x->type.bits, m);
	struct val *in[2] = { x, index };
	struct suf_step st = { .op = SUF_pieces, .count = count, .na = count, .nb = index ? b_count(index) : 0, .n = x->type.bits, .m = (uint8_t)m,
	                       .b = (uint8_t)bits, .ca = degree, .slack = gap, .table = b_table(g, name, (degree + 1) << bits, coeff) };
	return b_step(g, st, SEC_SHARED, index ? 2 : 1, in);
}

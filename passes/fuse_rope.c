/* SPDX-License-Identifier: Apache-2.0
 * fuse_rope.c -- rotary position embedding: x*cos + rotate_half(x)*sin becomes one linear operation.
 *
 * rotate_half(x) joins the negated second half of the last axis and the first.
 * The tables are functions of the positions alone, not learned: they are taken as
 * public, but only if they are what they claim to be, cos^2 + sin^2 the same
 * positive constant everywhere.  Otherwise a model owner's weights would move
 * into the program text, and the formula is left alone.
 *
 * Linear in nodes and table elements.
 */
#include "match.h"
#include <math.h>

static const char rope[] = "(add (mul j=(concat {(neg h=(slice x)) n=(scale h=(slice x))} l=(slice x)) S) (mul x C))";

static bool is_half(const struct val *x, const struct node *slice, int64_t start)
{
	int last = x->rank - 1;

	return ir_int(slice, ATTR_axis) == last && ir_int(slice, ATTR_step) == 1
		&& ir_int(slice, ATTR_start) == start && slice->out[0]->dim[last] == x->dim[last] / 2;
}

/* cos^2 + sin^2 is one constant over all positions of x?  Only tables are read. */
static bool are_angles(const struct val *c, const struct val *s, const struct val *x)
{
	int64_t pos[MAX_RANK] = { 0 };
	double radius = -1;

	if (c->dtype != DT_F32 || s->dtype != DT_F32 || c->rank > x->rank || s->rank > x->rank)
		return false;
	do {
		double a = ir_elem(c, offset_at(c, x->rank, pos)), b = ir_elem(s, offset_at(s, x->rank, pos));
		double r = a * a + b * b;
		if (radius < 0)
			radius = r;
		if (!(fabs(r - radius) <= 1e-2 * radius) || !(radius > 0))
			return false;
	} while (next_pos(x->rank, x->dim, pos));
	return true;
}

static void fuse(struct prog *p, struct val *root)
{
	struct match m;

	if (!match(p, &m, root, rope))
		return;
	struct val *x = m.letter['x'], *c = m.letter['C'], *s = m.letter['S'], *n = m.letter['n'];
	int64_t half = x->dim[x->rank - 1] / 2;
	struct node *join = m.letter['j']->def;
	if (x->rank < 1 || 2 * half != x->dim[x->rank - 1] || !same_shape(x, root) || ir_is_const(x)
	    || ir_int(join, ATTR_axis) != x->rank - 1 || (n && ir_f64(n->def, ATTR_factor) != -1)
	    || !is_half(x, m.letter['h']->def, half) || !is_half(x, m.letter['l']->def, 0) || !are_angles(c, s, x))
		return;
	struct val *in[3] = { x, const_view(p, c, SEC_PUBLIC, c->rank, c->dim), const_view(p, s, SEC_PUBLIC, s->rank, s->dim) };
	struct node *r = make_node_like(p, root->def, OP_rope, &root->def->loc, 3, in, root);
	ir_set_int(p, r, ATTR_half, half);
	take_over(p, r, root);
}

bool pass_fuse_rope(struct prog *p)
{
	struct node *after;

	for (struct node *n = p->first; n; n = after) {
		after = n->next;
		if (n->op == OP_add)
			fuse(p, n->out[0]);
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * fuse_pv.c -- pass `fuse_pv`: softmax and the product with V behind it become one operation, softmax_pv, where the set
 * of the softmax's gate has one: such a gate can divide by the sum of a row after the product, once for each of its
 * elements, and need not normalise every score.
 *
 *     softmax(x) [-> untril] -> matmul(P, V) -> rescale      P is read by nothing else
 *
 * V goes into a ring of its own by a rescale (which joins the truncation before it in pass `defer`): sums of a row of
 * L exponentials of f fraction bits, each at most 1, times V fit 2f + log2 L + log2 |V| bits, a sign and a bit to
 * spare.  |V| is its known range or what the ring allows (quantize_ring.c), which alone counts if the width was given:
 * costs are then the same without weights.  More than 64 bits here or in the product with 1/S: nothing is fused.
 * Nor is it if batches of P or V are repeated so that the rows of P do not meet the matrices of V in their order.
 *
 * The product keeps its name and meaning, P has no value any more.  Shapes, widths and ranges decide, never data.
 */
#include <math.h>
#include "passes/gate/suf_rows.h"
#include "passes/passes.h"
#include "passes/range.h"

struct attention { struct node *softmax, *untril, *product, *down; const struct gate *gate; };

/* The node that makes v for `user` alone, if it is a rescale, an untril .. */
static struct node *made_for(struct prog *p, const struct val *v, const struct node *user, enum op op)
{
	return v->def && v->def->op == op && ir_user(p, v) == user ? v->def : NULL;
}

/* The batch axes of V are the first ones of P, with ones behind them: each matrix serves the next rows of P, and P is not repeated. */
static bool in_order(const struct val *probs, const struct val *v)
{
	bool same = v->rank <= probs->rank;
	for (int k = 0; k < probs->rank - 2; k++) {
		const int at = k - (probs->rank - v->rank);
		const int64_t d = at < 0 ? 1 : v->dim[at];
		if (d != 1 && !(same && d == probs->dim[k]))
			return false;
		same = same && d == probs->dim[k];
	}
	return v->rank <= probs->rank;
}

static bool find(struct prog *p, struct node *down, struct attention *a)
{
	*a = (struct attention){ .down = down };
	a->product = made_for(p, down->in[0], down, OP_matmul);
	if (!a->product || a->product->nin != 2 || ir_int_or(a->product, ATTR_trans_b, 0))
		return false;
	const struct val *probs = a->product->in[0], *v = a->product->in[1];
	if (ir_int(down, ATTR_shift) != probs->type.frac || down->out[0]->type.frac != v->type.frac)
		return false;
	if (v->data || v->rank < 2 || !in_order(probs, v))
		return false;
	a->untril = made_for(p, probs, a->product, OP_untril);
	a->softmax = a->untril ? made_for(p, a->untril->in[0], a->untril, OP_softmax_tril) : made_for(p, probs, a->product, OP_softmax);
	if (!a->softmax)
		return false;
	const int rank = a->softmax->in[0]->rank;
	if (ir_has(a->softmax, ATTR_axis) && (ir_int(a->softmax, ATTR_axis) + rank) % rank != rank - 1)
		return false;
	a->gate = gate_find(a->softmax->gate->set, OP_softmax_pv);
	return a->gate != NULL;
}

/* Integer bits of |V| */
static int integer_bits(const struct prog *p, const struct val *v)
{
	const int ruled = v->type.bits > 2 * v->type.frac + 2 ? v->type.bits - 2 * v->type.frac - 2 : 0;
	if (v->from == RANGE_NONE || !(v->lo <= v->hi) || (p->opt && p->opt->ring_bits))
		return ruled;
	int e;
	frexp(range_max(v) * 1.02, &e); /* < 2^e, rounding and tables included */
	e = e > 0 ? e : 0;
	return e < ruled ? e : ruled;
}

/* The ring of the product, 0: there is none */
static uint8_t product_bits(const struct prog *p, const struct attention *a)
{
	const struct val *v = a->product->in[1];
	const int64_t longest = v->dim[v->rank - 2];
	const int whole = integer_bits(p, v), scaled = v->type.frac + (int)reciprocal_frac((uint64_t)longest) + whole + 2; /* the product with 1/S */
	int bits = a->product->in[0]->type.frac + v->type.frac + whole + 2;
	for (int64_t n = 1; n < longest; n *= 2)
		bits++;
	return bits <= 64 && scaled <= 64 ? (uint8_t)bits : 0;
}

/* V in its ring, before `at` */
static struct val *own_ring(struct prog *p, struct node *at, struct val *v, uint8_t bits, const struct node *like)
{
	struct val *own = ir_val_like(p, v, ".ring");
	struct node *n = ir_node(p, at, OP_rescale, &like->loc, 1, &v, 1, &own);
	own->type.bits = bits;
	own->lo = v->lo; own->hi = v->hi; own->norm = v->norm; own->from = v->from;
	ir_set_int(p, n, ATTR_shift, 0);
	n->gate = like->gate;
	n->klass = like->klass;
	return own;
}

static void fuse(struct prog *p, const struct attention *a, uint8_t bits)
{
	struct node *const gone[] = { a->down, a->product, a->untril, a->softmax };
	struct val *in[2] = { a->softmax->in[0], own_ring(p, a->down, a->product->in[1], bits, a->down) };
	struct val *out = ir_val_like(p, a->down->out[0], NULL);
	struct node *n = ir_node(p, a->down, OP_softmax_pv, &a->softmax->loc, 2, in, 1, &out);
	if (a->untril) {
		ir_set_int(p, n, ATTR_rows, ir_int(a->softmax, ATTR_rows));
		ir_set_int(p, n, ATTR_past, ir_int(a->softmax, ATTR_past));
	}
	if (ir_has(a->softmax, ATTR_shift))
		ir_set_int(p, n, ATTR_shift, ir_int(a->softmax, ATTR_shift));
	n->gate = a->gate;
	n->klass = a->gate->klass;
	ir_take_out(p, n, a->down->out[0]);
	for (int k = 0; k < 4; k++)
		if (gone[k])
			ir_remove(p, gone[k]);
}

bool pass_fuse_pv(struct prog *p)
{
	struct node *next;
	for (struct node *n = p->first; n; n = next) {
		struct attention a;
		next = n->next;
		if (n->op != OP_rescale || !find(p, n, &a))
			continue;
		const uint8_t bits = product_bits(p, &a);
		if (bits)
			fuse(p, &a, bits);
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * check_type.c -- element types, ring widths, fraction bits and secrecy at the
 * stages FLOAT to GATE.
 *
 * Secrecy is ordered public < weight < secret: a result is at least as secret
 * as each operand.  What selects elements (indices, conditions, exponents,
 * angles) becomes program text and so must be public.
 */
#include "check.h"
#include "passes/passes.h"
#include "text.h"

static void
check_secrecy(struct checker *c, const struct node *n, enum stage stage)
{
	const struct val *out = n->out[0];
	for (int k = 0; k < n->nin; k++)
		if (n->in[k]->type.sec > out->type.sec)
			check_fail(c, n, "the result is %s, but computed from '%s', which is %s", ir_sec_name[out->type.sec],
			           n->in[k]->name, ir_sec_name[n->in[k]->type.sec]);
	int from = 0, to = 0; /* operands that must be public constants */
	switch (n->op) {
	case OP_gather: case OP_pow: from = 1, to = 2; break;
	case OP_where: case OP_sin: case OP_cos: to = 1; break;
	case OP_rope: from = 1, to = 3; break;
	default: return;
	}
	for (int k = from; k < to; k++) {
		const struct val *v = n->in[k];
		if (v->type.sec == SEC_SECRET)
			check_fail(c, n, "'%s' is secret, but selects what is computed", v->name);
		else if (stage >= STAGE_RING && (v->type.sec != SEC_PUBLIC || !v->data))
			check_fail(c, n, "'%s' is not a public constant", v->name);
	}
}

static void
check_dtype(struct checker *c, const struct node *n)
{
	enum dtype want = n->in[n->op == OP_where ? 1 : 0]->dtype;
	if (n->op == OP_argmax)
		want = DT_I64;
	if (n->op == OP_cast) {
		int64_t to = ir_int(n, ATTR_to);
		if (to < DT_F32 || to > DT_BOOL) {
			check_fail(c, n, "cast to the element type %lld", (long long)to);
			return;
		}
		want = (enum dtype)to;
	}
	if (n->out[0]->dtype != want)
		check_fail(c, n, "the elements of the result are %s, expected %s", ir_dtype_name[n->out[0]->dtype], ir_dtype_name[want]);
}

/* in[k] has the width and the fraction of the result; of values with formats of their own no smaller width: a value mod 2^n is one mod
 * any smaller power.  Public constants need no width. */
static void
same_format(struct checker *c, const struct node *n, int k)
{
	struct type a = n->in[k]->type, r = n->out[0]->type;
	if (a.frac != r.frac)
		check_fail(c, n, "'%s' has %d fraction bits, the result has %d", n->in[k]->name, a.frac, r.frac);
	if ((c->p->mixed ? a.bits < r.bits : a.bits != r.bits) && (a.sec != SEC_PUBLIC || a.bits))
		check_fail(c, n, "'%s' has %d ring bits, the result has %d", n->in[k]->name, a.bits, r.bits);
}

static void
check_product(struct checker *c, const struct node *n)
{
	struct type a = n->in[0]->type, b = n->in[1]->type, r = n->out[0]->type;
	if (a.frac + b.frac != r.frac)
		check_fail(c, n, "a product of %d and %d fraction bits has %d", a.frac, b.frac, r.frac);
	for (int k = 0; k < n->nin; k++)
		if ((c->p->mixed ? n->in[k]->type.bits < r.bits : n->in[k]->type.bits != r.bits) && (n->in[k]->type.sec != SEC_PUBLIC || n->in[k]->type.bits))
			check_fail(c, n, "'%s' has %d ring bits, the result has %d", n->in[k]->name, n->in[k]->type.bits, r.bits);
	if (n->nin > 2 && n->in[2]->type.frac != r.frac)
		check_fail(c, n, "the bias '%s' has %d fraction bits, the product has %d", n->in[2]->name, n->in[2]->type.frac, r.frac);
}

static void
check_format(struct checker *c, const struct node *n)
{
	switch (n->op) {
	case OP_add: case OP_sub: case OP_concat:
		for (int k = 0; k < n->nin; k++)
			same_format(c, n, k);
		break;
	case OP_neg: case OP_reduce_sum: case OP_reshape: case OP_transpose: case OP_slice: case OP_expand:
	case OP_gather: case OP_tril: case OP_untril:
		same_format(c, n, 0);
		break;
	case OP_widen:
		if (n->in[0]->type.frac != n->out[0]->type.frac || n->in[0]->type.bits > n->out[0]->type.bits)
			check_fail(c, n, "'%s' has %d ring bits and %d fraction bits, the result %d and %d", n->in[0]->name, n->in[0]->type.bits, n->in[0]->type.frac,
			           n->out[0]->type.bits, n->out[0]->type.frac);
		break;
	case OP_matmul: case OP_mul:
		check_product(c, n);
		break;
	case OP_softmax_pv: /* in[1] has its own ring */
		if (n->in[1]->type.frac != n->out[0]->type.frac)
			check_fail(c, n, "'%s' has %d fraction bits, the result has %d", n->in[1]->name, n->in[1]->type.frac, n->out[0]->type.frac);
		if (n->in[0]->type.bits != n->out[0]->type.bits)
			check_fail(c, n, "'%s' has %d ring bits, the result has %d", n->in[0]->name, n->in[0]->type.bits, n->out[0]->type.bits);
		break;
	default:
		break;
	}
}

/* The first operand of a wide gate has `shift` fraction bits more than the result. */
static void
check_shift(struct checker *c, const struct node *n, enum stage stage)
{
	const int64_t shift = ir_int(n, ATTR_shift);
	if (stage < STAGE_GATE)
		check_fail(c, n, "the attribute 'shift' of a gate, before gates are chosen");
	else if (shift < 0 || n->in[0]->type.frac != n->out[0]->type.frac + shift)
		check_fail(c, n, "'%s' has %d fraction bits, the result has %d: no shift by %lld", n->in[0]->name, n->in[0]->type.frac, n->out[0]->type.frac, (long long)shift);
	else if (shift && n->gate && !n->gate->wide)
		check_fail(c, n, "the gate %s.%s takes no operand with more fraction bits than the result", n->gate->set, n->gate->name);
}

void
check_types(struct checker *c, const struct node *n, enum stage stage)
{
	check_secrecy(c, n, stage);
	if (stage == STAGE_FLOAT)
		check_dtype(c, n);
	else
		check_format(c, n);
	if (n->op != OP_rescale && ir_has(n, ATTR_shift))
		check_shift(c, n, stage);
}

/* SPDX-License-Identifier: Apache-2.0
 * precision.c -- fraction bits of each value, for programs whose values have formats of their own.
 *
 * A value gets as many fraction bits as the most demanding of its readers wants (precision.def, or what pass budget chose instead); sums and layout operations
 * pass on what their readers want.  The factors of a product keep theirs, so the product has the sum of both and is brought
 * down behind the last sum that it enters: there the truncation rides on an opening that exists anyway.  A private matrix
 * gets more bits where that aligns the terms of a sum.
 *
 * Meanwhile val.slot, which only pass plan sets, holds the bits of a value plus one.
 */
#include <math.h>
#include "passes/formats.h"
#include "passes/precision.h"
#include "passes/quantize.h"
#include "passes/range.h"

const struct role_desc role_desc[N_ROLE] = {
#define ROLE(name, bits, doc) { #name, bits, doc },
#include "passes/precision.def"
};
enum { LONG_ROW = 512, MOST_WEIGHT = 16, MOST_MORE = 4 };

struct precision { const struct prog *prog; };

int role_bits(const struct prog *p, enum role role)
{
	return p->role_bits ? p->role_bits[role] : role_desc[role].bits;
}

static bool is_layout(enum op op)
{
	switch (op) {
	case OP_reshape: case OP_transpose: case OP_slice: case OP_concat: case OP_expand: case OP_gather: case OP_tril: case OP_untril: return true;
	default: return false;
	}
}

/* Through layout operations, to where the elements come from */
static const struct val *origin(const struct val *v)
{
	while (v->def && is_layout(v->def->op))
		v = v->def->in[0];
	return v;
}

static bool is_attended(const struct val *v)
{
	const struct node *n = origin(v)->def;
	return n && n->op == OP_matmul && !n->in[0]->data && !n->in[1]->data;
}

static int probability_bits(const struct prog *p, const struct node *softmax)
{
	const uint64_t longest = format_row(softmax);
	if (!format_soft(softmax->in[0], (unsigned)role_bits(p, ROLE_scores), longest))
		return FORMAT_TREE;
	return role_bits(p, ROLE_probability) + (longest >= LONG_ROW ? 2 : 0);
}

static bool is_softmax(const struct node *n) { return n && (n->op == OP_softmax || n->op == OP_softmax_tril); }

/* What node n wants of its operand k for; N_ROLE: as much as its own readers want of its result. */
static enum role role_of(const struct node *n, int k)
{
	switch (n->op) {
	case OP_matmul:
		if (k > 1)
			return N_ROLE;
		if (n->in[1 - k]->data)
			return is_attended(n->in[k]) ? ROLE_attended : ROLE_linear;
		return is_softmax(origin(n->in[k])->def) ? ROLE_probability : ROLE_attend;
	case OP_mul: return n->in[1 - k]->data ? N_ROLE : ROLE_factor;
	case OP_softmax: case OP_softmax_tril: return ROLE_scores;
	case OP_gelu: case OP_silu: case OP_tanh: case OP_sigmoid: case OP_erf: case OP_relu: case OP_act: return ROLE_active;
	case OP_layernorm: case OP_rmsnorm: case OP_argmax: return ROLE_stream;
	default: return N_ROLE;
	}
}

static int known(const struct val *v) { return v->slot ? (int)v->slot - 1 : v->type.frac; }

static void demand(struct val *v, int frac, const char *why)
{
	if (v->data || (uint64_t)frac + 1 <= v->slot)
		return;
	v->slot = (uint64_t)frac + 1;
	v->why = why;
}

/* A norm divides by the deviation: where that is below 1, its operand gets as many bits more. */
static int stream_bits(const struct prog *p, const struct val *v)
{
	const double deviation = v->norm > 0 ? v->norm / 2 / sqrt((double)range_last(v)) : 1;
	const int more = deviation < 1 ? (int)ceil(-log2(deviation)) : 0;
	return role_bits(p, ROLE_stream) + (more < MOST_MORE ? more : MOST_MORE);
}

static void demand_operand(const struct prog *p, const struct node *n, int k)
{
	const enum role role = role_of(n, k);
	if (n->op == OP_embedding)
		demand(n->in[k], 0, "ids");
	else if (role == N_ROLE)
		demand(n->in[k], known(n->out[0]), n->out[0]->why);
	else if (role == ROLE_scores && !format_soft(n->in[k], (unsigned)role_bits(p, ROLE_scores), format_row(n)))
		demand(n->in[k], FORMAT_TREE, "scores of the softmax of the set suf");
	else if (role == ROLE_stream && n->op != OP_argmax)
		demand(n->in[k], stream_bits(p, n->in[k]), role_desc[role].name);
	else
		demand(n->in[k], role == ROLE_probability ? probability_bits(p, origin(n->in[k])->def) : role_bits(p, role), role_desc[role].name);
}

struct precision *precision_make(struct prog *p)
{
	struct precision *q = arena_alloc(p->arena, sizeof *q);
	*q = (struct precision){ .prog = p };
	for (int k = 0; k < p->nvals; k++)
		p->vals[k]->slot = 0;
	for (int k = 0; k < p->nout; k++)
		demand(p->out[k], role_bits(p, ROLE_output), role_desc[ROLE_output].name);
	for (struct node *n = p->last; n; n = n->prev)
		for (int k = 0; k < n->nin; k++)
			demand_operand(p, n, k);
	return q;
}

void precision_done(struct precision *q)
{
	for (int k = 0; k < q->prog->nvals; k++)
		q->prog->vals[k]->slot = 0;
}

int precision_of(const struct precision *q, const struct val *v)
{
	(void)q;
	return known(v);
}

/* Fraction bits of a term before it is brought down, with a weight of the usual precision */
static int natural(const struct precision *q, const struct val *v)
{
	const struct node *n = v->def;
	if (n && (n->op == OP_matmul || n->op == OP_mul) && (n->in[0]->data || n->in[1]->data))
		return known(n->in[n->in[0]->data ? 1 : 0]) + role_bits(q->prog, ROLE_weight);
	return known(v);
}

int precision_of_weight(const struct precision *q, const struct node *n)
{
	const struct val *x = n->in[n->in[0]->data ? 1 : 0];
	const struct node *sum = ir_user(q->prog, n->out[0]);
	const int usual = role_bits(q->prog, ROLE_weight), most = usual > MOST_WEIGHT ? usual : MOST_WEIGHT;
	int frac = usual;
	if (!sum || (sum->op != OP_add && sum->op != OP_sub))
		return frac;
	for (int k = 0; k < 2; k++)
		if (!sum->in[k]->data && natural(q, sum->in[k]) - known(x) > frac)
			frac = natural(q, sum->in[k]) - known(x);
	return frac < most ? frac : most;
}

bool precision_stays_wide(const struct prog *p, const struct val *v)
{
	const struct node *n = ir_user(p, v);
	return n && (n->op == OP_add || n->op == OP_sub || n->op == OP_scale);
}

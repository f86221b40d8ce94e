/* SPDX-License-Identifier: Apache-2.0
 * expand.c -- replace every gate by its steps.
 *
 * Needs stage GATE: every node is bound.  Leaves steps only: first one `input`
 * step for every program input that is used, in order; then the gates' steps;
 * last one `output` step for every output, in order.
 *
 * An input's step defines the input value itself.  Ids (val->onehot = V > 0) take V
 * elements each on the wire: the client masks one-hot rows, so an id is never computed on.
 *
 * The result depends on shapes, widths and ranges only, never on an input:
 * program text and traffic are the same for all inputs.
 *
 * Notes in struct prog.joins whether pass join_open may work on it.
 */
#include <string.h>
#include "passes/gate/build.h"

static void
input_step(struct prog *p, struct node *at, struct val *v)
{
	v->type.sec = SEC_MASKED;
	struct suf_step st = { .op = SUF_input, .count = b_count(v), .n = v->type.bits, .m = v->type.bits };
	ir_step(p, at, NULL, st, 0, NULL, 1, &v);
}

static void
inputs(struct prog *p)
{
	struct node *first = p->first;
	for (int k = 0; k < p->nin; k++) {
		bool used = p->in[k]->nuse > 0;
		for (int j = 0; j < p->nout; j++)
			used |= p->out[j] == p->in[k];
		if (used)
			input_step(p, first, p->in[k]);
	}
}

/* tril(f(x)) = f(tril(x)) for elementwise f: the triangle is cut before anything is computed on the rest. */
static void
tril_first(struct prog *p, struct node *tril)
{
	for (;;) {
		struct node *f = tril->in[0]->def;
		if (!f || (f->op != OP_rescale && f->op != OP_scale && f->op != OP_neg) || ir_user(p, f->out[0]) != tril)
			return;
		struct val *packed = ir_val(p, arena_printf(p->arena, "%s.tril", f->in[0]->name), f->in[0]->dtype, f->in[0]->type,
		                            tril->out[0]->rank, tril->out[0]->dim);
		packed->lo = f->in[0]->lo;
		packed->hi = f->in[0]->hi;
		packed->from = f->in[0]->from;
		struct node *cut = ir_node(p, f, OP_tril, &tril->loc, 1, &f->in[0], 1, &packed);
		ir_set_int(p, cut, ATTR_past, ir_int_or(tril, ATTR_past, 0));
		cut->gate = tril->gate;
		cut->klass = tril->klass;
		struct val *result = tril->out[0];
		struct val *moved = ir_val_like(p, result, ".after");
		struct node *g = ir_node(p, tril, f->op, &f->loc, 1, &packed, 1, &moved);
		for (int k = 0; k < f->nattr; k++)
			if (attr_desc[f->attr[k].key].kind == 'F')
				ir_set_f64(p, g, f->attr[k].key, f->attr[k].f);
			else
				ir_set_int(p, g, f->attr[k].key, f->attr[k].i);
		g->gate = f->gate;
		g->klass = f->klass;
		ir_take_out(p, g, result);
		ir_remove(p, tril);
		ir_remove(p, f);
		tril = cut;
	}
}

/* floor(floor(x / 2^a) / 2^b) = floor(x / 2^(a+b)): one truncation, e.g. of scores and of their factor 1/8. */
void
rescale_join(struct prog *p, struct node *n)
{
	struct val *x = n->in[0];
	struct node *before = x->def;
	if (!before || before->op != OP_rescale || ir_user(p, x) != n || (!p->mixed && before->in[0]->type.bits != x->type.bits))
		return;
	const int64_t shift = ir_int(before, ATTR_shift) + ir_int(n, ATTR_shift);
	if (shift > before->in[0]->type.bits - 2)
		return;
	ir_set_int(p, n, ATTR_shift, shift);
	ir_set_in(p, n, 0, before->in[0]);
	ir_remove(p, before);
}

static void
outputs(struct prog *p)
{
	for (int k = 0; k < p->nout; k++) {
		struct val *v = p->out[k];
		struct suf_step st = { .op = SUF_output, .count = b_count(v), .na = b_count(v), .n = v->type.bits, .m = v->type.bits };
		ir_step(p, NULL, NULL, st, 1, &v, 0, NULL);
	}
}

/* A program output that no gate computed. */
static bool
outputs_are_wires(struct prog *p)
{
	bool ok = true;
	for (int k = 0; k < p->nout; k++)
		if (ir_is_const(p->out[k])) {
			diag_error(p->diag, NULL, "constant-output", "the output '%s' does not depend on any input", p->out[k]->name);
			diag_hint(p->diag, "remove it from the model's outputs");
			ok = false;
		}
	return ok;
}

/* Costs of the set sigma are to be those of its publication; other programs may join openings. */
static bool
has_other_sets(const struct prog *p)
{
	for (const struct node *n = p->first; n; n = n->next)
		if (n->gate && strcmp(n->gate->set, "sigma") && strcmp(n->gate->set, "local"))
			return true;
	return false;
}

bool
pass_expand(struct prog *p)
{
	if (!outputs_are_wires(p))
		return false;
	p->joins = has_other_sets(p);
	for (struct node *n = p->first, *next; n; n = next) {
		next = n->next;
		if (n->op == OP_tril)
			tril_first(p, n);
	}
	for (struct node *n = p->first; n; n = n->next)
		if (n->op == OP_rescale)
			rescale_join(p, n);
	inputs(p);
	struct node *done = NULL; /* all before and this one are steps */
	for (;;) {
		struct node *n = done ? done->next : p->first;
		if (!n)
			break;
		if (n->op == OP_step) {
			done = n;
			continue;
		}
		if (!n->gate)
			BUG("'%s' has no gate", n->out[0]->name);
		if (!n->gate->expand(p, n))
			return false;
	}
	outputs(p);
	p->stage = STAGE_SCHED;
	return true;
}

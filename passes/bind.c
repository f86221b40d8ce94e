/* SPDX-License-Identifier: Apache-2.0
 * bind.c -- choose a gate for every operation.
 *
 * Needs stage RING; leaves node->gate and node->klass set on every node.  The
 * choice depends on the operation and the options only, never on data.  Linear
 * in the number of nodes.
 */
#include "passes/passes.h"

/* The sets that could do it, for the hint of the error. */
static void
hint_sets(struct prog *p, enum op op)
{
	for (int k = 0; k < ngates; k++)
		if (gates[k].op == op) {
			diag_hint(p->diag, "gate set '%s' has one: --gates=%s", gates[k].set, gates[k].set);
			return;
		}
	diag_hint(p->diag, "operations with gates: sufc --list-gates; the operation must be part of a recognised pattern (docs/onnx.md)");
}

bool
pass_bind(struct prog *p)
{
	const char *set = p->opt && p->opt->gates ? p->opt->gates : "auto";
	bool ok = true;
	for (struct node *n = p->first; n; n = n->next) {
		n->gate = gate_find(set, n->op);
		if (n->gate) {
			n->klass = n->gate->klass;
			continue;
		}
		ok = false;
		diag_error(p->diag, &n->loc, "no-gate", "gate set '%s' has no gate for the operation '%s' (value '%s')",
		           set, op_desc[n->op].name, n->nout ? n->out[0]->name : "");
		hint_sets(p, n->op);
	}
	return ok;
}

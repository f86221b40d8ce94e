/* SPDX-License-Identifier: Apache-2.0
 * bind.c -- choose a gate for every operation.
 *
 * Needs stage RING; leaves node->gate and node->klass set on every node.  The
 * choice depends on the operation, the node's name and the options only, never
 * on data.  Linear in the number of nodes (times rules, with a gates file).
 */
#include "passes/gate_rules.h"

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
	struct gate_rules *rules = NULL;
	bool ok = true;
	if (gates_is_file(set)) {
		rules = gate_rules_read(p, set);
		if (!rules)
			return false;
		set = gate_rules_default(rules);
	}
	for (struct node *n = p->first; n; n = n->next) {
		n->gate = rules ? gate_rules_pick(rules, n) : gate_find(set, n->op);
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

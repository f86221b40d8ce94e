/* SPDX-License-Identifier: Apache-2.0
 * bind.c -- a gate for every operation: the one that the set or the gates file
 * names, the only one there is, or one that choose.c chooses.
 *
 * Needs stage RING; leaves node->gate and node->klass set on every node, and
 * p->gates, p->choice.  Which gate it is depends on operations, names of nodes,
 * shapes, widths, ranges and the options, never on data.
 */
#include <string.h>
#include "passes/choose.h"
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

/* The gate that is given; NULL: there is none, or (*chosen) several can do it. */
static const struct gate *
given(const struct prog *p, const struct gate_rules *rules, const char *set, const struct node *n, bool *chosen)
{
	*chosen = !strcmp(set, "auto") || gate_is_mixed(set);
	const struct gate *g = rules ? gate_rules_pick(rules, n, chosen) : *chosen ? NULL : gate_find(set, n->op);
	if (!*chosen)
		return g;
	*chosen = gate_choice(p, n->op, 1) != NULL;
	g = gate_choice(p, n->op, 0);
	return *chosen ? NULL : g ? g : gate_find("local", n->op);
}

/* For users: the set, if one is enough. */
static const char *
label(const struct prog *p, const char *set, bool from_file)
{
	const char *only = NULL;
	bool several = false;
	for (const struct node *n = p->first; n; n = n->next)
		if (!gate_is_local(n->gate)) {
			several |= only && strcmp(only, n->gate->set);
			only = n->gate->set;
		}
	if (!from_file && strcmp(set, "auto"))
		only = set;
	else if (several)
		only = from_file ? "custom" : "auto";
	return only && strcmp(only, "sigma") ? only : NULL;
}

bool
pass_bind(struct prog *p)
{
	const char *set = p->opt && p->opt->gates ? p->opt->gates : "auto";
	struct gate_rules *rules = NULL;
	bool ok = true, choice = false;
	if (gates_is_file(set)) {
		rules = gate_rules_read(p, set);
		if (!rules)
			return false;
		set = gate_rules_default(rules);
	}
	for (struct node *n = p->first; n; n = n->next) {
		bool chosen;
		n->gate = given(p, rules, set, n, &chosen);
		choice |= chosen;
		if (n->gate || chosen) {
			n->klass = n->gate ? n->gate->klass : NULL;
			continue;
		}
		ok = false;
		diag_error(p->diag, &n->loc, "no-gate", "gate set '%s' has no gate for the operation '%s' (value '%s')",
		           set, op_desc[n->op].name, n->nout ? n->out[0]->name : "");
		hint_sets(p, n->op);
	}
	if (!ok || (choice && !choose_gates(p)))
		return false;
	p->gates = label(p, set, rules != NULL);
	return true;
}

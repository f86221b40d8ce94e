/* SPDX-License-Identifier: Apache-2.0
 * gates.c -- look-ups in the table of gates.
 */
#include <string.h>
#include <sys/stat.h>
#include "passes/gate_rules.h"

static const struct gate *
find_in(const char *set, enum op op)
{
	for (int k = 0; k < ngates; k++)
		if (gates[k].op == op && !strcmp(gates[k].set, set))
			return &gates[k];
	return NULL;
}

const struct gate *
gate_find(const char *set, enum op op)
{
	const struct gate *g = find_in(set, op);
	if (!g && op == OP_act)          /* the user's functions have one gate, whatever the set */
		g = find_in("suf", op);
	return g ? g : find_in("local", op);
}

bool
gate_is_local(const struct gate *g)
{
	return !strcmp(g->set, "local");
}

/* A gate for every operation that the set sigma has one for */
static bool
is_full(const char *set)
{
	for (int k = 0; k < ngates; k++)
		if (!strcmp(gates[k].set, "sigma") && !find_in(set, gates[k].op))
			return false;
	return true;
}

bool
gate_is_mixed(const char *set)
{
	return !strcmp(set, "compact");
}

static bool
is_auto(const struct options *opt)
{
	return !opt || !opt->gates || !strcmp(opt->gates, "auto");
}

bool
gates_wants_mixed(const struct options *opt)
{
	if (opt && opt->max_error > 0 && is_auto(opt)) /* fraction bits are chosen for such programs only */
		return true;
	return opt && opt->gates && (gate_is_mixed(opt->gates) || (gates_is_file(opt->gates) && gate_rules_mixed(opt->gates)));
}

bool
gates_may_be_mixed(const struct options *opt)
{
	const bool one_format = opt && (opt->ring_bits || opt->frac_bits);
	return gates_wants_mixed(opt) || (!one_format && is_auto(opt));
}

bool
gates_is_one_format(const char *text)
{
	return is_full(text) && !gate_is_mixed(text);
}

bool
gates_is_set(const char *text)
{
	return !strcmp(text, "auto") || is_full(text);
}

const struct gate *
gate_choice(const struct prog *p, enum op op, int k)
{
	for (int i = 0; i < ngates; i++)
		if (gates[i].op == op && !gate_is_local(&gates[i]) && is_full(gates[i].set) && gate_is_mixed(gates[i].set) == p->mixed && k-- == 0)
			return &gates[i];
	return NULL;
}

const char *
gates_set(int k)
{
	for (int i = 0; i < ngates; i++) {
		int before = 0;
		while (before < i && strcmp(gates[before].set, gates[i].set))
			before++;
		if (before == i && is_full(gates[i].set) && k-- == 0)
			return gates[i].set;
	}
	return NULL;
}

bool
gates_is_file(const char *text)
{
	struct stat st;
	return !gates_is_set(text) && (strpbrk(text, "/.") || (stat(text, &st) == 0 && !S_ISDIR(st.st_mode)));
}

bool
gates_wants_folding(const struct options *opt)
{
	const char *set = opt && opt->gates ? opt->gates : "auto";
	return !strcmp(set, "auto") ? gates_set(1) != NULL : gates_is_file(set) ? gate_rules_fold(set) : !strcmp(set, "suf") || gate_is_mixed(set);
}

const char *
gates_label(const struct prog *p)
{
	return p->gates ? p->gates : "sigma";
}

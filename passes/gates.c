/* SPDX-License-Identifier: Apache-2.0
 * gates.c -- the registry of gates, from gates.def.
 */
#include <string.h>
#include <sys/stat.h>
#include "passes/passes.h"

const struct gate gates[] = {
#define ROW(set, name, op, klass, doc, source, wide) { #set, #name, OP_##op, #klass, expand_##set##_##name, doc, source, wide },
#define GATE(...) ROW(__VA_ARGS__, false)
#define GATE_WIDE(...) ROW(__VA_ARGS__, true)
#include "gates.def"
#undef GATE
#undef ROW
};
const int ngates = sizeof gates / sizeof gates[0];

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
	if (!set || !strcmp(set, "auto"))
		set = "sigma"; /* the only full set of this version */
	const struct gate *g = find_in(set, op);
	return g ? g : find_in("local", op);
}

/* A gate for every operation that the set sigma has one for */
bool
gates_is_set(const char *text)
{
	for (int k = 0; k < ngates; k++)
		if (!strcmp(gates[k].set, "sigma") && !find_in(text, gates[k].op))
			return !strcmp(text, "auto");
	return true;
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
	return opt && opt->gates && !strcmp(opt->gates, "suf");
}

const char *
gates_label(const struct options *opt)
{
	if (!opt || !opt->gates || !strcmp(opt->gates, "auto"))
		return "sigma";
	return gates_is_file(opt->gates) ? "custom" : opt->gates;
}

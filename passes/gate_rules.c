/* SPDX-License-Identifier: Apache-2.0
 * gate_rules.c -- reads and writes the gates file.  One rule a line; the last one that fits a node wins;
 * rules for values win over rules for nodes, and these over rules for operations:
 *
 *     default sigma
 *     op      softmax           sigma
 *     node    /layer.0/Softmax  sigma.softmax
 *     node    /layer.[0-3]/?*   sigma
 *     value   /layer.0/mix      auto
 *     fold_affine
 *     own_formats
 *
 * A set stands for its gate of the operation at hand, if it has one; SET.GATE
 * for this gate; auto for one that pass bind chooses.  A value is the result of
 * an operation: its name is unique, that of a node is not.  fold_affine lets that
 * pass fold norms; own_formats gives each value a format of its own, for gates of the set compact.  Names are compared
 * as they are, then as patterns (fnmatch).
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include "passes/gate_rules.h"

enum { MAX_HINTS = 5 };
static const char FOLD[] = "fold_affine", MIXED[] = "own_formats";
enum rule_kind { RULE_OP, RULE_NODE, RULE_VALUE };

struct rule {
	enum rule_kind kind;
	const char *name;                /* of nodes, values: a pattern */
	enum op op;
	const char *set;
	const struct gate *gate;         /* NULL: the set's */
};
struct gate_rules { const char *set; struct rule *v; int n, cap; };

/* One reading of a file. */
struct reader { struct prog *p; struct gate_rules *rules; const char *path; int line; bool ok; };

/* ---- names that are not there: what is ------------------------------------------------ */

int edit_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	int *row = malloc((nb + 1) * sizeof *row);
	if (!row)
		return (int)(na + nb);
	for (size_t j = 0; j <= nb; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= na; i++) {
		int corner = row[0];
		row[0] = (int)i;
		for (size_t j = 1; j <= nb; j++) {
			int change = corner + (a[i - 1] != b[j - 1]), least = row[j] < row[j - 1] ? row[j] : row[j - 1];
			corner = row[j];
			row[j] = change < least + 1 ? change : least + 1;
		}
	}
	int d = row[nb];
	free(row);
	return d;
}

struct name { const char *text; int far; };
struct names { struct name *v; int n, cap; };

static void add_name(struct prog *p, struct names *names, const char *text)
{
	if (names->n == names->cap) {
		int cap = names->cap ? 2 * names->cap : 16;
		struct name *v = arena_alloc(p->arena, (size_t)cap * sizeof *v);
		if (names->n)
			memcpy(v, names->v, (size_t)names->n * sizeof *v);
		names->v = v;
		names->cap = cap;
	}
	names->v[names->n++].text = text;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static int by_distance(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	return x->far != y->far ? (x->far > y->far) - (x->far < y->far) : strcmp(x->text, y->text);
}

/* "there are: a, b, c and 12 more", the nearest to `wanted` first. */
static void hint_names(struct prog *p, const char *what, const char *wanted, struct names *names)
{
	int n = 0;
	if (names->n)
		qsort(names->v, (size_t)names->n, sizeof *names->v, by_text);
	for (int k = 0; k < names->n; k++)
		if (!k || strcmp(names->v[k].text, names->v[n - 1].text))
			names->v[n++] = names->v[k];
	for (int k = 0; k < n; k++)
		names->v[k].far = edit_distance(wanted, names->v[k].text);
	if (n)
		qsort(names->v, (size_t)n, sizeof *names->v, by_distance);
	const char *list = "";
	for (int k = 0; k < n && k < MAX_HINTS; k++)
		list = arena_printf(p->arena, "%s%s%s", list, k ? ", " : "", names->v[k].text);
	if (n > MAX_HINTS)
		list = arena_printf(p->arena, "%s and %d more", list, n - MAX_HINTS);
	diag_hint(p->diag, "%s: %s", what, n ? list : "none");
}

/* ---- reading ------------------------------------------------------------------------------ */

static struct loc line_loc(struct reader *r)
{
	return (struct loc){ .file = r->path, .node = arena_printf(r->p->arena, "%d", r->line), .index = -1 };
}

#define COMPLAIN(r, code, ...) do { \
	struct loc loc_ = line_loc(r); \
	diag_error((r)->p->diag, &loc_, code, __VA_ARGS__); \
	(r)->ok = false; \
} while (0)

static bool has_choice(enum op op)
{
	for (int k = 0; k < ngates; k++)
		if (gates[k].op == op && !gate_is_local(&gates[k]))
			return true;
	return false;
}

static bool find_op(struct reader *r, const char *text, enum op *op)
{
	struct names names = { .n = 0 };
	for (int k = 0; k < N_OP; k++)
		if (has_choice((enum op)k)) {
			if (!strcmp(op_desc[k].name, text)) {
				*op = (enum op)k;
				return true;
			}
			add_name(r->p, &names, op_desc[k].name);
		}
	COMPLAIN(r, "unknown-op", "there is no operation '%s' with gates", text);
	hint_names(r->p, "operations with gates", text, &names);
	return false;
}

/* SET or SET.GATE */
static bool find_gate(struct reader *r, const char *text, bool only_set, struct rule *rule)
{
	struct names names = { .n = 0 };
	if (!strcmp(text, "auto")) {
		rule->set = "auto";
		return true;
	}
	for (int k = 0; k < ngates; k++) {
		if (gate_is_local(&gates[k]))
			continue;
		const char *full = arena_printf(r->p->arena, "%s.%s", gates[k].set, gates[k].name);
		if (!strcmp(text, full) && !only_set) {
			rule->gate = &gates[k];
			return true;
		}
		if (!strcmp(text, gates[k].set)) {
			rule->set = gates[k].set;
			return true;
		}
		if (!only_set)
			add_name(r->p, &names, full);
		add_name(r->p, &names, gates[k].set);
	}
	COMPLAIN(r, "unknown-gate", "there is no gate set%s '%s'", only_set ? "" : " or gate", text);
	hint_names(r->p, only_set ? "gate sets" : "gate sets and gates", text, &names);
	return false;
}

static void add_rule(struct reader *r, struct rule rule)
{
	struct gate_rules *g = r->rules;
	if (g->n == g->cap) {
		int cap = g->cap ? 2 * g->cap : 64;
		struct rule *v = arena_alloc(r->p->arena, (size_t)cap * sizeof *v);
		if (g->n)
			memcpy(v, g->v, (size_t)g->n * sizeof *v);
		g->v = v;
		g->cap = cap;
	}
	g->v[g->n++] = rule;
}

/* Cuts white space off both ends. */
static char *trim(char *s)
{
	s += strspn(s, " \t\r");
	size_t n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		n--;
	s[n] = 0;
	return s;
}

/* The last word of a text, cut off it; NULL: there is only one. */
static char *last_word(char *text)
{
	char *blank = strrchr(text, ' '), *tab = strrchr(text, '\t');
	if (!blank || (tab && tab > blank))
		blank = tab;
	if (!blank)
		return NULL;
	*blank = 0;
	return blank + 1;
}

static void read_line(struct reader *r, char *text)
{
	struct rule rule = { .kind = RULE_OP };
	text = trim(text);
	if (!*text || *text == '#' || !strcmp(text, FOLD) || !strcmp(text, MIXED))
		return;
	size_t n = strcspn(text, " \t");
	char *rest = trim(text[n] ? text + n + 1 : text + n);
	text[n] = 0;
	if (!strcmp(text, "default") && *rest && !strpbrk(rest, " \t")) {
		if (find_gate(r, rest, true, &rule))
			r->rules->set = rule.set;
		return;
	}
	char *gate = strcmp(text, "op") && strcmp(text, "node") && strcmp(text, "value") ? NULL : last_word(rest);
	if (!gate) {
		COMPLAIN(r, "gates-file", "expected 'default SET', 'op OPERATION GATE', 'node NAME GATE' or 'value NAME GATE', found '%s%s%s'", text, *rest ? " " : "", rest);
		return;
	}
	rule.kind = text[0] == 'o' ? RULE_OP : text[0] == 'n' ? RULE_NODE : RULE_VALUE;
	rule.name = trim(rest);
	if ((rule.kind == RULE_OP && !find_op(r, rule.name, &rule.op)) || !find_gate(r, gate, false, &rule))
		return;
	if (rule.kind == RULE_OP && rule.gate && rule.gate->op != rule.op) {
		COMPLAIN(r, "gates-file", "the gate %s is one for '%s', not for '%s'", gate, op_desc[rule.gate->op].name, rule.name);
		return;
	}
	add_rule(r, rule);
}

/* ---- rules and nodes ------------------------------------------------------------------------ */

/* What a rule of this kind calls a node; NULL: it has no name. */
static const char *name_for(enum rule_kind kind, const struct node *n)
{
	return kind == RULE_VALUE ? n->out[0]->name : n->loc.node;
}

static bool names_node(const struct rule *rule, const struct node *n)
{
	const char *name = name_for(rule->kind, n);
	return name && (!strcmp(rule->name, name) || !fnmatch(rule->name, name, 0));
}

static bool is_auto(const char *set)
{
	return set && !strcmp(set, "auto");
}

/* The gate that a rule gives a node that it names; NULL: it has none for this operation, or is_auto(). */
static const struct gate *gate_of(const struct rule *rule, enum op op)
{
	if (rule->gate)
		return rule->gate->op == op ? rule->gate : NULL;
	const struct gate *g = is_auto(rule->set) ? NULL : gate_find(rule->set, op);
	return g && !gate_is_local(g) ? g : NULL;
}

static bool fits(const struct rule *rule, const struct node *n)
{
	if (is_auto(rule->set) ? !has_choice(n->op) : !gate_of(rule, n->op))
		return false;
	return rule->kind == RULE_OP ? rule->op == n->op : names_node(rule, n);
}

const struct gate *gate_rules_pick(const struct gate_rules *g, const struct node *n, bool *chosen)
{
	*chosen = false;
	for (int kind = RULE_VALUE; kind >= RULE_OP && has_choice(n->op); kind--)
		for (int k = g->n - 1; k >= 0; k--)
			if ((int)g->v[k].kind == kind && fits(&g->v[k], n)) {
				*chosen = is_auto(g->v[k].set);
				return gate_of(&g->v[k], n->op);
			}
	*chosen = is_auto(g->set) && has_choice(n->op);
	return *chosen ? NULL : gate_find(g->set, n->op);
}

const char *gate_rules_default(const struct gate_rules *g)
{
	return g->set;
}

/* A rule for nodes or values must name one and have a gate for one of its operations. */
static void check_rule(struct reader *r, const struct rule *rule)
{
	struct names all = { .n = 0 }, ops = { .n = 0 };
	const char *what = rule->kind == RULE_VALUE ? "value" : "node";
	for (const struct node *n = r->p->first; n; n = n->next)
		if (has_choice(n->op) && fits(rule, n))
			return;
	for (const struct node *n = r->p->first; n; n = n->next) {
		if (!has_choice(n->op) || !name_for(rule->kind, n))
			continue;
		add_name(r->p, &all, name_for(rule->kind, n));
		if (names_node(rule, n))
			add_name(r->p, &ops, op_desc[n->op].name);
	}
	if (ops.n) {
		COMPLAIN(r, "no-gate", "%s%s%s has no gate for the %s '%s'", rule->gate ? rule->gate->set : rule->set, rule->gate ? "." : "",
		         rule->gate ? rule->gate->name : "", what, rule->name);
		hint_names(r->p, "its operations", "", &ops);
	} else {
		COMPLAIN(r, "unknown-node", "no %s with gates is called '%s'", what, rule->name);
		hint_names(r->p, arena_printf(r->p->arena, "%ss with gates", what), rule->name, &all);
	}
}

struct gate_rules *gate_rules_read(struct prog *p, const char *path)
{
	struct gate_rules *g = arena_alloc(p->arena, sizeof *g);
	struct reader r = { .p = p, .rules = g, .path = path, .ok = true };
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;
	g->set = "auto";
	if (!f) {
		diag_error(p->diag, &(struct loc){ .file = path, .index = -1 }, "read", "cannot read the gates file: %s", strerror(errno));
		return NULL;
	}
	for (ssize_t n; (n = getline(&text, &cap, f)) >= 0;) {
		char *line = arena_strdup(p->arena, text), *end = strchr(line, '\n');
		int before = g->n;
		if (end)
			*end = 0;
		r.line++;
		read_line(&r, line);
		if (g->n > before && g->v[before].kind != RULE_OP)
			check_rule(&r, &g->v[before]);
	}
	if (ferror(f)) {
		diag_error(p->diag, &(struct loc){ .file = path, .index = -1 }, "read", "cannot read the gates file: %s", strerror(errno));
		r.ok = false;
	}
	free(text);
	fclose(f);
	return r.ok ? g : NULL;
}

/* A line of this one word */
static bool says(const char *path, const char *word)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t cap = 0;
	bool found = false;
	for (ssize_t n; f && (n = getline(&text, &cap, f)) >= 0;) {
		while (n && strchr("\n\r", text[n - 1]))
			text[--n] = 0;
		found |= !strcmp(trim(text), word);
	}
	free(text);
	if (f)
		fclose(f);
	return found;
}

bool gate_rules_fold(const char *path)
{
	return says(path, FOLD);
}

bool gate_rules_mixed(const char *path)
{
	return says(path, MIXED);
}

/* ---- writing ---------------------------------------------------------------------------------- */

/* A pattern that matches this name only. */
static void put_name(FILE *to, const char *name)
{
	for (; *name; name++) {
		if (strchr("*?[\\", *name))
			putc('\\', to);
		putc(*name, to);
	}
}

/* The same gate for an operation everywhere: one line. */
static bool one_gate(const struct prog *p, enum op op, const struct gate **gate)
{
	*gate = NULL;
	for (const struct node *n = p->first; n; n = n->next)
		if (n->op == op && *gate && n->gate != *gate)
			return false;
		else if (n->op == op)
			*gate = n->gate;
	return true;
}

static void put_rule(FILE *to, const char *kind, const char *name, const struct gate *gate)
{
	fprintf(to, "%s ", kind);
	put_name(to, name);
	fprintf(to, " %s.%s\n", gate->set, gate->name);
}

/* Does a rule for nodes not tell this one from another with another gate? */
static bool needs_value(const struct prog *p, const struct node *n)
{
	if (!n->loc.node)
		return true;
	for (const struct node *m = p->first; m; m = m->next)
		if (m->op == n->op && m->gate != n->gate && m->loc.node && !strcmp(m->loc.node, n->loc.node))
			return true;
	return false;
}

void gate_rules_write(const struct prog *p, FILE *to)
{
	const struct gate *gate;
	bool same[N_OP] = { false };
	fprintf(to, "# Gates of the model \"%s\": rules for operations, then for nodes and values; later ones win, and values over nodes.\n", p->name);
	if (gates_wants_folding(p->opt))
		fprintf(to, "%s\n", FOLD);
	if (p->mixed)
		fprintf(to, "%s\n", MIXED);
	for (int op = 0; op < N_OP; op++)
		if (has_choice((enum op)op) && (same[op] = one_gate(p, (enum op)op, &gate)) && gate)
			fprintf(to, "op %s %s.%s\n", op_desc[op].name, gate->set, gate->name);
	const struct node *before = NULL;
	for (const struct node *n = p->first; n; n = n->next) {
		if (!has_choice(n->op) || !n->gate)
			continue;
		if (!same[n->op] && needs_value(p, n)) {
			put_rule(to, "value", n->out[0]->name, n->gate);
			continue;
		}
		if (!n->loc.node || (before && before->gate == n->gate && !strcmp(before->loc.node, n->loc.node)))
			continue;
		before = n;
		put_rule(to, "node", n->loc.node, n->gate);
	}
}

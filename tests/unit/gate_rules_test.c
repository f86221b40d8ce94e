/* SPDX-License-Identifier: Apache-2.0
 * gate_rules_test.c -- gates files: which rule wins, names and patterns, errors
 * that list what there is; what is written chooses the same gates again.
 *
 * gate_rules.c is compiled here a second time, over a table with several sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "stacks.h"

static const struct gate many[] = {
	{ .set = "local", .name = "add", .op = OP_add },
	{ .set = "sigma", .name = "softmax", .op = OP_softmax },
	{ .set = "sigma", .name = "gelu", .op = OP_gelu },
	{ .set = "sigma", .name = "matmul", .op = OP_matmul },
	{ .set = "sigma", .name = "layernorm", .op = OP_layernorm },
	{ .set = "small", .name = "softmax", .op = OP_softmax },
	{ .set = "small", .name = "gelu", .op = OP_gelu },
	{ .set = "quick", .name = "softmax", .op = OP_softmax },
};
enum { MANY = sizeof many / sizeof many[0] };

static const struct gate *
many_find(const char *set, enum op op)
{
	const struct gate *local = NULL;
	for (int k = 0; k < MANY; k++)
		if (many[k].op == op) {
			if (!strcmp(many[k].set, set))
				return &many[k];
			if (!strcmp(many[k].set, "local"))
				local = &many[k];
		}
	return local;
}

#define gates many
#define ngates MANY
#define gate_find many_find
#define gate_rules_read many_read
#define gate_rules_pick many_pick
#define gate_rules_default many_default
#define gate_rules_fold many_fold
#define gate_rules_mixed many_mixed
#define gate_rules_write many_write
#define edit_distance many_distance
#include "passes/gate_rules.c"
#undef gates

static char path[] = "/tmp/gate_rules_test.XXXXXX";

static int
make_path(void **state)
{
	(void)state;
	int fd = mkstemp(path);
	return fd < 0 || close(fd);
}

static int
drop_path(void **state)
{
	(void)state;
	return unlink(path);
}

struct model { struct prog *p; struct diag *d; FILE *f; char *log; size_t size; };

static void
setup(struct model *m, const char *text)
{
	static const struct options opt = { .gates = "sigma", .output_to = 1, .ring_bits = 37 };
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	m->log = NULL;
	m->f = open_memstream(&m->log, &m->size);
	m->d = diag_new(m->f, false);
	m->p = stack_new(stack_find("bert-tiny"), 8, &opt, m->d);
}

static void
teardown(struct model *m)
{
	ir_free(m->p);
	diag_free(m->d);
	fclose(m->f);
	free(m->log);
}

/* The gate of a node is `want`, SET.GATE or auto. */
static void
picks(struct model *m, const struct gate_rules *rules, const char *node, const char *want)
{
	for (const struct node *n = m->p->first; n; n = n->next)
		if (!strcmp(n->loc.node, node)) {
			bool chosen;
			const struct gate *g = many_pick(rules, n, &chosen);
			char have[64] = "auto";
			assert_int_equal(g == NULL, chosen);
			if (g)
				snprintf(have, sizeof have, "%s.%s", g->set, g->name);
			assert_string_equal(have, want);
			return;
		}
	fail_msg("no node %s", node);
}

static void
later_rules_win(void **state)
{
	(void)state;
	struct model m;
	setup(&m, "# a comment\n\n"
	          "\tnode layer.1.* quick\r\n"
	          "op softmax small\n"
	          "op gelu   small.gelu\n"
	          "op softmax sigma\n"
	          "node layer.1.softmax\tsmall.softmax  \n");
	struct gate_rules *r = many_read(m.p, path);
	assert_non_null(r);
	picks(&m, r, "layer.0.softmax", "sigma.softmax"); /* the last rule for the operation */
	picks(&m, r, "layer.1.softmax", "small.softmax"); /* rules for nodes first; the last of them */
	picks(&m, r, "layer.0.gelu", "small.gelu");
	picks(&m, r, "layer.1.gelu", "small.gelu");       /* quick has no gate for it: the rule does not speak of it */
	picks(&m, r, "layer.0.qkv", "auto");              /* no rule: the default */
	assert_string_equal(many_default(r), "auto");
	teardown(&m);
}

/* Rules for values win over rules for nodes; auto takes a rule back. */
static void
values_and_auto(void **state)
{
	(void)state;
	struct model m;
	setup(&m, "value layer.1.soft* quick\n"
	          "node layer.1.softmax small\n"
	          "op gelu small\n"
	          "node layer.1.gelu auto\n"
	          "value layer.0.softmax auto\n"
	          "node layer.0.softmax small\n"
	          "default sigma\n");
	struct gate_rules *r = many_read(m.p, path);
	assert_non_null(r);
	picks(&m, r, "layer.0.softmax", "auto");
	picks(&m, r, "layer.1.softmax", "quick.softmax");
	picks(&m, r, "layer.0.gelu", "small.gelu");
	picks(&m, r, "layer.1.gelu", "auto");
	picks(&m, r, "layer.0.qkv", "sigma.matmul");
	teardown(&m);
}

static void
folding(void **state)
{
	(void)state;
	struct model m;
	setup(&m, "# fold_affine\nop gelu sigma\n");
	assert_non_null(many_read(m.p, path));
	assert_false(many_fold(path));
	teardown(&m);
	setup(&m, "op gelu sigma\n  fold_affine \r\n");
	assert_non_null(many_read(m.p, path));
	assert_true(many_fold(path));
	teardown(&m);
	assert_false(many_fold("/nowhere/x.gates"));
}

static void
defaults(void **state)
{
	(void)state;
	struct model m;
	setup(&m, "node layer.0.softmax sigma\ndefault small");
	struct gate_rules *r = many_read(m.p, path);
	assert_non_null(r);
	picks(&m, r, "layer.0.softmax", "sigma.softmax");
	picks(&m, r, "layer.1.softmax", "small.softmax");
	picks(&m, r, "layer.1.sum1", "local.add");
	assert_string_equal(many_default(r), "small");
	teardown(&m);
}

/* All problems of a file, each with its line and what there is instead. */
static void
errors(void **state)
{
	(void)state;
	static const struct { const char *text, *error, *hint; } row[] = {
		{ "node layer.1.sofmax small", "1: error: no node with gates is called 'layer.1.sofmax'", "layer.1.softmax, layer.0.softmax" },
		{ "\nop sofmax small", "2: error: there is no operation 'sofmax'", "softmax, matmul" },
		{ "op softmax smal", "1: error: there is no gate set or gate 'smal'", "small, " },
		{ "op softmax small.sofmax", "1: error: there is no gate set or gate 'small.sofmax'", "small.softmax, " },
		{ "op softmax small.gelu", "1: error: the gate small.gelu is one for 'gelu', not for 'softmax'", NULL },
		{ "node */* small.softmax", "1: error: no node", "nodes with gates" },
		{ "value layer.0.quv small", "1: error: no value with gates is called 'layer.0.quv'", "values with gates: layer.0.qkv" },
		{ "value layer.0.qkv small", "1: error: small has no gate for the value", "its operations: matmul" },
		{ "node layer.0.sum1 auto", "1: error: no node with gates", NULL },
		{ "node layer.0.qkv small", "1: error: small has no gate for the node 'layer.0.qkv'", "its operations: matmul" },
		{ "node layer.0.gelu small.softmax", "1: error: small.softmax has no gate for the node", "its operations: gelu" },
		{ "default small.gelu", "1: error: there is no gate set 'small.gelu'", "gate sets: small, " },
		{ "op add sigma", "1: error: there is no operation 'add' with gates", NULL },
		{ "softmax sigma", "1: error: expected 'default SET', 'op OPERATION GATE', 'node NAME GATE' or 'value NAME GATE', found 'softmax sigma'", NULL },
		{ "node softmax", "1: error: expected", NULL },
		{ "default small sigma", "1: error: expected", NULL },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		struct model m;
		setup(&m, row[k].text);
		assert_null(many_read(m.p, path));
		assert_int_equal(diag_errors(m.d), 1);
		fflush(m.f);
		if (!strstr(m.log, row[k].error) || (row[k].hint && !strstr(m.log, row[k].hint)))
			fail_msg("%s: expected '%s' and '%s' in: %s", row[k].text, row[k].error, row[k].hint ? row[k].hint : "", m.log);
		teardown(&m);
	}
	struct model m;
	setup(&m, "op a sigma\nop b sigma\nop gelu sigma\nop c sigma\n");
	assert_null(many_read(m.p, path));
	assert_int_equal(diag_errors(m.d), 3);
	assert_null(many_read(m.p, "/nowhere/x.gates"));
	assert_int_equal(diag_errors(m.d), 4);
	teardown(&m);
}

/* Odd names survive: writing escapes what patterns would take otherwise. */
static void
written_rules_choose_the_same(void **state)
{
	(void)state;
	struct model m;
	int changed = 0;
	setup(&m, "");
	for (struct node *n = m.p->first; n; n = n->next) {
		if (n->op == OP_gelu)
			n->loc.node = changed++ ? "a b*" : "a b[1]?\\c";
		n->gate = many_find("sigma", n->op);
	}
	assert_int_equal(changed, 2);
	for (struct node *n = m.p->first; n; n = n->next)
		if (!strcmp(n->loc.node, "layer.1.softmax"))
			n->gate = &many[7];
		else if (!strcmp(n->loc.node, "a b*"))
			n->gate = &many[6];
		else if (!strcmp(n->loc.node, "layer.0.softmax")) /* now a matter of values: the same name and operation, another gate */
			n->loc.node = "layer.1.softmax";
	FILE *f = fopen(path, "w");
	many_write(m.p, f);
	fclose(f);
	struct gate_rules *r = many_read(m.p, path);
	fflush(m.f);
	if (!r)
		fail_msg("%s", m.log);
	for (const struct node *n = m.p->first; n; n = n->next)
		assert_ptr_equal(many_pick(r, n, &(bool){ false }), n->gate);
	teardown(&m);
}

/* The table of this version, through the passes. */
static void
passes_take_a_file(void **state)
{
	(void)state;
	const struct stack_kind *kind = stack_find("bert-tiny");
	struct cost cost[2];
	for (int k = 0; k < 2; k++) {
		struct model m;
		const struct options opt = { .gates = k ? path : "sigma", .output_to = 1, .ring_bits = 37 };
		setup(&m, "default sigma\nop softmax sigma.softmax\nnode layer.?.gelu sigma\n");
		struct prog *p = stack_new(kind, 8, &opt, m.d);
		assert_true(run_passes(p, &opt, stdout));
		prog_cost(p, &cost[k]);
		assert_string_equal(gates_label(p), "sigma");
		ir_free(p);
		teardown(&m);
	}
	assert_memory_equal(cost[0].total.key, cost[1].total.key, sizeof cost[0].total.key);
	struct model m;
	const struct options opt = { .gates = path, .output_to = 1, .ring_bits = 37 };
	setup(&m, "node layer.9.gelu sigma\n");
	struct prog *p = stack_new(kind, 8, &opt, m.d);
	assert_false(run_passes(p, &opt, stdout));
	ir_free(p);
	teardown(&m);
}

static void
files_and_sets(void **state)
{
	(void)state;
	assert_true(gates_is_set("sigma") && gates_is_set("auto") && !gates_is_set("local") && !gates_is_set("x.gates"));
	assert_true(gates_is_file("x.gates") && gates_is_file("a/b") && gates_is_file(path));
	assert_false(gates_is_file("sigma") || gates_is_file("nothing_such"));
}

static void
distances(void **state)
{
	(void)state;
	assert_int_equal(many_distance("", ""), 0);
	assert_int_equal(many_distance("softmax", ""), 7);
	assert_int_equal(many_distance("", "gelu"), 4);
	assert_int_equal(many_distance("sofmax", "softmax"), 1);
	assert_int_equal(many_distance("kitten", "sitting"), 3);
	assert_int_equal(many_distance("abc", "cab"), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_rules_win), cmocka_unit_test(values_and_auto), cmocka_unit_test(folding), cmocka_unit_test(defaults), cmocka_unit_test(errors), cmocka_unit_test(written_rules_choose_the_same),
		cmocka_unit_test(passes_take_a_file), cmocka_unit_test(files_and_sets), cmocka_unit_test(distances),
	};
	return cmocka_run_group_tests(tests, make_path, drop_path);
}

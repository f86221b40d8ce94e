/* SPDX-License-Identifier: Apache-2.0
 * compare_test.c -- comparisons: sums by node, layer and step are the totals; the
 * table fits 100 columns; JSON has its keys; the page is well formed and needs no
 * network; known transformers are recognised; units.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "frontend/compare.h"
#include "stacks.h"

static char machine_file[] = "/tmp/compare_test.XXXXXX";

/* Constants of the reference machine as if they had been measured: no note on standard error. */
static int
make_machine(void **state)
{
	(void)state;
	struct machine m;
	int fd = mkstemp(machine_file);
	machine_reference(&m);
	m.measured = true;
	return fd < 0 || close(fd) || !machine_save(machine_file, &m);
}

static int
drop_machine(void **state)
{
	(void)state;
	return unlink(machine_file);
}

/* A comparison of a stack with itself `n` times under different names. */
static void
compare_stack(struct comparison *c, const char *name, int seq, int n, const char *network)
{
	const struct stack_kind *kind = stack_find(name);
	static char words[3][24] = { "sufc compare", "mine.onnx", "--gates=it's <b>" };
	static char *argv[] = { words[0], words[1], words[2] };
	struct options opt = { .model = "dir/<model>&.onnx", .gates = "sigma", .output_to = 1, .ring_bits = kind->ring_bits, .machine = machine_file, .network = network };
	assert_true(compare_init(c, &opt, 3, argv));
	for (int k = 0; k < n; k++) {
		struct diag *d = diag_new(stderr, false);
		diag_quiet(d, true);
		struct prog *p = stack_new(kind, seq, &opt, d);
		assert_int_equal(compare_add(c, p, &opt, NULL), 0);
		ir_free(p);
		diag_free(d);
	}
}

static char *
printed(const struct comparison *c, void (*print)(const struct comparison *, FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	print(c, f);
	fclose(f);
	return text;
}

static void
near(double have, double want, double tolerance)
{
	if (!(have >= want - tolerance && have <= want + tolerance))
		fail_msg("%.9g, want %.9g", have, want);
}

/* ---- sums ------------------------------------------------------------------------ */

static void
add(struct cost_row *sum, const struct cost_row *r)
{
	for (int k = 0; k < 2; k++) {
		sum->key[k] += r->key[k];
		sum->sent[k] += r->sent[k];
	}
	for (int k = 0; k < 3; k++) {
		sum->prg[k] += r->prg[k];
		sum->mul_adds[k] += r->mul_adds[k];
	}
}

static void
same(const struct cost_row *a, const struct cost_row *b)
{
	assert_memory_equal(a->key, b->key, sizeof a->key);
	assert_memory_equal(a->sent, b->sent, sizeof a->sent);
	assert_memory_equal(a->prg, b->prg, sizeof a->prg);
	assert_memory_equal(a->mul_adds, b->mul_adds, sizeof a->mul_adds);
}

static void
sums_agree(void **state)
{
	(void)state;
	struct comparison c;
	compare_stack(&c, "bert-tiny", 32, 1, NULL);
	const struct strategy *s = &c.v[0];
	struct cost_row nodes = { .klass = "" }, layers = nodes, steps = nodes;
	uint64_t count = 0, opened = 0;
	for (int k = 0; k < s->nnode; k++)
		add(&nodes, &s->node[k].row);
	for (int k = 0; k < s->nlayer; k++)
		add(&layers, &s->layer[k].row);
	for (int k = 0; k < s->nstep; k++) {
		add(&steps, &s->step[k].row);
		count += s->step[k].steps;
		opened += !strcmp(s->step[k].name, "open") || !strcmp(s->step[k].name, "input") ? s->step[k].row.rounds : 0;
		assert_true(s->step[k].row.rounds <= s->cost.total.rounds);
	}
	same(&nodes, &s->cost.total);
	same(&layers, &s->cost.total);
	same(&steps, &s->cost.total);
	assert_int_equal(count, s->cost.steps);
	assert_int_equal(opened, s->cost.total.rounds); /* the input has a round of its own */
	assert_int_equal(s->nlayer, 3);          /* two layers; what belongs to none: input and output */
	assert_int_equal(s->layer[0].layer, -1);
	same(&s->layer[1].row, &s->layer[2].row);
	for (int net = 0; net < c.nnet; net++) {
		const struct timing *t = &s->time[net];
		assert_true(t->latency_ms > 0 && t->bandwidth_ms > 0);
		near(t->p.compute_ms + t->latency_ms + t->bandwidth_ms, t->p.online_ms, 1e-6);
	}
	/* A round cannot be faster than half a round trip: 20 ms over the WAN. */
	assert_true(s->time[1].latency_ms >= 20.0 * s->cost.total.rounds);
	compare_free(&c);
}

static void
nodes_have_classes_and_gates(void **state)
{
	(void)state;
	struct comparison c;
	compare_stack(&c, "bert-tiny", 16, 1, NULL);
	const struct strategy *s = &c.v[0];
	int found = 0;
	for (int k = 0; k < s->nnode; k++) {
		const struct node_cost *n = &s->node[k];
		for (int i = 0; i < k; i++)
			assert_false(!strcmp(s->node[i].name, n->name) && !strcmp(s->node[i].klass, n->klass));
		if (!strcmp(n->name, "layer.1.softmax")) {
			found++;
			assert_string_equal(n->klass, "softmax");
			assert_string_equal(n->gate, "sigma.softmax");
			assert_string_equal(n->op, "softmax");
			assert_int_equal(n->layer, 1);
			assert_true(n->row.rounds > 10);
		}
	}
	assert_int_equal(found, 1);
	compare_free(&c);
}

/* ---- text ---------------------------------------------------------------------------- */

static void
table_fits(void **state)
{
	(void)state;
	for (int n = 1; n < 6; n += 2) {
		struct comparison c;
		compare_stack(&c, n == 3 ? "gpt2" : "bert-base", 128, n, n == 5 ? "0.05,123.5" : NULL);
		char *text = printed(&c, compare_text), *save = NULL;
		int rows = 0, titles = 0;
		for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			if (strlen(line) > 100)
				fail_msg("%zu columns: %s", strlen(line), line);
			titles += strstr(line, "SIGMA") && strstr(line, "SUF") && strstr(line, "sigma");
			rows++;
		}
		assert_true(rows > 40);
		assert_int_equal(titles, (n + 1) / 2); /* two strategies beside the two published systems */
		free(text);
		compare_free(&c);
	}
}

static void
bert_base_is_quick(void **state)
{
	(void)state;
	struct timespec a, b;
	struct comparison c;
	clock_gettime(CLOCK_MONOTONIC, &a);
	compare_stack(&c, "bert-base", 128, 1, NULL);
	char *text = printed(&c, compare_text), *page = printed(&c, compare_html);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9 < 10);
	assert_non_null(strstr(text, "bert-base: 12 layers, hidden 768, 12 heads, feed-forward 3072, sequence 128"));
	assert_non_null(strstr(text, "0.989 GiB"));
	assert_non_null(strstr(page, "SUF, published"));
	assert_int_equal(c.npub, 2);
	assert_false(c.shape.more);
	/* The published bytes of SIGMA, within 1 %. */
	const double comm = (double)(c.v[0].cost.total.sent[0] + c.v[0].cost.total.sent[1]) / 1073741824;
	near(comm, c.pub[0]->comm, 0.01 * c.pub[0]->comm);
	free(text);
	free(page);
	compare_free(&c);
}

/* ---- JSON ------------------------------------------------------------------------------ */

static void
json_has_its_keys(void **state)
{
	(void)state;
	static const char *const keys[] = { "gates", "weights", "ring_bits", "rounds", "comm_bytes", "offline_comm_bytes", "key_bytes", "sent_bytes",
		"prg_calls", "mul_adds", "peak_bytes", "classes", "predicted_ms", "times", "layers", "nodes", "steps", "warnings" };
	struct comparison c;
	compare_stack(&c, "bert-tiny", 128, 2, "1,10");
	char *text = printed(&c, compare_print_json);
	json_t *all = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *list = json_object_get(all, "strategies"), *s = json_array_get(list, 1);
	assert_non_null(all);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(json_string_value(json_object_get(all, "model")), "dir/<model>&.onnx");
	for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++)
		if (!json_object_get(s, keys[k]))
			fail_msg("no key %s", keys[k]);
	const struct cost *cost = &c.v[1].cost;
	assert_int_equal(json_integer_value(json_object_get(s, "comm_bytes")), cost->total.sent[0] + cost->total.sent[1]);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(s, "key_bytes"), 1)), cost->total.key[1]);
	assert_int_equal(json_array_size(json_object_get(s, "mul_adds")), 2);
	assert_int_equal(json_array_size(json_object_get(s, "prg_calls")), 3);
	const char *const networks[] = { "lan", "wan", "custom" };
	for (int k = 0; k < 3; k++)
		near(json_number_value(json_object_get(json_object_get(s, "predicted_ms"), networks[k])), c.v[1].time[k].p.online_ms, 1e-5);
	assert_int_equal(json_array_size(json_object_get(s, "nodes")), c.v[1].nnode);
	assert_int_equal(json_array_size(json_object_get(all, "published")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(all, "shape"), "hidden")), 128);
	json_decref(all);
	free(text);
	compare_free(&c);
}

/* ---- the page ------------------------------------------------------------------------------ */

/* Every tag is closed in order; but for meta and the document type none is empty. */
static void
check_tags(const char *page)
{
	char open[32][16];
	int depth = 0;
	for (const char *s = page; (s = strchr(s, '<')); s++) {
		char name[16];
		const char *end = strchr(s, '>');
		const bool close = s[1] == '/';
		assert_non_null(end);
		if (depth && !close && (!strcmp(open[depth - 1], "style") || !strcmp(open[depth - 1], "script")))
			continue;
		if (sscanf(s + 1 + close, "%15[a-zA-Z0-9!]", name) != 1)
			fail_msg("a tag without a name: %.40s", s);
		if (!strcmp(name, "!DOCTYPE") || !strcmp(name, "meta"))
			continue;
		if (!close) {
			assert_true(depth < 32);
			strcpy(open[depth++], name);
		} else if (!depth || strcmp(open[--depth], name))
			fail_msg("</%s> closes <%s>: %.60s", name, depth >= 0 ? open[depth] : "", s);
		s = end;
	}
	assert_int_equal(depth, 0);
}

static void
page_is_whole(void **state)
{
	(void)state;
	static const char *const never[] = { "http:", "https:", "//", "src=", "href=", "url(", "@import", "<model>", "it's <b>" };
	struct comparison c;
	compare_stack(&c, "gpt2", 256, 2, "loopback");
	char *page = printed(&c, compare_html);
	check_tags(page);
	for (size_t k = 0; k < sizeof never / sizeof never[0]; k++)
		if (strstr(page, never[k]))
			fail_msg("the page has '%s'", never[k]);
	assert_non_null(strstr(page, "dir/&#60;model&#62;&#38;.onnx"));
	assert_non_null(strstr(page, "sufc compare mine.onnx &#39;--gates=it&#39;\\&#39;&#39;s &#60;b&#62;&#39;"));
	assert_non_null(strstr(page, "prefers-color-scheme:dark"));
	free(page);
	compare_free(&c);
}

/* ---- published rows ----------------------------------------------------------------------------- */

static void
known_models(void **state)
{
	(void)state;
	for (int k = 0; k < stack_nkinds; k++) {
		const struct options opt = { .gates = "sigma", .output_to = 1, .ring_bits = stack_kinds[k].ring_bits };
		struct diag *d = diag_new(stderr, false);
		struct prog *p = stack_new(&stack_kinds[k], 8, &opt, d);
		const struct stack_shape t = stack_shape(p);
		const struct published_model *m = published_model(&t);
		assert_non_null(m);
		assert_string_equal(m->name, stack_kinds[k].name);
		assert_int_equal(t.seq, 8);
		assert_false(t.more);
		/* One more operation: more than the stack. */
		struct val *x = p->out[0], *y = ir_val_like(p, x, ".tanh");
		ir_node(p, NULL, OP_tanh, NULL, 1, &x, 1, &y);
		ir_add_output(p, y);
		assert_true(stack_shape(p).more);
		ir_free(p);
		diag_free(d);
	}
}

/* Facts that are in two files are the same. */
static void
published_rows_agree(void **state)
{
	(void)state;
	char line[256], model[32], text[5][16];
	int seq, ring, rows = 0;
	FILE *f = fopen(SOURCE_DIR "/tests/data/published.tsv", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%31s %d %d %15s %15s %15s %15s %15s", model, &seq, &ring, text[0], text[1], text[2], text[3], text[4]), 8);
		for (int k = 0; k < npublished; k++) {
			const struct published *p = &published[k];
			if (strcmp(p->model, model) || p->seq != seq || strcmp(p->system, "SIGMA"))
				continue;
			const double want[5] = { p->comm, p->key, p->softmax, p->gelu, p->layernorm };
			for (int i = 0; i < 5; i++)
				near(strcmp(text[i], "-") ? strtod(text[i], NULL) : 0, want[i], 1e-9);
			rows++;
		}
	}
	fclose(f);
	assert_int_equal(rows, 13);
}

/* ---- units -------------------------------------------------------------------------------------- */

static void
units(void **state)
{
	(void)state;
	char text[24];
	static const struct { double x; const char *want; const char *(*unit)(double, char *); } row[] = {
		{ 0, "0 B", unit_bytes }, { 499, "499 B", unit_bytes }, { 1536, "1.500 KiB", unit_bytes }, { 8552955026, "7.966 GiB", unit_bytes },
		{ 137418690560, "128.0 GiB", unit_bytes }, { 1e15, "909.5 TiB", unit_bytes }, { 0, "0", unit_count }, { 999, "999", unit_count },
		{ 1234, "1.234 k", unit_count }, { 5.431e9, "5.431 G", unit_count }, { 999.6, "1.000 k", unit_count }, { 0.1234, "0.12 ms", unit_time },
		{ 85.06, "85.1 ms", unit_time }, { 999.4, "999 ms", unit_time }, { 4480, "4.48 s", unit_time }, { 45900, "45.9 s", unit_time }, { 295800, "4.93 min", unit_time },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++)
		assert_string_equal(row[k].unit(row[k].x, text), row[k].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_agree), cmocka_unit_test(nodes_have_classes_and_gates), cmocka_unit_test(table_fits), cmocka_unit_test(bert_base_is_quick),
		cmocka_unit_test(json_has_its_keys), cmocka_unit_test(page_is_whole), cmocka_unit_test(known_models), cmocka_unit_test(published_rows_agree),
		cmocka_unit_test(units),
	};
	return cmocka_run_group_tests(tests, make_machine, drop_machine);
}

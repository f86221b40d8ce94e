/* SPDX-License-Identifier: Apache-2.0
 * onnx_test.c -- the importer on real exports, on every operator of its table, and on its error texts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cases.h"
#include "frontend/onnx.h"
#include "passes/passes.h"

struct fixture { const char *name; int nbind; struct dim_binding bind[2]; };

static struct prog *import(const char *path, const struct options *opt, char **text)
{
	size_t n;
	char *own = NULL;
	FILE *to = open_memstream(&own, &n);
	struct diag *d = diag_new(to, false);
	struct prog *p = onnx_import(path, opt, d);
	if (p) {
		assert_true(ir_check(p, STAGE_FLOAT));
		p->diag = NULL;
	}
	diag_free(d);
	fclose(to);
	if (!p && !text)
		print_error("%s", own);
	if (text)
		*text = own;
	else
		free(own);
	return p;
}

/* A model in a file of its own. */
static void write_model(char *path, const void *bytes, size_t n)
{
	strcpy(path, "/tmp/onnx_test_XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
	close(fd);
}

static void check_model(const struct fixture *f)
{
	struct arena *mem = arena_new();
	struct options opt = { .bind = (struct dim_binding *)(uintptr_t)f->bind, .nbind = f->nbind };
	struct test_cases t = test_cases_read(mem, arena_printf(mem, TEST_DATA "/models/%s.bin", f->name));
	struct diag *d = diag_new(stderr, false);
	diag_quiet(d, true);
	struct prog *p = onnx_import(arena_printf(mem, TEST_DATA "/models/%s.onnx", f->name), &opt, d);

	assert_non_null(p);
	assert_string_equal(p->name, f->name);
	assert_true(ir_check(p, STAGE_FLOAT));
	assert_true(test_case_holds(p, &t.c[0], 1e-5));
	int before = 0, after = 0;
	for (struct node *n = p->first; n; n = n->next)
		before++;
	assert_true(pass_fold(p));
	assert_true(ir_check(p, STAGE_FLOAT));
	for (struct node *n = p->first; n; n = n->next) {
		after++;
		assert_int_not_equal(n->op, OP_sin);
		assert_int_not_equal(n->op, OP_cos);
	}
	assert_true(after <= before);
	assert_true(test_case_holds(p, &t.c[0], 1e-5));
	ir_free(p);
	diag_free(d);
	arena_free(mem);
}

static void models(void **state)
{
	(void)state;
	const struct fixture all[] = {
		{ .name = "bert" }, { .name = "gpt2" }, { .name = "vit" }, { .name = "llama" },
		{ .name = "bert_dyn", .nbind = 1, .bind = { { .name = "input_ids", .rank = 2, .dim = { 1, 8 } } } },
		{ .name = "gpt2_dyn", .nbind = 2, .bind = { { .name = "batch", .symbol = true, .dim = { 1 } }, { .name = "seq", .symbol = true, .dim = { 8 } } } },
	};
	for (size_t k = 0; k < sizeof all / sizeof *all; k++)
		check_model(&all[k]);
}

/* Weights are weights, structure is public. */
static void secrecy(void **state)
{
	(void)state;
	struct options opt = { 0 };
	int weights = 0, masks = 0;
	struct prog *p = import(TEST_DATA "/models/llama.onnx", &opt, NULL);

	assert_non_null(p);
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			struct val *v = n->in[k];
			if (v->data && n->op == OP_matmul && v->type.sec == SEC_WEIGHT)
				weights++;
			if (v->data && n->op == OP_add && v->type.sec == SEC_PUBLIC && ir_count(v) == 64)
				masks++;
			if (v->data && n->op == OP_mul && ir_count(v) == 64 && v->rank == 4) /* cos, sin [1,1,8,8] */
				assert_int_equal(v->type.sec, SEC_PUBLIC);
		}
	for (int k = 0; k < p->nin; k++)
		assert_int_equal(p->in[k]->type.sec, SEC_SECRET);
	assert_int_equal(p->out[0]->type.sec, SEC_SECRET);
	assert_int_equal(weights, 2 * 7 + 1);
	assert_true(masks > 0);
	ir_free(p);
}

/* Is p inside the mapping of a file whose name ends so? */
static bool mapped_from(const void *p, const char *suffix)
{
	char line[512];
	bool hit = false;
	FILE *f = fopen("/proc/self/maps", "r");
	assert_non_null(f);
	while (fgets(line, sizeof line, f)) {
		unsigned long lo, hi;
		line[strcspn(line, "\n")] = 0;
		size_t n = strlen(line), m = strlen(suffix);
		if (sscanf(line, "%lx-%lx", &lo, &hi) == 2 && (unsigned long)p >= lo && (unsigned long)p < hi)
			hit = n >= m && !strcmp(line + n - m, suffix);
	}
	fclose(f);
	return hit;
}

static void operators(void **state)
{
	(void)state;
	struct arena *mem = arena_new();
	struct test_cases t = test_cases_read(mem, TEST_DATA "/models/ops.bin");
	struct options opt = { 0 };
	int failed = 0;

	assert_true(t.n > 150);
	for (int k = 0; k < t.n; k++) {
		char path[64];
		write_model(path, t.c[k].model, t.c[k].model_bytes);
		struct prog *p = import(path, &opt, NULL);
		unlink(path);
		if (!p || !test_case_holds(p, &t.c[k], 1e-5) || !pass_fold(p) || !ir_check(p, STAGE_FLOAT) || !test_case_holds(p, &t.c[k], 1e-5)) {
			print_error("case %s fails\n", t.c[k].name);
			failed++;
		}
		ir_free(p);
	}
	assert_int_equal(failed, 0);
	arena_free(mem);
}

/* What is computed from weights is a weight; what is computed from shapes is not. */
static void folded_secrecy(void **state)
{
	(void)state;
	static const struct { const char *name; enum sec sec; } want[] = {
		{ "Add-17 const", SEC_WEIGHT }, { "Transpose-17 const", SEC_WEIGHT }, { "LayerNormalization-17 const", SEC_WEIGHT },
		{ "ReduceMax-17 const", SEC_WEIGHT }, { "Reshape-17 const", SEC_WEIGHT }, { "Greater-17 float const", SEC_WEIGHT }, { "Sin-17 const", SEC_PUBLIC },
		{ "Shape-17 const", SEC_PUBLIC }, { "Size-17", SEC_PUBLIC }, { "Greater-17 const", SEC_PUBLIC }, { "Range-17 float", SEC_PUBLIC }, { "Add-17", SEC_SECRET },
	};
	struct arena *mem = arena_new();
	struct test_cases t = test_cases_read(mem, TEST_DATA "/models/ops.bin");
	struct options opt = { 0 };

	for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
		int found = 0;
		for (int j = 0; j < t.n; j++) {
			char path[64];
			if (strcmp(t.c[j].name, want[k].name))
				continue;
			write_model(path, t.c[j].model, t.c[j].model_bytes);
			struct prog *p = import(path, &opt, NULL);
			unlink(path);
			assert_non_null(p);
			if (p->out[0]->type.sec != want[k].sec)
				fail_msg("%s: result is %d, want %d", want[k].name, (int)p->out[0]->type.sec, (int)want[k].sec);
			ir_free(p);
			found++;
		}
		if (!found)
			fail_msg("no case %s", want[k].name);
	}
	arena_free(mem);
}

/* No row of the table without a case. */
static void every_row_has_a_case(void **state)
{
	(void)state;
	struct arena *mem = arena_new();
	struct test_cases t = test_cases_read(mem, TEST_DATA "/models/ops.bin");

	for (int k = 0; k < onnx_op_count(); k++) {
		struct onnx_op_doc r = onnx_op_doc(k);
		const char *prefix = arena_printf(mem, "%s%s-", strcmp(r.domain, "ai.onnx") ? "com.microsoft." : "", r.name);
		bool found = r.refused;
		for (int j = 0; j < t.n && !found; j++)
			found = !strncmp(t.c[j].name, prefix, strlen(prefix));
		if (!found)
			fail_msg("no case for %s", prefix);
	}
	arena_free(mem);
}

static void expect_error(const char *path, const struct options *opt, const char *const *want, int nwant)
{
	char *text = NULL;
	struct prog *p = import(path, opt, &text);
	assert_null(p);
	for (int k = 0; k < nwant; k++)
		if (!strstr(text, want[k]))
			fail_msg("missing \"%s\" in:\n%s", want[k], text);
	free(text);
}

#define WANT(...) (const char *const[]){ __VA_ARGS__ }, (int)(sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

static void dimensions(void **state)
{
	(void)state;
	const char *path = TEST_DATA "/models/bert_dyn.onnx";
	struct dim_binding bind[2] = { { .name = "input_ids", .rank = 2, .dim = { 1, 8 } }, { .name = "seq", .symbol = true, .dim = { 9 } } };
	struct options none = { 0 }, opt = { .bind = bind, .nbind = 2 };

	expect_error(path, &none, WANT("bert_dyn.onnx:input_ids: error: dimension 1 \"seq\" has no value [unbound-dim]", "--shape input_ids=1x128", "--dim seq=128",
	                               "bert_dyn.onnx:attention_mask: error: dimension 0"));
	expect_error(path, &opt, WANT("--dim seq=9: it is 8 elsewhere"));
	bind[1] = (struct dim_binding){ .name = "nonsense", .symbol = true, .dim = { 9 } };
	expect_error(path, &opt, WANT("--dim nonsense: no input has a dimension of this name"));
	bind[1] = (struct dim_binding){ .name = "ids", .rank = 1, .dim = { 9 } };
	expect_error(path, &opt, WANT("--shape ids: the model has no input of this name", "its inputs are: input_ids"));
	bind[1] = (struct dim_binding){ .name = "attention_mask", .rank = 3, .dim = { 1, 8, 1 } };
	expect_error(path, &opt, WANT("--shape gives 3 dimensions, the input has 2"));
	bind[1] = (struct dim_binding){ .name = "attention_mask", .rank = 2, .dim = { 1, 0 } };
	expect_error(path, &opt, WANT("want positive numbers"));
}

static void errors(void **state)
{
	(void)state;
	const struct options opt = { 0 };
	struct arena *mem = arena_new();

	expect_error(TEST_DATA "/models/absent.onnx", &opt, WANT("cannot read the model: No such file"));
	expect_error(TEST_DATA "/models/cases.py", &opt, WANT("not an ONNX model"));
	expect_error(TEST_DATA "/models/bad_nodes.onnx", &opt,
		WANT("bad_nodes.onnx:first/Strange (#0, ai.onnx StrangeOp-17): error: operator not supported [unsupported-op]",
		     "second (#1, ai.onnx NonZero-17): error:", "third (#2, ai.onnx Add-17): error: operands", "do not broadcast [shape]",
		     "(#3, ai.onnx DynamicQuantizeLinear-17)", "export the fp32 model", "(#4, my.domain Foo-0)", "operator domain my.domain is not supported",
		     "(#5, ai.onnx Add-17): error: input nowhere is neither", "(#6, ai.onnx Relu-17): error: attribute alpha is not supported",
		     "(#7, ai.onnx Relu-17): error: input late is produced by this or a later node",
		     "(#8, ai.onnx Relu-17): error: the name late is defined twice", "(#9, ai.onnx Add-17): error: operands", "want the same element type",
		     "(#10, ai.onnx If-17): error: control flow", "(#11, ai.onnx Reshape-17): error: input shape int64[2] secret must be a public constant",
		     "(#12, ai.onnx Div-17): error: integer division by zero", "(#13, ai.onnx Gather-17): error: index 7 is outside",
		     "(#14, ai.onnx Expand-17): error: evaluating this at compile time needs", "graph output missing is not produced"));
	expect_error(TEST_DATA "/models/bad_opset.onnx", &opt, WANT("error: opset 9 is not supported, want 11 to 20 [opset]", "hint   export with opset_version=17"));
	expect_error(TEST_DATA "/models/bad_external.onnx", &opt,
		WANT("tensor up: cannot use external data file '../w.bin': its path is absolute, or has '..'",
		     "tensor root: cannot use external data file '/etc/passwd'", "tensor deep: cannot use external data file 'a/../../w.bin'",
		     "tensor absent: cannot use external data file 'absent.bin': No such file", "tensor folder: cannot use external data file '.': it is not a regular file",
		     "tensor short: want 16 bytes, given offset 4096", "tensor length: want 16 bytes, given offset 0 and length 12", "tensor none: its external data has no valid location"));
	arena_free(mem);
}

/* External data: mapped, aligned parts are not copied; a link out of the folder is refused. */
static void external_data(void **state)
{
	(void)state;
	const struct options opt = { 0 };
	struct arena *mem = arena_new();
	char folder[] = "/tmp/onnx_ext_XXXXXX";
	size_t bytes, data_bytes;

	assert_non_null(mkdtemp(folder));
	void *model = test_read_file(mem, TEST_DATA "/models/external.onnx", &bytes), *data = test_read_file(mem, TEST_DATA "/models/external.data", &data_bytes);
	const char *path = arena_printf(mem, "%s/m.onnx", folder), *data_path = arena_printf(mem, "%s/external.data", folder);
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(model, 1, bytes, f), bytes);
	fclose(f);
	assert_int_equal(symlink(TEST_DATA "/models/external.data", data_path), 0);
	expect_error(path, &opt, WANT("cannot use external data file 'external.data': it is a symbolic link"));
	unlink(data_path);
	f = fopen(data_path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, data_bytes - 1, f), data_bytes - 1);
	fclose(f);
	expect_error(path, &opt, WANT("in 'external.data' of"));
	unlink(data_path);
	unlink(path);
	rmdir(folder);
	struct prog *p = import(TEST_DATA "/models/external.onnx", &opt, NULL);
	struct test_cases t = test_cases_read(mem, TEST_DATA "/models/external.bin");
	assert_non_null(p);
	assert_true(test_case_holds(p, &t.c[0], 1e-5));
	assert_true(mapped_from(ir_find(p, "w")->data, "external.data"));
	assert_false(mapped_from(ir_find(p, "b")->data, "external.data")); /* not aligned: a copy */
	ir_free(p);
	arena_free(mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models), cmocka_unit_test(secrecy), cmocka_unit_test(folded_secrecy), cmocka_unit_test(operators),
		cmocka_unit_test(every_row_has_a_case), cmocka_unit_test(dimensions), cmocka_unit_test(errors), cmocka_unit_test(external_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * descriptor_use_test.c -- descriptors in programs: files that are loaded, models that use them, text, ranges, fixed point. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "frontend/onnx.h"
#include "npy.h"
#include "passes/descriptor.h"
#include "passes/passes.h"

#define MISH "suf-descriptor 1\nname mish\nop Mish\nfunction x*tanh(log(1+exp(x)))\ndomain -8 8\nmax-error 0.01\n"

/* Files, options and messages of one test. */
struct use { char path[4][64]; const char *file[4]; struct options opt; struct diag *d; FILE *to; char *log; size_t n; };

static void
begin(struct use *u)
{
	memset(u, 0, sizeof *u);
	u->opt.descriptor = u->file;
	u->opt.output_to = 1;
	u->to = open_memstream(&u->log, &u->n);
	u->d = diag_new(u->to, false);
}

static void
file(struct use *u, const char *text)
{
	int k = u->opt.ndescriptor++;
	strcpy(u->path[k], "/tmp/descriptor_use_XXXXXX");
	int fd = mkstemp(u->path[k]);
	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
	u->file[k] = u->path[k];
}

static void
end(struct use *u)
{
	for (int k = 0; k < u->opt.ndescriptor; k++)
		unlink(u->path[k]);
	diag_free(u->d);
	fclose(u->to);
	free(u->log);
}

static void
says(struct use *u, const char *what, const char *hint)
{
	fflush(u->to);
	if (!strstr(u->log, what) || !strstr(u->log, hint))
		fail_msg("reported\n%s\nexpected\n%s\n%s", u->log, what, hint);
}

/* ---- loading ---------------------------------------------------------------------------- */

static void
loads(void **state)
{
	(void)state;
	for (int frac = 8; frac <= 12; frac += 4) {
		struct use u;
		begin(&u);
		file(&u, MISH);
		file(&u, "suf-descriptor 1\nname t\nfunction tanh(x)\ndomain -4 4\nmax-error 0.02\nform table\n");
		u.opt.frac_bits = frac == 12 ? 0 : frac;
		struct prog *p = ir_new("t", &u.opt, u.d);
		assert_true(descriptors_load(p));
		assert_int_equal(p->ndesc, 2);
		assert_string_equal(p->desc[0]->name, "mish");
		for (int k = 0; k < 2; k++)
			assert_true(p->desc[k]->fitted && p->desc[k]->out == (unsigned)frac && p->desc[k]->in == 2 * (unsigned)frac);
		assert_int_equal(p->desc[1]->form, DESC_TABLE);
		ir_free(p);
		end(&u);
	}
}

static void
does_not_load(const char *one, const char *two, int frac, const char *what, const char *hint)
{
	struct use u;
	begin(&u);
	file(&u, one);
	if (two)
		file(&u, two);
	u.opt.frac_bits = frac;
	struct prog *p = ir_new("t", &u.opt, u.d);
	assert_false(descriptors_load(p));
	says(&u, what, hint);
	assert_non_null(strstr(u.log, u.path[two ? 1 : 0]));
	ir_free(p);
	end(&u);
}

#define CELLS(error, values) "suf-descriptor 1\nname c\nfunction tanh(x)\nfraction 24 12\ndomain -1 1\nmax-error " error "\n" \
	"tail left -1\ntail right 1\ncells 4 of 2^-1 from -1 split 0\nvalues " values "\n"

static void
load_errors(void **state)
{
	(void)state;
	does_not_load(MISH, MISH, 0, "a second descriptor with the name 'mish'", "change the line 'name'");
	does_not_load(MISH, "suf-descriptor 1\nname other\nop Foo\nop Mish\nfunction x\ndomain -1 1\nmax-error 1\n", 0,
	              "the descriptors 'mish' and 'other' both compute the operator 'Mish'", "leave out");
	does_not_load("suf-descriptor 1\nname e\nfunction exp(x)\ndomain -8 8\nmax-error 0.1\n", NULL, 0, "right of 8 the function tends neither", "tail right none");
	does_not_load("suf-descriptor 1\nname e\nfunction tanh(x)\ndomain -4 4\nmax-error 1e-9\n", NULL, 0, "nothing keeps the error below 1e-09", "larger max-error");
	does_not_load(CELLS("0.4", "1500 3000 -3000 -1500"), NULL, 10, "made for results of 12 fraction bits, the program has 10", "sufc fit --frac");
	does_not_load(CELLS("0.1", "1500 3000 -3000 -1500"), NULL, 0, "the error is ", "correct the line 'max-error'");
	does_not_load(CELLS("0.3", "1500 3000 3000 -1500"), NULL, 0, "0.3 is promised", "sufc fit");
	does_not_load("suf-descriptor 1\nname e\nfunction exp(y)\n", NULL, 0, ":3: error: function:", "variable is x");
	struct use u;
	begin(&u);
	file(&u, CELLS("0.3", "1500 3000 -3000 -1500")); /* and this is right */
	struct prog *p = ir_new("t", &u.opt, u.d);
	if (!descriptors_load(p))
		says(&u, "no error at all", "");
	ir_free(p);
	unlink(u.path[0]);
	p = ir_new("t", &u.opt, u.d);
	assert_false(descriptors_load(p));
	says(&u, "cannot read the descriptor: No such file", "sufc fit");
	ir_free(p);
	end(&u);
}

/* ---- models ------------------------------------------------------------------------------- */

static struct prog *
import(struct use *u, const char *model)
{
	char path[256];
	snprintf(path, sizeof path, TEST_DATA "/models/act_%s.onnx", model);
	return onnx_import(path, &u->opt, u->d);
}

static int
count(const struct prog *p, enum op op)
{
	int n = 0;
	for (const struct node *k = p->first; k; k = k->next)
		n += k->op == op;
	return n;
}

/* The float program gives what NumPy gave. */
static void
same_result(const struct prog *p)
{
	struct npy x, y;
	char text[256];
	struct arena *a = arena_new();
	assert_int_equal(npy_read(&x, TEST_DATA "/models/act_x.npy", NULL, text), SUF_OK);
	assert_int_equal(npy_read(&y, TEST_DATA "/models/act_y.npy", NULL, text), SUF_OK);
	void **result = arena_alloc(a, (size_t)p->nvals * sizeof *result);
	assert_true(float_eval(p, (const void *const[]){ x.data }, result, a));
	for (int k = 0; k < p->nvals; k++)
		for (int i = 0; i < 24 && p->vals[k] == p->out[0]; i++)
			assert_true(fabs((double)((float *)result[k])[i] - (double)((float *)y.data)[i]) < 1e-4);
	npy_free(&x);
	npy_free(&y);
	arena_free(a);
}

static void
models(void **state)
{
	(void)state;
	const struct { const char *name, *text; bool imported; } row[] = {
		{ "mish", MISH, true }, { "parts", MISH, false }, { "log", MISH, false },
		{ "foo", "suf-descriptor 1\nname foo\nop com.acme.Foo\nfunction x*tanh(softplus(x))\ndomain -8 8\nmax-error 0.01\n", true },
		{ "mish", "suf-descriptor 1\nname foo\nfunction x*tanh(softplus(x))\ndomain -8 8\nmax-error 0.01\n", false }, /* no line 'op': from its parts */
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		struct use u;
		begin(&u);
		file(&u, row[k].text);
		struct prog *p = import(&u, row[k].name);
		if (!p)
			says(&u, "no error at all", "");
		assert_int_equal(count(p, OP_act), row[k].imported ? 1 : 0);
		same_result(p);
		assert_true(pass_fold(p) && pass_fuse_norm(p) && pass_fuse_act(p) && pass_fuse_unary(p));
		assert_true(ir_check(p, STAGE_FLOAT));
		assert_int_equal(count(p, OP_act), 1);
		for (const struct node *n = p->first; n; n = n->next)
			assert_true(n->op == OP_act || n->op == OP_matmul);
		same_result(p);
		if (!strcmp(row[k].name, "foo"))
			says(&u, "attribute steps is not looked at: the descriptor 'foo' says", "");
		ir_free(p);
		end(&u);
	}
}

/* Without a descriptor: what is in the way, and that a descriptor would help. */
static void
undescribed(void **state)
{
	(void)state;
	struct use u;
	begin(&u);
	assert_null(import(&u, "foo"));
	says(&u, "operator domain com.acme is not supported", "--descriptor FILE with a line 'op Foo'");
	end(&u);
	const char *const name[] = { "mish", "parts", "log" };
	for (int k = 0; k < 3; k++) {
		begin(&u);
		struct prog *p = import(&u, name[k]);
		assert_non_null(p);
		same_result(p);
		assert_true(pass_fold(p) && pass_fuse_unary(p));
		assert_false(pass_clean(p));
		says(&u, k == 2 ? "exp (e) on secret data is not supported" : "softplus", "describe that: --descriptor FILE");
		ir_free(p);
		end(&u);
	}
}

/* ---- text, ranges, fixed point ---------------------------------------------------------------- */

static struct prog *
parsed(struct use *u, const char *text)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
	struct prog *p = ir_parse(f, "t.ir", &u->opt, u->d);
	fclose(f);
	return p;
}

#define PROGRAM(line) "sufc-ir 1\nprogram \"t\" stage FLOAT\nvalue %x : f32[2] secret range -3 2 proven input\n%y : f32[2] secret = " line "\ninput %x\noutput %y\n"

static void
text(void **state)
{
	(void)state;
	static const char good[] = PROGRAM("act %x using \"mish\"");
	struct use u;
	begin(&u);
	file(&u, MISH);
	struct prog *p = parsed(&u, good);
	assert_non_null(p);
	assert_true(ir_check(p, STAGE_FLOAT));
	assert_ptr_equal(p->first->desc, p->desc[0]);
	char *once;
	size_t n;
	FILE *to = open_memstream(&once, &n);
	ir_print(p, to);
	fclose(to);
	struct prog *again = parsed(&u, once);
	assert_non_null(again);
	assert_non_null(strstr(once, "act %x using \"mish\""));
	free(once);
	ir_free(again);
	ir_free(p);
	assert_null(parsed(&u, PROGRAM("act %x using \"mash\"")));
	says(&u, "the descriptor 'mash' was not given: --descriptor FILE", "");
	const struct { const char *text, *what; } wrong[] = { { PROGRAM("act %x"), "has no descriptor" }, { PROGRAM("relu %x using \"mish\""), "takes no descriptor" } };
	for (int k = 0; k < 2; k++) {
		p = parsed(&u, wrong[k].text);
		assert_non_null(p);
		assert_false(ir_check(p, STAGE_FLOAT));
		says(&u, wrong[k].what, "");
		ir_free(p);
	}
	end(&u);
	begin(&u);                       /* no descriptors at all */
	assert_null(parsed(&u, good));
	says(&u, "the descriptor 'mish' was not given", "");
	end(&u);
}

static void
ranges_and_formats(void **state)
{
	(void)state;
	struct use u;
	begin(&u);
	file(&u, MISH);
	struct prog *p = parsed(&u, PROGRAM("act %x using \"mish\""));
	assert_true(pass_ranges(p));
	const struct val *y = p->out[0];
	assert_true(y->lo <= -0.3088 && y->lo > -0.35 && y->hi >= 1.944 && y->hi < 2 && y->from == RANGE_PROVEN);
	assert_true(pass_quantize(p));
	assert_true(ir_check(p, STAGE_RING));
	assert_int_equal(p->out[0]->type.frac, 12);
	assert_int_equal(diag_warnings(u.d), 0);
	ir_free(p);
	end(&u);
	begin(&u);                       /* an input where none was promised */
	file(&u, "suf-descriptor 1\nname mish\nfunction log(x)\ndomain 0.5 4\nmax-error 0.01\ntail left none\ntail right none\n");
	p = parsed(&u, PROGRAM("act %x using \"mish\""));
	assert_true(pass_ranges(p) && pass_quantize(p));
	says(&u, "'x' may be below 0.5 (proven bound: -3), where the descriptor 'mish' expects no input", "wider domain");
	assert_int_equal(diag_warnings(u.d), 1);
	ir_free(p);
	end(&u);
	begin(&u);                       /* another format than the descriptors were fitted to */
	file(&u, MISH);
	p = parsed(&u, PROGRAM("act %x using \"mish\""));
	u.opt.frac_bits = 10;
	assert_true(pass_ranges(p));
	assert_false(pass_quantize(p));
	says(&u, "the descriptor 'mish' has 12 fraction bits, the program 10", "");
	ir_free(p);
	end(&u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(loads), cmocka_unit_test(load_errors), cmocka_unit_test(models), cmocka_unit_test(undescribed),
		                            cmocka_unit_test(text), cmocka_unit_test(ranges_and_formats) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

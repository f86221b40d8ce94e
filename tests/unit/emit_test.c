/* SPDX-License-Identifier: Apache-2.0
 * emit_test.c -- scheduled programs written by hand become C that compiles without a warning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "backend/emit.h"
#include "passes/passes.h"
#include "weights.h"

/* x (2x3) times w (3x2), truncated look-up of y, a sum: two ONNX nodes with awkward names, three rounds. */
static const char source[] =
	"sufc-ir 1\n"
	"program \"tiny \\\"model\\\"\" stage SCHED file \"m.onnx\" next_id 12 rounds 3 wire 64\n"
	"table $\"half ?\?/ of\" = 0 1 -2 3 4 5 6 7\n"
	"table $half.of = 7 -6 5 4 3 2 1 -9223372036854775808\n"
	"const %fc.weight : f32[3x2] weight 30.12 = 0.5 -0.25 1 -1 3.75 0.0001\n"
	"const %fc.bias : i64[2] weight 30.24 slot 1 = 77 -16777216\n"
	"%x : f32[2x3] masked 30.12 input = step.input {id=1, count=6, n=30, m=30} class other round 0\n"
	"%y.wide : f32[2x2] shared 30.24 slot 8 = step.matmul %x, %fc.weight, %fc.bias {id=2, count=4, na=6, nb=6, n=30, m=30, weight_b=1, "
		"mm={batch=1, bh=1, rows=2, inner=3, cols=2, sa=[0,0,3,1], sb=[0,0,2,1]}} class matmul round 1 at \"/fc/*/MatMul?\?/\" \"MatMul\" 3\n"
	"%y : f32[2x2] masked 30.24 slot 8 = step.open %y.wide {id=3, count=4, n=30, m=30} class matmul round 1 at \"/fc/*/MatMul?\?/\" \"MatMul\" 3\n"
	"%s : f32[2x2] shared 1.0 slot 16, %t : f32[2x2] shared 18.12 slot 24 = step.lut %y {id=4, count=4, na=4, n=30, m=18, b=3, table=$\"half ?\?/ of\"} class gelu round 2 at \"act\" \"Gelu\" 4\n"
	"%s1 : f32[2x2] masked 1.0 slot 16 = step.open %s {id=5, count=4, n=1, m=1} class gelu round 2 at \"act\" \"Gelu\" 4\n"
	"%t1 : f32[2x2] masked 18.12 slot 24 = step.open %t {id=6, count=4, n=18, m=18} class gelu round 2 at \"act\" \"Gelu\" 4\n"
	"%z : f32[2x2] masked 18.12 slot 32 = step.mulc %t1 {id=7, count=4, na=4, n=18, m=18, map={dim=[4], so=[1], sa=[1], sb=[1]}, table=$half.of} class other round 3 at \"act\" \"Gelu\" 4\n"
	"%r : f32[2] masked 18.12 slot 40 = step.row_sum %z {id=8, count=2, na=4, n=18, m=18, rows={count=2, first=2, inc=0, period=1, level=0}} class other round 3 at - - -1 -\n"
	"step.output %r {id=9, count=2, n=18} class other round 3\n"
	"input %x\n"
	"output %r\n";

struct folder { char path[32]; struct diag *d; struct prog *p; char *said; size_t nsaid; FILE *to; };

static const char *
in(struct folder *f, const char *name)
{
	return arena_printf(f->p->arena, "%s/%s", f->path, name);
}

static int
set_up(void **state)
{
	struct folder *f = calloc(1, sizeof *f);
	strcpy(f->path, "/tmp/emit_testXXXXXX");
	if (!f || !mkdtemp(f->path))
		return -1;
	f->to = open_memstream(&f->said, &f->nsaid);
	f->d = diag_new(f->to, false);
	FILE *text = fmemopen((void *)(uintptr_t)source, strlen(source), "r");
	f->p = ir_parse(text, "source", NULL, f->d);
	fclose(text);
	*state = f;
	return f->p && ir_check(f->p, STAGE_SCHED) ? 0 : (fflush(f->to), fprintf(stderr, "%s", f->said), -1);
}

static int
tear_down(void **state)
{
	static const char *const made[] = { "p.c", "p.h", "p.o", "p", "p.weights", "log", "q.c", "q.h" };
	struct folder *f = *state;
	for (size_t k = 0; k < sizeof made / sizeof made[0]; k++)
		unlink(in(f, made[k]));
	int left = rmdir(f->path); /* fails when a temporary file was left */
	ir_free(f->p);
	diag_free(f->d);
	fclose(f->to);
	free(f->said);
	free(f);
	return left;
}

static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char *text = calloc(1, 1 << 20);
	size_t n = fread(text, 1, (1 << 20) - 1, f);
	assert_true(n > 0);
	fclose(f);
	return text;
}

static int
count_of(const char *text, const char *what)
{
	int n = 0;
	for (const char *s = strstr(text, what); s; s = strstr(s + 1, what))
		n++;
	return n;
}

/* Runs a command with its output in `log`; the exit status. */
static int
run(struct folder *f, const char *command)
{
	int status = system(arena_printf(f->p->arena, "%s >%s 2>&1", command, in(f, "log")));
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static struct suf_place
place_of(struct folder *f)
{
	struct suf_place place;
	assert_true(find_suf(f->p->arena, NULL, &place));
	return place;
}

static void
compiles_without_warning(struct folder *f, const char *path)
{
	static const char *const compiler[] = { "cc", "gcc", "clang" };
	for (int k = 0; k < 3; k++) {
		const char *command = arena_printf(f->p->arena, "%s -std=c11 -O2 -Wall -Wextra -Werror -I%s -c %s -o %s", compiler[k], place_of(f).include, path, in(f, "p.o"));
		if (run(f, command)) {
			char *log = slurp(in(f, "log"));
			fail_msg("%s: %s", command, log);
		}
	}
}

static void
text_names_what_it_does(void **state)
{
	struct folder *f = *state;
	struct emit_job job = { .path = in(f, "p.c"), .build_line = "clang p.c */" };
	assert_true(emit_c(f->p, &job));
	char *text = slurp(job.path);
	static const char *const once[] = {
		"enum { N = 30, F = 12 };",
		"node_fc_MatMul(struct suf_run *r)", "node_act(struct suf_run *r)", "node_inputs(struct suf_run *r)",
		".in = { { SUF_WIRE, 0 }, { SUF_WEIGHT, 0 }, { SUF_WEIGHT, 1 } }, .out = { { SUF_WIRE, 8 } }", "static const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = 2,",
		"{ .name = \"fc.bias\", .rank = 1, .dim = { 2 }, .bits = N, .frac = 24, .integer = true },",
		"{ .name = \"x\", .rank = 2, .dim = { 2, 3 }, .bits = N, .frac = F, .step = 1 },", "{ .name = \"r\", .rank = 1, .dim = { 2 }, .bits = 18, .frac = F, .step = 9 },",
		"static const int64_t data_half_of[8] = {\n\t0, 1, -2, 3, 4, 5, 6, 7,\n};", "7, -6, 5, 4, 3, 2, 1, INT64_MIN,\n",
		".wire_elems = 64, .output_to = 1, .nrounds = 3,", "TRY(suf_round(r)); /* round 2 */", "return suf_main(&program, argc, argv);",
		"build: clang p.c #/\n",
	};
	for (size_t k = 0; k < sizeof once / sizeof once[0]; k++)
		if (count_of(text, once[k]) != 1)
			fail_msg("%d times: %s\n%s", count_of(text, once[k]), once[k], text);
	assert_int_equal(count_of(text, "suf_round(r)"), 3);
	assert_int_equal(count_of(text, "suf_step(r, &s)"), 9);
	assert_int_equal(count_of(text, "??"), 0);
	assert_int_equal(count_of(text, "0.25"), 0);      /* nothing of the weights */
	assert_int_equal(count_of(text, "-16777216"), 0);
	/* the round of a message ends right after it, before the steps that read it */
	assert_true(strstr(text, "/* round 0 */") < strstr(text, "SUF_matmul") && strstr(text, "/* round 1 */") < strstr(text, "SUF_lut"));
	assert_true(strstr(text, ".id = 6") < strstr(text, "/* round 2 */") && strstr(text, "/* round 2 */") < strstr(text, "SUF_mulc"));
	free(text);
	compiles_without_warning(f, job.path);
}

static void
program_builds_and_knows_itself(void **state)
{
	struct folder *f = *state;
	struct emit_job job = { .path = in(f, "p.c") };
	struct suf_place place = place_of(f);
	assert_true(emit_c(f->p, &job));
	char **command = build_command(f->p->arena, &place, job.path, in(f, "p"), false);
	assert_true(build_program(command, f->d));
	assert_int_equal(run(f, arena_printf(f->p->arena, "%s info", in(f, "p"))), 0);
	char *log = slurp(in(f, "log")), hex[65];
	for (int k = 0; k < 32; k++)
		snprintf(hex + 2 * k, 3, "%02x", job.hash[k]);
	assert_non_null(strstr(log, hex));
	free(log);
	/* the line for the reader does the same */
	unlink(in(f, "p"));
	assert_int_equal(run(f, build_line(f->p->arena, command)), 0);
	assert_int_equal(access(in(f, "p"), X_OK), 0);
}

static void
library_has_a_header(void **state)
{
	struct folder *f = *state;
	struct emit_job job = { .path = in(f, "p.c"), .lib = true };
	assert_true(emit_c(f->p, &job));
	char *text = slurp(job.path), *header = slurp(in(f, "p.h"));
	assert_null(strstr(text, "main("));
	assert_non_null(strstr(text, "const struct suf_program suf_program_p = {"));
	assert_non_null(strstr(header, "extern const struct suf_program suf_program_p;"));
	free(text);
	free(header);
	compiles_without_warning(f, job.path);
}

static void
weights_are_quantised(void **state)
{
	struct folder *f = *state;
	uint8_t hash[32];
	char text[SUF_TEXT];
	struct suf_weights *w;
	emit_hash(f->p, hash);
	assert_true(emit_weights(f->p, in(f, "p.weights"), hash));
	assert_int_equal(suf_weights_open(&w, in(f, "p.weights"), text), SUF_OK);
	assert_int_equal(suf_weights_count(w), 2);
	assert_memory_equal(suf_weights_program(w), hash, 32);
	uint64_t got[6];
	static const int64_t fc[6] = { 2048, -1024, 4096, -4096, 15360, 0 }, bias[2] = { 77, -16777216 };
	suf_weights_get(w, 0, 0, 6, got);
	for (int k = 0; k < 6; k++)
		assert_int_equal(got[k], (uint64_t)fc[k] & ((1u << 30) - 1));
	suf_weights_get(w, 1, 0, 2, got);
	for (int k = 0; k < 2; k++)
		assert_int_equal(got[k], (uint64_t)bias[k] & ((1u << 30) - 1));
	assert_string_equal(suf_weights_tensor(w, 1)->name, "fc.bias");
	suf_weights_close(w);
}

/* A planned program that was read from a file goes to the backend as it is. */
static void
planned_programs_are_complete(void **state)
{
	struct folder *f = *state;
	uint8_t was[32], is[32];
	struct options opt = { .gates = "sigma", .output_to = 1 };
	emit_hash(f->p, was);
	assert_true(run_passes(f->p, &opt, f->to));
	emit_hash(f->p, is);
	assert_memory_equal(was, is, 32);
}

/* The hash is that of the steps: not of weights, ranges, places of files. */
static void
hash_covers_the_steps(void **state)
{
	struct folder *f = *state;
	uint8_t was[32], is[32];
	emit_hash(f->p, was);
	static float other[6] = { 1, 2, 3, 4, 5, 6 };
	ir_find(f->p, "fc.weight")->data = other;
	ir_find(f->p, "y")->lo = -5;
	ir_find(f->p, "y")->hi = 5;
	for (struct node *n = f->p->first; n; n = n->next)
		n->loc.file = "elsewhere/m.onnx";
	emit_hash(f->p, is);
	assert_memory_equal(was, is, 32);
	f->p->first->next->step->c = 1;
	emit_hash(f->p, is);
	assert_memory_not_equal(was, is, 32);
}

static void
failures_leave_nothing(void **state)
{
	struct folder *f = *state;
	uint8_t hash[32] = { 0 };
	struct emit_job job = { .path = in(f, "p.c") };
	ir_find(f->p, "fc.bias")->absent = true;
	assert_false(emit_c(f->p, &job));
	assert_int_equal(access(job.path, F_OK), -1);
	ir_find(f->p, "fc.bias")->absent = false;
	job.path = in(f, "none/p.c");
	assert_false(emit_c(f->p, &job));
	job.lib = true;
	assert_false(emit_c(f->p, &job));
	assert_false(emit_weights(f->p, in(f, "none/p.weights"), hash));
	fflush(f->to);
	assert_int_equal(count_of(f->said, "none/p.c: error: cannot write the file: No such file or directory [write]"), 1);
	assert_int_equal(count_of(f->said, "No such file or directory"), 3);
	assert_int_equal(count_of(f->said, "'fc.bias' are not known"), 1);
	char *command[] = { arena_strdup(f->p->arena, "/nonexistent/compiler"), NULL };
	assert_false(build_program(command, f->d));
	struct suf_place place;
	assert_false(find_suf(f->p->arena, f->path, &place));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text_names_what_it_does, set_up, tear_down),
		cmocka_unit_test_setup_teardown(program_builds_and_knows_itself, set_up, tear_down),
		cmocka_unit_test_setup_teardown(library_has_a_header, set_up, tear_down),
		cmocka_unit_test_setup_teardown(weights_are_quantised, set_up, tear_down),
		cmocka_unit_test_setup_teardown(planned_programs_are_complete, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hash_covers_the_steps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_leave_nothing, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

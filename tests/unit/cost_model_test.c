/* SPDX-License-Identifier: Apache-2.0
 * cost_model_test.c -- what steps.def predicts is what a run of an example model takes, and what the report says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "step_harness.h"
#include <cmocka.h>
#include "frontend/onnx.h"
#include "frontend/report.h"
#include "passes/exec.h"

static void
check_number(const json_t *at, uint64_t want)
{
	assert_true(json_is_integer(at));
	assert_int_equal(json_integer_value(at), want);
}

static void
check_list(const json_t *at, size_t count, const uint64_t *want)
{
	assert_int_equal(json_array_size(at), count);
	for (size_t k = 0; k < count; k++)
		check_number(json_array_get(at, k), want[k]);
}

/* The report's numbers are those of the cost model, under the keys that are promised. */
static void
check_json(const struct prog *p, const struct cost *c)
{
	const struct cost_row *t = &c->total;
	json_t *all = cost_json(p), *classes = json_object_get(all, "classes");
	check_number(json_object_get(all, "rounds"), t->rounds);
	check_number(json_object_get(all, "comm_bytes"), t->sent[0] + t->sent[1]);
	check_list(json_object_get(all, "key_bytes"), 2, t->key);
	check_list(json_object_get(all, "sent_bytes"), 2, t->sent);
	check_list(json_object_get(all, "prg_calls"), 3, t->prg);
	check_list(json_object_get(all, "mul_adds"), 2, t->mul_adds + 1);
	check_list(json_object_get(all, "peak_bytes"), 2, c->peak);
	assert_string_equal(json_string_value(json_object_get(all, "gates")), "sigma");
	assert_int_equal(json_object_size(classes), c->nklass);
	for (int k = 0; k < c->nklass; k++) {
		const json_t *one = json_object_get(classes, c->klass[k].klass);
		check_number(json_object_get(one, "comm_bytes"), c->klass[k].sent[0] + c->klass[k].sent[1]);
		check_list(json_object_get(one, "key_bytes"), 2, c->klass[k].key);
		check_number(json_object_get(one, "rounds"), c->klass[k].rounds);
	}
	json_decref(all);
}

static void
one_model(const char *name)
{
	char path[512], calibrate[512], text[256];
	snprintf(path, sizeof path, SOURCE_DIR "/examples/%s/model.onnx", name);
	snprintf(calibrate, sizeof calibrate, SOURCE_DIR "/examples/%s/calibrate.npz", name);
	const struct options opt = { .model = path, .calibrate = calibrate, .output_to = 1, .gates = "sigma" };
	struct diag *d = diag_new(stderr, false);
	diag_quiet(d, true);
	struct prog *p = onnx_import(path, &opt, d);
	assert_true(p && run_passes(p, &opt, stdout));
	struct exec *e = exec_new(p);
	const struct suf_program *sp = exec_program(e);
	uint64_t *in[4] = { NULL }, *out[4] = { NULL };
	assert_true(sp->ninput <= 4 && sp->noutput <= 4);
	for (uint32_t k = 0; k < sp->ninput; k++)
		in[k] = harness_ring(exec_wire_count(&sp->input[k]), sp->input[k].bits);
	for (uint32_t k = 0; k < sp->noutput; k++)
		out[k] = harness_ring(exec_wire_count(&sp->output[k]), sp->output[k].bits);
	struct exec_seeds seeds;
	struct exec_parties got;
	struct cost c;
	struct suf_plan plan;
	prog_cost(p, &c);
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	if (exec_run(e, &seeds, in, out, NULL, NULL, &got, text))
		fail_msg("%s: %s", name, text);
	for (int k = 0; k < 2; k++) {
		assert_int_equal(got.key[k], c.total.key[k]);
		assert_int_equal(got.sent[k], c.total.sent[k]);
		assert_int_equal(got.aes[k], c.total.prg[SUF_P0 + k]);
	}
	assert_int_equal(got.aes[2], c.total.prg[SUF_DEALER]);
	assert_int_equal(got.rounds, c.total.rounds);
	/* The compiler and a program's command `info` say the same. */
	assert_int_equal(suf_plan(sp, &plan, text), SUF_OK);
	assert_memory_equal(plan.total.prg, c.total.prg, sizeof c.total.prg);
	assert_memory_equal(plan.total.mul_adds, c.total.mul_adds, sizeof c.total.mul_adds);
	assert_int_equal(plan.total.words, c.total.words);
	assert_int_equal(plan.rounds, c.total.rounds);
	assert_int_equal(suf_plan_peak(&plan), c.peak[0]);
	check_json(p, &c);
	for (int k = 0; k < 4; k++) {
		free(in[k]);
		free(out[k]);
	}
	exec_free(e);
	ir_free(p);
	diag_free(d);
}

static void
example_models(void **state)
{
	(void)state;
	one_model("digits_vit");
	one_model("char_gpt");
	one_model("text_classifier");
}

/* Products are what the parties compute most of. */
static void
multiply_adds(void **state)
{
	(void)state;
	const struct suf_mm mm = { .batch = 2, .bh = 1, .rows = 3, .inner = 5, .cols = 7 };
	const struct suf_step s = { .op = SUF_matmul, .count = 42, .na = 30, .nb = 70, .n = 50, .m = 50, .mm = &mm };
	struct suf_cost c = suf_step_cost(&s, 1);
	assert_int_equal(c.mul_adds[SUF_DEALER], 210);
	assert_int_equal(c.mul_adds[SUF_P0], 420);
	assert_int_equal(c.mul_adds[SUF_P1], 420);
	assert_int_equal(c.words, 8 * (30 + 70 + 42));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(example_models), cmocka_unit_test(multiply_adds) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * cmd_compile.c -- sufc MODEL -o OUT.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "backend/emit.h"
#include "frontend/cmd.h"
#include "frontend/compare.h"
#include "frontend/onnx.h"
#include "frontend/output.h"
#include "frontend/report.h"
#include "passes/budget.h"
#include "passes/gate_rules.h"

enum { KEY_LIB = 0x200, KEY_REPORT, KEY_LIST_OPS, KEY_LIST_GATES, KEY_SUF_DIR, KEY_SAVE_GATES };
enum out_kind { OUT_NONE, OUT_C, OUT_IR, OUT_PROGRAM };

struct compile {
	struct common common;
	const char *out, *report, *suf_dir, *save_gates;
	enum out_kind kind;
	bool lib, want_report, list_ops, list_gates;
};

static const struct argp_option options[] = {
	{ "output", 'o', "OUT", 0, "OUT.c: C program and OUT.weights; OUT.ir: the program as text; no suffix: built with clang", 0 },
	{ "lib", KEY_LIB, NULL, 0, "No main; OUT.h declares the program for a service that links libsuf", 0 },
	{ "report", KEY_REPORT, "FILE", OPTION_ARG_OPTIONAL, "Costs, formats and ranges of tensors: FILE.html explains them, FILE.json for programs; without FILE, on standard output", 4 },
	{ "save-gates", KEY_SAVE_GATES, "FILE", 0, "Write the gate of every node, for --gates=FILE", 4 },
	{ "suf-dir", KEY_SUF_DIR, "DIR", 0, "Prefix where libsuf is installed", 4 },
	{ "list-ops", KEY_LIST_OPS, NULL, 0, "ONNX operators that are read", 5 },
	{ "list-gates", KEY_LIST_GATES, NULL, 0, "Gate sets and their gates", 5 },
	{ 0 }
};

static void
set_output(struct argp_state *state, struct compile *c, const char *arg)
{
	const char *suffix = output_suffix(arg);
	c->out = arg;
	if (!strcmp(suffix, ".c"))
		c->kind = OUT_C;
	else if (!strcmp(suffix, ".ir"))
		c->kind = OUT_IR;
	else if (!strcmp(suffix, ".cu"))
		argp_error(state, "-o %s: CUDA is not in this version; supported: OUT.c, OUT.ir, or OUT without suffix", arg);
	else if (!strcmp(suffix, ".h") || !strcmp(suffix, ".onnx") || !strcmp(suffix, ".weights"))
		argp_error(state, "-o %s: expected OUT.c, OUT.ir, or OUT without suffix", arg);
	else
		c->kind = OUT_PROGRAM;
}

static void
set_report(struct compile *c, const char *arg)
{
	c->want_report = true;
	c->report = arg;
}

/* Are gates chosen once this pass is done? */
static bool
after_bind(const char *pass)
{
	for (int k = npasses - 1; k >= 0 && passes[k].needs >= STAGE_RING; k--)
		if (!strcmp(passes[k].name, pass))
			return true;
	return false;
}

static void
check_together(struct argp_state *state, const struct compile *c)
{
	const struct options *o = &c->common.opt;
	if (c->list_ops || c->list_gates)
		return;
	if (!o->model)
		argp_error(state, "no MODEL.onnx was given");
	bool whole = !o->stop_after || !strcmp(o->stop_after, passes[npasses - 1].name);
	if (c->kind == OUT_NONE && !c->want_report && !c->save_gates && !o->dump && !o->stop_after)
		argp_error(state, "no output: give -o OUT.c, --report, --save-gates or --dump=PASS");
	if (!whole && (c->kind == OUT_C || c->kind == OUT_PROGRAM || c->want_report))
		argp_error(state, "--stop-after=%s leaves a program that is not finished: give -o OUT.ir or --dump=PASS", o->stop_after);
	if (o->no_weights && c->kind != OUT_NONE)
		argp_error(state, "--no-weights gives costs only, no program: use it with --report");
	if (c->save_gates && o->stop_after && !after_bind(o->stop_after))
		argp_error(state, "--stop-after=%s: gates are chosen by the pass bind, which comes later: no --save-gates", o->stop_after);
	if (c->lib && c->kind != OUT_C)
		argp_error(state, "--lib needs -o OUT.c");
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct compile *c = state->input;
	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &c->common; break;
	case 'o': set_output(state, c, arg); break;
	case KEY_LIB: c->lib = true; break;
	case KEY_REPORT: set_report(c, arg); break;
	case KEY_SAVE_GATES: c->save_gates = arg; break;
	case KEY_SUF_DIR: c->suf_dir = arg; break;
	case KEY_LIST_OPS: c->list_ops = true; break;
	case KEY_LIST_GATES: c->list_gates = true; break;
	case ARGP_KEY_END: check_together(state, c); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- lists ---------------------------------------------------------------- */

static void
list_ops(void)
{
	for (int k = 0; k < onnx_op_count(); k++) {
		struct onnx_op_doc d = onnx_op_doc(k);
		char opset[32];
		snprintf(opset, sizeof opset, d.opset_lo == d.opset_hi ? "%d" : "%d-%d", d.opset_lo, d.opset_hi);
		printf("%-32s %-14s %-8s %s%s\n", d.name, d.domain && *d.domain ? d.domain : "ai.onnx", opset, d.refused ? "refused: " : "", d.note ? d.note : "");
	}
}

static void
list_gates(void)
{
	printf("%-22s %-14s %-10s %s\n", "gate", "operation", "class", "what it computes (source)");
	for (int k = 0; k < ngates; k++) {
		char name[64];
		snprintf(name, sizeof name, "%s.%s", gates[k].set, gates[k].name);
		printf("%-22s %-14s %-10s %s (%s)\n", name, op_desc[gates[k].op].name, gates[k].klass, gates[k].doc, gates[k].source);
	}
	printf("sets with a gate for every operation:");
	for (int k = 0; gates_set(k); k++)
		printf(" %s", gates_set(k));
	printf("\n");
}

/* ---- output --------------------------------------------------------------- */

static void write_ir(const void *p, FILE *to) { ir_print(p, to); }
static void write_ir_data(const void *p, FILE *to) { ir_print_data(p, to); }
static void write_report(const void *p, FILE *to) { report_text(p, to); }
static void write_json(const void *c, FILE *to) { compare_print_json(c, to); }
static void write_html(const void *c, FILE *to) { compare_html(c, to); }
static void write_gates(const void *p, FILE *to) { gate_rules_write(p, to); }

static int
output_ir(struct prog *p, const char *out)
{
	int status = output_secret(p->diag, p->arena, arena_printf(p->arena, "%s.data", out), write_ir_data, p);
	if (!status && (status = output_file(p->diag, p->arena, out, write_ir, p)))
		unlink(arena_printf(p->arena, "%s.data", out));
	return status;
}

static const char *
stem(struct prog *p, const char *out)
{
	return arena_printf(p->arena, "%.*s", (int)(strlen(out) - strlen(output_suffix(out))), out);
}

static void
say_done(const struct prog *p, const struct compile *c, const char *weights)
{
	struct cost cost;
	char a[24], b[24], sent[24];
	if (c->common.opt.quiet)
		return;
	prog_cost(p, &cost);
	printf("%s, %s\n", c->out, weights);
	printf("per run: %d rounds, %s sent by both parties, keys of %s and %s\n", p->nrounds, report_bytes(cost.total.sent[0] + cost.total.sent[1], sent),
	       report_bytes(cost.total.key[0], a), report_bytes(cost.total.key[1], b));
	if (p->budget && p->budget->measured >= 0)
		printf("accuracy: relative error %.3g on %d calibration example%s (with two standard errors %.3g); asked: %g\n", p->budget->measured, p->budget->examples,
		       p->budget->examples == 1 ? "" : "s", p->budget->bound, p->budget->asked);
	else if (p->budget)
		printf("accuracy: relative error %.3g by estimate, the program is too large to be simulated; asked: %g\n", p->budget->estimated, p->budget->asked);
	if (cost.total.offline)
		printf("         before it goes online: %s from party 1 to party 0, whatever the input is\n", report_bytes(cost.total.offline, sent));
}

static int
output_c(struct prog *p, const struct compile *c, const struct suf_place *place)
{
	const char *base = stem(p, c->out), *weights = arena_printf(p->arena, "%s.weights", base);
	const char *target = c->lib ? arena_printf(p->arena, "%s.o", base) : base;
	struct emit_job job = { .path = c->out, .lib = c->lib,
	                        .build_line = place->lib ? build_line(p->arena, build_command(p->arena, place, c->out, target, c->lib)) : NULL };
	if (!emit_c(p, &job))
		return STATUS_FILES;
	if (!emit_weights(p, weights, job.hash)) {
		unlink(c->out);
		if (c->lib)
			unlink(arena_printf(p->arena, "%s.h", base));
		return STATUS_FILES;
	}
	say_done(p, c, weights);
	if (!c->common.opt.quiet && job.build_line)
		printf("build: %s\n", job.build_line);
	return STATUS_OK;
}

/* The C text is temporary; the program appears under its name when all is done. */
static int
output_program(struct prog *p, const struct compile *c, const struct suf_place *place)
{
	const char *source = arena_printf(p->arena, "%s.tmp.c", c->out), *tmp = arena_printf(p->arena, "%s.tmp", c->out);
	const char *weights = arena_printf(p->arena, "%s.weights", c->out);
	char **command = build_command(p->arena, place, source, tmp, false);
	struct emit_job job = { .path = source, .build_line = build_line(p->arena, command) };
	if (!emit_c(p, &job))
		return STATUS_FILES;
	if (c->common.opt.verbose)
		fprintf(stderr, "sufc: %s\n", job.build_line);
	int status = build_program(command, p->diag) ? STATUS_OK : STATUS_BUILD;
	unlink(source);
	if (!status && !emit_weights(p, weights, job.hash))
		status = STATUS_FILES;
	if (!status && rename(tmp, c->out)) {
		status = output_error(p->diag, c->out, "the program");
		unlink(weights);
	}
	if (status)
		unlink(tmp);
	else
		say_done(p, c, weights);
	return status;
}

/* Forms that rest on a comparison, with this program alone. */
static bool
has_suffix(const struct compile *c, const char *suffix)
{
	return c->report && !strcmp(output_suffix(c->report), suffix);
}

static int
output_report(struct prog *p, const struct compile *c, const struct comparison *costs)
{
	if (has_suffix(c, ".html"))
		return output_file(p->diag, p->arena, c->report, write_html, costs);
	if (has_suffix(c, ".json"))
		return output_file(p->diag, p->arena, c->report, write_json, costs);
	if (c->report)
		return output_file(p->diag, p->arena, c->report, write_report, p);
	report_text(p, stdout);
	return STATUS_OK;
}

static int
output(struct prog *p, const struct compile *c, const struct comparison *costs)
{
	struct suf_place place = { 0 };
	int status = STATUS_OK;
	if (c->kind == OUT_IR)
		status = output_ir(p, c->out);
	else if (c->kind != OUT_NONE && !find_suf(p->arena, c->suf_dir, &place) && (c->kind == OUT_PROGRAM || c->suf_dir)) {
		diag_error(p->diag, NULL, "build", "libsuf is not there: no suf.h and libsuf.a in '%s'", c->suf_dir ? c->suf_dir : "the installed places");
		diag_hint(p->diag, "--suf-dir DIR names the prefix where libsuf is installed");
		status = STATUS_BUILD;
	} else if (c->kind == OUT_C)
		status = output_c(p, c, &place);
	else if (c->kind == OUT_PROGRAM)
		status = output_program(p, c, &place);
	if (!status && c->want_report)
		status = output_report(p, c, costs);
	if (!status && (fflush(stdout) || ferror(stdout)))
		status = output_error(p->diag, "standard output", "the result");
	return status;
}

static const struct argp_child children[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
static const struct argp argp = {
	options, parse, "MODEL.onnx",
	"Turn a transformer into a program that two parties run so that neither sees the other's data.\v"
	"Other commands, with options of their own (--help):\n"
	"  sufc simulate MODEL.onnx   the fixed-point result of the program, without a protocol\n"
	"  sufc verify MODEL.onnx     run both parties here and compare with float, layer by layer\n"
	"  sufc compare MODEL.onnx    what it costs with each gate set: table, JSON, a page for the browser\n"
	"  sufc fit FUNCTION          a descriptor for an activation that sufc does not know\n"
	"  sufc calibrate-machine     measure this machine, for predictions of run time\n\n"
	"MODEL may be a program in text form (FILE.ir) that -o OUT.ir wrote.\n"
	"Exit status: 0 ok, 1 usage, 2 model not supported, 3 files, 4 clang failed, 5 protocol.",
	children, NULL, NULL
};

/* All passes; the gates are written once they are chosen. */
static struct prog *
compile(const struct compile *c, struct diag *d, struct comparison *costs, int *status)
{
	const struct options *opt = &c->common.opt;
	struct options first = *opt;
	struct prog *p = load_model(opt, d, status);
	if (!p)
		return NULL;
	first.stop_after = "bind";
	if (costs)
		*status = compare_add(costs, p, opt, c->save_gates);
	else if (!c->save_gates)
		*status = run_passes(p, opt, stdout) ? STATUS_OK : STATUS_MODEL;
	else if (!run_passes(p, &first, stdout))
		*status = STATUS_MODEL;
	else if (p->stage == STAGE_GATE)
		*status = output_file(d, p->arena, c->save_gates, write_gates, p);
	if (!*status && p->stage == STAGE_GATE && (!opt->stop_after || strcmp(opt->stop_after, "bind")) && !run_passes(p, opt, stdout))
		*status = STATUS_MODEL;
	if (!*status)
		return p;
	ir_free(p);
	return NULL;
}

static int
compile_and_write(const struct compile *c, struct diag *d, int argc, char **argv)
{
	struct comparison costs = { .n = 0 };
	const bool want = has_suffix(c, ".html") || has_suffix(c, ".json");
	const char *const path[] = { c->out, c->report, c->save_gates };
	int status = STATUS_OK;
	for (size_t k = 0; k < sizeof path / sizeof path[0]; k++)
		if (path[k] && !output_folder(d, c->common.arena, path[k]))
			return STATUS_FILES;
	if (want && !compare_init(&costs, &c->common.opt, argc, argv))
		return STATUS_FILES;
	struct prog *p = compile(c, d, want ? &costs : NULL, &status);
	if (p)
		status = output(p, c, want ? &costs : NULL);
	else if (diag_errors(d) > 1 && !c->common.json)
		fprintf(stderr, "%s: %d errors.  See: sufc --list-ops\n", c->common.opt.model, diag_errors(d));
	compare_free(&costs);
	ir_free(p);
	return status;
}

int
cmd_compile(int argc, char **argv)
{
	struct compile c = { 0 };
	common_init(&c.common);
	char **given = words_copy(c.common.arena, argc, argv);
	argp_parse(&argp, argc, argv, 0, NULL, &c);
	int status = STATUS_OK;
	if (c.list_ops)
		list_ops();
	if (c.list_gates)
		list_gates();
	if (!c.list_ops && !c.list_gates) {
		struct diag *d = diag_new(stderr, c.common.json);
		diag_quiet(d, c.common.opt.quiet);
		status = compile_and_write(&c, d, argc, given);
		diag_free(d);
	}
	common_free(&c.common);
	return status;
}

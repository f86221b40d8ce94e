/* SPDX-License-Identifier: Apache-2.0
 * cmd_compare.c -- sufc compare: what a model costs with each gate set.
 */
#include <string.h>
#include "frontend/cmd.h"
#include "frontend/compare.h"
#include "frontend/output.h"

struct args {
	struct common common;
	const char *json, *html, *save_gates;
	int argc; char **argv;
};

enum { KEY_JSON = 0x200, KEY_HTML, KEY_SAVE_GATES };

static const struct argp_option options[] = {
	{ "json", KEY_JSON, "FILE", 0, "Everything as JSON (docs/costs.md); -: on standard output instead of the table", 0 },
	{ "html", KEY_HTML, "FILE", 0, "A page that explains the costs, with charts and every layer", 0 },
	{ "save-gates", KEY_SAVE_GATES, "FILE", 0, "Write the gate of every node, of the first strategy, for --gates=FILE", 0 },
	{ 0 }
};

static void
check_together(struct argp_state *state, const struct args *a)
{
	const struct options *o = &a->common.opt;
	if (!o->model)
		argp_error(state, "no MODEL.onnx was given");
	if (o->stop_after)
		argp_error(state, "--stop-after=%s leaves a program that is not finished: its costs are not known", o->stop_after);
	if (o->dump && a->json && !strcmp(a->json, "-"))
		argp_error(state, "--dump and --json=- both go to standard output: give --json a file");
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; break;
	case KEY_JSON: a->json = arg; break;
	case KEY_HTML: a->html = arg; break;
	case KEY_SAVE_GATES: a->save_gates = arg; break;
	case ARGP_KEY_END: check_together(state, a); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- strategies ------------------------------------------------------------- */

/* All sets that suit the options, and the best mixture where there are several. */
static void
all_sets(struct common *c)
{
	c->gates_list = arena_alloc(c->arena, ((size_t)ngates + 1) * sizeof *c->gates_list);
	const bool one_format = c->opt.ring_bits || c->opt.frac_bits; /* not for sets that give each value its own */
	for (int k = 0; gates_set(k); k++)
		if (c->opt.max_error > 0 ? gate_is_mixed(gates_set(k)) : !one_format || !gate_is_mixed(gates_set(k)))
			c->gates_list[c->ngates++] = arena_strdup(c->arena, gates_set(k));
	if (c->ngates > 1)
		c->gates_list[c->ngates++] = arena_strdup(c->arena, "auto");
}

/* Compiles from the file again: passes change the program in place. */
static int
add_strategy(struct comparison *c, const struct args *a, int k)
{
	struct options opt = a->common.opt;
	struct diag *d = diag_new(stderr, a->common.json);
	int status;
	opt.gates = a->common.gates_list[k];
	diag_quiet(d, opt.quiet || k > 0);       /* once is enough; all are in the page */
	struct prog *p = load_model(&opt, d, &status);
	if (p)
		status = compare_add(c, p, &opt, k == 0 ? a->save_gates : NULL);
	if (diag_errors(d) > 1 && !a->common.json)
		fprintf(stderr, "%s with gates %s: %d errors\n", opt.model, opt.gates, diag_errors(d));
	ir_free(p);
	diag_free(d);
	return status;
}

/* ---- output -------------------------------------------------------------------- */

static void write_json(const void *c, FILE *to) { compare_print_json(c, to); }
static void write_html(const void *c, FILE *to) { compare_html(c, to); }

static int
output(const struct comparison *c, const struct args *a, struct diag *d)
{
	const bool json_only = a->json && !strcmp(a->json, "-");
	int status = STATUS_OK;
	if (json_only)
		compare_print_json(c, stdout);
	else
		compare_text(c, stdout);
	if (fflush(stdout) || ferror(stdout))
		return output_error(d, "standard output", "the result");
	if (a->json && !json_only)
		status = output_file(d, c->arena, a->json, write_json, c);
	if (a->html && !status)
		status = output_file(d, c->arena, a->html, write_html, c);
	return status;
}

/* Before the work: can the files be made? */
static bool
folders(const struct args *a, struct diag *d)
{
	const char *const path[] = { a->json && strcmp(a->json, "-") ? a->json : NULL, a->html, a->save_gates };
	for (size_t k = 0; k < sizeof path / sizeof path[0]; k++)
		if (path[k] && !output_folder(d, a->common.arena, path[k]))
			return false;
	return true;
}

static int
compare(const struct args *a)
{
	struct comparison c;
	struct diag *d = diag_new(stderr, a->common.json);
	int status = folders(a, d) && compare_init(&c, &a->common.opt, a->argc, a->argv) ? STATUS_OK : STATUS_FILES;
	if (!status) {
		for (int k = 0; k < a->common.ngates && !status; k++)
			status = add_strategy(&c, a, k);
		if (!status)
			status = output(&c, a, d);
		compare_free(&c);
	}
	diag_free(d);
	return status;
}

int
cmd_compare(int argc, char **argv)
{
	static const struct argp_child child[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { options, parse, "MODEL.onnx",
		"Show what a model costs with each gate set: keys, traffic, rounds, computation, memory, time.\v"
		"--gates takes a list here, of gate sets and gates files: --gates=sigma,mine.gates; default: all sets, and auto if there are several.  "
		"With --network, times are shown for this network alone.", child, NULL, NULL };
	char *none = NULL;
	struct args a = { .argc = argc };
	common_init(&a.common);
	a.common.gates_list = &none;
	a.argv = words_copy(a.common.arena, argc, argv);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (!a.common.ngates)
		all_sets(&a.common);
	int status = compare(&a);
	common_free(&a.common);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0
 * cmd_verify.c -- sufc verify: dealer and both parties on this machine, compared
 * with the float program value by value.
 */
#include <stdio.h>
#include "frontend/inputs.h"
#include "passes/verify.h"

struct args { struct common common; struct bindings input; const char *seeds; int64_t examples; };

enum { KEY_INPUT = 0x200, KEY_SEEDS, KEY_EXAMPLES };

static const struct argp_option options[] = {
	{ "input", KEY_INPUT, "NAME=x.npy", 0, "Value of an input (.npy, or .npz with a member NAME); a longer first axis means many examples", 0 },
	{ "examples", KEY_EXAMPLES, "N", 0, "Only the first N examples", 0 },
	{ "seed-file", KEY_SEEDS, "FILE", 0, "Seeds from a file instead of the operating system, to repeat a run", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	switch (key) {
	case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; break;
	case KEY_INPUT: bindings_add(state, &a->input, a->common.arena, arg); break;
	case KEY_SEEDS: a->seeds = arg; break;
	case KEY_EXAMPLES: parse_examples(state, arg, &a->examples); break;
	case ARGP_KEY_END:
		if (!a->common.opt.model)
			argp_error(state, "no model was given");
		if (a->common.opt.no_weights)
			argp_error(state, "--no-weights gives costs only: use it with --report");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int verify(const struct args *a, struct diag *d)
{
	int status;
	struct examples ex = { .count = 0 };
	struct exec_seeds seeds;
	struct verify v;
	struct prog *p = load_model(&a->common.opt, d, &status);
	if (!p)
		return status;
	if (p->stage != STAGE_FLOAT) {
		diag_error(d, NULL, "stage", "'%s' is past stage FLOAT; verify compares with the float program", a->common.opt.model);
		status = STATUS_MODEL;
	} else if (!read_inputs(p, &a->input, a->examples, &ex) || !read_seeds(d, a->seeds, &seeds)) {
		status = STATUS_FILES;
	} else if (!verify_run(p, &a->common.opt, &ex, &seeds, &v)) {
		status = p->stage == STAGE_SCHED ? STATUS_PROTOCOL : STATUS_MODEL;
	} else {
		verify_print(p, &v, stdout);
	}
	ir_free(p);
	return status;
}

int cmd_verify(int argc, char **argv)
{
	static const struct argp_child child[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { options, parse, "MODEL --input NAME=x.npy ...",
		"Run dealer and both parties on this machine and compare every value with the float program.", child, NULL, NULL };
	struct args a = { .seeds = NULL };
	common_init(&a.common);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	struct diag *d = diag_new(stderr, a.common.json);
	diag_quiet(d, a.common.opt.quiet);
	int status = verify(&a, d);
	diag_free(d);
	common_free(&a.common);
	return status;
}

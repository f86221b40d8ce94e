/* SPDX-License-Identifier: Apache-2.0
 * cmd_simulate.c -- sufc simulate: the exact fixed-point result of the protocol
 * on many examples, without running it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "frontend/inputs.h"
#include "npy.h"
#include "passes/watch.h"

struct args { struct common common; struct bindings input, output; const char *seeds; int64_t examples; bool check; };

enum { KEY_INPUT = 0x200, KEY_OUTPUT, KEY_CHECK, KEY_SEEDS, KEY_EXAMPLES };

static const struct argp_option options[] = {
	{ "input", KEY_INPUT, "NAME=x.npy", 0, "Value of an input (.npy, or .npz with a member NAME); a longer first axis means many examples", 0 },
	{ "output", KEY_OUTPUT, "NAME=y.npy", 0, "Where to write an output (repeatable)", 0 },
	{ "check-ranges", KEY_CHECK, NULL, 0, "Warn about every value that leaves the range it was compiled for", 0 },
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
	case KEY_OUTPUT: bindings_add(state, &a->output, a->common.arena, arg); break;
	case KEY_CHECK: a->check = true; break;
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

/* ---- results of all examples ------------------------------------------------- */

struct results { void **data; int64_t count; };

static size_t width(const struct suf_tensor *t) { return t->integer ? sizeof(int64_t) : sizeof(float); }

static void keep(const struct suf_program *sp, struct results *r, int64_t example, uint64_t *const *out)
{
	for (uint32_t k = 0; k < sp->noutput; k++) {
		const struct suf_tensor *t = &sp->output[k];
		char *to = (char *)r->data[k] + (size_t)example * exec_wire_count(t) * width(t);
		if (t->integer)
			exec_decode_integers(t, out[k], (int64_t *)(void *)to);
		else
			exec_decode(t, out[k], (float *)(void *)to);
	}
}

static bool write_output(struct prog *p, const struct suf_tensor *t, const void *data, int64_t examples, const char *path)
{
	int64_t dim[MAX_RANK + 1] = { examples };
	uint32_t rank = t->rank ? t->rank : 1;
	char text[256];
	for (uint32_t k = 0; k < t->rank; k++)
		dim[k] = k ? t->dim[k] : t->dim[k] * examples;
	if (npy_write(path, 0666, t->integer ? NPY_I64 : NPY_F32, rank, dim, data, text) == SUF_OK)
		return true;
	diag_error(p->diag, NULL, "output-file", "%s", text);
	return false;
}

static bool write_outputs(struct prog *p, const struct suf_program *sp, const struct bindings *b, const struct results *r)
{
	for (int i = 0; i < b->n; i++) {
		int k = find_output(p, b->v[i].name);
		if (k < 0 || !write_output(p, &sp->output[k], r->data[k], r->count, b->v[i].path))
			return false;
	}
	return true;
}

/* ---- the runs --------------------------------------------------------------------- */

static uint64_t **buffers(struct arena *a, const struct suf_tensor *t, uint32_t n)
{
	uint64_t **list = arena_alloc(a, (n + 1) * sizeof *list);
	for (uint32_t k = 0; k < n; k++)
		list[k] = arena_alloc(a, (size_t)(exec_wire_count(&t[k]) + 1) * sizeof **list);
	return list;
}

static bool run_examples(struct prog *p, struct exec *e, const struct examples *ex, const struct exec_seeds *seeds, struct watch *w, struct results *r)
{
	const struct suf_program *sp = exec_program(e);
	uint64_t **in = buffers(p->arena, sp->input, sp->ninput), **out = buffers(p->arena, sp->output, sp->noutput);
	char text[256];
	r->count = ex->count;
	r->data = arena_alloc(p->arena, (sp->noutput + 1) * sizeof *r->data);
	for (uint32_t k = 0; k < sp->noutput; k++)
		r->data[k] = arena_alloc(p->arena, (size_t)ex->count * exec_wire_count(&sp->output[k]) * width(&sp->output[k]) + 1);
	for (int64_t i = 0; i < ex->count; i++) {
		struct exec_seeds own = exec_seeds_of(seeds, (uint64_t)i);
		if (!exec_encode_inputs(p, e, ex, i, in))
			return false;
		if (exec_simulate(e, &own, in, out, w ? watch_step : NULL, w, text)) {
			diag_error(p->diag, NULL, "run-failed", "%s", text);
			return false;
		}
		keep(sp, r, i, out);
	}
	return true;
}

static int run_all(struct prog *p, const struct args *a, const struct examples *ex, const struct exec_seeds *seeds)
{
	struct results r;
	for (int i = 0; i < a->output.n; i++)
		if (find_output(p, a->output.v[i].name) < 0)
			return STATUS_USAGE;
	struct exec *e = exec_new(p);
	struct watch *w = a->check ? watch_new(p) : NULL;
	bool ok = run_examples(p, e, ex, seeds, w, &r);
	if (ok && w)
		watch_report(p, w);
	ok = ok && write_outputs(p, exec_program(e), &a->output, &r);
	exec_free(e);
	return ok ? STATUS_OK : STATUS_FILES;
}

static int simulate(const struct args *a, struct diag *d)
{
	int status;
	struct examples ex = { .count = 0 };
	struct exec_seeds seeds;
	struct prog *p = load_model(&a->common.opt, d, &status);
	if (!p)
		return status;
	if (!read_inputs(p, &a->input, a->examples, &ex) || !read_seeds(d, a->seeds, &seeds))
		status = STATUS_FILES;
	else if (p->stage != STAGE_SCHED && !run_passes(p, &a->common.opt, stdout))
		status = STATUS_MODEL;
	else if (p->stage == STAGE_SCHED)        /* not after --stop-after */
		status = run_all(p, a, &ex, &seeds);
	ir_free(p);
	return status;
}

int cmd_simulate(int argc, char **argv)
{
	static const struct argp_child child[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
	static const struct argp argp = { options, parse, "MODEL --input NAME=x.npy --output NAME=y.npy",
		"Compute in the clear exactly what the parties would compute.", child, NULL, NULL };
	struct args a = { .seeds = NULL };
	common_init(&a.common);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	struct diag *d = diag_new(stderr, a.common.json);
	diag_quiet(d, a.common.opt.quiet);
	int status = simulate(&a, d);
	diag_free(d);
	common_free(&a.common);
	return status;
}

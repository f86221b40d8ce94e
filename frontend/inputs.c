/* SPDX-License-Identifier: Apache-2.0
 * inputs.c -- files given to the inputs of a program by name.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "frontend/inputs.h"

void bindings_add(struct argp_state *state, struct bindings *b, struct arena *a, char *arg)
{
	struct binding *list = arena_alloc(a, (size_t)(b->n + 1) * sizeof *list), *last = &list[b->n];
	if (b->n)
		memcpy(list, b->v, (size_t)b->n * sizeof *list);
	split_binding(state, arg, &last->name, &last->path);
	b->v = list;
	b->n++;
}

static const char *names(struct prog *p, struct val *const *list, int n)
{
	const char *s = "";
	for (int k = 0; k < n; k++)
		s = arena_printf(p->arena, "%s%s%s", s, k ? ", " : "", list[k]->name);
	return s;
}

static int find(struct val *const *list, int n, const char *name)
{
	for (int k = 0; k < n; k++)
		if (!strcmp(list[k]->name, name))
			return k;
	return -1;
}

void parse_examples(struct argp_state *state, const char *arg, int64_t *most)
{
	char *end;
	*most = strtoll(arg, &end, 10);
	if (*end || end == arg || *most < 1)
		argp_error(state, "--examples: '%s' is not a number of examples", arg);
}

bool read_inputs(struct prog *p, const struct bindings *b, int64_t most, struct examples *ex)
{
	for (int i = 0; i < b->n; i++) {
		int k = find(p->in, p->nin, b->v[i].name);
		if (k < 0) {
			diag_error(p->diag, NULL, "no-such-input", "--input %s: the model has no input of this name", b->v[i].name);
			diag_hint(p->diag, "its inputs: %s", names(p, p->in, p->nin));
			return false;
		}
		if (!examples_read(p, ex, k, b->v[i].path))
			return false;
	}
	if (!examples_complete(p, ex))
		return false;
	if (most && ex->count > most)
		ex->count = most;
	return true;
}

int find_output(struct prog *p, const char *name)
{
	int k = find(p->out, p->nout, name);
	if (k < 0) {
		diag_error(p->diag, NULL, "no-such-output", "--output %s: the model has no output of this name", name);
		diag_hint(p->diag, "its outputs: %s", names(p, p->out, p->nout));
	}
	return k;
}

bool read_seeds(struct diag *d, const char *path, struct exec_seeds *s)
{
	struct loc loc = { .file = path, .index = -1 };
	if (!path) {
		if (exec_random_seeds(s) == SUF_OK)
			return true;
		diag_error(d, NULL, "random", "the operating system gives no random bytes");
		return false;
	}
	FILE *f = fopen(path, "rb");
	size_t got = f ? fread(s, 1, sizeof *s, f) : 0;
	if (!f)
		diag_error(d, &loc, "seed-file", "cannot read the file: %s", strerror(errno));
	else if (got != sizeof *s)
		diag_error(d, &loc, "seed-file", "has %zu bytes, seeds take %zu", got, sizeof *s);
	if (f)
		fclose(f);
	return got == sizeof *s;
}

/* SPDX-License-Identifier: Apache-2.0
 * main.c -- suf_main: the commands of a generated program, and what their
 * parsers share.
 */
#include "cli.h"
#include "file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command {
	const char *name;
	int (*run)(struct cli *, int argc, char **argv);
	const char *doc;
} command[] = {
	{ "keygen", cli_keygen, "deal key pairs, to files or two pipes" },
	{ "run", cli_run, "be party 0 or 1 of one inference" },
	{ "mask-weights", cli_mask_weights, "mask a model's weights, once per epoch (model owner)" },
	{ "share-input", cli_share_input, "mask the inputs for both parties (client outside)" },
	{ "reveal", cli_reveal, "unmask the outputs (client outside)" },
	{ "keys", cli_keys, "list, verify or prune key files" },
	{ "info", cli_info, "program hash, costs, inputs and outputs" },
};
enum { NCOMMAND = sizeof command / sizeof command[0] };

static void usage(const char *self, const struct suf_program *prog, FILE *to)
{
	fprintf(to, "Usage: %s COMMAND [OPTION...]      (model %s, gates %s, weights %s)\n\n", self, prog->name, prog->gates, prog->weights);
	for (int k = 0; k < NCOMMAND; k++)
		fprintf(to, "  %-14s %s\n", command[k].name, command[k].doc);
	fprintf(to, "\n%s COMMAND --help shows the options.  Exit status: 0 ok, 1 usage, 3 input/output or network, 5 protocol or key.\n", self);
}

int suf_main(const struct suf_program *prog, int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL, *self = slash ? slash + 1 : argc > 0 ? argv[0] : "party";
	if (argc < 2) {
		usage(self, prog, stderr);
		return 1;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(self, prog, stdout);
		return 0;
	}
	for (int k = 0; k < NCOMMAND; k++)
		if (strcmp(argv[1], command[k].name) == 0) {
			char name[128];
			snprintf(name, sizeof name, "%.80s %s", self, command[k].name);
			struct cli c = { .prog = prog, .name = name };
			return command[k].run(&c, argc - 1, argv + 1);
		}
	fprintf(stderr, "%s: no command '%s'; commands are keygen, run, mask-weights, share-input, reveal, keys, info\n", self, argv[1]);
	return 1;
}

/* ---- parsing --------------------------------------------------------------------- */

struct parse { struct cli *cli; argp_parser_t parser; void *values; };

struct cli *cli_of(const struct argp_state *state) { return ((struct parse *)state->input)->cli; }
void *cli_values(const struct argp_state *state) { return ((struct parse *)state->input)->values; }

enum { KEY_HELP = '?', KEY_USAGE = 0x7000 };

/* --help and --usage without exit(): the rest of the line is not looked at. */
static error_t outer(int key, char *arg, struct argp_state *state)
{
	struct parse *p = state->input;
	if (key == KEY_HELP || key == KEY_USAGE) {
		argp_help(state->root_argp, stdout, key == KEY_USAGE ? ARGP_HELP_USAGE : ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_LONG, state->name);
		p->cli->done = true;
		state->next = state->argc;
		return 0;
	}
	if (p->cli->done)
		return 0;
	return p->parser(key, arg, state);
}

enum suf_err cli_parse(struct cli *c, const struct argp_option *options, argp_parser_t parser, const char *doc, int argc, char **argv, void *values)
{
	size_t n = 0;
	while (options[n].name)
		n++;
	struct argp_option *all = calloc(n + 3, sizeof *all);
	char **args = calloc((size_t)argc + 1, sizeof *args);
	if (!all || !args) {
		free(all);
		free(args);
		return text_fail(c->text, SUF_ENOMEM, "out of memory");
	}
	memcpy(all, options, n * sizeof *all);
	all[n] = (struct argp_option){ "help", KEY_HELP, NULL, 0, "show this list", -1 };
	all[n + 1] = (struct argp_option){ "usage", KEY_USAGE, NULL, 0, "show the options in short", -1 };
	memcpy(args, argv, (size_t)argc * sizeof *args);
	char name[128];
	snprintf(name, sizeof name, "%s", c->name);
	args[0] = name;
	struct argp argp = { .options = all, .parser = outer, .doc = doc };
	struct parse p = { c, parser, values };
	error_t bad = argp_parse(&argp, argc, args, ARGP_NO_HELP | ARGP_NO_EXIT | ARGP_IN_ORDER, NULL, &p);
	free(all);
	free(args);
	return bad ? SUF_EUSAGE : SUF_OK;
}

bool cli_unsigned(const struct argp_state *state, const char *arg, uint64_t max, uint64_t *to)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(arg, &end, 10);
	if (end == arg || *end || errno || arg[0] == '-' || v > max) {
		argp_error(state, "'%s' is not a number from 0 to %llu", arg, (unsigned long long)max);
		return false;
	}
	*to = v;
	return true;
}

enum suf_err cli_add_file(struct cli_files *f, const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct cli_file *v = realloc(f->v, (f->n + 1u) * sizeof *v);
	if (!v)
		return SUF_ENOMEM;
	f->v = v;
	f->v[f->n++] = eq ? (struct cli_file){ arg, (size_t)(eq - arg), eq + 1 } : (struct cli_file){ NULL, 0, arg };
	return SUF_OK;
}

int cli_fail(const struct cli *c, enum suf_err err)
{
	if (c->progress_shown)
		fputc('\n', stderr);
	if (c->text[0])
		fprintf(stderr, "%s: %s\n", c->name, c->text);
	switch (err) {
	case SUF_OK: return 0;
	case SUF_EUSAGE: return 1;
	case SUF_EPROTO:
	case SUF_EREUSE: return 5;
	default: return 3;
	}
}

/* ---- progress ---------------------------------------------------------------------- */

static void report(void *arg, uint64_t done, uint64_t of)
{
	struct cli *c = arg;
	uint64_t before = of ? (done - 1) * 100 / of : 0, now = of ? done * 100 / of : 0;
	if (now == before)
		return;
	fprintf(stderr, "\r%s: %3llu %%", c->name, (unsigned long long)(now > 100 ? 100 : now));
	c->progress_shown = true;
}

struct suf_progress cli_progress(struct cli *c)
{
	return (struct suf_progress){ isatty(STDERR_FILENO) ? report : NULL, c };
}

void cli_progress_end(struct cli *c)
{
	if (c->progress_shown)
		fputs("\r\033[K", stderr);
	c->progress_shown = false;
}

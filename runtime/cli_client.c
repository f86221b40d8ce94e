/* SPDX-License-Identifier: Apache-2.0
 * cli_client.c -- the commands share-input and reveal, for a client outside of
 * the two parties.
 */
#include "cli.h"
#include "file.h"
#include <errno.h>
#include <stdlib.h>

struct client { const char *key, *out, *masked; struct cli_files files; };

static const struct argp_option share_option[] = {
	{ "key", 'k', "FILE", 0, "the client's key (works once)", 0 },
	{ "input", 'i', "NAME=X.npy", 0, "an input (all of them, repeat)", 0 },
	{ "out", 'o', "FILE", 0, "the masked inputs, for both parties", 0 },
	{ 0 }
};

static error_t parse_share(int key, char *arg, struct argp_state *state)
{
	struct client *v = cli_values(state);
	switch (key) {
	case 'k': v->key = arg; break;
	case 'i': return cli_add_file(&v->files, arg) ? ENOMEM : 0;
	case 'o': v->out = arg; break;
	case ARGP_KEY_END:
		if (!v->key || !v->out) {
			argp_error(state, "--key, --input and --out are all needed");
			return EINVAL;
		}
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int cli_share_input(struct cli *c, int argc, char **argv)
{
	struct client v = { 0 };
	const struct suf_program *prog = c->prog;
	void **in = cli_arrays(prog->ninput);
	enum suf_err err = in ? cli_parse(c, share_option, parse_share, "The client: masks its inputs.  Both parties get the result, which tells them nothing.",
		argc, argv, &v) : text_fail(c->text, SUF_ENOMEM, "out of memory");
	if (!err && !c->done) {
		err = cli_read_inputs(c, &v.files, in);
		if (!err)
			err = suf_share_input(prog, v.key, (const void *const *)in, v.out, c->text);
	}
	cli_free_arrays(in, prog->input, prog->ninput);
	free(v.files.v);
	return cli_fail(c, err);
}

static const struct argp_option reveal_option[] = {
	{ "key", 'k', "FILE", 0, "the client's key", 0 },
	{ "masked", 'm', "FILE", 0, "masked outputs, from a party's --masked-output", 0 },
	{ "output", 'o', "NAME=Y.npy", 0, "where an output goes (repeat)", 0 },
	{ 0 }
};

static error_t parse_reveal(int key, char *arg, struct argp_state *state)
{
	struct client *v = cli_values(state);
	switch (key) {
	case 'k': v->key = arg; break;
	case 'm': v->masked = arg; break;
	case 'o': return cli_add_file(&v->files, arg) ? ENOMEM : 0;
	case ARGP_KEY_END:
		if (!v->key || !v->masked) {
			argp_error(state, "--key, --masked and --output are all needed");
			return EINVAL;
		}
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int cli_reveal(struct cli *c, int argc, char **argv)
{
	struct client v = { 0 };
	const struct suf_program *prog = c->prog;
	void **out = cli_arrays(prog->noutput);
	enum suf_err err = out ? cli_parse(c, reveal_option, parse_reveal, "The client: unmasks the outputs.", argc, argv, &v) :
		text_fail(c->text, SUF_ENOMEM, "out of memory");
	if (!err && !c->done) {
		err = cli_new_outputs(c, &v.files, out);
		if (!err)
			err = suf_reveal(prog, v.key, v.masked, out, c->text);
		if (!err)
			err = cli_save_outputs(c, &v.files, out);
	}
	cli_free_arrays(out, prog->output, prog->noutput);
	free(v.files.v);
	return cli_fail(c, err);
}

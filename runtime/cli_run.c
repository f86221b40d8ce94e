/* SPDX-License-Identifier: Apache-2.0
 * cli_run.c -- the command run: one party of one inference.
 */
#include "cli.h"
#include "file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run { struct suf_party_config cfg; struct cli_files in, out; const char *stats; };
enum {
	OPT_LISTEN = 256, OPT_CONNECT, OPT_CERT, OPT_TLS_KEY, OPT_CA, OPT_PLAIN, OPT_REMOTE_PLAIN, OPT_TIMEOUT, OPT_OWNER, OPT_MASKED_INPUT,
	OPT_MASKED_OUTPUT, OPT_STATS, OPT_USED_DIR
};

static const struct argp_option option[] = {
	{ "role", 'r', "0|1", 0, "which party this is", 0 },
	{ "key", 'k', "FILE|fd:N", 0, "this party's key: a file, a FIFO or an open descriptor", 0 },
	{ "weights", 'w', "FILE", 0, "masked weights; at party 0 plain ones with --owner; public weights: the plain ones", 0 },
	{ "owner", OPT_OWNER, "FILE", 0, "model.owner: party 0 owns the model, masks it and sends it", 0 },
	{ "input", 'i', "NAME=X.npy", 0, "party 1: an input (repeat for each)", 0 },
	{ "output", 'o', "NAME=Y.npy", 0, "the receiver: where an output goes (repeat for each)", 0 },
	{ "masked-input", OPT_MASKED_INPUT, "FILE", 0, "the client's file from share-input, at both parties", 0 },
	{ "masked-output", OPT_MASKED_OUTPUT, "FILE", 0, "the file for the client's reveal, from either party", 0 },
	{ "listen", OPT_LISTEN, "HOST:PORT", 0, "wait for the other party here (or unix:PATH)", 1 },
	{ "connect", OPT_CONNECT, "HOST:PORT", 0, "connect to the other party (or unix:PATH)", 1 },
	{ "tls-cert", OPT_CERT, "PEM", 0, "this party's certificate", 1 },
	{ "tls-key", OPT_TLS_KEY, "PEM", 0, "its private key", 1 },
	{ "tls-ca", OPT_CA, "PEM", 0, "the authority that issued the peer's certificate", 1 },
	{ "plain", OPT_PLAIN, NULL, 0, "no TLS; loopback addresses only", 1 },
	{ "allow-remote-plain", OPT_REMOTE_PLAIN, NULL, 0, "with --plain: other addresses too (the network reads along)", 1 },
	{ "timeout", OPT_TIMEOUT, "SECONDS", 0, "how long to wait for the peer (60)", 1 },
	{ "stats", OPT_STATS, "FILE", 0, "write times and bytes as JSON", 2 },
	{ "used-dir", OPT_USED_DIR, "DIR", 0, "where the use of the key is recorded (the key's folder)", 2 },
	{ 0 }
};

static error_t parse_number(int key, const char *arg, struct argp_state *state, struct run *r)
{
	uint64_t v;
	char *end;
	if (key == 'r') {
		if (!cli_unsigned(state, arg, 1, &v))
			return EINVAL;
		r->cfg.role = (int)v;
	} else if (key == 'k') {
		bool fd = strncmp(arg, "fd:", 3) == 0;
		if (fd && !cli_unsigned(state, arg + 3, 65535, &v))
			return EINVAL;
		r->cfg.key = fd ? NULL : arg;
		r->cfg.key_fd = fd ? (int)v : -1;
	} else {
		r->cfg.link.timeout_s = strtod(arg, &end);
		if (end == arg || *end || !(r->cfg.link.timeout_s > 0 && r->cfg.link.timeout_s < 1e7)) {
			argp_error(state, "--timeout wants seconds, not '%s'", arg);
			return EINVAL;
		}
	}
	return 0;
}

static error_t check(struct run *r, struct argp_state *state)
{
	const char *missing = r->cfg.role < 0 ? "--role 0|1" : !r->cfg.key && r->cfg.key_fd < 0 ? "--key FILE" :
		!r->cfg.link.listen == !r->cfg.link.connect ? "either --listen HOST:PORT or --connect HOST:PORT" : NULL;
	if (missing) {
		argp_error(state, "%s is needed", missing);
		return EINVAL;
	}
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run *r = cli_values(state);
	switch (key) {
	case 'r':
	case 'k':
	case OPT_TIMEOUT: return parse_number(key, arg, state, r);
	case 'w': r->cfg.weights = arg; break;
	case OPT_OWNER: r->cfg.owner = arg; break;
	case 'i': return cli_add_file(&r->in, arg) ? ENOMEM : 0;
	case 'o': return cli_add_file(&r->out, arg) ? ENOMEM : 0;
	case OPT_MASKED_INPUT: r->cfg.masked_input = arg; break;
	case OPT_MASKED_OUTPUT: r->cfg.masked_output = arg; break;
	case OPT_LISTEN: r->cfg.link.listen = arg; break;
	case OPT_CONNECT: r->cfg.link.connect = arg; break;
	case OPT_CERT: r->cfg.link.tls_cert = arg; break;
	case OPT_TLS_KEY: r->cfg.link.tls_key = arg; break;
	case OPT_CA: r->cfg.link.tls_ca = arg; break;
	case OPT_PLAIN: r->cfg.link.plain = true; break;
	case OPT_REMOTE_PLAIN: r->cfg.link.allow_remote_plain = true; break;
	case OPT_STATS: r->stats = arg; break;
	case OPT_USED_DIR: r->cfg.used_dir = arg; break;
	case ARGP_KEY_END: return check(r, state);
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Which arrays this party reads and writes; arrays[]: where they are. */
static enum suf_err open_arrays(struct cli *c, const struct run *r, void **in, void **out)
{
	const bool outside = r->cfg.masked_input || r->cfg.masked_output;
	if (outside && (r->in.n || r->out.n))
		return text_fail(c->text, SUF_EUSAGE, "--masked-input stands for a client outside: no --input and --output then");
	if (outside)
		return SUF_OK;
	if (r->cfg.role == 0 && r->in.n)
		return text_fail(c->text, SUF_EUSAGE, "inputs are party 1's: party 0 must not see them");
	if (!suf_receives(c->prog, r->cfg.role) && r->out.n)
		return text_fail(c->text, SUF_EUSAGE, "the program gives its outputs to party %d; this is party %d", c->prog->output_to, r->cfg.role);
	enum suf_err err = r->cfg.role == 1 ? cli_read_inputs(c, &r->in, in) : SUF_OK;
	return !err && suf_receives(c->prog, r->cfg.role) ? cli_new_outputs(c, &r->out, out) : err;
}

static enum suf_err run_party(struct cli *c, struct run *r)
{
	const struct suf_program *prog = c->prog;
	struct suf_stats stats;
	void **in = cli_arrays(prog->ninput), **out = cli_arrays(prog->noutput);
	enum suf_err err = in && out ? open_arrays(c, r, in, out) : text_fail(c->text, SUF_ENOMEM, "out of memory");
	if (!err && r->stats)
		err = cli_check_folder(c, r->stats);
	if (!err) {
		r->cfg.progress = cli_progress(c);
		err = suf_party_run(prog, &r->cfg, (const void *const *)in, out, &stats, c->text);
		cli_progress_end(c);
	}
	if (!err)
		err = cli_save_outputs(c, &r->out, out);
	if (!err && r->stats)
		err = suf_stats_save(prog, &stats, r->stats, c->text);
	cli_free_arrays(in, prog->input, prog->ninput);
	cli_free_arrays(out, prog->output, prog->noutput);
	return err;
}

int cli_run(struct cli *c, int argc, char **argv)
{
	struct run r = { .cfg = { .role = -1, .key_fd = -1 } };
	enum suf_err err = cli_parse(c, option, parse, "One party of one inference.  The key works once.", argc, argv, &r);
	if (!err && !c->done)
		err = run_party(c, &r);
	free(r.in.v);
	free(r.out.v);
	return cli_fail(c, err);
}

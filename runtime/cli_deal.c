/* SPDX-License-Identifier: Apache-2.0
 * cli_deal.c -- the commands keygen and mask-weights.
 */
#include "cli.h"
#include "file.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct keygen { struct suf_deal_config cfg; const char *stats; bool to_fd; };
enum { OPT_TO_FD = 256, OPT_OWNER, OPT_NEW_EPOCH, OPT_OUTSIDE, OPT_STATS };

static const struct argp_option keygen_option[] = {
	{ "out", 'o', "DIR", 0, "write DIR/ID.p0.key and DIR/ID.p1.key", 0 },
	{ "to-fd", OPT_TO_FD, "P0,P1", 0, "instead: one key pair to two open descriptors", 0 },
	{ "count", 'n', "N", 0, "how many pairs (1); 0: only the state of the weight mask", 0 },
	{ "state", 's', "FILE", 0, "seeds of the weight mask, made on first use (DIR/model.state)", 0 },
	{ "owner", OPT_OWNER, "FILE", 0, "instead: take the seeds from this model.owner", 0 },
	{ "weights", 'w', "FILE", 0, "public weights: the file that sufc wrote", 0 },
	{ "new-epoch", OPT_NEW_EPOCH, NULL, 0, "replace the weight mask; weights must be masked again", 0 },
	{ "outside-client", OPT_OUTSIDE, NULL, 0, "the client is neither party: write DIR/ID.client.key too", 0 },
	{ "stats", OPT_STATS, "FILE", 0, "write time and bytes as JSON", 0 },
	{ 0 }
};

static error_t parse_keygen(int key, char *arg, struct argp_state *state)
{
	struct keygen *k = cli_values(state);
	uint64_t v;
	int end = 0;
	switch (key) {
	case 'o': k->cfg.dir = arg; break;
	case OPT_TO_FD:
		if (sscanf(arg, "%d,%d%n", &k->cfg.fd[0], &k->cfg.fd[1], &end) != 2 || arg[end] || k->cfg.fd[0] < 0 || k->cfg.fd[1] < 0) {
			argp_error(state, "--to-fd wants two descriptors, like 3,4");
			return EINVAL;
		}
		k->to_fd = true;
		break;
	case 'n':
		if (!cli_unsigned(state, arg, 1000000, &v))
			return EINVAL;
		k->cfg.count = (uint32_t)v;
		break;
	case 's': k->cfg.state = arg; break;
	case 'w': k->cfg.weights = arg; break;
	case OPT_OWNER: k->cfg.owner = arg; break;
	case OPT_NEW_EPOCH: k->cfg.new_epoch = true; break;
	case OPT_OUTSIDE: k->cfg.outside_client = true; break;
	case OPT_STATS: k->stats = arg; break;
	case ARGP_KEY_END:
		if (!k->cfg.dir == !k->to_fd) {
			argp_error(state, "give either --out DIR or --to-fd P0,P1");
			return EINVAL;
		}
		if (k->to_fd && k->cfg.count != 1) {
			argp_error(state, "pipes take one key pair: --count 1");
			return EINVAL;
		}
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int cli_keygen(struct cli *c, int argc, char **argv)
{
	struct keygen k = { .cfg = { .count = 1 } };
	struct suf_stats stats;
	enum suf_err err = cli_parse(c, keygen_option, parse_keygen, "The dealer: makes key pairs.  It sees no inputs, and no weights unless they are public.", argc, argv, &k);
	if (err || c->done)
		return cli_fail(c, err);
	if (k.cfg.dir && mkdir(k.cfg.dir, 0700) != 0 && errno != EEXIST)
		return cli_fail(c, text_fail(c->text, SUF_EIO, "%s: %s", k.cfg.dir, strerror(errno)));
	k.cfg.progress = cli_progress(c);
	err = suf_deal(c->prog, &k.cfg, &stats, c->text);
	cli_progress_end(c);
	if (!err && k.stats)
		err = suf_stats_save(c->prog, &stats, k.stats, c->text);
	return cli_fail(c, err);
}

struct mask { const char *weights, *owner, *out; };

static const struct argp_option mask_option[] = {
	{ "weights", 'w', "FILE", 0, "the plain weights that sufc wrote", 0 },
	{ "owner", 'k', "FILE", 0, "model.owner, from the dealer", 0 },
	{ "out", 'o', "FILE", 0, "where the masked weights go", 0 },
	{ 0 }
};

static error_t parse_mask(int key, char *arg, struct argp_state *state)
{
	struct mask *m = cli_values(state);
	switch (key) {
	case 'w': m->weights = arg; break;
	case 'k': m->owner = arg; break;
	case 'o': m->out = arg; break;
	case ARGP_KEY_END:
		if (!m->weights || !m->owner || !m->out) {
			argp_error(state, "--weights, --owner and --out are all needed");
			return EINVAL;
		}
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int cli_mask_weights(struct cli *c, int argc, char **argv)
{
	struct mask m = { 0 };
	enum suf_err err = cli_parse(c, mask_option, parse_mask,
		"The model owner: masks the weights.  Both parties get the result, which tells them nothing.", argc, argv, &m);
	if (!err && !c->done)
		err = suf_mask_weights(c->prog, m.weights, m.owner, m.out, c->text);
	return cli_fail(c, err);
}

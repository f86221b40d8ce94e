/* SPDX-License-Identifier: Apache-2.0
 * dealer.c -- the dealer: key pairs into files or two pipes, and the state of
 * the weight mask.
 *
 * Files: both keys (and the client's) are settled on the disk under temporary
 * names before any of them gets its name, so that an error leaves none.  Pipes:
 * the engine flushes both at every block, so that no party waits for bytes
 * that lie in the dealer while the other party waits for it.
 */
#include "file.h"
#include "model.h"
#include "session.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NSINK = 3 }; /* party 0, party 1, client */

struct deal {
	const struct suf_program *prog;
	const struct suf_deal_config *cfg;
	struct suf_stats *stats;
	uint64_t **weight;                /* public ones */
	char *state;                      /* path, NULL: kept nowhere */
	bool state_new;                   /* not saved yet */
	struct suf_key_head model, head[NSINK];
	struct suf_sink *sink[NSINK];
	char *path[NSINK];
	struct suf_sink *masks;           /* outside client: masks of the outputs in program order */
	uint32_t *order, norder;          /* their tensors */
	uint64_t done, steps;
	char *text;
};

uint64_t suf_tensor_elems(const struct suf_tensor *t)
{
	uint64_t n = 1;
	for (uint32_t i = 0; i < t->rank; i++)
		n *= (uint64_t)t->dim[i];
	return n;
}

bool suf_receives(const struct suf_program *prog, int role) { return prog->output_to == role || prog->output_to == 2; }

uint64_t suf_peak_rss(void)
{
	struct rusage u;
	return getrusage(RUSAGE_SELF, &u) == 0 ? (uint64_t)u.ru_maxrss * 1024 : 0;
}

uint64_t suf_output_mask_bytes(const struct suf_program *prog)
{
	uint64_t bytes = 0;
	for (uint32_t k = 0; k < prog->noutput; k++)
		bytes += (suf_tensor_elems(&prog->output[k]) * prog->output[k].bits + 7) / 8;
	return bytes;
}

/* What a key of this program holds after its header. */
uint64_t suf_key_body_bytes(const struct suf_program *prog, const struct suf_cost *planned, enum suf_key_kind kind, bool outside_client)
{
	if (kind == SUF_KEY_CLIENT)
		return suf_output_mask_bytes(prog);
	if (kind == SUF_KEY_OWNER)
		return 0;
	bool moved = outside_client && suf_receives(prog, (int)kind);
	return planned->key[kind] - (moved ? suf_output_mask_bytes(prog) : 0);
}

static char *join(const char *dir, const char *name, const char *suffix)
{
	char *path = malloc(strlen(dir) + strlen(name) + strlen(suffix) + 2);
	if (path)
		sprintf(path, "%s/%s%s", dir, name, suffix);
	return path;
}

/* ---- the state of the weight mask ---------------------------------------------- */

/* No mask: the epoch is the weights'. */
static enum suf_err open_public(struct deal *d)
{
	const struct suf_deal_config *cfg = d->cfg;
	if (cfg->owner || cfg->state || cfg->new_epoch)
		return text_fail(d->text, SUF_EUSAGE, "the weights of this program are public: they have no mask, so there is no state, owner or epoch of it");
	if (cfg->dir && cfg->count == 0)
		return text_fail(d->text, SUF_EUSAGE, "no keys are wanted, and public weights have no mask to prepare: deal one pair or more");
	return public_weights_load(d->prog, cfg->weights, d->model.epoch, &d->weight, d->text);
}

static enum suf_err open_model(struct deal *d)
{
	const struct suf_deal_config *cfg = d->cfg;
	if (suf_public_weights(d->prog))
		return open_public(d);
	if (cfg->weights)
		return text_fail(d->text, SUF_EUSAGE, "%s: the weights of this program are %s: the dealer must not see them", cfg->weights,
			suf_owner_weights(d->prog) ? "party 0's" : "masked");
	if (cfg->owner)
		return model_load(&d->model, d->prog, cfg->owner, d->text);
	if (!cfg->state && !cfg->dir && d->prog->nweight > 0)
		return text_fail(d->text, SUF_EUSAGE, "dealing to pipes needs the state of the weight mask: name a file (made on first use) or a model.owner");
	d->state = cfg->state ? strdup(cfg->state) : cfg->dir ? join(cfg->dir, "model", ".state") : NULL;
	if (d->state && !cfg->new_epoch && access(d->state, F_OK) == 0)
		return model_load(&d->model, d->prog, d->state, d->text);
	d->state_new = d->state != NULL;
	return model_make(&d->model, d->prog, d->text);
}

/* The model owner's file lies beside the state. */
static enum suf_err save_model(struct deal *d)
{
	if (!d->state_new)
		return SUF_OK;
	char *copy = strdup(d->state), *owner = copy ? join(dirname(copy), "model", ".owner") : NULL;
	enum suf_err err = owner ? model_save(&d->model, d->state, d->cfg->new_epoch, d->text) : text_fail(d->text, SUF_ENOMEM, "out of memory");
	if (!err) {
		err = model_save(&d->model, owner, true, d->text);
		if (err)
			unlink(d->state);
	}
	d->state_new = err != SUF_OK;
	free(copy);
	free(owner);
	return err;
}

/* ---- one session ------------------------------------------------------------------ */

static enum suf_err make_heads(struct deal *d, const struct suf_cost *planned)
{
	struct suf_key_head *h = d->head;
	memset(h, 0, sizeof d->head);
	bool bad = prg_os_random(h[0].id, sizeof h[0].id) || prg_os_random(&h[0].session, sizeof h[0].session);
	for (int k = 0; k < NSINK; k++) {
		h[k].kind = (enum suf_key_kind)k;
		memcpy(h[k].program, d->prog->hash, 32);
		memcpy(h[k].id, h[0].id, sizeof h[0].id);
		memcpy(h[k].epoch, d->model.epoch, sizeof h[0].epoch);
		h[k].session = h[0].session;
		h[k].outside_client = d->cfg->outside_client;
		h[k].body_bytes = suf_key_body_bytes(d->prog, planned, h[k].kind, d->cfg->outside_client);
		bad |= prg_os_random(&h[k].seed, sizeof h[k].seed) != SUF_OK;
	}
	h[0].model_seed = d->model.seed;
	h[1].model_seed = d->model.model_seed;
	h[1].has_client = !d->cfg->outside_client;
	if (h[1].has_client)
		h[1].client_seed = h[2].seed;
	return bad ? text_fail(d->text, SUF_EIO, "the operating system's random generator failed") : SUF_OK;
}

static enum suf_err open_sinks(struct deal *d)
{
	char name[64];
	uint8_t raw[SUF_KEY_HEADER];
	enum suf_err err = SUF_OK;
	for (int k = 0; k < NSINK && !err; k++) {
		if (k == 2 && !d->cfg->outside_client)
			continue;
		suf_key_name(&d->head[k], name);
		if (d->cfg->dir) {
			d->path[k] = join(d->cfg->dir, name, ".key");
			err = d->path[k] ? suf_sink_file(&d->sink[k], d->path[k], d->text) : text_fail(d->text, SUF_ENOMEM, "out of memory");
		} else
			err = suf_sink_fd(&d->sink[k], d->cfg->fd[k], d->text);
		if (err)
			break;
		suf_key_head_put(raw, &d->head[k]);
		err = suf_sink_write(d->sink[k], raw, sizeof raw);
		if (!err)
			err = suf_sinks_flush(&d->sink[k], 1, 1);
		if (err)
			text_fail(d->text, err, "%s", suf_sink_error(d->sink[k]));
	}
	prg_wipe(raw, sizeof raw);
	return err;
}

static void after_step(void *arg, const struct suf_run *r, const struct suf_step *s)
{
	struct deal *d = arg;
	(void)r;
	d->done++;
	if (d->cfg->progress.report)
		d->cfg->progress.report(d->cfg->progress.arg, d->done, d->steps);
	for (uint32_t k = 0; d->order && s->op == SUF_output && k < d->prog->noutput; k++)
		if (d->prog->output[k].step == s->id && d->norder < d->prog->noutput)
			d->order[d->norder++] = k;
}

static uint64_t mask_bytes(const struct suf_tensor *t) { return (suf_tensor_elems(t) * t->bits + 7) / 8; }

/* The masks of the outputs into the client's key, by tensor: the order of steps is the scheduler's affair. */
static enum suf_err write_client(struct deal *d)
{
	enum suf_err err = SUF_OK;
	for (uint32_t k = 0; k < d->prog->noutput && !err; k++) {
		uint64_t at = 0;
		for (uint32_t i = 0; i < d->norder && d->order[i] != k; i++)
			at += mask_bytes(&d->prog->output[d->order[i]]);
		if (at + mask_bytes(&d->prog->output[k]) > suf_sink_bytes(d->masks))
			return text_fail(d->text, SUF_EPROTO, "output '%s' has no step in the program", d->prog->output[k].name);
		err = suf_sink_write(d->sink[2], suf_sink_data(d->masks) + at, mask_bytes(&d->prog->output[k]));
	}
	return err ? text_fail(d->text, err, "%s", suf_sink_error(d->sink[2])) : SUF_OK;
}

static enum suf_err run_dealer(struct deal *d, struct suf_run *r)
{
	for (int p = 0; p < 2; p++) {
		prg_stream_init(&r->seed[p], &d->head[p].seed);
		prg_stream_init(&r->model[p], &d->head[p].model_seed);
		r->sink[p] = d->sink[p];
	}
	prg_stream_init(&r->client, &d->head[2].seed);
	r->client_sink = d->masks;
	r->outside_client = d->cfg->outside_client;
	r->session = d->head[0].session;
	r->weight = (const uint64_t *const *)d->weight;
	r->trace = after_step;
	r->trace_arg = d;
	enum suf_err err = run_start(r);
	if (err)
		return text_fail(d->text, err, "%s", r->errmsg);
	if (d->masks)
		err = write_client(d);
	for (int k = 0; k < NSINK && !err; k++)
		if (d->sink[k] && suf_sink_bytes(d->sink[k]) != SUF_KEY_HEADER + d->head[k].body_bytes)
			err = text_fail(d->text, SUF_EPROTO, "a key has %llu bytes, %llu were planned", (unsigned long long)suf_sink_bytes(d->sink[k]),
				(unsigned long long)(SUF_KEY_HEADER + d->head[k].body_bytes));
	d->stats->prg_calls += r->aes_calls;
	return err;
}

/* All on the disk, then all get their names; a failure in between takes them back. */
static enum suf_err close_sinks(struct deal *d, enum suf_err err)
{
	char ignored[SUF_TEXT];
	bool files = d->cfg->dir != NULL;
	for (int k = 0; k < NSINK && !err; k++)
		if (d->sink[k] && (err = suf_sink_settle(d->sink[k])) != SUF_OK)
			text_fail(d->text, err, "%s", suf_sink_error(d->sink[k]));
	if (!err && files)
		err = save_model(d);
	for (int k = 0; k < NSINK; k++) {
		enum suf_err closing = suf_sink_close(d->sink[k], !err, err ? ignored : d->text);
		err = err ? err : closing;
		d->sink[k] = NULL;
	}
	for (int k = 0; k < NSINK; k++) {
		if (err && d->path[k])
			unlink(d->path[k]);
		free(d->path[k]);
		d->path[k] = NULL;
	}
	return err;
}

static void drop_masks(struct deal *d)
{
	char ignored[SUF_TEXT];
	enum suf_err closing = suf_sink_close(d->masks, false, ignored);
	(void)closing; /* memory cannot fail */
	d->masks = NULL;
	free(d->order);
	d->order = NULL;
}

static enum suf_err deal_one(struct deal *d)
{
	struct suf_run *r = malloc(sizeof *r);
	if (!r)
		return text_fail(d->text, SUF_ENOMEM, "out of memory");
	enum suf_err err = run_init(r, d->prog, RUN_DEAL);
	if (err)
		text_fail(d->text, err, "%s", r->errmsg);
	d->steps = (uint64_t)r->plan.steps * (d->cfg->dir ? d->cfg->count : 1);
	if (!err)
		err = make_heads(d, &r->plan.total);
	if (!err)
		err = open_sinks(d);
	if (!err && d->cfg->outside_client) {
		d->order = calloc(d->prog->noutput + 1u, sizeof *d->order);
		d->norder = 0;
		err = d->order && suf_sink_memory(&d->masks) == SUF_OK ? SUF_OK : text_fail(d->text, SUF_ENOMEM, "out of memory");
	}
	if (!err)
		err = run_dealer(d, r);
	err = close_sinks(d, err);
	drop_masks(d);
	for (int p = 0; p < 2; p++)
		d->stats->key[p] += d->head[p].body_bytes;
	run_done(r);
	prg_wipe(r, sizeof *r);
	free(r);
	prg_wipe(d->head, sizeof d->head);
	return err;
}

enum suf_err suf_deal(const struct suf_program *prog, const struct suf_deal_config *cfg, struct suf_stats *stats, char *text)
{
	struct deal d = { .prog = prog, .cfg = cfg, .stats = stats, .text = text };
	double start = run_now_ms();
	memset(stats, 0, sizeof *stats);
	stats->role = -1;
	if (!cfg->dir && (cfg->outside_client || cfg->fd[0] == cfg->fd[1]))
		return text_fail(text, SUF_EUSAGE, "dealing to pipes takes two descriptors, and no client outside of the parties");
	enum suf_err err = open_model(&d);
	uint32_t count = cfg->dir ? cfg->count : 1;
	if (!err && (!cfg->dir || count == 0))
		err = save_model(&d);
	for (uint32_t k = 0; k < count && !err; k++)
		err = deal_one(&d);
	arrays_free(d.weight, prog->weight, prog->nweight);
	prg_wipe(&d.model, sizeof d.model);
	free(d.state);
	stats->ms = run_now_ms() - start;
	stats->peak_rss = suf_peak_rss();
	return err;
}

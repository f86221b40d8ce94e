/* SPDX-License-Identifier: Apache-2.0
 * party.c -- one party: open key and weights, connect, compare, claim the key,
 * run, hand over the outputs.
 *
 * Order matters: all that can be checked alone is checked before the peer is
 * waited for; the handshake comes before the claim, so that a wrong set-up
 * costs no key; the claim comes before the first masked byte.
 */
#include "chan.h"
#include "model.h"
#include "session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 64 * SUF_BLOCK }; /* weights per message at set-up */

struct buffers { uint64_t *words; uint8_t *msg; }; /* of a message */

struct party {
	const struct suf_program *prog;
	const struct suf_party_config *cfg;
	int role;
	struct suf_key_head head, owner;
	struct suf_source *key;
	char *used_dir;
	struct suf_weights *weights;      /* masked, or plain with owner */
	uint8_t tag[16];                  /* of these weights */
	uint64_t **w_hat;                 /* made, received or (public ones) read here; else NULL */
	uint64_t **owned;                 /* party 0's own weights, where steps read them as they are; else NULL */
	const uint64_t **weight;          /* by index: into the mapped file or w_hat */
	uint64_t **input, **output;
	uint8_t input_digest[32];
	struct suf_chan *chan;
	uint64_t done, steps;
	char *text;
};

/* ---- before the peer is waited for ------------------------------------------------- */

/* Both parties read the same file as the dealer did. */
static enum suf_err open_public(struct party *p)
{
	uint8_t epoch[16];
	char a[33], b[33];
	if (p->cfg->owner)
		return text_fail(p->text, SUF_EUSAGE, "%s: the weights of this program are public: they have no mask and no owner's file", p->cfg->owner);
	enum suf_err err = public_weights_load(p->prog, p->cfg->weights, epoch, &p->w_hat, p->text);
	if (err || memcmp(epoch, p->head.epoch, sizeof epoch) == 0)
		return err;
	suf_hex(epoch, 16, a);
	suf_hex(p->head.epoch, 16, b);
	return text_fail(p->text, SUF_EPROTO, "%.80s: other weights than the key was dealt for: their SHA-256 begins with %s, the key wants %s", p->cfg->weights, a, b);
}

static enum suf_err open_weights(struct party *p)
{
	const struct suf_party_config *cfg = p->cfg;
	if (suf_public_weights(p->prog))
		return open_public(p);
	if (p->prog->nweight == 0)
		return SUF_OK;
	if (!cfg->weights)
		return p->role == 1 ? SUF_OK : text_fail(p->text, SUF_EUSAGE, "party 0 needs the weights: %splain ones with --owner",
			suf_owner_weights(p->prog) ? "" : "masked ones, or ");
	enum suf_err err = suf_weights_open(&p->weights, cfg->weights, p->text);
	if (!err)
		err = suf_weights_fit(p->weights, p->prog, p->text);
	if (err)
		return err;
	bool plain = suf_weights_kind(p->weights) == SUF_WEIGHTS_PLAIN;
	if (!plain && p->role == 0 && suf_owner_weights(p->prog))
		return text_fail(p->text, SUF_EUSAGE, "%s: masked weights; party 0 owns the weights of this program and computes with them: give the plain ones, with --owner", cfg->weights);
	if (plain && p->role == 1)
		return text_fail(p->text, SUF_EUSAGE, "%s: plain weights; party 1 must not see them: use masked weights (mask-weights)", cfg->weights);
	if (plain && !cfg->owner)
		return text_fail(p->text, SUF_EUSAGE, "%s: plain weights; %sadd the owner's file (--owner model.owner)", cfg->weights,
			suf_owner_weights(p->prog) ? "" : "mask them with mask-weights, or ");
	if (plain && (err = model_load(&p->owner, p->prog, cfg->owner, p->text)) != SUF_OK)
		return err;
	const uint8_t *epoch = plain ? p->owner.epoch : suf_weights_epoch(p->weights);
	if (memcmp(epoch, p->head.epoch, sizeof p->head.epoch) != 0) {
		char a[33], b[33];
		suf_hex(epoch, 16, a);
		suf_hex(p->head.epoch, 16, b);
		return text_fail(p->text, SUF_EPROTO, "%s: the weight mask is of epoch %s, the key wants %s: mask the weights with the dealer's current model.owner",
			plain ? cfg->owner : cfg->weights, a, b);
	}
	if (plain)
		return model_bind(&p->owner, cfg->owner, p->weights, p->tag, p->text);
	memcpy(p->tag, suf_weights_tag(p->weights), sizeof p->tag);
	return SUF_OK;
}

static enum suf_err open_input(struct party *p, const void *const *input)
{
	const struct suf_program *prog = p->prog;
	p->input = arrays_new(prog->input, prog->ninput);
	p->output = arrays_new(prog->output, prog->noutput);
	if (!p->input || !p->output)
		return text_fail(p->text, SUF_ENOMEM, "no memory for inputs and outputs");
	if (p->head.outside_client) {
		if (!p->cfg->masked_input)
			return text_fail(p->text, SUF_EUSAGE, "this key is for a client outside of the parties: give its masked input (share-input) to both");
		return masked_load(p->cfg->masked_input, MASKED_INPUT, prog, p->head.id, p->input, p->input_digest, p->text);
	}
	if (p->cfg->masked_input || p->cfg->masked_output)
		return text_fail(p->text, SUF_EUSAGE, "masked inputs and outputs need a key made with --outside-client");
	for (uint32_t k = 0; k < prog->ninput && p->role == 1; k++) {
		if (!input || !input[k])
			return text_fail(p->text, SUF_EUSAGE, "no value for the input '%s'", prog->input[k].name);
		enum suf_err err = quantise(&prog->input[k], input[k], p->input[k], p->text);
		if (err)
			return err;
	}
	return SUF_OK;
}

static enum suf_err prepare(struct party *p, const void *const *input)
{
	const struct suf_party_config *cfg = p->cfg;
	enum suf_err err = key_open(&p->key, &p->head, p->prog, cfg->key, cfg->key_fd, p->role ? SUF_KEY_P1 : SUF_KEY_P0, p->text);
	if (err)
		return err;
	p->used_dir = cfg->used_dir ? strdup(cfg->used_dir) : key_folder(cfg->key);
	if (!p->used_dir)
		return text_fail(p->text, SUF_ENOMEM, "out of memory");
	err = suf_key_unused(p->used_dir, &p->head, p->text);
	if (!err)
		err = open_input(p, input);
	if (!err)
		err = open_weights(p);
	return err;
}

/* ---- set-up with the peer ------------------------------------------------------------- */

static bool sends_weights(const struct party *p) { return p->weights && suf_weights_kind(p->weights) == SUF_WEIGHTS_PLAIN; }

static enum suf_err meet(struct party *p, struct hello *theirs)
{
	struct hello mine = { .role = (uint32_t)p->role };
	mine.flags = (sends_weights(p) ? HELLO_SENDS_WEIGHTS : 0) | (p->weights || p->w_hat || p->prog->nweight == 0 ? HELLO_HAS_WEIGHTS : 0) |
		(p->head.has_client ? HELLO_HAS_CLIENT : 0) | (p->head.outside_client ? HELLO_OUTSIDE_CLIENT : 0);
	memcpy(mine.program, p->prog->hash, 32);
	memcpy(mine.id, p->head.id, 16);
	memcpy(mine.epoch, p->head.epoch, 16);
	memcpy(mine.input, p->input_digest, 32);
	memcpy(mine.weights, p->tag, sizeof p->tag);
	return handshake(p->chan, &mine, theirs, p->text);
}

/* W_hat of one tensor to the peer, packed, while it is made; `hat`: NULL, or where it is kept. */
static enum suf_err send_tensor(struct party *p, const struct model_masker *m, uint32_t k, uint64_t *hat, struct buffers *b)
{
	const struct suf_weights_tensor *t = suf_weights_tensor(p->weights, k);
	enum suf_err err = SUF_OK;
	for (uint64_t at = 0; at < t->count && !err; at += PIECE) {
		size_t n = t->count - at < PIECE ? (size_t)(t->count - at) : PIECE;
		uint64_t *words = hat ? hat + at : b->words;
		model_mask(m, p->weights, k, at, n, words);
		pack_bits(m->isa, b->msg, words, n, t->bits);
		err = suf_chan_exchange(p->chan, b->msg, (n * t->bits + 7) / 8, NULL, 0);
	}
	return err;
}

static enum suf_err receive_tensor(struct party *p, uint32_t k, uint8_t *msg)
{
	const struct suf_tensor *t = &p->prog->weight[k];
	uint64_t count = suf_tensor_elems(t);
	const enum suf_isa isa = suf_cpu_best();
	enum suf_err err = SUF_OK;
	for (uint64_t at = 0; at < count && !err; at += PIECE) {
		size_t n = count - at < PIECE ? (size_t)(count - at) : PIECE;
		err = suf_chan_exchange(p->chan, NULL, 0, msg, (n * t->bits + 7) / 8);
		if (!err)
			unpack_bits(isa, p->w_hat[k] + at, msg, n, t->bits);
	}
	return err;
}

/* Party 0 owns the weights: it keeps those that steps read as they are, and masked those that steps read masked. */
static enum suf_err own_tensor(struct party *p, const struct model_masker *m, uint32_t k, unsigned read)
{
	const size_t n = (size_t)suf_weights_tensor(p->weights, k)->count;
	if (read & PLAN_OWNED)
		p->owned[k] = malloc((n + 1) * sizeof **p->owned);
	if (read & PLAN_MASKED)
		p->w_hat[k] = malloc((n + 1) * sizeof **p->w_hat);
	if ((read & PLAN_OWNED && !p->owned[k]) || (read & PLAN_MASKED && !p->w_hat[k]))
		return text_fail(p->text, SUF_ENOMEM, "no memory for the weights");
	if (read & PLAN_OWNED)
		suf_weights_get(p->weights, k, 0, n, p->owned[k]);
	if (read & PLAN_MASKED)
		model_mask(m, p->weights, k, 0, n, p->w_hat[k]);
	return SUF_OK;
}

static enum suf_err each_tensor(struct party *p, bool sent, const uint8_t *read, struct buffers *b)
{
	const bool owner = p->role == 0 && suf_owner_weights(p->prog);
	struct model_masker m;
	enum suf_err err = SUF_OK;
	if (sends_weights(p))
		model_masker_init(&m, &p->owner);
	for (uint32_t k = 0; k < p->prog->nweight && !err; k++) {
		if (sent && (err = p->role == 0 ? send_tensor(p, &m, k, owner ? NULL : p->w_hat[k], b) : receive_tensor(p, k, b->msg)) != SUF_OK)
			text_fail(p->text, err, "masked weights: %s", suf_chan_error(p->chan));
		if (!err && owner)
			err = own_tensor(p, &m, k, read[k]);
		p->weight[k] = p->w_hat ? p->w_hat[k] : suf_weights_tensor(p->weights, k)->data;
	}
	prg_wipe(&m, sizeof m);
	return err;
}

/* Are the masked weights sent now?  Party 0 sends them even when party 1 has a file, unless it owns them and so has no use for them itself. */
static bool weights_travel(const struct party *p, const struct hello *theirs)
{
	const bool sends = p->role == 0 ? sends_weights(p) : theirs->flags & HELLO_SENDS_WEIGHTS;
	const bool has = p->role == 1 ? p->weights != NULL : theirs->flags & HELLO_HAS_WEIGHTS;
	return sends && !suf_public_weights(p->prog) && !(has && suf_owner_weights(p->prog));
}

static enum suf_err exchange_weights(struct party *p, bool sent)
{
	const uint32_t n = p->prog->nweight;
	const bool owner = p->role == 0 && suf_owner_weights(p->prog);
	struct buffers b = { NULL, NULL };
	uint8_t *read = calloc(n + 1u, 1);
	p->weight = calloc(n + 1u, sizeof *p->weight);
	if (owner) {
		p->owned = calloc(n + 1u, sizeof *p->owned);
		p->w_hat = calloc(n + 1u, sizeof *p->w_hat);
	} else if (sent)
		p->w_hat = arrays_new(p->prog->weight, n);
	if (sent) {
		b.words = malloc(PIECE * sizeof *b.words);
		b.msg = malloc(PIECE * 8);
	}
	enum suf_err err = owner && read ? suf_plan_reads(p->prog, read) : SUF_OK;
	if (err)
		text_fail(p->text, err, "the steps of the program cannot be read");
	else if (!read || !p->weight || ((owner || sent) && !p->w_hat) || (owner && !p->owned) || (sent && (!b.words || !b.msg)))
		err = text_fail(p->text, SUF_ENOMEM, "no memory for the weights");
	else
		err = each_tensor(p, sent, read, &b);
	free(b.words);
	free(b.msg);
	free(read);
	return err;
}

/* ---- the run ---------------------------------------------------------------------------- */

static void after_step(void *arg, const struct suf_run *r, const struct suf_step *s)
{
	struct party *p = arg;
	(void)r;
	(void)s;
	p->done++;
	p->cfg->progress.report(p->cfg->progress.arg, p->done, p->steps);
}

static void fill_run(struct party *p, struct suf_run *r)
{
	r->party = p->role;
	prg_stream_init(&r->seed[p->role], &p->head.seed);
	prg_stream_init(&r->model[p->role], &p->head.model_seed);
	r->has_client = p->head.has_client;
	if (r->has_client)
		prg_stream_init(&r->client, &p->head.client_seed);
	r->session = p->head.session;
	r->key = p->key;
	r->chan = p->chan;
	r->weight = p->weight;
	r->owned = (const uint64_t *const *)p->owned;
	r->input = (const uint64_t *const *)p->input;
	r->output = p->output;
	r->input_masked = r->outside_client = p->head.outside_client;
	p->steps = r->plan.steps;
	if (p->cfg->progress.report) {
		r->trace = after_step;
		r->trace_arg = p;
	}
}

static void collect(struct party *p, const struct suf_run *r, struct suf_stats *st)
{
	st->rounds = r->rounds;
	st->prg_calls = r->aes_calls;
	st->key[p->role] = suf_source_bytes(p->key) - SUF_KEY_HEADER;
	st->nclass = r->nklass;
	for (uint32_t k = 0; k < r->nklass; k++)
		st->klass[k] = (struct suf_class_stats){ r->klass[k].name, r->klass[k].ms, r->klass[k].sent, r->klass[k].received, r->klass[k].rounds };
	st->offline_ms = r->offline_ms;
	st->ms -= r->offline_ms;
	*(p->role == 1 ? &st->offline_sent : &st->offline_received) = r->ahead_sent;
	st->sent = suf_chan_sent(p->chan) - st->setup_sent - st->offline_sent;
	st->received = suf_chan_received(p->chan) - st->setup_received - st->offline_received;
}

static enum suf_err run_online(struct party *p, struct suf_stats *st)
{
	struct suf_run *r = malloc(sizeof *r);
	if (!r)
		return text_fail(p->text, SUF_ENOMEM, "out of memory");
	st->setup_sent = suf_chan_sent(p->chan);
	st->setup_received = suf_chan_received(p->chan);
	double start = run_now_ms(), waited = suf_chan_wait_ms(p->chan);
	enum suf_err err = run_init(r, p->prog, RUN_PARTY);
	if (!err) {
		fill_run(p, r);
		err = run_start(r);
	}
	if (err)
		text_fail(p->text, err, "%s", r->errmsg);
	else if (suf_source_bytes(p->key) != SUF_KEY_HEADER + p->head.body_bytes)
		err = text_fail(p->text, SUF_EPROTO, "%llu bytes of the key were used, it has %llu", (unsigned long long)(suf_source_bytes(p->key) - SUF_KEY_HEADER),
			(unsigned long long)p->head.body_bytes);
	st->ms = run_now_ms() - start;
	st->comm_ms = suf_chan_wait_ms(p->chan) - waited - r->offline_wait_ms;
	collect(p, r, st);
	run_done(r);
	prg_wipe(r, sizeof *r);
	free(r);
	return err;
}

static enum suf_err hand_over(struct party *p, void *const *output)
{
	const struct suf_program *prog = p->prog;
	if (p->head.outside_client)
		return p->cfg->masked_output ? masked_save(p->cfg->masked_output, MASKED_OUTPUT, prog, p->head.id, p->output, p->text) : SUF_OK;
	for (uint32_t k = 0; k < prog->noutput && output && suf_receives(prog, p->role); k++)
		if (output[k])
			dequantise(&prog->output[k], p->output[k], output[k]);
	return SUF_OK;
}

static void party_free(struct party *p)
{
	suf_source_close(p->key);
	suf_chan_close(p->chan);
	suf_weights_close(p->weights);
	arrays_free(p->w_hat, p->prog->weight, p->prog->nweight);
	arrays_free(p->owned, p->prog->weight, p->prog->nweight);
	arrays_free(p->input, p->prog->input, p->prog->ninput);
	arrays_free(p->output, p->prog->output, p->prog->noutput);
	free(p->weight);
	free(p->used_dir);
	prg_wipe(p, sizeof *p);
}

enum suf_err suf_party_run(const struct suf_program *prog, const struct suf_party_config *cfg, const void *const *input, void *const *output,
	struct suf_stats *stats, char *text)
{
	struct party p = { .prog = prog, .cfg = cfg, .role = cfg->role, .text = text };
	struct hello theirs = { 0 };
	memset(stats, 0, sizeof *stats);
	stats->role = cfg->role;
	if (cfg->role != 0 && cfg->role != 1)
		return text_fail(text, SUF_EUSAGE, "the role of a party is 0 or 1");
	enum suf_err err = prepare(&p, input);
	if (!err)
		err = suf_chan_open(&p.chan, &cfg->link, text);
	if (!err)
		err = meet(&p, &theirs);
	if (!err)
		err = suf_key_claim(p.used_dir, &p.head, text);
	if (!err)
		err = exchange_weights(&p, weights_travel(&p, &theirs));
	if (!err)
		err = run_online(&p, stats);
	if (!err)
		err = hand_over(&p, output);
	party_free(&p);
	stats->peak_rss = suf_peak_rss();
	return err;
}

/* SPDX-License-Identifier: Apache-2.0
 * step_harness.c -- see step_harness.h. */
#include "step_harness.h"
#include <pthread.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

uint64_t
harness_random(void)
{
	uint64_t v;
	if (prg_os_random(&v, sizeof v))
		fail_msg("no randomness");
	return v;
}

uint64_t *
harness_ring(uint64_t count, unsigned bits)
{
	uint64_t *v = malloc(count * 8);
	assert_non_null(v);
	for (uint64_t i = 0; i < count; i++)
		v[i] = harness_random() & ring_mask(bits);
	return v;
}

int64_t
harness_signed(uint64_t v, unsigned bits)
{
	v &= ring_mask(bits);
	return bits < 64 && v >> (bits - 1) ? (int64_t)(v | ~ring_mask(bits)) : (int64_t)v;
}

static enum suf_err
body(struct suf_run *r)
{
	const struct harness *h = (const struct harness *)r->prog;
	for (uint32_t i = 0; i < h->nitem; i++) {
		enum suf_err e = suf_step(r, &h->item[i].s);
		if (!e && h->item[i].round_after)
			e = suf_round(r);
		if (e)
			return e;
	}
	return SUF_OK;
}

void
harness_init(struct harness *h)
{
	memset(h, 0, sizeof *h);
	h->prog.name = "harness";
	h->prog.gates = "test";
	h->prog.weights = "masked";
	h->prog.output_to = 2;
	h->prog.body = body;
	h->prog.input = h->input;
	h->prog.output = h->output;
	h->prog.weight = h->weight;
	h->next_id = 1;
}

void
harness_free(struct harness *h)
{
	for (int k = 0; k < 8; k++) {
		free(h->in_data[k]);
		free(h->out_sim[k]);
		free(h->out_party[0][k]);
		free(h->out_party[1][k]);
		free(h->weight_data[k]);
		free(h->weight_hat[k]);
	}
	for (int p = 0; p < 2; p++) {
		free(h->ahead[p]);
		free(h->wire[p]);
	}
	free(h->item);
}

static uint64_t *
copy(const uint64_t *from, uint64_t count)
{
	uint64_t *p = calloc(count ? count : 1, 8);
	assert_non_null(p);
	if (from)
		memcpy(p, from, count * 8);
	return p;
}

struct suf_ref
harness_wire(struct harness *h, uint64_t count)
{
	struct suf_ref r = { SUF_WIRE, h->wires };
	h->wires += count;
	return r;
}

uint32_t
harness_step(struct harness *h, struct suf_step s)
{
	if (h->nitem == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 16;
		h->item = realloc(h->item, h->cap * sizeof *h->item);
		assert_non_null(h->item);
	}
	s.id = h->next_id++;
	if (!s.klass)
		s.klass = "other";
	h->item[h->nitem++] = (struct item){ s, false };
	return s.id;
}

void
harness_round(struct harness *h)
{
	h->item[h->nitem - 1].round_after = true;
}

struct suf_ref
harness_input(struct harness *h, uint64_t count, unsigned bits, const uint64_t *x)
{
	uint32_t k = h->prog.ninput++;
	struct suf_ref r = harness_wire(h, count);
	h->in_data[k] = copy(x, count);
	h->in_count[k] = count;
	h->input[k] = (struct suf_tensor){ .name = "in", .rank = 1, .dim = { (int64_t)count }, .bits = (uint8_t)bits };
	h->input[k].step = harness_step(h, (struct suf_step){ .op = SUF_input, .count = count, .m = (uint8_t)bits, .out = { r } });
	return r;
}

struct suf_ref
harness_weight(struct harness *h, uint64_t count, unsigned bits, const uint64_t *w)
{
	uint32_t k = h->prog.nweight++;
	h->weight_data[k] = copy(w, count);
	h->weight_hat[k] = copy(NULL, count);
	h->weight_count[k] = count;
	h->weight[k] = (struct suf_tensor){ .name = "w", .rank = 1, .dim = { (int64_t)count }, .bits = (uint8_t)bits };
	return (struct suf_ref){ SUF_WEIGHT, k };
}

struct suf_ref
harness_public(struct harness *h, uint64_t count, unsigned bits, const uint64_t *w)
{
	const struct suf_ref r = { SUF_PUBLIC, harness_weight(h, count, bits, w).at };
	h->weight_dealt[r.at] = h->weight_data[r.at];
	return r;
}

struct suf_ref
harness_open(struct harness *h, struct suf_ref at, uint64_t count, unsigned n)
{
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = (uint8_t)n, .m = (uint8_t)n, .in = { at }, .out = { at } });
	return at;
}

int
harness_output(struct harness *h, struct suf_ref at, uint64_t count, unsigned bits)
{
	uint32_t k = h->prog.noutput++;
	h->out_sim[k] = copy(NULL, count);
	h->out_party[0][k] = copy(NULL, count);
	h->out_party[1][k] = copy(NULL, count);
	h->out_count[k] = count;
	h->output[k] = (struct suf_tensor){ .name = "out", .rank = 1, .dim = { (int64_t)count }, .bits = (uint8_t)bits };
	h->output[k].step = harness_step(h, (struct suf_step){ .op = SUF_output, .count = count, .n = (uint8_t)bits, .in = { at } });
	return (int)k;
}

static void
new_seeds(struct harness *h)
{
	assert_int_equal(prg_os_random(h->seed, sizeof h->seed), SUF_OK);
	assert_int_equal(prg_os_random(h->model, sizeof h->model), SUF_OK);
	assert_int_equal(prg_os_random(&h->client, sizeof h->client), SUF_OK);
	h->session = harness_random();
}

static void
give_seeds(const struct harness *h, struct suf_run *r)
{
	for (int p = 0; p < 2; p++)
		if (r->mode != RUN_PARTY || r->party == p) {
			prg_stream_init(&r->seed[p], &h->seed[p]);
			prg_stream_init(&r->model[p], &h->model[p]);
		}
	prg_stream_init(&r->client, &h->client);
	r->session = h->session;
}

/* W_hat = W + r_W, as the model owner makes it. */
static void
mask_weights(struct harness *h)
{
	struct prg_stream_key key;
	for (uint32_t k = 0; k < h->prog.nweight; k++) {
		memcpy(h->weight_hat[k], h->weight_data[k], h->weight_count[k] * 8);
		if (h->weight_dealt[k])
			continue;
		uint64_t *pad = copy(NULL, h->weight_count[k]);
		for (int p = 0; p < 2; p++) {
			prg_stream_init(&key, &h->model[p]);
			prg_stream(suf_cpu_best(), &key, k + 1, 0, 0, h->weight_count[k], h->weight[k].bits, pad);
			for (uint64_t i = 0; i < h->weight_count[k]; i++)
				h->weight_hat[k][i] = (h->weight_hat[k][i] + pad[i]) & ring_mask(h->weight[k].bits);
		}
		free(pad);
	}
}

struct party_arg { struct harness *h; int party; struct suf_chan *chan; struct suf_sink *key; enum suf_err err; char text[256]; };

static void
keep_end(struct harness *h, const struct suf_run *r)
{
	free(h->ahead[r->party]);
	free(h->wire[r->party]);
	h->ahead[r->party] = malloc(h->offline + 1);
	h->wire[r->party] = malloc((h->wires + 1) * 8);
	if (!h->ahead[r->party] || !h->wire[r->party])
		abort();
	if (r->ahead)
		memcpy(h->ahead[r->party], r->ahead, h->offline);
	memcpy(h->wire[r->party], r->wire, h->wires * 8);
}

static void *
party_thread(void *p)
{
	struct party_arg *a = p;
	struct suf_run *r = malloc(sizeof *r);
	a->err = run_init(r, &a->h->prog, RUN_PARTY);
	r->party = a->party;
	give_seeds(a->h, r);
	r->has_client = a->party == 1;
	r->chan = a->chan;
	if (!a->err)
		a->err = suf_source_memory(&r->key, suf_sink_data(a->key), suf_sink_bytes(a->key));
	r->input = (const uint64_t *const *)a->h->in_data;
	r->weight = (const uint64_t *const *)a->h->weight_hat;
	r->owned = a->party == 0 ? (const uint64_t *const *)a->h->weight_data : NULL;
	r->output = a->h->out_party[a->party];
	if (!a->err)
		a->err = run_start(r);
	snprintf(a->text, sizeof a->text, "%s", r->errmsg);
	a->h->sent[a->party] = suf_chan_sent(a->chan);
	a->h->prg[SUF_P0 + a->party] = r->aes_calls;
	if (!a->err)
		keep_end(a->h, r);
	if (a->party == 0)
		a->h->rounds = r->rounds;
	suf_source_close(r->key);
	run_done(r);
	free(r);
	return NULL;
}

static void
run_sim(struct harness *h)
{
	struct suf_run *r = malloc(sizeof *r);
	assert_int_equal(run_init(r, &h->prog, RUN_SIM), SUF_OK);
	give_seeds(h, r);
	r->input = (const uint64_t *const *)h->in_data;
	r->weight = (const uint64_t *const *)h->weight_data;
	r->output = h->out_sim;
	if (run_start(r))
		fail_msg("simulator: %s", r->errmsg);
	run_done(r);
	free(r);
}

static void
run_protocol(struct harness *h)
{
	struct suf_run *d = malloc(sizeof *d);
	struct suf_chan *pair[2];
	struct party_arg arg[2];
	pthread_t thread[2];
	assert_int_equal(run_init(d, &h->prog, RUN_DEAL), SUF_OK);
	give_seeds(h, d);
	d->weight = h->weight_dealt;
	for (int p = 0; p < 2; p++)
		assert_int_equal(suf_sink_memory(&d->sink[p]), SUF_OK);
	if (run_start(d))
		fail_msg("dealer: %s", d->errmsg);
	assert_int_equal(suf_chan_pair(pair), SUF_OK);
	for (int p = 0; p < 2; p++) {
		assert_int_equal(suf_sinks_flush(&d->sink[p], 1, 1), SUF_OK);
		h->key[p] = suf_sink_bytes(d->sink[p]);
		arg[p] = (struct party_arg){ .h = h, .party = p, .chan = pair[p], .key = d->sink[p] };
		assert_int_equal(pthread_create(&thread[p], NULL, party_thread, &arg[p]), 0);
	}
	for (int p = 0; p < 2; p++)
		pthread_join(thread[p], NULL);
	for (int p = 0; p < 2; p++) {
		suf_chan_close(pair[p]);
		if (suf_sink_finish(d->sink[p], true) || arg[p].err)
			fail_msg("party %d: %s", p, arg[p].text);
	}
	h->prg[SUF_DEALER] = d->aes_calls;
	run_done(d);
	free(d);
}

void
harness_run(struct harness *h)
{
	struct suf_plan plan;
	char err[256];
	h->prog.wire_elems = h->wires;
	if (!h->same_seeds)
		new_seeds(h);
	mask_weights(h);
	assert_int_equal(suf_plan(&h->prog, &plan, err), SUF_OK);
	h->offline = plan.total.offline;
	run_sim(h);
	run_protocol(h);
	for (uint32_t k = 0; k < h->prog.noutput; k++)
		for (int p = 0; p < 2; p++)
			for (uint64_t i = 0; i < h->out_count[k]; i++)
				if (h->out_party[p][k][i] != h->out_sim[k][i])
					fail_msg("output %u element %llu: party %d has %llx, the simulator %llx", k, (unsigned long long)i, p,
					         (unsigned long long)h->out_party[p][k][i], (unsigned long long)h->out_sim[k][i]);
	for (int p = 0; p < 2; p++) {
		assert_int_equal(h->key[p], plan.total.key[p]);
		assert_int_equal(h->sent[p], plan.total.sent[p] + (p == 1 ? plan.total.offline : 0));
	}
	for (int r = 0; r < SUF_NROLE; r++)
		assert_int_equal(h->prg[r], plan.total.prg[r]);
	assert_int_equal(h->rounds, plan.rounds);
}

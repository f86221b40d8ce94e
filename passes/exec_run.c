/* SPDX-License-Identifier: Apache-2.0
 * exec_run.c -- dealer and both parties in one process: three threads, keys
 * through pipes, messages through a socket pair.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "passes/exec_priv.h"

enum { DEALER = 2 };

struct actor {                           /* one thread */
	struct suf_run run;
	struct suf_sink *sink[2];        /* dealer */
	int fd[2];                       /* dealer: the pipes' write ends; party: [0] the read end */
	struct suf_source *source;
	double ms;
	uint64_t key[2];
	enum suf_err err;
};

/* The ends are closed here whatever happens, so that nobody waits for ever. */
static void *deal(void *arg)
{
	struct actor *a = arg;
	double t0 = run_now_ms();
	a->err = run_start(&a->run);
	for (int p = 0; p < 2; p++) {
		a->key[p] = suf_sink_bytes(a->sink[p]);
		enum suf_err err = suf_sink_finish(a->sink[p], a->err == SUF_OK);
		if (err && !a->err)
			a->err = run_fail(&a->run, err, "the key of party %d was not taken", p);
		close(a->fd[p]);
	}
	a->ms = run_now_ms() - t0;
	return NULL;
}

static void *act(void *arg)
{
	struct actor *a = arg;
	double t0 = run_now_ms();
	a->err = run_start(&a->run);
	a->ms = run_now_ms() - t0;
	suf_source_close(a->source);
	close(a->fd[0]);
	if (a->err) {                    /* the peer must not wait for a message */
		suf_chan_close(a->run.chan);
		a->run.chan = NULL;
	}
	return NULL;
}

/* W + r_W for every weight; r_W = 0 where everybody knows it. */
static uint64_t **mask_weights(struct exec *e, const struct exec_seeds *s)
{
	struct suf_run *r = calloc(1, sizeof *r);
	uint64_t **hat = calloc(e->prog.nweight + 1, sizeof *hat);
	if (!r || !hat || run_init(r, &e->prog, RUN_DEAL))
		BUG("no memory for masked weights");
	exec_set_seeds(r, s, 0, 1);
	for (uint32_t k = 0; k < e->prog.nweight; k++) {
		const struct suf_tensor *t = &e->weight[k];
		size_t n = (size_t)exec_wire_count(t);
		hat[k] = malloc((n + 1) * sizeof *hat[k]);
		if (!hat[k])
			BUG("no memory for %zu masked weights", n);
		run_weight_mask(r, (struct suf_ref){ suf_public_weights(&e->prog) ? SUF_PUBLIC : SUF_WEIGHT, k }, 0, n, t->bits, hat[k]);
		for (size_t i = 0; i < n; i++)
			hat[k][i] = (hat[k][i] + e->value[k][i]) & ring_mask(t->bits);
	}
	run_done(r);
	free(r);
	return hat;
}

static enum suf_err prepare(struct exec *e, const struct exec_seeds *s, struct actor a[3], struct suf_chan *pair[2])
{
	for (int k = 0; k < 3; k++) {
		enum suf_err err = run_init(&a[k].run, &e->prog, k == DEALER ? RUN_DEAL : RUN_PARTY);
		if (err)
			return err;
		a[k].run.party = k == DEALER ? 0 : k;
		exec_set_seeds(&a[k].run, s, k == DEALER ? 0 : k, k == DEALER ? 1 : k);
		if (k != 0)
			prg_stream_init(&a[k].run.client, &s->client);
		a[k].run.has_client = k == 1;
	}
	for (int p = 0; p < 2; p++) {
		int fd[2];
		char text[256];
		if (pipe(fd))
			return SUF_EIO;
		a[p].fd[0] = fd[0];
		a[DEALER].fd[p] = fd[1];
		if (suf_source_fd(&a[p].source, fd[0], text) || suf_sink_fd(&a[DEALER].sink[p], fd[1], text))
			return SUF_EIO;
		a[p].run.key = a[p].source;
		a[DEALER].run.sink[p] = a[DEALER].sink[p];
	}
	if (suf_chan_pair(pair))
		return SUF_EIO;
	a[0].run.chan = pair[0];
	a[1].run.chan = pair[1];
	return SUF_OK;
}

static void collect(struct actor a[3], struct exec_parties *got)
{
	got->dealer_ms = a[DEALER].ms;
	got->party_ms = a[0].ms > a[1].ms ? a[0].ms : a[1].ms;
	got->rounds = a[0].run.rounds;
	for (int p = 0; p < 2; p++) {
		got->key[p] = a[DEALER].key[p];
		got->sent[p] = a[p].run.chan ? suf_chan_sent(a[p].run.chan) - (p == 1 ? a[p].run.plan.total.offline : 0) : 0;
	}
	for (int k = 0; k < 3; k++)
		got->aes[k] = a[k].run.aes_calls;
}

static enum suf_err join(struct exec *e, struct actor a[3], uint64_t **hat, uint64_t *const *in, uint64_t *const *out)
{
	pthread_t thread[3];
	int started = 0;
	if (suf_public_weights(&e->prog))
		a[DEALER].run.weight = (const uint64_t *const *)e->value;
	for (int p = 0; p < 2; p++) {
		a[p].run.weight = (const uint64_t *const *)hat;
		a[p].run.owned = p == 0 && suf_owner_weights(&e->prog) ? (const uint64_t *const *)e->value : NULL;
		a[p].run.input = p == 1 ? (const uint64_t *const *)in : NULL;
		a[p].run.output = e->prog.output_to == p || (e->prog.output_to == 2 && p == 1) ? out : NULL;
	}
	while (started < 3 && !pthread_create(&thread[started], NULL, started == DEALER ? deal : act, &a[started]))
		started++;
	if (started < 3)
		BUG("no thread for %s", started == DEALER ? "the dealer" : "a party");
	for (int k = 0; k < 3; k++)
		pthread_join(thread[k], NULL);
	return a[DEALER].err ? a[DEALER].err : a[0].err ? a[0].err : a[1].err;
}

enum suf_err exec_run(struct exec *e, const struct exec_seeds *s, uint64_t *const *in, uint64_t *const *out,
                      exec_trace *const trace[3], void *const arg[3], struct exec_parties *got, char *text)
{
	struct actor *a = calloc(3, sizeof *a);
	struct suf_chan *pair[2] = { NULL, NULL };
	if (!a)
		return SUF_ENOMEM;
	signal(SIGPIPE, SIG_IGN);        /* a party that stops early is an error text of the dealer, not a signal */
	uint64_t **hat = mask_weights(e, s);
	for (int k = 0; k < 3; k++)
		a[k].err = SUF_OK;
	enum suf_err err = prepare(e, s, a, pair);
	for (int k = 0; k < 3; k++) {
		a[k].run.trace = trace ? trace[k] : NULL;
		a[k].run.trace_arg = arg ? arg[k] : NULL;
	}
	snprintf(text, 256, "the run of dealer and parties could not be set up");
	if (!err) {
		err = join(e, a, hat, in, out);
		collect(a, got);
	}
	for (int k = 0; k < 3; k++) {
		if (a[k].err == err && err && a[k].run.errmsg[0])
			snprintf(text, 256, "%s: %.200s", k == DEALER ? "dealer" : k ? "party 1" : "party 0", a[k].run.errmsg);
		run_done(&a[k].run);
	}
	for (int p = 0; p < 2; p++)
		suf_chan_close(a[p].run.chan);
	for (uint32_t k = 0; k < e->prog.nweight; k++)
		free(hat[k]);
	free(hat);
	free(a);
	return err;
}

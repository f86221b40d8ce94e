/* SPDX-License-Identifier: Apache-2.0
 * machine_links.c -- how fast bytes move on this machine: messages between two
 * parties over loopback, plain and with TLS, and keys through pipes and files.
 * The certificate for TLS is made here, signs itself and is gone afterwards.
 */
#define _GNU_SOURCE /* F_GETPIPE_SZ */
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "passes/machine.h"

enum { PINGS = 201, PING = 16, SHORT_NS = 30000, LONG_NS = 500000, BULKS = 9, BULK = 1 << 19, KEY_PIECE = 6400, KEY_BYTES = 32 << 20, FILES = 3, PATH = 512, FIRST_PORT = 21000, PORTS = 30000, TRIES = 20 };

/* ---- two parties over loopback ------------------------------------------------------------ */

struct end {                             /* one thread */
	struct suf_chan_config cfg;
	double ping[2][PINGS], bulk[BULKS]; /* ping: after short and long waiting */
	enum suf_err err;
	char text[SUF_TEXT];
};

/* Computes for a while. */
static void be_late(int ns)
{
	double until = machine_wall_ns() + ns;
	while (machine_wall_ns() < until)
		continue;
}

/* In a run one party nearly always waits for the other, asleep: so the ends take turns in being late, and what two rounds take
 * beyond that is two rounds' cost with waking up. */
static enum suf_err take_turns(struct suf_chan *c, struct end *e, int late_ns, double *ping)
{
	uint8_t out[PING] = { 1 }, in[PING];
	enum suf_err err = suf_chan_exchange(c, out, PING, in, PING);
	for (int k = 0; k < PINGS && !err; k++) {
		double start = machine_wall_ns();
		for (int turn = 0; turn < 2 && !err; turn++) {
			if ((turn == 0) == (e->cfg.listen != NULL))
				be_late(late_ns);
			err = suf_chan_exchange(c, out, PING, in, PING);
		}
		ping[k] = (machine_wall_ns() - start) / 2 - late_ns;
	}
	return err;
}

static enum suf_err talk(struct suf_chan *c, struct end *e, uint8_t *out, uint8_t *in)
{
	enum suf_err err = take_turns(c, e, SHORT_NS, e->ping[0]);
	if (!err)
		err = take_turns(c, e, LONG_NS, e->ping[1]);
	for (int k = 0; k < BULKS && !err; k++) {
		double start = machine_wall_ns();
		err = suf_chan_exchange(c, out, BULK, in, BULK);
		e->bulk[k] = machine_wall_ns() - start;
	}
	return err;
}

static void *run_end(void *arg)
{
	struct end *e = arg;
	struct suf_chan *c = NULL;
	uint8_t *out = calloc(2, BULK);
	e->err = out ? suf_chan_open(&c, &e->cfg, e->text) : SUF_ENOMEM;
	if (!e->err)
		e->err = talk(c, e, out, out + BULK);
	suf_chan_close(c);
	free(out);
	return NULL;
}

/* Both ends talk; the slower median counts. */
static bool try_port(struct link_rate *r, const struct suf_chan_config *cfg, unsigned port, char *text)
{
	struct end *e = calloc(2, sizeof *e);
	pthread_t other;
	char address[32];
	snprintf(address, sizeof address, "127.0.0.1:%u", port);
	if (!e)
		return false;
	e[0].cfg = e[1].cfg = *cfg;
	e[0].cfg.listen = e[1].cfg.connect = address;
	bool ok = pthread_create(&other, NULL, run_end, &e[1]) == 0;
	if (ok) {
		run_end(&e[0]);
		pthread_join(other, NULL);
		ok = !e[0].err && !e[1].err;
		snprintf(text, SUF_TEXT, "loopback: %.200s", e[0].err ? e[0].text : e[1].text);
	}
	*r = (struct link_rate){ 0 };
	for (int p = 0; p < 2 && ok; p++) {
		double ping = machine_median(e[p].ping[0], PINGS), idle = machine_median(e[p].ping[1], PINGS);
		double bulk = (machine_median(e[p].bulk, BULKS) - ping) / BULK;
		r->round_ns = ping > r->round_ns ? ping : r->round_ns;
		r->idle_round_ns = idle > r->idle_round_ns ? idle : r->idle_round_ns;
		r->byte_ns = bulk > r->byte_ns ? bulk : r->byte_ns;
	}
	free(e);
	return ok;
}

static bool link_rate(struct link_rate *r, const struct suf_chan_config *cfg, char *text)
{
	for (int k = 0; k < TRIES; k++) {
		uint16_t n = 0;
		if (prg_os_random(&n, sizeof n) == SUF_OK && try_port(r, cfg, FIRST_PORT + n % PORTS, text))
			return true;
	}
	return false;
}

/* ---- a certificate ---------------------------------------------------------------------------- */

static X509 *certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name = x ? X509_get_subject_name(x) : NULL;
	bool ok = name && X509_set_version(x, 2) && ASN1_INTEGER_set(X509_get_serialNumber(x), 1) && X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	          X509_gmtime_adj(X509_getm_notAfter(x), 3600) && X509_set_pubkey(x, key) &&
	          X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"calibration", -1, -1, 0) && X509_set_issuer_name(x, name) &&
	          X509_sign(x, key, EVP_sha256());
	if (ok)
		return x;
	X509_free(x);
	return NULL;
}

static bool write_pem(const char *cert, const char *key)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");
	X509 *x = k ? certificate(k) : NULL;
	FILE *fc = x ? fopen(cert, "w") : NULL, *fk = x ? fopen(key, "w") : NULL;
	bool ok = fc && fk && PEM_write_X509(fc, x) && PEM_write_PrivateKey(fk, k, NULL, NULL, 0, NULL, NULL);
	if (fc)
		ok = fclose(fc) == 0 && ok;
	if (fk)
		ok = fclose(fk) == 0 && ok;
	X509_free(x);
	EVP_PKEY_free(k);
	return ok;
}

static bool tls_rate(struct link_rate *r, const char *dir, char *text)
{
	char cert[PATH], key[PATH];
	snprintf(cert, sizeof cert, "%s/calibration.pem", dir);
	snprintf(key, sizeof key, "%s/calibration.key", dir);
	snprintf(text, SUF_TEXT, "no certificate for TLS could be made in %.200s", dir);
	bool ok = write_pem(cert, key);
	if (ok)
		ok = link_rate(r, &(struct suf_chan_config){ .tls_cert = cert, .tls_key = key, .tls_ca = cert, .timeout_s = 10 }, text);
	unlink(cert);
	unlink(key);
	return ok;
}

/* ---- keys --------------------------------------------------------------------------------------- */

/* A key in pieces as large as a block of corrections of 50 bits, flushed as by a dealer. */
static enum suf_err put_key(struct suf_sink *s, size_t pieces, bool flush)
{
	uint8_t piece[KEY_PIECE] = { 1 };
	enum suf_err e = SUF_OK;
	for (size_t k = 0; k < pieces && !e; k++) {
		e = suf_sink_write(s, piece, sizeof piece);
		if (!e && flush)
			e = suf_sinks_flush(&s, 1, k + 1 < pieces ? SUF_SINK_PIECE : 1);
	}
	return e;
}

static enum suf_err get_key(struct suf_source *s, size_t pieces)
{
	uint8_t piece[KEY_PIECE];
	enum suf_err e = SUF_OK;
	for (size_t k = 0; k < pieces && !e; k++)
		e = suf_source_read(s, piece, sizeof piece);
	return e;
}

/* Half a pipe is written, then read: nobody waits, as in a run where the dealer keeps ahead. */
static enum suf_err fill_and_drain(struct suf_sink *to, struct suf_source *from, size_t piece_count, double ns[2])
{
	enum suf_err e = SUF_OK;
	size_t bytes = 0;
	ns[0] = ns[1] = 0;
	for (; bytes < KEY_BYTES && !e; bytes += piece_count * KEY_PIECE) {
		double start = machine_cpu_ns();
		e = put_key(to, piece_count, true);
		double middle = machine_cpu_ns();
		if (!e)
			e = get_key(from, piece_count);
		ns[0] += middle - start;
		ns[1] += machine_cpu_ns() - middle;
	}
	ns[0] /= (double)bytes;
	ns[1] /= (double)bytes;
	return e;
}

static bool pipe_rate(struct machine *m, char *text)
{
	int fd[2];
	double ns[2] = { 0, 0 };
	struct suf_sink *to = NULL;
	struct suf_source *from = NULL;
	snprintf(text, SUF_TEXT, "a key did not go through a pipe");
	if (pipe(fd))
		return false;
	enum suf_err e = suf_sink_fd(&to, fd[1], text);
	if (!e)
		e = suf_source_fd(&from, fd[0], text);
	int size = fcntl(fd[1], F_GETPIPE_SZ);
	if (!e)
		e = fill_and_drain(to, from, size > 4 * KEY_PIECE ? (size_t)size / 2 / KEY_PIECE : 1, ns);
	suf_source_close(from);
	if (to && suf_sink_finish(to, !e) && !e)
		e = SUF_EIO;
	close(fd[0]);
	close(fd[1]);
	m->pipe_write_ns = ns[0];
	m->pipe_read_ns = ns[1];
	return !e;
}

/* Wall clock: a disk is waited for. */
static bool file_rate(struct machine *m, const char *dir, char *text)
{
	char path[PATH];
	struct suf_sink *to = NULL;
	struct suf_source *from = NULL;
	double put[FILES], get[FILES];
	enum suf_err e = SUF_OK;
	snprintf(path, sizeof path, "%s/calibration.p0.key", dir);
	for (int k = 0; k < FILES && !e; k++) {
		double start = machine_wall_ns();
		e = suf_sink_file(&to, path, text);
		if (!e) {
			e = put_key(to, KEY_BYTES / KEY_PIECE, false);
			enum suf_err closing = suf_sink_close(to, !e, text);
			e = e ? e : closing;
		}
		put[k] = (machine_wall_ns() - start) / KEY_BYTES;
		start = machine_wall_ns();
		if (!e)
			e = suf_source_file(&from, path, text);
		if (!e)
			e = get_key(from, KEY_BYTES / KEY_PIECE);
		get[k] = (machine_wall_ns() - start) / KEY_BYTES;
		suf_source_close(from);
		from = NULL;
		unlink(path);
	}
	if (e)
		return false;
	m->file_write_ns = machine_median(put, FILES);
	m->file_read_ns = machine_median(get, FILES);
	return true;
}

bool machine_measure_links(struct machine *m, const char *scratch, char *text)
{
	return link_rate(&m->plain, &(struct suf_chan_config){ .plain = true, .timeout_s = 10 }, text) && tls_rate(&m->tls, scratch, text) &&
	       pipe_rate(m, text) && file_rate(m, scratch, text);
}

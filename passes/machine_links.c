/* SPDX-License-Identifier: Apache-2.0
 * machine_links.c -- how fast bytes move on this machine: messages between two
 * parties over loopback, plain and with TLS, and keys through pipes and files.
 * The certificate for TLS is made here, signs itself and is gone afterwards.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "passes/machine.h"

enum { PINGS = 401, PING = 16, BULKS = 9, BULK = 1 << 19, KEY_PIECE = 6400, KEY_BYTES = 16 << 20, PATH = 512, FIRST_PORT = 21000, PORTS = 30000, TRIES = 20 };

/* ---- two parties over loopback ------------------------------------------------------------ */

struct end {                             /* one thread */
	struct suf_chan_config cfg;
	double ping[PINGS], bulk[BULKS];
	enum suf_err err;
	char text[SUF_TEXT];
};

static enum suf_err talk(struct suf_chan *c, struct end *e, uint8_t *out, uint8_t *in)
{
	enum suf_err err = SUF_OK;
	for (int k = 0; k < PINGS && !err; k++) {
		double start = machine_wall_ns();
		err = suf_chan_exchange(c, out, PING, in, PING);
		e->ping[k] = machine_wall_ns() - start;
	}
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
		double ping = machine_median(e[p].ping, PINGS), bulk = (machine_median(e[p].bulk, BULKS) - ping) / BULK;
		r->round_ns = ping > r->round_ns ? ping : r->round_ns;
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

struct flow { int fd; double ns; enum suf_err err; };

/* A key in pieces as large as a block of corrections of 50 bits, flushed like a dealer's. */
static enum suf_err put_key(struct suf_sink *s, bool flush)
{
	uint8_t piece[KEY_PIECE] = { 1 };
	enum suf_err e = SUF_OK;
	for (size_t k = 0; k < KEY_BYTES / KEY_PIECE && !e; k++) {
		e = suf_sink_write(s, piece, sizeof piece);
		if (!e && flush)
			e = suf_sink_flush(s);
	}
	return e;
}

static enum suf_err get_key(struct suf_source *s)
{
	uint8_t piece[KEY_PIECE];
	enum suf_err e = SUF_OK;
	for (size_t k = 0; k < KEY_BYTES / KEY_PIECE && !e; k++)
		e = suf_source_read(s, piece, sizeof piece);
	return e;
}

static void *pipe_writer(void *arg)
{
	struct flow *f = arg;
	struct suf_sink *s = NULL;
	char text[SUF_TEXT];
	f->err = suf_sink_fd(&s, f->fd, text);
	double start = machine_cpu_ns();
	if (!f->err)
		f->err = put_key(s, true);
	if (s && suf_sink_finish(s, !f->err) && !f->err)
		f->err = SUF_EIO;
	f->ns = machine_cpu_ns() - start;
	close(f->fd);
	return NULL;
}

static bool pipe_rate(struct machine *m, char *text)
{
	int fd[2];
	struct flow w = { 0 };
	struct suf_source *s = NULL;
	pthread_t thread;
	snprintf(text, SUF_TEXT, "a key did not go through a pipe");
	if (pipe(fd))
		return false;
	w.fd = fd[1];
	if (pthread_create(&thread, NULL, pipe_writer, &w)) {
		close(fd[0]);
		close(fd[1]);
		return false;
	}
	enum suf_err e = suf_source_fd(&s, fd[0], text);
	double start = machine_cpu_ns();
	if (!e)
		e = get_key(s);
	m->pipe_read_ns = (machine_cpu_ns() - start) / KEY_BYTES;
	suf_source_close(s);
	close(fd[0]);
	pthread_join(thread, NULL);
	m->pipe_write_ns = w.ns / KEY_BYTES;
	return !e && !w.err;
}

/* Wall clock: a disk is waited for. */
static bool file_rate(struct machine *m, const char *dir, char *text)
{
	char path[PATH];
	struct suf_sink *to = NULL;
	struct suf_source *from = NULL;
	snprintf(path, sizeof path, "%s/calibration.p0.key", dir);
	unlink(path);
	double start = machine_wall_ns();
	enum suf_err e = suf_sink_file(&to, path, text);
	if (!e) {
		e = put_key(to, false);
		enum suf_err closing = suf_sink_close(to, !e, text);
		e = e ? e : closing;
	}
	m->file_write_ns = (machine_wall_ns() - start) / KEY_BYTES;
	start = machine_wall_ns();
	if (!e)
		e = suf_source_file(&from, path, text);
	if (!e)
		e = get_key(from);
	m->file_read_ns = (machine_wall_ns() - start) / KEY_BYTES;
	suf_source_close(from);
	unlink(path);
	return !e;
}

bool machine_measure_links(struct machine *m, const char *scratch, char *text)
{
	return link_rate(&m->plain, &(struct suf_chan_config){ .plain = true, .timeout_s = 10 }, text) && tls_rate(&m->tls, scratch, text) &&
	       pipe_rate(m, text) && file_rate(m, scratch, text);
}

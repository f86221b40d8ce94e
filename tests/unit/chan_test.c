/* SPDX-License-Identifier: Apache-2.0
 * chan_test.c -- the party link: all transports, both ways at once, refusals
 * and their texts.  Certificates are made here, fresh for each run.
 */
#define _GNU_SOURCE /* asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "chan.h"
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct side {
	struct suf_chan_config cfg;
	struct suf_chan *chan;
	const uint8_t *out; size_t nout;
	uint8_t *in; size_t nin;
	enum suf_err err;
	char text[256];
};

static char dir[64];

static char *at(const char *name)
{
	char *path = NULL;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

static EVP_PKEY *make_key(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char *path = at(name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	free(path);
	return key;
}

/* days < 0: already expired. */
static X509 *make_cert(const char *name, const char *cn, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, int days)
{
	X509 *x = X509_new();
	static long serial = 1;
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -20 * 86400);
	X509_gmtime_adj(X509_getm_notAfter(x), days * 86400L);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer : x));
	if (!issuer) {
		X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
		X509_add_ext(x, ext, -1);
		X509_EXTENSION_free(ext);
	}
	assert_true(X509_sign(x, issuer_key, EVP_sha256()) > 0);
	char *path = at(name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	free(path);
	return x;
}

static int make_certificates(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/suf-chan-XXXXXX");
	assert_non_null(mkdtemp(dir));
	EVP_PKEY *ca_key = make_key("ca.key"), *other_key = make_key("other.key"), *k0 = make_key("p0.key"), *k1 = make_key("p1.key");
	X509 *ca = make_cert("ca.pem", "test CA", ca_key, NULL, ca_key, 30);
	X509 *other = make_cert("other.pem", "another CA", other_key, NULL, other_key, 30);
	X509_free(make_cert("p0.pem", "party 0", k0, ca, ca_key, 30));
	X509_free(make_cert("p1.pem", "party 1", k1, ca, ca_key, 30));
	X509_free(make_cert("stranger.pem", "party 1", k1, other, other_key, 30));
	X509_free(make_cert("expired.pem", "party 1", k1, ca, ca_key, -1));
	X509_free(ca);
	X509_free(other);
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(k0);
	EVP_PKEY_free(k1);
	return 0;
}

static int remove_certificates(void **state)
{
	const char *names[] = { "ca.key", "other.key", "p0.key", "p1.key", "ca.pem", "other.pem", "p0.pem", "p1.pem", "stranger.pem", "expired.pem" };
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char *path = at(names[i]);
		unlink(path);
		free(path);
	}
	return rmdir(dir);
}

/* A port that was free a moment ago. */
static void free_port(char *to, size_t n)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof sa;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof sa), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	close(fd);
	snprintf(to, n, "127.0.0.1:%d", ntohs(sa.sin_port));
}

static void *run_side(void *arg)
{
	struct side *s = arg;
	if (!s->chan)
		s->err = suf_chan_open(&s->chan, &s->cfg, s->text);
	if (!s->err) {
		s->err = suf_chan_exchange(s->chan, s->out, s->nout, s->in, s->nin);
		if (s->err)
			snprintf(s->text, sizeof s->text, "%s", suf_chan_error(s->chan));
	}
	if (s->err) {
		suf_chan_close(s->chan);
		s->chan = NULL;
	}
	return NULL;
}

static void run_both(struct side *a, struct side *b)
{
	pthread_t t;
	assert_int_equal(pthread_create(&t, NULL, run_side, a), 0);
	run_side(b);
	pthread_join(t, NULL);
}

/* `size` random bytes each way at once, and a smaller odd-sized answer. */
static void check_exchange(struct side *a, struct side *b, size_t size)
{
	uint8_t *x = malloc(size), *y = malloc(size), *got_x = malloc(size), *got_y = malloc(size);
	assert_true(x && y && got_x && got_y);
	assert_int_equal(RAND_bytes(x, (int)size), 1);
	assert_int_equal(RAND_bytes(y, (int)size), 1);
	a->out = x, a->nout = size, a->in = got_y, a->nin = size;
	b->out = y, b->nout = size, b->in = got_x, b->nin = size;
	run_both(a, b);
	if (a->err || b->err)
		fail_msg("%s / %s", a->text, b->text);
	assert_memory_equal(x, got_x, size);
	assert_memory_equal(y, got_y, size);
	assert_int_equal(suf_chan_sent(a->chan), size);
	assert_int_equal(suf_chan_received(b->chan), size);
	a->nout = 77, a->nin = 0;
	b->nout = 0, b->nin = 77;
	memset(got_x, 0, 77);
	run_both(a, b);
	assert_int_equal(a->err, SUF_OK);
	assert_memory_equal(x, got_x, 77);
	assert_int_equal(suf_chan_sent(a->chan), size + 77);
	assert_int_equal(suf_chan_received(b->chan), size + 77);
	assert_true(suf_chan_wait_ms(a->chan) > 0);
	suf_chan_close(a->chan);
	suf_chan_close(b->chan);
	free(x);
	free(y);
	free(got_x);
	free(got_y);
}

static void pair_moves_64_mib_both_ways(void **state)
{
	struct suf_chan *pair[2];
	struct side a = { 0 }, b = { 0 };
	(void)state;
	assert_int_equal(suf_chan_pair(pair), SUF_OK);
	a.chan = pair[0];
	b.chan = pair[1];
	check_exchange(&a, &b, (size_t)64 << 20);
}

static void plain_tcp_on_loopback(void **state)
{
	char where[64];
	(void)state;
	free_port(where, sizeof where);
	struct side a = { .cfg = { .listen = where, .plain = true, .timeout_s = 10 } };
	struct side b = { .cfg = { .connect = where, .plain = true, .timeout_s = 10 } };
	check_exchange(&a, &b, 9000001);
}

static void *late_listener(void *arg)
{
	usleep(300000);
	return run_side(arg);
}

static void connecting_waits_for_the_listener(void **state)
{
	char where[64];
	uint8_t got = 0;
	(void)state;
	free_port(where, sizeof where);
	struct side a = { .cfg = { .listen = where, .plain = true, .timeout_s = 10 }, .out = (const uint8_t *)"Z", .nout = 1 };
	struct side b = { .cfg = { .connect = where, .plain = true, .timeout_s = 10 }, .in = &got, .nin = 1 };
	pthread_t t;
	pthread_create(&t, NULL, late_listener, &a);
	run_side(&b);
	pthread_join(t, NULL);
	assert_int_equal(b.err, SUF_OK);
	assert_int_equal(got, 'Z');
	suf_chan_close(a.chan);
	suf_chan_close(b.chan);
}

static void unix_socket(void **state)
{
	char *where = NULL;
	(void)state;
	assert_true(asprintf(&where, "unix:%s/socket", dir) > 0);
	struct side a = { .cfg = { .listen = where, .timeout_s = 10 } }, b = { .cfg = { .connect = where, .timeout_s = 10 } };
	check_exchange(&a, &b, 3000007);
	assert_int_not_equal(access(where + 5, F_OK), 0);
	free(where);
}

static struct side tls_side(const char *listen, const char *connect, const char *cert, const char *key, const char *ca)
{
	struct side s = { .cfg = { .listen = listen, .connect = connect, .timeout_s = 10, .tls_cert = cert ? at(cert) : NULL,
		.tls_key = key ? at(key) : NULL, .tls_ca = ca ? at(ca) : NULL } };
	return s;
}

static void tls_side_free(struct side *s)
{
	free((char *)(uintptr_t)s->cfg.tls_cert);
	free((char *)(uintptr_t)s->cfg.tls_key);
	free((char *)(uintptr_t)s->cfg.tls_ca);
}

static void tls_both_ways(void **state)
{
	char where[64];
	(void)state;
	free_port(where, sizeof where);
	struct side a = tls_side(where, NULL, "p0.pem", "p0.key", "ca.pem"), b = tls_side(NULL, where, "p1.pem", "p1.key", "ca.pem");
	check_exchange(&a, &b, (size_t)16 << 20);
	tls_side_free(&a);
	tls_side_free(&b);
}

/* Both sides must fail, with these words in their texts. */
static void tls_refused(const char *cert0, const char *ca0, const char *cert1, const char *ca1, const char *want0, const char *want1)
{
	char where[64];
	uint8_t byte = 1, got;
	free_port(where, sizeof where);
	struct side a = tls_side(where, NULL, cert0, "p0.key", ca0), b = tls_side(NULL, where, cert1, "p1.key", ca1);
	a.out = b.out = &byte;
	a.nout = b.nout = 1;
	a.in = &got, a.nin = 1;
	run_both(&a, &b);
	assert_int_equal(a.err, SUF_EIO);
	assert_int_equal(b.err, SUF_EIO);
	if (!strstr(a.text, want0) || !strstr(b.text, want1))
		fail_msg("listener: %s\nconnector: %s", a.text, b.text);
	tls_side_free(&a);
	tls_side_free(&b);
}

static void tls_refuses_strangers(void **state)
{
	(void)state;
	tls_refused("p0.pem", "ca.pem", "stranger.pem", "ca.pem", "the peer's certificate was refused", "does not accept this side's certificate");
	tls_refused("p0.pem", "ca.pem", "p1.pem", "other.pem", "does not accept this side's certificate", "the peer's certificate was refused");
	tls_refused("p0.pem", "ca.pem", "expired.pem", "ca.pem", "certificate has expired", "it has expired");
}

static void tls_against_plain_fails(void **state)
{
	char where[64];
	uint8_t got[8];
	(void)state;
	free_port(where, sizeof where);
	struct side a = tls_side(where, NULL, "p0.pem", "p0.key", "ca.pem");
	struct side b = { .cfg = { .connect = where, .plain = true, .timeout_s = 10 }, .out = (const uint8_t *)"SUFPEER1....", .nout = 12, .in = got, .nin = 8 };
	run_both(&a, &b);
	assert_int_equal(a.err, SUF_EIO);
	assert_non_null(strstr(a.text, "does not speak TLS"));
	assert_true(b.err == SUF_EIO || b.err == SUF_OK); /* the alert's bytes may look like an answer */
	suf_chan_close(b.chan);
	tls_side_free(&a);
}

static void open_fails(struct suf_chan_config cfg, enum suf_err want, const char *words)
{
	struct suf_chan *c;
	char text[256] = "";
	enum suf_err err = suf_chan_open(&c, &cfg, text);
	if (err != want || !strstr(text, words))
		fail_msg("got %d: %s", err, text);
	assert_null(c);
}

static void configurations_are_checked(void **state)
{
	(void)state;
	char *missing = at("missing.pem"), *cert = at("p0.pem"), *key = at("p0.key"), *wrong_key = at("p1.key"), *ca = at("ca.pem");
	char where[64];
	free_port(where, sizeof where);
	open_fails((struct suf_chan_config){ .listen = "0.0.0.0:9", .plain = true }, SUF_EUSAGE, "not a loopback address");
	open_fails((struct suf_chan_config){ .connect = "192.0.2.1:9", .plain = true }, SUF_EUSAGE, "not a loopback address");
	open_fails((struct suf_chan_config){ .connect = where }, SUF_EUSAGE, "needs TLS");
	open_fails((struct suf_chan_config){ .connect = where, .listen = where, .plain = true }, SUF_EUSAGE, "exactly one");
	open_fails((struct suf_chan_config){ .connect = "nonsense", .plain = true }, SUF_EUSAGE, "HOST:PORT");
	open_fails((struct suf_chan_config){ .connect = where, .tls_cert = cert }, SUF_EUSAGE, "key CA missing");
	open_fails((struct suf_chan_config){ .connect = where, .plain = true, .timeout_s = 0.2 }, SUF_EIO, "Connection refused (tried for 0.2 s; is the other party listening");
	open_fails((struct suf_chan_config){ .listen = where, .plain = true, .timeout_s = 0.2 }, SUF_EIO, "nobody connected");
	const struct { char *cert, *key, *ca; const char *words; } files[] = {
		{ missing, key, ca, "No such file" }, { cert, missing, ca, "No such file" }, { cert, key, missing, "No such file" },
		{ cert, wrong_key, ca, "private key" }, { key, key, ca, "reading the certificate" },
	};
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) /* before the peer is waited for */
		open_fails((struct suf_chan_config){ .listen = where, .timeout_s = 5, .tls_cert = files[i].cert, .tls_key = files[i].key,
			.tls_ca = files[i].ca }, SUF_EIO, files[i].words);
	free(missing);
	free(cert);
	free(key);
	free(wrong_key);
	free(ca);
}

static void lost_peer_is_named(void **state)
{
	struct suf_chan *pair[2];
	uint8_t in[1000], *big = malloc(4 << 20);
	(void)state;
	assert_int_equal(suf_chan_pair(pair), SUF_OK);
	memset(big, 0x5a, 4 << 20);
	assert_int_equal(suf_chan_exchange(pair[1], "0123456789", 10, NULL, 0), SUF_OK);
	suf_chan_close(pair[1]);
	assert_int_equal(suf_chan_exchange(pair[0], NULL, 0, in, sizeof in), SUF_EIO);
	assert_non_null(strstr(suf_chan_error(pair[0]), "peer closed the connection after 10 bytes"));
	assert_int_equal(suf_chan_exchange(pair[0], big, 4 << 20, NULL, 0), SUF_EIO); /* and no SIGPIPE */
	suf_chan_close(pair[0]);
	free(big);
}

static void tls_lost_peer_is_named(void **state)
{
	char where[64];
	uint8_t got[100], *big = calloc(1, 8 << 20);
	(void)state;
	free_port(where, sizeof where);
	struct side a = tls_side(where, NULL, "p0.pem", "p0.key", "ca.pem"), b = tls_side(NULL, where, "p1.pem", "p1.key", "ca.pem");
	a.out = big, a.nout = 5;
	b.in = got, b.nin = 5;
	run_both(&a, &b);
	assert_int_equal(a.err | b.err, SUF_OK);
	suf_chan_close(a.chan);
	assert_int_equal(suf_chan_exchange(b.chan, NULL, 0, got, sizeof got), SUF_EIO);
	assert_non_null(strstr(suf_chan_error(b.chan), "peer closed the connection after 5 bytes"));
	assert_int_equal(suf_chan_exchange(b.chan, big, 8 << 20, NULL, 0), SUF_EIO);
	suf_chan_close(b.chan);
	tls_side_free(&a);
	tls_side_free(&b);
	free(big);
}

static void silent_peer_times_out(void **state)
{
	char where[64];
	uint8_t got[8];
	(void)state;
	free_port(where, sizeof where);
	struct side a = { .cfg = { .listen = where, .plain = true, .timeout_s = 0.3 }, .in = got, .nin = sizeof got };
	struct side b = { .cfg = { .connect = where, .plain = true, .timeout_s = 5 }, .out = (const uint8_t *)"abc", .nout = 3 };
	run_both(&a, &b);
	assert_int_equal(b.err, SUF_OK);
	assert_int_equal(a.err, SUF_EIO);
	assert_non_null(strstr(a.text, "no answer from the peer for 0.3 s (0 of 0 bytes sent, 3 of 8 received)"));
	suf_chan_close(b.chan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pair_moves_64_mib_both_ways), cmocka_unit_test(plain_tcp_on_loopback),
		cmocka_unit_test(connecting_waits_for_the_listener), cmocka_unit_test(unix_socket), cmocka_unit_test(tls_both_ways),
		cmocka_unit_test(tls_refuses_strangers), cmocka_unit_test(tls_against_plain_fails),
		cmocka_unit_test(configurations_are_checked), cmocka_unit_test(lost_peer_is_named),
		cmocka_unit_test(tls_lost_peer_is_named), cmocka_unit_test(silent_peer_times_out),
	};
	return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}

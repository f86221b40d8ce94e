/* SPDX-License-Identifier: Apache-2.0
 * chan_tls.c -- TLS 1.3 with mutual authentication (OpenSSL).  Both sides must
 * show a certificate that chains to the given CA: the CA, not a host name, says
 * who may be a party.  Bytes pass through a BIO over send(MSG_NOSIGNAL) and
 * recv, so that no signal handler is needed.
 */
#include "chan_priv.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <string.h>

enum { TLS_OK = 0x4f };  /* the listener's first byte: your certificate is accepted */

static int bio_write(BIO *b, const char *from, int n)
{
	BIO_clear_retry_flags(b);
	ssize_t k = chan_raw_send(BIO_get_data(b), from, (size_t)n);
	if (k == CHAN_AGAIN_WRITE)
		BIO_set_retry_write(b);
	return k >= 0 ? (int)k : -1;
}

static int bio_read(BIO *b, char *to, int n)
{
	struct suf_chan *c = BIO_get_data(b);
	BIO_clear_retry_flags(b);
	ssize_t k = chan_raw_recv(c, to, (size_t)n);
	if (k == CHAN_AGAIN_READ)
		BIO_set_retry_read(b);
	return k >= 0 ? (int)k : c->eof ? 0 : -1;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
	(void)num;
	(void)ptr;
	if (cmd == BIO_CTRL_EOF)
		return ((struct suf_chan *)BIO_get_data(b))->eof;
	return cmd == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

/* A private key with a passphrase must not make the library ask on a terminal. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return 0;
}

/* The text of OpenSSL's oldest queued error, and clear the queue. */
static enum suf_err tls_fail(struct suf_chan *c, const char *what, const char *arg)
{
	unsigned long e = ERR_get_error();
	const char *why = e ? ERR_GET_LIB(e) == ERR_LIB_SYS ? strerror(ERR_GET_REASON(e)) : ERR_reason_error_string(e) : NULL;
	ERR_clear_error();
	return chan_fail(c, SUF_EIO, "TLS: %s %s: %s", what, arg, why ? why : "unknown error");
}

static enum suf_err load_files(struct suf_chan *c, const struct suf_chan_config *cfg)
{
	SSL_CTX_set_default_passwd_cb(c->ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(c->ctx, cfg->tls_cert) != 1)
		return tls_fail(c, "reading the certificate", cfg->tls_cert);
	if (SSL_CTX_use_PrivateKey_file(c->ctx, cfg->tls_key, SSL_FILETYPE_PEM) != 1)
		return tls_fail(c, "reading the private key (unencrypted PEM, of the certificate)", cfg->tls_key);
	if (SSL_CTX_check_private_key(c->ctx) != 1)
		return tls_fail(c, "the private key does not belong to the certificate", cfg->tls_cert);
	if (SSL_CTX_load_verify_file(c->ctx, cfg->tls_ca) != 1)
		return tls_fail(c, "reading the CA", cfg->tls_ca);
	return SUF_OK;
}

enum suf_err chan_tls_load(struct suf_chan *c, const struct suf_chan_config *cfg)
{
	ERR_clear_error();
	c->ctx = SSL_CTX_new(TLS_method());
	if (!c->ctx)
		return tls_fail(c, "setting up", "OpenSSL");
	if (SSL_CTX_set_min_proto_version(c->ctx, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(c->ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") != 1)
		return tls_fail(c, "setting up", "TLS 1.3");
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(c->ctx, 0);
	SSL_CTX_set_mode(c->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return load_files(c, cfg);
}

static enum suf_err make_session(struct suf_chan *c)
{
	c->bio = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "suf socket");
	if (!c->bio || !BIO_meth_set_write(c->bio, bio_write) || !BIO_meth_set_read(c->bio, bio_read) ||
	    !BIO_meth_set_ctrl(c->bio, bio_ctrl) || !BIO_meth_set_create(c->bio, bio_create))
		return tls_fail(c, "setting up", "the socket");
	BIO *b = BIO_new(c->bio);
	if (!b)
		return tls_fail(c, "setting up", "the socket");
	BIO_set_data(b, c);
	c->ssl = SSL_new(c->ctx);
	if (!c->ssl) {
		BIO_free(b);
		return tls_fail(c, "setting up", "the session");
	}
	SSL_set_bio(c->ssl, b, b);
	return SUF_OK;
}

/* What an alert of the peer says about our certificate. */
static const char *alert_text(int reason)
{
	switch (reason) {
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		return "the peer does not accept this side's certificate: it was not issued by the peer's CA";
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
		return "the peer does not accept this side's certificate: it has expired";
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return "the peer wants a certificate and got none";
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
		return "the peer does not accept this side's certificate";
	case SSL_R_WRONG_VERSION_NUMBER:
		return "the peer does not speak TLS (does it run with plain transport?)";
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return "the peer showed no certificate; both parties need one";
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
		return "the peer does not speak TLS 1.3";
	default:
		return NULL;
	}
}

/* Sets the text for a failed SSL call, unless the socket itself failed. */
static void explain(struct suf_chan *c)
{
	long verify = SSL_get_verify_result(c->ssl);
	unsigned long e = ERR_get_error();
	const char *text = e ? alert_text(ERR_GET_REASON(e)) : NULL;

	if (verify != X509_V_OK)
		chan_fail(c, SUF_EIO, "TLS: the peer's certificate was refused: %s (expected one that was issued by the CA given here)",
			X509_verify_cert_error_string(verify));
	else if (text)
		chan_fail(c, SUF_EIO, "TLS: %s", text);
	else if (e && !c->eof)
		chan_fail(c, SUF_EIO, "TLS: %s", ERR_reason_error_string(e) ? ERR_reason_error_string(e) : "protocol error");
	else if (!c->sys_errno)
		c->eof = true;
	if (verify != X509_V_OK || text)
		c->eof = false, c->sys_errno = 0; /* the better text wins */
	ERR_clear_error();
}

static ssize_t tls_result(struct suf_chan *c, int rc)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return CHAN_AGAIN_READ;
	case SSL_ERROR_WANT_WRITE:
		return CHAN_AGAIN_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		c->eof = true;
		return CHAN_FAILED;
	default:
		explain(c);
		return CHAN_FAILED;
	}
}

ssize_t chan_tls_send(struct suf_chan *c, const void *from, size_t n)
{
	size_t done = 0;
	ERR_clear_error();
	int rc = SSL_write_ex(c->ssl, from, n, &done);
	return rc == 1 ? (ssize_t)done : tls_result(c, rc);
}

ssize_t chan_tls_recv(struct suf_chan *c, void *to, size_t n)
{
	size_t done = 0;
	ERR_clear_error();
	int rc = SSL_read_ex(c->ssl, to, n, &done);
	return rc == 1 ? (ssize_t)done : tls_result(c, rc);
}

/* Why the handshake ended early, in c->err. */
static enum suf_err handshake_lost(struct suf_chan *c)
{
	if (c->sys_errno)
		return chan_fail(c, SUF_EIO, "TLS handshake: %s", strerror(c->sys_errno));
	if (c->eof)
		return chan_fail(c, SUF_EIO, "TLS handshake: the peer closed the connection (does it run with TLS, and does it accept this certificate?)");
	return SUF_EIO;
}

static enum suf_err handshake(struct suf_chan *c, double deadline)
{
	for (;;) {
		ERR_clear_error();
		int rc = SSL_do_handshake(c->ssl);
		if (rc == 1)
			return SUF_OK;
		ssize_t k = tls_result(c, rc);
		if (k == CHAN_FAILED)
			return handshake_lost(c);
		if (!chan_wait(c->fd, k == CHAN_AGAIN_READ ? POLLIN : POLLOUT, deadline))
			return chan_fail(c, SUF_EIO, "TLS handshake: no answer from the peer within %g s", c->timeout_s);
	}
}

/* In TLS 1.3 the connecting side is done before the listener has judged its
 * certificate; one byte from the listener makes a refusal an error of open. */
static enum suf_err confirm(struct suf_chan *c, bool listener, double deadline)
{
	uint8_t byte = TLS_OK;
	for (;;) {
		ssize_t k = listener ? chan_tls_send(c, &byte, 1) : chan_tls_recv(c, &byte, 1);
		if (k == 1)
			return SUF_OK;
		if (k == CHAN_FAILED)
			return handshake_lost(c);
		if (!chan_wait(c->fd, k == CHAN_AGAIN_READ ? POLLIN : POLLOUT, deadline))
			return chan_fail(c, SUF_EIO, "TLS handshake: no answer from the peer within %g s", c->timeout_s);
	}
}

enum suf_err chan_tls_start(struct suf_chan *c, const struct suf_chan_config *cfg, double deadline)
{
	enum suf_err err = make_session(c);
	if (err)
		return err;
	if (cfg->listen)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	err = handshake(c, deadline);
	return err ? err : confirm(c, cfg->listen != NULL, deadline);
}

void chan_tls_stop(struct suf_chan *c)
{
	if (c->ssl && SSL_is_init_finished(c->ssl) && !c->sys_errno && !c->eof)
		SSL_shutdown(c->ssl); /* says good-bye; the answer is not waited for */
	ERR_clear_error();
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	BIO_meth_free(c->bio);
}

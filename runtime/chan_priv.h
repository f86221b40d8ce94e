/* SPDX-License-Identifier: Apache-2.0
 * chan_priv.h -- what chan.c (sockets, full-duplex exchange), chan_dial.c
 * (addresses, connect, accept) and chan_tls.c (TLS 1.3) share.
 */
#ifndef SUF_CHAN_PRIV_H
#define SUF_CHAN_PRIV_H
#include "chan.h"
#include <openssl/ssl.h>
#include <poll.h>

enum { CHAN_ERR = SUF_TEXT };
struct suf_chan {
	int fd;                       /* non-blocking */
	bool eof;                     /* the peer closed its side */
	int sys_errno;                /* of the last failed send or recv; 0: none */
	uint64_t sent, received;
	double wait_ms, timeout_s;
	SSL *ssl;                     /* NULL: no TLS */
	SSL_CTX *ctx;
	BIO_METHOD *bio;
	char err[CHAN_ERR];
};

/* Result of moving some bytes: how many, or why none. */
enum chan_io { CHAN_AGAIN_READ = -1, CHAN_AGAIN_WRITE = -2, CHAN_FAILED = -3 };

double chan_now(void);            /* seconds, monotonic */
enum suf_err chan_fail(struct suf_chan *, enum suf_err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Non-blocking moves on the socket itself; never raise SIGPIPE. */
ssize_t chan_raw_send(struct suf_chan *, const void *, size_t);
ssize_t chan_raw_recv(struct suf_chan *, void *, size_t);
/* Wait for events until `deadline` (chan_now); false: time is up. */
bool chan_wait(int fd, short events, double deadline);

/* chan_dial.c: a connected, non-blocking socket in c->fd; text in c->err. */
enum suf_err chan_dial(struct suf_chan *, const struct suf_chan_config *, double deadline);

/* chan_tls.c: load the PEM files, before the peer is waited for; then the handshake. */
enum suf_err chan_tls_load(struct suf_chan *, const struct suf_chan_config *);
enum suf_err chan_tls_start(struct suf_chan *, const struct suf_chan_config *, double deadline);
ssize_t chan_tls_send(struct suf_chan *, const void *, size_t);
ssize_t chan_tls_recv(struct suf_chan *, void *, size_t);
void chan_tls_stop(struct suf_chan *);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * chan.c -- the link between two parties: full-duplex exchange with
 * non-blocking sockets, time limits, byte counts.
 */
#include "chan_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHAN_CHUNK = 1 << 20, UNIX_BUFFER = 1 << 20, DEFAULT_TIMEOUT = 60 };

double chan_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum suf_err chan_fail(struct suf_chan *c, enum suf_err err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(c->err, sizeof c->err, fmt, ap);
	va_end(ap);
	return err;
}

bool chan_wait(int fd, short events, double deadline)
{
	for (;;) {
		double left = deadline - chan_now();
		if (left <= 0)
			return false;
		struct pollfd p = { .fd = fd, .events = events };
		int n = poll(&p, 1, left > 1000 ? 1000000 : (int)(left * 1e3) + 1);
		if (n > 0 || (n < 0 && errno != EINTR))
			return true; /* an error of poll shows in the next send or recv */
	}
}

ssize_t chan_raw_send(struct suf_chan *c, const void *from, size_t n)
{
	for (;;) {
		ssize_t k = send(c->fd, from, n, MSG_NOSIGNAL);
		if (k >= 0)
			return k;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return CHAN_AGAIN_WRITE;
		if (errno != EINTR) {
			c->sys_errno = errno;
			return CHAN_FAILED;
		}
	}
}

ssize_t chan_raw_recv(struct suf_chan *c, void *to, size_t n)
{
	for (;;) {
		ssize_t k = recv(c->fd, to, n, 0);
		if (k > 0)
			return k;
		if (k == 0) {
			c->eof = true;
			return CHAN_FAILED;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return CHAN_AGAIN_READ;
		if (errno != EINTR) {
			c->sys_errno = errno;
			return CHAN_FAILED;
		}
	}
}

/* The reason of a failed move, with how far the exchange had come. */
static enum suf_err lost(struct suf_chan *c, const char *doing)
{
	if (c->eof || c->sys_errno == EPIPE || c->sys_errno == ECONNRESET)
		return chan_fail(c, SUF_EIO, "peer closed the connection after %llu bytes received, %llu sent",
			(unsigned long long)c->received, (unsigned long long)c->sent);
	if (c->sys_errno)
		return chan_fail(c, SUF_EIO, "%s: %s (after %llu bytes received, %llu sent)", doing, strerror(c->sys_errno),
			(unsigned long long)c->received, (unsigned long long)c->sent);
	return SUF_EIO; /* the TLS layer has set the text */
}

struct transfer {
	const uint8_t *out; size_t nout;
	uint8_t *in; size_t nin;
};

/* Move what can be moved now; *events: what to wait for when nothing moved. */
static enum suf_err move(struct suf_chan *c, struct transfer *t, bool *moved, short *events)
{
	*moved = false;
	*events = 0;
	if (t->nout > 0) {
		size_t n = t->nout < CHAN_CHUNK ? t->nout : CHAN_CHUNK;
		ssize_t k = c->ssl ? chan_tls_send(c, t->out, n) : chan_raw_send(c, t->out, n);
		if (k == CHAN_FAILED)
			return lost(c, "sending to the peer");
		if (k >= 0) {
			t->out += k;
			t->nout -= (size_t)k;
			c->sent += (uint64_t)k;
			*moved = true;
		} else
			*events |= k == CHAN_AGAIN_READ ? POLLIN : POLLOUT;
	}
	if (t->nin > 0) {
		size_t n = t->nin < CHAN_CHUNK ? t->nin : CHAN_CHUNK;
		ssize_t k = c->ssl ? chan_tls_recv(c, t->in, n) : chan_raw_recv(c, t->in, n);
		if (k == CHAN_FAILED)
			return lost(c, "receiving from the peer");
		if (k >= 0) {
			t->in += k;
			t->nin -= (size_t)k;
			c->received += (uint64_t)k;
			*moved = true;
		} else
			*events |= k == CHAN_AGAIN_WRITE ? POLLOUT : POLLIN;
	}
	return SUF_OK;
}

enum suf_err suf_chan_exchange(struct suf_chan *c, const void *out, size_t nout, void *in, size_t nin)
{
	struct transfer t = { out, nout, in, nin };
	double start = chan_now();
	enum suf_err err = SUF_OK;

	while (t.nout > 0 || t.nin > 0) {
		bool moved;
		short events;
		err = move(c, &t, &moved, &events);
		if (err)
			break;
		if (!moved && !chan_wait(c->fd, events, chan_now() + c->timeout_s)) {
			err = chan_fail(c, SUF_EIO, "no answer from the peer for %g s (%zu of %zu bytes sent, %zu of %zu received)",
				c->timeout_s, nout - t.nout, nout, nin - t.nin, nin);
			break;
		}
	}
	c->wait_ms += (chan_now() - start) * 1e3;
	return err;
}

static struct suf_chan *chan_new(double timeout_s)
{
	struct suf_chan *c = calloc(1, sizeof *c);
	if (c) {
		c->fd = -1;
		c->timeout_s = timeout_s > 0 ? timeout_s : DEFAULT_TIMEOUT;
	}
	return c;
}

static enum suf_err check_config(struct suf_chan *c, const struct suf_chan_config *cfg)
{
	int tls = (cfg->tls_cert != NULL) + (cfg->tls_key != NULL) + (cfg->tls_ca != NULL);
	const char *address = cfg->listen ? cfg->listen : cfg->connect;
	if (!cfg->listen == !cfg->connect)
		return chan_fail(c, SUF_EUSAGE, "exactly one of an address to listen on and an address to connect to is needed");
	if (tls != 0 && tls != 3)
		return chan_fail(c, SUF_EUSAGE, "TLS needs a certificate, its key and a CA file; %s%s%smissing",
			cfg->tls_cert ? "" : "certificate ", cfg->tls_key ? "" : "key ", cfg->tls_ca ? "" : "CA ");
	if (tls && cfg->plain)
		return chan_fail(c, SUF_EUSAGE, "both TLS files and plain transport were asked for; choose one");
	if (!tls && !cfg->plain && strncmp(address, "unix:", 5) != 0)
		return chan_fail(c, SUF_EUSAGE, "'%s' needs TLS (certificate, key, CA), or plain transport by name on a loopback address", address);
	return SUF_OK;
}

enum suf_err suf_chan_open(struct suf_chan **to, const struct suf_chan_config *cfg, char *text)
{
	struct suf_chan *c = chan_new(cfg->timeout_s);
	*to = NULL;
	if (!c) {
		snprintf(text, CHAN_ERR, "out of memory");
		return SUF_ENOMEM;
	}
	double deadline = chan_now() + c->timeout_s;
	enum suf_err err = check_config(c, cfg);
	if (!err && cfg->tls_cert)
		err = chan_tls_load(c, cfg);
	if (!err)
		err = chan_dial(c, cfg, deadline);
	if (!err && cfg->tls_cert)
		err = chan_tls_start(c, cfg, deadline);
	if (err) {
		snprintf(text, CHAN_ERR, "%s", c->err);
		suf_chan_close(c);
		return err;
	}
	*to = c;
	return SUF_OK;
}

enum suf_err suf_chan_pair(struct suf_chan *pair[2])
{
	int fd[2], size = UNIX_BUFFER;
	pair[0] = chan_new(0);
	pair[1] = chan_new(0);
	if (!pair[0] || !pair[1]) {
		free(pair[0]);
		free(pair[1]);
		return SUF_ENOMEM;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0) {
		free(pair[0]);
		free(pair[1]);
		return SUF_EIO;
	}
	for (int i = 0; i < 2; i++) {
		setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		pair[i]->fd = fd[i];
	}
	return SUF_OK;
}

uint64_t suf_chan_sent(const struct suf_chan *c) { return c->sent; }
uint64_t suf_chan_received(const struct suf_chan *c) { return c->received; }
double suf_chan_wait_ms(const struct suf_chan *c) { return c->wait_ms; }
const char *suf_chan_error(const struct suf_chan *c) { return c->err; }

void suf_chan_close(struct suf_chan *c)
{
	if (!c)
		return;
	chan_tls_stop(c);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* SPDX-License-Identifier: Apache-2.0
 * chan_dial.c -- addresses, listening and connecting.  Plain TCP stays on
 * loopback addresses unless the caller insists.
 */
#define _GNU_SOURCE /* accept4 */
#include "chan_priv.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PAUSE_MS = 10, LONGEST_PAUSE_MS = 500, UNIX_SNDBUF = 1 << 20 };

struct address {
	char host[256], port[32];
};

/* "HOST:PORT", "[v6]:PORT", ":PORT" (any address). */
static enum suf_err split(struct suf_chan *c, const char *text, struct address *a)
{
	const char *colon = strrchr(text, ':'), *host = text;
	size_t n = colon ? (size_t)(colon - text) : 0;
	if (colon && n >= 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if (!colon || colon[1] == '\0' || n >= sizeof a->host || strlen(colon + 1) >= sizeof a->port)
		return chan_fail(c, SUF_EUSAGE, "'%s' is not an address; want HOST:PORT, [IPV6]:PORT or unix:PATH", text);
	memcpy(a->host, host, n);
	a->host[n] = '\0';
	strcpy(a->port, colon + 1);
	return SUF_OK;
}

static bool is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
	if (sa->sa_family == AF_INET6) {
		const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
		return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
	}
	return false;
}

static enum suf_err resolve(struct suf_chan *c, const struct suf_chan_config *cfg, const char *text, struct addrinfo **list)
{
	struct address a;
	enum suf_err err = split(c, text, &a);
	if (err)
		return err;
	struct addrinfo hint = { .ai_socktype = SOCK_STREAM, .ai_flags = cfg->listen ? AI_PASSIVE : 0 };
	int rc = getaddrinfo(a.host[0] ? a.host : NULL, a.port, &hint, list);
	if (rc != 0)
		return chan_fail(c, SUF_EIO, "address '%s': %s", text, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	for (struct addrinfo *i = *list; i && cfg->plain && !cfg->allow_remote_plain; i = i->ai_next)
		if (!is_loopback(i->ai_addr)) {
			freeaddrinfo(*list);
			return chan_fail(c, SUF_EUSAGE, "plain transport on '%s', which is not a loopback address, would let the network read along; "
				"use TLS, or allow remote plain transport by name", text);
		}
	return SUF_OK;
}

/* The kernel tunes the buffers of TCP by itself, further than SO_SNDBUF may go. */
static void tune_tcp(int fd)
{
	int one = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
}

static void tune_unix(int fd)
{
	int size = UNIX_SNDBUF;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static enum suf_err accept_one(struct suf_chan *c, int listener, const char *where, double deadline)
{
	for (;;) {
		if (!chan_wait(listener, POLLIN, deadline))
			return chan_fail(c, SUF_EIO, "nobody connected to %s within %g s", where, c->timeout_s);
		c->fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (c->fd >= 0)
			return SUF_OK;
		if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			return chan_fail(c, SUF_EIO, "accepting on %s: %s", where, strerror(errno));
	}
}

static enum suf_err listen_tcp(struct suf_chan *c, const struct suf_chan_config *cfg, double deadline)
{
	struct addrinfo *list;
	enum suf_err err = resolve(c, cfg, cfg->listen, &list);
	if (err)
		return err;
	int fd = -1, why = 0;
	for (struct addrinfo *i = list; i && fd < 0; i = i->ai_next) {
		int one = 1;
		fd = socket(i->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			why = errno;
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		if (bind(fd, i->ai_addr, i->ai_addrlen) != 0 || listen(fd, 1) != 0) {
			why = errno;
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	if (fd < 0)
		return chan_fail(c, SUF_EIO, "listening on %s: %s", cfg->listen, strerror(why));
	err = accept_one(c, fd, cfg->listen, deadline);
	close(fd);
	if (!err)
		tune_tcp(c->fd);
	return err;
}

static enum suf_err unix_address(struct suf_chan *c, const char *text, struct sockaddr_un *sa)
{
	const char *path = text + 5;
	memset(sa, 0, sizeof *sa);
	sa->sun_family = AF_UNIX;
	if (path[0] == '\0' || strlen(path) >= sizeof sa->sun_path)
		return chan_fail(c, SUF_EUSAGE, "'%s': the path of a Unix socket has 1 to %zu bytes", text, sizeof sa->sun_path - 1);
	strcpy(sa->sun_path, path);
	return SUF_OK;
}

/* A socket file that nobody listens on any more is in the way of bind. */
static void remove_stale(const struct sockaddr_un *sa)
{
	struct stat st;
	if (lstat(sa->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)(const void *)sa, sizeof *sa) != 0 && errno == ECONNREFUSED)
		unlink(sa->sun_path);
	close(fd);
}

static enum suf_err listen_unix(struct suf_chan *c, const struct suf_chan_config *cfg, double deadline)
{
	struct sockaddr_un sa;
	enum suf_err err = unix_address(c, cfg->listen, &sa);
	if (err)
		return err;
	remove_stale(&sa);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return chan_fail(c, SUF_EIO, "listening on %s: %s", cfg->listen, strerror(errno));
	fchmod(fd, 0600); /* Linux: the mode that bind gives the file */
	if (bind(fd, (const struct sockaddr *)(const void *)&sa, sizeof sa) != 0 || listen(fd, 1) != 0) {
		err = chan_fail(c, SUF_EIO, "listening on %s: %s", cfg->listen, strerror(errno));
		close(fd);
		return err;
	}
	err = accept_one(c, fd, cfg->listen, deadline);
	close(fd);
	unlink(sa.sun_path);
	if (!err)
		tune_unix(c->fd);
	return err;
}

/* Without a listener Linux may connect a socket to itself when the port lies in the range of ephemeral ports. */
static bool is_self(int fd)
{
	struct sockaddr_storage a, b;
	socklen_t na = sizeof a, nb = sizeof b;
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	return getsockname(fd, (struct sockaddr *)&a, &na) == 0 && getpeername(fd, (struct sockaddr *)&b, &nb) == 0 &&
		na == nb && memcmp(&a, &b, na) == 0;
}

/* One attempt; 0 or errno.  EADDRNOTAVAIL stands for a connection to itself. */
static int connect_once(int *to, int family, const struct sockaddr *sa, socklen_t n, double deadline)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), why = 0;
	if (fd < 0)
		return errno;
	if (connect(fd, sa, n) != 0) {
		why = errno;
		if (why == EINPROGRESS || why == EINTR) {
			socklen_t size = sizeof why;
			if (!chan_wait(fd, POLLOUT, deadline))
				why = ETIMEDOUT;
			else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) != 0)
				why = errno;
		}
	}
	if (why == 0 && family != AF_UNIX && is_self(fd))
		why = EADDRNOTAVAIL;
	if (why != 0) {
		close(fd);
		return why;
	}
	*to = fd;
	return 0;
}

static bool worth_a_retry(int why)
{
	return why == ECONNREFUSED || why == ENOENT || why == ETIMEDOUT || why == EAGAIN || why == EHOSTUNREACH || why == ENETUNREACH ||
		why == ECONNRESET || why == ECONNABORTED || why == EADDRNOTAVAIL;
}

static enum suf_err give_up(struct suf_chan *c, const char *where, int why)
{
	if (!worth_a_retry(why))
		return chan_fail(c, SUF_EIO, "connecting to %s: %s", where, strerror(why));
	return chan_fail(c, SUF_EIO, "connecting to %s: %s (tried for %g s; is the other party listening there?)", where, strerror(why), c->timeout_s);
}

static void pause_ms(int ms, double deadline)
{
	double left = (deadline - chan_now()) * 1e3;
	poll(NULL, 0, left < ms ? (left > 0 ? (int)left : 0) : ms);
}

static enum suf_err connect_tcp(struct suf_chan *c, const struct suf_chan_config *cfg, double deadline)
{
	struct addrinfo *list;
	enum suf_err err = resolve(c, cfg, cfg->connect, &list);
	if (err)
		return err;
	int why = 0;
	for (int ms = FIRST_PAUSE_MS; c->fd < 0; ms = ms * 2 < LONGEST_PAUSE_MS ? ms * 2 : LONGEST_PAUSE_MS) {
		bool again = false;
		for (struct addrinfo *i = list; i && c->fd < 0; i = i->ai_next) {
			int now = connect_once(&c->fd, i->ai_family, i->ai_addr, i->ai_addrlen, deadline);
			again |= worth_a_retry(now);
			why = now == ETIMEDOUT && why ? why : now; /* "refused" says more than that the time was up */
		}
		if (c->fd >= 0 || !again || chan_now() >= deadline)
			break;
		pause_ms(ms, deadline);
	}
	freeaddrinfo(list);
	if (c->fd < 0)
		return give_up(c, cfg->connect, why);
	tune_tcp(c->fd);
	return SUF_OK;
}

static enum suf_err connect_unix(struct suf_chan *c, const struct suf_chan_config *cfg, double deadline)
{
	struct sockaddr_un sa;
	enum suf_err err = unix_address(c, cfg->connect, &sa);
	if (err)
		return err;
	for (int ms = FIRST_PAUSE_MS;; ms = ms * 2 < LONGEST_PAUSE_MS ? ms * 2 : LONGEST_PAUSE_MS) {
		int why = connect_once(&c->fd, AF_UNIX, (const struct sockaddr *)(const void *)&sa, sizeof sa, deadline);
		if (why == 0)
			break;
		if (!worth_a_retry(why) || chan_now() >= deadline)
			return give_up(c, cfg->connect, why);
		pause_ms(ms, deadline);
	}
	tune_unix(c->fd);
	return SUF_OK;
}

enum suf_err chan_dial(struct suf_chan *c, const struct suf_chan_config *cfg, double deadline)
{
	const char *address = cfg->listen ? cfg->listen : cfg->connect;
	bool local = strncmp(address, "unix:", 5) == 0;
	if (cfg->listen)
		return local ? listen_unix(c, cfg, deadline) : listen_tcp(c, cfg, deadline);
	return local ? connect_unix(c, cfg, deadline) : connect_tcp(c, cfg, deadline);
}

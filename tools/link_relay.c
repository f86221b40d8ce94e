/* SPDX-License-Identifier: Apache-2.0
 * link_relay -- stands between two parties on one machine and makes their connection as slow as a given link:
 *   link_relay --listen 127.0.0.1:PORT --connect 127.0.0.1:PORT --gbps 0.4 --rtt-ms 40
 * Each direction has its own thread, a token bucket (bytes leave one after the other at the rate of the link) and a
 * delay line (each byte arrives half a round trip after it left).  Serves one connection, then ends. */
#define _GNU_SOURCE /* ppoll */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MIN_PIECE = 1500, MAX_PIECE = 1 << 18, MIN_QUEUE = 4 << 20, SPIN_NS = 60000, MOST_LATE_NS = 5000000, WAIT_S = 60 };

struct link { double ns_per_byte, delay_ns; };

/* What a read brought, and when its last byte arrives on the other side. */
struct piece { double due; size_t bytes, sent; uint8_t *data; struct piece *next; };
struct direction {
	const struct link *link;
	int from, to;
	struct piece *first, *last;
	size_t queued, room, most;       /* bytes; most: of one read */
	double free_at;                  /* when the link has sent all that was read so far */
	bool ended, failed;              /* the sender is done; somebody is gone */
};

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- one direction ---------------------------------------------------------------- */

/* recv, and when the bytes came: the kernel's time, because this thread may have woken up late. */
static ssize_t receive(const struct direction *d, uint8_t *buf, double *came)
{
	union { struct cmsghdr head; char room[CMSG_SPACE(sizeof(struct timespec))]; } control;
	struct iovec to = { buf, d->most };
	struct msghdr m = { .msg_iov = &to, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(d->from, &m, MSG_DONTWAIT);
	*came = now_ns();
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS) {
		struct timespec t, real;
		memcpy(&t, CMSG_DATA(c), sizeof t);
		clock_gettime(CLOCK_REALTIME, &real);
		double late = (double)(real.tv_sec - t.tv_sec) * 1e9 + (double)(real.tv_nsec - t.tv_nsec);
		*came -= late > 0 && late < MOST_LATE_NS ? late : 0;
	}
	return n;
}

static void take(struct direction *d, uint8_t *buf)
{
	double came;
	ssize_t n = receive(d, buf, &came);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		d->ended = true;
	if (n <= 0)
		return;
	struct piece *p = malloc(sizeof *p + (size_t)n);
	if (!p) {
		d->failed = true;
		return;
	}
	d->free_at = (d->free_at > came ? d->free_at : came) + (double)n * d->link->ns_per_byte;
	*p = (struct piece){ .due = d->free_at + d->link->delay_ns, .bytes = (size_t)n, .data = (uint8_t *)(p + 1) };
	memcpy(p->data, buf, (size_t)n);
	if (d->last)
		d->last->next = p;
	else
		d->first = p;
	d->last = p;
	d->queued += (size_t)n;
}

/* Hands over what is due, or as good as: a timer would wake up too late for a delay of a LAN.  True: the receiver takes no more for now. */
static bool give(struct direction *d)
{
	while (d->first && d->first->due <= now_ns() + SPIN_NS) {
		while (d->first->due > now_ns())
			continue;
		struct piece *p = d->first;
		ssize_t n = send(d->to, p->data + p->sent, p->bytes - p->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			d->failed |= errno != EAGAIN;
			return true;
		}
		p->sent += (size_t)n;
		if (p->sent < p->bytes)
			continue;
		d->queued -= p->bytes;
		d->first = p->next;
		d->last = d->first ? d->last : NULL;
		free(p);
	}
	return false;
}

static void wait_for_work(const struct direction *d, bool full)
{
	struct pollfd at[2] = { { .fd = d->ended || d->queued >= d->room ? -1 : d->from, .events = POLLIN },
	                        { .fd = full ? d->to : -1, .events = POLLOUT } };
	double left = d->first && !full ? d->first->due - SPIN_NS - now_ns() : 1e9;
	left = left > 0 ? left : 0;
	struct timespec t = { (time_t)(left / 1e9), (long)(left - (double)(time_t)(left / 1e9) * 1e9) };
	ppoll(at, 2, &t, NULL);
}

static void *carry(void *arg)
{
	struct direction *d = arg;
	uint8_t *buf = malloc(d->most);
	prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul); /* wake up when a piece is due, not 50 microseconds later */
	d->failed = !buf;
	while (!d->failed && !(d->ended && !d->first)) {
		bool full = give(d);
		if (d->failed || (d->ended && !d->first))
			break;
		wait_for_work(d, full);
		if (!d->ended && d->queued < d->room)
			take(d, buf);
	}
	shutdown(d->to, SHUT_WR);
	if (d->failed)
		shutdown(d->from, SHUT_RD);
	for (struct piece *p = d->first, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	free(buf);
	return NULL;
}

static void direction_init(struct direction *d, const struct link *l, int from, int to)
{
	double bytes_50us = l->ns_per_byte > 0 ? 50e3 / l->ns_per_byte : MAX_PIECE; /* a read must not hold up its first bytes for long */
	double window = l->ns_per_byte > 0 ? 4 * l->delay_ns / l->ns_per_byte : 0;  /* twice what is on the way in a round trip */
	*d = (struct direction){ .link = l, .from = from, .to = to };
	d->most = bytes_50us < MIN_PIECE ? MIN_PIECE : bytes_50us > MAX_PIECE ? MAX_PIECE : (size_t)bytes_50us;
	d->room = window < MIN_QUEUE ? MIN_QUEUE : (size_t)window;
}

/* ---- sockets ------------------------------------------------------------------------ */

static bool address(const char *text, struct sockaddr_in *a)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	char *end = NULL;
	if (!colon || (size_t)(colon - text) >= sizeof host)
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = 0;
	unsigned long port = strtoul(colon + 1, &end, 10);
	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	return colon[1] && !*end && port > 0 && port < 65536 && inet_pton(AF_INET, host, &a->sin_addr) == 1;
}

static int failed(const char *what)
{
	fprintf(stderr, "link_relay: %s: %s\n", what, strerror(errno));
	return -1;
}

static int accept_one(const struct sockaddr_in *a)
{
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return failed("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(fd, (const struct sockaddr *)a, sizeof *a) || listen(fd, 1)) {
		close(fd);
		return failed("listen");
	}
	struct pollfd at = { .fd = fd, .events = POLLIN };
	int got = -1;
	errno = ETIMEDOUT;
	if (poll(&at, 1, WAIT_S * 1000) == 1)
		got = accept(fd, NULL, NULL);
	close(fd);
	return got < 0 ? failed("accept") : got;
}

/* The listening party may start later. */
static int connect_to(const struct sockaddr_in *a)
{
	for (int tries = 0; tries < WAIT_S * 20; tries++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return failed("socket");
		if (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0)
			return fd;
		close(fd);
		if (errno != ECONNREFUSED)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	}
	return failed("connect");
}

static int serve(const struct sockaddr_in *from, const struct sockaddr_in *to, const struct link *l)
{
	struct direction d[2];
	pthread_t thread;
	int one = 1, a = accept_one(from), b = a < 0 ? -1 : connect_to(to);
	if (b < 0) {
		if (a >= 0)
			close(a);
		return 3;
	}
	setsockopt(a, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(b, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(a, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	setsockopt(b, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	direction_init(&d[0], l, a, b);
	direction_init(&d[1], l, b, a);
	if (pthread_create(&thread, NULL, carry, &d[0])) {
		failed("thread");
		return 3;
	}
	carry(&d[1]);
	pthread_join(thread, NULL);
	close(a);
	close(b);
	return 0;
}

/* ---- command line -------------------------------------------------------------------- */

struct args { const char *listen, *connect; double gbps, rtt_ms; };

static const struct argp_option options[] = {
	{ "listen", 'l', "HOST:PORT", 0, "Where the connecting party connects to", 0 },
	{ "connect", 'c', "HOST:PORT", 0, "Where the listening party listens", 0 },
	{ "gbps", 'b', "GBIT", 0, "Bandwidth of each direction in Gbit/s; 0 or absent: no limit", 0 },
	{ "rtt-ms", 'r', "MS", 0, "Round-trip time in milliseconds; default 0", 0 },
	{ 0 }
};

static double number(struct argp_state *state, const char *name, const char *arg)
{
	char *end;
	double x = strtod(arg, &end);
	if (end == arg || *end || !(x >= 0) || x > 1e6)
		argp_error(state, "--%s: expected a number, 0 or more, found '%s'", name, arg);
	return x;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	switch (key) {
	case 'l': a->listen = arg; break;
	case 'c': a->connect = arg; break;
	case 'b': a->gbps = number(state, "gbps", arg); break;
	case 'r': a->rtt_ms = number(state, "rtt-ms", arg); break;
	case ARGP_KEY_END:
		if (!a->listen || !a->connect)
			argp_error(state, "both --listen and --connect are needed");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL, "Forward one TCP connection over a link of given bandwidth and delay.", NULL, NULL, NULL };
	struct args a = { 0 };
	struct sockaddr_in from, to;
	argp_err_exit_status = 1;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (!address(a.listen, &from) || !address(a.connect, &to)) {
		fprintf(stderr, "link_relay: expected addresses like 127.0.0.1:7001, found '%s' and '%s'\n", a.listen, a.connect);
		return 1;
	}
	struct link l = { a.gbps > 0 ? 8 / a.gbps : 0, a.rtt_ms / 2 * 1e6 };
	return serve(&from, &to, &l);
}

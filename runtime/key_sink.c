/* SPDX-License-Identifier: Apache-2.0
 * key_sink.c -- where keys are written to: files, pipes, memory, nowhere.
 */
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "file.h"
#include "key.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SINK_BUFFER = 1 << 17, PIPE_SIZE = 1 << 20 };
enum sink_kind { SINK_FILE, SINK_FD, SINK_MEMORY, SINK_NULL };

struct suf_sink {
	enum sink_kind kind;
	struct suf_file file;
	int fd, flags;           /* SINK_FD, and how it was opened */
	uint8_t *buf;            /* SINK_MEMORY: all that was written */
	size_t at, have, cap;    /* not yet written: buf[at..have) */
	uint64_t bytes;
	enum suf_err err;        /* the first failure stays */
	char text[SUF_TEXT];
};

static struct suf_sink *sink_new(enum sink_kind kind, size_t cap)
{
	struct suf_sink *s = calloc(1, sizeof *s);
	uint8_t *buf = cap ? malloc(cap) : NULL;
	if (!s || (cap && !buf)) {
		free(s);
		free(buf);
		return NULL;
	}
	s->kind = kind;
	s->file.fd = s->fd = -1;
	s->buf = buf;
	s->cap = cap;
	return s;
}

static void sink_free(struct suf_sink *s)
{
	if (s->buf)
		prg_wipe(s->buf, s->cap);
	free(s->buf);
	free(s);
}

enum suf_err suf_sink_file(struct suf_sink **to, const char *path, char *text)
{
	*to = NULL;
	struct suf_sink *s = sink_new(SINK_FILE, SINK_BUFFER);
	if (!s)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	enum suf_err err = file_create(&s->file, path, 0600, text);
	if (err) {
		sink_free(s);
		return err;
	}
	*to = s;
	return SUF_OK;
}

enum suf_err suf_sink_fd(struct suf_sink **to, int fd, char *text)
{
	*to = NULL;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
		return text_fail(text, SUF_EIO, "descriptor %d: %s", fd, flags < 0 ? strerror(errno) : "not open for writing");
	struct suf_sink *s = sink_new(SINK_FD, SINK_BUFFER);
	if (!s)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE); /* fewer switches; failing is harmless (no pipe, or over the user's limit) */
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		sink_free(s);
		return text_fail(text, SUF_EIO, "descriptor %d: %s", fd, strerror(errno));
	}
	s->fd = fd;
	s->flags = flags;
	*to = s;
	return SUF_OK;
}

enum suf_err suf_sink_memory(struct suf_sink **to)
{
	*to = sink_new(SINK_MEMORY, SINK_BUFFER);
	return *to ? SUF_OK : SUF_ENOMEM;
}

enum suf_err suf_sink_null(struct suf_sink **to)
{
	*to = sink_new(SINK_NULL, 0);
	return *to ? SUF_OK : SUF_ENOMEM;
}

static size_t held(const struct suf_sink *s) { return s && s->kind == SINK_FD && !s->err ? s->have - s->at : 0; }

/* As much as the pipe takes now. */
static void push(struct suf_sink *s)
{
	while (held(s)) {
		ssize_t k = write(s->fd, s->buf + s->at, held(s));
		if (k >= 0)
			s->at += (size_t)k;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		else if (errno == EPIPE)
			s->err = text_fail(s->text, SUF_EIO, "descriptor %d: the reader of the key is gone after %llu bytes", s->fd,
				(unsigned long long)s->bytes);
		else if (errno != EINTR)
			s->err = text_fail(s->text, SUF_EIO, "descriptor %d: %s", s->fd, strerror(errno));
	}
	s->at = s->have = 0;
}

static enum suf_err first_error(struct suf_sink *const *sink, int n)
{
	for (int k = 0; k < n; k++)
		if (sink[k] && sink[k]->err)
			return sink[k]->err;
	return SUF_OK;
}

enum suf_err suf_sinks_flush(struct suf_sink *const *sink, int n, size_t least)
{
	struct pollfd wait[SUF_SINKS];
	struct sigpipe was;
	nfds_t waiting;
	size_t most = 0;
	for (int k = 0; k < n; k++)
		most = held(sink[k]) > most ? held(sink[k]) : most;
	if (most < least)
		return first_error(sink, n);
	sigpipe_hold(&was);
	do {
		waiting = 0;
		for (int k = 0; k < n; k++) {
			if (held(sink[k]))
				push(sink[k]);
			if (held(sink[k]))
				wait[waiting++] = (struct pollfd){ .fd = sink[k]->fd, .events = POLLOUT };
		}
	} while (waiting && !first_error(sink, n) && (poll(wait, waiting, -1) >= 0 || errno == EINTR));
	sigpipe_release(&was);
	return first_error(sink, n);
}

/* realloc would leave a copy of the key behind. */
static enum suf_err sink_grow(struct suf_sink *s, size_t need)
{
	size_t cap = s->cap;
	while (cap < need)
		cap *= 2;
	uint8_t *p = malloc(cap);
	if (!p)
		return s->err = text_fail(s->text, SUF_ENOMEM, "out of memory");
	memcpy(p, s->buf, s->have);
	prg_wipe(s->buf, s->cap);
	free(s->buf);
	s->buf = p;
	s->cap = cap;
	return SUF_OK;
}

/* What a file or a pipe still has to get */
static enum suf_err sink_empty(struct suf_sink *s)
{
	if (s->kind == SINK_FD)
		return suf_sinks_flush(&s, 1, 1);
	if (s->kind == SINK_FILE && !s->err && s->have > 0)
		s->err = file_put(&s->file, s->buf, s->have, s->text);
	if (s->kind == SINK_FILE)
		s->have = 0;
	return s->err;
}

enum suf_err suf_sink_write(struct suf_sink *s, const void *from, size_t n)
{
	if (s->err)
		return s->err;
	s->bytes += n;
	if (s->kind == SINK_NULL)
		return SUF_OK;
	if (s->kind == SINK_FILE && s->have + n > s->cap) {
		if (sink_empty(s))
			return s->err;
		if (n >= s->cap)
			return s->err = file_put(&s->file, from, n, s->text);
	}
	if (s->have + n > s->cap && sink_grow(s, s->have + n))
		return s->err;
	if (n > 0)
		memcpy(s->buf + s->have, from, n);
	s->have += n;
	return SUF_OK;
}

enum suf_err suf_sink_settle(struct suf_sink *s)
{
	if (sink_empty(s) == SUF_OK && s->kind == SINK_FILE)
		s->err = file_settle(&s->file, s->text);
	return s->err;
}

uint64_t suf_sink_bytes(const struct suf_sink *s) { return s->bytes; }
const uint8_t *suf_sink_data(const struct suf_sink *s) { return s->kind == SINK_MEMORY ? s->buf : NULL; }
const char *suf_sink_error(const struct suf_sink *s) { return s->text; }

enum suf_err suf_sink_close(struct suf_sink *s, bool keep, char *text)
{
	if (!s)
		return SUF_OK;
	enum suf_err err = keep ? sink_empty(s) : SUF_OK;
	if (s->kind == SINK_FD)
		fcntl(s->fd, F_SETFL, s->flags);
	if (s->kind == SINK_FILE) {
		enum suf_err closing = file_finish(&s->file, keep && !err, s->text);
		err = err ? err : closing;
	}
	if (err)
		snprintf(text, SUF_TEXT, "%s", s->text);
	sink_free(s);
	return err;
}

enum suf_err suf_sink_finish(struct suf_sink *s, bool keep)
{
	char ignored[SUF_TEXT];
	return suf_sink_close(s, keep, ignored);
}

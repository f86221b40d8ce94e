/* SPDX-License-Identifier: Apache-2.0
 * key_source.c -- where keys are read from: files, pipes, memory.
 */
#include "file.h"
#include "key.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOURCE_BUFFER = 1 << 17 };

struct suf_source {
	int fd;                  /* -1: memory */
	bool own;
	uint8_t *buf;            /* memory: the caller's */
	size_t at, have;         /* unread bytes are buf[at..have) */
	uint64_t bytes;
	char name[128], text[SUF_TEXT];
};

static enum suf_err source_new(struct suf_source **to, int fd, bool own, const char *name, char *text)
{
	struct suf_source *s = calloc(1, sizeof *s);
	uint8_t *buf = malloc(SOURCE_BUFFER);
	if (!s || !buf) {
		free(s);
		free(buf);
		if (own)
			close(fd);
		return text_fail(text, SUF_ENOMEM, "out of memory");
	}
	s->fd = fd;
	s->own = own;
	s->buf = buf;
	snprintf(s->name, sizeof s->name, "%s", name);
	*to = s;
	return SUF_OK;
}

enum suf_err suf_source_file(struct suf_source **to, const char *path, char *text)
{
	struct stat st;
	*to = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return text_fail(text, SUF_EIO, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd);
		return text_fail(text, SUF_EIO, "%s: %s", path, strerror(EISDIR));
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return source_new(to, fd, true, path, text);
}

enum suf_err suf_source_fd(struct suf_source **to, int fd, char *text)
{
	char name[32];
	*to = NULL;
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
		return text_fail(text, SUF_EIO, "descriptor %d: %s", fd, flags < 0 ? strerror(errno) : "not open for reading");
	snprintf(name, sizeof name, "descriptor %d", fd);
	return source_new(to, fd, false, name, text);
}

enum suf_err suf_source_memory(struct suf_source **to, const void *from, size_t n)
{
	struct suf_source *s = *to = calloc(1, sizeof *s);
	if (!s)
		return SUF_ENOMEM;
	s->fd = -1;
	s->buf = (uint8_t *)(uintptr_t)from; /* never written to: fd is -1 */
	s->have = n;
	strcpy(s->name, "key in memory");
	return SUF_OK;
}

/* At most n bytes straight from the descriptor; 0: end, -1: s->text is set. */
static ssize_t source_pull(struct suf_source *s, uint8_t *to, size_t n)
{
	for (;;) {
		ssize_t k = s->fd < 0 ? 0 : read(s->fd, to, n);
		if (k >= 0)
			return k;
		if (errno != EINTR) {
			text_fail(s->text, SUF_EIO, "%s: %s", s->name, strerror(errno));
			return -1;
		}
	}
}

enum suf_err suf_source_read(struct suf_source *s, void *to_, size_t n)
{
	uint8_t *to = to_;
	while (n > 0) {
		size_t k = s->have - s->at;
		if (k > 0) {
			k = k < n ? k : n;
			memcpy(to, s->buf + s->at, k);
			s->at += k;
		} else {
			bool direct = s->fd < 0 || n >= SOURCE_BUFFER;
			ssize_t got = source_pull(s, direct ? to : s->buf, direct ? n : SOURCE_BUFFER);
			if (got < 0)
				return SUF_EIO;
			if (got == 0)
				return text_fail(s->text, SUF_EPROTO, "%s: the key ends after %llu bytes, %zu more were expected", s->name,
					(unsigned long long)s->bytes, n);
			if (!direct) {
				s->at = 0;
				s->have = (size_t)got;
				continue;
			}
			k = (size_t)got;
		}
		to += k;
		n -= k;
		s->bytes += k;
	}
	return SUF_OK;
}

uint64_t suf_source_bytes(const struct suf_source *s) { return s->bytes; }
const char *suf_source_error(const struct suf_source *s) { return s->text; }

void suf_source_close(struct suf_source *s)
{
	if (!s)
		return;
	if (s->fd >= 0) {
		prg_wipe(s->buf, SOURCE_BUFFER);
		free(s->buf);
	}
	if (s->own)
		close(s->fd);
	free(s);
}

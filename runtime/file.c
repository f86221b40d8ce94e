/* SPDX-License-Identifier: Apache-2.0
 * file.c -- files that appear whole or not at all.
 */
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum suf_err text_fail(char *text, enum suf_err err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, SUF_TEXT, fmt, ap);
	va_end(ap);
	return err;
}

static int write_loop(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k < 0 && errno != EINTR)
			return errno;
		if (k > 0) {
			p += k;
			n -= (size_t)k;
		}
	}
	return 0;
}

static bool sigpipe_waits(void)
{
	sigset_t pending;
	sigpending(&pending);
	return sigismember(&pending, SIGPIPE) == 1;
}

/* A library leaves signal handlers alone: SIGPIPE is blocked in this thread, and the one that a broken pipe raised is eaten. */
void sigpipe_hold(struct sigpipe *was)
{
	sigemptyset(&was->pipe);
	sigaddset(&was->pipe, SIGPIPE);
	was->pending = sigpipe_waits();
	pthread_sigmask(SIG_BLOCK, &was->pipe, &was->old);
}

void sigpipe_release(const struct sigpipe *was)
{
	struct timespec none = { 0, 0 };
	if (!was->pending && sigpipe_waits())
		while (sigtimedwait(&was->pipe, NULL, &none) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &was->old, NULL);
}

int file_write_all(int fd, const void *from, size_t n)
{
	struct sigpipe was;
	sigpipe_hold(&was);
	int why = write_loop(fd, from, n);
	sigpipe_release(&was);
	return why;
}

int file_sync_dir(const char *path)
{
	char *copy = strdup(path);
	if (!copy)
		return ENOMEM;
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC), why = 0;
	free(copy);
	if (fd < 0)
		return errno;
	if (fsync(fd) != 0 && errno != EINVAL && errno != EROFS)
		why = errno;
	close(fd);
	return why;
}

static void release(struct suf_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f->tmp);
	*f = (struct suf_file){ .fd = -1 };
}

enum suf_err file_create(struct suf_file *f, const char *path, mode_t mode, char *text)
{
	struct stat st;
	*f = (struct suf_file){ .fd = -1, .path = strdup(path), .tmp = malloc(strlen(path) + 5) };
	if (!f->path || !f->tmp) {
		release(f);
		return text_fail(text, SUF_ENOMEM, "out of memory");
	}
	sprintf(f->tmp, "%s.tmp", path);
	f->direct = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
	if (f->direct)
		f->fd = open(path, O_WRONLY | O_CLOEXEC);
	else {
		unlink(f->tmp); /* left by a crash */
		f->fd = open(f->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	}
	if (f->fd < 0) {
		text_fail(text, SUF_EIO, "%s: %s", path, strerror(errno));
		release(f);
		return SUF_EIO;
	}
	return SUF_OK;
}

enum suf_err file_put(struct suf_file *f, const void *from, size_t n, char *text)
{
	int why = file_write_all(f->fd, from, n);
	return why ? text_fail(text, SUF_EIO, "%s: %s", f->path, strerror(why)) : SUF_OK;
}

enum suf_err file_put_at(struct suf_file *f, const void *from, size_t n, uint64_t offset, char *text)
{
	const uint8_t *p = from;
	while (n > 0) {
		ssize_t k = pwrite(f->fd, p, n, (off_t)offset);
		if (k < 0 && errno != EINTR)
			return text_fail(text, SUF_EIO, "%s: %s", f->path, strerror(errno));
		if (k > 0) {
			p += k;
			n -= (size_t)k;
			offset += (uint64_t)k;
		}
	}
	return SUF_OK;
}

enum suf_err file_settle(struct suf_file *f, char *text)
{
	if (!f->direct && fsync(f->fd) != 0)
		return text_fail(text, SUF_EIO, "%s: %s", f->path, strerror(errno));
	return SUF_OK;
}

enum suf_err file_finish(struct suf_file *f, bool keep, char *text)
{
	int why = 0;
	if (f->fd < 0)
		return SUF_OK;
	if (keep && !f->direct && fsync(f->fd) != 0)
		why = errno;
	if (close(f->fd) != 0 && why == 0 && keep)
		why = errno;
	f->fd = -1;
	if (!f->direct) {
		if (keep && why == 0 && rename(f->tmp, f->path) != 0)
			why = errno;
		if (!keep || why != 0)
			unlink(f->tmp);
		else
			why = file_sync_dir(f->path);
	}
	if (why)
		text_fail(text, SUF_EIO, "%s: %s", f->path, strerror(why));
	release(f);
	return why ? SUF_EIO : SUF_OK;
}

enum suf_err file_save(const char *path, mode_t mode, const void *from, size_t n, char *text)
{
	struct suf_file f;
	char ignored[SUF_TEXT];
	enum suf_err err = file_create(&f, path, mode, text);
	if (err)
		return err;
	err = file_put(&f, from, n, text);
	enum suf_err closing = file_finish(&f, !err, err ? ignored : text);
	return err ? err : closing;
}

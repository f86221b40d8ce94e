/* SPDX-License-Identifier: Apache-2.0
 * file.h -- files that appear whole or not at all: written as NAME.tmp, synced,
 * renamed.  Something that exists and is no regular file (a pipe, /dev/null)
 * is written directly.  Error texts name the path and the system's reason.
 */
#ifndef SUF_FILE_H
#define SUF_FILE_H
#include "suf.h"
#include <signal.h>
#include <sys/types.h>

struct suf_file {
	int fd;                  /* -1: not open */
	bool direct;             /* no temporary name */
	char *path, *tmp;
};
/* mode: 0600 for secrets. */
SUF_MUST_USE enum suf_err file_create(struct suf_file *, const char *path, mode_t mode, char *text);
SUF_MUST_USE enum suf_err file_put(struct suf_file *, const void *, size_t, char *text);
SUF_MUST_USE enum suf_err file_put_at(struct suf_file *, const void *, size_t, uint64_t offset, char *text);
SUF_MUST_USE enum suf_err file_settle(struct suf_file *, char *text); /* sync, still under the temporary name */
/* Sync and give the file its name; on failure, or when keep is false, remove it.  Closes in every case. */
SUF_MUST_USE enum suf_err file_finish(struct suf_file *, bool keep, char *text);
/* Create and finish in one call. */
SUF_MUST_USE enum suf_err file_save(const char *path, mode_t mode, const void *, size_t, char *text);

/* Between hold and release a broken pipe gives EPIPE and no SIGPIPE to this thread. */
struct sigpipe { sigset_t pipe, old; bool pending; };
void sigpipe_hold(struct sigpipe *);
void sigpipe_release(const struct sigpipe *);
/* All bytes to any descriptor; EPIPE instead of SIGPIPE.  0 or errno. */
int file_write_all(int fd, const void *, size_t);
/* Sync the folder in which path lies, so that a new name survives a crash.  0 or errno. */
int file_sync_dir(const char *path);
enum suf_err text_fail(char *text, enum suf_err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#endif

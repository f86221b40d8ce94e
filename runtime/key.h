/* SPDX-License-Identifier: Apache-2.0
 * key.h -- key streams: header, then each step's material in program order.
 *
 * Header (fixed size SUF_KEY_HEADER, little-endian): magic "SUFKEY01", kind (party 0, party 1, client,
 * owner), program hash, key id (16 random bytes, the same in all files of one session), session
 * nonce for tree tweaks, the party's seed, the epoch id (of public weights: half of their SHA-256) and the party's model-mask seed, the
 * body length in bytes, SHA-256 of the header before it.  A party key that acts for
 * the client too carries the client's seed (flag).
 *
 * Reader and writer work on files, pipes and sockets alike and never seek.  The
 * writer of a file writes to NAME.tmp, fsyncs and renames; a failure removes it.
 */
#ifndef SUF_KEY_H
#define SUF_KEY_H
#include "prg.h"

enum suf_key_kind { SUF_KEY_P0 = 0, SUF_KEY_P1 = 1, SUF_KEY_CLIENT = 2, SUF_KEY_OWNER = 3 };
enum { SUF_KEY_HEADER = 256 };
struct suf_key_head {
	enum suf_key_kind kind;
	uint8_t program[32], id[16], epoch[16];
	uint64_t session;            /* nonce of the tree tweaks */
	struct prg_seed seed;        /* this party's streams (kind CLIENT: the client's; OWNER: model-mask seed of party 0) */
	struct prg_seed model_seed;  /* this party's model-mask seed (OWNER: of party 1) */
	struct prg_seed client_seed; /* when has_client */
	bool has_client;             /* this party acts for the client */
	bool outside_client;         /* the client stands outside: both parties get masked inputs and give masked outputs */
	uint64_t body_bytes;         /* after the header; exact */
};
void suf_key_head_put(uint8_t to[SUF_KEY_HEADER], const struct suf_key_head *);
SUF_MUST_USE enum suf_err suf_key_head_get(struct suf_key_head *, const uint8_t from[SUF_KEY_HEADER], char *err);

struct suf_sink;   /* where a key is written to */
SUF_MUST_USE enum suf_err suf_sink_file(struct suf_sink **, const char *path, char *err);
SUF_MUST_USE enum suf_err suf_sink_fd(struct suf_sink **, int fd, char *err);        /* a pipe or socket: non-blocking until finish, which leaves it open */
SUF_MUST_USE enum suf_err suf_sink_memory(struct suf_sink **);                       /* tests */
SUF_MUST_USE enum suf_err suf_sink_null(struct suf_sink **);                         /* counts only */
SUF_MUST_USE enum suf_err suf_sink_write(struct suf_sink *, const void *, size_t);   /* buffered */
/* Pipes: once one of the n <= SUF_SINKS sinks holds `least` bytes (> 0), all that they hold is written, to each as its reader takes it: a
 * reader that waits for another's key keeps nobody waiting.  Until then a pipe's bytes stay in memory.  Files: nothing.  NULLs are allowed. */
enum { SUF_SINKS = 3, SUF_SINK_PIECE = 1 << 16 }; /* the second: what a dealer flushes at once, if no step ends before */
SUF_MUST_USE enum suf_err suf_sinks_flush(struct suf_sink *const *, int n, size_t least);
SUF_MUST_USE enum suf_err suf_sink_settle(struct suf_sink *);                        /* files: on the disk, under the temporary name */
uint64_t suf_sink_bytes(const struct suf_sink *);
const uint8_t *suf_sink_data(const struct suf_sink *);                               /* memory sinks */
const char *suf_sink_error(const struct suf_sink *);
SUF_MUST_USE enum suf_err suf_sink_finish(struct suf_sink *, bool keep);             /* flush, fsync, rename; keep false: remove. Frees. */
SUF_MUST_USE enum suf_err suf_sink_close(struct suf_sink *, bool keep, char *err);   /* the same, with the text of a failure; NULL sink is allowed */

struct suf_source; /* where a key is read from */
SUF_MUST_USE enum suf_err suf_source_file(struct suf_source **, const char *path, char *err); /* a FIFO works too */
SUF_MUST_USE enum suf_err suf_source_fd(struct suf_source **, int fd, char *err);
SUF_MUST_USE enum suf_err suf_source_memory(struct suf_source **, const void *, size_t);
SUF_MUST_USE enum suf_err suf_source_read(struct suf_source *, void *, size_t); /* exactly; an earlier end of the key is SUF_EPROTO */
uint64_t suf_source_bytes(const struct suf_source *);
const char *suf_source_error(const struct suf_source *);
void suf_source_close(struct suf_source *);

/* Claim the single use of a key, durably, before the first masked byte leaves:
 * creates DIR/<id>.p<role>.used (a client's: .client.used) with O_EXCL and fsyncs it and the folder.  SUF_EREUSE
 * when it exists. */
SUF_MUST_USE enum suf_err suf_key_claim(const char *dir, const struct suf_key_head *, char *err);
SUF_MUST_USE enum suf_err suf_key_unused(const char *dir, const struct suf_key_head *, char *err); /* only looks */
void suf_key_name(const struct suf_key_head *, char to[64]);  /* "<id>.p0", ".p1", ".client", ".owner" */
void suf_hex(const uint8_t *, size_t, char *to);     /* lower case, 2n characters and the NUL */
#endif

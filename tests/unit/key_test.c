/* SPDX-License-Identifier: Apache-2.0
 * key_test.c -- key headers, sinks and sources of every kind, the single use
 * of a key, full disks and readers that went away.
 */
#define _GNU_SOURCE /* asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "key.h"
#include <fcntl.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/suf-key-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char *cmd = NULL;
	(void)state;
	int rc = asprintf(&cmd, "rm -r '%s'", dir) < 0 ? -1 : system(cmd);
	free(cmd);
	return rc;
}

static char *at(const char *name)
{
	char *path = NULL;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

static void fill(void *to, size_t n) { assert_int_equal(RAND_bytes(to, (int)n), 1); }

static struct suf_key_head random_head(enum suf_key_kind kind)
{
	struct suf_key_head h;
	memset(&h, 0, sizeof h);
	h.kind = kind;
	fill(h.program, sizeof h.program);
	fill(h.id, sizeof h.id);
	fill(h.epoch, sizeof h.epoch);
	fill(&h.session, sizeof h.session);
	fill(&h.seed, sizeof h.seed);
	fill(&h.model_seed, sizeof h.model_seed);
	fill(&h.body_bytes, sizeof h.body_bytes);
	return h;
}

static void header_comes_back(void **state)
{
	uint8_t raw[SUF_KEY_HEADER];
	char text[256];
	(void)state;
	for (int k = 0; k < 8; k++) {
		struct suf_key_head h = random_head((enum suf_key_kind)(k & 3)), back;
		h.has_client = k & 4;
		h.outside_client = k & 1;
		if (h.has_client)
			fill(&h.client_seed, sizeof h.client_seed);
		suf_key_head_put(raw, &h);
		assert_int_equal(suf_key_head_get(&back, raw, text), SUF_OK);
		assert_int_equal(back.kind, h.kind);
		assert_int_equal(back.has_client, h.has_client);
		assert_int_equal(back.outside_client, h.outside_client);
		assert_memory_equal(back.program, h.program, 32);
		assert_memory_equal(back.id, h.id, 16);
		assert_memory_equal(back.epoch, h.epoch, 16);
		assert_memory_equal(&back.seed, &h.seed, 16);
		assert_memory_equal(&back.model_seed, &h.model_seed, 16);
		assert_memory_equal(&back.client_seed, &h.client_seed, 16);
		assert_true(back.session == h.session && back.body_bytes == h.body_bytes);
	}
}

static void every_damaged_header_is_refused(void **state)
{
	struct suf_key_head h = random_head(SUF_KEY_P1), back;
	uint8_t raw[SUF_KEY_HEADER];
	char text[256];
	(void)state;
	suf_key_head_put(raw, &h);
	for (size_t i = 0; i < 8 * sizeof raw; i++) {
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(suf_key_head_get(&back, raw, text), SUF_EPROTO);
		raw[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(suf_key_head_get(&back, raw, text), SUF_OK);
}

/* A right digest over a kind, flag or byte that this version does not know. */
static void headers_of_newer_versions_are_refused(void **state)
{
	struct suf_key_head h = random_head(SUF_KEY_P1), back;
	uint8_t raw[SUF_KEY_HEADER];
	char text[256];
	(void)state;
	const size_t at_byte[] = { 8, 11, 12, 15, 144, 223 };
	for (size_t i = 0; i < sizeof at_byte / sizeof at_byte[0]; i++) {
		suf_key_head_put(raw, &h);
		raw[at_byte[i]] = 0x44;
		SHA256(raw, 224, raw + 224);
		assert_int_equal(suf_key_head_get(&back, raw, text), SUF_EPROTO);
		assert_non_null(strstr(text, "newer version"));
	}
}

/* Pieces of many sizes, across the buffer's size. */
static const size_t piece[] = { 1, 7, 256, 100000, 131072, 5, 400001, 64, 131071, 3 };
enum { PIECES = sizeof piece / sizeof piece[0] };

static size_t total(void)
{
	size_t n = 0;
	for (int i = 0; i < PIECES; i++)
		n += piece[i];
	return n;
}

static void write_pieces(struct suf_sink *s, const uint8_t *data)
{
	for (int i = 0; i < PIECES; data += piece[i], i++) {
		assert_int_equal(suf_sink_write(s, data, piece[i]), SUF_OK);
		if (i % 3 == 0)
			assert_int_equal(suf_sinks_flush(&s, 1, 1), SUF_OK);
	}
	assert_int_equal(suf_sink_bytes(s), total());
}

static void read_pieces(struct suf_source *s, const uint8_t *data)
{
	uint8_t *got = malloc(total());
	for (int i = PIECES - 1; i >= 0; data += piece[i], i--) {
		assert_int_equal(suf_source_read(s, got, piece[i]), SUF_OK);
		assert_memory_equal(got, data, piece[i]);
	}
	assert_int_equal(suf_source_bytes(s), total());
	assert_int_equal(suf_source_read(s, got, 1), SUF_EPROTO);
	assert_non_null(strstr(suf_source_error(s), "the key ends after 762480 bytes"));
	free(got);
}

static void memory_and_null(void **state)
{
	struct suf_sink *s;
	struct suf_source *r;
	uint8_t *data = malloc(total());
	(void)state;
	fill(data, total());
	assert_int_equal(suf_sink_null(&s), SUF_OK);
	write_pieces(s, data);
	assert_int_equal(suf_sink_finish(s, true), SUF_OK);
	assert_int_equal(suf_sink_memory(&s), SUF_OK);
	write_pieces(s, data);
	assert_memory_equal(suf_sink_data(s), data, total());
	assert_int_equal(suf_source_memory(&r, suf_sink_data(s), total()), SUF_OK);
	read_pieces(r, data);
	suf_source_close(r);
	assert_int_equal(suf_sink_finish(s, true), SUF_OK);
	free(data);
}

static void file_appears_whole_and_private(void **state)
{
	struct suf_sink *s;
	struct suf_source *r;
	struct stat st;
	char text[256], *path = at("a.key"), *tmp = at("a.key.tmp");
	uint8_t *data = malloc(total());
	(void)state;
	fill(data, total());
	assert_int_equal(suf_sink_file(&s, path, text), SUF_OK);
	write_pieces(s, data);
	assert_int_not_equal(stat(path, &st), 0);
	assert_int_equal(suf_sink_finish(s, true), SUF_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, total());
	assert_int_not_equal(stat(tmp, &st), 0);
	assert_int_equal(suf_source_file(&r, path, text), SUF_OK);
	read_pieces(r, data);
	suf_source_close(r);

	assert_int_equal(suf_sink_file(&s, path, text), SUF_OK); /* dropped: the old file stays */
	assert_int_equal(suf_sink_write(s, data, 10), SUF_OK);
	assert_int_equal(suf_sink_finish(s, false), SUF_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, total());
	assert_int_not_equal(stat(tmp, &st), 0);

	assert_int_equal(suf_sink_file(&s, "/nonexistent/x.key", text), SUF_EIO);
	assert_string_equal(text, "/nonexistent/x.key: No such file or directory");
	assert_int_equal(suf_source_file(&r, "/nonexistent/x.key", text), SUF_EIO);
	assert_int_equal(suf_source_file(&r, dir, text), SUF_EIO);
	assert_non_null(strstr(text, "Is a directory"));
	free(path);
	free(tmp);
	free(data);
}

static void full_disk_is_named(void **state)
{
	struct suf_sink *s;
	char text[256];
	uint8_t byte = 9;
	(void)state;
	assert_int_equal(suf_sink_file(&s, "/dev/full", text), SUF_OK);
	assert_int_equal(suf_sink_write(s, &byte, 1), SUF_OK);
	assert_int_equal(suf_sink_settle(s), SUF_EIO);
	assert_string_equal(suf_sink_error(s), "/dev/full: No space left on device");
	assert_int_equal(suf_sink_write(s, &byte, 1), SUF_EIO); /* stays failed */
	assert_int_equal(suf_sink_close(s, true, text), SUF_EIO);
	assert_non_null(strstr(text, "No space left"));
}

struct pump { struct suf_sink *sink; const uint8_t *data; };

static void *pump(void *arg)
{
	struct pump *p = arg;
	write_pieces(p->sink, p->data);
	assert_int_equal(suf_sinks_flush(&p->sink, 1, 1), SUF_OK);
	return NULL;
}

static void pipes(void **state)
{
	int fd[2];
	char text[256];
	uint8_t *data = malloc(total());
	struct suf_source *r;
	pthread_t t;
	struct pump p = { NULL, data };
	(void)state;
	fill(data, total());
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(suf_sink_fd(&p.sink, fd[0], text), SUF_EIO); /* the wrong end */
	assert_int_equal(suf_sink_fd(&p.sink, fd[1], text), SUF_OK);
	assert_int_equal(suf_source_fd(&r, fd[0], text), SUF_OK);
	pthread_create(&t, NULL, pump, &p);
	uint8_t *got = malloc(total());
	assert_int_equal(suf_source_read(r, got, total()), SUF_OK);
	assert_memory_equal(got, data, total());
	pthread_join(t, NULL);
	suf_source_close(r);
	close(fd[0]);
	assert_int_equal(suf_sink_write(p.sink, data, 3), SUF_OK);
	assert_int_equal(suf_sinks_flush(&p.sink, 1, 1), SUF_EIO); /* and no SIGPIPE */
	assert_non_null(strstr(suf_sink_error(p.sink), "the reader of the key is gone"));
	assert_int_equal(suf_sink_finish(p.sink, true), SUF_EIO);
	close(fd[1]);
	free(got);
	free(data);
}

/* Both keys into pipes, a piece of each at a time. */
struct pair_pump { struct suf_sink *sink[2]; const uint8_t *data; size_t bytes; };

static void *pair_pump(void *arg)
{
	struct pair_pump *p = arg;
	for (size_t at = 0; at < p->bytes; at += 1000) {
		for (int k = 0; k < 2; k++)
			assert_int_equal(suf_sink_write(p->sink[k], p->data + at, 1000), SUF_OK);
		assert_int_equal(suf_sinks_flush(p->sink, 2, SUF_SINK_PIECE), SUF_OK);
	}
	assert_int_equal(suf_sinks_flush(p->sink, 2, 1), SUF_OK);
	return NULL;
}

/* Whichever reader comes first, by almost a pipe, it gets its key though the other one does not read yet and its pipe is full. */
static void readers_do_not_wait_for_each_other(void **state)
{
	enum { BYTES = 4000000, SPARE = 8192 };
	uint8_t *data = malloc(BYTES), *got = malloc(BYTES);
	char text[256];
	(void)state;
	fill(data, BYTES);
	for (int first = 0; first < 2; first++) {
		int fd[2][2];
		struct pair_pump p = { .data = data, .bytes = BYTES };
		struct suf_source *from[2];
		pthread_t t;
		for (int k = 0; k < 2; k++) {
			assert_int_equal(pipe(fd[k]), 0);
			assert_int_equal(suf_sink_fd(&p.sink[k], fd[k][1], text), SUF_OK);
			assert_int_equal(suf_source_fd(&from[k], fd[k][0], text), SUF_OK);
		}
		pthread_create(&t, NULL, pair_pump, &p);
		const size_t ahead = (size_t)fcntl(fd[0][1], F_GETPIPE_SZ) - SPARE;
		for (size_t at = 0; at < BYTES; at += ahead) {
			const size_t n = BYTES - at < ahead ? BYTES - at : ahead;
			for (int k = 0; k < 2; k++) {
				assert_int_equal(suf_source_read(from[first ^ k], got, n), SUF_OK);
				assert_memory_equal(got, data + at, n);
			}
		}
		pthread_join(t, NULL);
		for (int k = 0; k < 2; k++) {
			suf_source_close(from[k]);
			assert_int_not_equal(fcntl(fd[k][1], F_GETFL) & O_NONBLOCK, 0);
			assert_int_equal(suf_sink_finish(p.sink[k], true), SUF_OK);
			assert_int_equal(fcntl(fd[k][1], F_GETFL) & O_NONBLOCK, 0);
			close(fd[k][0]);
			close(fd[k][1]);
		}
	}
	free(data);
	free(got);
}

static void *claim(void *arg)
{
	char text[256];
	return (void *)(intptr_t)suf_key_claim(dir, arg, text);
}

static void a_key_is_claimed_once(void **state)
{
	struct suf_key_head h = random_head(SUF_KEY_P0);
	char text[256];
	pthread_t t[8];
	int won = 0;
	(void)state;
	for (int i = 0; i < 8; i++)
		pthread_create(&t[i], NULL, claim, &h);
	for (int i = 0; i < 8; i++) {
		void *rc;
		pthread_join(t[i], &rc);
		won += (intptr_t)rc == SUF_OK;
		assert_true((intptr_t)rc == SUF_OK || (intptr_t)rc == SUF_EREUSE);
	}
	assert_int_equal(won, 1);
	assert_int_equal(suf_key_claim(dir, &h, text), SUF_EREUSE);
	assert_non_null(strstr(text, "was used before"));
	h.kind = SUF_KEY_P1; /* the other party's half is its own key */
	assert_int_equal(suf_key_claim(dir, &h, text), SUF_OK);
	h.id[15] ^= 1;
	assert_int_equal(suf_key_claim(dir, &h, text), SUF_OK);
	assert_int_equal(suf_key_claim("/nonexistent", &h, text), SUF_EIO);
	assert_non_null(strstr(text, "No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_comes_back), cmocka_unit_test(every_damaged_header_is_refused),
		cmocka_unit_test(headers_of_newer_versions_are_refused), cmocka_unit_test(memory_and_null),
		cmocka_unit_test(file_appears_whole_and_private), cmocka_unit_test(full_disk_is_named), cmocka_unit_test(pipes),
		cmocka_unit_test(readers_do_not_wait_for_each_other),
		cmocka_unit_test(a_key_is_claimed_once),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

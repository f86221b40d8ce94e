/* SPDX-License-Identifier: Apache-2.0
 * key.c -- key headers, and the durable claim of a key's single use.
 */
#include "key.h"
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Byte offsets of the header; what lies between is zero. */
enum {
	AT_MAGIC = 0, AT_KIND = 8, AT_FLAGS = 12, AT_PROGRAM = 16, AT_ID = 48, AT_EPOCH = 64, AT_SESSION = 80, AT_BODY = 88,
	AT_SEED = 96, AT_MODEL_SEED = 112, AT_CLIENT_SEED = 128, AT_ZERO = 144, AT_DIGEST = 224
};
enum { FLAG_CLIENT = 1, FLAG_OUTSIDE = 2 };
static const char magic[8] = "SUFKEY01";

static bool digest(const uint8_t *head, uint8_t to[32])
{
	unsigned n = 0;
	return EVP_Digest(head, AT_DIGEST, to, &n, EVP_sha256(), NULL) == 1 && n == 32;
}

void suf_key_head_put(uint8_t to[SUF_KEY_HEADER], const struct suf_key_head *h)
{
	uint32_t kind = h->kind, flags = (h->has_client ? FLAG_CLIENT : 0) | (h->outside_client ? FLAG_OUTSIDE : 0);
	memset(to, 0, SUF_KEY_HEADER);
	memcpy(to + AT_MAGIC, magic, sizeof magic);
	memcpy(to + AT_KIND, &kind, sizeof kind);
	memcpy(to + AT_FLAGS, &flags, sizeof flags);
	memcpy(to + AT_PROGRAM, h->program, sizeof h->program);
	memcpy(to + AT_ID, h->id, sizeof h->id);
	memcpy(to + AT_EPOCH, h->epoch, sizeof h->epoch);
	memcpy(to + AT_SESSION, &h->session, sizeof h->session);
	memcpy(to + AT_BODY, &h->body_bytes, sizeof h->body_bytes);
	memcpy(to + AT_SEED, &h->seed, sizeof h->seed);
	memcpy(to + AT_MODEL_SEED, &h->model_seed, sizeof h->model_seed);
	if (h->has_client)
		memcpy(to + AT_CLIENT_SEED, &h->client_seed, sizeof h->client_seed);
	digest(to, to + AT_DIGEST);
}

enum suf_err suf_key_head_get(struct suf_key_head *h, const uint8_t from[SUF_KEY_HEADER], char *text)
{
	uint8_t want[32];
	uint32_t kind, flags;
	memset(h, 0, sizeof *h);
	if (memcmp(from + AT_MAGIC, magic, sizeof magic) != 0)
		return text_fail(text, SUF_EPROTO, "not a key: it does not begin with \"%.8s\"", magic);
	if (!digest(from, want) || memcmp(want, from + AT_DIGEST, sizeof want) != 0)
		return text_fail(text, SUF_EPROTO, "the header of the key is damaged (its SHA-256 does not match)");
	memcpy(&kind, from + AT_KIND, sizeof kind);
	memcpy(&flags, from + AT_FLAGS, sizeof flags);
	bool rest = false;
	for (int i = AT_ZERO; i < AT_DIGEST; i++)
		rest |= from[i] != 0;
	if (kind > SUF_KEY_OWNER || (flags & ~(uint32_t)(FLAG_CLIENT | FLAG_OUTSIDE)) || rest)
		return text_fail(text, SUF_EPROTO, "the key was made by a newer version (kind %u, flags %u)", kind, flags);
	h->kind = (enum suf_key_kind)kind;
	h->has_client = flags & FLAG_CLIENT;
	h->outside_client = flags & FLAG_OUTSIDE;
	memcpy(h->program, from + AT_PROGRAM, sizeof h->program);
	memcpy(h->id, from + AT_ID, sizeof h->id);
	memcpy(h->epoch, from + AT_EPOCH, sizeof h->epoch);
	memcpy(&h->session, from + AT_SESSION, sizeof h->session);
	memcpy(&h->body_bytes, from + AT_BODY, sizeof h->body_bytes);
	memcpy(&h->seed, from + AT_SEED, sizeof h->seed);
	memcpy(&h->model_seed, from + AT_MODEL_SEED, sizeof h->model_seed);
	memcpy(&h->client_seed, from + AT_CLIENT_SEED, sizeof h->client_seed);
	return SUF_OK;
}

void suf_hex(const uint8_t *from, size_t n, char *to)
{
	for (size_t i = 0; i < n; i++)
		sprintf(to + 2 * i, "%02x", from[i]);
}

void suf_key_name(const struct suf_key_head *h, char to[64])
{
	static const char *const suffix[] = { "p0", "p1", "client", "owner" };
	suf_hex(h->id, sizeof h->id, to);
	sprintf(to + 2 * sizeof h->id, ".%s", suffix[h->kind]);
}

static char *used_path(const char *dir, const struct suf_key_head *h)
{
	char name[64], *path = malloc(strlen(dir) + sizeof name + 8);
	suf_key_name(h, name);
	if (path)
		sprintf(path, "%s/%s.used", dir, name);
	return path;
}

static enum suf_err was_used(char *text, const struct suf_key_head *h, const char *path)
{
	char name[64];
	suf_key_name(h, name);
	return text_fail(text, SUF_EREUSE, "key %s was used before (%s exists); a key works once: take a new one from the dealer", name, path);
}

enum suf_err suf_key_unused(const char *dir, const struct suf_key_head *h, char *text)
{
	char *path = used_path(dir, h);
	if (!path)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	enum suf_err err = access(path, F_OK) == 0 ? was_used(text, h, path) : SUF_OK;
	if (!err && access(dir, W_OK | X_OK) != 0)
		err = text_fail(text, SUF_EIO, "%s: the use of the key has to be recorded there: %s", dir, strerror(errno));
	free(path);
	return err;
}

enum suf_err suf_key_claim(const char *dir, const struct suf_key_head *h, char *text)
{
	char *path = used_path(dir, h);
	enum suf_err err = SUF_OK;
	int why = 0;
	if (!path)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		why = errno;
	else {
		if (fsync(fd) != 0)
			why = errno;
		close(fd);
		if (why == 0)
			why = file_sync_dir(path);
	}
	/* When syncing fails the file stays: a key that may have been claimed is used up. */
	if (why == EEXIST)
		err = was_used(text, h, path);
	else if (why)
		err = text_fail(text, SUF_EIO, "claiming a key: %s: %s", path, strerror(why));
	free(path);
	return err;
}

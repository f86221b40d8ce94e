/* SPDX-License-Identifier: Apache-2.0
 * weights.c -- reading files of model weights.  The file may come from anybody:
 * every number in it is checked before it is used.
 */
#include "weights_priv.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct suf_weights {
	uint8_t *map; size_t bytes;
	enum suf_weights_kind kind;
	uint8_t program[32], epoch[16], tag[16];
	uint32_t count;
	struct suf_weights_tensor *tensor;
	char *names;
};

bool weights_digest(const uint8_t *head, const uint8_t *table, size_t table_bytes, uint8_t to[32])
{
	unsigned n = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(md, head, WEIGHTS_AT_DIGEST) == 1 &&
		EVP_DigestUpdate(md, table, table_bytes) == 1 && EVP_DigestFinal_ex(md, to, &n) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

/* Elements of a tensor; false when a dimension or the product is no sensible size. */
bool weights_elems(uint32_t rank, const int64_t *dim, uint64_t *count)
{
	*count = 1;
	for (uint32_t i = 0; i < rank; i++)
		if (dim[i] < 1 || __builtin_mul_overflow(*count, (uint64_t)dim[i], count) || *count > UINT64_MAX / 64)
			return false;
	return true;
}

static uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static uint64_t get64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }

/* One entry at *at (inside the table of `end` bytes); advances *at and *name. */
static bool read_entry(const struct suf_weights *w, struct suf_weights_tensor *t, const uint8_t *table, uint64_t end, uint64_t *at, char **name)
{
	if (end - *at < WEIGHTS_ENTRY)
		return false;
	const uint8_t *e = table + *at;
	uint64_t name_bytes = get32(e), offset = get64(e + 16);
	t->rank = get32(e + 4);
	t->bits = e[8];
	t->frac = e[9];
	t->width = e[10];
	if (t->rank > 8 || t->bits < 1 || t->bits > 64 || t->frac > 63 || e[11] != 0 || get32(e + 12) != 0)
		return false;
	if (t->width != 8 && (w->kind == SUF_WEIGHTS_MASKED || (t->width != 2 && t->width != 4)))
		return false;
	uint64_t size = (WEIGHTS_ENTRY + 8ull * t->rank + name_bytes + 7) / 8 * 8;
	if (size > end - *at)
		return false;
	memcpy(t->dim, e + WEIGHTS_ENTRY, 8ull * t->rank);
	if (!weights_elems(t->rank, t->dim, &t->count))
		return false;
	if (offset % 64 != 0 || offset < WEIGHTS_HEADER + end || offset > w->bytes || t->count * t->width > w->bytes - offset)
		return false;
	t->data = w->map + offset;
	t->name = *name;
	memcpy(*name, e + WEIGHTS_ENTRY + 8ull * t->rank, name_bytes);
	(*name)[name_bytes] = '\0';
	*name += name_bytes + 1;
	*at += size;
	return true;
}

static enum suf_err read_table(struct suf_weights *w, const char *path, char *text)
{
	const uint8_t *head = w->map, *table = w->map + WEIGHTS_HEADER;
	uint8_t digest[32];
	if (w->bytes < WEIGHTS_HEADER || memcmp(head, WEIGHTS_MAGIC, 8) != 0)
		return text_fail(text, SUF_EPROTO, "%s: not a weights file (it does not begin with \"%s\")", path, WEIGHTS_MAGIC);
	uint64_t table_bytes = get64(head + 64), file_bytes = get64(head + 72);
	w->count = get32(head + 12);
	if (file_bytes != w->bytes)
		return text_fail(text, SUF_EPROTO, "%s: %zu bytes long, %llu by its header: is it cut off?", path, w->bytes, (unsigned long long)file_bytes);
	if (get32(head + 8) > SUF_WEIGHTS_MASKED || table_bytes > w->bytes - WEIGHTS_HEADER || w->count > table_bytes / WEIGHTS_ENTRY)
		return text_fail(text, SUF_EPROTO, "%s: the header is damaged", path);
	if (!weights_digest(head, table, table_bytes, digest) || memcmp(digest, head + WEIGHTS_AT_DIGEST, 32) != 0)
		return text_fail(text, SUF_EPROTO, "%s: the header is damaged (its SHA-256 does not match)", path);
	w->kind = (enum suf_weights_kind)get32(head + 8);
	memcpy(w->program, head + 16, 32);
	memcpy(w->epoch, head + 48, 16);
	memcpy(w->tag, head + 80, 16);
	w->tensor = calloc(w->count ? w->count : 1, sizeof *w->tensor);
	char *name = w->names = malloc(table_bytes + w->count + 1);
	if (!w->tensor || !w->names)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	uint64_t at = 0;
	for (uint32_t i = 0; i < w->count; i++)
		if (!read_entry(w, &w->tensor[i], table, table_bytes, &at, &name))
			return text_fail(text, SUF_EPROTO, "%s: tensor %u is damaged or lies outside of the file", path, i);
	return SUF_OK;
}

enum suf_err suf_weights_open(struct suf_weights **to, const char *path, char *text)
{
	struct stat st;
	*to = NULL;
	struct suf_weights *w = calloc(1, sizeof *w);
	if (!w)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	int fd = open(path, O_RDONLY | O_CLOEXEC), why = 0;
	if (fd < 0 || fstat(fd, &st) != 0)
		why = errno;
	else if (!S_ISREG(st.st_mode))
		why = S_ISDIR(st.st_mode) ? EISDIR : EINVAL; /* a pipe cannot be mapped */
	else if (st.st_size > 0) {
		void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (p == MAP_FAILED)
			why = errno;
		else
			w->map = p, w->bytes = (size_t)st.st_size;
	}
	if (fd >= 0)
		close(fd);
	enum suf_err err = why ? text_fail(text, SUF_EIO, "%s: %s", path, strerror(why)) : read_table(w, path, text);
	if (err) {
		suf_weights_close(w);
		return err;
	}
	*to = w;
	return SUF_OK;
}

void suf_weights_close(struct suf_weights *w)
{
	if (!w)
		return;
	if (w->map)
		munmap(w->map, w->bytes);
	free(w->tensor);
	free(w->names);
	free(w);
}

enum suf_weights_kind suf_weights_kind(const struct suf_weights *w) { return w->kind; }
const uint8_t *suf_weights_program(const struct suf_weights *w) { return w->program; }
const uint8_t *suf_weights_epoch(const struct suf_weights *w) { return w->epoch; }
const uint8_t *suf_weights_tag(const struct suf_weights *w) { return w->tag; }
uint32_t suf_weights_count(const struct suf_weights *w) { return w->count; }
const struct suf_weights_tensor *suf_weights_tensor(const struct suf_weights *w, uint32_t i) { return &w->tensor[i]; }

void suf_weights_get(const struct suf_weights *w, uint32_t index, uint64_t first, size_t count, uint64_t *to)
{
	const struct suf_weights_tensor *t = &w->tensor[index];
	const uint64_t mask = t->bits == 64 ? ~0ull : (1ull << t->bits) - 1;
	if (t->width == 2)
		for (size_t i = 0; i < count; i++)
			to[i] = (uint64_t)(int64_t)((const int16_t *)t->data)[first + i] & mask;
	else if (t->width == 4)
		for (size_t i = 0; i < count; i++)
			to[i] = (uint64_t)(int64_t)((const int32_t *)t->data)[first + i] & mask;
	else
		for (size_t i = 0; i < count; i++)
			to[i] = ((const uint64_t *)t->data)[first + i] & mask;
}

static bool is_reduced(const struct suf_weights_tensor *t)
{
	const uint64_t over = t->bits == 64 ? 0 : ~0ull << t->bits, *v = t->data;
	uint64_t any = 0;
	for (uint64_t i = 0; i < t->count; i++)
		any |= v[i];
	return (any & over) == 0;
}

enum suf_err suf_weights_fit(const struct suf_weights *w, const struct suf_program *prog, char *text)
{
	char have[65], want[65];
	if (memcmp(w->program, prog->hash, 32) != 0) {
		suf_hex(w->program, 32, have);
		suf_hex(prog->hash, 32, want);
		return text_fail(text, SUF_EPROTO, "the weights belong to program %s, this is program %s", have, want);
	}
	if (w->count != prog->nweight)
		return text_fail(text, SUF_EPROTO, "the weights file has %u tensors, the program wants %u", w->count, prog->nweight);
	for (uint32_t i = 0; i < w->count; i++) {
		const struct suf_weights_tensor *t = &w->tensor[i];
		const struct suf_tensor *p = &prog->weight[i];
		if (strcmp(t->name, p->name) != 0 || t->rank != p->rank || memcmp(t->dim, p->dim, 8ull * t->rank) != 0 || t->bits != p->bits || t->frac != p->frac)
			return text_fail(text, SUF_EPROTO, "tensor %u of the weights file is '%s' (%u bits, %u of them fraction), the program wants '%s' (%u, %u) or another shape",
				i, t->name, t->bits, t->frac, p->name, p->bits, p->frac);
		if (w->kind == SUF_WEIGHTS_MASKED && !is_reduced(t))
			return text_fail(text, SUF_EPROTO, "tensor '%s' of the masked weights has words of more than %u bits: the file is damaged", t->name, t->bits);
	}
	return SUF_OK;
}

/* SPDX-License-Identifier: Apache-2.0
 * weights_writer.c -- writing files of model weights, tensor after tensor; the
 * header and the table are written last.
 */
#include "weights_priv.h"
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 15 };

struct slot { uint64_t count, offset, entry; uint8_t bits, width; };
struct suf_weights_writer {
	struct suf_file file;
	enum suf_weights_kind kind;
	uint32_t ntensors, next;     /* next: the tensor being put */
	uint64_t put, at;            /* elements of it so far; bytes in the file so far */
	struct slot *slot;
	uint8_t head[WEIGHTS_HEADER];
	uint8_t *table; size_t table_bytes;
	union { int16_t i16[CHUNK]; int32_t i32[CHUNK]; } chunk; /* one piece in its narrow type */
};

static size_t entry_bytes(const struct suf_tensor *t)
{
	return (WEIGHTS_ENTRY + 8ull * t->rank + strlen(t->name) + 7) / 8 * 8;
}

static void put_entry(uint8_t *e, const struct suf_tensor *t)
{
	uint32_t name_bytes = (uint32_t)strlen(t->name);
	memcpy(e, &name_bytes, 4);
	memcpy(e + 4, &t->rank, 4);
	e[8] = t->bits;
	e[9] = t->frac;
	memcpy(e + WEIGHTS_ENTRY, t->dim, 8ull * t->rank);
	memcpy(e + WEIGHTS_ENTRY + 8ull * t->rank, t->name, name_bytes);
}

static enum suf_err make_table(struct suf_weights_writer *w, const struct suf_tensor *t, char *text)
{
	for (uint32_t i = 0; i < w->ntensors; i++)
		w->table_bytes += entry_bytes(&t[i]);
	w->table = calloc(1, w->table_bytes + 1);
	w->slot = calloc(w->ntensors + 1u, sizeof *w->slot);
	if (!w->table || !w->slot)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	uint64_t at = 0;
	for (uint32_t i = 0; i < w->ntensors; at += entry_bytes(&t[i]), i++) {
		w->slot[i].entry = at;
		w->slot[i].bits = t[i].bits;
		if (t[i].rank > 8 || !weights_elems(t[i].rank, t[i].dim, &w->slot[i].count))
			return text_fail(text, SUF_EUSAGE, "weight '%s' has no sensible shape", t[i].name);
		put_entry(w->table + at, &t[i]);
	}
	return SUF_OK;
}

static enum suf_err open_writer(struct suf_weights_writer **to, const char *path, enum suf_weights_kind kind, const uint8_t program[32],
	const uint8_t *epoch, const uint8_t *tag, const struct suf_tensor *t, uint32_t n, char *text)
{
	char ignored[SUF_TEXT];
	*to = NULL;
	struct suf_weights_writer *w = calloc(1, sizeof *w);
	if (!w)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	w->file.fd = -1;
	w->kind = kind;
	w->ntensors = n;
	memcpy(w->head + 16, program, 32);
	if (epoch)
		memcpy(w->head + 48, epoch, 16);
	if (tag)
		memcpy(w->head + 80, tag, 16);
	enum suf_err err = make_table(w, t, text);
	if (!err)
		err = file_create(&w->file, path, 0600, text);
	if (!err && w->file.direct)
		err = text_fail(text, SUF_EIO, "%s: a weights file cannot be written to a pipe or device", path);
	if (err) {
		enum suf_err closing = suf_weights_writer_finish(w, false, ignored);
		(void)closing; /* the first error is the one to tell */
		return err;
	}
	w->at = WEIGHTS_HEADER + w->table_bytes;
	*to = w;
	return SUF_OK;
}

enum suf_err suf_weights_writer_open(struct suf_weights_writer **to, const char *path, const uint8_t program[32],
	const struct suf_tensor *t, uint32_t n, char *text)
{
	return open_writer(to, path, SUF_WEIGHTS_PLAIN, program, NULL, NULL, t, n, text);
}

enum suf_err suf_weights_writer_open_masked(struct suf_weights_writer **to, const char *path, const uint8_t program[32],
	const uint8_t epoch[16], const uint8_t tag[16], const struct suf_tensor *t, uint32_t n, char *text)
{
	return open_writer(to, path, SUF_WEIGHTS_MASKED, program, epoch, tag, t, n, text);
}

/* All bits of numbers or, of negative ones, of their complements: a number fits in b bits and a sign if this is less than 2^b. */
static uint64_t magnitude(const int64_t *x, uint64_t count)
{
	uint64_t bits = 0;
	for (uint64_t i = 0; i < count; i++)
		bits |= (uint64_t)x[i] ^ (0 - ((uint64_t)x[i] >> 63));
	return bits;
}

/* Bytes per element. */
static uint8_t narrowest(uint64_t bits)
{
	return bits <= INT16_MAX ? 2 : bits <= INT32_MAX ? 4 : 8;
}

static enum suf_err put_words(struct suf_weights_writer *w, const int64_t *data, uint64_t count, char *text)
{
	uint8_t width = w->slot[w->next].width;
	for (uint64_t at = 0; at < count; at += CHUNK) {
		size_t n = count - at < CHUNK ? (size_t)(count - at) : CHUNK;
		const void *from = data + at;
		if (width != 8) {
			for (size_t i = 0; i < n; i++)
				if (width == 2)
					w->chunk.i16[i] = (int16_t)data[at + i];
				else
					w->chunk.i32[i] = (int32_t)data[at + i];
			from = &w->chunk;
		}
		enum suf_err err = file_put_at(&w->file, from, n * width, w->at, text);
		if (err)
			return err;
		w->at += n * width;
	}
	w->put += count;
	if (w->put == w->slot[w->next].count) {
		w->next++;
		w->put = 0;
	}
	return SUF_OK;
}

static enum suf_err begin(struct suf_weights_writer *w, uint64_t count, uint8_t width, char *text)
{
	struct slot *s = &w->slot[w->next];
	if (w->next == w->ntensors || count > s->count - w->put)
		return text_fail(text, SUF_EUSAGE, "more weights than the program's %u tensors hold", w->ntensors);
	if (w->put == 0) {
		w->at = (w->at + 63) / 64 * 64;
		s->offset = w->at;
		s->width = width;
	}
	return SUF_OK;
}

static enum suf_err refuse(const struct suf_weights_writer *w, const int64_t *data, uint64_t count, char *text)
{
	int64_t lo = 0, hi = 0;
	for (uint64_t i = 0; i < count; i++) {
		lo = data[i] < lo ? data[i] : lo;
		hi = data[i] > hi ? data[i] : hi;
	}
	return text_fail(text, SUF_EUSAGE, "tensor %u: a weight does not fit in %u bits (values from %lld to %lld)", w->next, w->slot[w->next].bits,
	                 (long long)lo, (long long)hi);
}

enum suf_err suf_weights_writer_put(struct suf_weights_writer *w, const int64_t *data, uint64_t count, char *text)
{
	const uint64_t bits = magnitude(data, count);
	enum suf_err err = begin(w, count, narrowest(bits), text);
	if (err)
		return err;
	const struct slot *s = &w->slot[w->next];
	if (w->kind != SUF_WEIGHTS_PLAIN || count != s->count)
		return text_fail(text, SUF_EUSAGE, "tensor %u has %llu weights, %llu were given", w->next, (unsigned long long)s->count, (unsigned long long)count);
	if (bits >> (s->bits - 1))
		return refuse(w, data, count, text);
	return put_words(w, data, count, text);
}

enum suf_err suf_weights_writer_put_masked(struct suf_weights_writer *w, const uint64_t *data, uint64_t count, char *text)
{
	enum suf_err err = begin(w, count, 8, text);
	if (err)
		return err;
	if (w->kind != SUF_WEIGHTS_MASKED)
		return text_fail(text, SUF_EUSAGE, "masked words do not go into a file of plain weights");
	return put_words(w, (const int64_t *)(const void *)data, count, text);
}

/* Table and header, now that widths and offsets are known; both at once at the start of the file. */
static enum suf_err put_header(struct suf_weights_writer *w, char *text)
{
	uint32_t kind = w->kind;
	uint64_t table_bytes = w->table_bytes;
	for (uint32_t i = 0; i < w->ntensors; i++) {
		w->table[w->slot[i].entry + 10] = w->slot[i].width;
		memcpy(w->table + w->slot[i].entry + 16, &w->slot[i].offset, 8);
	}
	memcpy(w->head, WEIGHTS_MAGIC, 8);
	memcpy(w->head + 8, &kind, 4);
	memcpy(w->head + 12, &w->ntensors, 4);
	memcpy(w->head + 64, &table_bytes, 8);
	memcpy(w->head + 72, &w->at, 8);
	if (!weights_digest(w->head, w->table, w->table_bytes, w->head + WEIGHTS_AT_DIGEST))
		return text_fail(text, SUF_ENOMEM, "out of memory");
	enum suf_err err = file_put_at(&w->file, w->head, WEIGHTS_HEADER, 0, text);
	return err ? err : file_put_at(&w->file, w->table, w->table_bytes, WEIGHTS_HEADER, text);
}

enum suf_err suf_weights_writer_finish(struct suf_weights_writer *w, bool keep, char *text)
{
	char ignored[SUF_TEXT];
	enum suf_err err = SUF_OK;
	if (!w)
		return SUF_OK;
	if (keep && w->next != w->ntensors)
		err = text_fail(text, SUF_EUSAGE, "only %u of %u tensors were written", w->next, w->ntensors);
	if (keep && !err)
		err = put_header(w, text);
	enum suf_err closing = file_finish(&w->file, keep && !err, err ? ignored : text);
	free(w->table);
	free(w->slot);
	free(w);
	return err ? err : closing;
}

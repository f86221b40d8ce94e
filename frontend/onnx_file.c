/* SPDX-License-Identifier: Apache-2.0
 * onnx_file.c -- map a model file and unpack its message without copying tensors.
 *
 * protobuf-c copies every bytes field and recurses without a bound.  So the file
 * is first rewritten: fields that are not needed go, nested graphs and nested
 * types become empty, and raw_data becomes its place in the mapping (16 bytes).
 * The result is small and of bounded depth; protobuf-c unpacks that.
 */
#include "onnx_import.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum message { M_MODEL, M_GRAPH, M_NODE, M_ATTR, M_TENSOR, M_INFO, M_TYPE, M_TENSOR_TYPE };
enum action { COPY, INTO, PLACE, EMPTY };
struct rule { enum message in; uint32_t field; enum action action; enum message into; };

static const struct rule rules[] = {
	{ M_MODEL, 1, COPY, 0 }, { M_MODEL, 2, COPY, 0 }, { M_MODEL, 3, COPY, 0 }, { M_MODEL, 8, COPY, 0 },
	{ M_MODEL, 7, INTO, M_GRAPH }, { M_MODEL, 25, EMPTY, 0 },
	{ M_GRAPH, 2, COPY, 0 }, { M_GRAPH, 1, INTO, M_NODE }, { M_GRAPH, 5, INTO, M_TENSOR }, { M_GRAPH, 15, EMPTY, 0 },
	{ M_GRAPH, 11, INTO, M_INFO }, { M_GRAPH, 12, INTO, M_INFO },
	{ M_NODE, 1, COPY, 0 }, { M_NODE, 2, COPY, 0 }, { M_NODE, 3, COPY, 0 }, { M_NODE, 4, COPY, 0 }, { M_NODE, 7, COPY, 0 },
	{ M_NODE, 5, INTO, M_ATTR },
	{ M_ATTR, 1, COPY, 0 }, { M_ATTR, 2, COPY, 0 }, { M_ATTR, 3, COPY, 0 }, { M_ATTR, 4, COPY, 0 }, { M_ATTR, 7, COPY, 0 },
	{ M_ATTR, 8, COPY, 0 }, { M_ATTR, 9, COPY, 0 }, { M_ATTR, 20, COPY, 0 }, { M_ATTR, 21, COPY, 0 },
	{ M_ATTR, 5, INTO, M_TENSOR }, { M_ATTR, 6, EMPTY, 0 },
	{ M_TENSOR, 1, COPY, 0 }, { M_TENSOR, 2, COPY, 0 }, { M_TENSOR, 4, COPY, 0 }, { M_TENSOR, 5, COPY, 0 },
	{ M_TENSOR, 7, COPY, 0 }, { M_TENSOR, 8, COPY, 0 }, { M_TENSOR, 9, PLACE, 0 }, { M_TENSOR, 10, COPY, 0 },
	{ M_TENSOR, 11, COPY, 0 }, { M_TENSOR, 13, COPY, 0 }, { M_TENSOR, 14, COPY, 0 },
	{ M_INFO, 1, COPY, 0 }, { M_INFO, 2, INTO, M_TYPE },
	{ M_TYPE, 1, INTO, M_TENSOR_TYPE }, { M_TYPE, 4, EMPTY, 0 }, { M_TYPE, 5, EMPTY, 0 }, { M_TYPE, 8, EMPTY, 0 }, { M_TYPE, 9, EMPTY, 0 },
	{ M_TENSOR_TYPE, 1, COPY, 0 }, { M_TENSOR_TYPE, 2, COPY, 0 },
};

struct rewriter { const unsigned char *base; unsigned char *out; size_t used, size; };

static bool put(struct rewriter *w, const void *bytes, size_t n)
{
	if (w->size - w->used < n) {
		size_t size = 2 * (w->size + n);
		unsigned char *more = realloc(w->out, size);
		if (!more)
			return false;
		w->out = more;
		w->size = size;
	}
	memcpy(w->out + w->used, bytes, n);
	w->used += n;
	return true;
}

static bool get_varint(const unsigned char **at, const unsigned char *end, uint64_t *x)
{
	*x = 0;
	for (int shift = 0; shift < 64 && *at < end; shift += 7) {
		unsigned char b = *(*at)++;
		*x |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return true;
	}
	return false;
}

/* A length in five bytes, so that it can be filled in later. */
static void length_at(unsigned char *at, size_t n)
{
	for (int k = 0; k < 5; k++)
		at[k] = (unsigned char)((n >> (7 * k) & 0x7f) | (k < 4 ? 0x80u : 0));
}

static const struct rule *rule_of(enum message m, uint64_t field)
{
	for (size_t k = 0; k < sizeof rules / sizeof *rules; k++)
		if (rules[k].in == m && rules[k].field == field)
			return &rules[k];
	return NULL;
}

static bool rewrite(struct rewriter *, enum message, const unsigned char *at, const unsigned char *end);

/* A length-delimited field with a rule other than COPY. */
static bool rewrite_bytes(struct rewriter *w, const struct rule *r, const unsigned char *body, size_t n)
{
	unsigned char head[5] = { 0 };
	uint64_t place[2] = { (uint64_t)(body - w->base), n };
	size_t length = w->used, start;

	if (!put(w, head, sizeof head))
		return false;
	start = w->used;
	if (r->action == PLACE && !put(w, place, sizeof place))
		return false;
	if (r->action == INTO && !rewrite(w, r->into, body, body + n))
		return false;
	if (w->used - start > INT32_MAX)
		return false;
	length_at(w->out + length, w->used - start);
	return true;
}

static bool rewrite(struct rewriter *w, enum message m, const unsigned char *at, const unsigned char *end)
{
	while (at < end) {
		const unsigned char *tag = at, *body;
		uint64_t key, n = 0;
		if (!get_varint(&at, end, &key))
			return false;
		const struct rule *r = key >> 3 ? rule_of(m, key >> 3) : NULL;
		body = at;
		switch (key & 7) {
		case 0: if (!get_varint(&at, end, &n)) return false; n = 0; break;
		case 1: n = 8; break;
		case 2: if (!get_varint(&at, end, &n)) return false; body = at; break;
		case 5: n = 4; break;
		default: return false;
		}
		if (key >> 3 == 0 || key >> 32 || n > (uint64_t)(end - at))
			return false;
		at += n;
		if (!r)
			continue;
		if (r->action == COPY) {
			if (n > INT32_MAX || !put(w, tag, (size_t)(at - tag)))
				return false;
		} else if ((key & 7) != 2) {
			return false;
		} else {
			unsigned char one[2] = { (unsigned char)((r->field << 3 & 0x7f) | 2 | (r->field > 15 ? 0x80u : 0)), (unsigned char)(r->field >> 4) };
			if (!put(w, one, r->field > 15 ? 2 : 1) || !rewrite_bytes(w, r, body, (size_t)n))
				return false;
		}
	}
	return true;
}

static void free_model(void *model)
{
	onnx__model_proto__free_unpacked(model, NULL);
}

Onnx__ModelProto *onnx_read(struct arena *mem, const struct onnx_map *map, const char **why)
{
	struct rewriter w = { .base = map->base };
	Onnx__ModelProto *model = NULL;

	*why = "it is not an ONNX model, or it is truncated";
	if (map->size && rewrite(&w, M_MODEL, map->base, map->base + map->size) && w.used && w.used <= INT32_MAX)
		model = onnx__model_proto__unpack(NULL, w.used, w.out);
	free(w.out);
	if (model)
		arena_on_free(mem, free_model, model);
	return model;
}

bool onnx_raw_data(const Onnx__TensorProto *t, size_t *offset, size_t *length)
{
	uint64_t place[2];
	if (!t->has_raw_data || t->raw_data.len != sizeof place)
		return false;
	memcpy(place, t->raw_data.data, sizeof place);
	*offset = (size_t)place[0];
	*length = (size_t)place[1];
	return true;
}

static void unmap(void *arg)
{
	struct onnx_map *map = arg;
	munmap((void *)(uintptr_t)map->base, map->size);
}

/* folder_fd < 0: path as it is.  Otherwise path is relative to that folder and
 * no part of it may be a link. */
bool onnx_map_file(struct arena *mem, int folder_fd, const char *path, struct onnx_map *map, const char **why)
{
	int fd = folder_fd < 0 ? open(path, O_RDONLY | O_CLOEXEC) : openat(folder_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	map->base = NULL;
	map->size = 0;
	if (fd < 0) {
		*why = errno == ELOOP ? "it is a symbolic link" : strerror(errno);
		return false;
	}
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		*why = "it is not a regular file";
		return false;
	}
	if (st.st_size > 0) {
		void *base = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (base == MAP_FAILED) {
			*why = strerror(errno);
			close(fd);
			return false;
		}
		struct onnx_map *keep = arena_alloc(mem, sizeof *keep);
		*keep = (struct onnx_map){ base, (size_t)st.st_size };
		arena_on_free(mem, unmap, keep);
		*map = *keep;
	}
	close(fd);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * onnx_tensor.c -- TensorProto to constants: inline data, typed fields, external files; float32 is not copied.
 */
#include "onnx_import.h"
#include "passes/float_eval.h"
#include "passes/passes.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_ELEMS ((int64_t)1 << 40)

int onnx_dtype(int32_t t)
{
	switch (t) {
	case ONNX_FLOAT: case ONNX_FLOAT16: case ONNX_BFLOAT16: case ONNX_DOUBLE: return DT_F32;
	case ONNX_INT64: case ONNX_INT32: case ONNX_INT16: case ONNX_INT8: return DT_I64;
	case ONNX_UINT64: case ONNX_UINT32: case ONNX_UINT16: case ONNX_UINT8: return DT_I64;
	case ONNX_BOOL: return DT_BOOL;
	default: return ONNX_DTYPE_BAD;
	}
}

const char *onnx_dtype_name(int32_t t)
{
	static const char *const name[] = { "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool",
		"float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16" };
	return t >= 0 && t < (int32_t)(sizeof name / sizeof *name) ? name[t] : "unknown";
}

static size_t stored_size(int32_t t)
{
	switch (t) {
	case ONNX_DOUBLE: case ONNX_INT64: case ONNX_UINT64: return 8;
	case ONNX_FLOAT: case ONNX_INT32: case ONNX_UINT32: return 4;
	case ONNX_FLOAT16: case ONNX_BFLOAT16: case ONNX_INT16: case ONNX_UINT16: return 2;
	default: return 1;
	}
}

bool onnx_count(int rank, const int64_t *dim, int64_t *count)
{
	int64_t n = 1;
	if (rank > MAX_RANK)
		return false;
	for (int d = 0; d < rank; d++) {
		if (dim[d] < 0 || dim[d] > MAX_ELEMS || (dim[d] && n > MAX_ELEMS / dim[d]))
			return false;
		n *= dim[d];
	}
	*count = n;
	return true;
}

const char *onnx_shape_text(struct arena *mem, int rank, const int64_t *dim)
{
	const char *s = "";
	for (int d = 0; d < rank && d < 2 * MAX_RANK; d++)
		s = arena_printf(mem, "%s%s%lld", s, d ? "," : "", (long long)dim[d]);
	return arena_printf(mem, "[%s%s]", s, rank > 2 * MAX_RANK ? ",.." : "");
}

const char *onnx_val_text(struct arena *mem, const struct val *v)
{
	static const char *const sec[] = { "public", "weight", "secret" };
	return arena_printf(mem, "%s %s%s %s", v->name, v->dtype == DT_F32 ? "float" : v->dtype == DT_I64 ? "int64" : "bool",
	                    onnx_shape_text(mem, v->rank, v->dim), v->type.sec <= SEC_SECRET ? sec[v->type.sec] : "?");
}

static float half_to_float(uint16_t h)
{
	int e = h >> 10 & 31, m = h & 1023;
	double x = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
	return (float)(h >> 15 ? -x : x);
}

static float bf16_to_float(uint16_t h)
{
	uint32_t u = (uint32_t)h << 16;
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

static int64_t load_int(const unsigned char *p, int32_t t)
{
	int64_t x8; int32_t x4; int16_t x2; uint32_t u4; uint16_t u2;
	switch (t) {
	case ONNX_INT64: case ONNX_UINT64: memcpy(&x8, p, 8); return x8;
	case ONNX_INT32: memcpy(&x4, p, 4); return x4;
	case ONNX_UINT32: memcpy(&u4, p, 4); return u4;
	case ONNX_INT16: memcpy(&x2, p, 2); return x2;
	case ONNX_UINT16: memcpy(&u2, p, 2); return u2;
	case ONNX_INT8: return (int8_t)*p;
	default: return *p;
	}
}

static float load_float(const unsigned char *p, int32_t t)
{
	float f; double d; uint16_t h;
	switch (t) {
	case ONNX_DOUBLE: memcpy(&d, p, 8); return (float)d;
	case ONNX_FLOAT16: memcpy(&h, p, 2); return half_to_float(h);
	case ONNX_BFLOAT16: memcpy(&h, p, 2); return bf16_to_float(h);
	default: memcpy(&f, p, 4); return f;
	}
}

/* The whole pages of a part of the mapping that was copied need not stay in memory. */
static void release(const unsigned char *p, size_t n)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), lo = ((uintptr_t)p + page - 1) / page * page, hi = ((uintptr_t)p + n) / page * page;
	if (hi > lo)
		madvise((void *)lo, hi - lo, MADV_DONTNEED);
}

/* Host elements from stored bytes; the bytes themselves when they already are that. */
static const void *from_bytes(struct arena *mem, const unsigned char *p, int64_t n, int32_t t)
{
	enum dtype dt = (enum dtype)onnx_dtype(t);
	size_t size = stored_size(t);

	if ((t == ONNX_FLOAT && (uintptr_t)p % sizeof(float) == 0) || (t == ONNX_INT64 && (uintptr_t)p % sizeof(int64_t) == 0))
		return p;
	void *to = arena_alloc(mem, (size_t)(n ? n : 1) * eval_elem_size(dt));
	if (t == ONNX_FLOAT || t == ONNX_INT64)
		memcpy(to, p, (size_t)n * size);
	else for (int64_t i = 0; i < n; i++)
		if (dt == DT_F32)
			((float *)to)[i] = load_float(p + (size_t)i * size, t);
		else
			eval_store_int(to, dt, i, load_int(p + (size_t)i * size, t));
	release(p, (size_t)n * size);
	return to;
}

/* The typed fields float_data, int32_data ..; NULL if the count is wrong. */
static const void *from_fields(struct arena *mem, const Onnx__TensorProto *t, int64_t n)
{
	enum dtype dt = (enum dtype)onnx_dtype(t->data_type);
	size_t have = t->data_type == ONNX_FLOAT ? t->n_float_data : t->data_type == ONNX_DOUBLE ? t->n_double_data :
		t->data_type == ONNX_INT64 ? t->n_int64_data :
		t->data_type == ONNX_UINT64 || t->data_type == ONNX_UINT32 ? t->n_uint64_data : t->n_int32_data;

	if (have != (uint64_t)n)
		return NULL;
	if (n && t->data_type == ONNX_FLOAT)
		return t->float_data;
	if (n && t->data_type == ONNX_INT64)
		return t->int64_data;
	void *to = arena_alloc(mem, (size_t)(n ? n : 1) * eval_elem_size(dt));
	for (int64_t i = 0; i < n; i++)
		switch (t->data_type) {
		case ONNX_DOUBLE: ((float *)to)[i] = (float)t->double_data[i]; break;
		case ONNX_UINT64: case ONNX_UINT32: ((int64_t *)to)[i] = (int64_t)t->uint64_data[i]; break;
		case ONNX_FLOAT16: ((float *)to)[i] = half_to_float((uint16_t)t->int32_data[i]); break;
		case ONNX_BFLOAT16: ((float *)to)[i] = bf16_to_float((uint16_t)t->int32_data[i]); break;
		default: eval_store_int(to, dt, i, t->int32_data[i]);
		}
	return to;
}

/* The folder of the model, then down the path; no part may be a link or "..". */
static bool map_external(struct onnx_ctx *c, const char *path, struct onnx_map *map, const char **why)
{
	const char *slash = strrchr(c->path, '/');
	char *folder = slash ? arena_printf(c->mem, "%.*s/", (int)(slash - c->path), c->path) : arena_strdup(c->mem, ".");
	char *part = arena_strdup(c->mem, path), *next;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*why = fd < 0 ? strerror(errno) : "its path is absolute, or has '..'";
	bool ok = fd >= 0 && *part && *part != '/';
	while (ok && (next = strchr(part, '/'))) {
		*next++ = 0;
		ok = strcmp(part, "..") != 0;
		int down = ok ? openat(fd, *part ? part : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
		if (ok && down < 0)
			*why = errno == ELOOP || errno == ENOTDIR ? "a folder of its path is a symbolic link" : strerror(errno);
		ok = ok && down >= 0;
		close(fd);
		fd = down;
		part = next;
	}
	ok = ok && strcmp(part, "..") != 0 && onnx_map_file(c->mem, fd, part, map, why);
	if (fd >= 0)
		close(fd);
	return ok;
}

static bool parse_size(const char *s, size_t *x)
{
	char *end;
	errno = 0;
	if (*s < '0' || *s > '9')
		return false;
	unsigned long long u = strtoull(s, &end, 10);
	*x = (size_t)u;
	return !errno && !*end;
}

/* The mapping of an external file, opened once. */
static const struct onnx_map *external_file(struct onnx_ctx *c, const char *path, const struct loc *loc, const char *name)
{
	const char *why;
	struct onnx_map map;

	for (int k = 0; k < c->nexternal; k++)
		if (!strcmp(c->external_name[k], path))
			return &c->external[k];
	if (!map_external(c, path, &map, &why)) {
		diag_error(c->diag, loc, "external-data", "tensor %s: cannot use external data file '%s': %s", name, path, why);
		diag_hint(c->diag, "put the data file beside the model, under a relative path, as a plain file");
		return NULL;
	}
	int n = c->nexternal++;
	if ((n & (n - 1)) == 0) { /* full at powers of two */
		struct onnx_map *maps = arena_alloc(c->mem, (size_t)(n ? 2 * n : 1) * sizeof *maps);
		const char **names = arena_alloc(c->mem, (size_t)(n ? 2 * n : 1) * sizeof *names);
		for (int k = 0; k < n; k++) {
			maps[k] = c->external[k];
			names[k] = c->external_name[k];
		}
		c->external = maps;
		c->external_name = names;
	}
	c->external[n] = map;
	c->external_name[n] = arena_strdup(c->mem, path);
	return &c->external[n];
}

static const unsigned char *external_bytes(struct onnx_ctx *c, const Onnx__TensorProto *t, size_t want, const struct loc *loc, const char *name)
{
	const char *path = NULL;
	size_t offset = 0, length = want;
	bool ok = true;

	for (size_t k = 0; k < t->n_external_data; k++) {
		const char *key = t->external_data[k]->key ? t->external_data[k]->key : "";
		const char *value = t->external_data[k]->value ? t->external_data[k]->value : "";
		if (!strcmp(key, "location"))
			path = value;
		else if (!strcmp(key, "offset"))
			ok = ok && parse_size(value, &offset);
		else if (!strcmp(key, "length"))
			ok = ok && parse_size(value, &length);
	}
	if (!path || !ok) {
		diag_error(c->diag, loc, "external-data", "tensor %s: its external data has no valid location, offset and length", name);
		return NULL;
	}
	const struct onnx_map *map = external_file(c, path, loc, name);
	if (!map)
		return NULL;
	if (length != want || offset > map->size || length > map->size - offset) {
		diag_error(c->diag, loc, "external-data", "tensor %s: want %zu bytes, given offset %zu and length %zu in '%s' of %zu bytes",
		           name, want, offset, length, path, map->size);
		diag_hint(c->diag, "the data file does not belong to this model, or it is truncated; copy it again");
		return NULL;
	}
	return map->base ? map->base + offset : (const unsigned char *)"";
}

static const void *tensor_data(struct onnx_ctx *c, const Onnx__TensorProto *t, int64_t n, const struct loc *loc, const char *name)
{
	size_t want = (size_t)n * stored_size(t->data_type), offset, length;
	const unsigned char *bytes;

	if (t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL || t->n_external_data) {
		bytes = external_bytes(c, t, want, loc, name);
		return bytes ? from_bytes(c->mem, bytes, n, t->data_type) : NULL;
	}
	if (onnx_raw_data(t, &offset, &length)) {
		if (length == want)
			return from_bytes(c->mem, c->map.base + offset, n, t->data_type);
		diag_error(c->diag, loc, "tensor", "tensor %s: %s%s needs %zu bytes, found %zu", name, onnx_dtype_name(t->data_type),
		           onnx_shape_text(c->mem, (int)t->n_dims, t->dims), want, length);
		return NULL;
	}
	const void *data = from_fields(c->mem, t, n);
	if (!data)
		diag_error(c->diag, loc, "tensor", "tensor %s: the number of its elements is not %lld as its shape %s says", name,
		           (long long)n, onnx_shape_text(c->mem, (int)t->n_dims, t->dims));
	return data;
}

/* A folded value is as secret as its operands, unless it is a mask. */
enum sec onnx_folded_sec(enum dtype dt, int64_t n, const void *data, enum sec joined)
{
	return eval_is_mask(dt, n, data) ? SEC_PUBLIC : joined;
}

/* Structure is public: integers, booleans, masks, single numbers.  Bytes that
 * are not 0 or 1 are quantised weights. */
static enum sec tensor_sec(int32_t data_type, int64_t n, const void *data)
{
	enum dtype dt = (enum dtype)onnx_dtype(data_type);
	if (n <= 1 || dt == DT_BOOL || eval_is_mask(dt, n, data))
		return SEC_PUBLIC;
	if (data_type != ONNX_INT8 && data_type != ONNX_UINT8)
		return dt == DT_F32 ? SEC_WEIGHT : SEC_PUBLIC;
	for (int64_t i = 0; i < n; i++)
		if (((const int64_t *)data)[i] < 0 || ((const int64_t *)data)[i] > 1)
			return SEC_WEIGHT;
	return SEC_PUBLIC;
}

/* A float tensor whose data file is missing, when that is allowed.  Nothing is opened. */
static bool is_absent(struct onnx_ctx *c, const Onnx__TensorProto *t)
{
	const char *slash = strrchr(c->path, '/'), *path = NULL;
	if (!c->p->opt || !c->p->opt->no_weights || onnx_dtype(t->data_type) != DT_F32)
		return false;
	for (size_t k = 0; k < t->n_external_data; k++)
		if (t->external_data[k]->key && !strcmp(t->external_data[k]->key, "location"))
			path = t->external_data[k]->value;
	return path && access(arena_printf(c->mem, "%.*s%s", slash ? (int)(slash - c->path) + 1 : 0, c->path, path), F_OK) && errno == ENOENT;
}

struct val *onnx_tensor(struct onnx_ctx *c, const Onnx__TensorProto *t, const struct loc *loc, const char *name)
{
	int64_t n, dim[MAX_RANK];
	int dt = onnx_dtype(t->data_type);

	if (dt == ONNX_DTYPE_BAD) {
		diag_error(c->diag, loc, "dtype", "tensor %s has element type %s, want a float, integer or bool type", name, onnx_dtype_name(t->data_type));
		return NULL;
	}
	if (t->n_dims > MAX_RANK || !onnx_count((int)t->n_dims, t->dims, &n)) {
		diag_error(c->diag, loc, "tensor", "tensor %s has shape %s: want at most %d axes, none negative", name,
		           onnx_shape_text(c->mem, t->n_dims > 99 ? 99 : (int)t->n_dims, t->dims), MAX_RANK);
		return NULL;
	}
	for (size_t d = 0; d < t->n_dims; d++)
		dim[d] = t->dims[d];
	if (is_absent(c, t))
		return ir_absent(c->p, onnx_const_name(c, name), (int)t->n_dims, dim);
	const void *data = tensor_data(c, t, n, loc, name);
	if (!data)
		return NULL;
	return ir_const(c->p, onnx_const_name(c, name), (enum dtype)dt, tensor_sec(t->data_type, n, data), (int)t->n_dims, dim, data);
}

/* SPDX-License-Identifier: Apache-2.0
 * npy.c -- arrays in NumPy's .npy and .npz files.  The format:
 * numpy.org/doc/stable/reference/generated/numpy.lib.format.html; the header is
 * a Python dict literal, read by a small scanner that knows its three keys.
 */
#include "npy.h"
#include "file.h"
#include "npz.h"
#include "prg.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct { const char *name, *descr; uint8_t size; } type_desc[NPY_NTYPE] = {
	[NPY_F32] = { "float32", "<f4", 4 }, [NPY_F64] = { "float64", "<f8", 8 }, [NPY_I32] = { "int32", "<i4", 4 },
	[NPY_I64] = { "int64", "<i8", 8 }, [NPY_BOOL] = { "bool", "|b1", 1 }, [NPY_U8] = { "uint8", "|u1", 1 },
	[NPY_U64] = { "uint64", "<u8", 8 },
};

size_t npy_size(enum npy_type t) { return type_desc[t].size; }
const char *npy_name(enum npy_type t) { return type_desc[t].name; }

/* ---- the header's dict ------------------------------------------------------- */

struct scan { const char *p, *end; };

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t'))
		s->p++;
}

static bool eat(struct scan *s, const char *word)
{
	size_t n = strlen(word);
	skip_space(s);
	if ((size_t)(s->end - s->p) < n || memcmp(s->p, word, n) != 0)
		return false;
	s->p += n;
	return true;
}

/* 'text' or "text" of at most 31 bytes. */
static bool scan_string(struct scan *s, char to[32])
{
	skip_space(s);
	if (s->p == s->end || (*s->p != '\'' && *s->p != '"'))
		return false;
	const char *close = memchr(s->p + 1, *s->p, (size_t)(s->end - s->p - 1));
	size_t n = close ? (size_t)(close - s->p - 1) : 32;
	if (n > 31)
		return false;
	memcpy(to, s->p + 1, n);
	to[n] = '\0';
	s->p = close + 1;
	return true;
}

static bool scan_shape(struct scan *s, struct npy *a)
{
	if (!eat(s, "("))
		return false;
	a->rank = 0;
	while (!eat(s, ")")) {
		int64_t v = 0;
		const char *from = s->p;
		while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
			if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *s->p++ - '0', &v))
				return false;
		if (s->p == from || a->rank == 8)
			return false;
		a->dim[a->rank++] = v;
		eat(s, "L"); /* Python 2 wrote 3L */
		if (!eat(s, ",")) {
			if (!eat(s, ")"))
				return false;
			break;
		}
	}
	return true;
}

static bool scan_dict(struct scan *s, struct npy *a, char descr[32], bool *fortran)
{
	int seen = 0;
	char key[32];
	if (!eat(s, "{"))
		return false;
	while (!eat(s, "}")) {
		if (!scan_string(s, key) || !eat(s, ":"))
			return false;
		if (strcmp(key, "descr") == 0 && scan_string(s, descr))
			seen |= 1;
		else if (strcmp(key, "fortran_order") == 0 && ((*fortran = eat(s, "True")) || eat(s, "False")))
			seen |= 2;
		else if (strcmp(key, "shape") == 0 && scan_shape(s, a))
			seen |= 4;
		else
			return false;
		if (!eat(s, ",")) {
			if (!eat(s, "}"))
				return false;
			break;
		}
	}
	return seen == 7;
}

/* ---- reading ------------------------------------------------------------------ */

static bool find_type(const char *descr, enum npy_type *type)
{
	for (int t = 0; t < NPY_NTYPE; t++) {
		bool one_byte = type_desc[t].size == 1; /* '|', '<' and '=' mean the same there */
		if (strcmp(descr, type_desc[t].descr) == 0 || (one_byte && descr[0] && strcmp(descr + 1, type_desc[t].descr + 1) == 0)) {
			*type = (enum npy_type)t;
			return true;
		}
	}
	return false;
}

static bool count_elems(struct npy *a)
{
	a->count = 1;
	for (uint32_t i = 0; i < a->rank; i++)
		if (__builtin_mul_overflow(a->count, (uint64_t)a->dim[i], &a->count) || a->count > UINT64_MAX / 64)
			return false;
	return true;
}

static enum suf_err parse_npy(struct npy *a, const uint8_t *file, size_t bytes, const char *path, char *text)
{
	char descr[32];
	bool fortran = false;
	if (bytes < 10 || memcmp(file, "\x93NUMPY", 6) != 0)
		return text_fail(text, SUF_EIO, "%s: neither an .npy nor an .npz file", path);
	size_t lead = file[6] == 1 ? 10 : 12;
	if (file[6] < 1 || file[6] > 3 || bytes < lead)
		return text_fail(text, SUF_EIO, "%s: .npy format version %d.%d is not supported (1.0 to 3.0 are)", path, file[6], file[7]);
	size_t head = file[8] | (size_t)file[9] << 8;
	if (lead == 12)
		head |= (size_t)file[10] << 16 | (size_t)file[11] << 24;
	if (head > bytes - lead)
		return text_fail(text, SUF_EIO, "%s: the .npy header is cut off", path);
	struct scan s = { (const char *)file + lead, (const char *)file + lead + head };
	if (!scan_dict(&s, a, descr, &fortran) || !count_elems(a))
		return text_fail(text, SUF_EIO, "%s: the .npy header is not understood", path);
	if (!find_type(descr, &a->type))
		return text_fail(text, SUF_EIO, "%s: arrays of type '%s' are not read; convert with .astype(numpy.float32) or int64", path, descr);
	if (fortran && a->rank > 1)
		return text_fail(text, SUF_EIO, "%s: the array is in Fortran order; save numpy.ascontiguousarray(x)", path);
	size_t size = (size_t)a->count * npy_size(a->type), have = bytes - lead - head;
	if (have != size)
		return text_fail(text, SUF_EIO, "%s: %zu bytes of data, its shape and type want %zu", path, have, size);
	a->data = malloc(size ? size : 1);
	if (!a->data)
		return text_fail(text, SUF_ENOMEM, "%s: no memory for %zu bytes", path, size);
	memcpy(a->data, file + lead + head, size);
	return SUF_OK;
}

enum suf_err npy_parse(struct npy *a, const uint8_t *file, size_t bytes, const char *path, const char *member, char *text)
{
	memset(a, 0, sizeof *a);
	if (bytes >= 4 && memcmp(file, "PK", 2) == 0) {
		const uint8_t *inner;
		size_t inner_bytes;
		enum suf_err err = npz_find(file, bytes, path, member, &inner, &inner_bytes, text);
		return err ? err : parse_npy(a, inner, inner_bytes, path, text);
	}
	return parse_npy(a, file, bytes, path, text);
}

enum suf_err npy_read(struct npy *a, const char *path, const char *member, char *text)
{
	struct stat st;
	void *map = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC), why = 0;
	memset(a, 0, sizeof *a);
	if (fd < 0 || fstat(fd, &st) != 0)
		why = errno;
	else if (!S_ISREG(st.st_mode))
		why = S_ISDIR(st.st_mode) ? EISDIR : ESPIPE;
	else if (st.st_size > 0) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			why = errno;
	}
	if (fd >= 0)
		close(fd);
	if (why)
		return text_fail(text, SUF_EIO, "%s: %s", path, strerror(why));
	enum suf_err err = npy_parse(a, map, map ? (size_t)st.st_size : 0, path, member, text);
	if (map)
		munmap(map, (size_t)st.st_size);
	return err;
}

double npy_f64(const struct npy *a, uint64_t i)
{
	switch (a->type) {
	case NPY_F32: return (double)((const float *)a->data)[i];
	case NPY_F64: return ((const double *)a->data)[i];
	case NPY_I32: return (double)((const int32_t *)a->data)[i];
	case NPY_I64: return (double)((const int64_t *)a->data)[i];
	case NPY_U64: return (double)((const uint64_t *)a->data)[i];
	default: return (double)((const uint8_t *)a->data)[i];
	}
}

void npy_free(struct npy *a)
{
	if (a->data)
		prg_wipe(a->data, (size_t)a->count * npy_size(a->type));
	free(a->data);
	a->data = NULL;
}

/* ---- writing ------------------------------------------------------------------- */

enum suf_err npy_write(const char *path, unsigned mode, enum npy_type type, uint32_t rank, const int64_t *dim, const void *data, char *text)
{
	char head[512], ignored[SUF_TEXT];
	uint64_t count = 1;
	int n = snprintf(head + 10, sizeof head - 10, "{'descr': '%s', 'fortran_order': False, 'shape': (", type_desc[type].descr);
	for (uint32_t i = 0; i < rank; i++) {
		n += snprintf(head + 10 + n, sizeof head - 10 - (size_t)n, rank == 1 ? "%lld," : i + 1 < rank ? "%lld, " : "%lld", (long long)dim[i]);
		count *= (uint64_t)dim[i];
	}
	n += snprintf(head + 10 + n, sizeof head - 10 - (size_t)n, "), }");
	size_t padded = ((size_t)n + 10 + 1 + 63) / 64 * 64; /* data begin at a multiple of 64 */
	memset(head + 10 + n, ' ', padded - 10 - (size_t)n);
	head[padded - 1] = '\n';
	memcpy(head, "\x93NUMPY\x01\x00", 8);
	head[8] = (char)((padded - 10) & 255);
	head[9] = (char)((padded - 10) >> 8);

	struct suf_file f;
	enum suf_err err = file_create(&f, path, mode, text);
	if (err)
		return err;
	err = file_put(&f, head, padded, text);
	if (!err)
		err = file_put(&f, data, (size_t)count * npy_size(type), text);
	enum suf_err closing = file_finish(&f, !err, err ? ignored : text);
	return err ? err : closing;
}

/* SPDX-License-Identifier: Apache-2.0
 * cli_arrays.c -- a program's inputs and outputs as NumPy files.
 */
#include "cli.h"
#include "file.h"
#include "npy.h"
#include "session.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void **cli_arrays(uint32_t n) { return calloc(n + 1u, sizeof(void *)); }

static bool is_integer(const struct suf_tensor *t) { return t->integer || t->onehot; }
static size_t array_bytes(const struct suf_tensor *t) { return (size_t)suf_tensor_elems(t) * (is_integer(t) ? 8 : 4); }

void cli_free_arrays(void **a, const struct suf_tensor *t, uint32_t n)
{
	for (uint32_t k = 0; a && k < n; k++) {
		if (a[k])
			prg_wipe(a[k], array_bytes(&t[k]));
		free(a[k]);
	}
	free(a);
}

/* "a, b, c" */
static void list_names(const struct suf_tensor *t, uint32_t n, char *to, size_t size)
{
	size_t at = 0;
	to[0] = '\0';
	for (uint32_t k = 0; k < n && at < size; k++)
		at += (size_t)snprintf(to + at, size - at, k ? ", %s" : "%s", t[k].name);
}

static void shape_text(uint32_t rank, const int64_t *dim, char to[96])
{
	size_t n = 0;
	n += (size_t)snprintf(to + n, 96 - n, "[");
	for (uint32_t k = 0; k < rank && n < 80; k++)
		n += (size_t)snprintf(to + n, 96 - n, k ? ",%lld" : "%lld", (long long)dim[k]);
	snprintf(to + n, 96 - n, "]");
}

/* The tensor that a NAME=FILE pair means; a bare FILE means the only one. */
static enum suf_err find_tensor(struct cli *c, const struct cli_file *f, const struct suf_tensor *t, uint32_t n, const char *what, uint32_t *k)
{
	char names[128];
	for (*k = 0; *k < n; ++*k)
		if (f->name ? strlen(t[*k].name) == f->name_bytes && memcmp(t[*k].name, f->name, f->name_bytes) == 0 : n == 1)
			return SUF_OK;
	list_names(t, n, names, sizeof names);
	if (!f->name)
		return text_fail(c->text, SUF_EUSAGE, "--%s %s: which %s is it? write --%s NAME=%s with NAME one of %s", what, f->path, what, what, f->path, names);
	return text_fail(c->text, SUF_EUSAGE, "the program has no %s '%.*s'; it has %s", what, (int)f->name_bytes, f->name, names);
}

static bool same_shape(const struct suf_tensor *t, const struct npy *a)
{
	if (t->rank != a->rank)
		return false;
	for (uint32_t i = 0; i < t->rank; i++)
		if (t->dim[i] != a->dim[i])
			return false;
	return true;
}

static bool right_type(const struct suf_tensor *t, enum npy_type type)
{
	bool real = type == NPY_F32 || type == NPY_F64;
	return is_integer(t) ? !real && type != NPY_U64 : real;
}

/* int64_t or float, as the program takes it. */
static void *convert(const struct suf_tensor *t, const struct npy *a)
{
	void *to = malloc(array_bytes(t) + 1);
	for (uint64_t i = 0; to && i < a->count; i++)
		if (!is_integer(t))
			((float *)to)[i] = (float)npy_f64(a, i);
		else
			((int64_t *)to)[i] = a->type == NPY_I64 ? ((const int64_t *)a->data)[i] : (int64_t)npy_f64(a, i);
	return to;
}

static enum suf_err read_one(struct cli *c, const char *path, const struct suf_tensor *t, void **to)
{
	struct npy a;
	char have[96], want[96];
	enum suf_err err = npy_read(&a, path, t->name, c->text);
	if (err)
		return err;
	shape_text(a.rank, a.dim, have);
	shape_text(t->rank, t->dim, want);
	if (!same_shape(t, &a))
		err = text_fail(c->text, SUF_EUSAGE, "input '%s': %s has the shape %s, the program wants %s", t->name, path, have, want);
	else if (!right_type(t, a.type))
		err = text_fail(c->text, SUF_EUSAGE, "input '%s': %s has the type %s, the program wants %s", t->name, path, npy_name(a.type), is_integer(t) ? "int64" : "float32");
	else if (!(*to = convert(t, &a)))
		err = text_fail(c->text, SUF_ENOMEM, "out of memory");
	npy_free(&a);
	return err;
}

enum suf_err cli_read_inputs(struct cli *c, const struct cli_files *f, void **arrays)
{
	const struct suf_program *prog = c->prog;
	for (uint32_t i = 0; i < f->n; i++) {
		uint32_t k;
		enum suf_err err = find_tensor(c, &f->v[i], prog->input, prog->ninput, "input", &k);
		if (!err && arrays[k])
			err = text_fail(c->text, SUF_EUSAGE, "input '%s' is given twice", prog->input[k].name);
		if (!err)
			err = read_one(c, f->v[i].path, &prog->input[k], &arrays[k]);
		if (err)
			return err;
	}
	for (uint32_t k = 0; k < prog->ninput; k++)
		if (!arrays[k])
			return text_fail(c->text, SUF_EUSAGE, "no value for the input '%s': add --input %s=FILE.npy", prog->input[k].name, prog->input[k].name);
	return SUF_OK;
}

/* A result that cannot be written would cost a key: look at the folder before. */
enum suf_err cli_check_folder(struct cli *c, const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return text_fail(c->text, SUF_EIO, "%s: %s", path, strerror(EISDIR));
	char *dir = key_folder(path);
	bool ok = dir && (access(path, W_OK) == 0 || access(dir, W_OK) == 0);
	enum suf_err err = ok ? SUF_OK : text_fail(c->text, SUF_EIO, "%s: %s", path, strerror(errno));
	free(dir);
	return err;
}

enum suf_err cli_new_outputs(struct cli *c, const struct cli_files *f, void **arrays)
{
	const struct suf_program *prog = c->prog;
	for (uint32_t i = 0; i < f->n; i++) {
		uint32_t k;
		enum suf_err err = find_tensor(c, &f->v[i], prog->output, prog->noutput, "output", &k);
		if (!err && arrays[k])
			err = text_fail(c->text, SUF_EUSAGE, "output '%s' is given twice", prog->output[k].name);
		if (!err)
			err = cli_check_folder(c, f->v[i].path);
		if (!err && !(arrays[k] = calloc(1, array_bytes(&prog->output[k]) + 1)))
			err = text_fail(c->text, SUF_ENOMEM, "out of memory");
		if (err)
			return err;
	}
	if (f->n == 0)
		return text_fail(c->text, SUF_EUSAGE, "the result would be lost: add --output %s=FILE.npy", prog->noutput ? prog->output[0].name : "NAME");
	return SUF_OK;
}

enum suf_err cli_save_outputs(struct cli *c, const struct cli_files *f, void *const *arrays)
{
	enum suf_err err = SUF_OK;
	for (uint32_t i = 0; i < f->n && !err; i++) {
		uint32_t k;
		err = find_tensor(c, &f->v[i], c->prog->output, c->prog->noutput, "output", &k);
		if (!err) {
			const struct suf_tensor *t = &c->prog->output[k];
			err = npy_write(f->v[i].path, 0600, is_integer(t) ? NPY_I64 : NPY_F32, t->rank, t->dim, arrays[k], c->text);
		}
	}
	return err;
}

/* SPDX-License-Identifier: Apache-2.0
 * masked.c -- files of masked inputs and outputs, for a client outside of the
 * parties.  Layout, little-endian: header of 128 bytes (magic "SUFMSK01", u32
 * kind, u32 tensors, program hash, key id, u64 bytes of the file, zeros, SHA-256
 * of everything else); then each tensor packed to its ring width, padded to a byte.
 */
#include "session.h"
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER = 128, AT_KIND = 8, AT_COUNT = 12, AT_PROGRAM = 16, AT_ID = 48, AT_BYTES = 64, AT_DIGEST = 96 };
static const char magic[8] = "SUFMSK01";

static const struct suf_tensor *tensors(const struct suf_program *prog, enum masked_kind kind, uint32_t *n)
{
	*n = kind == MASKED_INPUT ? prog->ninput : prog->noutput;
	return kind == MASKED_INPUT ? prog->input : prog->output;
}

static size_t packed_bytes(const struct suf_tensor *t) { return (size_t)((wire_elems(t) * t->bits + 7) / 8); }

static size_t file_bytes(const struct suf_tensor *t, uint32_t n)
{
	size_t bytes = HEADER;
	for (uint32_t k = 0; k < n; k++)
		bytes += packed_bytes(&t[k]);
	return bytes;
}

static bool digest(const uint8_t *file, size_t bytes, uint8_t to[32])
{
	unsigned n = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(md, file, AT_DIGEST) == 1 &&
		EVP_DigestUpdate(md, file + HEADER, bytes - HEADER) == 1 && EVP_DigestFinal_ex(md, to, &n) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

static void put_header(uint8_t *to, enum masked_kind kind, uint32_t n, const struct suf_program *prog, const uint8_t id[16], size_t bytes)
{
	uint32_t kind32 = kind;
	uint64_t bytes64 = bytes;
	memset(to, 0, HEADER);
	memcpy(to, magic, sizeof magic);
	memcpy(to + AT_KIND, &kind32, 4);
	memcpy(to + AT_COUNT, &n, 4);
	memcpy(to + AT_PROGRAM, prog->hash, 32);
	memcpy(to + AT_ID, id, 16);
	memcpy(to + AT_BYTES, &bytes64, 8);
}

enum suf_err masked_save(const char *path, enum masked_kind kind, const struct suf_program *prog, const uint8_t id[16], uint64_t *const *arrays, char *text)
{
	uint32_t n;
	const struct suf_tensor *t = tensors(prog, kind, &n);
	size_t bytes = file_bytes(t, n), at = HEADER;
	uint8_t *file = malloc(bytes);
	const enum suf_isa isa = suf_cpu_best();
	if (!file)
		return text_fail(text, SUF_ENOMEM, "%s: no memory for %zu bytes", path, bytes);
	put_header(file, kind, n, prog, id, bytes);
	for (uint32_t k = 0; k < n; at += packed_bytes(&t[k]), k++)
		pack_bits(isa, file + at, arrays[k], wire_elems(&t[k]), t[k].bits);
	enum suf_err err = digest(file, bytes, file + AT_DIGEST) ? file_save(path, 0600, file, bytes, text) : text_fail(text, SUF_ENOMEM, "out of memory");
	free(file);
	return err;
}

enum suf_err masked_load(const char *path, enum masked_kind kind, const struct suf_program *prog, const uint8_t id[16], uint64_t **arrays, uint8_t sum[32], char *text)
{
	uint32_t n;
	const struct suf_tensor *t = tensors(prog, kind, &n);
	size_t bytes = file_bytes(t, n), at = HEADER;
	uint8_t want[HEADER], *file = malloc(bytes), extra;
	struct suf_source *s = NULL;
	const enum suf_isa isa = suf_cpu_best();
	enum suf_err err = file ? suf_source_file(&s, path, text) : text_fail(text, SUF_ENOMEM, "%s: no memory for %zu bytes", path, bytes);
	if (!err) {
		put_header(want, kind, n, prog, id, bytes);
		if (suf_source_read(s, file, HEADER) || memcmp(file, magic, sizeof magic) != 0)
			err = text_fail(text, SUF_EPROTO, "%s: not a file of masked arrays", path);
		else if (memcmp(file + AT_PROGRAM, want + AT_PROGRAM, 32) != 0)
			err = text_fail(text, SUF_EPROTO, "%s: belongs to another program", path);
		else if (memcmp(file + AT_ID, want + AT_ID, 16) != 0)
			err = text_fail(text, SUF_EPROTO, "%s: made with another key than this one", path);
		else if (memcmp(file, want, AT_DIGEST) != 0)
			err = text_fail(text, SUF_EPROTO, "%s: holds %s, or of another size", path, kind == MASKED_INPUT ? "outputs, not inputs" : "inputs, not outputs");
		else if (suf_source_read(s, file + HEADER, bytes - HEADER) || suf_source_read(s, &extra, 1) == SUF_OK ||
			 !digest(file, bytes, sum) || memcmp(sum, file + AT_DIGEST, 32) != 0)
			err = text_fail(text, SUF_EPROTO, "%s: damaged or cut off (its SHA-256 does not match)", path);
	}
	for (uint32_t k = 0; k < n && !err; at += packed_bytes(&t[k]), k++)
		unpack_bits(isa, arrays[k], file + at, wire_elems(&t[k]), t[k].bits);
	suf_source_close(s);
	free(file);
	return err;
}

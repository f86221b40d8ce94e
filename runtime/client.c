/* SPDX-License-Identifier: Apache-2.0
 * client.c -- a client outside of the two parties: masks its inputs, unmasks
 * the outputs; and the opening of keys.
 *
 * Security: x_hat = x + r with r from the client's seed, one stream per input.
 * A second file from the same key would show the difference of two inputs, so
 * the client's key is claimed before its first masked byte is written.
 */
#include "session.h"
#include "model.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *key_folder(const char *path)
{
	char *copy = path ? strdup(path) : NULL, *dir = strdup(copy ? dirname(copy) : ".");
	free(copy);
	return dir;
}

static enum suf_err check_kind(const struct suf_key_head *h, enum suf_key_kind want, const char *name, char *text)
{
	static const char *const kind[] = { "party 0", "party 1", "a client", "a model owner" };
	if (h->kind == want)
		return SUF_OK;
	return text_fail(text, SUF_EPROTO, "%s is the key of %s, here the key of %s is needed", name, kind[h->kind], kind[want]);
}

/* The body must have the length that the program's plan says, and a regular file must be as long. */
static enum suf_err check_length(const struct suf_key_head *h, const struct suf_program *prog, const char *path, char *text)
{
	struct suf_plan plan;
	struct stat st;
	enum suf_err err = suf_plan(prog, &plan, text);
	if (err)
		return err;
	uint64_t want = suf_key_body_bytes(prog, &plan.total, h->kind, h->outside_client);
	if (h->body_bytes != want)
		return text_fail(text, SUF_EPROTO, "%s: %llu bytes of key material, the program needs %llu", path ? path : "the key", (unsigned long long)h->body_bytes,
			(unsigned long long)want);
	if (path && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size != SUF_KEY_HEADER + want)
		return text_fail(text, SUF_EPROTO, "%s: the key is %lld bytes long, %llu were dealt: cut short on the way?", path, (long long)st.st_size,
			(unsigned long long)(SUF_KEY_HEADER + want));
	return SUF_OK;
}

enum suf_err key_open(struct suf_source **to, struct suf_key_head *h, const struct suf_program *prog, const char *path, int fd, enum suf_key_kind want, char *text)
{
	uint8_t raw[SUF_KEY_HEADER];
	char name[160], why[SUF_TEXT];
	if (path)
		snprintf(name, sizeof name, "%s", path);
	else
		snprintf(name, sizeof name, "the key from descriptor %d", fd);
	enum suf_err err = path ? suf_source_file(to, path, text) : suf_source_fd(to, fd, text);
	if (err)
		return err;
	err = suf_source_read(*to, raw, sizeof raw);
	if (err)
		text_fail(text, err, "%s", suf_source_error(*to));
	else if ((err = suf_key_head_get(h, raw, why)) != SUF_OK)
		text_fail(text, err, "%s: %.100s", name, why);
	else if (memcmp(h->program, prog->hash, 32) != 0)
		err = wrong_program(text, name, h->program, prog->hash);
	else
		err = check_kind(h, want, name, text);
	if (!err)
		err = check_length(h, prog, path, text);
	prg_wipe(raw, sizeof raw);
	if (err) {
		suf_source_close(*to);
		*to = NULL;
	}
	return err;
}

/* x += the client's mask of input k. */
static void mask_input(const struct prg_stream_key *key, const struct suf_tensor *t, uint64_t *x)
{
	enum suf_isa isa = suf_cpu_best();
	uint64_t pad[SUF_BLOCK], n = wire_elems(t);
	for (uint64_t at = 0; at < n; at += SUF_BLOCK) {
		size_t k = n - at < SUF_BLOCK ? (size_t)(n - at) : SUF_BLOCK;
		prg_stream(isa, key, t->step, RUN_TAG_INPUT, at, k, t->bits, pad);
		for (size_t i = 0; i < k; i++)
			x[at + i] = (x[at + i] + pad[i]) & ring_mask(t->bits);
	}
	prg_wipe(pad, sizeof pad);
}

enum suf_err suf_share_input(const struct suf_program *prog, const char *client_key, const void *const *input, const char *out, char *text)
{
	struct suf_source *s = NULL;
	struct suf_key_head h;
	struct prg_stream_key key;
	char *dir = key_folder(client_key);
	uint64_t **x = arrays_new(prog->input, prog->ninput);
	enum suf_err err = x && dir ? key_open(&s, &h, prog, client_key, -1, SUF_KEY_CLIENT, text) : text_fail(text, SUF_ENOMEM, "out of memory");
	for (uint32_t k = 0; k < prog->ninput && !err; k++)
		err = input[k] ? quantise(&prog->input[k], input[k], x[k], text) : text_fail(text, SUF_EUSAGE, "no value for the input '%s'", prog->input[k].name);
	if (!err)
		err = suf_key_claim(dir, &h, text);
	if (!err) {
		prg_stream_init(&key, &h.seed);
		for (uint32_t k = 0; k < prog->ninput; k++)
			mask_input(&key, &prog->input[k], x[k]);
		err = masked_save(out, MASKED_INPUT, prog, h.id, x, text);
	}
	prg_wipe(&key, sizeof key);
	prg_wipe(&h, sizeof h);
	suf_source_close(s);
	arrays_free(x, prog->input, prog->ninput);
	free(dir);
	return err;
}

/* y -= the mask of an output, which is next in the client's key (dealer.c orders them). */
static enum suf_err unmask_output(struct suf_source *s, const struct suf_tensor *t, uint64_t *y, char *text)
{
	uint8_t packed[SUF_BLOCK * 8];
	uint64_t mask[SUF_BLOCK], n = wire_elems(t);
	const enum suf_isa isa = suf_cpu_best();
	enum suf_err err = SUF_OK;
	for (uint64_t at = 0; at < n && !err; at += SUF_BLOCK) {
		size_t k = n - at < SUF_BLOCK ? (size_t)(n - at) : SUF_BLOCK;
		err = suf_source_read(s, packed, (k * t->bits + 7) / 8);
		if (err)
			return text_fail(text, err, "%s", suf_source_error(s));
		unpack_bits(isa, mask, packed, k, t->bits);
		for (size_t i = 0; i < k; i++)
			y[at + i] = (y[at + i] - mask[i]) & ring_mask(t->bits);
	}
	prg_wipe(packed, sizeof packed);
	prg_wipe(mask, sizeof mask);
	return err;
}

enum suf_err suf_reveal(const struct suf_program *prog, const char *client_key, const char *masked, void *const *output, char *text)
{
	struct suf_source *s = NULL;
	struct suf_key_head h;
	uint8_t sum[32];
	uint64_t **y = arrays_new(prog->output, prog->noutput);
	enum suf_err err = y ? key_open(&s, &h, prog, client_key, -1, SUF_KEY_CLIENT, text) : text_fail(text, SUF_ENOMEM, "out of memory");
	if (!err)
		err = masked_load(masked, MASKED_OUTPUT, prog, h.id, y, sum, text);
	for (uint32_t k = 0; !err && k < prog->noutput; k++) {
		err = unmask_output(s, &prog->output[k], y[k], text);
		if (!err && output[k])
			dequantise(&prog->output[k], y[k], output[k]);
	}
	prg_wipe(&h, sizeof h);
	suf_source_close(s);
	arrays_free(y, prog->output, prog->noutput);
	return err;
}

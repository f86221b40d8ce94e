/* SPDX-License-Identifier: Apache-2.0
 * model.c -- the mask of a model's weights: state of the dealer, the model
 * owner's file, masking.
 *
 * Security: the mask streams are named by the tensor (id = index + 1) and the
 * element, under seeds of their own, so a model is masked the same way each
 * time: publishing W_hat again tells nothing new.  Seeds never serve two models:
 * the program hash is checked, and since it does not depend on the weights'
 * values, so is their digest (model_bind).  A new epoch replaces both seeds.
 */
#include "model.h"
#include "file.h"
#include <errno.h>
#include <libgen.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MASK_TAG = 0, MASK_CHUNK = SUF_BLOCK };

enum suf_err wrong_program(char *text, const char *what, const uint8_t have[32], const uint8_t want[32])
{
	char a[65], b[65];
	suf_hex(have, 32, a);
	suf_hex(want, 32, b);
	return text_fail(text, SUF_EPROTO, "%.80s: made for program %s, this is program %s", what, a, b);
}

enum suf_err model_load(struct suf_key_head *h, const struct suf_program *prog, const char *path, char *text)
{
	struct suf_source *s;
	uint8_t raw[SUF_KEY_HEADER];
	char why[SUF_TEXT];
	enum suf_err err = suf_source_file(&s, path, text);
	if (err)
		return err;
	err = suf_source_read(s, raw, sizeof raw);
	if (err)
		text_fail(text, err, "%s", suf_source_error(s));
	else if ((err = suf_key_head_get(h, raw, why)) != SUF_OK)
		text_fail(text, err, "%s: %s", path, why);
	else if (h->kind != SUF_KEY_OWNER)
		err = text_fail(text, SUF_EPROTO, "%s: a key of a session, not the mask of a model (keygen writes it as model.owner)", path);
	else if (memcmp(h->program, prog->hash, 32) != 0)
		err = wrong_program(text, path, h->program, prog->hash);
	suf_source_close(s);
	prg_wipe(raw, sizeof raw);
	return err;
}

enum suf_err model_make(struct suf_key_head *h, const struct suf_program *prog, char *text)
{
	memset(h, 0, sizeof *h);
	h->kind = SUF_KEY_OWNER;
	memcpy(h->program, prog->hash, 32);
	if (prg_os_random(h->epoch, sizeof h->epoch) || prg_os_random(&h->seed, sizeof h->seed) || prg_os_random(&h->model_seed, sizeof h->model_seed))
		return text_fail(text, SUF_EIO, "the operating system's random generator failed");
	memcpy(h->id, h->epoch, sizeof h->id);
	return SUF_OK;
}

/* Under a temporary name of its own, then linked: of two writers at once only one wins, the other gets *late. */
static enum suf_err save_once(const uint8_t *raw, size_t bytes, const char *path, const struct suf_key_head *h, bool *late, char *text)
{
	*late = false;
	char id[33], *tmp = malloc(strlen(path) + sizeof id + 2);
	if (!tmp)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	suf_hex(h->epoch, sizeof h->epoch, id);
	sprintf(tmp, "%s.%s", path, id);
	enum suf_err err = file_save(tmp, 0600, raw, bytes, text);
	if (!err && link(tmp, path) != 0)
		err = (*late = errno == EEXIST) ? text_fail(text, SUF_EIO, "%s: made by another process in the meantime; run again", path)
			: text_fail(text, SUF_EIO, "%s: %s", path, strerror(errno));
	unlink(tmp);
	if (!err && file_sync_dir(path) != 0)
		err = text_fail(text, SUF_EIO, "%s: %s", path, strerror(errno));
	free(tmp);
	return err;
}

enum suf_err model_save(const struct suf_key_head *h, const char *path, bool replace, char *text)
{
	uint8_t raw[SUF_KEY_HEADER];
	bool late;
	suf_key_head_put(raw, h);
	enum suf_err err = replace ? file_save(path, 0600, raw, sizeof raw, text) : save_once(raw, sizeof raw, path, h, &late, text);
	prg_wipe(raw, sizeof raw);
	return err;
}

bool weights_sum(const struct suf_weights *w, uint8_t to[32])
{
	unsigned n = 0;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
	for (uint32_t k = 0; k < suf_weights_count(w) && ok; k++) {
		const struct suf_weights_tensor *t = suf_weights_tensor(w, k);
		ok = EVP_DigestUpdate(md, &t->width, 1) == 1 && EVP_DigestUpdate(md, t->data, (size_t)t->count * t->width) == 1;
	}
	ok = ok && EVP_DigestFinal_ex(md, to, &n) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

/* SUF_EREUSE: the file at path holds another digest. */
static enum suf_err same_sum(const char *path, const uint8_t want[32], char *text)
{
	struct suf_source *s;
	uint8_t have[32];
	enum suf_err err = suf_source_file(&s, path, text);
	if (err)
		return err;
	err = suf_source_read(s, have, sizeof have);
	if (err)
		text_fail(text, err, "%s", suf_source_error(s));
	else if (memcmp(have, want, sizeof have) != 0)
		err = text_fail(text, SUF_EREUSE, "%.100s: other weights were masked in this epoch, and two models under one mask show their difference: "
			"make a new epoch (keygen --new-epoch)", path);
	suf_source_close(s);
	return err;
}

/* A name for weights under one mask: parties that compare it have the same ones.  Keyed with both seeds of the mask, of which no party
 * but the owner knows more than one, so that it tells nobody whether a guess of the weights is right. */
static bool weights_tag(const struct suf_key_head *owner, const uint8_t sum[32], uint8_t tag[16])
{
	static const char label[] = "sufc masked weights";
	uint8_t key[2 * sizeof owner->seed], in[sizeof label + 32], out[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	memcpy(key, &owner->seed, sizeof owner->seed);
	memcpy(key + sizeof owner->seed, &owner->model_seed, sizeof owner->model_seed);
	memcpy(in, label, sizeof label);
	memcpy(in + sizeof label, sum, 32);
	const bool ok = HMAC(EVP_sha256(), key, (int)sizeof key, in, sizeof in, out, &n) != NULL && n >= 16;
	memcpy(tag, out, 16);
	prg_wipe(key, sizeof key);
	prg_wipe(out, sizeof out);
	return ok;
}

enum suf_err model_bind(const struct suf_key_head *owner, const char *owner_path, const struct suf_weights *w, uint8_t tag[16], char *text)
{
	uint8_t sum[32];
	char epoch[33], *dir = strdup(owner_path), *path = malloc(strlen(owner_path) + 48);
	bool late = false;
	enum suf_err err = dir && path && weights_sum(w, sum) ? SUF_OK : text_fail(text, SUF_ENOMEM, "out of memory");
	if (!err) {
		suf_hex(owner->epoch, sizeof owner->epoch, epoch);
		sprintf(path, "%s/%s.weights", dirname(dir), epoch);
		if (access(path, F_OK) != 0)
			err = save_once(sum, sizeof sum, path, owner, &late, text);
		if (!err || late)
			err = same_sum(path, sum, text);
	}
	if (!err && !weights_tag(owner, sum, tag))
		err = text_fail(text, SUF_ENOMEM, "out of memory");
	prg_wipe(sum, sizeof sum);
	free(dir);
	free(path);
	return err;
}

void model_masker_init(struct model_masker *m, const struct suf_key_head *owner)
{
	m->isa = suf_cpu_best();
	prg_stream_init(&m->key[0], &owner->seed);
	prg_stream_init(&m->key[1], &owner->model_seed);
}

void model_mask(const struct model_masker *m, const struct suf_weights *w, uint32_t tensor, uint64_t first, size_t count, uint64_t *w_hat)
{
	uint64_t pad[MASK_CHUNK];
	unsigned bits = suf_weights_tensor(w, tensor)->bits;
	const uint64_t ring = bits == 64 ? ~0ull : (1ull << bits) - 1;
	for (size_t at = 0; at < count; at += MASK_CHUNK) {
		size_t n = count - at < MASK_CHUNK ? count - at : MASK_CHUNK;
		suf_weights_get(w, tensor, first + at, n, w_hat + at);
		for (int p = 0; p < 2; p++) {
			prg_stream(m->isa, &m->key[p], tensor + 1, MASK_TAG, first + at, n, bits, pad);
			for (size_t i = 0; i < n; i++)
				w_hat[at + i] = (w_hat[at + i] + pad[i]) & ring;
		}
	}
	prg_wipe(pad, sizeof pad);
}

/* One tensor into the file of masked weights, in pieces. */
static enum suf_err mask_tensor(const struct model_masker *m, const struct suf_weights *w, uint32_t k, struct suf_weights_writer *out, char *text)
{
	enum { PIECE = 64 * MASK_CHUNK };
	uint64_t *words = malloc(PIECE * sizeof *words), count = suf_weights_tensor(w, k)->count;
	enum suf_err err = words ? SUF_OK : text_fail(text, SUF_ENOMEM, "out of memory");
	for (uint64_t at = 0; !err && at < count; at += PIECE) {
		size_t n = count - at < PIECE ? (size_t)(count - at) : PIECE;
		model_mask(m, w, k, at, n, words);
		err = suf_weights_writer_put_masked(out, words, n, text);
	}
	free(words);
	return err;
}

enum suf_err suf_mask_weights(const struct suf_program *prog, const char *weights, const char *owner, const char *out, char *text)
{
	struct suf_key_head head;
	struct suf_weights *w = NULL;
	struct suf_weights_writer *to = NULL;
	struct model_masker masker;
	char ignored[SUF_TEXT];
	uint8_t tag[16];
	if (suf_public_weights(prog))
		return text_fail(text, SUF_EUSAGE, "the weights of this program are public: there is nothing to mask; dealer and parties take the file as it is (--weights)");
	enum suf_err err = model_load(&head, prog, owner, text);
	if (!err)
		err = suf_weights_open(&w, weights, text);
	if (!err && suf_weights_kind(w) != SUF_WEIGHTS_PLAIN)
		err = text_fail(text, SUF_EUSAGE, "%s: these weights are masked already", weights);
	if (!err)
		err = suf_weights_fit(w, prog, text);
	if (!err)
		err = model_bind(&head, owner, w, tag, text);
	if (!err)
		err = suf_weights_writer_open_masked(&to, out, prog->hash, head.epoch, tag, prog->weight, prog->nweight, text);
	model_masker_init(&masker, &head);
	for (uint32_t k = 0; !err && k < prog->nweight; k++)
		err = mask_tensor(&masker, w, k, to, text);
	enum suf_err closing = suf_weights_writer_finish(to, !err, err ? ignored : text);
	suf_weights_close(w);
	prg_wipe(&head, sizeof head);
	prg_wipe(&masker, sizeof masker);
	return err ? err : closing;
}

/* SPDX-License-Identifier: Apache-2.0
 * public.c -- weights that everybody knows: dealer and both parties read the
 * plain file.  A key names the weights that it was dealt for by their SHA-256
 * where other keys name the epoch of the weights' mask, so other weights are
 * refused before anything is sent.
 */
#include "model.h"
#include "session.h"
#include <string.h>

bool suf_public_weights(const struct suf_program *prog) { return strcmp(prog->weights, "public") == 0; }
bool suf_owner_weights(const struct suf_program *prog) { return strcmp(prog->weights, "owner") == 0; }

static enum suf_err read_all(const struct suf_weights *w, const struct suf_program *prog, uint64_t ***words, char *text)
{
	uint64_t **all = arrays_new(prog->weight, prog->nweight);
	if (!all)
		return text_fail(text, SUF_ENOMEM, "no memory for the weights");
	for (uint32_t k = 0; k < prog->nweight; k++)
		suf_weights_get(w, k, 0, (size_t)suf_weights_tensor(w, k)->count, all[k]);
	*words = all;
	return SUF_OK;
}

enum suf_err public_weights_load(const struct suf_program *prog, const char *path, uint8_t epoch[16], uint64_t ***words, char *text)
{
	struct suf_weights *w = NULL;
	uint8_t sum[32];
	memset(epoch, 0, 16);
	if (prog->nweight == 0)
		return SUF_OK;
	if (!path)
		return text_fail(text, SUF_EUSAGE, "the weights of this program are public: dealer and both parties need them (--weights, the file that sufc wrote)");
	enum suf_err err = suf_weights_open(&w, path, text);
	if (!err)
		err = suf_weights_fit(w, prog, text);
	if (!err && suf_weights_kind(w) != SUF_WEIGHTS_PLAIN)
		err = text_fail(text, SUF_EUSAGE, "%s: masked weights; the weights of this program are public: give the file that sufc wrote", path);
	if (!err && !weights_sum(w, sum))
		err = text_fail(text, SUF_ENOMEM, "out of memory");
	if (!err)
		err = read_all(w, prog, words, text);
	if (!err)
		memcpy(epoch, sum, 16);
	suf_weights_close(w);
	return err;
}

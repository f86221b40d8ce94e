/* SPDX-License-Identifier: Apache-2.0
 * model.h -- the mask of a model's weights: the only mask that outlives a run.
 * One pair of seeds per epoch; the dealer keeps it as model state, the model
 * owner gets it in model.owner.  Both files are key headers of kind SUF_KEY_OWNER
 * (seed: party 0's mask seed, model_seed: party 1's), mode 0600.
 */
#ifndef SUF_MODEL_H
#define SUF_MODEL_H
#include "key.h"
#include "weights.h"

/* text: SUF_TEXT bytes.  The head must belong to the program. */
SUF_MUST_USE enum suf_err model_load(struct suf_key_head *, const struct suf_program *, const char *path, char *text);
SUF_MUST_USE enum suf_err model_make(struct suf_key_head *, const struct suf_program *, char *text); /* fresh random seeds */
/* Write it under a new name; replace false: SUF_EIO when another dealer was faster. */
SUF_MUST_USE enum suf_err model_save(const struct suf_key_head *, const char *path, bool replace, char *text);

/* W_hat = W + s0 + s1 mod 2^bits, `count` elements of a tensor. */
struct model_masker { enum suf_isa isa; struct prg_stream_key key[2]; };
void model_masker_init(struct model_masker *, const struct suf_key_head *owner);
void model_mask(const struct model_masker *, const struct suf_weights *, uint32_t tensor, uint64_t first, size_t count, uint64_t *w_hat);
bool weights_sum(const struct suf_weights *, uint8_t to[32]);   /* SHA-256 of all plain values; false: out of memory */
/* Ties the owner's mask to one set of plain weights: the first call writes their SHA-256 to EPOCH.weights beside the owner's file,
 * durably; SUF_EREUSE when others were masked before. */
SUF_MUST_USE enum suf_err model_bind(const struct suf_key_head *owner, const char *owner_path, const struct suf_weights *, uint8_t tag[16], char *text);
/* Program hashes of `what` ("the key FILE") and of the program differ. */
enum suf_err wrong_program(char *text, const char *what, const uint8_t have[32], const uint8_t want[32]);
#endif

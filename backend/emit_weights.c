/* SPDX-License-Identifier: Apache-2.0
 * emit_weights.c -- the plain weights file of a program, and tensors at its border.
 */
#include <stdlib.h>
#include <string.h>
#include "backend/emit.h"
#include "passes/quantize.h"
#include "run.h"
#include "weights.h"

struct suf_tensor
emit_tensor(const struct val *v, uint32_t step)
{
	struct suf_tensor t = { .name = v->name, .rank = (uint32_t)v->rank, .bits = v->type.bits, .frac = v->type.frac, .onehot = v->onehot,
	                        .step = step, .integer = v->dtype != DT_F32 };
	memcpy(t.dim, v->dim, sizeof t.dim);
	return t;
}

const struct val **
emit_weight_list(struct prog *p, uint32_t *count)
{
	*count = 0;
	for (const struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++)
			if (n->in[k]->data && n->in[k]->slot >= *count)
				*count = (uint32_t)n->in[k]->slot + 1;
	const struct val **list = arena_alloc(p->arena, (*count + 1u) * sizeof(const struct val *));
	for (const struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++)
			if (n->in[k]->data)
				list[n->in[k]->slot] = n->in[k];
	return list;
}

/* The writer takes whole tensors; all of them in the same memory, so that the system gives it only once. */
static enum suf_err
put_all(struct suf_weights_writer *w, const struct val *const *list, uint32_t count, char *text)
{
	enum suf_err err = SUF_OK;
	int64_t most = 1;
	for (uint32_t k = 0; k < count; k++)
		most = ir_count(list[k]) > most ? ir_count(list[k]) : most;
	int64_t *word = malloc((size_t)most * sizeof *word);
	if (!word) {
		snprintf(text, SUF_TEXT, "out of memory for a tensor of %lld elements", (long long)most);
		return SUF_ENOMEM;
	}
	for (uint32_t k = 0; k < count && !err; k++) {
		quantize_weights(list[k], word);
		err = suf_weights_writer_put(w, word, (uint64_t)ir_count(list[k]), text);
	}
	free(word);
	return err;
}

bool
emit_weights(struct prog *p, const char *path, const uint8_t hash[32])
{
	uint32_t count;
	const struct val **list = emit_weight_list(p, &count);
	struct suf_tensor *t = arena_alloc(p->arena, (count + 1u) * sizeof *t);
	for (uint32_t k = 0; k < count; k++)
		t[k] = emit_tensor(list[k], 0);
	char text[SUF_TEXT] = "";
	struct suf_weights_writer *w = NULL;
	enum suf_err err = suf_weights_writer_open(&w, path, hash, t, count, text);
	if (!err)
		err = put_all(w, list, count, text);
	enum suf_err last = suf_weights_writer_finish(w, !err, err ? (char[SUF_TEXT]){ 0 } : text);
	if (!err && !last)
		return true;
	diag_error(p->diag, &(struct loc){ .file = path, .index = -1 }, "write", "cannot write the weights: %s", text);
	return false;
}

/* SPDX-License-Identifier: Apache-2.0
 * dpf_block.h -- for the steps that hold point functions: the key of one block, and comparisons with it. */
#ifndef SUF_STEP_DPF_BLOCK_H
#define SUF_STEP_DPF_BLOCK_H
#include "blocks.h"

struct dpf_block { struct dpf_ctx ctx; struct block root[SUF_BLOCK]; const uint8_t *words; };

/* The words stay where they are until the next key material of this run is read. */
static inline enum suf_err
dpf_block_get(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t at, size_t count, struct dpf_block *d)
{
	d->ctx = (struct dpf_ctx){ .isa = r->isa, .session = r->session, .id = s->id, .part = (uint32_t)(at / SUF_BLOCK) };
	return eval_dpf(r, s, part, at, count, d->root, &d->words);
}

static inline void
dpf_block_done(struct suf_run *r, struct dpf_block *d)
{
	r->aes_calls += d->ctx.calls;
	prg_wipe(d->root, sizeof d->root);
}
#endif

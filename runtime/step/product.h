/* SPDX-License-Identifier: Apache-2.0
 * product.h -- what the product steps share: the mask shares of an operand. */
#ifndef SUF_STEP_PRODUCT_H
#define SUF_STEP_PRODUCT_H
#include "run.h"

/* Dealer: hand out shares of the mask of operand k (unless they exist already), and say where the mask is.
 * `buf` holds a weight's mask.  NULL: an error is set. */
const uint64_t *product_deal_mask(struct suf_run *, const struct suf_step *, int k, enum suf_part, uint64_t *buf);
/* Party: its mask shares of operand k, all of them, into share[]. */
SUF_MUST_USE enum suf_err product_eval_mask(struct suf_run *, const struct suf_step *, int k, enum suf_part, uint64_t *share);
/* Simulator: mask of operand k (buf for a weight); no key. */
const uint64_t *product_sim_mask(struct suf_run *, const struct suf_step *, int k, uint64_t *buf);
/* Simulator: party 0's share of that mask. */
void product_sim_share0(struct suf_run *, const struct suf_step *, int k, enum suf_part, const uint64_t *mask, uint64_t *share);
/* x_hat at a party, x in the simulator. */
const uint64_t *product_value(struct suf_run *, struct suf_ref);
/* c += a b for every matrix of the batch, right mod 2^bits; work: gemm_scratch() bytes, 64-byte aligned. */
void product_accumulate(const struct suf_run *, const struct suf_mm *, unsigned bits, const uint64_t *a, const uint64_t *b, uint64_t *c, void *work);
/* Is B one weight in lines of an even number of words?  Then its mask is made a piece at a time, from whole blocks of the stream, while it is
 * multiplied, and is never in memory. */
bool product_in_pieces(const struct suf_step *);
/* Such a product, right mod 2^n.  a_hat NULL, dealer and simulator: c += a r_B; else, a party: c += a B_hat - a_hat [r_B]. */
void product_accumulate_weight(struct suf_run *, const struct suf_step *, const uint64_t *a, const uint64_t *a_hat, uint64_t *c, void *work);
#endif

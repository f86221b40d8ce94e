/* SPDX-License-Identifier: Apache-2.0
 * public.h -- products with a matrix of weights as they are: those that everybody knows, those that party 0 knows. */
#ifndef SUF_STEP_PUBLIC_H
#define SUF_STEP_PUBLIC_H
#include "run.h"

/* c = a w (+ bias, a row; NULL: without) mod 2^m for every matrix of the batch.  a: words of n bits, w and bias of m bits or more. */
void public_product(struct suf_run *, const struct suf_step *, const uint64_t *w, const uint64_t *bias, const uint64_t *a, uint64_t *c, void *work);
const uint64_t *public_bias(struct suf_run *, const struct suf_step *); /* in[2] of a public product; NULL: it has none */
size_t public_scratch(const struct suf_step *);          /* bytes of `work`, which is 64-byte aligned */
#endif

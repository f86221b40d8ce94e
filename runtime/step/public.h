/* SPDX-License-Identifier: Apache-2.0
 * public.h -- products with a matrix that everybody knows, the dealer too. */
#ifndef SUF_STEP_PUBLIC_H
#define SUF_STEP_PUBLIC_H
#include "run.h"

/* c = a W (+ bias) mod 2^m for every matrix of the batch; `bias`: add it.  a: words of n bits, W and bias of m bits or more. */
void public_product(struct suf_run *, const struct suf_step *, bool bias, const uint64_t *a, uint64_t *c, void *work);
size_t public_scratch(const struct suf_step *);          /* bytes of `work`, which is 64-byte aligned */
#endif

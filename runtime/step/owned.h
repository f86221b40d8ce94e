/* SPDX-License-Identifier: Apache-2.0
 * owned.h -- products with weights that party 0 knows: what steps omul and oscale share.
 *
 * Party 0 knows W, party 1 W_hat = W + r_W, the dealer r_W; [r]_0 + [r]_1 is the mask of A_hat = A + r:
 *     z_0 = (A_hat - [r]_0) W (+ bias) + pad_0,    z_1 = pad_1 - [r]_1 W_hat,
 *     z_0 + z_1 = A W (+ bias) + pad_0 + pad_1 - [r]_1 r_W.
 * The last three terms are the mask of the result, defined last.  z_1 is a function of party 1's seeds, of the key and of W_hat:
 * it is the same for all inputs, so its opening may be sent before there is one (docs/compact.md, weights of party 0).
 *
 * Opened later: z_0 and z_1, once, each under its own pad of full width.  Key: none if [r] are pads, else a correction.
 */
#ifndef SUF_STEP_OWNED_H
#define SUF_STEP_OWNED_H
#include "product.h"

struct owned {
	enum suf_part r_a;
	/* c = a w (+ bias; NULL: without) mod 2^n, all of it; work: scratch of `bytes` */
	void (*product)(struct suf_run *, const struct suf_step *, const uint64_t *w, const uint64_t *bias, const uint64_t *a, uint64_t *c, void *work);
	size_t (*bytes)(const struct suf_step *);
	bool pieces;  /* the step is a product_in_pieces, if it is one: a r_W without r_W in memory */
};
size_t owned_scratch(const struct owned *, const struct suf_step *);
SUF_MUST_USE enum suf_err owned_deal(const struct owned *, struct suf_run *, const struct suf_step *);
SUF_MUST_USE enum suf_err owned_eval(const struct owned *, struct suf_run *, const struct suf_step *);
SUF_MUST_USE enum suf_err owned_sim(const struct owned *, struct suf_run *, const struct suf_step *);
#endif

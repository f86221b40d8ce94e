/* SPDX-License-Identifier: Apache-2.0
 * suf_linear.c -- gates of the set `suf` that are those of `sigma`: products, look-ups by one-hot rows and the
 * tournament open each result once, in full, and truncate nothing.
 */
#include "passes/gate/build.h"

bool expand_suf_matmul(struct prog *p, struct node *n) { return expand_sigma_matmul(p, n); }
bool expand_suf_mul(struct prog *p, struct node *n) { return expand_sigma_mul(p, n); }
bool expand_suf_embedding(struct prog *p, struct node *n) { return expand_sigma_embedding(p, n); }
bool expand_suf_argmax(struct prog *p, struct node *n) { return expand_sigma_argmax(p, n); }

/* SPDX-License-Identifier: Apache-2.0
 * compact_chain.h -- steps of a chain of products without truncation keys:
 * extension by a gap, product whose output mask is defined last, narrow opening.
 */
#ifndef SUFC_COMPACT_CHAIN_H
#define SUFC_COMPACT_CHAIN_H
#include "passes/gate/build.h"

/* x of n bits, -2^(n-2) <= x < 2^(n-2), to m bits; SHARED.  Opened in full, its pads are its mask's shares. */
struct val *b_gapext(struct gb *, struct val *x, unsigned m);
/* a b; both operands are opened b_gapext results.  No key at all. */
struct val *b_product_define_last(struct gb *, struct val *a, struct val *b, const struct suf_mm *);
/* Opens the top n-s bits of v + 2^(s-1); |v| < 2^(n-1): v / 2^s in n-s bits, off by less than 1.5 units. */
struct val *b_open_narrow(struct gb *, struct val *v, unsigned s);
#endif

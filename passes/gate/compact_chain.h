/* SPDX-License-Identifier: Apache-2.0
 * compact_chain.h -- extension by a gap, the first step of a chain of products without keys (compact.h).
 */
#ifndef SUFC_COMPACT_CHAIN_H
#define SUFC_COMPACT_CHAIN_H
#include "passes/gate/build.h"

/* x of n bits, -2^(n-2) <= x < 2^(n-2), to m bits; SHARED.  Opened in full, its pads are its mask's shares. */
struct val *b_gapext(struct gb *, struct val *x, unsigned m);
#endif

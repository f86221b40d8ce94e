/* SPDX-License-Identifier: Apache-2.0
 * blocks.h -- for a step that works element by element: the loop over blocks. */
#ifndef SUF_STEP_BLOCKS_H
#define SUF_STEP_BLOCKS_H
#include "run.h"
#define FOR_BLOCKS(at, k, count) \
	for (uint64_t at = 0, k; at < (count) && (k = (count) - at < SUF_BLOCK ? (count) - at : SUF_BLOCK, true); at += SUF_BLOCK)
#endif

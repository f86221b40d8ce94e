/* SPDX-License-Identifier: Apache-2.0
 * weights_priv.h -- the layout of weights files (see weights.h), for weights.c
 * and weights_writer.c.
 */
#ifndef SUF_WEIGHTS_PRIV_H
#define SUF_WEIGHTS_PRIV_H
#include "file.h"
#include "key.h"
#include "weights.h"

#define WEIGHTS_MAGIC "SUFWGT01"
enum { WEIGHTS_HEADER = 128, WEIGHTS_AT_DIGEST = 96, WEIGHTS_ENTRY = 24 /* bytes before the dimensions */ };

bool weights_digest(const uint8_t *head, const uint8_t *table, size_t table_bytes, uint8_t to[32]);
bool weights_elems(uint32_t rank, const int64_t *dim, uint64_t *count);
#endif

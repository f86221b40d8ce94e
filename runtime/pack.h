/* SPDX-License-Identifier: Apache-2.0
 * pack.h -- bit packing of messages, keys and files: little-endian, element i at bit i*bits, zero bits up to a byte.
 * No byte beyond (count*bits + 7)/8 is read or written.  `from` of pack_bits is reduced mod 2^bits: higher bits would
 * spoil the neighbours.  Timing depends on `count` and `bits` alone.
 */
#ifndef SUF_PACK_H
#define SUF_PACK_H
#include "prg.h"
void pack_bits(enum suf_isa, uint8_t *to, const uint64_t *from, size_t count, unsigned bits);   /* 1 <= bits <= 64 */
void unpack_bits(enum suf_isa, uint64_t *to, const uint8_t *from, size_t count, unsigned bits);
#endif

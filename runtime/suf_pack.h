/* SPDX-License-Identifier: Apache-2.0
 * suf_pack.h -- bit packing, little-endian, element i at bit i*bits.  A
 * program instantiates it for each width that it uses:
 *     SUF_PACK_WIDTH(50)                       defines suf_pack_50, suf_unpack_50
 *     { 50, suf_pack_50, suf_unpack_50 }       a row of suf_program.pack
 */
#ifndef SUF_PACK_H
#define SUF_PACK_H
#include <stdint.h>
#include <string.h>

static inline __attribute__((always_inline)) void
suf_pack_bits(uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	uint64_t acc = 0; unsigned have = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t v = from[i];
		acc |= v << have;                        /* have < 64 */
		have += bits;
		if (have >= 64) {
			memcpy(to, &acc, 8); to += 8;
			have -= 64;
			acc = have ? v >> (bits - have) : 0;
		}
	}
	for (; have > 0; have = have > 8 ? have - 8 : 0) { *to++ = (uint8_t)acc; acc >>= 8; }
}

static inline __attribute__((always_inline)) void
suf_unpack_bits(uint64_t *to, const uint8_t *from, size_t count, unsigned bits)
{
	const uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
	const uint64_t total = (uint64_t)count * bits, bytes = (total + 7) / 8;
	for (size_t i = 0; i < count; i++) {
		uint64_t at = (uint64_t)i * bits, k = at >> 3, left = bytes - k; unsigned sh = (unsigned)(at & 7);
		uint64_t lo = 0; uint8_t hi = 0;
		if (left > 8) { memcpy(&lo, from + k, 8); hi = from[k + 8]; }
		else memcpy(&lo, from + k, left);
		uint64_t v = lo >> sh;
		if (sh) v |= (uint64_t)hi << (64 - sh);
		to[i] = v & mask;
	}
}

#define SUF_PACK_WIDTH(B) \
	static void suf_pack_##B(uint8_t *to, const uint64_t *from, size_t count) { suf_pack_bits(to, from, count, B); } \
	static void suf_unpack_##B(uint64_t *to, const uint8_t *from, size_t count) { suf_unpack_bits(to, from, count, B); }
#endif

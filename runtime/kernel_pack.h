/* SPDX-License-Identifier: Apache-2.0
 * kernel_pack.h -- packing for kernels without AVX-512: a template that kernel_portable.c and kernel_avx2.h include after
 * defining
 *     TARGET
 *     PACK_EARLY, UNPACK_EARLY   pack_run and unpack_run, or what does the same for eights of elements
 * Accesses are of 8 bytes at the first byte of an element; where these could end beyond the packed bytes, the last elements
 * go through a copy.
 */
#include <string.h>

#define PACK_FN static inline __attribute__((always_inline)) TARGET
/* The last elements: at most 8 - 1 + 7*63/8 bytes are theirs, and accesses end at most 9 bytes later. */
enum { PACK_LAST = 64, PACK_SLACK = 16 };

/* Elements of less than a byte: eight in one word. */
PACK_FN void pack_narrow(uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	for (size_t i = 0; i < count; i += 8, to += bits) {
		const size_t n = count - i < 8 ? count - i : 8;
		uint64_t word = 0;
		for (size_t k = n; k-- > 0;)
			word = word << bits | from[i + k];
		memcpy(to, &word, sizeof word);
	}
}

/* An element begins in the byte where the one before it ends, so it brings those bits, and also what that one had beyond its
 * 8 bytes.  Returns that of the last element; the next one would begin there. */
PACK_FN void pack_run(uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	uint64_t before = 0, at = 0;

	for (size_t i = 0; i < count; i++, at += bits) {
		const unsigned shift = at & 7;
		const uint64_t word = from[i] << shift | before >> (bits - shift);
		memcpy(to + (at >> 3), &word, sizeof word);
		before = from[i];
	}
}

TARGET static void pack_words(uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	const size_t bytes = (count * bits + 7) / 8;
	const size_t early = bytes < 8 ? 0 : (8 * (bytes - 7) + bits - 1) / bits & ~(size_t)7; /* whole bytes; they end within `bytes` */
	uint8_t last[PACK_LAST + PACK_SLACK];

	if (bits < 8) {
		pack_narrow(to, from, early, bits);
		pack_narrow(last, from + early, count - early, bits);
	} else {
		const size_t end = (count - early) * bits;
		const uint64_t word = count ? from[count - 1] >> (bits - (end & 7)) : 0;
		PACK_EARLY(to, from, early, bits);
		pack_run(last, from + early, count - early, bits);
		memcpy(last + end / 8, &word, sizeof word);
	}
	memcpy(to + early / 8 * bits, last, bytes - early / 8 * bits);
	prg_wipe(last, sizeof last);
}

/* wide: an element may go on in a ninth byte. */
PACK_FN void unpack_run(uint64_t *to, const uint8_t *from, size_t count, unsigned bits, bool wide)
{
	const uint64_t keep = ~0ull >> (64 - bits);
	size_t at = 0;

	for (size_t i = 0; i < count; i++, at += bits) {
		const unsigned shift = at & 7;
		uint64_t word, next = 0;
		memcpy(&word, from + (at >> 3), sizeof word);
		if (wide)
			memcpy(&next, from + (at >> 3) + 1, sizeof next);
		to[i] = (word >> shift | next << (8 - shift)) & keep;
	}
}

TARGET static void unpack_words(uint64_t *to, const uint8_t *from, size_t count, unsigned bits)
{
	const size_t bytes = (count * bits + 7) / 8;
	const size_t early = bytes < 9 ? 0 : (8 * (bytes - 8) + bits - 1) / bits & ~(size_t)7;
	uint8_t last[PACK_LAST + PACK_SLACK] = { 0 };

	memcpy(last, from + early / 8 * bits, bytes - early / 8 * bits);
	if (bits <= 57) {
		UNPACK_EARLY(to, from, early, bits, false);
		unpack_run(to + early, last, count - early, bits, false);
	} else {
		UNPACK_EARLY(to, from, early, bits, true);
		unpack_run(to + early, last, count - early, bits, true);
	}
	prg_wipe(last, sizeof last);
}

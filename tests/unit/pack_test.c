/* SPDX-License-Identifier: Apache-2.0
 * pack_test.c -- packing of every instruction set against its definition, bit by bit; no byte around the buffers is read or written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "pack.h"

enum { MOST = SUF_BLOCK + 5, GUARD = 128, SPACE = 16384 };

/* SPACE bytes that end at a page nobody may touch. */
struct edge { uint8_t *base, *end; size_t size; };
struct room { struct edge words, packed; };

static struct edge
edge_new(void)
{
	struct edge e;
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), space = (SPACE + page - 1) / page * page;
	e.size = space + page;
	e.base = mmap(NULL, e.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(e.base != MAP_FAILED);
	e.end = e.base + space;
	assert_int_equal(mprotect(e.end, page, PROT_NONE), 0);
	return e;
}

static int
make_room(void **state)
{
	static struct room r;
	r = (struct room){ edge_new(), edge_new() };
	*state = &r;
	return 0;
}

static int
drop_room(void **state)
{
	struct room *r = *state;
	return munmap(r->words.base, r->words.size) | munmap(r->packed.base, r->packed.size);
}

static uint64_t
next_random(void)
{
	static uint64_t x = 0x9e3779b97f4a7c15;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x * 0x2545f4914f6cdd1d;
}

static void
by_definition(uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	memset(to, 0, (count * bits + 7) / 8);
	for (size_t i = 0; i < count * bits; i++)
		to[i / 8] |= (uint8_t)((from[i / bits] >> i % bits & 1) << i % 8);
}

static bool
all_are(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

/* Sources end at a forbidden page, then targets; targets stand between guards where there is no page. */
static void
both_ways(const struct room *r, enum suf_isa isa, const uint64_t *word, const uint8_t *want, size_t count, unsigned bits)
{
	const size_t bytes = (count * bits + 7) / 8, size = count * sizeof *word;
	for (int at_edge = 0; at_edge < 2; at_edge++) {
		const size_t after = at_edge ? 0 : GUARD;
		uint8_t *packed = r->packed.end - after - bytes, *words = r->words.end - size;
		memcpy(words, word, size);
		memset(packed - GUARD, 0xa5, GUARD + bytes + after);
		pack_bits(isa, packed, (const uint64_t *)(void *)words, count, bits);
		if (memcmp(packed, want, bytes) || !all_are(packed - GUARD, GUARD, 0xa5) || !all_are(packed + bytes, after, 0xa5) || memcmp(words, word, size))
			fail_msg("isa %d packs %zu elements of %u bits wrongly", (int)isa, count, bits);
		packed = r->packed.end - bytes;
		words = r->words.end - after - size;
		memcpy(packed, want, bytes);
		memset(words - GUARD, 0x5a, GUARD + size + after);
		unpack_bits(isa, (uint64_t *)(void *)words, packed, count, bits);
		if (memcmp(words, word, size) || !all_are(words - GUARD, GUARD, 0x5a) || !all_are(words + size, after, 0x5a) || memcmp(packed, want, bytes))
			fail_msg("isa %d unpacks %zu elements of %u bits wrongly", (int)isa, count, bits);
	}
}

static void
widths_and_counts(void **state)
{
	static uint64_t word[MOST];
	static uint8_t want[8 * MOST];
	const struct room *r = *state;
	static const size_t large[] = { 127, 333, 511, SUF_BLOCK - 9, SUF_BLOCK - 8, SUF_BLOCK - 1, SUF_BLOCK, SUF_BLOCK + 1, MOST };
	for (unsigned bits = 1; bits <= 64; bits++)
		for (size_t k = 0; k < 81 + sizeof large / sizeof large[0]; k++) {
			const size_t count = k < 81 ? k : large[k - 81];
			for (size_t i = 0; i < count; i++) /* some of them with all bits */
				word[i] = (next_random() | (i % 5 ? 0 : ~0ull)) >> (64 - bits);
			by_definition(want, word, count, bits);
			for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++)
				both_ways(r, isa, word, want, count, bits);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(widths_and_counts, make_room, drop_room) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

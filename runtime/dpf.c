/* SPDX-License-Identifier: Apache-2.0
 * Point functions in batches: layout, small domains, tables; the trees are in the kernels. */
#include "kernel.h"
#include <string.h>

enum { PAIR_AES = 3, CHILD_AES = 2 }; /* AES calls for both children of a node, for one */

/* Truth table of a small domain. */
static size_t table_bytes(unsigned b)
{
	return b <= 3 ? 1 : (size_t)1 << (b - 3);
}

uint64_t dpf_key_bytes(unsigned b, uint64_t count)
{
	if (b <= DPF_LEAF_BITS)
		return table_bytes(b) * count;
	return (b - DPF_LEAF_BITS - 1) * (16 * count + (count + 7) / 8) + 32 * count;
}

static uint64_t levels(unsigned b)
{
	return b > DPF_LEAF_BITS ? b - DPF_LEAF_BITS : 0;
}

uint64_t dpf_gen_calls(unsigned b, uint64_t count)
{
	return 2 * PAIR_AES * levels(b) * count;
}

uint64_t dpf_less_calls(unsigned b, uint64_t count)
{
	return CHILD_AES * levels(b) * count;
}

uint64_t dpf_lut_calls(unsigned b, uint64_t count)
{
	return PAIR_AES * (((uint64_t)1 << levels(b)) - 1) * count;
}

static struct block domain_mask(unsigned b)
{
	if (b >= 6)
		return (struct block){ ~0ull, b > 6 ? ~0ull : 0 };
	return (struct block){ (1ull << (1u << b)) - 1, 0 };
}

void dpf_gen_sign(struct dpf_ctx *ctx, unsigned b, size_t count, const uint64_t *alpha, const struct block *root0,
		  const struct block *root1, uint8_t *words, uint64_t *own0)
{
	const struct block keep = domain_mask(b);

	if (b > DPF_LEAF_BITS) {
		kernel_of(ctx->isa)->gen(ctx, b, count, alpha, root0, root1, words, own0);
		ctx->calls += dpf_gen_calls(b, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct block e = suf_dpf_unit(alpha[i]);
		struct block w = { (e.lo ^ root0[i].lo ^ root1[i].lo) & keep.lo, (e.hi ^ root0[i].hi ^ root1[i].hi) & keep.hi };
		memcpy(words + i * table_bytes(b), &w, table_bytes(b));
		if (own0)
			own0[i] = suf_parity((e.lo & root0[i].lo) ^ (e.hi & root0[i].hi));
	}
}

void dpf_gen(struct dpf_ctx *ctx, unsigned b, size_t count, const uint64_t *alpha, const struct block *root0, const struct block *root1,
	     uint8_t *words)
{
	dpf_gen_sign(ctx, b, count, alpha, root0, root1, words, NULL);
}

/* A party's share of the truth table. */
static struct block small_share(int party, unsigned b, size_t i, const struct block *root, const uint8_t *words)
{
	struct block s = root[i], w = { 0, 0 };

	if (party) {
		memcpy(&w, words + i * table_bytes(b), table_bytes(b));
		s.lo ^= w.lo;
		s.hi ^= w.hi;
	}
	return s;
}

void dpf_less_equal(struct dpf_ctx *ctx, int party, unsigned b, size_t count, const struct block *root, const uint8_t *words,
		    const uint64_t *x, uint64_t *bit, uint64_t *at_x)
{
	if (b > DPF_LEAF_BITS) {
		kernel_of(ctx->isa)->less(ctx, party, b, count, root, words, x, bit, at_x);
		ctx->calls += dpf_less_calls(b, count);
		return;
	}
	for (size_t i = 0; i < count; i++) { /* 1 ^ [alpha <= x] */
		struct block s = small_share(party, b, i, root, words);
		uint64_t low = ~0ull >> (63 - (x[i] & 63)), high = 0 - (x[i] >> 6 & 1);
		bit[i] = (uint64_t)__builtin_parityll((s.lo & (low | high)) ^ (s.hi & low & high)) ^ (unsigned)party;
		if (at_x)
			at_x[i] = suf_dpf_leaf_bit(s, x[i]);
	}
}

void dpf_less(struct dpf_ctx *ctx, int party, unsigned b, size_t count, const struct block *root, const uint8_t *words,
	      const uint64_t *x, uint64_t *bit)
{
	dpf_less_equal(ctx, party, b, count, root, words, x, bit, NULL);
}

/* The table backwards and twice, so that T[(x - j) mod 2^b] for j = 0, 1, ... lies in a row (and one leaf block can
 * always be read); then the leaves of one group. */
static size_t table_words(unsigned b)
{
	return 2 * ((size_t)1 << (b < DPF_LEAF_BITS ? DPF_LEAF_BITS : b));
}

static size_t leaf_blocks(unsigned b)
{
	return b <= DPF_LEAF_BITS ? 1 : (size_t)1 << (b - DPF_LEAF_BITS);
}

size_t dpf_lut_scratch(unsigned b)
{
	return table_words(b) * sizeof(int64_t) + leaf_blocks(b) * DPF_GROUP_MAX * sizeof(struct block);
}

static void turn_table(unsigned b, const int64_t *table, int64_t *backwards)
{
	const size_t size = (size_t)1 << b;

	for (size_t k = 0; k < size; k++)
		backwards[k] = backwards[size + k] = table[size - 1 - k];
	for (size_t k = 2 * size; k < table_words(b); k++)
		backwards[k] = 0;
}

/* Leaf blocks of elements [i, i+n), n <= group. */
static void group_leaves(struct dpf_ctx *ctx, const struct kernel *kernel, int party, unsigned b, size_t count, size_t i, size_t n,
			 const struct block *root, const uint8_t *words, struct block *node)
{
	const struct block keep = domain_mask(b);

	if (b > DPF_LEAF_BITS) {
		kernel->leaves(ctx, party, b, count, i, n, root, words, node);
		return;
	}
	for (size_t e = 0; e < n; e++) {
		node[e] = small_share(party, b, i + e, root, words);
		node[e].lo &= keep.lo;
		node[e].hi &= keep.hi;
	}
}

void dpf_lut(struct dpf_ctx *ctx, int party, unsigned b, size_t count, const struct block *root, const uint8_t *words,
	     const uint64_t *x, const int64_t *table, uint64_t *u, uint64_t *v, void *scratch)
{
	const struct kernel *kernel = kernel_of(ctx->isa);
	const size_t last = ((size_t)1 << b) - 1, blocks = leaf_blocks(b), group = kernel->group;
	const uint64_t negate = 0 - (uint64_t)party;
	int64_t *backwards = scratch;
	struct block *node = (struct block *)(void *)(backwards + table_words(b));

	turn_table(b, table, backwards);
	for (size_t i = 0; i < count; i += group) {
		size_t n = count - i < group ? count - i : group;
		group_leaves(ctx, kernel, party, b, count, i, n, root, words, node);
		for (size_t e = 0; e < n; e++) {
			uint64_t ones = 0, sum = kernel->dot(node + e, group, blocks, backwards + (last - x[i + e]), &ones);
			u[i + e] = (ones ^ negate) - negate;
			v[i + e] = (sum ^ negate) - negate;
		}
	}
	ctx->calls += dpf_lut_calls(b, count);
	prg_wipe(node, blocks * group * sizeof *node);
}

/* ---- tables in words that are just wide enough ------------------------------------------------ */
static unsigned word_bytes(unsigned bits)
{
	return bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
}

static size_t table_size(unsigned b, unsigned bits)
{
	return (table_words(b) * word_bytes(bits) + 63) / 64 * 64;
}

size_t dpf_table_scratch(unsigned b, unsigned bits)
{
	return table_size(b, bits) + leaf_blocks(b) * DPF_GROUP_MAX * sizeof(struct block);
}

void dpf_table_set(unsigned b, unsigned bits, const int64_t *table, void *scratch)
{
	const size_t last = ((size_t)1 << b) - 1, turned = 2 * (last + 1);

	if (bits > 32) {
		turn_table(b, table, scratch);
		return;
	}
	for (size_t k = 0; k < table_words(b); k++) {
		int64_t v = k < turned ? table[last - (k & last)] : 0;
		if (bits <= 16)
			((uint16_t *)scratch)[k] = (uint16_t)v;
		else
			((uint32_t *)scratch)[k] = (uint32_t)v;
	}
}

/* One look-up from place `at` of the turned table on. */
static uint64_t table_dot(const struct kernel *kernel, unsigned bits, const struct block *leaf, size_t blocks, const void *turned, size_t at)
{
	uint64_t ones = 0;

	if (bits <= 16)
		return kernel->dot16(leaf, kernel->group, blocks, (const uint16_t *)turned + at);
	if (bits <= 32)
		return kernel->dot32(leaf, kernel->group, blocks, (const uint32_t *)turned + at);
	return kernel->dot(leaf, kernel->group, blocks, (const int64_t *)turned + at, &ones);
}

void dpf_table(struct dpf_ctx *ctx, int party, unsigned b, unsigned bits, size_t count, const struct block *root, const uint8_t *words,
	       const uint64_t *x, uint64_t *v, void *scratch)
{
	const struct kernel *kernel = kernel_of(ctx->isa);
	const size_t last = ((size_t)1 << b) - 1, blocks = leaf_blocks(b), group = kernel->group;
	const uint64_t negate = 0 - (uint64_t)party, mask = bits < 64 ? (1ull << bits) - 1 : ~0ull;
	struct block *node = (struct block *)(void *)((uint8_t *)scratch + table_size(b, bits));

	for (size_t i = 0; i < count; i += group) {
		size_t n = count - i < group ? count - i : group;
		group_leaves(ctx, kernel, party, b, count, i, n, root, words, node);
		for (size_t e = 0; e < n; e++)
			v[i + e] = ((table_dot(kernel, bits, node + e, blocks, scratch, last - x[i + e]) ^ negate) - negate) & mask;
	}
	ctx->calls += dpf_lut_calls(b, count);
	prg_wipe(node, blocks * group * sizeof *node);
}

/* ---- some keys of a batch ------------------------------------------------------------------------ */
void dpf_pick(unsigned b, size_t count, const uint8_t *words, size_t n, const uint32_t *index, uint8_t *to)
{
	const size_t item = b > DPF_LEAF_BITS ? 16 : table_bytes(b);

	for (unsigned level = 1; level < levels(b); level++, words += kernel_level_bytes(count), to += kernel_level_bytes(n)) {
		const uint8_t *right = words + 16 * count;
		for (size_t i = 0; i < n; i++)
			memcpy(to + 16 * i, words + 16 * (size_t)index[i], 16);
		memset(to + 16 * n, 0, (n + 7) / 8);
		for (size_t i = 0; i < n; i++)
			to[16 * n + i / 8] |= (uint8_t)((right[index[i] / 8] >> index[i] % 8 & 1) << i % 8);
	}
	for (unsigned side = 0; side <= (b > DPF_LEAF_BITS); side++, words += item * count, to += item * n)
		for (size_t i = 0; i < n; i++)
			memcpy(to + item * i, words + item * (size_t)index[i], item);
}

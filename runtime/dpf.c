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

void dpf_gen(struct dpf_ctx *ctx, unsigned b, size_t count, const uint64_t *alpha, const struct block *root0, const struct block *root1,
	     uint8_t *words)
{
	const struct block keep = domain_mask(b);

	if (b > DPF_LEAF_BITS) {
		kernel_of(ctx->isa)->gen(ctx, b, count, alpha, root0, root1, words);
		ctx->calls += dpf_gen_calls(b, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		uint64_t bit = 1ull << (alpha[i] & 63), high = 0 - (alpha[i] >> 6 & 1);
		struct block w = { ((bit & ~high) ^ root0[i].lo ^ root1[i].lo) & keep.lo,
				   ((bit & high) ^ root0[i].hi ^ root1[i].hi) & keep.hi };
		memcpy(words + i * table_bytes(b), &w, table_bytes(b));
	}
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

void dpf_less(struct dpf_ctx *ctx, int party, unsigned b, size_t count, const struct block *root, const uint8_t *words,
	      const uint64_t *x, uint64_t *bit)
{
	if (b > DPF_LEAF_BITS) {
		kernel_of(ctx->isa)->less(ctx, party, b, count, root, words, x, bit);
		ctx->calls += dpf_less_calls(b, count);
		return;
	}
	for (size_t i = 0; i < count; i++) { /* 1 ^ [alpha <= x] */
		struct block s = small_share(party, b, i, root, words);
		uint64_t low = ~0ull >> (63 - (x[i] & 63)), high = 0 - (x[i] >> 6 & 1);
		bit[i] = (uint64_t)__builtin_parityll((s.lo & (low | high)) ^ (s.hi & low & high)) ^ (unsigned)party;
	}
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

void dpf_lut(struct dpf_ctx *ctx, int party, unsigned b, size_t count, const struct block *root, const uint8_t *words,
	     const uint64_t *x, const int64_t *table, uint64_t *u, uint64_t *v, void *scratch)
{
	const struct kernel *kernel = kernel_of(ctx->isa);
	const size_t last = ((size_t)1 << b) - 1, blocks = leaf_blocks(b), group = kernel->group;
	const struct block keep = domain_mask(b);
	const uint64_t negate = 0 - (uint64_t)party;
	int64_t *backwards = scratch;
	struct block *node = (struct block *)(void *)(backwards + table_words(b));

	turn_table(b, table, backwards);
	for (size_t i = 0; i < count; i += group) {
		size_t n = count - i < group ? count - i : group;
		if (b > DPF_LEAF_BITS)
			kernel->leaves(ctx, party, b, count, i, n, root, words, node);
		else
			for (size_t e = 0; e < n; e++) {
				node[e] = small_share(party, b, i + e, root, words);
				node[e].lo &= keep.lo;
				node[e].hi &= keep.hi;
			}
		for (size_t e = 0; e < n; e++) {
			uint64_t ones = 0, sum = kernel->dot(node + e, group, blocks, backwards + (last - x[i + e]), &ones);
			u[i + e] = (ones ^ negate) - negate;
			v[i + e] = (sum ^ negate) - negate;
		}
	}
	ctx->calls += dpf_lut_calls(b, count);
	prg_wipe(node, blocks * group * sizeof *node);
}

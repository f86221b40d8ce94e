/* SPDX-License-Identifier: Apache-2.0
 * The kernels in plain C: the reference for all others, level by level over
 * a chunk of the batch. */
#include "kernel.h"
#include <string.h>
#define TARGET
#define PACK_EARLY pack_run
#define UNPACK_EARLY unpack_run
#include "kernel_pack.h"

enum { CHUNK = 64, GROUP = 8 };

/* pi's key: the first 128 bits of SHA-256("sufc tree hash"), expanded. */
const uint8_t kernel_tree_key[AES_KEY_BYTES] = {
	0xa8, 0x1c, 0x27, 0x26, 0xbc, 0xfe, 0xf3, 0x9d, 0xa9, 0xdf, 0x6f, 0xfc, 0x7b, 0x00, 0xb7, 0x67,
	0xca, 0xb5, 0xa2, 0x07, 0x76, 0x4b, 0x51, 0x9a, 0xdf, 0x94, 0x3e, 0x66, 0xa4, 0x94, 0x89, 0x01,
	0xea, 0x12, 0xde, 0x4e, 0x9c, 0x59, 0x8f, 0xd4, 0x43, 0xcd, 0xb1, 0xb2, 0xe7, 0x59, 0x38, 0xb3,
	0x25, 0x15, 0xb3, 0xda, 0xb9, 0x4c, 0x3c, 0x0e, 0xfa, 0x81, 0x8d, 0xbc, 0x1d, 0xd8, 0xb5, 0x0f,
	0x4c, 0xc0, 0xc5, 0x7e, 0xf5, 0x8c, 0xf9, 0x70, 0x0f, 0x0d, 0x74, 0xcc, 0x12, 0xd5, 0xc1, 0xc3,
	0x5f, 0xb8, 0xeb, 0xb7, 0xaa, 0x34, 0x12, 0xc7, 0xa5, 0x39, 0x66, 0x0b, 0xb7, 0xec, 0xa7, 0xc8,
	0xb1, 0xe4, 0x03, 0x1e, 0x1b, 0xd0, 0x11, 0xd9, 0xbe, 0xe9, 0x77, 0xd2, 0x09, 0x05, 0xd0, 0x1a,
	0x9a, 0x94, 0xa1, 0x1f, 0x81, 0x44, 0xb0, 0xc6, 0x3f, 0xad, 0xc7, 0x14, 0x36, 0xa8, 0x17, 0x0e,
	0xd8, 0x64, 0x0a, 0x1a, 0x59, 0x20, 0xba, 0xdc, 0x66, 0x8d, 0x7d, 0xc8, 0x50, 0x25, 0x6a, 0xc6,
	0xfc, 0x66, 0xbe, 0x49, 0xa5, 0x46, 0x04, 0x95, 0xc3, 0xcb, 0x79, 0x5d, 0x93, 0xee, 0x13, 0x9b,
	0xe2, 0x1b, 0xaa, 0x95, 0x47, 0x5d, 0xae, 0x00, 0x84, 0x96, 0xd7, 0x5d, 0x17, 0x78, 0xc4, 0xc6,
};

static void portable_ctr(const uint8_t *round_key, uint64_t first, uint32_t id, uint32_t tag, size_t blocks, uint64_t keep, uint64_t *out)
{
	struct block x[CHUNK];

	for (size_t i = 0; i < blocks; i += CHUNK) {
		size_t n = blocks - i < CHUNK ? blocks - i : CHUNK;
		for (size_t k = 0; k < n; k++)
			x[k] = (struct block){ first + i + k, id | (uint64_t)tag << 32 };
		aes_portable(round_key, n, x);
		for (size_t k = 0; k < n; k++) {
			out[2 * (i + k)] = x[k].lo & keep;
			out[2 * (i + k) + 1] = x[k].hi & keep;
		}
	}
	prg_wipe(x, sizeof x);
}

/* pi(s) for the seed part of s */
static void permute(size_t n, const struct block *s, struct block *p)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (struct block){ s[i].lo & ~1ull, s[i].hi };
	aes_portable(kernel_tree_key, n, p);
}

/* The children of p = pi(s) on sides side[i]. */
static void child(const struct dpf_ctx *ctx, unsigned level, size_t n, const struct block *p, const uint8_t *side, struct block *c)
{
	for (size_t i = 0; i < n; i++)
		c[i] = suf_dpf_tweak(p[i], ctx->session, ctx->id, ctx->part, level, side[i]);
	aes_portable(kernel_tree_key, n, c);
	for (size_t i = 0; i < n; i++) {
		c[i].lo ^= p[i].lo;
		c[i].hi ^= p[i].hi;
	}
}

static struct block load(const uint8_t *p)
{
	struct block x;

	memcpy(&x, p, sizeof x);
	return x;
}

struct gen_state { struct block s[2][CHUNK], pi[CHUNK], c[2][2][CHUNK]; };

static void gen_chunk(const struct dpf_ctx *ctx, unsigned b, size_t count, size_t i, size_t n, const uint64_t *alpha,
		      struct gen_state *g, uint8_t *words, uint64_t *own0)
{
	static const uint8_t side[2][CHUNK] = { { 0 }, { [0 ... CHUNK - 1] = 1 } };
	const unsigned depth = b - DPF_LEAF_BITS;

	for (unsigned level = 0; level < depth; level++, words += kernel_level_bytes(count)) {
		for (int p = 0; p < 2; p++) {
			permute(n, g->s[p], g->pi);
			for (int d = 0; d < 2; d++)
				child(ctx, level, n, g->pi, side[d], g->c[p][d]);
		}
		for (size_t e = 0; e < n; e++) {
			struct block c[2][2] = { { g->c[0][0][e], g->c[0][1][e] }, { g->c[1][0][e], g->c[1][1][e] } };
			struct block s[2] = { g->s[0][e], g->s[1][e] };
			uint64_t k = alpha[i + e] >> (b - 1 - level) & 1;
			uint8_t *cw = words + 16 * (i + e);
			struct block w[2];
			uint64_t t_right;
			if (level == depth - 1) {
				suf_dpf_gen_leaf(c, alpha[i + e], k, w);
				memcpy(cw, &w[0], sizeof w[0]);
				memcpy(cw + 16 * count, &w[1], sizeof w[1]);
				if (own0)
					own0[i + e] = suf_dpf_own_bit(c[0], s[0].lo, alpha[i + e], k, w);
				continue;
			}
			suf_dpf_gen_level(c, s, k, w, &t_right);
			memcpy(cw, w, sizeof *w);
			words[16 * count + (i + e) / 8] |= (uint8_t)(t_right << (i + e) % 8); /* zeroed before */
			g->s[0][e] = s[0];
			g->s[1][e] = s[1];
		}
	}
}

static void portable_gen(const struct dpf_ctx *ctx, unsigned b, size_t count, const uint64_t *alpha, const struct block *root0,
			 const struct block *root1, uint8_t *words, uint64_t *own0)
{
	struct gen_state g;

	for (unsigned level = 0; level + 1 < b - DPF_LEAF_BITS; level++) /* no stray bits after the last element */
		memset(words + level * kernel_level_bytes(count) + 16 * count, 0, (count + 7) / 8);
	for (size_t i = 0; i < count; i += CHUNK) {
		size_t n = count - i < CHUNK ? count - i : CHUNK;
		for (size_t e = 0; e < n; e++) {
			g.s[0][e] = (struct block){ root0[i + e].lo & ~1ull, root0[i + e].hi };
			g.s[1][e] = (struct block){ root1[i + e].lo | 1, root1[i + e].hi };
		}
		gen_chunk(ctx, b, count, i, n, alpha, &g, words, own0);
	}
	prg_wipe(&g, sizeof g);
}

/* The word that a set control bit adds, on one side. */
static struct block side_word(const uint8_t *words, size_t count, size_t i, bool leaf, uint64_t side)
{
	struct block w = load(words + 16 * i);
	uint64_t t_right;

	if (leaf)
		return suf_block_mux(side, load(words + 16 * count + 16 * i), w);
	t_right = words[16 * count + i / 8] >> (i % 8) & 1;
	w.lo ^= (0 - side) & ((w.lo ^ t_right) & 1);
	return w;
}

static void portable_less(const struct dpf_ctx *ctx, int party, unsigned b, size_t count, const struct block *root,
			  const uint8_t *words, const uint64_t *x, uint64_t *bit, uint64_t *at_x)
{
	const unsigned depth = b - DPF_LEAF_BITS;
	struct block s[CHUNK], pi[CHUNK], c[CHUNK];
	uint8_t side[CHUNK], old[CHUNK];

	for (size_t i = 0; i < count; i += CHUNK) {
		size_t n = count - i < CHUNK ? count - i : CHUNK;
		for (size_t e = 0; e < n; e++) {
			s[e] = (struct block){ (root[i + e].lo & ~1ull) | (unsigned)party, root[i + e].hi };
			bit[i + e] = (unsigned)party;
			old[e] = 0;
		}
		for (unsigned level = 0; level < depth; level++) {
			const uint8_t *w = words + level * kernel_level_bytes(count);
			for (size_t e = 0; e < n; e++) {
				side[e] = x[i + e] >> (b - 1 - level) & 1;
				bit[i + e] ^= s[e].lo & (side[e] ^ old[e]);
				old[e] = side[e];
			}
			permute(n, s, pi);
			child(ctx, level, n, pi, side, c);
			for (size_t e = 0; e < n; e++)
				s[e] = suf_dpf_correct(c[e], s[e].lo, side_word(w, count, i + e, level == depth - 1, side[e]));
		}
		for (size_t e = 0; e < n; e++)
			bit[i + e] ^= suf_dpf_leaf_parity(s[e], x[i + e], old[e]);
		for (size_t e = 0; at_x && e < n; e++)
			at_x[i + e] = suf_dpf_leaf_bit(s[e], x[i + e]);
	}
	prg_wipe(s, sizeof s);
}

static void portable_leaves(const struct dpf_ctx *ctx, int party, unsigned b, size_t count, size_t first, size_t n,
			    const struct block *root, const uint8_t *words, struct block *node)
{
	static const uint8_t side[2][GROUP] = { { 0 }, { 1, 1, 1, 1, 1, 1, 1, 1 } };
	const unsigned depth = b - DPF_LEAF_BITS;
	struct block s[GROUP], pi[GROUP], c[GROUP];

	for (size_t e = 0; e < n; e++)
		node[e] = (struct block){ (root[first + e].lo & ~1ull) | (unsigned)party, root[first + e].hi };
	for (unsigned level = 0; level < depth; level++) {
		const uint8_t *w = words + level * kernel_level_bytes(count);
		for (size_t j = (size_t)1 << level; j-- > 0;) { /* downwards: the children do not overwrite what is to come */
			memcpy(s, node + j * GROUP, n * sizeof *s);
			permute(n, s, pi);
			for (unsigned d = 0; d < 2; d++) {
				child(ctx, level, n, pi, side[d], c);
				for (size_t e = 0; e < n; e++)
					node[(2 * j + d) * GROUP + e] =
						suf_dpf_correct(c[e], s[e].lo, side_word(w, count, first + e, level == depth - 1, d));
			}
		}
	}
	prg_wipe(s, sizeof s);
}

static uint64_t portable_dot(const struct block *leaf, size_t stride, size_t blocks, const int64_t *t, uint64_t *ones)
{
	uint64_t sum = 0;

	for (size_t j = 0; j < blocks; j++) {
		uint64_t w[2] = { leaf[j * stride].lo, leaf[j * stride].hi };
		for (int k = 0; k < 128; k++) {
			uint64_t bit = w[k / 64] >> (k % 64) & 1;
			sum += (uint64_t)t[128 * j + (size_t)k] & (0 - bit);
			*ones += bit;
		}
	}
	return sum;
}

static uint64_t portable_dot16(const struct block *leaf, size_t stride, size_t blocks, const uint16_t *t)
{
	uint64_t sum = 0;

	for (size_t j = 0; j < blocks; j++, t += 128)
		for (unsigned k = 0; k < 64; k++) {
			sum += t[k] & (0 - (leaf[j * stride].lo >> k & 1));
			sum += t[64 + k] & (0 - (leaf[j * stride].hi >> k & 1));
		}
	return sum;
}

static uint64_t portable_dot32(const struct block *leaf, size_t stride, size_t blocks, const uint32_t *t)
{
	uint64_t sum = 0;

	for (size_t j = 0; j < blocks; j++, t += 128)
		for (unsigned k = 0; k < 64; k++) {
			sum += t[k] & (0 - (leaf[j * stride].lo >> k & 1));
			sum += t[64 + k] & (0 - (leaf[j * stride].hi >> k & 1));
		}
	return sum;
}

const struct kernel kernel_portable = {
	.ctr = portable_ctr, .gen = portable_gen, .less = portable_less, .leaves = portable_leaves, .dot = portable_dot,
	.dot16 = portable_dot16, .dot32 = portable_dot32, .group = GROUP,
	.pack = pack_words, .unpack = unpack_words,
};

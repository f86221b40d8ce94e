/* SPDX-License-Identifier: Apache-2.0
 * The kernels over vectors of W blocks, eight vectors at a time: a template that
 * kernel_aesni.c, kernel_vaes256.c and kernel_avx512.c include after defining
 *     TARGET, NAME(x), W, V (vector type), V_LOAD, V_STORE (unaligned), V_XOR, V_AND, V_ANDNOT(a, b) = ~a & b,
 *     V_WORDS(lo, hi)      every block = hi:lo
 *     V_KEY(p)             16 bytes at p in every block
 *     V_ENC, V_ENCLAST     an AES round
 *     V_PAIRS(p)           W words from p, each twice: block i = p[i]:p[i]
 *     V_SIGNS(v)           each block all ones if its top bit is set, else 0
 *     V_LSBS(v)            each block all ones if its lowest bit is set, else 0
 *     V_SHL1(v)            words doubled
 *     V_SHL(v, n)          words shifted by n (< 64)
 *     V_ONES_AT(v)         block i: 1 << (low 7 bits of its low word), as 128 bits
 *     V_PUT_BITS(v)        W bits: the lowest bit of every block
 *     V_GET_BITS(w)        block i = bit i of w
 *     dot_words            128 bits against 128 entries of a table
 *     dot_half, dot_word   dot16 and dot32 of struct kernel
 *     pack_words, unpack_words   pack and unpack of struct kernel
 */
#include <string.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define K 8                /* vectors in flight: hides the latency of a round */
#define GROUP ((size_t)(K * W))
#define FN static inline __attribute__((always_inline)) TARGET

FN void load_key(V rk[AES_ROUNDS + 1], const uint8_t *round_key)
{
	UNROLL
	for (int r = 0; r <= AES_ROUNDS; r++)
		rk[r] = V_KEY(round_key + 16 * r);
}

FN void encrypt(const V rk[AES_ROUNDS + 1], V x[K])
{
	UNROLL
	for (int k = 0; k < K; k++)
		x[k] = V_XOR(x[k], rk[0]);
	UNROLL
	for (int r = 1; r < AES_ROUNDS; r++) {
		UNROLL
		for (int k = 0; k < K; k++)
			x[k] = V_ENC(x[k], rk[r]);
	}
	UNROLL
	for (int k = 0; k < K; k++)
		x[k] = V_ENCLAST(x[k], rk[AES_ROUNDS]);
}

/* A group's piece of an array; a copy when the group is not full. */
FN const void *piece(const void *from, size_t n, size_t size, void *copy)
{
	if (n == GROUP)
		return from;
	memset(copy, 0, GROUP * size);
	memcpy(copy, from, n * size);
	return copy;
}

FN void put_piece(void *to, size_t n, const V v[K])
{
	struct block full[GROUP];

	if (n == GROUP) {
		for (size_t k = 0; k < K; k++)
			V_STORE((char *)to + 16 * W * k, v[k]);
		return;
	}
	for (size_t k = 0; k < K; k++)
		V_STORE(full + W * k, v[k]);
	memcpy(to, full, n * sizeof *full);
}

FN V tweak(const struct dpf_ctx *ctx, unsigned level)
{
	return V_WORDS((int64_t)ctx->session, (int64_t)(ctx->id | (uint64_t)(2 * level) << 32 | (uint64_t)ctx->part << 40));
}

/* pi(s) of the seed parts */
FN void permute(const V rk[AES_ROUNDS + 1], const V s[K], V p[K])
{
	const V one = V_WORDS(1, 0);

	UNROLL
	for (int k = 0; k < K; k++)
		p[k] = V_ANDNOT(one, s[k]);
	encrypt(rk, p);
}

/* The children on one side, the same for all. */
FN void child(const V rk[AES_ROUNDS + 1], V tweaked, const V p[K], V c[K])
{
	UNROLL
	for (int k = 0; k < K; k++)
		c[k] = V_XOR(p[k], tweaked);
	encrypt(rk, c);
	UNROLL
	for (int k = 0; k < K; k++)
		c[k] = V_XOR(c[k], p[k]);
}

FN V mux(V mask, V if1, V if0)
{
	return V_XOR(if0, V_AND(mask, V_XOR(if0, if1)));
}

/* Block e: 0:e */
static const uint64_t count_up[2 * 32] = {
	0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15, 0,
	16, 0, 17, 0, 18, 0, 19, 0, 20, 0, 21, 0, 22, 0, 23, 0, 24, 0, 25, 0, 26, 0, 27, 0, 28, 0, 29, 0, 30, 0, 31, 0,
};

TARGET static void NAME(ctr)(const uint8_t *round_key, uint64_t first, uint32_t id, uint32_t tag, size_t blocks, uint64_t keep, uint64_t *out)
{
	V rk[AES_ROUNDS + 1], x[K];

	load_key(rk, round_key);
	for (size_t i = 0; i < blocks; i += GROUP) {
		UNROLL
		for (size_t k = 0; k < K; k++)
			x[k] = V_ADD(V_LOAD(count_up + 2 * W * k), V_WORDS((int64_t)(first + i), (int64_t)(id | (uint64_t)tag << 32)));
		encrypt(rk, x);
		UNROLL
		for (size_t k = 0; k < K; k++)
			x[k] = V_AND(x[k], V_WORDS((int64_t)keep, (int64_t)keep));
		put_piece(out + 2 * i, blocks - i < GROUP ? blocks - i : GROUP, x);
	}
}

/* ---- dealer ---------------------------------------------------------------- */
struct NAME(gen) { V s[2][K], alpha[K], dir[K], p[K], c[2][2][K]; };

/* Words of an inner level: cw, t_right; moves the states on. */
FN void gen_inner(struct NAME(gen) *g, uint8_t *cw, uint8_t *t_right, size_t i, size_t n)
{
	const V one = V_WORDS(1, 0);
	V words[K];
	uint32_t bits = 0;

	UNROLL
	for (int j = 0; j < K; j++) {
		V k = V_SIGNS(g->dir[j]), x0 = V_XOR(g->c[0][0][j], g->c[1][0][j]), x1 = V_XOR(g->c[0][1][j], g->c[1][1][j]);
		V t0 = V_AND(V_XOR(V_ANDNOT(k, one), x0), one), t1 = V_AND(V_XOR(k, x1), one);
		V lost = V_ANDNOT(one, mux(k, x0, x1)), w = V_XOR(lost, mux(k, t1, t0));
		words[j] = V_XOR(lost, t0);
		bits |= V_PUT_BITS(t1) << (W * j);
		for (int p = 0; p < 2; p++)
			g->s[p][j] = V_XOR(mux(k, g->c[p][1][j], g->c[p][0][j]), V_AND(V_LSBS(g->s[p][j]), w));
		g->dir[j] = V_SHL1(g->dir[j]);
	}
	put_piece(cw + 16 * i, n, words);
	if (n < GROUP)
		bits &= (1u << n) - 1;
	memcpy(t_right + i / 8, &bits, (n + 7) / 8);
}

/* Leaf words; own0[e]: party 0's bit at the special point. */
FN void gen_leaf(struct NAME(gen) *g, uint8_t *left, uint8_t *right, size_t i, size_t n, uint64_t *own0)
{
	V l[K], r[K];
	struct block own[GROUP];

	UNROLL
	for (int j = 0; j < K; j++) {
		V k = V_SIGNS(g->dir[j]), e = V_ONES_AT(g->alpha[j]);
		l[j] = V_XOR(V_XOR(g->c[0][0][j], g->c[1][0][j]), V_ANDNOT(k, e));
		r[j] = V_XOR(V_XOR(g->c[0][1][j], g->c[1][1][j]), V_AND(k, e));
		V s0 = V_XOR(mux(k, g->c[0][1][j], g->c[0][0][j]), V_AND(V_LSBS(g->s[0][j]), mux(k, r[j], l[j])));
		V_STORE(own + W * j, V_AND(s0, e));
	}
	put_piece(left + 16 * i, n, l);
	put_piece(right + 16 * i, n, r);
	for (size_t e = 0; own0 && e < n; e++)
		own0[i + e] = (uint64_t)__builtin_popcountll(own[e].lo | own[e].hi);
	prg_wipe(own, sizeof own);
}

TARGET static void NAME(gen)(const struct dpf_ctx *ctx, unsigned b, size_t count, const uint64_t *alpha,
			     const struct block *root0, const struct block *root1, uint8_t *words, uint64_t *own0)
{
	const unsigned depth = b - DPF_LEAF_BITS;
	const V one = V_WORDS(1, 0);
	struct NAME(gen) g;
	struct block copy[GROUP];
	V rk[AES_ROUNDS + 1];

	load_key(rk, kernel_tree_key);
	for (size_t i = 0; i < count; i += GROUP) {
		size_t n = count - i < GROUP ? count - i : GROUP;
		uint8_t *w = words;
		const struct block *r0 = piece(root0 + i, n, sizeof *r0, copy);
		for (size_t k = 0; k < K; k++)
			g.s[0][k] = V_ANDNOT(one, V_LOAD(r0 + W * k));
		const struct block *r1 = piece(root1 + i, n, sizeof *r1, copy);
		for (size_t k = 0; k < K; k++)
			g.s[1][k] = V_XOR(V_ANDNOT(one, V_LOAD(r1 + W * k)), one);
		const uint64_t *a = piece(alpha + i, n, sizeof *a, copy);
		for (size_t k = 0; k < K; k++) {
			g.alpha[k] = V_PAIRS(a + W * k);
			g.dir[k] = V_SHL(g.alpha[k], 64 - b);
		}
		for (unsigned level = 0; level < depth; level++, w += kernel_level_bytes(count)) {
			for (int p = 0; p < 2; p++) {
				permute(rk, g.s[p], g.p);
				child(rk, tweak(ctx, level), g.p, g.c[p][0]);
				child(rk, V_XOR(tweak(ctx, level), V_WORDS(0, (int64_t)1 << 32)), g.p, g.c[p][1]);
			}
			if (level < depth - 1)
				gen_inner(&g, w, w + 16 * count, i, n);
			else
				gen_leaf(&g, w, w + 16 * count, i, n, own0);
		}
	}
	prg_wipe(copy, sizeof copy);
	prg_wipe(&g, sizeof g);
}

/* ---- party ------------------------------------------------------------------- */
FN uint32_t t_bits(const uint8_t *t_right, size_t i, size_t n)
{
	uint32_t bits = 0;

	memcpy(&bits, t_right + i / 8, (n + 7) / 8);
	return bits;
}

FN void load_roots(V s[K], const struct block *root, int party, size_t n)
{
	const V one = V_WORDS(1, 0), t = V_WORDS(party, 0);
	struct block copy[GROUP];
	const struct block *r = piece(root, n, sizeof *r, copy);

	for (size_t k = 0; k < K; k++)
		s[k] = V_XOR(V_ANDNOT(one, V_LOAD(r + W * k)), t);
}

/* Leaf bits: parity of 0..pos, of the rest after a turn to the right. */
FN uint64_t leaf_parity(struct block s, uint64_t x)
{
	uint64_t low = ~0ull >> (63 - (x & 63)), high = 0 - (x >> 6 & 1), rest = 0 - (x >> 7 & 1);

	return (uint64_t)__builtin_popcountll((s.lo & ((low | high) ^ rest)) ^ (s.hi & ((low & high) ^ rest))) & 1;
}

TARGET static void NAME(less)(const struct dpf_ctx *ctx, int party, unsigned b, size_t count, const struct block *root,
			      const uint8_t *words, const uint64_t *x, uint64_t *bit, uint64_t *at_x)
{
	const unsigned depth = b - DPF_LEAF_BITS;
	const size_t stride = kernel_level_bytes(count);
	const V one = V_WORDS(1, 0), right = V_WORDS(0, (int64_t)1 << 32);
	V rk[AES_ROUNDS + 1], s[K], dir[K], old[K], acc[K], p[K], c[K];
	struct block copy[GROUP], copy2[GROUP];

	load_key(rk, kernel_tree_key);
	for (size_t i = 0; i < count; i += GROUP) {
		size_t n = count - i < GROUP ? count - i : GROUP;
		const uint64_t *at = piece(x + i, n, sizeof *at, copy);
		const uint8_t *w = words;
		for (size_t k = 0; k < K; k++) {
			dir[k] = V_SHL(V_PAIRS(at + W * k), 64 - b);
			acc[k] = old[k] = V_WORDS(0, 0);
		}
		load_roots(s, root + i, party, n);
		for (unsigned level = 0; level < depth; level++, w += stride) {
			const V tweaked = tweak(ctx, level);
			const bool leaf = level == depth - 1;
			const char *cw = piece(w + 16 * i, n, 16, copy);
			const char *cw1 = leaf ? piece(w + 16 * count + 16 * i, n, 16, copy2) : cw;
			uint32_t bits = leaf ? 0 : t_bits(w + 16 * count, i, n);
			if (!leaf) /* the next group's words lie far from each other */
				for (size_t k = 0; k < GROUP; k += 4)
					__builtin_prefetch(w + 16 * (i + GROUP + k));
			permute(rk, s, p);
			UNROLL
			for (int k = 0; k < K; k++) {
				V d = V_SIGNS(dir[k]);
				acc[k] = V_XOR(acc[k], V_AND(V_XOR(d, old[k]), s[k]));
				old[k] = d;
				dir[k] = V_SHL1(dir[k]);
				c[k] = V_XOR(p[k], V_XOR(tweaked, V_AND(d, right)));
			}
			encrypt(rk, c);
			UNROLL
			for (size_t k = 0; k < K; k++) {
				V w0 = V_LOAD(cw + 16 * W * k);
				V other = leaf ? V_LOAD(cw1 + 16 * W * k) : V_XOR(V_ANDNOT(one, w0), V_GET_BITS(bits >> (W * k)));
				s[k] = V_XOR(V_XOR(c[k], p[k]), V_AND(V_LSBS(s[k]), mux(old[k], other, w0)));
			}
		}
		struct block leaf[GROUP], sum[GROUP];
		for (size_t k = 0; k < K; k++) {
			V_STORE(leaf + W * k, s[k]);
			V_STORE(sum + W * k, acc[k]);
		}
		for (size_t e = 0; e < n; e++)
			bit[i + e] = (sum[e].lo & 1) ^ leaf_parity(leaf[e], x[i + e]) ^ (unsigned)party;
		for (size_t e = 0; at_x && e < n; e++)
			at_x[i + e] = suf_dpf_leaf_bit(leaf[e], x[i + e]);
	}
}

/* One node of all elements -> its two children. */
FN void expand(const V rk[AES_ROUNDS + 1], V tweaked, struct block *node, struct block *kids, const char *left, const char *right,
	       uint32_t bits)
{
	const V one = V_WORDS(1, 0), side = V_WORDS(0, (int64_t)1 << 32);
	V s[K], p[K], c[K];

	UNROLL
	for (size_t k = 0; k < K; k++)
		s[k] = V_LOAD(node + W * k);
	permute(rk, s, p);
	child(rk, tweaked, p, c);
	UNROLL
	for (size_t k = 0; k < K; k++)
		V_STORE(kids + W * k, V_XOR(c[k], V_AND(V_LSBS(s[k]), V_LOAD(left + 16 * W * k))));
	child(rk, V_XOR(tweaked, side), p, c);
	UNROLL
	for (size_t k = 0; k < K; k++) {
		V w = V_LOAD(right + 16 * W * k);
		if (left == right) /* an inner level: the same word, with the other control bit */
			w = V_XOR(V_ANDNOT(one, w), V_GET_BITS(bits >> (W * k)));
		V_STORE(kids + GROUP + W * k, V_XOR(c[k], V_AND(V_LSBS(s[k]), w)));
	}
}

TARGET static void NAME(leaves)(const struct dpf_ctx *ctx, int party, unsigned b, size_t count, size_t first, size_t n,
				const struct block *root, const uint8_t *words, struct block *node)
{
	const unsigned depth = b - DPF_LEAF_BITS;
	struct block copy[GROUP], copy2[GROUP];
	V rk[AES_ROUNDS + 1], s[K];

	load_key(rk, kernel_tree_key);
	load_roots(s, root + first, party, n);
	for (size_t k = 0; k < K; k++)
		V_STORE(node + W * k, s[k]);
	for (unsigned level = 0; level < depth; level++, words += kernel_level_bytes(count)) {
		const bool leaf = level == depth - 1;
		const char *left = piece(words + 16 * first, n, 16, copy);
		const char *right = leaf ? piece(words + 16 * (count + first), n, 16, copy2) : left;
		uint32_t bits = leaf ? 0 : t_bits(words + 16 * count, first, n);
		for (size_t j = (size_t)1 << level; j-- > 0;) /* downwards: nothing is overwritten before it is read */
			expand(rk, tweak(ctx, level), node + j * GROUP, node + 2 * j * GROUP, left, right, bits);
	}
}

TARGET static uint64_t NAME(dot)(const struct block *leaf, size_t stride, size_t blocks, const int64_t *t, uint64_t *ones)
{
	uint64_t sum = 0;

	for (size_t j = 0; j < blocks; j++, t += 128) {
		struct block w = leaf[j * stride];
		*ones += (uint64_t)__builtin_popcountll(w.lo) + (uint64_t)__builtin_popcountll(w.hi);
		sum += dot_words(w, t);
	}
	return sum;
}

TARGET static uint64_t NAME(dot16)(const struct block *leaf, size_t stride, size_t blocks, const uint16_t *t)
{
	return dot_half(leaf, stride, blocks, t);
}

TARGET static uint64_t NAME(dot32)(const struct block *leaf, size_t stride, size_t blocks, const uint32_t *t)
{
	return dot_word(leaf, stride, blocks, t);
}

const struct kernel NAME(kernel) = {
	.ctr = NAME(ctr), .gen = NAME(gen), .less = NAME(less), .leaves = NAME(leaves), .dot = NAME(dot), .dot16 = NAME(dot16),
	.dot32 = NAME(dot32), .group = GROUP, .pack = pack_words, .unpack = unpack_words,
};

/* SPDX-License-Identifier: Apache-2.0
 * kernel.h -- inside prg.c, dpf.c, pack.c and step/cells.c: one table of functions for each
 * instruction set.  All tables give the same bytes; kernel_portable.c is the
 * reference.  None branches on, or indexes memory by, a seed, a control bit, a special
 * point or a packed value.  `x` of the evaluations is public.
 */
#ifndef SUF_KERNEL_H
#define SUF_KERNEL_H
#include "dpf.h"

enum {
	AES_ROUNDS = 10,
	AES_KEY_BYTES = 176,
	DPF_GROUP_MAX = 32 /* elements that one call of `leaves` takes at most */
};

struct kernel {
	/* out[0 .. 2*blocks) = AES(le64(first + i) || le32(id) || le32(tag)), each word & keep */
	void (*ctr)(const uint8_t *round_key, uint64_t first, uint32_t id, uint32_t tag, size_t blocks, uint64_t keep, uint64_t *out);
	/* b > 7 for these three; arguments as in dpf.h */
	void (*gen)(const struct dpf_ctx *, unsigned b, size_t count, const uint64_t *alpha, const struct block *root0,
		const struct block *root1, uint8_t *words, uint64_t *own0);
	void (*less)(const struct dpf_ctx *, int party, unsigned b, size_t count, const struct block *root,
		const uint8_t *words, const uint64_t *x, uint64_t *bit, uint64_t *at_x);
	/* Elements [first, first+n) of a batch of `count`, n <= group: node[j*group + e] = leaf block j of element
	 * first+e, for j < 2^(b-7). */
	void (*leaves)(const struct dpf_ctx *, int party, unsigned b, size_t count, size_t first, size_t n,
		const struct block *root, const uint8_t *words, struct block *node);
	/* Sum over j < 128*blocks of t[j] * bit j; bits 128*k.. come from leaf[k*stride].  Adds the number of ones to *ones. */
	uint64_t (*dot)(const struct block *leaf, size_t stride, size_t blocks, const int64_t *t, uint64_t *ones);
	/* The same without the ones, mod 2^16 and mod 2^32. */
	uint64_t (*dot16)(const struct block *leaf, size_t stride, size_t blocks, const uint16_t *t);
	uint64_t (*dot32)(const struct block *leaf, size_t stride, size_t blocks, const uint32_t *t);
	unsigned group;
	/* as in pack.h, bits < 64 */
	void (*pack)(uint8_t *to, const uint64_t *from, size_t count, unsigned bits);
	void (*unpack)(uint64_t *to, const uint8_t *from, size_t count, unsigned bits);
};
extern const struct kernel kernel_portable;
#if defined(__x86_64__)
extern const struct kernel kernel_aesni, kernel_vaes256, kernel_avx512;
#endif
/* Round keys of the public permutation pi of all trees. */
extern const uint8_t kernel_tree_key[AES_KEY_BYTES];
const struct kernel *kernel_of(enum suf_isa);

/* Bytes of one tree level's words in a batch, and where level l begins. */
static inline size_t kernel_level_bytes(size_t count) { return 16 * count + (count + 7) / 8; }

/* aes_portable.c: bit-sliced, no tables. */
void aes_expand(uint8_t round_key[AES_KEY_BYTES], const uint8_t key[16]);
void aes_portable(const uint8_t *round_key, size_t blocks, struct block *x); /* in place */
#endif

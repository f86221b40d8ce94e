/* SPDX-License-Identifier: Apache-2.0
 * dpf.h -- distributed point functions in batches: b input bits, 1-bit XOR
 * payload, early termination with 128-bit leaves; comparison from the same key
 * (prefix parity).  Sources: Boyle, Gilboa, Ishai, CCS 2016 (eprint 2018/707);
 * SIGMA (eprint 2023/1269), section 4, for the comparison.
 *
 * The roots come from the parties' seeds, so both parties' keys are the same
 * correction words.  Layout of a batch of `count` keys, b >= 8, L = b - 7:
 *     for level < L-1: cw[count] (16 bytes, lsb = t_left), then t_right, ceil(count/8) bytes
 *     leaf words: left[count], right[count] (16 bytes each)
 * b <= 7: no tree but a truth table of 2^b bits.  Party 0's share is its root block, party 1's its root block ^ words, with
 * words = table ^ root0 ^ root1: again the same words for both; max(1, 2^b / 8) bytes per element.
 */
#ifndef SUF_DPF_H
#define SUF_DPF_H
#include "prg.h"

enum { DPF_LEAF_BITS = 7 };                              /* b: at most that many have no tree */
/* Tweaks: session, step, part of the step (24 bits; a part is a block of SUF_BLOCK elements), level, side. */
struct dpf_ctx { enum suf_isa isa; uint64_t session; uint32_t id, part; uint64_t calls; /* AES blocks, counted */ };

uint64_t dpf_key_bytes(unsigned b, uint64_t count);
/* AES blocks of the functions below. */
uint64_t dpf_gen_calls(unsigned b, uint64_t count);
uint64_t dpf_less_calls(unsigned b, uint64_t count);
uint64_t dpf_lut_calls(unsigned b, uint64_t count);
/* Dealer.  root[p][i]: any 128 random bits; in a tree (b > 7) the lsb is forced to p.  alpha[i] < 2^b. */
void dpf_gen(struct dpf_ctx *, unsigned b, size_t count, const uint64_t *alpha, const struct block *root0, const struct block *root1, uint8_t *words);
/* The same; own0[i] = party 0's bit at alpha[i].  With party 1's bits negated the point function is +1 there if it is set, else -1. */
void dpf_gen_sign(struct dpf_ctx *, unsigned b, size_t count, const uint64_t *alpha, const struct block *root0, const struct block *root1, uint8_t *words, uint64_t *own0);
/* bit[i] = party's XOR share of [x[i] < alpha[i]]; x[i] public, < 2^b. */
void dpf_less(struct dpf_ctx *, int party, unsigned b, size_t count, const struct block *root, const uint8_t *words, const uint64_t *x, uint64_t *bit);
/* The same, and at_x[i] = party's XOR share of [x[i] = alpha[i]], for nothing more. */
void dpf_less_equal(struct dpf_ctx *, int party, unsigned b, size_t count, const struct block *root, const uint8_t *words, const uint64_t *x, uint64_t *bit, uint64_t *at_x);
/* For each i: u[i] = sum over leaves j of bit_j (party 1: negated), mod 2^64;
 * v[i] = sum of bit_j * T[(x[i] - j) mod 2^b] (party 1: negated), mod 2^64.
 * Scratch of dpf_lut_scratch(b) bytes. */
size_t dpf_lut_scratch(unsigned b);
void dpf_lut(struct dpf_ctx *, int party, unsigned b, size_t count, const struct block *root, const uint8_t *words, const uint64_t *x, const int64_t *table, uint64_t *u, uint64_t *v, void *scratch);
/* v alone, mod 2^bits, in words of 16, 32 or 64 bits: the fewer, the faster.  First dpf_table_set, once for a table;
 * scratch of dpf_table_scratch(b, bits) bytes, 64-byte aligned. */
size_t dpf_table_scratch(unsigned b, unsigned bits);
void dpf_table_set(unsigned b, unsigned bits, const int64_t *table, void *scratch);
void dpf_table(struct dpf_ctx *, int party, unsigned b, unsigned bits, size_t count, const struct block *root, const uint8_t *words, const uint64_t *x, uint64_t *v, void *scratch);
/* Keys index[0], index[1], .. of a batch of `count` as a batch of n; the indices are public. */
void dpf_pick(unsigned b, size_t count, const uint8_t *words, size_t n, const uint32_t *index, uint8_t *to);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * prg.h -- expansion of seeds.  Two uses of AES-128:
 *
 * Streams: AES-128 in counter mode keyed by a party's (client's, model's) seed.
 * A stream is named by (step id, tag) and is seekable: element i is a 64-bit
 * word.  Counter block = le64(index of the block) || le32(step id) || le32(tag).
 *
 * Trees: one fixed public key pi, tweakable correlation-robust hash
 *     H(s, t) = pi(pi(s) ^ t) ^ pi(s)         Guo, Katz, Wang, Yu, S&P 2020 (eprint 2019/074), TMMO
 * with t = le64(session) || le32(step id) || u8(2*level + side) || le24(block of elements).
 *
 * Timing: AES-NI, VAES or a bit-sliced portable path, chosen once for a run
 * (suf_cpu_best); none indexes memory by a secret.
 */
#ifndef SUF_PRG_H
#define SUF_PRG_H
#include <stddef.h>
#include <stdint.h>
#include "suf.h"
#include "kernels/dpf.h"

struct prg_seed { uint8_t b[16]; };
struct prg_stream_key { _Alignas(16) uint8_t round_key[176]; }; /* expanded AES-128 key of a seed; secret */

/* Which code paths this processor runs; tests force lower ones. */
enum suf_isa { SUF_ISA_PORTABLE, SUF_ISA_AESNI /* AVX2 + AES-NI */, SUF_ISA_VAES256 /* AVX2 + VAES */, SUF_ISA_AVX512 /* AVX-512F/DQ/BW/VL/IFMA/VBMI + VAES */ };
enum suf_isa suf_cpu_best(void);                          /* what the processor has */

SUF_MUST_USE enum suf_err prg_os_random(void *to, size_t bytes);       /* the operating system's generator */
void prg_stream_init(struct prg_stream_key *, const struct prg_seed *);
/* out[i] = word first+i of stream (id, tag), reduced to `bits` bits (1..64). */
void prg_stream(enum suf_isa, const struct prg_stream_key *, uint32_t id, uint32_t tag, uint64_t first, size_t count, unsigned bits, uint64_t *out);
void prg_wipe(void *, size_t);                            /* not removed by the compiler */
uint64_t prg_blocks(uint64_t first, uint64_t count);      /* AES calls of prg_stream */
#endif

/* SPDX-License-Identifier: Apache-2.0
 * Streams of a seed, the operating system's generator, and the choice of code paths. */
#include "kernel.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#ifndef SUF_ISA_MOST
#define SUF_ISA_MOST SUF_ISA_AVX512 /* builds for measurements stop at less: CMakeLists.txt */
#endif

#if defined(__x86_64__)
#include <cpuid.h>

/* What the operating system saves on a context switch: XCR0. */
static uint32_t saved_state(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo;
}

static enum suf_isa of_processor(void)
{
	const uint32_t aes = 1u << 25, popcnt = 1u << 23, osxsave = 1u << 27, avx = 1u << 28;   /* leaf 1, ecx */
	const uint32_t avx2 = 1u << 5, bmi2 = 1u << 8;                                           /* leaf 7, ebx */
	const uint32_t avx512 = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 30 | 1u << 31;            /* F DQ IFMA BW VL */
	const uint32_t vaes = 1u << 9, vbmi = 1u << 1;                                           /* leaf 7, ecx */
	const uint32_t ymm_state = 0x6, zmm_state = 0xe6;
	uint32_t eax, ebx, ecx, edx, ebx7, ecx7, state;

	if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & (aes | popcnt | osxsave | avx)) != (aes | popcnt | osxsave | avx))
		return SUF_ISA_PORTABLE;
	if (!__get_cpuid_count(7, 0, &eax, &ebx7, &ecx7, &edx) || (ebx7 & (avx2 | bmi2)) != (avx2 | bmi2))
		return SUF_ISA_PORTABLE;
	state = saved_state();
	if ((state & ymm_state) != ymm_state)
		return SUF_ISA_PORTABLE;
	if (!(ecx7 & vaes))
		return SUF_ISA_AESNI;
	if ((ebx7 & avx512) != avx512 || !(ecx7 & vbmi) || (state & zmm_state) != zmm_state)
		return SUF_ISA_VAES256;
	return SUF_ISA_AVX512;
}

enum suf_isa suf_cpu_best(void)
{
	static _Atomic int known = -1;                   /* virtual machines take some 20 us for each question to the processor */
	int best = known;
	if (best < 0) {
		const enum suf_isa has = of_processor();
		known = best = (int)(has < SUF_ISA_MOST ? has : SUF_ISA_MOST);
	}
	return (enum suf_isa)best;
}

const struct kernel *kernel_of(enum suf_isa isa)
{
	switch (isa) {
	case SUF_ISA_AESNI: return &kernel_aesni;
	case SUF_ISA_VAES256: return &kernel_vaes256;
	case SUF_ISA_AVX512: return &kernel_avx512;
	default: return &kernel_portable;
	}
}
#else
enum suf_isa suf_cpu_best(void)
{
	return SUF_ISA_PORTABLE;
}

const struct kernel *kernel_of(enum suf_isa isa)
{
	(void)isa;
	return &kernel_portable;
}
#endif

enum suf_err prg_os_random(void *to, size_t bytes)
{
	uint8_t *p = to;

	while (bytes) {
		ssize_t got = getrandom(p, bytes, 0);
		if (got < 0) {
			if (errno == EINTR)
				continue;
			return SUF_EIO;
		}
		p += got;
		bytes -= (size_t)got;
	}
	return SUF_OK;
}

void prg_wipe(void *p, size_t bytes)
{
	explicit_bzero(p, bytes);
}

void prg_stream_init(struct prg_stream_key *key, const struct prg_seed *seed)
{
	aes_expand(key->round_key, seed->b);
}

uint64_t prg_blocks(uint64_t first, uint64_t count)
{
	return count ? (first + count - 1) / 2 - first / 2 + 1 : 0;
}

void prg_stream(enum suf_isa isa, const struct prg_stream_key *key, uint32_t id, uint32_t tag, uint64_t first, size_t count,
		unsigned bits, uint64_t *out)
{
	const struct kernel *kernel = kernel_of(isa);
	const uint64_t keep = bits >= 64 ? ~0ull : (1ull << bits) - 1;
	uint64_t edge[2], *p = out;
	size_t left = count;

	if (left && first & 1) { /* the second word of a block */
		kernel->ctr(key->round_key, first / 2, id, tag, 1, keep, edge);
		*p++ = edge[1];
		first++;
		left--;
	}
	kernel->ctr(key->round_key, first / 2, id, tag, left / 2, keep, p);
	if (left & 1) {
		kernel->ctr(key->round_key, first / 2 + left / 2, id, tag, 1, keep, edge);
		p[left - 1] = edge[0];
	}
	prg_wipe(edge, sizeof edge);
}

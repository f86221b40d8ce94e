/* SPDX-License-Identifier: Apache-2.0
 * bench_kernels -- speed of the kernels on one core, for every instruction set the processor has, by the thread's own clock:
 * the median of nine runs, and the spread between the fastest and the slowest. */
#include "dpf.h"
#include "gemm.h"
#include "pack.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 9, TABLE_BITS = 11, BLOCKS = 64 };

struct bench {
	enum suf_isa isa;
	struct prg_stream_key key;
	uint64_t *a, *b, *c, *x, *bit;
	struct block *root[2];
	uint8_t *words;
	void *work;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* `amount` units of work in one call of f. */
static void measure(struct bench *w, const char *isa, const char *what, const char *unit, double amount, void (*f)(struct bench *, unsigned), unsigned arg)
{
	double rate[RUNS];

	for (int r = 0; r < RUNS; r++) {
		int calls = 0;
		double start = now(), t;
		do {
			f(w, arg);
			calls++;
			t = now() - start;
		} while (t < 0.01);
		rate[r] = amount * calls / t;
	}
	qsort(rate, RUNS, sizeof *rate, by_value);
	printf("%-9s %-16s %10.1f %s  (%.1f .. %.1f)\n", isa, what, rate[RUNS / 2] / 1e6, unit, rate[0] / 1e6, rate[RUNS - 1] / 1e6);
}

static void run_stream(struct bench *w, unsigned bits)
{
	prg_stream(w->isa, &w->key, 7, 1, 0, 65536, bits, w->a);
}

static void run_gen(struct bench *w, unsigned b)
{
	struct dpf_ctx ctx = { .isa = w->isa, .session = 5, .id = 9 };

	dpf_gen(&ctx, b, SUF_BLOCK, w->x, w->root[0], w->root[1], w->words);
}

static void run_less(struct bench *w, unsigned b)
{
	struct dpf_ctx ctx = { .isa = w->isa, .session = 5, .id = 9 };

	dpf_less(&ctx, 1, b, SUF_BLOCK, w->root[1], w->words, w->x, w->bit);
}

static void run_lut(struct bench *w, unsigned b)
{
	struct dpf_ctx ctx = { .isa = w->isa, .session = 5, .id = 9 };

	for (size_t i = 0; i < SUF_BLOCK; i++)
		w->x[i] &= (1u << b) - 1;
	dpf_lut(&ctx, 1, b, SUF_BLOCK, w->root[1], w->words, w->x, (const int64_t *)w->a, w->bit, w->c, w->work);
}

static void run_pack(struct bench *w, unsigned bits)
{
	for (int i = 0; i < BLOCKS; i++)
		pack_bits(w->isa, w->work, w->x, SUF_BLOCK, bits);
}

static void run_unpack(struct bench *w, unsigned bits)
{
	for (int i = 0; i < BLOCKS; i++)
		unpack_bits(w->isa, w->bit, w->work, SUF_BLOCK, bits);
}

/* Look-ups in a table of 2^11 entries, in words of so many bits. */
static void run_table(struct bench *w, unsigned bits)
{
	struct dpf_ctx ctx = { .isa = w->isa, .session = 5, .id = 9 };

	for (size_t i = 0; i < SUF_BLOCK; i++)
		w->x[i] &= (1u << TABLE_BITS) - 1;
	dpf_table_set(TABLE_BITS, bits, (const int64_t *)w->a, w->work);
	dpf_table(&ctx, 1, TABLE_BITS, bits, SUF_BLOCK, w->root[1], w->words, w->x, w->c, w->work);
}

static void run_gemm(struct bench *w, unsigned narrow)
{
	const struct gemm_dims dims = { 128, 768, 128, 768, 1, 128, 1, 128 };
	const struct gemm_term term = { .a = w->a, .b = w->b };

	gemm_u64(w->isa, (int)narrow, &dims, &term, 1, w->c, w->work);
}

int main(void)
{
	static const char *const name[] = { "portable", "aesni", "vaes256", "avx512" };
	const size_t words = 1 << 18;
	struct bench w = { 0 };
	struct prg_seed seed;
	enum suf_isa best = suf_cpu_best();
	size_t work = dpf_lut_scratch(16) > gemm_scratch(128, 768, 128) ? dpf_lut_scratch(16) : gemm_scratch(128, 768, 128);

	w.a = calloc(words, sizeof *w.a);
	w.b = calloc(words, sizeof *w.b);
	w.c = calloc(words, sizeof *w.c);
	w.x = calloc(SUF_BLOCK, sizeof *w.x);
	w.bit = calloc(SUF_BLOCK, sizeof *w.bit);
	w.words = calloc(1, dpf_key_bytes(63, SUF_BLOCK));
	w.work = aligned_alloc(64, (work + 63) / 64 * 64);
	for (int p = 0; p < 2; p++)
		w.root[p] = calloc(SUF_BLOCK, sizeof *w.root[p]);
	if (!w.a || !w.b || !w.c || !w.x || !w.bit || !w.words || !w.work || !w.root[0] || !w.root[1] ||
	    prg_os_random(&seed, sizeof seed) != SUF_OK)
		return 1;
	prg_stream_init(&w.key, &seed);
	prg_stream(SUF_ISA_PORTABLE, &w.key, 1, 1, 0, words, 52, w.a);
	prg_stream(SUF_ISA_PORTABLE, &w.key, 1, 2, 0, words, 52, w.b);
	for (int p = 0; p < 2; p++)
		for (size_t i = 0; i < SUF_BLOCK; i++)
			w.root[p][i] = (struct block){ w.a[i + 1000 * (size_t)p], w.b[i] };
	for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= best; isa++) {
		w.isa = isa;
		measure(&w, name[isa], "prg_stream", "MB/s", 8 * 65536.0, run_stream, 64);
		measure(&w, name[isa], "prg_stream 50", "MB/s", 8 * 65536.0, run_stream, 50);
		for (unsigned b = 1; b <= 50; b += 49) {
			char text[32];
			prg_stream(isa, &w.key, 2, 2, 0, SUF_BLOCK, b, w.x);
			snprintf(text, sizeof text, "pack %u", b);
			measure(&w, name[isa], text, "M elements/s", BLOCKS * SUF_BLOCK, run_pack, b);
			snprintf(text, sizeof text, "unpack %u", b);
			measure(&w, name[isa], text, "M elements/s", BLOCKS * SUF_BLOCK, run_unpack, b);
		}
		for (unsigned b = 12; b <= 38; b += 26) {
			char text[32];
			prg_stream(isa, &w.key, 2, 2, 0, SUF_BLOCK, b, w.x);
			snprintf(text, sizeof text, "dpf_gen %u", b);
			measure(&w, name[isa], text, "M levels/s", SUF_BLOCK * (b - 7.0), run_gen, b);
			snprintf(text, sizeof text, "dpf_less %u", b);
			measure(&w, name[isa], text, "M levels/s", SUF_BLOCK * (b - 7.0), run_less, b);
		}
		for (unsigned b = 8; b <= 13; b += 5) {
			char text[32];
			snprintf(text, sizeof text, "dpf_lut %u", b);
			run_gen(&w, b);
			measure(&w, name[isa], text, "M look-ups/s", SUF_BLOCK, run_lut, b);
		}
		run_gen(&w, TABLE_BITS);
		for (unsigned bits = 16; bits <= 64; bits *= 2) {
			char text[32];
			snprintf(text, sizeof text, "dpf_table 11 %u", bits);
			measure(&w, name[isa], text, "M look-ups/s", SUF_BLOCK, run_table, bits);
		}
		measure(&w, name[isa], "gemm", "M MAC/s", 128.0 * 768 * 128, run_gemm, 0);
		measure(&w, name[isa], "gemm narrow52", "M MAC/s", 128.0 * 768 * 128, run_gemm, 1);
	}
	free(w.a);
	free(w.b);
	free(w.c);
	free(w.x);
	free(w.bit);
	free(w.words);
	free(w.work);
	free(w.root[0]);
	free(w.root[1]);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * Point functions: comparison and look-up against their definitions, all instruction sets against the portable
 * one, bytes of a key against dpf_key_bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "dpf.h"

enum { GUARD = 64 };

struct batch {
	unsigned b;
	size_t count;
	uint64_t *alpha, *x, *bit[2], *at_x[2], *own0, *u[2], *v[2];
	struct block *root[2];
	uint8_t *words;
};

static void random_bytes(void *to, size_t bytes)
{
	assert_int_equal(prg_os_random(to, bytes), SUF_OK);
}

static void *get(size_t bytes)
{
	void *p = calloc(1, bytes + 1);

	assert_non_null(p);
	return p;
}

static uint64_t domain(unsigned b)
{
	return b >= 64 ? ~0ull : (1ull << b) - 1;
}

static void batch_new(struct batch *t, unsigned b, size_t count)
{
	t->b = b;
	t->count = count;
	t->alpha = get(8 * count);
	t->x = get(8 * count);
	t->own0 = get(8 * count);
	for (int p = 0; p < 2; p++) {
		t->bit[p] = get(8 * count);
		t->at_x[p] = get(8 * count);
		t->u[p] = get(8 * count);
		t->v[p] = get(8 * count);
		t->root[p] = get(16 * count);
		random_bytes(t->root[p], 16 * count);
	}
	random_bytes(t->alpha, 8 * count);
	random_bytes(t->x, 8 * count);
	for (size_t i = 0; i < count; i++) {
		t->alpha[i] &= domain(b);
		t->x[i] &= domain(b);
		switch (i % 7) { /* near and equal points, where random ones never meet */
		case 1: t->x[i] = t->alpha[i]; break;
		case 2: t->x[i] = (t->alpha[i] + 1) & domain(b); break;
		case 3: t->x[i] = (t->alpha[i] - 1) & domain(b); break;
		case 4: t->x[i] = t->alpha[i] ^ (1ull << (i / 7 % b)); break;
		case 5: t->alpha[i] = i & 8 ? 0 : domain(b); break;
		default: break;
		}
	}
	t->words = get(dpf_key_bytes(b, count) + GUARD);
	memset(t->words, 0xa5, dpf_key_bytes(b, count) + GUARD);
}

static void batch_free(struct batch *t)
{
	free(t->alpha);
	free(t->x);
	free(t->words);
	free(t->own0);
	for (int p = 0; p < 2; p++) {
		free(t->bit[p]);
		free(t->at_x[p]);
		free(t->u[p]);
		free(t->v[p]);
		free(t->root[p]);
	}
}

static void gen(struct batch *t, enum suf_isa isa)
{
	struct dpf_ctx ctx = { .isa = isa, .session = 0xfedcba9876543210ull, .id = 0x87654321u, .part = 0xabcdef };
	const uint64_t bytes = dpf_key_bytes(t->b, t->count);

	dpf_gen_sign(&ctx, t->b, t->count, t->alpha, t->root[0], t->root[1], t->words, t->own0);
	for (size_t i = 0; i < GUARD; i++)
		assert_int_equal(t->words[bytes + i], 0xa5);
	assert_int_equal(ctx.calls, t->b > 7 ? 6 * t->count * (t->b - 7) : 0);
}

static void less(struct batch *t, enum suf_isa isa)
{
	for (int p = 0; p < 2; p++) {
		struct dpf_ctx ctx = { .isa = isa, .session = 0xfedcba9876543210ull, .id = 0x87654321u, .part = 0xabcdef };
		dpf_less_equal(&ctx, p, t->b, t->count, t->root[p], t->words, t->x, t->bit[p], t->at_x[p]);
		assert_int_equal(ctx.calls, t->b > 7 ? 2 * t->count * (t->b - 7) : 0);
	}
}

static void check_less(const struct batch *t)
{
	for (size_t i = 0; i < t->count; i++) {
		assert_true(t->bit[0][i] <= 1 && t->bit[1][i] <= 1);
		if ((t->bit[0][i] ^ t->bit[1][i]) != (t->x[i] < t->alpha[i]))
			fail_msg("b %u, element %zu: [%llu < %llu] is wrong", t->b, i, (unsigned long long)t->x[i],
				 (unsigned long long)t->alpha[i]);
		assert_true(t->at_x[0][i] <= 1 && t->at_x[1][i] <= 1);
		assert_int_equal(t->at_x[0][i] ^ t->at_x[1][i], t->x[i] == t->alpha[i]);
	}
}

/* All alpha, all x, on every instruction set. */
static void test_less_exhaustive(void **state)
{
	(void)state;
	for (unsigned b = 1; b <= 9; b++) {
		const size_t size = (size_t)1 << b;
		struct batch t;
		batch_new(&t, b, size);
		for (size_t i = 0; i < size; i++)
			t.alpha[i] = i;
		for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++) {
			gen(&t, isa);
			for (size_t x = 0; x < size; x += isa == SUF_ISA_PORTABLE && b == 9 ? 5 : 1) {
				for (size_t i = 0; i < size; i++)
					t.x[i] = (i + x) % size;
				less(&t, isa);
				check_less(&t);
			}
		}
		batch_free(&t);
	}
}

static void test_less_random(void **state)
{
	static const unsigned width[] = { 8, 10, 12, 25, 37, 38, 39, 49, 50, 63, 64 };
	static const size_t count[] = { 1, 7, 8, 9, 31, 33, 100, 1024 };

	(void)state;
	for (size_t w = 0; w < sizeof width / sizeof *width; w++)
		for (size_t c = 0; c < sizeof count / sizeof *count; c++) {
			struct batch t;
			uint8_t *first = NULL;
			uint64_t *bits = NULL, *points = NULL;
			const uint64_t bytes = dpf_key_bytes(width[w], count[c]);
			batch_new(&t, width[w], count[c]);
			for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++) {
				gen(&t, isa);
				less(&t, isa);
				check_less(&t);
				if (isa == SUF_ISA_PORTABLE) {
					first = get(bytes);
					memcpy(first, t.words, bytes);
					bits = get(8 * count[c]);
					memcpy(bits, t.bit[0], 8 * count[c]);
					points = get(8 * count[c]);
					memcpy(points, t.at_x[1], 8 * count[c]);
				}
				assert_memory_equal(first, t.words, bytes);
				assert_memory_equal(bits, t.bit[0], 8 * count[c]);
				assert_memory_equal(points, t.at_x[1], 8 * count[c]);
			}
			free(first);
			free(bits);
			free(points);
			batch_free(&t);
		}
}

static void lut(struct batch *t, enum suf_isa isa, const int64_t *table)
{
	void *scratch = get(dpf_lut_scratch(t->b));

	for (int p = 0; p < 2; p++) {
		struct dpf_ctx ctx = { .isa = isa, .session = 0xfedcba9876543210ull, .id = 0x87654321u, .part = 0xabcdef };
		dpf_lut(&ctx, p, t->b, t->count, t->root[p], t->words, t->x, table, t->u[p], t->v[p], scratch);
		assert_int_equal(ctx.calls, t->b > 7 ? 3 * t->count * ((1u << (t->b - 7)) - 1) : 0);
	}
	for (size_t i = 0; i < t->count; i++) {
		uint64_t u = t->u[0][i] + t->u[1][i], v = t->v[0][i] + t->v[1][i];
		uint64_t want = (uint64_t)table[(t->x[i] - t->alpha[i]) & domain(t->b)];
		assert_true(u == 1 || u == ~0ull);
		assert_int_equal(v, u * want);
		assert_int_equal(t->own0[i], u == 1); /* what the dealer knows of the sign */
	}
	free(scratch);
}

/* The same look-ups in narrower words, and of every other key alone. */
static void narrow_lut(struct batch *t, enum suf_isa isa, const int64_t *table)
{
	static const unsigned bits[] = { 3, 14, 16, 17, 32, 33, 50, 64 };
	const size_t half = (t->count + 1) / 2;
	uint8_t *words = get(dpf_key_bytes(t->b, half) + 1);
	struct block *root = get(half * sizeof *root);
	uint64_t *x = get(8 * half), *v = get(8 * t->count);
	uint32_t *index = get(4 * half);

	for (size_t i = 0; i < half; i++) {
		index[i] = (uint32_t)(2 * i);
		x[i] = t->x[2 * i];
	}
	dpf_pick(t->b, t->count, t->words, half, index, words);
	assert_int_equal(words[dpf_key_bytes(t->b, half)], 0);
	for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
		void *scratch = aligned_alloc(64, dpf_table_scratch(t->b, bits[k]) / 64 * 64 + 64);
		const uint64_t mask = domain(bits[k]);
		assert_non_null(scratch);
		dpf_table_set(t->b, bits[k], table, scratch);
		for (int p = 0; p < 2; p++) {
			struct dpf_ctx ctx = { .isa = isa, .session = 0xfedcba9876543210ull, .id = 0x87654321u, .part = 0xabcdef };
			dpf_table(&ctx, p, t->b, bits[k], t->count, t->root[p], t->words, t->x, v, scratch);
			assert_int_equal(ctx.calls, dpf_lut_calls(t->b, t->count));
			for (size_t i = 0; i < t->count; i++)
				assert_int_equal(v[i], t->v[p][i] & mask);
			for (size_t i = 0; i < half; i++)
				root[i] = t->root[p][2 * i];
			dpf_table(&ctx, p, t->b, bits[k], half, root, words, x, v, scratch);
			for (size_t i = 0; i < half; i++)
				assert_int_equal(v[i], t->v[p][2 * i] & mask);
		}
		free(scratch);
	}
	free(words);
	free(root);
	free(x);
	free(v);
	free(index);
}

static void test_lut(void **state)
{
	(void)state;
	for (unsigned b = 1; b <= 16; b++) {
		const size_t count = b < 10 ? 333 : b < 14 ? 37 : 9;
		int64_t *table = get(sizeof *table << b);
		struct batch t;
		uint64_t *v = get(8 * count);
		random_bytes(table, sizeof *table << b);
		batch_new(&t, b, count);
		for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++) {
			gen(&t, isa);
			lut(&t, isa, table);
			narrow_lut(&t, isa, table);
			if (isa == SUF_ISA_PORTABLE)
				memcpy(v, t.v[1], 8 * count);
			assert_memory_equal(v, t.v[1], 8 * count);
		}
		batch_free(&t);
		free(table);
		free(v);
	}
}

/* Every alpha and every index of a small table.  Both signs occur: a key has one, whatever the index, and of the 480 keys a
 * quarter is 11 standard deviations off. */
static void test_lut_exhaustive(void **state)
{
	size_t positive = 0, keys = 0;

	(void)state;
	for (unsigned b = 5; b <= 8; b++) {
		const size_t size = (size_t)1 << b;
		int64_t *table = get(sizeof *table << b);
		struct batch t;
		random_bytes(table, sizeof *table << b);
		batch_new(&t, b, size);
		for (size_t i = 0; i < size; i++)
			t.alpha[i] = i;
		gen(&t, suf_cpu_best());
		for (size_t x = 0; x < size; x++) {
			for (size_t i = 0; i < size; i++)
				t.x[i] = (i + x) % size;
			lut(&t, suf_cpu_best(), table);
		}
		for (size_t i = 0; i < size; i++)
			positive += t.u[0][i] + t.u[1][i] == 1;
		keys += size;
		batch_free(&t);
		free(table);
	}
	assert_in_range(positive, keys / 4, keys - keys / 4);
}

static void test_key_bytes(void **state)
{
	(void)state;
	assert_int_equal(dpf_key_bytes(1, 10), 10);
	assert_int_equal(dpf_key_bytes(3, 10), 10);
	assert_int_equal(dpf_key_bytes(4, 10), 20);
	assert_int_equal(dpf_key_bytes(7, 10), 160);
	assert_int_equal(dpf_key_bytes(8, 10), 320);
	assert_int_equal(dpf_key_bytes(9, 10), 320 + 160 + 2);
	assert_int_equal(dpf_key_bytes(38, 1024), (30 * 16 + 32) * 1024 + 30 * 128);
}

/* The words of a small domain must not betray the forced control bit of a tree: with it, they would show [alpha = 0]. */
static void test_small_words_are_masked(void **state)
{
	for (unsigned b = 1; b <= 7; b++) {
		struct batch t;
		size_t ones = 0, bytes = dpf_key_bytes(b, 1);
		batch_new(&t, b, 1024);
		memset(t.alpha, 0, 8 * t.count);
		gen(&t, suf_cpu_best());
		for (size_t i = 0; i < t.count; i++)
			ones += t.words[i * bytes] & 1;
		assert_in_range(ones, 400, 624); /* 7 standard deviations */
		batch_free(&t);
	}
	(void)state;
}

/* Other session, id or part: other words. */
static void test_domain_separation(void **state)
{
	struct dpf_ctx ctx[4] = { { .session = 1, .id = 1 }, { .session = 2, .id = 1 }, { .session = 1, .id = 2 }, { .session = 1, .id = 2, .part = 1 } };
	struct batch t;
	uint8_t first[80];

	(void)state;
	batch_new(&t, 12, 1);
	for (int i = 0; i < 4; i++) {
		dpf_gen(&ctx[i], 12, 1, t.alpha, t.root[0], t.root[1], t.words);
		if (i)
			assert_memory_not_equal(first, t.words, sizeof first);
		memcpy(first, t.words, sizeof first);
	}
	batch_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_less_exhaustive), cmocka_unit_test(test_less_random),
		cmocka_unit_test(test_lut),             cmocka_unit_test(test_lut_exhaustive),
		cmocka_unit_test(test_key_bytes),       cmocka_unit_test(test_small_words_are_masked),
		cmocka_unit_test(test_domain_separation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

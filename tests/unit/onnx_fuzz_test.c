/* SPDX-License-Identifier: Apache-2.0
 * onnx_fuzz_test.c -- mutated models: each is imported or refused with an error, and what is imported is valid.
 *
 * Deterministic; most useful under the address and undefined sanitizers.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cases.h"
#include "frontend/onnx.h"
#include "passes/float_eval.h"
#include "passes/passes.h"

struct fuzz { uint64_t state; FILE *sink; int imported, refused; };

static uint64_t next(struct fuzz *z, uint64_t below)
{
	z->state += 0x9e3779b97f4a7c15u; /* splitmix64 */
	uint64_t x = z->state;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (x ^ x >> 31) % below;
}

static size_t mutate(struct fuzz *z, unsigned char *m, size_t n, size_t window)
{
	static const unsigned char odd[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x2a, 0x3a, 0x22 };
	size_t w = n < window ? n : window;
	for (uint64_t k = next(z, 3) ? 1 : 1 + next(z, 5); k && n > 8; k--) {
		size_t at = next(z, w < n ? w : n), len = 1 + next(z, 9);
		switch (next(z, 7)) {
		case 0: m[at] = (unsigned char)(m[at] ^ 1u << next(z, 8)); break;
		case 1: m[at] = (unsigned char)next(z, 256); break;
		case 2: m[at] = odd[next(z, sizeof odd)]; break;
		case 3: /* a long varint */
			len = len < n - at ? len : n - at;
			memset(m + at, 0xff, len);
			m[at + len - 1] = 1;
			break;
		case 4: /* delete */
			len = len < n - at ? len : n - at;
			memmove(m + at, m + at + len, n - at - len);
			n -= len;
			break;
		case 5: { /* copy from elsewhere */
			size_t from = next(z, n - len > 0 ? n - len : 1);
			if (at + len <= n && from + len <= n)
				memmove(m + at, m + from, len);
			break;
		}
		default:
			m[at] = (unsigned char)(m[at] + (next(z, 2) ? 1 : 255));
		}
	}
	return next(z, 40) == 0 ? next(z, n) + 1 : n;
}

/* Evaluates a small program on zeros and ones. */
static void evaluate(const struct prog *p)
{
	struct arena *mem = arena_new();
	const void **in = arena_alloc(mem, ((size_t)p->nin + 1) * sizeof *in);
	void **result = arena_alloc(mem, ((size_t)p->nvals + 1) * sizeof *result);
	int64_t total = 0;

	for (int k = 0; k < p->nvals && total < 1 << 20; k++)
		total += ir_count(p->vals[k]) < 1 << 20 ? ir_count(p->vals[k]) : 1 << 20;
	if (total < 1 << 20) {
		for (int k = 0; k < p->nin; k++) {
			int64_t n = ir_count(p->in[k]);
			void *data = arena_alloc(mem, (size_t)(n + 1) * eval_elem_size(p->in[k]->dtype));
			for (int64_t i = 0; i < n; i++)
				eval_store_int(data, p->in[k]->dtype, i, i & 1);
			in[k] = data;
		}
		float_eval(p, in, result, mem);
	}
	arena_free(mem);
}

static void try_model(struct fuzz *z, const char *path)
{
	rewind(z->sink);
	struct options opt = { 0 };
	struct diag *d = diag_new(z->sink, next(z, 2) != 0);
	struct prog *p = onnx_import(path, &opt, d);
	if (p) {
		assert_true(ir_check(p, STAGE_FLOAT));
		evaluate(p);
		if (pass_fold(p))
			assert_true(ir_check(p, STAGE_FLOAT));
		z->imported++;
	} else {
		assert_true(diag_errors(d) > 0);
		z->refused++;
	}
	ir_free(p);
	diag_free(d);
}

static void fuzz(struct fuzz *z, const void *model, size_t n, size_t window, int rounds)
{
	char path[64];
	unsigned char *m = malloc(n);
	int fd = memfd_create("model", 0);

	assert_true(fd >= 0);
	assert_non_null(m);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	for (int k = 0; k < rounds; k++) {
		memcpy(m, model, n);
		size_t size = window ? mutate(z, m, n, window) : n;
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, m, size, 0), (ssize_t)size);
		try_model(z, path);
	}
	close(fd);
	free(m);
}

static void operators(void **state)
{
	(void)state;
	struct arena *mem = arena_new();
	struct test_cases t = test_cases_read(mem, TEST_DATA "/models/ops.bin");
	struct fuzz z = { .state = 1, .sink = fopen("/dev/null", "w") };

	for (int k = 0; k < t.n; k++)
		fuzz(&z, t.c[k].model, t.c[k].model_bytes, 2000, 20);
	assert_true(z.imported > 100);
	assert_true(z.refused > 300);
	fclose(z.sink);
	arena_free(mem);
}

static void models(void **state)
{
	(void)state;
	const char *const file[] = { "bert", "gpt2_dyn", "llama", "vit", "bad_nodes", "bad_external", "external" };
	struct arena *mem = arena_new();
	struct fuzz z = { .state = 2, .sink = fopen("/dev/null", "w") };

	for (size_t k = 0; k < sizeof file / sizeof *file; k++) {
		size_t n;
		void *model = test_read_file(mem, arena_printf(mem, TEST_DATA "/models/%s.onnx", file[k]), &n);
		fuzz(&z, model, n, 30000, 60);
	}
	assert_true(z.refused > 50);
	fclose(z.sink);
	arena_free(mem);
}

static void noise(void **state)
{
	(void)state;
	struct fuzz z = { .state = 3, .sink = fopen("/dev/null", "w") };
	unsigned char bytes[256];

	for (int k = 0; k < 300; k++) {
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (unsigned char)next(&z, 256);
		fuzz(&z, bytes, 9 + next(&z, sizeof bytes - 9), sizeof bytes, 1);
	}
	assert_int_equal(z.imported, 0);
	fclose(z.sink);
}

/* Puts a field of length n around the n bytes that end the buffer; gives the new n. */
static size_t wrap(unsigned char *end, size_t n, unsigned field)
{
	unsigned char head[8];
	size_t k = 0, size = n;
	head[k++] = (unsigned char)(field << 3 | 2);
	for (; size > 127; size >>= 7)
		head[k++] = (unsigned char)(size & 127) | 128;
	head[k++] = (unsigned char)size;
	memcpy(end - n - k, head, k);
	return n + k;
}

/* Graphs in graphs, and types in types, deeper than any stack. */
static void nesting(void **state)
{
	(void)state;
	enum { BYTES = 1 << 20, DEPTH = 60000 };
	unsigned char *m = malloc(BYTES), *end = m + BYTES;
	struct fuzz z = { .state = 4, .sink = fopen("/dev/null", "w") };

	assert_non_null(m);
	for (int types = 0; types < 2; types++) {
		size_t n = 0;
		for (int k = 0; k < DEPTH; k++)
			n = types ? wrap(end, wrap(end, n, 1), 4) : wrap(end, wrap(end, wrap(end, n, 6), 5), 1);
		if (types)
			n = wrap(end, wrap(end, n, 2), 11);
		n = wrap(end, n, 7);
		fuzz(&z, end - n, n, 0, 1);
	}
	assert_int_equal(z.imported, 0);
	fclose(z.sink);
	free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(operators), cmocka_unit_test(models), cmocka_unit_test(noise), cmocka_unit_test(nesting) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

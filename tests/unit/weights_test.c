/* SPDX-License-Identifier: Apache-2.0
 * weights_test.c -- weights files: what is written comes back, each tensor in
 * its narrowest type; damaged and hostile files give errors.
 */
#define _GNU_SOURCE /* asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "weights_priv.h"
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64], text[256];
static uint8_t hash[32], epoch[16];
static const struct suf_tensor tensor[] = {
	{ .name = "embeddings.word", .rank = 2, .dim = { 301, 67 }, .bits = 50, .frac = 12 },
	{ .name = "bias", .rank = 1, .dim = { 5 }, .bits = 37, .frac = 24 },
	{ .name = "scalar", .rank = 0, .bits = 64, .frac = 0 },
	{ .name = "w", .rank = 3, .dim = { 7, 1, 9000 }, .bits = 16, .frac = 6 },
};
enum { NT = 4 };
static const int value_bits[NT] = { 30, 37, 64, 16 };   /* stored in 4, 8, 8, 2 bytes */
static const uint8_t want_width[NT] = { 4, 8, 8, 2 };
static int64_t *data[NT];

static uint64_t elems(int i)
{
	uint64_t n;
	assert_true(weights_elems(tensor[i].rank, tensor[i].dim, &n));
	return n;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(path, "/tmp/suf-weights-XXXXXX");
	int fd = mkstemp(path);
	if (fd < 0 || RAND_bytes(hash, sizeof hash) != 1 || RAND_bytes(epoch, sizeof epoch) != 1)
		return -1;
	close(fd);
	for (int i = 0; i < NT; i++) {
		data[i] = malloc(elems(i) * 8);
		RAND_bytes((uint8_t *)data[i], (int)elems(i) * 8);
		for (uint64_t k = 0; k < elems(i); k++)
			data[i][k] >>= 64 - value_bits[i];
		data[i][0] = (int64_t)(((uint64_t)1 << (value_bits[i] - 1)) - 1);
	}
	data[2][0] = INT64_MIN;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < NT; i++)
		free(data[i]);
	return unlink(path);
}

static void write_plain(void)
{
	struct suf_weights_writer *w;
	assert_int_equal(suf_weights_writer_open(&w, path, hash, tensor, NT, text), SUF_OK);
	for (int i = 0; i < NT; i++)
		assert_int_equal(suf_weights_writer_put(w, data[i], elems(i), text), SUF_OK);
	assert_int_equal(suf_weights_writer_finish(w, true, text), SUF_OK);
}

static struct suf_program program(void)
{
	struct suf_program p = { .name = "test", .weight = tensor, .nweight = NT };
	memcpy(p.hash, hash, 32);
	return p;
}

static void plain_comes_back(void **state)
{
	struct suf_weights *w;
	struct suf_program p = program();
	(void)state;
	write_plain();
	assert_int_equal(suf_weights_open(&w, path, text), SUF_OK);
	assert_int_equal(suf_weights_kind(w), SUF_WEIGHTS_PLAIN);
	assert_int_equal(suf_weights_count(w), NT);
	assert_int_equal(suf_weights_fit(w, &p, text), SUF_OK);
	for (uint32_t i = 0; i < NT; i++) {
		const struct suf_weights_tensor *t = suf_weights_tensor(w, i);
		uint64_t n = elems((int)i), *got = malloc(n * 8), mask = t->bits == 64 ? ~0ull : (1ull << t->bits) - 1;
		assert_string_equal(t->name, tensor[i].name);
		assert_int_equal(t->width, want_width[i]);
		assert_int_equal((uintptr_t)t->data % 64, 0);
		suf_weights_get(w, i, 0, n, got);
		for (uint64_t k = 0; k < n; k++)
			assert_true(got[k] == ((uint64_t)data[i][k] & mask));
		if (n > 100) {
			suf_weights_get(w, i, 93, 3, got);
			assert_true(got[2] == ((uint64_t)data[i][95] & mask));
		}
		free(got);
	}
	p.hash[31] ^= 1;
	assert_int_equal(suf_weights_fit(w, &p, text), SUF_EPROTO);
	assert_non_null(strstr(text, "belong to program"));
	p.hash[31] ^= 1;
	p.nweight--;
	assert_int_equal(suf_weights_fit(w, &p, text), SUF_EPROTO);
	struct suf_tensor other[NT];
	memcpy(other, tensor, sizeof other);
	other[1].frac++;
	p.nweight = NT;
	p.weight = other;
	assert_int_equal(suf_weights_fit(w, &p, text), SUF_EPROTO);
	assert_non_null(strstr(text, "'bias'"));
	suf_weights_close(w);
}

static void masked_comes_back_and_must_be_reduced(void **state)
{
	struct suf_weights_writer *w;
	struct suf_weights *r;
	struct suf_program p = program();
	(void)state;
	for (int spoiled = 0; spoiled < 2; spoiled++) {
		assert_int_equal(suf_weights_writer_open_masked(&w, path, hash, epoch, epoch, tensor, NT, text), SUF_OK);
		for (int i = 0; i < NT; i++) {
			uint64_t n = elems(i), *v = malloc(n * 8);
			for (uint64_t k = 0; k < n; k++)
				v[k] = (uint64_t)data[i][k] & (tensor[i].bits == 64 ? ~0ull : (1ull << tensor[i].bits) - 1);
			if (spoiled && i == 3)
				v[n - 1] |= 1ull << 16;
			assert_int_equal(suf_weights_writer_put_masked(w, v, n / 2, text), SUF_OK);
			assert_int_equal(suf_weights_writer_put_masked(w, v + n / 2, n - n / 2, text), SUF_OK);
			free(v);
		}
		assert_int_equal(suf_weights_writer_finish(w, true, text), SUF_OK);
		assert_int_equal(suf_weights_open(&r, path, text), SUF_OK);
		assert_int_equal(suf_weights_kind(r), SUF_WEIGHTS_MASKED);
		assert_memory_equal(suf_weights_epoch(r), epoch, 16);
		assert_int_equal(suf_weights_fit(r, &p, text), spoiled ? SUF_EPROTO : SUF_OK);
		suf_weights_close(r);
	}
	assert_non_null(strstr(text, "more than 16 bits"));
}

static void writer_checks_its_caller(void **state)
{
	struct suf_weights_writer *w;
	struct suf_weights *r;
	int64_t big[9000 * 7] = { 0 };
	(void)state;
	unlink(path);
	assert_int_equal(suf_weights_writer_open(&w, path, hash, tensor + 3, 1, text), SUF_OK);
	big[77] = 1 << 15;
	assert_int_equal(suf_weights_writer_put(w, big, 63000, text), SUF_EUSAGE);
	assert_non_null(strstr(text, "does not fit in 16 bits"));
	big[77] = -(1 << 15);
	assert_int_equal(suf_weights_writer_put(w, big, 62999, text), SUF_EUSAGE);
	assert_int_equal(suf_weights_writer_finish(w, true, text), SUF_EUSAGE);
	assert_non_null(strstr(text, "only 0 of 1"));
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(suf_weights_open(&r, path, text), SUF_EIO);
	assert_int_equal(suf_weights_writer_open(&w, path, hash, tensor + 3, 1, text), SUF_OK);
	assert_int_equal(suf_weights_writer_put(w, big, 63000, text), SUF_OK);
	assert_int_equal(suf_weights_writer_put(w, big, 1, text), SUF_EUSAGE);
	assert_int_equal(suf_weights_writer_finish(w, true, text), SUF_OK);
}

static void write_raw(const uint8_t *raw, size_t n)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(raw, 1, n, f), n);
	fclose(f);
}

/* Open; when it succeeds, touch every element. */
static enum suf_err open_and_touch(void)
{
	struct suf_weights *w;
	enum suf_err err = suf_weights_open(&w, path, text);
	uint64_t v;
	for (uint32_t i = 0; !err && i < suf_weights_count(w); i++)
		for (uint64_t k = 0; k < suf_weights_tensor(w, i)->count; k += 500)
			suf_weights_get(w, i, k, 1, &v);
	if (!err) {
		for (uint32_t i = 0; i < suf_weights_count(w); i++)
			suf_weights_get(w, i, suf_weights_tensor(w, i)->count - 1, 1, &v);
		suf_weights_close(w);
	}
	return err;
}

static size_t read_raw(uint8_t **raw)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	*raw = malloc(1 << 20);
	size_t n = fread(*raw, 1, 1 << 20, f);
	fclose(f);
	return n;
}

static void damaged_headers_are_refused(void **state)
{
	uint8_t *raw;
	uint64_t table;
	(void)state;
	write_plain();
	size_t n = read_raw(&raw);
	memcpy(&table, raw + 64, 8);
	assert_int_equal(open_and_touch(), SUF_OK);
	for (size_t i = 0; i < 128 + table; i++) { /* the digest sees all of it */
		raw[i] ^= (uint8_t)(1u << i % 8);
		write_raw(raw, n);
		assert_int_equal(open_and_touch(), SUF_EPROTO);
		raw[i] ^= (uint8_t)(1u << i % 8);
	}
	const size_t cut[] = { 0, 7, 127, 128, 200, 128 + table, n - 1 };
	for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
		write_raw(raw, cut[i]);
		assert_int_equal(open_and_touch(), SUF_EPROTO);
	}
	free(raw);
}

/* A hostile writer computes the right digest over wrong numbers: never a crash,
 * never an element outside of the file (the address sanitizer and SIGSEGV watch). */
static void hostile_tables_are_refused(void **state)
{
	uint8_t *raw, rnd[2];
	uint64_t table;
	int refused = 0;
	(void)state;
	write_plain();
	size_t n = read_raw(&raw);
	uint8_t *bad = malloc(n);
	memcpy(&table, raw + 64, 8);
	for (size_t i = 0; i < 2000; i++) {
		static const uint8_t nasty[] = { 0xff, 0x80, 0x7f, 0x00, 0x01, 0x40 };
		size_t at = i < 128 + table ? i : 128 + (i * 7919) % table;
		memcpy(bad, raw, n);
		RAND_bytes(rnd, 2);
		bad[at] = rnd[0] & 1 ? nasty[rnd[1] % sizeof nasty] : rnd[1];
		if (at >= 8 && at < 16)
			bad[at] = rnd[1];
		memcpy(&table, bad + 64, 8);
		if (table <= n - 128)
			weights_digest(bad, bad + 128, table, bad + 96);
		write_raw(bad, n);
		refused += open_and_touch() != SUF_OK;
		memcpy(&table, raw + 64, 8);
	}
	assert_true(refused > 500);
	free(raw);
	free(bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_comes_back), cmocka_unit_test(masked_comes_back_and_must_be_reduced),
		cmocka_unit_test(writer_checks_its_caller), cmocka_unit_test(damaged_headers_are_refused),
		cmocka_unit_test(hostile_tables_are_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

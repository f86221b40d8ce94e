/* SPDX-License-Identifier: Apache-2.0
 * Streams against OpenSSL's AES, on every instruction set the processor has; the trees' public key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include "kernel.h"

static void aes_openssl(const uint8_t key[16], const void *from, void *to, int bytes)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int got = 0;

	assert_non_null(ctx);
	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, key, NULL), 1);
	assert_int_equal(EVP_CIPHER_CTX_set_padding(ctx, 0), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, to, &got, from, bytes), 1);
	assert_int_equal(got, bytes);
	EVP_CIPHER_CTX_free(ctx);
}

static void random_bytes(void *to, size_t bytes)
{
	assert_int_equal(prg_os_random(to, bytes), SUF_OK);
}

/* FIPS 197, appendix B and C.1. */
static void test_known_answers(void **state)
{
	static const uint8_t key[2][16] = {
		{ 0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c },
		{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	};
	static const uint8_t plain[2][16] = {
		{ 0x32, 0x43, 0xf6, 0xa8, 0x88, 0x5a, 0x30, 0x8d, 0x31, 0x31, 0x98, 0xa2, 0xe0, 0x37, 0x07, 0x34 },
		{ 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff },
	};
	static const uint8_t cipher[2][16] = {
		{ 0x39, 0x25, 0x84, 0x1d, 0x02, 0xdc, 0x09, 0xfb, 0xdc, 0x11, 0x85, 0x97, 0x19, 0x6a, 0x0b, 0x32 },
		{ 0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a },
	};
	(void)state;
	for (int i = 0; i < 2; i++) {
		uint8_t rk[AES_KEY_BYTES];
		struct block x;
		aes_expand(rk, key[i]);
		memcpy(&x, plain[i], sizeof x);
		aes_portable(rk, 1, &x);
		assert_memory_equal(&x, cipher[i], sizeof x);
	}
}

static void test_portable_against_openssl(void **state)
{
	struct block in[37], want[37];
	uint8_t key[16], rk[AES_KEY_BYTES];

	(void)state;
	for (size_t n = 1; n <= 37; n++) {
		random_bytes(in, sizeof in);
		random_bytes(key, sizeof key);
		aes_openssl(key, in, want, (int)(n * sizeof *in));
		aes_expand(rk, key);
		aes_portable(rk, n, in);
		assert_memory_equal(in, want, n * sizeof *in);
	}
}

static void test_tree_key(void **state)
{
	static const char text[] = "sufc tree hash";
	uint8_t digest[SHA256_DIGEST_LENGTH], rk[AES_KEY_BYTES];

	(void)state;
	SHA256((const uint8_t *)text, sizeof text - 1, digest);
	aes_expand(rk, digest);
	assert_memory_equal(rk, kernel_tree_key, sizeof rk);
}

enum { LEN = 400 };

static void stream_openssl(const struct prg_seed *seed, uint32_t id, uint32_t tag, uint64_t block, uint64_t out[LEN])
{
	struct block in[LEN / 2];

	for (uint64_t i = 0; i < LEN / 2; i++)
		in[i] = (struct block){ block + i, id | (uint64_t)tag << 32 };
	aes_openssl(seed->b, in, out, sizeof in);
}

static void test_stream(void **state)
{
	static const uint64_t start[] = { 0, 1, 1000, 0xffffffffull - 7, 0x123456789abcdefull };
	struct prg_stream_key key;
	struct prg_seed seed;
	uint64_t want[LEN], got[LEN + 2];

	(void)state;
	random_bytes(&seed, sizeof seed);
	prg_stream_init(&key, &seed);
	for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++)
		for (size_t s = 0; s < sizeof start / sizeof *start; s++) {
			uint32_t id = (uint32_t)(0x80000000u + s), tag = (uint32_t)(0xfffffff0u + s);
			stream_openssl(&seed, id, tag, start[s], want);
			for (size_t first = 0; first < 5; first++)
				for (size_t count = 0; count + first <= LEN; count += count < 70 ? 1 : 37) {
					memset(got, 0x5a, sizeof got);
					prg_stream(isa, &key, id, tag, 2 * start[s] + first, count, 64, got + 1);
					assert_memory_equal(got + 1, want + first, count * sizeof *got);
					assert_int_equal(got[0], 0x5a5a5a5a5a5a5a5aull); /* writes its range only */
					assert_int_equal(got[count + 1], 0x5a5a5a5a5a5a5a5aull);
				}
		}
}

static void test_stream_bits(void **state)
{
	struct prg_stream_key key;
	struct prg_seed seed;
	uint64_t want[LEN], got[LEN];

	(void)state;
	random_bytes(&seed, sizeof seed);
	prg_stream_init(&key, &seed);
	stream_openssl(&seed, 3, 4, 0, want);
	for (enum suf_isa isa = SUF_ISA_PORTABLE; isa <= suf_cpu_best(); isa++)
		for (unsigned bits = 1; bits <= 64; bits++) {
			prg_stream(isa, &key, 3, 4, 0, LEN, bits, got);
			for (size_t i = 0; i < LEN; i++)
				assert_int_equal(got[i], want[i] & (bits == 64 ? ~0ull : (1ull << bits) - 1));
		}
}

static void test_blocks(void **state)
{
	(void)state;
	assert_int_equal(prg_blocks(5, 0), 0);
	assert_int_equal(prg_blocks(0, 1), 1);
	assert_int_equal(prg_blocks(0, 2), 1);
	assert_int_equal(prg_blocks(1, 2), 2);
	assert_int_equal(prg_blocks(3, 5), 3);
	assert_int_equal(prg_blocks(2, 1024), 512);
	assert_int_equal(prg_blocks(1, 1024), 513);
}

static void test_random_and_wipe(void **state)
{
	uint8_t a[64] = { 0 }, b[64] = { 0 }, zero[64] = { 0 };

	(void)state;
	random_bytes(a, sizeof a);
	random_bytes(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
	prg_wipe(a, sizeof a);
	assert_memory_equal(a, zero, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers), cmocka_unit_test(test_portable_against_openssl),
		cmocka_unit_test(test_tree_key),      cmocka_unit_test(test_stream),
		cmocka_unit_test(test_stream_bits),   cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_random_and_wipe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * handshake_test.c -- two parties compare their set-up: every difference is
 * named, and both sides come to the same verdict.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "session.h"
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

struct side { struct suf_chan *chan; struct hello mine, theirs; enum suf_err err; char text[SUF_TEXT]; };

static void *meet(void *arg)
{
	struct side *s = arg;
	s->err = handshake(s->chan, &s->mine, &s->theirs, s->text);
	return NULL;
}

static void run(struct side s[2])
{
	struct suf_chan *pair[2];
	pthread_t t;
	assert_int_equal(suf_chan_pair(pair), SUF_OK);
	s[0].chan = pair[0];
	s[1].chan = pair[1];
	pthread_create(&t, NULL, meet, &s[0]);
	meet(&s[1]);
	pthread_join(t, NULL);
	suf_chan_close(pair[0]);
	suf_chan_close(pair[1]);
}

static void fitting(struct side s[2])
{
	memset(s, 0, 2 * sizeof *s);
	RAND_bytes((uint8_t *)&s[0].mine, sizeof s[0].mine);
	s[0].mine.flags = HELLO_HAS_WEIGHTS;
	s[0].mine.role = 0;
	s[1].mine = s[0].mine;
	s[1].mine.flags |= HELLO_HAS_CLIENT;
	s[1].mine.role = 1;
}

static void expect(struct side s[2], const char *words)
{
	run(s);
	for (int p = 0; p < 2; p++)
		if (s[p].err != (words ? SUF_EPROTO : SUF_OK) || (words && !strstr(s[p].text, words)))
			fail_msg("party %d: %d %s, want '%s'", p, s[p].err, s[p].text, words ? words : "nothing");
}

static void equal_set_ups_agree(void **state)
{
	struct side s[2];
	(void)state;
	fitting(s);
	expect(s, NULL);
	assert_memory_equal(s[0].theirs.id, s[1].mine.id, 16);
	assert_int_equal(s[0].theirs.flags, s[1].mine.flags);
}

static void every_difference_is_named(void **state)
{
	struct side s[2];
	(void)state;
	for (int p = 0; p < 2; p++) {
		struct { uint8_t *field; size_t n; const char *words; } part[] = {
			{ s[p].mine.program, 32, "differ in the program (hash)" }, { s[p].mine.id, 16, "not of one pair" },
			{ s[p].mine.epoch, 16, "epoch of the weight mask" }, { s[p].mine.input, 32, "masked input file" },
		};
		for (size_t k = 0; k < 4; k++)
			for (size_t i = 0; i < part[k].n; i += part[k].n - 1) {
				fitting(s);
				part[k].field[i] ^= 0x10;
				expect(s, part[k].words);
			}
		fitting(s);
		s[p].mine.role ^= 1;
		expect(s, p ? "both parties run with role 0" : "both parties run with role 1");
		fitting(s);
		s[p].mine.flags |= HELLO_OUTSIDE_CLIENT;
		expect(s, "only one of the two keys");
	}
}

static void party_1_gets_its_weights_from_somewhere(void **state)
{
	struct side s[2];
	(void)state;
	fitting(s);
	s[1].mine.flags = 0;
	expect(s, "party 1 has no weights");
	fitting(s);
	s[1].mine.flags = 0;
	s[0].mine.flags |= HELLO_SENDS_WEIGHTS;
	expect(s, NULL);
}

static void strangers_are_refused(void **state)
{
	struct suf_chan *pair[2];
	struct side s[2];
	uint8_t noise[160];
	(void)state;
	for (int i = 0; i < 50; i++) {
		fitting(s);
		assert_int_equal(suf_chan_pair(pair), SUF_OK);
		RAND_bytes(noise, sizeof noise);
		if (i & 1) { /* the right magic, another version */
			memcpy(noise, "SUFPEER1", 8);
			noise[8] = (uint8_t)(2 + i);
		}
		assert_int_equal(suf_chan_exchange(pair[1], noise, i == 0 ? 100 : sizeof noise, NULL, 0), SUF_OK);
		s[0].chan = pair[0];
		if (i == 0)
			suf_chan_close(pair[1]);
		meet(&s[0]);
		assert_int_equal(s[0].err, i == 0 ? SUF_EIO : SUF_EPROTO);
		assert_non_null(strstr(s[0].text, i == 0 ? "peer closed the connection" : i & 1 ? "protocol version" : "not a party"));
		if (i)
			suf_chan_close(pair[1]);
		suf_chan_close(pair[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_set_ups_agree), cmocka_unit_test(every_difference_is_named),
		cmocka_unit_test(party_1_gets_its_weights_from_somewhere), cmocka_unit_test(strangers_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

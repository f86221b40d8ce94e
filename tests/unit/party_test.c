/* SPDX-License-Identifier: Apache-2.0
 * party_test.c -- dealer, parties and client through the public calls, on a
 * small program: answers, byte counts, every way of giving weights, and every
 * set-up that does not fit.
 */
#define _GNU_SOURCE /* asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "pair.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int set_up(void **state)
{
	struct suf_deal_config cfg = { .count = 0 };
	struct suf_stats stats;
	(void)state;
	if (pair_set_up("party"))
		return -1;
	cfg.dir = pair_dir;
	small_weights(&small_program, pair_path("plain.weights"), pair_w, pair_e);
	return suf_deal(&small_program, &cfg, &stats, pair_text) == SUF_OK &&
		suf_mask_weights(&small_program, pair_path("plain.weights"), pair_path("model.owner"), pair_path("masked.weights"), pair_text) == SUF_OK ? 0 : -1;
}

/* One pair; those of small_program under the mask of set_up. */
static void deal(const struct suf_program *prog, bool outside, char *key[3], struct suf_stats *stats)
{
	pair_deal(prog, (struct suf_deal_config){ .outside_client = outside, .state = prog == &small_program ? pair_path("model.state") : NULL }, key, stats);
}

static void make_sides(struct side s[2], char *key[3])
{
	pair_sides(s, &small_program, key, pair_path("masked.weights"));
}

static void a_private_product(void **state)
{
	char *key[3];
	struct side s[2];
	struct suf_stats dealer;
	struct stat st;
	(void)state;
	deal(&small_program, false, key, &dealer);
	make_sides(s, key);
	pair_run(s);
	pair_ok(s);
	pair_answer(s[1].y, s[1].e);
	for (int i = 0; i < PAIR_Y; i++)
		assert_true(s[0].y[i] == 0.0f); /* party 0 receives nothing */
	assert_int_equal(s[0].stats.sent, s[1].stats.received);
	assert_int_equal(s[0].stats.sent, (12 * 50 + 7) / 8 + (6 * 50 + 7) / 8);
	assert_int_equal(s[1].stats.sent, s[0].stats.sent + (32 * 50 + 7) / 8 + (10 * 50 + 7) / 8);
	assert_int_equal(s[1].stats.rounds, 2);
	for (int p = 0; p < 2; p++) {
		assert_int_equal(stat(key[p], &st), 0);
		assert_int_equal(st.st_mode & 0777, 0600);
		assert_int_equal(st.st_size, 256 + dealer.key[p]);
		assert_int_equal(s[p].stats.key[p], dealer.key[p]);
	}
	assert_true(s[1].stats.nclass >= 2 && s[1].stats.prg_calls > 0 && s[1].stats.ms > 0 && s[1].stats.peak_rss > 0);

	make_sides(s, key); /* again with the same key */
	pair_run(s);
	assert_int_equal(s[0].err, SUF_EREUSE);
	assert_int_equal(s[1].err, SUF_EREUSE);
	assert_non_null(strstr(s[0].text, "was used before"));
	pair_free_keys(key);
}

static void the_owner_sends_the_weights(void **state)
{
	struct suf_stats dealer;
	(void)state;
	for (int has = 0; has < 2; has++) { /* party 1 with and without a file of its own */
		char *key[3];
		struct side s[2];
		deal(&small_program, false, key, &dealer);
		make_sides(s, key);
		s[0].cfg.weights = pair_path("plain.weights");
		s[0].cfg.owner = pair_path("model.owner");
		if (!has)
			s[1].cfg.weights = NULL;
		pair_run(s);
		pair_ok(s);
		pair_answer(s[1].y, s[1].e);
		assert_int_equal(s[0].stats.setup_sent, 160 + PAIR_W * 50 / 8 + (PAIR_E * 50 + 7) / 8);
		assert_int_equal(s[1].stats.setup_received, s[0].stats.setup_sent);
		assert_int_equal(s[1].stats.setup_sent, 160);
		pair_free_keys(key);
	}
}

static void a_client_outside(void **state)
{
	char *key[3];
	struct side s[2];
	struct suf_stats dealer;
	float y[PAIR_Y], got_e[PAIR_ROWS];
	void *output[] = { y, got_e };
	(void)state;
	deal(&small_program, true, key, &dealer);
	assert_non_null(key[2]);
	if (suf_share_input(&small_program, key[2], pair_input, pair_path("x.masked"), pair_text))
		fail_msg("%s", pair_text);
	assert_int_equal(suf_share_input(&small_program, key[2], pair_input, pair_path("x2.masked"), pair_text), SUF_EREUSE);
	make_sides(s, key);
	s[0].cfg.masked_input = s[1].cfg.masked_input = pair_path("x.masked");
	s[0].cfg.masked_output = pair_path("y0.masked");
	s[1].cfg.masked_output = pair_path("y1.masked");
	pair_run(s);
	pair_ok(s);
	for (int p = 0; p < 2; p++) {
		memset(y, 0, sizeof y);
		memset(got_e, 0, sizeof got_e);
		if (suf_reveal(&small_program, key[2], pair_path(p ? "y1.masked" : "y0.masked"), output, pair_text))
			fail_msg("%s", pair_text);
		pair_answer(y, got_e);
	}
	for (int i = 0; i < PAIR_Y; i++)
		assert_true(s[1].y[i] == 0.0f); /* the parties learn nothing */
	assert_int_equal(suf_reveal(&small_program, key[2], pair_path("x.masked"), output, pair_text), SUF_EPROTO);
	pair_free_keys(key);
}

static void masked_files_are_checked(void **state)
{
	char *key[3], raw[1000];
	struct side s[2];
	struct suf_stats dealer;
	(void)state;
	deal(&small_program, true, key, &dealer);
	assert_int_equal(suf_share_input(&small_program, key[2], pair_input, pair_path("a.masked"), pair_text), SUF_OK);
	make_sides(s, key);
	s[0].cfg.masked_input = pair_path("bent.masked");
	FILE *f = fopen(pair_path("a.masked"), "rb");
	size_t n = fread(raw, 1, sizeof raw, f);
	fclose(f);
	assert_int_equal(n, 128 + 200 + 63);
	for (size_t i = 0; i < 2 * n; i++) { /* a changed byte; a cut */
		raw[i % n] ^= i < n ? 0x20 : 0;
		f = fopen(pair_path("bent.masked"), "wb");
		assert_true(fwrite(raw, 1, i < n ? n : i - n, f) == (i < n ? n : i - n));
		fclose(f);
		raw[i % n] ^= i < n ? 0x20 : 0;
		pair_run_side(&s[0]);
		assert_int_equal(s[0].err, SUF_EPROTO);
	}
	/* A client that masks two inputs with a copy of its key: the parties must have the same file. */
	char *cmd = NULL, *copy = pair_at("copy.client.key");
	assert_true(asprintf(&cmd, "cp '%s' '%s' && rm '%.*s.used'", key[2], copy, (int)strlen(key[2]) - 4, key[2]) > 0);
	assert_int_equal(system(cmd), 0);
	pair_x[0] += 1;
	assert_int_equal(suf_share_input(&small_program, copy, pair_input, pair_path("b.masked"), pair_text), SUF_OK);
	pair_x[0] -= 1;
	make_sides(s, key);
	s[0].cfg.masked_input = pair_path("a.masked");
	s[1].cfg.masked_input = pair_path("b.masked");
	pair_run(s);
	for (int p = 0; p < 2; p++) {
		assert_int_equal(s[p].err, SUF_EPROTO);
		assert_non_null(strstr(s[p].text, "the masked input file"));
	}
	free(cmd);
	free(copy);
	pair_free_keys(key);
}

static void outputs_to_party_0(void **state)
{
	char *key[3], *owner = NULL;
	struct side s[2];
	struct suf_stats dealer;
	double keep_w[PAIR_W], keep_e[PAIR_E];
	(void)state;
	memcpy(keep_w, pair_w, sizeof keep_w);
	memcpy(keep_e, pair_e, sizeof keep_e);
	deal(&small_program_to_0, false, key, &dealer);
	make_sides(s, key);
	s[0].prog = s[1].prog = &small_program_to_0;
	pair_run(s); /* weights of the first program */
	assert_int_equal(s[0].err, SUF_EPROTO);
	assert_non_null(strstr(s[0].text, "the weights belong to program"));
	small_weights(&small_program_to_0, pair_path("plain0.weights"), pair_w, pair_e);
	assert_true(asprintf(&owner, "%.*s/model.owner", (int)(strrchr(key[0], '/') - key[0]), key[0]) > 0);
	assert_int_equal(suf_mask_weights(&small_program_to_0, pair_path("plain0.weights"), owner, pair_path("masked0.weights"), pair_text), SUF_OK);
	s[0].cfg.weights = s[1].cfg.weights = pair_path("masked0.weights");
	pair_run(s);
	pair_ok(s);
	pair_answer(s[0].y, s[0].e);
	for (int i = 0; i < PAIR_Y; i++)
		assert_true(s[1].y[i] == 0.0f);
	memcpy(pair_w, keep_w, sizeof keep_w);
	memcpy(pair_e, keep_e, sizeof keep_e);
	free(owner);
	pair_free_keys(key);
}

/* Both sides fail with these words, no key is claimed, and the proper set-up works afterwards. */
static void expect_refusal(struct side s[2], enum suf_err want, const char *words0, const char *words1)
{
	pair_run(s);
	if (s[0].err != want || s[1].err != want || !strstr(s[0].text, words0) || !strstr(s[1].text, words1))
		fail_msg("party 0: %d %s; party 1: %d %s", s[0].err, s[0].text, s[1].err, s[1].text);
}

static void the_handshake_costs_no_key(void **state)
{
	char *a[3], *b[3], *mixed[3] = { NULL, NULL, NULL };
	struct side s[2];
	struct suf_stats dealer;
	(void)state;
	deal(&small_program, false, a, &dealer);
	deal(&small_program, false, b, &dealer);
	mixed[0] = a[0];
	mixed[1] = b[1];
	make_sides(s, mixed);
	expect_refusal(s, SUF_EPROTO, "the two keys are not of one pair", "the two keys are not of one pair");
	make_sides(s, a);
	s[1].cfg.weights = NULL;
	expect_refusal(s, SUF_EPROTO, "party 1 has no weights", "party 1 has no weights");
	make_sides(s, a);
	pair_run(s);
	pair_ok(s);
	pair_answer(s[1].y, s[1].e);
	pair_free_keys(a);
	pair_free_keys(b);
}

static void what_does_not_fit_is_refused_alone(void **state)
{
	char *key[3], *other[3];
	struct side s[2];
	struct suf_stats dealer;
	(void)state;
	deal(&small_program, false, key, &dealer);
	deal(&other_program, false, other, &dealer);
	make_sides(s, key);
	s[0].cfg.key = key[1];
	pair_refused(&s[0], SUF_EPROTO, "is the key of party 1, here the key of party 0 is needed");
	s[0].cfg.key = other[0];
	pair_refused(&s[0], SUF_EPROTO, "made for program 09");
	s[0].cfg.key = pair_path("missing.key");
	pair_refused(&s[0], SUF_EIO, "No such file");
	s[0].cfg.key = key[0];
	s[0].cfg.weights = pair_path("plain.weights");
	pair_refused(&s[0], SUF_EUSAGE, "--owner");
	s[0].cfg.weights = NULL;
	pair_refused(&s[0], SUF_EUSAGE, "needs the weights");
	s[1].cfg.weights = pair_path("plain.weights");
	pair_refused(&s[1], SUF_EUSAGE, "party 1 must not see them");
	make_sides(s, key);
	s[1].cfg.masked_input = pair_path("x.masked");
	pair_refused(&s[1], SUF_EUSAGE, "--outside-client");
	make_sides(s, key);
	const float keep = pair_x[13];
	const float bad[] = { NAN, INFINITY, 6.9e10f, -3e38f };
	for (int i = 0; i < 4; i++) {
		pair_x[13] = bad[i];
		pair_refused(&s[1], SUF_EUSAGE, "input 'x': element [1,5] is");
	}
	pair_x[13] = keep;
	pair_ids[1] = SMALL_VOCAB;
	pair_refused(&s[1], SUF_EUSAGE, "input 'ids': element [1] is 5; row numbers are 0 to 4");
	pair_ids[1] = -1;
	pair_refused(&s[1], SUF_EUSAGE, "element [1] is -1");
	pair_ids[1] = 0;
	assert_int_equal(truncate(key[0], 300), 0);
	pair_refused(&s[0], SUF_EPROTO, "the key is 300 bytes long");
	pair_free_keys(key);
	pair_free_keys(other);
}

static void a_new_epoch_wants_new_weights(void **state)
{
	char *key[3], *fresh;
	struct side s[2];
	struct suf_stats dealer;
	(void)state;
	deal(&small_program, false, key, &dealer);
	fresh = pair_at("epoch2");
	mkdir(fresh, 0700);
	struct suf_deal_config cfg = { .dir = fresh, .count = 0 };
	assert_int_equal(suf_deal(&small_program, &cfg, &dealer, pair_text), SUF_OK);
	assert_int_equal(suf_mask_weights(&small_program, pair_path("plain.weights"), pair_path("epoch2/model.owner"), pair_path("epoch2.weights"), pair_text), SUF_OK);
	make_sides(s, key);
	s[0].cfg.weights = pair_path("epoch2.weights");
	pair_refused(&s[0], SUF_EPROTO, "the weight mask is of epoch");
	assert_int_equal(suf_deal(&other_program, &cfg, &dealer, pair_text), SUF_EPROTO); /* a state never serves two models */
	assert_non_null(strstr(pair_text, "made for program"));
	assert_int_equal(suf_mask_weights(&small_program, pair_path("masked.weights"), pair_path("model.owner"), pair_path("twice"), pair_text), SUF_EUSAGE);
	free(fresh);
	pair_free_keys(key);
}

/* The program's hash does not tell two models of one shape apart; their difference must not get out. */
static void an_epoch_masks_one_set_of_weights(void **state)
{
	static double w2[PAIR_W], e2[PAIR_E];
	char *key[3];
	struct side s[2];
	struct suf_stats dealer;
	struct stat st;
	(void)state;
	small_weights(&small_program, pair_path("tuned.weights"), w2, e2);
	assert_int_equal(suf_mask_weights(&small_program, pair_path("tuned.weights"), pair_path("model.owner"), pair_path("tuned.masked"), pair_text), SUF_EREUSE);
	assert_non_null(strstr(pair_text, "--new-epoch"));
	assert_int_equal(stat(pair_path("tuned.masked"), &st), -1);
	assert_int_equal(suf_mask_weights(&small_program, pair_path("plain.weights"), pair_path("model.owner"), pair_path("again.masked"), pair_text), SUF_OK);
	assert_int_equal(stat(pair_path("again.masked"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	deal(&small_program, false, key, &dealer);
	make_sides(s, key);
	s[0].cfg.owner = pair_path("model.owner");
	s[0].cfg.weights = pair_path("tuned.weights");
	pair_refused(&s[0], SUF_EREUSE, "other weights were masked in this epoch");
	pair_free_keys(key);
}

/* ---- keys through pipes, as they are dealt ---------------------------------------- */

struct dealer { struct suf_deal_config cfg; struct suf_stats stats; enum suf_err err; char text[SUF_TEXT]; };

static void *run_dealer(void *arg)
{
	struct dealer *d = arg;
	d->err = suf_deal(&small_program, &d->cfg, &d->stats, d->text);
	close(d->cfg.fd[0]);
	close(d->cfg.fd[1]);
	return NULL;
}

static void keys_through_pipes(void **state)
{
	int p0[2], p1[2];
	struct side s[2];
	pthread_t t;
	char *none[3] = { NULL, NULL, NULL };
	(void)state;
	assert_int_equal(pipe(p0), 0);
	assert_int_equal(pipe(p1), 0);
	struct dealer d = { .cfg = { .fd = { p0[1], p1[1] }, .owner = pair_path("model.owner") } };
	pthread_create(&t, NULL, run_dealer, &d);
	make_sides(s, none);
	s[0].cfg.key_fd = p0[0];
	s[1].cfg.key_fd = p1[0];
	s[0].cfg.used_dir = s[1].cfg.used_dir = pair_dir;
	pair_run(s);
	pthread_join(t, NULL);
	assert_int_equal(d.err, SUF_OK);
	pair_ok(s);
	pair_answer(s[1].y, s[1].e);
	close(p0[0]);
	close(p1[0]);
	struct dealer full = { .cfg = { .fd = { 0, 1 } } };
	assert_int_equal(suf_deal(&small_program, &full.cfg, &full.stats, pair_text), SUF_EUSAGE); /* no mask state: the key would be useless */
}

/* A dealer that goes away in the middle: an error that says how far the key went; the key counts as used. */
static void a_key_that_ends_early(void **state)
{
	int p1[2];
	char *key[3], head[400];
	struct side s[2];
	struct suf_stats dealer;
	(void)state;
	deal(&small_program, false, key, &dealer);
	FILE *f = fopen(key[1], "rb");
	assert_int_equal(fread(head, 1, sizeof head, f), sizeof head);
	fclose(f);
	assert_int_equal(pipe(p1), 0);
	assert_int_equal(write(p1[1], head, sizeof head), sizeof head);
	close(p1[1]);
	make_sides(s, key);
	s[1].cfg.key = NULL;
	s[1].cfg.key_fd = p1[0];
	s[1].cfg.used_dir = pair_dir;
	pair_run(s);
	close(p1[0]);
	assert_int_equal(s[1].err, SUF_EPROTO);
	assert_non_null(strstr(s[1].text, "the key ends after 400 bytes"));
	assert_int_equal(s[0].err, SUF_EIO);
	assert_non_null(strstr(s[0].text, "peer closed the connection"));
	make_sides(s, key);
	pair_refused(&s[0], SUF_EREUSE, "was used before");
	pair_free_keys(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_private_product), cmocka_unit_test(the_owner_sends_the_weights), cmocka_unit_test(a_client_outside),
		cmocka_unit_test(masked_files_are_checked),
		cmocka_unit_test(outputs_to_party_0), cmocka_unit_test(the_handshake_costs_no_key),
		cmocka_unit_test(what_does_not_fit_is_refused_alone), cmocka_unit_test(a_new_epoch_wants_new_weights), cmocka_unit_test(an_epoch_masks_one_set_of_weights),
		cmocka_unit_test(keys_through_pipes), cmocka_unit_test(a_key_that_ends_early),
	};
	return cmocka_run_group_tests(tests, set_up, pair_tear_down);
}

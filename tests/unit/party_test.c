/* SPDX-License-Identifier: Apache-2.0
 * party_test.c -- dealer, parties and client through the public calls, on a
 * small program: answers, byte counts, every way of giving weights, and every
 * set-up that does not fit.
 */
#define _GNU_SOURCE /* asprintf */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "small_program.h"
#include <dirent.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NX = SMALL_ROWS * SMALL_INNER, NW = SMALL_INNER * SMALL_COLS, NE = SMALL_VOCAB * SMALL_COLS, NY = SMALL_ROWS * SMALL_COLS,
	NO = SMALL_IDS * SMALL_COLS };
static char dir[64], text[SUF_TEXT];
static double w[NW], e[NE];
static float x[NX];
static int64_t ids[SMALL_IDS] = { 3, 0 };
static const void *const input[] = { x, ids };

static char *at(const char *name)
{
	char *path = NULL;
	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return path;
}

static char *owned[64];
static int nowned;
/* A path that lives until the end of the test program. */
static const char *path(const char *name)
{
	for (int i = 0; i < nowned; i++)
		if (strcmp(owned[i] + strlen(dir) + 1, name) == 0)
			return owned[i];
	assert_true(nowned < 64);
	return owned[nowned++] = at(name);
}

static int set_up(void **state)
{
	struct suf_deal_config cfg = { .count = 0 };
	struct suf_stats stats;
	uint32_t r[NX];
	(void)state;
	strcpy(dir, "/tmp/suf-party-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	cfg.dir = dir;
	RAND_bytes((uint8_t *)r, sizeof r);
	for (int i = 0; i < NX; i++)
		x[i] = (float)((int)(r[i] % 40000) - 20000) / 4096.0f; /* exact in 12 fraction bits */
	small_weights(&small_program, path("plain.weights"), w, e);
	return suf_deal(&small_program, &cfg, &stats, text) == SUF_OK &&
		suf_mask_weights(&small_program, path("plain.weights"), path("model.owner"), path("masked.weights"), text) == SUF_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	char *cmd = NULL;
	(void)state;
	while (nowned > 0)
		free(owned[--nowned]);
	int rc = asprintf(&cmd, "rm -r '%s'", dir) < 0 ? -1 : system(cmd);
	free(cmd);
	return rc;
}

/* Deal one pair into a folder; key[0..2]: paths of its files (client: NULL unless outside). */
static void deal(const struct suf_program *prog, bool outside, char *key[3], struct suf_stats *stats)
{
	static int n;
	char name[32], *folder, *state = prog == &small_program ? at("model.state") : NULL;
	snprintf(name, sizeof name, "keys%d", n++);
	folder = at(name);
	mkdir(folder, 0700);
	struct suf_deal_config cfg = { .dir = folder, .count = 1, .outside_client = outside, .state = state };
	if (suf_deal(prog, &cfg, stats, text))
		fail_msg("%s", text);
	key[0] = key[1] = key[2] = NULL;
	DIR *d = opendir(folder);
	for (struct dirent *f; (f = readdir(d));) {
		int k = strstr(f->d_name, ".p0.key") ? 0 : strstr(f->d_name, ".p1.key") ? 1 : strstr(f->d_name, ".client.key") ? 2 : -1;
		if (k >= 0)
			assert_true(asprintf(&key[k], "%s/%s", folder, f->d_name) > 0);
		else if (strcmp(f->d_name, ".") && strcmp(f->d_name, "..") && strncmp(f->d_name, "model.", 6))
			fail_msg("%s: left over", f->d_name);
	}
	closedir(d);
	free(folder);
	free(state);
}

static void free_keys(char *key[3])
{
	for (int k = 0; k < 3; k++)
		free(key[k]);
}

struct side {
	const struct suf_program *prog;
	struct suf_party_config cfg;
	float y[NY], e[NO];
	struct suf_stats stats;
	enum suf_err err;
	char text[SUF_TEXT];
};

static void *run_side(void *arg)
{
	struct side *s = arg;
	void *output[] = { s->y, s->e };
	s->err = suf_party_run(s->prog, &s->cfg, s->cfg.role == 1 ? input : NULL, output, &s->stats, s->text);
	return NULL;
}

static void run_both(struct side s[2])
{
	pthread_t t;
	pthread_create(&t, NULL, run_side, &s[0]);
	run_side(&s[1]);
	pthread_join(t, NULL);
}

static void make_sides(struct side s[2], char *key[3])
{
	memset(s, 0, 2 * sizeof *s);
	for (int p = 0; p < 2; p++) {
		s[p].prog = &small_program;
		s[p].cfg = (struct suf_party_config){ .role = p, .key = key[p], .key_fd = -1, .weights = path("masked.weights") };
		s[p].cfg.link.timeout_s = 10;
	}
	static char where[128];
	snprintf(where, sizeof where, "unix:%s/link", dir);
	s[0].cfg.link.listen = where;
	s[1].cfg.link.connect = where;
}

static void expect_ok(struct side s[2])
{
	if (s[0].err || s[1].err)
		fail_msg("party 0: %s; party 1: %s", s[0].text, s[1].text);
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
	run_both(s);
	expect_ok(s);
	small_check(x, ids, w, e, s[1].y, s[1].e);
	for (int i = 0; i < NY; i++)
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
	run_both(s);
	assert_int_equal(s[0].err, SUF_EREUSE);
	assert_int_equal(s[1].err, SUF_EREUSE);
	assert_non_null(strstr(s[0].text, "was used before"));
	free_keys(key);
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
		s[0].cfg.weights = path("plain.weights");
		s[0].cfg.owner = path("model.owner");
		if (!has)
			s[1].cfg.weights = NULL;
		run_both(s);
		expect_ok(s);
		small_check(x, ids, w, e, s[1].y, s[1].e);
		assert_int_equal(s[0].stats.setup_sent, 160 + NW * 50 / 8 + (NE * 50 + 7) / 8);
		assert_int_equal(s[1].stats.setup_received, s[0].stats.setup_sent);
		assert_int_equal(s[1].stats.setup_sent, 160);
		free_keys(key);
	}
}

static void a_client_outside(void **state)
{
	char *key[3];
	struct side s[2];
	struct suf_stats dealer;
	float y[NY], got_e[NO];
	void *output[] = { y, got_e };
	(void)state;
	deal(&small_program, true, key, &dealer);
	assert_non_null(key[2]);
	if (suf_share_input(&small_program, key[2], input, path("x.masked"), text))
		fail_msg("%s", text);
	assert_int_equal(suf_share_input(&small_program, key[2], input, path("x2.masked"), text), SUF_EREUSE);
	make_sides(s, key);
	s[0].cfg.masked_input = s[1].cfg.masked_input = path("x.masked");
	s[0].cfg.masked_output = path("y0.masked");
	s[1].cfg.masked_output = path("y1.masked");
	run_both(s);
	expect_ok(s);
	for (int p = 0; p < 2; p++) {
		memset(y, 0, sizeof y);
		memset(got_e, 0, sizeof got_e);
		if (suf_reveal(&small_program, key[2], path(p ? "y1.masked" : "y0.masked"), output, text))
			fail_msg("%s", text);
		small_check(x, ids, w, e, y, got_e);
	}
	for (int i = 0; i < NY; i++)
		assert_true(s[1].y[i] == 0.0f); /* the parties learn nothing */
	assert_int_equal(suf_reveal(&small_program, key[2], path("x.masked"), output, text), SUF_EPROTO);
	free_keys(key);
}

static void masked_files_are_checked(void **state)
{
	char *key[3], raw[1000];
	struct side s[2];
	struct suf_stats dealer;
	(void)state;
	deal(&small_program, true, key, &dealer);
	assert_int_equal(suf_share_input(&small_program, key[2], input, path("a.masked"), text), SUF_OK);
	make_sides(s, key);
	s[0].cfg.masked_input = path("bent.masked");
	FILE *f = fopen(path("a.masked"), "rb");
	size_t n = fread(raw, 1, sizeof raw, f);
	fclose(f);
	assert_int_equal(n, 128 + 200 + 63);
	for (size_t i = 0; i < 2 * n; i++) { /* a changed byte; a cut */
		raw[i % n] ^= i < n ? 0x20 : 0;
		f = fopen(path("bent.masked"), "wb");
		assert_true(fwrite(raw, 1, i < n ? n : i - n, f) == (i < n ? n : i - n));
		fclose(f);
		raw[i % n] ^= i < n ? 0x20 : 0;
		run_side(&s[0]);
		assert_int_equal(s[0].err, SUF_EPROTO);
	}
	/* A client that masks two inputs with a copy of its key: the parties must have the same file. */
	char *cmd = NULL, *copy = at("copy.client.key");
	assert_true(asprintf(&cmd, "cp '%s' '%s' && rm '%.*s.used'", key[2], copy, (int)strlen(key[2]) - 4, key[2]) > 0);
	assert_int_equal(system(cmd), 0);
	x[0] += 1;
	assert_int_equal(suf_share_input(&small_program, copy, input, path("b.masked"), text), SUF_OK);
	x[0] -= 1;
	make_sides(s, key);
	s[0].cfg.masked_input = path("a.masked");
	s[1].cfg.masked_input = path("b.masked");
	run_both(s);
	for (int p = 0; p < 2; p++) {
		assert_int_equal(s[p].err, SUF_EPROTO);
		assert_non_null(strstr(s[p].text, "the masked input file"));
	}
	free(cmd);
	free(copy);
	free_keys(key);
}

static void outputs_to_party_0(void **state)
{
	char *key[3], *owner = NULL;
	struct side s[2];
	struct suf_stats dealer;
	double keep_w[NW], keep_e[NE];
	(void)state;
	memcpy(keep_w, w, sizeof w);
	memcpy(keep_e, e, sizeof e);
	deal(&small_program_to_0, false, key, &dealer);
	make_sides(s, key);
	s[0].prog = s[1].prog = &small_program_to_0;
	run_both(s); /* weights of the first program */
	assert_int_equal(s[0].err, SUF_EPROTO);
	assert_non_null(strstr(s[0].text, "the weights belong to program"));
	small_weights(&small_program_to_0, path("plain0.weights"), w, e);
	assert_true(asprintf(&owner, "%.*s/model.owner", (int)(strrchr(key[0], '/') - key[0]), key[0]) > 0);
	assert_int_equal(suf_mask_weights(&small_program_to_0, path("plain0.weights"), owner, path("masked0.weights"), text), SUF_OK);
	s[0].cfg.weights = s[1].cfg.weights = path("masked0.weights");
	run_both(s);
	expect_ok(s);
	small_check(x, ids, w, e, s[0].y, s[0].e);
	for (int i = 0; i < NY; i++)
		assert_true(s[1].y[i] == 0.0f);
	memcpy(w, keep_w, sizeof w);
	memcpy(e, keep_e, sizeof e);
	free(owner);
	free_keys(key);
}

/* Both sides fail with these words, no key is claimed, and the proper set-up works afterwards. */
static void expect_refusal(struct side s[2], enum suf_err want, const char *words0, const char *words1)
{
	run_both(s);
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
	run_both(s);
	expect_ok(s);
	small_check(x, ids, w, e, s[1].y, s[1].e);
	free_keys(a);
	free_keys(b);
}

/* One side alone is refused before it waits for anybody. */
static void refused_alone(struct side *s, enum suf_err want, const char *words)
{
	run_side(s);
	if (s->err != want || !strstr(s->text, words))
		fail_msg("%d: %s", s->err, s->text);
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
	refused_alone(&s[0], SUF_EPROTO, "is the key of party 1, here the key of party 0 is needed");
	s[0].cfg.key = other[0];
	refused_alone(&s[0], SUF_EPROTO, "made for program 09");
	s[0].cfg.key = path("missing.key");
	refused_alone(&s[0], SUF_EIO, "No such file");
	s[0].cfg.key = key[0];
	s[0].cfg.weights = path("plain.weights");
	refused_alone(&s[0], SUF_EUSAGE, "--owner");
	s[0].cfg.weights = NULL;
	refused_alone(&s[0], SUF_EUSAGE, "needs the weights");
	s[1].cfg.weights = path("plain.weights");
	refused_alone(&s[1], SUF_EUSAGE, "party 1 must not see them");
	make_sides(s, key);
	s[1].cfg.masked_input = path("x.masked");
	refused_alone(&s[1], SUF_EUSAGE, "--outside-client");
	make_sides(s, key);
	const float keep = x[13];
	const float bad[] = { NAN, INFINITY, 6.9e10f, -3e38f };
	for (int i = 0; i < 4; i++) {
		x[13] = bad[i];
		refused_alone(&s[1], SUF_EUSAGE, "input 'x': element [1,5] is");
	}
	x[13] = keep;
	ids[1] = SMALL_VOCAB;
	refused_alone(&s[1], SUF_EUSAGE, "input 'ids': element [1] is 5; row numbers are 0 to 4");
	ids[1] = -1;
	refused_alone(&s[1], SUF_EUSAGE, "element [1] is -1");
	ids[1] = 0;
	assert_int_equal(truncate(key[0], 300), 0);
	refused_alone(&s[0], SUF_EPROTO, "the key is 300 bytes long");
	free_keys(key);
	free_keys(other);
}

static void a_new_epoch_wants_new_weights(void **state)
{
	char *key[3], *fresh;
	struct side s[2];
	struct suf_stats dealer;
	(void)state;
	deal(&small_program, false, key, &dealer);
	fresh = at("epoch2");
	mkdir(fresh, 0700);
	struct suf_deal_config cfg = { .dir = fresh, .count = 0 };
	assert_int_equal(suf_deal(&small_program, &cfg, &dealer, text), SUF_OK);
	assert_int_equal(suf_mask_weights(&small_program, path("plain.weights"), path("epoch2/model.owner"), path("epoch2.weights"), text), SUF_OK);
	make_sides(s, key);
	s[0].cfg.weights = path("epoch2.weights");
	refused_alone(&s[0], SUF_EPROTO, "the weight mask is of epoch");
	assert_int_equal(suf_deal(&other_program, &cfg, &dealer, text), SUF_EPROTO); /* a state never serves two models */
	assert_non_null(strstr(text, "made for program"));
	assert_int_equal(suf_mask_weights(&small_program, path("masked.weights"), path("model.owner"), path("twice"), text), SUF_EUSAGE);
	free(fresh);
	free_keys(key);
}

/* The program's hash does not tell two models of one shape apart; their difference must not get out. */
static void an_epoch_masks_one_set_of_weights(void **state)
{
	static double w2[NW], e2[NE];
	char *key[3];
	struct side s[2];
	struct suf_stats dealer;
	struct stat st;
	(void)state;
	small_weights(&small_program, path("tuned.weights"), w2, e2);
	assert_int_equal(suf_mask_weights(&small_program, path("tuned.weights"), path("model.owner"), path("tuned.masked"), text), SUF_EREUSE);
	assert_non_null(strstr(text, "--new-epoch"));
	assert_int_equal(stat(path("tuned.masked"), &st), -1);
	assert_int_equal(suf_mask_weights(&small_program, path("plain.weights"), path("model.owner"), path("again.masked"), text), SUF_OK);
	assert_int_equal(stat(path("again.masked"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	deal(&small_program, false, key, &dealer);
	make_sides(s, key);
	s[0].cfg.owner = path("model.owner");
	s[0].cfg.weights = path("tuned.weights");
	refused_alone(&s[0], SUF_EREUSE, "other weights were masked in this epoch");
	free_keys(key);
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
	struct dealer d = { .cfg = { .fd = { p0[1], p1[1] }, .owner = path("model.owner") } };
	pthread_create(&t, NULL, run_dealer, &d);
	make_sides(s, none);
	s[0].cfg.key_fd = p0[0];
	s[1].cfg.key_fd = p1[0];
	s[0].cfg.used_dir = s[1].cfg.used_dir = dir;
	run_both(s);
	pthread_join(t, NULL);
	assert_int_equal(d.err, SUF_OK);
	expect_ok(s);
	small_check(x, ids, w, e, s[1].y, s[1].e);
	close(p0[0]);
	close(p1[0]);
	struct dealer full = { .cfg = { .fd = { 0, 1 } } };
	assert_int_equal(suf_deal(&small_program, &full.cfg, &full.stats, text), SUF_EUSAGE); /* no mask state: the key would be useless */
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
	s[1].cfg.used_dir = dir;
	run_both(s);
	close(p1[0]);
	assert_int_equal(s[1].err, SUF_EPROTO);
	assert_non_null(strstr(s[1].text, "the key ends after 400 bytes"));
	assert_int_equal(s[0].err, SUF_EIO);
	assert_non_null(strstr(s[0].text, "peer closed the connection"));
	make_sides(s, key);
	refused_alone(&s[0], SUF_EREUSE, "was used before");
	free_keys(key);
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
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

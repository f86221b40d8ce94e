/* SPDX-License-Identifier: Apache-2.0
 * public_weights_test.c -- weights that everybody knows: dealer, parties and client through the public calls, and every set-up
 * that does not fit; what gates and the text of a program make of the setting.
 */
#define _GNU_SOURCE /* asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "gate_run.h"
#include "ir_text.h"
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"
#include "small_program.h"
#include "weights.h"
#include <dirent.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- dealer and parties -------------------------------------------------------------------------- */

enum { NX = SMALL_ROWS * SMALL_INNER, NW = SMALL_INNER * SMALL_COLS, NE = SMALL_VOCAB * SMALL_COLS, NY = SMALL_ROWS * SMALL_COLS, NO = SMALL_IDS * SMALL_COLS };
static char dir[64], plain[80], tuned[80], masked[80], owner[80], text[SUF_TEXT];
static double w[NW], e[NE];
static float x[NX];
static int64_t ids[SMALL_IDS] = { 3, 0 };
static const void *const input[] = { x, ids };

static int
set_up(void **state)
{
	static double w2[NW], e2[NE];
	uint32_t r[NX];
	(void)state;
	strcpy(dir, "/tmp/suf-public-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(plain, sizeof plain, "%s/plain", dir);
	snprintf(tuned, sizeof tuned, "%s/tuned", dir);
	snprintf(masked, sizeof masked, "%s/masked", dir);
	snprintf(owner, sizeof owner, "%s/owner", dir);
	RAND_bytes((uint8_t *)r, sizeof r);
	for (int i = 0; i < NX; i++)
		x[i] = (float)((int)(r[i] % 40000) - 20000) / 4096.0f; /* exact in 12 fraction bits */
	small_weights(&small_public_program, tuned, w2, e2);
	small_weights(&small_public_program, plain, w, e);
	return 0;
}

static int
tear_down(void **state)
{
	char cmd[80];
	(void)state;
	snprintf(cmd, sizeof cmd, "rm -r '%s'", dir);
	return system(cmd);
}

static enum suf_err
deal(const struct suf_program *prog, struct suf_deal_config cfg)
{
	struct suf_stats stats;
	return suf_deal(prog, &cfg, &stats, text);
}

/* One pair in a folder of its own; key[2]: the client's, if there is one. */
static void
deal_pair(bool outside, char *key[3])
{
	static int n;
	char *folder;
	assert_true(asprintf(&folder, "%s/keys%d", dir, n++) > 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	if (deal(&small_public_program, (struct suf_deal_config){ .dir = folder, .count = 1, .weights = plain, .outside_client = outside }))
		fail_msg("%s", text);
	key[0] = key[1] = key[2] = NULL;
	DIR *d = opendir(folder);
	for (struct dirent *f; (f = readdir(d));) {
		const int k = strstr(f->d_name, ".p0.key") ? 0 : strstr(f->d_name, ".p1.key") ? 1 : strstr(f->d_name, ".client.key") ? 2 : -1;
		if (k >= 0)
			assert_true(asprintf(&key[k], "%s/%s", folder, f->d_name) > 0);
		else if (f->d_name[0] != '.')
			fail_msg("%s: there is no state of a mask", f->d_name);
	}
	closedir(d);
	free(folder);
}

struct side { struct suf_party_config cfg; float y[NY], e[NO]; struct suf_stats stats; enum suf_err err; char text[SUF_TEXT]; };

static void *
run_side(void *arg)
{
	struct side *s = arg;
	void *output[] = { s->y, s->e };
	s->err = suf_party_run(&small_public_program, &s->cfg, s->cfg.role == 1 && !s->cfg.masked_input ? input : NULL, output, &s->stats, s->text);
	return NULL;
}

static void
run_both(struct side s[2])
{
	pthread_t t;
	pthread_create(&t, NULL, run_side, &s[0]);
	run_side(&s[1]);
	pthread_join(t, NULL);
}

static void
make_sides(struct side s[2], char *key[3])
{
	static char where[80];
	memset(s, 0, 2 * sizeof *s);
	snprintf(where, sizeof where, "unix:%s/link", dir);
	for (int p = 0; p < 2; p++) {
		s[p].cfg = (struct suf_party_config){ .role = p, .key = key[p], .key_fd = -1, .weights = plain };
		s[p].cfg.link.timeout_s = 10;
	}
	s[0].cfg.link.listen = where;
	s[1].cfg.link.connect = where;
}

static void
a_private_product(void **state)
{
	char *key[3];
	struct side s[2];
	struct stat st;
	(void)state;
	deal_pair(false, key);
	make_sides(s, key);
	run_both(s);
	if (s[0].err || s[1].err)
		fail_msg("party 0: %s; party 1: %s", s[0].text, s[1].text);
	small_check(x, ids, w, e, s[1].y, s[1].e);
	for (int i = 0; i < NY; i++)
		assert_true(s[0].y[i] == 0.0f); /* party 0 receives nothing */
	/* the masked inputs travel, and the receiver's key holds the outputs' masks; nothing else */
	assert_int_equal(s[0].stats.sent, 0);
	assert_int_equal(s[1].stats.sent, (NX * 50 + 7) / 8 + (SMALL_IDS * SMALL_VOCAB * 50 + 7) / 8);
	assert_int_equal(s[0].stats.setup_sent, s[1].stats.setup_sent); /* no weights */
	assert_int_equal(s[1].stats.rounds, 1);
	assert_int_equal(stat(key[0], &st), 0);
	assert_int_equal(st.st_size, 256);
	assert_int_equal(stat(key[1], &st), 0);
	assert_int_equal(st.st_size, 256 + (NY * 50 + 7) / 8 + (NO * 50 + 7) / 8);
	for (int k = 0; k < 3; k++)
		free(key[k]);
}

static void
a_client_outside(void **state)
{
	char *key[3], *in, *out = NULL;
	struct side s[2];
	float y[NY], rows[NO];
	void *const output[] = { y, rows };
	(void)state;
	deal_pair(true, key);
	assert_true(asprintf(&in, "%s/in", dir) > 0 && asprintf(&out, "%s/out", dir) > 0);
	assert_int_equal(suf_share_input(&small_public_program, key[2], input, in, text), SUF_OK);
	make_sides(s, key);
	s[0].cfg.masked_input = s[1].cfg.masked_input = in;
	s[1].cfg.masked_output = out;
	run_both(s);
	if (s[0].err || s[1].err)
		fail_msg("party 0: %s; party 1: %s", s[0].text, s[1].text);
	assert_int_equal(suf_reveal(&small_public_program, key[2], out, output, text), SUF_OK);
	small_check(x, ids, w, e, y, rows);
	for (int k = 0; k < 3; k++)
		free(key[k]);
	free(in);
	free(out);
}

/* Before the peer is waited for, so before anything is sent. */
static void
refused(struct side *s, enum suf_err want, const char *words)
{
	run_side(s);
	if (s->err != want || !strstr(s->text, words) || s->stats.setup_sent)
		fail_msg("%d: %s", s->err, s->text);
}

static void
parties_are_refused(void **state)
{
	char *key[3];
	struct side s[2];
	(void)state;
	deal_pair(false, key);
	for (int p = 0; p < 2; p++) {
		make_sides(s, key);
		s[p].cfg.weights = tuned;
		refused(&s[p], SUF_EPROTO, "other weights than the key was dealt for");
		s[p].cfg.weights = NULL;
		refused(&s[p], SUF_EUSAGE, "dealer and both parties need them");
		s[p].cfg.weights = plain;
		s[p].cfg.owner = owner;
		refused(&s[p], SUF_EUSAGE, "no owner's file");
	}
	/* a file that says that it is masked */
	struct suf_weights_writer *writer;
	static uint64_t words[NW];
	static const uint8_t epoch[16] = { 1 };
	assert_int_equal(suf_weights_writer_open_masked(&writer, masked, small_public_program.hash, epoch, small_public_program.weight, 2, text), SUF_OK);
	assert_int_equal(suf_weights_writer_put_masked(writer, words, NW, text), SUF_OK);
	assert_int_equal(suf_weights_writer_put_masked(writer, words, NE, text), SUF_OK);
	assert_int_equal(suf_weights_writer_finish(writer, true, text), SUF_OK);
	make_sides(s, key);
	s[1].cfg.weights = masked;
	refused(&s[1], SUF_EUSAGE, "masked weights; the weights of this program are public");
	for (int k = 0; k < 3; k++)
		free(key[k]);
}

static void
deal_refused(const struct suf_program *prog, struct suf_deal_config cfg, const char *words)
{
	if (deal(prog, cfg) != SUF_EUSAGE || !strstr(text, words))
		fail_msg("%s", text);
}

static void
dealers_are_refused(void **state)
{
	const struct suf_deal_config good = { .dir = dir, .count = 1, .weights = plain };
	struct suf_deal_config c;
	(void)state;
	deal_refused(&small_public_program, (c = good, c.weights = NULL, c), "dealer and both parties need them");
	deal_refused(&small_public_program, (c = good, c.state = owner, c), "no state, owner or epoch");
	deal_refused(&small_public_program, (c = good, c.owner = owner, c), "no state, owner or epoch");
	deal_refused(&small_public_program, (c = good, c.new_epoch = true, c), "no state, owner or epoch");
	deal_refused(&small_public_program, (c = good, c.count = 0, c), "no mask to prepare");
	deal_refused(&small_program, good, "the dealer must not see them");
	assert_int_equal(suf_mask_weights(&small_public_program, plain, owner, masked, text), SUF_EUSAGE);
	assert_non_null(strstr(text, "nothing to mask"));
}

/* ---- gates and texts --------------------------------------------------------------------------------- */

enum { ROWS = 3, INNER = 3, COLS = 5, COUNT = ROWS * COLS }; /* few enough that a text holds the weights */

/* A share times a matrix, and the value that the share is opened to; the result times weights one by one. */
static void
products(struct gt *t, const int64_t *weight, const int64_t *bias)
{
	static const struct suf_mm mm = { .batch = 1, .bh = 1, .rows = ROWS, .inner = INNER, .cols = COLS, .sa = { 0, 0, INNER, 1 }, .sb = { 0, 0, COLS, 1 } };
	gt_weights = WEIGHTS_PUBLIC;
	gt_init(t, 40, 0);
	gt_weights = WEIGHTS_MASKED;
	struct gb g = { t->p, NULL };
	struct val *in = gt_input_step(t, SHAPE(ROWS, INNER), 30, 0), *m = gt_const(t, SEC_WEIGHT, 0, SHAPE(INNER, COLS), weight);
	struct val *share = b_gapext(&g, in, 40);
	struct val *a = b_open(&g, b_linear_share(&g, share, m, gt_const(t, SEC_WEIGHT, 0, SHAPE(COLS), bias), &mm));
	struct val *b = b_linear(&g, b_open(&g, share), m, NULL, &mm), *c = b_times(&g, b, m, NULL);
	gt_output_step(t, b_lin(&g, 1, b_lin(&g, 3, a, 1, b, 0, 40, NULL), 1, c, 0, 40, NULL));
	gt_schedule(t);
}

static void
shares_and_values_are_multiplied(void **state)
{
	(void)state;
	struct gt t;
	int64_t *data = gt_randoms(ROWS * INNER, 29), *weight = gt_randoms(INNER * COLS, 40), *bias = gt_randoms(COLS, 40), got[COUNT], want[COUNT];
	products(&t, weight, bias);
	const int64_t *in = data;
	gt_run(&t, &in, got);
	for (int i = 0; i < ROWS; i++)
		for (int j = 0; j < COLS; j++) {
			uint64_t sum = 0;
			for (int k = 0; k < INNER; k++)
				sum += (uint64_t)data[i * INNER + k] * (uint64_t)weight[k * COLS + j];
			want[i * COLS + j] = gt_signed(3 * (sum + (uint64_t)bias[j]) + sum + sum * (uint64_t)weight[i * COLS + j], 40);
		}
	assert_true(gt_same("products", got, want, COUNT));
	gt_free(&t);
	free(data), free(weight), free(bias);
}

/* What is printed can be read again; a program for public weights is another one than that for masked ones. */
static void
texts_say_so(void **state)
{
	(void)state;
	struct gt t;
	int64_t *weight = gt_randoms(INNER * COLS, 40), *bias = gt_randoms(COLS, 40);
	products(&t, weight, bias);
	char *s = text_print(t.p), *word;
	assert_non_null(word = strstr(s, " weights public"));
	const struct options as_text = { .output_to = 1 }, wanted = { .output_to = 1, .weights = WEIGHTS_PUBLIC };
	const char *message = "for --weights=public give the model";
	for (int k = 0; k < 3; k++) { /* with the word, twice; without it */
		struct text said;
		if (k == 2)
			memmove(word, word + strlen(" weights public"), strlen(word + strlen(" weights public")) + 1);
		FILE *f = fmemopen(s, strlen(s), "r");
		text_open(&said);
		struct diag *d = diag_new(said.f, false);
		struct prog *p = ir_parse(f, "text", k ? &wanted : &as_text, d);
		fclose(f);
		assert_true(k == 2 ? !p : p && p->weights == WEIGHTS_PUBLIC && ir_check(p, STAGE_SCHED));
		ir_free(p);
		diag_free(d);
		fclose(said.f);
		assert_true(k < 2 || strstr(said.s, message));
		free(said.s);
	}
	free(s);
	gt_free(&t);
	free(weight), free(bias);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_private_product), cmocka_unit_test(a_client_outside), cmocka_unit_test(parties_are_refused), cmocka_unit_test(dealers_are_refused),
		cmocka_unit_test(shares_and_values_are_multiplied), cmocka_unit_test(texts_say_so),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* SPDX-License-Identifier: Apache-2.0
 * public_weights_test.c -- weights that everybody knows: dealer, parties and client through the public calls, and every set-up
 * that does not fit; what gates and the text of a program make of the setting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "gate_run.h"
#include "ir_text.h"
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"
#include "pair.h"
#include "weights.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- dealer and parties -------------------------------------------------------------------------- */

static const char *plain, *tuned, *masked, *owner;

static int
set_up(void **state)
{
	static double w2[PAIR_W], e2[PAIR_E];
	(void)state;
	if (pair_set_up("public"))
		return -1;
	plain = pair_path("plain");
	tuned = pair_path("tuned");
	masked = pair_path("masked");
	owner = pair_path("owner");
	small_weights(&small_public_program, tuned, w2, e2);
	small_weights(&small_public_program, plain, pair_w, pair_e);
	return 0;
}

static void
deal(bool outside, char *key[3])
{
	struct suf_stats stats;
	pair_deal(&small_public_program, (struct suf_deal_config){ .weights = plain, .outside_client = outside }, key, &stats);
}

static void
make_sides(struct side s[2], char *key[3])
{
	pair_sides(s, &small_public_program, key, plain);
}

static void
a_private_product(void **state)
{
	char *key[3];
	struct side s[2];
	struct stat st;
	(void)state;
	deal(false, key);
	make_sides(s, key);
	pair_run(s);
	pair_ok(s);
	pair_answer(s[1].y, s[1].e);
	for (int i = 0; i < PAIR_Y; i++)
		assert_true(s[0].y[i] == 0.0f); /* party 0 receives nothing */
	/* the masked inputs travel, and the receiver's key holds the outputs' masks; nothing else */
	assert_int_equal(s[0].stats.sent, 0);
	assert_int_equal(s[1].stats.sent, (PAIR_X * 50 + 7) / 8 + (SMALL_IDS * SMALL_VOCAB * 50 + 7) / 8);
	assert_int_equal(s[0].stats.setup_sent, s[1].stats.setup_sent); /* no weights */
	assert_int_equal(s[1].stats.rounds, 1);
	assert_int_equal(stat(key[0], &st), 0);
	assert_int_equal(st.st_size, 256);
	assert_int_equal(stat(key[1], &st), 0);
	assert_int_equal(st.st_size, 256 + (PAIR_Y * 50 + 7) / 8 + (PAIR_ROWS * 50 + 7) / 8);
	pair_free_keys(key);
}

static void
a_client_outside(void **state)
{
	const char *const in = pair_path("in"), *const out = pair_path("out");
	char *key[3];
	struct side s[2];
	float y[PAIR_Y], rows[PAIR_ROWS];
	void *const output[] = { y, rows };
	(void)state;
	deal(true, key);
	assert_int_equal(suf_share_input(&small_public_program, key[2], pair_input, in, pair_text), SUF_OK);
	make_sides(s, key);
	s[0].cfg.masked_input = s[1].cfg.masked_input = in;
	s[1].cfg.masked_output = out;
	pair_run(s);
	pair_ok(s);
	assert_int_equal(suf_reveal(&small_public_program, key[2], out, output, pair_text), SUF_OK);
	pair_answer(y, rows);
	pair_free_keys(key);
}

static void
parties_are_refused(void **state)
{
	char *key[3];
	struct side s[2];
	(void)state;
	deal(false, key);
	for (int p = 0; p < 2; p++) {
		make_sides(s, key);
		s[p].cfg.weights = tuned;
		pair_refused(&s[p], SUF_EPROTO, "other weights than the key was dealt for");
		s[p].cfg.weights = NULL;
		pair_refused(&s[p], SUF_EUSAGE, "dealer and both parties need them");
		s[p].cfg.weights = plain;
		s[p].cfg.owner = owner;
		pair_refused(&s[p], SUF_EUSAGE, "no owner's file");
	}
	/* a file that says that it is masked */
	struct suf_weights_writer *writer;
	static uint64_t words[PAIR_W];
	static const uint8_t epoch[16] = { 1 };
	assert_int_equal(suf_weights_writer_open_masked(&writer, masked, small_public_program.hash, epoch, epoch, small_public_program.weight, 2, pair_text), SUF_OK);
	assert_int_equal(suf_weights_writer_put_masked(writer, words, PAIR_W, pair_text), SUF_OK);
	assert_int_equal(suf_weights_writer_put_masked(writer, words, PAIR_E, pair_text), SUF_OK);
	assert_int_equal(suf_weights_writer_finish(writer, true, pair_text), SUF_OK);
	make_sides(s, key);
	s[1].cfg.weights = masked;
	pair_refused(&s[1], SUF_EUSAGE, "masked weights; the weights of this program are public");
	pair_free_keys(key);
}

static void
deal_refused(const struct suf_program *prog, struct suf_deal_config cfg, const char *words)
{
	struct suf_stats stats;
	if (suf_deal(prog, &cfg, &stats, pair_text) != SUF_EUSAGE || !strstr(pair_text, words))
		fail_msg("%s", pair_text);
}

static void
dealers_are_refused(void **state)
{
	const struct suf_deal_config good = { .dir = pair_dir, .count = 1, .weights = plain };
	struct suf_deal_config c;
	(void)state;
	deal_refused(&small_public_program, (c = good, c.weights = NULL, c), "dealer and both parties need them");
	deal_refused(&small_public_program, (c = good, c.state = owner, c), "no state, owner or epoch");
	deal_refused(&small_public_program, (c = good, c.owner = owner, c), "no state, owner or epoch");
	deal_refused(&small_public_program, (c = good, c.new_epoch = true, c), "no state, owner or epoch");
	deal_refused(&small_public_program, (c = good, c.count = 0, c), "no mask to prepare");
	deal_refused(&small_program, good, "the dealer must not see them");
	assert_int_equal(suf_mask_weights(&small_public_program, plain, owner, masked, pair_text), SUF_EUSAGE);
	assert_non_null(strstr(pair_text, "nothing to mask"));
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
	return cmocka_run_group_tests(tests, set_up, pair_tear_down);
}

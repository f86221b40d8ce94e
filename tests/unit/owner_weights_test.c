/* SPDX-License-Identifier: Apache-2.0
 * owner_weights_test.c -- weights that party 0 owns: dealer, parties and client through the public calls, with masked weights at
 * party 1 or sent to it, and every set-up that does not fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "pair.h"
#include "run.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HELLO = 160, E_OPENED = (PAIR_ROWS * 50 + 7) / 8 }; /* bytes of a handshake; of the opening of e */

static int
set_up(void **state)
{
	static double w2[PAIR_W], e2[PAIR_E];
	struct suf_stats stats;
	(void)state;
	if (pair_set_up("owner"))
		return -1;
	small_weights(&small_owner_program, pair_path("tuned"), w2, e2);
	small_weights(&small_owner_program, pair_path("plain"), pair_w, pair_e);
	const char *other = pair_path("other");
	if (mkdir(other, 0700))
		return -1;
	for (int k = 0; k < 2; k++) { /* two epochs */
		const struct suf_deal_config cfg = { .dir = k ? other : pair_dir };
		if (suf_deal(&small_owner_program, &cfg, &stats, pair_text) ||
		    suf_mask_weights(&small_owner_program, pair_path("plain"), pair_path(k ? "other/model.owner" : "model.owner"), pair_path(k ? "other/masked" : "masked"), pair_text))
			return -1;
	}
	return 0;
}

static void
deal(bool outside, char *key[3], struct suf_stats *dealer)
{
	pair_deal(&small_owner_program, (struct suf_deal_config){ .state = pair_path("model.state"), .outside_client = outside }, key, dealer);
}

static void
make_sides(struct side s[2], char *key[3], bool has)
{
	pair_sides(s, &small_owner_program, key, has ? pair_path("masked") : NULL);
	s[0].cfg.weights = pair_path("plain");
	s[0].cfg.owner = pair_path("model.owner");
}

/* E[0..1] was added to the rows, masked. */
static void
check_answer(const float *y, float *rows)
{
	for (int i = 0; i < PAIR_ROWS; i++)
		rows[i] = (float)((double)rows[i] - pair_e[i]);
	pair_answer(y, rows);
}

static void
check_bytes(const struct side s[2], const struct suf_stats *dealer)
{
	struct suf_plan plan;
	assert_int_equal(suf_plan(&small_owner_program, &plan, pair_text), SUF_OK);
	assert_int_equal(plan.total.offline, SMALL_OWNER_OFFLINE);
	assert_int_equal(s[1].stats.offline_sent, plan.total.offline);
	assert_int_equal(s[0].stats.offline_received, plan.total.offline);
	assert_int_equal(s[0].stats.offline_sent + s[1].stats.offline_received, 0);
	/* party 0: both products; party 1: inputs, what is opened to party 0 and the product that is not sent before */
	assert_int_equal(s[0].stats.sent, SMALL_OWNER_OFFLINE + E_OPENED);
	assert_int_equal(s[1].stats.sent, PAIR_X * 49 / 8 + (SMALL_IDS * SMALL_VOCAB * 50 + 7) / 8 + PAIR_X * 50 / 8 + E_OPENED);
	for (int p = 0; p < 2; p++) {
		assert_int_equal(s[p].stats.sent, plan.total.sent[p]);
		assert_int_equal(s[p].stats.sent, s[1 - p].stats.received);
		assert_int_equal(s[p].stats.setup_sent, s[1 - p].stats.setup_received);
		assert_int_equal(s[p].stats.key[p], dealer->key[p]);
		assert_int_equal(s[p].stats.prg_calls, plan.total.prg[SUF_P0 + p]);
		assert_int_equal(s[p].stats.rounds, 3);
	}
}

/* Party 1 has the masked weights: nothing of them travels.  It has none: party 0 sends them masked. */
static void
a_private_product(void **state)
{
	(void)state;
	for (int has = 1; has >= 0; has--) {
		char *key[3];
		struct side s[2];
		struct suf_stats dealer;
		deal(false, key, &dealer);
		make_sides(s, key, has);
		pair_run(s);
		pair_ok(s);
		check_answer(s[1].y, s[1].e);
		for (int i = 0; i < PAIR_Y; i++)
			assert_true(s[0].y[i] == 0.0f); /* party 0 receives nothing */
		check_bytes(s, &dealer);
		assert_int_equal(s[1].stats.setup_sent, HELLO);
		assert_int_equal(s[0].stats.setup_sent, has ? HELLO : HELLO + PAIR_W * 50 / 8 + (PAIR_E * 50 + 7) / 8);
		make_sides(s, key, has);             /* again with the same key */
		pair_run(s);
		assert_int_equal(s[0].err, SUF_EREUSE);
		assert_int_equal(s[1].err, SUF_EREUSE);
		pair_free_keys(key);
	}
}

static void
a_client_outside(void **state)
{
	const char *const in = pair_path("in"), *const out[2] = { pair_path("out0"), pair_path("out1") };
	char *key[3];
	struct side s[2];
	struct suf_stats dealer;
	float y[PAIR_Y], rows[PAIR_ROWS];
	void *const output[] = { y, rows };
	(void)state;
	deal(true, key, &dealer);
	assert_int_equal(suf_share_input(&small_owner_program, key[2], pair_input, in, pair_text), SUF_OK);
	make_sides(s, key, true);
	s[0].cfg.masked_input = s[1].cfg.masked_input = in;
	s[0].cfg.masked_output = out[0];
	s[1].cfg.masked_output = out[1];
	pair_run(s);
	pair_ok(s);
	assert_int_equal(s[1].stats.offline_sent, SMALL_OWNER_OFFLINE);
	for (int p = 0; p < 2; p++) { /* of either party */
		assert_int_equal(suf_reveal(&small_owner_program, key[2], out[p], output, pair_text), SUF_OK);
		check_answer(y, rows);
	}
	pair_free_keys(key);
}

/* No key is claimed by what is refused: it serves afterwards. */
static void
parties_are_refused(void **state)
{
	char *key[3];
	struct side s[2];
	struct suf_stats dealer;
	(void)state;
	deal(false, key, &dealer);
	make_sides(s, key, true);
	s[0].cfg.weights = pair_path("masked");
	pair_refused(&s[0], SUF_EUSAGE, "party 0 owns the weights of this program and computes with them");
	s[0].cfg.owner = NULL;
	pair_refused(&s[0], SUF_EUSAGE, "party 0 owns the weights of this program and computes with them");
	s[0].cfg.weights = pair_path("plain");
	pair_refused(&s[0], SUF_EUSAGE, "add the owner's file (--owner model.owner)");
	s[0].cfg.weights = NULL;
	pair_refused(&s[0], SUF_EUSAGE, "party 0 needs the weights");
	make_sides(s, key, true);
	s[0].cfg.owner = pair_path("other/model.owner");
	pair_refused(&s[0], SUF_EPROTO, "the weight mask is of epoch");
	make_sides(s, key, true);
	s[0].cfg.weights = pair_path("tuned");
	pair_refused(&s[0], SUF_EREUSE, "other weights were masked in this epoch");
	s[1].cfg.weights = pair_path("plain");
	pair_refused(&s[1], SUF_EUSAGE, "party 1 must not see them");
	s[1].cfg.owner = pair_path("model.owner");
	pair_refused(&s[1], SUF_EUSAGE, "party 1 must not see them");
	make_sides(s, key, true);
	s[1].cfg.weights = pair_path("other/masked");
	pair_refused(&s[1], SUF_EPROTO, "the weight mask is of epoch");
	make_sides(s, key, true);
	pair_run(s);
	pair_ok(s);
	check_answer(s[1].y, s[1].e);
	pair_free_keys(key);
}

static void
dealers_are_refused(void **state)
{
	struct suf_stats stats;
	const struct suf_deal_config cfg = { .dir = pair_dir, .count = 1, .weights = pair_path("plain") };
	(void)state;
	assert_int_equal(suf_deal(&small_owner_program, &cfg, &stats, pair_text), SUF_EUSAGE);
	assert_non_null(strstr(pair_text, "the dealer must not see them"));
	assert_int_equal(suf_mask_weights(&small_owner_program, pair_path("tuned"), pair_path("model.owner"), pair_path("tuned.masked"), pair_text), SUF_EREUSE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_private_product), cmocka_unit_test(a_client_outside), cmocka_unit_test(parties_are_refused), cmocka_unit_test(dealers_are_refused)
	};
	return cmocka_run_group_tests(tests, set_up, pair_tear_down);
}

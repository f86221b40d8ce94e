/* SPDX-License-Identifier: Apache-2.0
 * pair.h -- dealer and both parties of a small program (small_program.h) through the public calls: files, threads, answers.
 */
#ifndef PAIR_H
#define PAIR_H
#include "small_program.h"

enum { PAIR_X = SMALL_ROWS * SMALL_INNER, PAIR_W = SMALL_INNER * SMALL_COLS, PAIR_E = SMALL_VOCAB * SMALL_COLS, PAIR_Y = SMALL_ROWS * SMALL_COLS,
	PAIR_ROWS = SMALL_IDS * SMALL_COLS };
extern char pair_dir[64], pair_text[SUF_TEXT];
extern double pair_w[PAIR_W], pair_e[PAIR_E];            /* weights that answers are checked with */
extern float pair_x[PAIR_X];
extern int64_t pair_ids[SMALL_IDS];
extern const void *const pair_input[2];

int pair_set_up(const char *name);                       /* a folder, a random input; 0: done */
int pair_tear_down(void **state);
char *pair_at(const char *name);                         /* a path in the folder; the caller frees it */
const char *pair_path(const char *name);                 /* the same, until the tests end */
/* One pair of keys in a folder of its own (cfg.dir, cfg.count are set here).  key[2]: the client's, or NULL.  It leaves nothing but keys and,
 * unless the dealer has the weights, the state of their mask. */
void pair_deal(const struct suf_program *, struct suf_deal_config cfg, char *key[3], struct suf_stats *);
void pair_free_keys(char *key[3]);

struct side { const struct suf_program *prog; struct suf_party_config cfg; float y[PAIR_Y], e[PAIR_ROWS]; struct suf_stats stats; enum suf_err err; char text[SUF_TEXT]; };
void pair_sides(struct side s[2], const struct suf_program *, char *key[3], const char *weights); /* the same weights file for both */
void *pair_run_side(void *side);
void pair_run(struct side s[2]);
void pair_ok(const struct side s[2]);                    /* neither failed */
void pair_answer(const float y[PAIR_Y], const float rows[PAIR_ROWS]);
void pair_refused(struct side *, enum suf_err, const char *words); /* one side alone, before it waits for anybody */
#endif

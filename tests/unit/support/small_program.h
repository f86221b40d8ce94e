/* SPDX-License-Identifier: Apache-2.0
 * small_program.h -- a program as sufc would emit it, small enough to check by
 * hand: y = x W and e = onehot(ids) E, opened and given to party 1.
 */
#ifndef SMALL_PROGRAM_H
#define SMALL_PROGRAM_H
#include "suf.h"

enum { SMALL_ROWS = 4, SMALL_INNER = 8, SMALL_COLS = 3, SMALL_IDS = 2, SMALL_VOCAB = 5 };
extern const struct suf_program small_program;
extern const struct suf_program small_program_to_0;  /* the same, outputs to party 0 */
extern const struct suf_program other_program;       /* the same with another hash */
extern const struct suf_program small_public_program; /* the same with public weights */
/* The same with weights of party 0, and E[0..1] added to e, masked: the product of x before the input is there, of x as party 0 alone is told it. */
extern const struct suf_program small_owner_program;
enum { SMALL_OWNER_OFFLINE = (SMALL_ROWS * SMALL_COLS * 50 + 7) / 8 }; /* bytes */
/* Random weights: W [8][3], E [5][3] in 12 fraction bits, into a plain weights file for the program. */
void small_weights(const struct suf_program *, const char *path, double w[SMALL_INNER * SMALL_COLS], double e[SMALL_VOCAB * SMALL_COLS]);
/* Fails the test unless y = x W and rows holds the rows `ids` of E. */
void small_check(const float *x, const int64_t *ids, const double *w, const double *e, const float *y, const float *rows);
#endif

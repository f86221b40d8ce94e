/* SPDX-License-Identifier: Apache-2.0
 * view_stats.h -- is a table of bits, one row for each session, uniform and independent in its columns?
 * Chances of a wrong alarm are under 1e-13 for a column, a pair of columns or four neighbours.
 */
#ifndef VIEW_STATS_H
#define VIEW_STATS_H
#include <stdbool.h>
#include <stdint.h>

enum { VIEW_COLUMNS = 2048, VIEW_WORDS = 32 };
/* Held values go with each of the other forms; the others are of one message and depend on each other. */
enum form { HELD, SENT, LESS_PAD, OPENED, NFORM };
struct columns {
	uint32_t n, at, session;         /* columns; next one of this session */
	uint8_t form[VIEW_COLUMNS];
	uint64_t col[VIEW_COLUMNS][VIEW_WORDS];
};
/* worst: standard deviations of a column or of two together; chi: of four neighbours; constant: exclusive ors of columns that
 * never change; differs: from the other table. */
struct verdict { double worst, chi; uint32_t constant; bool differs; uint32_t columns; };

void view_put(struct columns *, enum form, uint64_t value, unsigned bits);
/* 64 * words sessions of a, alone and against b, which has other secrets.  Without b the first finding is enough. */
void view_judge(const struct columns *a, const struct columns *b, uint32_t words, struct verdict *);
/* Chi-square (15 degrees of freedom) of any four columns together; below VIEW_FAR_CHI if they are uniform and independent. */
enum { VIEW_FAR_CHI = 113 };
double view_four(const struct columns *, const uint32_t column[4], uint32_t words);
bool view_fine(const struct verdict *);
#endif

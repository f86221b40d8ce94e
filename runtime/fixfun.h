/* SPDX-License-Identifier: Apache-2.0
 * fixfun.h -- tables of functions that both parties, dealer and simulator must have bit for bit: integer arithmetic alone, no
 * libm.  Arguments are public; building a table takes microseconds.
 */
#ifndef SUF_FIXFUN_H
#define SUF_FIXFUN_H
#include <stdbool.h>
#include <stdint.h>
#include "kernels/exps.h"

/* to[l] = e^(l / 2^f) 2^a to the nearest integer, l < 2^bits; off by at most 0.5 + 2^-57 of the value, which must be below 2^63. */
void fix_exp_table(unsigned f, unsigned bits, unsigned a, uint64_t *to);

/* Cosine and sine of 2 pi j / 2^p, p <= 32, with 62 fraction bits; error below 2^-58. */
struct fix_turn { int64_t c, s; };
struct fix_turn fix_turn(uint64_t j, unsigned p);
/* v / 2^(62 - a) to the nearest integer, a < 62. */
int64_t fix_round(int64_t v, unsigned a);
/* to[j] = cos(2 pi j / 2^p) 2^a, and the sine in the upper half: rounded to 16 bits; 2 <= p <= 24, a <= 14. */
void fix_turn_table(unsigned p, unsigned a, uint32_t *to);
#endif

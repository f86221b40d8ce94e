/* SPDX-License-Identifier: Apache-2.0
 * suf_rows.h -- what b_reciprocal_row (build.h) computes, as an integer function. */
#ifndef SUFC_SUF_ROWS_H
#define SUFC_SUF_ROWS_H
#include <stdint.h>

enum { RECIPROCAL_BITS = 8 };            /* at most 2^8 lines */

/* (c0 + c1 S) >> shift on the line with from[k] <= S < from[k+1]; it is 2^out / (S / 2^frac).
 * error: relative, of the lines alone; the result's rounding adds at most half a unit. */
struct reciprocal { unsigned bits, shift; double error; int64_t from[(1 << RECIPROCAL_BITS) + 1], c0[1 << RECIPROCAL_BITS], c1[1 << RECIPROCAL_BITS]; };

/* For (1 - 2^-7) 2^frac <= S < (longest + 1) 2^frac: as few lines as an error of 10^-3 needs with half a unit of the
 * largest S's result; where that half unit takes more than half of it, as an error of 5 * 10^-4 of the lines needs. */
void reciprocal_fit(struct reciprocal *, uint64_t longest, unsigned frac, unsigned out);
/* Fraction bits of 1/S for a softmax: 18, or more where half a unit of the smallest 1/S would show. */
unsigned reciprocal_frac(uint64_t longest);
int64_t reciprocal_eval(const struct reciprocal *, int64_t sum);
#endif

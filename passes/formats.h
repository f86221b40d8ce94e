/* SPDX-License-Identifier: Apache-2.0
 * formats.h -- rings and widths of programs whose values have formats of their own: what pass `rings` and the gates of the
 * set `compact` have to agree on.
 */
#ifndef SUFC_FORMATS_H
#define SUFC_FORMATS_H
#include "passes/passes.h"

/* Bits n with |x| 2^frac < 2^(n-1-spare), rounding errors of a few units included; 64 if the range is not known. */
unsigned format_bits(const struct val *, unsigned spare);
/* Bits that the gate of n reads of operand k. */
unsigned format_operand(const struct node *, int k);

/* Least bits of the result of n, whoever reads it; 0: any. */
unsigned format_result(const struct node *);

/* Softmax by tables (passes/gate/compact_softmax.c): e^t by a one-time table, summed; e^(t - ln sum) by another.  t: the score, or
 * where sums would not fit, the score less its row's maximum, compared without the `drop` lowest bits.
 * possible = false: the range of scores is too wide, or not known.  Widths in bits, origins in units of the scores. */
struct soft_plan {
	bool possible, by_maximum;
	unsigned drop;
	unsigned n;                      /* of the scores that are read */
	uint64_t longest;                /* elements of a row, at most */
	unsigned cells[2];               /* log2 of the cells of both tables */
	int64_t origin[2];
	unsigned a, b[2];                /* scales of multiplier and entries */
	unsigned frac, sum;              /* fraction bits and ring of a row's sum */
	unsigned thresholds;             /* of the row's normaliser */
};
bool format_soft(const struct val *scores, unsigned frac, uint64_t longest); /* that it is possible with these fraction bits; otherwise scores and results have FORMAT_TREE */
enum { FORMAT_TREE = 12 };
struct soft_plan format_softmax(const struct val *scores, uint64_t longest, unsigned p_frac, unsigned p_bits);
uint64_t format_row(const struct node *softmax);     /* elements of its longest row */
#endif

/* SPDX-License-Identifier: Apache-2.0
 * quantize.h -- from real numbers to the ring: x stands for round(x * 2^frac) mod 2^bits.
 *
 * A weight keeps its float data from stage RING on (a model's weights are mapped
 * once and never copied); its type says how it is quantised and everybody reads
 * it through quantize_weight.  Public constants become int64_t data.
 */
#ifndef SUFC_QUANTIZE_H
#define SUFC_QUANTIZE_H
#include "passes/passes.h"

/* Element i of a constant as the signed integer that the ring holds, from stage RING on:
 * float data are rounded to the nearest multiple of 2^-frac, int64_t data are that integer already. */
int64_t quantize_weight(const struct val *, int64_t i);
void quantize_weights(const struct val *, int64_t *to);    /* all elements, on all processors */

/* What the files quantize*.c share. */
struct const_copy { const struct val *from; struct val *to; };
struct quant {
	struct prog *prog;
	uint8_t bits, frac;              /* the global format */
	struct precision *precision;     /* each value has its own instead; NULL: one for all */
	struct const_copy *copy; int ncopy, copy_cap; /* constants made so far */
};
/* precision.c: fraction bits of each value, by what reads it and what makes it. */
struct precision *precision_make(struct prog *);            /* stage FLOAT; the arena owns it */
void precision_done(struct precision *);
int precision_of(const struct precision *, const struct val *);
int precision_of_weight(const struct precision *, const struct node *); /* of the constant operand of a product */
bool precision_stays_wide(const struct prog *, const struct val *); /* a product that only a sum or a factor reads: truncated behind it */
int ring_bits_choose(struct prog *, int frac);      /* smallest width that holds every value; warns about those it cannot prove */
/* The constant c with `frac` fraction bits; sec WEIGHT or PUBLIC.  Never NULL; reports NaN and infinity. */
struct val *const_at(struct quant *, struct val *c, int frac, enum sec, const struct loc *);
bool const_is_integer(const struct val *c);         /* every element a whole number below 2^20 */
#endif

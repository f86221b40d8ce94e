/* SPDX-License-Identifier: Apache-2.0
 * formula.h -- real functions of one variable x as text: "x*tanh(log(1+exp(x)))".
 *
 * Operators + - * / ^ (to the right), unary minus; numbers, pi, e, x; the functions of formula.def.
 */
#ifndef SUFC_FORMULA_H
#define SUFC_FORMULA_H
#include "ir.h"

struct formula;
struct formula_error { int at; char what[160], hint[320]; }; /* at: character of the text, from 1 */

/* NULL: *error says what is wrong where, and a way out. */
const struct formula *formula_parse(struct arena *, const char *text, struct formula_error *);
double formula_eval(const struct formula *, double x);
#endif

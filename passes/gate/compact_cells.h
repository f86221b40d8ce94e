/* SPDX-License-Identifier: Apache-2.0
 * compact_cells.h -- functions by polynomials of degree 2 on equal cells: fits, formats, and the two steps that evaluate them.
 */
#ifndef SUFC_COMPACT_CELLS_H
#define SUFC_COMPACT_CELLS_H
#include "passes/gate/build.h"
#include "kernels/cells.h"

/* fn on 2^b cells, cell i from origin + i * step on.  x lies in cells first .. last - 1; `last` itself is looked up, too, and is at most
 * 2^b - 1.  fn is asked from a cell before the first to a cell after the last. */
struct cell_fn { double (*fn)(double x, void *arg); void *arg; double origin, step; unsigned b, first, last; };
/* Fraction and ring bits of the words A, B, C; fraction bits of the result. */
struct cell_format { unsigned f[SUF_CELL_WORDS], w[SUF_CELL_WORDS], frac; };
/* What a fit is worth: largest and mean square error of the result before its last truncation. */
struct cell_error { double max, rms; };

/* The least sum of fraction bits with errors below `want`, and the rings that the words need; false: no such format for cells of 2^s ulp. */
bool cells_choose(const struct cell_fn *, unsigned s, unsigned frac, double want, struct cell_format *);
/* The table of steps cells and cellfix, SUF_CELL_HEAD + 3 * 2^b numbers; false: words that do not fit the format. */
bool cells_table(const struct cell_fn *, unsigned s, const struct cell_format *, int64_t *table);
/* Exactly what the steps make of the place (x - c) mod 2^(b+s) with the mask's low bits r_lo; frac fraction bits. */
int64_t cells_value(const int64_t *table, unsigned b, uint64_t place, uint64_t r_lo);
/* By brute force: places and r_lo in turn, all of them where they are few. */
struct cell_error cells_error(const struct cell_fn *, const int64_t *table);

/* A table with errors below `want`, in the format with the fewest bits, made once for each name, cells and want.  Where there is
 * none, a larger error, up to 1; NULL: an error was reported. */
const struct suf_table *b_cell_table(struct gb *, const char *name, const struct cell_fn *, unsigned s, unsigned frac, double want);
/* f((x - origin) mod 2^(b + cell_bits)) / 2^s mod 2^m, off by less than one unit, SHARED; x MASKED.  t: of cells_table.  One round. */
struct val *b_cells(struct gb *, struct val *x, const struct suf_table *t, unsigned b, unsigned cell_bits, int64_t origin, unsigned s, unsigned m);
#endif

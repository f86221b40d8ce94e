/* SPDX-License-Identifier: Apache-2.0
 * range.h -- intervals and norms: what ranges.c, range_rule.c and calibrate.c share.
 */
#ifndef SUFC_RANGE_H
#define SUFC_RANGE_H
#include "ir.h"

struct range { double lo, hi, norm; };   /* lo > hi: unknown; norm < 0: unknown */

struct range range_unknown(void);
struct range range_of_data(const struct val *, const void *data); /* exact; data laid out as the value's dtype and shape; unknown if NaN or infinite */
double range_max(const struct val *);    /* max |x|; INFINITY: unknown */
int64_t range_last(const struct val *);  /* length of the last axis, 1 for a scalar */
struct range range_rule(const struct node *, int k);  /* of output k, from the ranges of the inputs */
bool range_self_bounded(enum op);        /* the bound holds whatever the inputs are */

/* range_matrix.c: over all matrices of a constant [.., k, n] (trans: [.., n, k]) the largest column 2-norm and
 * 1-norm, row 1-norm, and a bound of the spectral norm. */
struct matrix { double col2, col1, row1, spectral; };
struct matrix matrix_norms(const struct val *, bool trans);
void matrix_norms_prepare(struct prog *);  /* of all constant operands of products, on all processors, so that matrix_norms has them */
void matrix_norms_forget(struct prog *);

/* range_mask.c: sets is_score, and is_masked of what masks are made from, before ranges are known. */
void ranges_mark(struct prog *);
bool range_is_masked(const struct val *); /* then, without its flag: a secret mask, or scores with a mask added */
/* Makes attention masks as deep as the bounds of the scores ask for, but with `fit` false none less deep than it is; sets is_masked of
 * masks and of scores with one added.  True: some were changed. */
bool ranges_fit_masks(struct prog *, bool fit);

/* calibrate.c: runs the float program on every example of an .npz (one array per input) or .npy
 * (programs with one input) file; (*seen)[i] is what prog->vals[i] took.  false: an error was reported. */
bool calibrate_run(struct prog *, const char *path, struct range **seen);
#endif

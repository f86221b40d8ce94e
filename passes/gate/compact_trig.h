/* SPDX-License-Identifier: Apache-2.0
 * compact_trig.h -- least squares by cosines. */
#ifndef SUFC_COMPACT_TRIG_H
#define SUFC_COMPACT_TRIG_H
enum { TRIG_MOST = 32 };
/* The even function fn on |x| <= range < half, to within `most`, as sum over k <= K of c[k] cos(pi k x / half): K, 0 if
 * TRIG_MOST terms are not enough. */
int trig_fit(double (*fn)(double), double half, double range, double most, double c[TRIG_MOST + 1]);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * compact_trig.c -- an even function as a short sum of cosines: least squares on the range that inputs have, with a period
 * somewhat longer, so that no jump has to be fitted. */
#include <math.h>
#include <string.h>
#include "passes/gate/compact_trig.h"

enum { POINTS = 1200 };
static const double ridge = 1e-8; /* keeps coefficients small where cosines are nearly dependent on the range */

/* Solves the normal equations a c = b of order n in place (Cholesky; a is symmetric and positive). */
static void
solve(int n, double a[TRIG_MOST + 1][TRIG_MOST + 1], double *b)
{
	for (int j = 0; j < n; j++) {
		for (int k = 0; k < j; k++)
			for (int i = j; i < n; i++)
				a[i][j] -= a[i][k] * a[j][k];
		const double d = sqrt(a[j][j]);
		for (int i = j; i < n; i++)
			a[i][j] /= d;
	}
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < i; k++)
			b[i] -= a[i][k] * b[k];
		b[i] /= a[i][i];
	}
	for (int i = n - 1; i >= 0; i--) {
		for (int k = i + 1; k < n; k++)
			b[i] -= a[k][i] * b[k];
		b[i] /= a[i][i];
	}
}

/* Coefficients 0..K; the largest error on the range. */
static double
fit(double (*fn)(double), double half, double range, int K, double *c)
{
	double a[TRIG_MOST + 1][TRIG_MOST + 1], row[TRIG_MOST + 1], worst = 0;
	memset(a, 0, sizeof a);
	for (int k = 0; k <= K; k++)
		c[k] = 0;
	for (int i = 0; i <= POINTS; i++) {
		const double x = range * i / POINTS, y = fn(x);
		for (int k = 0; k <= K; k++)
			row[k] = cos(acos(-1) * k * x / half);
		for (int j = 0; j <= K; j++) {
			c[j] += row[j] * y;
			for (int k = 0; k <= j; k++)
				a[j][k] += row[j] * row[k];
		}
	}
	for (int k = 0; k <= K; k++)
		a[k][k] += ridge * POINTS;
	solve(K + 1, a, c);
	for (int i = 0; i <= POINTS; i++) {
		const double x = range * i / POINTS;
		double y = 0;
		for (int k = 0; k <= K; k++)
			y += c[k] * cos(acos(-1) * k * x / half);
		worst = fmax(worst, fabs(y - fn(x)));
	}
	return worst;
}

int
trig_fit(double (*fn)(double), double half, double range, double most, double c[TRIG_MOST + 1])
{
	for (int K = 2; K <= TRIG_MOST; K++)
		if (fit(fn, half, range, K, c) <= most)
			return K;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * descriptor_pieces.c -- piecewise polynomials for a formula: from the left, each piece as long as the error allows.
 *
 * A piece is a near-minimax polynomial (Lawson's reweighted least squares on Chebyshev points), rounded to integers in the
 * piece's own coordinate and shifted to the middle of its errors; a piece is kept only if every input of it, with both ends of
 * what the input's truncation merges, is within the error.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "passes/descriptor.h"

enum { GRID_BITS = 20, NODES = 33, ROUNDS = 12, SAMPLES = 65, RING = 51, CHECK_BITS = 14, PATIENCE = 4 };

struct job {
	const struct descriptor *d;
	unsigned degree, scale;
	int64_t lo, n;                   /* grid of the domain: t = lo + i, i < n, in 2^-frac */
	const double *f;                 /* n + 1 values in 2^-out */
	double units;                    /* the absolute error allowed, in 2^-out */
};

static double
allowed(const struct job *j, double f)
{
	return j->d->relative ? j->d->max_error * fabs(f) : j->units;
}

/* ---- a polynomial ---------------------------------------------------------------- */

/* Least squares of degree k: a x = b by elimination with pivots. */
static void
solve(int k, double a[4][4], double b[4])
{
	for (int c = 0; c < k; c++) {
		int p = c;
		for (int r = c + 1; r < k; r++)
			if (fabs(a[r][c]) > fabs(a[p][c]))
				p = r;
		for (int i = 0; i < k; i++) {
			double swap = a[c][i];
			a[c][i] = a[p][i];
			a[p][i] = swap;
		}
		double swap = b[c];
		b[c] = b[p];
		b[p] = swap;
		for (int r = 0; r < k; r++) {
			if (r == c || a[c][c] == 0)
				continue;
			const double q = a[r][c] / a[c][c];
			for (int i = c; i < k; i++)
				a[r][i] -= q * a[c][i];
			b[r] -= q * b[c];
		}
	}
	for (int c = 0; c < k; c++)
		b[c] = a[c][c] == 0 ? 0 : b[c] / a[c][c];
}

static double
poly(const double *c, unsigned degree, double u)
{
	double y = 0;
	for (int j = (int)degree; j >= 0; j--)
		y = y * u + c[j];
	return y;
}

/* Near-minimax on [a, b) of the grid, in u = (i - mid) / half; in units of 2^-out. */
static void
minimax(const struct job *j, int64_t a, int64_t b, double *c)
{
	const double mid = (double)(a + b - 1) / 2, half = fmax((double)(b - 1 - a) / 2, 0.5);
	const int k = (int)j->degree + 1;
	double u[NODES][2 * DESC_MAX_DEGREE + 1], f[NODES], w[NODES];
	for (int i = 0; i < NODES; i++) {
		const int64_t at = llround(mid - half * cos(M_PI * i / (NODES - 1)) * (b - a > 1));
		u[i][0] = 1;
		for (int q = 1; q <= 2 * DESC_MAX_DEGREE; q++)
			u[i][q] = u[i][q - 1] * ((double)at - mid) / half;
		f[i] = (j->f[at] + j->f[at + 1]) / 2;
		w[i] = 1 / fmax(allowed(j, f[i]), 1e-9);
	}
	for (int round = 0; round < ROUNDS; round++) {
		double m[4][4] = { { 0 } }, v[4] = { 0 }, total = 0;
		for (int i = 0; i < NODES; i++)
			for (int r = 0; r < k; r++) {
				for (int s = 0; s < k; s++)
					m[r][s] += w[i] * u[i][r + s];
				v[r] += w[i] * u[i][r] * f[i];
			}
		solve(k, m, v);
		memcpy(c, v, (size_t)k * sizeof *c);
		for (int i = 0; i < NODES; i++) {
			w[i] *= fabs(f[i] - poly(c, j->degree, u[i][1])) / fmax(allowed(j, f[i]), 1e-9) + 1e-12;
			total += w[i];
		}
		for (int i = 0; i < NODES; i++)
			w[i] = w[i] / total + 1e-15;
	}
	/* from u to t - a: u = (t - a) / half + shift */
	const double shift = ((double)a - mid) / half;
	double g[4] = { 0 };
	for (int i = 0; i < k; i++) {
		double term = c[i];              /* c_i (shift + t / half)^i, binomially */
		double binomial = 1;
		for (int q = 0; q <= i; q++) {
			g[q] += term * binomial * pow(shift, i - q) / pow(half, q);
			binomial = binomial * (i - q) / (q + 1);
		}
	}
	memcpy(c, g, (size_t)k * sizeof *c);
}

/* ---- integers ----------------------------------------------------------------------- */

static int64_t
value(const struct job *j, const struct piece *p, int64_t i)
{
	const uint64_t u = (uint64_t)(j->lo + i) - (uint64_t)p->from;
	uint64_t y = 0;
	for (int k = DESC_MAX_DEGREE; k >= 0; k--)
		y = y * u + (uint64_t)p->c[k];
	return (int64_t)y >> (j->scale - j->d->out);
}

/* Largest error in units of what is allowed; *shift: what to add to the results to balance the two sides. */
static double
error_of(const struct job *j, const struct piece *p, int64_t a, int64_t b, int64_t step, double *shift)
{
	double up = -INFINITY, down = INFINITY, at_up = 1, at_down = 1, worst = 0;
	for (int64_t i = a; i < b; i = i + step < b || i == b - 1 ? i + step : b - 1) {
		const double y = (double)value(j, p, i);
		for (int end = 0; end < 2; end++) {
			const double off = j->f[i + end] - y, may = fmax(allowed(j, j->f[i + end]), 1e-9);
			worst = fmax(worst, fabs(off) / may);
			if (off / may > up) {
				up = off / may;
				at_up = may;
			}
			if (off / may < down) {
				down = off / may;
				at_down = may;
			}
		}
	}
	*shift = (up + down) / (1 / at_up + 1 / at_down);
	return worst;
}

/* The piece on [a, b); false: not within the error.  all: every input is looked at. */
static bool
try_piece(const struct job *j, int64_t a, int64_t b, bool all, struct piece *p)
{
	double c[4] = { 0 }, shift;
	const int64_t step = all || b - a <= SAMPLES ? 1 : (b - a) / (SAMPLES - 1);
	minimax(j, a, b, c);
	*p = (struct piece){ .from = j->lo + a };
	for (unsigned k = 0; k <= j->degree; k++) {
		const double scaled = ldexp(c[k], (int)(j->scale - j->d->out));
		if (!(fabs(scaled) < 0x1p61))
			return false;
		p->c[k] = llround(scaled);
	}
	for (int round = 0; round < 3; round++) {
		if (error_of(j, p, a, b, step, &shift) <= 1)
			return true;
		p->c[0] += llround(ldexp(shift, (int)(j->scale - j->d->out)));
	}
	return error_of(j, p, a, b, step, &shift) <= 1;
}

/* The longest piece from a on; 0: none. */
static int64_t
longest(const struct job *j, int64_t a, struct piece *p)
{
	int64_t good = a, bad = j->n + 1;
	struct piece t;
	if (try_piece(j, a, j->n, false, &t))
		good = j->n;
	while (good < j->n && bad - good > 1) {
		const int64_t mid = good + (bad - good + 1) / 2;
		if (mid <= j->n && try_piece(j, a, mid, false, &t))
			good = mid;
		else
			bad = mid;
	}
	while (good > a && !try_piece(j, a, good, true, p))
		good -= (good - a + 15) / 16;
	return good > a ? good : 0;
}

static struct descriptor *
partition(struct arena *arena, const struct job *j, int most)
{
	struct piece list[DESC_MAX_PIECES];
	int n = 0;
	for (int64_t a = 0; a < j->n; n++) {
		if (n == DESC_MAX_PIECES || n == most || !(a = longest(j, a, &list[n])))
			return NULL;
	}
	struct descriptor *t = arena_alloc(arena, sizeof *t);
	struct piece *piece = arena_alloc(arena, (size_t)n * sizeof *piece);
	memcpy(piece, list, (size_t)n * sizeof *piece);
	*t = *j->d;
	t->form = DESC_PIECES;
	t->fitted = true;
	t->scale = j->scale;
	t->degree = j->degree;
	t->npiece = n;
	t->piece = piece;
	return t;
}

static bool
keeps(const struct descriptor *t)
{
	const struct desc_error e = descriptor_verify(t, CHECK_BITS);
	return e.finite && e.promised <= t->max_error;
}

struct descriptor *
desc_pieces(struct arena *a, const struct descriptor *want, unsigned degree)
{
	struct descriptor d = *want, *best = NULL;
	d.frac = d.in < d.out ? d.in : d.out;
	/* cuts are multiples of 2^-frac; what is left of a domain that is not belongs to the tails, or to nobody */
	d.lo = ldexp(ceil(ldexp(d.lo, (int)d.frac)), -(int)d.frac);
	d.hi = ldexp(floor(ldexp(d.hi, (int)d.frac)), -(int)d.frac);
	struct job j = { .d = &d, .degree = degree, .units = ldexp(d.max_error, (int)d.out), .lo = (int64_t)ldexp(d.lo, (int)d.frac) };
	j.n = (int64_t)ldexp(d.hi, (int)d.frac) - j.lo;
	if (j.n < 1 || j.n > 1 << GRID_BITS || (d.in < d.out && (d.tail[0].slope || d.tail[1].slope)))
		return NULL;
	double *f = malloc((size_t)(j.n + 1) * sizeof *f), most = 1;
	if (!f)
		arena_out_of_memory((size_t)(j.n + 1) * sizeof *f);
	for (int64_t i = 0; i <= j.n; i++) {
		f[i] = ldexp(formula_eval(d.formula, ldexp((double)(j.lo + i), -(int)d.frac)), (int)d.out);
		if (!isfinite(f[i]) && i)
			f[i] = f[i - 1];
		most = fmax(most, fabs(f[i]));
	}
	j.f = f;
	/* From fine coefficients to coarse ones: pieces get cheaper, then more. */
	int worse = 0;
	for (unsigned extra = 12 + 14 * degree; worse < PATIENCE; extra -= 2) {
		j.scale = d.out + extra;
		if (j.scale <= 60 && ldexp(most, (int)extra) < 0x1p60) {
			struct descriptor *t = partition(a, &j, best ? 2 * best->npiece : DESC_MAX_PIECES);
			if (t && (!best || descriptor_cost(t, RING).total < descriptor_cost(best, RING).total) && keeps(t)) {
				best = t;
				worse = 0;
			} else
				worse += best != NULL;
		}
		if (!extra)
			break;
	}
	free(f);
	return best;
}

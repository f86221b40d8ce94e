/* SPDX-License-Identifier: Apache-2.0
 * descriptor.c -- the meaning of a descriptor in integers, its error against the formula, its range.
 */
#include <math.h>
#include <stdlib.h>
#include "passes/descriptor.h"

/* ---- the meaning ------------------------------------------------------------- */

static int64_t
line(const struct descriptor *d, int side, unsigned in, int64_t x)
{
	const struct tail *t = &d->tail[side];
	return t->c + (t->slope ? x >> (in - d->out) : 0);
}

static int64_t
eval_table(const struct descriptor *d, unsigned in, int64_t x)
{
	const int64_t h = x >> (in - d->e), k = h - d->first, n = d->ncell, base = line(d, h >= d->split, in, x);
	const bool inside = (k >= 0 || d->tail[0].kind == TAIL_NONE) && (k < n || d->tail[1].kind == TAIL_NONE);
	return n && inside ? base + d->cell[k & (n - 1)] : base; /* no input beyond an end: the cells go round there */
}

static const struct piece *
piece_of(const struct descriptor *d, int64_t t)
{
	int a = 0, b = d->npiece;        /* piece[a].from <= t, or a = 0 */
	while (b - a > 1) {
		int mid = (a + b) / 2;
		if (d->piece[mid].from <= t)
			a = mid;
		else
			b = mid;
	}
	return &d->piece[a];
}

static int64_t
eval_pieces(const struct descriptor *d, unsigned in, int64_t x)
{
	const int64_t t = x >> (in - d->frac);
	const bool below = (double)t < ldexp(d->lo, (int)d->frac), above = (double)t >= ldexp(d->hi, (int)d->frac);
	if (below && d->tail[0].kind != TAIL_NONE)
		return line(d, 0, d->frac, t);
	if (above && d->tail[1].kind != TAIL_NONE)
		return line(d, 1, d->frac, t);
	const struct piece *p = piece_of(d, t);
	const uint64_t u = (uint64_t)t - (uint64_t)p->from;
	uint64_t y = 0;
	for (int j = DESC_MAX_DEGREE; j >= 0; j--)
		y = y * u + (uint64_t)p->c[j];
	return (int64_t)y >> (d->scale - d->out);
}

int64_t
descriptor_eval(const struct descriptor *d, unsigned in, int64_t x)
{
	if (!d->fitted || in < (d->form == DESC_TABLE ? d->e : d->frac) || (in < d->out && (d->tail[0].slope || d->tail[1].slope)))
		BUG("descriptor '%s' for an input of %u fraction bits", d->name, in);
	return d->form == DESC_TABLE ? eval_table(d, in, x) : eval_pieces(d, in, x);
}

double
descriptor_real(const struct descriptor *d, double x)
{
	return formula_eval(d->formula, x);
}

unsigned
descriptor_cell_bits(const struct descriptor *d)
{
	unsigned w = 2;
	for (uint32_t k = 0; k < d->ncell; k++)
		while (d->cell[k] >= (int64_t)1 << (w - 2) || d->cell[k] <= -((int64_t)1 << (w - 2)))
			w++;
	return w;
}

bool
descriptor_split_needed(const struct descriptor *d)
{
	return d->tail[0].c != d->tail[1].c || d->tail[0].slope != d->tail[1].slope;
}

/* ---- error ----------------------------------------------------------------------- */

struct sums { struct desc_error e; double squares; };

/* One input; tail: it counts apart. */
static void
look_at(const struct descriptor *d, struct sums *s, int64_t x, bool tail)
{
	const double real = ldexp((double)x, -(int)d->in), want = formula_eval(d->formula, real);
	const double off = fabs((double)descriptor_eval(d, d->in, x) - ldexp(want, (int)d->out));
	const double promised = d->relative ? ldexp(off, -(int)d->out) / fabs(want) : ldexp(off, -(int)d->out);
	if (!isfinite(want) && s->e.finite) {
		s->e.finite = false;
		s->e.at = real;
	}
	if (promised > s->e.promised) {
		s->e.promised = promised;
		s->e.promised_at = real;
	}
	if (tail && off > s->e.tail) {
		s->e.tail = off;
		s->e.tail_at = real;
	}
	if (tail)
		return;
	s->squares += off * off;
	s->e.points++;
	if (off > s->e.max && s->e.finite) {
		s->e.max = off;
		s->e.at = real;
	}
}

/* Beyond the domain: 64 points an octave of the distance.  Where the formula itself overflows (an exponential of thousands),
 * the limit stands. */
static void
look_beyond(const struct descriptor *d, struct sums *s, int side)
{
	const double end = side ? d->hi : d->lo;
	enum { OCTAVES = 20, EACH = 64, SURE = 64 };
	for (int k = 0; k < EACH * (OCTAVES + (int)d->in); k++) {
		const double step = floor(exp2((double)k / EACH)) - 1; /* in units of 2^-in: 0, 1, 2, .. */
		const double x = side ? ldexp(end, (int)d->in) + step : ldexp(end, (int)d->in) - 1 - step;
		if (k && step == floor(exp2((double)(k - 1) / EACH)) - 1)
			continue;
		const double real = ldexp(x, -(int)d->in);
		if (fabs(real) > SURE && !isfinite(formula_eval(d->formula, real)))
			return;
		look_at(d, s, (int64_t)x, true);
	}
}

struct desc_error
descriptor_verify(const struct descriptor *d, unsigned bits)
{
	struct sums s = { .e = { .finite = true } };
	const int64_t lo = (int64_t)ldexp(d->lo, (int)d->in), hi = (int64_t)ldexp(d->hi, (int)d->in);
	unsigned skip = 0;
	while ((hi - lo) >> skip > (int64_t)1 << bits)
		skip++;
	skip += skip > 0;                /* two points each */
	const int64_t width = (int64_t)1 << skip;
	for (int64_t x = lo; x < hi && s.e.finite; x += width) {
		look_at(d, &s, x, false);
		if (skip && s.e.finite)
			look_at(d, &s, x + width - 1 < hi ? x + width - 1 : hi - 1, false);
	}
	for (int side = 0; side < 2 && s.e.finite; side++)
		if (d->tail[side].kind != TAIL_NONE)
			look_beyond(d, &s, side);
	s.e.rms = s.e.points ? sqrt(s.squares / (double)s.e.points) : 0;
	return s.e;
}

/* ---- range ------------------------------------------------------------------------- */

/* Samples of the formula; its slope between them is bounded by what neighbours show, doubled. */
static void
sample(const struct descriptor *d, double a, double b, double *least, double *most)
{
	enum { POINTS = 4096 };
	double before = formula_eval(d->formula, a), jump = 0;
	*least = *most = before;
	for (int k = 1; k <= POINTS; k++) {
		const double y = formula_eval(d->formula, a + (b - a) * k / POINTS);
		*least = fmin(*least, y);
		*most = fmax(*most, y);
		jump = fmax(jump, fabs(y - before));
		before = y;
	}
	*least -= jump;
	*most += jump;
}

static void
include(double y, double *least, double *most)
{
	*least = fmin(*least, y);
	*most = fmax(*most, y);
}

bool
descriptor_range(const struct descriptor *d, double lo, double hi, double *least, double *most)
{
	const bool known = lo <= hi;
	for (int side = 0; side < 2; side++)
		if (!known && d->tail[side].kind != TAIL_NONE && d->tail[side].slope)
			return false;
	double a = known ? fmax(lo, d->lo) : d->lo, b = known ? fmin(hi, d->hi) : d->hi;
	if (a > b)                       /* beyond one end altogether */
		a = b = known && lo > d->hi ? d->hi : d->lo;
	sample(d, a, b, least, most);
	const double margin = d->relative ? d->max_error * fmax(fabs(*least), fabs(*most)) : d->max_error;
	const double end[2] = { lo, hi };
	for (int side = 0; side < 2; side++) {
		const struct tail *t = &d->tail[side];
		const bool there = t->kind != TAIL_NONE && (!known || (side ? hi >= d->hi : lo < d->lo));
		const double c = ldexp((double)t->c, -(int)d->out);
		if (there && t->slope) {
			include(c + end[side], least, most);
			include(c + (side ? d->hi : d->lo), least, most);
		} else if (there)
			include(c, least, most);
	}
	*least -= margin;
	*most += margin;
	return isfinite(*least) && isfinite(*most);
}

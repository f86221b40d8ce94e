/* SPDX-License-Identifier: Apache-2.0
 * descriptor_fit.c -- cells for a formula: tails from its limits, the interval that the tails leave, the fewest equal
 * cells that keep the promised error; then pieces (descriptor_pieces.c), and the cheaper of the two.
 *
 * A cell's value is the middle of the range of f minus its tail's line over the cell, which minimises the
 * largest error.
 */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "passes/descriptor.h"

enum { RING = 51, FIT_BITS = 20, ROUGH_BITS = 14, CELL_POINTS = 64 };

void
desc_say(struct desc_log *log, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	if (!log)
		return;
	if (log->n == log->cap) {
		const char **more = arena_alloc(log->a, (size_t)(log->cap = 2 * log->cap + 8) * sizeof *more);
		if (log->n)
			memcpy(more, log->line, (size_t)log->n * sizeof *more);
		log->line = more;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	log->line[log->n++] = arena_strdup(log->a, text);
}

/* ---- tails ---------------------------------------------------------------------- */

/* f - slope x far out on one side; false: it has no value there. */
static bool
far(const struct descriptor *d, int side, int slope, double *limit, double *change)
{
	double at = 0;
	for (int k = 5; k <= 20; k++) {   /* as far as the formula does not overflow */
		const double x = ldexp(side ? 1 : -1, k);
		if (isfinite(formula_eval(d->formula, x)) && isfinite(formula_eval(d->formula, x / 2)))
			at = x;
	}
	if (at == 0)
		return false;
	*limit = formula_eval(d->formula, at) - slope * at;
	*change = fabs(*limit - (formula_eval(d->formula, at / 2) - slope * at / 2));
	return true;
}

bool
desc_find_tails(struct descriptor *d, struct desc_log *log)
{
	static const char *const where[2] = { "left", "right" };
	for (int side = 0; side < 2; side++) {
		struct tail *t = &d->tail[side];
		double limit = 0, change = 0;
		bool found = t->kind != TAIL_AUTO;
		for (int slope = 0; slope < 2 && !found; slope++) {
			found = far(d, side, slope, &limit, &change) && change <= (d->relative ? d->max_error * fabs(limit) : d->max_error);
			if (found)
				*t = (struct tail){ TAIL_LINE, slope, llround(ldexp(limit, (int)d->out)) };
		}
		if (found)
			continue;
		desc_say(log, "%s of %g the function tends neither to a constant nor to x plus a constant", where[side], side ? d->hi : d->lo);
		log->hint = side ? "'tail right none' (--tail-right=none) promises that no input is there"
		                 : "'tail left none' (--tail-left=none) promises that no input is there";
		return false;
	}
	for (int side = 0; side < 2; side++)
		if (d->tail[side].kind == TAIL_NONE) {
			const struct tail *other = &d->tail[!side];
			d->tail[side].slope = other->kind == TAIL_NONE ? 0 : other->slope;
			d->tail[side].c = other->kind == TAIL_NONE ? 0 : other->c;
		}
	return true;
}

/* ---- cells ------------------------------------------------------------------------ */

static int64_t
line_at(const struct descriptor *d, int side, int64_t x)
{
	return d->tail[side].c + (d->tail[side].slope ? x >> (d->in - d->out) : 0);
}

struct span { double lo[2], hi[2]; };    /* of f minus the left and the right line, in 2^-out */

/* Both ends of each step of the result's format in the cell, at most CELL_POINTS steps. */
static struct span
span_of(const struct descriptor *d, unsigned e, int64_t h)
{
	struct span s = { { INFINITY, INFINITY }, { -INFINITY, -INFINITY } };
	const unsigned cell = d->in - e;
	unsigned step = e < d->out ? d->in - d->out : cell;
	while (cell - step > 6)
		step++;
	for (int64_t x = h * ((int64_t)1 << cell), end = x + ((int64_t)1 << cell); x < end; x += (int64_t)1 << step)
		for (int last = 0; last < 2; last++) {
			const int64_t at = last ? x + ((int64_t)1 << step) - 1 : x;
			const double real = ldexp((double)at, -(int)d->in), f = ldexp(formula_eval(d->formula, real), (int)d->out);
			if (!isfinite(f) || (d->tail[0].kind == TAIL_NONE && real < d->lo) || (d->tail[1].kind == TAIL_NONE && real >= d->hi))
				continue;
			for (int side = 0; side < 2; side++) {
				const double g = f - (double)line_at(d, side, at);
				s.lo[side] = fmin(s.lo[side], g);
				s.hi[side] = fmax(s.hi[side], g);
			}
		}
	return s;
}

static double
magnitude(const struct span *s, int side)
{
	return s->lo[side] > s->hi[side] ? 0 : fmax(fabs(s->lo[side]), fabs(s->hi[side]));
}

/* Where the left line hands over to the right one: at 0, unless the cells get fewer bits elsewhere. */
static int64_t
choose_split(const struct descriptor *d, const struct span *s, int64_t first, uint32_t ncell)
{
	if (!descriptor_split_needed(d))
		return 0;
	const bool zero = first <= 0 && -first <= (int64_t)ncell;
	double best = INFINITY, at_zero = INFINITY, after = 0, before = 0;
	int64_t best_at = 0;
	double *suffix = calloc((size_t)ncell + 1, sizeof *suffix);
	if (!suffix)
		arena_out_of_memory(((size_t)ncell + 1) * sizeof *suffix);
	for (uint32_t k = ncell; k-- > 0;)
		suffix[k] = after = fmax(after, magnitude(&s[k], 1));
	for (uint32_t k = 0; k <= ncell; k++) {
		const double most = fmax(before, suffix[k]);
		if (zero && (int64_t)k == -first)
			at_zero = most;
		if (most < best) {
			best = most;
			best_at = first + (int64_t)k;
		}
		if (k < ncell)
			before = fmax(before, magnitude(&s[k], 0));
	}
	free(suffix);
	return zero && ceil(log2(at_zero + 1)) <= ceil(log2(best + 1)) ? 0 : best_at;
}

static struct descriptor *
copy(struct arena *a, const struct descriptor *d)
{
	struct descriptor *c = arena_alloc(a, sizeof *c);
	*c = *d;
	return c;
}

struct descriptor *
desc_table(struct arena *a, const struct descriptor *d, unsigned e, int64_t first, uint32_t ncell)
{
	struct descriptor *t = copy(a, d);
	struct span *s = arena_alloc(a, (ncell + 1u) * sizeof *s);
	int64_t *cell = arena_alloc(a, (ncell + 1u) * sizeof *cell);
	t->form = DESC_TABLE;
	t->fitted = true;
	t->e = e;
	t->first = first;
	t->ncell = ncell;
	t->cell = cell;
	for (uint32_t k = 0; k < ncell; k++)
		s[k] = span_of(d, e, first + (int64_t)k);
	t->split = choose_split(d, s, first, ncell);
	for (uint32_t k = 0; k < ncell; k++) {
		const int side = first + (int64_t)k >= t->split;
		cell[k] = s[k].lo[side] > s[k].hi[side] ? 0 : llround((s[k].lo[side] + s[k].hi[side]) / 2);
	}
	return t;
}

/* Does the line of this side keep the error at x, a multiple of 2^-in? */
static bool
line_holds(const struct descriptor *d, int side, int64_t x)
{
	const double f = ldexp(formula_eval(d->formula, ldexp((double)x, -(int)d->in)), (int)d->out);
	const double off = fabs(f - (double)line_at(d, side, x));
	return off <= (d->relative ? d->max_error * fabs(f) : ldexp(d->max_error, (int)d->out));
}

/* The part of the domain where neither line will do, as multiples of 2^-out (at least of 2^-20 of the domain). */
static void
inner_part(const struct descriptor *d, double *a, double *b)
{
	const double lo = ldexp(d->lo, (int)d->in), hi = ldexp(d->hi, (int)d->in);
	const double step = fmax(ldexp(1, (int)(d->in - d->out)), exp2(ceil(log2(hi - lo))) / (1 << FIT_BITS));
	double x = lo, y = hi;
	while (x < hi && d->tail[0].kind == TAIL_LINE && line_holds(d, 0, (int64_t)x) && line_holds(d, 0, (int64_t)(x + step) - 1))
		x += step;
	while (y > lo && d->tail[1].kind == TAIL_LINE && line_holds(d, 1, (int64_t)(y - step)) && line_holds(d, 1, (int64_t)y - 1))
		y -= step;
	*a = ldexp(x, -(int)d->in);
	*b = ldexp(y, -(int)d->in);
}

/* A number in [a, b] with the fewest fraction bits, 0 if it is one. */
static double
simplest(double a, double b, unsigned most, unsigned *e)
{
	for (*e = 0; *e < most; ++*e) {
		const double x = ldexp(ceil(ldexp(a, (int)*e)), -(int)*e);
		if (a <= 0 && b >= 0)
			return 0;
		if (x <= b)
			return x;
	}
	return a;
}

static bool
good(const struct descriptor *d, const struct descriptor *t, struct desc_log *log, const char *what)
{
	for (unsigned bits = ROUGH_BITS; bits <= FIT_BITS; bits += FIT_BITS - ROUGH_BITS) {
		const struct desc_error e = descriptor_verify(t, bits);
		if (e.finite && e.promised <= d->max_error)
			continue;
		desc_say(log, "%s: error %.3g at %.6g", what, e.promised, e.promised_at);
		return false;
	}
	return true;
}

/* The finest 2^k cells that cover [a, b): around 0 or from the domain's end on, if that does, else from a on. */
static bool
place(const struct descriptor *d, double a, double b, unsigned k, unsigned *e, int64_t *first)
{
	const double count = ldexp(1, (int)k);
	for (int fine = (int)*e; fine >= 0; fine--) {
		const double from = ldexp(a, fine), to = ldexp(b, fine), start[3] = { a < 0 ? -count / 2 : from + 1, ldexp(d->lo, fine), floor(from) };
		for (int i = 0; i < 3; i++)
			if (start[i] == rint(start[i]) && start[i] <= from && start[i] + count >= to) {
				*e = (unsigned)fine;
				*first = (int64_t)start[i];
				return true;
			}
	}
	return false;
}

static struct descriptor *
fit_table(struct arena *a, const struct descriptor *d, struct desc_log *log)
{
	double from, to;
	const unsigned finest = d->in < d->out ? d->in : d->out;
	inner_part(d, &from, &to);
	if (from >= to) {                /* the lines alone */
		struct descriptor *t = desc_table(a, d, 0, 0, 0);
		const double split = descriptor_split_needed(d) ? simplest(to, from, finest, &t->e) : 0;
		t->first = t->split = (int64_t)ldexp(split, (int)t->e);
		return good(d, t, log, "tails alone") ? t : NULL;
	}
	for (unsigned k = 0; k <= DESC_MAX_CELL_BITS; k++) {
		unsigned e = finest;
		int64_t first = 0;
		char what[80];
		if (!place(d, from, to, k, &e, &first))
			continue;
		struct descriptor *t = desc_table(a, d, e, first, 1u << k);
		snprintf(what, sizeof what, "table of %u cells of 2^-%u from %g on", 1u << k, e, ldexp((double)first, -(int)e));
		if (good(d, t, log, what))
			return t;
		if (e == finest)
			break;                   /* more cells would not be finer */
	}
	return NULL;
}

/* ---- the cheaper form ---------------------------------------------------------------- */

static bool
say_cost(struct desc_log *log, const struct descriptor *d, const char *what)
{
	const struct desc_cost c = descriptor_cost(d, RING);
	if (isfinite(c.total))
		desc_say(log, "%s: %.0f bytes of key, %.1f sent, %.0f AES blocks, %.0f additions", what, c.key, c.sent, c.aes, c.adds);
	else
		desc_say(log, "%s: does not fit a ring of %d bits", what, (int)RING);
	return isfinite(c.total);
}

static struct descriptor *
fit_pieces(struct arena *a, const struct descriptor *d, struct desc_log *log)
{
	struct descriptor *best = NULL;
	for (unsigned degree = 0; degree <= DESC_MAX_DEGREE; degree++) {
		struct descriptor *t = desc_pieces(a, d, degree);
		if (!t) {
			desc_say(log, "pieces of degree %u: more than %d, or not within %g", degree, (int)DESC_MAX_PIECES, d->max_error);
			continue;
		}
		if (!say_cost(log, t, arena_printf(a, "%d pieces of degree %u", t->npiece, degree)))
			continue;
		if (!best || descriptor_cost(t, RING).total < descriptor_cost(best, RING).total)
			best = t;
	}
	return best;
}

static bool
has_values(const struct descriptor *d, struct desc_log *log)
{
	enum { POINTS = 1 << 12 };
	for (int k = 0; k < POINTS; k++) {
		const double x = d->lo + (d->hi - d->lo) * k / POINTS;
		if (isfinite(formula_eval(d->formula, x)))
			continue;
		desc_say(log, "the function has no finite value at %g, which is in its domain", x);
		log->hint = "choose a domain where it has one";
		return false;
	}
	return true;
}

void
desc_set_format(struct descriptor *d, unsigned in, unsigned out)
{
	for (int side = 0; side < 2; side++)
		d->tail[side].c = llround(ldexp((double)d->tail[side].c, (int)out - (int)d->out));
	d->in = in;
	d->out = out;
}

struct descriptor *
descriptor_fit(struct arena *a, const struct descriptor *want, unsigned in, unsigned out, struct desc_log *log)
{
	struct descriptor d = *want, *table = NULL, *pieces = NULL;
	desc_set_format(&d, in, out);
	if (!has_values(&d, log) || !desc_find_tails(&d, log))
		return NULL;
	if (d.form != DESC_PIECES)
		table = fit_table(a, &d, log);
	if (table && d.form == DESC_AUTO)
		say_cost(log, table, arena_printf(a, "table of %u cells", table->ncell));
	if (d.form == DESC_PIECES || (d.form == DESC_AUTO && !(table && table->ncell == 0)))
		pieces = fit_pieces(a, &d, log);
	if (!table && !pieces) {
		desc_say(log, "nothing keeps the error below %g%s", d.max_error, d.relative ? " (relative)" : "");
		log->hint = "allow a larger max-error, choose a domain that the tails fit to, or more fraction bits (--frac)";
	}
	if (table && pieces)
		return descriptor_cost(pieces, RING).total < descriptor_cost(table, RING).total ? pieces : table;
	return table ? table : pieces;
}

/* SPDX-License-Identifier: Apache-2.0
 * suf_act.c -- any descriptor as steps (after SUF: one comparison key for all regions, one look-up; docs/suf.md).
 *
 * Table.  x has `in` fraction bits and is never truncated: with y = x >> (in - e) and z = x >> (in - out),
 *     result = i T[y mod 2^k] + line of the side        i = [first <= y < first + 2^k], d = [y >= split]
 *     line   = c_left + d (c_right - c_left) + (x at the side, or sides, with slope 1: z, d z or (1 - d) z)
 *  Opened: the borrow bits of both shifts and what the first one changes in i and d; i, d and T with a secret sign;
 *  the result.  Three rounds; a tail `none` needs no region, equal tails no d.
 *
 * Pieces.  t = x >> (in - p) is opened; the index of its piece among the intervals and tails is a few bits, each the
 *  exclusive or of comparisons, opened; the piece's polynomial in t comes with hidden coefficients; truncation to `out`.
 *  Opened: a borrow bit and t, the index bits, the polynomial, a borrow bit, the result.
 *
 * Each opened value is hidden by its own pad of full width, bits by bits.  Which steps there are depends on the
 * descriptor and on widths only.  Conditions: |x| < 2^(n-2), which pass quantize sees to, and room for the regions.
 */
#include <math.h>
#include "passes/descriptor.h"
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"

struct act {
	struct gb *g;
	struct val *x;
	const struct descriptor *d;
	unsigned in, n, m;
	int64_t split;                               /* in units of y */
	unsigned shift[2]; struct val *carry[2];     /* of the cells, of the line; made when needed */
	bool made[2];
};

static const char *
named(const struct act *a, const char *what)
{
	return arena_printf(a->g->p->arena, "%s_%s_%u", a->d->name, what, a->in);
}

enum { CELLS, LINE };

static struct val *
carry(struct act *a, int k)
{
	if (a->shift[CELLS] == a->shift[LINE])
		k = CELLS;
	if (!a->made[k])
		a->carry[k] = b_carry(a->g, a->x, a->shift[k]);
	a->made[k] = true;
	return a->carry[k];
}

/* Bits b such that (x >> s) - t fits for all |t| <= most; 0: the ring has no room, reported. */
static unsigned
compared_bits(struct gb *g, const struct val *x, unsigned s, uint64_t most)
{
	const unsigned n = x->type.bits, w = b_width(x) < n ? b_width(x) : n - 1; /* w = n: the gap */
	unsigned b = w > s + 1 ? w - 1 - s : 0;
	while (most > UINT64_C(1) << b)
		b++;
	b += 2;
	if (b + s <= n)
		return b;
	b_ring_error(g, b + s);
	return 0;
}

static uint64_t
magnitude(int64_t x)
{
	return x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
}

static struct val *
flip(struct gb *g, struct val *bit)
{
	return b_lin(g, 1, bit, 0, NULL, 1, 1, NULL);
}

/* a + b, either may be NULL */
static struct val *
sum(struct gb *g, struct val *a, struct val *b, unsigned m)
{
	return !a ? b : !b ? a : b_lin(g, 1, a, 1, b, 0, m, NULL);
}

/* ---- regions ------------------------------------------------------------------ */

/* in: the cells (NULL: everywhere); right: the right line (NULL: both are the same). */
struct regions { struct val *in, *right; };

static bool
find_regions(struct act *a, struct regions *r)
{
	const struct descriptor *d = a->d;
	const bool split = descriptor_split_needed(d), left = d->tail[0].kind == TAIL_LINE, right = d->tail[1].kind == TAIL_LINE;
	const bool inner = d->ncell && (left || right);
	const int64_t last = d->first + (int64_t)d->ncell, ends[2] = { d->first, last };
	const struct cut_list list[2] = { { (left ? 1u : 0u) + right, ends + !left }, { 1, &a->split } };
	const uint64_t count = b_count(a->x);
	uint64_t most = split ? magnitude(a->split) : 0;
	*r = (struct regions){ NULL, NULL };
	if (!split && !inner)
		return true;
	for (int k = 0; k < 2 && inner; k++)
		most = magnitude(ends[k]) > most ? magnitude(ends[k]) : most;
	const unsigned b = compared_bits(a->g, a->x, a->shift[CELLS], most);
	if (!b)
		return false;
	struct val *bits = b_cuts(a->g, a->x, a->shift[CELLS], carry(a, CELLS), b, (inner ? 1u : 0u) + split, inner ? list : list + 1, named(a, "regions"));
	if (inner)
		r->in = left ? b_part(a->g, bits, 0, count) : flip(a->g, b_part(a->g, bits, 0, count));
	if (split)
		r->right = b_part(a->g, bits, inner ? count : 0, count);
	return true;
}

/* ---- cells and lines --------------------------------------------------------------- */

/* i T[y mod 2^k]; share */
static struct val *
cells(struct act *a, const struct regions *r)
{
	const struct descriptor *d = a->d;
	const uint32_t len = d->ncell < 2 ? 2 : d->ncell;
	const unsigned w = descriptor_cell_bits(d) < 3 ? 3 : descriptor_cell_bits(d), k = (unsigned)ilogb(len);
	int64_t *t = b_words(a->g, len);
	if (!d->ncell)
		return NULL;
	for (uint32_t i = 0; i < len; i++)
		t[(uint64_t)(d->first + i) & (len - 1)] = d->cell[i & (d->ncell - 1)];
	const struct lookup l = b_lut_shift(a->g, a->x, a->shift[CELLS], carry(a, CELLS), k, w, b_table(a->g, named(a, "cells"), len, t));
	return b_lookup_times(a->g, &l, r->in, a->m);
}

/* x >> s mod 2^m as a share */
static struct val *
shifted(struct act *a)
{
	const unsigned s = a->shift[LINE];
	struct val *in[2] = { a->x, carry(a, LINE) };
	if (!s)
		return b_gapext(a->g, a->x, a->m);
	struct suf_step st = { .op = SUF_trunc, .count = b_count(a->x), .na = b_count(a->x), .nb = b_count(a->x), .n = (uint8_t)a->n, .m = (uint8_t)a->m,
	                       .s = (uint8_t)s, .b = (uint8_t)s, .slack = a->m > a->n - s };
	return b_step(a->g, st, SEC_SHARED, 2, in);
}

/* The slope's part of the lines; share.  Both lines alike and nothing to shift: x itself, *open. */
static struct val *
slopes(struct act *a, const struct regions *r, struct val **open)
{
	const int left = a->d->tail[0].slope, right = a->d->tail[1].slope;
	if (!left && !right)
		return NULL;
	if (left && right && !a->shift[LINE] && a->m <= a->n) {
		*open = b_reduce(a->g, a->x, a->m);
		return NULL;
	}
	if (left && right)
		return shifted(a);
	return b_select_shift(a->g, right ? r->right : flip(a->g, r->right), a->x, a->shift[LINE], carry(a, LINE), a->m);
}

static struct val *
table_form(struct act *a)
{
	const struct tail *t = a->d->tail;
	const int64_t step = t[1].c - t[0].c;
	struct gb *g = a->g;
	struct regions r;
	struct val *open = NULL;
	if (!find_regions(a, &r))
		return NULL;
	struct val *y = cells(a, &r);
	y = sum(g, y, slopes(a, &r, &open), a->m);
	if (step)
		y = sum(g, y, b_bitdot(g, r.right, 1, t[0].c, a->m, &step, named(a, "step")), a->m);
	else if (y && t[0].c)
		y = b_lin(g, 1, y, 0, NULL, t[0].c, a->m, NULL);
	y = y ? b_open(g, y) : NULL;
	if (!y)                              /* a line, or a constant, and no cells */
		return b_lin(g, open ? 1 : 0, open ? open : a->x, 0, NULL, t[0].c, a->m, NULL);
	return sum(g, y, open, a->m);
}

/* ---- pieces -------------------------------------------------------------------------- */

/* Intervals from left to right, tails among them; c: coefficients in t itself, mod 2^64. */
struct part { int64_t from; uint64_t c[DESC_MAX_DEGREE + 1]; };

/* c(t - from) as a polynomial in t */
static void
recenter(const int64_t *c, int64_t from, uint64_t *to)
{
	for (int k = 0; k <= DESC_MAX_DEGREE; k++)
		to[k] = (uint64_t)c[k];
	for (int done = 0; done < DESC_MAX_DEGREE; done++)
		for (int k = DESC_MAX_DEGREE - 1; k >= done; k--)
			to[k] -= (uint64_t)from * to[k + 1];
}

static int
parts_of(const struct descriptor *d, struct part *part)
{
	const int64_t one = INT64_C(1) << (d->scale - d->out);
	int n = 0;
	for (int side = 0; side < 2; side++) {
		const struct tail *t = &d->tail[side];
		for (int k = 0; side && k < d->npiece; k++, n++) {
			part[n].from = d->piece[k].from;
			recenter(d->piece[k].c, d->piece[k].from, part[n].c);
		}
		if (t->kind == TAIL_LINE) {  /* with a slope pieces see `out` fraction bits */
			part[n] = (struct part){ .c = { (uint64_t)(t->c * one), (uint64_t)(t->slope * one) } };
			part[n++].from = side ? (int64_t)ldexp(d->hi, (int)d->frac) : INT64_MIN;
		}
	}
	return n;
}

/* Bits of the ring that holds every polynomial on its interval, and a gap. */
static unsigned
polynomial_bits(const struct descriptor *d, unsigned t_bits)
{
	const unsigned frac = d->frac > d->out ? d->frac : d->out;
	const int64_t lo = (int64_t)ldexp(d->lo, (int)d->frac), hi = (int64_t)ldexp(d->hi, (int)d->frac), step = (hi - lo) / 65536 + 1;
	double most = 1;
	for (int64_t t = lo; t < hi; t += step)
		most = fmax(most, fabs((double)descriptor_eval(d, frac, t * (INT64_C(1) << (frac - d->frac)))) + 2);
	for (int side = 0; side < 2; side++)
		if (d->tail[side].kind == TAIL_LINE)
			most = fmax(most, fabs((double)d->tail[side].c) + (d->tail[side].slope ? ldexp(1, (int)t_bits - 2) : 0));
	/* between samples a cubic bends little: one bit more */
	return (unsigned)ilogb(most) + 1 + (d->scale - d->out) + 2 + (step > 1);
}

/* The bits of the index of t's part, opened. */
static struct val *
index_bits(struct gb *g, struct val *t, const struct part *part, int n, unsigned bits, const char *name)
{
	struct cut_list list[16];
	uint64_t most = 0;
	for (unsigned b = 0; b < bits; b++) {
		int64_t *at = b_words(g, (uint64_t)n);
		list[b] = (struct cut_list){ 0, at };
		for (int j = 1 << b; j < n; j += 1 << b) /* part number >= j; the multiples of 2^b flip bit b */
			at[list[b].n++] = part[j].from;
	}
	for (int j = 1; j < n; j++)
		most = magnitude(part[j].from) > most ? magnitude(part[j].from) : most;
	const unsigned b = compared_bits(g, t, 0, most);
	return b ? b_cuts(g, t, 0, NULL, b, bits, list, name) : NULL;
}

static struct val *
pieces_form(struct act *a)
{
	const struct descriptor *d = a->d;
	struct gb *g = a->g;
	struct part part[DESC_MAX_PIECES + 2];
	const int n = parts_of(d, part);
	const unsigned cut = a->in - d->frac, down = d->scale - d->out, line = d->tail[0].slope || d->tail[1].slope;
	const unsigned degree = d->degree > line ? d->degree : line;
	struct val *t = cut ? b_trunc_reduce(g, a->x, cut, a->n - cut) : a->x, *index = NULL;
	unsigned bits = 0, ring = down ? polynomial_bits(d, t->type.bits) : a->m;
	while (1 << bits < n)
		bits++;
	if (ring > 64) {
		diag_error(g->p->diag, &g->at->loc, "ring-too-large", "'%s': the pieces of the descriptor '%s' need %u bits, there are 64", g->at->out[0]->name, d->name, ring);
		diag_hint(g->p->diag, "make it again as a table (sufc fit --form table), or give ranges for a smaller ring (--calibrate)");
		return NULL;
	}
	if (bits && !(index = index_bits(g, t, part, n, bits, named(a, "pieces"))))
		return NULL;
	int64_t *c = b_words(g, (uint64_t)(degree + 1) << bits);
	for (int k = 0; k < 1 << bits; k++)
		for (unsigned j = 0; j <= degree; j++)
			c[(unsigned)k * (degree + 1) + j] = (int64_t)part[k < n ? k : n - 1].c[j];
	struct val *y = b_open(g, b_pieces(g, t, index, bits, degree, c, ring > t->type.bits, ring, named(a, "polynomials")));
	return !down ? y : a->m <= ring - down ? b_trunc_reduce(g, y, down, a->m) : b_trunc_slack(g, y, down, a->m);
}

struct val *
gate_descriptor(struct gb *g, struct val *x, const struct descriptor *d, unsigned in, unsigned m)
{
	struct act a = { .g = g, .x = x, .d = d, .in = in, .n = x->type.bits, .m = m };
	const unsigned out = d->tail[0].slope || d->tail[1].slope ? d->out : in;
	if (!d->fitted || in < out || in < (d->form == DESC_TABLE ? d->e : d->frac))
		BUG("descriptor '%s' for an input of %u fraction bits", d->name, in);
	if (d->form == DESC_PIECES)
		return pieces_form(&a);
	a.shift[LINE] = in - out;
	a.shift[CELLS] = in - d->e;
	a.split = d->split;
	if (!d->ncell && d->e <= out) {      /* no index: y is what the line shifts anyway */
		a.shift[CELLS] = a.shift[LINE];
		a.split = d->split * (INT64_C(1) << (out - d->e));
	}
	return table_form(&a);
}

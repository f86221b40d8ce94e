/* SPDX-License-Identifier: Apache-2.0
 * compact_cells.c -- see compact_cells.h (compact gates, docs/compact.md).
 *
 * What is opened: the three words of step cells, with a secret sign.  What hides them: a pad of each one's own, of full
 * width (steps.def, PADS).  Tables are public.
 *
 * A cell's polynomial is fitted on the cell before it, too: the mask's low bits decide which of both a value falls into.
 */
#include <math.h>
#include <string.h>
#include "check.h"
#include "passes/gate/compact_cells.h"

/* ---- fits ------------------------------------------------------------------------------- */

/* Least squares at the nodes of Chebyshev's polynomial of degree NODES, which is a projection on those of lower degree. */
static void
fit(const struct cell_fn *c, unsigned cell, double p[3])
{
	enum { NODES = 9 };
	double t[3] = { 0, 0, 0 };
	for (int k = 0; k < NODES; k++) {
		const double d = cos(acos(-1) * (k + 0.5) / NODES), y = c->fn(c->origin + ((double)cell + d) * c->step, c->arg);
		t[0] += y / NODES;
		t[1] += 2 * y * d / NODES;
		t[2] += 2 * y * (2 * d * d - 1) / NODES;
	}
	p[0] = t[0] - t[2];
	p[1] = t[1];
	p[2] = 2 * t[2];
}

/* Cells that are not in use have the words of one that is. */
static unsigned
nearest(const struct cell_fn *c, unsigned cell)
{
	return cell < c->first ? c->first : cell > c->last ? c->last : cell;
}

/* Largest |A|, |B|, |C| in a cell of 2^s ulp. */
static void
reach(const double p[3], unsigned s, double max[SUF_CELL_WORDS])
{
	const double vertex = p[2] != 0 ? -p[1] / (2 * p[2]) : 0, at[3] = { 0, 1 - ldexp(1, -(int)s), vertex > 0 && vertex < 1 ? vertex : 0 };
	for (int k = 0; k < 3; k++) {
		max[0] = fmax(max[0], fabs(p[0] + at[k] * (p[1] + at[k] * p[2])));
		max[1] = fmax(max[1], fabs(p[1] + 2 * at[k] * p[2]));
	}
	max[2] = fmax(max[2], fabs(p[2]));
}

/* Of the polynomials alone, where x can be. */
static double
fit_error(const struct cell_fn *c, unsigned cell, const double p[3])
{
	enum { STEPS = 64 };
	double worst = 0;
	for (int k = 1; k < 2 * STEPS; k++) {
		const double d = (double)k / STEPS - 1;
		if ((cell == c->first && d < 0) || (cell == c->last && d >= 0))
			continue;
		worst = fmax(worst, fabs(p[0] + d * (p[1] + d * p[2]) - c->fn(c->origin + ((double)cell + d) * c->step, c->arg)));
	}
	return worst;
}

/* ---- formats ------------------------------------------------------------------------------ */

static unsigned
ring_for(double max, unsigned f)
{
	unsigned w = 3;
	while (ldexp(1, (int)w - 2) <= ldexp(max, (int)f) + 0.5)
		w++;
	return w;
}

/* Rounding to f bits is half a unit of each word; those of B and C count less than that. */
static double
rounding(const unsigned f[SUF_CELL_WORDS])
{
	double sum = 0;
	for (int z = 0; z < SUF_CELL_WORDS; z++)
		sum += ldexp(0.5, -(int)f[z]);
	return sum;
}

bool
cells_choose(const struct cell_fn *c, unsigned s, unsigned frac, double want, struct cell_format *out)
{
	enum { MOST = 24 };
	double max[SUF_CELL_WORDS] = { 0, 0, 0 }, worst = 0, p[3];
	for (unsigned i = c->first; i <= c->last; i++) {
		fit(c, i, p);
		reach(p, s, max);
		worst = fmax(worst, fit_error(c, i, p));
	}
	unsigned f[SUF_CELL_WORDS], least = 3 * MOST + 1;
	double error = 0;
	for (f[0] = 1; f[0] <= MOST && f[0] <= frac; f[0]++)
		for (f[1] = 1; f[1] <= MOST && f[1] + s <= frac; f[1]++)
			for (f[2] = 1; f[2] <= MOST && f[2] <= frac; f[2]++) {
				const double e = worst + rounding(f);
				const unsigned sum = f[0] + f[1] + f[2];
				if (e > want || sum > least || (sum == least && e >= error))
					continue;
				least = sum;
				error = e;
				memcpy(out->f, f, sizeof f);
			}
	for (int z = 0; least <= 3 * MOST && z < SUF_CELL_WORDS; z++)
		out->w[z] = ring_for(max[z], out->f[z]);
	out->frac = frac;
	return least <= 3 * MOST;
}

/* ---- tables ------------------------------------------------------------------------------- */

/* Fraction bits of the polynomials: as many as the sums of a step hold. */
static int
coefficient_bits(const struct cell_fn *c, unsigned s)
{
	double sum = 0, p[3];
	for (unsigned i = c->first; i <= c->last; i++) {
		fit(c, i, p);
		sum = fmax(sum, fabs(p[0]) + fabs(p[1]) + fabs(p[2]));
	}
	int q = 62 - 2 * (int)s < 44 ? 62 - 2 * (int)s : 44;
	while (q > 0 && ldexp(sum, q) + 3 >= ldexp(1, 61 - 2 * (int)s))
		q--;
	return q;
}

bool
cells_table(const struct cell_fn *c, unsigned s, const struct cell_format *format, int64_t *table)
{
	if (c->first > c->last || c->last >> c->b || s < 1 || s > 16)
		return false;
	const int q = coefficient_bits(c, s);
	for (int z = 0; z < SUF_CELL_WORDS; z++) {
		table[2 * z] = format->f[z];
		table[2 * z + 1] = format->w[z];
	}
	table[SUF_CELL_FRAC] = format->frac;
	table[SUF_CELL_Q] = q;
	table[SUF_CELL_SIZE] = s;
	for (unsigned i = 0; i >> c->b == 0; i++) {
		double p[3];
		fit(c, nearest(c, i), p);
		for (int k = 0; k < 3; k++)
			table[SUF_CELL_HEAD + 3 * i + (unsigned)k] = llrint(ldexp(p[k], q));
	}
	const struct suf_table t = { "cells", SUF_CELL_HEAD + (3u << c->b), table };
	return check_cell_table(&t, c->b);
}

int64_t
cells_value(const int64_t *table, unsigned b, uint64_t place, uint64_t r_lo)
{
	const struct suf_cells c = suf_cells_of(table);
	const uint64_t x_lo = (place + r_lo) & suf_ring(c.s), cell = ((place + r_lo) >> c.s) & suf_ring(b);
	const unsigned up = c.frac - c.f[2], down = 2 * c.s;
	const int64_t square = up >= down ? (int64_t)(r_lo * r_lo << (up - down)) : suf_cells_round(r_lo * r_lo, down - up);
	int64_t word[SUF_CELL_WORDS];
	suf_cells_words(&c, table + SUF_CELL_HEAD + 3 * cell, x_lo, word);
	return word[0] * ((int64_t)1 << (c.frac - c.f[0])) - word[1] * ((int64_t)r_lo << (c.frac - c.f[1] - c.s)) + word[2] * square;
}

struct cell_error
cells_error(const struct cell_fn *c, const int64_t *table)
{
	enum { MOST_LOWS = 128, MOST_PLACES = 1 << 16 };
	const uint64_t size = 1ull << table[SUF_CELL_SIZE], first = c->first * size, last = c->last * size;
	const uint64_t low_step = size > MOST_LOWS ? size / MOST_LOWS - 1 : 1, step = last - first > MOST_PLACES ? (last - first) / MOST_PLACES | 1 : 1;
	struct cell_error e = { 0, 0 };
	double n = 0;
	for (uint64_t place = first; place < last; place += step) {
		const double want = c->fn(c->origin + (double)place / (double)size * c->step, c->arg);
		for (uint64_t r = 0; r < size; r += low_step, n++) {
			const double d = ldexp((double)cells_value(table, c->b, place, r), -(int)table[SUF_CELL_FRAC]) - want;
			e.max = fmax(e.max, fabs(d));
			e.rms += d * d;
		}
	}
	e.rms = n > 0 ? sqrt(e.rms / n) : 0;
	return e;
}

enum { MOST_ERROR = 1 };

const struct suf_table *
b_cell_table(struct gb *g, const char *name, const struct cell_fn *fn, unsigned s, unsigned frac, double want)
{
	struct arena *a = arena_elder(g->p->arena);
	const char *key = arena_printf(g->p->arena, "cells_%s_%u_%u_%.6g_%.6g_%.3g", name, fn->b, s, fn->origin, fn->step, want);
	const struct suf_table *known = arena_known(g->p->arena, key);
	if (known)
		return known;
	struct suf_table *t = arena_alloc(a, sizeof *t);
	int64_t *v = arena_alloc(a, (SUF_CELL_HEAD + ((size_t)3 << fn->b)) * sizeof *v);
	struct cell_format format;
	while (!cells_choose(fn, s, frac, want, &format) || !cells_table(fn, s, &format, v)) {
		want *= 2;
		if (want > MOST_ERROR) {
			diag_error(g->p->diag, &g->at->loc, "no-cells", "'%s': no quadratics on 2^%u cells of %g are close enough to %s", g->at->out[0]->name, fn->b, fn->step, name);
			diag_hint(g->p->diag, "example inputs for a tighter range (--calibrate=FILE.npz), or another gate: --gates=suf");
			return NULL;
		}
	}
	*t = (struct suf_table){ .name = arena_strdup(a, key), .len = SUF_CELL_HEAD + (3u << fn->b), .v = v };
	arena_remember(g->p->arena, arena_strdup(a, key), t);
	return t;
}

/* ---- steps ----------------------------------------------------------------------------------- */

struct val *
b_cells(struct gb *g, struct val *x, const struct suf_table *t, unsigned b, unsigned cell_bits, int64_t origin, unsigned s, unsigned m)
{
	static const char *const what[] = { "cells.a", "cells.b", "cells.c" };
	const uint64_t count = b_count(x);
	struct suf_step st = { .op = SUF_cells, .count = count, .na = count, .n = x->type.bits, .s = (uint8_t)cell_bits, .b = (uint8_t)b, .c = origin, .table = t };
	struct val *out[4], *in[5] = { x };
	st.m = (uint8_t)suf_cell_word_bits(&st, 2);
	if (x->type.sec != SEC_MASKED || !check_cells(&st))
		BUG("'%s': 2^%u cells of 2^%u ulp of %d bits", x->name, b, cell_bits, x->type.bits);
	for (int z = 0; z < SUF_CELL_WORDS; z++)
		out[z] = b_new(g, what[z], SEC_SHARED, suf_cell_word_bits(&st, z), count);
	in[1] = out[3] = b_new(g, "cells.sign", SEC_DEALER, 1, count);
	ir_step(g->p, g->at, g->at, st, 1, &x, 4, out);
	for (int z = 0; z < SUF_CELL_WORDS; z++)
		in[2 + z] = b_open(g, out[z]);
	struct suf_step fix = { .op = SUF_cellfix, .count = count, .na = count, .nb = count, .n = x->type.bits, .m = (uint8_t)m, .s = (uint8_t)s, .b = (uint8_t)b, .table = t };
	if (!check_cells(&fix))
		BUG("'%s': cells to %u bits, %u dropped", x->name, m, s);
	return b_step(g, fix, SEC_SHARED, 5, in);
}

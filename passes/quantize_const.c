/* SPDX-License-Identifier: Apache-2.0
 * quantize_const.c -- constants of the ring program.
 */
#include <math.h>
#include <string.h>
#include "passes/parallel.h"
#include "passes/quantize.h"
#include "passes/range.h"

enum { WORDS = 1 << 16 };                    /* quantised by one thread in one piece */

static int64_t to_ring(double x, int frac)
{
	return (int64_t)llrint(ldexp(x, frac));
}

int64_t quantize_weight(const struct val *v, int64_t i)
{
	if (v->dtype == DT_F32)
		return to_ring(ir_elem(v, i), v->type.frac);
	if (v->dtype == DT_I64)
		return ((const int64_t *)v->data)[i];
	BUG("'%s' is a boolean constant in a ring program", v->name);
}

struct words { const struct val *v; int64_t *to; };

static void quantize_chunk(void *arg, int64_t chunk)
{
	enum { N = 256 };
	static const double shift = 0x1.8p52;            /* a sum with it is rounded to an integer, which is in its low bits then */
	const struct words *w = arg;
	const int64_t first = chunk * WORDS, all = ir_count(w->v), last = all - first < WORDS ? all : first + WORDS;
	const double scale = ldexp(1, w->v->type.frac);
	for (int64_t at = first; at < last; at += N) {
		const int64_t n = last - at < N ? last - at : N;
		float x[N] = { 0 };
		double y[N], most = 0, zero = shift;
		int64_t bits[N], base;
		ir_floats_part(w->v, at, n, x);
		for (int i = 0; i < N; i++) {
			y[i] = (double)x[i] * scale;
			most = fabs(y[i]) > most ? fabs(y[i]) : most;
			y[i] += shift;
		}
		memcpy(bits, y, sizeof bits);
		memcpy(&base, &zero, sizeof base);
		for (int64_t i = 0; i < n; i++)
			w->to[at + i] = most < 0x1p51 ? bits[i] - base : to_ring((double)x[i], w->v->type.frac);
	}
}

void quantize_weights(const struct val *v, int64_t *to)
{
	const int64_t n = ir_count(v);
	if (v->dtype == DT_F32)
		parallel_for((n + WORDS - 1) / WORDS, quantize_chunk, &(struct words){ v, to });
	for (int64_t i = 0; v->dtype != DT_F32 && i < n; i++)
		to[i] = quantize_weight(v, i);
}

bool const_is_integer(const struct val *c)
{
	for (int64_t i = 0, n = ir_count(c); i < n; i++) {
		double x = ir_elem(c, i);
		if (!(fabs(x) < 0x1p20) || x != rint(x))
			return false;
	}
	return true;
}

/* Every element a number that fits; the first offender is named. */
static void check_elements(struct quant *q, const struct val *c, int frac, const struct loc *loc)
{
	double limit = ldexp(1, q->bits - 1 - frac);
	if (c->absent || (c->lo <= c->hi && range_max(c) < limit))        /* finite, known from pass ranges */
		return;
	for (int64_t i = 0, n = ir_count(c); i < n; i++) {
		double x = ir_elem(c, i);
		if (isfinite(x) && fabs(x) < limit)
			continue;
		diag_error(q->prog->diag, loc, "bad-constant", "element %lld of '%s' is %g, which %d bits with %d fraction bits cannot hold",
		           (long long)i, c->name, x, q->bits, frac);
		diag_hint(q->prog->diag, isfinite(x) ? "use a wider ring: --ring-bits=N, or fewer fraction bits: --frac-bits=F"
		                                     : "a damaged or untrained model? export it again");
		return;
	}
}

static void remember(struct quant *q, const struct val *from, struct val *to)
{
	if (q->ncopy == q->copy_cap) {
		int cap = q->copy_cap ? 2 * q->copy_cap : 64;
		struct const_copy *more = arena_alloc(q->prog->arena, (size_t)cap * sizeof *more);
		if (q->ncopy)
			memcpy(more, q->copy, (size_t)q->ncopy * sizeof *more);
		q->copy = more;
		q->copy_cap = cap;
	}
	q->copy[q->ncopy++] = (struct const_copy){ from, to };
}

static const int64_t *integers(struct quant *q, const struct val *c, int frac)
{
	int64_t n = ir_count(c), *to = arena_alloc(q->prog->arena, (size_t)n * sizeof *to);
	for (int64_t i = 0; i < n; i++) {
		double x = ir_elem(c, i);
		to[i] = isfinite(x) && fabs(x) < ldexp(1, 62 - frac) ? to_ring(x, frac) : 0; /* others were reported */
	}
	return to;
}

struct val *const_at(struct quant *q, struct val *c, int frac, enum sec sec, const struct loc *loc)
{
	const struct type type = { .sec = sec, .bits = q->bits, .frac = (uint8_t)frac };
	for (int i = 0; i < q->ncopy; i++) {
		struct val *t = q->copy[i].to;
		if (q->copy[i].from == c && t->type.frac == frac && t->type.sec == sec)
			return t;
	}
	check_elements(q, c, frac, loc);
	bool lazy = sec == SEC_WEIGHT && c->dtype == DT_F32;
	struct val *t = c;
	if (!lazy || c->type.bits) {             /* a weight's first format is the value itself */
		const char *name = arena_printf(q->prog->arena, "%s.frac%d", c->name, frac);
		t = lazy ? ir_const_like(q->prog, name, c, sec, c->rank, c->dim)
		         : ir_const(q->prog, name, DT_I64, sec, c->rank, c->dim, integers(q, c, frac));
		t->lo = c->lo; t->hi = c->hi; t->norm = c->norm; t->from = c->from;
	}
	t->type = type;
	t->source = c;
	remember(q, c, t);
	return t;
}

/* SPDX-License-Identifier: Apache-2.0
 * compact_act.c -- activations of the set `compact`: by quadratics on cells of 1/8 of a secret index (compact_cells.h), or
 * as a trigonometric sum where traffic counts and keys do not; ReLU by a comparison.
 *
 * Opened: cells, three words of the function's pieces, each under its own pads; the sum, nothing; ReLU, the sign bit; then
 * the result, under its own pads.
 */
#include <math.h>
#include "passes/descriptor.h"
#include "passes/formats.h"
#include "passes/gate/build.h"
#include "passes/gate/compact.h"
#include "passes/gate/compact_cells.h"
#include "passes/gate/compact_trig.h"
#include "passes/range.h"

enum { CELL_BITS = 3, MOST_CELLS = 10, LEAST_CELLS = 3, RESULT_FRAC = 24 };

typedef double function(double, void *);

static double gelu(double x, void *arg) { (void)arg; return 0.5 * x * (1 + erf(x / sqrt(2))); }
static double gelu_tanh(double x, void *arg) { (void)arg; return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x))); }
static double logistic(double x, void *arg) { (void)arg; return 1 / (1 + exp(-x)); }
static double silu(double x, void *arg) { return x * logistic(x, arg); }
static double hyperbolic(double x, void *arg) { (void)arg; return tanh(x); }
static double error(double x, void *arg) { (void)arg; return erf(x); }
static double described(double x, void *arg) { return descriptor_real(arg, x); }

/* x of n bits with a gap covers [-2^(n-2), 2^(n-2)): cells of 1/8 each, or wider ones if these are too many. */
static bool
by_cells(struct prog *p, struct node *n, function *fn, void *arg, const char *name)
{
	struct gb g = { p, n };
	const struct val *out = n->out[0];
	const unsigned own = format_operand(n, 0), f = n->in[0]->type.frac, ring = own - 1;
	unsigned b = ring + CELL_BITS > f ? ring + CELL_BITS - f : LEAST_CELLS;
	b = b > MOST_CELLS ? MOST_CELLS : b < LEAST_CELLS ? LEAST_CELLS : b;
	if (b > ring)
		b = ring;
	const unsigned cell = ring - b < 1 ? 1 : ring - b, m = out->type.bits;
	const double step = ldexp(1, (int)cell - (int)f), from = -ldexp(1, (int)ring - 1 - (int)f);
	const struct cell_fn f_cells = { .fn = fn, .arg = arg, .origin = from, .step = step, .b = b, .first = 0, .last = (1u << b) - 1 };
	const struct suf_table *t = b_cell_table(&g, name, &f_cells, cell, RESULT_FRAC, ldexp(1, -(int)out->type.frac));
	if (!t)
		return false;
	struct val *x = b_reduce(&g, n->in[0], own);
	return b_done(&g, b_open(&g, b_cells(&g, x, t, b, cell, -(INT64_C(1) << (ring - 1)), (unsigned)t->v[SUF_CELL_FRAC] - out->type.frac, m)));
}

bool
expand_compact_gelu(struct prog *p, struct node *n)
{
	const bool by_tanh = ir_int_or(n, ATTR_tanh, 0) != 0;
	return by_cells(p, n, by_tanh ? gelu_tanh : gelu, NULL, by_tanh ? "gelu_tanh" : "gelu");
}

bool expand_compact_silu(struct prog *p, struct node *n) { return by_cells(p, n, silu, NULL, "silu"); }
bool expand_compact_tanh(struct prog *p, struct node *n) { return by_cells(p, n, hyperbolic, NULL, "tanh"); }
bool expand_compact_sigmoid(struct prog *p, struct node *n) { return by_cells(p, n, logistic, NULL, "sigmoid"); }
bool expand_compact_erf(struct prog *p, struct node *n) { return by_cells(p, n, error, NULL, "erf"); }

bool
expand_compact_act(struct prog *p, struct node *n)
{
	union { const struct descriptor *is; void *as; } d = { n->desc };
	return by_cells(p, n, described, d.as, n->desc->name);
}

/* [x >= 0] x: x in the ring of the result, compared on the bits that its range needs. */
bool
expand_compact_relu(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	const unsigned own = format_bits(n->in[0], 1), m = n->out[0]->type.bits;
	struct val *x = b_reduce(&g, n->in[0], m);
	struct val *bit = b_sign(&g, b_reduce(&g, x, own < m ? own : m), own < m ? own : m, 0);
	return b_done(&g, b_open(&g, b_select(&g, bit, x, m)));
}

/* trig_fit, once for all copies of a program. */
struct cosines { int K; double c[TRIG_MOST + 1]; };

static const struct cosines *
cosines(struct prog *p, const char *name, double (*even)(double), double half, double range, double most)
{
	struct arena *a = arena_elder(p->arena);
	const char *key = arena_printf(p->arena, "cosines_%s_%.17g_%.17g_%.17g", name, half, range, most);
	const struct cosines *known = arena_known(p->arena, key);
	if (known)
		return known;
	struct cosines *t = arena_alloc(a, sizeof *t);
	t->K = trig_fit(even, half, range, most, t->c);
	arena_remember(p->arena, arena_strdup(a, key), t);
	return t;
}

/* f(x) - x/2, an even function, by cosines; the line is exact. */
static bool
by_cosines(struct prog *p, struct node *n, double (*even)(double), const char *name)
{
	enum { SCALE = 12 };
	struct gb g = { p, n };
	const struct val *out = n->out[0];
	const unsigned own = format_operand(n, 0), f = n->in[0]->type.frac, m = out->type.bits, s = 2 * SCALE - out->type.frac;
	const double half = ldexp(1, (int)own - 2 - (int)f), range = range_max(n->in[0]) + 4 * ldexp(1, -(int)f);
	const struct cosines *fit = range < half ? cosines(p, name, even, half, range, ldexp(2, -(int)out->type.frac)) : NULL;
	const int K = fit ? fit->K : 0;
	if (K == 0 || m + s > 64) {
		diag_error(p->diag, &n->loc, "no-cosines", "'%s' (%s): %d cosines are not enough for |x| <= %.4g", out->name, op_desc[n->op].name, TRIG_MOST, range);
		diag_hint(p->diag, "another gate for it: --gates=auto");
		return false;
	}
	const char *table = arena_printf(p->arena, "%s_cosines_%u_%.4g", name, own, range);
	int64_t coef[TRIG_MOST + 1];
	for (int k = 0; k <= K; k++)
		coef[k] = llround(ldexp(fit->c[k], 24));
	struct val *x = b_reduce(&g, n->in[0], own);
	return b_done(&g, b_open(&g, b_trig(&g, x, own - 1, (unsigned)K, SCALE, SCALE, 2 * SCALE - 1 - (int)f, coef, s, m, table)));
}

static double gelu_even(double x) { return gelu(x, NULL) - x / 2; }
static double gelu_tanh_even(double x) { return gelu_tanh(x, NULL) - x / 2; }
static double silu_even(double x) { return silu(x, NULL) - x / 2; }

bool
expand_compact_gelu_cosines(struct prog *p, struct node *n)
{
	const bool by_tanh = ir_int_or(n, ATTR_tanh, 0) != 0;
	return by_cosines(p, n, by_tanh ? gelu_tanh_even : gelu_even, by_tanh ? "gelu_tanh" : "gelu");
}

bool expand_compact_silu_cosines(struct prog *p, struct node *n) { return by_cosines(p, n, silu_even, "silu"); }

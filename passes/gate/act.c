/* SPDX-License-Identifier: Apache-2.0
 * act.c -- activations from a table of a clipped magnitude: ReLU minus a table
 * (GeLU, SiLU; SIGMA, eprint 2023/1269, section 5.2) and odd functions.
 *
 * With y = x >> shift, d = [y >= 0] and the interval bit i = [lo <= y <= hi],
 * the magnitude c = min(|y|, clip) is one of four linear functions of y,
 * chosen by (d, i).  Opened: the borrow bit and y; d and i; c; the two outputs
 * of the look-up; the result.  Each has its own pad.
 *
 * The condition is |x| < 2^(w-1) with w the width the steps before x
 * guarantee; for w = n the top bit must be free, |x| < 2^(n-2).
 */
#include <math.h>
#include "passes/gate/build.h"

struct clipped { struct val *d, *i, *y; };

/* y = x >> shift and the bits d = [y >= 0], i = [lo <= y < hi], |lo|, |hi| <= 2^clip_bits.  False: the ring has
 * no room for y - lo and y - hi. */
static bool
clip_bits_of(struct gb *g, struct val *x, unsigned shift, unsigned clip_bits, int64_t lo, int64_t hi, const char *name, struct clipped *k)
{
	const unsigned w = b_width(x), most = x->type.bits - shift;
	unsigned b = w > shift ? w - shift + 1 : 1; /* one bit more than y: y - threshold fits */
	b = b > clip_bits + 2 ? b : clip_bits + 2;
	if (clip_bits + 2 > most)
		return b_ring_error(g, shift + clip_bits + 2);
	struct val *y = b_trunc_reduce(g, x, shift, b < most ? b : most);
	const int64_t from[2] = { 0, lo }, to[2] = { 0, hi };
	const uint64_t count = b_count(x);
	struct val *bits = b_drelu(g, y, y->type.bits, 2, from, to, arena_printf(g->p->arena, "%s_interval", name));
	*k = (struct clipped){ b_part(g, bits, 0, count), b_part(g, bits, count, count), y };
	return true;
}

static unsigned
frac_of(struct gb *g)
{
	const struct val *x = g->at->in[0], *out = g->at->out[0];
	if (x->type.frac != out->type.frac || x->type.frac < 7 || x->type.frac > 16)
		BUG("'%s': %u fraction bits in, %u out; a table gate needs 7 to 16", out->name, x->type.frac, out->type.frac);
	return x->type.frac;
}

bool
gate_relu_minus(struct gb *g, const char *name, unsigned clip_bits, double (*diff)(double))
{
	struct val *x = g->at->in[0];
	const unsigned n = x->type.bits, f = frac_of(g);
	const int64_t clip = (1 << clip_bits) - 1;
	struct clipped k;
	if (!clip_bits_of(g, x, f - 6, clip_bits, -clip, clip, name, &k)) /* steps of 1/64 */
		return false;
	const int64_t icept[4] = { clip, clip, 0, 0 }, slope[4] = { 0, 0, -1, 1 };
	struct val *c = b_open(g, b_lin4(g, k.d, k.i, k.y, clip_bits, icept, slope, arena_printf(g->p->arena, "%s_magnitude", name)));
	int64_t *t = b_words(g, 1u << clip_bits);
	for (int64_t j = 0; j <= clip; j++)
		t[j] = (int64_t)(diff((double)j / 64) * ldexp(1, (int)f));
	const char *tname = arena_printf(g->p->arena, "%s_f%u", name, f);
	struct val *delta = b_lut(g, c, clip_bits, n, b_table(g, tname, 1u << clip_bits, t));
	struct val *relu = b_select(g, k.d, x, n);
	return b_done(g, b_open(g, b_lin(g, 1, relu, -1, delta, 0, n, NULL)));
}

/* f(x) = offset + sign(x) * half(|x|).  Cells of 2^-step_bits; T[j] is half() in the middle of cell j: a
 * negative x in cell -j-1 has |x| in cell j. */
bool
gate_odd(struct gb *g, const char *name, unsigned step_bits, unsigned clip_bits, double offset, double (*half)(double))
{
	struct val *x = g->at->in[0];
	const unsigned n = x->type.bits, f = frac_of(g);
	const unsigned e = step_bits < f ? step_bits : f;
	clip_bits -= step_bits - e;
	const int64_t clip = (1 << clip_bits) - 1;
	struct clipped k;
	if (!clip_bits_of(g, x, f - e, clip_bits, -clip - 1, clip + 1, name, &k))
		return false;
	const int64_t icept[4] = { clip, clip, -1, 0 }, slope[4] = { 0, 0, -1, 1 };
	struct val *c = b_open(g, b_lin4(g, k.d, k.i, k.y, clip_bits, icept, slope, arena_printf(g->p->arena, "%s_magnitude", name)));
	int64_t *t = b_words(g, 1u << clip_bits);
	for (int64_t j = 0; j <= clip; j++)
		t[j] = llround(half(((double)j + 0.5) * ldexp(1, -(int)e)) * ldexp(1, (int)f));
	const char *tname = arena_printf(g->p->arena, "%s_f%u", name, f);
	struct val *v = b_open(g, b_lut(g, c, clip_bits, n, b_table(g, tname, 1u << clip_bits, t)));
	struct val *pos = b_open(g, b_select(g, k.d, v, n));
	return b_done(g, b_lin(g, 2, pos, -1, v, llround(offset * ldexp(1, (int)f)), n, NULL)); /* 2dT - T = +-T */
}

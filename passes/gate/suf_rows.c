/* SPDX-License-Identifier: Apache-2.0
 * suf_rows.c -- 1/S for the sum S of a softmax's row (after SUF: an interval look-up with hidden linear pieces).
 *
 *     2^(out+e) / (S / 2^f) on 2^B lines, whose intervals grow like S, rounded and shifted by e
 *
 * A line c0 + c1 S on [a, q a) is off by (q-1)^2 / (2 (q+1)^2), relatively, if it is balanced; with (longest+1)^(1/2^B)
 * for q this is below 10^-3 for 64 lines up to longest = 128, for 128 lines up to 512.  The shift e keeps the
 * rounding of c1 below 2^-13.  Half a unit of the result comes on top, so `out` should be at least
 * 10 + log2(longest).
 *
 * S may be a little less than 2^f: the largest term of a row is e^0 from a table, whose cell begins at 0.
 *
 * Opened, each under its own pad: B masked bits of the line's number in Gray code (from one comparison key), the line's
 * value, the borrow bit of the shift, the result; four rounds.
 * longest = 128, f = 12, out = 18: 760 bytes of key for a party on average, 101 bits sent into a ring of 57.
 * Conditions: (1 - 2^-7) 2^f <= S < (longest+1) 2^f; outside the result is wrong.
 */
#include <math.h>
#include "passes/gate/build.h"
#include "passes/gate/suf_rows.h"

static const double GOAL = 1e-3, SLOPE = 0x1p-13;

/* ---- the lines ------------------------------------------------------------------ */

/* Largest and least of (c0 + c1 x) x / c - 1 on [a, b], c1 < 0 */
static void
errors(double c0, double c1, double a, double b, double c, double *most, double *least)
{
	const double top = fmin(fmax(-c0 / (2 * c1), a), b), at[3] = { a, b, top };
	*most = -INFINITY;
	*least = INFINITY;
	for (int k = 0; k < 3; k++) {
		const double e = (c0 + c1 * at[k]) * at[k] / c - 1;
		*most = fmax(*most, e);
		*least = fmin(*least, e);
	}
}

/* The line for c / x on [a, b]: (a + b - x) x varies least around (a+b)^2/4 and a b; then c0 for the rounded c1. */
static double
line(double a, double b, double c, int64_t *c0, int64_t *c1)
{
	double most, least, lo = 0, hi = 4 * c / a;
	*c1 = -llround(2 * c / ((a + b) * (a + b) / 4 + a * b));
	if (*c1 == 0)
		*c1 = -1;
	for (int k = 0; k < 100; k++) {
		const double mid = (lo + hi) / 2;
		errors(mid, (double)*c1, a, b, c, &most, &least);
		*(most + least > 0 ? &hi : &lo) = mid;
	}
	*c0 = llround(lo);
	errors((double)*c0, (double)*c1, a, b, c, &most, &least);
	return fmax(most, -least);
}

static void
fit_lines(struct reciprocal *t, uint64_t longest, unsigned frac, unsigned out, unsigned bits)
{
	const uint32_t lines = 1u << bits;
	const double lo = ldexp(1 - 0x1p-7, (int)frac), hi = ldexp((double)longest + 1, (int)frac), q = pow(hi / lo, 1.0 / lines);
	/* |c1| off by 1/2, at most half of an interval (q-1) S away from where c0 makes up for it */
	const double slope = (q - 1) / 4 * hi * hi / SLOPE;
	const int shift = (int)ceil(log2(slope)) - (int)(frac + out);
	*t = (struct reciprocal){ .bits = bits, .shift = shift < 1 ? 1 : (unsigned)shift };
	for (uint32_t k = 0; k <= lines; k++)
		t->from[k] = llround(lo * pow(q, k));
	for (uint32_t k = 0; k < lines; k++) {
		const double a = (double)t->from[k], b = fmax(a, (double)t->from[k + 1] - 1);
		t->error = fmax(t->error, line(a, b, ldexp(1, (int)(frac + out + t->shift)), &t->c0[k], &t->c1[k]));
		t->c0[k] += INT64_C(1) << (t->shift - 1);
	}
}

void
reciprocal_fit(struct reciprocal *t, uint64_t longest, unsigned frac, unsigned out)
{
	const double half = ldexp((double)longest + 1, -(int)out) / 2, may = fmax(GOAL - half, GOAL / 2);
	for (unsigned bits = 1; bits <= RECIPROCAL_BITS; bits++) {
		fit_lines(t, longest, frac, out, bits);
		if (t->error <= may)
			return;
	}
}

unsigned
reciprocal_frac(uint64_t longest)
{
	unsigned log2 = 0;
	while (1ull << log2 < longest)
		log2++;
	return log2 + 10 > 18 ? log2 + 10 : 18;
}

int64_t
reciprocal_eval(const struct reciprocal *t, int64_t sum)
{
	uint32_t k = 0;
	while (k + 1 < 1u << t->bits && t->from[k + 1] <= sum)
		k++;
	return (t->c0[k] + t->c1[k] * sum) >> t->shift;
}

/* ---- the gate --------------------------------------------------------------------- */

/* Least k with v < 2^k, v >= 0 */
static unsigned
bits_of(int64_t v)
{
	unsigned k = 0;
	while (v >> k)
		k++;
	return k;
}

/* The line's number in Gray code, so that each cut counts for one bit: bit j changes at odd multiples of 2^j. */
static struct val *
line_number(struct gb *g, struct val *sum, const struct reciprocal *t, const char *name)
{
	const uint32_t lines = 1u << t->bits;
	struct cut_list list[RECIPROCAL_BITS];
	for (unsigned j = 0; j < t->bits; j++) {
		int64_t *at = b_words(g, lines);
		list[j] = (struct cut_list){ .at = at };
		for (uint32_t k = 1u << j; k < lines; k += 2u << j)
			at[list[j].n++] = t->from[k];
	}
	const unsigned b = bits_of(t->from[lines] - t->from[0]) + 1; /* |S - from[k]| < 2^(b-1) */
	return b_cuts(g, sum, 0, NULL, b, t->bits, list, name);
}

/* Made once. */
static const struct reciprocal *
fitted(struct arena *a, uint64_t longest, unsigned frac, unsigned out)
{
	const char *key = arena_printf(a, "reciprocal %llu %u %u", (unsigned long long)longest, frac, out);
	const struct reciprocal *known = arena_known(a, key);
	if (!known) {
		struct reciprocal *t = arena_alloc(arena_elder(a), sizeof *t);
		reciprocal_fit(t, longest, frac, out);
		arena_remember(a, key, t);
		known = t;
	}
	return known;
}

struct val *
b_reciprocal_row(struct gb *g, struct val *sum, uint64_t longest, unsigned frac, unsigned out, unsigned m)
{
	const struct reciprocal t = *fitted(g->p->arena, longest, frac, out);
	const uint32_t lines = 1u << t.bits;
	const unsigned n = bits_of(t.from[lines] - 1) + 2, wide = out + t.shift + 3, ring = wide > n ? wide : n; /* gaps: S < 2^(n-2), value < 2^(wide-2) */
	if (n > sum->type.bits || ring > 64)
		BUG("'%s': a reciprocal of %u in %u bits, with %u bits between", sum->name, n, sum->type.bits, ring);
	int64_t *c = b_words(g, 2 * (uint64_t)lines);
	for (uint32_t k = 0; k < lines; k++) {
		c[2 * (k ^ k >> 1)] = t.c0[k];
		c[2 * (k ^ k >> 1) + 1] = t.c1[k];
	}
	const char *name = arena_printf(g->p->arena, "reciprocal_%llu_f%u_o%u", (unsigned long long)longest, frac, out);
	struct val *x = b_reduce(g, sum, n), *index = line_number(g, x, &t, arena_printf(g->p->arena, "%s_from", name));
	struct val *y = b_open(g, b_pieces(g, x, index, t.bits, 1, c, true, ring, name));
	return m <= ring - t.shift ? b_trunc_reduce(g, y, t.shift, m) : b_trunc_slack(g, y, t.shift, m);
}

/* SPDX-License-Identifier: Apache-2.0
 * fixfun.c -- exponential, cosine and sine in integers (compact gates, docs/compact.md; Taylor series).
 *
 * A product of two parties' shares with a public table is right only if both have the same table, and libm differs from machine
 * to machine.  Tables of many entries are products of two short ones: e^(x+y) = e^x e^y, and the same for rotations.
 */
#include "fixfun.h"

enum { LOW_BITS_MAX = 8 };

/* ---- exponential ----------------------------------------------------------------- */

/* man 2^(exp - 63) 2^a, rounded; exp + a < 63 */
static uint64_t
rounded(struct suf_exp e, unsigned a)
{
	const int shift = 63 - e.exp - (int)a;           /* 1 .. 63, as e^(l/2^f) >= 1 */
	return ((e.man >> (shift - 1)) + 1) >> 1;
}

static struct suf_exp
product(struct suf_exp x, struct suf_exp y)
{
	const uint64_t high = suf_mulhi(x.man, y.man), twice = x.man * y.man >> 63;
	return high >> 63 ? (struct suf_exp){ high, x.exp + y.exp + 1 } : (struct suf_exp){ high << 1 | twice, x.exp + y.exp };
}

void
fix_exp_table(unsigned f, unsigned bits, unsigned a, uint64_t *to)
{
	const unsigned low = bits / 2 < LOW_BITS_MAX ? bits / 2 : LOW_BITS_MAX;
	struct suf_exp fine[1u << LOW_BITS_MAX];
	for (uint64_t l = 0; l >> low == 0; l++)
		fine[l] = suf_exp((int64_t)l, f);
	for (uint64_t h = 0; h >> (bits - low) == 0; h++) {
		const struct suf_exp coarse = suf_exp((int64_t)(h << low), f);
		for (uint64_t l = 0; l >> low == 0; l++)
			to[h << low | l] = rounded(product(coarse, fine[l]), a);
	}
}

/* ---- rotations ------------------------------------------------------------------------ */

static const int64_t one = INT64_C(1) << 62;

static int64_t
times(int64_t a, int64_t b)
{
	return (int64_t)((__int128)a * b >> 62);
}

/* x <= pi/4 */
static struct fix_turn
series(int64_t x)
{
	const int64_t z = times(x, x);
	struct fix_turn t = { one, one };
	for (int k = 20; k > 0; k -= 2) {
		t.c = one - times(z, t.c) / (k * (k - 1));
		t.s = one - times(z, t.s) / (k * (k + 1));
	}
	t.s = times(x, t.s);
	return t;
}

/* A quarter turn more for each k. */
static struct fix_turn
quarters(struct fix_turn t, uint64_t k)
{
	switch (k & 3) {
	case 1: return (struct fix_turn){ -t.s, t.c };
	case 2: return (struct fix_turn){ -t.c, -t.s };
	case 3: return (struct fix_turn){ t.s, -t.c };
	default: return t;
	}
}

struct fix_turn
fix_turn(uint64_t j, unsigned p)
{
	const int64_t half_pi = 0x6487ed5110b4611a;      /* pi/2 with 62 fraction bits */
	if (p < 3) {                                     /* eighths of a turn at least */
		j <<= 3 - p;
		p = 3;
	}
	const uint64_t quarter = (uint64_t)1 << (p - 2), k = j >> (p - 2), rest = j & (quarter - 1);
	const bool far = rest > quarter / 2;
	const struct fix_turn t = series((int64_t)((__int128)half_pi * (int64_t)(far ? quarter - rest : rest) >> (p - 2)));
	return quarters(far ? (struct fix_turn){ t.s, t.c } : t, k);
}

int64_t
fix_round(int64_t v, unsigned a)
{
	const unsigned shift = 62 - a;
	const int64_t up = ((v < 0 ? -v : v) >> (shift - 1)) + 1;
	return v < 0 ? -(up >> 1) : up >> 1;
}

static uint32_t
pair(struct fix_turn t, unsigned a)
{
	return (uint32_t)(fix_round(t.c, a) & 0xffff) | (uint32_t)(fix_round(t.s, a) & 0xffff) << 16;
}

void
fix_turn_table(unsigned p, unsigned a, uint32_t *to)
{
	const unsigned bits = p - 2, low = bits / 2 < LOW_BITS_MAX ? bits / 2 : LOW_BITS_MAX;
	struct fix_turn fine[1u << LOW_BITS_MAX];
	for (uint64_t l = 0; l >> low == 0; l++)
		fine[l] = fix_turn(l, p);
	for (uint64_t h = 0; h >> (bits - low) == 0; h++) {
		const struct fix_turn coarse = fix_turn(h << low, p);
		for (uint64_t l = 0; l >> low == 0; l++) {
			const struct fix_turn y = fine[l];
			const struct fix_turn t = { times(coarse.c, y.c) - times(coarse.s, y.s), times(coarse.s, y.c) + times(coarse.c, y.s) };
			for (uint64_t k = 0; k < 4; k++)
				to[k << bits | h << low | l] = pair(quarters(t, k), a);
		}
	}
}

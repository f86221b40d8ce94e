/* SPDX-License-Identifier: Apache-2.0
 * check_exps.c -- numbers and tables of steps exps and trig that go together: nothing is shifted by more than a word has, no
 * integer of their tables overflows, nothing is read beyond a table.
 */
#include "check.h"
#include "kernels/trig.h"
#include "run.h"

static bool between(int64_t x, int64_t lo, int64_t hi) { return lo <= x && x <= hi; }

/* The parties' factor, up to e^(2^(n-b) / 2^ca) 2^A, stays below 2^62: log2(e) < 1478/1024. */
static bool
factor_fits(unsigned cell_bits, int64_t frac, int64_t a)
{
	const uint64_t nats1024 = (UINT64_C(1478) << cell_bits) >> frac;
	return (int64_t)(nats1024 >> 10) + 1 + a <= 62;
}

bool
check_exps(const struct suf_step *s)
{
	return between(s->b, 1, 6) && between(s->n - s->b, 0, 16) && between(s->ca, 0, 32) && between(s->c, -(INT64_C(1) << 32), INT64_C(1) << 32) &&
	       between(s->cb, 0, (1 << 18) - 1) && factor_fits((unsigned)(s->n - s->b), s->ca, s->cb & 0xff) && between(s->m, 1, 64) && s->s <= 128;
}

bool
check_trig(const struct suf_step *s)
{
	const uint64_t terms = suf_trig_terms(s);
	if (!terms || !between(s->b, 2, SUF_TRIG_MAX_PERIOD) || !between(s->n, s->b, 62) || s->m < 1 || s->m + s->s > 64)
		return false;
	const int64_t *v = s->table->v;
	for (uint32_t k = SUF_TRIG_COEF; k < s->table->len; k++)
		if (!between(v[k], -INT32_MAX, INT32_MAX))
			return false;
	return between(v[SUF_TRIG_A], 0, 14) && between(v[SUF_TRIG_B], 0, 24) && between(v[SUF_TRIG_LINEAR], -1, 63);
}

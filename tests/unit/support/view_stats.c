/* SPDX-License-Identifier: Apache-2.0
 * view_stats.c -- see view_stats.h. */
#include "view_stats.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

static const double far_off = 8.5, /* standard deviations */ far_off_chi = VIEW_FAR_CHI;

void
view_put(struct columns *v, enum form form, uint64_t value, unsigned bits)
{
	for (unsigned k = 0; k < bits; k++, v->at++) {
		if (v->at == VIEW_COLUMNS)
			fail_msg("a view has more than %d bits", VIEW_COLUMNS);
		v->form[v->at] = (uint8_t)form;
		v->col[v->at][v->session / 64] |= (value >> k & 1) << v->session % 64;
	}
}

/* The columns of one form of the messages, gathered. */
static uint32_t
gather(const struct columns *v, enum form form, uint64_t (*to)[VIEW_WORDS])
{
	uint32_t n = 0;
	for (uint32_t k = 0; k < v->n; k++)
		if (v->form[k] == HELD || v->form[k] == form)
			memcpy(to[n++], v->col[k], sizeof v->col[k]);
	return n;
}

static uint32_t
ones_of(const uint64_t *a, const uint64_t *b, uint32_t words)
{
	uint64_t n = 0;
	for (uint32_t w = 0; w < words; w++) { /* two bits, four, bytes, summed */
		uint64_t x = a[w] ^ (b ? b[w] : 0);
		x -= x >> 1 & 0x5555555555555555ull;
		x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
		n += ((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full) * 0x0101010101010101ull >> 56;
	}
	return (uint32_t)n;
}

/* Exclusive ors of any columns, and of all ones, that are 0 in every session. */
static uint32_t
dependent(uint64_t (*row)[VIEW_WORDS], uint32_t n, uint32_t words)
{
	uint32_t rank = 0;
	memset(row[n++], 0xff, words * 8);
	for (uint32_t bit = 0; bit < 64 * words && rank < n; bit++) {
		uint32_t k = rank;
		while (k < n && !(row[k][bit / 64] >> bit % 64 & 1))
			k++;
		if (k == n)
			continue;
		for (uint32_t w = 0; w < words; w++) {
			uint64_t t = row[k][w];
			row[k][w] = row[rank][w];
			row[rank][w] = t;
		}
		for (k++; k < n; k++)
			if (row[k][bit / 64] >> bit % 64 & 1)
				for (uint32_t w = bit / 64; w < words; w++)
					row[k][w] ^= row[rank][w];
		rank++;
	}
	return n - rank;
}

static void
cells(uint64_t (*col)[VIEW_WORDS], uint32_t words, double to[16])
{
	for (int k = 0; k < 16; k++)
		to[k] = 0;
	for (uint32_t i = 0; i < 64 * words; i++) {
		unsigned v = 0;
		for (int k = 0; k < 4; k++)
			v |= (unsigned)(col[k][i / 64] >> i % 64 & 1) << k;
		to[v]++;
	}
}

static void
judge_fours(uint64_t (*a)[VIEW_WORDS], uint64_t (*b)[VIEW_WORDS], uint32_t n, uint32_t words, struct verdict *to)
{
	const double want = 4.0 * words;
	for (uint32_t i = 0; i + 4 <= n; i += 4) {
		double x[16], y[16], chi = 0, both = 0;
		cells(a + i, words, x);
		if (b)
			cells(b + i, words, y);
		for (int k = 0; k < 16; k++) {
			chi += (x[k] - want) * (x[k] - want) / want;
			both += b && x[k] + y[k] > 0 ? (x[k] - y[k]) * (x[k] - y[k]) / (x[k] + y[k]) : 0;
		}
		to->chi = fmax(to->chi, chi);
		to->differs |= both > far_off_chi;
	}
}

double
view_four(const struct columns *v, const uint32_t column[4], uint32_t words)
{
	uint64_t four[4][VIEW_WORDS];
	struct verdict to = { 0 };
	for (int k = 0; k < 4; k++)
		memcpy(four[k], v->col[column[k]], sizeof four[k]);
	judge_fours(four, NULL, 4, words, &to);
	return to.chi;
}

void
view_judge(const struct columns *a, const struct columns *b, uint32_t words, struct verdict *to)
{
	static uint64_t ca[VIEW_COLUMNS + 1][VIEW_WORDS], cb[VIEW_COLUMNS + 1][VIEW_WORDS];
	const double n = 64.0 * words;
	*to = (struct verdict){ 0 };
	for (enum form form = SENT; form < NFORM; form++) {
		uint32_t na = gather(a, form, ca);
		to->columns = na > to->columns ? na : to->columns;
		if (na + 64 > 64 * words)
			fail_msg("%u columns are too many for %u sessions", na, 64 * words);
		if (b)
			assert_int_equal(gather(b, form, cb), na);
		to->constant += dependent(ca, na, words);
		if (!b && to->constant)
			return;
		gather(a, form, ca);
		for (uint32_t i = 0; i < na && (b || to->worst < far_off); i++)
			for (uint32_t j = 0; j <= i; j++) {
				double x = ones_of(ca[i], i == j ? NULL : ca[j], words), y = b ? ones_of(cb[i], i == j ? NULL : cb[j], words) : x;
				to->worst = fmax(to->worst, fabs(x - n / 2) / sqrt(n / 4));
				to->differs |= fabs(x - y) > far_off * sqrt(n / 2);
			}
		judge_fours(ca, b ? cb : NULL, na, words, to);
	}
}

bool
view_fine(const struct verdict *v)
{
	return v->worst < far_off && v->chi < far_off_chi && v->constant == 0 && !v->differs;
}

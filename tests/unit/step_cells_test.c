/* SPDX-License-Identifier: Apache-2.0
 * Steps cells and cellfix against their definition, with the mask at hand: exhaustively in small rings, randomly in large
 * ones, in all formats of the words, at the ends of the range and beyond, through dealer and both parties.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "step_harness.h"
#include <cmocka.h>
#include "passes/gate/compact_cells.h"

/* n: of x; m, s: of the result; narrow: what its opening drops. */
struct cells_case { unsigned n, b, cell, f[3], w[3], frac, q, m, s, narrow; };
static const char portable[] = "portable";

static int64_t
below(double end)
{
	const int64_t most = (int64_t)end;
	return most > 0 ? (int64_t)(harness_random() % (2 * (uint64_t)most + 1)) - most : 0;
}

/* Coefficients whose words may be as large as w - 2 bits. */
static struct suf_table
random_table(const struct cells_case *k)
{
	const uint32_t len = SUF_CELL_HEAD + (3u << k->b);
	int64_t *t = malloc(len * sizeof *t);
	double most[3];
	assert_non_null(t);
	for (int z = 0; z < 3; z++) {
		t[2 * z] = k->f[z];
		t[2 * z + 1] = k->w[z];
		most[z] = ((double)(1ull << (k->w[z] - 2)) - 0.6) * (double)(1ull << (k->q - k->f[z]));
		if (most[z] > (double)(1ull << (59 - 2 * k->cell)))
			most[z] = (double)(1ull << (59 - 2 * k->cell));
	}
	t[SUF_CELL_FRAC] = k->frac;
	t[SUF_CELL_Q] = k->q;
	t[SUF_CELL_SIZE] = k->cell;
	for (uint32_t i = SUF_CELL_HEAD; i < len; i += 3) {
		const double p2 = most[2] < most[1] / 4 ? most[2] : most[1] / 4, p1 = most[1] / 2;
		const bool flat = harness_random() % 4 == 0;
		t[i + 2] = flat ? 0 : below(p2 < most[0] / 4 ? p2 : most[0] / 4);
		t[i + 1] = flat ? 0 : below(p1 < most[0] / 4 ? p1 : most[0] / 4);
		t[i] = flat ? (harness_random() % 2 ? (int64_t)most[0] : -(int64_t)most[0]) : below(most[0] / 2);
	}
	const struct suf_table table = { "t", len, t };
	assert_true(check_cell_table(&table, k->b));
	return table;
}

static enum suf_err
portable_body(struct suf_run *r)
{
	const struct harness *h = (const struct harness *)r->prog;
	enum suf_err e = SUF_OK;
	r->isa = SUF_ISA_PORTABLE;
	for (uint32_t i = 0; i < h->nitem && !e; i++) {
		e = suf_step(r, &h->item[i].s);
		if (!e && h->item[i].round_after)
			e = suf_round(r);
	}
	return e;
}

/* The masks of an input that was run. */
static void
masks(const struct harness *h, uint32_t id, uint64_t count, unsigned bits, uint64_t *r)
{
	struct prg_stream_key key;
	prg_stream_init(&key, &h->client);
	prg_stream(SUF_ISA_PORTABLE, &key, id, RUN_TAG_INPUT, 0, count, bits, r);
}

/* cells, its openings, cellfix; opened, the last bits dropped or not. */
static struct suf_ref
steps(struct harness *h, const struct cells_case *k, struct suf_ref x, uint64_t count, int64_t origin, const struct suf_table *t)
{
	struct suf_ref w[4], out = harness_wire(h, count);
	for (int z = 0; z < 4; z++)
		w[z] = harness_wire(h, count);
	harness_step(h, (struct suf_step){ .op = SUF_cells, .count = count, .na = count, .n = (uint8_t)k->n, .m = (uint8_t)k->w[2], .s = (uint8_t)k->cell,
		.b = (uint8_t)k->b, .c = origin, .table = t, .in = { x }, .out = { w[0], w[1], w[2], w[3] } });
	for (int z = 0; z < 3; z++)
		harness_open(h, w[z], count, k->w[z]);
	harness_round(h);
	const uint32_t id = harness_step(h, (struct suf_step){ .op = SUF_cellfix, .count = count, .na = count, .nb = count, .n = (uint8_t)k->n, .m = (uint8_t)k->m,
		.s = (uint8_t)k->s, .b = (uint8_t)k->b, .table = t, .in = { x, w[3], w[0], w[1], w[2] }, .out = { out } });
	harness_step(h, (struct suf_step){ .op = SUF_open, .count = count, .n = (uint8_t)k->m, .m = (uint8_t)(k->m - k->narrow), .s = (uint8_t)k->narrow, .pad_a = id,
		.in = { out }, .out = { out } });
	harness_round(h);
	return out;
}

/* The definition, off by less than one unit after each of both cuts; the sum of what it is off by. */
static double
compare(const struct harness *h, const struct cells_case *k, uint64_t count, int64_t origin, const struct suf_table *t, const uint64_t *x)
{
	const unsigned drop = k->s + k->narrow, ring = k->m + k->s;
	uint64_t *r = malloc(count * 8);
	double sum = 0;
	masks(h, h->input[0].step, count, k->n, r);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t place = (x[i] - (uint64_t)origin) & ring_mask(k->b + k->cell);
		const __int128 y = cells_value(t->v, k->b, place, r[i] & ring_mask(k->cell));
		const __int128 got = (__int128)h->out_party[i & 1][0][i] * ((__int128)1 << drop);
		__int128 off = (__int128)((unsigned __int128)(got - y) << (128 - ring)) >> (128 - ring);
		if (off <= -((__int128)1 << drop) * (1 + (k->narrow > 0)) || off >= ((__int128)1 << drop) * (1 + (k->narrow > 0)) || (drop == 0 && off))
			fail_msg("n %u b %u cell %u m %u s %u: element %llu, place %llu, is %g units off", k->n, k->b, k->cell, k->m, k->s, (unsigned long long)i,
			         (unsigned long long)place, (double)off / (double)((__int128)1 << drop));
		sum += (double)off / (double)((__int128)1 << drop);
	}
	free(r);
	return sum;
}

/* Returns the mean of what results are off by, in units. */
static double
run_case(const struct cells_case *k, uint64_t count, const char *isa)
{
	struct harness h;
	const struct suf_table t = random_table(k);
	const int64_t origin = (int64_t)harness_random() >> (harness_random() % 63);
	uint64_t *x = malloc(count * 8);
	assert_non_null(x);
	for (uint64_t i = 0; i < count; i++)
		x[i] = (k->n < 12 ? i : harness_random()) & ring_mask(k->n);
	harness_init(&h);
	if (isa)
		h.prog.body = portable_body;
	struct suf_ref in = harness_input(&h, count, k->n, x);
	harness_round(&h);
	struct suf_ref out = steps(&h, k, in, count, origin, &t);
	harness_output(&h, out, count, k->m - k->narrow);
	harness_run(&h);
	const double mean = compare(&h, k, count, origin, &t, x) / (double)count;
	harness_free(&h);
	free(x);
	free((void *)(uintptr_t)t.v);
	return mean;
}

/* All places, each with about all masks; rings of the result from one bit to more than a word. */
static void
test_small(void **state)
{
	(void)state;
	static const unsigned result[][2] = { { 1, 0 }, { 3, 0 }, { 6, 2 }, { 12, 0 }, { 12, 5 }, { 30, 0 }, { 64, 0 }, { 63, 1 }, { 64, 1 }, { 64, 16 }, { 64, 64 } };
	for (unsigned b = 3; b <= 6; b++)
		for (unsigned cell = 1; cell <= 3; cell++)
			for (unsigned i = 0; i < sizeof result / sizeof result[0]; i++) {
				const unsigned frac = cell + 2 + i % 5;
				const struct cells_case k = { b + cell + i % 3, b, cell, { frac - 2 * (i % 2), frac - cell - i % 3, frac - i % 3 }, { 3 + i % 4, 3 + i % 2, 3 + i % 3 },
				                              frac, frac + i % 4, result[i][0], result[i][1], 0 };
				run_case(&k, (16ull << k.n) + 8 * i + 3, i % 2 ? portable : NULL);
			}
}

/* Formats as they are used; blocks of both parties' corrections. */
static const struct cells_case large[] = {
	{ 16, 8, 7, { 12, 12, 13 }, { 19, 12, 8 }, 24, 30, 38, 12, 0 },   /* GELU, in a ring of 16 bits */
	{ 17, 9, 7, { 12, 12, 13 }, { 20, 12, 8 }, 24, 30, 39, 12, 0 },
	{ 37, 8, 8, { 14, 14, 15 }, { 19, 14, 11 }, 24, 30, 20, 15, 0 },  /* a logarithm */
	{ 16, 8, 8, { 16, 17, 17 }, { 19, 15, 12 }, 30, 30, 64, 0, 0 },   /* an inverse root */
	{ 64, 8, 8, { 16, 17, 17 }, { 19, 15, 12 }, 30, 30, 64, 16, 0 },  /* in rings of more than a word */
	{ 50, 10, 9, { 10, 9, 10 }, { 21, 12, 9 }, 20, 28, 60, 10, 0 },
	{ 48, 7, 10, { 12, 10, 9 }, { 20, 14, 10 }, 22, 30, 50, 3, 0 },
	{ 40, 10, 12, { 8, 8, 8 }, { 18, 12, 10 }, 20, 20, 28, 12, 0 },   /* rows of words that are not kept */
	{ 18, 3, 14, { 14, 14, 14 }, { 16, 16, 14 }, 28, 30, 44, 20, 0 },
	{ 33, 6, 16, { 10, 4, 9 }, { 14, 16, 12 }, 20, 18, 33, 12, 0 },
	{ 16, 8, 7, { 12, 12, 13 }, { 19, 12, 8 }, 24, 30, 38, 12, 5 },   /* narrow openings, whose rounding depends on the shares */
	{ 20, 5, 7, { 12, 12, 13 }, { 19, 12, 8 }, 24, 30, 64, 14, 20 },
	{ 20, 4, 7, { 12, 12, 13 }, { 19, 12, 8 }, 24, 30, 40, 0, 12 },
};

static void
test_large(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
		run_case(&large[i], 1024 * (i % 3) + 1 + 77 * i, NULL);
		run_case(&large[i], 1100 + 77 * i, portable);
	}
	run_case(&large[0], 5000, NULL);
	run_case(&large[4], 1, NULL);
}

/* 100000 roundings: the mean is 0 within 6 deviations. */
static void
test_truncation_is_unbiased(void **state)
{
	(void)state;
	const double mean = run_case(&large[0], 100000, NULL);
	assert_true(mean > -0.008 && mean < 0.008);
}

/* The words by themselves: opened without their last bit, for the simulator's shares must be right. */
static void
test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < 7; i++) {
		const struct cells_case *k = &large[i];
		const uint64_t count = 700 + 100 * i;
		struct harness h;
		const struct suf_table t = random_table(k);
		uint64_t *x = malloc(count * 8), *r = malloc(count * 8);
		struct suf_ref w[4];
		for (uint64_t e = 0; e < count; e++)
			x[e] = harness_random() & ring_mask(k->n);
		harness_init(&h);
		struct suf_ref in = harness_input(&h, count, k->n, x);
		harness_round(&h);
		for (int z = 0; z < 4; z++)
			w[z] = harness_wire(&h, count);
		harness_step(&h, (struct suf_step){ .op = SUF_cells, .count = count, .na = count, .n = (uint8_t)k->n, .m = (uint8_t)k->w[2], .s = (uint8_t)k->cell,
			.b = (uint8_t)k->b, .c = 5, .table = &t, .in = { in }, .out = { w[0], w[1], w[2], w[3] } });
		for (int z = 0; z < 3; z++)
			harness_step(&h, (struct suf_step){ .op = SUF_open, .count = count, .n = (uint8_t)k->w[z], .m = (uint8_t)(k->w[z] - 1), .s = 1, .round_half = 1,
				.in = { w[z] }, .out = { w[z] } });
		harness_round(&h);
		for (int z = 0; z < 3; z++)
			harness_output(&h, w[z], count, k->w[z] - 1);
		harness_run(&h);
		masks(&h, h.input[0].step, count, k->n, r);
		unsigned minus = 0;
		for (uint64_t e = 0; e < count; e++) {
			const struct suf_cells c = suf_cells_of(t.v);
			const uint64_t place = (x[e] - 5) & ring_mask(k->b + k->cell), at = place + (r[e] & ring_mask(k->cell));
			int64_t word[3];
			suf_cells_words(&c, t.v + SUF_CELL_HEAD + 3 * (at >> k->cell & ring_mask(k->b)), at & ring_mask(k->cell), word);
			bool same[2] = { true, true };
			for (int z = 0; z < 3; z++)
				for (int sign = 0; sign < 2; sign++) {
					const int64_t want = (sign ? -word[z] : word[z]) + ((int64_t)1 << (k->w[z] - 2));
					const int64_t off = 2 * (int64_t)h.out_party[0][z][e] - want;
					same[sign] &= off >= -2 && off <= 2;
				}
			assert_true(same[0] || same[1]);
			minus += !same[0];
		}
		assert_true(minus > count / 3 && minus < 2 * count / 3); /* nearly: small words pass with both signs */
		harness_free(&h);
		free(x);
		free(r);
		free((void *)(uintptr_t)t.v);
	}
}

/* A table that does not fit is refused, one number at a time. */
static void
test_tables_are_checked(void **state)
{
	(void)state;
	static const struct { int at; int64_t value; } bad[] = {
		{ 0, 25 }, { 0, -1 }, { 2, 18 }, { 4, 31 }, { 1, 2 }, { 1, 41 }, { 3, 41 }, { 5, 60 }, { SUF_CELL_FRAC, 41 }, { SUF_CELL_FRAC, 18 }, { SUF_CELL_Q, 50 },
		{ SUF_CELL_Q, 11 }, { SUF_CELL_SIZE, 0 }, { SUF_CELL_SIZE, 17 }, { SUF_CELL_HEAD, 1ll << 36 }, { SUF_CELL_HEAD + 1, 1ll << 29 }, { SUF_CELL_HEAD + 2, 1ll << 24 },
		{ SUF_CELL_HEAD + 3 * 255, INT64_MIN }, { SUF_CELL_HEAD + 3 * 255 + 1, INT64_MAX },
	};
	struct suf_table t = random_table(&large[0]);
	int64_t *v = (int64_t *)(uintptr_t)t.v;
	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
		const int64_t was = v[bad[k].at];
		v[bad[k].at] = bad[k].value;
		if (check_cell_table(&t, 8))
			fail_msg("%lld at %d", (long long)bad[k].value, bad[k].at);
		v[bad[k].at] = was;
	}
	/* A = p0 + p1 t + p2 t^2 is too large inside of a cell only: 2^16 + 3 * 2^14 t (1 - t) in words of 19 bits */
	memset(v + SUF_CELL_HEAD, 0, (t.len - SUF_CELL_HEAD) * sizeof *v);
	v[1] = 19;
	v[3] = v[5] = 12;
	v[SUF_CELL_HEAD] = (131072 - 12288) * (1ll << 18);
	v[SUF_CELL_HEAD + 1] = 3 * (1ll << 14) * (1ll << 18);
	v[SUF_CELL_HEAD + 2] = -v[SUF_CELL_HEAD + 1];
	v[SUF_CELL_Q] = 30;
	v[2] = v[4] = 0;
	assert_false(check_cell_table(&t, 8));
	v[SUF_CELL_HEAD] -= 1 << 20;
	assert_true(check_cell_table(&t, 8));
	assert_false(check_cell_table(&t, 7));
	assert_false(check_cell_table(&t, 9));
	free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small), cmocka_unit_test(test_large), cmocka_unit_test(test_truncation_is_unbiased), cmocka_unit_test(test_words),
		cmocka_unit_test(test_tables_are_checked)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

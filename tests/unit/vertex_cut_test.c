/* SPDX-License-Identifier: Apache-2.0
 * vertex_cut_test.c -- cheapest cuts of random graphs against all subsets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "passes/vertex_cut.h"

enum { MOST = 10 };
static uint64_t state = 5;

static int
below(int n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (int)((state >> 33) % (uint64_t)n);
}

/* The vertices that are reached when those of `cut` stop every path; -1: a sink is reached by others. */
static int
reach(const struct vertex *v, int n, const struct edge *e, int nedge, unsigned cut)
{
	unsigned seen = 0, before;
	for (int i = 0; i < n; i++)
		seen |= (unsigned)v[i].source << i;
	do {
		before = seen;
		for (int k = 0; k < nedge; k++)
			if (seen & ~cut & 1u << e[k].from)
				seen |= 1u << e[k].to;
	} while (seen != before);
	for (int i = 0; i < n; i++)
		if (v[i].sink && seen & ~cut & 1u << i)
			return -1;
	return (int)seen;
}

static void
random_graphs(void **unused)
{
	(void)unused;
	int with_cut = 0;
	for (int again = 0; again < 4000; again++) {
		struct vertex v[MOST] = { { .cost = 0 } };
		struct edge e[30];
		const int n = 1 + below(MOST), nedge = n > 1 ? below(3 * n) : 0;
		for (int i = 0; i < n; i++)
			v[i] = (struct vertex){ .cost = 1 + below(4), .source = below(3) == 0, .sink = below(3) == 0 };
		for (int k = 0; k < nedge; k++) {
			e[k].from = below(n - 1);
			e[k].to = e[k].from + 1 + below(n - 1 - e[k].from);
		}
		int64_t best = INT64_MAX, cost = 0;
		unsigned least = 0, cut = 0, reached = 0; /* least: what every cheapest cut reaches */
		for (unsigned set = 0; set < 1u << n; set++) {
			int64_t c = 0;
			for (int i = 0; i < n; i++)
				c += set >> i & 1 ? v[i].cost : 0;
			const int seen = c <= best ? reach(v, n, e, nedge, set) : -1;
			if (seen < 0)
				continue;
			least = c < best ? (unsigned)seen : least & (unsigned)seen;
			best = c;
		}
		struct arena *a = arena_new();
		vertex_cut(a, v, n, e, nedge);
		arena_free(a);
		for (int i = 0; i < n; i++) {
			cut |= (unsigned)v[i].cut << i;
			reached |= (unsigned)v[i].reached << i;
			cost += v[i].cut ? v[i].cost : 0;
		}
		assert_int_equal(cost, best);
		assert_int_equal(reach(v, n, e, nedge, cut), reached);
		assert_int_equal(reached, least);        /* next to the sources */
		with_cut += cut != 0;
	}
	assert_true(with_cut > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_graphs) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

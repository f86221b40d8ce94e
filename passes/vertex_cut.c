/* SPDX-License-Identifier: Apache-2.0
 * vertex_cut.c -- cheapest vertex cut by a maximum flow: vertex i becomes an arc from 2i to 2i+1 with its cost as
 * capacity, edges have no limit.  Shortest augmenting paths (Edmonds and Karp): each fills an arc, and the graphs
 * of programs are chains, so that there are about as many of them as sources.
 */
#include <string.h>
#include "passes/vertex_cut.h"

static const int64_t NO_LIMIT = INT64_MAX / 2;

struct arc { int to, next; int64_t room; }; /* arc k^1 leads back */
struct net { struct arc *arc; int *first, *by, *queue; int narc, nnode, from, to; };

static void add_arc(struct net *g, int from, int to, int64_t room)
{
	g->arc[g->narc] = (struct arc){ to, g->first[from], room };
	g->first[from] = g->narc++;
	g->arc[g->narc] = (struct arc){ from, g->first[to], 0 };
	g->first[to] = g->narc++;
}

/* by[i]: the arc over which node i was reached, -1: not reached, -2: the start.  Does a path lead to the end? */
static bool search(struct net *g)
{
	int at = 0, n = 1;
	for (int i = 0; i < g->nnode; i++)
		g->by[i] = -1;
	g->by[g->from] = -2;
	g->queue[0] = g->from;
	for (; at < n; at++)
		for (int k = g->first[g->queue[at]]; k >= 0; k = g->arc[k].next)
			if (g->arc[k].room > 0 && g->by[g->arc[k].to] == -1) {
				g->by[g->arc[k].to] = k;
				g->queue[n++] = g->arc[k].to;
			}
	return g->by[g->to] != -1;
}

static void augment(struct net *g)
{
	int64_t room = NO_LIMIT;
	for (int i = g->to; i != g->from; i = g->arc[g->by[i] ^ 1].to)
		room = g->arc[g->by[i]].room < room ? g->arc[g->by[i]].room : room;
	for (int i = g->to; i != g->from; i = g->arc[g->by[i] ^ 1].to) {
		g->arc[g->by[i]].room -= room;
		g->arc[g->by[i] ^ 1].room += room;
	}
}

void vertex_cut(struct arena *a, struct vertex *v, int n, const struct edge *e, int nedge)
{
	struct net g = { .nnode = 2 * n + 2, .from = 2 * n, .to = 2 * n + 1 };
	g.arc = arena_alloc(a, 2 * ((size_t)nedge + 3 * (size_t)n) * sizeof *g.arc);
	g.first = arena_alloc(a, (size_t)g.nnode * sizeof *g.first);
	g.by = arena_alloc(a, (size_t)g.nnode * sizeof *g.by);
	g.queue = arena_alloc(a, (size_t)g.nnode * sizeof *g.queue);
	memset(g.first, -1, (size_t)g.nnode * sizeof *g.first);
	for (int i = 0; i < n; i++) {
		add_arc(&g, 2 * i, 2 * i + 1, v[i].cost);
		if (v[i].source)
			add_arc(&g, g.from, 2 * i, NO_LIMIT);
		if (v[i].sink)
			add_arc(&g, 2 * i + 1, g.to, NO_LIMIT);
	}
	for (int k = 0; k < nedge; k++)
		add_arc(&g, 2 * e[k].from + 1, 2 * e[k].to, NO_LIMIT);
	while (search(&g))
		augment(&g);
	for (int i = 0; i < n; i++) {
		v[i].reached = g.by[2 * i] != -1;
		v[i].cut = v[i].reached && g.by[2 * i + 1] == -1;
	}
}

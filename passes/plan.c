/* SPDX-License-Identifier: Apache-2.0
 * plan.c -- pass `plan`: where every value lies in the wire buffer.
 *
 * A value lives from its step to its last use in program order; aliases and the
 * two sides of an opening are one value.  A slot is given by best fit from the
 * free gaps, so the buffer is about as large as the largest set of values that
 * live at once.  Weights get their number in order of first use.
 */
#include <stdlib.h>
#include <string.h>
#include "passes/passes.h"

enum { ALIGN = 8 };                          /* elements: one cache line */

struct life { struct val *root; uint64_t size; long last; };
struct gap { uint64_t at, size; };
struct layout {
	struct gap *gap; size_t ngap, cap;   /* free, sorted by place, never adjacent */
	uint64_t end;                        /* nothing was ever placed from here on */
};

/* An opening writes where its share is; an alias is another view. */
static struct val *root_of(struct val *v)
{
	for (;;) {
		if (v->def && v->def->op == OP_step && v->def->step->op == SUF_open)
			v = v->def->in[0];
		else if (v->alias)
			v = v->alias;
		else
			return v;
	}
}

static uint64_t place(struct layout *l, uint64_t size)
{
	size_t best = l->ngap;
	for (size_t i = 0; i < l->ngap; i++)
		if (l->gap[i].size >= size && (best == l->ngap || l->gap[i].size < l->gap[best].size))
			best = i;
	if (best < l->ngap) {
		struct gap *g = &l->gap[best];
		uint64_t at = g->at;
		g->at += size;
		g->size -= size;
		if (g->size == 0)
			memmove(g, g + 1, (--l->ngap - best) * sizeof *g);
		return at;
	}
	uint64_t at = l->end;
	if (l->ngap && l->gap[l->ngap - 1].at + l->gap[l->ngap - 1].size == l->end)
		at = l->gap[--l->ngap].at;           /* grow the last gap */
	l->end = at + size;
	return at;
}

static void release(struct layout *l, uint64_t at, uint64_t size)
{
	size_t i = 0;
	while (i < l->ngap && l->gap[i].at < at)
		i++;
	bool left = i > 0 && l->gap[i - 1].at + l->gap[i - 1].size == at;
	bool right = i < l->ngap && at + size == l->gap[i].at;
	if (left && right) {
		l->gap[i - 1].size += size + l->gap[i].size;
		memmove(&l->gap[i], &l->gap[i + 1], (--l->ngap - i) * sizeof *l->gap);
	} else if (left) {
		l->gap[i - 1].size += size;
	} else if (right) {
		l->gap[i].at = at;
		l->gap[i].size += size;
	} else {
		if (l->ngap == l->cap) {
			l->cap = l->cap ? 2 * l->cap : 64;
			l->gap = realloc(l->gap, l->cap * sizeof *l->gap);
			if (!l->gap)
				BUG("out of memory for %zu gaps", l->cap);
		}
		memmove(&l->gap[i + 1], &l->gap[i], (l->ngap++ - i) * sizeof *l->gap);
		l->gap[i] = (struct gap){ at, size };
	}
}

/* --- lives: one per root, found through the root's slot field while planning --- */

static uint64_t elements(const struct node *n, int k)
{
	uint64_t count = (uint64_t)ir_count(n->out[k]);
	return n->step->count > count ? n->step->count : count;
}

static bool on_wire(const struct val *v) { return !v->data; }

/* What a round exchanges is there until its exchange, used later or not. */
static void keep_messages(struct prog *p, struct life *life, long now)
{
	const struct node *end = NULL;
	long last = now;
	for (struct node *n = p->last; n; n = n->prev, now--) {
		bool message = n->step->op == SUF_open || n->step->op == SUF_input;
		if (!message)
			continue;
		if (!end || end->round != n->round) {
			end = n;
			last = now;
		}
		struct life *l = &life[root_of(n->out[0])->slot];
		l->last = last > l->last ? last : l->last;
	}
}

static size_t collect(struct prog *p, struct life *life)
{
	size_t count = 0;
	long now = 0;
	for (struct node *n = p->first; n; n = n->next, now++) {
		for (int k = 0; k < n->nin; k++)
			if (on_wire(n->in[k]))
				life[root_of(n->in[k])->slot].last = now;
		for (int k = 0; k < n->nout; k++) {
			struct val *root = root_of(n->out[k]);
			if (root == n->out[k]) {
				root->slot = count;
				life[count++] = (struct life){ .root = root };
			}
			struct life *l = &life[root->slot];
			uint64_t size = (elements(n, k) + ALIGN - 1) / ALIGN * ALIGN;
			l->size = size > l->size ? size : l->size;
			l->last = now;
		}
	}
	keep_messages(p, life, now - 1);
	return count;
}

static int by_last(const void *a, const void *b)
{
	const struct life *x = *(struct life *const *)a, *y = *(struct life *const *)b;
	return (x->last > y->last) - (x->last < y->last);
}

/* In program order: the outputs of a step get their places while its operands still have theirs. */
static void assign(struct prog *p, struct layout *l, struct life *life, struct life **ending, size_t count)
{
	size_t made = 0, gone = 0;
	long now = 0;
	for (struct node *n = p->first; n; n = n->next, now++) {
		for (int k = 0; k < n->nout; k++)
			if (made < count && life[made].root == n->out[k]) {
				life[made].root->slot = place(l, life[made].size);
				made++;
			}
		for (; gone < count && ending[gone]->last <= now; gone++)
			release(l, ending[gone]->root->slot, ending[gone]->size);
	}
}

static void number_weights(struct prog *p)
{
	uint64_t next = 1;                       /* one more than the index while counting; 0: not seen */
	for (int i = 0; i < p->nvals; i++)
		if (p->vals[i]->data)
			p->vals[i]->slot = 0;
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++)
			if (n->in[k]->data && n->in[k]->slot == 0)
				n->in[k]->slot = next++;
	for (int i = 0; i < p->nvals; i++)
		if (p->vals[i]->data && p->vals[i]->slot > 0)
			p->vals[i]->slot--;
}

bool pass_plan(struct prog *p)
{
	struct layout l = { .end = 0 };
	size_t most = 0;
	for (const struct node *n = p->first; n; n = n->next)
		most += (size_t)n->nout;
	struct life *life = calloc(most + 1, sizeof *life), **ending = calloc(most + 1, sizeof *ending);
	if (!life || !ending)
		BUG("out of memory for %zu values", most);
	size_t count = collect(p, life);
	for (size_t i = 0; i < count; i++)
		ending[i] = &life[i];
	qsort(ending, count, sizeof *ending, by_last);
	assign(p, &l, life, ending, count);
	for (int i = 0; i < p->nvals; i++) {
		struct val *v = p->vals[i];
		if (!v->data && root_of(v) != v)
			v->slot = root_of(v)->slot;
	}
	p->wire_elems = l.end;
	number_weights(p);
	free(life); free(ending); free(l.gap);
	return true;
}

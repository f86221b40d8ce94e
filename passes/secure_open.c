/* SPDX-License-Identifier: Apache-2.0
 * secure_open.c -- R1: every element of a padded share goes into one opening at most.
 *
 * From each opening back through local steps to the shares with pads of their own (MASK_PADS, MASK_MORE).  What two openings reach is
 * looked at element by element: through maps exactly, through other local steps as if every element were read.  So two slices may
 * be opened if they do not overlap; a sum and its addend, or a share and its multiple, may not.
 * Time: linear in the local steps behind each opening; in their elements where a share is reached twice.
 */
#include <stdlib.h>
#include <string.h>
#include "passes/secure.h"

/* What an opening reads: facts, by place in the program; and for shares that others read, too, which elements. */
struct reach { int *fact; int n; };

static bool
keeps_pads(const struct fact *f)
{
	const enum mask_of mask = secure_mask(f->maker->step);
	return mask == MASK_LINEAR || mask == MASK_JOINS;
}

/* Everything behind the opening that is a share; stamp: a number of its own. */
static void
search(const struct secure *c, const struct node *open, int stamp, struct reach *r)
{
	struct fact *f = secure_fact(c, open->in[0]);
	r->n = 0;
	if (f && f->form == SEC_SHARED) {
		f->seen = stamp;
		r->fact[r->n++] = (int)(f - c->fact);
	}
	for (int i = 0; i < r->n; i++) {
		const struct fact *g = &c->fact[r->fact[i]];
		for (int k = 0; keeps_pads(g) && k < g->maker->nin; k++) {
			struct fact *h = secure_operand(c, g, k);
			if (h && h->form == SEC_SHARED && h->seen != stamp) {
				h->seen = stamp;
				r->fact[r->n++] = (int)(h - c->fact);
			}
		}
	}
}

/* ---- element by element ------------------------------------------------------------ */

struct marks { bool **of; };             /* by fact: the elements that the opening reads; NULL: none */

static bool *
marks_of(struct secure *c, struct marks *m, const struct fact *f)
{
	bool **at = &m->of[f - c->fact];
	if (!*at)
		*at = arena_alloc(c->a, (size_t)secure_count(f->val) + 1);
	return *at;
}

/* Through out[so i] = .. a[sa i]; places outside are for ir_check. */
static void
through_map(const struct suf_map *m, int k, const bool *out, uint64_t nout, bool *in, uint64_t nin)
{
	uint32_t i[SUF_MAX_DIM] = { 0 };
	const int64_t *stride = k ? m->sb : m->sa;
	for (;;) {
		int64_t o = (int64_t)m->out0, a = (int64_t)(k ? m->b0 : m->a0);
		for (uint32_t d = 0; d < m->ndim; d++) {
			o += m->so[d] * i[d];
			a += stride[d] * i[d];
		}
		if (o >= 0 && (uint64_t)o < nout && out[o] && a >= 0 && (uint64_t)a < nin)
			in[a] = true;
		uint32_t d = m->ndim;
		while (d > 0 && ++i[d - 1] >= m->dim[d - 1])
			i[--d] = 0;
		if (d == 0)
			return;
	}
}

static void
through(struct secure *c, struct marks *m, const struct fact *g)
{
	const struct node *n = g->maker;
	for (int k = 0; k < n->nin; k++) {
		const struct fact *h = secure_operand(c, g, k);
		if (!h || h->form != SEC_SHARED)
			continue;
		bool *in = marks_of(c, m, h);
		if (n->step->map)
			through_map(n->step->map, k, marks_of(c, m, g), secure_count(g->val), in, secure_count(h->val));
		else
			memset(in, true, (size_t)secure_count(h->val));
	}
}

static int
later_first(const void *a, const void *b)
{
	return *(const int *)b - *(const int *)a;
}

/* used: by fact, elements that openings before this one read. */
static void
mark(struct secure *c, const struct node *open, struct reach *r, bool **used)
{
	struct marks m = { arena_alloc(c->a, (size_t)c->nfact * sizeof *m.of) };
	search(c, open, -1 - (int)open->step->id, r);
	qsort(r->fact, (size_t)r->n, sizeof *r->fact, later_first); /* readers before what they read */
	if (r->n)
		memset(marks_of(c, &m, &c->fact[r->fact[0]]), true, (size_t)secure_count(c->fact[r->fact[0]].val));
	for (int i = 0; i < r->n; i++) {
		const struct fact *f = &c->fact[r->fact[i]];
		if (keeps_pads(f)) {
			through(c, &m, f);
			continue;
		}
		if (f->openings < 2)
			continue;
		const uint64_t count = secure_count(f->val);
		const bool *now = marks_of(c, &m, f);
		bool **was = &used[f - c->fact];
		if (!*was)
			*was = arena_alloc(c->a, (size_t)count + 1);
		for (uint64_t e = 0; e < count; e++)
			if (now[e] && (*was)[e]) {
				secure_fail(c, 1, open, f->val, "the pad of its element %llu hides another opening, too", (unsigned long long)e);
				break;
			}
		for (uint64_t e = 0; e < count; e++)
			(*was)[e] |= now[e];
	}
}

void
secure_openings(struct secure *c)
{
	struct reach r = { arena_alloc(c->a, ((size_t)c->nfact + 1) * sizeof *r.fact), 0 };
	bool **used = arena_alloc(c->a, ((size_t)c->nfact + 1) * sizeof *used);
	int stamp = 0, twice = 0;
	for (const struct node *n = c->p->first; n; n = n->next) {
		if (secure_mask(n->step) != MASK_OPENED)
			continue;
		search(c, n, ++stamp, &r);
		for (int i = 0; i < r.n; i++) {
			struct fact *f = &c->fact[r.fact[i]];
			if (!keeps_pads(f) && ++f->openings == 2)
				twice++;
		}
	}
	for (const struct node *n = c->p->first; twice && n; n = n->next) {
		if (secure_mask(n->step) != MASK_OPENED)
			continue;
		search(c, n, ++stamp, &r);
		bool shared = false;
		for (int i = 0; i < r.n; i++)
			shared |= c->fact[r.fact[i]].openings > 1;
		if (shared)
			mark(c, n, &r, used);
	}
}

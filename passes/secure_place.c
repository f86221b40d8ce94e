/* SPDX-License-Identifier: Apache-2.0
 * secure_place.c -- R2: what is read from the wire buffer is what was written there for it.
 *
 * A share that another value has overwritten would be opened without its pad.  The buffer is a sorted list of pieces, each with the
 * last value written to it; whoever loses an element loses its place.  Time: the logarithm of the values in the buffer for each access,
 * and a move of the list for each value written.
 */
#include <string.h>
#include "passes/secure.h"

struct piece { uint64_t at, end; const struct fact *of; };
struct places { struct piece *piece; size_t n; };

void
secure_place_init(struct secure *c)
{
	size_t results = 1;
	for (const struct node *n = c->p->first; n; n = n->next)
		results += (size_t)n->nout;
	c->places = arena_alloc(c->a, sizeof *c->places);
	c->places->piece = arena_alloc(c->a, results * sizeof *c->places->piece);
}

/* Openings are in place. */
static const struct fact *
root_of(const struct secure *c, const struct fact *f)
{
	while (f && secure_mask(f->maker->step) == MASK_OPENED)
		f = secure_operand(c, f, 0);
	return f;
}

/* The first piece that ends behind `at`. */
static size_t
find(const struct places *p, uint64_t at)
{
	size_t lo = 0, hi = p->n;
	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		if (p->piece[mid].end <= at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
secure_place_read(struct secure *c, const struct node *n, const struct val *v)
{
	const struct fact *f = secure_fact(c, v), *root = root_of(c, f);
	if (!root || !secure_count(v))
		return;
	const size_t k = find(c->places, root->val->slot);
	if (v->slot != root->val->slot || k == c->places->n || c->places->piece[k].of != root)
		secure_fail(c, 2, n, v, "is read at place %llu, where it is no more", (unsigned long long)v->slot);
}

/* What n's round, or a later one, still has to exchange. */
static bool
pending(const struct fact *f, const struct node *n)
{
	const struct node *message = f->open ? f->open : secure_sends(f->maker->step) ? f->maker : NULL;
	return message && message->round >= n->round;
}

void
secure_place_write(struct secure *c, const struct node *n, const struct val *v)
{
	struct places *p = c->places;
	const uint64_t at = v->slot, end = at + secure_count(v);
	if (end < at || end > c->p->wire_elems) {
		secure_fail(c, 2, n, v, "ends behind the wire buffer of %llu elements", (unsigned long long)c->p->wire_elems);
		return;
	}
	if (at == end)
		return;
	const size_t first = find(p, at);
	size_t last = first;
	for (; last < p->n && p->piece[last].at < end; last++)
		if (pending(p->piece[last].of, n))
			secure_fail(c, 2, n, v, "overwrites '%s', which is not sent yet", p->piece[last].of->val->name);
	memmove(&p->piece[first + 1], &p->piece[last], (p->n - last) * sizeof *p->piece);
	p->piece[first] = (struct piece){ at, end, secure_fact(c, v) };
	p->n = p->n - (last - first) + 1;
}

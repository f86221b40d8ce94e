/* SPDX-License-Identifier: Apache-2.0
 * clone.c -- a copy of a program that passes may change while the original stays
 * as it is.
 *
 * Values, operations, attributes and steps are copied, dead values and the
 * counters of names too: passes make the same names in the copy as they would
 * in the original.  What never changes is shared: names, places, lists and
 * tables, elements of constants.
 */
#include <string.h>
#include "store.h"

static void *
copy(struct arena *a, const void *from, size_t bytes)
{
	return bytes ? memcpy(arena_alloc(a, bytes), from, bytes) : NULL;
}

/* The copy of a value; one that the program does not know (a source of another program) is shared. */
static struct val *
twin(const struct store *from, const struct store *to, struct val *v)
{
	if (!v)
		return NULL;
	const struct name_entry *e = name_slot(from, v->name);
	return e->val == v ? to->name[e - from->name].val : v;
}

static struct val **
twins(const struct store *from, const struct store *to, int n, struct val *const *list)
{
	struct val **v = copy(to->prog.arena, list, (size_t)n * sizeof *v);
	for (int k = 0; k < n; k++)
		v[k] = twin(from, to, v[k]);
	return v;
}

static void
clone_vals(const struct store *from, struct store *to)
{
	struct prog *p = &to->prog;
	const int n = p->nvals;
	to->val_size = n;
	p->vals = copy(p->arena, from->prog.vals, (size_t)n * sizeof(struct val *));
	to->name = copy(p->arena, from->name, from->name_size * sizeof *to->name);
	for (int k = 0; k < n; k++) {
		struct val *v = p->vals[k];
		p->vals[k] = to->name[name_slot(from, v->name) - from->name].val = copy(p->arena, v, sizeof *v);
	}
	for (int k = 0; k < n; k++) {
		p->vals[k]->source = twin(from, to, p->vals[k]->source);
		p->vals[k]->alias = twin(from, to, p->vals[k]->alias);
		p->vals[k]->factor = twin(from, to, (struct val *)(uintptr_t)p->vals[k]->factor);
		p->vals[k]->def = NULL;
	}
}

static struct node *
clone_node(const struct store *from, const struct store *to, const struct node *n)
{
	struct arena *a = to->prog.arena;
	struct node *c = copy(a, n, sizeof *n);
	c->in = twins(from, to, n->nin, n->in);
	c->out = twins(from, to, n->nout, n->out);
	c->attr = copy(a, n->attr, (size_t)n->nattr * sizeof *n->attr);
	c->step = n->step ? copy(a, n->step, sizeof *n->step) : NULL;
	for (int k = 0; k < c->nout; k++)
		c->out[k]->def = c;
	return c;
}

struct prog *
ir_clone(const struct prog *original, struct diag *diag)
{
	const struct store *from = store_of(original);
	struct arena *a = arena_younger(original->arena);
	struct store *to = copy(a, from, sizeof *from);
	struct prog *p = &to->prog;
	p->arena = a;
	p->diag = diag;
	p->choice = NULL;
	clone_vals(from, to);
	p->in = twins(from, to, p->nin, original->in);
	p->out = twins(from, to, p->nout, original->out);
	p->first = p->last = NULL;
	for (const struct node *n = original->first; n; n = n->next) {
		struct node *c = clone_node(from, to, n);
		c->prev = p->last;
		c->next = NULL;
		*(p->last ? &p->last->next : &p->first) = c;
		p->last = c;
	}
	return p;
}

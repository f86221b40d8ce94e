/* SPDX-License-Identifier: Apache-2.0
 * arena.c -- the compiler's memory: a bump allocator, freed at once.
 *
 * A compilation makes one arena and frees it at the end; nothing in between is
 * freed.  Blocks are taken from calloc, so every byte handed out is zero.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "ir.h"

enum { ARENA_BLOCK = 1 << 18, ARENA_ALIGN = 16 };

struct arena_block { struct arena_block *next; size_t used, size; };
struct arena_hook { void (*fn)(void *); void *arg; struct arena_hook *next; };
struct arena_memo { const char *key; const void *value; struct arena_memo *next; };
struct arena { struct arena_block *block; struct arena_hook *hook; struct arena *elder; struct arena_memo *memo; };

static size_t
round_up(size_t n)
{
	return (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
}

_Noreturn void
arena_out_of_memory(size_t bytes)
{
	fprintf(stderr, "sufc: error: out of memory (%zu bytes wanted) [memory]\n", bytes);
	exit(3);
}

struct arena *
arena_new(void)
{
	struct arena *a = calloc(1, sizeof *a);
	if (!a)
		arena_out_of_memory(sizeof *a);
	return a;
}

struct arena *
arena_younger(struct arena *elder)
{
	struct arena *a = arena_new();
	a->elder = arena_elder(elder);
	return a;
}

struct arena *
arena_elder(struct arena *a)
{
	return a->elder ? a->elder : a;
}

const void *
arena_known(struct arena *a, const char *key)
{
	for (const struct arena_memo *m = arena_elder(a)->memo; m; m = m->next)
		if (!strcmp(m->key, key))
			return m->value;
	return NULL;
}

void
arena_remember(struct arena *a, const char *key, const void *value)
{
	a = arena_elder(a);
	struct arena_memo *m = arena_alloc(a, sizeof *m);
	*m = (struct arena_memo){ arena_strdup(a, key), value, a->memo };
	a->memo = m;
}

/* Hooks run in reverse order of their registration, before the memory goes. */
void
arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct arena_hook *h = a->hook; h; h = h->next)
		h->fn(h->arg);
	for (struct arena_block *b = a->block; b;) {
		struct arena_block *next = b->next;
		free(b);
		b = next;
	}
	free(a);
}

void *
arena_alloc(struct arena *a, size_t bytes)
{
	const size_t head = round_up(sizeof(struct arena_block));
	if (bytes > SIZE_MAX / 2)
		arena_out_of_memory(bytes);
	bytes = round_up(bytes ? bytes : 1);
	struct arena_block *b = a->block;
	if (!b || b->size - b->used < bytes) {
		size_t size = bytes > ARENA_BLOCK / 4 ? bytes : ARENA_BLOCK;
		b = calloc(1, head + size);
		if (!b)
			arena_out_of_memory(bytes);
		b->size = size;
		if (size != ARENA_BLOCK && a->block) { /* keep filling the current block */
			b->next = a->block->next;
			a->block->next = b;
		} else {
			b->next = a->block;
			a->block = b;
		}
	}
	void *p = (char *)b + head + b->used;
	b->used += bytes;
	return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(arena_alloc(a, n), s, n);
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		BUG("arena_printf: bad format '%s'", fmt);
	char *s = arena_alloc(a, (size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}

void
arena_on_free(struct arena *a, void (*fn)(void *), void *arg)
{
	struct arena_hook *h = arena_alloc(a, sizeof *h);
	*h = (struct arena_hook){ fn, arg, a->hook };
	a->hook = h;
}

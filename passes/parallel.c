/* SPDX-License-Identifier: Apache-2.0
 * parallel.c -- independent pieces of a pass on all processors, eight at most: every piece takes memory of its own.  What a piece
 * itself shares out it does alone, one piece after the other.
 */
#define _GNU_SOURCE
#include "passes/parallel.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { MOST_THREADS = 8 };

struct work { void (*fn)(void *, int64_t); void *arg; int64_t n; _Atomic int64_t next; };

static _Thread_local bool inside;

static void *take(void *arg)
{
	struct work *w = arg;
	inside = true;
	for (int64_t i; (i = atomic_fetch_add(&w->next, 1)) < w->n;)
		w->fn(w->arg, i);
	return NULL;
}

void parallel_for(int64_t n, void (*fn)(void *arg, int64_t i), void *arg)
{
	struct work w = { .fn = fn, .arg = arg, .n = n };
	pthread_t thread[MOST_THREADS];
	cpu_set_t set;
	int most = inside || sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set), started = 0;
	if (most > MOST_THREADS)
		most = MOST_THREADS;
	if (most == 1 || n == 1) {                       /* what a single piece shares out may go on all processors */
		for (int64_t i = 0; i < n; i++)
			fn(arg, i);
		return;
	}
	while (started + 1 < most && started + 1 < n && !pthread_create(&thread[started], NULL, take, &w))
		started++;
	take(&w);                                        /* this thread works too, or alone */
	inside = false;
	while (started > 0)
		pthread_join(thread[--started], NULL);
}

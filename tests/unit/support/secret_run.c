/* SPDX-License-Identifier: Apache-2.0
 * secret_run.c -- see secret_run.h.
 */
#include <string.h>
#include "secret_run.h"
#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define SECRET(p, bytes) (void)VALGRIND_MAKE_MEM_UNDEFINED(p, bytes)
#define PUBLIC(p, bytes) (void)VALGRIND_MAKE_MEM_DEFINED(p, bytes)
#endif
#endif
#ifndef SECRET
#define SECRET(p, bytes) (void)(p), (void)(bytes)
#define PUBLIC(p, bytes) (void)(p), (void)(bytes)
#endif
static const char portable[] = "portable";

void secret_hide(void *p, size_t bytes) { SECRET(p, bytes); }
void secret_show(void *p, size_t bytes) { PUBLIC(p, bytes); }

/* Declares public what the items from..to opened. */
static void
opened(struct suf_run *r, const struct item *from, const struct item *to)
{
	for (; from <= to; from++)
		if (from->s.op == SUF_open || from->s.op == SUF_input)
			PUBLIC(run_wire(r, from->s.out[0]), from->s.count * 8);
}

static enum suf_err
secret_body(struct suf_run *r)
{
	const struct harness *h = (const struct harness *)r->prog;
	const struct item *first = h->item;
	if (strcmp(h->prog.name, portable) == 0)
		r->isa = SUF_ISA_PORTABLE;
	if (r->mode == RUN_DEAL || r->mode == RUN_PARTY) {
		SECRET(r->seed, sizeof r->seed);
		SECRET(r->model, sizeof r->model);
	}
	if (r->mode == RUN_DEAL) /* masks of inputs; party 1 knows them here */
		SECRET(&r->client, sizeof r->client);
	for (const struct item *i = h->item; i < h->item + h->nitem; i++) {
		enum suf_err e = suf_step(r, &i->s);
		if (!e && i->round_after) {
			e = suf_round(r);
			if (r->mode == RUN_PARTY && !r->in_advance)
				opened(r, first, i);
			first = i + 1;
		}
		if (e)
			return e;
	}
	for (uint32_t k = 0; r->mode == RUN_PARTY && k < h->prog.noutput; k++)
		PUBLIC(r->output[k], h->out_count[k] * 8);
	return SUF_OK;
}

struct suf_step
secret_step(enum suf_op op, unsigned n, unsigned m, struct suf_ref in0, struct suf_ref in1, struct suf_ref out)
{
	return (struct suf_step){ .op = op, .count = COUNT, .na = COUNT, .nb = COUNT, .n = (uint8_t)n, .m = (uint8_t)m,
		.in = { in0, in1 }, .out = { out } };
}

void
secret_run(secret_program *const *program, int n)
{
	for (int k = 0; k < 2 * n; k++) {
		struct harness h;
		harness_init(&h);
		h.prog.name = k < n ? "best" : portable;
		h.prog.body = secret_body;
		program[k % n](&h);
		harness_free(&h);
	}
}

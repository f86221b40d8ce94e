/* SPDX-License-Identifier: Apache-2.0
 * mutate_find.h -- places for faults in a scheduled program, and steps put into it.
 */
#ifndef TEST_MUTATE_FIND_H
#define TEST_MUTATE_FIND_H
#include "mutate.h"
#include "run.h"

typedef bool test(const struct node *);

static inline struct node *
find(struct prog *p, test *fits, int skip)
{
	for (struct node *n = p->first; n; n = n->next)
		if (fits(n) && skip-- == 0)
			return n;
	return NULL;
}

static inline const struct val *
root(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v;
}

static inline bool opened_in_full(const struct val *v) { v = root(v); return v->def && v->def->step->op == SUF_open && !v->def->step->s; }
static inline bool is_open(const struct node *n) { return n->step->op == SUF_open; }
static inline bool is_full(const struct node *n) { return is_open(n) && !n->step->s; }
static inline bool is_narrow(const struct node *n) { return is_open(n) && n->step->s; }
static inline bool is_input(const struct node *n) { return n->step->op == SUF_input; }
static inline bool is_output(const struct node *n) { return n->step->op == SUF_output; }
static inline bool is_shared(const struct node *n) { return n->nout && n->out[0]->type.sec == SEC_SHARED; }
static inline bool has_pads(const struct node *n) { return is_shared(n) && suf_step_desc[n->step->op].form == FORM_SHARED; }
static inline bool is_product(const struct node *n) { return n->step->op == SUF_matmul || n->step->op == SUF_mul; }
static inline bool of_wires(const struct node *n) { return is_product(n) && n->nin == 2 && !n->in[1]->data && n->step->n == n->step->m; }
static inline bool of_weight(const struct node *n) { return is_product(n) && n->step->weight_b; }
static inline bool refers(const struct node *n) { return is_product(n) && n->step->pad_a; }
static inline bool is_last(const struct node *n) { return is_product(n) && n->step->define_last; }
static inline bool is_masked_lin(const struct node *n) { return n->step->op == SUF_lin && n->out[0]->type.sec == SEC_MASKED && !n->in[0]->data && n->step->map; }
static inline bool is_masked_copy(const struct node *n) { return is_masked_lin(n) && n->nin == 1 && n->step->ca & 1; }
static inline bool is_shift(const struct node *n) { return n->step->op == SUF_shift; }
static inline bool is_addx(const struct node *n) { return n->step->op == SUF_addx; }
static inline bool is_cutfix(const struct node *n) { return n->step->op == SUF_cutfix; }
static inline bool is_gapext(const struct node *n) { return n->step->op == SUF_gapext; }
static inline bool is_local(const struct node *n) { return suf_step_desc[n->step->op].form == FORM_LOCAL; }
static inline bool is_word_and_bit(const struct node *n) { return n->step->op == SUF_trunc || n->step->op == SUF_sext || n->step->op == SUF_select; }

/* Its result is opened, in full, behind at least one more step. */
static inline bool
is_opened(const struct node *n)
{
	return has_pads(n) && n->next && n->out[0]->nuse == 1;
}

static inline struct node *
opening_of(struct prog *p, const struct val *v)
{
	for (struct node *n = p->first; n; n = n->next)
		if (is_open(n) && root(n->in[0]) == v)
			return n;
	return NULL;
}

static inline struct val *
result_of_form(struct prog *p, enum sec form)
{
	for (struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nout; k++)
			if (n->out[k]->type.sec == form)
				return n->out[k];
	return NULL;
}

/* A step with a result of its own place behind `at`, in its round (or behind the round if `at` sends). */
static inline struct val *
add(struct prog *p, struct node *at, struct suf_step st, enum sec sec, unsigned bits, uint64_t count, int nin, struct val **in)
{
	const int64_t dim = (int64_t)count;
	struct val *v = ir_val(p, NULL, DT_I64, (struct type){ .sec = sec, .bits = (uint8_t)bits }, 1, &dim);
	st.count = count;
	st.m = (uint8_t)bits;
	st.n = nin ? in[0]->type.bits : st.m;
	struct node *n = ir_step(p, at->next, at, st, nin, in, 1, &v);
	n->round = at->round;
	v->slot = p->wire_elems;
	p->wire_elems += count;
	return v;
}

static inline struct val *
open_too(struct prog *p, struct node *at, struct val *share)
{
	struct val *v = add(p, at, (struct suf_step){ .op = SUF_open }, SEC_MASKED, share->type.bits, ir_wire_count(share), 1, &share);
	v->slot = share->slot;
	v->alias = share;
	return v;
}

static inline struct val *
copy_of(struct prog *p, struct node *at, struct val *v, uint64_t first, uint64_t count, int64_t ca)
{
	const struct suf_map map = { .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 }, .a0 = first };
	const struct suf_step st = { .op = SUF_lin, .na = ir_wire_count(v), .ca = ca, .map = &map, .shared = v->type.sec == SEC_SHARED };
	return add(p, at, st, v->type.sec, v->type.bits, count, 1, &v);
}

static inline bool
referred(const struct prog *p, uint32_t id)
{
	for (const struct node *n = p->first; n; n = n->next)
		if (n->step->pad_a == id || n->step->pad_b == id)
			return true;
	return false;
}

/* The first share with pads of `least` elements, no mask shares of others, that is opened; *open opens it. */
static inline struct val *
opened_share(struct prog *p, uint64_t least, struct node **open)
{
	for (struct node *n = p->first; n; n = n->next)
		if (is_full(n) && n->in[0]->def && has_pads(n->in[0]->def) && n->step->count >= least && n->in[0]->nuse == 1 &&
		    !referred(p, n->in[0]->def->step->id)) {
			*open = n;
			return n->in[0];
		}
	return NULL;
}
#endif

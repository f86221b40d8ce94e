/* SPDX-License-Identifier: Apache-2.0
 * secure_rows.c -- the rows of runtime/steps.def as pass `secure` reads them: whether widths and counts of key material, pads and
 * messages are those of the values, and which results belong together.
 *
 * A step without a row MASKOF does not compile here (no case in the switch of secure_mask): none slips in unexamined.
 */
#include <math.h>
#include "passes/secure.h"

enum mask_of
secure_mask(const struct suf_step *s)
{
	switch (s->op) {
#define MASKOF(step, what) case SUF_##step: return (what);
#include "steps.def"
	case SUF_NSTEP: break;
	}
	return MASK_NONE;
}

/* Who sends.  A new kind of sender has to be named here.  For what party 1 sends offline there is R10 (secure_owner.c). */
enum { SENDS_P0, SENDS_P1, SENDS_P1_OFFLINE };

bool
secure_sends(const struct suf_step *s)
{
#define SENT(step, from, count, bits) if (s->op == SUF_##step) return (SENDS_##from) <= SENDS_P1_OFFLINE;
#include "steps.def"
	return false;
}

bool
secure_takes_weight(const struct suf_step *s, int k)
{
#define WEIGHT(step, operand) if (s->op == SUF_##step && k == (operand)) return true;
#include "steps.def"
	return false;
}

bool
secure_takes_public(const struct suf_step *s, int k)
{
#define PUBLIC(step, operand) if (s->op == SUF_##step && k == (operand)) return true;
#include "steps.def"
	return false;
}

bool
secure_wants_shares(const struct suf_step *s, int k)
{
#define OPERAND(step, operand, count, who) if (s->op == SUF_##step && k == (operand)) return true;
#include "steps.def"
	return false;
}

/* Element i of the result is element i of the operand, mod 2^m. */
bool
secure_reduces(const struct node *n)
{
	const struct suf_step *s = n->step;
	const struct suf_map *m = s->map;
	if (s->op != SUF_lin || n->nin != 1 || n->in[0]->data || s->ca != 1 || s->c || s->m > s->n || m->a0 != m->out0 || s->count != secure_count(n->in[0]))
		return false;
	for (uint32_t k = 0; k < m->ndim; k++)
		if (m->sa[k] != m->so[k])
			return false;
	return true;
}

/* The part that goes away when the shares come from pads. */
unsigned
secure_share_bits(const struct suf_step *s, int k)
{
	struct suf_step with = *s, without = *s;
	with.pad_a = with.pad_b = without.pad_a = without.pad_b = 0;
	with.weight_b = without.weight_b = 0;
	*(k ? &without.pad_b : &without.pad_a) = 1;
	for (enum suf_part part = 0; part < SUF_NPART; part++)
		if (suf_part_desc[part].step == s->op && suf_part_count(part, &with) && !suf_part_count(part, &without))
			return suf_part_bits(part, &with);
	return 0;
}

uint32_t
secure_factors(const struct suf_step *s, int k, const int64_t **list)
{
	static const int64_t one = 1;
	switch (s->op) {
	case SUF_lin: case SUF_row_lin: case SUF_addx: *list = k ? &s->cb : &s->ca; return 1;
	case SUF_mulc: *list = s->table->v; return s->table->len;
	default: *list = &one; return 1;
	}
}

/* ---- numbers ------------------------------------------------------------------- */

/* The step as its values say it has to be. */
static struct suf_step
as_values_say(const struct node *n)
{
	struct suf_step t = *n->step;
	if (n->nin > 0) {
		t.n = n->in[0]->type.bits;
		t.na = secure_count(n->in[0]);
	}
	if (n->nin > 1)
		t.nb = secure_count(n->in[1]);
	t.count = secure_count(n->nout ? n->out[0] : n->in[0]);
	int last = n->nout - 1;
	while (last > 0 && suf_result_form(&t, last) != suf_step_desc[t.op].form)
		last--;
	if (last >= 0)
		t.m = n->out[last]->type.bits;
	return t;
}

static unsigned
most_bits(enum part_kind kind)
{
	return kind == KIND_CORR ? SUF_WIDE : 64;
}

/* Key material: as long and wide as the values; roots of one point function in a step, since the tweak of its trees does not name the part. */
static void
check_parts(struct secure *c, const struct node *n, const struct suf_step *t)
{
	int trees = 0;
	for (enum suf_part part = 0; part < SUF_NPART; part++) {
		if (suf_part_desc[part].step != n->step->op)
			continue;
		const uint64_t count = suf_part_count(part, n->step);
		const unsigned bits = suf_part_bits(part, n->step);
		if (count != suf_part_count(part, t) || (count && bits != suf_part_bits(part, t)))
			secure_fail(c, 3, n, NULL, "part %s has %llu words of %u bits, the values ask for %llu of %u", suf_part_desc[part].name,
			            (unsigned long long)count, bits, (unsigned long long)suf_part_count(part, t), suf_part_bits(part, t));
		if (count && (bits < 1 || bits > most_bits(suf_part_desc[part].kind)))
			secure_fail(c, 1, n, NULL, "the pads of part %s would have %u bits", suf_part_desc[part].name, bits);
		trees += count && suf_part_desc[part].kind == KIND_DPF;
	}
	if (trees > 1)
		secure_fail(c, 9, n, NULL, "%d keys of point functions under one label", trees);
}

/* PADS and RESULT: as many elements, as many bits as the value. */
static void
check_result(struct secure *c, const struct node *n, int k, uint64_t count, uint64_t bits)
{
	const struct val *v = k < n->nout ? n->out[k] : NULL;
	if (v && (count != secure_count(v) || bits != v->type.bits))
		secure_fail(c, 1, n, v, "%llu words of %llu bits for %llu elements of %u", (unsigned long long)count, (unsigned long long)bits,
		            (unsigned long long)secure_count(v), v->type.bits);
}

static void
check_sent(struct secure *c, const struct node *n, const struct suf_step *t, uint64_t count, uint64_t bits)
{
	if (count && (count != t->count || bits != t->m))
		secure_fail(c, 12, n, n->out[0], "%llu words of %llu bits are sent for %llu elements of %u", (unsigned long long)count, (unsigned long long)bits,
		            (unsigned long long)t->count, t->m);
}

static void
check_shares(struct secure *c, const struct node *n, int k, uint64_t count)
{
	if (k < n->nin && count != secure_count(n->in[k]))
		secure_fail(c, 3, n, n->in[k], "mask shares of %llu elements, it has %llu", (unsigned long long)count, (unsigned long long)secure_count(n->in[k]));
}

void
secure_numbers(struct secure *c, const struct node *n)
{
	const struct suf_step *s = n->step, t = as_values_say(n);
	int padded = 0;                          /* results, as bits */
	check_parts(c, n, &t);
#define PADS(op_, output, count, bits) if (s->op == SUF_##op_) { check_result(c, n, output, (uint64_t)(count), (uint64_t)(bits)); padded |= 1 << (output); }
#define RESULT(op_, output, form, count, bits) if (s->op == SUF_##op_) check_result(c, n, output, (uint64_t)(count), (uint64_t)(bits));
#define SENT(op_, from, count, bits) if (s->op == SUF_##op_) check_sent(c, n, &t, (uint64_t)(count), (uint64_t)(bits));
#define OPERAND(op_, operand, count, who) if (s->op == SUF_##op_) check_shares(c, n, operand, (operand) < n->nin ? (uint64_t)(count) : 0);
#include "steps.def"
	for (int k = 0; k < 2 && k < n->nin; k++) /* no part need have as many words, and masks of weights are made from the number alone */
		if (suf_operand_owned(s, 1) && (k ? s->nb : s->na) != secure_count(n->in[k]))
			secure_fail(c, 3, n, n->in[k], "%llu elements are read, it has %llu", (unsigned long long)(k ? s->nb : s->na), (unsigned long long)secure_count(n->in[k]));
	for (int k = 0; k < n->nout; k++)
		if (suf_result_form(s, k) == FORM_SHARED && !(padded >> k & 1))
			secure_fail(c, 1, n, n->out[k], "a share without pads");
	if (n->nin && s->n != t.n)
		secure_fail(c, 12, n, n->in[0], "the step reads %u bits, it has %u", s->n, t.n);
	if (n->nout && (s->m != t.m || s->count != t.count))
		secure_fail(c, 12, n, n->out[0], "the step makes %llu elements of %u bits, it has %llu of %u", (unsigned long long)s->count, s->m,
		            (unsigned long long)t.count, t.m);
}

/* ---- results that belong together ------------------------------------------------ */

/* What v stands for: through views, openings and reductions to fewer bits, which keep the order of elements. */
static const struct fact *
origin(const struct secure *c, const struct val *v)
{
	for (const struct fact *f = secure_fact(c, v);; f = secure_operand(c, f, 0)) {
		if (!f)
			return NULL;
		const struct suf_step *s = f->maker->step;
		if (!(secure_mask(s) == MASK_OPENED && !s->s) && !secure_reduces(f->maker))
			return f;
	}
}

/* The value that v is, or is the low bits of, with a range that somebody knows; NULL: none. */
static const struct val *
bounded(const struct secure *c, const struct val *v)
{
	for (const struct fact *f = secure_fact(c, v);; f = secure_operand(c, f, 0)) {
		if (v->from != RANGE_NONE && v->lo <= v->hi)
			return v;
		if (!f)
			return NULL;
		v = f->val;
		if (v->from != RANGE_NONE && v->lo <= v->hi)
			return v;
		if (!(secure_mask(f->maker->step) == MASK_OPENED && !f->maker->step->s) && !secure_reduces(f->maker))
			return NULL;
	}
}

static void
check_gap(struct secure *c, const struct node *n, int k, unsigned bits)
{
	const struct val *v = bits && k < n->nin ? bounded(c, n->in[k]) : NULL;
	const double most = v ? ldexp(fmax(fabs(v->lo), fabs(v->hi)), v->type.frac) : 0;
	if (v && !(most < ldexp(1, (int)bits - 2)))
		secure_fail(c, 6, n, n->in[k], "is up to %g with %u fraction bits, its %u bits leave none free for an extension", ldexp(most, -v->type.frac), v->type.frac, bits);
}

void
secure_gaps(struct secure *c, const struct node *n)
{
	const struct suf_step *s = n->step;
#define GAP(op_, operand, bits) if (s->op == SUF_##op_) check_gap(c, n, operand, (unsigned)(bits));
#include "steps.def"
}

struct company { const struct node *maker; };

static void
check_from(struct secure *c, const struct node *n, int k, enum suf_op op, int output, struct company *with)
{
	const struct fact *f = k < n->nin ? origin(c, n->in[k]) : NULL;
	if (k >= n->nin)
		return;
	if (!f || f->maker->step->op != op || f->output != output)
		secure_fail(c, 5, n, n->in[k], "is not result %d of a step %s", output, suf_step_desc[op].name);
	else if (with->maker && with->maker != f->maker)
		secure_fail(c, 5, n, n->in[k], "is of step %u, another operand of step %u", f->maker->step->id, with->maker->step->id);
	else
		with->maker = f->maker;
}

static void
check_with(struct secure *c, const struct node *n, int k, int j, const struct company *with)
{
	if (with->maker && k < n->nin && j < with->maker->nin && origin(c, n->in[k]) != origin(c, with->maker->in[j]))
		secure_fail(c, 5, n, n->in[k], "is not operand %d of step %u, which made the others", j, with->maker->step->id);
}

void
secure_companions(struct secure *c, const struct node *n)
{
	const enum suf_op op = n->step->op;
	struct company with = { NULL };
#define FROM(op_, k, maker_, output) if (op == SUF_##op_) check_from(c, n, k, SUF_##maker_, output, &with);
#define WITH(op_, k, j) if (op == SUF_##op_) check_with(c, n, k, j, &with);
#include "steps.def"
}

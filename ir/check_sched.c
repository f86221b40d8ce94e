/* SPDX-License-Identifier: Apache-2.0
 * check_sched.c -- what makes a sequence of steps a protocol: forms, pads,
 * rounds, places in the wire buffer.
 *
 * Security rests on these rules: a step id labels one set of streams, so ids are
 * unique; every SHARED value has a pad as wide as its ring (steps.def, PADS);
 * only `open` makes a SHARED value MASKED, at most once, in place; a protocol
 * step reads masked values and weights only, shares and results without pads (RESULT)
 * where it TAKES them; nothing else reads those; nothing is read from an opening
 * before its round is exchanged.
 */
#include <string.h>
#include "check.h"
#include "run.h"
#include "text.h"

/* ---- pads ----------------------------------------------------------------- */

/* The pad of output k of a step, or the result without pad; 0 bits if there is none. */
static unsigned
result_bits(const struct suf_step *s, int k, uint64_t *count)
{
#define PADS(step, output, elements, bits) \
	if (s->op == SUF_##step && k == output) { \
		*count = (uint64_t)(elements); \
		return (unsigned)(bits); \
	}
#define RESULT(step, output, form, elements, bits) PADS(step, output, elements, bits)
#include "steps.def"
	return 0;
}

static bool takes_owned(const struct suf_step *s) { return s->op == SUF_omul || s->op == SUF_oscale; }

static enum sec
sec_of(enum step_form form)
{
	return form == FORM_SHARED ? SEC_SHARED : form == FORM_EXACT ? SEC_EXACT : form == FORM_DEALER ? SEC_DEALER : SEC_MASKED;
}

static const struct val *
unalias(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v;
}

/* The value whose place v has: an opening is in place, an alias is another view. */
static const struct val *
root_of(const struct val *v)
{
	for (;;) {
		v = unalias(v);
		if (!v->def || !v->def->step || v->def->step->op != SUF_open)
			return v;
		v = v->def->in[0];
	}
}

static bool
is_message(const struct node *n)
{
	return n->step->op == SUF_open || n->step->op == SUF_input;
}

/* ---- one step --------------------------------------------------------------- */

/* shift, addx: each operand has its form, the result that of the first one. */
static void
check_forms(struct checker *c, const struct node *n)
{
	const enum sec form = n->in[0]->type.sec;
	for (int k = 0; k < n->nin; k++) {
		const enum sec sec = n->in[k]->type.sec, want = sec_of(suf_operand_form(n->step, k));
		if (sec != want)
			check_fail(c, n, "operand '%s' is %s, expected %s", n->in[k]->name, ir_sec_name[sec], ir_sec_name[want]);
	}
	if (n->out[0]->type.sec != form)
		check_fail(c, n, "the result '%s' is %s, expected %s", n->out[0]->name, ir_sec_name[n->out[0]->type.sec], ir_sec_name[form]);
	if (n->step->shared != (form == SEC_SHARED))
		check_fail(c, n, "the step says shared=%d, its result is %s", n->step->shared, ir_sec_name[form]);
}

/* Local steps keep the form of their operands; they do not mix shares with anything else. */
static void
check_local(struct checker *c, const struct node *n)
{
	if (n->step->op == SUF_shift || n->step->op == SUF_addx) {
		check_forms(c, n);
		return;
	}
	enum sec form = SEC_MASKED;
	for (int k = 0; k < n->nin; k++)
		if (n->in[k]->type.sec == SEC_SHARED)
			form = SEC_SHARED;
	for (int k = 0; k < n->nin; k++) {
		enum sec sec = n->in[k]->type.sec;
		if (sec != form && !(form == SEC_MASKED && sec == SEC_WEIGHT))
			check_fail(c, n, "a local step on '%s', which is %s, and a %s value", n->in[k]->name, ir_sec_name[sec], ir_sec_name[form]);
	}
	if (n->step->shared != (form == SEC_SHARED))
		check_fail(c, n, "the step says shared=%d, its operands are %s", n->step->shared, ir_sec_name[form]);
	if (n->out[0]->type.sec != form)
		check_fail(c, n, "the result is %s, the operands of a local step are %s", ir_sec_name[n->out[0]->type.sec], ir_sec_name[form]);
}

/* Masks of which the parties have shares already. */
static void
check_pads(struct checker *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const uint32_t pad[2] = { s->pad_a, s->pad_b };
	const bool product = s->op == SUF_matmul || s->op == SUF_mul || s->op == SUF_shiftmul || takes_owned(s);
	for (int k = 0; k < 2 && k < n->nin; k++) {
		const struct node *maker = pad[k] ? ir_pads(n->in[k]) : NULL;
		if (pad[k] && (!maker || maker->step->id != pad[k]))
			check_fail(c, n, "the mask of '%s' is not the pad of step %u", n->in[k]->name, pad[k]);
		else if (pad[k] && product && n->in[k]->type.bits != (k ? s->m : s->n))
			check_fail(c, n, "the pads of step %u are the mask of '%s' mod 2^%d, the product is one mod 2^%d", pad[k], n->in[k]->name,
			           n->in[k]->type.bits, s->m);
	}
}

static void
check_protocol(struct checker *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	for (int k = 0; k < n->nin; k++) {
		enum sec sec = n->in[k]->type.sec;
		const enum sec want = sec_of(suf_operand_form(s, k));
		bool weight = sec == SEC_WEIGHT && (((s->op == SUF_matmul || s->op == SUF_wshare || takes_owned(s)) && k > 0) ||
		                                    ((s->op == SUF_mul || s->op == SUF_shiftmul) && k == 1));
		if (sec != want && !weight)
			check_fail(c, n, "operand '%s' is %s, expected %s", n->in[k]->name, ir_sec_name[sec], ir_sec_name[want]);
	}
	if ((s->op == SUF_matmul || s->op == SUF_mul || s->op == SUF_shiftmul) && s->weight_b != (n->in[1]->type.sec == SEC_WEIGHT))
		check_fail(c, n, "the step says weight_b=%d, '%s' is %s", s->weight_b, n->in[1]->name, ir_sec_name[n->in[1]->type.sec]);
	for (int k = 0; k < n->nout; k++) {
		uint64_t count = 0;
		unsigned bits = result_bits(s, k, &count);
		const enum sec want = sec_of(suf_result_form(s, k));
		if (n->out[k]->type.sec != want)
			check_fail(c, n, "the result '%s' is %s, expected %s", n->out[k]->name, ir_sec_name[n->out[k]->type.sec], ir_sec_name[want]);
		if (bits != n->out[k]->type.bits || count != ir_wire_count(n->out[k]))
			check_fail(c, n, "the %s of '%s' has %llu elements of %u bits, the value %llu of %d", want == SEC_SHARED ? "pad" : "content", n->out[k]->name,
			           (unsigned long long)count, bits, (unsigned long long)ir_wire_count(n->out[k]), n->out[k]->type.bits);
	}
	check_pads(c, n);
}

static bool
takes_public(const struct suf_step *s)
{
	return s->op == SUF_wmul || s->op == SUF_wscale || s->op == SUF_wshare;
}

/* Factor and bias are weights, of as many bits as the result or more, and known to whom the step needs them. */
static void
check_known(struct checker *c, const struct node *n)
{
	const enum weights_mode want = takes_owned(n->step) ? WEIGHTS_OWNER : WEIGHTS_PUBLIC;
	if (c->p->weights != want)
		check_fail(c, n, "a product with weights of setting %s in a program of setting %s", ir_weights_name[want], ir_weights_name[c->p->weights]);
	for (int k = 1; k < n->nin; k++)
		if (n->in[k]->type.sec != SEC_WEIGHT || n->in[k]->type.bits < n->step->m)
			check_fail(c, n, "operand '%s' is %s of %d bits, expected weight of %d or more", n->in[k]->name, ir_sec_name[n->in[k]->type.sec],
			           n->in[k]->type.bits, n->step->m);
	if (n->step->m > n->step->n)
		check_fail(c, n, "a product of %d bits from an operand of %d", n->step->m, n->step->n);
	if ((n->step->op == SUF_wshare || takes_owned(n->step)) != n->step->define_last)
		check_fail(c, n, "define_last=%d: the mask of a shared product, and of no other, is more than the pads", n->step->define_last);
}

/* wmul, wscale: local on a masked value. */
static void
check_public_local(struct checker *c, const struct node *n)
{
	const struct val *in[2] = { n->in[0], n->out[0] };
	for (int k = 0; k < 2; k++)
		if (in[k]->type.sec != SEC_MASKED)
			check_fail(c, n, "'%s' is %s, expected masked", in[k]->name, ir_sec_name[in[k]->type.sec]);
}

static void
check_message(struct checker *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	if (s->op == SUF_output) {
		if (n->in[0]->type.sec != SEC_MASKED)
			check_fail(c, n, "'%s' is %s, expected masked", n->in[0]->name, ir_sec_name[n->in[0]->type.sec]);
		return;
	}
	if (n->out[0]->type.sec != SEC_MASKED)
		check_fail(c, n, "the result is %s, expected masked", ir_sec_name[n->out[0]->type.sec]);
	if (s->op == SUF_input)
		return;
	const struct val *v = n->in[0];
	if (v->type.sec != SEC_SHARED)
		check_fail(c, n, "'%s' is %s, only shared values are opened", v->name, ir_sec_name[v->type.sec]);
	if (s->s ? s->m + s->s > v->type.bits : s->m != v->type.bits)
		check_fail(c, n, "opens %d bits and drops %d of '%s', which has %d", s->m, s->s, v->name, v->type.bits);
	if (s->s && !s->round_half && (!v->def || v->def->step->id != s->pad_a || v->def->step->define_last || suf_step_desc[v->def->step->op].form != FORM_SHARED))
		check_fail(c, n, "drops bits of both pads of '%s', but step %u does not give it pads alone as its mask", v->name, s->pad_a);
}

static void
check_numbers(struct checker *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const struct val *whole = n->nout ? n->out[0] : n->in[0];
	if (s->count != ir_wire_count(whole))
		check_fail(c, n, "count=%llu, '%s' has %llu elements", (unsigned long long)s->count, whole->name, (unsigned long long)ir_wire_count(whole));
	if (n->nin > 0 && s->n != n->in[0]->type.bits)
		check_fail(c, n, "n=%d, '%s' has %d ring bits", s->n, n->in[0]->name, n->in[0]->type.bits);
	int last = n->nout - 1;
	while (last > 0 && suf_result_form(s, last) != suf_step_desc[s->op].form)
		last--;
	if (n->nout > 0 && s->m != n->out[last]->type.bits)
		check_fail(c, n, "m=%d, '%s' has %d ring bits", s->m, n->out[last]->name, n->out[last]->type.bits);
	const uint64_t elems[2] = { s->na, s->nb };
	for (int k = 0; k < 2 && k < n->nin; k++)
		if ((elems[k] || takes_owned(s)) && elems[k] != ir_wire_count(n->in[k]))
			check_fail(c, n, "n%c=%llu, '%s' has %llu elements", 'a' + k, (unsigned long long)elems[k], n->in[k]->name, (unsigned long long)ir_wire_count(n->in[k]));
}

/* Another view of a value has another shape, nothing else. */
static void
check_views(struct checker *c, const struct node *n)
{
	for (int k = 0; k < n->nin; k++) {
		const struct val *v = n->in[k], *of = unalias(v);
		if (v->type.sec != of->type.sec || v->type.bits != of->type.bits || ir_wire_count(v) != ir_wire_count(of))
			check_fail(c, n, "'%s' has %llu %s elements of %d bits and is a view of '%s', which has %llu %s ones of %d", v->name,
			           (unsigned long long)ir_wire_count(v), ir_sec_name[v->type.sec], v->type.bits, of->name,
			           (unsigned long long)ir_wire_count(of), ir_sec_name[of->type.sec], of->type.bits);
	}
}

/* ---- ids, openings ------------------------------------------------------------ */

static void
check_ids(struct checker *c)
{
	uint32_t n = c->p->next_id;
	bool *used = arena_alloc(c->arena, (size_t)n + 1);
	for (const struct node *k = c->p->first; k; k = k->next) {
		if (k->step->id < 1 || k->step->id >= n)
			check_fail(c, k, "step id %u is not between 1 and %u", k->step->id, n - 1);
		else if (used[k->step->id])
			check_fail(c, k, "step id %u is used twice: pads would repeat", k->step->id);
		else
			used[k->step->id] = true;
	}
}

/* The share whose pads stand in v, element by element: an opening of one is an opening of the other. */
static const struct val *
padded_value(const struct val *v)
{
	for (;;) {
		v = unalias(v);
		const struct node *n = v->def;
		const bool copy = n && n->step->op == SUF_lin && n->nin == 1 && n->step->count == ir_wire_count(n->in[0]);
		if (!n || (!copy && n->step->op != SUF_addx) || n->in[0]->type.sec != SEC_SHARED)
			return v;
		v = n->in[0];
	}
}

static void
check_opened_once(struct checker *c)
{
	struct pos_map opened;
	pos_init(&opened, c->arena, c->nnodes + 1);
	for (const struct node *n = c->p->first; n; n = n->next) {
		if (n->step->op != SUF_open)
			continue;
		const struct val *v = padded_value(n->in[0]);
		if (pos_of(&opened, v) >= 0)
			check_fail(c, n, "'%s' is opened twice", v->name);
		pos_set(&opened, v, 1);
	}
}

/* ---- rounds --------------------------------------------------------------------- */

/* end[r]: position of the last message of round r; after it the round is exchanged. */
static int *
round_ends(struct checker *c)
{
	int nrounds = c->p->nrounds, pos = 0, last = 0;
	int *end = arena_alloc(c->arena, ((size_t)nrounds + 1) * sizeof *end);
	for (int r = 0; r < nrounds; r++)
		end[r] = -1;
	for (const struct node *n = c->p->first; n; n = n->next, pos++) {
		if (!is_message(n))
			continue;
		if (n->round < 0 || n->round >= nrounds)
			check_fail(c, n, "round %d of %d", n->round, nrounds);
		else if (n->round < last)
			check_fail(c, n, "a message of round %d after one of round %d", n->round, last);
		else
			end[last = n->round] = pos;
	}
	for (int r = 0; r < nrounds; r++)
		if (end[r] < 0)
			check_fail(c, NULL, "nothing is sent in round %d", r);
	return c->reports ? NULL : end;
}

static void
check_rounds(struct checker *c, const int *end)
{
	struct pos_map open_of; /* share -> position of the end of the round that opens it */
	pos_init(&open_of, c->arena, c->nnodes + 1);
	for (const struct node *n = c->p->first; n; n = n->next)
		if (n->step->op == SUF_open)
			pos_set(&open_of, unalias(n->in[0]), end[n->round]);
	int pos = 0;
	for (const struct node *n = c->p->first; n; n = n->next, pos++)
		for (int k = 0; k < n->nin; k++) {
			const struct val *v = unalias(n->in[k]);
			if (v->def && is_message(v->def) && pos <= end[v->def->round])
				check_fail(c, n, "reads '%s' before round %d is exchanged", v->name, v->def->round);
			if (pos_of(&open_of, v) >= 0 && pos > pos_of(&open_of, v))
				check_fail(c, n, "reads the share '%s' after its opening", v->name);
		}
}

/* ---- places in the wire buffer ---------------------------------------------------- */

struct life { const struct val *root; uint64_t at, end; int last; };

static void
check_places(struct checker *c, const int *end)
{
	struct pos_map last;
	pos_init(&last, c->arena, c->p->nvals + 1);
	int pos = 0;
	for (const struct node *n = c->p->first; n; n = n->next, pos++) {
		for (int k = 0; k < n->nin; k++)
			if (!n->in[k]->data)
				pos_set(&last, root_of(n->in[k]), pos);
		for (int k = 0; k < n->nout; k++) {
			const struct val *root = root_of(n->out[k]);
			int until = is_message(n) && end ? end[n->round] : pos;
			if (pos_of(&last, root) < until)
				pos_set(&last, root, until);
			if (n->out[k]->slot != root->slot)
				check_fail(c, n, "'%s' is at %llu, but shares the place of '%s' at %llu", n->out[k]->name, (unsigned long long)n->out[k]->slot,
				           root->name, (unsigned long long)root->slot);
		}
	}
	struct life *alive = arena_alloc(c->arena, (size_t)(c->p->nvals + 1) * sizeof *alive);
	int nalive = 0;
	pos = 0;
	for (const struct node *n = c->p->first; n; n = n->next, pos++) {
		for (int k = 0; k < nalive;)
			if (alive[k].last < pos)
				alive[k] = alive[--nalive];
			else
				k++;
		for (int k = 0; k < n->nout; k++) {
			const struct val *v = n->out[k];
			if (root_of(v) != v)
				continue;
			struct life l = { v, v->slot, v->slot + ir_wire_count(v), pos_of(&last, v) };
			if (l.end > c->p->wire_elems)
				check_fail(c, n, "'%s' ends at element %llu of a wire buffer of %llu", v->name, (unsigned long long)l.end, (unsigned long long)c->p->wire_elems);
			for (int j = 0; j < nalive; j++)
				if (l.at < alive[j].end && alive[j].at < l.end)
					check_fail(c, n, "'%s' takes the place of '%s', which is still needed", v->name, alive[j].root->name);
			alive[nalive++] = l;
		}
	}
}

/* Weights are numbered in the order of their first use. */
static void
check_weights(struct checker *c)
{
	struct pos_map seen;
	int count = 0;
	pos_init(&seen, c->arena, c->p->nvals + 1);
	for (const struct node *n = c->p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			const struct val *v = n->in[k];
			if (!v->data || pos_of(&seen, v) >= 0)
				continue;
			pos_set(&seen, v, 1);
			if (v->slot != (uint64_t)count)
				check_fail(c, n, "the weight '%s' has the number %llu, expected %d", v->name, (unsigned long long)v->slot, count);
			count++;
		}
}

void
check_sched(struct checker *c)
{
	check_ids(c);
	for (const struct node *n = c->p->first; n; n = n->next) {
		enum step_form form = suf_step_desc[n->step->op].form;
		if (form == FORM_LOCAL)
			check_local(c, n);
		else if (form == FORM_SHARED)
			check_protocol(c, n);
		else if (takes_public(n->step))
			check_public_local(c, n);
		else
			check_message(c, n);
		if (takes_public(n->step) || takes_owned(n->step))
			check_known(c, n);
		if (n->step->one_way && n->step->op != SUF_open)
			check_fail(c, n, "one_way, but only an opening can be");
		check_numbers(c, n);
		check_views(c, n);
		check_bounds(c, n);
	}
	check_opened_once(c);
	if (c->reports)
		return;
	const int *end = NULL;
	if (c->p->nrounds) { /* scheduled */
		end = round_ends(c);
		if (!end)
			return;
		check_rounds(c, end);
	}
	if (c->p->wire_elems) { /* planned */
		check_places(c, end);
		check_weights(c);
	}
}

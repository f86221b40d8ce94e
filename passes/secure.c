/* SPDX-License-Identifier: Apache-2.0
 * secure.c -- pass `secure`: a program is refused unless the proof of docs/security.md applies to it.
 *
 * The second, independent line behind ir_check: nothing is opened that has no pad of its own, of full width; no pad hides two
 * openings; no stream label serves twice; nothing is dropped without a rule that says whose coins round; masks count as pads only
 * where they are; inputs, outputs and weights get in and out at their places.  It follows the program once, in order, and changes nothing.
 *
 * What a party observes: corrections (PART), shares of the other party (open), masked weights and inputs, output masks.  Each pad is
 * born at its step and operands are made before, so removing pads in the reverse order of the program is possible (docs/security.md);
 * the checks are local for that reason, and linear in time but for places (logarithmic).
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "ir/text.h"
#include "passes/passes.h"
#include "passes/secure.h"

enum { MOST_REPORTS = 20, MOST_VIEWS = 1000, TAG_PARTS = 0xff };
_Static_assert((int)SUF_NPART < (int)TAG_PARTS && SUF_MAX_OUT < 0x100, "tags of parts, pads and inputs are apart (runtime/run.c)");

void
secure_fail(struct secure *c, int rule, const struct node *n, const struct val *v, const char *fmt, ...)
{
	static const struct loc nowhere = { .index = -1 };
	char text[384];
	va_list ap;
	if (++c->reports > MOST_REPORTS)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n)
		diag_error(c->p->diag, &n->loc, "secure", "R%d: step %u (%s)%s%s%s: %s", rule, n->step->id, suf_step_desc[n->step->op].name, v ? ", '" : "",
		           v ? v->name : "", v ? "'" : "", text);
	else
		diag_error(c->p->diag, &nowhere, "secure", "R%d: %s%s%s%s", rule, v ? "'" : "", v ? v->name : "", v ? "': " : "", text);
}

uint64_t
secure_count(const struct val *v)
{
	uint64_t n = v->onehot ? v->onehot : 1;
	for (int k = 0; k < v->rank; k++)
		n *= (uint64_t)v->dim[k];
	return n;
}

struct fact *
secure_fact(const struct secure *c, const struct val *v)
{
	for (int fuel = MOST_VIEWS; v && fuel > 0; fuel--) {
		const int k = pos_of(&c->index, v);
		if (k >= 0)
			return &c->fact[k];
		if (v->def)
			return NULL;
		v = v->alias;
	}
	return NULL;
}

struct fact *
secure_operand(const struct secure *c, const struct fact *f, int k)
{
	struct fact *of = k < f->maker->nin ? secure_fact(c, f->maker->in[k]) : NULL;
	return of && of->at < f->at ? of : NULL;
}

/* ---- operands ------------------------------------------------------------------- */

/* The form of in[k], derived; SEC_PUBLIC: a number that everybody knows, or it is none that a step may read. */
static enum sec
operand_form(struct secure *c, const struct node *n, int k)
{
	const struct val *v = n->in[k];
	if (secure_takes_public(n->step, k)) {
		if (!v->data || v->type.sec != SEC_WEIGHT || c->p->weights != WEIGHTS_PUBLIC)
			secure_fail(c, 9, n, v, "is read as it is: it has to be a weight, and weights public");
		else if (v->type.bits < n->step->m)
			secure_fail(c, 6, n, v, "%u bits in a ring of %u", v->type.bits, n->step->m);
		return SEC_PUBLIC;
	}
	if (suf_operand_owned(n->step, k)) {
		if (!v->data || v->type.sec != SEC_WEIGHT || c->p->weights != WEIGHTS_OWNER)
			secure_fail(c, 10, n, v, "is read as it is by party 0: it has to be a weight, and weights party 0's");
		else if (v->type.bits < n->step->m)
			secure_fail(c, 6, n, v, "%u bits in a ring of %u", v->type.bits, n->step->m);
		return SEC_PUBLIC;
	}
	if (v->data) {
		if (v->type.sec != SEC_WEIGHT)
			secure_fail(c, 1, n, v, "a constant that is %s is no operand of a step", ir_sec_name[v->type.sec]);
		return v->type.sec == SEC_WEIGHT ? SEC_WEIGHT : SEC_PUBLIC;
	}
	const struct fact *f = secure_fact(c, v);
	if (!f) {
		secure_fail(c, 2, n, v, "is read before anything made it");
		return SEC_PUBLIC;
	}
	if (v->type.bits != f->val->type.bits || secure_count(v) != secure_count(f->val))
		secure_fail(c, 1, n, v, "is a view of '%s' with other elements or another ring", f->val->name);
	if (v->type.sec != f->form)
		secure_fail(c, 1, n, v, "is called %s and is %s", ir_sec_name[v->type.sec], ir_sec_name[f->form]);
	if (f->form == SEC_SHARED && f->open)
		secure_fail(c, 2, n, v, "is read as a share behind step %u, which opens it in place", f->open->step->id);
	if (secure_sends(f->maker->step) && f->maker->round >= n->round)
		secure_fail(c, 2, n, v, "is read before round %d, which sends it, is over", f->maker->round);
	secure_place_read(c, n, f->val);
	return f->form;
}

/* Local steps: all operands shares, or all masked ones and weights. */
static enum sec
local_form(struct secure *c, const struct node *n, const enum sec *form)
{
	enum sec all = SEC_MASKED;
	for (int k = 0; k < n->nin; k++)
		if (form[k] == SEC_SHARED)
			all = SEC_SHARED;
	for (int k = 0; k < n->nin; k++)
		if (form[k] != SEC_PUBLIC && form[k] != all && !(all == SEC_MASKED && form[k] == SEC_WEIGHT))
			secure_fail(c, 1, n, n->in[k], "is %s in a local step on %s values", ir_sec_name[form[k]], ir_sec_name[all]);
	return all;
}

static enum sec
sec_of(enum step_form form)
{
	return form == FORM_SHARED ? SEC_SHARED : form == FORM_EXACT ? SEC_EXACT : form == FORM_DEALER ? SEC_DEALER : SEC_MASKED;
}

/* Each operand as its row TAKES says, else masked, or a weight where the step has a row for it. */
static void
check_forms(struct secure *c, const struct node *n, const enum sec *form)
{
	for (int k = 0; k < n->nin; k++) {
		const enum sec want = secure_mask(n->step) == MASK_OPENED ? SEC_SHARED : sec_of(suf_operand_form(n->step, k));
		const bool weight = form[k] == SEC_WEIGHT && secure_takes_weight(n->step, k);
		if (form[k] != want && form[k] != SEC_PUBLIC && !weight)
			secure_fail(c, secure_sends(n->step) ? 1 : 2, n, n->in[k], "is %s, the step takes what is %s%s", ir_sec_name[form[k]], ir_sec_name[want],
			            secure_sends(n->step) ? ": it would be sent without a pad" : "");
	}
}

/* A multiple in a ring of m bits, of an operand of fewer: the wrap of the mask has to vanish. */
static void
check_wraps(struct secure *c, const struct node *n)
{
	for (int k = 0; k < n->nin && !secure_takes_public(n->step, k); k++) {
		const int64_t *factor;
		unsigned least = 64;             /* zeros at the end of the factors */
		for (uint32_t i = 0, count = secure_factors(n->step, k, &factor); i < count; i++)
			for (unsigned z = 0; z < least; z++)
				if ((uint64_t)factor[i] >> z & 1)
					least = z;
		if (n->in[k]->type.bits + least < n->step->m)
			secure_fail(c, 6, n, n->in[k], "%u bits in a ring of %u: a wrap of the mask would stay", n->in[k]->type.bits, n->step->m);
	}
}

/* ---- mask shares by reference ------------------------------------------------------ */

/* The result whose pads, in order, are the shares of the mask of v; NULL: there is none. */
static const struct fact *
pads_of(const struct secure *c, const struct val *v)
{
	bool opened = false;
	const struct fact *f = secure_fact(c, v);
	while (f && (secure_mask(f->maker->step) == MASK_OPENED || secure_reduces(f->maker))) {
		if (secure_mask(f->maker->step) == MASK_OPENED && f->maker->step->s)
			return NULL;
		opened |= secure_mask(f->maker->step) == MASK_OPENED;
		f = secure_operand(c, f, 0);
	}
	return f && opened && f->form == SEC_SHARED && f->output == 0 && secure_mask(f->maker->step) == MASK_PADS ? f : NULL;
}

static void
check_references(struct secure *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	for (int k = 0; k < 2; k++) {
		const uint32_t id = suf_operand_pad(s, k);
		const bool wants = k < n->nin && secure_wants_shares(s, k);
		if (id && !wants && secure_mask(s) != MASK_OPENED)
			secure_fail(c, 5, n, k < n->nin ? n->in[k] : NULL, "refers to the pads of step %u and takes no mask shares", id);
		if (!wants || n->in[k]->data)
			continue;
		const unsigned bits = secure_share_bits(s, k);
		const struct fact *f = id ? pads_of(c, n->in[k]) : NULL;
		if (!id && !bits)
			secure_fail(c, 5, n, n->in[k], "nobody has shares of its mask: neither a part nor pads");
		else if (id && (!f || f->maker->step->id != id))
			secure_fail(c, 5, n, n->in[k], "its mask is not the pads of step %u alone", id);
		else if (id && n->in[k]->type.bits < bits)
			secure_fail(c, 5, n, n->in[k], "has %u bits: its pads are no shares of its mask in a ring of %u", n->in[k]->type.bits, bits);
	}
	if (s->define_last && secure_mask(s) != MASK_MORE)
		secure_fail(c, 5, n, NULL, "says that a mask is defined last, but it is pads alone");
}

/* ---- weights ---------------------------------------------------------------------- */

static void
check_weights(struct secure *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const bool product = n->nin > 1 && secure_wants_shares(s, 1) && secure_takes_weight(s, 1);
	if (s->weight_b && !(product && n->in[1]->data))
		secure_fail(c, 9, n, n->nin > 1 ? n->in[1] : NULL, "a weight's stream would be taken for the mask of what is no weight");
	if (product && n->in[1]->data && !s->weight_b)
		secure_fail(c, 9, n, n->in[1], "is a weight, the step would deal its mask again");
	for (int k = 1; k < n->nin; k++) {
		const unsigned ring = k == 1 && secure_share_bits(s, 1) ? secure_share_bits(s, 1) : s->m;
		if (n->in[k]->data && secure_takes_weight(s, k) && n->in[k]->type.bits < ring)
			secure_fail(c, 1, n, n->in[k], "is masked with %u bits, the product has %u", n->in[k]->type.bits, ring);
	}
}

/* One number, so one stream of the model's seeds, for each weight. */
static void
check_labels(struct secure *c)
{
	const struct val **by_slot = arena_alloc(c->a, ((size_t)c->p->nvals + 1) * sizeof *by_slot);
	for (const struct node *n = c->p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			const struct val *v = n->in[k];
			if (!v->data)
				continue;
			if (v->slot > (uint64_t)c->p->nvals || (by_slot[v->slot] && by_slot[v->slot] != v))
				secure_fail(c, 9, n, v, "has the number %llu, which another weight has, too: one mask for both", (unsigned long long)v->slot);
			else
				by_slot[v->slot] = v;
		}
}

/* ---- messages --------------------------------------------------------------------- */

/* m + s bits at most; known ranges fit what is kept.  Which way it rounds is said. */
static void
check_open(struct secure *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const struct val *v = n->in[0], *out = n->out[0];
	const unsigned bits = v->type.bits;
	if (s->s ? s->m + s->s > bits : s->m != bits)
		secure_fail(c, 6, n, v, "%u bits are kept and %u dropped of %u", s->m, s->s, bits);
	if (out->slot != v->slot)
		secure_fail(c, 2, n, out, "is opened at another place than its share");
	if (!s->s)
		return;
	const struct fact *f = secure_fact(c, v);
	if (!s->round_half && !(f && f->maker->step->id == s->pad_a && f->output == 0 && secure_mask(f->maker->step) == MASK_PADS))
		secure_fail(c, 4, n, v, "bits are dropped by no rule: neither rounded, nor of pads alone that the step names");
	const double most = fmax(fabs(out->lo), fabs(out->hi));
	if (out->from != RANGE_NONE && out->lo <= out->hi && ldexp(most, out->type.frac) > ldexp(1, s->m - 1))
		secure_fail(c, 6, n, out, "up to %g with %u fraction bits does not fit the %u bits that are kept", most, out->type.frac, s->m);
}

static int
count_of(struct val *const *list, int n, const struct val *v)
{
	int k = 0;
	for (int i = 0; i < n; i++)
		k += list[i] == v;
	return k;
}

/* Outputs and inputs of the program have one step each, and nothing else has. */
static void
check_borders(struct secure *c)
{
	const struct prog *p = c->p;
	struct pos_map given;
	pos_init(&given, c->a, p->nvals + 1);
	for (const struct node *n = p->first; n; n = n->next) {
		const struct val *v = secure_mask(n->step) == MASK_NONE && n->nin ? n->in[0] : NULL;
		if (!v)
			continue;
		const int before = pos_of(&given, v) < 0 ? 0 : pos_of(&given, v);
		if (before >= count_of(p->out, p->nout, v))
			secure_fail(c, 11, n, v, before ? "its mask is given away again" : "is no output of the program, its mask would be given away");
		pos_set(&given, v, before + 1);
	}
	for (int k = 0; k < p->nout; k++)
		if (pos_of(&given, p->out[k]) != count_of(p->out, p->nout, p->out[k]))
			secure_fail(c, 11, NULL, p->out[k], "an output of which nobody gets the mask");
	if (p->opt && (p->opt->output_to < 0 || p->opt->output_to > 2))
		secure_fail(c, 11, NULL, NULL, "outputs go to party %d", p->opt->output_to);
}

/* ---- one step ---------------------------------------------------------------------- */

static void
check_id(struct secure *c, const struct node *n)
{
	const uint32_t id = n->step->id;
	if (id < 1 || id >= c->p->next_id)
		secure_fail(c, 9, n, NULL, "its number is not between 1 and %u: its streams have no label", c->p->next_id - 1);
	else if (c->by_id[id])
		secure_fail(c, 9, n, NULL, "another step has its number, too: their pads would be the same");
	else
		c->by_id[id] = n;
}

static void
check_round(struct secure *c, const struct node *n)
{
	const bool sends = secure_sends(n->step);
	if (n->round < 0 || n->round > c->p->nrounds || (sends && n->round == c->p->nrounds))
		secure_fail(c, 2, n, NULL, "round %d of %d", n->round, c->p->nrounds);
	else if (n->round < c->round)
		secure_fail(c, 2, n, NULL, "round %d behind a step of round %d", n->round, c->round);
	else if (n->round > c->sent + 1)
		secure_fail(c, 2, n, NULL, "nothing is sent in round %d", c->sent + 1);
	c->round = n->round;
	c->sent = sends ? n->round : c->sent;
}

static void
add_result(struct secure *c, const struct node *n, int k, enum sec form)
{
	const struct val *v = n->out[k];
	if (pos_of(&c->index, v) >= 0 || v->data) {
		secure_fail(c, 2, n, v, "is made twice");
		return;
	}
	if (v->type.sec != form)
		secure_fail(c, 1, n, v, "is called %s and is %s", ir_sec_name[v->type.sec], ir_sec_name[form]);
	if (secure_mask(n->step) == MASK_CLIENT && count_of(c->p->in, c->p->nin, v) != 1)
		secure_fail(c, 11, n, v, "is no input of the program");
	pos_set(&c->index, v, c->nfact);
	c->fact[c->nfact++] = (struct fact){ .val = v, .maker = n, .output = k, .at = c->now, .form = form,
	                                     .early = secure_is_early(c, n), .party0 = secure_is_party0(c, n) };
	if (secure_mask(n->step) != MASK_OPENED)
		secure_place_write(c, n, v);
}

/* The form of the results but for rows RESULT; -1 for those of rows. */
static enum sec
result_form(struct secure *c, const struct node *n, const enum sec *form)
{
	const struct suf_step *s = n->step;
	switch (secure_mask(s)) {
	case MASK_LINEAR: {
		const enum sec all = local_form(c, n, form);
		check_wraps(c, n);
		if (s->map && !ir_map_once(s->map, s->map->so, s->map->out0, s->count))
			secure_fail(c, 2, n, n->out[0], "is not written element by element, each once");
		return all;
	}
	case MASK_FLOOR:
		check_forms(c, n, form);
		if (!s->s || s->m + s->s > s->n)
			secure_fail(c, 6, n, n->in[0], "%u bits are kept of %u shifted by %u", s->m, s->n, s->s);
		return SEC_MASKED;
	case MASK_IMAGE:
		check_forms(c, n, form);
		check_wraps(c, n);
		return SEC_MASKED;
	case MASK_JOINS:
		check_forms(c, n, form);
		check_wraps(c, n);
		if (s->map && !ir_map_once(s->map, s->map->so, s->map->out0, s->count))
			secure_fail(c, 2, n, n->out[0], "is not written element by element, each once");
		return SEC_SHARED;
	case MASK_PADS: case MASK_MORE:
		check_forms(c, n, form);
		return SEC_SHARED;
	case MASK_OPENED: case MASK_CLIENT: case MASK_NONE:
		check_forms(c, n, form);
		return SEC_MASKED;
	}
	return SEC_PUBLIC;
}

static void
check_step(struct secure *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const enum mask_of mask = secure_mask(s);
	const bool local = mask == MASK_LINEAR || mask == MASK_FLOOR || mask == MASK_IMAGE || mask == MASK_JOINS;
	enum sec form[SUF_MAX_IN] = { SEC_PUBLIC };
	check_id(c, n);
	check_round(c, n);
	for (int k = 0; k < n->nin; k++)
		form[k] = operand_form(c, n, k);
	const enum sec made = result_form(c, n, form);
	if (s->shared != (local && made == SEC_SHARED))
		secure_fail(c, 1, n, n->nout ? n->out[0] : NULL, "says shared=%u and works on %s values", s->shared, ir_sec_name[made]);
	secure_numbers(c, n);
	secure_companions(c, n);
	secure_gaps(c, n);
	check_references(c, n);
	check_weights(c, n);
	secure_owner(c, n);
	for (int k = 0; k < n->nout; k++)
		add_result(c, n, k, local ? made : sec_of(suf_result_form(s, k)));
	if (mask == MASK_OPENED) {
		struct fact *f = secure_fact(c, n->in[0]);
		check_open(c, n);
		if (f && f->form == SEC_SHARED)
			f->open = n;
	}
}

bool
pass_secure(struct prog *p)
{
	struct secure c = { .p = p, .a = arena_new(), .sent = -1 };
	size_t results = 1;
	for (const struct node *n = p->first; n; n = n->next)
		results += (size_t)n->nout;
	c.fact = arena_alloc(c.a, results * sizeof *c.fact);
	c.by_id = arena_alloc(c.a, ((size_t)p->next_id + 1) * sizeof *c.by_id);
	pos_init(&c.index, c.a, (int)results);
	secure_place_init(&c);
	for (const struct node *n = p->first; n; n = n->next, c.now++)
		check_step(&c, n);
	if (c.sent != p->nrounds - 1)
		secure_fail(&c, 2, NULL, NULL, "nothing is sent in round %d", p->nrounds - 1);
	check_labels(&c);
	check_borders(&c);
	secure_openings(&c);
	if (c.reports)
		diag_hint(p->diag, "%s", c.reports > MOST_REPORTS ? arena_printf(p->arena, "and %d more; this is a fault of sufc unless the program was read from a file", c.reports - MOST_REPORTS)
		          : "this is a fault of sufc unless the program was read from a file; rules: docs/security.md");
	arena_free(c.a);
	return c.reports == 0;
}

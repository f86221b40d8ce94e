/* SPDX-License-Identifier: Apache-2.0
 * mutate_owner.c -- faults of programs with weights of party 0: R10. */
#include "mutate_find.h"

static bool is_owned(const struct node *n) { return n->step->op == SUF_omul || n->step->op == SUF_oscale; }
static bool is_ahead(const struct node *n) { return n->step->offline && !is_open(n); }
static bool opens_ahead(const struct node *n) { return n->step->offline && is_open(n); }
static bool is_one_way(const struct node *n) { return n->step->one_way; }
static bool opens_online(const struct node *n) { return is_open(n) && !n->step->offline && !n->step->one_way; }

/* A message that depends on what was opened before would be sent before the input is there. */
static bool
online_sent_before(struct prog *p)
{
	struct node *n = find(p, is_owned, 0) ? find(p, opens_online, 1) : NULL;
	if (!n)
		return false;
	n->step->offline = 1;
	return true;
}

/* Likewise where its share alone says so, or the step that takes a key. */
static bool
online_made_before(struct prog *p)
{
	for (struct node *n = find(p, is_owned, 0) ? p->first : NULL; n; n = n->next)
		if (has_pads(n) && !n->step->offline && n->nout == 1 && !is_owned(n)) {
			n->step->offline = 1;
			return true;
		}
	return false;
}

static bool
keyed_before(struct prog *p)
{
	struct node *n = find(p, is_ahead, 0);
	if (!n || !is_owned(n))
		return false;
	n->step->pad_a = 0;                  /* a correction instead, which comes with the key */
	return true;
}

/* Party 1 has the share in advance only. */
static bool
ahead_read_online(struct prog *p)
{
	struct node *n = find(p, opens_ahead, 0);
	if (!n)
		return false;
	n->step->offline = 0;
	return true;
}

static bool
ahead_of_nobody(struct prog *p)
{
	struct node *n = find(p, is_input, 0);
	n->step->offline = 1;
	return true;
}

/* Party 1 reads what only party 0 learns. */
static bool
one_way_read_by_both(struct prog *p)
{
	struct node *n = find(p, is_owned, 0) ? find(p, opens_online, 0) : NULL;
	if (!n)
		return false;
	n->step->one_way = 1;
	return true;
}

static bool
one_way_given_out(struct prog *p)
{
	struct node *out = find(p, is_output, 0);
	const struct val *v = root(out->in[0]);
	if (!find(p, is_owned, 0) || !v->def || !is_open(v->def))
		return false;
	for (struct node *n = p->first; n; n = n->next)
		n->step->offline = 0;
	v->def->step->one_way = 1;
	return true;
}

static bool
one_way_in_masked(struct prog *p)
{
	struct node *n = find(p, is_owned, 0) ? NULL : find(p, is_open, 0);
	if (!n)
		return false;
	n->step->one_way = 1;
	return true;
}

static bool
both_ways_of_none(struct prog *p)
{
	struct node *n = find(p, opens_ahead, 0);
	if (!n)
		return false;
	n->step->one_way = 1;
	return true;
}

static bool
owned_by_nobody(struct prog *p)
{
	if (!find(p, is_owned, 0))
		return false;
	p->weights = WEIGHTS_MASKED;
	return true;
}

static bool
wire_as_owned(struct prog *p)
{
	struct node *n = find(p, is_owned, 0);
	if (!n)
		return false;
	ir_set_in(p, n, 1, n->in[0]);
	return true;
}

/* The dealer would make masks of fewer weights than there are. */
static bool
fewer_weights(struct prog *p)
{
	struct node *n = find(p, is_owned, 0);
	if (!n)
		return false;
	n->step->nb = 0;
	return true;
}

/* Party 1 would do less in advance, and more online: nothing is wrong. */
static bool
less_in_advance(struct prog *p)
{
	if (!find(p, is_ahead, 0))
		return false;
	for (struct node *n = p->first; n; n = n->next)
		n->step->offline = 0;
	return true;
}

/* Party 1 learns what it has no use for: nothing is wrong. */
static bool
less_one_way(struct prog *p)
{
	struct node *n = find(p, is_one_way, 0);
	if (!n)
		return false;
	n->step->one_way = 0;
	return true;
}

const struct fault faults_owner[] = {
	{ "an opening that depends on others, sent before the input is there", online_sent_before, "R10:", false },
	{ "a share that depends on openings, made before the input is there", online_made_before, "R10:", false },
	{ "a share that takes a key, made in advance", keyed_before, "R10:", false },
	{ "a share made in advance, read online", ahead_read_online, "R10:", false },
	{ "an input before the input is there", ahead_of_nobody, "R10:", false },
	{ "a value of party 0 alone that both read", one_way_read_by_both, "R10:", false },
	{ "a value of party 0 alone given to party 1 as an output", one_way_given_out, "R10:", false },
	{ "a value of party 0 alone where nobody owns weights", one_way_in_masked, "R10:", false },
	{ "an opening that nobody sends online", both_ways_of_none, "R10:", false },
	{ "weights of party 0 in a program where they are masked", owned_by_nobody, "R10:", false },
	{ "a wire read as a weight of party 0", wire_as_owned, "R10:", false },
	{ "masks of fewer weights of party 0", fewer_weights, "R3:", false },
	{ "nothing done in advance", less_in_advance, NULL, true },
	{ "a value that party 1 learns and does not read", less_one_way, NULL, true },
};
const int nfaults_owner = sizeof faults_owner / sizeof faults_owner[0];

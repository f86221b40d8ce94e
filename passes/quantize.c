/* SPDX-License-Identifier: Apache-2.0
 * quantize.c -- pass `quantize`: FLOAT to RING.  One format for all activations,
 * n bits with f fraction bits; a product has the sum of its operands' fraction
 * bits and is followed by a rescale.  Integer inputs have 0 fraction bits.
 *
 * With gates of the set `compact` each value has fraction bits of its own (precision.c): products are rescaled behind
 * the sums that they enter, and rings are 64 bits wide until pass `rings` narrows them.
 *
 * Values keep their names: the truncated value is the one that stands for the
 * float value, the product before it gets a new name (NAME.wide).
 */
#include <math.h>
#include <string.h>
#include "passes/choose.h"
#include "passes/descriptor.h"
#include "passes/formats.h"
#include "passes/quantize.h"

static void set_type(struct quant *q, struct val *v, int frac)
{
	v->type = (struct type){ .sec = SEC_SECRET, .bits = q->bits, .frac = (uint8_t)frac };
	v->source = v;
}

static int frac_of(const struct val *v) { return v->type.frac; }

/* Fraction bits that the readers of v want */
static int want(const struct quant *q, const struct val *v) { return q->precision ? precision_of(q->precision, v) : q->frac; }

/* Of a constant operand of n */
static int weight_frac(const struct quant *q, const struct node *n) { return q->precision ? precision_of_weight(q->precision, n) : q->frac; }

/* A new node after n with n's output as its output; n gets a new value, NAME+suffix, with `frac` bits. */
static struct node *follow(struct quant *q, struct node *n, enum op op, const char *suffix, int frac)
{
	struct val *v = n->out[0], *mid = ir_val_like(q->prog, v, suffix);
	struct node *after = ir_node(q->prog, n->next, op, &n->loc, 1, &v, 1, &mid);
	ir_take_out(q->prog, after, v);
	ir_set_in(q->prog, after, 0, mid);
	set_type(q, mid, frac);
	mid->source = NULL;
	return after;
}

static void set_shift(struct quant *q, struct node *n, int shift)
{
	n->klass = "truncate";
	ir_set_int(q->prog, n, ATTR_shift, shift);
}

/* n computes its output with `frac` fraction bits; bring it down to the format. */
static void finish(struct quant *q, struct node *n, int frac)
{
	struct val *v = n->out[0];
	const int to = want(q, v);
	if (frac <= to || (q->precision && precision_stays_wide(q->prog, v))) {
		set_type(q, v, frac);
		return;
	}
	struct node *down = follow(q, n, OP_rescale, ".wide", frac);
	struct val *wide = n->out[0];
	wide->source = v;
	wide->lo = v->lo; wide->hi = v->hi; wide->norm = v->norm; wide->from = v->from;
	set_shift(q, down, frac - to);
	set_type(q, v, to);
}

/* Operand k of n, a secret value, times 2^(frac - its frac): an integer multiple. */
static void raise(struct quant *q, struct node *n, int k, int frac)
{
	struct val *v = n->in[k];
	if (frac_of(v) >= frac)
		return;
	struct val *up = ir_val_like(q->prog, v, ".raised");
	set_type(q, up, frac);
	up->source = v->source;
	up->lo = v->lo; up->hi = v->hi; up->norm = v->norm; up->from = v->from;
	struct node *m = ir_node(q->prog, n, OP_scale, &n->loc, 1, &v, 1, &up);
	ir_set_f64(q->prog, m, ATTR_factor, ldexp(1, frac - frac_of(v)));
	ir_set_in(q->prog, n, k, up);
}

static void use_const(struct quant *q, struct node *n, int k, int frac, enum sec sec)
{
	ir_set_in(q->prog, n, k, const_at(q, n->in[k], frac, sec, &n->loc));
}

static enum sec sec_of(const struct val *c)
{
	return c->type.sec == SEC_WEIGHT ? SEC_WEIGHT : SEC_PUBLIC;
}

/* --- one function per kind of operation -------------------------------- */

static void carry(struct quant *q, struct node *n)
{
	set_type(q, n->out[0], frac_of(n->in[0]));
}

/* Operand and result in the global format: what tables are made for. */
static void at_format(struct quant *q, struct node *n)
{
	raise(q, n, 0, want(q, n->in[0]));
	if (q->precision && (n->op == OP_softmax || n->op == OP_softmax_tril) && !format_soft(n->in[0], n->in[0]->type.frac, format_row(n))) {
		set_type(q, n->out[0], FORMAT_TREE);
		return;
	}
	set_type(q, n->out[0], n->op == OP_argmax ? 0 : q->precision && n->op == OP_relu ? frac_of(n->in[0]) : want(q, n->out[0]));
}

/* A descriptor's cells are for one format; where it promises that no input is there, say so if one may be. */
static void quantize_act(struct quant *q, struct node *n)
{
	const struct descriptor *d = n->desc;
	const struct val *v = n->in[0];
	if (!q->precision && d->out != q->frac)
		diag_error(q->prog->diag, &n->loc, "descriptor", "the descriptor '%s' has %u fraction bits, the program %u", d->name, d->out, q->frac);
	for (int side = 0; side < 2; side++) {
		if (d->tail[side].kind != TAIL_NONE || !(v->lo <= v->hi) || (side ? v->hi < d->hi : v->lo >= d->lo))
			continue;
		diag_warning(q->prog->diag, &n->loc, "beyond-domain", "'%s' may be %s %g (%s bound: %.4g), where the descriptor '%s' expects no input", v->name,
		             side ? "above" : "below", side ? d->hi : d->lo, v->from == RANGE_PROVEN ? "proven" : "calibrated", side ? v->hi : v->lo, d->name);
		diag_hint(q->prog->diag, "give the descriptor a tail there, or a wider domain");
	}
	at_format(q, n);
}

static void quantize_norm(struct quant *q, struct node *n)
{
	at_format(q, n);
	const int frac = n->out[0]->type.frac;
	if (n->nin > 1)
		use_const(q, n, 1, frac, SEC_WEIGHT);
	if (n->nin > 2)
		use_const(q, n, 2, 2 * frac, SEC_WEIGHT);
}

static void quantize_matmul(struct quant *q, struct node *n)
{
	for (int k = 0; k < 2; k++)
		if (n->in[k]->data)
			use_const(q, n, k, weight_frac(q, n), SEC_WEIGHT);
	int frac = frac_of(n->in[0]) + frac_of(n->in[1]);
	if (n->nin > 2 && n->in[2]->data)
		use_const(q, n, 2, frac, SEC_WEIGHT);
	else if (n->nin > 2)
		raise(q, n, 2, frac);
	finish(q, n, frac);
}

/* Bits of a factor that is no power of two */
static int FACTOR(const struct quant *q) { return q->precision ? 10 : q->frac; }

/* A factor c as an integer multiple and a shift: c ~ k / 2^e, |k| in [2^(f-1), 2^f). */
static void times_factor(struct quant *q, struct node *n, double c)
{
	int have = frac_of(n->in[0]), e;
	n->op = OP_scale;
	if (c == rint(c) && fabs(c) < 0x1p20) {
		ir_set_f64(q->prog, n, ATTR_factor, c);
		set_type(q, n->out[0], have);
		return;
	}
	e = have == 0 ? q->frac : FACTOR(q) - 1 - ilogb(c);
	e = e > 2 * q->frac ? 2 * q->frac : e < 0 ? 0 : e;
	ir_set_f64(q->prog, n, ATTR_factor, rint(ldexp(c, e)));
	finish(q, n, have + e);
}

/* c = 2^-k: into the shift of the rescale right before, or a shift of its own. */
static bool shift_factor(struct quant *q, struct node *n, double c)
{
	int k;
	struct val *v = n->in[0];
	struct node *r = v->def;
	if (frexp(c, &k) != 0.5 || (!q->precision && frac_of(v) != q->frac))
		return false;
	k = 1 - k;
	if (q->precision) {              /* the same integers, read with k fraction bits more */
		const int frac = frac_of(v) + k;
		if (k <= 0 || frac > 40)
			return false;
		n->op = OP_rescale;
		n->nattr = 0;
		set_shift(q, n, 0);
		finish(q, n, frac);
		return true;
	}
	if (r && r->op == OP_rescale && ir_user(q->prog, v) == n && ir_int(r, ATTR_shift) + k > 0) {
		ir_set_int(q->prog, r, ATTR_shift, ir_int(r, ATTR_shift) + k);
		ir_set_in(q->prog, n, 0, r->in[0]);
		ir_take_out(q->prog, r, n->out[0]);
		set_type(q, r->out[0], q->frac);
		r->in[0]->source = NULL;         /* stands for the value before the factor */
		ir_remove(q->prog, n);
		return true;
	}
	if (k <= 0)
		return false;
	n->op = OP_rescale;
	n->nattr = 0;
	set_shift(q, n, k);
	set_type(q, n->out[0], q->frac);
	return true;
}

static void quantize_scale(struct quant *q, struct node *n)
{
	double c = ir_f64(n, ATTR_factor);
	if (!shift_factor(q, n, c))
		times_factor(q, n, c);
}

/* By a public scalar: a scale node. */
static void become_scale(struct quant *q, struct node *n, double c)
{
	n->nin = 1;
	n->in[1]->nuse--;
	n->op = OP_scale;
	n->nattr = 0;
	ir_set_f64(q->prog, n, ATTR_factor, c);
	quantize_scale(q, n);
}

static void swap_inputs(struct quant *q, struct node *n)
{
	struct val *a = n->in[0];
	ir_set_in(q->prog, n, 0, n->in[1]);
	ir_set_in(q->prog, n, 1, a);
}

static void quantize_mul(struct quant *q, struct node *n)
{
	double c;
	if (n->in[0]->data)
		swap_inputs(q, n);
	struct val *b = n->in[1];
	if (b->data && sec_of(b) == SEC_PUBLIC && ir_scalar_value(b, &c) && ir_count(n->in[0]) == ir_count(n->out[0])) {
		become_scale(q, n, c);
		return;
	}
	if (b->data) {
		enum sec sec = sec_of(b);
		use_const(q, n, 1, sec == SEC_PUBLIC && const_is_integer(b) ? 0 : weight_frac(q, n), sec);
	}
	finish(q, n, frac_of(n->in[0]) + frac_of(n->in[1]));
}

/* add, sub, concat: all operands with the same fraction bits. */
static void quantize_aligned(struct quant *q, struct node *n)
{
	int frac = 0;
	for (int k = 0; k < n->nin; k++) {
		const struct val *v = n->in[k];
		int have = !v->data ? frac_of(v) : sec_of(v) == SEC_PUBLIC && const_is_integer(v) ? 0 : want(q, n->out[0]); /* not by a weight's values */
		frac = have > frac ? have : frac;
	}
	for (int k = 0; k < n->nin; k++)
		if (n->in[k]->data)
			use_const(q, n, k, frac, sec_of(n->in[k]));
		else
			raise(q, n, k, frac);
	finish(q, n, frac);
}

/* A mean is a sum and a factor; the factor is a node of its own, next in the loop. */
static void quantize_mean(struct quant *q, struct node *n)
{
	double terms = (double)ir_count(n->in[0]) / (double)ir_count(n->out[0]);
	n->op = OP_reduce_sum;
	const struct val *mean = n->out[0];
	struct node *m = follow(q, n, OP_scale, ".sum", frac_of(n->in[0]));
	struct val *sum = n->out[0];
	ir_set_f64(q->prog, m, ATTR_factor, 1 / terms);
	sum->lo = mean->lo * terms; sum->hi = mean->hi * terms; sum->from = mean->from;
}

static void quantize_rope(struct quant *q, struct node *n)
{
	int frac = q->frac - 3, in = want(q, n->in[0]);
	raise(q, n, 0, in);
	in = frac_of(n->in[0]);
	use_const(q, n, 1, frac, SEC_PUBLIC);
	use_const(q, n, 2, frac, SEC_PUBLIC);
	finish(q, n, in + frac);
}

static void quantize_embedding(struct quant *q, struct node *n)
{
	struct val *ids = n->in[1];
	while (ids->def && (ids->def->op == OP_reshape || ids->def->op == OP_cast) && ids->def->in[0]->dtype == DT_I64)
		ids = ids->def->in[0];
	uint32_t rows = (uint32_t)n->in[0]->dim[0];
	if (!n->in[0]->data || ids->def || ids->data) {
		diag_error(q->prog->diag, &n->loc, "computed-ids", "the ids '%s' of the table '%s' are computed from secret values", n->in[1]->name, n->in[0]->name);
		diag_hint(q->prog->diag, "ids must be an input of the program; export the model with inputs_embeds instead");
		return;
	}
	if (ids->onehot && ids->onehot != rows) {
		diag_error(q->prog->diag, &n->loc, "two-tables", "the input '%s' chooses rows of two tables, of %u and %u rows", ids->name, ids->onehot, rows);
		diag_hint(q->prog->diag, "give each table an input of its own");
		return;
	}
	ids->onehot = rows;
	ir_set_in(q->prog, n, 1, ids);
	use_const(q, n, 0, want(q, n->out[0]), SEC_WEIGHT);
	set_type(q, n->out[0], want(q, n->out[0]));
}

/* Numbers are numbers in the ring; only the rounding of a float to an integer is refused. */
static void quantize_cast(struct quant *q, struct node *n)
{
	const struct val *v = n->in[0];
	bool narrow = n->out[0]->dtype == DT_I64 && frac_of(v) > 0, to_bool = n->out[0]->dtype == DT_BOOL && !(v->lo >= 0 && v->hi <= 1);
	if (narrow || to_bool) {
		diag_error(q->prog->diag, &n->loc, "secret-cast", "'%s' is secret and cannot be cast to %s", v->name, narrow ? "an integer" : "a boolean");
		diag_hint(q->prog->diag, "move this part of the model before the private computation");
	}
	n->op = OP_reshape;
	n->nattr = 0;
	carry(q, n);
}

static void quantize_node(struct quant *q, struct node *n)
{
	switch (n->op) {
	case OP_matmul:    quantize_matmul(q, n); break;
	case OP_mul:       quantize_mul(q, n); break;
	case OP_add: case OP_sub: case OP_concat: quantize_aligned(q, n); break;
	case OP_scale:     quantize_scale(q, n); break;
	case OP_act:       quantize_act(q, n); break;
	case OP_reduce_mean: quantize_mean(q, n); break;
	case OP_rope:      quantize_rope(q, n); break;
	case OP_embedding: quantize_embedding(q, n); break;
	case OP_cast:      quantize_cast(q, n); break;
	case OP_layernorm: case OP_rmsnorm: quantize_norm(q, n); break;
	case OP_gelu: case OP_silu: case OP_tanh: case OP_sigmoid: case OP_erf: case OP_relu:
	case OP_softmax: case OP_softmax_tril: case OP_argmax: at_format(q, n); break;
	case OP_neg: case OP_reduce_sum: case OP_reshape: case OP_transpose: case OP_slice: case OP_expand:
	case OP_gather: case OP_tril: case OP_untril: case OP_rescale: carry(q, n); break;
	default:
		diag_error(q->prog->diag, &n->loc, "no-fixed-point", "%s of a secret value has no fixed-point form", op_desc[n->op].name);
		diag_hint(q->prog->diag, "sufc --list-ops shows what is supported");
	}
}

/* An integer input chooses rows or is a number, not both. */
static void check_inputs(struct quant *q)
{
	for (const struct node *n = q->prog->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++)
			if (n->in[k]->onehot && !(n->op == OP_embedding && k == 1)) {
				diag_error(q->prog->diag, &n->loc, "ids-as-numbers", "the input '%s' chooses rows of a table and is used as a number too", n->in[k]->name);
				diag_hint(q->prog->diag, "pass what is computed from the ids (masks, positions) as an input of its own");
			}
}

/* Nodes nothing uses any more, e.g. a reshape of ids. */
static void drop_dead(struct prog *p)
{
	for (struct node *n = p->last, *prev; n; n = prev) {
		bool used = false;
		prev = n->prev;
		for (int k = 0; k < n->nout; k++) {
			used |= n->out[k]->nuse > 0;
			for (int j = 0; j < p->nout; j++)
				used |= p->out[j] == n->out[k];
		}
		if (!used)
			ir_remove(p, n);
	}
}

bool pass_quantize(struct prog *p)
{
	int frac = p->opt && p->opt->frac_bits ? p->opt->frac_bits : 12, before = diag_errors(p->diag);
	if (frac < 8 || frac > 16) {
		diag_error(p->diag, NULL, "frac-bits", "%d fraction bits; the gates are made for 8 to 16", frac);
		return false;
	}
	struct quant q = { .prog = p, .frac = (uint8_t)frac };
	const bool one_format = p->opt && (p->opt->ring_bits || p->opt->frac_bits);
	p->mixed = gates_wants_mixed(p->opt);
	if (p->mixed && one_format) {
		diag_error(p->diag, NULL, "one-format", "--ring-bits and --frac-bits ask for one format of all values; the gates of the set compact give each value its own");
		diag_hint(p->diag, "leave them out, or choose other gates: --gates=suf, --gates=sigma");
		return false;
	}
	if (!p->mixed && gates_may_be_mixed(p->opt) && !choose_formats(p))
		return false;
	q.precision = p->mixed ? precision_make(p) : NULL;
	q.bits = (uint8_t)(p->mixed ? 64 : ring_bits_choose(p, frac));
	for (int k = 0; k < p->nin; k++)
		set_type(&q, p->in[k], p->in[k]->dtype == DT_F32 ? want(&q, p->in[k]) : 0);
	for (struct node *n = p->first, *next; n; n = next) {
		bool mean = n->op == OP_reduce_mean;
		next = n->next;
		quantize_node(&q, n);
		if (mean)
			next = n->next;          /* the factor that was put after the sum */
	}
	drop_dead(p);
	if (q.precision)
		precision_done(q.precision);
	check_inputs(&q);
	p->stage = STAGE_RING;
	return diag_errors(p->diag) == before;
}

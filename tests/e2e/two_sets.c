/* SPDX-License-Identifier: Apache-2.0
 * two_sets.c -- a table of gates with another set, `test`: sufc with it is the
 * program sufc_two, on which --gates=auto is tested whatever sets sufc has.
 *
 * test.rescale_slack truncates with slack, |x| < 2^(n-2): shorter, but it needs that
 * range.  test.gelu_long is sigma's behind a product that changes nothing: it takes more
 * of everything.  test.softmax_none cannot be used: it always reports an error.  The
 * other gates are sigma's under another name.
 */
#include "passes/gate/build.h"

bool expand_test_rescale_slack(struct prog *, struct node *);
bool expand_test_gelu_long(struct prog *, struct node *);
bool expand_test_softmax_none(struct prog *, struct node *);

bool
expand_test_rescale_slack(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	const unsigned shift = (unsigned)ir_int(n, ATTR_shift), m = n->out[0]->type.bits;
	if (shift == 0)
		return expand_sigma_rescale(p, n);
	return b_done(&g, b_trunc_slack(&g, x, shift, m));
}

/* GELU of x + 0 * x^2. */
bool
expand_test_gelu_long(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0];
	struct val *square = b_open(&g, b_mul(&g, x, x, NULL));
	struct val *same = b_lin(&g, 1, x, 0, square, 0, x->type.bits, NULL);
	same->type.frac = x->type.frac;
	ir_set_in(p, n, 0, same);
	return expand_sigma_gelu(p, n);
}

bool
expand_test_softmax_none(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	return b_ring_error(&g, 65);
}

/* Every gate of sigma under the name of the second set, too. */
#define ROW(s, g, o, k, e, d, w) { .set = s, .name = g, .op = o, .klass = k, .expand = e, .doc = d, .source = "for tests", .wide = w },
#define ALSO_local(...)
#define ALSO_suf(...)
#define ALSO_compact(...)
#define ALSO_sigma(name, op, klass, doc, source) ROW("test", #name, OP_##op, #klass, expand_sigma_##name, doc, false)

const struct gate gates[] = {
#define GATE(set, name, op, klass, doc, source) ROW(#set, #name, OP_##op, #klass, expand_##set##_##name, doc, false)
#define GATE_WIDE(set, name, op, klass, doc, source) ROW(#set, #name, OP_##op, #klass, expand_##set##_##name, doc, true)
#include "passes/gates.def"
#undef GATE
	ROW("test", "rescale_slack", OP_rescale, "truncate", expand_test_rescale_slack, "truncation with slack", false)
	ROW("test", "gelu_long", OP_gelu, "gelu", expand_test_gelu_long, "with a product that changes nothing", false)
	ROW("test", "softmax_none", OP_softmax, "softmax", expand_test_softmax_none, "cannot be used", false)
#define GATE(set, ...) ALSO_##set(__VA_ARGS__)
#include "passes/gates.def"
#undef GATE
};
const int ngates = sizeof gates / sizeof gates[0];

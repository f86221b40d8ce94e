/* SPDX-License-Identifier: Apache-2.0
 * suf_activations.c -- the activations of the set `suf`: built-in descriptors (passes/descriptors.def) and the user's,
 * compiled by suf_act.c, which says what is opened and what hides it.
 */
#include "passes/descriptor.h"
#include "passes/gate/build.h"

static bool
expand(struct prog *p, struct node *n, const struct descriptor *d)
{
	struct gb g = { p, n };
	const struct val *out = n->out[0];
	const unsigned in = out->type.frac + (unsigned)ir_int_or(n, ATTR_shift, 0);
	if (n->in[0]->type.frac != in || d->out != out->type.frac)
		BUG("'%s': %u fraction bits in, %u out", out->name, n->in[0]->type.frac, out->type.frac);
	struct val *y = gate_descriptor(&g, n->in[0], d, in, out->type.bits);
	return y && b_done(&g, y);
}

static bool
builtin(struct prog *p, struct node *n, const char *name)
{
	const unsigned out = n->out[0]->type.frac, in = out + (unsigned)ir_int_or(n, ATTR_shift, 0);
	return expand(p, n, desc_builtin_get(p->arena, name, in, out));
}

bool expand_suf_relu(struct prog *p, struct node *n) { return builtin(p, n, "relu"); }
bool expand_suf_gelu(struct prog *p, struct node *n) { return builtin(p, n, ir_int_or(n, ATTR_tanh, 0) ? "gelu_tanh" : "gelu"); }
bool expand_suf_silu(struct prog *p, struct node *n) { return builtin(p, n, "silu"); }
bool expand_suf_tanh(struct prog *p, struct node *n) { return builtin(p, n, "tanh"); }
bool expand_suf_erf(struct prog *p, struct node *n) { return builtin(p, n, "erf"); }
bool expand_suf_sigmoid(struct prog *p, struct node *n) { return builtin(p, n, "sigmoid"); }
bool expand_suf_act(struct prog *p, struct node *n) { return expand(p, n, n->desc); }

/* SPDX-License-Identifier: Apache-2.0
 * fuse_pv_test.c -- softmax and the product with V as one operation, V in a ring of its own: which patterns, which
 * rings, the same numbers.  The gate is one for these tests: softmax of `sigma`, a product in V's ring, a truncation.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "random_model.h"
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"
#include "passes/verify.h"

/* ---- a gate set with softmax_pv ------------------------------------------------------ */

/* n -> m bits */
static struct val *
into_ring(struct gb *g, struct val *x, unsigned m)
{
	return m > x->type.bits ? b_open(g, b_gapext(g, x, m)) : b_reduce(g, x, m);
}

static bool
expand_pv(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	struct val *x = n->in[0], *v = n->in[1], *low = ir_val_like(p, x, ".low");
	const unsigned bits = x->type.bits, f = n->out[0]->type.frac, shift = (unsigned)ir_int_or(n, ATTR_shift, 0);
	const int64_t rows = n->out[0]->dim[n->out[0]->rank - 2], cols = n->out[0]->dim[n->out[0]->rank - 1], inner = v->dim[v->rank - 2];
	const uint64_t all = b_count(n->out[0]) / (uint64_t)cols;
	const bool packed = ir_has(n, ATTR_rows);
	low->type = (struct type){ .sec = SEC_MASKED, .bits = (uint8_t)bits, .frac = (uint8_t)f };
	low->alias = shift ? b_trunc_slack(&g, x, shift, bits) : x;
	ir_set_in(p, n, 0, low);
	const struct suf_rows r = packed ? b_tril_rows(all, (uint64_t)rows, (uint64_t)ir_int(n, ATTR_past)) : b_rows(all, (uint64_t)inner);
	struct val *probs = gate_softmax(&g, low, &r);
	if (packed) {
		struct suf_step st = { .op = SUF_untril, .count = all * (uint64_t)inner, .na = b_count(probs), .n = (uint8_t)bits, .m = (uint8_t)bits, .rows = &r, .c = inner };
		probs = b_step(&g, st, SEC_MASKED, 1, &probs);
	}
	const uint32_t batch = (uint32_t)(all / (uint64_t)rows);
	const struct suf_mm mm = { .batch = batch, .bh = batch, .rows = (uint32_t)rows, .inner = (uint32_t)inner, .cols = (uint32_t)cols,
	                           .sa = { 0, rows * inner, inner, 1 }, .sb = { 0, inner * cols, cols, 1 } };
	struct val *o = b_open(&g, b_matmul(&g, into_ring(&g, probs, v->type.bits), v, NULL, &mm));
	return b_done(&g, b_trunc_slack(&g, o, f, bits));
}

static struct gate wide[N_OP];
static const struct gate pv = { "test", "softmax_pv", OP_softmax_pv, "softmax", expand_pv, "", "", true };

const struct gate *__real_gate_find(const char *, enum op), *__wrap_gate_find(const char *, enum op);
const struct gate *
__wrap_gate_find(const char *set, enum op op)
{
	return set && !strcmp(set, "test") && op == OP_softmax_pv ? &pv : __real_gate_find(set, op);
}

/* Softmaxes of the set `test`, in the place of the pass bind */
static bool own_set = true;
bool __real_pass_bind(struct prog *), __wrap_pass_bind(struct prog *);
bool
__wrap_pass_bind(struct prog *p)
{
	const bool ok = __real_pass_bind(p);
	for (struct node *n = p->first; n && own_set; n = n->next)
		if (n->op == OP_softmax || n->op == OP_softmax_tril) {
			wide[n->op] = *__real_gate_find("sigma", n->op);
			wide[n->op].set = "test";
			n->gate = &wide[n->op];
		}
	return ok;
}

/* ---- patterns ------------------------------------------------------------------------- */

enum { H = 2, R = 3, S = 5, D = 4 };
enum variant { DENSE, PACKED, TWICE, AN_OUTPUT, TURNED, PUBLIC_V, FACTOR, COLUMNS, OTHER_SET, A_BIAS, WIDE_RING, VARIANTS };

static struct val *
make(struct gt *t, enum variant k, struct val **value)
{
	static const int64_t zero[S * S * H];
	const bool packed = k == PACKED;
	const int64_t rows = k == COLUMNS ? S : R, past = S - R;
	struct val *x = gt_rescale(t, packed ? gt_input(t, SHAPE(H, R * (S - R) + R * (R + 1) / 2)) : gt_input(t, SHAPE(H, rows, S)), 12);
	struct val *p = gt_op(t, packed ? OP_softmax_tril : OP_softmax, 12, (struct shape){ x->rank, { H, x->dim[1], S } }, 1, x);
	if (packed) {
		ir_set_int(t->p, p->def, ATTR_rows, R);
		ir_set_int(t->p, p->def, ATTR_past, past);
		p = gt_op(t, OP_untril, 12, SHAPE(H, R, S), 1, p);
		ir_set_int(t->p, p->def, ATTR_rows, R);
		ir_set_int(t->p, p->def, ATTR_past, past);
		ir_set_int(t->p, p->def, ATTR_cols, S);
	} else {
		ir_set_int(t->p, p->def, ATTR_axis, k == COLUMNS ? 1 : k == DENSE ? -1 : 2);
	}
	struct val *v = k == PUBLIC_V ? gt_const(t, SEC_WEIGHT, 12, SHAPE(H, S, D), zero) : gt_rescale(t, gt_input(t, SHAPE(H, k == TURNED ? D : S, k == TURNED ? S : D)), 12);
	struct val *bias = k == A_BIAS ? gt_const(t, SEC_WEIGHT, 24, SHAPE(D), zero) : NULL;
	struct val *o = gt_op(t, OP_matmul, 24, SHAPE(H, rows, D), bias ? 3 : 2, p, v, bias);
	if (k == TURNED)
		ir_set_int(t->p, o->def, ATTR_trans_b, 1);
	struct val *out = gt_rescale(t, o, k == FACTOR ? 14 : 12);
	if (k == TWICE)
		ir_add_output(t->p, gt_op(t, OP_neg, 12, SHAPE(H, R, S), 1, p));
	if (k == AN_OUTPUT)
		ir_add_output(t->p, p);
	*value = v;
	return out;
}

static void
patterns(void **state)
{
	(void)state;
	for (enum variant k = DENSE; k < VARIANTS; k++) {
		struct gt t;
		struct val *v;
		gt_init(&t, k == WIDE_RING ? 62 : 50, 12);
		struct val *out = make(&t, k, &v);
		ir_add_output(t.p, out);
		own_set = k != OTHER_SET;
		assert_true(pass_bind(t.p));
		own_set = true;
		t.p->stage = STAGE_GATE;
		assert_true(pass_fuse_pv(t.p));
		assert_true(ir_check(t.p, STAGE_GATE));
		if (out->def->op != (k < 2 ? OP_softmax_pv : OP_rescale))
			fail_msg("variant %d", (int)k);
		if (k < 2) {
			const struct val *own = out->def->in[1];
			assert_string_equal(out->def->klass, "softmax");
			assert_int_equal(ir_has(out->def, ATTR_rows), k == PACKED);
			assert_int_equal(own->type.bits, 24 + 3 + 24 + 2); /* nothing is known of V but the ring: |V| < 2^24 */
			assert_ptr_equal(own->def->in[0], v);
			assert_int_equal(ir_int(own->def, ATTR_shift), 0);
			assert_true(pass_defer(t.p));            /* V is truncated once, into its ring */
			assert_true(ir_check(t.p, STAGE_GATE));
			assert_int_equal(ir_int(own->def, ATTR_shift), 12);
			assert_int_equal(ir_int(out->def, ATTR_shift), 12);
		}
		gt_free(&t);
	}
}

/* The ring of V by its range; by the ring alone if that was given. */
static void
rings(void **state)
{
	(void)state;
	static const struct { double most; enum range_source from; int given; unsigned n, bits; } row[] = {
		{ 3.9, RANGE_PROVEN, 0, 50, 24 + 3 + 2 + 2 }, { 3.99, RANGE_CALIBRATED, 0, 50, 24 + 3 + 3 + 2 }, { 0.3, RANGE_PROVEN, 0, 50, 24 + 3 + 0 + 2 },
		{ 0.3, RANGE_NONE, 0, 50, 24 + 3 + 24 + 2 }, { 0.3, RANGE_PROVEN, 50, 50, 24 + 3 + 24 + 2 }, { 1e20, RANGE_PROVEN, 0, 50, 24 + 3 + 24 + 2 },
		{ 1e20, RANGE_PROVEN, 0, 62, 0 }, { 1e20, RANGE_PROVEN, 0, 59, 0 }, { 1e20, RANGE_PROVEN, 0, 58, 24 + 3 + 32 + 2 }, { 100, RANGE_PROVEN, 0, 64, 24 + 3 + 7 + 2 },
	};
	for (size_t k = 0; k < sizeof row / sizeof *row; k++) {
		struct gt t;
		struct val *v;
		gt_init(&t, row[k].n, 12);
		t.opt.ring_bits = row[k].given;
		struct val *out = make(&t, DENSE, &v);
		v->lo = -row[k].most;
		v->hi = row[k].most / 2;
		v->from = row[k].from;
		ir_add_output(t.p, out);
		assert_true(pass_bind(t.p));
		t.p->stage = STAGE_GATE;
		assert_true(pass_fuse_pv(t.p));
		if (row[k].bits)
			assert_int_equal(out->def->in[1]->type.bits, row[k].bits);
		else
			assert_int_equal(out->def->op, OP_rescale);
		gt_free(&t);
	}
}

/* What the checker says */
static void
checked(void **state)
{
	(void)state;
	static const char *const say[] = { "is not an operation of stage RING", "the shape of the result should be", "has 11 fraction bits, the result has 12",
		"the last axis should have 12 elements", "should have at least 6 rows", "has 49 ring bits, the result has 50" };
	for (int k = 0; k < 6; k++) {
		struct gt t;
		struct val *v;
		char *log = NULL;
		size_t size;
		gt_init(&t, 50, 12);
		FILE *to = open_memstream(&log, &size);
		diag_free(t.diag);
		t.diag = t.p->diag = diag_new(to, false);
		struct val *out = make(&t, k == 3 || k == 4 ? PACKED : DENSE, &v);
		ir_add_output(t.p, out);
		assert_true(pass_bind(t.p));
		t.p->stage = STAGE_GATE;
		assert_true(pass_fuse_pv(t.p));
		switch (k) {
		case 0: t.p->stage = STAGE_RING; break;
		case 1: out->dim[2]++; break;
		case 2: out->def->in[1]->type.frac = 11; break;
		case 3: out->def->in[0]->dim[1]++; break;
		case 4:
			ir_set_int(t.p, out->def, ATTR_past, S - R + 1);
			out->def->in[0]->dim[1] += R;
			break;
		default: out->def->in[0]->type.bits = 49;
		}
		assert_false(ir_check(t.p, t.p->stage));
		gt_free(&t);
		fclose(to);
		if (!strstr(log, say[k]))
			fail_msg("%d: %s", k, log);
		free(log);
	}
}

/* ---- numbers ---------------------------------------------------------------------------- */

/* The reference interpreter: one operation is as good as three. */
static void
evaluated(void **state)
{
	(void)state;
	for (enum variant k = DENSE; k <= PACKED; k++) {
		struct gt t;
		struct val *v;
		float x[H * R * S], y[H * S * D], probs[H * R * S], full[H * R * S], three[H * R * D], one[H * R * D];
		gt_init(&t, 50, 12);
		for (int i = 0; i < H * R * S; i++)
			x[i] = (float)gt_bits(20) / 0x1p16f;
		for (int i = 0; i < H * S * D; i++)
			y[i] = (float)gt_bits(20) / 0x1p16f;
		struct val *out = make(&t, k, &v);
		const struct node *product = out->def->in[0]->def, *before = product->in[0]->def, *softmax = k == PACKED ? before->in[0]->def : before;
		struct arena *a = arena_new();
		if (k == DENSE)
			ir_set_int(t.p, before->out[0]->def, ATTR_axis, 2);
		assert_true(float_eval_node(softmax, (const void *[]){ x }, (void *[]){ probs }, a));
		if (k == PACKED)
			assert_true(float_eval_node(before, (const void *[]){ probs }, (void *[]){ full }, a));
		assert_true(float_eval_node(product, (const void *[]){ k == PACKED ? full : probs, y }, (void *[]){ three }, a));
		ir_add_output(t.p, out);
		assert_true(pass_bind(t.p));
		t.p->stage = STAGE_GATE;
		assert_true(pass_fuse_pv(t.p));
		assert_true(float_eval_node(out->def, (const void *[]){ x, y }, (void *[]){ one }, a));
		for (int i = 0; i < H * R * D; i++)
			assert_true(one[i] == three[i]);
		arena_free(a);
		gt_free(&t);
	}
}

/* A transformer through dealer and parties, every value against its float; probabilities are none any more. */
static void
transformer(void **state)
{
	(void)state;
	for (int causal = 0; causal < 2; causal++) {
		struct model m;
		struct exec_seeds seeds;
		struct verify v;
		int64_t ids[5] = { 3, 1, 4, 49, 9 };
		struct examples ex = { 1, (void *[]){ ids } };
		bool seen = false;
		model_init(&m, 91);
		model_transformer(&m, 5, 32, 2, 2, 4, causal != 0);
		assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
		if (!verify_run(m.p, &m.opt, &ex, &seeds, &v))
			fail_msg("%s", model_log(&m));
		for (int k = 0; k < v.nrow; k++) {
			if (!(v.row[k].max_error < 0.05))
				fail_msg("%s: %g", v.row[k].val->name, v.row[k].max_error);
			assert_string_not_equal(v.row[k].val->name, "layer0.p");
			seen |= !strcmp(v.row[k].val->name, "layer0.pv");
		}
		assert_true(seen);
		assert_int_equal(ir_find(m.p, "layer0.scores")->type.frac, 26);
		model_free(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns), cmocka_unit_test(rings), cmocka_unit_test(checked), cmocka_unit_test(evaluated), cmocka_unit_test(transformer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

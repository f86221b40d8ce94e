/* SPDX-License-Identifier: Apache-2.0
 * compact_lin_test.c -- the builders between products of compact gates: whose pads are mask shares of what, and an attention-like
 * program whose products cost no key beyond what their operands' masks ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/gate/compact.h"
#include "passes/gate/compact_chain.h"

static struct val *
input(struct gt *t, struct gb *g, struct shape s, unsigned bits)
{
	struct val *v = gt_input(t, s);
	v->type = (struct type){ .sec = SEC_MASKED, .bits = (uint8_t)bits, .frac = (uint8_t)t->f };
	struct suf_step st = { .op = SUF_input, .count = b_count(v), .n = (uint8_t)bits, .m = (uint8_t)bits };
	ir_step(t->p, g->at, NULL, st, 0, NULL, 1, &v);
	return v;
}

static void
output(struct gt *t, struct val *v)
{
	ir_add_output(t->p, v);
	struct suf_step st = { .op = SUF_output, .count = b_count(v), .na = b_count(v), .n = v->type.bits, .m = v->type.bits };
	ir_step(t->p, NULL, NULL, st, 1, &v, 0, NULL);
	t->p->stage = STAGE_SCHED;
}

static uint32_t step_of(const struct val *v) { return b_maker(v)->step->id; }

static void
whose_pads(void **state)
{
	(void)state;
	enum { N = 12 };
	struct gt t;
	gt_init(&t, 30, 8);
	struct gb g = { t.p, NULL };
	static const int64_t weight[N] = { 1, 2 };
	const int64_t dim = N, one = 1, back = -1;
	struct suf_map turn = b_map(1, &dim, &one, &back, NULL);
	turn.a0 = N - 1;
	struct val *x = input(&t, &g, SHAPE(N), 30), *share = b_gapext(&g, x, 40), *e = b_open(&g, share);
	struct val *w = gt_const(&t, SEC_WEIGHT, 8, SHAPE(N), weight), *flat = ir_val_like(t.p, e, ".view");
	flat->alias = e;
	w->type.bits = 40;
	const uint32_t id = step_of(share);
	assert_int_equal(b_pad_step(x), 0);
	assert_int_equal(b_pad_step(share), 0);
	assert_int_equal(b_pad_step(w), 0);
	assert_int_equal(b_pad_step(e), id);
	assert_int_equal(b_pad_step(flat), id);
	assert_int_equal(b_pad_step(b_reduce(&g, flat, 33)), id);
	assert_int_equal(b_pad_step(b_lin(&g, 2, e, 0, NULL, 0, 40, NULL)), 0);
	assert_int_equal(b_pad_step(b_lin(&g, 1, e, 0, NULL, 1, 40, NULL)), 0);
	assert_int_equal(b_pad_step(b_lin(&g, 1, e, 0, NULL, 0, 40, &turn)), 0);
	assert_int_equal(b_pad_step(b_part(&g, e, 0, N - 1)), 0);
	assert_int_equal(b_pad_step(b_shift(&g, e, 5, 20)), 0);
	assert_int_equal(b_pad_step(b_shift(&g, e, 0, 20)), id);
	struct val *cut = b_reduce(&g, b_mul(&g, e, w, NULL), 35);
	assert_int_equal(b_pad_step(b_open(&g, cut)), step_of(cut->def->in[0]));
	struct val *wide = b_mul(&g, e, w, NULL);
	assert_int_equal(b_pad_step(b_open_narrow(&g, wide, 0, 20)), step_of(wide));
	assert_int_equal(b_pad_step(b_open_narrow(&g, b_mul(&g, e, w, NULL), 1, 39)), 0);
	assert_int_equal(b_pad_step(b_open(&g, b_mul_last(&g, e, w, NULL))), 0);
	assert_int_equal(b_pad_step(b_open(&g, b_addx(&g, b_mul(&g, e, w, NULL), 1, e, NULL))), 0);
	assert_int_equal(e->pad_step, id);               /* noted by b_mul_last */
	output(&t, e);
	assert_true(ir_check(t.p, STAGE_SCHED));
	gt_free(&t);
}

/* Causal weights of attention p, packed; o = p v; out = o W + bias + 2^8 x: two products without a word of key. */
static void
attention(void **state)
{
	(void)state;
	enum { S = 7, D = 4, F = 8, RUNS = 30, PAIRS = S * (S + 1) / 2, PV = 34, O = 22, OUT = 30 };
	double sum = 0;
	for (int run = 0; run < RUNS; run++) {
		int64_t p[PAIRS], v[S * D], x[S * D], w[D * D], bias[D], got[S * D];
		const int64_t *in[3] = { p, v, x };
		struct gt t;
		gt_init(&t, 16, F);
		struct gb g = { t.p, NULL };
		for (int i = 0; i < PAIRS; i++)
			p[i] = (int64_t)(gt_random() & 255);
		for (int i = 0; i < S * D; i++)
			v[i] = gt_bits(14), x[i] = gt_bits(14);
		for (int i = 0; i < D * D; i++)
			w[i] = gt_bits(9);
		for (int i = 0; i < D; i++)
			bias[i] = gt_bits(20);
		struct val *pw = input(&t, &g, SHAPE(PAIRS), 16), *vw = input(&t, &g, SHAPE(S, D), 16), *xw = input(&t, &g, SHAPE(S, D), 22);
		struct val *ww = gt_const(&t, SEC_WEIGHT, F, SHAPE(D, D), w), *bw = gt_const(&t, SEC_WEIGHT, 2 * F, SHAPE(D), bias);
		ww->type.bits = bw->type.bits = OUT;
		const struct suf_rows rows = b_tril_rows(S, S, 0);
		const struct suf_mm pv = { .batch = 1, .bh = 1, .rows = S, .inner = S, .cols = D, .sa = { 0, 0, S, 1 }, .sb = { 0, 0, D, 1 } };
		const struct suf_mm wo = { .batch = 1, .bh = 1, .rows = S, .inner = D, .cols = D, .sa = { 0, 0, D, 1 }, .sb = { 0, 0, D, 1 } };
		struct val *pe = b_open(&g, b_gapext(&g, pw, PV)), *ve = b_open(&g, b_gapext(&g, vw, PV));
		struct val *o = b_matmul_last(&g, pe, ve, NULL, &pv, &rows);
		assert_true(o->def->step->pad_a && o->def->step->pad_b && o->def->step->na == PAIRS);
		o = b_open(&g, b_gapext(&g, b_open_narrow(&g, o, F, O), OUT));
		struct val *y = b_matmul_last(&g, o, ww, bw, &wo, NULL);
		y = b_open_narrow(&g, b_addx(&g, y, 1 << F, xw, NULL), F, 20);
		output(&t, y);
		for (const struct node *n = t.p->first; n; n = n->next)
			for (enum suf_part part = 0; part < SUF_NPART; part++)
				assert_true(suf_part_desc[part].step != n->step->op || n->step->op != SUF_matmul || suf_part_count(part, n->step) == 0);
		gt_schedule(&t);
		assert_int_equal(t.p->nrounds, 5);
		gt_run(&t, in, got);
		for (int i = 0; i < S; i++)
			for (int j = 0; j < D; j++) {
				double want = ldexp((double)bias[j], -F) + (double)x[i * D + j], slack = 1.5;
				for (int d = 0; d < D; d++) {
					double od = 0;
					for (int k = 0; k <= i; k++)
						od += (double)(p[i * (i + 1) / 2 + k] * v[k * D + d]);
					want += ldexp(od * (double)w[d * D + j], -2 * F);
					slack += 1.5 * ldexp(fabs((double)w[d * D + j]), -F);
				}
				if (!(fabs((double)got[i * D + j] - want) < slack))
					fail_msg("row %d, column %d: %lld, expected %g within %g", i, j, (long long)got[i * D + j], want, slack);
				sum += (double)got[i * D + j] - want;
			}
		gt_free(&t);
	}
	assert_true(fabs(sum) < RUNS * S * D * 0.15);    /* the mean is about 0: seven deviations */
}

/* Operands without mask shares cost their words, a public constant is a weight; x 2^k needs the lower bits only. */
static void
fallback(void **state)
{
	(void)state;
	enum { N = 50 };
	struct gt t;
	int64_t x[N], y[N], c[N], got[N], want[N];
	const int64_t *in[2] = { x, y };
	gt_init(&t, 40, 8);
	struct gb g = { t.p, NULL };
	for (int i = 0; i < N; i++) {
		x[i] = gt_bits(38), y[i] = gt_bits(18), c[i] = gt_bits(6);
		want[i] = (int64_t)((uint64_t)x[i] * (uint64_t)c[i] + ((uint64_t)y[i] << 20));
		want[i] = gt_signed((uint64_t)want[i] * (uint64_t)x[i], 40);
	}
	struct val *xw = input(&t, &g, SHAPE(N), 40), *yw = input(&t, &g, SHAPE(N), 20);
	struct val *z = b_mul_last(&g, xw, gt_const(&t, SEC_PUBLIC, 0, SHAPE(N), c), NULL);
	assert_true(z->def->step->weight_b && !z->def->step->pad_a && suf_part_count(PART_mul_r_a, z->def->step) == N);
	z = b_open(&g, b_addx(&g, z, 1 << 20, yw, NULL));
	z = b_mul_last(&g, z, xw, NULL);
	assert_int_equal(suf_part_count(PART_mul_r_a, z->def->step) + suf_part_count(PART_mul_r_b, z->def->step) + suf_part_count(PART_mul_r_ab, z->def->step), 2 * N);
	output(&t, b_open(&g, z));
	gt_schedule(&t);
	gt_run(&t, in, got);
	assert_true(gt_same("(c x + 2^20 y) x", got, want, N));
	gt_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(whose_pads), cmocka_unit_test(attention), cmocka_unit_test(fallback) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

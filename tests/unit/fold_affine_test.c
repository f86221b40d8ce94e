/* SPDX-License-Identifier: Apache-2.0
 * fold_affine_test.c -- gamma and beta go into the products behind a norm: the same numbers, no copy of a weight,
 * nothing folded that is used elsewhere; verification compares with the program that is not folded.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "fuse_harness.h"
#include "random_model.h"
#include "passes/quantize.h"
#include "passes/range.h"
#include "passes/verify.h"

/* The linker puts this in the place of gates_wants_folding: any gate set can be folded for. */
static bool folds = true;
bool __wrap_gates_wants_folding(const struct options *);
bool __wrap_gates_wants_folding(const struct options *opt)
{
	(void)opt;
	return folds;
}

/* And this runs instead of the pass: a fault of it, if one is wanted, is a bias that is off by 1. */
static const char *faulty;
bool __real_pass_fold_affine(struct prog *), __wrap_pass_fold_affine(struct prog *);
bool __wrap_pass_fold_affine(struct prog *p)
{
	bool ok = __real_pass_fold_affine(p);
	const struct val *y = faulty ? ir_find(p, faulty) : NULL;
	for (int64_t i = 0; y && i < ir_count(y->def->in[2]); i++)
		((float *)(uintptr_t)y->def->in[2]->data)[i] += 1;
	return ok;
}

enum { D = 8, ROWS = 3 };

static struct val *norm(struct ctx *c, struct val *x, struct val *gamma, struct val *beta)
{
	struct val *in[3] = { x, gamma, beta }, *y = op_n(c, beta ? OP_layernorm : OP_rmsnorm, beta ? 3 : 2, in, x->rank, x->dim);
	ir_set_f64(c->p, y->def, ATTR_eps, 1e-5);
	return y;
}

static struct val *linear(struct ctx *c, struct val *x, struct val *w, bool bias, bool trans)
{
	int64_t dim[MAX_RANK], n = w->dim[trans ? 0 : 1];
	memcpy(dim, x->dim, sizeof dim);
	dim[x->rank - 1] = n;
	struct val *in[3] = { x, w, bias ? weight(c, 1, &n) : NULL }, *y = op_n(c, OP_matmul, bias ? 3 : 2, in, x->rank, dim);
	if (trans)
		ir_set_int(c->p, y->def, ATTR_trans_b, 1);
	return y;
}

static struct val *vector(struct ctx *c) { return weight(c, DIMS(D)); }
static struct val *input_norm(struct ctx *c) { return norm(c, input(c, DT_F32, DIMS(ROWS, D)), vector(c), vector(c)); }

static int units(const struct ctx *c)
{
	int n = 0;
	for (const struct node *d = c->p->first; d; d = d->next)
		n += (d->op == OP_layernorm || d->op == OP_rmsnorm) && d->nin == 1;
	return n;
}

/* Runs the pass; all norms are without gamma and beta now, and so many products and sums are left of them. */
static void expect(struct ctx *c, int mul, int add)
{
	const int norms = count(c, OP_layernorm) + count(c, OP_rmsnorm), muls = count(c, OP_mul), adds = count(c, OP_add);
	run_pass(c, pass_fold_affine);
	assert_int_equal(units(c), norms);
	assert_int_equal(count(c, OP_layernorm) + count(c, OP_rmsnorm), norms);
	assert_int_equal(count(c, OP_mul) - muls, mul);
	assert_int_equal(count(c, OP_add) - adds, add);
}

/* ---- what folds ----------------------------------------------------------------------- */

/* Q, K and V: a bias, none, a transposed weight; each weight keeps its data. */
static void test_products(void **state)
{
	(void)state;
	for (int rms = 0; rms < 2; rms++) {
		struct ctx c;
		start(&c, 1 + (uint64_t)rms);
		struct val *x = input(&c, DT_F32, DIMS(ROWS, D)), *y = norm(&c, x, vector(&c), rms ? NULL : vector(&c));
		struct val *w[3] = { weight(&c, DIMS(D, 5)), weight(&c, DIMS(D, D)), weight(&c, DIMS(7, D)) }, *out[3];
		for (int k = 0; k < 3; k++)
			ir_add_output(c.p, out[k] = linear(&c, y, w[k], k == 0, k == 2));
		expect(&c, 0, 0);
		for (int k = 0; k < 3; k++) {
			const struct val *folded = out[k]->def->in[1];
			assert_ptr_equal(folded->data, w[k]->data);
			assert_non_null(folded->factor);
			assert_int_equal(folded->type.sec, SEC_WEIGHT);
			assert_int_equal(out[k]->def->nin, k == 0 || !rms ? 3 : 2);
		}
		finish(&c);
	}
}

/* Rows move: slices, transpositions, reshapes, gathers and repeats of them. */
static void test_layout(void **state)
{
	(void)state;
	for (int k = 0; k < 10; k++) {
		struct ctx c;
		start(&c, 10 + (uint64_t)k);
		int64_t dim[3] = { 2, k == 7 ? D : ROWS, D }, two[2] = { 1, -1 }, turned[D] = { 1, 0, 2, 3, 4, 5, 7, 6 };
		struct val *y = norm(&c, input(&c, DT_F32, 3, dim), vector(&c), vector(&c)), *r = y;
		switch (k) {
		case 0: r = reshaped(&c, y, DIMS(2 * ROWS, D)); break;
		case 1: r = transposed(&c, y, 3, (int64_t[]){ 1, 0, 2 }); break;
		case 2: r = op_n(&c, OP_slice, 1, &y, DIMS(2, 1, D)); break;
		case 3: r = op_n(&c, OP_gather, 2, (struct val *[]){ y, ir_const(c.p, "at", DT_I64, SEC_PUBLIC, 1, (int64_t[]){ 2 }, two) }, DIMS(2, 2, D)); break;
		case 4: r = op_n(&c, OP_expand, 1, &y, DIMS(4, 2, ROWS, D)); break;
		case 5: r = reshaped(&c, transposed(&c, y, 3, (int64_t[]){ 1, 0, 2 }), DIMS(2 * ROWS, D)); break;
		/* not rows: columns, columns of squares, other columns, pieces */
		case 6: case 7: r = transposed(&c, y, 3, (int64_t[]){ 0, 2, 1 }); break;
		case 8: r = op_n(&c, OP_gather, 2, (struct val *[]){ y, ir_const(c.p, "at", DT_I64, SEC_PUBLIC, 1, dim + 2, turned) }, DIMS(2, ROWS, D)); break;
		default: r = reshaped(&c, y, DIMS(2 * ROWS * 2, D / 2)); break;
		}
		if (k == 2) {
			ir_set_int(c.p, r->def, ATTR_start, 1);
			ir_set_int(c.p, r->def, ATTR_step, 1);
		}
		if (k == 2 || k == 3 || k == 8)
			ir_set_int(c.p, r->def, ATTR_axis, k == 8 ? 2 : 1);
		ir_add_output(c.p, linear(&c, r, weight(&c, 2, (int64_t[]){ r->dim[r->rank - 1], 4 }), true, false));
		expect(&c, k >= 6, k >= 6);
		finish(&c);
	}
}

/* After a block: y + (x W + b) in either order takes beta into b, and what reads y elsewhere gets it as it was. */
static void test_sums(void **state)
{
	(void)state;
	for (int k = 0; k < 8; k++) {
		struct ctx c;
		start(&c, 20 + (uint64_t)k);
		struct val *y = input_norm(&c), *h = un(&c, OP_relu, linear(&c, y, weight(&c, DIMS(D, 16)), true, false));
		struct val *m = linear(&c, h, weight(&c, DIMS(16, D)), k & 1, false);
		struct val *sum = k & 2 ? bin(&c, OP_add, m, y) : bin(&c, OP_add, y, m);
		ir_add_output(c.p, norm(&c, sum, vector(&c), vector(&c)));
		ir_add_output(c.p, sum);
		if (k & 4)
			ir_add_output(c.p, y);
		expect(&c, 2, k & 4 ? 2 : 1); /* of the last norm: a product and a sum */
		const struct val *other = sum->def->in[!(k & 2)];
		assert_int_equal(other->def->op, OP_matmul);
		assert_int_equal(other->def->nin, 3);
		assert_ptr_not_equal(other, m);          /* another meaning, another value */
		assert_null(m->def);
		finish(&c);
	}
}

/* Public gamma and beta of one number: nothing to multiply with, or a scale. */
static void test_public(void **state)
{
	(void)state;
	for (int k = 0; k < 4; k++) {
		float *gamma, *beta;
		struct ctx c;
		start(&c, 30 + (uint64_t)k);
		struct val *x = input(&c, DT_F32, DIMS(ROWS, D)), *like = vector(&c);
		struct val *g = ir_const(c.p, "g", DT_F32, SEC_PUBLIC, 1, like->dim, gamma = arena_alloc(c.p->arena, D * sizeof *gamma));
		struct val *b = ir_const(c.p, "b", DT_F32, SEC_PUBLIC, 1, like->dim, beta = arena_alloc(c.p->arena, D * sizeof *beta));
		for (int i = 0; i < D; i++)
			gamma[i] = k & 1 ? 0.5f : 1, beta[i] = k & 2 ? 0.25f : 0;
		struct val *y = norm(&c, x, g, b);
		ir_add_output(c.p, y);
		ir_add_output(c.p, linear(&c, y, weight(&c, DIMS(D, 4)), false, false));
		expect(&c, 0, k >> 1);
		assert_int_equal(count(&c, OP_scale), k & 1);
		finish(&c);
	}
}

/* ---- what does not -------------------------------------------------------------------- */

static void test_shared_weights(void **state)
{
	(void)state;
	for (int k = 0; k < 4; k++) {
		struct ctx c;
		start(&c, 40 + (uint64_t)k);
		struct val *y = input_norm(&c), *w = weight(&c, DIMS(D, D));
		ir_add_output(c.p, linear(&c, y, w, true, false));
		switch (k) {
		case 0: ir_add_output(c.p, linear(&c, reshaped(&c, y, DIMS(1, ROWS, D)), w, true, false)); break; /* the same gamma: folds */
		case 1: ir_add_output(c.p, op_n(&c, OP_embedding, 2, (struct val *[]){ w, input(&c, DT_I64, DIMS(2)) }, DIMS(2, D))); break;
		case 2: ir_add_output(c.p, linear(&c, input(&c, DT_F32, DIMS(ROWS, D)), w, false, false)); break;
		default: ir_add_output(c.p, linear(&c, y, w, false, true)); /* the same, transposed: two folded matrices */
		}
		const bool tied = k == 1 || k == 2;
		expect(&c, tied, tied);
		for (const struct node *n = c.p->first; n; n = n->next)
			assert_true(n->op != OP_matmul || (n->in[1]->factor != NULL) == !tied);
		finish(&c);
	}
	struct ctx c; /* gamma z on the right of a product, as both operands, as a matrix of a batch */
	start(&c, 50);
	struct val *y = input_norm(&c), *w = weight(&c, DIMS(1, D, 5));
	ir_add_output(c.p, op_n(&c, OP_matmul, 2, (struct val *[]){ weight(&c, DIMS(2, ROWS)), y }, DIMS(2, D)));
	struct val *scores = op_n(&c, OP_matmul, 2, (struct val *[]){ y, y }, DIMS(ROWS, ROWS));
	ir_set_int(c.p, scores->def, ATTR_trans_b, 1);
	ir_add_output(c.p, scores);
	ir_add_output(c.p, op_n(&c, OP_matmul, 2, (struct val *[]){ y, w }, DIMS(1, ROWS, 5)));
	expect(&c, 1, 1);
	finish(&c);
}

static void test_other_sets(void **state)
{
	(void)state;
	struct ctx c;
	start(&c, 60);
	ir_add_output(c.p, linear(&c, input_norm(&c), weight(&c, DIMS(D, 5)), true, false));
	folds = false;
	run_pass(&c, pass_fold_affine);
	folds = true;
	assert_int_equal(units(&c), 0);
	assert_int_equal(c.p->first->nin, 3);
	finish(&c);
}

/* ---- folded weights everywhere ------------------------------------------------------------ */

/* A weight without values stays so, and so does what is made of it. */
static void test_absent(void **state)
{
	(void)state;
	for (int k = 0; k < 3; k++) {
		struct ctx c;
		start(&c, 70);
		const int64_t d = D, dim[2] = { D, 5 };
		struct val *gamma = k == 0 ? ir_absent(c.p, "gamma", 1, &d) : vector(&c), *beta = k == 1 ? ir_absent(c.p, "beta", 1, &d) : vector(&c);
		struct val *w = k == 2 ? ir_absent(c.p, "w", 2, dim) : weight(&c, 2, dim);
		struct val *y = linear(&c, norm(&c, input(&c, DT_F32, DIMS(ROWS, D)), gamma, beta), w, true, false);
		ir_add_output(c.p, y);
		assert_true(pass_fold_affine(c.p));
		assert_true(ir_check(c.p, STAGE_FLOAT));
		assert_int_equal(units(&c), 1);
		assert_int_equal(y->def->in[1]->absent, k != 1);
		assert_int_equal(y->def->in[2]->absent, k > 0);
		finish(&c);
	}
}

static struct val *folded_matrix(struct ctx *c, bool trans)
{
	struct val *y = linear(c, input_norm(c), trans ? weight(c, DIMS(5, D)) : weight(c, DIMS(D, 5)), true, trans);
	ir_add_output(c->p, y);
	run_pass(c, pass_fold_affine);
	return y->def->in[1];
}

/* Elements, integers and ranges are those of the product, rounded to float. */
static void test_elements(void **state)
{
	(void)state;
	for (int trans = 0; trans < 2; trans++) {
		struct ctx c;
		start(&c, 80);
		struct val *w = folded_matrix(&c, trans);
		const float *data = w->data, *gamma = w->factor->data;
		float all[D * 5];
		ir_floats(w, all);
		w->type.frac = 12;
		for (int i = 0; i < D * 5; i++) {
			float want = (float)((double)data[i] * (double)gamma[trans ? i % D : i / 5]);
			assert_true(all[i] == want && ir_elem(w, i) == (double)want);
			assert_int_equal(quantize_weight(w, i), llrint(4096 * (double)want));
		}
		w->type.frac = 0;
		struct val *plain = ir_const(c.p, "plain", DT_F32, SEC_WEIGHT, 2, w->dim, all);
		struct range a = range_of_data(w, w->data), b = range_of_data(plain, all);
		struct matrix p = matrix_norms(w, trans), q = matrix_norms(plain, trans);
		assert_true(a.lo == b.lo && a.hi == b.hi && a.norm == b.norm);
		assert_true(p.col2 == q.col2 && p.col1 == q.col1 && p.row1 == q.row1 && p.spectral == q.spectral);
		finish(&c);
	}
}

/* |z| <= sqrt(d) whatever gamma is; products are bounded by the folded columns. */
static void test_ranges(void **state)
{
	(void)state;
	struct ctx c;
	start(&c, 85);
	struct val *w = folded_matrix(&c, false);
	assert_true(pass_ranges(c.p));
	const struct val *z = c.p->first->out[0], *y = c.p->last->out[0];
	assert_true(z->lo == -sqrt(D) && z->hi == sqrt(D) && z->norm == sqrt(D) && z->from == RANGE_PROVEN);
	double bias = fmax(fabs(c.p->last->in[2]->lo), fabs(c.p->last->in[2]->hi));
	assert_true(range_max(y) <= sqrt(D) * matrix_norms(w, false).col2 + bias);
	finish(&c);
}

/* The text holds the products; what is read has no factors. */
static void test_text(void **state)
{
	(void)state;
	char path[] = "/tmp/fold_affine_test.XXXXXX", *text[2];
	size_t size;
	struct ctx c;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	start(&c, 90);
	struct val *w = folded_matrix(&c, true);
	char *side = arena_printf(c.p->arena, "%s.data", path);
	FILE *to = fopen(side, "wb");
	ir_print_data(c.p, to);
	fclose(to);
	struct prog *p = c.p;
	for (int k = 0; k < 2; k++) {
		to = open_memstream(&text[k], &size);
		ir_print(p, to);
		fclose(to);
		if (k)
			break;
		FILE *from = fmemopen(text[0], size, "r");
		p = ir_parse(from, path, NULL, c.diag);
		fclose(from);
		assert_non_null(p);
		const struct val *v = ir_find(p, w->name);
		assert_true(v && !v->factor);
		for (int i = 0; i < D * 5; i++)
			assert_true(ir_elem(v, i) == ir_elem(w, i));
	}
	assert_string_equal(text[0], text[1]);
	ir_free(p);
	free(text[0]), free(text[1]);
	unlink(side);
	unlink(path);
	finish(&c);
}

/* ---- verification ---------------------------------------------------------------------------- */

/* Layers with the norm behind the sum, one before it, and a mask that pass ranges makes deeper. */
static struct val *make_model(struct model *m, struct val **mask)
{
	int64_t dim[2] = { 4, 16 }, square[2] = { 4, 4 };
	struct val *x = model_input(m, "x", DT_F32, 2, dim), *hidden = model_input(m, "attention_mask", DT_I64, 1, square);
	x->lo = -4; x->hi = 4; x->from = RANGE_PROVEN;
	struct val *y[2];
	for (int l = 0; l < 2; l++) {
		struct val *in[3] = { x, model_weight(m, "gamma", 0.3, 1, 1, dim + 1), model_weight(m, "beta", 0.5, 0, 1, dim + 1) };
		struct node *n = model_node(m, OP_layernorm, l ? "y1" : "y0", 2, dim, 3, in);
		ir_set_f64(m->p, n, ATTR_eps, 1e-5);
		y[l] = n->out[0];
		struct val *b = model_linear(m, l ? "block1" : "block0", model_linear(m, l ? "up1" : "up0", y[l], 8, 0.3), 16, 0.3);
		x = model_node(m, OP_add, l ? "sum1" : "sum0", 2, dim, 2, (struct val *[]){ y[l], b })->out[0];
	}
	struct node *s = model_node(m, OP_matmul, "scores", 2, square, 2, (struct val *[]){ model_linear(m, "q", y[1], 16, 9), model_linear(m, "k", y[1], 16, 9) });
	ir_set_int(m->p, s, ATTR_trans_b, 1);
	struct node *cast = model_node(m, OP_cast, "cast", 1, square, 1, &hidden);
	ir_set_int(m->p, cast, ATTR_to, DT_F32);
	struct node *f = model_node(m, OP_scale, "hidden", 1, square, 1, cast->out);
	ir_set_f64(m->p, f, ATTR_factor, MASK_SECRET);
	*mask = model_node(m, OP_add, "masked", 2, square, 2, (struct val *[]){ s->out[0], f->out[0] })->out[0];
	struct node *p = model_node(m, OP_softmax, "p", 2, square, 1, mask);
	ir_set_int(m->p, p, ATTR_axis, 1);
	ir_add_output(m->p, p->out[0]);
	ir_add_output(m->p, x);
	return x;
}

static const struct verify_row *row_of(const struct verify *v, const char *name)
{
	for (int k = 0; k < v->nrow; k++)
		if (!strcmp(v->row[k].val->name, name))
			return &v->row[k];
	fail_msg("'%s' is not compared", name);
	return NULL;
}

/* Values that both programs have are close to those of the unfolded one; a bias that was folded wrongly shows. */
static void test_verify(void **state)
{
	(void)state;
	float x[64];
	int64_t mask[4] = { 0, 0, 1, 0 };
	for (int broken = 0; broken < 2; broken++) {
		struct model m;
		struct exec_seeds seeds;
		struct verify v;
		model_init(&m, 7);
		m.opt.ring_bits = 60;
		for (int i = 0; i < 64; i++)
			x[i] = (float)model_normal(&m);
		struct val *masked;
		make_model(&m, &masked);
		struct examples ex = { 1, (void *[]){ x, mask } };
		faulty = broken ? "q" : NULL;
		assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
		if (!verify_run(m.p, &m.opt, &ex, &seeds, &v))
			fail_msg("%s", model_log(&m));
		static const char *const both[] = { "up0", "sum0", "up1", "sum1", "k", "q" };
		for (size_t k = 0; k < sizeof both / sizeof *both; k++) {
			const double error = row_of(&v, both[k])->max_error;
			const bool off = broken && !strcmp(both[k], "q");
			if (!(off ? error > 0.9 : error < 0.3))
				fail_msg("%s: %g", both[k], error);
		}
		faulty = NULL;
		assert_true(row_of(&v, "masked")->max_error < 100);
		assert_true(row_of(&v, "masked")->max_float > 600); /* the deeper mask */
		for (int k = 0; k < v.nrow; k++)
			assert_string_not_equal(v.row[k].val->name, "block1"); /* has another bias now */
		model_free(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_products),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_shared_weights),
		cmocka_unit_test(test_other_sets),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_verify),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

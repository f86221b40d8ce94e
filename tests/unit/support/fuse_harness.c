/* SPDX-License-Identifier: Apache-2.0
 * fuse_harness.c -- the programs and comparisons of the fusion tests.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "fuse_harness.h"

float number(struct ctx *c)
{
	c->rng = c->rng * 6364136223846793005u + 1442695040888963407u;
	return (float)((double)(c->rng >> 40) / (double)(1 << 24) * 4 - 2); /* [-2, 2) */
}

void start(struct ctx *c, uint64_t seed)
{
	c->log = tmpfile();
	c->diag = diag_new(c->log, false);
	c->p = ir_new("test", NULL, c->diag);
	c->rng = seed * 77777 + 1;
}

void finish(struct ctx *c)
{
	ir_free(c->p);
	diag_free(c->diag);
	fclose(c->log);
}

/* ---- making programs --------------------------------------------------------- */

struct val *input(struct ctx *c, enum dtype dtype, int rank, const int64_t *dim)
{
	struct val *v = ir_val(c->p, "input", dtype, (struct type){ .sec = SEC_SECRET }, rank, dim);

	ir_add_input(c->p, v);
	return v;
}

struct val *weight(struct ctx *c, int rank, const int64_t *dim)
{
	struct val *v = ir_const(c->p, "weight", DT_F32, SEC_WEIGHT, rank, dim, NULL);
	float *data = arena_alloc(c->p->arena, (size_t)ir_count(v) * sizeof *data);

	for (int64_t i = 0; i < ir_count(v); i++)
		data[i] = number(c);
	v->data = data;
	return v;
}

struct val *num(struct ctx *c, double x)
{
	return ir_scalar(c->p, NULL, x);
}

struct val *op_n(struct ctx *c, enum op op, int nin, struct val **in, int rank, const int64_t *dim)
{
	struct val *out = ir_val(c->p, NULL, DT_F32, (struct type){ .sec = SEC_SECRET }, rank, dim);

	return ir_node(c->p, NULL, op, NULL, nin, in, 1, &out)->out[0];
}

struct val *un(struct ctx *c, enum op op, struct val *a)
{
	return op_n(c, op, 1, &a, a->rank, a->dim);
}

/* Elementwise with broadcasting. */
struct val *bin(struct ctx *c, enum op op, struct val *a, struct val *b)
{
	int rank = a->rank > b->rank ? a->rank : b->rank;
	int64_t dim[MAX_RANK];

	for (int k = 0; k < rank; k++) {
		int64_t x = k < rank - a->rank ? 1 : a->dim[k - (rank - a->rank)], y = k < rank - b->rank ? 1 : b->dim[k - (rank - b->rank)];
		dim[k] = x > y ? x : y;
	}
	return op_n(c, op, 2, (struct val *[]){ a, b }, rank, dim);
}

struct val *mean_over(struct ctx *c, struct val *a, int axis)
{
	int64_t dim[MAX_RANK], axes = axis;

	memcpy(dim, a->dim, sizeof dim);
	dim[axis] = 1;
	struct val *v = op_n(c, OP_reduce_mean, 1, &a, a->rank, dim);
	ir_set_ints(c->p, v->def, ATTR_axes, 1, &axes);
	ir_set_int(c->p, v->def, ATTR_keepdims, 1);
	return v;
}

struct val *mean(struct ctx *c, struct val *a)
{
	return mean_over(c, a, a->rank - 1);
}

struct val *transposed(struct ctx *c, struct val *a, int rank, const int64_t *perm)
{
	int64_t dim[MAX_RANK];

	for (int k = 0; k < rank; k++)
		dim[k] = a->dim[perm[k]];
	struct val *v = op_n(c, OP_transpose, 1, &a, rank, dim);
	ir_set_ints(c->p, v->def, ATTR_perm, rank, perm);
	return v;
}

struct val *reshaped(struct ctx *c, struct val *a, int rank, const int64_t *dim)
{
	return op_n(c, OP_reshape, 1, &a, rank, dim);
}

struct val *product(struct ctx *c, struct val *a, struct val *b)
{
	int64_t dim[MAX_RANK];

	memcpy(dim, a->dim, sizeof dim);
	dim[a->rank - 1] = b->dim[b->rank - 1];
	return op_n(c, OP_matmul, 2, (struct val *[]){ a, b }, a->rank, dim);
}

struct val *softmax(struct ctx *c, struct val *a)
{
	struct val *v = un(c, OP_softmax, a);

	ir_set_int(c->p, v->def, ATTR_axis, a->rank - 1);
	return v;
}

int count(const struct ctx *c, enum op op)
{
	int n = 0;

	for (const struct node *d = c->p->first; d; d = d->next)
		n += d->op == op;
	return n;
}

/* ---- running them ---------------------------------------------------------------- */

enum { MAX_IO = 8 };
struct io { void *in[MAX_IO]; float *out[MAX_IO]; struct arena *arena; };

static void evaluate(struct ctx *c, struct io *io)
{
	void **result = arena_alloc(io->arena, (size_t)c->p->nvals * sizeof *result);

	assert_true(float_eval(c->p, (const void *const *)io->in, result, io->arena));
	for (int k = 0; k < c->p->nout; k++)
		for (int i = 0; i < c->p->nvals; i++)
			if (c->p->vals[i] == c->p->out[k])
				io->out[k] = result[i];
}

static void fill_inputs(struct ctx *c, struct io *io)
{
	for (int k = 0; k < c->p->nin; k++) {
		int64_t n = ir_count(c->p->in[k]);
		float *x = arena_alloc(io->arena, (size_t)n * sizeof *x);
		int64_t *mask = arena_alloc(io->arena, (size_t)n * sizeof *mask);
		for (int64_t i = 0; i < n; i++) {
			x[i] = number(c);
			mask[i] = i == 0 || number(c) > -1; /* an attention mask */
		}
		io->in[k] = c->p->in[k]->dtype == DT_I64 ? (void *)mask : (void *)x;
	}
}

/* The outputs, all of them named, are the same before and after the pass. */
void run_pass(struct ctx *c, bool (*pass)(struct prog *))
{
	struct io before = { .arena = arena_new() }, after;
	const char *name[MAX_IO];

	fill_inputs(c, &before);
	after = before;
	evaluate(c, &before);
	for (int k = 0; k < c->p->nout; k++)
		name[k] = c->p->out[k]->name;
	assert_true(pass(c->p));
	assert_true(ir_check(c->p, STAGE_FLOAT));
	evaluate(c, &after);
	for (int k = 0; k < c->p->nout; k++) {
		assert_string_equal(c->p->out[k]->name, name[k]);
		for (int64_t i = 0; i < ir_count(c->p->out[k]); i++) {
			double a = (double)before.out[k][i], b = (double)after.out[k][i];
			if (!(fabs(a - b) <= 1e-5 * (1 + fabs(a))))
				fail_msg("%s[%lld]: %.9g before, %.9g after", name[k], (long long)i, a, b);
		}
	}
	arena_free(before.arena);
}

void expect_only(struct ctx *c, bool (*pass)(struct prog *), enum op op)
{
	run_pass(c, pass);
	assert_int_equal(count(c, op), 1);
	assert_ptr_equal(c->p->first, c->p->last);
}

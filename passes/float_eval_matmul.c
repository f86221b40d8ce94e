/* SPDX-License-Identifier: Apache-2.0
 * float_eval_matmul.c -- matrix products of the reference interpreter, with broadcast batch axes.
 */
#include "float_eval.h"
#include "gemm_f32.h"

/* Index of the matrix of v that belongs to batch number i of out. */
static int64_t batch_index(const struct val *v, const struct val *out, int64_t i)
{
	int64_t index = 0, stride = 1;
	for (int d = out->rank - 3; d >= 0; d--) {
		int own = d - (out->rank - v->rank);
		int64_t at = i % out->dim[d];
		i /= out->dim[d];
		if (own < 0)
			continue;
		if (v->dim[own] != 1)
			index += at * stride;
		stride *= v->dim[own];
	}
	return index;
}

void eval_matmul(const struct val *out, float *to, const struct val *a, const float *pa, const struct val *b, const float *pb,
                 bool trans_b, const float *bias)
{
	int64_t m = out->dim[out->rank - 2], n = out->dim[out->rank - 1], k = a->dim[a->rank - 1], batches = 1;

	if (ir_count(out) == 0)
		return;
	for (int d = 0; d < out->rank - 2; d++)
		batches *= out->dim[d];
	if (b->rank == 2) { /* one matrix for all: the batch joins the rows */
		m *= batches;
		batches = 1;
	}
	const float *factor = b->factor && pb == b->data ? b->factor->data : NULL;
	if (factor && (b->rank != 2 || b->factor_step != (trans_b ? 1 : n) || ir_count(b->factor) != k))
		BUG("the factors of '%s' are not one for each row of the product", b->name);
	for (int64_t i = 0; i < batches; i++) {
		const float *left = pa + (batches > 1 ? batch_index(a, out, i) * m * k : 0);
		const float *right = pb + (batches > 1 ? batch_index(b, out, i) * k * n : 0);
		gemm_f32(suf_cpu_best(), to + i * m * n, m, n, k, (struct matrix_f32){ left, k, 1, NULL },
		         (struct matrix_f32){ right, trans_b ? 1 : n, trans_b ? k : 1, factor }, bias, false);
	}
}

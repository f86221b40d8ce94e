/* SPDX-License-Identifier: Apache-2.0
 * The per-element evaluators of kernels/steps.h inside kernels, so that the
 * text the CPU runs stays text that CUDA compiles.  Compiled by the test
 * cuda_compiles where nvcc is found; running it needs a GPU.
 */
#include "kernels/steps.h"

#define ELEMENT size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; if (i >= count) return

__global__ void
trunc_kernel(int p, unsigned n, unsigned s, int slack, size_t count, const uint64_t *x_hat, const uint64_t *t, const uint64_t *msb, uint64_t *out)
{
	ELEMENT;
	out[i] = slack ? suf_trunc_slack_eval(p, n, s, x_hat[i], t[i], msb[i]) : suf_trunc_eval(p, s, x_hat[i], t[i]);
}

__global__ void
sext_kernel(int p, unsigned n, size_t count, const uint64_t *x_hat, const uint64_t *t, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_sext_eval(p, n, x_hat[i], t[i]);
}

__global__ void
gapext_kernel(int p, unsigned n, size_t count, const uint64_t *x_hat, const uint64_t *r, const uint64_t *msb, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_gapext_eval(p, n, x_hat[i], r[i], msb[i]);
}

__global__ void
select_kernel(int p, size_t count, const uint64_t *bit_hat, const uint64_t *x_hat, const uint64_t *z, const uint64_t *u, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_select_eval(p, bit_hat[i], x_hat[i], z[i], u[2 * i + bit_hat[i]]);
}

__global__ void
lutsign_kernel(size_t count, const uint64_t *bit_hat, const uint64_t *v_hat, const uint64_t *v1, const uint64_t *vr, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_lutsign_eval(bit_hat[i], v_hat[i], v1[i], vr[i]);
}

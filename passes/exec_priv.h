/* SPDX-License-Identifier: Apache-2.0
 * exec_priv.h -- what exec.c and exec_run.c share.
 */
#ifndef SUFC_EXEC_PRIV_H
#define SUFC_EXEC_PRIV_H
#include "passes/exec.h"

struct exec {
	struct suf_program prog;         /* first: the body finds its steps by it */
	struct suf_step *step; int *round; size_t nstep;
	const struct val **made; uint32_t nmade; /* by step id */
	struct suf_tensor *in, *out, *weight;
	uint64_t **value;                /* weights in the ring */
};
void exec_set_seeds(struct suf_run *, const struct exec_seeds *, int from, int to);
int64_t exec_signed(uint64_t x, unsigned bits);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * stacks.h -- transformer stacks of known models as float programs: without weight values
 * for costs, with random ones for runs.  Hidden states in, hidden states out; no embedding, no head.
 */
#ifndef TEST_STACKS_H
#define TEST_STACKS_H
#include "passes/passes.h"

struct stack_kind {
	const char *name;
	int layers, heads;
	int64_t hidden, ffn;
	int ring_bits;               /* of the published measurements */
	bool causal, scaled, llama;  /* scaled: scores over sqrt(hidden / heads); llama: RMSNorm, RoPE, gated SiLU, no biases */
};
extern const struct stack_kind stack_kinds[];
extern const int stack_nkinds;
const struct stack_kind *stack_find(const char *name); /* NULL: none */
/* Stage FLOAT, everything fused as the passes would.  Fewer layers: a copy of the kind that says so. */
struct prog *stack_new(const struct stack_kind *, int64_t seq, const struct options *, struct diag *);
/* With random weights of the scale of trained ones, the same for the same seed, which is not 0. */
struct prog *stack_weighted(const struct stack_kind *, int64_t seq, uint64_t seed, const struct options *, struct diag *);
void stack_random(uint64_t *state, int64_t count, double mean, double deviation, float *to);
#endif

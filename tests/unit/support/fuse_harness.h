/* SPDX-License-Identifier: Apache-2.0
 * fuse_harness.h -- small FLOAT programs by hand, and a pass run on them with the results compared.
 */
#ifndef FUSE_HARNESS_H
#define FUSE_HARNESS_H
#include "passes/passes.h"

struct ctx { struct prog *p; struct diag *diag; FILE *log; uint64_t rng; };

#define DIMS(...) (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (const int64_t[]){ __VA_ARGS__ }

float number(struct ctx *c);
void start(struct ctx *c, uint64_t seed);
void finish(struct ctx *c);
struct val *input(struct ctx *c, enum dtype dtype, int rank, const int64_t *dim);
struct val *weight(struct ctx *c, int rank, const int64_t *dim);
struct val *num(struct ctx *c, double x);
struct val *op_n(struct ctx *c, enum op op, int nin, struct val **in, int rank, const int64_t *dim);
struct val *un(struct ctx *c, enum op op, struct val *a);
struct val *bin(struct ctx *c, enum op op, struct val *a, struct val *b);
struct val *mean_over(struct ctx *c, struct val *a, int axis);
struct val *mean(struct ctx *c, struct val *a);
struct val *transposed(struct ctx *c, struct val *a, int rank, const int64_t *perm);
struct val *reshaped(struct ctx *c, struct val *a, int rank, const int64_t *dim);
struct val *product(struct ctx *c, struct val *a, struct val *b);
struct val *softmax(struct ctx *c, struct val *a);
int count(const struct ctx *c, enum op op);
void run_pass(struct ctx *c, bool (*pass)(struct prog *));
/* The pass leaves one operation. */
void expect_only(struct ctx *c, bool (*pass)(struct prog *), enum op op);
#endif

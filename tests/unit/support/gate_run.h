/* SPDX-License-Identifier: Apache-2.0
 * gate_run.h -- small programs of stage RING through bind, expand, schedule,
 * plan and a run: the simulation must equal dealer and parties bit for bit, and
 * key and message bytes, generator calls and rounds must be those that steps.def predicts.
 */
#ifndef GATE_RUN_H
#define GATE_RUN_H
#include "passes/exec.h"

/* A program under construction; every value gets `n` ring bits. */
struct gt { struct prog *p; struct options opt; struct diag *diag; unsigned n, f; };
struct shape { int rank; int64_t dim[MAX_RANK]; };
#define SHAPE(...) ((struct shape){ (int)(sizeof (int64_t[]){ __VA_ARGS__ } / sizeof(int64_t)), { __VA_ARGS__ } })

extern enum weights_mode gt_weights;                 /* of the programs that are made from now on */
void gt_init(struct gt *, unsigned n, unsigned f);                                /* gate set sigma; opt.gates says otherwise */
void gt_free(struct gt *);
struct val *gt_input(struct gt *, struct shape);                                  /* f fraction bits */
struct val *gt_const(struct gt *, enum sec, unsigned frac, struct shape, const int64_t *); /* data stays the caller's */
struct val *gt_op(struct gt *, enum op, unsigned frac, struct shape, int nin, ...); /* struct val *..; attributes are set on ->def */
struct val *gt_rescale(struct gt *, struct val *, int shift);                     /* to f fraction bits */

/* For programs that are made of steps: an input and its step, masked; an output and its step, after which the stage is SCHED. */
struct val *gt_input_step(struct gt *, struct shape, unsigned bits, unsigned frac);
void gt_output_step(struct gt *, struct val *);

/* Bind, expand, join_open, schedule, plan. */
void gt_compile(struct gt *, struct val *out);
/* The rest of it for a program that is at stage SCHED already. */
void gt_schedule(struct gt *);
/* Runs; in[k], out: signed numbers of prog->in[k] (wire form), prog->out[0]. */
void gt_run(struct gt *, const int64_t *const *in, int64_t *out);

/* Compiles and runs a program of one input x and expects `want`; frees *t. */
void gt_expect(struct gt *t, struct val *out, const int64_t *x, const int64_t *want, const char *what);

uint64_t gt_random(void);                        /* 64 random bits; the seed is printed by the first call */
int64_t gt_bits(unsigned bits);                  /* random signed number of that many bits */
int64_t *gt_randoms(uint64_t count, unsigned bits);  /* the caller frees */
int64_t gt_raised(int64_t y, unsigned f);        /* a random x with x >> f = y */
int64_t gt_signed(uint64_t, unsigned bits);
int64_t *gt_array(uint64_t count);               /* zeroed; the caller frees */
bool gt_same(const char *what, const int64_t *got, const int64_t *want, uint64_t count); /* prints the first difference */
#endif

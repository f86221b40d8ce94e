/* SPDX-License-Identifier: Apache-2.0
 * secret_run.h -- programs of the step harness with all seeds marked as unknown: under Valgrind's memcheck every branch or address
 * that depends on a share, pad, mask or key is an error.  Only what a round opens, and the result, is declared public.
 */
#ifndef SECRET_RUN_H
#define SECRET_RUN_H
#include "step_harness.h"

enum { COUNT = SUF_BLOCK + 24 }; /* corrections for both parties */

/* Marks bytes as unknown, as known. */
void secret_hide(void *, size_t bytes);
void secret_show(void *, size_t bytes);

/* A step of COUNT elements. */
struct suf_step secret_step(enum suf_op, unsigned n, unsigned m, struct suf_ref in0, struct suf_ref in1, struct suf_ref out);

/* Each program once with the widest kernels and once with portable ones; it makes its steps, runs them with harness_run and looks at the results. */
typedef void secret_program(struct harness *);
void secret_run(secret_program *const *, int n);
#endif

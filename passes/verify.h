/* SPDX-License-Identifier: Apache-2.0
 * verify.h -- a program's protocol against its float meaning, value by value.
 */
#ifndef SUFC_VERIFY_H
#define SUFC_VERIFY_H
#include "passes/examples.h"
#include "passes/exec.h"

struct verify_row {                      /* over all examples */
	const struct val *val;
	double max_error, sum_error2, sum_float2, max_float;
	uint64_t count;
};
struct verify {
	struct verify_row *row; int nrow;    /* in program order; the arena's */
	struct exec_parties run;             /* of the last example */
	uint64_t opened;                     /* openings whose parties' views were checked against the dealer's masks */
};
/* p: imported, any point of stage FLOAT.  Compiles it to the end; for every example runs the float interpreter,
 * the simulation, and dealer and parties under the same seeds.  false: an error was reported (a difference
 * between parties and simulation is one). */
bool verify_run(struct prog *p, const struct options *, const struct examples *, const struct exec_seeds *, struct verify *);
void verify_print(const struct prog *, const struct verify *, FILE *);
#endif

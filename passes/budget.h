/* SPDX-License-Identifier: Apache-2.0
 * budget.h -- what pass budget chose for --max-error and why: for reports.
 */
#ifndef SUFC_BUDGET_H
#define SUFC_BUDGET_H
#include "passes/choose.h"

struct budget_role {
	const char *name, *doc;          /* of precision.def */
	int table, bits;                 /* fraction bits: there; chosen */
	int least, most;                 /* that were allowed */
	double share;                    /* of the estimated squared error, from 0 to 1 */
	bool used;                       /* some value of the program has this role */
};
struct budget {
	double asked;                    /* relative errors: rms(program - float) / rms(float), the worst output */
	double estimated, fixed;         /* of the model with these bits; the part that bits do not change */
	double measured;                 /* in the simulator; < 0: not run, the program is too large */
	double bound;                    /* with two standard errors of its square, so that other inputs keep it, too; this is at most `asked` */
	double table_measured;           /* with the bits of the table; < 0 likewise */
	int examples, probes;            /* of the calibration data: measured, and used for the model */
	int trials, runs;                /* programs that were made and costed; float runs of the model */
	struct measure table, chosen;    /* what the whole program takes */
	struct budget_role *role; int nrole;
};
struct budget *budget_copy(struct arena *, const struct budget *); /* names are of the program text: static */
#endif

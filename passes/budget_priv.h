/* SPDX-License-Identifier: Apache-2.0
 * budget_priv.h -- what budget.c (the pass), budget_model.c (errors), budget_search.c (costs) and budget_run.c (simulation)
 * share.
 */
#ifndef SUFC_BUDGET_PRIV_H
#define SUFC_BUDGET_PRIV_H
#include "passes/budget.h"
#include "passes/choose_priv.h"
#include "passes/examples.h"
#include "passes/precision.h"

/* Fraction bits of all roles. */
struct role_set { uint8_t bits[N_ROLE]; };

/* A value or weight that is rounded: fraction bits with those of the table, roles that decide them.  Raised by k bits, role r
 * raises this value by k - slack[r], or not at all. */
enum source_kind { SOURCE_NONE, SOURCE_NEAREST, SOURCE_STEP };
struct source { int value, group; enum source_kind kind; uint8_t frac, slack[N_ROLE]; uint32_t roles; double count; };
/* Sources with the same roles; gain[k]: squared error of output k, relative, that they cause with the table's bits. */
struct noise_group { uint32_t roles; double *gain, count; };

/* A whole program that was made and costed. */
struct trial_point { struct role_set at; struct measure all; const char *why_not; double run_ms; };

struct budget_job {
	struct prog *p;                  /* stage FLOAT, ranges known */
	struct arena *a;                 /* of the work alone */
	struct options opt;              /* of copies */
	struct machine machine;
	struct network net;
	enum objective objective;
	struct role_set table;
	int least[N_ROLE], most[N_ROLE]; /* bits that are possible */
	double slope[N_ROLE][2];         /* what a bit costs, below and above the table's */
	struct trial_point **point; int npoint, cap;
	int64_t steps;                   /* of all programs that were made */

	struct examples ex;
	int nout, *out;                  /* numbers that count, by place in p->vals: outputs */
	int *port;                       /* which output that is, by place in p->out */
	bool ranked;                     /* all outputs are indices of largest elements: what is ranked counts */
	float ***want;                   /* by example and output: float results, once they were asked for */
	double *fixed;                   /* by output: squared relative error that bits do not change */
	struct source *source; int nsource;
	struct noise_group *group; int ngroup;
	int probes, runs;
};

/* budget_search.c: makes the program with these bits; fracs: NULL or fraction bits of p->vals; kinds: NULL or how they are rounded. */
const struct trial_point *budget_try(struct budget_job *, const struct role_set *, uint8_t *fracs, enum source_kind *kinds);
/* The bounds of each role and what bits cost; roles whose values change: the sources.  False: not even the table's bits are possible, *why says why. */
bool budget_bounds(struct budget_job *, const char **why);
/* The bits for which the program takes least with an estimated error of at most `target`; false: there are none. */
bool budget_cheapest(struct budget_job *, double target, struct role_set *);
/* The most bits of all roles that are possible together; false: not even the table's are. */
bool budget_strictest(struct budget_job *, struct role_set *);
bool budget_is_used(const struct budget_job *, int role);        /* some value has this role */
void budget_copy_start(struct budget_job *, struct trial_copy *, const struct role_set *);

/* budget_model.c */
bool budget_model(struct budget_job *);                                          /* false: an error was reported */
double budget_estimate(const struct budget_job *, const struct role_set *);      /* relative error */
void budget_shares(const struct budget_job *, const struct role_set *, double share[N_ROLE]);
float **budget_float(struct budget_job *, int64_t example);                       /* results by output; NULL: an error was reported */
int64_t budget_pick(const struct budget_job *, int k, int of);                    /* the k-th of `of` examples, spread over all */
double budget_elements(const struct budget_job *, int k);

/* budget_run.c: the relative error in the simulator over `examples` examples; bound: two standard errors of its square more, what
 * other inputs of the kind should keep (one example: the same).  False: an error was reported. */
struct measured { double error, bound; };
bool budget_measure(struct budget_job *, const struct role_set *, int examples, struct measured *);
#endif

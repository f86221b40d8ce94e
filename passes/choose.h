/* SPDX-License-Identifier: Apache-2.0
 * choose.h -- --gates=auto: for every operation one of the gates that can do it, so
 * that the whole program takes least.  docs/planner.md says how, and what is exact.
 */
#ifndef SUFC_CHOOSE_H
#define SUFC_CHOOSE_H
#include "passes/passes.h"

/* What a whole program takes in one run. */
struct measure {
	bool possible;                   /* false: some gate cannot be used where it was put; the rest is not set */
	double online_ms;                /* predicted */
	uint64_t comm, keys;             /* bytes: sent by both parties; of both keys */
	uint32_t rounds;
};
enum { MEASURES = 4 };

/* Operations that are alike and get the same gate. */
struct choice_option { const struct gate *gate; bool tried; struct measure all; const char *why_not; }; /* all: the whole program with this gate */
struct choice_group {
	const char *op, *shape, *node;   /* operation; shape of its operand; the first node of the model in it, or value */
	int nodes, taken;                /* how many operations; the option that is used */
	int n; struct choice_option *option; /* in the order of gates.def */
};
struct choice_set { const char *set; bool tried; struct measure all; const char *why_not; }; /* its gates wherever it has some */

struct choice {
	enum objective objective;
	const char *network, *cpu;       /* of the predicted times; cpu NULL: the reference machine */
	struct measure all;
	struct choice_group *group; int ngroup;
	struct choice_set *set; int nset;
	int trials;                      /* programs that were made and measured */
	bool complete;                   /* no group, and no two neighbours, can be changed to advantage; false: the bound on trials came first */
};

/* Gives a gate to every node that has none, by gate_choice(); writes p->choice.  p: stage RING.  The node list is not
 * changed.  False: an error was reported. */
bool choose_gates(struct prog *);

/* choose_formats.c: with --gates=auto, whether each value gets a format of its own (p->mixed), by what the whole program takes
 * either way.  p: stage FLOAT, ranges known.  False: an error was reported. */
bool choose_formats(struct prog *);

extern const char *const objective_name[];       /* by enum objective; ends with NULL */
/* < 0: a takes less than b; 0: the same in all measures. */
int measure_compare(enum objective, const struct measure *a, const struct measure *b);
struct choice *choice_copy(struct arena *, const struct choice *);
#endif

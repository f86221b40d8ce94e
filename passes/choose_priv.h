/* SPDX-License-Identifier: Apache-2.0
 * choose_priv.h -- what choose.c and choose_groups.c share.
 */
#ifndef SUFC_CHOOSE_PRIV_H
#define SUFC_CHOOSE_PRIV_H
#include "passes/choose.h"
#include "passes/predict.h"

/* The machine and the network of the program's options; false: an error was reported. */
bool measure_start(struct prog *, struct machine *, struct network *);
/* What a scheduled program takes; its steps are added to *steps. */
struct measure measure_of(const struct prog *, const struct machine *, const struct network *, int64_t *steps);

/* A copy of a program to try passes on: without values of weights, what it reports is kept. */
struct trial_copy { struct prog *p; struct diag *d; char *log; size_t size; FILE *to; };
void trial_copy_start(struct trial_copy *, const struct prog *);
/* Frees it.  The first error that was reported, without its place, in the arena; NULL: nobody wants it. */
const char *trial_copy_end(struct trial_copy *, struct arena *);

struct group {
	const struct node *first;
	int nodes;
	const struct gate **gate; int ngate; /* gate_choice() */
	bool ranges_differ;              /* its nodes' values have ranges of different sizes */
};
struct pair { int a, b; };               /* a < b */

/* The nodes without a gate, in groups; both in program order. */
struct groups {
	int nnode;
	struct node **node;
	int *of;                         /* by node: its group; -1: it has a gate */
	uint64_t *range;                 /* by node: sizes of its values' ranges */
	bool *by_range;                  /* by node: ranges count */
	struct group *v; int n;
	struct pair *pair; int npair;    /* neighbours */
};
void groups_init(struct groups *, struct arena *, const struct prog *);
/* Again, after by_range was changed. */
void groups_make(struct groups *, struct arena *, const struct prog *);
#endif

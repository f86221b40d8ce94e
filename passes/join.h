/* SPDX-License-Identifier: Apache-2.0
 * join.h -- what the parts of pass `join_open` share.
 */
#ifndef SUFC_JOIN_H
#define SUFC_JOIN_H
#include "passes/passes.h"
#include "run.h"

/* How a step on masked values may work on the shares behind their openings instead. */
enum join_way {
	JOIN_STAYS,              /* not at all */
	JOIN_LINEAR,             /* a local step, on shares */
	JOIN_ADDS,               /* lin as addx: in[share] as a share, the other operand masked */
	JOIN_MULTIPLIES,         /* wmul as wshare */
	JOIN_NARROWS             /* shift as a narrow opening, the last one */
};
struct join { enum join_way way; int share; uint64_t bits; bool on_shares; };

/* By step id: what each step may do, the fewest bits that are opened up to its result, and whether it is to work on shares. */
const struct join *join_plan(struct prog *);
struct node *join_opening(struct val *); /* the opening that makes v, directly or as another view; NULL: it has another maker */
#endif

/* SPDX-License-Identifier: Apache-2.0
 * precision.h -- the roles of values that have formats of their own, and their fraction bits.
 */
#ifndef SUFC_PRECISION_H
#define SUFC_PRECISION_H
#include "passes/passes.h"

enum role {
#define ROLE(name, bits, doc) ROLE_##name,
#include "passes/precision.def"
	N_ROLE                           /* what its readers' results want */
};
struct role_desc { const char *name; int bits; const char *doc; }; /* a row of precision.def */
extern const struct role_desc role_desc[N_ROLE];
int role_bits(const struct prog *, enum role);   /* those of the program, if pass budget chose some */
#endif

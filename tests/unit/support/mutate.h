/* SPDX-License-Identifier: Apache-2.0
 * mutate.h -- faults of scheduled programs, one at a time: what pass `secure` or ir_check has to find.
 */
#ifndef TEST_MUTATE_H
#define TEST_MUTATE_H
#include "passes/passes.h"

/* make: applies the fault; false: the program has no place for it.  rule: what `secure` has to say ("R1:"), NULL: ir_check alone
 * is asked.  harmless: it is none, and both have to pass. */
struct fault { const char *name; bool (*make)(struct prog *); const char *rule; bool harmless; };
extern const struct fault faults_places[], faults_rules[], faults_owner[]; /* R1, R2; the others; R10 */
extern const int nfaults_places, nfaults_rules, nfaults_owner;
#endif

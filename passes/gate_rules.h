/* SPDX-License-Identifier: Apache-2.0
 * gate_rules.h -- the gates file of --gates=FILE: which gate implements what.
 * docs/costs.md has the format.
 */
#ifndef SUFC_GATE_RULES_H
#define SUFC_GATE_RULES_H
#include "passes/passes.h"

struct gate_rules;
/* The rules of a file, for a program whose nodes have no gates yet; NULL: every problem was reported. */
struct gate_rules *gate_rules_read(struct prog *, const char *path);
/* The gate for a node; NULL: there is none, or (*chosen) it is to be chosen. */
const struct gate *gate_rules_pick(const struct gate_rules *, const struct node *, bool *chosen);
/* The set that is taken where no rule says otherwise; "auto": gates are chosen. */
const char *gate_rules_default(const struct gate_rules *);
/* Does the file ask for norms without gamma and beta (pass fold_affine)?  False, too, if it cannot be read. */
bool gate_rules_fold(const char *path);
bool gate_rules_mixed(const char *path);         /* does it give each value a format of its own? */
/* Stage GATE: a file that chooses the same gates again. */
void gate_rules_write(const struct prog *, FILE *);

/* Edits (insert, drop, change a character) between two texts. */
int edit_distance(const char *a, const char *b);
#endif

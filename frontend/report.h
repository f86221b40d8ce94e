/* SPDX-License-Identifier: Apache-2.0
 * report.h -- what a compiled program costs and what its numbers rest on: as text; costs as JSON, too.
 */
#ifndef SUFC_REPORT_H
#define SUFC_REPORT_H
#include <jansson.h>
#include "passes/budget.h"

void report_text(const struct prog *, FILE *);
json_t *cost_json(const struct prog *);      /* an entry of "strategies", but for what needs a comparison: docs/costs.md */
int report_ring(const struct prog *);        /* the widest ring, bits */
/* report_choice.c: gates that were chosen; the rest: parts of it, in words. */
void report_choice(const struct choice *, FILE *);
json_t *choice_json(const struct choice *);  /* "choice" of docs/costs.md */
struct change { double key, comm, rounds, ms; }; /* key: mean of both parties */
struct change choice_change(const struct measure *from, const struct measure *to);
const char *choice_objective(const struct choice *);
const char *choice_group_name(struct arena *, const struct choice_group *);
const char *choice_gate_name(struct arena *, const struct gate *);
/* report_budget.c: fraction bits that --max-error chose; what says that the error is kept, in words. */
void report_budget(const struct budget *, FILE *);
json_t *budget_json(const struct budget *);  /* "budget" of docs/costs.md */
const char *budget_basis(struct arena *, const struct budget *);
/* 1234567 -> "1.23 MB"; text: at least 24 bytes. */
const char *report_bytes(uint64_t, char *text);
#endif

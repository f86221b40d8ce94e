/* SPDX-License-Identifier: Apache-2.0
 * report.h -- what a compiled program costs and what its numbers rest on: as text; costs as JSON, too.
 */
#ifndef SUFC_REPORT_H
#define SUFC_REPORT_H
#include <jansson.h>
#include "passes/passes.h"

void report_text(const struct prog *, FILE *);
json_t *cost_json(const struct prog *);      /* an entry of "strategies", but for what needs a comparison: docs/costs.md */
int report_ring(const struct prog *);        /* the widest ring, bits */
/* 1234567 -> "1.23 MB"; text: at least 24 bytes. */
const char *report_bytes(uint64_t, char *text);
#endif

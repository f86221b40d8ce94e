/* SPDX-License-Identifier: Apache-2.0
 * report.h -- what a compiled program costs and what its numbers rest on, as text.
 */
#ifndef SUFC_REPORT_H
#define SUFC_REPORT_H
#include "passes/passes.h"

void report_text(const struct prog *, FILE *);
/* 1234567 -> "1.23 MB"; text: at least 24 bytes. */
const char *report_bytes(uint64_t, char *text);
#endif

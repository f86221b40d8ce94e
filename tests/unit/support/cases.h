/* SPDX-License-Identifier: Apache-2.0
 * cases.h -- stored models with inputs and reference results; tests/models/cases.py describes the format.
 */
#ifndef TEST_CASES_H
#define TEST_CASES_H
#include "ir.h"

struct test_array { const char *name; bool output; enum dtype dtype; int rank; int64_t dim[MAX_RANK], count; const void *data; };
struct test_case { const char *name; const void *model; size_t model_bytes; int narray; struct test_array *array; };
struct test_cases { int n; struct test_case *c; };

void *test_read_file(struct arena *, const char *path, size_t *bytes); /* fails the test if it cannot */
struct test_cases test_cases_read(struct arena *, const char *path);
/* Evaluates p on the case's inputs (by name) and compares with its outputs; false: which and by how much is printed. */
bool test_case_holds(const struct prog *p, const struct test_case *, double tolerance);
#endif

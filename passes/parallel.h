/* SPDX-License-Identifier: Apache-2.0
 * parallel.h -- independent pieces of a pass on all processors.
 */
#ifndef SUFC_PARALLEL_H
#define SUFC_PARALLEL_H
#include <stdint.h>

/* fn(arg, i) once for every i < n, in any order and at the same time; what it writes must be i's own. */
void parallel_for(int64_t n, void (*fn)(void *arg, int64_t i), void *arg);
#endif

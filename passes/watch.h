/* SPDX-License-Identifier: Apache-2.0
 * watch.h -- which values of a simulation leave the range that the program was compiled for.
 */
#ifndef SUFC_WATCH_H
#define SUFC_WATCH_H
#include "passes/exec.h"

struct watch;
struct watch *watch_new(struct prog *);          /* stage SCHED; the arena's */
exec_trace watch_step;                           /* the trace of exec_simulate, its argument is the watch */
int watch_report(struct prog *, const struct watch *); /* a warning per value; how many left their range */
#endif

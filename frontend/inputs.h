/* SPDX-License-Identifier: Apache-2.0
 * inputs.h -- --input NAME=FILE and friends: what simulate and verify share.
 */
#ifndef SUFC_INPUTS_H
#define SUFC_INPUTS_H
#include "frontend/cmd.h"
#include "passes/exec.h"

struct binding { const char *name, *path; };
struct bindings { struct binding *v; int n; };       /* the arena's */
void bindings_add(struct argp_state *, struct bindings *, struct arena *, char *arg); /* NAME=PATH */
/* Every name is one of the program's inputs and every input has a file.  false: an error was reported. */
bool read_inputs(struct prog *, const struct bindings *, int64_t most, struct examples *); /* at most `most` examples; 0: all */
void parse_examples(struct argp_state *, const char *arg, int64_t *most);
/* The index of the output called NAME; -1: an error was reported. */
int find_output(struct prog *, const char *name);
/* Fresh from the operating system, or the bytes of a file (tests and bug reports). */
bool read_seeds(struct diag *, const char *path, struct exec_seeds *);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * gates_table.c -- the table of gates, from gates.def.  Alone in its file: a test
 * that defines the same two names brings its own table.
 */
#include "passes/passes.h"

const struct gate gates[] = {
#define ROW(set, name, op, klass, doc, source, wide) { #set, #name, OP_##op, #klass, expand_##set##_##name, doc, source, wide },
#define GATE(...) ROW(__VA_ARGS__, false)
#define GATE_WIDE(...) ROW(__VA_ARGS__, true)
#include "gates.def"
#undef GATE
#undef ROW
};
const int ngates = sizeof gates / sizeof gates[0];

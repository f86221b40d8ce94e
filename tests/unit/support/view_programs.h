/* SPDX-License-Identifier: Apache-2.0
 * view_programs.h -- every kind of step that opens or deals, in rings of 3 to 6 bits, for statistics of what a party sees.
 */
#ifndef VIEW_PROGRAMS_H
#define VIEW_PROGRAMS_H
#include "step_harness.h"

/* make: `count` elements; corrections of elements from a block's border on go to party 0.  block: elements before the last
 * eight, so that corrections of some part of theirs go to party 0.  faults: try them; subtle_pads: not those of pads;
 * brief: the one for slow builds. */
struct view_program { const char *name; void (*make)(struct harness *, uint64_t count); uint64_t block; bool faults, subtle_pads, brief; };
/* VIEW_LUTC: a look-up of an input of 3 bits without a borrow.  VIEW_CELLS: 8 cells for an input of 5 bits. */
enum { VIEW_LUTC = 6, VIEW_CELLS = 18, VIEW_PROGRAMS = 25 };
extern const struct view_program view_program[VIEW_PROGRAMS];
void view_secrets(uint64_t seed);                /* of the programs that are made from now on */
#endif

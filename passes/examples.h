/* SPDX-License-Identifier: Apache-2.0
 * examples.h -- example inputs from .npy and .npz files, for calibration, simulation and verification.
 */
#ifndef SUFC_EXAMPLES_H
#define SUFC_EXAMPLES_H
#include "ir.h"

/* A first axis longer than the program's batch, or an axis before it, counts examples. */
struct examples { int64_t count; void **data; }; /* data[k]: all examples of prog->in[k], one after the other; the arena's */

/* The array of input k, from an .npy file or the member named like the input of an .npz file. false: an error was reported. */
bool examples_read(struct prog *, struct examples *, int k, const char *path);
/* Every input has an array and all of them the same number of examples? */
bool examples_complete(struct prog *, const struct examples *);
const void *example_at(const struct prog *, const struct examples *, int k, int64_t example);
#endif

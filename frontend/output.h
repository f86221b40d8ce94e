/* SPDX-License-Identifier: Apache-2.0
 * output.h -- files that commands write: whole under their name or not at all.
 */
#ifndef SUFC_OUTPUT_H
#define SUFC_OUTPUT_H
#include "ir.h"

/* Reports that a file cannot be written, with errno; the exit status. */
int output_error(struct diag *, const char *path, const char *what);
/* Before the work of compiling: can files be made in the folder of `path`?  false: reported. */
bool output_folder(struct diag *, struct arena *, const char *path);
/* Writes `path` through `write` and a temporary name; the exit status. */
/* secret: for its owner's eyes alone, since it holds weights. */
int output_secret(struct diag *, struct arena *, const char *path, void (*write)(const void *, FILE *), const void *arg);
int output_file(struct diag *, struct arena *, const char *path, void (*write)(const void *, FILE *), const void *arg);
const char *output_suffix(const char *path);  /* ".c", "" if there is none */
#endif

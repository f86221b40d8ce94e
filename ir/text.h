/* SPDX-License-Identifier: Apache-2.0
 * text.h -- what print.c, parse.c and the backend share about the text form (docs/ir.md).
 */
#ifndef SUFC_TEXT_H
#define SUFC_TEXT_H
#include "ir.h"

enum { IR_INLINE_MAX = 16 };            /* constants up to this size are printed in full */

extern const char *const ir_stage_name[4], *const ir_dtype_name[3], *const ir_sec_name[8], *const ir_range_name[3], *const ir_weights_name[3];
bool ir_bare_name(unsigned char c);     /* may stand in a name without quotes */
size_t ir_data_bytes(const struct val *); /* size of a constant's data */
void ir_sha256(const void *data, size_t bytes, uint8_t digest[32]);

/* The tables of a program, in order of first use; equal contents are one
 * table.  Names are unique: a taken one gets a suffix. */
struct ir_table { const struct suf_table *table; const char *name; };
struct ir_tables { struct ir_table *v; int n; };
struct ir_tables ir_collect_tables(const struct prog *);
const char *ir_table_name(const struct ir_tables *, const struct suf_table *);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * ir_text.h -- for tests of the representation: programs from and to strings, a node to build some with.
 */
#ifndef TEST_IR_TEXT_H
#define TEST_IR_TEXT_H
#include "ir/ir.h"
#include "ir/text.h"

#define HEAD "sufc-ir 1\nprogram \"m\" stage FLOAT\n"

/* What is written to .f is in .s once .f is closed; the caller frees it. */
struct text { char *s; size_t n; FILE *f; };
void text_open(struct text *);
struct prog *text_parse(const char *source, struct diag *); /* NULL: an error was reported */
char *text_print(const struct prog *);                      /* the caller frees it */
bool text_passes(const struct prog *);                      /* scheduled: as text and back it is the same text, and ir_check has nothing against it */
void text_refused(const struct prog *, const char *part, const char *what, const char *message); /* scheduled: its text with `what` instead
                                                               of `part` is read, and ir_check says the message */
struct node *sum_node(struct prog *, struct val *a, struct val *b, const char *name); /* at the end; all of it secret */
#endif

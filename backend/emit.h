/* SPDX-License-Identifier: Apache-2.0
 * emit.h -- from a scheduled program to files: C text, weights, a built program.
 */
#ifndef SUFC_EMIT_H
#define SUFC_EMIT_H
#include "ir.h"

/* emit.c: the only code that writes C text. */
struct emit { FILE *to; struct arena *arena; };
/* Writes `text` with $name replaced by the value of the pair (name, value); the pairs end with NULL. */
void emit(struct emit *, const char *text, ...);
const char *emit_number(struct emit *, int64_t);
const char *emit_string(struct emit *, const char *);              /* a C string literal */
const char *emit_comment(struct emit *, const char *);             /* safe inside a comment */
const char *emit_identifier(struct emit *, const char *prefix, const char *); /* prefix + letters, digits, _ */
const char *emit_basename(struct emit *, const char *path, const char *suffix); /* file name without folder and suffix */

/* emit_step.c: one step as a struct suf_step with static storage. */
struct emit_names { int ring, frac; struct ir_tables *tables; bool public_weights; };  /* what the text calls N and F; names of tables */
void emit_step(struct emit *, const struct emit_names *, const struct node *);

/* emit_c.c: OUT.c (and OUT.h with `lib`); false: an error was reported. */
struct emit_job {
	const char *path;        /* the C file */
	bool lib;                /* no main; the program has a name that others can link to, declared in a header */
	const char *build_line;  /* how to build it, for the reader */
	uint8_t hash[32];        /* set: the program hash */
};
bool emit_c(struct prog *, struct emit_job *);
void emit_hash(const struct prog *, uint8_t hash[32]);

/* emit_weights.c: the plain weights of the program. */
bool emit_weights(struct prog *, const char *path, const uint8_t hash[32]);
struct suf_tensor emit_tensor(const struct val *, uint32_t step);
const struct val **emit_weight_list(struct prog *, uint32_t *count); /* by number */

/* build_program.c: where libsuf is, and the command that builds a program. */
struct suf_place { const char *include, *lib; };
bool find_suf(struct arena *, const char *suf_dir, struct suf_place *);
char **build_command(struct arena *, const struct suf_place *, const char *source, const char *out, bool object);
const char *build_line(struct arena *, char *const *command);      /* quoted for a shell */
bool build_program(char *const *command, struct diag *);           /* runs it */
#endif

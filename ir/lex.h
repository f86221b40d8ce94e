/* SPDX-License-Identifier: Apache-2.0
 * lex.h -- the tokens of the text form of programs, for parse.c and parse_step.c.
 */
#ifndef SUFC_LEX_H
#define SUFC_LEX_H
#include "ir.h"

enum token { T_END, T_LINE, T_WORD, T_VALUE, T_TABLE, T_STRING, T_PUNCT };
struct lexer {
	const char *at, *end, *file;
	int line;
	enum token kind;         /* the current token */
	char *text;              /* its text, without sigil and quotes; the arena's */
	bool failed;             /* an error was reported; everything after it is ignored */
	struct arena *arena;
	struct diag *diag;
};
void lex_next(struct lexer *);
void lex_fail(struct lexer *, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* the first one is reported */
bool lex_is(const struct lexer *, const char *word);       /* the current token is this word or sign */
bool lex_accept(struct lexer *, const char *word);         /* .. and go on */
void lex_expect(struct lexer *, const char *word);
int64_t lex_int(struct lexer *, int64_t lo, int64_t hi);
double lex_double(struct lexer *);
const char *lex_take(struct lexer *, enum token, const char *what); /* the text; "" after an error */
int lex_one_of(struct lexer *, const char *what, const char *const *name, int n); /* index; 0 after an error */

struct ints { int64_t *v; int n, size; };
void lex_push(struct lexer *, struct ints *, int64_t);
struct ints lex_ints(struct lexer *);                      /* [1,2,3] */
int lex_int_array(struct lexer *, int max, int64_t *to);   /* the same, at most max numbers; how many */

/* parse_step.c: one NAME=VALUE of a step. */
void parse_step_field(struct lexer *, struct suf_step *, struct suf_table *const *table, int ntable);
#endif

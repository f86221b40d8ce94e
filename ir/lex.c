/* SPDX-License-Identifier: Apache-2.0
 * lex.c -- tokens of the text form: words, numbers, %values, $tables, strings,
 * signs and line ends.  `#` begins a comment at the start of a token.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "lex.h"
#include "text.h"

void
lex_fail(struct lexer *lx, const char *fmt, ...)
{
	if (lx->failed)
		return;
	lx->failed = true;
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct loc loc = { .file = lx->file, .node = arena_printf(lx->arena, "%d", lx->line), .index = -1 };
	diag_error(lx->diag, &loc, "ir-syntax", "%s", text);
}

static char *
cut(struct lexer *lx, const char *from, const char *to)
{
	size_t n = (size_t)(to - from);
	char *s = arena_alloc(lx->arena, n + 1);
	memcpy(s, from, n);
	return s;
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* At an opening quote. */
static char *
string(struct lexer *lx)
{
	const char *s = lx->at + 1, *close = s;
	while (close < lx->end && *close != '"' && *close != '\n')
		close += *close == '\\' && lx->end - close > 1 ? 2 : 1;
	char *text = cut(lx, s, close), *to = text;
	for (; s < lx->end && *s != '"' && *s != '\n'; s++) {
		if (*s != '\\') {
			*to++ = *s;
			continue;
		}
		if (lx->end - s > 3 && s[1] == 'x' && hex(s[2]) >= 0 && hex(s[3]) >= 0 && hex(s[2]) + hex(s[3]) > 0) {
			*to++ = (char)(hex(s[2]) * 16 + hex(s[3]));
			s += 3;
		} else if (lx->end - s > 1 && (s[1] == '"' || s[1] == '\\'))
			*to++ = *++s;
		else
			lex_fail(lx, "expected \\\", \\\\ or \\xHH in a string");
	}
	*to = 0;
	if (s == lx->end || *s != '"')
		lex_fail(lx, "a string has no closing quote");
	else
		s++;
	lx->at = s;
	return text;
}

static bool
word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '+' || c == '-';
}

static void
sigil(struct lexer *lx, char c)
{
	lx->kind = c == '%' ? T_VALUE : T_TABLE;
	const char *s = ++lx->at;
	if (s < lx->end && *s == '"') {
		lx->text = string(lx);
		return;
	}
	while (lx->at < lx->end && ir_bare_name((unsigned char)*lx->at))
		lx->at++;
	if (lx->at == s)
		lex_fail(lx, "expected a name after '%c'", c);
	lx->text = cut(lx, s, lx->at);
}

void
lex_next(struct lexer *lx)
{
	lx->text = (char *)(uintptr_t)"";
	if (lx->kind == T_LINE)
		lx->line++;
	while (lx->at < lx->end && (*lx->at == ' ' || *lx->at == '\t' || *lx->at == '\r'))
		lx->at++;
	if (lx->at < lx->end && *lx->at == '#')
		while (lx->at < lx->end && *lx->at != '\n')
			lx->at++;
	if (lx->at == lx->end || lx->failed) {
		lx->kind = T_END;
		return;
	}
	const char *s = lx->at;
	if (*s == '\n') {
		lx->kind = T_LINE;
		lx->at++;
	} else if (*s == '%' || *s == '$')
		sigil(lx, *s);
	else if (*s == '"') {
		lx->kind = T_STRING;
		lx->text = string(lx);
	} else if (word_char(*s)) {
		while (lx->at < lx->end && word_char(*lx->at))
			lx->at++;
		lx->kind = T_WORD;
		lx->text = cut(lx, s, lx->at);
	} else {
		lx->kind = T_PUNCT;
		lx->text = cut(lx, s, ++lx->at);
	}
}

static const char *
shown(const struct lexer *lx)
{
	return lx->kind == T_END ? "the end of the file" : lx->kind == T_LINE ? "the end of the line" : lx->text;
}

bool
lex_is(const struct lexer *lx, const char *word)
{
	return (lx->kind == T_WORD || lx->kind == T_PUNCT) && !strcmp(lx->text, word);
}

bool
lex_accept(struct lexer *lx, const char *word)
{
	if (lx->failed || !lex_is(lx, word))
		return false;
	lex_next(lx);
	return true;
}

void
lex_expect(struct lexer *lx, const char *word)
{
	if (!lex_accept(lx, word))
		lex_fail(lx, "expected '%s', found '%.60s'", word, shown(lx));
}

int64_t
lex_int(struct lexer *lx, int64_t lo, int64_t hi)
{
	char *end = NULL;
	errno = 0;
	long long x = lx->kind == T_WORD ? strtoll(lx->text, &end, 10) : 0;
	if (!end || end == lx->text || *end || errno) {
		lex_fail(lx, "expected a whole number, found '%.60s'", shown(lx));
		return lo;
	}
	if (x < lo || x > hi) {
		lex_fail(lx, "the number %lld is not between %lld and %lld", x, (long long)lo, (long long)hi);
		return lo;
	}
	lex_next(lx);
	return x;
}

double
lex_double(struct lexer *lx)
{
	char *end = NULL;
	double x = lx->kind == T_WORD ? strtod(lx->text, &end) : 0;
	if (!end || end == lx->text || *end) {
		lex_fail(lx, "expected a number, found '%.60s'", shown(lx));
		return 0;
	}
	lex_next(lx);
	return x;
}

const char *
lex_take(struct lexer *lx, enum token kind, const char *what)
{
	if (lx->failed || lx->kind != kind) {
		lex_fail(lx, "expected %s, found '%.60s'", what, shown(lx));
		return "";
	}
	const char *text = lx->text;
	lex_next(lx);
	return text;
}

int
lex_one_of(struct lexer *lx, const char *what, const char *const *name, int n)
{
	const char *word = lex_take(lx, T_WORD, what);
	for (int k = 0; k < n; k++)
		if (!strcmp(word, name[k]))
			return k;
	lex_fail(lx, "'%.60s' is not %s", word, what);
	return 0;
}

void
lex_push(struct lexer *lx, struct ints *l, int64_t x)
{
	if (l->n == l->size) {
		int64_t *more = arena_alloc(lx->arena, (size_t)(l->size = 2 * l->size + 16) * sizeof *more);
		if (l->n)
			memcpy(more, l->v, (size_t)l->n * sizeof *more);
		l->v = more;
	}
	l->v[l->n++] = x;
}

/* [1,2,3] */
struct ints
lex_ints(struct lexer *lx)
{
	struct ints l = { 0 };
	lex_expect(lx, "[");
	while (!lx->failed && !lex_is(lx, "]")) {
		if (l.n)
			lex_expect(lx, ",");
		lex_push(lx, &l, lex_int(lx, INT64_MIN, INT64_MAX));
	}
	lex_expect(lx, "]");
	return l;
}

/* A list of at most max numbers. */
int
lex_int_array(struct lexer *lx, int max, int64_t *to)
{
	struct ints l = lex_ints(lx);
	if (l.n > max)
		lex_fail(lx, "a list of %d numbers, at most %d are allowed", l.n, max);
	for (int k = 0; k < l.n && k < max; k++)
		to[k] = l.v[k];
	return l.n < max ? l.n : max;
}

/* SPDX-License-Identifier: Apache-2.0
 * emit.c -- writing C text from templates with named holes.
 */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include "backend/emit.h"

enum { MAX_HOLES = 16 };

static bool
name_char(char c)
{
	return (c >= 'a' && c <= 'z') || c == '_';
}

void
emit(struct emit *e, const char *text, ...)
{
	const char *name[MAX_HOLES], *value[MAX_HOLES];
	int n = 0;
	va_list ap;
	va_start(ap, text);
	for (const char *s = va_arg(ap, const char *); s; s = va_arg(ap, const char *)) {
		if (n == MAX_HOLES)
			BUG("more than %d holes in a template", (int)MAX_HOLES);
		name[n] = s;
		value[n++] = va_arg(ap, const char *);
	}
	va_end(ap);
	for (const char *s = text; *s;) {
		if (*s != '$') {
			putc(*s++, e->to);
			continue;
		}
		size_t len = 0;
		while (name_char(s[1 + len]))
			len++;
		int k = 0;
		while (k < n && (strlen(name[k]) != len || strncmp(name[k], s + 1, len)))
			k++;
		if (k == n)
			BUG("a template has a hole $%.*s without value", (int)len, s + 1);
		fputs(value[k], e->to);
		s += 1 + len;
	}
}

const char *
emit_number(struct emit *e, int64_t x)
{
	return arena_printf(e->arena, "%lld", (long long)x);
}

/* Names come from model files: every byte that is not plain ASCII is escaped;
 * '?' too, because of trigraphs. */
const char *
emit_string(struct emit *e, const char *s)
{
	char *text = arena_alloc(e->arena, 4 * strlen(s) + 3), *to = text;
	*to++ = '"';
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\' || c == '?')
			to += sprintf(to, "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			to += sprintf(to, "\\%03o", c);
		else
			*to++ = *s;
	}
	*to++ = '"';
	return text;
}

const char *
emit_comment(struct emit *e, const char *s)
{
	char *text = arena_strdup(e->arena, s);
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e || *c == '*' || *c == '?' || *c == '\\')
			*c = '#';
	return text;
}

const char *
emit_identifier(struct emit *e, const char *prefix, const char *s)
{
	enum { MOST = 120 };
	char *text = arena_alloc(e->arena, strlen(prefix) + MOST + 1), *to = text + strlen(prefix);
	memcpy(text, prefix, strlen(prefix));
	const char *start = to;
	for (; *s && to - start < MOST; s++)
		if (isascii((unsigned char)*s) && isalnum((unsigned char)*s))
			*to++ = *s;
		else if (to > start && to[-1] != '_')
			*to++ = '_';
	while (to > start && to[-1] == '_')
		to--;
	*to = 0;
	return text;
}

const char *
emit_basename(struct emit *e, const char *path, const char *suffix)
{
	const char *slash = strrchr(path, '/');
	char *name = arena_strdup(e->arena, slash ? slash + 1 : path);
	size_t n = strlen(name), k = strlen(suffix);
	if (n > k && !strcmp(name + n - k, suffix))
		name[n - k] = 0;
	return name;
}

/* SPDX-License-Identifier: Apache-2.0
 * diag.c -- errors and warnings for the user, as text or as JSON.
 *
 * Text:  FILE:NODE (#i, OP): error: text [code]
 *            hint   text
 * JSON:  one object a line: {"severity":..,"code":..,"file":..,"node":..,"op":..,
 *        "index":..,"message":..,"hints":[..]}.  A JSON object is written when the next
 *        message begins or diag_free() is called, so that it can hold its hints.
 *
 * Names come from model files: control characters are not sent to a terminal.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "ir.h"

struct diag {
	FILE *to;
	bool json, quiet;
	bool pending;      /* JSON: an object is open, its hints may follow */
	bool muted;        /* the last message was a suppressed warning: its hints too */
	int nhint, nerror;
	char **warning; int nwarning; /* their texts, shown or not */
};

struct diag *
diag_new(FILE *to, bool json)
{
	struct diag *d = calloc(1, sizeof *d);
	if (!d) {
		fputs("sufc: error: out of memory [memory]\n", stderr);
		exit(3);
	}
	d->to = to;
	d->json = json;
	return d;
}

static void
finish(struct diag *d)
{
	if (d->pending)
		fputs("]}\n", d->to);
	d->pending = false;
	d->nhint = 0;
	fflush(d->to);
}

void
diag_free(struct diag *d)
{
	if (!d)
		return;
	finish(d);
	for (int k = 0; k < d->nwarning; k++)
		free(d->warning[k]);
	free(d->warning);
	free(d);
}

/* Length of the UTF-8 sequence at s, 0 if it is not one. */
static int
utf8_len(const unsigned char *s)
{
	int n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
	for (int k = 1; k < n; k++)
		if ((s[k] & 0xc0) != 0x80)
			return 0;
	return n;
}

static void
put_json(FILE *to, const char *text)
{
	putc('"', to);
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		int n = utf8_len(s);
		if (n == 0) {
			fputs("\\ufffd", to);
			n = 1;
		} else if (*s == '"' || *s == '\\')
			fprintf(to, "\\%c", *s);
		else if (*s < 0x20)
			fprintf(to, "\\u%04x", *s);
		else
			fwrite(s, 1, (size_t)n, to);
		s += n;
	}
	putc('"', to);
}

static void
put_text(FILE *to, const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		putc((*s < 0x20 && *s != '\t' && *s != '\n') || *s == 0x7f ? '?' : *s, to);
}

static void
put_loc(FILE *to, const struct loc *loc)
{
	const char *file = loc && loc->file ? loc->file : "sufc";
	put_text(to, file);
	if (loc && loc->node) {
		putc(':', to);
		put_text(to, loc->node);
	}
	bool number = loc && loc->index >= 0 && (loc->op || loc->node);
	if (number || (loc && loc->op)) {
		fputs(" (", to);
		if (number)
			fprintf(to, "#%d%s", loc->index, loc->op ? ", " : "");
		if (loc->op)
			put_text(to, loc->op);
		putc(')', to);
	}
	fputs(": ", to);
}

static void
put_message(struct diag *d, const struct loc *loc, const char *severity, const char *code, const char *text)
{
	finish(d);
	if (!d->json) {
		put_loc(d->to, loc);
		fprintf(d->to, "%s: ", severity);
		put_text(d->to, text);
		fprintf(d->to, " [%s]\n", code);
		return;
	}
	fprintf(d->to, "{\"severity\":\"%s\",\"code\":\"%s\"", severity, code);
	const char *const key[] = { "file", "node", "op" };
	const char *const value[] = { loc ? loc->file : NULL, loc ? loc->node : NULL, loc ? loc->op : NULL };
	for (int k = 0; k < 3; k++)
		if (value[k]) {
			fprintf(d->to, ",\"%s\":", key[k]);
			put_json(d->to, value[k]);
		}
	if (loc && loc->index >= 0 && (loc->op || loc->node))
		fprintf(d->to, ",\"index\":%d", loc->index);
	fputs(",\"message\":", d->to);
	put_json(d->to, text);
	fputs(",\"hints\":[", d->to);
	d->pending = true;
}

static char *
format(const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	char *s = n < 0 ? NULL : malloc((size_t)n + 1);
	if (s)
		vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}

void
diag_error(struct diag *d, const struct loc *loc, const char *code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = format(fmt, ap);
	va_end(ap);
	d->nerror++;
	d->muted = false;
	put_message(d, loc, "error", code, text ? text : fmt);
	free(text);
}

/* NODE: text */
static void
keep_warning(struct diag *d, const struct loc *loc, const char *text)
{
	const char *node = loc && loc->node ? loc->node : "";
	size_t size = strlen(node) + strlen(text) + 3;
	char **more = realloc(d->warning, (size_t)(d->nwarning + 1) * sizeof *more);
	char *copy = malloc(size);
	if (more)
		d->warning = more;
	if (!more || !copy) {
		free(copy);
		return;
	}
	snprintf(copy, size, "%s%s%s", node, *node ? ": " : "", text);
	d->warning[d->nwarning++] = copy;
}

void
diag_warning(struct diag *d, const struct loc *loc, const char *code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *text = format(fmt, ap);
	va_end(ap);
	d->muted = d->quiet;
	keep_warning(d, loc, text ? text : fmt);
	if (!d->quiet)
		put_message(d, loc, "warning", code, text ? text : fmt);
	free(text);
}

int
diag_warnings(const struct diag *d)
{
	return d->nwarning;
}

const char *
diag_warning_text(const struct diag *d, int k)
{
	return d->warning[k];
}

void
diag_hint(struct diag *d, const char *fmt, ...)
{
	if (d->muted)
		return;
	va_list ap;
	va_start(ap, fmt);
	char *text = format(fmt, ap);
	va_end(ap);
	if (!d->json) {
		fputs("    hint   ", d->to);
		put_text(d->to, text ? text : fmt);
		putc('\n', d->to);
	} else if (d->pending) {
		if (d->nhint++)
			putc(',', d->to);
		put_json(d->to, text ? text : fmt);
	}
	free(text);
}

int
diag_errors(const struct diag *d)
{
	return d->nerror;
}

void
diag_quiet(struct diag *d, bool quiet)
{
	d->quiet = quiet;
}

_Noreturn void
ir_bug(const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	fflush(NULL);
	fprintf(stderr, "sufc: internal fault at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nThis is a fault of sufc, not of the model; please report it.\n", stderr);
	abort();
}

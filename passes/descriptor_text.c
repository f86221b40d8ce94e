/* SPDX-License-Identifier: Apache-2.0
 * descriptor_text.c -- descriptors as text, printed (the reader is descriptor_parse.c); docs/suf.md is the reference.
 * Printing what was read gives the same text, reading what was printed the same descriptor.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "passes/descriptor.h"

enum { VALUES_A_LINE = 16 };

/* The shortest text that reads back as x. */
static const char *
real_text(double x, char text[32])
{
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, 32, "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	return text;
}

void
tail_print(const struct tail *t, unsigned out, char text[48])
{
	char c[32];
	if (t->kind != TAIL_LINE) {
		snprintf(text, 48, "%s", t->kind == TAIL_AUTO ? "auto" : "none");
		return;
	}
	real_text(ldexp((double)llabs(t->c), -(int)out), c);
	if (!t->slope)
		snprintf(text, 48, "%s%s", t->c < 0 ? "-" : "", c);
	else if (t->c)
		snprintf(text, 48, "x %c %s", t->c < 0 ? '-' : '+', c);
	else
		snprintf(text, 48, "x");
}

/* "0.5" as a multiple of 2^-out; the whole text. */
static bool
constant(const char *text, unsigned out, int64_t *c)
{
	char *end;
	const double x = ldexp(strtod(text, &end), (int)out);
	while (*end == ' ' || *end == '\t')
		end++;
	if (end == text || *end || !(fabs(x) < 0x1p40) || x != rint(x) || strpbrk(text, "xXnN"))
		return false;
	*c = (int64_t)x;
	return true;
}

bool
tail_parse(const char *text, unsigned out, struct tail *t)
{
	*t = (struct tail){ TAIL_LINE, 0, 0 };
	text += strspn(text, " \t");
	if (!strcmp(text, "none") || !strcmp(text, "auto")) {
		t->kind = *text == 'n' ? TAIL_NONE : TAIL_AUTO;
		return true;
	}
	if (*text != 'x')
		return constant(text, out, &t->c);
	t->slope = 1;
	text += 1 + strspn(text + 1, " \t");
	if (!*text)
		return true;
	const bool minus = *text == '-';
	if ((!minus && *text != '+') || text[1 + strspn(text + 1, " \t")] == '-' || !constant(text + 1, out, &t->c))
		return false;
	t->c = minus ? -t->c : t->c;
	return true;
}

static void
print_cells(const struct descriptor *d, FILE *to)
{
	char from[32], split[32];
	fprintf(to, "cells %u of 2^-%u from %s split %s", d->ncell, d->e, real_text(ldexp((double)d->first, -(int)d->e), from),
	        real_text(ldexp((double)d->split, -(int)d->e), split));
	for (uint32_t k = 0; k < d->ncell; k++)
		fprintf(to, "%s%lld", k % VALUES_A_LINE ? " " : "\nvalues ", (long long)d->cell[k]);
	putc('\n', to);
}

static void
print_pieces(const struct descriptor *d, FILE *to)
{
	char from[32];
	fprintf(to, "pieces %d of degree %u fraction %u scale %u\n", d->npiece, d->degree, d->frac, d->scale);
	for (int k = 0; k < d->npiece; k++) {
		fprintf(to, "piece %s :", real_text(ldexp((double)d->piece[k].from, -(int)d->frac), from));
		for (unsigned j = 0; j <= d->degree; j++)
			fprintf(to, " %lld", (long long)d->piece[k].c[j]);
		putc('\n', to);
	}
}

void
descriptor_print(const struct descriptor *d, FILE *to)
{
	static const char *const form[] = { "auto", "table", "pieces" }, *const side[] = { "left", "right" };
	char lo[32], hi[32], tail[48];
	fprintf(to, "suf-descriptor 1\nname %s\n", d->name);
	for (int k = 0; k < d->nop; k++)
		fprintf(to, "op %s\n", d->op[k]);
	fprintf(to, "function %s\n", d->function);
	if (d->fitted)
		fprintf(to, "fraction %u %u\n", d->in, d->out);
	fprintf(to, "domain %s %s\n", real_text(d->lo, lo), real_text(d->hi, hi));
	fprintf(to, "max-error %s%s\n", real_text(d->max_error, lo), d->relative ? " relative" : "");
	for (int k = 0; k < 2; k++) {
		tail_print(&d->tail[k], d->out, tail);
		if (d->tail[k].kind != TAIL_AUTO)
			fprintf(to, "tail %s %s\n", side[k], tail);
	}
	if (!d->fitted && d->form != DESC_AUTO)
		fprintf(to, "form %s\n", form[d->form]);
	if (d->fitted && d->form == DESC_TABLE)
		print_cells(d, to);
	if (d->fitted && d->form == DESC_PIECES)
		print_pieces(d, to);
}

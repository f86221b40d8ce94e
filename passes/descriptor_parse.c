/* SPDX-License-Identifier: Apache-2.0
 * descriptor_parse.c -- reads a descriptor's text; every fault is reported with file, line, what was expected and
 * found, and a way out.  The reader checks the form and what integers need (multiples, counts, ranges); whether the
 * promised error is kept is seen when the descriptor is used.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "passes/descriptor.h"
#include "passes/gate_rules.h"       /* edit_distance */

enum { MAX_TEXT = 1 << 20, MAX_WIDTH_LOG2 = 20, UNFITTED_OUT = 12 };

struct reader;
struct keyword { const char *name, *want; void (*read)(struct reader *, char *rest); bool again; };
struct reader {
	struct arena *a;
	struct diag *diag;
	const char *file;
	int line;                        /* 0: the file as a whole */
	bool failed;
	struct descriptor *d;
	unsigned seen;                   /* keywords, by index */
	const struct keyword *now;
	const char *tail[2]; int tail_line[2];
	int64_t *cell; uint32_t ncell;   /* values so far */
	double from, split; int cells_line, pieces_line;
	struct piece *piece; int npiece;
	bool table, pieces;
};

#define COMPLAIN(r, hint, ...) do { \
	struct loc loc_ = { .file = (r)->file, .node = (r)->file && (r)->line ? arena_printf((r)->a, "%d", (r)->line) : NULL, .index = -1 }; \
	diag_error((r)->diag, &loc_, "descriptor", __VA_ARGS__); \
	diag_hint((r)->diag, "%s", hint); \
	(r)->failed = true; \
} while (0)

/* ---- words ------------------------------------------------------------------------ */

/* The next word of a line, "" at its end. */
static char *
word(char **rest)
{
	char *w = *rest + strspn(*rest, " \t"), *end = w + strcspn(w, " \t");
	*rest = *end ? end + 1 : end;
	*end = 0;
	return w;
}

static void
expected(struct reader *r, const char *what, const char *text)
{
	const char *quote = *text ? "'" : "";
	COMPLAIN(r, arena_printf(r->a, "write: %s", r->now->want), "%s: expected %s, found %s%.60s%s", r->now->name, what, quote,
	         *text ? text : "the end of the line", quote);
}

static double
real(struct reader *r, char **rest, const char *what)
{
	char *w = word(rest), *end;
	const double x = strtod(w, &end);
	if (!r->failed && (end == w || *end || !isfinite(x) || strpbrk(w, "xXnN")))
		expected(r, what, w);
	return r->failed ? 0 : x;
}

static int64_t
whole(struct reader *r, char **rest, const char *what, int64_t lo, int64_t hi)
{
	char *w = word(rest), *end;
	errno = 0;
	const long long x = strtoll(w, &end, 10);
	if (!r->failed && (end == w || *end || errno || x < lo || x > hi))
		expected(r, arena_printf(r->a, "%s from %lld to %lld", what, (long long)lo, (long long)hi), w);
	return r->failed ? lo : x;
}

static void
literal(struct reader *r, char **rest, const char *want)
{
	const char *w = word(rest);
	if (!r->failed && strcmp(w, want))
		expected(r, arena_printf(r->a, "'%s'", want), w);
}

/* The exponent of 2^-7. */
static unsigned
cell_width(struct reader *r, char **rest)
{
	char *w = word(rest), *end = w;
	const long e = strncmp(w, "2^-", 3) ? -1 : strtol(w + 3, &end, 10);
	if (!r->failed && (e < 0 || e > DESC_MAX_FRAC || *end || w[3] < '0' || w[3] > '9'))
		expected(r, arena_printf(r->a, "a width from 2^-0 to 2^-%d", (int)DESC_MAX_FRAC), w);
	return r->failed ? 0 : (unsigned)e;
}

static void
ends(struct reader *r, char **rest)
{
	const char *w = word(rest);
	if (!r->failed && *w)
		expected(r, "the end of the line", w);
}

static const char *
identifier(struct reader *r, char **rest, const char *what)
{
	const char *w = word(rest);
	if (!r->failed && (!*w || strlen(w) > 64 || w[strspn(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")]))
		expected(r, what, w);
	return arena_strdup(r->a, r->failed ? "" : w);
}

/* ---- declarations --------------------------------------------------------------------- */

static void
read_name(struct reader *r, char *rest)
{
	r->d->name = identifier(r, &rest, "a name of letters, digits and _ . -");
	ends(r, &rest);
}

static void
read_op(struct reader *r, char *rest)
{
	const char *op = identifier(r, &rest, "the name of an ONNX operator");
	ends(r, &rest);
	if (!r->failed && r->d->nop == (int)(sizeof r->d->op / sizeof r->d->op[0]))
		COMPLAIN(r, "write a second descriptor", "op: more than %d operators", r->d->nop);
	else if (!r->failed)
		r->d->op[r->d->nop++] = op;
}

static void
read_function(struct reader *r, char *rest)
{
	struct formula_error e;
	size_t n = strlen(rest += strspn(rest, " \t"));
	while (n && (rest[n - 1] == ' ' || rest[n - 1] == '\t'))
		rest[--n] = 0;
	r->d->function = arena_strdup(r->a, rest);
	r->d->formula = formula_parse(r->a, r->d->function, &e);
	if (!r->d->formula)
		COMPLAIN(r, e.hint, "function: %s, at character %d", e.what, e.at);
}

static void
read_fraction(struct reader *r, char *rest)
{
	r->d->in = (unsigned)whole(r, &rest, "fraction bits of inputs", 1, DESC_MAX_FRAC);
	r->d->out = (unsigned)whole(r, &rest, "fraction bits of results", 1, DESC_MAX_FRAC);
	ends(r, &rest);
}

static void
read_domain(struct reader *r, char *rest)
{
	const double most = ldexp(1, MAX_WIDTH_LOG2);
	r->d->lo = real(r, &rest, "the lower end, a number");
	r->d->hi = real(r, &rest, "the upper end, a number");
	ends(r, &rest);
	if (!r->failed && !(r->d->lo < r->d->hi))
		COMPLAIN(r, "the lower end comes first", "domain: expected two numbers that increase, found %g and %g", r->d->lo, r->d->hi);
	else if (!r->failed && (fabs(r->d->lo) > most || fabs(r->d->hi) > most))
		COMPLAIN(r, "the domain is where the function bends; tails say how it goes on", "domain: expected numbers up to 2^%d, found %g and %g",
		         (int)MAX_WIDTH_LOG2, r->d->lo, r->d->hi);
}

static void
read_max_error(struct reader *r, char *rest)
{
	r->d->max_error = real(r, &rest, "the largest error, a number");
	const char *w = word(&rest);
	r->d->relative = !strcmp(w, "relative");
	if (!r->failed && *w && !r->d->relative)
		expected(r, "'relative' or the end of the line", w);
	ends(r, &rest);
	if (!r->failed && !(r->d->max_error > 0))
		COMPLAIN(r, "for instance 'max-error 0.002'", "max-error: expected a number above 0, found %g", r->d->max_error);
}

/* Read when the fraction bits are known. */
static void
read_tail(struct reader *r, char *rest)
{
	const char *w = word(&rest);
	const int side = !strcmp(w, "right");
	if (!side && strcmp(w, "left")) {
		expected(r, "'left' or 'right'", w);
		return;
	}
	if (r->tail[side]) {
		COMPLAIN(r, "keep one of the two", "tail: the %s tail is given twice, first in line %d", w, r->tail_line[side]);
		return;
	}
	size_t n = strlen(rest);
	while (n && (rest[n - 1] == ' ' || rest[n - 1] == '\t'))
		n--;
	r->tail[side] = arena_printf(r->a, "%.*s", (int)n, rest);
	r->tail_line[side] = r->line;
}

static void
read_form(struct reader *r, char *rest)
{
	static const char *const form[] = { "auto", "table", "pieces" };
	const char *w = word(&rest);
	for (int k = 0; k < 3; k++)
		if (!strcmp(w, form[k])) {
			r->d->form = (enum desc_form)k;
			ends(r, &rest);
			return;
		}
	expected(r, "auto, table or pieces", w);
}

static void
read_cells(struct reader *r, char *rest)
{
	r->table = true;
	r->cells_line = r->line;
	r->d->ncell = (uint32_t)whole(r, &rest, "a number of cells", 0, 1 << DESC_MAX_CELL_BITS);
	literal(r, &rest, "of");
	r->d->e = cell_width(r, &rest);
	literal(r, &rest, "from");
	r->from = real(r, &rest, "where the cells begin");
	literal(r, &rest, "split");
	r->split = real(r, &rest, "where the right tail takes over from the left one");
	ends(r, &rest);
	if (!r->failed && r->d->ncell & (r->d->ncell - 1))
		COMPLAIN(r, "a power of two is looked up at once; repeat the outermost values", "cells: expected a power of two or 0, found %u", r->d->ncell);
	r->cell = arena_alloc(r->a, (r->d->ncell + 1u) * sizeof *r->cell);
}

static void
read_values(struct reader *r, char *rest)
{
	if (!r->table) {
		COMPLAIN(r, "'cells' comes before its values", "values: there is no 'cells' line above");
		return;
	}
	while (!r->failed && rest[strspn(rest, " \t")]) {
		const int64_t v = whole(r, &rest, "a value", -((int64_t)1 << 40), (int64_t)1 << 40);
		if (r->failed)
			return;
		if (r->ncell == r->d->ncell) {
			COMPLAIN(r, "one value a cell", "values: more than the %u that line %d announces", r->d->ncell, r->cells_line);
			return;
		}
		r->cell[r->ncell++] = v;
	}
}

static void
read_pieces(struct reader *r, char *rest)
{
	r->pieces = true;
	r->pieces_line = r->line;
	r->d->npiece = (int)whole(r, &rest, "a number of pieces", 1, DESC_MAX_PIECES);
	literal(r, &rest, "of");
	literal(r, &rest, "degree");
	r->d->degree = (unsigned)whole(r, &rest, "a degree", 0, DESC_MAX_DEGREE);
	literal(r, &rest, "fraction");
	r->d->frac = (unsigned)whole(r, &rest, "fraction bits of what the pieces see", 1, DESC_MAX_FRAC);
	literal(r, &rest, "scale");
	r->d->scale = (unsigned)whole(r, &rest, "fraction bits of the polynomials", 1, 62);
	ends(r, &rest);
	r->piece = arena_alloc(r->a, (size_t)(r->d->npiece + 1) * sizeof *r->piece);
}

static void
read_piece(struct reader *r, char *rest)
{
	if (!r->pieces) {
		COMPLAIN(r, "'pieces' comes before each 'piece'", "piece: there is no 'pieces' line above");
		return;
	}
	if (r->npiece == r->d->npiece) {
		COMPLAIN(r, "the count is in the line 'pieces'", "piece: more than the %d that line %d announces", r->d->npiece, r->pieces_line);
		return;
	}
	struct piece *p = &r->piece[r->npiece++];
	const double from = ldexp(real(r, &rest, "where the piece begins"), (int)r->d->frac);
	literal(r, &rest, ":");
	for (unsigned j = 0; j <= r->d->degree; j++)
		p->c[j] = whole(r, &rest, arena_printf(r->a, "coefficient %u", j), -((int64_t)1 << 61), (int64_t)1 << 61);
	ends(r, &rest);
	if (r->failed)
		return;
	if (from != rint(from) || fabs(from) > 0x1p52)
		COMPLAIN(r, "round it", "piece: expected a multiple of 2^-%u, found %.17g", r->d->frac, ldexp(from, -(int)r->d->frac));
	else if (r->npiece > 1 && from <= (double)p[-1].from)
		COMPLAIN(r, "sort the pieces", "piece: expected one that begins after the piece before, at %.17g", ldexp((double)p[-1].from, -(int)r->d->frac));
	else
		p->from = (int64_t)from;
}

static const struct keyword keywords[] = {
	{ "name", "name mish", read_name, false },
	{ "op", "op Mish", read_op, true },
	{ "function", "function x*tanh(log(1+exp(x)))", read_function, false },
	{ "fraction", "fraction 24 12", read_fraction, false },
	{ "domain", "domain -8 8", read_domain, false },
	{ "max-error", "max-error 0.002", read_max_error, false },
	{ "tail", "tail left 0, or a constant, x, x + 0.5, none, auto", read_tail, true },
	{ "form", "form table", read_form, false },
	{ "cells", "cells 1024 of 2^-7 from -4 split 0", read_cells, false },
	{ "values", "values 1 2 3", read_values, true },
	{ "pieces", "pieces 3 of degree 2 fraction 12 scale 30", read_pieces, false },
	{ "piece", "piece -8 : 0 1 2", read_piece, true },
};
enum { K_NAME, K_OP, K_FUNCTION, K_FRACTION, K_DOMAIN, K_MAX_ERROR, K_TAIL, K_FORM, NKEYWORD = sizeof keywords / sizeof keywords[0] };

/* ---- the whole ----------------------------------------------------------------------- */

static void
unknown(struct reader *r, const char *w)
{
	const char *list = "", *near = NULL;
	int least = 3;
	for (int k = 0; k < NKEYWORD; k++) {
		const int d = edit_distance(w, keywords[k].name);
		list = arena_printf(r->a, "%s%s%s", list, k ? ", " : "", keywords[k].name);
		if (d < least) {
			least = d;
			near = keywords[k].name;
		}
	}
	COMPLAIN(r, near ? arena_printf(r->a, "did you mean '%s'?", near) : arena_printf(r->a, "lines begin with %s; '#' begins a comment", list),
	         "expected a declaration, found '%.60s'", w);
}

static void
read_line(struct reader *r, char *line)
{
	line[strcspn(line, "#")] = 0;
	line[strcspn(line, "\r")] = 0;
	const char *w = word(&line);
	if (!*w)
		return;
	for (int k = 0; k < NKEYWORD; k++) {
		if (strcmp(w, keywords[k].name))
			continue;
		r->now = &keywords[k];
		if (r->seen >> k & 1 && !keywords[k].again)
			COMPLAIN(r, "keep one of the two", "'%s' is given twice", w);
		else
			keywords[k].read(r, line);
		r->seen |= 1u << k;
		return;
	}
	unknown(r, w);
}

static void
need(struct reader *r, int k)
{
	if (!r->failed && !(r->seen >> k & 1))
		COMPLAIN(r, arena_printf(r->a, "add a line such as '%s'", keywords[k].want), "the line '%s' is missing", keywords[k].name);
}

static void
finish_tails(struct reader *r)
{
	static const char *const side[] = { "left", "right" };
	for (int k = 0; k < 2 && !r->failed; k++) {
		struct tail *t = &r->d->tail[k];
		r->line = r->tail_line[k];
		if (r->tail[k] && !tail_parse(r->tail[k], r->d->out, t))
			COMPLAIN(r, arena_printf(r->a, "write: %s", keywords[K_TAIL].want),
			         "tail: expected a multiple of 2^-%u, x plus or minus one, none or auto, found '%.60s'", r->d->out, r->tail[k]);
		else if (r->d->fitted && t->kind == TAIL_AUTO) {
			r->line = 0;
			COMPLAIN(r, "say how the function goes on, or 'none' if no input is there",
			         "the %s tail is missing: with cells or pieces both are written out", side[k]);
		}
	}
	r->line = 0;
	for (int k = 0; k < 2 && !r->failed; k++) {
		struct tail *t = &r->d->tail[k];
		if (t->kind == TAIL_NONE && r->d->fitted && r->d->tail[!k].kind == TAIL_LINE) {
			t->slope = r->d->tail[!k].slope;
			t->c = r->d->tail[!k].c;
		}
		if (t->slope && r->d->fitted && r->d->in < r->d->out)
			COMPLAIN(r, "give the input as many fraction bits as the result", "the tail 'x' needs inputs of %u fraction bits, not %u", r->d->out,
			         r->d->in);
	}
}

static void
finish_cells(struct reader *r)
{
	struct descriptor *d = r->d;
	const double first = ldexp(r->from, (int)d->e), split = ldexp(r->split, (int)d->e);
	r->line = r->cells_line;
	if (r->ncell != d->ncell)
		COMPLAIN(r, "one value a cell, in lines 'values'", "cells: expected %u values, found %u", d->ncell, r->ncell);
	else if (first != rint(first) || fabs(first) > 0x1p40 || split != rint(split) || fabs(split) > 0x1p40)
		COMPLAIN(r, "cells begin at multiples of their width", "cells: expected multiples of 2^-%u, found %.17g and %.17g", d->e, r->from, r->split);
	else if (d->e > d->in)
		COMPLAIN(r, "make the cells wider", "cells of 2^-%u for inputs of %u fraction bits", d->e, d->in);
	else {
		d->form = DESC_TABLE;
		d->first = (int64_t)first;
		d->split = (int64_t)split;
		d->cell = r->cell;
	}
}

static void
finish_pieces(struct reader *r)
{
	struct descriptor *d = r->d;
	const double lo = ldexp(d->lo, (int)d->frac), hi = ldexp(d->hi, (int)d->frac);
	const bool slope = d->tail[0].slope || d->tail[1].slope;
	r->line = r->pieces_line;
	if (r->npiece != d->npiece)
		COMPLAIN(r, "write the others, or change the count", "pieces: expected %d lines 'piece', found %d", d->npiece, r->npiece);
	else if (d->frac > d->in || (slope && d->frac != d->out))
		COMPLAIN(r, slope ? "with a tail 'x' pieces see the result's fraction bits" : "give pieces at most the input's fraction bits",
		         "pieces: %u fraction bits for inputs of %u and results of %u", d->frac, d->in, d->out);
	else if (d->scale < d->out)
		COMPLAIN(r, "scale up the coefficients", "pieces: expected a scale of at least %u, the result's fraction bits, found %u", d->out, d->scale);
	else if (lo != rint(lo) || hi != rint(hi))
		COMPLAIN(r, "round its ends", "pieces: the ends of the domain, %.17g and %.17g, are not multiples of 2^-%u", d->lo, d->hi, d->frac);
	else if ((double)r->piece[0].from != lo || (double)r->piece[r->npiece - 1].from >= hi)
		COMPLAIN(r, "the pieces share the domain", "pieces: expected the first to begin at %.17g and the last before %.17g", d->lo, d->hi);
	else {
		d->form = DESC_PIECES;
		d->piece = r->piece;
	}
}

static void
finish(struct reader *r)
{
	r->line = 0;
	need(r, K_NAME);
	need(r, K_FUNCTION);
	need(r, K_DOMAIN);
	need(r, K_MAX_ERROR);
	if (!r->failed && r->table && r->pieces)
		COMPLAIN(r, "keep one of them", "both 'cells' and 'pieces' are given");
	r->d->fitted = r->table || r->pieces;
	if (r->d->fitted)
		need(r, K_FRACTION);
	if (!r->failed && r->d->fitted && r->seen >> K_FORM & 1)
		COMPLAIN(r, "leave out 'form'", "'form' says what to look for, but cells or pieces are there");
	if (!r->failed && !r->d->fitted && r->seen >> K_FRACTION & 1)
		COMPLAIN(r, "leave out 'fraction': a function is fitted to the fraction bits of the program",
		         "'fraction' belongs to cells or pieces, and there are none");
	finish_tails(r);
	if (!r->failed && r->table)
		finish_cells(r);
	if (!r->failed && r->pieces)
		finish_pieces(r);
}

struct descriptor *
descriptor_parse(struct arena *a, struct diag *diag, const char *file, const char *text, size_t size)
{
	struct reader r = { .a = a, .diag = diag, .file = file ? arena_strdup(a, file) : NULL, .d = arena_alloc(a, sizeof *r.d) };
	if (size > MAX_TEXT || memchr(text, 0, size)) {
		COMPLAIN(&r, "see docs/suf.md for the form", size > MAX_TEXT ? "expected a descriptor of at most 1 MiB" : "expected text, found a byte 0");
		return NULL;
	}
	*r.d = (struct descriptor){ .in = 2 * UNFITTED_OUT, .out = UNFITTED_OUT };
	char *copy = arena_alloc(a, size + 1), *next = copy;
	memcpy(copy, text, size);
	bool begun = false;
	while (next && !r.failed) {
		char *line = next, *end = strchr(line, '\n');
		next = end ? end + 1 : NULL;
		if (end)
			*end = 0;
		r.line++;
		if (begun || !line[strspn(line, " \t\r")] || line[strspn(line, " \t")] == '#') {
			read_line(&r, line);
			continue;
		}
		begun = true;
		line[strcspn(line, "#\r")] = 0;
		const char *magic = word(&line), *version = word(&line);
		if (strcmp(magic, "suf-descriptor") || strcmp(version, "1"))
			COMPLAIN(&r, "the first line is 'suf-descriptor 1'", "expected 'suf-descriptor 1', found '%.40s%s%.20s'", magic, *version ? " " : "", version);
	}
	if (!r.failed && !begun) {
		r.line = 0;
		COMPLAIN(&r, "the first line is 'suf-descriptor 1'", "expected 'suf-descriptor 1', found an empty file");
	}
	if (!r.failed)
		finish(&r);
	return r.failed ? NULL : r.d;
}

struct descriptor *
descriptor_read(struct arena *a, struct diag *diag, const char *file)
{
	FILE *f = fopen(file, "r");
	char *text = malloc(MAX_TEXT + 1);
	struct descriptor *d = NULL;
	if (!text)
		arena_out_of_memory(MAX_TEXT + 1);
	const size_t size = f ? fread(text, 1, MAX_TEXT + 1, f) : 0;
	if (!f || ferror(f)) {
		diag_error(diag, &(struct loc){ .file = file, .index = -1 }, "read", "cannot read the descriptor: %s", strerror(errno));
		diag_hint(diag, "'sufc fit' writes one: docs/suf.md");
	} else
		d = descriptor_parse(a, diag, file, text, size);
	if (f)
		fclose(f);
	free(text);
	return d;
}

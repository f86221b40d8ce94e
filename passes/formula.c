/* SPDX-License-Identifier: Apache-2.0
 * formula.c -- reads formulas into postfix code and evaluates it in double.
 *
 * Recursive descent; nesting and length are bounded, so that no text makes the compiler run out of stack.
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "passes/formula.h"
#include "passes/gate_rules.h"       /* edit_distance */

enum { MAX_CODE = 512, MAX_DEPTH = 48, MAX_STACK = 64 };

enum kind { K_NUMBER, K_X, K_ADD, K_SUB, K_MUL, K_DIV, K_POW, K_NEG, K_CALL };
struct code { enum kind kind; int function; double number; };
struct formula { int n; struct code code[MAX_CODE]; };

struct function { const char *name; int args; double (*value)(double, double, double); };

#define FUNCTION(name, args, value) \
	static double f_##name(double a, double b, double c) { (void)b; (void)c; return value; }
#include "passes/formula.def"
#undef FUNCTION
static const struct function functions[] = {
#define FUNCTION(name, args, value) { #name, args, f_##name },
#include "passes/formula.def"
#undef FUNCTION
};
enum { NFUNCTION = sizeof functions / sizeof functions[0] };

struct reader { const char *text, *at; struct formula *f; int depth; struct formula_error *error; bool failed; };

/* ---- errors ---------------------------------------------------------------- */

static void __attribute__((format(printf, 3, 4)))
fail(struct reader *r, const char *hint, const char *fmt, ...)
{
	va_list ap;
	if (r->failed)
		return;
	r->failed = true;
	r->error->at = (int)(r->at - r->text) + 1;
	va_start(ap, fmt);
	vsnprintf(r->error->what, sizeof r->error->what, fmt, ap);
	va_end(ap);
	snprintf(r->error->hint, sizeof r->error->hint, "%s", hint);
}

/* What stands at the reader, for messages. */
static const char *
found(const struct reader *r, char text[40])
{
	size_t n = 0;
	if (!*r->at)
		return "the end";
	while (n < 30 && (isalnum((unsigned char)r->at[n]) || r->at[n] == '_'))
		n++;
	snprintf(text, 40, "'%.*s'", (int)(n ? n : 1), r->at);
	return text;
}

static void
hint_function(struct reader *r, const char *name, int len)
{
	char list[320] = "functions: ", near[32];
	int best = -1, least = 3;
	snprintf(near, sizeof near, "%.*s", len, name);
	for (int k = 0; k < NFUNCTION; k++) {
		int d = edit_distance(near, functions[k].name);
		size_t n = strlen(list);
		snprintf(list + n, sizeof list - n, "%s%s", k ? ", " : "", functions[k].name);
		if (d < least) {
			least = d;
			best = k;
		}
	}
	char hint[320];
	snprintf(hint, sizeof hint, best >= 0 ? "did you mean %s?" : "the variable is x; %s", best >= 0 ? functions[best].name : list);
	fail(r, hint, "there is no function or constant '%s'", near);
}

/* ---- reading --------------------------------------------------------------- */

static void expression(struct reader *);

static void
emit(struct reader *r, struct code c)
{
	if (r->f->n == MAX_CODE)
		fail(r, "write it shorter", "the formula has more than %d operations", (int)MAX_CODE);
	else
		r->f->code[r->f->n++] = c;
}

static void
space(struct reader *r)
{
	while (*r->at == ' ' || *r->at == '\t')
		r->at++;
}

static bool
accept(struct reader *r, char c)
{
	space(r);
	if (r->failed || *r->at != c)
		return false;
	r->at++;
	return true;
}

static void
number(struct reader *r)
{
	char *end;
	if (r->at[0] == '0' && (r->at[1] == 'x' || r->at[1] == 'X')) {
		fail(r, "write it as a decimal number", "hexadecimal numbers are not read");
		return;
	}
	errno = 0;
	double v = strtod(r->at, &end);
	if (end == r->at || !isfinite(v)) {
		fail(r, "numbers look like 2, 0.5 or 1e-3", "expected a number, found %s", end == r->at ? "'.'" : "one that is too large");
		return;
	}
	r->at = end;
	emit(r, (struct code){ .kind = K_NUMBER, .number = v });
}

static void
call(struct reader *r, int k)
{
	const char *name = functions[k].name;
	char hint[64], text[40];
	snprintf(hint, sizeof hint, "write %s(%s)", name, functions[k].args == 1 ? "x" : functions[k].args == 2 ? "x, 1" : "x, -1, 1");
	if (!accept(r, '(')) {
		fail(r, hint, "expected '(' after %s, found %s", name, found(r, text));
		return;
	}
	for (int i = 0; i < functions[k].args && !r->failed; i++) {
		if (i && !accept(r, ','))
			fail(r, hint, "%s takes %d arguments: expected ',', found %s", name, functions[k].args, found(r, text));
		expression(r);
	}
	if (!accept(r, ')'))
		fail(r, hint, "expected ')' that ends the %s of %s, found %s", functions[k].args == 1 ? "argument" : "arguments", name, found(r, text));
	emit(r, (struct code){ .kind = K_CALL, .function = k });
}

static void
word(struct reader *r)
{
	int len = 0;
	while (isalnum((unsigned char)r->at[len]) || r->at[len] == '_')
		len++;
	for (int k = 0; k < NFUNCTION; k++)
		if ((int)strlen(functions[k].name) == len && !strncmp(functions[k].name, r->at, (size_t)len)) {
			r->at += len;
			call(r, k);
			return;
		}
	if (len == 1 && *r->at == 'x')
		emit(r, (struct code){ .kind = K_X });
	else if (len == 1 && *r->at == 'e')
		emit(r, (struct code){ .kind = K_NUMBER, .number = M_E });
	else if (len == 2 && !strncmp(r->at, "pi", 2))
		emit(r, (struct code){ .kind = K_NUMBER, .number = M_PI });
	else
		hint_function(r, r->at, len < 31 ? len : 31);
	r->at += len;
}

static void
primary(struct reader *r)
{
	char text[40];
	space(r);
	if (isdigit((unsigned char)*r->at) || *r->at == '.')
		number(r);
	else if (isalpha((unsigned char)*r->at))
		word(r);
	else if (accept(r, '(')) {
		expression(r);
		if (!accept(r, ')'))
			fail(r, "every '(' needs its ')'", "expected ')', found %s", found(r, text));
	} else
		fail(r, "a formula looks like x*tanh(log(1+exp(x)))", "expected a number, x, a function or '(', found %s", found(r, text));
}

/* -x^2 is -(x^2), 2^-x is 2^(-x), 2^3^2 is 2^(3^2). */
static void
unary(struct reader *r)
{
	if (++r->depth > MAX_DEPTH)
		fail(r, "write it with fewer brackets", "brackets and signs are nested deeper than %d", (int)MAX_DEPTH);
	else if (accept(r, '-')) {
		unary(r);
		emit(r, (struct code){ .kind = K_NEG });
	} else if (accept(r, '+'))
		unary(r);
	else {
		primary(r);
		if (accept(r, '^')) {
			unary(r);
			emit(r, (struct code){ .kind = K_POW });
		}
	}
	r->depth--;
}

static void
term(struct reader *r)
{
	unary(r);
	for (bool divide; !r->failed;) {
		if (!(divide = accept(r, '/')) && !accept(r, '*'))
			return;
		unary(r);
		emit(r, (struct code){ .kind = divide ? K_DIV : K_MUL });
	}
}

static void
expression(struct reader *r)
{
	if (++r->depth > MAX_DEPTH)
		fail(r, "write it with fewer brackets", "brackets and signs are nested deeper than %d", (int)MAX_DEPTH);
	term(r);
	for (bool minus; !r->failed;) {
		if (!(minus = accept(r, '-')) && !accept(r, '+'))
			break;
		term(r);
		emit(r, (struct code){ .kind = minus ? K_SUB : K_ADD });
	}
	r->depth--;
}

/* Values that are held at once. */
static int
stack_needed(const struct formula *f)
{
	int top = 0, most = 0;
	for (const struct code *c = f->code; c < f->code + f->n; c++) {
		if (c->kind == K_NUMBER || c->kind == K_X)
			top++;
		else if (c->kind == K_CALL)
			top -= functions[c->function].args - 1;
		else if (c->kind != K_NEG)
			top--;
		most = top > most ? top : most;
	}
	return most;
}

const struct formula *
formula_parse(struct arena *a, const char *text, struct formula_error *error)
{
	struct reader r = { .text = text, .at = text, .f = arena_alloc(a, sizeof *r.f), .error = error };
	char what[40];
	*error = (struct formula_error){ 0 };
	expression(&r);
	space(&r);
	if (!r.failed && *r.at)
		fail(&r, "products need their '*': 2*x", "expected an operator or the end, found %s", found(&r, what));
	if (!r.failed && stack_needed(r.f) > MAX_STACK)
		fail(&r, "write it with fewer brackets", "more than %d values are held at once", (int)MAX_STACK);
	return r.failed ? NULL : r.f;
}

/* ---- values ---------------------------------------------------------------- */

double
formula_eval(const struct formula *f, double x)
{
	double v[MAX_STACK + 3] = { 0 }; /* v[0] stays unused; calls look at three values */
	int top = 0;
	for (const struct code *c = f->code; c < f->code + f->n; c++)
		switch (c->kind) {
		case K_NUMBER: v[++top] = c->number; break;
		case K_X:      v[++top] = x; break;
		case K_NEG:    v[top] = -v[top]; break;
		case K_ADD:    top--; v[top] += v[top + 1]; break;
		case K_SUB:    top--; v[top] -= v[top + 1]; break;
		case K_MUL:    top--; v[top] *= v[top + 1]; break;
		case K_DIV:    top--; v[top] /= v[top + 1]; break;
		case K_POW:    top--; v[top] = pow(v[top], v[top + 1]); break;
		case K_CALL: {
			const struct function *k = &functions[c->function];
			top -= k->args - 1;
			v[top] = k->value(v[top], v[top + 1], v[top + 2]);
			break;
		}
		}
	return v[top];
}

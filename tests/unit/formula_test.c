/* SPDX-License-Identifier: Apache-2.0
 * formula_test.c -- formulas: values, precedence, every function, every error with its place. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "passes/formula.h"

static struct arena *mem;

static int setup(void **state) { (void)state; mem = arena_new(); return 0; }
static int teardown(void **state) { (void)state; arena_free(mem); return 0; }

static double
value(const char *text, double x)
{
	struct formula_error e;
	const struct formula *f = formula_parse(mem, text, &e);
	if (!f)
		fail_msg("'%s': %s at %d", text, e.what, e.at);
	return formula_eval(f, x);
}

static void
expect(const char *text, double x, double want)
{
	const double got = value(text, x);
	if (!(fabs(got - want) <= 1e-14 * fmax(1, fabs(want))))
		fail_msg("'%s' at %g is %.17g, expected %.17g", text, x, got, want);
}

static void
precedence(void **state)
{
	(void)state;
	expect("1+2*3", 0, 7);
	expect("(1+2)*3", 0, 9);
	expect("-x^2", 3, -9);
	expect("2^-x", 2, 0.25);
	expect("2^3^2", 0, 512);
	expect("-2^2", 0, -4);
	expect("1-2-3", 0, -4);
	expect("8/4/2", 0, 1);
	expect("--x", 5, 5);
	expect("+x*-x", 5, -25);
	expect(" x * ( x + 1.5e1 ) ", 2, 34);
	expect(".5*x", 3, 1.5);
	expect("2*pi", 0, 2 * M_PI);
	expect("e^x", 1, M_E);
	expect("1e2", 0, 100);
}

static void
functions(void **state)
{
	(void)state;
	const double xs[] = { -20, -3, -0.5, 0, 0.25, 1, 7, 30 };
	for (size_t k = 0; k < sizeof xs / sizeof xs[0]; k++) {
		const double x = xs[k];
		expect("exp(x)", x, exp(x));
		expect("expm1(x)", x, expm1(x));
		expect("log(abs(x)+1)", x, log(fabs(x) + 1));
		expect("log1p(abs(x))", x, log1p(fabs(x)));
		expect("log2(abs(x)+1)", x, log2(fabs(x) + 1));
		expect("sqrt(abs(x))", x, sqrt(fabs(x)));
		expect("sign(x)", x, (x > 0) - (x < 0));
		expect("floor(x)", x, floor(x));
		expect("tanh(x)", x, tanh(x));
		expect("sinh(x/9)+cosh(x/9)", x, exp(x / 9));
		expect("atan(x)", x, atan(x));
		expect("sin(x)^2+cos(x)^2", x, 1);
		expect("erf(x)+erfc(x)", x, 1);
		expect("sigmoid(x)", x, 1 / (1 + exp(-x)));
		expect("softplus(x)", x, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)));
		expect("relu(x)", x, x > 0 ? x : 0);
		expect("gelu(x)", x, 0.5 * x * (1 + erf(x * sqrt(0.5))));
		expect("gelu_tanh(x)", x, 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))));
		expect("silu(x)", x, x / (1 + exp(-x)));
		expect("max(x, 1) + min(x, 1)", x, x + 1);
		expect("pow(2, x)", x, exp2(x));
		expect("clamp(x, -1, 2)", x, x < -1 ? -1 : x > 2 ? 2 : x);
	}
	expect("softplus(x)", 2000, 2000);
	assert_true(isnan(value("log(x)", -1)));
	assert_true(isinf(value("1/x", 0)));
}

static void
rejects(const char *text, const char *what, int at, const char *hint)
{
	struct formula_error e;
	assert_null(formula_parse(mem, text, &e));
	if (!strstr(e.what, what) || e.at != at || !strstr(e.hint, hint))
		fail_msg("'%s': \"%s\" at %d, hint \"%s\"; expected \"%s\" at %d, \"%s\"", text, e.what, e.at, e.hint, what, at, hint);
}

static void
errors(void **state)
{
	(void)state;
	rejects("", "expected a number, x, a function or '(', found the end", 1, "tanh");
	rejects("x +", "found the end", 4, "");
	rejects("x * * x", "found '*'", 5, "");
	rejects("(x", "expected ')', found the end", 3, "needs its");
	rejects("x)", "expected an operator or the end, found ')'", 2, "");
	rejects("2x", "found 'x'", 2, "2*x");
	rejects("tahn(x)", "no function or constant 'tahn'", 1, "did you mean tanh?");
	rejects("quux(x)", "no function or constant 'quux'", 1, "functions: exp");
	rejects("y", "no function or constant 'y'", 1, "variable is x");
	rejects("tanh x", "expected '(' after tanh, found 'x'", 6, "write tanh(x)");
	rejects("max(x)", "takes 2 arguments", 6, "write max(x, 1)");
	rejects("tanh(x, 1)", "expected ')' that ends the argument of tanh, found ','", 7, "");
	rejects("1e999", "too large", 1, "");
	rejects("0x10", "hexadecimal", 1, "decimal");
	rejects(".", "expected a number", 1, "");
	rejects("x $ 2", "found '$'", 3, "");
}

/* Depth, length and values held at once are bounded. */
static void
limits(void **state)
{
	(void)state;
	char text[4096] = "";
	for (int k = 0; k < 200; k++)
		strcat(text, "(");
	rejects(text, "nested deeper", 25, "");
	text[0] = 0;
	for (int k = 0; k < 600; k++)
		strcat(text, "x+");
	strcat(text, "x");
	rejects(text, "more than 512 operations", 514, "");
	strcpy(text, "x");
	for (int k = 0; k < 20; k++)
		strcat(text, "+(x*(x");
	for (int k = 0; k < 20; k++)
		strcat(text, "))");
	struct formula_error e;
	assert_true(formula_parse(mem, text, &e) != NULL || e.at > 0);
}

/* Random texts are read or refused, never more. */
static void
fuzz(void **state)
{
	(void)state;
	static const char *const piece[] = { "x", "(", ")", "+", "-", "*", "/", "^", "tanh", "max(", ",", "1", ".5", "e", " ", "pi", "clamp(x,", "#", "1e", "\xff" };
	srand(7);
	int read = 0;
	for (int round = 0; round < 50000; round++) {
		char text[160] = "";
		struct formula_error e;
		for (int k = rand() % 14; k >= 0; k--)
			strcat(text, piece[(size_t)rand() % (sizeof piece / sizeof piece[0])]);
		const struct formula *f = formula_parse(mem, text, &e);
		if (f) {
			read++;
			(void)formula_eval(f, 0.5);
		} else {
			assert_true(e.at >= 1 && e.at <= (int)strlen(text) + 1);
			assert_true(*e.what && *e.hint);
		}
		if (round % 500 == 0) {
			arena_free(mem);
			mem = arena_new();
		}
	}
	assert_true(read > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(precedence), cmocka_unit_test(functions), cmocka_unit_test(errors), cmocka_unit_test(limits),
		                            cmocka_unit_test(fuzz) };
	return cmocka_run_group_tests(tests, setup, teardown);
}

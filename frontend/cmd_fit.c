/* SPDX-License-Identifier: Apache-2.0
 * cmd_fit.c -- sufc fit: a descriptor for a function: the cheapest table or piecewise polynomial within an error.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "frontend/cmd.h"
#include "frontend/output.h"
#include "passes/descriptor.h"

enum { KEY_DOMAIN = 0x200, KEY_MAX_ERROR, KEY_FORM, KEY_FRAC, KEY_LEFT, KEY_RIGHT, KEY_NAME, KEY_OP, KEY_DIAG };
enum { RING = 51 };

struct fit {
	struct arena *a;
	const char *function, *out, *name, *domain, *max_error, *left, *right;
	const char *op[8]; int nop;
	int form, frac;
	bool json, verbose;
};

static const struct argp_option options[] = {
	{ "domain", KEY_DOMAIN, "A,B", 0, "Where the function is approximated; tails go on beyond (docs/suf.md)", 1 },
	{ "max-error", KEY_MAX_ERROR, "E", 0, "Largest error, anywhere; 'E relative': times the value", 1 },
	{ "output", 'o', "FILE", 0, "Write the descriptor, for --descriptor of the other commands", 1 },
	{ "form", KEY_FORM, "FORM", 0, "table, pieces or auto (the cheaper one); default auto", 2 },
	{ "frac", KEY_FRAC, "F", 0, "Fraction bits of results, 4 to 15; inputs have twice as many; default 12", 2 },
	{ "tail-left", KEY_LEFT, "TAIL", 0, "Left of the domain: a constant, x, 'x + 0.5', none (no input is there) or auto (the function's limit); "
	  "default auto", 2 },
	{ "tail-right", KEY_RIGHT, "TAIL", 0, "Right of it", 2 },
	{ "name", KEY_NAME, "NAME", 0, "Name of the descriptor; default: that of FILE", 3 },
	{ "op", KEY_OP, "OPERATOR", 0, "ONNX operator that it computes (repeatable)", 3 },
	{ "diagnostics", KEY_DIAG, "text|json", 0, "Form of errors on standard error", 4 },
	{ "verbose", 'v', NULL, 0, "Say what was tried", 4 },
	{ 0 }
};

static void
set_form(struct argp_state *state, struct fit *f, const char *arg)
{
	static const char *const form[] = { "auto", "table", "pieces" };
	for (int k = 0; k < 3; k++)
		if (!strcmp(arg, form[k])) {
			f->form = k;
			return;
		}
	argp_error(state, "--form: expected table, pieces or auto, found '%s'", arg);
}

static void
set_frac(struct argp_state *state, struct fit *f, const char *arg)
{
	char *end;
	const long v = strtol(arg, &end, 10);
	if (end == arg || *end || v < 4 || v > DESC_MAX_FRAC / 2)
		argp_error(state, "--frac: expected a whole number from 4 to %d, found '%s'", DESC_MAX_FRAC / 2, arg);
	f->frac = (int)v;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct fit *f = state->input;
	switch (key) {
	case KEY_DOMAIN: f->domain = arg; break;
	case KEY_MAX_ERROR: f->max_error = arg; break;
	case 'o': f->out = arg; break;
	case KEY_FORM: set_form(state, f, arg); break;
	case KEY_FRAC: set_frac(state, f, arg); break;
	case KEY_LEFT: f->left = arg; break;
	case KEY_RIGHT: f->right = arg; break;
	case KEY_NAME: f->name = arg; break;
	case KEY_OP:
		if (f->nop == 8)
			argp_error(state, "--op: more than 8 operators");
		else
			f->op[f->nop++] = arg;
		break;
	case KEY_DIAG:
		f->json = !strcmp(arg, "json");
		if (!f->json && strcmp(arg, "text"))
			argp_error(state, "--diagnostics: expected text or json, found '%s'", arg);
		break;
	case 'v': f->verbose = true; break;
	case ARGP_KEY_ARG:
		if (f->function)
			argp_error(state, "one function at a time: '%s' and '%s'; a formula with spaces needs quotes", f->function, arg);
		f->function = arg;
		break;
	case ARGP_KEY_END:
		if (!f->function)
			argp_error(state, "no function was given: a formula such as 'x*tanh(log(1+exp(x)))', or a built-in name");
		else if (!desc_builtin_find(f->function) && (!f->domain || !f->max_error))
			argp_error(state, "a formula needs --domain=A,B and --max-error=E");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* ---- the request ---------------------------------------------------------------- */

/* The request as the text of a descriptor: its reader has the rules and the messages. */
static const char *
request(const struct fit *f)
{
	const struct desc_builtin *b = desc_builtin_find(f->function);
	static const char *const form[] = { "auto", "table", "pieces" };
	const char *base = f->out ? f->out : b ? b->name : "function", *domain = f->domain, *name = f->name;
	base = strrchr(base, '/') ? strrchr(base, '/') + 1 : base;
	if (!name)
		name = arena_printf(f->a, "%.*s", (int)strcspn(base, "."), base);
	char *text = arena_printf(f->a, "suf-descriptor 1\nname %s\nfunction %s\n", name, b ? b->function : f->function);
	for (int k = 0; k < f->nop; k++)
		text = arena_printf(f->a, "%sop %s\n", text, f->op[k]);
	if (!domain)
		domain = arena_printf(f->a, "%.17g %.17g", b->lo, b->hi);
	char *comma = arena_strdup(f->a, domain);
	if (strchr(comma, ','))
		*strchr(comma, ',') = ' ';
	const char *error = f->max_error ? f->max_error : arena_printf(f->a, "%.17g", b->max_error);
	return arena_printf(f->a, "%sdomain %s\nmax-error %s\nform %s\n", text, comma, error, form[f->form]);
}

/* ---- the answer ------------------------------------------------------------------ */

static void
print_form(const struct descriptor *d)
{
	char left[48], right[48];
	tail_print(&d->tail[0], d->out, left);
	tail_print(&d->tail[1], d->out, right);
	if (d->form == DESC_PIECES)
		printf("form       %d pieces of degree %u on [%g, %g), coefficients in 2^-%u\n", d->npiece, d->degree, d->lo, d->hi, d->scale);
	else if (d->ncell)
		printf("form       table, %u cells of 2^-%u on [%g, %g)\n", d->ncell, d->e, ldexp((double)d->first, -(int)d->e),
		       ldexp((double)(d->first + d->ncell), -(int)d->e));
	else
		printf("form       the tails alone\n");
	printf("tails      left: %s; right: %s\n", left, right);
}

static void
print_error(const struct descriptor *d, const struct desc_error *e)
{
	const double unit = ldexp(1, -(int)d->out), inputs = ldexp(d->hi - d->lo, (int)d->in);
	printf("max error  %.3g (%.2f units of 2^-%u) at %.6g; rms %.2g (%.2f units)\n", e->max * unit, e->max, d->out, e->at, e->rms * unit, e->rms);
	if (e->tail > 0)
		printf("beyond     %.3g (%.2f units) at %.6g\n", e->tail * unit, e->tail, e->tail_at);
	if (d->relative)
		printf("relative   %.3g at %.6g\n", e->promised, e->promised_at);
	printf("verified   %llu inputs of %u fraction bits, %s\n", (unsigned long long)e->points, d->in,
	       inputs > ldexp(1, DESC_VERIFY_BITS) ? "both ends of equal intervals" : "all there are");
	const struct desc_cost c = descriptor_cost(d, RING);
	if (isfinite(c.total))
		printf("cost       each party, one element, in a ring of %d bits: %.0f bytes of key, %.1f sent, %.0f AES blocks, %.0f additions; %d rounds\n", (int)RING,
		       c.key, c.sent, c.aes, c.adds, c.rounds);
	else
		printf("cost       a ring of %d bits is too small for it; sufc --report has the costs of a program\n", (int)RING);
}

static void print_descriptor(const void *d, FILE *to) { descriptor_print(d, to); }

static int
fit(const struct fit *f, struct diag *diag)
{
	struct desc_log log = { .a = f->a };
	const struct loc loc = { .file = f->function, .index = -1 };
	const char *text = request(f);
	struct descriptor *want = descriptor_parse(f->a, diag, NULL, text, strlen(text));
	if (!want)
		return STATUS_USAGE;
	const unsigned frac = f->frac ? (unsigned)f->frac : 12;
	want->out = frac;
	for (int side = 0; side < 2; side++) {
		const char *tail = side ? f->right : f->left;
		const struct desc_builtin *b = desc_builtin_find(f->function);
		tail = tail ? tail : b ? side ? b->right : b->left : "auto";
		if (!tail_parse(tail, frac, &want->tail[side])) {
			diag_error(diag, &loc, "descriptor", "the tail '%s': expected a multiple of 2^-%u, x plus or minus one, none or auto", tail, frac);
			diag_hint(diag, "round it, or give results more fraction bits: --frac");
			return STATUS_USAGE;
		}
	}
	struct descriptor *d = descriptor_fit(f->a, want, 2 * frac, frac, &log);
	if (f->verbose || !d)
		for (int k = 0; k < log.n; k++)
			printf("tried      %s\n", log.line[k]);
	fflush(stdout);
	if (!d) {
		diag_error(diag, &loc, "fit", "%s", log.n ? log.line[log.n - 1] : "nothing fits");
		if (log.hint)
			diag_hint(diag, "%s", log.hint);
		return STATUS_MODEL;
	}
	const struct desc_error e = descriptor_verify(d, DESC_VERIFY_BITS);
	printf("function   %s: %s\n", d->name, d->function);
	print_form(d);
	print_error(d, &e);
	if (!e.finite || e.promised > d->max_error) {
		diag_error(diag, &loc, "fit", "the error is %.4g at %.6g when every input is looked at", e.promised, e.finite ? e.promised_at : e.at);
		diag_hint(diag, "the function jumps there: choose a domain without the jump, or allow a larger error");
		return STATUS_MODEL;
	}
	return f->out ? output_file(diag, f->a, f->out, print_descriptor, d) : STATUS_OK;
}

int
cmd_fit(int argc, char **argv)
{
	static const struct argp argp = { options, parse, "FUNCTION",
		"Find a descriptor for a function of x: the cheapest table or piecewise polynomial within an error.\v"
		"FUNCTION is a formula of x, such as 'x*tanh(log(1+exp(x)))', or a built-in: relu, gelu, gelu_tanh, silu, tanh, erf, sigmoid, exp, ...",
		NULL, NULL, NULL };
	struct fit f = { .a = arena_new() };
	argp_parse(&argp, argc, argv, 0, NULL, &f);
	struct diag *d = diag_new(stderr, f.json);
	const int status = fit(&f, d);
	diag_free(d);
	arena_free(f.a);
	return status;
}

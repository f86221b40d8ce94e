/* SPDX-License-Identifier: Apache-2.0
 * descriptor_files.c -- the descriptors that the user gives (--descriptor FILE): read, fitted to the fraction bits of
 * the program, verified.
 *
 * A file with cells or pieces is held to its promise here: the error over the domain and beyond it must not exceed
 * its max-error.
 */
#include <string.h>
#include "passes/descriptor.h"
#include "passes/passes.h"

enum { LOAD_BITS = 18, DEFAULT_FRAC = 12 };

static bool
complain(struct prog *p, const char *file, const char *hint, const char *text)
{
	struct loc loc = { .file = file, .index = -1 };
	diag_error(p->diag, &loc, "descriptor", "%s", text);
	diag_hint(p->diag, "%s", hint);
	return false;
}

/* Names are unique, and an ONNX operator has one descriptor. */
static bool
clashes(struct prog *p, const char *file, const struct descriptor *d)
{
	for (int k = 0; k < p->ndesc; k++) {
		const struct descriptor *other = p->desc[k];
		if (!strcmp(other->name, d->name))
			return !complain(p, file, "change the line 'name' of one of them", arena_printf(p->arena, "a second descriptor with the name '%s'", d->name));
		for (int i = 0; i < d->nop; i++)
			for (int j = 0; j < other->nop; j++)
				if (!strcmp(d->op[i], other->op[j]))
					return !complain(p, file, "leave out one of the lines 'op'",
					                 arena_printf(p->arena, "the descriptors '%s' and '%s' both compute the operator '%s'", other->name, d->name, d->op[i]));
	}
	return false;
}

static bool
keeps_promise(struct prog *p, const char *file, const struct descriptor *d)
{
	const struct desc_error e = descriptor_verify(d, LOAD_BITS);
	if (!e.finite)
		return complain(p, file, "choose a domain where it has one", arena_printf(p->arena, "the function has no finite value at %g, which is in its domain", e.at));
	if (e.promised <= d->max_error)
		return true;
	return complain(p, file, "correct the line 'max-error', or make the descriptor again: sufc fit",
	                arena_printf(p->arena, "the %serror is %.4g at %.6g, %.4g is promised", d->relative ? "relative " : "", e.promised, e.promised_at, d->max_error));
}

static struct descriptor *
load(struct prog *p, const char *file, unsigned frac)
{
	struct descriptor *d = descriptor_read(p->arena, p->diag, file);
	struct desc_log log = { .a = p->arena };
	if (!d || clashes(p, file, d))
		return NULL;
	if (!d->fitted) {
		struct descriptor *got = descriptor_fit(p->arena, d, 2 * frac, frac, &log);
		if (!got)
			complain(p, file, log.hint ? log.hint : "sufc fit --verbose shows what was tried", log.n ? log.line[log.n - 1] : "nothing fits");
		return got;
	}
	if (d->out != frac) {
		complain(p, file, "leave out 'fraction' and what follows it: then it is fitted to the program; or make it again: sufc fit --frac",
		         arena_printf(p->arena, "made for results of %u fraction bits, the program has %u", d->out, frac));
		return NULL;
	}
	return keeps_promise(p, file, d) ? d : NULL;
}

bool
descriptors_load(struct prog *p)
{
	const struct options *opt = p->opt;
	if (!opt || !opt->ndescriptor)
		return true;
	bool ok = true;
	const unsigned frac = opt->frac_bits ? (unsigned)opt->frac_bits : DEFAULT_FRAC;
	p->desc = arena_alloc(p->arena, (size_t)opt->ndescriptor * sizeof *p->desc);
	for (int k = 0; k < opt->ndescriptor; k++) {
		const struct descriptor *d = load(p, opt->descriptor[k], frac);
		if (d)
			p->desc[p->ndesc++] = d;
		ok = ok && d;
	}
	return ok;
}

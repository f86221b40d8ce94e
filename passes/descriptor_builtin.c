/* SPDX-License-Identifier: Apache-2.0
 * descriptor_builtin.c -- the rows of descriptors.def as descriptors.
 */
#include <math.h>
#include <string.h>
#include "passes/descriptor.h"

#define LINES DESC_TABLE, 0, 0
#define CELLS(e) DESC_TABLE, e, 1
#define PIECES(degree) DESC_PIECES, 0, degree
#define DESCRIPTOR(...) ROW(__VA_ARGS__)
#define ROW(name, function, lo, hi, form, e, degree, left, right, error, doc) \
	{ #name, function, lo, hi, form, e, degree, left, right, (error) / 4096.0, doc },
const struct desc_builtin desc_builtins[] = {
#include "passes/descriptors.def"
};
#undef DESCRIPTOR
#undef ROW
const int ndesc_builtins = sizeof desc_builtins / sizeof desc_builtins[0];

const struct desc_builtin *
desc_builtin_find(const char *name)
{
	for (int k = 0; k < ndesc_builtins; k++)
		if (!strcmp(desc_builtins[k].name, name))
			return &desc_builtins[k];
	return NULL;
}

struct descriptor *
desc_builtin_want(struct arena *a, const struct desc_builtin *b)
{
	struct descriptor *d = arena_alloc(a, sizeof *d);
	struct formula_error error;
	*d = (struct descriptor){ .name = b->name, .function = b->function, .formula = formula_parse(a, b->function, &error), .lo = b->lo, .hi = b->hi,
	                          .max_error = b->max_error, .form = b->form, .in = 24, .out = 12 };
	if (!d->formula || !tail_parse(b->left, d->out, &d->tail[0]) || !tail_parse(b->right, d->out, &d->tail[1]))
		BUG("descriptors.def: row %s", b->name);
	return d;
}

const struct descriptor *
desc_builtin_get(struct arena *a, const char *name, unsigned in, unsigned out)
{
	const char *key = arena_printf(a, "descriptor %s %u %u", name, in, out);
	const struct descriptor *known = arena_known(a, key);
	if (!known) {
		known = desc_builtin_make(arena_elder(a), desc_builtin_find(name), in, out);
		arena_remember(a, key, known);
	}
	return known;
}

struct descriptor *
desc_builtin_make(struct arena *a, const struct desc_builtin *b, unsigned in, unsigned out)
{
	struct descriptor *d = desc_builtin_want(a, b), *made = NULL;
	const unsigned e = b->e < out ? b->e : out, cells = b->form == DESC_TABLE ? b->degree : 0; /* CELLS(e), not LINES */
	d->max_error *= out < 12 ? ldexp(1, 12 - (int)out) : 1;  /* the rounding of input and result */
	desc_set_format(d, in, out);
	if (!desc_find_tails(d, NULL))
		BUG("descriptor %s has no tails", b->name);
	if (b->form == DESC_TABLE)
		made = desc_table(a, d, e, cells ? (int64_t)ldexp(b->lo, (int)e) : 0, cells ? (uint32_t)ldexp(b->hi - b->lo, (int)e) : 0);
	else
		made = desc_pieces(a, d, b->degree);
	if (!made)
		BUG("descriptor %s cannot be made for %u and %u fraction bits", b->name, in, out);
	return made;
}

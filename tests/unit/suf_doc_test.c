/* SPDX-License-Identifier: Apache-2.0
 * suf_doc_test.c -- docs/suf.md: the table of built-in descriptors, the functions of formulas, the run of sufc fit.
 * `suf_doc_test --print` writes the table for pasting. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "passes/descriptor.h"

static void
put_form(FILE *to, const struct descriptor *d)
{
	if (d->form == DESC_PIECES)
		fprintf(to, "%d piece%s of degree %u on [%g, %g)", d->npiece, d->npiece > 1 ? "s" : "", d->degree, d->lo, d->hi);
	else if (d->ncell)
		fprintf(to, "%u cells of 2^-%u on [%g, %g)", d->ncell, d->e, ldexp((double)d->first, -(int)d->e), ldexp((double)(d->first + d->ncell), -(int)d->e));
	else
		fputs("tails alone", to);
}

static void
table(FILE *to)
{
	struct arena *a = arena_new();
	fputs("| name | function | form | left, right | w | max error | rms | beyond | |\n|---|---|---|---|---|---|---|---|---|\n", to);
	for (int k = 0; k < ndesc_builtins; k++) {
		const struct descriptor *d = desc_builtin_make(a, &desc_builtins[k], 24, 12);
		const struct desc_error e = descriptor_verify(d, 20);
		fprintf(to, "| %s | `%s` | ", d->name, d->function);
		put_form(to, d);
		fprintf(to, " | %s, %s | ", desc_builtins[k].left, desc_builtins[k].right);
		if (d->ncell)
			fprintf(to, "%u", descriptor_cell_bits(d));
		fprintf(to, " | %.1f | %.1f | %.1f | %s |\n", e.max, e.rms, e.tail, desc_builtins[k].doc);
	}
	arena_free(a);
}

static char *
read_doc(void)
{
	FILE *f = fopen(SOURCE_DIR "/docs/suf.md", "r");
	char *text = calloc(1, 1 << 20);
	assert_non_null(f);
	assert_non_null(text);
	assert_in_range(fread(text, 1, (1 << 20) - 1, f), 1, (1 << 20) - 2);
	fclose(f);
	return text;
}

static void
built_ins_are_documented(void **state)
{
	(void)state;
	char *doc = read_doc(), *want = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&want, &size);
	table(to);
	fclose(to);
	const char *mark = "<!-- table: descriptors -->\n", *at = strstr(doc, mark);
	if (!at || strncmp(at + strlen(mark), want, size) || strncmp(at + strlen(mark) + size, "<!-- end -->", 12))
		fail_msg("the table of built-in descriptors in docs/suf.md is out of date: paste the output of suf_doc_test --print");
	free(doc);
	free(want);
}

/* Every function of a formula is named in the text, as a word. */
static void
functions_are_documented(void **state)
{
	(void)state;
	static const char *const name[] = {
#define FUNCTION(name, args, value) #name,
#include "passes/formula.def"
#undef FUNCTION
	};
	char *doc = read_doc(), *from = strstr(doc, "A formula has"), *end = from ? strstr(from, "\n\n") : NULL;
	assert_non_null(end);
	*end = 0;
	for (size_t k = 0; k < sizeof name / sizeof name[0]; k++) {
		const size_t n = strlen(name[k]);
		bool found = false;
		for (const char *at = from; !found && (at = strstr(at, name[k])); at += n)
			found = strchr(" \n", at[-1]) && strchr(",.;( \n", at[n]);
		if (!found)
			fail_msg("docs/suf.md does not name the function %s", name[k]);
	}
	free(doc);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--print")) {
		table(stdout);
		return 0;
	}
	const struct CMUnitTest tests[] = { cmocka_unit_test(built_ins_are_documented), cmocka_unit_test(functions_are_documented) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

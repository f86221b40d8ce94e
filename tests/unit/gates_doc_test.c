/* SPDX-License-Identifier: Apache-2.0
 * gates_doc_test.c -- the tables of docs/gates.md are those of gates.def and
 * steps.def.  `gates_doc_test --print` writes them for pasting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "passes/passes.h"
#include "run.h"

static void
gates_table(FILE *to)
{
	fputs("| gate | operation | class | computes | source |\n|---|---|---|---|---|\n", to);
	for (int k = 0; k < ngates; k++)
		fprintf(to, "| %s.%s | %s | %s | %s | %s |\n", gates[k].set, gates[k].name, op_desc[gates[k].op].name, gates[k].klass,
		        gates[k].doc, gates[k].source);
}

/* "s->pad_a ? 0 : s->na" -> "pad_a ? 0 : na"; a | would end the cell */
static void
put_expression(FILE *to, const char *e)
{
	for (; *e; e++)
		if (!strncmp(e, "s->", 3))
			e += 2;
		else if (*e == '|')
			fputs("\\|", to);
		else
			fputc(*e, to);
}

struct row { enum { ROW_PART, ROW_PADS, ROW_RESULT, ROW_SENT } what; enum suf_op step; const char *name, *kind, *count, *bits; };
static const struct row row[] = {
#define STEP(name, nin, nout, form, doc)
#define PART(step, part, kind, count, bits) { ROW_PART, SUF_##step, #part, #kind, #count, #bits },
#define PADS(step, output, count, bits) { ROW_PADS, SUF_##step, #output, "", #count, #bits },
#define RESULT(step, output, form, count, bits) { ROW_RESULT, SUF_##step, #output, #form, #count, #bits },
#define SENT(step, from, count, bits) { ROW_SENT, SUF_##step, #from, "", #count, #bits },
#include "steps.def"
#undef STEP
#undef PART
#undef PADS
#undef SENT
};

static void
steps_table(FILE *to)
{
	static const char *const form[] = { "as operands", "share", "masked" };
	fputs("| step | result | computes | key material, pads and messages: elements x bits |\n|---|---|---|---|\n", to);
	for (int s = 0; s < SUF_NSTEP; s++) {
		const struct step_desc *d = &suf_step_desc[s];
		fprintf(to, "| %s | %s | ", d->name, d->nout ? form[d->form] : "none");
		put_expression(to, d->doc);
		fputs(" | ", to);
		const char *between = "";
		for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
			if (row[k].step != (enum suf_op)s)
				continue;
			fprintf(to, "%s%s%s%s%s ", between, row[k].what == ROW_PADS ? "pad of result " : row[k].what == ROW_RESULT ? "result " : row[k].what == ROW_SENT ? "sent by " : "",
			        row[k].name, *row[k].kind ? " " : "", row[k].kind);
			put_expression(to, row[k].count);
			fputs(" x ", to);
			put_expression(to, row[k].bits);
			between = "; ";
		}
		fputs(" |\n", to);
	}
}

static char *
text_of(void (*table)(FILE *))
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	assert_non_null(to);
	table(to);
	fclose(to);
	return text;
}

static char *
read_doc(void)
{
	FILE *f = fopen(SOURCE_DIR "/docs/gates.md", "r");
	assert_non_null(f);
	char *text = calloc(1, 1 << 20);
	assert_non_null(text);
	assert_in_range(fread(text, 1, (1 << 20) - 1, f), 1, (1 << 20) - 2);
	fclose(f);
	return text;
}

static void
check_table(const char *mark, void (*table)(FILE *))
{
	char *doc = read_doc(), *want = text_of(table), line[64];
	snprintf(line, sizeof line, "<!-- table: %s -->\n", mark);
	const char *at = strstr(doc, line);
	if (!at || strncmp(at + strlen(line), want, strlen(want)) || strncmp(at + strlen(line) + strlen(want), "<!-- end -->", 12))
		fail_msg("the table '%s' of docs/gates.md is out of date: paste the output of gates_doc_test --print", mark);
	free(doc);
	free(want);
}

static void gates_are_documented(void **state) { (void)state; check_table("gates", gates_table); }
static void steps_are_documented(void **state) { (void)state; check_table("steps", steps_table); }

int
main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--print")) {
		gates_table(stdout);
		puts("");
		steps_table(stdout);
		return 0;
	}
	const struct CMUnitTest tests[] = { cmocka_unit_test(gates_are_documented), cmocka_unit_test(steps_are_documented) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

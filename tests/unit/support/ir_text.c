/* SPDX-License-Identifier: Apache-2.0
 * ir_text.c -- see ir_text.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ir_text.h"

void
text_open(struct text *t)
{
	t->f = open_memstream(&t->s, &t->n);
	assert_non_null(t->f);
}

struct prog *
text_parse(const char *source, struct diag *d)
{
	FILE *f = fmemopen((void *)(uintptr_t)source, strlen(source), "r");
	assert_non_null(f);
	struct prog *p = ir_parse(f, "test.ir", NULL, d);
	fclose(f);
	return p;
}

char *
text_print(const struct prog *p)
{
	struct text t;
	text_open(&t);
	ir_print(p, t.f);
	fclose(t.f);
	return t.s;
}

bool
text_passes(const struct prog *p)
{
	char *first = text_print(p), *again = NULL;
	struct text b;
	text_open(&b);
	struct diag *d = diag_new(b.f, false);
	struct prog *q = text_parse(first, d);
	const bool fine = q && ir_check(q, STAGE_SCHED);
	if (fine)
		assert_string_equal(first, again = text_print(q));
	ir_free(q);
	diag_free(d);
	fclose(b.f);
	free(b.s);
	free(first);
	free(again);
	return fine;
}

void
text_refused(const struct prog *p, const char *part, const char *what, const char *message)
{
	char *before = text_print(p), *at = strstr(before, part), *edited = calloc(1, strlen(before) + strlen(what) + 1);
	struct text said;
	text_open(&said);
	struct diag *d = diag_new(said.f, false);
	if (!at || !edited)
		fail_msg("nothing to edit: %s\n%s", part, before);
	sprintf(edited, "%.*s%s%s", (int)(at - before), before, what, at + strlen(part));
	struct prog *bad = text_parse(edited, d);
	const bool ok = bad && ir_check(bad, STAGE_SCHED);
	diag_free(d);
	fclose(said.f);
	if (!bad || ok || !strstr(said.s, message))
		fail_msg("%s\n%s\nexpected: %s", edited, said.s, message);
	ir_free(bad);
	free(before);
	free(said.s);
	free(edited);
}

struct node *
sum_node(struct prog *p, struct val *a, struct val *b, const char *name)
{
	const struct type secret = { .sec = SEC_SECRET };
	struct val *out = ir_val(p, name, DT_F32, secret, a->rank, a->dim);
	return ir_node(p, NULL, OP_add, NULL, 2, (struct val *[]){ a, b }, 1, &out);
}

/* SPDX-License-Identifier: Apache-2.0
 * cases.c -- read stored test cases and run them through the reference interpreter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "cases.h"
#include "passes/float_eval.h"
#include "passes/passes.h"

struct cursor { struct arena *mem; const char *at, *end; };

static const void *take(struct cursor *c, size_t n)
{
	const void *p = c->at;
	if ((size_t)(c->end - c->at) < n)
		fail_msg("test case file is truncated");
	c->at += n;
	return p;
}

static uint64_t number(struct cursor *c, size_t bytes)
{
	uint64_t x = 0;
	memcpy(&x, take(c, bytes), bytes);
	return x;
}

static const char *text(struct cursor *c)
{
	size_t n = number(c, 4);
	char *s = arena_alloc(c->mem, n + 1);
	memcpy(s, take(c, n), n);
	return s;
}

static struct test_array read_array(struct cursor *c)
{
	struct test_array a = { .name = text(c), .count = 1 };
	a.output = number(c, 4) != 0;
	a.dtype = (enum dtype)number(c, 4);
	a.rank = (int)number(c, 4);
	for (int d = 0; d < a.rank; d++)
		a.count *= a.dim[d] = (int64_t)number(c, 8);
	size_t bytes = (size_t)a.count * eval_elem_size(a.dtype);
	void *data = arena_alloc(c->mem, bytes);
	memcpy(data, take(c, bytes), bytes);
	a.data = data;
	return a;
}

void *test_read_file(struct arena *mem, const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	fseek(f, 0, SEEK_END);
	*bytes = (size_t)ftell(f);
	rewind(f);
	void *data = arena_alloc(mem, *bytes);
	assert_int_equal(fread(data, 1, *bytes, f), *bytes);
	fclose(f);
	return data;
}

struct test_cases test_cases_read(struct arena *mem, const char *path)
{
	enum { MOST = 1000 };
	size_t bytes;
	char *data = test_read_file(mem, path, &bytes);
	struct cursor c = { mem, data, data + bytes };
	struct test_cases all = { 0, arena_alloc(mem, MOST * sizeof *all.c) };

	while (c.at < c.end && all.n < MOST) {
		struct test_case *t = &all.c[all.n++];
		t->name = text(&c);
		t->model_bytes = number(&c, 8);
		t->model = take(&c, t->model_bytes);
		t->narray = (int)number(&c, 4);
		t->array = arena_alloc(mem, (size_t)t->narray * sizeof *t->array);
		for (int k = 0; k < t->narray; k++)
			t->array[k] = read_array(&c);
	}
	return all;
}

static const struct test_array *array_named(const struct test_case *t, const char *name, bool output)
{
	for (int k = 0; k < t->narray; k++)
		if (t->array[k].output == output && !strcmp(t->array[k].name, name))
			return &t->array[k];
	return NULL;
}

static const void *result_of(const struct prog *p, void **result, const struct val *v)
{
	for (int k = 0; k < p->nvals; k++)
		if (p->vals[k] == v)
			return result[k];
	return NULL;
}

static bool same(const char *name, const struct val *v, const void *got, const struct test_array *want, double tolerance)
{
	if (!got || !want || v->dtype != want->dtype || v->rank != want->rank || memcmp(v->dim, want->dim, (size_t)v->rank * sizeof *v->dim)) {
		print_error("%s: output %s has another type or shape than wanted\n", name, v->name);
		return false;
	}
	for (int64_t i = 0; i < want->count; i++) {
		double a = eval_load(got, v->dtype, i), b = eval_load(want->data, v->dtype, i);
		if (!(fabs(a - b) <= tolerance * (1 + fabs(b))) && !(isnan(a) && isnan(b)) && a != b) {
			print_error("%s: %s[%lld] is %.9g, want %.9g\n", name, v->name, (long long)i, a, b);
			return false;
		}
	}
	return true;
}

bool test_case_holds(const struct prog *p, const struct test_case *t, double tolerance)
{
	struct arena *mem = arena_new();
	const void **in = arena_alloc(mem, (size_t)p->nin * sizeof *in);
	void **result = arena_alloc(mem, (size_t)p->nvals * sizeof *result);
	bool ok = true;

	for (int k = 0; k < p->nin && ok; k++) {
		const struct test_array *a = array_named(t, p->in[k]->name, false);
		ok = a && a->dtype == p->in[k]->dtype && a->count == ir_count(p->in[k]);
		if (ok)
			in[k] = a->data;
		else
			print_error("%s: input %s is not in the test case\n", t->name, p->in[k]->name);
	}
	ok = ok && float_eval(p, in, result, mem);
	for (int k = 0; k < p->nout && ok; k++)
		ok = same(t->name, p->out[k], result_of(p, result, p->out[k]), array_named(t, p->out[k]->name, true), tolerance);
	arena_free(mem);
	return ok;
}

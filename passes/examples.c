/* SPDX-License-Identifier: Apache-2.0
 * examples.c -- example inputs.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "passes/examples.h"
#include "npy.h"

static size_t element_size(const struct val *v) { return v->dtype == DT_F32 ? sizeof(float) : v->dtype == DT_I64 ? sizeof(int64_t) : sizeof(bool); }

static const char *shape_text(struct arena *a, int rank, const int64_t *dim)
{
	const char *s = "";
	for (int k = 0; k < rank; k++)
		s = arena_printf(a, "%s%s%lld", s, k ? "x" : "", (long long)dim[k]);
	return rank ? s : "scalar";
}

/* How many examples of v's shape; 0: another shape. */
static int64_t examples_in(const struct npy *a, const struct val *v)
{
	int extra = (int)a->rank - v->rank;
	if (extra < 0 || extra > 1)
		return 0;
	for (int k = 0; k < v->rank; k++) {
		int64_t have = a->dim[k + extra];
		bool first = k == 0 && extra == 0;
		if (first ? have <= 0 || have % v->dim[0] : have != v->dim[k])
			return 0;
	}
	int64_t one = ir_count(v);
	return one > 0 ? (int64_t)a->count / one : 0;
}

static bool convert(struct prog *p, const struct npy *a, const struct val *v, void *to, const char *path)
{
	bool floats = a->type == NPY_F32 || a->type == NPY_F64;
	if (floats && v->dtype != DT_F32) {
		diag_error(p->diag, NULL, "input-type", "%s: the input '%s' takes integers, the array is %s", path, v->name, npy_name(a->type));
		diag_hint(p->diag, "save it as int64: np.save(path, x.astype(np.int64))");
		return false;
	}
	for (uint64_t i = 0; i < a->count; i++) {
		double x = npy_f64(a, i);
		if (floats && !isfinite(x)) {
			const uint64_t one = (uint64_t)ir_count(v);
			diag_error(p->diag, NULL, "input-value", "%s: element %llu of example %llu of the input '%s' is %s", path, (unsigned long long)(i % one),
			           (unsigned long long)(i / one), v->name, isnan(x) ? "NaN" : "infinite");
			diag_hint(p->diag, "leave such examples out: they bound nothing, and no input may hold such a value");
			return false;
		}
		if (v->dtype == DT_F32)
			((float *)to)[i] = (float)x;
		else if (v->dtype == DT_I64)
			((int64_t *)to)[i] = (int64_t)x;
		else
			((bool *)to)[i] = x != 0;
	}
	return true;
}

bool examples_read(struct prog *p, struct examples *ex, int k, const char *path)
{
	const struct val *v = p->in[k];
	char text[256];
	struct npy a;
	if (npy_read(&a, path, v->name, text)) {
		diag_error(p->diag, NULL, "input-file", "%s", text);
		return false;
	}
	int64_t count = examples_in(&a, v);
	bool ok = count > 0;
	if (!ok) {
		diag_error(p->diag, NULL, "input-shape", "%s: the input '%s' has the shape %s, the array %s", path, v->name,
		           shape_text(p->arena, v->rank, v->dim), shape_text(p->arena, (int)a.rank, a.dim));
		diag_hint(p->diag, "the first axis may be longer: many examples; --shape sets the shape of the program's inputs");
	} else if (ex->count && ex->count != count) {
		ok = false;
		diag_error(p->diag, NULL, "input-count", "%s: %lld examples of '%s', but %lld of the inputs before", path, (long long)count, v->name, (long long)ex->count);
	} else {
		if (!ex->data)
			ex->data = arena_alloc(p->arena, (size_t)p->nin * sizeof *ex->data);
		ex->count = count;
		ex->data[k] = arena_alloc(p->arena, (size_t)a.count * element_size(v));
		ok = convert(p, &a, v, ex->data[k], path);
	}
	npy_free(&a);
	return ok;
}

bool examples_complete(struct prog *p, const struct examples *ex)
{
	bool ok = true;
	for (int k = 0; k < p->nin; k++)
		if (!ex->data || !ex->data[k]) {
			diag_error(p->diag, NULL, "input-missing", "the input '%s' (%s) has no value", p->in[k]->name, shape_text(p->arena, p->in[k]->rank, p->in[k]->dim));
			diag_hint(p->diag, "--input %s=FILE.npy", p->in[k]->name);
			ok = false;
		}
	return ok;
}

const void *example_at(const struct prog *p, const struct examples *ex, int k, int64_t example)
{
	size_t bytes = (size_t)ir_count(p->in[k]) * element_size(p->in[k]);
	return (const char *)ex->data[k] + (size_t)example * bytes;
}

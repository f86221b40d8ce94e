/* SPDX-License-Identifier: Apache-2.0
 * ir_test.c -- the program representation: build functions, text form, checker, diagnostics.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ir/ir.h"
#include "ir/text.h"

struct text { char *s; size_t n; FILE *f; };

static void
text_open(struct text *t)
{
	t->f = open_memstream(&t->s, &t->n);
	assert_non_null(t->f);
}

/* The messages of `diag` go to t. */
static struct prog *
parse(const char *source, struct diag *d)
{
	FILE *f = fmemopen((void *)(uintptr_t)source, strlen(source), "r");
	assert_non_null(f);
	struct prog *p = ir_parse(f, "test.ir", NULL, d);
	fclose(f);
	return p;
}

static char *
print(const struct prog *p)
{
	struct text t;
	text_open(&t);
	ir_print(p, t.f);
	fclose(t.f);
	return t.s;
}

/* ---- build ---------------------------------------------------------------- */

static const struct type secret = { .sec = SEC_SECRET };

static struct node *
add(struct prog *p, struct val *a, struct val *b, const char *name)
{
	struct val *out = ir_val(p, name, DT_F32, secret, a->rank, a->dim);
	return ir_node(p, NULL, OP_add, NULL, 2, (struct val *[]){ a, b }, 1, &out);
}

static void
build_keeps_lists_and_uses(void **state)
{
	(void)state;
	struct diag *d = diag_new(stderr, false);
	struct prog *p = ir_new("m", NULL, d);
	const int64_t dim[] = { 2, 3 };
	struct val *x = ir_val(p, "x", DT_F32, secret, 2, dim);
	ir_add_input(p, x);
	struct node *a = add(p, x, x, "a"), *b = add(p, a->out[0], x, "b"), *c = add(p, b->out[0], b->out[0], "c");
	ir_add_output(p, c->out[0]);
	assert_int_equal(x->nuse, 3);
	assert_ptr_equal(ir_user(p, a->out[0]), b);
	assert_null(ir_user(p, b->out[0]));   /* two uses */
	assert_null(ir_user(p, c->out[0]));   /* an output */
	assert_true(ir_check(p, STAGE_FLOAT));

	ir_replace(p, b->out[0], a->out[0]);
	assert_int_equal(b->out[0]->nuse, 0);
	assert_int_equal(a->out[0]->nuse, 3);
	ir_remove(p, b);
	assert_ptr_equal(a->next, c);
	assert_ptr_equal(c->prev, a);
	assert_int_equal(x->nuse, 2);
	ir_replace(p, c->out[0], a->out[0]);
	assert_ptr_equal(p->out[0], a->out[0]);
	assert_true(ir_check(p, STAGE_FLOAT));

	struct node *e = add(p, x, x, "e");
	ir_move_before(p, e, a);
	assert_ptr_equal(p->first, e);
	assert_ptr_equal(p->last, c);
	ir_move_before(p, e, NULL);
	assert_ptr_equal(p->last, e);
	ir_set_in(p, e, 1, a->out[0]);
	assert_int_equal(x->nuse, 3);
	assert_true(ir_check(p, STAGE_FLOAT));
	ir_free(p);
	diag_free(d);
}

static void
names_are_unique(void **state)
{
	(void)state;
	struct prog *p = ir_new("m", NULL, NULL);
	for (int k = 0; k < 3000; k++)
		ir_val(p, k % 3 ? "a" : NULL, DT_F32, secret, 0, NULL);
	for (int k = 0; k < p->nvals; k++)
		assert_ptr_equal(ir_find(p, p->vals[k]->name), p->vals[k]);
	assert_string_equal(p->vals[1]->name, "a");
	assert_string_equal(p->vals[2]->name, "a.1");
	assert_null(ir_find(p, "b"));
	assert_string_equal(ir_val_like(p, p->vals[1], ".wide")->name, "a.wide");
	ir_free(p);
}

static void
attributes_and_constants(void **state)
{
	(void)state;
	struct prog *p = ir_new("m", NULL, NULL);
	const int64_t dim[] = { 3 }, axes[] = { 0, -1 }, ints[] = { 5, -7, 9 };
	const bool flags[] = { true, false, true };
	struct val *x = ir_val(p, "x", DT_F32, secret, 1, dim);
	struct node *n = add(p, x, ir_scalar(p, "half", 0.5), "y");
	ir_set_int(p, n, ATTR_axis, 4);
	ir_set_int(p, n, ATTR_axis, 5);
	ir_set_f64(p, n, ATTR_eps, 1e-5);
	ir_set_ints(p, n, ATTR_axes, 2, axes);
	int count;
	assert_int_equal(n->nattr, 3);
	assert_int_equal(ir_int(n, ATTR_axis), 5);
	assert_int_equal(ir_int_or(n, ATTR_start, 7), 7);
	assert_true(ir_f64(n, ATTR_eps) == 1e-5);
	assert_int_equal(ir_ints(n, ATTR_axes, &count)[1], -1);
	assert_int_equal(count, 2);
	double half;
	assert_true(ir_scalar_value(n->in[1], &half) && half == 0.5);
	assert_false(ir_scalar_value(x, &half));
	struct val *c = ir_const(p, "c", DT_I64, SEC_PUBLIC, 1, dim, ints), *f = ir_const(p, "f", DT_BOOL, SEC_PUBLIC, 1, dim, flags);
	assert_true(ir_elem(c, 1) == -7 && ir_elem(f, 1) == 0 && ir_elem(f, 2) == 1);
	assert_false(ir_scalar_value(c, &half));
	ir_free(p);
}

static void
steps_get_ids_and_own_their_parameters(void **state)
{
	(void)state;
	struct prog *p = ir_new("m", NULL, NULL);
	const int64_t dim[] = { 4 };
	struct val *a = ir_val(p, "a", DT_I64, (struct type){ .sec = SEC_MASKED, .bits = 20 }, 1, dim), *b = ir_val_like(p, a, ".b");
	struct suf_map map = { .ndim = 1, .dim = { 4 }, .so = { 1 }, .sa = { 1 } };
	struct node like = { .klass = "gelu", .loc = { .node = "/act", .op = "Gelu", .index = 3 } };
	struct node *n = ir_step(p, NULL, &like, (struct suf_step){ .op = SUF_lin, .map = &map, .n = 20 }, 1, &a, 1, &b);
	map.dim[0] = 99;
	assert_int_equal(n->step->map->dim[0], 4);
	assert_int_equal(n->step->id, 1);
	assert_int_equal(p->next_id, 2);
	assert_string_equal(n->step->klass, "gelu");
	assert_string_equal(n->loc.node, "/act");
	ir_free(p);
}

static void
arena_memory_is_zero_and_aligned(void **state)
{
	(void)state;
	static const size_t size[] = { 1, 16, 100000, 17, 300000, 3, 262144, 48, 65536, 1 };
	int freed = 0;
	struct arena *a = arena_new();
	arena_on_free(a, (void (*)(void *))(void *)free, malloc(1)); /* the leak checker sees if the hook is not run */
	for (int round = 0; round < 20; round++)
		for (size_t k = 0; k < sizeof size / sizeof size[0]; k++) {
			unsigned char *p = arena_alloc(a, size[k]);
			assert_int_equal((uintptr_t)p % 16, 0);
			for (size_t i = 0; i < size[k]; i++)
				freed += p[i];
			memset(p, 0xff, size[k]);
		}
	assert_int_equal(freed, 0);
	assert_string_equal(arena_printf(a, "%s-%d", "x", 7), "x-7");
	arena_free(a);
}

/* ---- text form -------------------------------------------------------------- */

static const char *const round_trips[] = {
	/* names, numbers, constants */
	"sufc-ir 1\n"
	"program \"tiny \\\"bert\\\"\" stage FLOAT file \"dir/tiny.onnx\"\n"
	"const %w : f32[3x2] weight = 0.1 -2 3e-10 1e+20 inf 5.5\n"
	"const %u : f32[900x2] weight = absent\n"
	"const %flag : bool[2] public = 1 0\n"
	"const %k : i64[] public = -9007199254740993\n"
	"value %x : f32[2x3] secret range -1.5 3.25 calibrated norm 2.5 input\n"
	"%\"a b\\x09\" : f32[2x2] secret = matmul %x, %w class matmul at \"/fc 1/MatMul\" \"MatMul\" 12\n"
	"%onnx::Add_3 : f32[2x2] secret = add %\"a b\\x09\", %\"a b\\x09\" at - - -1 -\n"
	"%m : f32[2x1] secret = reduce_mean %onnx::Add_3 {axes=[-1], keepdims=1} at \"/m\" \"ReduceMean\" 13 \"other.onnx\"\n"
	"%n : f32[2x1] secret = clip %m {lo=-1.0000000000000002, hi=1e+300} at - \"Clip\" 3\n"
	"input %x\n"
	"output %n, %m, %k, %flag, %u\n",
	/* stage SCHED with everything a step may have */
	"sufc-ir 1\n"
	"program \"s\" stage SCHED next_id 9 joins rounds 2 wire 128\n"
	"table $\"t 2\" = 1\n"
	"table $gelu.8 = 0 1 -5 9223372036854775807\n"
	"const %w : i64[2x2] weight 50.12 = 1 2 3 4\n"
	"%x : f32[2x2] masked 50.12 input = step.input {id=1, count=4, m=50} class other round 0\n"
	"%s : f32[2x2] shared 50.24 = step.matmul %x, %w {id=2, count=4, na=4, nb=4, n=50, m=50, weight_b=1, mm={batch=1, bh=1, rows=2, inner=2, cols=2, sa=[0,0,2,1], sb=[0,0,2,1], b0=3}} class matmul round 1\n"
	"%m : f32[2x2] masked 50.24 alias %s = step.open %s {id=3, count=4, n=50, m=50} class matmul round 1\n"
	"%q : f32[4] masked 50.24 slot 16 = step.lin %m {id=4, count=4, na=4, n=50, m=50, ca=-3, c=7, map={dim=[4], so=[1], sa=[1], sb=[0], a0=1}, table=$\"t 2\"} round 2\n"
	"%r : f32[4] shared 1.0 slot 24, %t : f32[4] shared 50.24 slot 32 pad 5 = step.lut %q {id=5, count=4, b=8, rows={count=2, first=1, inc=1, period=2, level=0}, table=$gelu.8} class gelu round 2\n",
	"sufc-ir 1\n"
	"program \"g\" stage GATE\n"
	"const %w : f32[7x2] weight 50.12 = 1 2 3 4 5 6 7 8 9 10 11 12 13 14\n"
	"value %ids : i64[1x4] secret 50.0 onehot 7\n"
	"%y : f32[1x4x2] secret 50.12 = embedding %w, %ids gate sigma.embedding class embedding\n"
	"%z : f32[1x4x2] owned1 50.12 = neg %y gate local.neg class other\n"
	"input %ids\n"
	"output %z\n",
};

static void
print_of_parse_is_identity(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof round_trips / sizeof round_trips[0]; k++) {
		struct diag *d = diag_new(stderr, false);
		struct prog *p = parse(round_trips[k], d);
		assert_non_null(p);
		char *s = print(p);
		assert_string_equal(s, round_trips[k]);
		free(s);
		ir_free(p);
		diag_free(d);
	}
}

/* ---- random programs -------------------------------------------------------- */

static uint64_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static int64_t
pick(uint64_t *seed, int64_t lo, int64_t hi)
{
	return lo + (int64_t)(next(seed) % (uint64_t)(hi - lo + 1));
}

static double
any_double(uint64_t *seed)
{
	static const double special[] = { 0, -0.0, 1e300, -1e-300, 0.1, 5e-324, -1 };
	if (pick(seed, 0, 3) == 0)
		return special[pick(seed, 0, 6)];
	return ((double)next(seed) - 1e9) / (1 + (double)next(seed)) * (double)next(seed);
}

static const char *
any_name(uint64_t *seed, struct arena *a)
{
	char name[12] = "";
	int len = (int)pick(seed, 1, 10);
	for (int k = 0; k < len; k++)
		name[k] = (char)(pick(seed, 0, 4) ? "abz/._:+-#@~0"[pick(seed, 0, 12)] : pick(seed, 1, 255));
	return arena_strdup(a, name);
}

static struct val *
any_val(struct prog *p, uint64_t *seed)
{
	int64_t dim[MAX_RANK];
	int rank = (int)pick(seed, 0, 2);
	for (int k = 0; k < rank; k++)
		dim[k] = pick(seed, 1, 4);
	struct type t = { .sec = (enum sec)pick(seed, 0, 6), .bits = (uint8_t)pick(seed, 0, 64), .frac = (uint8_t)pick(seed, 0, 30) };
	t.owner = t.sec == SEC_OWNED && pick(seed, 0, 1);
	struct val *v = ir_val(p, any_name(seed, p->arena), (enum dtype)pick(seed, 0, 2), t, rank, dim);
	if (pick(seed, 0, 1)) {
		v->lo = any_double(seed);
		v->hi = v->lo + 1 + v->lo * v->lo;
		v->from = (enum range_source)pick(seed, 0, 2);
	}
	v->norm = pick(seed, 0, 3) ? -1 : 0.25 * (double)pick(seed, 0, 100);
	v->slot = (uint64_t)pick(seed, 0, 2);
	v->pad_step = (uint32_t)pick(seed, 0, 2);
	v->onehot = (uint32_t)pick(seed, 0, 1);
	v->is_wire_input = pick(seed, 0, 5) == 0;
	return v;
}

static void
fill_const(struct prog *p, struct val *v, uint64_t *seed)
{
	int64_t count = ir_count(v);
	char *data = arena_alloc(p->arena, ir_data_bytes(v));
	for (int64_t i = 0; i < count; i++) {
		if (v->dtype == DT_F32)
			((float *)(void *)data)[i] = (float)any_double(seed);
		else if (v->dtype == DT_I64)
			((int64_t *)(void *)data)[i] = (int64_t)next(seed) * (int64_t)next(seed) - (int64_t)next(seed);
		else
			((bool *)(void *)data)[i] = next(seed) & 1;
	}
	v->data = data;
}

static struct suf_step
any_step(struct prog *p, uint64_t *seed)
{
	struct suf_step s = { .op = (enum suf_op)pick(seed, 0, SUF_NSTEP - 1), .count = next(seed), .na = next(seed) % 3, .n = (uint8_t)pick(seed, 0, 64),
	                      .m = (uint8_t)pick(seed, 0, 64), .slack = (uint8_t)pick(seed, 0, 1), .pad_b = (uint32_t)pick(seed, 0, 3),
	                      .ca = -(int64_t)next(seed), .cb = pick(seed, -1, 1), .c = INT64_MIN + pick(seed, 0, 1) };
	struct suf_map *map = arena_alloc(p->arena, sizeof *map);
	struct suf_mm *mm = arena_alloc(p->arena, sizeof *mm);
	struct suf_rows *rows = arena_alloc(p->arena, sizeof *rows);
	struct suf_table *t = arena_alloc(p->arena, sizeof *t);
	int64_t *v = arena_alloc(p->arena, 8 * sizeof *v);
	map->ndim = (uint32_t)pick(seed, 1, SUF_MAX_DIM);
	for (uint32_t k = 0; k < map->ndim; k++) {
		map->dim[k] = (uint32_t)next(seed);
		map->sa[k] = pick(seed, -5, 5);
		map->so[k] = pick(seed, 0, 5);
	}
	map->b0 = next(seed) % 2;
	*mm = (struct suf_mm){ .batch = 1, .bh = 3, .rows = (uint32_t)next(seed), .sa = { 1, -2, 3, 0 }, .a0 = next(seed) % 3 };
	*rows = (struct suf_rows){ .count = next(seed), .first = 1, .level = (uint32_t)pick(seed, 0, 9) };
	for (int k = 0; k < 8; k++)
		v[k] = pick(seed, -3, 3);
	*t = (struct suf_table){ .name = pick(seed, 0, 1) ? "t" : any_name(seed, p->arena), .len = (uint32_t)pick(seed, 0, 8), .v = v };
	s.map = pick(seed, 0, 2) ? NULL : map;
	s.mm = pick(seed, 0, 2) ? NULL : mm;
	s.rows = pick(seed, 0, 2) ? NULL : rows;
	s.table = pick(seed, 0, 2) ? NULL : t;
	return s;
}

static void
any_attrs(struct prog *p, struct node *n, uint64_t *seed)
{
	for (enum attr_key key = 0; key < N_ATTR; key++) {
		if (pick(seed, 0, 7))
			continue;
		int64_t list[3] = { pick(seed, -9, 9), pick(seed, -9, 9), pick(seed, -9, 9) };
		if (attr_desc[key].kind == 'I')
			ir_set_int(p, n, key, list[0]);
		else if (attr_desc[key].kind == 'F')
			ir_set_f64(p, n, key, any_double(seed));
		else
			ir_set_ints(p, n, key, (int)pick(seed, 0, 3), list);
	}
}

static struct prog *
any_program(uint64_t *seed, struct diag *d)
{
	struct prog *p = ir_new("random", NULL, d);
	struct val *pool[64];
	int npool = 0, nodes = (int)pick(seed, 1, 20);
	p->stage = (enum stage)pick(seed, 0, 3);
	p->nrounds = (int)pick(seed, 0, 3);
	p->wire_elems = (uint64_t)pick(seed, 0, 1000);
	for (int k = 0; k < 4; k++) {
		pool[npool] = any_val(p, seed);
		if (k)
			fill_const(p, pool[npool], seed);
		npool++;
	}
	ir_add_input(p, pool[0]);
	for (int k = 0; k < nodes; k++) {
		struct val *in[3], *out[2];
		int nin = (int)pick(seed, 0, 3), nout = p->stage == STAGE_SCHED ? (int)pick(seed, 0, 2) : 1;
		for (int j = 0; j < nin; j++)
			in[j] = pool[pick(seed, 0, npool - 1)];
		for (int j = 0; j < nout; j++) {
			out[j] = any_val(p, seed);
			out[j]->alias = pick(seed, 0, 9) || !nin ? NULL : in[0];
		}
		struct loc loc = { .node = pick(seed, 0, 1) ? any_name(seed, p->arena) : NULL, .op = pick(seed, 0, 1) ? "Op" : NULL,
		                   .index = (int)pick(seed, -1, 3), .file = pick(seed, 0, 2) ? "f.onnx" : NULL };
		struct node like = { .klass = pick(seed, 0, 1) ? "gelu" : NULL, .loc = loc };
		struct node *n = p->stage == STAGE_SCHED ? ir_step(p, NULL, &like, any_step(p, seed), nin, in, nout, out)
		               : ir_node(p, NULL, (enum op)pick(seed, 0, N_OP - 2), &loc, nin, in, nout, out);
		if (p->stage != STAGE_SCHED)
			any_attrs(p, n, seed);
		n->round = (int)pick(seed, -1, 3);
		for (int j = 0; j < nout; j++)
			pool[npool++] = out[j];
	}
	ir_add_output(p, pool[npool - 1]);
	return p;
}

static void
random_programs_round_trip(void **state)
{
	(void)state;
	uint64_t seed = 20231269;
	for (int k = 0; k < 400; k++) {
		struct diag *d = diag_new(stderr, false);
		struct prog *p = any_program(&seed, d);
		char *once = print(p);
		struct prog *q = parse(once, d);
		if (!q)
			fprintf(stderr, "%s", once);
		assert_non_null(q);
		char *twice = print(q);
		assert_string_equal(once, twice);
		assert_int_equal(q->nin, p->nin);
		free(once);
		free(twice);
		ir_free(p);
		ir_free(q);
		diag_free(d);
	}
}

/* ---- side file --------------------------------------------------------------- */

static void
large_constants_lie_beside_the_text(void **state)
{
	(void)state;
	char dir[] = "/tmp/ir_testXXXXXX", path[64], data_path[64];
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/m.ir", dir);
	snprintf(data_path, sizeof data_path, "%s/m.ir.data", dir);
	struct diag *d = diag_new(stderr, false);
	struct prog *p = ir_new("m", NULL, d);
	const int64_t dim[] = { 10, 5 };
	float w[50];
	int64_t u[50];
	uint64_t seed = 7;
	for (int k = 0; k < 50; k++) {
		w[k] = (float)any_double(&seed);
		u[k] = (int64_t)next(&seed) - 77;
	}
	struct val *x = ir_val(p, "x", DT_F32, secret, 2, dim);
	ir_add_input(p, x);
	struct node *a = add(p, x, ir_const(p, "w", DT_F32, SEC_WEIGHT, 2, dim, w), "a");
	struct node *b = add(p, a->out[0], ir_const(p, "u", DT_I64, SEC_WEIGHT, 2, dim, u), "b");
	ir_add_output(p, b->out[0]);
	FILE *f = fopen(data_path, "wb");
	ir_print_data(p, f);
	fclose(f);
	char *once = print(p);
	f = fmemopen(once, strlen(once), "r");
	struct prog *q = ir_parse(f, path, NULL, d);
	fclose(f);
	assert_non_null(q);
	assert_memory_equal(ir_find(q, "w")->data, w, sizeof w);
	assert_memory_equal(ir_find(q, "u")->data, u, sizeof u);
	char *twice = print(q);
	assert_string_equal(once, twice);
	struct text hashed;
	text_open(&hashed);
	ir_print_hashed(q, hashed.f);
	fclose(hashed.f);
	assert_non_null(strstr(hashed.s, "weight = hidden"));
	assert_null(strstr(hashed.s, "sha256"));
	free(hashed.s);
	free(twice);
	ir_free(q);

	/* one byte changed: the digest does not fit */
	f = fopen(data_path, "r+b");
	fseek(f, 30, SEEK_SET);
	fputc(fgetc(f) ^ 1, f);
	fseek(f, 30, SEEK_SET);
	fputc(0x5a, f);
	fclose(f);
	struct text t;
	text_open(&t);
	struct diag *quiet = diag_new(t.f, false);
	f = fmemopen(once, strlen(once), "r");
	assert_null(ir_parse(f, path, NULL, quiet));
	fclose(f);
	diag_free(quiet);
	fclose(t.f);
	assert_non_null(strstr(t.s, "has the digest"));
	free(t.s);
	free(once);
	ir_free(p);
	diag_free(d);
	remove(data_path);
	remove(dir);
}

/* ---- what the parser refuses --------------------------------------------------- */

#define HEAD "sufc-ir 1\nprogram \"m\" stage FLOAT\n"
static const struct { const char *source, *message; } syntax[] = {
	{ "", "test.ir:1: error: expected 'sufc-ir', found 'the end of the file' [ir-syntax]" },
	{ "sufc-ir 2\n", "the number 2 is not between 1 and 1" },
	{ "sufc-ir 1\nprogram \"m\" stage RINGS\n", "test.ir:2: error: 'RINGS' is not a stage" },
	{ HEAD "value %x : f16[1] secret\n", "test.ir:3: error: 'f16' is not an element type" },
	{ HEAD "value %x : f32[1x2 secret\n", "expected ']'" },
	{ HEAD "value %x : f32[1x-2] secret\n", "expected a shape" },
	{ HEAD "value %x : f32[9999999x9999999] secret\n", "elements" },
	{ HEAD "value %x : f32[2] secret\nvalue %x : f32[2] secret\n", "test.ir:4: error: the value 'x' is defined twice" },
	{ HEAD "output %y\n", "the value 'y' is used before its definition" },
	{ HEAD "const %c : f32[3] public = 1 2\n", "expected a number" },
	{ HEAD "const %c : f32[300000] public = 1 2\n", "fewer than 300000 elements" },
	{ HEAD "const %c : f32[20] public = sha256:00\n", "cannot be read" },
	{ HEAD "%y : f32[] secret = frobnicate\n", "there is no operation 'frobnicate'" },
	{ HEAD "%y : f32[] secret = add {sparkle=1}\n", "'sparkle' is not an attribute" },
	{ HEAD "%y : f32[] secret = step.lin {id=1, n=256}\n", "256 does not fit the field n" },
	{ HEAD "%y : f32[] secret = step.lin {table=$t}\n", "the table 't' is not defined" },
	{ HEAD "%y : f32[] secret = add gate sigma.add\n", "there is no gate 'sigma.add'" },
	{ HEAD "%y : f32[] secret alias %z = add\n", "the alias 'z' of 'y' is not defined" },
	{ HEAD "value %\"x : f32[] secret\n", "no closing quote" },
};

static void
parser_names_line_and_fault(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof syntax / sizeof syntax[0]; k++) {
		struct text t;
	text_open(&t);
		struct diag *d = diag_new(t.f, false);
		FILE *f = fmemopen((void *)(uintptr_t)(syntax[k].source[0] ? syntax[k].source : "\n"), strlen(syntax[k].source) + !*syntax[k].source, "r");
		struct prog *p = ir_parse(f, "test.ir", NULL, d);
		fclose(f);
		assert_null(p);
		assert_int_equal(diag_errors(d), 1);
		diag_free(d);
		fclose(t.f);
		if (k && !strstr(t.s, syntax[k].message))
			fail_msg("%s\nexpected: %s", t.s, syntax[k].message);
		free(t.s);
	}
}

/* Cut and damaged texts are refused or read, never worse. */
static void
parser_survives_damage(void **state)
{
	(void)state;
	uint64_t seed = 5;
	FILE *null = fopen("/dev/null", "w");
	for (int k = 0; k < 1500; k++) {
		struct diag *d = diag_new(null, k % 2);
		const char *from = round_trips[pick(&seed, 0, 2)];
		char *s = strdup(from);
		size_t len = strlen(s);
		for (int j = (int)pick(&seed, 1, 6); j > 0; j--)
			s[pick(&seed, 0, (int64_t)len - 1)] = pick(&seed, 0, 1) ? (char)pick(&seed, 1, 127) : from[pick(&seed, 0, (int64_t)len - 1)];
		if (pick(&seed, 0, 3) == 0)
			s[pick(&seed, 1, (int64_t)len - 1)] = 0;
		struct prog *p = parse(s, d);
		if (p)
			ir_check(p, p->stage);
		ir_free(p);
		diag_free(d);
		free(s);
	}
	fclose(null);
}

/* ---- what the checker refuses ---------------------------------------------------- */

/* A good program, and edits that break one rule each: the line that begins with `line`
 * becomes `instead`.  NULL: the unedited program, which must pass. */
struct edit { const char *line, *instead, *message; };

static const char float_good[] =
	HEAD
	"value %x : f32[2x4] secret\n"
	"const %w : f32[4x4] weight = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
	"const %b : f32[4] weight = 1 2 3 4\n"
	"const %i : i64[2] public = 1 0\n"
	"%y : f32[2x4] secret = matmul %x, %w, %b\n"
	"%g : f32[2x4] secret = gather %y, %i {axis=0}\n"
	"%s : f32[2x2] secret = slice %g {axis=1, start=0, step=2}\n"
	"%r : f32[2x1] secret = reduce_mean %s {axes=[-1], keepdims=1}\n"
	"%d : f32[2x2] secret = sub %s, %r\n"
	"input %x\n"
	"output %d\n";
static const struct edit float_edit[] = {
	{ NULL, NULL, NULL },
	{ "%y", "%y : f32[2x4] secret = matmul %x", "1 operands, expected 2 or more, at most 3" },
	{ "%y", "%y : f32[2x4] secret = matmul %x, %b, %b", "the bias 'b' should have the shape [1]" },
	{ "%y", "%y : f32[2x4] secret = matmul %w, %x", "inner dimensions 4 and 2 differ" },
	{ "%y", "%y : f32[2x3] secret = matmul %x, %w, %b", "the shape of the result should be [2x4]" },
	{ "%y", "%y : f32[2x4] secret = matmul %x, %w, %i", "the bias 'i' should have the shape [4]" },
	{ "%y", "%y : f32[2x4] public = matmul %x, %w, %b", "the result is public, but computed from 'x', which is secret" },
	{ "%y", "%y : f32[2x4] weight = matmul %x, %w, %b", "the result is weight, but computed from 'x'" },
	{ "%y", "%y : i64[2x4] secret = matmul %x, %w, %b", "the elements of the result are i64, expected f32" },
	{ "%y", "%y : f32[2x4] secret 50.12 = matmul %x, %w, %b", "has a ring width at stage FLOAT" },
	{ "%y", "%y : f32[2x4] masked = matmul %x, %w, %b", "'y' is masked, which is a form of stage SCHED" },
	{ "%y", "%y : f32[2x4] secret = rescale %x {shift=3}", "is not an operation of stage FLOAT" },
	{ "%y", "%y : f32[2x4] secret = step.lin %x {id=1}", "is not an operation of stage FLOAT" },
	{ "%g", "%g : f32[2x4] secret = gather %y, %i", "the attribute 'axis' is missing" },
	{ "%g", "%g : f32[2x4] secret = gather %y, %i {axis=0, eps=1}", "has no attribute 'eps'" },
	{ "%g", "%g : f32[2x4] secret = gather %y, %i {axis=2}", "axis 2 of an operand of rank 2" },
	{ "const %i", "%i : i64[2] secret = argmax %x {axis=1, keepdims=0}", "'i' is secret, but selects what is computed" },
	{ "%s", "%s : f32[2x2] secret = slice %g {axis=1, start=1, step=3}", "elements 1 to 4 of an axis of size 4" },
	{ "%y", "%y : f32[2x4] secret = layernorm %x, %b {eps=1e-5}", "gamma comes with beta, or neither is there" },
	{ "%y", "%y : f32[2x4] secret = rmsnorm %x, %i {eps=1e-5}", "'i' should have as many elements as the last axis" },
	{ "%d", "%d : f32[2x2] secret = sub %s, %g", "dimensions 2 and 4 do not broadcast" },
	{ "input", "", "uses 'x', which is neither defined nor a constant nor an input" },
	{ "input", "input %x, %x", "the input 'x' is listed twice" },
	{ "input", "input %x, %w", "the input 'w' is computed or constant" },
	{ "output", "", "the program has no output" },
	{ "const %b", "const %b : f32[4] secret = 1 2 3 4", "the constant 'b' is secret" },
	{ "value", "value %x : f32[2x4] secret range nan 1 proven", "the range of 'x' is not a number" },
};

static const char ring_good[] =
	"sufc-ir 1\nprogram \"m\" stage RING\n"
	"value %x : f32[2x2] secret 50.12\n"
	"const %w : i64[2x2] weight 50.12 = 1 2 3 4\n"
	"const %k : i64[2] public = 1 0\n"
	"%y : f32[2x2] secret 50.24 = matmul %x, %w\n"
	"%z : f32[2x2] secret 50.12 = rescale %y {shift=12}\n"
	"%a : f32[2x2] secret 50.12 = add %z, %x\n"
	"%t : f32[2x2] secret 50.12 = transpose %a {perm=[1,0]}\n"
	"%g : f32[2x2] secret 50.12 = gather %t, %k {axis=1}\n"
	"input %x\n"
	"output %g\n";
static const struct edit ring_edit[] = {
	{ NULL, NULL, NULL },
	{ "%a", "%a : f32[2x2] secret 50.12 = add %y, %x", "'y' has 24 fraction bits, the result has 12" },
	{ "%a", "%a : f32[2x2] secret 49.12 = add %z, %x", "'z' has 50 ring bits, the result has 49" },
	{ "%a", "%a : f32[2x2] secret 65.12 = add %z, %x", "has 65 ring bits" },
	{ "%y", "%y : f32[2x2] secret 50.12 = matmul %x, %w", "a product of 12 and 12 fraction bits has 12" },
	{ "%t", "%t : f32[2x2] secret 50.12 = transpose %a {perm=[1,1]}", "perm is not a permutation" },
	{ "value", "value %x : f32[2x2] secret", "'x' has 0 ring bits" },
	{ "const %k", "const %k : i64[2] weight 50.0 = 1 0", "'k' is not a public constant" },
	{ "%z", "%z : f32[2x2] secret 50.12 = rescale %y", "the attribute 'shift' is missing" },
};

static const char sched_good[] =
	"sufc-ir 1\nprogram \"m\" stage SCHED next_id 9 rounds 2 wire 32\n"
	"const %w : i64[2x2] weight 50.12 = 1 2 3 4\n"
	"%x : f32[2x2] masked 50.12 slot 0 input = step.input {id=1, count=4, m=50} round 0\n"
	"%p : f32[2x2] shared 50.24 slot 8 = step.matmul %x, %w {id=2, count=4, na=4, nb=4, n=50, m=50, weight_b=1, mm={batch=1, bh=1, rows=2, inner=2, cols=2, sa=[0,0,2,1], sb=[0,0,2,1]}}\n"
	"%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 1\n"
	"%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	"step.output %l {id=5, count=4, n=50}\n"
	"input %x\n"
	"output %l\n";
#define MATMUL "step.matmul %x, %w {id=2, count=4, na=4, nb=4, n=50, m=50, weight_b=1, mm={batch=1, bh=1, rows=2, inner=2, cols=2, sa=[0,0,2,1], sb=[0,0,2,1]}}"
static const struct edit sched_edit[] = {
	{ NULL, NULL, NULL },
	{ "%p", "%p : f32[2x2] masked 50.24 slot 8 = " MATMUL, "the result 'p' is masked, expected shared" },
	{ "%p", "%p : f32[2x2] shared 49.24 slot 8 = " MATMUL, "the pad of 'p' has 4 elements of 50 bits, the value 4 of 49" },
	{ "%p", "%p : f32[2x3] shared 50.24 slot 8 = " MATMUL, "count=4, 'p' has 6 elements" },
	{ "%p", "%p : f32[2x2] shared 50.24 slot 8 = step.matmul %x, %w {id=2, count=4, n=50, m=50}", "the step says weight_b=0, 'w' is weight" },
	{ "%p", "%p : f32[2x2] shared 50.24 slot 2 = " MATMUL, "'p' takes the place of 'x', which is still needed" },
	{ "%p", "%p : f32[2x2] shared 50.24 slot 30 = " MATMUL, "'p' ends at element 34 of a wire buffer of 32" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %x {id=3, count=4, n=50, m=50} round 1", "'x' is masked, only shared values are opened" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=2, count=4, n=50, m=50} round 1", "step id 2 is used twice: pads would repeat" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=9, count=4, n=50, m=50} round 1", "step id 9 is not between 1 and 8" },
	{ "%o", "%o : f32[2x2] masked 40.24 slot 8 = step.open %p {id=3, count=4, n=50, m=40} round 1", "opens 40 bits and drops 0 of 'p', which has 50" },
	{ "%o", "%o : f32[2x2] masked 40.24 slot 8 = step.open %p {id=3, count=4, n=50, m=40, s=10} round 1", "drops bits of both pads of 'p', but step 0" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 24 = step.open %p {id=3, count=4, n=50, m=50} round 1", "'o' is at 24, but shares the place of 'p' at 8" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 0", "nothing is sent in round 1" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 0\n%z : f32[2x2] shared 50.24 slot 24 = step.mul %o, %o {id=6, count=4, n=50, m=50, map={dim=[4], so=[1], sa=[1], sb=[1]}}\n"
	        "%zz : f32[2x2] masked 50.24 slot 24 = step.open %z {id=7, count=4, n=50, m=50} round 1", "reads 'x' before round 0 is exchanged" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 1\n%z : f32[2x2] shared 50.24 slot 24 = step.lin %p {id=6, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}, shared=1}", "reads the share 'p' after its opening" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 1\n%z : f32[2x2] masked 50.24 slot 24 = step.input {id=6, count=4, m=50} round 0", "a message of round 0 after one of round 1" },
	{ "%o", "%o : f32[2x2] masked 50.24 slot 8 = step.open %p {id=3, count=4, n=50, m=50} round 2", "round 2 of 2" },
	{ "%x", "%x : f32[2x2] masked 50.12 input = step.input {id=1, count=4, m=50} round 1", "nothing is sent in round 0" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %p {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}}", "the step says shared=0, its operands are shared" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %p {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}, shared=1}", "the result is masked, the operands of a local step are shared" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o, %p {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}, cb=1, shared=1}", "a local step on 'o', which is masked, and a shared value" },
	{ "%l", "%l : f32[2x2] shared 50.24 slot 16 = step.lin %p {id=4, count=4, na=4, n=50, m=50, ca=2, map={dim=[4], so=[1], sa=[1], sb=[1]}, shared=1}", "'l' is shared, expected masked" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.open %p {id=4, count=4, n=50, m=50} round 1", "'p' is opened twice" },
	{ "%l", "%l : f32[2x2] shared 50.24 slot 16 = step.mul %o, %p {id=4, count=4, n=50, m=50, map={dim=[4], so=[1], sa=[1], sb=[1]}}", "operand 'p' is shared, expected masked" },
	{ "%l", "%l : f32[2x2] shared 50.24 slot 16 = step.mul %o, %x {id=4, count=4, n=50, m=50, pad_a=1, map={dim=[4], so=[1], sa=[1], sb=[1]}}", "the mask of 'o' is not the pad of step 1" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = add %o, %o", "is not an operation of stage SCHED" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[4], so=[1], sa=[1], sb=[1], a0=1}}", "the map leaves the operand 'o'" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[4], so=[1], sa=[-1], sb=[1], a0=2}}", "the map leaves the operand 'o'" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[2,2], so=[1,2], sa=[2,-1], sb=[1,0], a0=1}}", NULL },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[2,2], so=[1,1], sa=[1,1], sb=[1,1]}}", "the map does not write each element of 'l' once" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[3], so=[1], sa=[1], sb=[1]}}", "the map does not write each element of 'l' once" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1, map={dim=[4], so=[2], sa=[1], sb=[1]}}", "the map leaves the result 'l'" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.lin %o {id=4, count=4, n=50, m=50, ca=1}", "needs a map" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.tril %o {id=4, count=4, n=50, m=50, c=2, rows={count=2, first=1, inc=1, period=2, level=0}}", "rows of 3 elements do not fit operands of 4 and 0 and a result of 4" },
	{ "%l", "%l : f32[2x2] masked 50.24 slot 16 = step.row_sum %o {id=4, count=4, n=50, m=50, rows={count=9999999999, first=1, inc=0, period=1, level=0}}", "needs rows that fit its operands" },
	{ "%l", "%l : f32[2x2] shared 1.0 slot 16 = step.lt %o {id=4, count=4, n=50, m=1, b=51}", "n=50, m=1, s=0, b=51 and a table of 0 entries do not go together" },
	{ "%l", "%l : f32[2x2] shared 38.12 slot 16 = step.trunc %o, %o {id=4, count=4, n=50, m=38, s=12, b=12}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 60.12 slot 16 = step.sext %o, %o {id=4, count=4, n=50, m=60, b=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.select %o, %o {id=4, count=4, n=50, m=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.lutsign %o, %o {id=4, count=4, n=50, m=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.lin4 %o, %o, %o {id=4, count=4, n=50, m=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.bitdot %o {id=4, count=4, na=4, n=50, m=50}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 50.12 slot 16 = step.pieces %o, %o {id=4, count=4, na=4, nb=4, n=50, m=50, b=1}", "'o' has 50 bits, a bit was expected" },
	{ "%l", "%l : f32[2x2] shared 38.12 slot 16 = step.trunc %o, %o {id=4, count=4, n=50, m=38, s=49, b=49, slack=1}", "n=50, m=38, s=49" },
	{ "%p", "%p : f32[2x2] shared 50.24 slot 8 = step.matmul %x, %w {id=2, count=4, n=50, m=50, weight_b=1, mm={batch=1, bh=1, rows=2, inner=3, cols=2, sa=[0,0,3,1], sb=[0,0,2,1]}}", "the product leaves the operand 'w'" },
	{ "const", "const %w : i64[2x2] weight 50.12 slot 3 = 1 2 3 4", "the weight 'w' has the number 3, expected 0" },
};

static char *
edited(const char *good, const struct edit *e)
{
	char *s = calloc(1, strlen(good) + 512), *to = s;
	for (const char *line = good; *line;) {
		size_t len = strcspn(line, "\n") + 1;
		if (e->line && !strncmp(line, e->line, strlen(e->line)) && line[strlen(e->line)] == ' ')
			to += sprintf(to, "%s\n", e->instead);
		else {
			memcpy(to, line, len);
			to += len;
		}
		line += len;
	}
	return s;
}

static void
try_edits(const char *good, const struct edit *e, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		struct text t;
	text_open(&t);
		struct diag *d = diag_new(t.f, false);
		char *s = edited(good, &e[k]);
		struct prog *p = parse(s, d);
		bool ok = p && ir_check(p, p->stage);
		ir_free(p);
		diag_free(d);
		fclose(t.f);
		if (!p || ok != !e[k].message || (e[k].message && !strstr(t.s, e[k].message)))
			fail_msg("%s\n%s\nexpected: %s", s, t.s, e[k].message ? e[k].message : "no error");
		free(t.s);
		free(s);
	}
}

static void
checker_names_each_fault(void **state)
{
	(void)state;
	try_edits(float_good, float_edit, sizeof float_edit / sizeof float_edit[0]);
	try_edits(ring_good, ring_edit, sizeof ring_edit / sizeof ring_edit[0]);
	try_edits(sched_good, sched_edit, sizeof sched_edit / sizeof sched_edit[0]);
}

static void
checker_sees_broken_structure(void **state)
{
	(void)state;
	struct text t;
	text_open(&t);
	struct diag *d = diag_new(t.f, false);
	struct prog *p = parse(float_good, d);
	struct node *last = p->last;
	ir_move_before(p, last, p->first);
	assert_false(ir_check(p, STAGE_FLOAT));
	ir_move_before(p, last, NULL);
	assert_true(ir_check(p, STAGE_FLOAT));
	last->in[0]->nuse++;
	assert_false(ir_check(p, STAGE_FLOAT));
	last->in[0]->nuse--;
	last->in[0]->name = "x";
	assert_false(ir_check(p, STAGE_FLOAT));
	last->in[0]->name = "s";
	assert_false(ir_check(p, STAGE_RING));
	diag_free(d);
	fclose(t.f);
	assert_non_null(strstr(t.s, "before its definition"));
	assert_non_null(strstr(t.s, "'s' has 2 uses, 3 are counted"));
	assert_non_null(strstr(t.s, "two values are called 'x'"));
	assert_non_null(strstr(t.s, "at stage FLOAT, expected RING"));
	free(t.s);
	ir_free(p);
}

/* ---- diagnostics ------------------------------------------------------------------ */

static void
diagnostics_as_text_and_json(void **state)
{
	(void)state;
	const struct loc at = { .file = "m.onnx", .node = "/a/\"b\"\x1b[1m", .op = "NonZero", .index = 57 };
	for (int json = 0; json < 2; json++) {
		struct text t;
	text_open(&t);
		struct diag *d = diag_new(t.f, json);
		diag_error(d, &at, "unsupported-op", "operator %s", "not supported");
		diag_hint(d, "first %d", 1);
		diag_hint(d, "second");
		diag_warning(d, NULL, "w", "careful");
		diag_quiet(d, true);
		diag_warning(d, NULL, "w", "not shown");
		diag_hint(d, "not shown");
		assert_int_equal(diag_errors(d), 1);
		assert_int_equal(diag_warnings(d), 2);
		assert_string_equal(diag_warning_text(d, 1), "not shown");
		diag_free(d);
		fclose(t.f);
		assert_string_equal(t.s, json ?
			"{\"severity\":\"error\",\"code\":\"unsupported-op\",\"file\":\"m.onnx\",\"node\":\"/a/\\\"b\\\"\\u001b[1m\",\"op\":\"NonZero\",\"index\":57,"
			"\"message\":\"operator not supported\",\"hints\":[\"first 1\",\"second\"]}\n"
			"{\"severity\":\"warning\",\"code\":\"w\",\"message\":\"careful\",\"hints\":[]}\n" :
			"m.onnx:/a/\"b\"?[1m (#57, NonZero): error: operator not supported [unsupported-op]\n"
			"    hint   first 1\n    hint   second\n"
			"sufc: warning: careful [w]\n");
		free(t.s);
	}
}

/* A field that is not in step_fields.def would be lost in the text and in emitted programs. */
static void
every_step_field_is_printed(void **state)
{
	(void)state;
	struct suf_step s = { 0 };
	size_t known = sizeof s.op + sizeof s.id + sizeof s.map + sizeof s.mm + sizeof s.rows + sizeof s.table + sizeof s.in + sizeof s.out + sizeof s.klass;
#define FIELD(name) known += sizeof s.name;
#include "ir/step_fields.def"
#undef FIELD
	assert_in_range(known, sizeof s - 7, sizeof s); /* at most padding is missing */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_keeps_lists_and_uses), cmocka_unit_test(names_are_unique), cmocka_unit_test(attributes_and_constants),
		cmocka_unit_test(steps_get_ids_and_own_their_parameters), cmocka_unit_test(arena_memory_is_zero_and_aligned),
		cmocka_unit_test(print_of_parse_is_identity), cmocka_unit_test(random_programs_round_trip), cmocka_unit_test(large_constants_lie_beside_the_text),
		cmocka_unit_test(parser_names_line_and_fault), cmocka_unit_test(parser_survives_damage), cmocka_unit_test(checker_names_each_fault),
		cmocka_unit_test(checker_sees_broken_structure), cmocka_unit_test(diagnostics_as_text_and_json), cmocka_unit_test(every_step_field_is_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

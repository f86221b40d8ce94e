/* SPDX-License-Identifier: Apache-2.0
 * ir_parse_test.c -- the text form of programs: what is printed is read again, and what the parser refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "ir_text.h"

static const struct type secret = { .sec = SEC_SECRET };

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
	/* public weights */
	"sufc-ir 1\n"
	"program \"p\" stage SCHED next_id 3 weights public rounds 1 wire 8\n"
	"const %w : i64[1x2] weight 50.12 = 1 2\n"
	"%x : f32[2x1] masked 50.12 input = step.input {id=1, count=2, m=50} class other round 0\n"
	"%y : f32[2x2] masked 50.24 slot 8 = step.wmul %x, %w {id=2, count=4, na=2, nb=2, n=50, m=50, mm={batch=1, bh=1, rows=2, inner=1, cols=2, sa=[0,0,1,1], sb=[0,0,2,1]}} class matmul round 1\n",
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
		struct prog *p = text_parse(round_trips[k], d);
		assert_non_null(p);
		char *s = text_print(p);
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
		char *once = text_print(p);
		struct prog *q = text_parse(once, d);
		if (!q)
			fprintf(stderr, "%s", once);
		assert_non_null(q);
		char *twice = text_print(q);
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
	struct node *a = sum_node(p, x, ir_const(p, "w", DT_F32, SEC_WEIGHT, 2, dim, w), "a");
	struct node *b = sum_node(p, a->out[0], ir_const(p, "u", DT_I64, SEC_WEIGHT, 2, dim, u), "b");
	ir_add_output(p, b->out[0]);
	FILE *f = fopen(data_path, "wb");
	ir_print_data(p, f);
	fclose(f);
	char *once = text_print(p);
	f = fmemopen(once, strlen(once), "r");
	struct prog *q = ir_parse(f, path, NULL, d);
	fclose(f);
	assert_non_null(q);
	assert_memory_equal(ir_find(q, "w")->data, w, sizeof w);
	assert_memory_equal(ir_find(q, "u")->data, u, sizeof u);
	char *twice = text_print(q);
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
		struct prog *p = text_parse(s, d);
		if (p)
			ir_check(p, p->stage);
		ir_free(p);
		diag_free(d);
		free(s);
	}
	fclose(null);
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
		cmocka_unit_test(print_of_parse_is_identity), cmocka_unit_test(random_programs_round_trip),
		cmocka_unit_test(large_constants_lie_beside_the_text), cmocka_unit_test(parser_names_line_and_fault),
		cmocka_unit_test(parser_survives_damage), cmocka_unit_test(every_step_field_is_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

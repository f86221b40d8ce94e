/* SPDX-License-Identifier: Apache-2.0
 * suf_act_test.c -- descriptors as gates: through both parties, bit for bit what descriptor_eval() says; exhaustively in
 * small rings, at random in large ones; costs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/descriptor.h"

enum { MANY = 1500 };            /* more than a block */

static struct arena *mem;
static int setup(void **state) { (void)state; mem = arena_new(); return 0; }
static int teardown(void **state) { (void)state; arena_free(mem); return 0; }

/* y = d(x) from n to m bits, x with `in` fraction bits */
static struct val *
program(struct gt *t, const struct descriptor *d, unsigned in, unsigned n, unsigned m, uint64_t count)
{
	gt_init(t, n, in);
	t->opt.gates = "suf";
	struct val *y = gt_op(t, OP_act, d->out, SHAPE((int64_t)count), 1, gt_input(t, SHAPE((int64_t)count)));
	y->def->desc = d;
	y->type.bits = (uint8_t)m;
	if (in != d->out)
		ir_set_int(t->p, y->def, ATTR_shift, (int64_t)in - (int64_t)d->out);
	return y;
}

static void
check(const struct descriptor *d, unsigned in, unsigned n, unsigned m, const int64_t *x, uint64_t count, const char *what)
{
	struct gt t;
	int64_t *want = gt_array(count), *got = gt_array(count);
	struct val *y = program(&t, d, in, n, m, count);
	for (uint64_t i = 0; i < count; i++)
		want[i] = gt_signed((uint64_t)descriptor_eval(d, in, x[i]), m);
	gt_compile(&t, y);
	gt_run(&t, &x, got);
	for (uint64_t i = 0; i < count; i++)
		if (got[i] != want[i])
			fail_msg("%s, %u.%u to %u.%u bits: f(%lld) = %lld, expected %lld", what, n, in, m, d->out, (long long)x[i], (long long)got[i], (long long)want[i]);
	free(want);
	free(got);
	gt_free(&t);
}

/* Every |x| < 2^(n-2). */
static void
check_all(const struct descriptor *d, unsigned in, unsigned n, unsigned m, const char *what)
{
	const uint64_t count = UINT64_C(1) << (n - 1);
	int64_t *x = gt_array(count);
	for (uint64_t i = 0; i < count; i++)
		x[i] = (int64_t)i - (INT64_C(1) << (n - 2));
	check(d, in, n, m, x, count, what);
	free(x);
}

/* ---- tables in small rings --------------------------------------------------------- */

static int64_t
below(int64_t n) { return (int64_t)(gt_random() % (uint64_t)n); }

/* Cells of 2^-e of inputs with `in` bits, results with `out`; tails by digits: kind and slope of the left, of the right. */
static struct descriptor *
random_table(unsigned in, unsigned out, unsigned e, unsigned k, int64_t first, int tails)
{
	struct descriptor *d = arena_alloc(mem, sizeof *d);
	int64_t *cell = arena_alloc(mem, (1u << k) * sizeof *cell);
	*d = (struct descriptor){ .name = "t", .fitted = true, .form = DESC_TABLE, .in = in, .out = out, .e = e, .ncell = 1u << k, .first = first, .cell = cell,
	                          .split = first + below((1 << k) + 1) };
	for (uint32_t i = 0; i < d->ncell; i++)
		cell[i] = below(41) - 20;
	for (int side = 0; side < 2; side++, tails /= 3)
		d->tail[side] = (struct tail){ tails % 3 == 2 ? TAIL_NONE : TAIL_LINE, tails % 3 == 1, below(3) ? below(31) - 15 : 0 };
	for (int side = 0; side < 2; side++)
		if (d->tail[side].kind == TAIL_NONE)
			d->tail[side] = (struct tail){ TAIL_NONE, d->tail[!side].slope, d->tail[!side].kind == TAIL_NONE ? 0 : d->tail[!side].c };
	if (d->tail[0].kind == TAIL_NONE && d->tail[1].kind == TAIL_NONE)
		d->tail[0].slope = d->tail[1].slope = 0;
	d->lo = ldexp((double)first, -(int)e);
	d->hi = ldexp((double)(first + (1 << k)), -(int)e);
	return d;
}

static void
small_tables(void **state)
{
	(void)state;
	const unsigned n = 11;
	for (int tails = 0; tails < 9; tails++)
		for (unsigned shape = 0; shape < 5; shape++) {
			const unsigned in = shape == 0 ? 3 : 5, out = 3, e = shape == 0 ? 3 : shape == 1 ? 5 : shape == 4 ? 3 : 2, k = shape == 3 ? 1 : 3;
			const unsigned m[] = { 7, n, n + 6 };
			struct descriptor *d = random_table(in, out, e, k, shape == 2 ? 0 : -4 + below(4), tails);
			char what[64];
			snprintf(what, sizeof what, "tails %d, shape %u", tails, shape);
			for (int j = 0; j < 3; j++)
				check_all(d, in, n, m[j], what);
			d->ncell = 0;        /* the lines alone */
			check_all(d, in, n, m[shape % 3], what);
		}
	/* one cell, a constant, both lines the same without a shift */
	struct descriptor *d = random_table(4, 3, 1, 0, -1, 4);
	check_all(d, 4, 10, 10, "one cell");
	d->ncell = 0;
	d->tail[0] = d->tail[1] = (struct tail){ TAIL_LINE, 0, 5 };
	check_all(d, 4, 10, 12, "a constant");
	d->tail[0] = d->tail[1] = (struct tail){ TAIL_LINE, 1, -2 };
	check_all(d, 3, 10, 10, "x - 1/4");
	check_all(d, 3, 10, 14, "x - 1/4, wider");
	check_all(d, 5, 10, 9, "x >> 2");
}

/* ---- pieces in small rings ------------------------------------------------------------- */

static struct descriptor *
random_pieces(unsigned in, unsigned out, unsigned frac, unsigned scale, unsigned degree, int pieces, int tails)
{
	struct descriptor *d = random_table(in, out, 1, 1, -1, tails);
	struct piece *piece = arena_alloc(mem, (size_t)pieces * sizeof *piece);
	d->form = DESC_PIECES;
	d->ncell = 0;
	d->frac = frac;
	d->scale = scale;
	d->degree = degree;
	d->npiece = pieces;
	d->piece = piece;
	int64_t at = -10;
	d->lo = ldexp((double)at, -(int)frac);
	for (int k = 0; k < pieces; k++, at += 1 + below(4)) {
		piece[k].from = at;
		for (unsigned j = 0; j <= degree; j++)
			piece[k].c[j] = below(65) - 32;
	}
	d->hi = ldexp((double)at, -(int)frac);
	return d;
}

static void
small_pieces(void **state)
{
	(void)state;
	const unsigned n = 10;
	for (int tails = 0; tails < 4; tails++)
		for (unsigned degree = 0; degree <= 3; degree++)
			for (unsigned in = 3; in <= 5; in += 2) {
				const int count[] = { 1, 2, 5, 8 };
				const unsigned m[] = { 6, n, 16 };
				for (unsigned k = 0; k < 4; k++) {
					const int t = (int[]){ 0, 1, 3, 4 }[tails]; /* constants and slopes */
					struct descriptor *d = random_pieces(in, 3, 3, 3 + k, degree, count[k], t);
					check_all(d, in, n, m[(k + degree) % 3], "pieces");
				}
			}
	/* beyond a tail `none` the outer pieces go on; the ring must hold them only on the domain */
	struct descriptor *d = random_pieces(3, 3, 3, 3, 2, 4, 8);
	check_all(d, 3, 10, 10, "pieces without tails");
}

/* ---- large rings ---------------------------------------------------------------------- */

/* Near a cut, near zero, anywhere in the gap. */
static int64_t
pick(const struct descriptor *d, unsigned in, unsigned n)
{
	const unsigned wide = (unsigned)(3 + ceil(log2(fmax(fabs(d->lo), fabs(d->hi)) + 1))) + in;
	const int64_t cut = d->form == DESC_TABLE ? (d->first + below(d->ncell + 1)) * (INT64_C(1) << (in - d->e))
	                                          : d->piece[below(d->npiece)].from * (INT64_C(1) << (in - d->frac));
	switch (gt_random() % 8) {
	case 0: return gt_bits(n - 1);
	case 1: return below(5) - 2;
	case 2: return (below(2) ? INT64_C(1) << (n - 2) : -(INT64_C(1) << (n - 2)) + 1) - 1;
	case 3: case 4: return cut + below(5) - 2;
	default: return gt_bits(wide < n - 1 ? wide : n - 1);
	}
}

static void
check_random(const struct descriptor *d, unsigned in, unsigned n, unsigned m, uint64_t count)
{
	int64_t *x = gt_array(count);
	for (uint64_t i = 0; i < count; i++)
		do
			x[i] = pick(d, in, n);
		while ((d->tail[0].kind == TAIL_NONE && ldexp((double)x[i], -(int)in) < d->lo) || (d->tail[1].kind == TAIL_NONE && ldexp((double)x[i], -(int)in) >= d->hi));
	check(d, in, n, m, x, count, d->name);
	free(x);
}

static void
large_rings(void **state)
{
	(void)state;
	static const unsigned ring[] = { 37, 48, 50, 51, 64 };
	for (int k = 0; k < ndesc_builtins; k++) {
		const struct descriptor *wide = desc_builtin_make(mem, &desc_builtins[k], 24, 12), *narrow = desc_builtin_make(mem, &desc_builtins[k], 12, 12);
		for (int r = 0; r < 5; r++) {
			const unsigned n = ring[r];
			const bool heavy = wide->ncell > 2048 && r != 3;   /* large tables at one ring */
			check_random(wide, 24, n, n, heavy ? 33 : r == 3 ? MANY : 201);
			if (r == 0 || r == 3)
				check_random(narrow, 12, n, n + 7 <= 64 ? n + 7 : n, heavy ? 33 : 257);
		}
	}
}

/* Other numbers of fraction bits, and the rows of the gate table. */
static void
rows(void **state)
{
	(void)state;
	const struct { enum op op; int tanh_form; const char *name; } row[] = {
		{ OP_relu, 0, "relu" }, { OP_gelu, 0, "gelu" }, { OP_gelu, 1, "gelu_tanh" }, { OP_silu, 0, "silu" }, { OP_tanh, 0, "tanh" }, { OP_sigmoid, 0, "sigmoid" },
		{ OP_erf, 0, "erf" },
	};
	enum { COUNT = 77 };
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++)
		for (unsigned f = 8; f <= 15; f += 7)
			for (unsigned shift = 0; shift <= f; shift += f) {
				struct gt t;
				int64_t x[COUNT], want[COUNT], got[COUNT];
				const int64_t *in = x;
				const struct descriptor *d = desc_builtin_make(mem, desc_builtin_find(row[k].name), f + shift, f);
				gt_init(&t, 48, f + shift);
				t.opt.gates = "suf";
				struct val *y = gt_op(&t, row[k].op, f, SHAPE(COUNT), 1, gt_input(&t, SHAPE(COUNT)));
				if (row[k].op == OP_gelu)
					ir_set_int(t.p, y->def, ATTR_tanh, row[k].tanh_form);
				if (shift)
					ir_set_int(t.p, y->def, ATTR_shift, shift);
				for (int i = 0; i < COUNT; i++) {
					x[i] = gt_bits(f + shift + 6);
					want[i] = descriptor_eval(d, f + shift, x[i]);
				}
				gt_compile(&t, y);
				assert_string_equal(t.p->first->next->klass, "gelu");
				gt_run(&t, &in, got);
				if (!gt_same(row[k].name, got, want, COUNT))
					fail_msg("%s with %u + %u fraction bits", row[k].name, f, shift);
				gt_free(&t);
			}
}

/* A ring without room is an error with a way out, not a wrong number. */
static void
narrow_rings(void **state)
{
	(void)state;
	struct gt t;
	char *log;
	size_t size;
	FILE *to = open_memstream(&log, &size);
	const struct descriptor *d = desc_builtin_make(mem, desc_builtin_find("silu"), 24, 12);
	struct val *y = program(&t, d, 24, 28, 28, 4);
	diag_free(t.diag);
	t.diag = t.p->diag = diag_new(to, false);
	ir_add_output(t.p, y);
	assert_true(pass_bind(t.p));
	t.p->stage = STAGE_GATE;
	assert_false(pass_expand(t.p));
	gt_free(&t);
	fclose(to);
	assert_non_null(strstr(log, "needs a ring of at least 30 bits"));
	free(log);
}

/* ---- costs ---------------------------------------------------------------------------- */

static struct cost
cost_of(const char *name, unsigned in, unsigned n, unsigned m, uint64_t count)
{
	struct gt t;
	struct cost c;
	const struct descriptor *d = desc_builtin_make(mem, desc_builtin_find(name), in, 12);
	struct val *y = program(&t, d, in, n, m, count);
	gt_compile(&t, y);
	prog_cost(t.p, &c);
	gt_free(&t);
	return c;
}

/* Bits that a party sends for one element, rounds after the input's. */
static void
traffic(void **state)
{
	(void)state;
	const struct { const char *name; unsigned in, bits, rounds; } row[] = {
		{ "gelu", 24, 1 + 1 + 2 + 2 + 12 + 51, 3 }, { "silu", 24, 1 + 1 + 2 + 2 + 13 + 51, 3 }, { "tanh", 24, 1 + 2 + 2 + 14 + 51, 3 }, { "exp", 24, 1 + 1 + 1 + 14 + 51, 3 },
		{ "relu", 24, 1 + 1 + 1 + 51, 3 }, { "relu", 12, 1 + 51, 2 }, { "trunc", 24, 1 + 51, 2 }, { "gelu", 12, 1 + 2 + 2 + 12 + 51, 3 },
	};
	for (size_t k = 0; k < sizeof row / sizeof row[0]; k++) {
		const struct cost c = cost_of(row[k].name, row[k].in, 51, 51, 800);
		if (c.total.sent[0] != 100 * row[k].bits || c.total.rounds != 1 + row[k].rounds)
			fail_msg("%s: %g bits in %u rounds", row[k].name, (double)c.total.sent[0] / 100, c.total.rounds - 1);
	}
}

/* What docs/suf.md says of gelu: a table, and linear pieces. */
static void
documented_costs(void **state)
{
	(void)state;
	struct descriptor w = *desc_builtin_want(mem, desc_builtin_find("gelu"));
	const struct desc_cost table = descriptor_cost(desc_builtin_make(mem, desc_builtin_find("gelu"), 24, 12), 51);
	assert_true(floor(table.key) == 890 && table.sent * 8 == 69 && table.rounds == 3);
	w.in = 24;
	const struct desc_cost pieces = descriptor_cost(desc_pieces(mem, &w, 1), 51);
	assert_true(floor(pieces.key) == 913 && pieces.sent * 8 == 147 && pieces.rounds == 6);
	assert_true(isinf(descriptor_cost(desc_builtin_make(mem, desc_builtin_find("silu"), 24, 12), 28).total));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(small_tables), cmocka_unit_test(small_pieces), cmocka_unit_test(large_rings), cmocka_unit_test(rows),
		                            cmocka_unit_test(narrow_rings), cmocka_unit_test(traffic), cmocka_unit_test(documented_costs) };
	return cmocka_run_group_tests(tests, setup, teardown);
}

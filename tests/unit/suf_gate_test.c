/* SPDX-License-Identifier: Apache-2.0
 * suf_gate_test.c -- the gate set `suf`: truncation with a gap into any ring; products are those of `sigma`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"

enum { N = 1500 };               /* more than a block */

/* x in [-2^(b-1), 2^(b-1)), edges among them */
static int64_t
pick(unsigned b)
{
	const int64_t least = gt_signed(1ull << (b - 1), b);
	switch (gt_random() % 6) {
	case 0: return least;
	case 1: return -(least + 1);
	case 2: return (int64_t)(gt_random() % 5) - 2;
	default: return gt_bits(b);
	}
}

/* ---- truncation ---------------------------------------------------------------- */

static uint64_t bytes(uint64_t bits) { return (bits + 7) / 8; }

/* n -> m bits, shifted by s, x of at most `most` bits: right, and so many bytes are sent */
static void
check_rescale(unsigned n, int s, unsigned m, unsigned most, uint64_t sent)
{
	struct gt t;
	int64_t x[N], want[N], got[N];
	const int64_t *in = x;
	struct cost c;
	gt_init(&t, n, 12);
	t.opt.gates = "suf";
	struct val *out = gt_rescale(&t, gt_input(&t, SHAPE(N)), s);
	out->type.bits = (uint8_t)m;
	for (int i = 0; i < N; i++) {
		x[i] = pick(most);
		want[i] = gt_signed((uint64_t)(x[i] >> s), m);
	}
	gt_compile(&t, out);
	prog_cost(t.p, &c);
	assert_int_equal(c.total.sent[0], sent);
	assert_int_equal(c.total.rounds, 1 + (s ? 2 : sent > 0));
	gt_run(&t, &in, got);
	if (!gt_same("rescale", got, want, N))
		fail_msg("%u bits >> %d to %u bits", n, s, m);
	gt_free(&t);
}

static void
rescale(void **state)
{
	(void)state;
	static const unsigned ring[] = { 37, 48, 50, 51, 64 };
	for (int k = 0; k < 5; k++) {
		const unsigned n = ring[k], to[] = { n - 20, n - 12, n - 11, n, n + 7 };
		for (int j = 0; j < 5; j++) {
			if (to[j] > 64)
				continue;
			check_rescale(n, 12, to[j], j < 2 ? n : n - 1, bytes(N) + bytes((uint64_t)N * to[j]));
			check_rescale(n, 15, to[j], n - 1, bytes(N) + bytes((uint64_t)N * to[j]));
			check_rescale(n, 0, to[j], to[j] > n ? n - 1 : n, to[j] > n ? bytes((uint64_t)N * to[j]) : 0);
		}
	}
}

/* ---- what is as in sigma ---------------------------------------------------------- */

static char *
compiled(const char *set, int which)
{
	static const int64_t w[20] = { 1, 2, 3, 4, 5 };
	struct gt t;
	char *s = NULL;
	size_t size;
	gt_init(&t, 50, 12);
	t.opt.gates = set;
	struct val *x = gt_input(&t, SHAPE(3, 4)), *y;
	switch (which) {
	case 0: y = gt_op(&t, OP_matmul, 24, SHAPE(3, 5), 2, x, gt_const(&t, SEC_WEIGHT, 12, SHAPE(4, 5), w)); break;
	case 1: y = gt_op(&t, OP_mul, 24, SHAPE(3, 4), 2, x, x); break;
	case 2:
		x->dtype = DT_I64;
		x->type.frac = 0;
		x->onehot = 5;
		y = gt_op(&t, OP_embedding, 12, SHAPE(3, 4, 4), 2, gt_const(&t, SEC_WEIGHT, 12, SHAPE(5, 4), w), x);
		break;
	default:
		y = gt_op(&t, OP_argmax, 0, SHAPE(3), 1, x);
		ir_set_int(t.p, y->def, ATTR_axis, 1);
		ir_set_int(t.p, y->def, ATTR_keepdims, 0);
	}
	gt_compile(&t, y);
	FILE *to = open_memstream(&s, &size);
	t.p->gates = NULL;                       /* only the label differs */
	ir_print(t.p, to);
	fclose(to);
	gt_free(&t);
	return s;
}

static void
as_in_sigma(void **state)
{
	(void)state;
	for (int k = 0; k < 4; k++) {
		char *suf = compiled("suf", k), *sigma = compiled("sigma", k);
		assert_non_null(strstr(suf, "step.open"));
		assert_string_equal(suf, sigma);
		free(suf), free(sigma);
	}
}

/* A set of which gates are missing is none to choose, but a gates file may name its gates. */
static void
sets(void **state)
{
	(void)state;
	assert_true(gates_is_set("sigma") && gates_is_set("auto"));
	assert_false(gates_is_set("local") || gates_is_set("nothing"));
	for (int k = 0; k < ngates; k++)
		if (gates_is_set(gates[k].set))
			for (int j = 0; j < ngates; j++)
				assert_true(strcmp(gates[j].set, "sigma") || !strcmp(gate_find(gates[k].set, gates[j].op)->set, gates[k].set));
	assert_string_equal(gate_find("suf", OP_rescale)->set, "suf");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(rescale), cmocka_unit_test(as_in_sigma), cmocka_unit_test(sets) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

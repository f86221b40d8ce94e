/* SPDX-License-Identifier: Apache-2.0
 * gate_test.c -- truncation, activations, softmax, norms and argmax against their
 * definition in clear integers, on random inputs; simulation, dealer and parties agree (support/gate_run.h).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"

static const unsigned ring[] = { 37, 48, 50, 51, 64 };
enum { NRING = sizeof ring / sizeof ring[0] };

/* ---- definitions ------------------------------------------------------------ */

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t trunc_to(double x) { return (int64_t)x; }

static double gelu_erf(double z) { return z * 0.5 * (1 + erf(z / sqrt(2))); }
static double gelu_tanh(double z) { return 0.5 * z * (1 + tanh(sqrt(2 / acos(-1)) * (z + 0.044715 * z * z * z))); }
static double silu(double z) { return z / (1 + exp(-z)); }
static double sigmoid(double z) { return 1 / (1 + exp(-z)); }

static int64_t
clear_relu_minus(int64_t x, unsigned f, unsigned bits, double (*fn)(double))
{
	int64_t y = x >> (f - 6), m = min64(y < 0 ? -y : y, (1 << bits) - 1);
	double z = (double)m / 64;
	return (y >= 0 ? x : 0) - trunc_to((z - fn(z)) * ldexp(1, (int)f));
}

/* e^-x in two tables, of which the low one has `low` bits */
static int64_t
clear_exp(int64_t x, unsigned f)
{
	unsigned p = f + 4, low = p - 8 > 7 ? p - 8 : 7;
	int64_t c = min64(x, (INT64_C(1) << p) - 1), one = INT64_C(1) << f;
	if (p < 14)
		return trunc_to(exp(-ldexp((double)c, -(int)f)) * (double)one);
	int64_t hi = trunc_to(exp(-ldexp((double)(c >> low), (int)low - (int)f)) * (double)one);
	int64_t lo = trunc_to(exp(-ldexp((double)(c & ((1 << low) - 1)), -(int)f)) * (double)one);
	return (hi * lo) >> f;
}

static void
clear_softmax(const int64_t *x, uint64_t len, uint64_t longest, unsigned f, int64_t *out)
{
	int64_t most = x[0], sum = 0;
	unsigned q = 6;
	while ((1ull << (q - 6)) < longest || q < 7)
		q++;
	for (uint64_t i = 0; i < len; i++)
		most = max64(most, x[i]);
	for (uint64_t i = 0; i < len; i++)
		sum += out[i] = clear_exp(most - x[i], f);
	int64_t i = (sum >> (f - 6)) % (INT64_C(1) << q), inv = trunc_to(ldexp(1, (int)f + 6) / (i ? (double)i : ldexp(1, (int)q)));
	for (uint64_t k = 0; k < len; k++)
		out[k] = (out[k] * inv) >> f;
}

static int64_t
clear_rsqrt(int64_t v, uint64_t d, unsigned f)
{
	int k = 63 - __builtin_clzll((uint64_t)v);
	int64_t m = k >= 7 ? v >> (k - 7) : v << (7 - k); /* 128 .. 255 */
	return trunc_to(ldexp(1, 2 * (int)f) / sqrt(((double)m + 0.5) * ldexp(1, k - 7) / (double)d));
}

static void
clear_norm(const int64_t *x, uint64_t d, unsigned f, unsigned mean_bits, bool center, const int64_t *g, const int64_t *b, double eps, int64_t *out)
{
	int64_t sum = 0, v = max64(llround(eps * (double)d * ldexp(1, 2 * (int)f)), 1), mean = 0;
	for (uint64_t i = 0; i < d; i++)
		sum += x[i];
	if (center && (d & (d - 1)) == 0)
		mean = sum >> __builtin_ctzll(d);
	else if (center)
		mean = (sum * llround(ldexp(1, (int)mean_bits) / (double)d)) >> mean_bits;
	for (uint64_t i = 0; i < d; i++)
		v += (x[i] - mean) * (x[i] - mean);
	int64_t t = clear_rsqrt(v, d, f);
	for (uint64_t i = 0; i < d; i++)
		out[i] = g ? ((((x[i] - mean) * t) >> f) * g[i] + (b ? b[i] : 0)) >> f : ((x[i] - mean) * t) >> f;
}

/* ---- helpers ------------------------------------------------------------------ */

/* x of `bits` bits, edges among them */
static int64_t
pick(unsigned bits)
{
	switch (gt_random() % 8) {
	case 0: return gt_signed(1ull << (bits - 1), bits);
	case 1: return gt_signed((1ull << (bits - 1)) - 1, bits);
	case 2: return (int64_t)(gt_random() % 600) - 300;
	case 3: return (int64_t)(gt_random() % 3) - 1;
	default: return gt_bits(bits);
	}
}

/* ---- truncation ----------------------------------------------------------------- */

static void
rescale_is_floor(void **state)
{
	(void)state;
	const int shift[] = { 12, 6, 9, 15, 20 };
	for (int k = 0; k < NRING; k++)
		for (int j = 0; j < 5; j++) {
			enum { N = 300 };
			struct gt t;
			int64_t x[N], want[N];
			gt_init(&t, ring[k], 12);
			for (int i = 0; i < N; i++) {
				x[i] = pick(ring[k]);
				want[i] = x[i] >> shift[j];
			}
			gt_expect(&t, gt_rescale(&t, gt_input(&t, SHAPE(N)), shift[j]), x, want, "rescale");
		}
}

/* ---- activations ------------------------------------------------------------------ */

struct act { enum op op; bool tanh_form; unsigned bits; double (*fn)(double); const char *name; };

static void
check_act(const struct act *a, unsigned n, unsigned f)
{
	enum { N = 400 };
	struct gt t;
	int64_t x[N], want[N];
	gt_init(&t, n, f);
	struct val *y = gt_rescale(&t, gt_input(&t, SHAPE(20, N / 20)), (int)f);
	struct val *out = gt_op(&t, a->op, f, SHAPE(20, N / 20), 1, y);
	if (a->op == OP_gelu && a->tanh_form)
		ir_set_int(t.p, out->def, ATTR_tanh, 1);
	const int64_t edge = (INT64_C(1) << a->bits) << (f - 6);
	for (int i = 0; i < N; i++) {
		int64_t y0 = i < 20 ? (i & 1 ? edge : -edge) + i / 2 - 5
		           : i < 250 ? (int64_t)(gt_random() % (uint64_t)(3 * edge)) - 3 * edge / 2 : pick(n - f);
		x[i] = gt_raised(y0, f);
		want[i] = a->op == OP_relu ? max64(y0, 0) : clear_relu_minus(y0, f, a->bits, a->fn);
	}
	gt_expect(&t, out, x, want, a->name);
}

static void
relu_minus_table(void **state)
{
	(void)state;
	const struct act act[] = {
		{ OP_relu, false, 8, NULL, "relu" }, { OP_gelu, false, 8, gelu_erf, "gelu" },
		{ OP_gelu, true, 8, gelu_tanh, "gelu tanh" }, { OP_silu, false, 10, silu, "silu" },
	};
	const unsigned frac[] = { 8, 12, 12, 12, 16 };
	for (int a = 0; a < 4; a++)
		for (int k = 0; k < NRING; k++)
			check_act(&act[a], ring[k], frac[k]);
}

/* Odd functions: against the function itself. */
static void
check_odd(enum op op, double (*fn)(double), double most, unsigned n, unsigned f)
{
	enum { N = 500 };
	struct gt t;
	int64_t x[N], got[N];
	const int64_t *in = x;
	gt_init(&t, n, f);
	struct val *out = gt_op(&t, op, f, SHAPE(N), 1, gt_rescale(&t, gt_input(&t, SHAPE(N)), (int)f));
	for (int i = 0; i < N; i++)
		x[i] = gt_raised(i < 400 ? (int64_t)(gt_random() % (20u << f)) - (10 << f) : pick(n - f), f);
	gt_compile(&t, out);
	gt_run(&t, &in, got);
	double worst = 0;
	for (int i = 0; i < N; i++)
		worst = fmax(worst, fabs(ldexp((double)got[i], -(int)f) - fn(ldexp((double)(x[i] >> f), -(int)f))));
	if (worst > most + ldexp(1, -(int)f - 1))
		fail_msg("error %g", worst);
	gt_free(&t);
}

static void
odd_functions(void **state)
{
	(void)state;
	for (int k = 0; k < NRING; k++) {
		const unsigned f = k == 0 ? 10 : 12;
		check_odd(OP_tanh, tanh, 0x1p-9, ring[k], f);
		check_odd(OP_erf, erf, 0x1p-9, ring[k], f);
		check_odd(OP_sigmoid, sigmoid, 0x1p-10, ring[k], f);
	}
}

/* ---- softmax ------------------------------------------------------------------------ */

static void
check_softmax(int64_t len, int64_t rows, unsigned n, unsigned f)
{
	struct gt t;
	const uint64_t count = (uint64_t)(len * rows);
	int64_t *x = gt_array(count), *y = gt_array(count), *want = gt_array(count);
	gt_init(&t, n, f);
	struct val *out = gt_op(&t, OP_softmax, f, SHAPE(rows, len), 1, gt_rescale(&t, gt_input(&t, SHAPE(rows, len)), (int)f));
	ir_set_int(t.p, out->def, ATTR_axis, -1);
	for (int64_t r = 0; r < rows; r++) {
		bool equal = r == 0, wide = r == 1;
		for (int64_t i = r * len; i < (r + 1) * len; i++) {
			y[i] = equal ? -5 : wide ? gt_bits(n - f) : (int64_t)(gt_random() % (18u << f)) - (9 << f);
			x[i] = gt_raised(y[i], f);
		}
		clear_softmax(y + r * len, (uint64_t)len, (uint64_t)len, f, want + r * len);
	}
	gt_expect(&t, out, x, want, "softmax");
	free(x), free(y), free(want);
}

/* Along the middle axis */
static void
softmax_axis(void **state)
{
	(void)state;
	enum { A = 3, L = 5, B = 4 };
	struct gt t;
	int64_t x[A * L * B], want[A * L * B], row[L], soft[L];
	gt_init(&t, 50, 12);
	struct val *out = gt_op(&t, OP_softmax, 12, SHAPE(A, L, B), 1, gt_input(&t, SHAPE(A, L, B)));
	ir_set_int(t.p, out->def, ATTR_axis, 1);
	for (int i = 0; i < A * L * B; i++)
		x[i] = (int64_t)(gt_random() % (8u << 12)) - (4 << 12);
	for (int r = 0; r < A * B; r++) {
		for (int i = 0; i < L; i++)
			row[i] = x[r / B * L * B + i * B + r % B];
		clear_softmax(row, L, L, 12, soft);
		for (int i = 0; i < L; i++)
			want[r / B * L * B + i * B + r % B] = soft[i];
	}
	gt_expect(&t, out, x, want, "softmax over the middle axis");
}

static void
softmax_rows(void **state)
{
	(void)state;
	check_softmax(5, 6, 50, 12);
	check_softmax(7, 6, 37, 12);
	check_softmax(128, 4, 50, 12);
	check_softmax(16, 3, 48, 9);
	check_softmax(33, 3, 51, 10);
	check_softmax(9, 3, 64, 16);
	check_softmax(1, 3, 50, 12);
	check_softmax(2, 3, 50, 13);
}

static void
check_softmax_tril(int64_t rows, int64_t past, int64_t heads, unsigned n)
{
	struct gt t;
	const unsigned f = 12;
	const int64_t packed = rows * (past + 1) + rows * (rows - 1) / 2;
	const uint64_t count = (uint64_t)(packed * heads);
	int64_t *x = gt_array(count), *y = gt_array(count), *want = gt_array(count);
	gt_init(&t, n, f);
	struct val *out = gt_op(&t, OP_softmax_tril, f, SHAPE(heads, packed), 1, gt_rescale(&t, gt_input(&t, SHAPE(heads, packed)), (int)f));
	ir_set_int(t.p, out->def, ATTR_rows, rows);
	ir_set_int(t.p, out->def, ATTR_past, past);
	for (uint64_t i = 0; i < count; i++) {
		y[i] = (int64_t)(gt_random() % (18u << f)) - (9 << f);
		x[i] = gt_raised(y[i], f);
	}
	int64_t at = 0;
	for (int64_t r = 0; r < heads * rows; r++) {
		int64_t len = past + 1 + r % rows;
		clear_softmax(y + at, (uint64_t)len, (uint64_t)(past + rows), f, want + at);
		at += len;
	}
	gt_expect(&t, out, x, want, "softmax_tril");
	free(x), free(y), free(want);
}

static void
softmax_triangle(void **state)
{
	(void)state;
	check_softmax_tril(7, 0, 3, 50);
	check_softmax_tril(5, 2, 2, 37);
	check_softmax_tril(16, 0, 1, 51);
	check_softmax_tril(1, 4, 2, 50);
}

/* ---- normalisation --------------------------------------------------------------------- */

static void
check_norm(bool center, bool unit, int64_t d, unsigned n, unsigned f, double eps)
{
	struct gt t;
	const int64_t rows = 4;
	const uint64_t count = (uint64_t)(rows * d);
	int64_t *x = gt_array(count), *want = gt_array(count), *g = gt_array((uint64_t)d), *b = gt_array((uint64_t)d);
	gt_init(&t, n, f);
	for (int64_t i = 0; i < d; i++) {
		g[i] = (1 << (f - 1)) + (int64_t)(gt_random() >> (64 - f));
		b[i] = gt_bits(2 * f - 1);
	}
	for (int64_t r = 0; r < rows; r++) {
		int64_t scale = r == 0 ? 1 << f : r == 1 ? 30 << f : r == 2 ? 3 : 0;
		for (int64_t i = r * d; i < (r + 1) * d; i++)
			x[i] = scale ? (int64_t)(gt_random() % (uint64_t)(2 * scale)) - scale / 2 : 0;
		clear_norm(x + r * d, (uint64_t)d, f, f + 8, center, unit ? NULL : g, center ? b : NULL, eps, want + r * d);
	}
	struct val *in = gt_input(&t, SHAPE(rows, d)), *gamma = gt_const(&t, SEC_WEIGHT, f, SHAPE(d), g);
	struct val *beta = gt_const(&t, SEC_WEIGHT, 2 * f, SHAPE(d), b);
	struct val *out = gt_op(&t, center ? OP_layernorm : OP_rmsnorm, f, SHAPE(rows, d), unit ? 1 : center ? 3 : 2, in, gamma, beta);
	ir_set_f64(t.p, out->def, ATTR_eps, eps);
	gt_expect(&t, out, x, want, center ? "layernorm" : "rmsnorm");
	free(x), free(want), free(g), free(b);
}

static void
norms(void **state)
{
	(void)state;
	check_norm(true, false, 24, 50, 12, 1e-5);
	check_norm(true, false, 768, 50, 12, 1e-12);
	check_norm(true, false, 128, 37, 9, 1e-5);
	check_norm(true, true, 64, 48, 12, 1e-5);
	check_norm(true, true, 24, 50, 12, 1e-5);
	check_norm(false, false, 24, 51, 12, 1e-6);
	check_norm(false, false, 768, 50, 12, 1e-5);
	check_norm(false, true, 7, 64, 12, 1e-5);
}

/* ---- argmax ------------------------------------------------------------------------------------- */

static void
argmax_first_of_equals(void **state)
{
	(void)state;
	const int64_t len[] = { 1, 2, 7, 16, 33 };
	for (int k = 0; k < 5; k++) {
		enum { ROWS = 5 };
		struct gt t;
		int64_t x[ROWS * 33], want[ROWS];
		gt_init(&t, 50, 12);
		struct val *out = gt_op(&t, OP_argmax, 0, SHAPE(ROWS), 1, gt_rescale(&t, gt_input(&t, SHAPE(ROWS, len[k])), 12));
		ir_set_int(t.p, out->def, ATTR_axis, 1);
		ir_set_int(t.p, out->def, ATTR_keepdims, 0);
		for (int r = 0; r < ROWS; r++) {
			int64_t most = INT64_MIN;
			for (int64_t i = 0; i < len[k]; i++) {
				int64_t y = r & 1 ? gt_bits(38) : (int64_t)(gt_random() % 4);
				x[r * len[k] + i] = gt_raised(y, 12);
				if (y > most) {
					most = y;
					want[r] = i;
				}
			}
		}
		gt_expect(&t, out, x, want, "argmax");
	}
	struct gt t; /* along the first axis */
	int64_t x[6 * 4], want[4];
	gt_init(&t, 50, 12);
	struct val *out = gt_op(&t, OP_argmax, 0, SHAPE(1, 4), 1, gt_input(&t, SHAPE(6, 4)));
	ir_set_int(t.p, out->def, ATTR_axis, 0);
	ir_set_int(t.p, out->def, ATTR_keepdims, 1);
	for (int c = 0; c < 4; c++) {
		want[c] = 0;
		for (int r = 0; r < 6; r++) {
			x[r * 4 + c] = gt_bits(20);
			want[c] = x[r * 4 + c] > x[want[c] * 4 + c] ? r : want[c];
		}
	}
	gt_expect(&t, out, x, want, "argmax along the first axis");
}

/* ---- messages --------------------------------------------------------------------------------------- */

/* A ring without room is an error that names the gate, the need and the remedy. */
static void
small_ring_is_an_error(void **state)
{
	(void)state;
	const enum op op[] = { OP_gelu, OP_silu, OP_tanh, OP_softmax };
	const unsigned need[] = { 16, 18, 16, 28 };
	for (int k = 0; k < 4; k++) {
		struct gt t;
		char text[1024] = "", want[64];
		gt_init(&t, need[k] - 1, 12);
		FILE *to = fmemopen(text, sizeof text, "w");
		diag_free(t.diag);
		t.diag = t.p->diag = diag_new(to, false);
		struct val *out = gt_op(&t, op[k], 12, SHAPE(4, 4), 1, gt_input(&t, SHAPE(4, 4)));
		if (op[k] == OP_softmax)
			ir_set_int(t.p, out->def, ATTR_axis, -1);
		ir_add_output(t.p, out);
		assert_true(pass_bind(t.p));
		assert_false(pass_expand(t.p));
		assert_int_equal(diag_errors(t.diag), 1);
		gt_free(&t);
		fclose(to);
		snprintf(want, sizeof want, "needs a ring of at least %u bits", need[k]);
		assert_non_null(strstr(text, want));
		assert_non_null(strstr(text, "--ring-bits"));
	}
}

/* ---- widths ---------------------------------------------------------------------------------------- */

/* Bits that each party opens, and rounds, without the rescale before the operation. */
static void
check_opened(enum op op, struct shape s, unsigned n, uint64_t bits, uint32_t rounds)
{
	struct gt t;
	uint64_t opened = 0;
	gt_init(&t, n, 12);
	struct val *x = gt_rescale(&t, gt_input(&t, s), 12);
	struct val *out = op == OP_rescale ? x : gt_op(&t, op, 12, s, 1, x);
	if (op == OP_softmax)
		ir_set_int(t.p, out->def, ATTR_axis, -1);
	gt_compile(&t, out);
	for (const struct node *k = t.p->first; k; k = k->next)
		opened += k->step->op == SUF_open ? k->step->count * k->step->m : 0;
	const uint64_t trunc = (2 * n - 12 + 2) * (uint64_t)ir_count(out);
	assert_int_equal(opened, bits + (op == OP_rescale ? 0 : trunc));
	assert_int_equal(t.p->nrounds, rounds + (op == OP_rescale ? 1 : 5)); /* the input's round; the rescale's */
	gt_free(&t);
}

/* What the paper and its implementation open, per element: n = 50: truncation 90, GeLU 145, SiLU 147; softmax of
 * 128 rows of 128: 471.6.  Fewer rounds: both outputs of a look-up are opened at once, and independent openings too. */
static void
opened_bits_are_those_of_sigma(void **state)
{
	(void)state;
	check_opened(OP_rescale, SHAPE(10), 50, 900, 4);
	check_opened(OP_rescale, SHAPE(10), 37, 640, 4);
	check_opened(OP_gelu, SHAPE(10), 50, 1450, 6);
	check_opened(OP_gelu, SHAPE(10), 51, 1480, 6);
	check_opened(OP_silu, SHAPE(10), 48, 1410, 6);
	check_opened(OP_softmax, SHAPE(1, 128), 50, 127 * 41 + 128 * (6 * 50 + 29) + 115 + 128 * 101, 14 + 9 + 4 + 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rescale_is_floor),
		cmocka_unit_test(relu_minus_table),
		cmocka_unit_test(odd_functions),
		cmocka_unit_test(softmax_rows),
		cmocka_unit_test(softmax_axis),
		cmocka_unit_test(softmax_triangle),
		cmocka_unit_test(norms),
		cmocka_unit_test(argmax_first_of_equals),
		cmocka_unit_test(small_ring_is_an_error),
		cmocka_unit_test(opened_bits_are_those_of_sigma),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

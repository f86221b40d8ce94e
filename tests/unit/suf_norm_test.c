/* SPDX-License-Identifier: Apache-2.0
 * suf_norm_test.c -- norms of the set `suf`: bit for bit the integer function of their head comment, through dealer and both
 * parties, and close to the real function; on inputs with and without a truncation that was left to the gate.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "gate_run.h"

struct norm { unsigned n, f, s; int64_t d; bool center, gamma; double eps; };

static int64_t
clear_mean(const struct norm *k, int64_t sum)
{
	const unsigned f = k->f, log2 = (unsigned)ilogb((double)k->d), spare = f > k->s ? f - k->s : 0;
	if (k->d == INT64_C(1) << log2)
		return sum >> log2;
	unsigned bits = spare + (64 - k->n), drop = k->s + log2 < 16 ? k->s + log2 : 16;
	bits = bits < 16 ? bits : 16;
	if (bits >= 8)
		return (sum * llround(ldexp(1, (int)(bits + log2)) / (double)k->d)) >> (bits + log2);
	return ((sum >> drop) * llround(ldexp(1, (int)(drop + log2)) / (double)k->d)) >> log2;
}

static int64_t
clear_root(const struct norm *k, int64_t v)
{
	const int J = ((int)k->n - 3) / 2, shift = 2 * J - 9, j = (63 - __builtin_clzll((uint64_t)v)) / 2;
	const double c = ldexp(1, (int)k->f + 16) * sqrt((double)k->d);
	int t = 12 - ilogb(c / ldexp(1, J + 1));
	t = t > 0 ? t : 0;
	const int64_t i = v << 2 * (J - j) >> shift;
	const int64_t entry = llround(ldexp(c, t) / sqrt(ldexp((double)i + 0.5, shift)));
	return (entry << (J - j)) >> t;
}

static void
clear_norm(const struct norm *k, const int64_t *x, const int64_t *gamma, const int64_t *beta, int64_t *out)
{
	int64_t sum = 0, v = llround(k->eps * (double)k->d * ldexp(1, 2 * (int)k->f));
	v = v < 1 ? 1 : v;
	for (int64_t i = 0; i < k->d; i++)
		sum += x[i];
	const int64_t mean = k->center ? clear_mean(k, sum) : 0;
	for (int64_t i = 0; i < k->d; i++)
		v += ((x[i] - mean) >> k->s) * ((x[i] - mean) >> k->s);
	const int64_t root = clear_root(k, v);
	for (int64_t i = 0; i < k->d; i++) {
		out[i] = ((x[i] - mean) >> k->s) * root >> 16;
		if (gamma)
			out[i] = (out[i] * gamma[i] + (beta ? beta[i] : 0)) >> k->f;
	}
}

/* Largest distance from the real function, in units of the result, and largest result. */
static void
check_real(const struct norm *k, const int64_t *x, const int64_t *y)
{
	double mean = 0, var = 0, worst = 0, most = 0;
	const double d = (double)k->d, unit = ldexp(1, (int)(k->f + k->s));
	for (int64_t i = 0; i < k->d && k->center; i++)
		mean += (double)x[i] / unit / d;
	for (int64_t i = 0; i < k->d; i++)
		var += ((double)x[i] / unit - mean) * ((double)x[i] / unit - mean) / d;
	for (int64_t i = 0; i < k->d; i++) {
		const double want = ((double)x[i] / unit - mean) / sqrt(var + k->eps);
		worst = fmax(worst, fabs(ldexp((double)y[i], -(int)k->f) - want));
		most = fmax(most, fabs(want));
	}
	/* z >> s: an ulp of the input over the deviation; root 2^-11; the mean's factor; an ulp of the result */
	const double allowed = ldexp(1, -(int)k->f) * (2 + 2 / sqrt(var + k->eps)) + most * 0x1p-10 + fabs(mean) * 0x1p-8 / sqrt(var + k->eps);
	if (var > ldexp(16, -2 * (int)k->f) && worst > allowed)
		fail_msg("n=%u, d=%d: off by %g, %g allowed", k->n, (int)k->d, worst, allowed);
}

static void
check_norm(struct norm k)
{
	enum { ROWS = 6 };
	struct gt t;
	const uint64_t count = (uint64_t)(ROWS * k.d);
	int64_t *x = gt_array(count), *want = gt_array(count), *g = gt_array((uint64_t)k.d), *b = gt_array((uint64_t)k.d);
	gt_init(&t, k.n, k.f);
	for (int64_t i = 0; i < k.d; i++) {
		g[i] = (1 << (k.f - 1)) + (int64_t)(gt_random() >> (64 - k.f));
		b[i] = gt_bits(2 * k.f - 1);
	}
	for (int64_t r = 0; r < ROWS; r++) {
		const double scale[ROWS] = { 1, 8, 0.01, 0, 1, 3 };
		const int64_t most = (int64_t)ldexp(scale[r], (int)(k.f + k.s));
		for (int64_t i = r * k.d; i < (r + 1) * k.d; i++)
			x[i] = r == 4 ? (i == r * k.d ? most : 0) : most ? (int64_t)(gt_random() % (uint64_t)(2 * most)) - most / 2 : 0;
		clear_norm(&k, x + r * k.d, k.gamma ? g : NULL, k.center ? b : NULL, want + r * k.d);
		if (!k.gamma)
			check_real(&k, x + r * k.d, want + r * k.d);
	}
	t.opt.gates = "suf";
	struct val *in = gt_input(&t, SHAPE(ROWS, k.d)), *gamma = gt_const(&t, SEC_WEIGHT, k.f, SHAPE(k.d), g);
	struct val *beta = gt_const(&t, SEC_WEIGHT, 2 * k.f, SHAPE(k.d), b);
	in->type.frac = (uint8_t)(k.f + k.s);
	struct val *out = gt_op(&t, k.center ? OP_layernorm : OP_rmsnorm, k.f, SHAPE(ROWS, k.d), k.gamma ? k.center ? 3 : 2 : 1, in, gamma, beta);
	ir_set_f64(t.p, out->def, ATTR_eps, k.eps);
	if (k.s)
		ir_set_int(t.p, out->def, ATTR_shift, k.s);
	gt_expect(&t, out, x, want, k.center ? "layernorm" : "rmsnorm");
	free(x), free(want), free(g), free(b);
}

static void
norms(void **state)
{
	(void)state;
	static const unsigned rings[] = { 48, 50, 51, 57, 64 };
	for (int k = 0; k < 5; k++) {
		check_norm((struct norm){ rings[k], 12, 12, 24, true, false, 1e-5 });
		check_norm((struct norm){ rings[k], 12, 12, 3, true, false, 1e-5 });
		check_norm((struct norm){ rings[k], 12, 12, 5, true, true, 1e-5 });
		check_norm((struct norm){ rings[k], 12, 0, 100, true, true, 1e-5 });
		check_norm((struct norm){ rings[k], 12, 12, 64, true, true, 1e-5 });
		check_norm((struct norm){ rings[k], 12, 12, 33, false, false, 1e-6 });
		check_norm((struct norm){ rings[k], 12, 3, 7, true, false, 1e-6 });
	}
	check_norm((struct norm){ 50, 12, 12, 768, true, false, 1e-12 });
	check_norm((struct norm){ 50, 12, 0, 768, false, true, 1e-5 });
	check_norm((struct norm){ 37, 9, 9, 128, true, false, 1e-5 });
	check_norm((struct norm){ 37, 9, 9, 20, true, true, 1e-5 });
	check_norm((struct norm){ 64, 14, 14, 40, true, false, 1e-5 });
	for (int64_t d = 1; d <= 4; d *= 2)
		for (int k = 0; k < 5; k++)
			for (int center = 0; center < 2; center++)
				check_norm((struct norm){ rings[k], 12, 12, d, center, false, 1e-5 });
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(norms) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

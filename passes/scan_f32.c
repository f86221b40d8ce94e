/* SPDX-License-Identifier: Apache-2.0
 * scan_f32.c -- extremes and sums of rows of floats, in lanes: no comparison or sum waits for the one before.
 *
 * All instruction sets give the same bits: the lanes are the same, sums are double, and the square of a float is exact there, fused or not.
 */
#include "scan_f32.h"
#include <math.h>

enum { LANES = 16 };

struct lanes { float lo[LANES], hi[LANES]; double sum[LANES], magnitudes[LANES], squares[LANES]; };

/* For rows n is a multiple of LANES. */
#define SCANS(NAME, TARGET)                                                                                                \
	TARGET static void rows_##NAME(struct lanes *to, const float *x, int64_t n)                                        \
	{                                                                                                                  \
		struct lanes s = *to;                                                                                      \
		for (int64_t i = 0; i < n; i += LANES)                                                                     \
			for (int l = 0; l < LANES; l++) {                                                                  \
				s.lo[l] = x[i + l] < s.lo[l] ? x[i + l] : s.lo[l];                                         \
				s.hi[l] = x[i + l] > s.hi[l] ? x[i + l] : s.hi[l];                                         \
				s.sum[l] += (double)x[i + l];                                                              \
				s.magnitudes[l] += fabs((double)x[i + l]);                                                 \
				s.squares[l] += (double)x[i + l] * (double)x[i + l];                                       \
			}                                                                                                  \
		*to = s;                                                                                                   \
	}                                                                                                                  \
	TARGET static void columns_##NAME(const float *x, int64_t n, double *restrict magnitudes, double *restrict squares) \
	{                                                                                                                  \
		for (int64_t i = 0; i < n; i++) {                                                                          \
			magnitudes[i] += fabs((double)x[i]);                                                               \
			squares[i] += (double)x[i] * (double)x[i];                                                         \
		}                                                                                                          \
	}
SCANS(portable, )
#if defined(__x86_64__)
SCANS(avx2, __attribute__((target("avx2"))))
SCANS(avx512, __attribute__((target("avx512f"))))
#endif

static void rows(enum suf_isa isa, struct lanes *to, const float *x, int64_t n)
{
#if defined(__x86_64__)
	if (isa == SUF_ISA_AVX512)
		rows_avx512(to, x, n);
	else if (isa != SUF_ISA_PORTABLE)
		rows_avx2(to, x, n);
	else
#endif
		rows_portable(to, x, n);
	(void)isa;
}

struct scan scan_f32(enum suf_isa isa, const float *x, int64_t n)
{
	const int64_t whole = n / LANES * LANES;
	struct scan r = { (double)x[0], (double)x[0], 0, 0, 0 };
	struct lanes s = { .sum = { 0 } };
	for (int l = 0; l < LANES; l++)
		s.lo[l] = s.hi[l] = x[0];
	rows(isa, &s, x, whole);
	for (int64_t i = whole; i < n; i++) {
		s.lo[0] = x[i] < s.lo[0] ? x[i] : s.lo[0];
		s.hi[0] = x[i] > s.hi[0] ? x[i] : s.hi[0];
		s.sum[0] += (double)x[i];
		s.magnitudes[0] += fabs((double)x[i]);
		s.squares[0] += (double)x[i] * (double)x[i];
	}
	for (int l = 0; l < LANES; l++) {
		r.lo = (double)s.lo[l] < r.lo ? (double)s.lo[l] : r.lo;
		r.hi = (double)s.hi[l] > r.hi ? (double)s.hi[l] : r.hi;
		r.sum += s.sum[l];
		r.magnitudes += s.magnitudes[l];
		r.squares += s.squares[l];
	}
	return r;
}

void scan_columns(enum suf_isa isa, const float *x, int64_t n, double *magnitudes, double *squares)
{
#if defined(__x86_64__)
	if (isa == SUF_ISA_AVX512)
		columns_avx512(x, n, magnitudes, squares);
	else if (isa != SUF_ISA_PORTABLE)
		columns_avx2(x, n, magnitudes, squares);
	else
#endif
		columns_portable(x, n, magnitudes, squares);
	(void)isa;
}

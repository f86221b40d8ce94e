/* SPDX-License-Identifier: Apache-2.0
 * quant.c -- between the user's arrays and ring elements.  It runs at the owner
 * of the data only; memory is still not indexed by a secret (one-hot rows are
 * made by comparison).
 *
 * Rounding: to nearest, ties to even.  Bound: |x * 2^frac| < 2^(bits-2), one bit
 * below the ring's half, as some gates need (docs/numerics.md).
 */
#include "session.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t wire_elems(const struct suf_tensor *t)
{
	return suf_tensor_elems(t) * (t->onehot ? t->onehot : 1);
}

/* "[2,0,5]" of element i. */
static void position(const struct suf_tensor *t, uint64_t i, char to[128])
{
	uint64_t at[8];
	int n = 0;
	for (uint32_t k = t->rank; k-- > 0; i /= (uint64_t)t->dim[k])
		at[k] = i % (uint64_t)t->dim[k];
	to[n++] = '[';
	for (uint32_t k = 0; k < t->rank && n < 100; k++)
		n += snprintf(to + n, 128 - (size_t)n, k ? ",%llu" : "%llu", (unsigned long long)at[k]);
	to[n++] = ']';
	to[n] = '\0';
}

static enum suf_err refuse(const struct suf_tensor *t, uint64_t i, double x, char *text)
{
	char where[128];
	position(t, i, where);
	if (t->onehot)
		return text_fail(text, SUF_EUSAGE, "input '%s': element %s is %.17g; row numbers are 0 to %u", t->name, where, x, t->onehot - 1);
	if (!isfinite(x))
		return text_fail(text, SUF_EUSAGE, "input '%s': element %s is %s; values must be finite", t->name, where, isnan(x) ? "NaN" : "infinite");
	return text_fail(text, SUF_EUSAGE, "input '%s': element %s is %g; %u bits with %u of fraction hold |x| < %g", t->name, where, x, t->bits, t->frac,
		ldexp(1, t->bits - 2 - t->frac));
}

static void onehot_row(uint64_t *row, uint32_t n, uint64_t id)
{
	for (uint32_t v = 0; v < n; v++) {
		uint64_t d = v ^ id;
		row[v] = 1 ^ ((d | (0 - d)) >> 63); /* 1 iff d = 0 */
	}
}

enum suf_err quantise(const struct suf_tensor *t, const void *array, uint64_t *to, char *text)
{
	const uint64_t n = suf_tensor_elems(t), ring = ring_mask(t->bits);
	const double limit = ldexp(1, t->bits - 2);
	for (uint64_t i = 0; i < n; i++) {
		if (t->onehot) {
			int64_t id = ((const int64_t *)array)[i];
			if (id < 0 || id >= t->onehot)
				return refuse(t, i, (double)id, text);
			onehot_row(to + i * t->onehot, t->onehot, (uint64_t)id);
			continue;
		}
		double x = t->integer ? (double)((const int64_t *)array)[i] : (double)((const float *)array)[i];
		double scaled = ldexp(x, t->frac);
		if (!(fabs(scaled) < limit))
			return refuse(t, i, x, text);
		to[i] = (uint64_t)llrint(scaled) & ring;
	}
	return SUF_OK;
}

void dequantise(const struct suf_tensor *t, const uint64_t *from, void *array)
{
	const uint64_t n = suf_tensor_elems(t);
	const unsigned up = 64u - t->bits;
	for (uint64_t i = 0; i < n; i++) {
		int64_t v = (int64_t)(from[i] << up) >> up;
		if (t->integer)
			((int64_t *)array)[i] = v >> t->frac;
		else
			((float *)array)[i] = (float)ldexp((double)v, -t->frac);
	}
}

uint64_t **arrays_new(const struct suf_tensor *t, uint32_t n)
{
	uint64_t **a = calloc(n + 1u, sizeof *a);
	for (uint32_t k = 0; a && k < n; k++) {
		a[k] = calloc(wire_elems(&t[k]) + 1, sizeof **a);
		if (!a[k]) {
			arrays_free(a, t, k);
			return NULL;
		}
	}
	return a;
}

void arrays_free(uint64_t **a, const struct suf_tensor *t, uint32_t n)
{
	for (uint32_t k = 0; a && k < n; k++) {
		if (a[k])
			prg_wipe(a[k], wire_elems(&t[k]) * sizeof **a);
		free(a[k]);
	}
	free(a);
}

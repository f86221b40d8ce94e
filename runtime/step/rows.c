/* SPDX-License-Identifier: Apache-2.0
 * rows.c -- local steps on ragged rows: row_sum, row_lin, row_diff, row_next,
 * tril, untril.  Nothing is opened, no key.  Row lengths are public. */
#include "run.h"
#include <string.h>

static void
row_sum_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	(void)constants;
	(void)b;
	for (uint64_t row = 0; row < s->rows->count; row++) {
		uint64_t len = suf_rows_len(s->rows, row), sum = 0;
		for (uint64_t i = 0; i < len; i++)
			sum += a[i];
		a += len;
		out[row] = sum & ring_mask(s->m);
	}
}

static void
row_lin_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	const uint64_t ca = (uint64_t)s->ca, cb = (uint64_t)s->cb, c = constants ? (uint64_t)s->c : 0, m = ring_mask(s->m);
	for (uint64_t row = 0; row < s->rows->count; row++) {
		uint64_t len = suf_rows_len(s->rows, row), add = cb * b[row] + c;
		for (uint64_t i = 0; i < len; i++)
			out[i] = (ca * a[i] + add) & m;
		a += len;
		out += len;
	}
}

static void
row_diff_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	(void)constants;
	(void)b;
	for (uint64_t row = 0; row < s->rows->count; row++) {
		uint64_t len = suf_rows_len(s->rows, row);
		for (uint64_t j = 0; j < len / 2; j++)
			*out++ = (a[2 * j + 1] - a[2 * j]) & ring_mask(s->m);
		a += len;
	}
}

static void
row_next_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	(void)constants;
	for (uint64_t row = 0; row < s->rows->count; row++) {
		uint64_t len = suf_rows_len(s->rows, row);
		for (uint64_t j = 0; j < len / 2; j++)
			*out++ = (a[2 * j] + *b++) & ring_mask(s->m);
		if (len & 1)
			*out++ = a[len - 1] & ring_mask(s->m);
		a += len;
	}
}

/* c: the dense row length */
static void
tril_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	(void)constants;
	(void)b;
	for (uint64_t row = 0; row < s->rows->count; row++, a += s->c) {
		uint64_t len = suf_rows_len(s->rows, row);
		memcpy(out, a, (size_t)len * 8);
		out += len;
	}
}

static void
untril_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	(void)constants;
	(void)b;
	for (uint64_t row = 0; row < s->rows->count; row++, out += s->c) {
		uint64_t len = suf_rows_len(s->rows, row);
		memcpy(out, a, (size_t)len * 8);
		memset(out + len, 0, (size_t)((uint64_t)s->c - len) * 8);
		a += len;
	}
}

const struct step_impl step_row_sum = { .local = row_sum_local };
const struct step_impl step_row_lin = { .local = row_lin_local };
const struct step_impl step_row_diff = { .local = row_diff_local };
const struct step_impl step_row_next = { .local = row_next_local };
const struct step_impl step_tril = { .local = tril_local };
const struct step_impl step_untril = { .local = untril_local };

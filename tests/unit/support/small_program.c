/* SPDX-License-Identifier: Apache-2.0
 * small_program.c -- a program as sufc would emit it, small enough to check by hand.
 */
#include "small_program.h"
#include "weights.h"
#include <math.h>
#include <openssl/rand.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { BITS = 50, FRAC = 12, AT_X = 0, AT_IDS = 32, AT_Y = 42, AT_E = 54, WIRES = 60, AT_G = WIRES };

static const struct suf_mm mm_y = { .batch = 1, .bh = 1, .rows = SMALL_ROWS, .inner = SMALL_INNER, .cols = SMALL_COLS,
	.sa = { 0, 0, SMALL_INNER, 1 }, .sb = { 0, 0, SMALL_COLS, 1 } };
static const struct suf_mm mm_e = { .batch = 1, .bh = 1, .rows = SMALL_IDS, .inner = SMALL_VOCAB, .cols = SMALL_COLS,
	.sa = { 0, 0, SMALL_VOCAB, 1 }, .sb = { 0, 0, SMALL_COLS, 1 } };
static const struct suf_step step[] = {
	{ .op = SUF_input, .id = 1, .count = 32, .m = BITS, .out = { { SUF_WIRE, AT_X } }, .klass = "other" },
	{ .op = SUF_input, .id = 2, .count = 10, .m = BITS, .out = { { SUF_WIRE, AT_IDS } }, .klass = "embedding" },
	{ .op = SUF_matmul, .id = 3, .count = 12, .na = 32, .nb = 24, .n = BITS, .m = BITS, .weight_b = 1, .mm = &mm_y,
	  .in = { { SUF_WIRE, AT_X }, { SUF_WEIGHT, 0 } }, .out = { { SUF_WIRE, AT_Y } }, .klass = "matmul" },
	{ .op = SUF_matmul, .id = 4, .count = 6, .na = 10, .nb = 15, .n = BITS, .m = BITS, .weight_b = 1, .mm = &mm_e,
	  .in = { { SUF_WIRE, AT_IDS }, { SUF_WEIGHT, 1 } }, .out = { { SUF_WIRE, AT_E } }, .klass = "embedding" },
	{ .op = SUF_open, .id = 5, .count = 12, .n = BITS, .m = BITS, .in = { { SUF_WIRE, AT_Y } }, .out = { { SUF_WIRE, AT_Y } }, .klass = "matmul" },
	{ .op = SUF_open, .id = 6, .count = 6, .n = BITS, .m = BITS, .in = { { SUF_WIRE, AT_E } }, .out = { { SUF_WIRE, AT_E } }, .klass = "embedding" },
	{ .op = SUF_output, .id = 8, .count = 6, .n = BITS, .m = BITS, .in = { { SUF_WIRE, AT_E } }, .klass = "other" },
	{ .op = SUF_output, .id = 7, .count = 12, .n = BITS, .m = BITS, .in = { { SUF_WIRE, AT_Y } }, .klass = "other" },
};

static enum suf_err body(struct suf_run *run)
{
	enum suf_err err = SUF_OK;
	for (size_t k = 0; k < sizeof step / sizeof step[0] && !err; k++) {
		err = suf_step(run, &step[k]);
		if (!err && (k == 1 || k == 5))
			err = suf_round(run);
	}
	return err;
}

/* The same with weights that everybody knows: one round brings the inputs, the rest is local. */
static const struct suf_step public_step[] = {
	{ .op = SUF_wmul, .id = 3, .count = 12, .na = 32, .nb = 24, .n = BITS, .m = BITS, .mm = &mm_y,
	  .in = { { SUF_WIRE, AT_X }, { SUF_PUBLIC, 0 } }, .out = { { SUF_WIRE, AT_Y } }, .klass = "matmul" },
	{ .op = SUF_wmul, .id = 4, .count = 6, .na = 10, .nb = 15, .n = BITS, .m = BITS, .mm = &mm_e,
	  .in = { { SUF_WIRE, AT_IDS }, { SUF_PUBLIC, 1 } }, .out = { { SUF_WIRE, AT_E } }, .klass = "embedding" },
};

static enum suf_err public_body(struct suf_run *run)
{
	enum suf_err err = SUF_OK;
	for (size_t k = 0; k < 2 && !err; k++)
		err = suf_step(run, &step[k]);
	if (!err)
		err = suf_round(run);
	for (size_t k = 0; k < 2 && !err; k++)
		err = suf_step(run, &public_step[k]);
	for (size_t k = 6; k < 8 && !err; k++)
		err = suf_step(run, &step[k]);
	return err;
}

/* The same with weights of party 0: x of one bit less, extended and opened to party 0; its product by pads, that of ids with a correction. */
static const struct suf_map as_it_is = { .ndim = 1, .dim = { 6 }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
static const struct suf_step owner_step[] = {
	{ .op = SUF_input, .id = 1, .count = 32, .m = BITS - 1, .out = { { SUF_WIRE, AT_X } }, .klass = "other" },
	{ .op = SUF_input, .id = 2, .count = 10, .m = BITS, .out = { { SUF_WIRE, AT_IDS } }, .klass = "embedding" },
	{ .op = SUF_gapext, .id = 9, .count = 32, .na = 32, .n = BITS - 1, .m = BITS, .in = { { SUF_WIRE, AT_X } }, .out = { { SUF_WIRE, AT_G } }, .klass = "other" },
	{ .op = SUF_open, .id = 10, .count = 32, .n = BITS, .m = BITS, .one_way = 1, .in = { { SUF_WIRE, AT_G } }, .out = { { SUF_WIRE, AT_G } }, .klass = "other" },
	{ .op = SUF_omul, .id = 3, .count = 12, .na = 32, .nb = 24, .n = BITS, .m = BITS, .define_last = 1, .offline = 1, .pad_a = 9, .mm = &mm_y,
	  .in = { { SUF_WIRE, AT_G }, { SUF_WEIGHT, 0 } }, .out = { { SUF_WIRE, AT_Y } }, .klass = "matmul" },
	{ .op = SUF_omul, .id = 4, .count = 6, .na = 10, .nb = 15, .n = BITS, .m = BITS, .define_last = 1, .mm = &mm_e,
	  .in = { { SUF_WIRE, AT_IDS }, { SUF_WEIGHT, 1 } }, .out = { { SUF_WIRE, AT_E } }, .klass = "embedding" },
	{ .op = SUF_open, .id = 5, .count = 12, .n = BITS, .m = BITS, .offline = 1, .in = { { SUF_WIRE, AT_Y } }, .out = { { SUF_WIRE, AT_Y } }, .klass = "matmul" },
	{ .op = SUF_open, .id = 6, .count = 6, .n = BITS, .m = BITS, .in = { { SUF_WIRE, AT_E } }, .out = { { SUF_WIRE, AT_E } }, .klass = "embedding" },
	{ .op = SUF_lin, .id = 11, .count = 6, .na = 6, .nb = 15, .n = BITS, .m = BITS, .ca = 1, .cb = 1, .map = &as_it_is,
	  .in = { { SUF_WIRE, AT_E }, { SUF_WEIGHT, 1 } }, .out = { { SUF_WIRE, AT_E } }, .klass = "embedding" },
	{ .op = SUF_output, .id = 8, .count = 6, .n = BITS, .m = BITS, .in = { { SUF_WIRE, AT_E } }, .klass = "other" },
	{ .op = SUF_output, .id = 7, .count = 12, .n = BITS, .m = BITS, .in = { { SUF_WIRE, AT_Y } }, .klass = "other" },
};

static enum suf_err owner_body(struct suf_run *run)
{
	enum suf_err err = SUF_OK;
	for (size_t k = 0; k < sizeof owner_step / sizeof owner_step[0] && !err; k++) {
		err = suf_step(run, &owner_step[k]);
		if (!err && (k == 1 || k == 3 || k == 7))
			err = suf_round(run);
	}
	return err;
}

static const struct suf_tensor input[] = {
	{ .name = "x", .rank = 2, .dim = { SMALL_ROWS, SMALL_INNER }, .bits = BITS, .frac = FRAC, .step = 1 },
	{ .name = "ids", .rank = 1, .dim = { SMALL_IDS }, .bits = BITS, .onehot = SMALL_VOCAB, .step = 2, .integer = true },
};
static const struct suf_tensor owner_input[] = {
	{ .name = "x", .rank = 2, .dim = { SMALL_ROWS, SMALL_INNER }, .bits = BITS - 1, .frac = FRAC, .step = 1 },
	{ .name = "ids", .rank = 1, .dim = { SMALL_IDS }, .bits = BITS, .onehot = SMALL_VOCAB, .step = 2, .integer = true },
};
static const struct suf_tensor output[] = {
	{ .name = "y", .rank = 2, .dim = { SMALL_ROWS, SMALL_COLS }, .bits = BITS, .frac = 2 * FRAC, .step = 7 },
	{ .name = "e", .rank = 2, .dim = { SMALL_IDS, SMALL_COLS }, .bits = BITS, .frac = FRAC, .step = 8 },
};
static const struct suf_tensor weight[] = {
	{ .name = "W", .rank = 2, .dim = { SMALL_INNER, SMALL_COLS }, .bits = BITS, .frac = FRAC },
	{ .name = "E", .rank = 2, .dim = { SMALL_VOCAB, SMALL_COLS }, .bits = BITS, .frac = FRAC },
};

#define PROGRAM(first_hash_byte, receiver) { .name = "small", .gates = "sigma", .weights = "masked", .hash = { first_hash_byte, 2, 3 }, \
	.wire_elems = WIRES, .output_to = receiver, .nrounds = 2, .input = input, .output = output, .weight = weight, \
	.ninput = 2, .noutput = 2, .nweight = 2, .body = body }
const struct suf_program small_program = PROGRAM(1, 1);
const struct suf_program small_program_to_0 = PROGRAM(7, 0);
const struct suf_program other_program = PROGRAM(9, 1);
const struct suf_program small_public_program = { .name = "small", .gates = "sigma", .weights = "public", .hash = { 11, 2, 3 }, .wire_elems = WIRES, .output_to = 1,
	.nrounds = 1, .input = input, .output = output, .weight = weight, .ninput = 2, .noutput = 2, .nweight = 2, .body = public_body };
const struct suf_program small_owner_program = { .name = "small", .gates = "compact", .weights = "owner", .hash = { 13, 2, 3 }, .wire_elems = AT_G + 32, .output_to = 1,
	.nrounds = 3, .input = owner_input, .output = output, .weight = weight, .ninput = 2, .noutput = 2, .nweight = 2, .body = owner_body };

static void draw(int64_t *v, double *real, int n)
{
	RAND_bytes((uint8_t *)v, n * 8);
	for (int i = 0; i < n; i++) {
		v[i] >>= 64 - 15; /* |w| < 4 */
		real[i] = (double)v[i] / (1 << FRAC);
	}
}

void small_weights(const struct suf_program *prog, const char *path, double w[SMALL_INNER * SMALL_COLS], double e[SMALL_VOCAB * SMALL_COLS])
{
	struct suf_weights_writer *to;
	int64_t v[SMALL_INNER * SMALL_COLS];
	char text[SUF_TEXT];
	enum suf_err err = suf_weights_writer_open(&to, path, prog->hash, weight, 2, text);
	draw(v, w, SMALL_INNER * SMALL_COLS);
	if (!err)
		err = suf_weights_writer_put(to, v, SMALL_INNER * SMALL_COLS, text);
	draw(v, e, SMALL_VOCAB * SMALL_COLS);
	if (!err)
		err = suf_weights_writer_put(to, v, SMALL_VOCAB * SMALL_COLS, text);
	if (!err)
		err = suf_weights_writer_finish(to, true, text);
	if (err) {
		fprintf(stderr, "%s\n", text);
		abort();
	}
}

void
small_check(const float *x, const int64_t *ids, const double *w, const double *e, const float *y, const float *rows)
{
	for (int i = 0; i < SMALL_ROWS; i++)
		for (int j = 0; j < SMALL_COLS; j++) {
			double want = 0;
			for (int k = 0; k < SMALL_INNER; k++)
				want += (double)x[i * SMALL_INNER + k] * w[k * SMALL_COLS + j];
			assert_true(fabs(want - (double)y[i * SMALL_COLS + j]) < 1e-4);
		}
	for (int i = 0; i < SMALL_IDS; i++)
		for (int j = 0; j < SMALL_COLS; j++)
			assert_true(fabs(e[ids[i] * SMALL_COLS + j] - (double)rows[i * SMALL_COLS + j]) < 1e-6);
}

/* SPDX-License-Identifier: Apache-2.0
 * weights.h -- files of model weights, plain (party.weights, written by the
 * compiler) and masked (W_hat = W + r_W, what the parties of `masked` hold).
 *
 * The compiler writes a plain file so:
 *
 *     struct suf_weights_writer *w;
 *     err = suf_weights_writer_open(&w, "party.weights", program_hash, tensors, ntensors, text);
 *     for each tensor, in the program's order:
 *         err = suf_weights_writer_put(w, int64_data, count, text);
 *     err = suf_weights_writer_finish(w, true, text);      (false: remove the file)
 *
 * `tensors` are the rows of suf_program.weight and are used during open only;
 * data are the fixed-point values, signed, -2^(bits-1) <= v < 2^(bits-1).  A
 * tensor is stored in the narrowest of int16, int32, int64 that holds its values.  `text`: at
 * least 256 bytes, gets a message when the result is not SUF_OK.
 *
 * File, little-endian:
 *     header, 128 bytes: magic "SUFWGT01", u32 kind (0 plain, 1 masked), u32 ntensors, program hash [32],
 *         epoch id [16] (masked; else 0), u64 bytes of the table, u64 bytes of the file, tag [16] (masked: model_bind; else 0),
 *         SHA-256 of the 96 header bytes before it and the table
 *     table, per tensor: u32 bytes of the name, u32 rank, u8 bits, u8 frac, u8 bytes per element, u8 0, u32 0,
 *         u64 offset, u64 dim[rank], name, zeros up to a multiple of 8
 *     data, each tensor at a multiple of 64 bytes
 */
#ifndef SUF_WEIGHTS_H
#define SUF_WEIGHTS_H
#include "suf.h"

enum suf_weights_kind { SUF_WEIGHTS_PLAIN = 0, SUF_WEIGHTS_MASKED = 1 };

struct suf_weights_writer;
SUF_MUST_USE enum suf_err suf_weights_writer_open(struct suf_weights_writer **, const char *path, const uint8_t program[32],
	const struct suf_tensor *tensors, uint32_t ntensors, char *text);
/* The same for W_hat under an epoch of the weight mask; data as uint64_t < 2^bits. */
SUF_MUST_USE enum suf_err suf_weights_writer_open_masked(struct suf_weights_writer **, const char *path, const uint8_t program[32],
	const uint8_t epoch[16], const uint8_t tag[16], const struct suf_tensor *tensors, uint32_t ntensors, char *text);
/* All elements of the next tensor. */
SUF_MUST_USE enum suf_err suf_weights_writer_put(struct suf_weights_writer *, const int64_t *data, uint64_t count, char *text);
/* The next `count` elements, of the current tensor only: W_hat is written while it is made. */
SUF_MUST_USE enum suf_err suf_weights_writer_put_masked(struct suf_weights_writer *, const uint64_t *data, uint64_t count, char *text);
/* keep: every tensor must be complete; the file gets its name.  Frees the writer in every case; NULL is allowed. */
SUF_MUST_USE enum suf_err suf_weights_writer_finish(struct suf_weights_writer *, bool keep, char *text);

/* Reading: the file is mapped; every offset is checked against its size. */
struct suf_weights;
struct suf_weights_tensor {
	const char *name;
	uint32_t rank; int64_t dim[8];
	uint8_t bits, frac, width;       /* width: bytes per element in the file */
	uint64_t count;
	const void *data;                /* plain: int16_t, int32_t or int64_t; masked: uint64_t */
};
SUF_MUST_USE enum suf_err suf_weights_open(struct suf_weights **, const char *path, char *text);
void suf_weights_close(struct suf_weights *); /* NULL is allowed */
enum suf_weights_kind suf_weights_kind(const struct suf_weights *);
const uint8_t *suf_weights_program(const struct suf_weights *); /* [32] */
const uint8_t *suf_weights_epoch(const struct suf_weights *);   /* [16] */
const uint8_t *suf_weights_tag(const struct suf_weights *);     /* [16] of masked ones */
uint32_t suf_weights_count(const struct suf_weights *);
const struct suf_weights_tensor *suf_weights_tensor(const struct suf_weights *, uint32_t index);
/* Elements [first, first + count) reduced mod 2^bits. */
void suf_weights_get(const struct suf_weights *, uint32_t index, uint64_t first, size_t count, uint64_t *to);
/* SUF_OK when the file was made for this program: same hash, same tensors; masked words are reduced. */
SUF_MUST_USE enum suf_err suf_weights_fit(const struct suf_weights *, const struct suf_program *, char *text);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * session.h -- what dealer, party and client agree on: sizes of keys, the
 * parties' handshake, arrays in and out of the ring, files of masked arrays.
 */
#ifndef SUF_SESSION_H
#define SUF_SESSION_H
#include "file.h"
#include "run.h"
#include "weights.h"

/* dealer.c */
uint64_t suf_output_mask_bytes(const struct suf_program *);
uint64_t suf_key_body_bytes(const struct suf_program *, const struct suf_cost *planned, enum suf_key_kind, bool outside_client);
uint64_t suf_peak_rss(void);

/* handshake.c: one message each way; every difference is SUF_EPROTO and named.  Both sides come to the same verdict. */
enum { HELLO_SENDS_WEIGHTS = 1, HELLO_HAS_WEIGHTS = 2, HELLO_HAS_CLIENT = 4, HELLO_OUTSIDE_CLIENT = 8 };
struct hello {
	uint32_t version, role, flags;
	uint8_t program[32], id[16], epoch[16];
	uint8_t input[32];               /* SHA-256 of the masked input file; zero without one */
	uint8_t weights[16];             /* tag of the weights (model_bind); zero without them */
};
SUF_MUST_USE enum suf_err handshake(struct suf_chan *, const struct hello *mine, struct hello *theirs, char *text);

/* public.c: public weights as words mod 2^bits (arrays_free; NULL where there are none), and the first half of their SHA-256. */
SUF_MUST_USE enum suf_err public_weights_load(const struct suf_program *, const char *path, uint8_t epoch[16], uint64_t ***words, char *text);

/* quant.c: between the user's arrays and ring elements. */
uint64_t wire_elems(const struct suf_tensor *);   /* one-hot rows counted */
SUF_MUST_USE enum suf_err quantise(const struct suf_tensor *, const void *array, uint64_t *to, char *text);
void dequantise(const struct suf_tensor *, const uint64_t *from, void *array);
/* One array of ring elements per tensor, zeroed; NULL: out of memory. */
uint64_t **arrays_new(const struct suf_tensor *, uint32_t n);
void arrays_free(uint64_t **, const struct suf_tensor *, uint32_t n); /* wipes */

/* masked.c: files of masked inputs and outputs, packed to their ring width. */
enum masked_kind { MASKED_INPUT = 0, MASKED_OUTPUT = 1 };
SUF_MUST_USE enum suf_err masked_save(const char *path, enum masked_kind, const struct suf_program *, const uint8_t id[16], uint64_t *const *arrays, char *text);
SUF_MUST_USE enum suf_err masked_load(const char *path, enum masked_kind, const struct suf_program *, const uint8_t id[16], uint64_t **arrays, uint8_t digest[32], char *text);
/* key_source: opens a key, reads and checks its header.  fd is used when path is NULL. */
SUF_MUST_USE enum suf_err key_open(struct suf_source **, struct suf_key_head *, const struct suf_program *, const char *path, int fd, enum suf_key_kind want, char *text);
char *key_folder(const char *path);   /* malloc'd; "." for NULL or a bare name */
#endif

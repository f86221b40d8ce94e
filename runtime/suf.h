/* SPDX-License-Identifier: Apache-2.0
 * suf.h -- the public interface of libsuf: what generated programs and the
 * services that embed them include.  No function here exits, prints (but for
 * suf_main) or reads the environment; errors are values, with a text in the
 * context (suf_errmsg).
 */
#ifndef SUF_H
#define SUF_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#define SUF_MUST_USE __attribute__((warn_unused_result))

enum suf_err {
	SUF_OK = 0,
	SUF_EUSAGE = -1,     /* wrong arguments                           exit status 1 */
	SUF_EIO = -3,        /* files and network                         exit status 3 */
	SUF_EPROTO = -5,     /* peer or key does not fit the program      exit status 5 */
	SUF_EREUSE = -6,     /* the key was used before                   exit status 5 */
	SUF_ENOMEM = -7      /*                                           exit status 3 */
};

enum suf_op {
#define STEP(name, nin, nout, form, doc) SUF_##name,
#include "steps.def"
	SUF_NSTEP
};

enum { SUF_BLOCK = 1024, SUF_MAX_DIM = 6, SUF_MAX_IN = 6, SUF_MAX_OUT = 4 };

/* Where an operand lies.  WIRE: element offset in the wire buffer.  WEIGHT:
 * index of a tensor of the weights file, masked by the model owner; PUBLIC: likewise, without a mask. */
enum suf_space { SUF_NONE, SUF_WIRE, SUF_WEIGHT, SUF_PUBLIC };
struct suf_ref { enum suf_space space; uint64_t at; };

/* out[so.i] = f(a[a0 + sa.i], b[b0 + sb.i]) for all i < dim; all in elements. */
struct suf_map {
	uint32_t ndim, dim[SUF_MAX_DIM];
	uint64_t out0, a0, b0;
	int64_t so[SUF_MAX_DIM], sa[SUF_MAX_DIM], sb[SUF_MAX_DIM];
};
/* C[batch][rows][cols] = sum over inner; element (b, i, k) of A is at
 * a0 + b/bh*sa[0] + b%bh*sa[1] + i*sa[2] + k*sa[3], of B (b, k, j) likewise: batch is split in two
 * axes (outer batch/bh, inner bh), so that heads need no copies.  C is contiguous.  bias: [cols]. */
struct suf_mm {
	uint32_t batch, bh, rows, inner, cols;
	uint64_t a0, b0;
	int64_t sa[4], sb[4];
};
/* Ragged rows: row k has length first + inc*(k mod period), halved (rounding
 * up) `level` times; rows lie one after the other. */
struct suf_rows { uint64_t count; uint32_t first, inc, period, level; };
/* Public numbers, part of the program. */
struct suf_table { const char *name; uint32_t len; const int64_t *v; };

struct suf_step {
	enum suf_op op;
	uint32_t id;             /* label of the step's streams, unique in the program, >= 1 */
	uint64_t count;          /* elements of an output, all of it (drelu: outputs * elements) */
	uint64_t na, nb;         /* elements of in[0], in[1] */
	uint8_t n, m;            /* ring bits of in[0] (products: of all operands; shiftmul: in[1] has m) and of the output */
	uint8_t s, b;            /* shift or dropped bits; bits compared or looked up */
	uint8_t shared;          /* local steps: the operands are shares (party 0 alone adds constants) */
	uint8_t slack, weight_b, define_last, round_half;
	uint8_t offline;         /* party 1 does its part before the input is there: nothing it reads depends on anything online (pass `offline`) */
	uint8_t one_way;         /* open: party 0 alone learns the value */
	uint32_t pad_a, pad_b;   /* != 0: mask shares of in[0], in[1] are the pads of that step */
	int64_t ca, cb, c;
	const struct suf_map *map;
	const struct suf_mm *mm;
	const struct suf_rows *rows;
	const struct suf_table *table;
	struct suf_ref in[SUF_MAX_IN], out[SUF_MAX_OUT];
	const char *klass;       /* cost class: matmul truncate softmax gelu layernorm embedding other */
};

/* A tensor at the border of the program.  Fixed point: value * 2^frac mod
 * 2^bits.  onehot > 0: the user's tensor holds integers < onehot, the wire holds
 * their one-hot rows (frac 0). */
struct suf_tensor {
	const char *name;
	uint32_t rank; int64_t dim[8];
	uint8_t bits, frac;
	uint32_t onehot;
	uint32_t step;           /* inputs, outputs: id of their step */
	bool integer;            /* the user's array is int64, not float32 */
};

struct suf_run;
struct suf_program {
	const char *name, *gates, *weights;  /* model, gate set, weight setting: masked, owner, public */
	uint8_t hash[32];                    /* SHA-256 of the scheduled IR text */
	uint64_t wire_elems;
	uint8_t output_to;                   /* 0, 1; 2: both */
	uint32_t nrounds;
	const struct suf_tensor *input, *output, *weight;
	uint32_t ninput, noutput, nweight;
	enum suf_err (*body)(struct suf_run *); /* all steps in order, with suf_round between */
};

/* Called by a program's body.  What a step does depends on the run: the dealer
 * writes its key part, a party evaluates it, the simulator computes it in the
 * clear, the planner adds up its cost. */
SUF_MUST_USE enum suf_err suf_step(struct suf_run *, const struct suf_step *);
/* Exchange everything that was opened since the last round. */
SUF_MUST_USE enum suf_err suf_round(struct suf_run *);

/* ---- for services that embed a program ----------------------------------------
 * Every function below takes `text`, at least SUF_TEXT bytes, which gets a
 * message when the result is not SUF_OK.  Files appear whole or not at all.
 * A call takes up to 256 KiB of its thread's stack. */
enum { SUF_TEXT = 256 };

struct suf_class_stats { const char *name; double ms; uint64_t sent, received; uint32_t rounds; };
struct suf_stats {
	int role;                            /* party; -1: dealer */
	double ms, comm_ms;                  /* online (dealer: key generation); of it inside the link */
	uint64_t sent, received;             /* online bytes */
	double offline_ms;                   /* weights of party 0: what party 1 sends before the input is there, with what it computes for that */
	uint64_t offline_sent, offline_received;
	uint64_t setup_sent, setup_received; /* handshake, and masked weights when they are sent */
	uint64_t key[2];                     /* bytes of key material, headers not counted; party: its own in key[role] */
	uint64_t prg_calls, peak_rss;
	uint32_t rounds, nclass;
	struct suf_class_stats klass[8];
};
SUF_MUST_USE enum suf_err suf_stats_save(const struct suf_program *, const struct suf_stats *, const char *path, char *text);

struct suf_progress { void (*report)(void *arg, uint64_t done, uint64_t of); void *arg; };

/* The dealer.  Keys go to DIR/<id>.p0.key, .p1.key (and .client.key), or to two descriptors. */
struct suf_deal_config {
	const char *dir; uint32_t count;     /* how many pairs; 0: only the state of the weight mask */
	int fd[2];                           /* when dir is NULL: where one pair goes */
	const char *state;                   /* seeds of the weight mask, made on first use; NULL: DIR/model.state */
	const char *owner;                   /* instead: seeds from a model.owner file, which must exist */
	const char *weights;                 /* public weights: the plain file; no state, owner and epoch then */
	bool new_epoch;                      /* replace the state: weights must be masked again */
	bool outside_client;                 /* the client is neither party */
	struct suf_progress progress;
};
SUF_MUST_USE enum suf_err suf_deal(const struct suf_program *, const struct suf_deal_config *, struct suf_stats *, char *text);

/* The link between the parties; chan.h. */
struct suf_chan_config {
	const char *listen, *connect;        /* "HOST:PORT" or "unix:PATH"; exactly one is set */
	const char *tls_cert, *tls_key, *tls_ca; /* PEM files; all or none */
	bool plain;                          /* TCP without TLS; loopback only */
	bool allow_remote_plain;
	double timeout_s;                    /* connect/accept and silence of the peer; 0: 60 s */
};

/* A party.  Arrays are in the order of suf_program.input and .output: float, or
 * int64_t when suf_tensor.integer or .onehot is set. */
struct suf_party_config {
	int role;
	const char *key;                     /* file or FIFO; NULL: key_fd */
	int key_fd;
	const char *used_dir;                /* where the use of the key is recorded; NULL: the folder of the key file, or "." */
	const char *weights;                 /* masked; plain with `owner` at party 0, which a program with party 0's weights needs; NULL at party 1:
	                                      * party 0 sends them masked.  Public: plain, both */
	const char *owner;                   /* model.owner, when party 0 owns the model */
	const char *masked_input;            /* from suf_share_input; both parties */
	const char *masked_output;           /* written for suf_reveal */
	struct suf_chan_config link;
	struct suf_progress progress;
};
SUF_MUST_USE enum suf_err suf_party_run(const struct suf_program *, const struct suf_party_config *, const void *const *input,
	void *const *output, struct suf_stats *, char *text);

/* Owners outside the two parties. */
SUF_MUST_USE enum suf_err suf_mask_weights(const struct suf_program *, const char *weights, const char *owner, const char *out, char *text);
SUF_MUST_USE enum suf_err suf_share_input(const struct suf_program *, const char *client_key, const void *const *input, const char *out, char *text);
SUF_MUST_USE enum suf_err suf_reveal(const struct suf_program *, const char *client_key, const char *masked, void *const *output, char *text);

uint64_t suf_tensor_elems(const struct suf_tensor *);  /* of the user's array */
bool suf_receives(const struct suf_program *, int role);
bool suf_public_weights(const struct suf_program *);   /* everybody knows them, the dealer too */
bool suf_owner_weights(const struct suf_program *);    /* party 0 knows them */

/* The command line of a generated program: keygen, run, mask-weights,
 * share-input, reveal, keys, info.  Returns the exit status. */
int suf_main(const struct suf_program *, int argc, char **argv);

#ifdef __cplusplus
}
#endif
#endif

/* SPDX-License-Identifier: Apache-2.0
 * run.h -- inside of a run: what step implementations (runtime/step/) use.
 *
 * Every step has one file runtime/step/NAME.c with
 *     deal   dealer: masks of the inputs -> key part, mask of the output
 *     eval   party:  masked inputs (or shares) + key part -> share of the output
 *     sim    clear:  (x, r) of the inputs -> (x, r) of the output, with exactly the arithmetic of the protocol,
 *            so that a simulation under the same seeds equals a run bit for bit, beyond the stated ranges too
 * Local steps have one function, `local`, which is applied to masks, masked
 * values, shares and clear values alike.
 *
 * All values are uint64_t, reduced mod 2^(ring bits) when a step ends.
 */
#ifndef SUF_RUN_H
#define SUF_RUN_H
#include "chan.h"
#include "gemm.h"
#include "dpf.h"
#include "key.h"
#include "pack.h"

enum run_mode { RUN_PLAN, RUN_DEAL, RUN_PARTY, RUN_SIM };

enum suf_part {
#define PART(step, part, kind, count, bits) PART_##step##_##part,
#include "steps.def"
	SUF_NPART
};
enum part_kind { KIND_CORR, KIND_XORC, KIND_DPF, KIND_MASK };
enum step_form { FORM_LOCAL, FORM_SHARED, FORM_MASKED, FORM_EXACT, FORM_DEALER };
enum { RUN_TAG_INPUT = 0x200 }; /* stream tag of an input's mask, in the client's stream; word i masks element i */
struct part_desc { const char *name; enum suf_op step; enum part_kind kind; };
struct step_desc { const char *name; int nin, nout; enum step_form form; const char *doc; };
extern const struct part_desc suf_part_desc[SUF_NPART];
extern const struct step_desc suf_step_desc[SUF_NSTEP];

struct suf_arity { int least, most, results; };
struct suf_arity suf_step_arity(const struct suf_step *);
enum step_form suf_operand_form(const struct suf_step *, int k); /* MASKED (or a weight), unless a row TAKES says something else */
bool suf_operand_owned(const struct suf_step *, int k);           /* row OWNED */
bool suf_operand_blind(const struct suf_step *, int k);           /* row BLIND */
bool suf_takes_key(const struct suf_step *);                      /* some part of it has words */
enum step_form suf_result_form(const struct suf_step *, int k);  /* the step's, unless a row RESULT says something else */

/* Cost of one step, from steps.def alone: bytes of key and messages (corrections by the block rule below), AES blocks
 * and ring multiply-adds by role, key bytes of a party in the words of published systems.  Party 1 acts for the client.
 * in[].space must be set. */
enum suf_role { SUF_DEALER, SUF_P0, SUF_P1, SUF_NROLE };
struct suf_cost { uint64_t key[2], client_key, sent[2], offline, prg[SUF_NROLE], mul_adds[SUF_NROLE], words; }; /* offline: party 1 to party 0 */
struct suf_cost suf_step_cost(const struct suf_step *, uint8_t output_to);
void suf_cost_add(struct suf_cost *, const struct suf_cost *);
uint64_t suf_operand_count(const struct suf_step *, int k);      /* elements of in[k] that a mask is made for */
uint32_t suf_operand_pad(const struct suf_step *, int k);        /* pad_a, pad_b */
bool suf_threshold_single(const struct suf_step *, uint32_t output); /* drelu: [x >= t], not an exclusive or of two */
uint64_t suf_thresholds(const struct suf_step *);                /* drelu: comparisons for all outputs of an element */
uint64_t suf_cuts_all(const struct suf_step *);                  /* cuts: comparisons for all outputs of an element */
bool suf_cuts_odd(const struct suf_step *);                      /* cuts: some output has an odd number of thresholds */
uint64_t suf_pieces_words(const struct suf_step *, unsigned more); /* pieces: degree + more words for each piece */
unsigned suf_normsq_msb(const struct suf_step *);               /* normsq: bits of the shares of top bits */
uint64_t suf_shiftsq_top(const struct suf_step *);               /* shiftsq: elements of its part top_o */
uint64_t suf_cells_words_of(const struct suf_step *, uint64_t count); /* cells: words of the one-hots of `count` elements */
unsigned suf_cell_word_bits(const struct suf_step *, int z);     /* cells, cellfix: ring bits of word z; 0: the table has no head */
unsigned suf_cellfix_bits(const struct suf_step *, int k);       /* cellfix: bits of its part k; 0: no such part */
uint64_t suf_trig_terms(const struct suf_step *);                /* trig: K; 0: its table is none */
unsigned suf_trig_linear(const struct suf_step *);               /* trig: ring bits of x in 2^l x; 0: no line */
uint64_t suf_part_count(enum suf_part, const struct suf_step *);
unsigned suf_part_bits(enum suf_part, const struct suf_step *);
struct suf_cost suf_part_cost(enum suf_part, const struct suf_step *, uint8_t output_to);

/* ms: steps and the share of exchanges; key: this party's bytes */
struct run_class { const char *name; double ms; uint64_t sent, received, key; uint32_t rounds; };

/* What a run takes, by going through its steps: costs, and the sizes of its buffers. */
struct suf_plan {
	struct suf_cost total;
	uint32_t rounds, steps;
	uint64_t wire_bytes, scratch_bytes, msg_bytes, key_bytes; /* buffers; one block of key material */
	uint64_t border_bytes;                /* weights, inputs and outputs at a party */
	uint64_t round_sent[2];               /* queued by each party since the last round */
	uint8_t *read;                        /* by index of a weight: PLAN_MASKED, PLAN_OWNED, as steps read it; NULL: nobody asks */
	bool narrow;                          /* some opening drops bits: it rounds by the shares, so products tell the simulator party 0's */
};
enum { PLAN_MASKED = 1, PLAN_OWNED = 2 };
void suf_plan_step(struct suf_plan *, const struct suf_step *, uint8_t output_to);
void suf_plan_round(struct suf_plan *);
SUF_MUST_USE enum suf_err suf_plan_reads(const struct suf_program *, uint8_t *read); /* read: zeroed, one for each weight */
uint64_t suf_plan_peak(const struct suf_plan *);          /* bytes that a party holds during a run */
/* In one call: the plan of a program (mode RUN_PLAN over its body). */
SUF_MUST_USE enum suf_err suf_plan(const struct suf_program *, struct suf_plan *, char *err);

struct suf_run {
	enum run_mode mode;
	int party;                            /* RUN_PARTY */
	const struct suf_program *prog;
	enum suf_isa isa;
	uint64_t *wire;                       /* party: x_hat or own share; sim: x */
	uint64_t *mask;                       /* dealer, sim: r (of shares: of the offset share) */
	uint64_t *share0;                     /* sim: party 0's share of SHARED values where a narrow opening needs it; else junk */
	struct prg_stream_key seed[2];        /* dealer, sim: both; party: own at [party] */
	struct prg_stream_key model[2];       /* model-mask seeds, likewise */
	struct prg_stream_key client;         /* dealer, sim; party when it acts for the client */
	bool has_client;
	uint64_t session;
	struct suf_sink *sink[2], *client_sink; /* dealer */
	struct suf_source *key;               /* party */
	struct suf_chan *chan;                /* party */
	const uint64_t *const *weight;        /* party: W_hat; sim: W; dealer: public ones alone; by index; reduced mod 2^bits */
	const uint64_t *const *owned;         /* party 0: W, where it owns the weights; sim: W */
	const uint64_t *const *input;         /* party acting for the client, sim: fixed-point values mod 2^bits (one-hot already expanded); by index */
	uint64_t *const *output;              /* receiver, sim: filled by step output */
	bool input_masked;                    /* party: input[] already holds x_hat (the client stands outside) */
	bool outside_client;                  /* dealer: output masks go to client_sink; party: output[] gets the masked value */
	struct suf_step *open; uint32_t nopen, open_cap; /* openings and inputs queued for this round */
	uint8_t *msg_out, *msg_in;            /* one round's message */
	uint8_t *ahead; size_t ahead_at, ahead_sent; /* offline messages of party 1, in program order; where the next one is or goes; bytes that went over */
	bool in_advance;                      /* party 1 makes them: the steps marked `offline`, and no other */
	double offline_ms, offline_wait_ms;   /* party: time taken by them, and of it inside the link */
	uint8_t *key_buf;                     /* one block of key material */
	void *scratch;                        /* run_scratch() */
	struct suf_plan plan;                 /* made by run_init */
	void *user;                           /* the program body's own, e.g. an interpreter's state */
	uint64_t aes_calls; uint32_t rounds;
	void (*trace)(void *, const struct suf_run *, const struct suf_step *); void *trace_arg; /* after each step; verify and tests */
	struct run_class klass[8]; uint32_t nklass;
	enum suf_err err; char errmsg[256];
};

enum { SUF_WIDE = 192 };                                   /* most bits of an element of a CORR part */
static inline unsigned suf_limbs(unsigned bits) { return bits > 64 ? (bits + 63) / 64 : 1; }
static inline uint64_t ring_mask(unsigned bits) { return bits >= 64 ? ~0ull : (1ull << bits) - 1; }

/* Operands.  wire_in: the value array the mode works on: masks for the dealer,
 * x_hat/shares for a party, x for the simulator. */
uint64_t *run_wire(struct suf_run *, struct suf_ref);      /* party, sim */
uint64_t *run_mask(struct suf_run *, struct suf_ref);      /* dealer, sim */
uint64_t *run_share0(struct suf_run *, struct suf_ref);    /* sim */
const uint64_t *run_weight(struct suf_run *, struct suf_ref); /* party: W_hat, sim: W; a public one also at the dealer */
const uint64_t *run_owned(struct suf_run *, struct suf_ref);  /* OWNED: party 0: W, party 1: W_hat, sim: W */
static inline bool ref_is_weight(struct suf_ref ref) { return ref.space == SUF_WEIGHT || ref.space == SUF_PUBLIC; }
/* Mask of a weight: dealer, sim: r_W = s0 + s1; party: its own share.  `first`, `count` elements of it; zeros if it is public. */
void run_weight_mask(struct suf_run *, struct suf_ref, uint64_t first, size_t count, unsigned bits, uint64_t *out);
/* Simulator: the share of one party, from the first element on. */
void sim_weight_mask(struct suf_run *, struct suf_ref, int party, size_t count, unsigned bits, uint64_t *share);
/* Words [first, first + count) of a stream, mod 2^bits; counted in aes_calls. */
void run_stream(struct suf_run *, const struct prg_stream_key *, uint32_t id, uint32_t tag, uint64_t first, size_t count, unsigned bits, uint64_t *out);
void *run_scratch(struct suf_run *, size_t bytes);         /* 64-byte aligned, valid until the step ends; one call per step. NULL: error is set */

/* Corrections.  Elements [first, first+count) of a part, first a multiple of
 * SUF_BLOCK, any count (worked off in blocks).  Blocks alternate: even blocks correct party 1,
 * odd blocks party 0; the other party's share is its stream (id, part). */
static inline int corr_party(uint64_t first) { return (first / SUF_BLOCK) & 1 ? 0 : 1; }
SUF_MUST_USE enum suf_err deal_corr(struct suf_run *, const struct suf_step *, enum suf_part, uint64_t first, size_t count, const uint64_t *v);
SUF_MUST_USE enum suf_err deal_corr_known(struct suf_run *, const struct suf_step *, enum suf_part, uint64_t first, size_t count, const uint64_t *v, uint64_t *u); /* u: the shares that are streams */
SUF_MUST_USE enum suf_err eval_corr(struct suf_run *, const struct suf_step *, enum suf_part, uint64_t first, size_t count, uint64_t *share);
/* A party's share of v as the run will have it; simulator only. */
void sim_corr(struct suf_run *, const struct suf_step *, enum suf_part, int party, uint64_t count, const uint64_t *v, uint64_t *share);
void sim_corr_at(struct suf_run *, const struct suf_step *, enum suf_part, int party, uint64_t first, uint64_t count, const uint64_t *v, uint64_t *share); /* elements first .. */
/* The same for parts of more than 64 bits: an element is suf_limbs(bits) words, least significant first; word j of element i is
 * word i * limbs + j of the stream.  In the key all first words of a block come first, then all second ones; the last is packed. */
SUF_MUST_USE enum suf_err deal_corr_wide(struct suf_run *, const struct suf_step *, enum suf_part, uint64_t first, size_t count, const uint64_t *v);
SUF_MUST_USE enum suf_err eval_corr_wide(struct suf_run *, const struct suf_step *, enum suf_part, uint64_t first, size_t count, uint64_t *share);
void sim_corr_wide(struct suf_run *, const struct suf_step *, enum suf_part, int party, uint64_t count, const uint64_t *v, uint64_t *share);
void sim_corr_wide_at(struct suf_run *, const struct suf_step *, enum suf_part, int party, uint64_t first, uint64_t count, const uint64_t *v, uint64_t *share);
SUF_MUST_USE enum suf_err run_sinks_flush(struct suf_run *, size_t least); /* dealer: suf_sinks_flush of both keys */
/* DPF parts: the words of one block, count <= SUF_BLOCK.  Roots: two words per element from each party's stream (id, part). */
SUF_MUST_USE enum suf_err deal_dpf(struct suf_run *, const struct suf_step *, enum suf_part, uint64_t first, size_t count, const uint64_t *alpha);
SUF_MUST_USE enum suf_err deal_dpf_sign(struct suf_run *, const struct suf_step *, enum suf_part, uint64_t first, size_t count, const uint64_t *alpha, uint64_t *own0); /* dpf_gen_sign */
SUF_MUST_USE enum suf_err eval_dpf(struct suf_run *, const struct suf_step *, enum suf_part, uint64_t first, size_t count, struct block *root, const uint8_t **words); /* words: valid until the next eval_dpf */
/* Pads of output k.  party: adds own pad to v (XOR-wise the same for 1 bit) mod 2^bits; dealer, sim: mask = pad0 + pad1. */
void eval_pad(struct suf_run *, const struct suf_step *, int output, uint64_t first, size_t count, unsigned bits, uint64_t *v);
void deal_pad(struct suf_run *, const struct suf_step *, int output, uint64_t first, size_t count, unsigned bits, uint64_t *mask);
void party_pad(struct suf_run *, int party, uint32_t id, int output, uint64_t first, size_t count, unsigned bits, uint64_t *pad); /* one party's pad, e.g. as mask share */

/* What a party sends of its shares z in step open. */
void open_top(const struct suf_step *, int party, size_t count, const uint64_t *z, uint64_t *top);

/* ahead.c: before the body runs online, party 1 makes and sends its offline messages, party 0 takes them; both keep them.  Counted in
 * offline_ms and in the bytes of the channel alone. */
SUF_MUST_USE enum suf_err run_ahead(struct suf_run *);
SUF_MUST_USE enum suf_err ahead_put(struct suf_run *, const struct suf_step *open); /* party 1, in advance */
SUF_MUST_USE enum suf_err ahead_round(struct suf_run *); /* likewise, at the end of a round: what was put is sent */
void ahead_get(struct suf_run *, const struct suf_step *open, size_t count, uint64_t *top); /* the next `count` elements, online */
struct run_class *run_class(struct suf_run *, const struct suf_step *); /* counters of the step's cost class */
double run_now_ms(void);                                   /* monotonic clock */

enum suf_err run_fail(struct suf_run *, enum suf_err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

struct step_impl {
	enum suf_err (*deal)(struct suf_run *, const struct suf_step *);
	enum suf_err (*eval)(struct suf_run *, const struct suf_step *);
	enum suf_err (*sim)(struct suf_run *, const struct suf_step *);
	/* local steps only: on one array kind; `constants`: add public constants (masks and party 1's shares: false) */
	void (*local)(const struct suf_step *, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out);
	size_t (*scratch)(const struct suf_step *); /* NULL: none */
};
#define STEP(name, nin, nout, form, doc) extern const struct step_impl step_##name;
#include "steps.def"
extern const struct step_impl *const suf_step_impl[SUF_NSTEP];

/* Set up and run a program in one mode; the caller fills the mode's fields of
 * *run after run_init (zeroes, isa, plan) and before run_start. */
SUF_MUST_USE enum suf_err run_init(struct suf_run *, const struct suf_program *, enum run_mode);
SUF_MUST_USE enum suf_err run_start(struct suf_run *);    /* allocates the buffers the plan asks for and runs the body */
void run_done(struct suf_run *);                          /* wipes and frees */
uint64_t suf_rows_len(const struct suf_rows *, uint64_t row);    /* elements of a row */
uint64_t suf_rows_total(const struct suf_rows *);                /* elements of all rows */
#endif

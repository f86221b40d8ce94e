/* SPDX-License-Identifier: Apache-2.0
 * passes.h -- the pipeline: options, passes, gates.
 */
#ifndef SUFC_PASSES_H
#define SUFC_PASSES_H
#include "ir.h"

struct dim_binding { const char *name; int rank; int64_t dim[MAX_RANK]; bool symbol; }; /* --shape NAME=1x128, --dim SYMBOL=128 */
enum objective { LEAST_TIME, LEAST_COMM, LEAST_KEY, LEAST_ROUNDS }; /* choose.h */
struct options {
	const char *model;               /* path of the .onnx file */
	enum weights_mode weights;
	bool weights_given;              /* the user said so: a program that is read as text must not say something else */
	int output_to;                   /* 0, 1, 2 = both */
	const char *gates;               /* a set, "auto", or the path of a gates file (gate_rules.h) */
	enum objective objective;        /* what gates that are chosen automatically make least */
	const char *network;             /* that times are predicted for, as network_parse of predict.h reads it; NULL: lan */
	const char *machine;             /* file of its constants; NULL: this user's */
	int ring_bits, frac_bits;        /* 0: chosen by the passes (frac 12) */
	struct dim_binding *bind; int nbind;
	const char *calibrate;           /* .npz file or NULL */
	double max_error;                /* relative error of the outputs that fraction bits are chosen for (pass budget); 0: none, the table's bits */
	const char *dump, *stop_after;   /* pass names or NULL */
	bool no_weights;                 /* weights whose data file is missing are absent; for costs only */
	const char **descriptor; int ndescriptor; /* files that describe functions (descriptor.h) */
	bool verbose, quiet, argmax;     /* argmax: replace each output by the index of its maximum over the last axis */
};

/* One row of passes.def: needs and gives are the stages before and after. */
struct pass {
	const char *name;
	enum stage needs, gives;
	bool (*run)(struct prog *);      /* false: an error was reported in prog->diag */
	const char *doc;
};
extern const struct pass passes[];
extern const int npasses;
/* Runs passes from the program's stage on, ir_check after each; prints after opt->dump; stops after opt->stop_after. */
bool run_passes(struct prog *, const struct options *, FILE *dump_to);
/* To the end, without checks and dumps: for a copy that is made to learn its costs. */
bool run_passes_unchecked(struct prog *);
/* As run_passes from the pass behind `after` on; the program is as that one left it. */
bool run_passes_after(struct prog *, const char *after, const struct options *, FILE *dump_to);

#define PASS(name, needs, gives, doc) bool pass_##name(struct prog *);
#include "passes.def"
#undef PASS

/* A gate: one implementation of one operation, one file passes/gate/NAME.c, one row of gates.def.
 * expand() replaces the node (stage GATE) by steps inserted before it; its inputs are
 * already MASKED values (or weights, public constants) and so must the outputs be. */
struct gate {
	const char *set, *name;          /* "sigma", "softmax" */
	enum op op;
	const char *klass;               /* cost class: matmul truncate softmax gelu layernorm embedding other */
	bool (*expand)(struct prog *, struct node *);
	const char *doc, *source;
	bool wide;                       /* takes in[0] with more fraction bits than the result: ATTR_shift, pass defer */
};
extern const struct gate gates[];
extern const int ngates;
const struct gate *gate_find(const char *set, enum op);   /* NULL: none; set "local" is searched too */
bool gate_is_local(const struct gate *);                     /* the only way to do it: of set "local" */
const struct gate *gate_choice(const struct prog *, enum op, int k); /* the k-th gate for it in the sets that cover a model and suit its formats; NULL: no more */
bool gate_is_mixed(const char *set);                         /* its gates take values that have formats of their own (prog.mixed) */
bool gates_wants_mixed(const struct options *);
bool gates_may_be_mixed(const struct options *);             /* or it is still to be chosen (choose_formats.c) */
bool gates_is_one_format(const char *text);                  /* a set whose gates take values of one format */
bool gates_is_set(const char *text);                         /* a set that covers a model, or "auto"; gates of others go into gates files */
const char *gates_set(int k);                                /* the k-th set that covers a model; NULL: no more */
bool gates_is_file(const char *text);                        /* no set: names a file, or looks like a path ('/' or '.') */
bool gates_wants_folding(const struct options *);            /* norms are to be without gamma and beta: pass fold_affine */
const char *gates_label(const struct prog *);                /* from stage GATE on: the set; of several: "auto", or "custom" (from a gates file) */
#define GATE(set, name, op, klass, doc, source) bool expand_##set##_##name(struct prog *, struct node *);
#include "gates.def"
#undef GATE

/* expand.c: the rescale n and the one before it, if that serves it alone, become one. */
void rescale_join(struct prog *, struct node *n);

/* Masks of the softmax, fuse_mask.c.  A constant public mask adds MASK_PUBLIC: a hidden score is zero
 * behind the softmax as long as scores stay within |s| < 8000.  A mask made from a secret input adds
 * MASK_SECRET, which every score has to carry in its ring: exp saturates to 0 at -16, so scores must
 * stay within |s| < 240.  Pass ranges fits both to the bounds of the scores (range_mask.c).  Constants of
 * at most MASK_LIMIT in an addend of scores mean "hidden". */
#define MASK_PUBLIC (-16384.0)
#define MASK_SECRET (-512.0)
#define MASK_LIMIT  (-1e4)

/* float_eval.c: the reference interpreter of stage FLOAT (double arithmetic inside, float results).
 * in[k]: float[] or int64_t[] by dtype of prog->in[k].  Results for all values of the program:
 * result[i] belongs to prog->vals[i] (NULL: not computed); owned by the caller's arena. */
bool float_eval(const struct prog *, const void *const *in, void **result, struct arena *);
/* The same with changes: of results, where they are made, and of constants, where they are read. */
struct float_change {
	void (*result)(void *, int index, void *data);       /* of prog->vals[index] */
	const void *(*constant)(void *, int index, const void *data, struct arena *scratch); /* what is read instead */
	void *arg;
};
bool float_eval_changed(const struct prog *, const void *const *in, void **result, struct arena *, const struct float_change *);
/* One node on constant operands (also used for folding and for public constants). */
bool float_eval_node(const struct node *, const void *const *in, void *const *out, struct arena *scratch);

/* cost.c: sums of suf_step_cost over a SCHED program, by class.  prg and mul_adds: of the dealer, party 0, party 1;
 * sent: online; offline: from party 1 to party 0, before the input is there; words: key bytes of a party in the layout of published systems (steps.def).  peak: bytes that each party holds during a run. */
struct cost_row { const char *klass; uint64_t key[2], client_key, sent[2], offline, prg[3], mul_adds[3], words; uint32_t rounds; };
struct cost { struct cost_row total, klass[8]; int nklass; uint64_t steps, peak[2]; };
void prog_cost(const struct prog *, struct cost *);
struct suf_step cost_step(const struct prog *, const struct node *); /* as suf_step_cost wants it: where operands are, but for their places */
enum suf_space space_of(const struct prog *, const struct val *);    /* SCHED */
const char *weights_label(enum weights_mode);                /* "masked", "owner", "public": who knows the weights */
const char *weights_words(enum weights_mode);                /* the same for people */
#endif

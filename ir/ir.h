/* SPDX-License-Identifier: Apache-2.0
 * ir.h -- the program representation: one struct, four stages.
 *
 *   FLOAT  what the ONNX graph computes, over real numbers
 *   RING   every value has a ring width, fraction bits and a range
 *   GATE   every nonlinear operation is bound to a gate of passes/gates.def
 *   SCHED  steps of runtime/steps.def in order, with rounds and buffer offsets
 *
 * docs/ir.md is the reference of the text form.
 */
#ifndef SUFC_IR_H
#define SUFC_IR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "suf.h"          /* struct suf_step: the parameters of a step */

enum { MAX_RANK = 8 };
enum stage { STAGE_FLOAT, STAGE_RING, STAGE_GATE, STAGE_SCHED };
enum dtype { DT_F32, DT_I64, DT_BOOL };

/* Who knows a value.  PUBLIC: everybody, it is part of the program text.
 * WEIGHT: a constant of the model owner, not in the text.  SECRET: depends on an input (stages
 * FLOAT to GATE).  At stage SCHED a secret value has a form: MASKED, both
 * parties know x + r and the dealer knows r; SHARED, additive shares of x + r
 * with r known to the dealer (an "offset share"); EXACT, shares of x itself,
 * additive or XOR, never sent as they are; DEALER, the dealer alone knows it;
 * OWNED, one party knows it. */
enum sec { SEC_PUBLIC, SEC_WEIGHT, SEC_SECRET, SEC_MASKED, SEC_SHARED, SEC_EXACT, SEC_DEALER, SEC_OWNED };
enum weights_mode { WEIGHTS_MASKED, WEIGHTS_OWNER, WEIGHTS_PUBLIC }; /* who knows the weights: neither party, party 0, everybody */
enum range_source { RANGE_NONE, RANGE_PROVEN, RANGE_CALIBRATED };

struct type {
	enum sec sec;
	uint8_t bits, frac;      /* Z_2^bits with frac fraction bits; bits 0 at stage FLOAT */
	uint8_t owner;           /* SEC_OWNED: the party */
};

enum op {
#define OP(name, lo, hi, nout, attrs, doc) OP_##name,
#include "ops.def"
#undef OP
	N_OP
};
enum attr_key {
#define ATTR(name, kind) ATTR_##name,
#include "attrs.def"
#undef ATTR
	N_ATTR
};
struct op_desc { const char *name; int min_in, max_in, nout; const char *attrs, *doc; };
struct attr_desc { const char *name; char kind; /* 'I', 'L', 'F' */ };
extern const struct op_desc op_desc[N_OP];
extern const struct attr_desc attr_desc[N_ATTR];

struct attr { enum attr_key key; int64_t i; double f; int nlist; const int64_t *list; };

struct loc { const char *file, *node, *op; int index; }; /* model file, ONNX node name and type, position; any may be NULL / -1 */

struct val {                 /* one tensor, defined once */
	const char *name;        /* ONNX name, kept to the emitted code; unique */
	enum dtype dtype;
	struct type type;
	int rank; int64_t dim[MAX_RANK];
	struct node *def;        /* NULL: input or constant */
	int nuse;                /* operands of nodes that are this value, kept by build.c; program outputs are not counted */
	double lo, hi;           /* range of the real value; lo > hi: unknown */
	double norm;             /* bound of the 2-norm along the last axis; < 0: unknown */
	enum range_source from;
	double row_sum;          /* largest |sum along the last axis| of calibration data; 0: none */
	bool is_score, has_row_max; /* read by a softmax, masks not counted; row_max is known */
	bool is_masked;          /* an attention mask, what it is made from, or scores with one added; from pass ranges on */
	double row_max;          /* the maximum of a row that a softmax reads is at least this, if a column is visible */
	const struct matrix *norms[2]; /* during pass ranges: of a constant matrix, and transposed; NULL: not known yet */
	const char *why;         /* for the report: what its fraction bits and its ring follow from; NULL: the program's one format */
	const void *data;        /* constants: float[], int64_t[] or bool[] by dtype (host order, may be mapped);
	                            from stage RING on public ones are int64_t[], the ring's integers (dtype DT_I64); a weight
	                            keeps its float[] and quantize_weight() of passes/quantize.h gives the integers */
	const struct val *factor; /* FLOAT to GATE: a weight whose element i is data[i] times element i / factor_step mod count of this vector, so that
	                            a folded matrix needs no copy: read it by ir_elem, ir_floats or quantize_weight; NULL: data as it is */
	int64_t factor_step;     /* elements of data, one after the other, that share a factor */
	bool absent;             /* a weight whose values are not known: data are zeros that stand for them, good for costs only */
	struct val *source;      /* the FLOAT value this one stands for, for verify (often itself); NULL: helper value */
	uint64_t slot;           /* SCHED: first element in the wire buffer; weights: index in prog order */
	struct val *alias;       /* same elements in the same slot, another shape (reshape); NULL: own slot */
	uint32_t pad_step;       /* SCHED: id of the step whose pad streams are this wire's mask shares; 0: none */
	bool is_wire_input;      /* a program input */
	uint32_t onehot;         /* RING on: an input of row numbers; its wire holds one-hot rows of this length, frac 0 */
};
struct node {                /* one operation */
	enum op op;
	int nin, nout;
	struct val **in, **out;
	int nattr; struct attr *attr;
	const struct gate *gate; /* GATE: the implementation, passes/gates.def */
	const struct descriptor *desc; /* OP_act: the function; passes/descriptor.h */
	struct suf_step *step;   /* SCHED: parameters; refs are filled by the backend from in/out */
	int round;               /* SCHED: openings sent in this round; -1: none yet */
	const char *klass;       /* cost class: matmul truncate softmax gelu layernorm embedding other */
	struct loc loc;
	struct node *prev, *next;
};
struct prog {                /* the one data structure every pass takes */
	const char *name;        /* model file name without folder and suffix */
	enum stage stage;        /* which invariants hold; ir_check() tests them */
	struct node *first, *last; /* in topological order, always */
	struct val **in, **out; int nin, nout;
	struct val **vals; int nvals; /* every value ever made, in order; dead ones too */
	const struct options *opt;   /* what the user asked for; passes/passes.h */
	const struct descriptor **desc; int ndesc; /* functions that the user described (--descriptor), all fitted */
	struct arena *arena;     /* owns everything above */
	struct diag *diag;
	const char *gates;       /* GATE on, for users: the gate set; "auto" (gates of several were chosen), "custom" (a file names them); NULL: sigma */
	const struct choice *choice; /* what pass bind chose among several gates, and what else there was; NULL: no choice (passes/choose.h) */
	uint32_t next_id;        /* next step id (labels of streams); starts at 1 */
	bool joins;              /* SCHED, until pass join_open: it may move local steps before openings (a gate of another set than sigma is bound) */
	enum weights_mode weights;   /* --weights */
	bool mixed;              /* RING on: each value has its own format, for gates of the set compact */
	const uint8_t *role_bits; int nrole_bits; /* FLOAT, from pass budget on: fraction bits by role of passes/precision.def; NULL: the table's */
	const struct budget *budget; /* how --max-error chose them (passes/budget.h); NULL: it was not given */
	int nrounds;             /* SCHED */
	uint64_t wire_elems;     /* SCHED: size of the wire buffer, elements */
};

/* arena.c: bump allocator; everything is freed at once. */
struct arena *arena_new(void);
void arena_free(struct arena *);
_Noreturn void arena_out_of_memory(size_t bytes);             /* says so and exits 3 */
/* What depends on its parameters alone and takes time, such as a fitted table, is made once: it lives in the elder arena and is found by
 * its key from there and from all younger ones, those of copies of a program (ir_clone).  Nobody changes it. */
struct arena *arena_younger(struct arena *elder);             /* goes before its elder does */
struct arena *arena_elder(struct arena *);                    /* itself, if it has none */
const void *arena_known(struct arena *, const char *key);     /* NULL: not yet */
void arena_remember(struct arena *, const char *key, const void *value);
void *arena_alloc(struct arena *, size_t bytes);              /* zeroed, 16-byte aligned; never NULL (exits 3 when out of memory) */
char *arena_strdup(struct arena *, const char *);
char *arena_printf(struct arena *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void arena_on_free(struct arena *, void (*fn)(void *), void *arg); /* e.g. munmap of mapped weights */

/* diag.c: errors accumulate; the stage stops after reporting all of them.
 * Text form:  FILE:NODE (#i, OP): error: text [code]   then indented lines of
 * `hint`.  code is a short stable word, e.g. "unsupported-op". */
struct diag *diag_new(FILE *to, bool json);
void diag_free(struct diag *);
void diag_error(struct diag *, const struct loc *, const char *code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diag_warning(struct diag *, const struct loc *, const char *code, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diag_hint(struct diag *, const char *fmt, ...) __attribute__((format(printf, 2, 3))); /* belongs to the last error or warning */
int diag_errors(const struct diag *);
int diag_warnings(const struct diag *);
const char *diag_warning_text(const struct diag *, int k);   /* the k-th warning, shown or not: "NODE: text" */
void diag_quiet(struct diag *, bool quiet);   /* no warnings */
_Noreturn void ir_bug(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define BUG(...) ir_bug(__FILE__, __LINE__, __VA_ARGS__) /* a fault of sufc itself: prints and aborts */

/* build.c: the only functions that change a program.  All memory is the arena's. */
struct prog *ir_new(const char *name, const struct options *, struct diag *);
void ir_free(struct prog *);
struct val *ir_val(struct prog *, const char *name, enum dtype, struct type, int rank, const int64_t *dim); /* name NULL: makes a unique one; a taken name gets a suffix */
struct val *ir_val_like(struct prog *, const struct val *, const char *name_suffix); /* same dtype, type, shape, source */
struct val *ir_const(struct prog *, const char *name, enum dtype, enum sec, int rank, const int64_t *dim, const void *data); /* data is referenced, not copied */
struct val *ir_const_like(struct prog *, const char *name, const struct val *, enum sec, int rank, const int64_t *dim); /* the same data in another form, .absent too */
struct val *ir_absent(struct prog *, const char *name, int rank, const int64_t *dim); /* a weight without values: takes no memory */
struct val *ir_scalar(struct prog *, const char *name, double); /* public F32 scalar */
struct val *ir_find(const struct prog *, const char *name);      /* NULL: no value has this name */
void ir_add_input(struct prog *, struct val *);                 /* appends to prog->in */
void ir_add_output(struct prog *, struct val *);                /* appends to prog->out */
/* insert before `at` (NULL: at the end).  The node is returned with nattr 0 and out[] set. */
struct node *ir_node(struct prog *, struct node *at, enum op, const struct loc *, int nin, struct val *const *in, int nout, struct val *const *out);
struct node *ir_step(struct prog *, struct node *at, const struct node *like, struct suf_step step, int nin, struct val *const *in, int nout, struct val *const *out); /* takes loc, klass of `like` (NULL: none, "other"); gives step.id; map, mm, rows are copied, the table is not */
void ir_set_int(struct prog *, struct node *, enum attr_key, int64_t);
void ir_set_f64(struct prog *, struct node *, enum attr_key, double);
void ir_set_ints(struct prog *, struct node *, enum attr_key, int n, const int64_t *);
bool ir_has(const struct node *, enum attr_key);
int64_t ir_int(const struct node *, enum attr_key);             /* BUG if absent */
int64_t ir_int_or(const struct node *, enum attr_key, int64_t otherwise);
double ir_f64(const struct node *, enum attr_key);
const int64_t *ir_ints(const struct node *, enum attr_key, int *n);
void ir_replace(struct prog *, struct val *old, struct val *with); /* all uses, program outputs too */
void ir_take_out(struct prog *, struct node *, struct val *v);   /* the node (one output, same shape) defines v from now on; the node that did gets its former output */
void ir_remove(struct prog *, struct node *);                   /* its outputs must be unused */
void ir_move_before(struct prog *, struct node *, struct node *at);
void ir_set_in(struct prog *, struct node *, int k, struct val *);
int64_t ir_count(const struct val *);                           /* elements */
bool ir_is_const(const struct val *);                           /* data != NULL */
bool ir_scalar_value(const struct val *, double *);             /* constant with one element, any dtype */
struct node *ir_user(const struct prog *, const struct val *);  /* the only user; NULL if not exactly one or if an output */
double ir_elem(const struct val *, int64_t i);                  /* element i of a constant, as double */
void ir_floats(const struct val *, float *to);                  /* all elements of a F32 constant, its factors applied */
void ir_floats_part(const struct val *, int64_t first, int64_t n, float *to); /* elements first to first + n - 1 of them */

/* clone.c: a copy at any stage, with its own (younger) arena and diag.  Elements of constants, tables, names and places are the original's,
 * which has to live longer. */
struct prog *ir_clone(const struct prog *, struct diag *);

/* check.c: every invariant of the stage; reports to prog->diag with code "ir". */
bool ir_check(const struct prog *, enum stage);
/* The step whose pads, in order and mod 2^bits, are the mask shares of a masked value (pads.c); NULL: there is none. */
const struct node *ir_pads(const struct val *);
bool ir_map_once(const struct suf_map *, const int64_t *stride, uint64_t first, uint64_t count); /* it goes through `count` elements, each once */
uint64_t ir_wire_count(const struct val *);                   /* elements that a value takes on the wire */
/* print.c, parse.c: print then parse is the identity (docs/ir.md). */
void ir_print(const struct prog *, FILE *);
void ir_print_hashed(const struct prog *, FILE *); /* what the program hash covers: nothing that depends on the weights' values or the model's path */
void ir_print_data(const struct prog *, FILE *);   /* side file FILE.data: constants that ir_print gives as a digest */
struct prog *ir_parse(FILE *, const char *file, const struct options *, struct diag *); /* NULL: an error was reported */
#endif

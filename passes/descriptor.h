/* SPDX-License-Identifier: Apache-2.0
 * descriptor.h -- scalar fixed-point operators as data: docs/suf.md is the reference.
 *
 * A descriptor is a function of one fixed-point number: the partition of its domain, a value or a polynomial for each
 * part, and a line beyond either end.  Gates are compiled from it (passes/gate/suf_act.c); descriptor_eval() is its
 * meaning, integer for integer.
 */
#ifndef SUFC_DESCRIPTOR_H
#define SUFC_DESCRIPTOR_H
#include "passes/formula.h"

enum { DESC_MAX_CELL_BITS = 12, DESC_MAX_PIECES = 256, DESC_MAX_DEGREE = 3, DESC_MAX_FRAC = 30, DESC_VERIFY_BITS = 24 };
enum desc_form { DESC_AUTO, DESC_TABLE, DESC_PIECES };     /* AUTO: the cheaper one, when it is fitted */
enum tail_kind { TAIL_AUTO, TAIL_NONE, TAIL_LINE };        /* AUTO: from the function's limit, when it is fitted */

/* Beyond one end of the domain: c * 2^-out + slope * x.  NONE: no input is ever there; c and slope are the other side's then. */
struct tail { enum tail_kind kind; int slope; int64_t c; };

/* From `from` on, in units of 2^-frac: sum of c[j] (t - from)^j mod 2^64, t = the input in those units; the result in 2^-scale. */
struct piece { int64_t from, c[DESC_MAX_DEGREE + 1]; };

struct descriptor {
	const char *name;
	const char *op[8]; int nop;      /* ONNX operators that it computes */
	const char *function;            /* the reference, as text */
	const struct formula *formula;
	double lo, hi;                   /* domain [lo, hi) */
	double max_error; bool relative; /* promised, over domain and tails */
	enum desc_form form;
	bool fitted;                     /* cells or pieces are there; else: what to fit */
	unsigned in, out;                /* fraction bits: of the inputs that the error is stated for, of results */
	struct tail tail[2];             /* left, right */
	/* TABLE: result = tail of the side of `split` + cell[h - first], h = floor(x 2^e), if there is such a cell.
	 * ncell is 0 or a power of two.  first and split count cells from 0.  Beyond an end with tail NONE cells repeat. */
	unsigned e; uint32_t ncell; int64_t first, split; const int64_t *cell;
	/* PIECES: the first one begins at lo */
	unsigned frac, scale, degree; int npiece; const struct piece *piece;
};

/* descriptor.c */
/* x has `in` fraction bits, at least d->in's least: d->out, d->e, d->frac.  Exactly what the gate gives. */
int64_t descriptor_eval(const struct descriptor *, unsigned in, int64_t x);
double descriptor_real(const struct descriptor *, double x);  /* the formula */
unsigned descriptor_cell_bits(const struct descriptor *);     /* w: every |cell| < 2^(w-2) */
bool descriptor_split_needed(const struct descriptor *);      /* the lines differ */

struct desc_error {                  /* in units of 2^-out, but for relative */
	double max, at, rms;             /* over the domain; rms too */
	double tail, tail_at;            /* beyond it */
	double promised;                 /* the larger one as max_error counts: real, relative if that says so */
	double promised_at;
	uint64_t points;
	bool finite;                     /* false: the formula has no value at `at` */
};
/* Every input of the domain with d->in fraction bits, at most 2^bits of them: then both ends of equal intervals; and beyond the
 * domain a dense sample. */
struct desc_error descriptor_verify(const struct descriptor *, unsigned bits);
/* A sound interval of the results for inputs in [lo, hi] (lo > hi: any); false: there is none. */
bool descriptor_range(const struct descriptor *, double lo, double hi, double *least, double *most);

/* descriptor_text.c: one declaration a line.  NULL: every error was reported. */
void descriptor_print(const struct descriptor *, FILE *);
/* file NULL: messages name no file. */
struct descriptor *descriptor_parse(struct arena *, struct diag *, const char *file, const char *text, size_t size);
struct descriptor *descriptor_read(struct arena *, struct diag *, const char *file);
/* "x + 0.5", "0", "none", "auto"; constants are multiples of 2^-out. */
bool tail_parse(const char *text, unsigned out, struct tail *);
void tail_print(const struct tail *, unsigned out, char text[48]);

/* descriptor_files.c: the files of prog->opt, read, fitted to its fraction bits and verified, as prog->desc; false: reported. */
bool descriptors_load(struct prog *);

/* descriptor_fit.c: cells or pieces for a formula; `out`, `in` fraction bits. */
struct desc_log { struct arena *a; const char **line; int n, cap; const char *hint; };  /* what was tried; hint: a way out */
void desc_say(struct desc_log *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* NULL: the log says why. */
struct descriptor *descriptor_fit(struct arena *, const struct descriptor *want, unsigned in, unsigned out, struct desc_log *);
/* Other fraction bits, before it is fitted: constants of tails follow. */
void desc_set_format(struct descriptor *, unsigned in, unsigned out);
/* descriptor_fit.c: tails from limits, in place; false: see the log. */
bool desc_find_tails(struct descriptor *, struct desc_log *);
/* The table with cells of 2^-e on [first, first + ncell) / 2^e; tails are set. */
struct descriptor *desc_table(struct arena *, const struct descriptor *, unsigned e, int64_t first, uint32_t ncell);
/* descriptor_pieces.c: NULL: none of at most DESC_MAX_PIECES pieces of this degree. */
struct descriptor *desc_pieces(struct arena *, const struct descriptor *, unsigned degree);
/* descriptor_cost.c: bytes of key and of messages, of one element and party, in a ring of n bits with inputs of d->in fraction
 * bits; AES blocks and additions of each; rounds.  total compares forms, in bytes of key; infinite: the ring is too small. */
struct desc_cost { double key, sent, aes, adds, total; int rounds; };
struct desc_cost descriptor_cost(const struct descriptor *, unsigned n);

/* descriptor_builtin.c: rows of descriptors.def. */
struct desc_builtin {
	const char *name, *function;
	double lo, hi;
	enum desc_form form; unsigned e, degree; /* a table: degree 0, the tails alone */
	const char *left, *right;
	double max_error;
	const char *doc;
};
extern const struct desc_builtin desc_builtins[];
extern const int ndesc_builtins;
const struct desc_builtin *desc_builtin_find(const char *name);
/* What a row asks for, not fitted; its fixed form. */
struct descriptor *desc_builtin_want(struct arena *, const struct desc_builtin *);
const struct descriptor *desc_builtin_get(struct arena *, const char *name, unsigned in, unsigned out); /* the same, made once (arena_remember) */
struct descriptor *desc_builtin_make(struct arena *, const struct desc_builtin *, unsigned in, unsigned out); /* BUG if it cannot be made */
#endif

/* SPDX-License-Identifier: Apache-2.0
 * build.h -- the vocabulary of gates: functions that add steps to a program.
 *
 * Everything a gate computes is a chain of values.  MASKED values (x + r known
 * to both parties) come out of b_open; protocol steps give SHARED values;
 * local steps keep the form of their operand.  Helper values are flat arrays;
 * b_done gives the last one the shape of the gate's output.  Widths: `n` is
 * the ring of an operand (its type.bits), `m` that of a result.
 */
#ifndef SUFC_GATE_BUILD_H
#define SUFC_GATE_BUILD_H
#include "passes/passes.h"
#include "run.h"

/* Steps are inserted before `at`, the gate that is being expanded. */
struct gb { struct prog *p; struct node *at; };

/* --- values ------------------------------------------------------------- */
uint64_t b_count(const struct val *);
struct val *b_new(struct gb *, const char *what, enum sec, unsigned bits, uint64_t count);
/* One step; the result has step.count elements of step.m bits. */
struct val *b_step(struct gb *, struct suf_step, enum sec, int nin, struct val *const *in);
/* The node's output is v: same shape, type, name and uses; the node is removed. */
bool b_done(struct gb *, struct val *v);
/* The same for another node whose work was done with this one's. */
void b_done_node(struct gb *, struct node *, struct val *v);
/* Reports that the gate needs a ring of `need` bits; returns false. */
bool b_ring_error(struct gb *, unsigned need);
/* x with `axis` moved to the end, as rows; b_axis_back() restores the order of `like`.  axis may be negative. */
struct val *b_axis_last(struct gb *, struct val *x, int64_t axis);
struct val *b_axis_back(struct gb *, struct val *rows, const struct val *like, int64_t axis);
/* Bits b with -2^(b-1) <= x < 2^(b-1) whatever the program's inputs are; the ring's if nothing better follows
 * from the steps before (the result of a faithful truncation by s has n-s bits). */
unsigned b_width(const struct val *);
/* The step that makes a value, through aliases; NULL for inputs and constants. */
const struct node *b_maker(const struct val *);
/* A constant as a weight (public constants take part in products as weights do). */
struct val *b_weight(struct gb *, struct val *, unsigned bits);
const struct suf_table *b_known_table(struct gb *, const char *name); /* one that a step before uses; NULL: none */
const struct suf_table *b_table(struct gb *, const char *name, uint32_t len, const int64_t *v); /* copied; equal ones are shared */
int64_t *b_words(struct gb *, uint64_t len);

/* --- rows, maps ----------------------------------------------------------- */
struct suf_rows b_rows(uint64_t count, uint64_t len);
struct suf_rows b_tril_rows(uint64_t count, uint64_t period, uint64_t past);
/* Strides in elements of `v` read at the positions of a tensor of shape dim[rank] that v broadcasts to. */
void b_strides(const struct val *v, int rank, const int64_t *dim, int64_t *stride);
void b_contiguous(int rank, const int64_t *dim, int64_t *stride);
/* Joins axes where it can; BUG if more than SUF_MAX_DIM are left.  sb NULL: no second operand. */
struct suf_map b_map(int rank, const int64_t *dim, const int64_t *so, const int64_t *sa, const int64_t *sb);

/* --- local steps ------------------------------------------------------------ */
/* ca*a + cb*b + c mod 2^m; b NULL: one operand; map NULL: elementwise. */
struct val *b_lin(struct gb *, int64_t ca, struct val *a, int64_t cb, struct val *b, int64_t c, unsigned m, const struct suf_map *map);
struct val *b_reduce(struct gb *, struct val *, unsigned m);            /* x mod 2^m */
struct val *b_part(struct gb *, struct val *, uint64_t first, uint64_t count); /* elements first .. */
struct val *b_mulc(struct gb *, struct val *, const struct suf_table *, unsigned m, const struct suf_map *);
struct val *b_addc(struct gb *, struct val *, const struct suf_table *, unsigned m, const struct suf_map *);
struct val *b_row_sum(struct gb *, struct val *, const struct suf_rows *);
struct val *b_row_lin(struct gb *, int64_t ca, struct val *a, int64_t cb, struct val *b, const struct suf_rows *);
struct val *b_tril(struct gb *, struct val *, const struct suf_rows *);

/* --- protocol steps; results are SHARED unless said ------------------------- */
struct val *b_open(struct gb *, struct val *);                          /* MASKED, in place */
struct val *b_lt(struct gb *, struct val *x, uint64_t c, unsigned b);    /* MASKED (opened): borrow of (x_hat + c) - r on b bits */
struct val *b_trunc_reduce(struct gb *, struct val *x, unsigned s, unsigned m); /* MASKED; any x; m <= n - s */
struct val *b_trunc_slack(struct gb *, struct val *x, unsigned s, unsigned m);  /* MASKED; |x| < 2^(n-2) */
struct val *b_sext(struct gb *, struct val *x, unsigned m);              /* MASKED */
struct val *b_trunc_floor(struct gb *, struct val *x, unsigned s, unsigned m); /* MASKED; any x */
/* Bits [x >= from[k]] ^ [x >= to[k]], to NULL: [x >= from[k]]; opened; [outputs][elements]; |x - t| < 2^(b-1). */
struct val *b_drelu(struct gb *, struct val *x, unsigned b, uint32_t outputs, const int64_t *from, const int64_t *to, const char *name);
struct val *b_sign(struct gb *, struct val *x, unsigned b, int64_t at_least); /* one threshold; MASKED bit */
struct val *b_select(struct gb *, struct val *bit, struct val *x, unsigned m);
struct val *b_lut(struct gb *, struct val *x, unsigned b, unsigned m, const struct suf_table *);
struct val *b_lin4(struct gb *, struct val *bit0, struct val *bit1, struct val *x, unsigned m, const int64_t icept[4], const int64_t slope[4], const char *name);
struct val *b_bitdot(struct gb *, struct val *bits, uint32_t nbits, int64_t c, unsigned m, const int64_t *coeff, const char *name);
struct val *b_mul(struct gb *, struct val *a, struct val *b, const struct suf_map *); /* as many as a; map NULL: elementwise */
struct val *b_mul_rows(struct gb *, struct val *a, struct val *b, const struct suf_rows *); /* a[e] * b[row of e] */
struct val *b_sqsum(struct gb *, struct val *, const struct suf_rows *);
/* (x >> s) y mod 2^m and the row sums of (x >> s)^2 mod 2^m; x >> s stays closed.  carry: b_carry(x, s), NULL if s = 0.
 * |x| < 2^(n-2), or any x if m <= n-s.  y: m bits, masked or a weight, one for each element (rows NULL) or for each row. */
struct val *b_carry(struct gb *, struct val *x, unsigned s);             /* opened borrow bits of x mod 2^s; s = 0: NULL */
struct val *b_shift_mul(struct gb *, struct val *x, struct val *carry, unsigned s, struct val *y, unsigned m, const struct suf_rows *rows);
struct val *b_shift_sq(struct gb *, struct val *x, struct val *carry, unsigned s, unsigned m, const struct suf_rows *);
/* A polynomial of x, one of 2^bits by the opened index [bits][elements] (NULL: 0 bits); coeff: degree+1 words for each, constant
 * first.  gap: |x| < 2^(n-2) and m >= n; else m <= n and any x. */
struct val *b_pieces(struct gb *, struct val *x, struct val *index, unsigned bits, unsigned degree, const int64_t *coeff, bool gap, unsigned m, const char *name);
struct val *b_matmul(struct gb *, struct val *a, struct val *b, struct val *bias, const struct suf_mm *);

/* --- weight_proto.c: products, MASKED: opened, or local where b is a weight that everybody knows ------------------------- */
bool b_is_public(const struct gb *, const struct val *b);                /* a weight that everybody knows */
bool b_is_owned(const struct gb *, const struct val *b);                 /* a weight that party 0 knows */
struct val *b_owned_product(struct gb *, struct val *a, struct val *b, struct val *bias, const struct suf_mm *); /* shared; b: weights of party 0 */
struct val *b_linear(struct gb *, struct val *a, struct val *b, struct val *bias, const struct suf_mm *);
struct val *b_times(struct gb *, struct val *a, struct val *b, const struct suf_map *); /* elementwise, as many as a; map NULL: one by one */
/* SHARED, of a shared a and a public b; a may still be opened, and the result has its own pads. */
struct val *b_linear_share(struct gb *, struct val *a, struct val *b, struct val *bias, const struct suf_mm *);

/* --- suf_proto.c: regions and tables of x >> s, which stays closed.  carry: b_carry(x, s), NULL if s = 0; one serves all
 * steps that shift this x by s ---------------------------------------------------------------------------------------- */
/* Bits of y = x >> s, each the exclusive or of [y >= at[k]] over a list of thresholds; opened, a round later than carry;
 * [outputs][elements].  |y - t| < 2^(b-1) for all thresholds t; b <= n - s.  One key for all. */
struct cut_list { uint32_t n; const int64_t *at; };
struct val *b_cuts(struct gb *, struct val *x, unsigned s, struct val *carry, unsigned b, uint32_t outputs, const struct cut_list *, const char *name);
/* T[(x >> s) mod 2^b], |T| < 2^(w-2), up to a secret sign: w bits, opened.  b_lookup_times makes T * bit mod 2^m of it (bit
 * NULL: T), any m, as often as wanted. */
struct lookup { struct val *value, *signs, *carry; unsigned s; };
struct lookup b_lut_shift(struct gb *, struct val *x, unsigned s, struct val *carry, unsigned b, unsigned w, const struct suf_table *);
struct val *b_lookup_times(struct gb *, const struct lookup *, struct val *bit, unsigned m);
/* bit * (x >> s) mod 2^m; |x| < 2^(n-2), or any x if m <= n-s. */
struct val *b_select_shift(struct gb *, struct val *bit, struct val *x, unsigned s, struct val *carry, unsigned m);

/* suf_rows.c: 2^out / (S / 2^frac) mod 2^m, opened, for each masked S with 2^frac (1 - 2^-7) <= S < (longest + 1) 2^frac, which has
 * frac + log2(longest) + 3 bits or more.  Relative error at most 10^-3 if out >= 10 + log2(longest); else 5 * 10^-4 and half a unit. */
struct val *b_reciprocal_row(struct gb *, struct val *sum, uint64_t longest, unsigned frac, unsigned out, unsigned m);

/* --- suf_act.c --------------------------------------------------------------------------------------- */
/* descriptor_eval(d, in, x) mod 2^m, opened; x has `in` fraction bits, |x| < 2^(n-2).  NULL: an error was reported. */
struct descriptor;
struct val *gate_descriptor(struct gb *, struct val *x, const struct descriptor *, unsigned in, unsigned m);

/* Larger pieces shared by several gates: act.c, norm.c, softmax.c. */
bool gate_relu_minus(struct gb *, const char *name, unsigned clip_bits, double (*diff)(double));
bool gate_odd(struct gb *, const char *name, unsigned step_bits, unsigned clip_bits, double offset, double (*half)(double));
bool gate_norm(struct gb *, bool center);
/* a * gamma + beta along the rows, opened; gamma's fraction bits more than a's f. */
struct val *gate_affine(struct gb *, struct val *a, struct val *gamma, struct val *beta, const struct suf_rows *, unsigned f);
struct val *gate_softmax(struct gb *, struct val *x, const struct suf_rows *); /* MASKED; NULL: an error was reported */
/* softmax.c: largest element of each row; in a ring of b_max_ring() bits, where x differences fit. */
unsigned b_max_ring(const struct val *x);
struct val *b_row_max(struct gb *, struct val *x, const struct suf_rows *, unsigned diff_bits);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * match.h -- a small vocabulary for recognising and replacing pieces of a FLOAT program.
 *
 * A pattern is text, read from the result towards the operands:
 *
 *   (mul x (sigmoid x))     the value is made by this operation from these operands;
 *                           operands of add and mul are tried in both orders
 *   (mean x)                reduce_mean over the last axis that keeps it
 *   x                       any value; the same letter is the same value everywhere
 *   C                       any constant (upper case)
 *   0.5                     a constant of one element, within 0.1 %
 *   h=(slice x)             a form whose value is kept under a letter
 *   {(recip x) (div 1 x)}   the first alternative that matches
 *
 * Inside an alternative the first match stands: nothing that matched is tried
 * again because a later form failed, except the order of operands above it.
 * So forms that decide come before letters.
 */
#ifndef SUFC_MATCH_H
#define SUFC_MATCH_H
#include "passes.h"

enum { MATCH_NODES = 48 };
struct match {
	struct val *letter[128];             /* by character */
	struct node *node[MATCH_NODES];      /* the operations that matched; node[0] makes the root */
	int n;
};

/* Does `root` match, and is everything between the root and the letters used
 * by the matched operations only?  Then the root can be replaced as a whole. */
bool match(struct prog *, struct match *, struct val *root, const char *pattern);

/* Program outputs count as uses that no pattern contains. */
bool is_output(const struct prog *, const struct val *);
bool same_shape(const struct val *, const struct val *);
/* Every element of the constant is the same finite number. */
bool uniform_value(const struct val *, double *);
/* Is `c` a constant vector of `n` elements along the last axis (the other axes 1)? */
bool is_last_axis_vector(const struct val *c, int64_t n);
/* Does the list attribute `axes` of a reduction name the last axis alone? */
bool reduces_last_axis(const struct node *);

/* A walk over all elements of a shape, last axis first: pos starts at zero; false after the last element. */
bool next_pos(int rank, const int64_t *dim, int64_t *pos);
/* The offset of the element of t that broadcasts to position pos of a tensor of `rank` >= t->rank. */
int64_t offset_at(const struct val *t, int rank, const int64_t *pos);

/* The constant with this shape and secrecy: itself, or another one on the same data. */
struct val *const_view(struct prog *, struct val *, enum sec, int rank, const int64_t *dim);
/* A public vector of n elements, all `fill`. */
struct val *const_fill(struct prog *, const char *name, int64_t n, double fill);
/* A new constant of the shape of `like`; the caller fills *data. */
struct val *const_like(struct prog *, const struct val *like, const char *name, enum sec, float **data);

/* A new operation before `at` with one result of the given shape. */
struct node *make_node(struct prog *, struct node *at, enum op, const struct loc *, int nin, struct val *const *in, int rank, const int64_t *dim);
/* The same where the result has the shape of `like`. */
struct node *make_node_like(struct prog *, struct node *at, enum op, const struct loc *, int nin, struct val *const *in, const struct val *like);
struct node *make_scale(struct prog *, struct node *at, const struct loc *, struct val *, double factor);

/* A copy of d, with its attributes, before `at`: first operand x, a result of the given shape. */
struct node *copy_node(struct prog *, struct node *at, const struct node *d, struct val *x, int rank, const int64_t *dim);
/* Reshape, transpose, slice, expand, gather: operations that only move elements of their first operand. */
bool is_layout(const struct node *);

/* `n`, before the definition of `old`, makes `old` from now on; what only served the former definition goes. */
void take_over(struct prog *, struct node *n, struct val *old);
/* The result of n is `with`, of the same shape: uses it directly and drops n.  A program
 * output keeps its name: n becomes a reshape then.  False: nothing changed. */
bool bypass(struct prog *, struct node *n, struct val *with);
/* Removes the node if nothing uses it, then what only it used. */
void remove_dead(struct prog *, struct node *);
/* Removes every node that no output needs. */
void sweep_dead(struct prog *);
#endif

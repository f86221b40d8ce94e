/* SPDX-License-Identifier: Apache-2.0
 * float_eval.h -- pieces of the reference interpreter that the importer uses for constants too.
 *
 * Tensors are a struct val for dtype and shape plus a pointer to the elements.
 * All arithmetic is done in double (F32) or wrapping int64 (I64, BOOL).
 */
#ifndef SUFC_FLOAT_EVAL_H
#define SUFC_FLOAT_EVAL_H
#include "ir.h"

enum reduce { REDUCE_SUM, REDUCE_MEAN, REDUCE_L2, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD };

#define MASKED_BELOW (-1e30)         /* an attention mask means "never" from here on */

size_t eval_elem_size(enum dtype);
double eval_load(const void *data, enum dtype, int64_t i);
int64_t eval_load_int(const void *data, enum dtype, int64_t i);
void eval_store(void *data, enum dtype, int64_t i, double);
void eval_store_int(void *data, enum dtype, int64_t i, int64_t);
bool eval_is_mask(enum dtype, int64_t n, const void *data); /* F32, 0 or "never" only, at least one of these */

/* float_eval.c: a run of `count` examples side by side that keeps no results.  in[k]: input k of all examples, one after the other.
 * see() gets every input and result of every example, by its index in prog->vals, some examples at the same time; a result is freed behind
 * its last reader.  Without report an error is returned, not said. */
typedef void float_watch(void *arg, int64_t example, int index, const void *data);
bool float_eval_watched(const struct prog *, int64_t count, const void *const *in, float_watch *see, void *arg, bool report);

/* float_eval_elem.c: with NumPy broadcasting to the shape of out.  The double
 * function is used when an operand is F32, the integer one otherwise. */
void eval_unary(const struct val *out, void *to, const struct val *a, const void *pa,
                double (*f)(double), int64_t (*g)(int64_t));
void eval_binary(const struct val *out, void *to, const struct val *a, const void *pa, const struct val *b, const void *pb,
                 double (*f)(double, double), int64_t (*g)(int64_t, int64_t));
void eval_where(const struct val *out, void *to, const struct val *const v[3], const void *const in[3]);
bool eval_elem(const struct node *, const void *const *in, void *const *out); /* false: not an elementwise operation */

/* float_eval_layout.c */
bool eval_layout(const struct node *, const void *const *in, void *const *out, bool *ok); /* *ok false: an index is out of range */
void eval_transpose(const struct val *out, void *to, const struct val *a, const void *pa, const int64_t *perm);

/* float_eval_matmul.c: a @ b over the last two axes, batch axes broadcast; factors of b count where pb is b->data. */
void eval_matmul(const struct val *out, float *to, const struct val *a, const float *pa, const struct val *b, const float *pb,
                 bool trans_b, const float *bias);

/* float_eval_norm.c */
bool eval_norm(const struct node *, const void *const *in, void *const *out, struct arena *scratch);
void eval_reduce(const struct val *out, void *to, const struct val *a, const void *pa, enum reduce,
                 int naxes, const int64_t *axes, struct arena *scratch);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * onnx_import.h -- what the files of the importer share; not for the rest of sufc.
 */
#ifndef SUFC_ONNX_IMPORT_H
#define SUFC_ONNX_IMPORT_H
#include "ir.h"
#include "onnx.h"
#include "onnx.pb-c.h"

enum onnx_dtype {             /* TensorProto.DataType */
	ONNX_FLOAT = 1, ONNX_UINT8, ONNX_INT8, ONNX_UINT16, ONNX_INT16, ONNX_INT32, ONNX_INT64, ONNX_STRING, ONNX_BOOL,
	ONNX_FLOAT16, ONNX_DOUBLE, ONNX_UINT32, ONNX_UINT64, ONNX_BFLOAT16 = 16
};

/* onnx_file.c: a mapped file and the message read from it.  raw_data of every
 * tensor in the message is 16 bytes: offset and length in the mapping. */
struct onnx_map { const unsigned char *base; size_t size; };
bool onnx_map_file(struct arena *, int folder_fd, const char *path, struct onnx_map *, const char **why);
Onnx__ModelProto *onnx_read(struct arena *, const struct onnx_map *, const char **why);
bool onnx_raw_data(const Onnx__TensorProto *, size_t *offset, size_t *length);

/* One import. */
struct onnx_name;
struct onnx_ctx {
	struct prog *p;
	const struct options *opt;
	struct diag *diag;
	struct arena *mem;            /* the program's */
	const char *path;
	struct onnx_map map;
	const Onnx__ModelProto *model;
	const Onnx__GraphProto *graph;
	int64_t opset, ms_opset;      /* 0: not imported */
	int64_t budget;               /* bytes that folded constants may still take */
	struct onnx_name *names;
	struct onnx_map *external; const char **external_name; int nexternal;
};

/* One node being lowered: in[k] NULL for an omitted input. */
struct onnx_node {
	struct onnx_ctx *c;
	const Onnx__NodeProto *pb;
	const struct onnx_op *row;
	struct loc loc;
	int64_t opset;
	int nin, nout;
	struct val **in, **out;
	const char *name;             /* of the next value made; NULL: any */
	const struct descriptor *desc; /* the user's, that computes this operator; NULL: the table's row does */
};
struct onnx_op {
	const char *domain, *name;
	int opset_lo, opset_hi, min_in, max_in, max_out;
	const char *attrs;            /* "axis:i,..": i int, f float, s string, I ints, F floats, t tensor */
	bool (*lower)(struct onnx_node *);
	const char *note;
};

#define onnx_error(o, ...) diag_error((o)->c->diag, &(o)->loc, __VA_ARGS__)
/* Reports and gives the value of a failed lowering or builder. */
#define ONNX_FAIL(o, ...) (onnx_error(o, __VA_ARGS__), false)
#define ONNX_NULL(o, ...) (onnx_error(o, __VA_ARGS__), (struct val *)NULL)

/* onnx.c, onnx_input.c */
struct val *onnx_named(const struct onnx_ctx *, const char *name); /* NULL: not (yet) known */
bool onnx_is_initializer(const struct onnx_ctx *, const char *name);
void onnx_define(struct onnx_ctx *, const struct loc *, const char *name, struct val *); /* NULL: its definition failed */
bool onnx_clean_text(const char *);                /* no control characters */
void onnx_inputs(struct onnx_ctx *);
bool onnx_reaches(const struct onnx_ctx *, const char *name, const char *op, const char *or_op); /* does such an operator depend on name? */

/* onnx_tensor.c */
enum { ONNX_DTYPE_BAD = -1 };
int onnx_dtype(int32_t data_type);                 /* enum dtype or ONNX_DTYPE_BAD */
const char *onnx_dtype_name(int32_t data_type);
struct val *onnx_tensor(struct onnx_ctx *, const Onnx__TensorProto *, const struct loc *, const char *name); /* NULL: reported */
enum sec onnx_folded_sec(enum dtype, int64_t count, const void *data, enum sec joined);
bool onnx_count(int rank, const int64_t *dim, int64_t *count); /* false: negative, too large or too many axes */
const char *onnx_shape_text(struct arena *, int rank, const int64_t *dim);
const char *onnx_val_text(struct arena *, const struct val *); /* "x float[1,8] secret" */

/* onnx_attr.c */
const Onnx__AttributeProto *onnx_attr(const struct onnx_node *, const char *name);
int64_t onnx_attr_int(const struct onnx_node *, const char *name, int64_t otherwise);
double onnx_attr_f64(const struct onnx_node *, const char *name, double otherwise);
bool onnx_attr_is(const struct onnx_node *, const char *name, const char *text, const char *otherwise);
const int64_t *onnx_attr_ints(const struct onnx_node *, const char *name, int *n); /* NULL, n 0: absent */
bool onnx_attrs_check(const struct onnx_node *);   /* known names, right kinds */
bool onnx_axis(const struct onnx_node *, int64_t axis, int rank, int *out);
/* A list that is an attribute or, later, a constant input; absent: NULL, n = -1. */
bool onnx_list(struct onnx_node *, const char *attr, int input, const int64_t **list, int *n);

/* onnx_build.c: nodes of the program.  All return NULL when an operand is NULL
 * or after reporting; constants are evaluated at once.  onnx_last() gives the
 * next value the name of the ONNX output. */
struct onnx_attrs { int n; struct attr a[4]; };
struct val *onnx_emit(struct onnx_node *, enum op, int nin, struct val *const *in, enum dtype, int rank, const int64_t *dim,
                      const struct onnx_attrs *);
void *onnx_fold_data(struct onnx_node *, enum dtype, int rank, const int64_t *dim); /* memory of a new constant; NULL: reported */
struct val *onnx_fold_val(struct onnx_node *, enum dtype, enum sec joined, int rank, const int64_t *dim, const void *data);
enum sec onnx_join(int n, struct val *const *);
struct val *onnx_scalar(struct onnx_node *, double);
void onnx_last(struct onnx_node *);
const char *onnx_const_name(const struct onnx_ctx *, const char *name);
bool onnx_done(struct onnx_node *, struct val *);  /* out[0] = the value; false for NULL */
struct val *onnx_unary(struct onnx_node *, enum op, struct val *);
struct val *onnx_binary(struct onnx_node *, enum op, struct val *, struct val *);
struct val *onnx_reshape(struct onnx_node *, struct val *, int rank, const int64_t *dim);
struct val *onnx_transpose(struct onnx_node *, struct val *, const int64_t *perm);
struct val *onnx_slice(struct onnx_node *, struct val *, int axis, int64_t start, int64_t step, int64_t count);
struct val *onnx_concat(struct onnx_node *, int n, struct val *const *, int axis);
struct val *onnx_expand(struct onnx_node *, struct val *, int rank, const int64_t *dim);
struct val *onnx_cast(struct onnx_node *, struct val *, enum dtype);
struct val *onnx_matmul(struct onnx_node *, struct val *a, struct val *b, struct val *bias, bool trans_b);
struct val *onnx_where(struct onnx_node *, struct val *c, struct val *a, struct val *b);
struct val *onnx_not(struct onnx_node *, struct val *);
struct val *onnx_reduce(struct onnx_node *, enum op, struct val *, int naxes, const int64_t *axes, bool keepdims);
bool onnx_broadcast(const struct val *a, const struct val *b, int *rank, int64_t *dim);
struct val *onnx_force(struct onnx_node *, struct val *); /* a transposed constant kept as a node -> constant */
bool onnx_all(const struct val *, bool (*is)(double)); /* a constant whose elements all satisfy is() */
bool onnx_is_zero(double);
bool onnx_is_not_zero(double);
bool onnx_is_masked(double);
bool onnx_is_01(const struct val *); /* every element is 0 or 1, whatever the inputs are */
bool onnx_present(struct onnx_node *, const struct val *); /* reports a constant whose values are not known */
bool onnx_need_const(struct onnx_node *, int k, const char *what); /* reports if in[k] is not a constant */

struct val *onnx_fold_binary(struct onnx_node *, enum dtype to, struct val *a, struct val *b,
                             double (*)(double, double), int64_t (*)(int64_t, int64_t)); /* onnx_math.c */

bool lower_described(struct onnx_node *);          /* onnx_math.c: an operator with a descriptor */
#define ONNX(domain, name, lo, hi, min_in, max_in, max_out, attrs, lower, note) bool lower_##lower(struct onnx_node *);
#include "onnx_ops.def"
#undef ONNX
#endif

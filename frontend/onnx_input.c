/* SPDX-License-Identifier: Apache-2.0
 * onnx_input.c -- graph inputs: binding of symbolic dimensions; positions of rotary embeddings.
 */
#include "onnx_import.h"
#include "passes/passes.h"
#include <stdlib.h>
#include <string.h>

struct symbol { const char *name; int64_t size; };
struct symbols { int n, room; struct symbol *s; };

static int64_t symbol_size(const struct symbols *t, const char *name)
{
	for (int k = 0; k < t->n; k++)
		if (!strcmp(t->s[k].name, name))
			return t->s[k].size;
	return 0;
}

/* false: it has another size already */
static bool symbol_set(struct onnx_ctx *c, struct symbols *t, const char *name, int64_t size)
{
	int64_t have = symbol_size(t, name);
	if (have)
		return have == size;
	if (t->n == t->room) {
		struct symbol *more = arena_alloc(c->mem, (size_t)(t->room = 2 * t->room + 8) * sizeof *more);
		for (int k = 0; k < t->n; k++)
			more[k] = t->s[k];
		t->s = more;
	}
	t->s[t->n++] = (struct symbol){ name, size };
	return true;
}

static const Onnx__TypeProto__Tensor *tensor_type(const Onnx__ValueInfoProto *info)
{
	return info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? info->type->tensor_type : NULL;
}

static const char *param_of(const Onnx__TensorShapeProto__Dimension *d)
{
	return d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM && *d->dim_param ? d->dim_param : NULL;
}

static const struct dim_binding *shape_of(const struct onnx_ctx *c, const char *input)
{
	for (int k = 0; c->opt && k < c->opt->nbind; k++)
		if (!c->opt->bind[k].symbol && !strcmp(c->opt->bind[k].name, input))
			return &c->opt->bind[k];
	return NULL;
}

static struct loc input_loc(const struct onnx_ctx *c, const char *name)
{
	return (struct loc){ .file = c->path, .node = name, .index = -1 };
}

/* Checks --shape of one input and learns the symbols from it. */
static void learn_shape(struct onnx_ctx *c, const Onnx__ValueInfoProto *info, const struct dim_binding *b, struct symbols *t)
{
	const Onnx__TypeProto__Tensor *type = tensor_type(info);
	struct loc loc = input_loc(c, info->name);

	if (!type || !type->shape)
		return;
	if (type->shape->n_dim != (size_t)b->rank) {
		diag_error(c->diag, &loc, "shape", "--shape gives %d dimensions, the input has %zu", b->rank, type->shape->n_dim);
		return;
	}
	for (int d = 0; d < b->rank; d++) {
		const Onnx__TensorShapeProto__Dimension *dim = type->shape->dim[d];
		const char *param = param_of(dim);
		if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && dim->dim_value != b->dim[d])
			diag_error(c->diag, &loc, "shape", "--shape gives %lld for dimension %d, the model has %lld there", (long long)b->dim[d], d, (long long)dim->dim_value);
		else if (param && !symbol_set(c, t, param, b->dim[d]))
			diag_error(c->diag, &loc, "shape", "--shape gives %lld for dimension %d, \"%s\", which is %lld elsewhere", (long long)b->dim[d], d, param,
			           (long long)symbol_size(t, param));
	}
}

static bool has_symbol(const struct onnx_ctx *c, const char *name)
{
	for (size_t k = 0; k < c->graph->n_input; k++) {
		const Onnx__TypeProto__Tensor *type = tensor_type(c->graph->input[k]);
		for (size_t d = 0; type && type->shape && d < type->shape->n_dim; d++)
			if (param_of(type->shape->dim[d]) && !strcmp(param_of(type->shape->dim[d]), name))
				return true;
	}
	return false;
}

static const Onnx__ValueInfoProto *input_named(const struct onnx_ctx *c, const char *name)
{
	for (size_t k = 0; k < c->graph->n_input; k++)
		if (c->graph->input[k]->name && !strcmp(c->graph->input[k]->name, name))
			return c->graph->input[k];
	return NULL;
}

static const char *input_names(const struct onnx_ctx *c)
{
	const char *s = "";
	for (size_t k = 0; k < c->graph->n_input && k < 16; k++)
		s = arena_printf(c->mem, "%s%s%s", s, k ? ", " : "", c->graph->input[k]->name ? c->graph->input[k]->name : "");
	return s;
}

static void learn_bindings(struct onnx_ctx *c, struct symbols *t)
{
	struct loc loc = input_loc(c, NULL);
	for (int k = 0; c->opt && k < c->opt->nbind; k++) {
		const struct dim_binding *b = &c->opt->bind[k];
		bool positive = true;
		for (int d = 0; d < (b->symbol ? 1 : b->rank); d++)
			positive = positive && b->dim[d] > 0;
		if (!positive)
			diag_error(c->diag, &loc, "shape", "sizes given for %s: want positive numbers", b->name);
		else if (b->symbol && !has_symbol(c, b->name))
			diag_error(c->diag, &loc, "shape", "--dim %s: no input has a dimension of this name", b->name);
		else if (b->symbol && !symbol_set(c, t, b->name, b->dim[0]))
			diag_error(c->diag, &loc, "shape", "--dim %s=%lld: it is %lld elsewhere", b->name, (long long)b->dim[0], (long long)symbol_size(t, b->name));
		else if (!b->symbol && !input_named(c, b->name)) {
			diag_error(c->diag, &loc, "shape", "--shape %s: the model has no input of this name", b->name);
			diag_hint(c->diag, "its inputs are: %s", input_names(c));
		} else if (!b->symbol) {
			learn_shape(c, input_named(c, b->name), b, t);
		}
	}
}

/* The shape of an input with everything bound; false: reported. */
static bool input_shape(struct onnx_ctx *c, const Onnx__ValueInfoProto *info, const struct symbols *t, int *rank, int64_t *dim)
{
	const Onnx__TypeProto__Tensor *type = tensor_type(info);
	const struct dim_binding *b = shape_of(c, info->name);
	struct loc loc = input_loc(c, info->name);
	bool ok = true;
	int64_t count;

	*rank = b ? b->rank : type->shape ? (int)type->shape->n_dim : -1;
	if (*rank < 0 || *rank > MAX_RANK || (type->shape && type->shape->n_dim > MAX_RANK)) {
		diag_error(c->diag, &loc, "unbound-dim", *rank < 0 ? "the input has no shape" : "the input has more than %d axes", MAX_RANK);
		diag_hint(c->diag, "--shape %s=1x128", info->name);
		return false;
	}
	const char *example = arena_printf(c->mem, "--shape %s=", info->name), *unbound = NULL;
	for (int d = 0; d < *rank; d++) {
		const Onnx__TensorShapeProto__Dimension *p = type->shape && d < (int)type->shape->n_dim ? type->shape->dim[d] : NULL;
		const char *param = p ? param_of(p) : NULL;
		bool fixed = p && p->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && (p->dim_value > 0 || (!b && p->dim_value < 0));
		dim[d] = b ? b->dim[d] : fixed ? p->dim_value : param ? symbol_size(t, param) : 0;
		example = arena_printf(c->mem, "%s%s%lld", example, d ? "x" : "", (long long)(dim[d] ? dim[d] : d ? 128 : 1));
		if (dim[d] == 0) {
			diag_error(c->diag, &loc, "unbound-dim", "dimension %d \"%s\" has no value", d, param ? param : "");
			unbound = param ? param : "";
			ok = false;
		}
	}
	if (unbound)
		diag_hint(c->diag, *unbound ? "%s   (or --dim %s=128)" : "%s", example, unbound);
	else if (ok && !onnx_count(*rank, dim, &count)) {
		diag_error(c->diag, &loc, "shape", "the input has shape %s: want positive sizes, less than 2^40 elements", onnx_shape_text(c->mem, *rank, dim));
		ok = false;
	}
	return ok;
}

bool onnx_reaches(const struct onnx_ctx *c, const char *name, const char *op, const char *or_op)
{
	const Onnx__GraphProto *g = c->graph;
	struct arena *own = arena_new();
	const char **reached = arena_alloc(own, (g->n_node + 1) * sizeof *reached);
	size_t n = 0;
	bool hit = false;

	reached[n++] = name;
	for (size_t k = 0; k < g->n_node && !hit; k++) {
		const Onnx__NodeProto *pb = g->node[k];
		bool reaches = false;
		for (size_t j = 0; j < pb->n_input && !reaches; j++)
			for (size_t i = 0; i < n && !reaches; i++)
				reaches = !strcmp(pb->input[j], reached[i]);
		if (!reaches || !pb->op_type || !pb->n_output)
			continue;
		hit = !strcmp(pb->op_type, op) || (or_op && !strcmp(pb->op_type, or_op));
		reached[n++] = pb->output[0];
	}
	arena_free(own);
	return hit;
}

/* Rotary positions are part of the program: counted from the past length on. */
static struct val *positions(struct onnx_ctx *c, const char *name, int rank, const int64_t *dim, const struct symbols *t)
{
	struct loc loc = input_loc(c, name);
	const Onnx__ValueInfoProto *mask = input_named(c, "attention_mask");
	int mask_rank;
	int64_t count = 0, mask_dim[MAX_RANK], length = dim[rank - 1], past = 0;

	if (mask && tensor_type(mask) && input_shape(c, mask, t, &mask_rank, mask_dim) && mask_rank == 2 && mask_dim[1] > length)
		past = mask_dim[1] - length;
	if (!onnx_count(rank, dim, &count) || count > 1 << 24)
		return NULL;
	int64_t *data = arena_alloc(c->mem, (size_t)count * sizeof *data);
	for (int64_t i = 0; i < count; i++)
		data[i] = past + i % length;
	diag_warning(c->diag, &loc, "assumed-positions", "taken to be %lld to %lld: rotary positions must be known to the compiler",
	             (long long)past, (long long)(past + length - 1));
	diag_hint(c->diag, "it is no input of the program; pad sequences at their end only");
	return ir_const(c->p, name, DT_I64, SEC_PUBLIC, rank, dim, data);
}

static void import_input(struct onnx_ctx *c, const Onnx__ValueInfoProto *info, const struct symbols *t)
{
	const Onnx__TypeProto__Tensor *type = tensor_type(info);
	struct loc loc = input_loc(c, info->name);
	int dt = type ? onnx_dtype(type->elem_type) : ONNX_DTYPE_BAD, rank;
	int64_t dim[MAX_RANK];
	struct val *v = NULL;

	if (dt == ONNX_DTYPE_BAD)
		diag_error(c->diag, &loc, "dtype", "the input is of type %s, want a tensor of float, integer or bool", type ? onnx_dtype_name(type->elem_type) : "other than tensor");
	else if (input_shape(c, info, t, &rank, dim)) {
		if (dt == DT_I64 && rank > 0 && !strcmp(info->name, "position_ids") && onnx_reaches(c, info->name, "Sin", "Cos"))
			v = positions(c, info->name, rank, dim, t);
		if (!v) {
			v = ir_val(c->p, info->name, (enum dtype)dt, (struct type){ .sec = SEC_SECRET }, rank, dim);
			ir_add_input(c->p, v);
		}
	}
	onnx_define(c, &loc, info->name, v);
}

void onnx_inputs(struct onnx_ctx *c)
{
	struct symbols t = { 0 };

	learn_bindings(c, &t);
	for (size_t k = 0; k < c->graph->n_input; k++) {
		const Onnx__ValueInfoProto *info = c->graph->input[k];
		struct loc loc = input_loc(c, info->name);
		if (!info->name || !*info->name)
			diag_error(c->diag, &loc, "name", "input %zu has no name", k);
		else if (!onnx_clean_text(info->name))
			diag_error(c->diag, &loc, "name", "the name of input %zu has control characters", k);
		else if (input_named(c, info->name) != info)
			diag_error(c->diag, &loc, "duplicate-name", "two inputs have the name %s", info->name);
		else if (!onnx_is_initializer(c, info->name)) /* before IR version 4 initializers are inputs too */
			import_input(c, info, &t);
	}
}

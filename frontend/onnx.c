/* SPDX-License-Identifier: Apache-2.0
 * onnx.c -- ModelProto to a program of stage FLOAT; every problem is reported before the import fails.
 *
 * A node that cannot be lowered leaves its outputs "failed"; nodes that use
 * those are checked against the table but not lowered, so that one problem is
 * reported once.
 */
#include "onnx_import.h"
#include "passes/descriptor.h"
#include "passes/passes.h"
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { OPSET_LO = 11, OPSET_HI = 20, IR_VERSION_HI = 12 };

struct onnx_name { const char *key; struct val *val; bool failed; UT_hash_handle hh; };

static const struct onnx_op op_table[] = {
#define ONNX(domain, name, lo, hi, min_in, max_in, max_out, attrs, lower, note) \
	{ domain, name, lo, hi, min_in, max_in, max_out, attrs, lower_##lower, note },
#include "onnx_ops.def"
#undef ONNX
};

int onnx_op_count(void)
{
	return (int)(sizeof op_table / sizeof *op_table);
}

struct onnx_op_doc onnx_op_doc(int i)
{
	const struct onnx_op *r = &op_table[i];
	return (struct onnx_op_doc){ *r->domain ? r->domain : "ai.onnx", r->name, r->opset_lo, r->opset_hi, r->note, r->attrs[0] == '*' };
}

static const struct onnx_op *op_find(const char *domain, const char *name, int64_t opset, bool *other_opset)
{
	*other_opset = false;
	for (size_t k = 0; k < sizeof op_table / sizeof *op_table; k++) {
		const struct onnx_op *r = &op_table[k];
		if (strcmp(r->domain, domain) || strcmp(r->name, name))
			continue;
		if (opset >= r->opset_lo && opset <= r->opset_hi)
			return r;
		*other_opset = true;
	}
	return NULL;
}

/* ---- names ---------------------------------------------------------------- */

static struct onnx_name *find(const struct onnx_ctx *c, const char *name)
{
	struct onnx_name *e;
	HASH_FIND_STR(c->names, name, e);
	return e;
}

struct val *onnx_named(const struct onnx_ctx *c, const char *name)
{
	const struct onnx_name *e = find(c, name);
	return e ? e->val : NULL;
}

bool onnx_is_initializer(const struct onnx_ctx *c, const char *name)
{
	return find(c, name) != NULL; /* nothing else is defined when inputs are read */
}

/* v NULL: failed.  A name is defined once. */
void onnx_define(struct onnx_ctx *c, const struct loc *loc, const char *name, struct val *v)
{
	struct onnx_name *e;
	if (!*name)
		return;
	if (find(c, name)) {
		diag_error(c->diag, loc, "duplicate-name", "the name %s is defined twice", name);
		return;
	}
	e = arena_alloc(c->mem, sizeof *e);
	e->key = name;
	e->val = v;
	e->failed = v == NULL;
	HASH_ADD_KEYPTR(hh, c->names, e->key, strlen(e->key), e);
}

/* ---- model, initializers, inputs ---------------------------------------------- */

static struct loc model_loc(const struct onnx_ctx *c, const char *node)
{
	return (struct loc){ .file = c->path, .node = node, .index = -1 };
}

static bool is_default_domain(const char *d)
{
	return !d || !*d || !strcmp(d, "ai.onnx");
}

static void import_opsets(struct onnx_ctx *c)
{
	const Onnx__ModelProto *m = c->model;
	struct loc loc = model_loc(c, NULL);

	for (size_t k = 0; k < m->n_opset_import; k++) {
		const char *domain = m->opset_import[k]->domain;
		if (is_default_domain(domain))
			c->opset = m->opset_import[k]->version;
		else if (!strcmp(domain, "com.microsoft"))
			c->ms_opset = m->opset_import[k]->version;
	}
	if (c->opset < OPSET_LO || c->opset > OPSET_HI) {
		if (c->opset)
			diag_error(c->diag, &loc, "opset", "opset %lld is not supported, want %d to %d", (long long)c->opset, OPSET_LO, OPSET_HI);
		else
			diag_error(c->diag, &loc, "opset", "the model names no opset of ai.onnx, want %d to %d", OPSET_LO, OPSET_HI);
		diag_hint(c->diag, "export with opset_version=17, or convert with onnx.version_converter");
	}
	if (m->has_ir_version && m->ir_version > IR_VERSION_HI)
		diag_warning(c->diag, &loc, "ir-version", "ONNX IR version %lld is newer than %d; reading it anyway", (long long)m->ir_version, IR_VERSION_HI);
	if (c->graph->n_sparse_initializer)
		diag_error(c->diag, &loc, "unsupported-op", "sparse initializers are not supported");
}

static void import_initializers(struct onnx_ctx *c)
{
	for (size_t k = 0; k < c->graph->n_initializer; k++) {
		const Onnx__TensorProto *t = c->graph->initializer[k];
		const char *name = t->name ? t->name : "";
		struct loc loc = model_loc(c, name);
		if (!*name)
			diag_error(c->diag, &loc, "tensor", "initializer %zu has no name", k);
		else
			onnx_define(c, &loc, name, onnx_tensor(c, t, &loc, name));
	}
}

/* ---- nodes -------------------------------------------------------------------- */

static bool produced_later(const struct onnx_ctx *c, const char *name, size_t from)
{
	for (size_t k = from; k < c->graph->n_node; k++)
		for (size_t j = 0; j < c->graph->node[k]->n_output; j++)
			if (!strcmp(c->graph->node[k]->output[j], name))
				return true;
	return false;
}

/* Operands of a node.  *failed: one of them is missing for a reason that was reported. */
static bool node_inputs(struct onnx_node *o, bool keep_lazy, bool *failed)
{
	struct onnx_ctx *c = o->c;
	bool ok = true;

	for (int k = 0; k < o->nin; k++) {
		const char *name = o->pb->input[k];
		struct onnx_name *e = *name ? find(c, name) : NULL;
		if (!*name && k >= o->row->min_in)
			continue;
		if (!e) {
			if (!*name)
				ok = ONNX_FAIL(o, "operand", "input %d is missing", k);
			else if (produced_later(c, name, (size_t)o->loc.index))
				ok = ONNX_FAIL(o, "unsorted", "input %s is produced by this or a later node: the graph has a cycle or is not sorted", name);
			else
				ok = ONNX_FAIL(o, "undefined", "input %s is neither an initializer, nor a graph input, nor the output of a node", name);
			continue;
		}
		*failed = *failed || e->failed;
		if (e->val && !keep_lazy)
			e->val = onnx_force(o, e->val);
		o->in[k] = e->val;
		if (!e->failed && !e->val)
			ok = false;
	}
	while (o->nin > o->row->min_in && !*o->pb->input[o->nin - 1])
		o->nin--;
	return ok;
}

static bool function_of_model(const struct onnx_ctx *c)
{
	return c->model->n_functions > 0;
}

/* An unknown function of each element? */
static void hint_descriptor(const struct onnx_node *o)
{
	if (o->nin == 1 && o->nout == 1)
		diag_hint(o->c->diag, "if it is a function of each element, describe it: --descriptor FILE with a line 'op %s' (docs/suf.md)",
		          o->pb->op_type ? o->pb->op_type : "");
}

/* What an operator with a descriptor looks like; its attributes are not looked at. */
static const struct onnx_op described = { "", "described", 1, 99, 1, 1, 1, "?", lower_described, "" };

/* "Mish", or with its domain: "com.acme.Foo" */
static const struct descriptor *descriptor_of(const struct onnx_ctx *c, const char *domain, const char *op)
{
	const char *full = arena_printf(c->mem, "%s.%s", *domain ? domain : "ai.onnx", op);
	for (int k = 0; k < c->p->ndesc; k++)
		for (int i = 0; i < c->p->desc[k]->nop; i++)
			if (!strcmp(c->p->desc[k]->op[i], op) || !strcmp(c->p->desc[k]->op[i], full))
				return c->p->desc[k];
	return NULL;
}

/* The row of the table, or NULL after an error. */
static const struct onnx_op *node_row(struct onnx_node *o)
{
	const char *domain = o->pb->domain && !is_default_domain(o->pb->domain) ? o->pb->domain : "";
	const char *op = o->pb->op_type ? o->pb->op_type : "";
	bool other;
	const struct onnx_op *row;

	o->opset = *domain ? (!strcmp(domain, "com.microsoft") ? (o->c->ms_opset ? 1 : 0) : 0) : o->c->opset;
	o->desc = descriptor_of(o->c, domain, op);
	row = o->desc ? &described : op_find(domain, op, o->opset, &other);
	o->loc.op = arena_printf(o->c->mem, "%s %s-%lld", *domain ? domain : "ai.onnx", op, (long long)o->opset);
	if (row)
		return row;
	if (other && o->opset == 0)
		onnx_error(o, "opset", "the model does not import an opset of %s", *domain ? domain : "ai.onnx");
	else if (other)
		onnx_error(o, "unsupported-op", "operator not supported at opset %lld", (long long)o->opset);
	else if (*domain && strcmp(domain, "com.microsoft")) {
		onnx_error(o, "unsupported-op", "operator domain %s is not supported", domain);
		diag_hint(o->c->diag, function_of_model(o->c) ? "this is a function of the model: inline it with onnx.inliner.inline_local_functions, or export with dynamo=False"
		                                              : "export without custom operators");
		hint_descriptor(o);
	} else {
		onnx_error(o, "unsupported-op", "operator not supported");
		diag_hint(o->c->diag, *domain ? "run onnxruntime with the optimization level \"basic\" at most" :
		          "re-export with attn_implementation=\"eager\" and opset_version=17; sufc --list-ops shows what is supported");
		hint_descriptor(o);
	}
	return NULL;
}

static bool node_checks(struct onnx_node *o)
{
	const struct onnx_op *r = o->row;
	if (r == &described && o->pb->n_attribute)
		diag_warning(o->c->diag, &o->loc, "attribute", "attribute %s is not looked at: the descriptor '%s' says what this operator computes",
		             o->pb->attribute[0]->name ? o->pb->attribute[0]->name : "", o->desc->name);
	if (r->attrs[0] == '*')
		return r->lower(o); /* refuses */
	if (o->nin < r->min_in || o->nin > r->max_in)
		return ONNX_FAIL(o, "operand", "%d inputs, want %d to %d", o->nin, r->min_in, r->max_in);
	if (o->nout < 1 || o->nout > r->max_out)
		return ONNX_FAIL(o, "operand", "%d outputs, want 1 to %d", o->nout, r->max_out);
	return r == &described || onnx_attrs_check(o);
}

static bool keeps_lazy(const struct onnx_op *r)
{
	return r->lower == lower_matmul || r->lower == lower_gemm || r->lower == lower_fused_matmul || r->lower == lower_identity;
}

bool onnx_clean_text(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static void import_node(struct onnx_ctx *c, size_t index)
{
	const Onnx__NodeProto *pb = c->graph->node[index];
	const char *first = pb->n_output ? pb->output[0] : NULL;
	bool failed = false, ok;
	struct onnx_node o = { .c = c, .pb = pb, .nin = (int)pb->n_input, .nout = (int)pb->n_output,
		.loc = { .file = c->path, .node = pb->name && *pb->name ? pb->name : first, .index = (int)index } };

	o.in = arena_alloc(c->mem, (pb->n_input + 1) * sizeof *o.in);
	o.out = arena_alloc(c->mem, (pb->n_output + 1) * sizeof *o.out);
	o.row = node_row(&o);
	ok = o.row && node_checks(&o);
	for (size_t k = 0; k < pb->n_output; k++)
		if (!onnx_clean_text(pb->output[k]))
			ok = ONNX_FAIL(&o, "name", "the name of output %zu has control characters", k);
	ok = ok && node_inputs(&o, keeps_lazy(o.row), &failed);
	int before = diag_errors(c->diag);
	if (ok && !failed && !o.row->lower(&o) && diag_errors(c->diag) == before)
		onnx_error(&o, "operand", "the operands do not fit this operator");
	for (size_t k = 0; k < pb->n_output; k++)
		onnx_define(c, &o.loc, pb->output[k], ok && !failed ? o.out[k] : NULL);
}

static void import_outputs(struct onnx_ctx *c)
{
	struct prog *p = c->p;
	for (size_t k = 0; k < c->graph->n_output; k++) {
		const Onnx__ValueInfoProto *info = c->graph->output[k];
		const char *name = info->name ? info->name : "";
		struct loc loc = model_loc(c, name);
		struct onnx_name *e = find(c, name);
		if (!e) {
			diag_error(c->diag, &loc, "undefined", "graph output %s is not produced by any node", name);
			continue;
		}
		if (e->failed)
			continue;
		struct val *v = e->val;
		if (info->type && info->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE && info->type->tensor_type->has_elem_type &&
		    onnx_dtype(info->type->tensor_type->elem_type) != (int)v->dtype)
			diag_error(c->diag, &loc, "dtype", "graph output is %s, declared as %s", onnx_val_text(c->mem, v), onnx_dtype_name(info->type->tensor_type->elem_type));
		if (!v->def || strcmp(v->name, name)) { /* an alias, an input or a constant: a node of its own keeps the name */
			struct val *out = ir_val(p, name, v->dtype, v->type, v->rank, v->dim);
			ir_node(p, NULL, OP_reshape, &loc, 1, &v, 1, &out);
			v = out;
		}
		ir_add_output(p, v);
	}
	if (c->graph->n_output == 0) {
		struct loc loc = model_loc(c, NULL);
		diag_error(c->diag, &loc, "model", "the graph has no outputs");
	}
}

/* ---- the whole model -------------------------------------------------------------- */

static struct prog *new_prog(const char *path, const struct options *opt, struct diag *diag)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
	int n = dot && dot > base ? (int)(dot - base) : (int)strlen(base);
	char name[256];
	snprintf(name, sizeof name, "%.*s", n, base);
	return ir_new(name, opt, diag);
}

static bool load(struct onnx_ctx *c)
{
	const char *why;
	struct loc loc = model_loc(c, NULL);

	if (!onnx_map_file(c->mem, -1, c->path, &c->map, &why)) {
		diag_error(c->diag, &loc, "file", "cannot read the model: %s", why);
		return false;
	}
	c->model = onnx_read(c->mem, &c->map, &why);
	if (!c->model || !c->model->graph) {
		diag_error(c->diag, &loc, "format", "cannot read the model: %s", c->model ? "it has no graph" : why);
		return false;
	}
	c->graph = c->model->graph;
	c->budget = ((int64_t)256 << 20) + 4 * (int64_t)c->map.size;
	return true;
}

struct prog *onnx_import(const char *path, const struct options *opt, struct diag *diag)
{
	struct prog *p = new_prog(path, opt, diag);
	struct onnx_ctx c = { .p = p, .opt = opt, .diag = diag, .mem = p->arena };
	int before = diag_errors(diag);

	c.path = arena_strdup(p->arena, path);
	if (descriptors_load(p) && load(&c)) {
		import_opsets(&c);
		import_initializers(&c);
		onnx_inputs(&c);
		for (size_t k = 0; k < c.graph->n_node; k++)
			import_node(&c, k);
		import_outputs(&c);
	}
	HASH_CLEAR(hh, c.names);
	if (diag_errors(diag) == before)
		return p;
	ir_free(p);
	return NULL;
}

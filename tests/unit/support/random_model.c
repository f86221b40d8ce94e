/* SPDX-License-Identifier: Apache-2.0
 * random_model.c -- small float programs with random weights for tests of passes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "random_model.h"

void model_init(struct model *m, uint64_t seed)
{
	memset(m, 0, sizeof *m);
	m->log = open_memstream(&m->text, &m->text_size);
	m->diag = diag_new(m->log, false);
	m->opt = (struct options){ .gates = "sigma", .output_to = 1 };
	m->p = ir_new("test", &m->opt, m->diag);
	m->state = seed * 2 + 1;
}

void model_free(struct model *m)
{
	ir_free(m->p);
	diag_free(m->diag);
	fclose(m->log);
	free(m->text);
}

const char *model_log(struct model *m)
{
	fflush(m->log);
	return m->text ? m->text : "";
}

double model_uniform(struct model *m)
{
	m->state = m->state * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(m->state >> 11) * 0x1p-53;
}

double model_normal(struct model *m)
{
	double u = model_uniform(m) + 1e-12, v = model_uniform(m);
	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

struct val *model_input(struct model *m, const char *name, enum dtype dtype, int rank, const int64_t *dim)
{
	struct val *v = ir_val(m->p, name, dtype, (struct type){ .sec = SEC_SECRET }, rank, dim);
	ir_add_input(m->p, v);
	return v;
}

struct val *model_weight(struct model *m, const char *name, double sigma, double mean, int rank, const int64_t *dim)
{
	int64_t n = 1;
	for (int k = 0; k < rank; k++)
		n *= dim[k];
	float *data = arena_alloc(m->p->arena, (size_t)n * sizeof *data);
	for (int64_t i = 0; i < n; i++)
		data[i] = (float)(mean + sigma * model_normal(m));
	return ir_const(m->p, name, DT_F32, SEC_WEIGHT, rank, dim, data);
}

struct node *model_node(struct model *m, enum op op, const char *name, int rank, const int64_t *dim, int nin, struct val *const *in)
{
	struct val *out = ir_val(m->p, name, DT_F32, (struct type){ .sec = SEC_SECRET }, rank, dim);
	struct loc loc = { .file = "test", .node = out->name, .op = op_desc[op].name, .index = -1 };
	return ir_node(m->p, NULL, op, &loc, nin, in, 1, &out);
}

static const char *sub_name(struct model *m, const char *name, const char *part)
{
	return arena_printf(m->p->arena, "%s.%s", name, part);
}

struct val *model_linear(struct model *m, const char *name, struct val *x, int64_t cols, double sigma)
{
	int64_t wdim[2] = { x->dim[x->rank - 1], cols }, dim[MAX_RANK];
	memcpy(dim, x->dim, sizeof dim);
	dim[x->rank - 1] = cols;
	struct val *in[3] = { x, model_weight(m, sub_name(m, name, "w"), sigma, 0, 2, wdim), model_weight(m, sub_name(m, name, "b"), 0.1, 0, 1, &cols) };
	return model_node(m, OP_matmul, name, x->rank, dim, 3, in)->out[0];
}

static struct val *norm(struct model *m, const char *name, struct val *x)
{
	int64_t d = x->dim[x->rank - 1];
	struct val *in[3] = { x, model_weight(m, sub_name(m, name, "gamma"), 0.2, 1, 1, &d), model_weight(m, sub_name(m, name, "beta"), 0.1, 0, 1, &d) };
	struct node *n = model_node(m, OP_layernorm, name, x->rank, x->dim, 3, in);
	ir_set_f64(m->p, n, ATTR_eps, 1e-5);
	return n->out[0];
}

static struct val *add(struct model *m, const char *name, struct val *a, struct val *b)
{
	struct val *in[2] = { a, b };
	return model_node(m, OP_add, name, a->rank, a->dim, 2, in)->out[0];
}

/* [s, d] -> [h, s, d/h] */
static struct val *split_heads(struct model *m, const char *name, struct val *x, int64_t heads)
{
	int64_t s = x->dim[0], dh = x->dim[1] / heads, dim[3] = { s, heads, dh }, out[3] = { heads, s, dh }, perm[3] = { 1, 0, 2 };
	struct val *r = model_node(m, OP_reshape, sub_name(m, name, "split"), 3, dim, 1, &x)->out[0];
	struct node *t = model_node(m, OP_transpose, sub_name(m, name, "heads"), 3, out, 1, &r);
	ir_set_ints(m->p, t, ATTR_perm, 3, perm);
	return t->out[0];
}

static struct val *softmax(struct model *m, const char *name, struct val *x, bool causal)
{
	int64_t s = x->dim[1], packed[2] = { x->dim[0], s * (s + 1) / 2 };
	if (!causal) {
		struct node *n = model_node(m, OP_softmax, sub_name(m, name, "p"), 3, x->dim, 1, &x);
		ir_set_int(m->p, n, ATTR_axis, 2);
		return n->out[0];
	}
	struct node *t = model_node(m, OP_tril, sub_name(m, name, "tril"), 2, packed, 1, &x);
	ir_set_int(m->p, t, ATTR_past, 0);
	struct node *n = model_node(m, OP_softmax_tril, sub_name(m, name, "p"), 2, packed, 1, t->out);
	ir_set_int(m->p, n, ATTR_rows, s);
	ir_set_int(m->p, n, ATTR_past, 0);
	struct node *u = model_node(m, OP_untril, sub_name(m, name, "full"), 3, x->dim, 1, n->out);
	ir_set_int(m->p, u, ATTR_rows, s);
	ir_set_int(m->p, u, ATTR_past, 0);
	ir_set_int(m->p, u, ATTR_cols, s);
	return u->out[0];
}

static struct val *attention(struct model *m, const char *name, struct val *x, int64_t heads, bool causal)
{
	int64_t s = x->dim[0], d = x->dim[1], dh = d / heads, sdim[3] = { heads, s, s }, odim[3] = { heads, s, dh }, back[3] = { s, heads, dh }, perm[3] = { 1, 0, 2 };
	double sigma = 1 / sqrt((double)d);
	struct val *q = split_heads(m, name, model_linear(m, sub_name(m, name, "q"), x, d, sigma), heads);
	struct val *k = split_heads(m, name, model_linear(m, sub_name(m, name, "k"), x, d, sigma), heads);
	struct val *v = split_heads(m, name, model_linear(m, sub_name(m, name, "v"), x, d, sigma), heads);
	struct node *qk = model_node(m, OP_matmul, sub_name(m, name, "qk"), 3, sdim, 2, (struct val *[]){ q, k });
	ir_set_int(m->p, qk, ATTR_trans_b, 1);
	struct node *sc = model_node(m, OP_scale, sub_name(m, name, "scores"), 3, sdim, 1, qk->out);
	ir_set_f64(m->p, sc, ATTR_factor, 1 / sqrt((double)dh));
	struct val *p = softmax(m, name, sc->out[0], causal);
	struct val *o = model_node(m, OP_matmul, sub_name(m, name, "pv"), 3, odim, 2, (struct val *[]){ p, v })->out[0];
	struct node *t = model_node(m, OP_transpose, sub_name(m, name, "merge"), 3, back, 1, &o);
	ir_set_ints(m->p, t, ATTR_perm, 3, perm);
	struct val *r = model_node(m, OP_reshape, sub_name(m, name, "joined"), 2, x->dim, 1, t->out)->out[0];
	return model_linear(m, sub_name(m, name, "proj"), r, d, sigma);
}

struct val *model_layer(struct model *m, const char *name, struct val *x, int64_t heads, bool causal)
{
	int64_t d = x->dim[1];
	struct val *a = attention(m, name, norm(m, sub_name(m, name, "ln1"), x), heads, causal);
	x = add(m, sub_name(m, name, "res1"), x, a);
	struct val *u = model_linear(m, sub_name(m, name, "up"), norm(m, sub_name(m, name, "ln2"), x), 2 * d, 1 / sqrt((double)d));
	struct node *g = model_node(m, OP_gelu, sub_name(m, name, "gelu"), 2, u->dim, 1, &u);
	ir_set_int(m->p, g, ATTR_tanh, 0);
	struct val *f = model_linear(m, sub_name(m, name, "down"), g->out[0], d, 1 / sqrt((double)(2 * d)));
	return add(m, sub_name(m, name, "res2"), x, f);
}

void model_transformer(struct model *m, int64_t s, int64_t d, int layers, int64_t heads, int64_t classes, bool causal)
{
	int64_t tdim[2] = { 50, d }, dim[2] = { s, d };
	struct val *ids = model_input(m, "ids", DT_I64, 1, &s);
	struct val *table = model_weight(m, "table", 1, 0, 2, tdim);
	struct val *x = model_node(m, OP_embedding, "embedded", 2, dim, 2, (struct val *[]){ table, ids })->out[0];
	x = add(m, "positions", x, model_weight(m, "position", 0.5, 0, 2, dim));
	for (int l = 0; l < layers; l++)
		x = model_layer(m, arena_printf(m->p->arena, "layer%d", l), x, heads, causal);
	ir_add_output(m->p, model_linear(m, "logits", norm(m, "final", x), classes, 1 / sqrt((double)d)));
}

void **model_inputs(struct model *m)
{
	void **in = calloc((size_t)m->p->nin + 1, sizeof *in);
	for (int k = 0; k < m->p->nin; k++) {
		const struct val *v = m->p->in[k];
		int64_t n = ir_count(v);
		in[k] = calloc((size_t)n + 1, 8);
		for (int64_t i = 0; i < n; i++)
			if (v->dtype == DT_F32)
				((float *)in[k])[i] = (float)model_normal(m);
			else if (v->dtype == DT_I64)
				((int64_t *)in[k])[i] = (int64_t)(50 * model_uniform(m));
			else
				((bool *)in[k])[i] = model_uniform(m) < 0.5;
	}
	return in;
}

void model_inputs_free(struct model *m, void **in)
{
	for (int k = 0; k < m->p->nin; k++)
		free(in[k]);
	free(in);
}

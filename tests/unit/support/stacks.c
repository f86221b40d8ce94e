/* SPDX-License-Identifier: Apache-2.0
 * stacks.c -- see stacks.h.  BERT normalises after each sum, the others before each block;
 * queries, keys and values are one product.
 */
#include <math.h>
#include <string.h>
#include "stacks.h"

const struct stack_kind stack_kinds[] = {
	{ "bert-tiny", 2, 2, 128, 512, 37, .scaled = true },
	{ "bert-base", 12, 12, 768, 3072, 50, .scaled = true },
	{ "bert-large", 24, 16, 1024, 4096, 50, .scaled = true },
	{ "gpt2", 12, 12, 768, 3072, 50, .causal = true, .scaled = true },
	{ "gpt-neo-1.3b", 24, 16, 2048, 8192, 51, .causal = true },
	{ "llama2-7b", 32, 32, 4096, 11008, 48, .causal = true, .scaled = true, .llama = true },
	{ "llama2-13b", 40, 40, 5120, 13824, 48, .causal = true, .scaled = true, .llama = true },
};
const int stack_nkinds = sizeof stack_kinds / sizeof *stack_kinds;

const struct stack_kind *stack_find(const char *name)
{
	for (int k = 0; k < stack_nkinds; k++)
		if (!strcmp(stack_kinds[k].name, name))
			return &stack_kinds[k];
	return NULL;
}

struct stack { struct prog *p; const struct stack_kind *kind; int64_t seq; int layer; uint64_t random; /* 0: absent weights */ };

static const char *name_of(struct stack *s, const char *part)
{
	return arena_printf(s->p->arena, "layer.%d.%s", s->layer, part);
}

static struct node *node(struct stack *s, enum op op, const char *part, int rank, const int64_t *dim, int nin, struct val *const *in)
{
	struct val *out = ir_val(s->p, name_of(s, part), DT_F32, (struct type){ .sec = SEC_SECRET }, rank, dim);
	struct loc loc = { .file = s->kind->name, .node = out->name, .op = op_desc[op].name, .index = -1 };
	return ir_node(s->p, NULL, op, &loc, nin, in, 1, &out);
}

/* Sums of four uniform numbers: normal enough. */
void stack_random(uint64_t *state, int64_t count, double mean, double deviation, float *to)
{
	const double scale = deviation * sqrt(3) / 65536;
	for (int64_t i = 0; i < count; i++) {
		uint64_t z = *state += 0x9e3779b97f4a7c15; /* splitmix64 */
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		z ^= z >> 31;
		const int64_t sum = (int64_t)((z & 0xffff) + (z >> 16 & 0xffff) + (z >> 32 & 0xffff) + (z >> 48)) - 2 * 65535;
		to[i] = (float)(mean + scale * (double)sum);
	}
}

static struct val *weight(struct stack *s, const char *part, int64_t rows, int64_t cols, double mean, double deviation)
{
	const int64_t dim[2] = { rows ? rows : cols, cols }, count = rows ? rows * cols : cols;
	if (!s->random)
		return ir_absent(s->p, name_of(s, part), rows ? 2 : 1, dim);
	float *data = arena_alloc(s->p->arena, (size_t)count * sizeof *data);
	stack_random(&s->random, count, mean, deviation, data);
	return ir_const(s->p, name_of(s, part), DT_F32, SEC_WEIGHT, rows ? 2 : 1, dim, data);
}

static struct val *linear(struct stack *s, const char *part, struct val *x, int64_t cols)
{
	const char *bias = arena_printf(s->p->arena, "%s.bias", part);
	struct val *in[3] = { x, weight(s, arena_printf(s->p->arena, "%s.weight", part), x->dim[1], cols, 0, 0.02) };
	if (!s->kind->llama)
		in[2] = weight(s, bias, 0, cols, 0, 0.01);
	return node(s, OP_matmul, part, 2, (int64_t[]){ s->seq, cols }, in[2] ? 3 : 2, in)->out[0];
}

static struct val *norm(struct stack *s, const char *part, struct val *x)
{
	const int64_t d = x->dim[1];
	struct val *in[3] = { x, weight(s, arena_printf(s->p->arena, "%s.gamma", part), 0, d, 1, 0.1) };
	if (!s->kind->llama)
		in[2] = weight(s, arena_printf(s->p->arena, "%s.beta", part), 0, d, 0, 0.01);
	struct node *n = node(s, in[2] ? OP_layernorm : OP_rmsnorm, part, 2, x->dim, in[2] ? 3 : 2, in);
	ir_set_f64(s->p, n, ATTR_eps, 1e-5);
	return n->out[0];
}

static struct val *two(struct stack *s, enum op op, const char *part, struct val *a, struct val *b)
{
	return node(s, op, part, a->rank, a->dim, 2, (struct val *[]){ a, b })->out[0];
}

/* Columns [first, first + hidden) of the product as [heads, seq, hidden / heads]. */
static struct val *heads(struct stack *s, const char *part, struct val *qkv, int64_t first)
{
	const int64_t h = s->kind->heads, d = s->kind->hidden, wide[2] = { s->seq, d }, split[3] = { s->seq, h, d / h }, turned[3] = { h, s->seq, d / h };
	struct node *cut = node(s, OP_slice, arena_printf(s->p->arena, "%s.cut", part), 2, wide, 1, &qkv);
	ir_set_int(s->p, cut, ATTR_axis, 1);
	ir_set_int(s->p, cut, ATTR_start, first);
	ir_set_int(s->p, cut, ATTR_step, 1);
	struct node *r = node(s, OP_reshape, arena_printf(s->p->arena, "%s.split", part), 3, split, 1, cut->out);
	struct node *t = node(s, OP_transpose, part, 3, turned, 1, r->out);
	ir_set_ints(s->p, t, ATTR_perm, 3, (int64_t[]){ 1, 0, 2 });
	return t->out[0];
}

/* Cosines (or sines) of the rotary embedding, [seq, size]. */
static struct val *angles(struct stack *s, const char *part, int64_t size, double (*f)(double))
{
	float *data = arena_alloc(s->p->arena, (size_t)(s->seq * size) * sizeof *data);
	for (int64_t i = 0; i < s->seq; i++)
		for (int64_t j = 0; j < size; j++)
			data[i * size + j] = (float)f((double)i * pow(10000, -2.0 * (double)(j % (size / 2)) / (double)size));
	return ir_const(s->p, name_of(s, part), DT_F32, SEC_PUBLIC, 2, (int64_t[]){ s->seq, size }, data);
}

static struct val *rotate(struct stack *s, const char *part, struct val *x)
{
	const int64_t size = x->dim[2];
	struct val *in[3] = { x, angles(s, "cos", size, cos), angles(s, "sin", size, sin) };
	struct node *n = node(s, OP_rope, part, 3, x->dim, 3, in);
	ir_set_int(s->p, n, ATTR_half, size / 2);
	return n->out[0];
}

static struct val *softmax(struct stack *s, struct val *x)
{
	const int64_t packed[2] = { x->dim[0], s->seq * (s->seq + 1) / 2 };
	if (!s->kind->causal) {
		struct node *n = node(s, OP_softmax, "softmax", 3, x->dim, 1, &x);
		ir_set_int(s->p, n, ATTR_axis, 2);
		return n->out[0];
	}
	struct node *t = node(s, OP_tril, "tril", 2, packed, 1, &x);
	ir_set_int(s->p, t, ATTR_past, 0);
	struct node *n = node(s, OP_softmax_tril, "softmax", 2, packed, 1, t->out);
	ir_set_int(s->p, n, ATTR_rows, s->seq);
	ir_set_int(s->p, n, ATTR_past, 0);
	struct node *u = node(s, OP_untril, "dense", 3, x->dim, 1, n->out);
	ir_set_int(s->p, u, ATTR_rows, s->seq);
	ir_set_int(s->p, u, ATTR_past, 0);
	ir_set_int(s->p, u, ATTR_cols, s->seq);
	return u->out[0];
}

static struct val *attention(struct stack *s, struct val *x)
{
	const int64_t h = s->kind->heads, d = s->kind->hidden, q = s->seq, square[3] = { h, q, q }, mixed[3] = { h, q, d / h }, back[3] = { q, h, d / h };
	struct val *qkv = linear(s, "qkv", x, 3 * d), *query = heads(s, "query", qkv, 0), *key = heads(s, "key", qkv, d);
	if (s->kind->llama) {
		query = rotate(s, "query.turned", query);
		key = rotate(s, "key.turned", key);
	}
	struct node *scores = node(s, OP_matmul, "scores", 3, square, 2, (struct val *[]){ query, key });
	ir_set_int(s->p, scores, ATTR_trans_b, 1);
	struct val *score = scores->out[0];
	if (s->kind->scaled) {
		struct node *n = node(s, OP_scale, "scaled", 3, square, 1, &score);
		ir_set_f64(s->p, n, ATTR_factor, 1 / sqrt((double)(d / h)));
		score = n->out[0];
	}
	struct val *in[2] = { softmax(s, score), heads(s, "value", qkv, 2 * d) };
	struct node *mix = node(s, OP_matmul, "mix", 3, mixed, 2, in);
	struct node *t = node(s, OP_transpose, "mix.turned", 3, back, 1, mix->out);
	ir_set_ints(s->p, t, ATTR_perm, 3, (int64_t[]){ 1, 0, 2 });
	return linear(s, "projection", node(s, OP_reshape, "mix.joined", 2, x->dim, 1, t->out)->out[0], d);
}

static struct val *feed_forward(struct stack *s, struct val *x)
{
	struct val *up = linear(s, "up", x, s->kind->ffn);
	const int64_t dim[2] = { s->seq, s->kind->ffn };
	if (s->kind->llama) {
		struct val *gate = linear(s, "gate", x, s->kind->ffn);
		up = two(s, OP_mul, "gated", node(s, OP_silu, "silu", 2, dim, 1, &gate)->out[0], up);
	} else {
		struct node *n = node(s, OP_gelu, "gelu", 2, dim, 1, &up);
		ir_set_int(s->p, n, ATTR_tanh, 0);
		up = n->out[0];
	}
	return linear(s, "down", up, s->kind->hidden);
}

struct prog *stack_new(const struct stack_kind *kind, int64_t seq, const struct options *opt, struct diag *d)
{
	return stack_weighted(kind, seq, 0, opt, d);
}

struct prog *stack_weighted(const struct stack_kind *kind, int64_t seq, uint64_t seed, const struct options *opt, struct diag *d)
{
	struct stack s = { .p = ir_new(kind->name, opt, d), .kind = kind, .seq = seq, .random = seed };
	const int64_t dim[2] = { seq, kind->hidden };
	struct val *x = ir_val(s.p, "x", DT_F32, (struct type){ .sec = SEC_SECRET }, 2, dim);
	const bool after = !kind->causal;
	ir_add_input(s.p, x);
	for (s.layer = 0; s.layer < kind->layers; s.layer++) {
		struct val *a = attention(&s, after ? x : norm(&s, "norm1", x));
		x = two(&s, OP_add, "sum1", x, a);
		x = after ? norm(&s, "norm1", x) : x;
		struct val *f = feed_forward(&s, after ? x : norm(&s, "norm2", x));
		x = two(&s, OP_add, "sum2", x, f);
		x = after ? norm(&s, "norm2", x) : x;
	}
	ir_add_output(s.p, x);
	return s.p;
}

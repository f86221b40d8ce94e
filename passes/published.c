/* SPDX-License-Identifier: Apache-2.0
 * published.c -- recognises the transformers of published.def by their structure.
 */
#include <string.h>
#include "passes/published.h"

static const struct published_model models[] = {
#define PUBLISHED_MODEL(name, layers, heads, hidden, ffn, causal, rms) { name, layers, heads, hidden, ffn, causal, rms },
#include "published.def"
};

const struct published published[] = {
#define PUBLISHED(model, seq, system, source, ...) { model, seq, system, source, __VA_ARGS__ },
#include "published.def"
};
const int npublished = sizeof published / sizeof published[0];

/* ---- structure -------------------------------------------------------------- */

/* What all operations of a kind agree on; different: they do not. */
struct common_size { int64_t n; bool different; };

static void
agree(struct common_size *s, int64_t n)
{
	s->different |= s->n && s->n != n;
	s->n = n;
}

static int64_t
last_dim(const struct val *v, int from_end)
{
	return v->rank >= from_end ? v->dim[v->rank - from_end] : 1;
}

struct sizes { int64_t rows; struct common_size seq, heads, hidden, ffn; int dense, causal, norms, rms, acts, others; double mul_adds; };

static void
look(struct sizes *s, const struct node *n)
{
	const struct val *x = n->in[0];
	switch (n->op) {
	case OP_softmax:
		s->dense++;
		agree(&s->seq, last_dim(x, 1));
		agree(&s->heads, ir_count(x) / (last_dim(x, 1) * last_dim(x, 1)));
		s->seq.different |= last_dim(x, 2) != last_dim(x, 1);
		break;
	case OP_softmax_tril: {
		int64_t rows = ir_int_or(n, ATTR_rows, 1);
		s->causal++;
		agree(&s->seq, rows);
		agree(&s->heads, ir_count(x) / (rows * (rows + 1) / 2));
		s->seq.different |= ir_int_or(n, ATTR_past, 0) != 0;
		break;
	}
	case OP_layernorm:
	case OP_rmsnorm:
		s->norms++;
		if (!s->rows)
			s->rows = ir_count(x) / last_dim(x, 1);
		s->rms += n->op == OP_rmsnorm;
		agree(&s->hidden, last_dim(x, 1));
		break;
	case OP_gelu:
	case OP_silu:
	case OP_relu:
		s->acts++;
		s->others += n->op == OP_relu;
		agree(&s->ffn, last_dim(x, 1));
		break;
	case OP_matmul:
		s->mul_adds += (double)ir_count(n->out[0]) * (double)last_dim(x, 1);
		break;
	case OP_tanh:
	case OP_sigmoid:
	case OP_erf:
	case OP_embedding:
	case OP_argmax:
		s->others++;
		break;
	default:
		break;
	}
}

/* Products of a stack: queries, keys, values, projection; feed-forward; scores and mixtures. */
static double
stack_mul_adds(const struct stack_shape *t)
{
	double seq = (double)t->seq * (double)t->batch, hidden = (double)t->hidden, ffn = (double)t->ffn;
	return t->layers * (4 * seq * hidden * hidden + (t->rms ? 3 : 2) * seq * hidden * ffn + 2 * seq * (double)t->seq * hidden);
}

struct stack_shape
stack_shape(const struct prog *p)
{
	struct sizes s = { .dense = 0 };
	for (const struct node *n = p->first; n; n = n->next)
		if (n->nin)
			look(&s, n);
	const int layers = s.dense + s.causal;
	const bool plain = layers && !(s.dense && s.causal) && s.acts == layers && (s.rms == 0 || s.rms == s.norms) && s.norms >= 2 * layers;
	if (!plain || s.seq.different || s.heads.different || s.hidden.different || s.ffn.different || !s.heads.n)
		return (struct stack_shape){ .layers = 0 };
	const int64_t batch = s.rows % s.seq.n ? 1 : s.rows / s.seq.n;
	struct stack_shape t = { .layers = layers, .heads = s.heads.n / batch, .hidden = s.hidden.n, .ffn = s.ffn.n, .seq = s.seq.n, .batch = batch,
	                         .causal = s.causal > 0, .rms = s.rms > 0 };
	t.more = s.others || s.norms != 2 * layers || s.mul_adds != stack_mul_adds(&t);
	return t;
}

const struct published_model *
published_model(const struct stack_shape *t)
{
	for (size_t k = 0; k < sizeof models / sizeof models[0]; k++) {
		const struct published_model *m = &models[k];
		if (t->batch == 1 && m->layers == t->layers && m->heads == t->heads && m->hidden == t->hidden && m->ffn == t->ffn && m->causal == t->causal && m->rms == t->rms)
			return m;
	}
	return NULL;
}

const char *
published_source(int source)
{
	return source == 1 ? "medians of runs on two GPUs of one host, over loopback" : "eprint 2023/1269: one GPU for each party, 9.4 Gbit/s, 0.05 ms";
}

double
published_class_gib(const struct published *p, const char *klass)
{
	return !strcmp(klass, "softmax") ? p->softmax : !strcmp(klass, "gelu") ? p->gelu : !strcmp(klass, "layernorm") ? p->layernorm : 0;
}

static const struct goal goals[] = {
#define GOAL(...) { __VA_ARGS__ },
#include "passes/published.def"
};

const struct goal *
goal_find(const char *model, int64_t seq, enum weights_mode weights)
{
	for (size_t k = 0; k < sizeof goals / sizeof goals[0]; k++)
		if (!strcmp(goals[k].model, model) && goals[k].seq == seq && goals[k].weights == weights)
			return &goals[k];
	return NULL;
}

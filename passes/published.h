/* SPDX-License-Identifier: Apache-2.0
 * published.h -- which transformer a program is, and what others measured for it.
 */
#ifndef SUFC_PUBLISHED_H
#define SUFC_PUBLISHED_H
#include "passes/passes.h"

/* A stack of equal layers, read off the operations of a program. */
struct stack_shape {
	int layers;                      /* 0: none was recognised */
	int64_t heads, hidden, ffn, seq, batch;
	bool causal, rms;
	bool more;                       /* the program does more than the stack: embedding, pooler, head */
};
/* Stage GATE or before, after the fusion passes. */
struct stack_shape stack_shape(const struct prog *);

struct published_model { const char *name; int layers; int64_t heads, hidden, ffn; bool causal, rms; };
struct published {
	const char *model; int64_t seq;
	const char *system; int source;
	double comm, key, softmax, gelu, layernorm; /* GiB; 0: not published */
	double total_ms, keygen_ms, comm_ms, softmax_ms, gelu_ms, layernorm_ms, truncate_ms;
};
struct goal { const char *model; int64_t seq; enum weights_mode weights; double comm, key, aim_comm, aim_key; }; /* GiB; published.def */
const struct goal *goal_find(const char *model, int64_t seq, enum weights_mode); /* NULL: none */
extern const struct published published[];
extern const int npublished;
const struct published_model *published_model(const struct stack_shape *); /* NULL: nothing was published for it */
const char *published_source(int source);
double published_class_gib(const struct published *, const char *klass);   /* communication; 0: not published */
#endif

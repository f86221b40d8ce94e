/* SPDX-License-Identifier: Apache-2.0
 * random_model.h -- small float programs with random weights for tests of passes.
 */
#ifndef TEST_RANDOM_MODEL_H
#define TEST_RANDOM_MODEL_H
#include "passes/passes.h"

struct model { struct prog *p; struct options opt; struct diag *diag; FILE *log; char *text; size_t text_size; uint64_t state; };
void model_init(struct model *, uint64_t seed);  /* diagnostics go to m->text */
void model_free(struct model *);
const char *model_log(struct model *);           /* diagnostics so far */
double model_uniform(struct model *);            /* in [0, 1) */
double model_normal(struct model *);

struct val *model_input(struct model *, const char *name, enum dtype, int rank, const int64_t *dim);
struct val *model_weight(struct model *, const char *name, double sigma, double mean, int rank, const int64_t *dim);
/* A node at the end; its output is named `name`. */
struct node *model_node(struct model *, enum op, const char *name, int rank, const int64_t *dim, int nin, struct val *const *in);
struct val *model_linear(struct model *, const char *name, struct val *x, int64_t cols, double sigma);
/* x [s, d] -> one pre-norm transformer layer: layernorm, causal or full attention over h heads, gelu FFN. */
struct val *model_layer(struct model *, const char *name, struct val *x, int64_t heads, bool causal);
/* Token ids [s] (table of 50 rows), one or more layers, a final norm and a projection to `classes`. */
void model_transformer(struct model *, int64_t s, int64_t d, int layers, int64_t heads, int64_t classes, bool causal);
/* Random values for the inputs: in[k] for float_eval, malloc'ed. */
void **model_inputs(struct model *);
void model_inputs_free(struct model *, void **in);
#endif

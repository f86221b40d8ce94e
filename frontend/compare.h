/* SPDX-License-Identifier: Apache-2.0
 * compare.h -- what compiled programs cost, side by side: the table, the JSON
 * and the page of sufc compare, also of --report.
 */
#ifndef SUFC_COMPARE_H
#define SUFC_COMPARE_H
#include <jansson.h>
#include "passes/budget.h"
#include "passes/predict.h"
#include "passes/published.h"

enum { COMPARE_NETWORKS = 3, COMPARE_CLASSES = 7 }; /* networks: lan, wan, the user's own */

/* The steps of one class that stand for one node of the model. */
struct node_cost {
	const char *name, *op, *klass, *gate; /* ONNX name and operator, both "" for what the compiler added; gate: SET.NAME, "" */
	int layer;                       /* the number in its name, -1: none */
	int shown_round;                 /* the last one counted */
	struct cost_row row;
};
struct layer_cost { int layer; struct cost_row row; };
struct step_cost { const char *name; uint64_t steps; struct cost_row row; };
struct tensor_row { const char *name, *shape; int bits, frac; bool known; double lo, hi; enum range_source from; };
struct timing { struct prediction p; double latency_ms, bandwidth_ms; }; /* the two parts of p.comm_ms */

struct strategy {
	const char *gates;               /* as the user named it */
	const struct choice *choice;     /* NULL: nothing was chosen */
	const struct budget *budget;     /* NULL: no --max-error */
	int ring_bits;
	struct cost cost;
	struct timing time[COMPARE_NETWORKS];
	struct node_cost *node; int nnode, node_cap;
	struct node_entry *index;        /* of node[], while it is filled */
	struct layer_cost *layer; int nlayer;
	struct step_cost step[SUF_NSTEP]; int nstep;
	struct tensor_row *tensor; int ntensor;
	const char **warning; int nwarning;
	json_t *json;                    /* cost_json() */
};

struct comparison {
	struct arena *arena;             /* owns what strategies point to */
	const char *model, *command;     /* path; the command line again */
	int output_to;
	enum weights_mode weights;
	enum objective objective;
	struct machine machine;
	struct network net[COMPARE_NETWORKS]; int nnet;
	int only;                        /* the table shows this network only; -1: all */
	struct strategy *v; int n, cap;
	struct stack_shape shape;
	const struct published_model *known; /* NULL: nothing was published */
	const struct published *pub[2]; int npub;
};

/* compare.c.  The options' machine and network are those of times.  False: reported. */
bool compare_init(struct comparison *, const struct options *, int argc, char **argv);
void compare_free(struct comparison *);
/* The remaining passes, then the program's costs; it may be freed afterwards.  save_gates: NULL or a file to write.
 * The exit status. */
int compare_add(struct comparison *, struct prog *, const struct options *, const char *save_gates);
/* compare_collect.c: the gates of a program at stage GATE (not needed), then its costs at stage SCHED. */
void compare_collect_gates(struct comparison *, struct strategy *, const struct prog *);
void compare_collect(struct comparison *, struct strategy *, const struct prog *);
const char *compare_setting(const struct comparison *); /* "weights masked (..), output to party 1" */
const char *compare_shape(const struct comparison *);   /* "12 layers, hidden 768, .."; NULL: not recognised */
extern const char *const compare_classes[COMPARE_CLASSES];
const struct cost_row *compare_class(const struct strategy *, const char *name); /* NULL: it has none of this class */
bool compare_has_class(const struct comparison *, const char *name);             /* some strategy has */

void compare_text(const struct comparison *, FILE *);
json_t *compare_json(const struct comparison *);
void compare_print_json(const struct comparison *, FILE *);
void compare_html(const struct comparison *, FILE *);

/* compare_units.c; text: at least 24 bytes. */
const char *unit_bytes(double, char *text);  /* "1.23 GiB" */
const char *unit_count(double, char *text);  /* "1.23 M" */
const char *unit_time(double ms, char *text);/* "1.23 s" */
#endif

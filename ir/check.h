/* SPDX-License-Identifier: Apache-2.0
 * check.h -- what the parts of ir_check share.
 */
#ifndef SUFC_CHECK_H
#define SUFC_CHECK_H
#include "ir.h"

enum { CHECK_MAX_REPORTS = 20 };
struct pos_map { const void **key; int *pos; size_t size; };
struct checker {
	const struct prog *p;
	struct arena *arena;         /* of this check alone */
	struct pos_map node_pos;     /* node -> position in the program */
	int nnodes, reports;
};
void check_fail(struct checker *, const struct node *, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int pos_of(const struct pos_map *, const void *key);                /* -1: absent */
void pos_init(struct pos_map *, struct arena *, int keys);
void pos_set(struct pos_map *, const void *key, int pos);

/* check_shape.c: the shape of the output, from operands and attributes.
 * why gets a text (128 bytes) when they do not fit. */
bool infer_shape(const struct node *, int *rank, int64_t dim[MAX_RANK], char *why);
/* check_type.c: widths, fractions, secrecy at the stages FLOAT to GATE. */
void check_types(struct checker *, const struct node *, enum stage);
/* check_sched.c: forms, rounds and slots of stage SCHED. */
void check_sched(struct checker *);
/* check_bounds.c: what one step touches. */
void check_bounds(struct checker *, const struct node *);
/* check_cells.c: tables of cells and cellfix for 2^b cells, and such a step's numbers. */
struct suf_step;
struct suf_table;
bool check_cell_table(const struct suf_table *, unsigned b);
bool check_cells(const struct suf_step *);
/* check_exps.c: the numbers of steps exps and trig, and the latter's table. */
bool check_exps(const struct suf_step *);
bool check_trig(const struct suf_step *);
#endif

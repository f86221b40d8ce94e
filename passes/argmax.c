/* SPDX-License-Identifier: Apache-2.0
 * argmax.c -- pass `argmax`: with --argmax every output becomes the index of its
 * largest element along the last axis, NAME.argmax, so that the receiver learns
 * the answer and not the scores.  Outputs that are integers stay.
 */
#include "passes/passes.h"

bool pass_argmax(struct prog *p)
{
	for (int k = 0; p->opt && p->opt->argmax && k < p->nout; k++) {
		struct val *v = p->out[k];
		if (v->dtype != DT_F32 || v->rank == 0 || v->data)
			continue;
		struct type secret = { .sec = SEC_SECRET };
		struct loc loc = { .file = p->opt->model, .node = v->name, .op = "--argmax", .index = -1 };
		struct val *index = ir_val(p, arena_printf(p->arena, "%s.argmax", v->name), DT_I64, secret, v->rank - 1, v->dim);
		struct node *n = ir_node(p, NULL, OP_argmax, &loc, 1, &v, 1, &index);
		ir_set_int(p, n, ATTR_axis, v->rank - 1);
		ir_set_int(p, n, ATTR_keepdims, 0);
		p->out[k] = index;
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0
 * ops.c -- the tables of operations and attribute keys, from ops.def and attrs.def.
 */
#include "ir.h"

const struct op_desc op_desc[N_OP] = {
#define OP(name, lo, hi, nout, attrs, doc) [OP_##name] = { #name, lo, hi, nout, attrs, doc },
#include "ops.def"
#undef OP
};

const struct attr_desc attr_desc[N_ATTR] = {
#define I 'I'
#define L 'L'
#define F 'F'
#define ATTR(name, kind) [ATTR_##name] = { #name, kind },
#include "attrs.def"
#undef ATTR
#undef I
#undef L
#undef F
};

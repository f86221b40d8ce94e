/* SPDX-License-Identifier: Apache-2.0
 * onnx.h -- from an ONNX file to a program of stage FLOAT.
 */
#ifndef SUFC_ONNX_H
#define SUFC_ONNX_H
#include "ir.h"

struct options;

/* Reads the model at path with the bindings of the options.  Every problem of
 * the model is reported before NULL is returned.  The program refers to the
 * mapped file and to external data files until ir_free().  The file must not
 * change meanwhile. */
struct prog *onnx_import(const char *path, const struct options *, struct diag *);

/* The table of operators, onnx_ops.def: for --list-ops. */
struct onnx_op_doc { const char *domain, *name; int opset_lo, opset_hi; const char *note; bool refused; };
int onnx_op_count(void);
struct onnx_op_doc onnx_op_doc(int i);
#endif

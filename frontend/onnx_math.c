/* SPDX-License-Identifier: Apache-2.0
 * onnx_math.c -- elementwise ONNX operators.
 */
#include "onnx_import.h"
#include "passes/float_eval.h"
#include <math.h>

static bool binary(struct onnx_node *o, enum op op)
{
	onnx_last(o);
	return onnx_done(o, onnx_binary(o, op, o->in[0], o->in[1]));
}

static bool want_float(struct onnx_node *o, const struct val *v)
{
	if (v->dtype == DT_F32)
		return true;
	return ONNX_FAIL(o, "dtype", "input %s: want float", onnx_val_text(o->c->mem, v));
}

static bool unary(struct onnx_node *o, enum op op)
{
	if (!want_float(o, o->in[0]))
		return false;
	onnx_last(o);
	return onnx_done(o, onnx_unary(o, op, o->in[0]));
}

bool lower_add(struct onnx_node *o) { return binary(o, OP_add); }
bool lower_sub(struct onnx_node *o) { return binary(o, OP_sub); }
bool lower_mul(struct onnx_node *o) { return binary(o, OP_mul); }
bool lower_sqrt(struct onnx_node *o) { return unary(o, OP_sqrt); }
bool lower_recip(struct onnx_node *o) { return unary(o, OP_recip); }
bool lower_exp(struct onnx_node *o) { return unary(o, OP_exp); }
bool lower_log(struct onnx_node *o) { return unary(o, OP_log); }
bool lower_erf(struct onnx_node *o) { return unary(o, OP_erf); }
bool lower_tanh(struct onnx_node *o) { return unary(o, OP_tanh); }
bool lower_sigmoid(struct onnx_node *o) { return unary(o, OP_sigmoid); }
bool lower_softplus(struct onnx_node *o) { return unary(o, OP_softplus); }
bool lower_abs(struct onnx_node *o) { onnx_last(o); return onnx_done(o, onnx_unary(o, OP_abs, o->in[0])); }

bool lower_neg(struct onnx_node *o)
{
	onnx_last(o);
	return onnx_done(o, onnx_unary(o, OP_neg, o->in[0]));
}

bool lower_relu(struct onnx_node *o)
{
	onnx_last(o);
	return onnx_done(o, onnx_unary(o, OP_relu, o->in[0]));
}

bool lower_div(struct onnx_node *o)
{
	const struct val *b = o->in[1];
	if (b->dtype == DT_I64 && ir_is_const(b))
		for (int64_t i = 0, n = ir_count(b); i < n; i++)
			if (((const int64_t *)b->data)[i] == 0)
				return ONNX_FAIL(o, "operand", "integer division by zero");
	return binary(o, OP_div);
}

bool lower_pow(struct onnx_node *o)
{
	double e;
	if (!ir_is_const(o->in[0]) && !ir_scalar_value(o->in[1], &e))
		return ONNX_FAIL(o, "operand", "exponent %s: want a constant scalar", onnx_val_text(o->c->mem, o->in[1]));
	o->in[1] = onnx_cast(o, o->in[1], o->in[0]->dtype); /* ONNX lets the types differ; the base decides */
	return binary(o, OP_pow);
}

static bool trig(struct onnx_node *o, enum op op)
{
	if (!ir_is_const(o->in[0])) {
		onnx_error(o, "unsupported-op", "input %s: want a constant", onnx_val_text(o->c->mem, o->in[0]));
		diag_hint(o->c->diag, "rotary positions must be known: re-export without a position_ids input, or name that input position_ids");
		return false;
	}
	return unary(o, op);
}

bool lower_sin(struct onnx_node *o) { return trig(o, OP_sin); }
bool lower_cos(struct onnx_node *o) { return trig(o, OP_cos); }

static struct val *clip(struct onnx_node *o, struct val *x, double lo, double hi)
{
	struct onnx_attrs at = { 2, { { .key = ATTR_lo, .f = lo }, { .key = ATTR_hi, .f = hi } } };
	return onnx_emit(o, OP_clip, 1, &x, x->dtype, x->rank, x->dim, &at);
}

bool lower_clip(struct onnx_node *o)
{
	double bound[2] = { onnx_attr_f64(o, "min", -INFINITY), onnx_attr_f64(o, "max", INFINITY) };
	for (int k = 0; k < 2; k++)
		if (o->nin > k + 1 && o->in[k + 1] && !ir_scalar_value(o->in[k + 1], &bound[k]))
			return ONNX_FAIL(o, "operand", "bound %s: want a constant scalar", onnx_val_text(o->c->mem, o->in[k + 1]));
	onnx_last(o);
	return onnx_done(o, clip(o, o->in[0], bound[0], bound[1]));
}

static double f_min(double a, double b) { return a < b || isnan(a) ? a : b; }
static double f_max(double a, double b) { return a > b || isnan(a) ? a : b; }
static int64_t i_min(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t i_max(int64_t a, int64_t b) { return a > b ? a : b; }

/* Compile-time a op b. */
struct val *onnx_fold_binary(struct onnx_node *o, enum dtype to, struct val *a, struct val *b,
                             double (*f)(double, double), int64_t (*g)(int64_t, int64_t))
{
	struct val out = { .name = "constant", .dtype = to };
	if (!onnx_broadcast(a, b, &out.rank, out.dim) || a->dtype != b->dtype)
		return ONNX_NULL(o, "shape", "operands %s and %s do not fit", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
	void *data = onnx_present(o, a) && onnx_present(o, b) ? onnx_fold_data(o, to, out.rank, out.dim) : NULL;
	if (!data)
		return NULL;
	eval_binary(&out, data, a, a->data, b, b->data, f, g);
	return onnx_fold_val(o, to, onnx_join(2, (struct val *const[]){ a, b }), out.rank, out.dim, data);
}

static struct val *extremum(struct onnx_node *o, struct val *a, struct val *b, bool max)
{
	double bound;
	if (!a || !b)
		return NULL;
	if (ir_is_const(a) && ir_is_const(b))
		return onnx_fold_binary(o, a->dtype, a, b, max ? f_max : f_min, max ? i_max : i_min);
	if (ir_scalar_value(a, &bound) && a->rank <= b->rank)
		return clip(o, b, max ? bound : -INFINITY, max ? INFINITY : bound);
	if (ir_scalar_value(b, &bound) && b->rank <= a->rank)
		return clip(o, a, max ? bound : -INFINITY, max ? INFINITY : bound);
	return ONNX_NULL(o, "unsupported-op", "operands %s and %s: want one constant scalar", onnx_val_text(o->c->mem, a), onnx_val_text(o->c->mem, b));
}

static bool variadic(struct onnx_node *o, struct val *(*f)(struct onnx_node *, struct val *, struct val *))
{
	struct val *v = o->in[0];
	for (int k = 1; k < o->nin; k++) {
		if (k == o->nin - 1)
			onnx_last(o);
		v = f(o, v, o->in[k]);
	}
	return onnx_done(o, v);
}

static struct val *min2(struct onnx_node *o, struct val *a, struct val *b) { return extremum(o, a, b, false); }
static struct val *max2(struct onnx_node *o, struct val *a, struct val *b) { return extremum(o, a, b, true); }
static struct val *add2(struct onnx_node *o, struct val *a, struct val *b) { return onnx_binary(o, OP_add, a, b); }
bool lower_min(struct onnx_node *o) { return variadic(o, min2); }
bool lower_max(struct onnx_node *o) { return variadic(o, max2); }
bool lower_sum(struct onnx_node *o) { return variadic(o, add2); }

bool lower_where(struct onnx_node *o)
{
	onnx_last(o);
	return onnx_done(o, onnx_where(o, o->in[0], o->in[1], o->in[2]));
}

bool lower_cast(struct onnx_node *o)
{
	int64_t to = onnx_attr_int(o, "to", 0);
	int dt = to < 0 || to > 99 ? ONNX_DTYPE_BAD : onnx_dtype((int32_t)to);
	if (dt == ONNX_DTYPE_BAD)
		return ONNX_FAIL(o, "dtype", "cannot cast to element type %s", onnx_dtype_name(to < 0 || to > 99 ? -1 : (int32_t)to));
	onnx_last(o);
	return onnx_done(o, onnx_cast(o, o->in[0], (enum dtype)dt));
}

bool lower_identity(struct onnx_node *o)
{
	return onnx_done(o, o->in[0]);
}

bool lower_dropout(struct onnx_node *o)
{
	double training = 0;
	if (o->nin > 2 && o->in[2] && (!ir_scalar_value(o->in[2], &training) || training != 0)) {
		onnx_error(o, "training", "this dropout is in training mode");
		diag_hint(o->c->diag, "call model.eval() before the export");
		return false;
	}
	if (o->nout > 1) { /* the mask: everything is kept */
		bool *keep = onnx_fold_data(o, DT_BOOL, o->in[0]->rank, o->in[0]->dim);
		for (int64_t i = 0, n = ir_count(o->in[0]); keep && i < n; i++)
			keep[i] = true;
		o->name = o->pb->output[1];
		o->out[1] = onnx_fold_val(o, DT_BOOL, SEC_PUBLIC, o->in[0]->rank, o->in[0]->dim, keep);
		if (!o->out[1])
			return false;
	}
	return onnx_done(o, o->in[0]);
}

static bool gelu(struct onnx_node *o, struct val *x, bool tanh_form)
{
	if (!x || !want_float(o, x))
		return false;
	struct onnx_attrs at = { 1, { { .key = ATTR_tanh, .i = tanh_form } } };
	onnx_last(o);
	return onnx_done(o, onnx_emit(o, OP_gelu, 1, &x, DT_F32, x->rank, x->dim, &at));
}

bool lower_gelu(struct onnx_node *o)
{
	bool tanh_form = onnx_attr_is(o, "approximate", "tanh", "none");
	if (!tanh_form && !onnx_attr_is(o, "approximate", "none", "none"))
		return ONNX_FAIL(o, "attribute", "approximate: want \"none\" or \"tanh\"");
	return gelu(o, o->in[0], tanh_form);
}

bool lower_ms_gelu(struct onnx_node *o)
{
	return gelu(o, o->in[0], false);
}

bool lower_bias_gelu(struct onnx_node *o)
{
	return gelu(o, onnx_binary(o, OP_add, o->in[0], o->in[1]), false);
}

bool lower_fast_gelu(struct onnx_node *o)
{
	bool bias = o->nin > 1 && o->in[1];
	return gelu(o, bias ? onnx_binary(o, OP_add, o->in[0], o->in[1]) : o->in[0], true);
}

/* x * sigmoid(alpha x) */
bool lower_quick_gelu(struct onnx_node *o)
{
	double alpha = onnx_attr_f64(o, "alpha", (double)1.702f);
	struct val *x = o->in[0], *s = x;
	if (!want_float(o, x))
		return false;
	if (alpha != 1)
		s = onnx_binary(o, OP_mul, x, onnx_scalar(o, alpha));
	s = onnx_unary(o, OP_sigmoid, s);
	onnx_last(o);
	return onnx_done(o, onnx_binary(o, OP_mul, x, s));
}

/* ---- activations without an operation of their own ------------------------------ */

static struct val *times(struct onnx_node *o, struct val *x, double c) { return onnx_binary(o, OP_mul, x, onnx_scalar(o, c)); }
static struct val *plus(struct onnx_node *o, struct val *x, double c) { return onnx_binary(o, OP_add, x, onnx_scalar(o, c)); }

/* min(x, 0) = -relu(-x) */
static struct val *below_zero(struct onnx_node *o)
{
	return onnx_unary(o, OP_neg, onnx_unary(o, OP_relu, onnx_unary(o, OP_neg, o->in[0])));
}

/* relu(x) + y */
static bool above_zero_and(struct onnx_node *o, struct val *y)
{
	struct val *x = onnx_unary(o, OP_relu, o->in[0]);
	onnx_last(o);
	return onnx_done(o, onnx_binary(o, OP_add, x, y));
}

bool lower_leaky_relu(struct onnx_node *o)
{
	return want_float(o, o->in[0]) && above_zero_and(o, times(o, below_zero(o), onnx_attr_f64(o, "alpha", (double)0.01f)));
}

/* max(x, 0) + a (exp(min(x, 0) / b) - 1) */
static bool elu(struct onnx_node *o, double a, double b)
{
	struct val *low = below_zero(o);
	if (b != 1)
		low = times(o, low, 1 / b);
	return above_zero_and(o, times(o, plus(o, onnx_unary(o, OP_exp, low), -1), a));
}

bool lower_elu(struct onnx_node *o)
{
	return want_float(o, o->in[0]) && elu(o, onnx_attr_f64(o, "alpha", 1), 1);
}

bool lower_celu(struct onnx_node *o)
{
	double a = onnx_attr_f64(o, "alpha", 1);
	return want_float(o, o->in[0]) && elu(o, a, a);
}

bool lower_selu(struct onnx_node *o)
{
	double a = onnx_attr_f64(o, "alpha", (double)1.67326319217681884765625f), g = onnx_attr_f64(o, "gamma", (double)1.05070102214813232421875f);
	if (!want_float(o, o->in[0]))
		return false;
	struct val *high = times(o, onnx_unary(o, OP_relu, o->in[0]), g), *low = times(o, plus(o, onnx_unary(o, OP_exp, below_zero(o)), -1), a * g);
	onnx_last(o);
	return onnx_done(o, onnx_binary(o, OP_add, high, low));
}

static struct val *hard_sigmoid(struct onnx_node *o, double a, double b)
{
	return clip(o, plus(o, times(o, o->in[0], a), b), 0, 1);
}

bool lower_hard_sigmoid(struct onnx_node *o)
{
	if (!want_float(o, o->in[0]))
		return false;
	struct val *y = plus(o, times(o, o->in[0], onnx_attr_f64(o, "alpha", (double)0.2f)), onnx_attr_f64(o, "beta", 0.5));
	onnx_last(o);
	return onnx_done(o, clip(o, y, 0, 1));
}

bool lower_hard_swish(struct onnx_node *o)
{
	struct val *s = want_float(o, o->in[0]) ? hard_sigmoid(o, 1.0 / 6, 0.5) : NULL;
	onnx_last(o);
	return s && onnx_done(o, onnx_binary(o, OP_mul, o->in[0], s));
}

bool lower_softsign(struct onnx_node *o)
{
	struct val *d = want_float(o, o->in[0]) ? plus(o, onnx_unary(o, OP_abs, o->in[0]), 1) : NULL;
	onnx_last(o);
	return d && onnx_done(o, onnx_binary(o, OP_div, o->in[0], d));
}

bool lower_mish(struct onnx_node *o)
{
	struct val *t = want_float(o, o->in[0]) ? onnx_unary(o, OP_tanh, onnx_unary(o, OP_softplus, o->in[0])) : NULL;
	onnx_last(o);
	return t && onnx_done(o, onnx_binary(o, OP_mul, o->in[0], t));
}

/* A function of each element that the user described. */
bool lower_described(struct onnx_node *o)
{
	if (!want_float(o, o->in[0]))
		return false;
	onnx_last(o);
	return onnx_done(o, onnx_emit(o, OP_act, 1, &o->in[0], DT_F32, o->in[0]->rank, o->in[0]->dim, NULL)); /* using o->desc */
}

bool lower_refuse_quantized(struct onnx_node *o)
{
	onnx_error(o, "quantized-model", "quantised models are not supported: sufc chooses the fixed-point format itself");
	diag_hint(o->c->diag, "export the fp32 model");
	return false;
}

bool lower_refuse_control(struct onnx_node *o)
{
	onnx_error(o, "unsupported-op", "control flow is not supported");
	diag_hint(o->c->diag, "re-export with fixed shapes, so that the exporter resolves it");
	return false;
}

bool lower_refuse_data_shape(struct onnx_node *o)
{
	onnx_error(o, "unsupported-op", "the shape of its result depends on data");
	diag_hint(o->c->diag, "re-export with attn_implementation=\"eager\" and fixed shapes");
	return false;
}

/* SPDX-License-Identifier: Apache-2.0
 * onnx_attr.c -- attributes of ONNX nodes.
 */
#include "onnx_import.h"
#include <string.h>

const Onnx__AttributeProto *onnx_attr(const struct onnx_node *o, const char *name)
{
	for (size_t k = 0; k < o->pb->n_attribute; k++)
		if (o->pb->attribute[k]->name && !strcmp(o->pb->attribute[k]->name, name))
			return o->pb->attribute[k];
	return NULL;
}

int64_t onnx_attr_int(const struct onnx_node *o, const char *name, int64_t otherwise)
{
	const Onnx__AttributeProto *a = onnx_attr(o, name);
	return a ? a->i : otherwise;
}

double onnx_attr_f64(const struct onnx_node *o, const char *name, double otherwise)
{
	const Onnx__AttributeProto *a = onnx_attr(o, name);
	return a ? (double)a->f : otherwise;
}

bool onnx_attr_is(const struct onnx_node *o, const char *name, const char *text, const char *otherwise)
{
	const Onnx__AttributeProto *a = onnx_attr(o, name);
	if (!a)
		return !strcmp(text, otherwise);
	return a->s.len == strlen(text) && !memcmp(a->s.data, text, a->s.len);
}

const int64_t *onnx_attr_ints(const struct onnx_node *o, const char *name, int *n)
{
	static const int64_t none[1];
	const Onnx__AttributeProto *a = onnx_attr(o, name);
	*n = a && a->n_ints <= 1 << 20 ? (int)a->n_ints : 0;
	return a ? *n ? a->ints : none : NULL;
}

static char kind_of(const Onnx__AttributeProto *a)
{
	switch ((int)a->type) {
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT: return 'i';
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT: return 'f';
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: return 's';
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS: return 'I';
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS: return 'F';
	case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR: return a->t ? 't' : '?';
	default: return '?';
	}
}

/* The kind that the table gives an attribute, 0 if it has none of this name. */
static char kind_wanted(const char *attrs, const char *name)
{
	size_t n = strlen(name);
	for (const char *s = attrs; *s; s += strcspn(s, ","), s += *s == ',')
		if (n && !strncmp(s, name, n) && s[n] == ':')
			return s[n + 1];
	return 0;
}

bool onnx_attrs_check(const struct onnx_node *o)
{
	bool ok = true;
	for (size_t k = 0; k < o->pb->n_attribute; k++) {
		const Onnx__AttributeProto *a = o->pb->attribute[k];
		const char *name = a->name ? a->name : "";
		char want = kind_wanted(o->row->attrs, name);
		if (!want)
			ok = ONNX_FAIL(o, "attribute", "attribute %s is not supported for this operator; supported: %s", name,
			               *o->row->attrs ? o->row->attrs : "none");
		else if (kind_of(a) != want || (a->ref_attr_name && *a->ref_attr_name))
			ok = ONNX_FAIL(o, "attribute", "attribute %s has the wrong type", name);
		else if (onnx_attr(o, name) != a)
			ok = ONNX_FAIL(o, "attribute", "attribute %s is given twice", name);
	}
	return ok;
}

bool onnx_axis(const struct onnx_node *o, int64_t axis, int rank, int *out)
{
	if (axis < -rank || axis >= rank)
		return ONNX_FAIL(o, "axis", "axis %lld is outside a tensor of %d axes", (long long)axis, rank);
	*out = (int)(axis < 0 ? axis + rank : axis);
	return true;
}

bool onnx_list(struct onnx_node *o, const char *attr, int input, const int64_t **list, int *n)
{
	*list = attr ? onnx_attr_ints(o, attr, n) : NULL;
	if (*list)
		return true;
	*n = -1;
	if (input >= o->nin || !o->in[input])
		return true;
	if (!onnx_need_const(o, input, "the shape of the result depends on it"))
		return false;
	const struct val *v = o->in[input];
	int64_t count = ir_count(v);
	if (v->dtype != DT_I64 || v->rank > 1 || count > 1 << 20)
		return ONNX_FAIL(o, "operand", "input %s: want a list of int64", onnx_val_text(o->c->mem, v));
	*list = v->data;
	*n = (int)count;
	return true;
}

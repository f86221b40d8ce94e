/* SPDX-License-Identifier: Apache-2.0
 * check.c -- every invariant of a program; docs/ir.md lists them.
 *
 * Run after every pass.  A message here is a fault of sufc, or of a hand-written
 * .ir file.  Time: linear, but for the check of slots (n times the values alive).
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include "check.h"
#include "passes/passes.h"
#include "run.h"
#include "text.h"

void
check_fail(struct checker *c, const struct node *n, const char *fmt, ...)
{
	if (++c->reports > CHECK_MAX_REPORTS)
		return;
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	static const struct loc nowhere = { .index = -1 };
	if (!n)
		diag_error(c->p->diag, &nowhere, "ir", "%s", text);
	else
		diag_error(c->p->diag, &n->loc, "ir", "%s%s%s: %s", n->nout && n->out[0] ? n->out[0]->name : "", n->nout && n->out[0] ? " = " : "",
		           n->op == OP_step && n->step ? suf_step_desc[n->step->op].name : op_desc[n->op].name, text);
}

/* ---- positions ------------------------------------------------------------ */

void
pos_init(struct pos_map *m, struct arena *a, int keys)
{
	m->size = 16;
	while (m->size < 2 * (size_t)keys)
		m->size *= 2;
	m->key = arena_alloc(a, m->size * sizeof *m->key);
	m->pos = arena_alloc(a, m->size * sizeof *m->pos);
}

static size_t
pos_slot(const struct pos_map *m, const void *key)
{
	size_t k = (size_t)((uintptr_t)key >> 4) * 0x9e3779b97f4a7c15u >> 20 & (m->size - 1);
	while (m->key[k] && m->key[k] != key)
		k = (k + 1) & (m->size - 1);
	return k;
}

int
pos_of(const struct pos_map *m, const void *key)
{
	size_t k = pos_slot(m, key);
	return m->key[k] ? m->pos[k] : -1;
}

void
pos_set(struct pos_map *m, const void *key, int pos)
{
	size_t k = pos_slot(m, key);
	m->key[k] = key;
	m->pos[k] = pos;
}

/* ---- structure ------------------------------------------------------------ */

static bool
links_ok(struct checker *c)
{
	const struct node *prev = NULL;
	for (const struct node *n = c->p->first; n; prev = n, n = n->next) {
		if (n->prev != prev) {
			check_fail(c, n, "the node list is broken");
			return false;
		}
		c->nnodes++;
	}
	if (c->p->last != prev)
		check_fail(c, NULL, "the last node is not the end of the list");
	return c->p->last == prev;
}

static void
check_arity(struct checker *c, const struct node *n)
{
	const struct op_desc *d = &op_desc[n->op];
	int lo = d->min_in, hi = d->max_in, nout = d->nout;
	if (n->op == OP_step) {
		const struct suf_arity a = suf_step_arity(n->step);
		lo = a.least;
		hi = a.most;
		nout = a.results;
	}
	if (n->nin < lo || n->nin > hi)
		check_fail(c, n, "%d operands, expected %d%s%.0d", n->nin, lo, lo == hi ? "" : " or more, at most ", lo == hi ? 0 : hi);
	if (n->nout != nout)
		check_fail(c, n, "%d results, expected %d", n->nout, nout);
}

static bool
is_input(const struct prog *p, const struct val *v)
{
	for (int k = 0; k < p->nin; k++)
		if (p->in[k] == v)
			return true;
	return false;
}

static void
check_operands(struct checker *c, const struct node *n, int pos, enum stage stage)
{
	for (int k = 0; k < n->nin; k++) {
		const struct val *v = n->in[k];
		while (!v->def && v->alias && stage == STAGE_SCHED) /* another view of a value */
			v = v->alias;
		if (v->def) {
			int at = pos_of(&c->node_pos, v->def);
			if (at < 0)
				check_fail(c, n, "uses '%s', whose definition was removed", v->name);
			else if (at >= pos)
				check_fail(c, n, "uses '%s' before its definition", v->name);
		} else if (!v->data && !is_input(c->p, v))
			check_fail(c, n, "uses '%s', which is neither defined nor a constant nor an input", v->name);
	}
	for (int k = 0; k < n->nout; k++)
		if (n->out[k]->def != n || n->out[k]->data)
			check_fail(c, n, "the result '%s' has another definition", n->out[k]->name);
}

/* "axes,keepdims" and "trans_b?" */
static bool
attr_listed(const char *list, const char *name, bool *required)
{
	size_t len = strlen(name);
	for (const char *s = list; *s; s += strcspn(s, ","), s += *s == ',')
		if (!strncmp(s, name, len) && (s[len] == 0 || s[len] == ',' || s[len] == '?')) {
			*required = s[len] != '?';
			return true;
		}
	return false;
}

static void
check_attrs(struct checker *c, const struct node *n)
{
	bool required;
	for (int k = 0; k < n->nattr; k++)
		if (!attr_listed(op_desc[n->op].attrs, attr_desc[n->attr[k].key].name, &required))
			check_fail(c, n, "has no attribute '%s'", attr_desc[n->attr[k].key].name);
	for (enum attr_key key = 0; key < N_ATTR; key++)
		if (attr_listed(op_desc[n->op].attrs, attr_desc[key].name, &required) && required && !ir_has(n, key))
			check_fail(c, n, "the attribute '%s' is missing", attr_desc[key].name);
}

static void
check_shape(struct checker *c, const struct node *n)
{
	int rank = 0;
	int64_t dim[MAX_RANK];
	char why[128] = "";
	if (!infer_shape(n, &rank, dim, why)) {
		check_fail(c, n, "%s", why);
		return;
	}
	const struct val *v = n->out[0];
	bool same = v->rank == rank;
	for (int k = 0; k < rank && same; k++)
		same = v->dim[k] == dim[k];
	if (same)
		return;
	char want[160] = "";
	for (int k = 0, at = 0; k < rank; k++)
		at += snprintf(want + at, sizeof want - (size_t)at, "%s%lld", k ? "x" : "", (long long)dim[k]);
	check_fail(c, n, "the shape of the result should be [%s]", want);
}

static void
check_node(struct checker *c, const struct node *n, int pos, enum stage stage)
{
	if ((n->op == OP_step) != (n->step != NULL) || (n->op == OP_step) != (stage == STAGE_SCHED)) {
		check_fail(c, n, "is not an operation of stage %s", ir_stage_name[stage]);
		return;
	}
	if ((n->op == OP_act) != (n->desc != NULL))
		check_fail(c, n, n->desc ? "takes no descriptor" : "has no descriptor");
	if (((n->op == OP_rescale || n->op == OP_widen) && stage == STAGE_FLOAT) || (n->op == OP_softmax_pv && stage < STAGE_GATE))
		check_fail(c, n, "is not an operation of stage %s", ir_stage_name[stage]);
	int before = c->reports;
	check_arity(c, n);
	if (c->reports > before)
		return;
	check_operands(c, n, pos, stage);
	check_attrs(c, n);
	if (c->reports > before || stage == STAGE_SCHED)
		return;
	check_shape(c, n);
	check_types(c, n, stage);
	if (stage == STAGE_GATE && (!n->gate || n->gate->op != n->op))
		check_fail(c, n, n->gate ? "is bound to the gate %s.%s of another operation" : "is not bound to a gate",
		           n->gate ? n->gate->set : "", n->gate ? n->gate->name : "");
}

/* ---- values --------------------------------------------------------------- */

static void
check_uses(struct checker *c)
{
	struct pos_map uses;
	pos_init(&uses, c->arena, c->p->nvals);
	for (const struct node *n = c->p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++)
			pos_set(&uses, n->in[k], pos_of(&uses, n->in[k]) < 0 ? 1 : pos_of(&uses, n->in[k]) + 1);
	for (int k = 0; k < c->p->nvals; k++) {
		const struct val *v = c->p->vals[k];
		int n = pos_of(&uses, v) < 0 ? 0 : pos_of(&uses, v);
		if (v->nuse != n)
			check_fail(c, v->def, "'%s' has %d uses, %d are counted", v->name, n, v->nuse);
	}
}

static void
check_val(struct checker *c, const struct val *v, enum stage stage)
{
	if (ir_find(c->p, v->name) != v)
		check_fail(c, v->def, "two values are called '%s'", v->name);
	for (int k = 0; k < v->rank; k++)
		if (v->dim[k] < 0)
			check_fail(c, v->def, "'%s' has a negative dimension", v->name);
	if (isnan(v->lo) || isnan(v->hi))
		check_fail(c, v->def, "the range of '%s' is not a number", v->name);
	bool live = v->nuse > 0 || v->def || is_input(c->p, v);
	if (!live)
		return;
	if (stage == STAGE_FLOAT && (v->type.bits || v->type.frac))
		check_fail(c, v->def, "'%s' has a ring width at stage FLOAT", v->name);
	if (stage < STAGE_SCHED && v->type.sec > SEC_SECRET)
		check_fail(c, v->def, "'%s' is %s, which is a form of stage SCHED", v->name, ir_sec_name[v->type.sec]);
	if (stage >= STAGE_RING && v->type.sec != SEC_PUBLIC && (v->type.bits < 1 || v->type.bits > 64 || v->type.frac > 64))
		check_fail(c, v->def, "'%s' has %d ring bits and %d fraction bits, expected 1 to 64 and at most 64", v->name, v->type.bits, v->type.frac);
	if (v->data && v->type.sec >= SEC_SECRET)
		check_fail(c, v->def, "the constant '%s' is %s", v->name, ir_sec_name[v->type.sec]);
}

static void
check_borders(struct checker *c, enum stage stage)
{
	const struct prog *p = c->p;
	for (int k = 0; k < p->nin; k++) {
		if (p->in[k]->data || (p->in[k]->def && stage < STAGE_SCHED))
			check_fail(c, NULL, "the input '%s' is computed or constant", p->in[k]->name);
		for (int j = 0; j < k; j++)
			if (p->in[j] == p->in[k])
				check_fail(c, NULL, "the input '%s' is listed twice", p->in[k]->name);
	}
	if (p->nout == 0)
		check_fail(c, NULL, "the program has no output");
	for (int k = 0; k < p->nout; k++) {
		const struct val *v = p->out[k];
		while (!v->def && v->alias && stage == STAGE_SCHED)
			v = v->alias;
		if (v->def ? pos_of(&c->node_pos, v->def) < 0 : !v->data && !is_input(p, v))
			check_fail(c, NULL, "the output '%s' is not defined", v->name);
	}
}

bool
ir_check(const struct prog *p, enum stage stage)
{
	struct checker c = { .p = p, .arena = arena_new() };
	if (p->stage != stage)
		check_fail(&c, NULL, "the program is at stage %s, expected %s", ir_stage_name[p->stage], ir_stage_name[stage]);
	if (links_ok(&c)) {
		pos_init(&c.node_pos, c.arena, c.nnodes);
		int pos = 0;
		for (const struct node *n = p->first; n; n = n->next)
			pos_set(&c.node_pos, n, pos++);
		pos = 0;
		for (const struct node *n = p->first; n; n = n->next)
			check_node(&c, n, pos++, stage);
		check_uses(&c);
		for (int k = 0; k < p->nvals; k++)
			check_val(&c, p->vals[k], stage);
		check_borders(&c, stage);
		if (stage == STAGE_SCHED && c.reports == 0)
			check_sched(&c);
	}
	if (c.reports > CHECK_MAX_REPORTS)
		diag_hint(p->diag, "and %d more", c.reports - CHECK_MAX_REPORTS);
	arena_free(c.arena);
	return c.reports == 0;
}

/* SPDX-License-Identifier: Apache-2.0
 * emit_step.c -- one step of a scheduled program as C.
 */
#include <stdarg.h>
#include <string.h>
#include "backend/emit.h"
#include "ir/text.h"
#include "run.h"

static const char *
list(struct emit *e, int n, const int64_t *v)
{
	char *text = arena_alloc(e->arena, (size_t)n * 24 + 8), *to = text;
	to += sprintf(to, "{ ");
	for (int k = 0; k < n; k++)
		to += sprintf(to, "%s%lld", k ? ", " : "", (long long)v[k]);
	sprintf(to, " }");
	return text;
}

static bool
any(int n, const int64_t *v)
{
	for (int k = 0; k < n; k++)
		if (v[k])
			return true;
	return false;
}

/* ", .name = { .. }" unless all are zero */
static void
list_field(struct emit *e, const char *name, int n, const int64_t *v)
{
	if (any(n, v))
		emit(e, ", .$name = $list", "name", name, "list", list(e, n, v), NULL);
}

static void
number_field(struct emit *e, const char *name, uint64_t x)
{
	if (x)
		emit(e, ", .$name = $x", "name", name, "x", emit_number(e, (int64_t)x), NULL);
}

static void
emit_map(struct emit *e, const struct suf_map *m)
{
	int64_t dim[SUF_MAX_DIM];
	int n = (int)m->ndim;
	for (int k = 0; k < n; k++)
		dim[k] = m->dim[k];
	emit(e, "\t\tstatic const struct suf_map map = { .ndim = $n, .dim = $dim", "n", emit_number(e, n), "dim", list(e, n, dim), NULL);
	list_field(e, "so", n, m->so);
	list_field(e, "sa", n, m->sa);
	list_field(e, "sb", n, m->sb);
	number_field(e, "out0", m->out0);
	number_field(e, "a0", m->a0);
	number_field(e, "b0", m->b0);
	emit(e, " };\n", NULL);
}

static void
emit_mm(struct emit *e, const struct suf_mm *m)
{
	emit(e, "\t\tstatic const struct suf_mm mm = { .batch = $batch, .bh = $bh, .rows = $rows, .inner = $inner, .cols = $cols",
	     "batch", emit_number(e, m->batch), "bh", emit_number(e, m->bh), "rows", emit_number(e, m->rows),
	     "inner", emit_number(e, m->inner), "cols", emit_number(e, m->cols), NULL);
	list_field(e, "sa", 4, m->sa);
	list_field(e, "sb", 4, m->sb);
	number_field(e, "a0", m->a0);
	number_field(e, "b0", m->b0);
	emit(e, " };\n", NULL);
}

static void
emit_rows(struct emit *e, const struct suf_rows *r)
{
	emit(e, "\t\tstatic const struct suf_rows rows = { .count = $count, .first = $first, .inc = $inc, .period = $period, .level = $level };\n",
	     "count", emit_number(e, (int64_t)r->count), "first", emit_number(e, r->first), "inc", emit_number(e, r->inc),
	     "period", emit_number(e, r->period), "level", emit_number(e, r->level), NULL);
}

/* Widths by name where they have one. */
static const char *
field_value(struct emit *e, const struct emit_names *names, const char *field, int64_t x)
{
	bool width = !strcmp(field, "n") || !strcmp(field, "m"), shift = !strcmp(field, "s");
	if (width && x == names->ring)
		return "N";
	if (width && x == names->ring - names->frac)
		return "N - F";
	if (shift && x == names->frac)
		return "F";
	if (x == INT64_MIN)
		return "INT64_MIN";
	return emit_number(e, x);
}

static void
emit_refs(struct emit *e, const struct emit_names *names, const char *field, int n, struct val *const *v)
{
	if (!n)
		return;
	emit(e, ", .$field = {", "field", field, NULL);
	for (int k = 0; k < n; k++)
		emit(e, "$comma { $space, $at }", "comma", k ? "," : "", "space", !v[k]->data ? "SUF_WIRE" : names->public_weights ? "SUF_PUBLIC" : "SUF_WEIGHT",
		     "at", emit_number(e, (int64_t)v[k]->slot), NULL);
	emit(e, " }", NULL);
}

/* scores [1x2x8x8] 50.24 */
static void
describe(struct emit *e, const struct val *v)
{
	emit(e, "$name [", "name", emit_comment(e, v->name), NULL);
	for (int k = 0; k < v->rank; k++)
		emit(e, "$x$dim", "x", k ? "x" : "", "dim", emit_number(e, v->dim[k]), NULL);
	emit(e, "] $bits.$frac", "bits", emit_number(e, v->type.bits), "frac", emit_number(e, v->type.frac), NULL);
}

static void
emit_head(struct emit *e, const struct node *n)
{
	emit(e, "\t{\t/* ", NULL);
	for (int k = 0; k < n->nout; k++) {
		emit(e, k ? ", " : "", NULL);
		describe(e, n->out[k]);
	}
	emit(e, n->nout ? " = $step(" : "$step(", "step", suf_step_desc[n->step->op].name, NULL);
	for (int k = 0; k < n->nin; k++)
		emit(e, "$comma$name", "comma", k ? ", " : "", "name", emit_comment(e, n->in[k]->name), NULL);
	emit(e, ") */\n", NULL);
}

void
emit_step(struct emit *e, const struct emit_names *names, const struct node *n)
{
	const struct suf_step *s = n->step;
	emit_head(e, n);
	if (s->map)
		emit_map(e, s->map);
	if (s->mm)
		emit_mm(e, s->mm);
	if (s->rows)
		emit_rows(e, s->rows);
	emit(e, "\t\tstatic const struct suf_step s = { .op = SUF_$op, .id = $id", "op", suf_step_desc[s->op].name, "id", emit_number(e, s->id), NULL);
#define FIELD(name) \
	if (s->name) \
		emit(e, ", ." #name " = $x", "x", field_value(e, names, #name, (int64_t)s->name), NULL);
#include "ir/step_fields.def"
#undef FIELD
	emit(e, "$map$mm$rows", "map", s->map ? ", .map = &map" : "", "mm", s->mm ? ", .mm = &mm" : "", "rows", s->rows ? ", .rows = &rows" : "", NULL);
	if (s->table)
		emit(e, ", .table = &$table", "table", emit_identifier(e, "table_", ir_table_name(names->tables, s->table)), NULL);
	emit(e, ",\n\t\t\t.klass = $klass", "klass", emit_string(e, n->klass ? n->klass : "other"), NULL);
	emit_refs(e, names, "in", n->nin, n->in);
	emit_refs(e, names, "out", n->nout, n->out);
	emit(e, " };\n\t\tTRY(suf_step(r, &s));\n\t}\n", NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 * print.c -- a program as text; docs/ir.md is the reference of the form.
 */
#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "passes/descriptor.h"
#include "passes/passes.h" /* struct gate */
#include "run.h"           /* suf_step_desc */
#include "text.h"

const char *const ir_stage_name[4] = { "FLOAT", "RING", "GATE", "SCHED" };
const char *const ir_dtype_name[3] = { "f32", "i64", "bool" };
const char *const ir_weights_name[3] = { "masked", "owner", "public" };
const char *const ir_sec_name[8] = { "public", "weight", "secret", "masked", "shared", "exact", "dealer", "owned" };
const char *const ir_range_name[3] = { "none", "proven", "calibrated" };

struct printer {
	const struct prog *p;
	FILE *to;
	bool hashed;             /* leave out what depends on the weights' values or on the place of the model file */
	const char *file;        /* the model file of most nodes */
	struct ir_tables tables;
};

/* ---- small things --------------------------------------------------------- */

bool
ir_bare_name(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_./:+-#@~", c));
}

size_t
ir_data_bytes(const struct val *v)
{
	static const size_t size[] = { sizeof(float), sizeof(int64_t), sizeof(bool) };
	return (size_t)ir_count(v) * size[v->dtype];
}

void
ir_sha256(const void *data, size_t bytes, uint8_t digest[32])
{
	if (!EVP_Digest(data, bytes, digest, NULL, EVP_sha256(), NULL))
		BUG("SHA-256 of %zu bytes failed", bytes);
}

static void
put_string(FILE *to, const char *s)
{
	if (!s) {
		putc('-', to);
		return;
	}
	putc('"', to);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(to, "\\x%02x", c);
		else
			putc(c, to);
	}
	putc('"', to);
}

static void
put_name(FILE *to, char sigil, const char *name)
{
	bool bare = *name != 0;
	for (const char *s = name; *s; s++)
		bare = bare && ir_bare_name((unsigned char)*s);
	putc(sigil, to);
	if (bare)
		fputs(name, to);
	else
		put_string(to, name);
}

/* The shortest text that reads back as x. */
static void
put_double(FILE *to, double x)
{
	char text[32];
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, x);
		if (strtod(text, NULL) == x || isnan(x))
			break;
	}
	fputs(text, to);
}

static void
put_float(FILE *to, float x)
{
	char text[32];
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, (double)x);
		if (strtof(text, NULL) == x || isnan(x))
			break;
	}
	fputs(text, to);
}

/* ---- tables --------------------------------------------------------------- */

static bool
same_table(const struct suf_table *a, const struct suf_table *b)
{
	return a == b || (a->len == b->len && !strcmp(a->name, b->name) && !memcmp(a->v, b->v, a->len * sizeof *a->v));
}

static bool
table_name_taken(const struct ir_tables *t, const char *name)
{
	for (int k = 0; k < t->n; k++)
		if (!strcmp(t->v[k].name, name))
			return true;
	return false;
}

const char *
ir_table_name(const struct ir_tables *t, const struct suf_table *table)
{
	for (int k = 0; k < t->n; k++)
		if (same_table(t->v[k].table, table))
			return t->v[k].name;
	return NULL;
}

struct ir_tables
ir_collect_tables(const struct prog *p)
{
	struct ir_tables t = { 0 };
	int size = 0;
	for (const struct node *n = p->first; n; n = n->next) {
		const struct suf_table *table = n->step ? n->step->table : NULL;
		if (!table || ir_table_name(&t, table))
			continue;
		if (t.n == size) {
			struct ir_table *more = arena_alloc(p->arena, (size_t)(size = 2 * size + 8) * sizeof *more);
			if (t.n)
				memcpy(more, t.v, (size_t)t.n * sizeof *more);
			t.v = more;
		}
		const char *name = table->name;
		for (int k = 1; table_name_taken(&t, name); k++)
			name = arena_printf(p->arena, "%s.%d", table->name, k);
		t.v[t.n++] = (struct ir_table){ table, name };
	}
	return t;
}

static void
put_tables(struct printer *pr)
{
	for (int k = 0; k < pr->tables.n; k++) {
		const struct ir_table *t = &pr->tables.v[k];
		fputs("table ", pr->to);
		put_name(pr->to, '$', t->name);
		fputs(" =", pr->to);
		for (uint32_t i = 0; i < t->table->len; i++)
			fprintf(pr->to, " %lld", (long long)t->table->v[i]);
		putc('\n', pr->to);
	}
}

/* ---- values --------------------------------------------------------------- */

/* f32[2x3] secret 50.12 range -1 1 proven .. */
static void
put_type(struct printer *pr, const struct val *v)
{
	FILE *to = pr->to;
	fprintf(to, "%s[", ir_dtype_name[v->dtype]);
	for (int k = 0; k < v->rank; k++)
		fprintf(to, "%s%lld", k ? "x" : "", (long long)v->dim[k]);
	fprintf(to, "] %s", ir_sec_name[v->type.sec]);
	if (v->type.sec == SEC_OWNED)
		fprintf(to, "%d", v->type.owner);
	if (v->type.bits || v->type.frac)
		fprintf(to, " %d.%d", v->type.bits, v->type.frac);
	if (v->lo <= v->hi && !pr->hashed) {
		fputs(" range ", to);
		put_double(to, v->lo);
		putc(' ', to);
		put_double(to, v->hi);
		fprintf(to, " %s", ir_range_name[v->from]);
	}
	if (v->norm >= 0 && !pr->hashed) {
		fputs(" norm ", to);
		put_double(to, v->norm);
	}
	if (v->onehot)
		fprintf(to, " onehot %u", v->onehot);
	if (v->slot)
		fprintf(to, " slot %llu", (unsigned long long)v->slot);
	if (v->pad_step)
		fprintf(to, " pad %u", v->pad_step);
	const struct val *alias = v->alias;
	while (alias && !alias->def && alias->alias) /* views of views */
		alias = alias->alias;
	if (alias) {
		fputs(" alias ", to);
		put_name(to, '%', alias->name);
	}
	if (v->is_wire_input)
		fputs(" input", to);
}

static void
put_decl(struct printer *pr, const struct val *v)
{
	put_name(pr->to, '%', v->name);
	fputs(" : ", pr->to);
	put_type(pr, v);
}

/* The elements of a constant as they stand in the side file; *own: what the caller has to free. */
static const void *
whole_data(const struct val *v, float **own)
{
	*own = NULL;
	if (!v->factor)
		return v->data;
	*own = malloc(ir_data_bytes(v) + 1);
	if (!*own)
		arena_out_of_memory(ir_data_bytes(v));
	ir_floats(v, *own);
	return *own;
}

static void
put_data(struct printer *pr, const struct val *v)
{
	FILE *to = pr->to;
	int64_t count = ir_count(v);
	if (pr->hashed && v->type.sec == SEC_WEIGHT) {
		fputs(" = hidden", to);
		return;
	}
	if (v->absent) {
		fputs(" = absent", to);
		return;
	}
	if (count > IR_INLINE_MAX) {
		uint8_t digest[32];
		float *own;
		ir_sha256(whole_data(v, &own), ir_data_bytes(v), digest);
		free(own);
		fputs(" = sha256:", to);
		for (int k = 0; k < 32; k++)
			fprintf(to, "%02x", digest[k]);
		return;
	}
	fputs(" =", to);
	for (int64_t i = 0; i < count; i++) {
		putc(' ', to);
		if (v->dtype == DT_F32)
			put_float(to, (float)ir_elem(v, i));
		else if (v->dtype == DT_I64)
			fprintf(to, "%lld", (long long)((const int64_t *)v->data)[i]);
		else
			putc(((const bool *)v->data)[i] ? '1' : '0', to);
	}
}

/* Is it an operand, an input or an output? */
static bool
is_referred(const struct prog *p, const struct val *v)
{
	if (v->nuse)
		return true;
	for (int k = 0; k < p->nin; k++)
		if (p->in[k] == v)
			return true;
	for (int k = 0; k < p->nout; k++)
		if (p->out[k] == v)
			return true;
	return false;
}

/* Constants come first, so that a program has the same text whether it was parsed on its way or not. */
static void
put_undefined(struct printer *pr, bool constants)
{
	for (int k = 0; k < pr->p->nvals; k++) {
		const struct val *v = pr->p->vals[k];
		if (v->def || !v->data == constants || !is_referred(pr->p, v))
			continue;
		fputs(v->data ? "const " : "value ", pr->to);
		put_decl(pr, v);
		if (v->data)
			put_data(pr, v);
		putc('\n', pr->to);
	}
}

/* ---- nodes ---------------------------------------------------------------- */

static void
put_i64_list(FILE *to, int n, const int64_t *v)
{
	putc('[', to);
	for (int k = 0; k < n; k++)
		fprintf(to, "%s%lld", k ? "," : "", (long long)v[k]);
	putc(']', to);
}

static void
put_attrs(FILE *to, const struct node *n)
{
	for (int k = 0; k < n->nattr; k++) {
		const struct attr *a = &n->attr[k];
		fprintf(to, "%s%s=", k ? ", " : " {", attr_desc[a->key].name);
		if (attr_desc[a->key].kind == 'I')
			fprintf(to, "%lld", (long long)a->i);
		else if (attr_desc[a->key].kind == 'F')
			put_double(to, a->f);
		else
			put_i64_list(to, a->nlist, a->list);
	}
	if (n->nattr)
		putc('}', to);
}

static void
put_field(FILE *to, const char *name, long long x)
{
	if (x)
		fprintf(to, ", %s=%lld", name, x);
}

static void
put_map(FILE *to, const struct suf_map *m)
{
	int64_t dim[SUF_MAX_DIM];
	int n = (int)m->ndim;
	for (int k = 0; k < n; k++)
		dim[k] = m->dim[k];
	fputs(", map={dim=", to);
	put_i64_list(to, n, dim);
	fputs(", so=", to);
	put_i64_list(to, n, m->so);
	fputs(", sa=", to);
	put_i64_list(to, n, m->sa);
	fputs(", sb=", to);
	put_i64_list(to, n, m->sb);
	put_field(to, "out0", (long long)m->out0);
	put_field(to, "a0", (long long)m->a0);
	put_field(to, "b0", (long long)m->b0);
	putc('}', to);
}

static void
put_mm(FILE *to, const struct suf_mm *m)
{
	fprintf(to, ", mm={batch=%u, bh=%u, rows=%u, inner=%u, cols=%u, sa=", m->batch, m->bh, m->rows, m->inner, m->cols);
	put_i64_list(to, 4, m->sa);
	fputs(", sb=", to);
	put_i64_list(to, 4, m->sb);
	put_field(to, "a0", (long long)m->a0);
	put_field(to, "b0", (long long)m->b0);
	putc('}', to);
}

static void
put_step(struct printer *pr, const struct suf_step *s)
{
	FILE *to = pr->to;
	fprintf(to, " {id=%u", s->id);
#define FIELD(name) put_field(to, #name, (long long)s->name);
#include "step_fields.def"
#undef FIELD
	if (s->map)
		put_map(to, s->map);
	if (s->mm)
		put_mm(to, s->mm);
	if (s->rows)
		fprintf(to, ", rows={count=%llu, first=%u, inc=%u, period=%u, level=%u}", (unsigned long long)s->rows->count,
		        s->rows->first, s->rows->inc, s->rows->period, s->rows->level);
	if (s->table) {
		fputs(", table=", to);
		put_name(to, '$', ir_table_name(&pr->tables, s->table));
	}
	putc('}', to);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static void
put_loc(struct printer *pr, const struct loc *loc)
{
	bool file = !same_text(loc->file, pr->file);
	if (!loc->node && !loc->op && loc->index < 0 && !file)
		return;
	fputs(" at ", pr->to);
	put_string(pr->to, loc->node);
	putc(' ', pr->to);
	put_string(pr->to, loc->op);
	fprintf(pr->to, " %d", loc->index);
	if (file) {
		putc(' ', pr->to);
		put_string(pr->to, loc->file);
	}
}

static void
put_node(struct printer *pr, const struct node *n)
{
	FILE *to = pr->to;
	for (int k = 0; k < n->nout; k++) {
		fputs(k ? ", " : "", to);
		put_decl(pr, n->out[k]);
	}
	fputs(n->nout ? " = " : "", to);
	if (n->op == OP_step)
		fprintf(to, "step.%s", n->step ? suf_step_desc[n->step->op].name : "none");
	else
		fputs(op_desc[n->op].name, to);
	for (int k = 0; k < n->nin; k++) {
		fputs(k ? ", " : " ", to);
		put_name(to, '%', n->in[k]->name);
	}
	put_attrs(to, n);
	if (n->step)
		put_step(pr, n->step);
	if (n->desc) {
		fputs(" using ", to);
		put_string(to, n->desc->name);
	}
	if (n->gate)
		fprintf(to, " gate %s.%s", n->gate->set, n->gate->name);
	if (n->klass)
		fprintf(to, " class %s", n->klass);
	if (n->round >= 0)
		fprintf(to, " round %d", n->round);
	if (!pr->hashed)
		put_loc(pr, &n->loc);
	putc('\n', to);
}

static void
put_list(struct printer *pr, const char *what, int n, struct val *const *list)
{
	for (int k = 0; k < n; k++) {
		fputs(k ? ", " : what, pr->to);
		put_name(pr->to, '%', list[k]->name);
	}
	if (n)
		putc('\n', pr->to);
}

/* From pass quantize on they are in the values' types. */
static void
put_roles(FILE *to, const struct prog *p)
{
	for (int k = 0; k < p->nrole_bits && p->stage == STAGE_FLOAT; k++)
		fprintf(to, "%s%u%s", k ? "," : " roles [", p->role_bits[k], k + 1 < p->nrole_bits ? "" : "]");
}

static void
print(const struct prog *p, FILE *to, bool hashed)
{
	struct printer pr = { .p = p, .to = to, .hashed = hashed, .tables = ir_collect_tables(p) };
	for (const struct node *n = p->first; n && !pr.file && !hashed; n = n->next)
		pr.file = n->loc.file;
	fputs("sufc-ir 1\nprogram ", to);
	put_string(to, p->name);
	fprintf(to, " stage %s", ir_stage_name[p->stage]);
	if (pr.file) {
		fputs(" file ", to);
		put_string(to, pr.file);
	}
	if (p->gates && !hashed) {
		fputs(" gates ", to);
		put_string(to, p->gates);
	}
	if (p->next_id > 1)
		fprintf(to, " next_id %u", p->next_id);
	if (p->weights != WEIGHTS_MASKED)
		fprintf(to, " weights %s", ir_weights_name[p->weights]);
	if (p->mixed && p->stage != STAGE_SCHED)
		fputs(" mixed", to);
	put_roles(to, p);
	if (p->joins)
		fputs(" joins", to);
	if (p->nrounds)
		fprintf(to, " rounds %d", p->nrounds);
	if (p->wire_elems)
		fprintf(to, " wire %llu", (unsigned long long)p->wire_elems);
	putc('\n', to);
	put_tables(&pr);
	put_undefined(&pr, true);
	put_undefined(&pr, false);
	for (const struct node *n = p->first; n; n = n->next)
		put_node(&pr, n);
	put_list(&pr, "input ", p->nin, p->in);
	put_list(&pr, "output ", p->nout, p->out);
}

void
ir_print(const struct prog *p, FILE *to)
{
	print(p, to, false);
}

void
ir_print_hashed(const struct prog *p, FILE *to)
{
	print(p, to, true);
}

void
ir_print_data(const struct prog *p, FILE *to)
{
	for (int k = 0; k < p->nvals; k++) {
		const struct val *v = p->vals[k];
		if (v->data && !v->absent && is_referred(p, v) && ir_count(v) > IR_INLINE_MAX) {
			float *own;
			fwrite(whole_data(v, &own), 1, ir_data_bytes(v), to);
			free(own);
		}
	}
}

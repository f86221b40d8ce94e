/* SPDX-License-Identifier: Apache-2.0
 * parse.c -- reads the text form (docs/ir.md).  The parser checks the form;
 * whether the program makes sense is ir_check's business.
 */
#include <stdlib.h>
#include <string.h>
#include "lex.h"
#include "passes/descriptor.h"
#include "passes/passes.h"
#include "run.h"
#include "text.h"

enum { ELEMS_MAX_LOG2 = 40 };

struct pending_alias { struct val *v; const char *name; int line; struct pending_alias *next; };
struct parser {
	struct lexer lx;
	struct prog *p;
	const char *loc_file;            /* model file of nodes that do not name one */
	FILE *data; const char *data_name;
	struct pending_alias *alias;
	struct suf_table **table; int ntable, table_size;
};

/* ---- values --------------------------------------------------------------- */

/* 2x3x4 between brackets; also nothing. */
static int
shape(struct parser *ps, int64_t *dim)
{
	int rank = 0;
	double elems = 1;
	lex_expect(&ps->lx, "[");
	if (lex_accept(&ps->lx, "]"))
		return 0;
	const char *s = lex_take(&ps->lx, T_WORD, "a shape such as 2x3");
	while (!ps->lx.failed) {
		char *end;
		long long d = *s >= '0' && *s <= '9' ? strtoll(s, &end, 10) : -1;
		if (d < 0 || d > 1ll << ELEMS_MAX_LOG2 || rank == MAX_RANK || (*end && *end != 'x')) {
			lex_fail(&ps->lx, "expected a shape such as 2x3 of at most %d dimensions, found '%.60s'", (int)MAX_RANK, s);
			break;
		}
		dim[rank++] = d;
		elems *= (double)d;
		if (!*end)
			break;
		s = end + 1;
	}
	if (elems > (double)(1ll << ELEMS_MAX_LOG2))
		lex_fail(&ps->lx, "a value of more than 2^%d elements", (int)ELEMS_MAX_LOG2);
	lex_expect(&ps->lx, "]");
	return rank;
}

/* secret 50.12, owned1 37.0 */
static struct type
type(struct parser *ps)
{
	static const char *const name[] = { "public", "weight", "secret", "masked", "shared", "exact", "dealer", "owned0", "owned1" };
	struct type t = { 0 };
	int k = lex_one_of(&ps->lx, "a form such as public, weight, secret, masked, shared", name, 9);
	t.sec = k == 8 ? SEC_OWNED : (enum sec)k;
	t.owner = k == 8;
	if (ps->lx.kind == T_WORD && *ps->lx.text >= '0' && *ps->lx.text <= '9') {
		char *end;
		long bits = strtol(ps->lx.text, &end, 10), frac = *end == '.' ? strtol(end + 1, &end, 10) : -1;
		if (*end || bits < 0 || bits > 255 || frac < 0 || frac > 255)
			lex_fail(&ps->lx, "expected ring and fraction bits such as 50.12, found '%.60s'", ps->lx.text);
		t.bits = (uint8_t)bits;
		t.frac = (uint8_t)frac;
		lex_next(&ps->lx);
	}
	return t;
}

/* range 0 1 proven norm 2 slot 3 pad 4 alias %x input, each at most once in effect */
static void
val_fields(struct parser *ps, struct val *v)
{
	struct lexer *lx = &ps->lx;
	for (;;) {
		if (lex_accept(lx, "range")) {
			v->lo = lex_double(lx);
			v->hi = lex_double(lx);
			v->from = (enum range_source)lex_one_of(lx, "a source of a range (none, proven, calibrated)", ir_range_name, 3);
		} else if (lex_accept(lx, "norm")) {
			v->norm = lex_double(lx);
		} else if (lex_accept(lx, "onehot")) {
			v->onehot = (uint32_t)lex_int(lx, 1, UINT32_MAX);
		} else if (lex_accept(lx, "slot")) {
			v->slot = (uint64_t)lex_int(lx, 0, INT64_MAX);
		} else if (lex_accept(lx, "pad")) {
			v->pad_step = (uint32_t)lex_int(lx, 0, UINT32_MAX);
		} else if (lex_accept(lx, "alias")) {
			struct pending_alias *a = arena_alloc(ps->p->arena, sizeof *a);
			*a = (struct pending_alias){ v, lex_take(lx, T_VALUE, "a value"), lx->line, ps->alias };
			ps->alias = a;
		} else if (lex_accept(lx, "input")) {
			v->is_wire_input = true;
		} else
			return;
	}
}

/* %name : f32[2x3] secret 50.12 .. */
static struct val *
declaration(struct parser *ps)
{
	struct lexer *lx = &ps->lx;
	int64_t dim[MAX_RANK];
	const char *name = lex_take(lx, T_VALUE, "a value such as %x");
	if (!lx->failed && ir_find(ps->p, name))
		lex_fail(lx, "the value '%.60s' is defined twice", name);
	lex_expect(lx, ":");
	enum dtype dtype = (enum dtype)lex_one_of(lx, "an element type (f32, i64, bool)", ir_dtype_name, 3);
	int rank = shape(ps, dim);
	struct type t = type(ps);
	struct val *v = ir_val(ps->p, name, dtype, t, rank, dim);
	val_fields(ps, v);
	return v;
}

static struct val *
reference(struct parser *ps)
{
	const char *name = lex_take(&ps->lx, T_VALUE, "a value such as %x");
	struct val *v = ps->lx.failed ? NULL : ir_find(ps->p, name);
	if (!v)
		lex_fail(&ps->lx, "the value '%.60s' is used before its definition", name);
	return v;
}

/* sha256:HEX, the data in the side file */
static void
side_data(struct parser *ps, struct val *v)
{
	uint8_t digest[32];
	char text[65];
	lex_expect(&ps->lx, ":");
	const char *want = lex_take(&ps->lx, T_WORD, "a SHA-256 digest");
	if (ps->lx.failed)
		return;
	if (!ps->data) {
		lex_fail(&ps->lx, "the constant '%.60s' is in the file '%s', which cannot be read", v->name, ps->data_name);
		return;
	}
	size_t bytes = ir_data_bytes(v);
	char *data = malloc(bytes ? bytes : 1);
	if (!data || fread(data, 1, bytes, ps->data) != bytes)
		lex_fail(&ps->lx, "the file '%s' ends inside the constant '%.60s'", ps->data_name, v->name);
	if (!data)
		return;
	arena_on_free(ps->p->arena, free, data);
	ir_sha256(data, bytes, digest);
	for (int k = 0; k < 32; k++)
		snprintf(text + 2 * k, 3, "%02x", digest[k]);
	if (strcmp(text, want))
		lex_fail(&ps->lx, "the constant '%.60s' has the digest %s in '%s', not %s", v->name, text, ps->data_name, want);
	v->data = data;
}

/* const %w : f32[2] weight = 1 2 */
static void
constant(struct parser *ps)
{
	struct lexer *lx = &ps->lx;
	struct val *v = declaration(ps);
	lex_expect(lx, "=");
	if (lx->failed)
		return;
	if (lex_accept(lx, "sha256")) {
		side_data(ps, v);
		return;
	}
	if (lex_accept(lx, "absent")) {
		v->data = ir_absent(ps->p, NULL, v->rank, v->dim)->data;
		v->absent = true;
		if (v->dtype != DT_F32 || v->type.sec != SEC_WEIGHT)
			lex_fail(lx, "only a weight of type f32 may be absent, '%.60s' is not", v->name);
		return;
	}
	int64_t count = ir_count(v);
	if (count > lx->end - lx->at + 1) { /* an element takes a character at least */
		lex_fail(lx, "the constant '%.60s' has fewer than %lld elements", v->name, (long long)count);
		return;
	}
	char *data = arena_alloc(ps->p->arena, ir_data_bytes(v));
	for (int64_t i = 0; i < count && !lx->failed; i++) {
		if (v->dtype == DT_F32)
			((float *)(void *)data)[i] = lx->kind == T_WORD ? strtof(lx->text, NULL) : 0;
		if (v->dtype == DT_F32)
			lex_double(lx);
		else if (v->dtype == DT_I64)
			((int64_t *)(void *)data)[i] = lex_int(lx, INT64_MIN, INT64_MAX);
		else
			((bool *)(void *)data)[i] = lex_int(lx, 0, 1) != 0;
	}
	v->data = data;
}

/* table $name = 1 2 3 */
static void
table(struct parser *ps)
{
	struct lexer *lx = &ps->lx;
	struct suf_table *t = arena_alloc(ps->p->arena, sizeof *t);
	struct ints l = { 0 };
	t->name = lex_take(lx, T_TABLE, "a table such as $gelu");
	for (int k = 0; k < ps->ntable; k++)
		if (!strcmp(ps->table[k]->name, t->name))
			lex_fail(lx, "the table '%.60s' is defined twice", t->name);
	lex_expect(lx, "=");
	while (!lx->failed && lx->kind == T_WORD)
		lex_push(lx, &l, lex_int(lx, INT64_MIN, INT64_MAX));
	t->v = l.v;
	t->len = (uint32_t)l.n;
	if (ps->ntable == ps->table_size) {
		struct suf_table **more = arena_alloc(ps->p->arena, (size_t)(ps->table_size = 2 * ps->table_size + 16) * sizeof *more);
		if (ps->ntable)
			memcpy(more, ps->table, (size_t)ps->ntable * sizeof *more);
		ps->table = more;
	}
	ps->table[ps->ntable++] = t;
}

/* ---- nodes ---------------------------------------------------------------- */

static void
attribute(struct parser *ps, struct node *n)
{
	struct lexer *lx = &ps->lx;
	const char *name = lex_take(lx, T_WORD, "an attribute");
	enum attr_key key = 0;
	while (key < N_ATTR && strcmp(attr_desc[key].name, name))
		key++;
	if (key == N_ATTR) {
		lex_fail(lx, "'%.60s' is not an attribute", name);
		return;
	}
	if (ir_has(n, key))
		lex_fail(lx, "the attribute '%s' is given twice", name);
	lex_expect(lx, "=");
	if (attr_desc[key].kind == 'I')
		ir_set_int(ps->p, n, key, lex_int(lx, INT64_MIN, INT64_MAX));
	else if (attr_desc[key].kind == 'F')
		ir_set_f64(ps->p, n, key, lex_double(lx));
	else {
		struct ints l = lex_ints(lx);
		ir_set_ints(ps->p, n, key, l.n, l.v);
	}
}

static const char *
string_or_none(struct parser *ps)
{
	return lex_accept(&ps->lx, "-") ? NULL : lex_take(&ps->lx, T_STRING, "a string or -");
}

static void
gate_name(struct parser *ps, struct node *n)
{
	const char *name = lex_take(&ps->lx, T_WORD, "a gate such as sigma.gelu");
	for (int k = 0; k < ngates; k++) {
		size_t set = strlen(gates[k].set);
		if (!strncmp(name, gates[k].set, set) && name[set] == '.' && !strcmp(name + set + 1, gates[k].name))
			n->gate = &gates[k];
	}
	if (!n->gate)
		lex_fail(&ps->lx, "there is no gate '%.60s'", name);
}

/* A descriptor that the user gave. */
static void
descriptor_name(struct parser *ps, struct node *n)
{
	const char *name = lex_take(&ps->lx, T_STRING, "the name of a descriptor");
	for (int k = 0; k < ps->p->ndesc; k++)
		if (!strcmp(ps->p->desc[k]->name, name))
			n->desc = ps->p->desc[k];
	if (!n->desc)
		lex_fail(&ps->lx, "the descriptor '%.60s' was not given: --descriptor FILE", name);
}

/* using .. gate .. class .. round .. at .. */
static void
node_fields(struct parser *ps, struct node *n)
{
	struct lexer *lx = &ps->lx;
	for (;;) {
		if (lex_accept(lx, "using"))
			descriptor_name(ps, n);
		else if (lex_accept(lx, "gate"))
			gate_name(ps, n);
		else if (lex_accept(lx, "class")) {
			n->klass = lex_take(lx, T_WORD, "a cost class");
			if (n->step)
				n->step->klass = n->klass;
		} else if (lex_accept(lx, "round"))
			n->round = (int)lex_int(lx, 0, INT32_MAX);
		else if (lex_accept(lx, "at")) {
			n->loc.node = string_or_none(ps);
			n->loc.op = string_or_none(ps);
			n->loc.index = (int)lex_int(lx, -1, INT32_MAX);
			if (lx->kind == T_STRING || lex_is(lx, "-"))
				n->loc.file = string_or_none(ps);
		} else
			return;
	}
}

static int
step_index(const char *name)
{
	for (int k = 0; k < SUF_NSTEP; k++)
		if (!strcmp(suf_step_desc[k].name, name))
			return k;
	return -1;
}

static int
op_index(const char *name)
{
	for (int k = 0; k < N_OP; k++)
		if (k != OP_step && !strcmp(op_desc[k].name, name))
			return k;
	return -1;
}

/* op %a, %b {..} .. */
static void
operation(struct parser *ps, int nout, struct val **out)
{
	struct lexer *lx = &ps->lx;
	struct arena *a = ps->p->arena;
	const char *name = lex_take(lx, T_WORD, "an operation");
	bool is_step = !strncmp(name, "step.", 5);
	int index = lx->failed ? -1 : is_step ? step_index(name + 5) : op_index(name);
	if (index < 0) {
		lex_fail(lx, "there is no operation '%.60s'", name);
		return;
	}
	int nin = 0, size = 0;
	struct val **in = NULL;
	while (!lx->failed && lx->kind == T_VALUE) {
		if (nin == size) {
			struct val **more = arena_alloc(a, (size_t)(size = 2 * size + 4) * sizeof(struct val *));
			if (nin)
				memcpy(more, in, (size_t)nin * sizeof(struct val *));
			in = more;
		}
		in[nin++] = reference(ps);
		if (!lex_accept(lx, ","))
			break;
	}
	if (lx->failed)
		return;
	struct node *n = ir_node(ps->p, NULL, is_step ? OP_step : (enum op)index, &(struct loc){ .file = ps->loc_file, .index = -1 }, nin, in, nout, out);
	if (is_step) {
		n->step = arena_alloc(a, sizeof *n->step);
		n->step->op = (enum suf_op)index;
	}
	if (lex_accept(lx, "{")) {
		do {
			if (is_step)
				parse_step_field(lx, n->step, ps->table, ps->ntable);
			else
				attribute(ps, n);
		} while (lex_accept(lx, ","));
		lex_expect(lx, "}");
	}
	node_fields(ps, n);
}

static void
definition(struct parser *ps)
{
	struct lexer *lx = &ps->lx;
	struct val *out[SUF_MAX_OUT];
	int nout = 0;
	do {
		if (nout == SUF_MAX_OUT)
			lex_fail(lx, "an operation has at most %d results", (int)SUF_MAX_OUT);
		if (lx->failed)
			return;
		out[nout++] = declaration(ps);
	} while (lex_accept(lx, ","));
	lex_expect(lx, "=");
	if (!lx->failed)
		operation(ps, nout, out);
}

/* ---- the whole ------------------------------------------------------------ */

/* Once there are steps they are for weights of one setting, as the text says; before, --weights may say another one. */
static void
weights_setting(struct parser *ps, enum weights_mode written)
{
	const enum weights_mode asked = ps->p->weights;
	const bool given = ps->p->opt && ps->p->opt->weights_given;
	if (ps->p->stage == STAGE_SCHED && asked != written && (given || asked != WEIGHTS_MASKED))
		lex_fail(&ps->lx, "the program was made for weights that are %s: for --weights=%s give the model", ir_weights_name[written], ir_weights_name[asked]);
	if (ps->p->stage == STAGE_SCHED || (asked == WEIGHTS_MASKED && !given))
		ps->p->weights = written;
}

/* Fraction bits by role, as pass budget left them. */
static void
roles(struct parser *ps)
{
	enum { MOST_ROLES = 32, MOST_FRAC = 40 };
	int64_t list[MOST_ROLES];
	const int n = lex_int_array(&ps->lx, MOST_ROLES, list);
	uint8_t *bits = arena_alloc(ps->p->arena, MOST_ROLES);
	for (int k = 0; k < n; k++) {
		if (list[k] < 0 || list[k] > MOST_FRAC)
			lex_fail(&ps->lx, "%lld fraction bits; 0 to %d are possible", (long long)list[k], MOST_FRAC);
		bits[k] = (uint8_t)list[k];
	}
	ps->p->role_bits = bits;
	ps->p->nrole_bits = n;
}

static void
header(struct parser *ps, const struct options *opt)
{
	struct lexer *lx = &ps->lx;
	enum weights_mode weights = WEIGHTS_MASKED;
	lex_expect(lx, "sufc-ir");
	if (lex_int(lx, 1, 1) != 1)
		return;
	lex_take(lx, T_LINE, "the end of the line");
	while (lx->kind == T_LINE)
		lex_next(lx);
	lex_expect(lx, "program");
	ps->p->name = lex_take(lx, T_STRING, "the name of the program");
	ps->p->opt = opt;
	lex_expect(lx, "stage");
	ps->p->stage = (enum stage)lex_one_of(lx, "a stage (FLOAT, RING, GATE, SCHED)", ir_stage_name, 4);
	for (;;) {
		if (lex_accept(lx, "file"))
			ps->loc_file = lex_take(lx, T_STRING, "a file name");
		else if (lex_accept(lx, "gates"))
			ps->p->gates = lex_take(lx, T_STRING, "the name of the gate set");
		else if (lex_accept(lx, "next_id"))
			ps->p->next_id = (uint32_t)lex_int(lx, 0, UINT32_MAX);
		else if (lex_accept(lx, "joins"))
			ps->p->joins = true;
		else if (lex_accept(lx, "weights"))
			weights = (enum weights_mode)lex_one_of(lx, "who knows the weights (masked, owner, public)", ir_weights_name, 3);
		else if (lex_accept(lx, "mixed"))
			ps->p->mixed = true;
		else if (lex_accept(lx, "roles"))
			roles(ps);
		else if (lex_accept(lx, "rounds"))
			ps->p->nrounds = (int)lex_int(lx, 0, INT32_MAX);
		else if (lex_accept(lx, "wire"))
			ps->p->wire_elems = (uint64_t)lex_int(lx, 0, INT64_MAX);
		else
			break;
	}
	weights_setting(ps, weights);
	if (lx->kind != T_END)
		lex_take(lx, T_LINE, "the end of the line");
}

static void
border(struct parser *ps, void (*add)(struct prog *, struct val *))
{
	do {
		struct val *v = reference(ps);
		if (!v)
			return;
		bool input = v->is_wire_input;
		add(ps->p, v);
		v->is_wire_input = input; /* said by the value's own line */
	} while (lex_accept(&ps->lx, ","));
}

static void
statement(struct parser *ps)
{
	struct lexer *lx = &ps->lx;
	if (lex_accept(lx, "table"))
		table(ps);
	else if (lex_accept(lx, "const"))
		constant(ps);
	else if (lex_accept(lx, "value"))
		declaration(ps);
	else if (lex_accept(lx, "input"))
		border(ps, ir_add_input);
	else if (lex_accept(lx, "output"))
		border(ps, ir_add_output);
	else if (lx->kind == T_VALUE)
		definition(ps);
	else
		operation(ps, 0, NULL);
	if (lx->kind != T_END)
		lex_take(lx, T_LINE, "the end of the line");
}

static void
resolve_aliases(struct parser *ps)
{
	for (struct pending_alias *a = ps->alias; a && !ps->lx.failed; a = a->next) {
		a->v->alias = ir_find(ps->p, a->name);
		ps->lx.line = a->line;
		if (!a->v->alias)
			lex_fail(&ps->lx, "the alias '%.60s' of '%.60s' is not defined", a->name, a->v->name);
	}
}

static char *
read_all(FILE *from, size_t *size)
{
	size_t room = 1 << 16, n = 0;
	char *text = malloc(room);
	while (text) {
		n += fread(text + n, 1, room - n, from);
		if (n < room)
			break;
		char *more = realloc(text, room *= 2);
		if (!more)
			free(text);
		text = more;
	}
	*size = n;
	return text;
}

struct prog *
ir_parse(FILE *from, const char *file, const struct options *opt, struct diag *diag)
{
	struct parser ps = { .p = ir_new("", opt, diag) };
	size_t size;
	if (!descriptors_load(ps.p)) {
		ir_free(ps.p);
		return NULL;
	}
	char *text = read_all(from, &size);
	if (!text || ferror(from)) {
		diag_error(diag, &(struct loc){ .file = file, .index = -1 }, "read", "cannot read the file");
		free(text);
		ir_free(ps.p);
		return NULL;
	}
	ps.lx = (struct lexer){ .at = text, .end = text + size, .file = arena_strdup(ps.p->arena, file), .line = 1, .kind = T_WORD,
	                        .arena = ps.p->arena, .diag = diag };
	ps.data_name = arena_printf(ps.p->arena, "%s.data", file);
	ps.data = fopen(ps.data_name, "rb");
	lex_next(&ps.lx);
	while (ps.lx.kind == T_LINE)
		lex_next(&ps.lx);
	header(&ps, opt);
	while (!ps.lx.failed && ps.lx.kind != T_END) {
		if (ps.lx.kind == T_LINE)
			lex_next(&ps.lx);
		else
			statement(&ps);
	}
	resolve_aliases(&ps);
	if (ps.data)
		fclose(ps.data);
	free(text);
	if (!ps.lx.failed)
		return ps.p;
	ir_free(ps.p);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 * build.c -- make and change programs.  These functions keep the lists, the use
 * counts and the names consistent; everything else may read but not write them.
 *
 * Finding a user of a value walks the nodes after its definition: programs have
 * some ten thousand nodes, so no use lists are kept.
 */
#include <string.h>
#include <sys/mman.h>
#include "passes/passes.h" /* struct options */
#include "store.h"

struct prog *
ir_new(const char *name, const struct options *opt, struct diag *diag)
{
	struct arena *a = arena_new();
	struct store *st = arena_alloc(a, sizeof *st);
	st->name_size = 1024;
	st->name = arena_alloc(a, st->name_size * sizeof *st->name);
	st->prog = (struct prog){ .name = arena_strdup(a, name), .stage = STAGE_FLOAT, .opt = opt, .weights = opt ? opt->weights : WEIGHTS_MASKED,
	                          .arena = a, .diag = diag, .next_id = 1 };
	return &st->prog;
}

void
ir_free(struct prog *p)
{
	if (p)
		arena_free(p->arena);
}

/* ---- names ---------------------------------------------------------------- */

struct name_entry *
name_slot(const struct store *st, const char *name)
{
	uint64_t h = 14695981039346656037ull; /* FNV-1a */
	for (const char *s = name; *s; s++)
		h = (h ^ (unsigned char)*s) * 1099511628211ull;
	uint32_t k = (uint32_t)(h ^ h >> 32) & (st->name_size - 1);
	while (st->name[k].val && strcmp(st->name[k].val->name, name))
		k = (k + 1) & (st->name_size - 1);
	return &st->name[k];
}

struct val *
ir_find(const struct prog *p, const char *name)
{
	return name_slot(store_of(p), name)->val;
}

static void
name_grow(struct store *st)
{
	struct name_entry *old = st->name;
	uint32_t size = st->name_size;
	st->name_size = 2 * size;
	st->name = arena_alloc(st->prog.arena, st->name_size * sizeof *st->name);
	for (uint32_t k = 0; k < size; k++)
		if (old[k].val)
			*name_slot(st, old[k].val->name) = old[k];
}

/* A name nobody has: `name`, else name.1, name.2 .. */
static const char *
unique_name(struct store *st, const char *name)
{
	struct arena *a = st->prog.arena;
	if (!name) {
		do
			name = arena_printf(a, "v%u", st->next_unnamed++);
		while (name_slot(st, name)->val);
		return name;
	}
	struct name_entry *e = name_slot(st, name);
	if (!e->val)
		return arena_strdup(a, name);
	const char *with_suffix;
	do
		with_suffix = arena_printf(a, "%s.%u", name, ++e->next_suffix);
	while (name_slot(st, with_suffix)->val);
	return with_suffix;
}

/* ---- values --------------------------------------------------------------- */

struct val *
ir_val(struct prog *p, const char *name, enum dtype dtype, struct type type, int rank, const int64_t *dim)
{
	struct store *st = store_of(p);
	if (rank < 0 || rank > MAX_RANK)
		BUG("value '%s' of rank %d", name ? name : "", rank);
	struct val *v = arena_alloc(p->arena, sizeof *v);
	v->name = unique_name(st, name);
	v->dtype = dtype;
	v->type = type;
	v->rank = rank;
	for (int k = 0; k < rank; k++)
		v->dim[k] = dim[k];
	v->lo = 1;
	v->hi = -1;
	v->norm = -1;
	if (2 * ++st->nname > st->name_size)
		name_grow(st);
	name_slot(st, v->name)->val = v;
	if (p->nvals == st->val_size) {
		st->val_size = st->val_size ? 2 * st->val_size : 256;
		struct val **vals = arena_alloc(p->arena, (size_t)st->val_size * sizeof *vals);
		if (p->nvals)
			memcpy(vals, p->vals, (size_t)p->nvals * sizeof *vals);
		p->vals = vals;
	}
	p->vals[p->nvals++] = v;
	return v;
}

struct val *
ir_val_like(struct prog *p, const struct val *like, const char *name_suffix)
{
	const char *name = arena_printf(p->arena, "%s%s", like->name, name_suffix ? name_suffix : "");
	struct val *v = ir_val(p, name, like->dtype, like->type, like->rank, like->dim);
	v->source = like->source;
	return v;
}

struct val *
ir_const(struct prog *p, const char *name, enum dtype dtype, enum sec sec, int rank, const int64_t *dim, const void *data)
{
	struct val *v = ir_val(p, name, dtype, (struct type){ .sec = sec }, rank, dim);
	v->data = data;
	return v;
}

struct val *
ir_const_like(struct prog *p, const char *name, const struct val *like, enum sec sec, int rank, const int64_t *dim)
{
	struct val *v = ir_const(p, name, like->dtype, sec, rank, dim, like->data);
	v->absent = like->absent;
	v->factor = like->factor;
	v->factor_step = like->factor_step;
	return v;
}

struct mapping { void *at; size_t bytes; };

static void
unmap(void *arg)
{
	struct mapping *m = arg;
	munmap(m->at, m->bytes);
}

struct val *
ir_absent(struct prog *p, const char *name, int rank, const int64_t *dim)
{
	struct val *v = ir_val(p, name, DT_F32, (struct type){ .sec = SEC_WEIGHT }, rank, dim);
	struct mapping *m = arena_alloc(p->arena, sizeof *m);
	m->bytes = (size_t)(ir_count(v) ? ir_count(v) : 1) * sizeof(float);
	m->at = mmap(NULL, m->bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->at == MAP_FAILED)
		arena_out_of_memory(m->bytes);
	arena_on_free(p->arena, unmap, m);
	v->data = m->at;
	v->absent = true;
	return v;
}

struct val *
ir_scalar(struct prog *p, const char *name, double x)
{
	float *data = arena_alloc(p->arena, sizeof *data);
	*data = (float)x;
	return ir_const(p, name, DT_F32, SEC_PUBLIC, 0, NULL, data);
}

static struct val **
append(struct arena *a, struct val **list, int n, struct val *v)
{
	struct val **longer = arena_alloc(a, (size_t)(n + 1) * sizeof(struct val *));
	if (n)
		memcpy(longer, list, (size_t)n * sizeof(struct val *));
	longer[n] = v;
	return longer;
}

void
ir_add_input(struct prog *p, struct val *v)
{
	p->in = append(p->arena, p->in, p->nin, v);
	p->nin++;
	v->is_wire_input = true;
}

void
ir_add_output(struct prog *p, struct val *v)
{
	p->out = append(p->arena, p->out, p->nout, v);
	p->nout++;
}

/* ---- nodes ---------------------------------------------------------------- */

static void
link_before(struct prog *p, struct node *n, struct node *at)
{
	n->next = at;
	n->prev = at ? at->prev : p->last;
	*(n->prev ? &n->prev->next : &p->first) = n;
	*(at ? &at->prev : &p->last) = n;
}

/* n->next stays, so that a loop over the list may remove the node it is at. */
static void
unlink_node(struct prog *p, struct node *n)
{
	*(n->prev ? &n->prev->next : &p->first) = n->next;
	*(n->next ? &n->next->prev : &p->last) = n->prev;
}

struct node *
ir_node(struct prog *p, struct node *at, enum op op, const struct loc *loc, int nin, struct val *const *in, int nout, struct val *const *out)
{
	struct node *n = arena_alloc(p->arena, sizeof *n);
	n->op = op;
	n->nin = nin;
	n->nout = nout;
	n->in = arena_alloc(p->arena, (size_t)nin * sizeof *n->in);
	n->out = arena_alloc(p->arena, (size_t)nout * sizeof *n->out);
	n->round = -1;
	n->loc = loc ? *loc : (struct loc){ .index = -1 };
	for (int k = 0; k < nin; k++) {
		if (!in[k])
			BUG("operand %d of a new %s is NULL", k, op_desc[op].name);
		n->in[k] = in[k];
		in[k]->nuse++;
	}
	for (int k = 0; k < nout; k++) {
		if (!out[k] || out[k]->def || out[k]->data)
			BUG("output %d of a new %s is %s", k, op_desc[op].name, out[k] ? "already defined" : "NULL");
		n->out[k] = out[k];
		out[k]->def = n;
	}
	link_before(p, n, at);
	return n;
}

static const void *
copy(struct arena *a, const void *from, size_t bytes)
{
	return from ? memcpy(arena_alloc(a, bytes), from, bytes) : NULL;
}

struct node *
ir_step(struct prog *p, struct node *at, const struct node *like, struct suf_step step, int nin, struct val *const *in, int nout, struct val *const *out)
{
	struct node *n = ir_node(p, at, OP_step, like ? &like->loc : NULL, nin, in, nout, out);
	n->step = arena_alloc(p->arena, sizeof *n->step);
	n->klass = like && like->klass ? like->klass : "other";
	step.id = p->next_id++;
	step.klass = n->klass;
	step.map = copy(p->arena, step.map, sizeof *step.map);
	step.mm = copy(p->arena, step.mm, sizeof *step.mm);
	step.rows = copy(p->arena, step.rows, sizeof *step.rows);
	*n->step = step;
	return n;
}

static void
replace_from(struct prog *p, struct node *n, struct val *old, struct val *with)
{
	for (; n && old->nuse; n = n->next)
		for (int k = 0; k < n->nin; k++)
			if (n->in[k] == old)
				ir_set_in(p, n, k, with);
}

void
ir_replace(struct prog *p, struct val *old, struct val *with)
{
	if (old == with)
		return;
	replace_from(p, old->def ? old->def->next : p->first, old, with);
	replace_from(p, p->first, old, with);    /* nothing is left unless the order is being changed */
	for (int k = 0; k < p->nout; k++)
		if (p->out[k] == old)
			p->out[k] = with;
}

void
ir_take_out(struct prog *p, struct node *n, struct val *v)
{
	struct val *mine = n->out[0];
	struct node *other = v->def;
	(void)p;
	if (n->nout != 1 || !other || other->nout != 1 || v->dtype != mine->dtype || ir_count(v) != ir_count(mine))
		BUG("%s cannot define '%s'", op_desc[n->op].name, v->name);
	n->out[0] = v;
	v->def = n;
	other->out[0] = mine;
	mine->def = other;
}

void
ir_remove(struct prog *p, struct node *n)
{
	for (int k = 0; k < n->nout; k++) {
		if (n->out[k]->nuse)
			BUG("removing the definition of '%s', which has %d uses", n->out[k]->name, n->out[k]->nuse);
		for (int j = 0; j < p->nout; j++)
			if (p->out[j] == n->out[k])
				BUG("removing the definition of the output '%s'", n->out[k]->name);
	}
	for (int k = 0; k < n->nin; k++)
		n->in[k]->nuse--;
	for (int k = 0; k < n->nout; k++)
		n->out[k]->def = NULL;
	unlink_node(p, n);
}

void
ir_move_before(struct prog *p, struct node *n, struct node *at)
{
	if (n == at)
		return;
	unlink_node(p, n);
	link_before(p, n, at);
}

void
ir_set_in(struct prog *p, struct node *n, int k, struct val *v)
{
	(void)p;
	if (k < 0 || k >= n->nin || !v)
		BUG("operand %d of %s", k, op_desc[n->op].name);
	n->in[k]->nuse--;
	n->in[k] = v;
	v->nuse++;
}

struct node *
ir_user(const struct prog *p, const struct val *v)
{
	if (v->nuse != 1)
		return NULL;
	for (int k = 0; k < p->nout; k++)
		if (p->out[k] == v)
			return NULL;
	for (struct node *n = v->def ? v->def->next : p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++)
			if (n->in[k] == v)
				return n;
	BUG("the use of '%s' is not in the program", v->name);
}

/* ---- attributes ----------------------------------------------------------- */

static struct attr *
find_attr(const struct node *n, enum attr_key key)
{
	for (int k = 0; k < n->nattr; k++)
		if (n->attr[k].key == key)
			return &n->attr[k];
	return NULL;
}

static struct attr *
make_attr(struct prog *p, struct node *n, enum attr_key key, char kind)
{
	if (attr_desc[key].kind != kind)
		BUG("attribute %s is of kind %c, not %c", attr_desc[key].name, attr_desc[key].kind, kind);
	struct attr *a = find_attr(n, key);
	if (a)
		return a;
	struct attr *more = arena_alloc(p->arena, (size_t)(n->nattr + 1) * sizeof *more);
	if (n->nattr)
		memcpy(more, n->attr, (size_t)n->nattr * sizeof *more);
	n->attr = more;
	more[n->nattr].key = key;
	return &more[n->nattr++];
}

static const struct attr *
need_attr(const struct node *n, enum attr_key key)
{
	const struct attr *a = find_attr(n, key);
	if (!a)
		BUG("%s '%s' has no attribute %s", op_desc[n->op].name, n->loc.node ? n->loc.node : "", attr_desc[key].name);
	return a;
}

void
ir_set_int(struct prog *p, struct node *n, enum attr_key key, int64_t x)
{
	make_attr(p, n, key, 'I')->i = x;
}

void
ir_set_f64(struct prog *p, struct node *n, enum attr_key key, double x)
{
	make_attr(p, n, key, 'F')->f = x;
}

void
ir_set_ints(struct prog *p, struct node *n, enum attr_key key, int count, const int64_t *list)
{
	struct attr *a = make_attr(p, n, key, 'L');
	a->nlist = count;
	a->list = count ? copy(p->arena, list, (size_t)count * sizeof *list) : NULL;
}

bool
ir_has(const struct node *n, enum attr_key key)
{
	return find_attr(n, key) != NULL;
}

int64_t
ir_int(const struct node *n, enum attr_key key)
{
	return need_attr(n, key)->i;
}

int64_t
ir_int_or(const struct node *n, enum attr_key key, int64_t otherwise)
{
	const struct attr *a = find_attr(n, key);
	return a ? a->i : otherwise;
}

double
ir_f64(const struct node *n, enum attr_key key)
{
	return need_attr(n, key)->f;
}

const int64_t *
ir_ints(const struct node *n, enum attr_key key, int *count)
{
	const struct attr *a = need_attr(n, key);
	*count = a->nlist;
	return a->list;
}

/* ---- constants ------------------------------------------------------------ */

int64_t
ir_count(const struct val *v)
{
	int64_t n = 1;
	for (int k = 0; k < v->rank; k++)
		n *= v->dim[k];
	return n;
}

uint64_t
ir_wire_count(const struct val *v)
{
	return (uint64_t)ir_count(v) * (v->onehot ? v->onehot : 1);
}

bool
ir_is_const(const struct val *v)
{
	return v->data != NULL;
}

/* Rounded to float, as if the product was stored. */
static float
scaled(const struct val *v, int64_t i, int64_t at)
{
	return (float)((double)((const float *)v->data)[i] * (double)((const float *)v->factor->data)[at]);
}

double
ir_elem(const struct val *v, int64_t i)
{
	if (v->factor)
		return (double)scaled(v, i, i / v->factor_step % ir_count(v->factor));
	switch (v->dtype) {
	case DT_F32: return (double)((const float *)v->data)[i];
	case DT_I64: return (double)((const int64_t *)v->data)[i];
	case DT_BOOL: return ((const bool *)v->data)[i] ? 1 : 0;
	}
	BUG("dtype %d of '%s'", (int)v->dtype, v->name);
}

void
ir_floats_part(const struct val *v, int64_t first, int64_t n, float *to)
{
	const int64_t factors = v->factor ? ir_count(v->factor) : 0, end = first + n;
	if (v->dtype != DT_F32)
		BUG("'%s' has no floats", v->name);
	if (!v->factor && n)
		memcpy(to, (const float *)v->data + first, (size_t)n * sizeof *to);
	if (!v->factor)
		return;
	int64_t at = first / v->factor_step % factors, next = (first / v->factor_step + 1) * v->factor_step;
	for (int64_t i = first; i < end; next += v->factor_step, at = at + 1 == factors ? 0 : at + 1)
		for (const int64_t stop = next < end ? next : end; i < stop; i++)
			to[i - first] = scaled(v, i, at);
}

void
ir_floats(const struct val *v, float *to)
{
	ir_floats_part(v, 0, ir_count(v), to);
}

bool
ir_scalar_value(const struct val *v, double *x)
{
	if (!v->data || v->absent || ir_count(v) != 1)
		return false;
	*x = ir_elem(v, 0);
	return true;
}

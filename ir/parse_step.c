/* SPDX-License-Identifier: Apache-2.0
 * parse_step.c -- the parameters of a step: {id=1, count=8, n=50, map={dim=[8], ..}, table=$gelu}
 */
#include <string.h>
#include "lex.h"

static uint32_t
u32(struct lexer *lx)
{
	return (uint32_t)lex_int(lx, 0, UINT32_MAX);
}

/* One field of a step's map, mm or rows after its name and '='; false: no such field. */
static bool
map_field(struct lexer *lx, struct suf_map *m, const char *key)
{
	int64_t dim[SUF_MAX_DIM];
	if (!strcmp(key, "dim")) {
		m->ndim = (uint32_t)lex_int_array(lx, SUF_MAX_DIM, dim);
		for (uint32_t k = 0; k < m->ndim; k++)
			m->dim[k] = (uint32_t)dim[k];
	} else if (!strcmp(key, "so"))
		lex_int_array(lx, SUF_MAX_DIM, m->so);
	else if (!strcmp(key, "sa"))
		lex_int_array(lx, SUF_MAX_DIM, m->sa);
	else if (!strcmp(key, "sb"))
		lex_int_array(lx, SUF_MAX_DIM, m->sb);
	else if (!strcmp(key, "out0"))
		m->out0 = (uint64_t)lex_int(lx, 0, INT64_MAX);
	else if (!strcmp(key, "a0"))
		m->a0 = (uint64_t)lex_int(lx, 0, INT64_MAX);
	else if (!strcmp(key, "b0"))
		m->b0 = (uint64_t)lex_int(lx, 0, INT64_MAX);
	else
		return false;
	return true;
}

static bool
mm_field(struct lexer *lx, struct suf_mm *m, const char *key)
{
	if (!strcmp(key, "sa"))
		lex_int_array(lx, 4, m->sa);
	else if (!strcmp(key, "sb"))
		lex_int_array(lx, 4, m->sb);
	else if (!strcmp(key, "a0"))
		m->a0 = (uint64_t)lex_int(lx, 0, INT64_MAX);
	else if (!strcmp(key, "b0"))
		m->b0 = (uint64_t)lex_int(lx, 0, INT64_MAX);
	else if (!strcmp(key, "batch"))
		m->batch = u32(lx);
	else if (!strcmp(key, "bh"))
		m->bh = u32(lx);
	else if (!strcmp(key, "rows"))
		m->rows = u32(lx);
	else if (!strcmp(key, "inner"))
		m->inner = u32(lx);
	else if (!strcmp(key, "cols"))
		m->cols = u32(lx);
	else
		return false;
	return true;
}

static bool
rows_field(struct lexer *lx, struct suf_rows *r, const char *key)
{
	if (!strcmp(key, "count"))
		r->count = (uint64_t)lex_int(lx, 0, INT64_MAX);
	else if (!strcmp(key, "first"))
		r->first = u32(lx);
	else if (!strcmp(key, "inc"))
		r->inc = u32(lx);
	else if (!strcmp(key, "period"))
		r->period = u32(lx);
	else if (!strcmp(key, "level"))
		r->level = u32(lx);
	else
		return false;
	return true;
}

/* {key=.., key=..} of a map, mm or rows */
static void
group(struct lexer *lx, struct suf_map *map, struct suf_mm *mm, struct suf_rows *rows)
{
	lex_expect(lx, "{");
	do {
		const char *key = lex_take(lx, T_WORD, "a field");
		lex_expect(lx, "=");
		bool known = !lx->failed && (map ? map_field(lx, map, key) : mm ? mm_field(lx, mm, key) : rows_field(lx, rows, key));
		if (!known)
			lex_fail(lx, "a step has no field '%.60s' here", key);
	} while (lex_accept(lx, ","));
	lex_expect(lx, "}");
}

static const struct suf_table *
table_reference(struct lexer *lx, struct suf_table *const *table, int ntable)
{
	const char *name = lex_take(lx, T_TABLE, "a table such as $gelu");
	for (int k = 0; k < ntable; k++)
		if (!strcmp(table[k]->name, name))
			return table[k];
	lex_fail(lx, "the table '%.60s' is not defined", name);
	return NULL;
}

/* A number of the step; it must fit the field. */
static bool
step_number(struct lexer *lx, struct suf_step *s, const char *key)
{
#define FIELD(name) \
	if (!strcmp(key, #name)) { \
		int64_t x = lex_int(lx, INT64_MIN, INT64_MAX); \
		s->name = (__typeof__(s->name))x; \
		if ((int64_t)s->name != x) \
			lex_fail(lx, "%lld does not fit the field " #name, (long long)x); \
		return true; \
	}
	FIELD(id)
#include "step_fields.def"
#undef FIELD
	return false;
}

void
parse_step_field(struct lexer *lx, struct suf_step *s, struct suf_table *const *table, int ntable)
{
	struct arena *a = lx->arena;
	const char *key = lex_take(lx, T_WORD, "a field of a step");
	lex_expect(lx, "=");
	if (lx->failed)
		return;
	if (!strcmp(key, "map")) {
		struct suf_map *m = arena_alloc(a, sizeof *m);
		group(lx, m, NULL, NULL);
		s->map = m;
	} else if (!strcmp(key, "mm")) {
		struct suf_mm *m = arena_alloc(a, sizeof *m);
		group(lx, NULL, m, NULL);
		s->mm = m;
	} else if (!strcmp(key, "rows")) {
		struct suf_rows *r = arena_alloc(a, sizeof *r);
		group(lx, NULL, NULL, r);
		s->rows = r;
	} else if (!strcmp(key, "table"))
		s->table = table_reference(lx, table, ntable);
	else if (!step_number(lx, s, key))
		lex_fail(lx, "a step has no field '%.60s'", key);
}

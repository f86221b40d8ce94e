/* SPDX-License-Identifier: Apache-2.0
 * check_cells.c -- tables of steps cells and cellfix: formats of the words, and polynomials whose words fit them.
 *
 * A word that does not fit would run into its neighbours in the packed sums, and simulator and parties would differ.
 */
#include "check.h"
#include "kernels/cells.h"
#include "run.h"

static bool between(int64_t x, int64_t lo, int64_t hi) { return lo <= x && x <= hi; }

/* The widths go together: nothing is shifted by a negative number, nothing leaves 64 bits. */
static bool
head_fits(const int64_t *t, unsigned b)
{
	const int64_t frac = t[SUF_CELL_FRAC], q = t[SUF_CELL_Q], s = t[SUF_CELL_SIZE];
	int64_t bits = 2 * ((int64_t)b - 1);     /* of the packed sums */
	if (!between(frac, 0, 40) || !between(s, 1, 16) || !between(q, 0, 62 - 2 * s))
		return false;
	for (int z = 0; z < SUF_CELL_WORDS; z++) {
		if (!between(t[2 * z], 0, q < frac ? q : frac) || !between(t[2 * z + 1], 3, 40))
			return false;
		bits += t[2 * z + 1];
	}
	return t[2] + s <= frac && bits <= 64;
}

static bool
fits(int64_t word, int64_t w)
{
	return between(word, 1 - ((int64_t)1 << (w - 2)), ((int64_t)1 << (w - 2)) - 1);
}

/* A is a parabola in x: extreme at the ends of the cell and beside its vertex.  B is linear, C constant. */
static bool
cell_fits(const struct suf_cells *c, const int64_t *p)
{
	const int64_t last = ((int64_t)1 << c->s) - 1;
	const double vertex = p[2] ? -(double)p[1] / (2 * (double)p[2]) * (double)(last + 1) : 0;
	const int64_t mid = vertex > 0 && vertex < (double)last ? (int64_t)vertex : 0, at[] = { 0, last, mid, mid < last ? mid + 1 : last };
	const __int128 sum = (__int128)(p[0] < 0 ? -(__int128)p[0] : p[0]) + (p[1] < 0 ? -(__int128)p[1] : p[1]) + (p[2] < 0 ? -(__int128)p[2] : p[2]);
	if (sum >= (__int128)1 << (61 - 2 * c->s))
		return false;
	for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
		int64_t word[SUF_CELL_WORDS];
		suf_cells_words(c, p, (uint64_t)at[k], word);
		for (int z = 0; z < SUF_CELL_WORDS; z++)
			if (!fits(word[z], c->w[z]))
				return false;
	}
	return true;
}

bool
check_cell_table(const struct suf_table *t, unsigned b)
{
	if (!t || b < 3 || b > 10 || t->len != SUF_CELL_HEAD + (3u << b) || !head_fits(t->v, b))
		return false;
	const struct suf_cells c = suf_cells_of(t->v);
	for (uint32_t i = SUF_CELL_HEAD; i < t->len; i += 3)
		if (!cell_fits(&c, t->v + i))
			return false;
	return true;
}

bool
check_cells(const struct suf_step *s)
{
	if (!check_cell_table(s->table, s->b))
		return false;
	return s->op == SUF_cells ? s->s == s->table->v[SUF_CELL_SIZE] && s->b + s->s <= s->n && s->m == suf_cell_word_bits(s, 2)
	                          : s->table->v[SUF_CELL_SIZE] <= s->n && s->m >= 1 && s->m + s->s <= 128;
}

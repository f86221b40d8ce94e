/* SPDX-License-Identifier: Apache-2.0
 * check_bounds.c -- every element that a step reads or writes lies inside its
 * values and tables, and a local copy writes each element of its result once.
 *
 * A hand-written .ir file must not make a program that reads beside its buffers;
 * an element that is not written would hold the mask of something else.
 */
#include "check.h"
#include "run.h"

static uint64_t
elems(const struct val *v)
{
	return (uint64_t)ir_count(v) * (v->onehot ? v->onehot : 1);
}

/* first + sum of stride[k] * i, i < dim[k], stays in [0, count). */
static bool
inside(uint64_t first, int n, const uint32_t *dim, const int64_t *stride, uint64_t count)
{
	__int128 lo = first, hi = first;
	for (int k = 0; k < n; k++) {
		__int128 way = (__int128)stride[k] * (dim[k] - (dim[k] > 0));
		*(way < 0 ? &lo : &hi) += way;
	}
	return lo >= 0 && hi < (__int128)count;
}

/* The axes, ordered by stride, are those of a dense array. */
bool
ir_map_once(const struct suf_map *m, const int64_t *stride, uint64_t first, uint64_t count)
{
	uint64_t next = 1;
	for (bool found = true; found && next < count;) {
		found = false;
		for (uint32_t k = 0; k < m->ndim && !found; k++)
			if (m->dim[k] > 1 && stride[k] > 0 && (uint64_t)stride[k] == next) {
				next *= m->dim[k];
				found = true;
			}
	}
	uint64_t all = 1;
	for (uint32_t k = 0; k < m->ndim; k++)
		all *= m->dim[k];
	return next == count && all == count && first == 0;
}

static bool covers(const struct suf_map *m, uint64_t count) { return ir_map_once(m, m->so, m->out0, count); }
static bool once(const struct suf_map *m, uint64_t count) { return ir_map_once(m, m->sa, m->a0, count); }

static void
check_map(struct checker *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const struct suf_map *m = s->map;
	bool table = s->op == SUF_mulc || s->op == SUF_addc;
	if (!m || m->ndim < 1 || m->ndim > SUF_MAX_DIM || (table && !s->table)) {
		check_fail(c, n, "needs a map%s", table ? " and a table" : "");
		return;
	}
	for (uint32_t k = 0; k < m->ndim; k++)
		if (m->dim[k] == 0) {
			check_fail(c, n, "the map has an axis of no elements");
			return;
		}
	if (!inside(m->out0, (int)m->ndim, m->dim, m->so, elems(n->out[0])))
		check_fail(c, n, "the map leaves the result '%s'", n->out[0]->name);
	else if (s->op != SUF_mul && !covers(m, elems(n->out[0])))
		check_fail(c, n, "the map does not write each element of '%s' once", n->out[0]->name);
	if (!inside(m->a0, (int)m->ndim, m->dim, m->sa, elems(n->in[0])))
		check_fail(c, n, "the map leaves the operand '%s'", n->in[0]->name);
	if (s->op == SUF_addx && !once(m, elems(n->in[0])))
		check_fail(c, n, "the map does not read each element of '%s' once", n->in[0]->name);
	if (table && !inside(m->b0, (int)m->ndim, m->dim, m->sb, s->table->len))
		check_fail(c, n, "the map leaves the table '%s'", s->table->name);
	if (n->nin > 1 && !inside(m->b0, (int)m->ndim, m->dim, m->sb, elems(n->in[1])))
		check_fail(c, n, "the map leaves the operand '%s'", n->in[1]->name);
}

/* Elements of all rows, of their pairs; the longest row. */
struct row_sums { uint64_t all, pairs, longest; };

static struct row_sums
sum_rows(const struct suf_rows *r)
{
	struct row_sums s = { 0 };
	for (uint64_t k = 0; k < r->count; k++) {
		uint64_t len = suf_rows_len(r, k);
		s.all += len;
		s.pairs += len / 2;
		s.longest = len > s.longest ? len : s.longest;
	}
	return s;
}

/* The packed rows of a product's left operand; *dense: its elements with the zeros, no more than the product can read. */
static bool
packed_fits(const struct node *n, uint64_t *dense)
{
	const struct suf_step *s = n->step;
	const struct suf_rows *r = s->rows;
	const uint64_t own = elems(n->in[0]), c = (uint64_t)s->c;
	if (!r->period || r->level > 32 || r->count < 1 || r->count > own || s->c < 1 || s->c > UINT32_MAX)
		return false;
	const struct row_sums sum = sum_rows(r);
	const __int128 all = (__int128)r->count * (__int128)c, most = (__int128)s->mm->batch * s->mm->rows * s->mm->inner;
	*dense = (uint64_t)all;
	return sum.all == own && s->na == own && sum.longest <= c && all <= most;
}

static void
check_mm(struct checker *c, const struct node *n)
{
	const struct suf_mm *m = n->step->mm;
	if (!m || !m->bh || m->batch % m->bh || !m->batch || !m->rows || !m->inner || !m->cols) {
		check_fail(c, n, "needs the sizes of a matrix product");
		return;
	}
	const uint32_t a[4] = { m->batch / m->bh, m->bh, m->rows, m->inner }, b[4] = { m->batch / m->bh, m->bh, m->inner, m->cols };
	if ((uint64_t)m->batch * m->rows * m->cols != elems(n->out[0]))
		check_fail(c, n, "the product has %llu elements, '%s' has %llu", (unsigned long long)m->batch * m->rows * m->cols, n->out[0]->name,
		           (unsigned long long)elems(n->out[0]));
	uint64_t left = elems(n->in[0]);
	if (n->step->rows && (n->step->op != SUF_matmul || !packed_fits(n, &left)))
		check_fail(c, n, "rows of '%s', of %lld elements with their zeros, do not fit it and the product", n->in[0]->name, (long long)n->step->c);
	else if (!inside(m->a0, 4, a, m->sa, left))
		check_fail(c, n, "the product leaves the operand '%s'", n->in[0]->name);
	if (!inside(m->b0, 4, b, m->sb, elems(n->in[1])))
		check_fail(c, n, "the product leaves the operand '%s'", n->in[1]->name);
	if (n->nin > 2 && elems(n->in[2]) != m->cols)
		check_fail(c, n, "the bias '%s' has %llu elements, expected %u", n->in[2]->name, (unsigned long long)elems(n->in[2]), m->cols);
}

static void
check_rows(struct checker *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const struct suf_rows *r = s->rows;
	const uint64_t out = elems(n->out[0]), a = elems(n->in[0]), b = n->nin > 1 ? elems(n->in[1]) : 0;
	if (!r || !r->period || r->count > a + out || r->level > 32) {
		check_fail(c, n, "needs rows that fit its operands");
		return;
	}
	const struct row_sums sum = sum_rows(r);
	const uint64_t dense = s->c > 0 ? r->count * (uint64_t)s->c : 0;
	bool ok = false;
	switch (s->op) {
	case SUF_row_sum: case SUF_sqsum: case SUF_shiftsq: case SUF_exps: ok = sum.all == a && r->count == out; break;
	case SUF_row_lin: ok = sum.all == out && sum.all <= a && r->count <= b; break;
	case SUF_normsq: ok = sum.all == a && s->na == a && r->count == out; break;
	case SUF_normmul: ok = sum.all == out && sum.all == b && r->count == a && s->na == a; break;
	case SUF_row_diff: ok = sum.all == a && sum.pairs == out; break;
	case SUF_row_next: ok = sum.all == a && sum.pairs == b && sum.all - sum.pairs == out; break;
	case SUF_tril: ok = sum.all == out && dense == a && sum.longest <= (uint64_t)s->c; break;
	case SUF_untril: ok = sum.all == a && dense == out && sum.longest <= (uint64_t)s->c; break;
	default: break;
	}
	if (!ok)
		check_fail(c, n, "rows of %llu elements do not fit operands of %llu and %llu and a result of %llu", (unsigned long long)sum.all,
		           (unsigned long long)a, (unsigned long long)b, (unsigned long long)out);
}

static const struct val *
unalias(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v;
}

/* Is operand k the result of that number of step normsq, on the x that is operand 1 here? */
static bool
from_squares(const struct node *n, int k, int result)
{
	const struct val *v = unalias(n->in[k]);
	return v->def && v->def->step && v->def->step->op == SUF_normsq && v->def->out[result] == v && unalias(v->def->in[0]) == unalias(n->in[1]);
}

/* Shares of masks that step normsq hands on: of the same x, as wide as the product's ring asks for; those of top bits are wide enough then. */
static bool
norm_fits(const struct node *n)
{
	const struct suf_step *s = n->step;
	const int ring = s->m + s->s;
	if (s->op == SUF_normsq)
		return s->n >= 3 && s->n <= 31 && s->m >= 1 && ring <= 64 && s->b + 1 >= ring && s->b >= s->n && s->b <= 64;
	return s->m >= 1 && s->n == ring && ring <= 64 && s->b >= 3 && s->b < s->n && s->b == n->in[1]->type.bits && n->in[2]->type.bits >= s->n &&
	       from_squares(n, 2, 1) && from_squares(n, 3, 2) && elems(n->in[2]) == s->count && elems(n->in[3]) == s->count;
}

static bool
bitmul_fits(const struct node *n, uint64_t len)
{
	const struct suf_step *s = n->step;
	return len >= 1 && s->m >= 1 && s->m + s->s == n->in[1]->type.bits && s->na == len * s->count && elems(n->in[0]) == s->na && elems(n->in[1]) == s->count;
}

/* One polynomial of degree ca for each index of b bits. */
static bool
check_pieces(const struct node *n, uint64_t len)
{
	const struct suf_step *s = n->step;
	return s->ca >= 0 && s->ca <= 7 && s->b <= 10 && len == (uint64_t)(s->ca + 1) << s->b && (s->slack ? s->n >= 2 && s->m >= s->n : s->m <= s->n)
	       && n->nin == (s->b ? 2 : 1) && elems(n->in[0]) == elems(n->out[0]) && (!s->b || elems(n->in[1]) == s->b * elems(n->out[0]));
}

/* Outputs, and for each of them its thresholds: all of the table, nothing more. */
static bool
cuts_fit(const struct node *n)
{
	const struct suf_step *s = n->step;
	const int64_t len = s->table ? s->table->len : 0, *t = s->table ? s->table->v : NULL;
	int64_t at = 1, outputs = 0;
	while (at < len && t[at] >= 1 && t[at] < len - at) {
		at += 1 + t[at];
		outputs++;
	}
	return len > 2 && at == len && outputs == t[0] && s->na == elems(n->in[0]) && elems(n->out[0]) == s->na * (uint64_t)outputs;
}

/* The change and the bits without borrow are as long as the result, the borrow serves all its rows; masks are pads. */
static bool
cutfix_fits(const struct node *n)
{
	const struct suf_step *s = n->step;
	const uint64_t count = elems(n->out[0]);
	return s->na >= 1 && s->na == elems(n->in[0]) && count % s->na == 0 && elems(n->in[1]) == count && elems(n->in[2]) == count && s->pad_a && s->pad_b;
}

/* |T| < 2^(m-2), so that the look-up's sign can be taken away. */
static bool
table_fits(const struct suf_step *s)
{
	const int64_t end = s->m < 3 ? 0 : s->m < 64 ? (int64_t)1 << (s->m - 2) : (int64_t)1 << 62;
	for (uint32_t k = 0; k < s->table->len; k++)
		if (s->table->v[k] <= -end || s->table->v[k] >= end)
			return false;
	return true;
}

/* The sign is the dealer's, the words are opened as the table says. */
static bool
cellfix_fits(const struct node *n)
{
	for (int z = 0; z < 3; z++)
		if ((unsigned)n->in[2 + z]->type.bits != suf_cell_word_bits(n->step, z))
			return false;
	return n->in[1]->type.bits == 1 && check_cells(n->step);
}

static void
check_widths(struct checker *c, const struct node *n)
{
	const struct suf_step *s = n->step;
	const uint64_t len = s->table ? s->table->len : 0;
	bool ok = true;
	switch (s->op) {
	case SUF_lt: ok = s->b >= 1 && s->b <= s->n; break;
	case SUF_drelu: ok = s->b >= 2 && s->b <= s->n && len >= 2 && len % 2 == 0 && elems(n->out[0]) == elems(n->in[0]) * (len / 2); break;
	case SUF_lutc: ok = s->b >= 1 && s->b < 32 && s->b + s->s <= s->n && len == 1ull << s->b && table_fits(s); break;
	case SUF_tabmul: ok = s->n >= 3 && s->b <= 1 && n->in[1]->type.bits == (s->s ? 2 : 1); break;
	case SUF_selshift: ok = s->s + 2 <= s->n && (s->slack ? s->m > s->n - s->s : s->m <= s->n - s->s); break;
	case SUF_cuts: ok = s->b >= 2 && s->b + s->s <= s->n && cuts_fit(n); break;
	case SUF_cutfix: ok = cutfix_fits(n); break;
	case SUF_cells: ok = check_cells(s); break;
	case SUF_cellfix: ok = cellfix_fits(n); break;
	case SUF_exps: ok = s->na == elems(n->in[0]) && check_exps(s); break;
	case SUF_trig: ok = check_trig(s); break;
	case SUF_lut: ok = s->b >= 1 && s->b <= s->n && s->b < 32 && len == 1ull << s->b; break;
	case SUF_lin4: ok = len == 8; break;
	case SUF_bitdot: ok = len >= 1 && elems(n->in[0]) == len * elems(n->out[0]); break;
	case SUF_shift: ok = s->s >= 1 && s->m + s->s <= s->n; break;
	case SUF_trunc: ok = s->s >= 1 && (s->slack ? s->s + 2 <= s->n : s->s < s->n && s->m <= s->n - s->s); break;
	case SUF_sext: ok = s->m >= s->n; break;
	case SUF_normsq: case SUF_normmul: ok = norm_fits(n); break;
	case SUF_bitmul: ok = bitmul_fits(n, len); break;
	case SUF_gapext: ok = s->n >= 2 && s->m > s->n; break;
	case SUF_shiftmul: case SUF_shiftsq: ok = s->s + 2 <= s->n && (s->slack ? s->m > s->n - s->s : s->m <= s->n - s->s); break;
	case SUF_pieces: ok = check_pieces(n, len); break;
	default: break;
	}
	if (!ok)
		check_fail(c, n, "n=%d, m=%d, s=%d, b=%d and a table of %llu entries do not go together", s->n, s->m, s->s, s->b, (unsigned long long)len);
}

/* Steps that go element by element: operands as long as the result. */
static void
check_lengths(struct checker *c, const struct node *n)
{
	for (int k = 0; k < n->nin; k++)
		if (elems(n->in[k]) != elems(n->out[0]))
			check_fail(c, n, "'%s' has %llu elements, the result has %llu", n->in[k]->name, (unsigned long long)elems(n->in[k]), (unsigned long long)elems(n->out[0]));
}

/* Operands first .. end-1 that are single bits: those that choose words. */
static void
check_bits(struct checker *c, const struct node *n, int first, int end)
{
	for (int k = first; k < n->nin && k < end; k++)
		if (n->in[k]->type.bits != 1)
			check_fail(c, n, "'%s' has %d bits, a bit was expected", n->in[k]->name, n->in[k]->type.bits);
}

/* x and its borrow bits, operand k, which are there if and only if something is shifted out. */
static void
check_shifted(struct checker *c, const struct node *n, uint64_t count, int k)
{
	if (elems(n->in[0]) != count || n->nin != k + (n->step->s > 0) || (n->step->s && (elems(n->in[k]) != count || n->in[k]->type.bits != 1)))
		check_fail(c, n, "%llu elements and their borrow bits were expected", (unsigned long long)count);
	else if (k > 1 && n->in[1]->type.bits != n->step->m)
		check_fail(c, n, "'%s' has %d ring bits, the product %d", n->in[1]->name, n->in[1]->type.bits, n->step->m);
}

/* f v mod 2^m needs v mod 2^(m - zeros at the end of f) only: so many bits the operand must have. */
static void
check_factors(struct checker *c, const struct node *n)
{
	const int64_t factor[2] = { n->step->ca, n->step->cb };
	for (int k = 0; k < 2; k++) {
		int zeros = 0;
		while (zeros < 64 && !((uint64_t)factor[k] >> zeros & 1))
			zeros++;
		if (n->in[k]->type.bits + zeros < n->step->m)
			check_fail(c, n, "'%s' has %d bits, a multiple by %lld in %d bits needs %d", n->in[k]->name, n->in[k]->type.bits, (long long)factor[k],
			           n->step->m, n->step->m - zeros);
	}
}

void
check_bounds(struct checker *c, const struct node *n)
{
	switch (n->step->op) {
	case SUF_lin: case SUF_mulc: case SUF_addc: case SUF_mul: case SUF_wscale: case SUF_oscale: check_map(c, n); break;
	case SUF_addx: check_map(c, n); check_factors(c, n); break;
	case SUF_shiftmul: check_map(c, n); check_shifted(c, n, elems(n->out[0]), 2); break;
	case SUF_matmul: case SUF_wmul: case SUF_wshare: case SUF_omul: check_mm(c, n); break;
	case SUF_row_sum: case SUF_row_lin: case SUF_row_diff: case SUF_row_next: case SUF_tril: case SUF_untril: case SUF_sqsum: case SUF_normsq: case SUF_normmul: check_rows(c, n); break;
	case SUF_shiftsq: check_rows(c, n); check_shifted(c, n, elems(n->in[0]), 1); break;
	case SUF_lutc: case SUF_selshift: case SUF_trunc: case SUF_sext: check_lengths(c, n); check_bits(c, n, 1, n->nin); break;
	case SUF_tabmul: check_lengths(c, n); check_bits(c, n, 2, n->nin); break;
	case SUF_select: case SUF_lutsign: check_lengths(c, n); check_bits(c, n, 0, 1); break;
	case SUF_lin4: check_lengths(c, n); check_bits(c, n, 0, 2); break;
	case SUF_shift: case SUF_lt: case SUF_gapext: case SUF_lut: case SUF_open: case SUF_cells: case SUF_cellfix: check_lengths(c, n); break;
	case SUF_pieces: check_bits(c, n, 1, n->nin); break;
	case SUF_bitdot: case SUF_bitmul: check_bits(c, n, 0, 1); break;
	case SUF_exps: if (n->step->rows) check_rows(c, n); else check_lengths(c, n); break;
	case SUF_trig: check_lengths(c, n); break;
	case SUF_cutfix: check_bits(c, n, 0, 3); break;
	default: break;
	}
	check_widths(c, n);
}

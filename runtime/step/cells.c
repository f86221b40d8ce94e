/* SPDX-License-Identifier: Apache-2.0
 * cells.c -- first half of a function by polynomials of degree 2 on 2^b cells of 2^s ulp (compact gates, docs/compact.md).
 *
 * With X = (x_hat - c) mod 2^(b+s) and the mask's low b + s bits r, (x - c) mod 2^(b+s) = 2^s i + (X_lo - r_lo) for the cell
 * i = (X_hi - r_hi) mod 2^b and d = (X_lo - r_lo) / 2^s in (-1, 1).  So i is that value's cell or the next one, and the last
 * cell is there for this only.  With t = X_lo / 2^s, which is public, and rho = r_lo / 2^s
 *     p0 + p1 d + p2 d^2 = A - B rho + C rho^2,    A = p0 + p1 t + p2 t^2, B = p1 + 2 p2 t, C = p2
 * in integers with f fraction bits, |word| < 2^(w-2).
 *
 * The key holds the one-hot of q = -r_hi mod 2^b in XOR shares h0, h1.  The sum of a word over the cells (X_hi + j) mod 2^b where
 * h0 has bit j, less that sum for h1, is v times the word of cell i, v = h0[q] - h1[q] = +-1.  The sign v lies in the pads:
 * nobody chooses it, the parties never learn it, and the dealer uses it inside of words that it shares (cellfix).  (If it
 * were known, so would be the own bit at q, and half of all cells were out of question.)
 *
 * The one-hot is hidden by its pads (2^b bits of the other party's stream).
 * Opened later: out[0..2], each under pads of its own.  out[3] is with the dealer: 1 if v = +1.
 */
#include "blocks.h"
#include "kernel.h"
#include "kernels/cells.h"
#include <string.h>

enum { LEAST_BITS = 7, CACHE_BITS = 19, MOST_WORDS = 16 }; /* a row of sums has 2^7 entries or more; 2^19 of all rows; words of a one-hot */

/* The packed words of all cells for one X_lo, made when they are first needed. */
struct rows { struct suf_cells c; unsigned b; size_t len; bool kept; const int64_t *cell; int64_t *row; uint8_t *made; };

static size_t row_len(const struct suf_step *s) { return (size_t)1 << (s->b > LEAST_BITS ? s->b : LEAST_BITS); }
static bool rows_kept(const struct suf_step *s) { return row_len(s) << s->s <= (size_t)1 << CACHE_BITS; }

static size_t
cells_scratch(const struct suf_step *s)
{
	const size_t n = rows_kept(s) ? (size_t)1 << s->s : 1;
	return n * (row_len(s) * sizeof(int64_t) + 1);
}

static bool
rows_init(struct suf_run *r, const struct suf_step *s, struct rows *rows)
{
	const size_t n = rows_kept(s) ? (size_t)1 << s->s : 1;
	int64_t *to = run_scratch(r, cells_scratch(s));
	if (!to)
		return false;
	*rows = (struct rows){ suf_cells_of(s->table->v), s->b, row_len(s), rows_kept(s), s->table->v + SUF_CELL_HEAD, to, (uint8_t *)(to + n * row_len(s)) };
	memset(rows->made, 0, n);
	return true;
}

/* Its address is public, as X_lo is. */
static const int64_t *
row_of(struct rows *rows, uint64_t x_lo)
{
	int64_t *row = rows->row + (rows->kept ? x_lo * rows->len : 0), word[SUF_CELL_WORDS];
	if (rows->kept && rows->made[x_lo])
		return row;
	for (size_t i = 0; i < rows->len; i++) {
		row[i] = 0;
		if (i >> rows->b)
			continue;
		suf_cells_words(&rows->c, rows->cell + 3 * i, x_lo, word);
		row[i] = suf_cells_pack(&rows->c, rows->b, word);
	}
	if (rows->kept)
		rows->made[x_lo] = 1;
	return row;
}

/* Elements whose one-hots are one block of the key part; words of one. */
static uint64_t block_elems(const struct suf_step *s) { return s->b > 6 ? (uint64_t)SUF_BLOCK >> (s->b - 6) : SUF_BLOCK; }
#define FOR_HOT_BLOCKS(at, k, s) \
	for (uint64_t at = 0, k; at < (s)->count && (k = (s)->count - at < block_elems(s) ? (s)->count - at : block_elems(s), true); at += block_elems(s))

/* ---- dealer --------------------------------------------------------------------- */

static uint64_t
hot_place(const struct suf_step *s, uint64_t rx)
{
	return (0 - (rx >> s->s)) & ring_mask(s->b);
}

/* One-hots of q[k]. */
static void
hot_words(const struct suf_step *s, uint64_t k, const uint64_t *q, uint64_t *hot)
{
	const uint64_t n = suf_cells_words_of(s, 1);
	for (uint64_t i = 0; i < k; i++)
		for (uint64_t j = 0; j < n; j++)
			hot[i * n + j] = suf_cells_hot(q[i], j);
}

/* sign[i] = bit q[i], where hot has its bit, of party 0's share; u: those of party p. */
static void
signs(const struct suf_step *s, int p, uint64_t k, const uint64_t *hot, const uint64_t *u, uint64_t *sign)
{
	const uint64_t n = suf_cells_words_of(s, 1);
	for (uint64_t i = 0; i < k; i++) {
		uint64_t any = 0;
		for (uint64_t j = 0; j < n; j++)
			any |= hot[i * n + j] & u[i * n + j];
		sign[i] = ((any | (0 - any)) >> 63) ^ (uint64_t)p; /* a one-hot has one bit: that one, or none */
	}
}

static enum suf_err
cells_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]), n = suf_cells_words_of(s, 1);
	uint64_t q[SUF_BLOCK], hot[SUF_BLOCK], u[SUF_BLOCK], *sign = run_mask(r, s->out[3]);
	FOR_HOT_BLOCKS(at, k, s) {
		for (uint64_t i = 0; i < k; i++)
			q[i] = hot_place(s, rx[at + i]);
		hot_words(s, k, q, hot);
		enum suf_err e = deal_corr_known(r, s, PART_cells_hot, at * n, k * n, hot, u);
		if (e)
			return e;
		signs(s, 1 - corr_party(at * n), k, hot, u, sign + at);
	}
	prg_wipe(q, sizeof q);
	prg_wipe(hot, sizeof hot);
	prg_wipe(u, sizeof u);
	for (int z = 0; z < SUF_CELL_WORDS; z++)
		deal_pad(r, s, z, 0, (size_t)s->count, suf_cell_word_bits(s, z), run_mask(r, s->out[z]));
	return SUF_OK;
}

/* ---- party ------------------------------------------------------------------------ */

/* (x_hat - c) mod 2^(b+s) */
static uint64_t public_place(const struct suf_step *s, uint64_t x_hat) { return (x_hat - (uint64_t)s->c) & ring_mask((unsigned)s->b + s->s); }

/* One-hot shares, turned so that bit i belongs to cell i, as leaf bits. */
static void
turn(const struct suf_step *s, const uint64_t *hot, uint64_t x_hi, struct block leaf[MOST_WORDS / 2])
{
	uint64_t word[MOST_WORDS] = { 0 };
	const uint64_t n = suf_cells_words_of(s, 1);
	if (s->b <= 6)
		word[0] = suf_cells_turned_word(hot[0], s->b, x_hi);
	else
		for (uint64_t j = 0; j < n; j++)
			word[j] = suf_cells_turned(hot, s->b, x_hi, j);
	for (uint64_t j = 0; j < (n + 1) / 2; j++)
		leaf[j] = (struct block){ word[2 * j], word[2 * j + 1] };
}

/* Shares without pads of k elements. */
static void
sum_cells(const struct suf_step *s, const struct kernel *kernel, struct rows *rows, int p, uint64_t k, const uint64_t *x_hat, const uint64_t *hot, uint64_t *const out[SUF_CELL_WORDS])
{
	const uint64_t n = suf_cells_words_of(s, 1);
	struct block leaf[MOST_WORDS / 2];
	for (uint64_t i = 0; i < k; i++) {
		const uint64_t x = public_place(s, x_hat[i]);
		uint64_t ones = 0, word[SUF_CELL_WORDS];
		turn(s, hot + i * n, x >> s->s, leaf);
		const uint64_t sum = kernel->dot(leaf, 1, rows->len / 128, row_of(rows, x & ring_mask(s->s)), &ones);
		suf_cells_unpack(&rows->c, s->b, sum, word);
		for (int z = 0; z < SUF_CELL_WORDS; z++)
			out[z][i] = suf_cells_share(p, rows->c.w[z], word[z]);
	}
	prg_wipe(leaf, sizeof leaf);
}

static enum suf_err
cells_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), n = suf_cells_words_of(s, 1);
	uint64_t hot[SUF_BLOCK], *out[SUF_CELL_WORDS];
	struct rows rows;
	if (!rows_init(r, s, &rows))
		return r->err;
	for (int z = 0; z < SUF_CELL_WORDS; z++)
		out[z] = run_wire(r, s->out[z]);
	FOR_HOT_BLOCKS(at, k, s) {
		uint64_t *const to[SUF_CELL_WORDS] = { out[0] + at, out[1] + at, out[2] + at };
		enum suf_err e = eval_corr(r, s, PART_cells_hot, at * n, k * n, hot);
		if (e)
			return e;
		sum_cells(s, kernel_of(r->isa), &rows, r->party, k, x + at, hot, to);
	}
	prg_wipe(hot, sizeof hot);
	for (int z = 0; z < SUF_CELL_WORDS; z++)
		eval_pad(r, s, z, 0, (size_t)s->count, rows.c.w[z], out[z]);
	return SUF_OK;
}

/* ---- simulator -------------------------------------------------------------------- */

/* Party 0's shares and signs as the dealer has them; values from the cell itself. */
static void
sim_block(struct suf_run *r, const struct suf_step *s, struct rows *rows, uint64_t at, uint64_t k)
{
	const uint64_t *x = run_wire(r, s->in[0]) + at, *rx = run_mask(r, s->in[0]) + at, n = suf_cells_words_of(s, 1);
	uint64_t x_hat[SUF_BLOCK], q[SUF_BLOCK], hot[SUF_BLOCK], own[SUF_BLOCK], *sign = run_mask(r, s->out[3]) + at;
	uint64_t *const z0[SUF_CELL_WORDS] = { run_share0(r, s->out[0]) + at, run_share0(r, s->out[1]) + at, run_share0(r, s->out[2]) + at };
	for (uint64_t i = 0; i < k; i++) {
		x_hat[i] = x[i] + rx[i];
		q[i] = hot_place(s, rx[i]);
	}
	hot_words(s, k, q, hot);
	sim_corr_at(r, s, PART_cells_hot, 0, at * n, k * n, hot, own);
	signs(s, 0, k, hot, own, sign);
	sum_cells(s, kernel_of(r->isa), rows, 0, k, x_hat, own, z0);
	for (uint64_t i = 0; i < k; i++) {
		const uint64_t place = public_place(s, x_hat[i]), cell = ((place >> s->s) + q[i]) & ring_mask(s->b);
		int64_t word[SUF_CELL_WORDS];
		suf_cells_words(&rows->c, rows->cell + 3 * cell, place & ring_mask(s->s), word);
		for (int z = 0; z < SUF_CELL_WORDS; z++)
			run_wire(r, s->out[z])[at + i] = suf_cells_share(0, rows->c.w[z], (uint64_t)(sign[i] ? word[z] : -word[z])) & ring_mask(rows->c.w[z]);
	}
}

static enum suf_err
cells_sim(struct suf_run *r, const struct suf_step *s)
{
	uint64_t pad[SUF_BLOCK];
	struct rows rows;
	if (!rows_init(r, s, &rows))
		return r->err;
	FOR_HOT_BLOCKS(at, k, s)
		sim_block(r, s, &rows, at, k);
	for (int z = 0; z < SUF_CELL_WORDS; z++) {
		uint64_t *z0 = run_share0(r, s->out[z]);
		FOR_BLOCKS(at, k, s->count) {
			party_pad(r, 0, s->id, z, at, (size_t)k, rows.c.w[z], pad);
			for (uint64_t i = 0; i < k; i++)
				z0[at + i] = (z0[at + i] + pad[i]) & ring_mask(rows.c.w[z]);
		}
		deal_pad(r, s, z, 0, (size_t)s->count, rows.c.w[z], run_mask(r, s->out[z]));
	}
	return SUF_OK;
}

const struct step_impl step_cells = { .deal = cells_deal, .eval = cells_eval, .sim = cells_sim, .scratch = cells_scratch };

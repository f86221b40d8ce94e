/* SPDX-License-Identifier: Apache-2.0
 * cellfix.c -- second half of a function by cells: the polynomial from the opened words of step cells (compact gates,
 * docs/compact.md).
 *
 * With Y the opened v W + 2^(w-2) + rho_W of a word W = A, B, C, rho_W its mask, |W| < 2^(w-2) and u = 1 - msb(Y), over the integers
 *     v W = Y - 2^(w-2) - rho_W + 2^w u msb(rho_W)                                (gap extension)
 * and v^2 = 1, so with c1 = v rho 2^(F-fB), c2 = v rho^2 2^(F-fC) rounded, rho = r_lo / 2^(cell bits), the value with F fraction bits is
 *     2^(F-fA) v (v A) - c1 (v B) + c2 (v C),
 * linear in the public Y - 2^(w-2) and u with secrets v, c1, c2, their products with the masks' top bits, and
 *     e = -2^(F-fA) v rho_A + c1 rho_B - c2 rho_C
 * of the dealer.  The cells' bits are at most F - fB, so c1 is exact.
 *
 * The parties' shares p0 + p1 of it mod 2^R, R = m + s, are cut: ((p0 + 2^s - 1) mod 2^R >> s) + (p1 >> s) is the value / 2^s, off by
 * less than one unit, with a coin that the low bits of the own share are.
 *
 * Opened here: nothing; the output share carries a fresh pad of full width.  Each secret is hidden by a pad of its own.
 */
#include "blocks.h"
#include "kernels/cells.h"

#define word128 unsigned __int128                /* rings of more than 64 bits */

static unsigned ring_bits(const struct suf_step *s) { return (unsigned)s->m + s->s; }
static word128 ring128(unsigned bits) { return bits >= 128 ? ~(word128)0 : ((word128)1 << bits) - 1; }

/* suf_cellfix_cut for such rings */
static uint64_t
cut128(int p, unsigned ring, unsigned s, word128 share)
{
	return (uint64_t)(((share + (p ? 0 : ring128(s))) & ring128(ring)) >> s);
}

/* The key parts follow one another in this order. */
static enum suf_part part_of(int k) { return (enum suf_part)(PART_cellfix_v + k); }

/* One block's secrets; 128-bit ones have two words. */
struct work { uint64_t secret[SUF_FIX_PARTS][2 * SUF_BLOCK], share[2 * SUF_BLOCK]; word128 sum[2][SUF_BLOCK]; };
static size_t cellfix_scratch(const struct suf_step *s) { (void)s; return sizeof(struct work); }

/* ---- dealer ------------------------------------------------------------------------- */

/* v rho^2 2^(F-fC) without v, rounded */
static int64_t
square(const struct suf_cells *c, uint64_t r_lo)
{
	const unsigned up = c->frac - c->f[2], down = 2 * c->s;
	return up >= down ? (int64_t)(r_lo * r_lo << (up - down)) : suf_cells_round(r_lo * r_lo, down - up);
}

static void
secrets(const struct suf_cells *c, int64_t v, uint64_t r_lo, const uint64_t rho[SUF_CELL_WORDS], word128 out[SUF_FIX_PARTS])
{
	const int64_t c1 = v * (int64_t)(r_lo << (c->frac - c->f[1] - c->s)), c2 = v * square(c, r_lo);
	const word128 factor[SUF_CELL_WORDS] = { (word128)(__int128)v, (word128)(__int128)c1, (word128)(__int128)c2 };
	for (int z = 0; z < SUF_CELL_WORDS; z++) {
		out[z] = factor[z];
		out[SUF_FIX_TOP + z] = factor[z] * (rho[z] >> (c->w[z] - 1));
	}
	out[SUF_FIX_E] = factor[1] * rho[1] - (factor[0] * rho[0] << (c->frac - c->f[0])) - factor[2] * rho[2];
}

/* All secrets of elements [at, at + k), each reduced to its part's bits. */
static void
make_secrets(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t k, struct work *w)
{
	const struct suf_cells c = suf_cells_of(s->table->v);
	const uint64_t *rx = run_mask(r, s->in[0]) + at, *sign = run_mask(r, s->in[1]) + at;
	const uint64_t *mask[SUF_CELL_WORDS];
	for (int z = 0; z < SUF_CELL_WORDS; z++)
		mask[z] = run_mask(r, s->in[2 + z]) + at;
	for (uint64_t i = 0; i < k; i++) {
		const uint64_t rho[SUF_CELL_WORDS] = { mask[0][i], mask[1][i], mask[2][i] };
		word128 v[SUF_FIX_PARTS];
		secrets(&c, 2 * (int64_t)sign[i] - 1, rx[i] & ring_mask(c.s), rho, v);
		for (int p = 0; p < SUF_FIX_PARTS; p++) {
			const unsigned bits = suf_cellfix_bits(s, p), limbs = suf_limbs(bits);
			const word128 x = v[p] & ring128(bits);
			w->secret[p][i * limbs] = (uint64_t)x;
			if (limbs > 1)
				w->secret[p][i * limbs + 1] = (uint64_t)(x >> 64);
		}
	}
}

static enum suf_err
cellfix_deal(struct suf_run *r, const struct suf_step *s)
{
	struct work *w = run_scratch(r, sizeof *w);
	if (!w)
		return r->err;
	FOR_BLOCKS(at, k, s->count) {
		make_secrets(r, s, at, k, w);
		for (int p = 0; p < SUF_FIX_PARTS; p++) {
			const unsigned bits = suf_cellfix_bits(s, p);
			enum suf_err e = bits > 64 ? deal_corr_wide(r, s, part_of(p), at, k, w->secret[p]) : bits ? deal_corr(r, s, part_of(p), at, k, w->secret[p]) : SUF_OK;
			if (e)
				return e;
		}
	}
	prg_wipe(w, sizeof *w);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

/* ---- party ---------------------------------------------------------------------------- */

/* Opened words of a block: at a party; in the simulator value and mask. */
struct opened { const uint64_t *y[SUF_CELL_WORDS], *mask[SUF_CELL_WORDS]; };

static struct opened
opened_words(struct suf_run *r, const struct suf_step *s, uint64_t at)
{
	struct opened o = { { NULL }, { NULL } };
	for (int z = 0; z < SUF_CELL_WORDS; z++) {
		o.y[z] = run_wire(r, s->in[2 + z]) + at;
		if (r->mode == RUN_SIM)
			o.mask[z] = run_mask(r, s->in[2 + z]) + at;
	}
	return o;
}

/* sum[i] += what share i of secret p counts. */
static void
add_part(const struct suf_step *s, const struct suf_cells *c, const struct opened *o, int p, uint64_t k, const uint64_t *share, word128 *sum)
{
	const unsigned limbs = suf_limbs(suf_cellfix_bits(s, p)), shift = suf_cellfix_shift(c, p);
	for (uint64_t i = 0; i < k; i++) {
		uint64_t y[SUF_CELL_WORDS];
		for (int z = 0; z < SUF_CELL_WORDS; z++)
			y[z] = o->mask[z] ? (o->y[z][i] + o->mask[z][i]) & ring_mask(c->w[z]) : o->y[z][i];
		const word128 f = (word128)(__int128)(int64_t)suf_cellfix_factor(c, p, y);
		sum[i] += (f * (share[i * limbs] | (limbs > 1 ? (word128)share[i * limbs + 1] << 64 : 0))) << shift;
	}
}

/* The same where 64 bits are enough; y: the opened word that counts. */
static void
add_part64(const struct suf_cells *c, const struct opened *o, int p, uint64_t k, const uint64_t *share, uint64_t *sum)
{
	const unsigned shift = suf_cellfix_shift(c, p);
	for (uint64_t i = 0; i < k; i++) {
		const uint64_t y[SUF_CELL_WORDS] = { o->y[0][i], o->y[1][i], o->y[2][i] };
		sum[i] += (suf_cellfix_factor(c, p, y) * share[i]) << shift;
	}
}

static enum suf_err
eval_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t k, struct work *w)
{
	const struct suf_cells c = suf_cells_of(s->table->v);
	const struct opened o = opened_words(r, s, at);
	const unsigned ring = ring_bits(s);
	uint64_t *out = run_wire(r, s->out[0]) + at;
	for (uint64_t i = 0; i < k; i++) {
		out[i] = 0;
		w->sum[0][i] = 0;
	}
	for (int p = 0; p < SUF_FIX_PARTS; p++) {
		const unsigned bits = suf_cellfix_bits(s, p);
		if (!bits)
			continue;
		enum suf_err e = bits > 64 ? eval_corr_wide(r, s, part_of(p), at, k, w->share) : eval_corr(r, s, part_of(p), at, k, w->share);
		if (e)
			return e;
		if (ring > 64)
			add_part(s, &c, &o, p, k, w->share, w->sum[0]);
		else
			add_part64(&c, &o, p, k, w->share, out);
	}
	for (uint64_t i = 0; i < k; i++)
		out[i] = ring > 64 ? cut128(r->party, ring, s->s, w->sum[0][i]) : suf_cellfix_cut(r->party, ring, s->s, out[i]);
	return SUF_OK;
}

static enum suf_err
cellfix_eval(struct suf_run *r, const struct suf_step *s)
{
	struct work *w = run_scratch(r, sizeof *w);
	if (!w)
		return r->err;
	FOR_BLOCKS(at, k, s->count) {
		enum suf_err e = eval_block(r, s, at, k, w);
		if (e)
			return e;
	}
	prg_wipe(w, sizeof *w);
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, run_wire(r, s->out[0]));
	return SUF_OK;
}

/* ---- simulator ---------------------------------------------------------------------- */

/* Sums of the value and of party 0's share of it: the rounding depends on both. */
static void
sim_block(struct suf_run *r, const struct suf_step *s, uint64_t at, uint64_t k, struct work *w)
{
	const struct suf_cells c = suf_cells_of(s->table->v);
	const struct opened o = opened_words(r, s, at);
	const unsigned ring = ring_bits(s);
	uint64_t *out = run_wire(r, s->out[0]) + at, *z0 = run_share0(r, s->out[0]) + at;
	make_secrets(r, s, at, k, w);
	for (uint64_t i = 0; i < k; i++)
		w->sum[0][i] = w->sum[1][i] = 0;
	for (int p = 0; p < SUF_FIX_PARTS; p++) {
		const unsigned bits = suf_cellfix_bits(s, p);
		if (!bits)
			continue;
		if (bits > 64)
			sim_corr_wide_at(r, s, part_of(p), 0, at, k, w->secret[p], w->share);
		else
			sim_corr_at(r, s, part_of(p), 0, at, k, w->secret[p], w->share);
		add_part(s, &c, &o, p, k, w->secret[p], w->sum[0]);
		add_part(s, &c, &o, p, k, w->share, w->sum[1]);
	}
	party_pad(r, 0, s->id, 0, at, (size_t)k, s->m, w->share);
	for (uint64_t i = 0; i < k; i++) {
		const uint64_t p0 = cut128(0, ring, s->s, w->sum[1][i]), p1 = cut128(1, ring, s->s, w->sum[0][i] - w->sum[1][i]);
		out[i] = (p0 + p1) & ring_mask(s->m);
		z0[i] = (p0 + w->share[i]) & ring_mask(s->m);
	}
}

static enum suf_err
cellfix_sim(struct suf_run *r, const struct suf_step *s)
{
	struct work *w = run_scratch(r, sizeof *w);
	if (!w)
		return r->err;
	FOR_BLOCKS(at, k, s->count)
		sim_block(r, s, at, k, w);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_cellfix = { .deal = cellfix_deal, .eval = cellfix_eval, .sim = cellfix_sim, .scratch = cellfix_scratch };

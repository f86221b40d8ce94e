/* SPDX-License-Identifier: Apache-2.0
 * cuts.c -- a shifted value against lists of public thresholds: y = x >> s is not opened, the comparisons come from
 * one point function (SIGMA, eprint 2023/1269, section 4.1).
 *
 * y = (x_hat >> s) - c - R with R = r >> s and the borrow c = [x_hat mod 2^s < r mod 2^s].  Let Y = (x_hat >> s) - t;
 * |y - t| < 2^(b-1), read as b-bit numbers:
 *     [y >= t] = 1 ^ msb(Y - c) ^ msb(-R) ^ [v_c < -R mod 2^(b-1)],   v_c = (-(Y - c) - 1) mod 2^(b-1)
 * The point of c = 1 is v = -Y, that of c = 0 is the one below it, where less(v - 1) = less(v) ^ [v = -R] ^ [v = 0];
 * and msb(Y) differs from msb(Y - 1) exactly if v = 0.  So one path serves both, and the bit changes with c exactly if
 * v = -R, which is a leaf bit.  1 ^ msb(-R) is shared in the key; an even number of thresholds cancels it.
 *
 * s = 0: there is no borrow, out[0] are the bits.  s > 0: out[0] is what c changes, out[1] shares of the bits for
 * c = 0; step cutfix puts them together.
 *
 * Opened later: out[0], each bit under its own pad.  out[1] is never opened.
 */
#include "dpf_block.h"
#include "kernels/steps.h"

/* Where outputs of an element go; base: the bits, change: NULL if s = 0. */
struct cuts_out { uint64_t *base, *change; };

static struct cuts_out
cuts_out(struct suf_run *r, const struct suf_step *s)
{
	uint64_t *first = run_wire(r, s->out[0]);
	return s->s ? (struct cuts_out){ run_wire(r, s->out[1]), first } : (struct cuts_out){ first, NULL };
}

static enum suf_err
cuts_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]);
	const bool odd = suf_cuts_odd(s);
	uint64_t alpha[SUF_BLOCK], high[SUF_BLOCK];
	FOR_BLOCKS(at, k, s->na) {
		for (uint64_t i = 0; i < k; i++) {
			uint64_t minus = 0 - (rx[at + i] >> s->s);
			alpha[i] = minus & ring_mask(s->b - 1u);
			high[i] = 1 ^ (minus >> (s->b - 1) & 1);
		}
		enum suf_err e = deal_dpf(r, s, PART_cuts_cw, at, k, alpha);
		if (!e && odd)
			e = deal_corr(r, s, PART_cuts_msb, at, k, high);
		if (e)
			return e;
	}
	prg_wipe(alpha, sizeof alpha);
	prg_wipe(high, sizeof high);
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	return SUF_OK;
}

/* One threshold: base, change ^= own shares but for the key's bit; x = x_hat >> s. */
static void
add_threshold(struct suf_run *r, const struct suf_step *s, struct dpf_block *d, uint64_t t, size_t k, const uint64_t *x, struct cuts_out to)
{
	uint64_t at[SUF_BLOCK], less[SUF_BLOCK], equal[SUF_BLOCK];
	for (size_t i = 0; i < k; i++)
		at[i] = suf_cuts_point(s->b, x[i], t);
	dpf_less_equal(&d->ctx, r->party, s->b - 1u, k, d->root, d->words, at, less, equal);
	for (size_t i = 0; i < k; i++)
		to.base[i] ^= suf_cuts_bit(r->party, s->b, x[i], t, less[i], equal[i]);
	for (size_t i = 0; to.change && i < k; i++)
		to.change[i] ^= equal[i];
}

/* All outputs of one block. */
static void
eval_block(struct suf_run *r, const struct suf_step *s, struct dpf_block *d, uint64_t at, size_t k, struct cuts_out out)
{
	const uint64_t *x_hat = run_wire(r, s->in[0]) + at;
	const int64_t *t = s->table->v;
	uint64_t x[SUF_BLOCK];
	for (size_t i = 0; i < k; i++)
		x[i] = x_hat[i] >> s->s;
	for (int64_t j = *t++, first = (int64_t)at; j > 0; j--, first += (int64_t)s->na) {
		struct cuts_out to = { out.base + first, out.change ? out.change + first : NULL };
		for (size_t i = 0; i < k; i++) {
			to.base[i] = 0;
			if (to.change)
				to.change[i] = 0;
		}
		for (int64_t n = *t++; n > 0; n--)
			add_threshold(r, s, d, (uint64_t)*t++, k, x, to);
	}
}

static enum suf_err
cuts_eval(struct suf_run *r, const struct suf_step *s)
{
	const struct cuts_out out = cuts_out(r, s);
	const bool odd = suf_cuts_odd(s);
	uint64_t high[SUF_BLOCK];
	struct dpf_block d;
	FOR_BLOCKS(at, k, s->na) {
		enum suf_err e = dpf_block_get(r, s, PART_cuts_cw, at, k, &d);
		if (e)
			return e;
		eval_block(r, s, &d, at, (size_t)k, out);
		dpf_block_done(r, &d);
		if (odd && (e = eval_corr(r, s, PART_cuts_msb, at, k, high)) != SUF_OK) /* only now: it may take the words' place */
			return e;
		const int64_t *n = s->table->v + 1;
		for (uint64_t j = 0; odd && j < s->count; j += s->na, n += 1 + *n)
			for (uint64_t i = 0; i < k && (*n & 1); i++)
				out.base[j + at + i] ^= high[i];
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, 1, run_wire(r, s->out[0]));
	return SUF_OK;
}

/* [y >= t] on b bits if the borrow is c. */
static uint64_t
clear_bit(const struct suf_step *s, uint64_t x_hat, uint64_t rx, uint64_t c, uint64_t t)
{
	return 1 ^ (((x_hat >> s->s) - c - (rx >> s->s) - t) >> (s->b - 1) & 1);
}

static enum suf_err
cuts_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]);
	const struct cuts_out out = cuts_out(r, s);
	const int64_t *t = s->table->v + 1;
	for (uint64_t j = 0; j < s->count; j += s->na, t += 1 + *t)
		for (uint64_t i = 0; i < s->na; i++) {
			uint64_t x_hat = (x[i] + rx[i]) & ring_mask(s->n), bit[2] = { 0, 0 };
			for (int64_t n = 1; n <= *t; n++)
				for (unsigned c = 0; c < 2; c++)
					bit[c] ^= clear_bit(s, x_hat, rx[i], c, (uint64_t)t[n]);
			out.base[j + i] = bit[0];
			if (out.change)
				out.change[j + i] = bit[0] ^ bit[1];
		}
	deal_pad(r, s, 0, 0, (size_t)s->count, 1, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_cuts = { .deal = cuts_deal, .eval = cuts_eval, .sim = cuts_sim };

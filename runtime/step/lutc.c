/* SPDX-License-Identifier: Apache-2.0
 * lutc.c -- table look-up of h = (x >> s) mod 2^b without opening x >> s (SIGMA, eprint 2023/1269, section 4.4, with the
 * sign of a look-up kept secret instead of opened).
 *
 * h = X - R - c mod 2^b with X = x_hat >> s, R = r >> s and the borrow c of x mod 2^s.  The key holds two point functions,
 * at R + (0 ^ z) and R + (1 ^ z); the opened c_hat = c ^ z says which one is evaluated, and that is the one at R + c.  All its
 * leaves against the table turned by X, party 1's negated, give sg T[h] with a sign sg = +-1 that lies in the seeds: the
 * dealer knows it for both, the parties for neither, and nobody chooses it.  s = 0: no borrow, one key.
 *
 * out[0] = V = sg T[h], |T| < 2^(m-2).  out[1]: the signs of both keys, for the dealer of step tabmul, which takes the sign
 * away; bit k is 1 if key k has +1.  (A sign that the dealer chose would tell: the own share of the point's bit would be known,
 * and half of all points with it.)
 *
 * Opened later: V under a pad of its own.  out[1] is with the dealer.
 */
#include "dpf_block.h"
#include "kernels/steps.h"

/* Keys of an element. */
static unsigned
ways(const struct suf_step *s)
{
	return s->s ? 2 : 1;
}

static size_t
lutc_scratch(const struct suf_step *s)
{
	return dpf_table_scratch(s->b, s->m) + (size_t)dpf_key_bytes(s->b, SUF_BLOCK);
}

/* Blocks are of keys: an element's are neighbours. */
static enum suf_err
lutc_deal(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *rx = run_mask(r, s->in[0]), *z = s->s ? run_mask(r, s->in[1]) : NULL;
	const unsigned two = ways(s);
	uint64_t alpha[SUF_BLOCK], own0[SUF_BLOCK], *sign = run_mask(r, s->out[1]);
	FOR_BLOCKS(at, k, two * s->count) {
		const uint64_t first = at / two, n = k / two;
		for (uint64_t i = 0; i < n; i++)
			for (unsigned w = 0; w < two; w++)
				alpha[two * i + w] = ((rx[first + i] >> s->s) + (z ? w ^ z[first + i] : 0)) & ring_mask(s->b);
		enum suf_err e = deal_dpf_sign(r, s, PART_lutc_cw, at, k, alpha, own0);
		if (e)
			return e;
		for (uint64_t i = 0; i < n; i++)
			sign[first + i] = two == 2 ? own0[2 * i] | own0[2 * i + 1] << 1 : own0[i];
	}
	prg_wipe(alpha, sizeof alpha);
	prg_wipe(own0, sizeof own0);
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

/* The keys that the opened bits choose, as a batch of their own. */
static void
choose(const struct suf_step *s, struct dpf_block *d, size_t n, const uint64_t *c_hat, uint8_t *words)
{
	uint32_t index[SUF_BLOCK / 2];
	for (size_t i = 0; i < n; i++) {
		index[i] = (uint32_t)(2 * i + c_hat[i]);
		d->root[i] = d->root[index[i]];          /* never before i */
	}
	dpf_pick(s->b, 2 * n, d->words, n, index, words);
	d->words = words;
}

static enum suf_err
lutc_eval(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *c_hat = s->s ? run_wire(r, s->in[1]) : NULL;
	uint64_t *value = run_wire(r, s->out[0]), at_x[SUF_BLOCK];
	const unsigned two = ways(s);
	uint8_t *scratch = run_scratch(r, lutc_scratch(s));
	struct dpf_block d;
	if (!scratch)
		return r->err;
	dpf_table_set(s->b, s->m, s->table->v, scratch);
	FOR_BLOCKS(at, k, two * s->count) {
		const uint64_t first = at / two, n = k / two;
		enum suf_err e = dpf_block_get(r, s, PART_lutc_cw, at, k, &d);
		if (e)
			return e;
		for (uint64_t i = 0; i < n; i++)
			at_x[i] = (x[first + i] >> s->s) & ring_mask(s->b);
		if (c_hat)
			choose(s, &d, n, c_hat + first, scratch + dpf_table_scratch(s->b, s->m));
		dpf_table(&d.ctx, r->party, s->b, s->m, n, d.root, d.words, at_x, value + first, scratch);
		dpf_block_done(r, &d);
	}
	eval_pad(r, s, 0, 0, (size_t)s->count, s->m, value);
	return SUF_OK;
}

/* The true signs lie in the seeds of the trees, and tabmul's result does not depend on them: +1 stands for both. */
static enum suf_err
lutc_sim(struct suf_run *r, const struct suf_step *s)
{
	const uint64_t *x = run_wire(r, s->in[0]), *rx = run_mask(r, s->in[0]), *c = s->s ? run_wire(r, s->in[1]) : NULL;
	uint64_t *value = run_wire(r, s->out[0]), *sign = run_mask(r, s->out[1]);
	for (uint64_t i = 0; i < s->count; i++) {
		uint64_t h = ((x[i] + rx[i]) & ring_mask(s->n)) >> s->s;
		h = (h - (rx[i] >> s->s) - (c ? c[i] : 0)) & ring_mask(s->b);
		value[i] = (uint64_t)s->table->v[h] & ring_mask(s->m);
		sign[i] = ring_mask(ways(s));
	}
	deal_pad(r, s, 0, 0, (size_t)s->count, s->m, run_mask(r, s->out[0]));
	return SUF_OK;
}

const struct step_impl step_lutc = { .deal = lutc_deal, .eval = lutc_eval, .sim = lutc_sim, .scratch = lutc_scratch };

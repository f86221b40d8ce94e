/* SPDX-License-Identifier: Apache-2.0
 * The per-element evaluators of kernels/steps.h and kernels/dpf.h inside kernels, so that the
 * text the CPU runs stays text that CUDA compiles.  Compiled by the test
 * cuda_compiles where nvcc is found; running it needs a GPU.
 */
#include "kernels/cells.h"
#include "kernels/dpf.h"
#include "kernels/exps.h"
#include "kernels/trig.h"

#define ELEMENT size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; if (i >= count) return

__global__ void
trunc_kernel(int p, unsigned n, unsigned s, int slack, size_t count, const uint64_t *x_hat, const uint64_t *t, const uint64_t *msb, uint64_t *out)
{
	ELEMENT;
	out[i] = slack ? suf_trunc_slack_eval(p, n, s, x_hat[i], t[i], msb[i]) : suf_trunc_eval(p, s, x_hat[i], t[i]);
}

__global__ void
sext_kernel(int p, unsigned n, size_t count, const uint64_t *x_hat, const uint64_t *t, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_sext_eval(p, n, x_hat[i], t[i]);
}

__global__ void
gapext_kernel(int p, unsigned n, size_t count, const uint64_t *x_hat, const uint64_t *r, const uint64_t *msb, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_gapext_eval(p, n, x_hat[i], r[i], msb[i]);
}

__global__ void
select_kernel(int p, size_t count, const uint64_t *bit_hat, const uint64_t *x_hat, const uint64_t *z, const uint64_t *u, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_select_eval(p, bit_hat[i], x_hat[i], z[i], u[2 * i + bit_hat[i]]);
}

__global__ void
lutsign_kernel(size_t count, const uint64_t *bit_hat, const uint64_t *v_hat, const uint64_t *v1, const uint64_t *vr, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_lutsign_eval(bit_hat[i], v_hat[i], v1[i], vr[i]);
}

__global__ void
comparison_kernel(int p, unsigned b, uint64_t t, size_t count, const uint64_t *x_hat, const struct block *leaf, const uint64_t *turn, uint64_t *bit)
{
	ELEMENT;
	uint64_t at = suf_drelu_point(b, x_hat[i], t) ^ suf_lt_point(b, x_hat[i], t);
	bit[i] = suf_drelu_bit(p, b, x_hat[i], t, suf_dpf_leaf_parity(leaf[i], at, turn[i])) ^ suf_lut_sign(turn[i]);
}

__global__ void
cuts_kernel(int p, unsigned b, uint64_t t, size_t count, const uint64_t *x, const struct block *leaf, const uint64_t *bit, uint64_t *base)
{
	ELEMENT;
	uint64_t at = suf_cuts_point(b, x[i], t), equal = suf_dpf_leaf_bit(leaf[i], at);
	base[i] = suf_cutfix_eval(p, bit[i], bit[i + count], suf_cuts_bit(p, b, x[i], t, bit[i + 2 * count], equal), bit[i], bit[i], bit[i]);
}

__global__ void
table_gate_kernel(int p, unsigned n, unsigned s, unsigned w, size_t count, const uint64_t *x_hat, const uint64_t *v_hat, const uint64_t *bit, const uint64_t *word, uint64_t *out)
{
	ELEMENT;
	uint64_t wraps, lift, x = suf_shift_public(n, s, 1, x_hat[i], &wraps);
	out[i] = suf_selshift_eval(p, bit[i], x, word[5 * i], word[5 * i + 1]) + wraps * (word[5 * i + 2] << (n - s));
	out[i] += suf_tabmul_eval(w, v_hat[i], word[5 * i + 3], word[5 * i + 4], &lift);
	out[i] += lift << w;
}

__global__ void
tables_kernel(int p, size_t count, const uint64_t *bit_hat, const uint64_t *x_hat, const uint64_t *slope, const uint64_t *icept, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_lin4_eval(x_hat[i], slope[4 * i + bit_hat[i]], icept[4 * i + bit_hat[i]]) + suf_bitdot_term(p, bit_hat[i], 3, slope[i]);
}

__global__ void
tree_kernel(uint64_t session, uint32_t id, uint32_t part, unsigned level, size_t count, const struct block *p, const struct block *word, const uint64_t *side, struct block *s)
{
	ELEMENT;
	struct block c = suf_dpf_tweak(p[i], session, id, part, level, (unsigned)side[i]);
	s[i] = suf_dpf_correct(c, s[i].lo, suf_block_mux(side[i], word[2 * i + 1], word[2 * i]));
}

__global__ void
deal_kernel(size_t count, const uint64_t *alpha, const uint64_t *k, struct block *child, struct block *s, struct block *words, uint64_t *t_right)
{
	ELEMENT;
	struct block c[2][2] = { { child[4 * i], child[4 * i + 1] }, { child[4 * i + 2], child[4 * i + 3] } };
	suf_dpf_gen_level(c, s + 2 * i, k[i], words + 3 * i, t_right + i);
	suf_dpf_gen_leaf(c, alpha[i], k[i], words + 3 * i + 1);
	t_right[i] ^= suf_dpf_own_bit(c[0], s[2 * i].lo, alpha[i], k[i], words + 3 * i + 1);
}

__global__ void
shifted_kernel(int p, unsigned n, unsigned s, size_t count, const uint64_t *x_hat, const uint64_t *y_hat, const uint64_t *o, const uint64_t *r, uint64_t *out)
{
	ELEMENT;
	uint64_t wraps, x = suf_shift_public(n, s, 1, x_hat[i], &wraps);
	out[i] = suf_shiftmul_eval(p, x, y_hat[i], o[i], r[i], wraps * o[i]) + suf_shiftsq_eval(p, x, o[i], r[i]);
}

__global__ void
shift_kernel(unsigned s, unsigned m, size_t count, const uint64_t *x_hat, uint64_t *out)
{
	ELEMENT;
	out[i] = suf_shift_eval(s, m, x_hat[i]);
}

__global__ void
pieces_kernel(unsigned n, size_t count, const uint64_t *c, const uint64_t *x_hat, const uint64_t *r, uint64_t *out)
{
	ELEMENT;
	uint64_t word[3] = { c[0], c[1], c[2] };
	suf_pieces_center(2, suf_pieces_off(n, r[i], x_hat[i] & 1), word);
	out[i] = suf_pieces_eval(n, 2, x_hat[i], x_hat[i] & 1, word, c);
}

__global__ void
cells_kernel(int p, unsigned b, size_t count, const int64_t *table, const uint64_t *x_hat, const uint64_t *hot, uint64_t *out)
{
	ELEMENT;
	struct suf_cells c = suf_cells_of(table);
	uint64_t x_lo = x_hat[i] & suf_ring(c.s), x_hi = x_hat[i] >> c.s, sum = 0, word[3];
	for (uint64_t j = 0; j < (uint64_t)1 << b; j++) {
		int64_t cell[3];
		uint64_t bits = b > 6 ? suf_cells_turned(hot + (i << (b - 6)), b, x_hi, j >> 6) : suf_cells_turned_word(hot[i], b, x_hi);
		suf_cells_words(&c, table + SUF_CELL_HEAD + 3 * j, x_lo, cell);
		sum += (uint64_t)suf_cells_pack(&c, b, cell) & (0 - (bits >> (j & 63) & 1));
	}
	suf_cells_unpack(&c, b, sum, word);
	for (int z = 0; z < 3; z++)
		out[3 * i + z] = suf_cells_share(p, c.w[z], word[z]);
}

__global__ void
cellfix_kernel(int p, unsigned ring, unsigned s, size_t count, const int64_t *table, const uint64_t *y, const uint64_t *share, uint64_t *out)
{
	ELEMENT;
	struct suf_cells c = suf_cells_of(table);
	uint64_t sum = suf_cells_hot(share[i], 1);
	for (int k = 0; k < SUF_FIX_PARTS; k++)
		sum += (suf_cellfix_factor(&c, k, y + 3 * i) * share[SUF_FIX_PARTS * i + k]) << suf_cellfix_shift(&c, k);
	out[i] = suf_cellfix_cut(p, ring, s, sum);
}

/* normsq, normmul and bitmul with their local truncation */
__global__ void
norm_kernel(int p, unsigned n, unsigned s, unsigned m, size_t count, const uint64_t *rho_hat, const uint64_t *x_hat, const uint64_t *bit_hat, const uint64_t *share, uint64_t *out)
{
	ELEMENT;
	const uint64_t *k = share + 8 * i;
	uint64_t sum = suf_normsq_eval(p, n, x_hat[i], k[0], k[1], k[2]);
	sum += suf_normmul_eval(p, n, rho_hat[i], x_hat[i], k[3], k[0], k[1], k[4], k[5]);
	sum += suf_bitmul_term(p, bit_hat[i], rho_hat[i], k[3], k[6], k[7]);
	out[i] = suf_exact_top(p, s, m, sum);
}

/* Dealer and party of exps: two cells, words of 192 bits. */
__global__ void
exps_kernel(int p, unsigned n, unsigned f, unsigned s, int64_t c, int scale, size_t count, const uint64_t *r, const uint64_t *x_hat, const uint64_t *mul, uint64_t *t, uint64_t *out)
{
	ELEMENT;
	const struct suf_exps_low low = suf_exps_low(r[i] & suf_ring(n - 1), f);
	uint64_t *own = t + 2 * SUF_LIMBS * i, place = suf_exps_place(n, c, x_hat[i]);
	struct suf_wide sum = { { 0, 0, 0 } };
	for (unsigned k = 0; k < 2; k++) {
		const struct suf_wide v = suf_exps_entry(suf_exp(((int64_t)k << (n - 1)) + c, f), scale, low);
		for (unsigned j = 0; j < SUF_LIMBS; j++)
			own[k * SUF_LIMBS + j] = v.w[j];
	}
	suf_exps_turn(own, SUF_LIMBS, 1, r[i] >> (n - 1));
	suf_wide_add_times(&sum, own + (place >> (n - 1)) * SUF_LIMBS, mul[place & suf_ring(n - 1)], SUF_LIMBS);
	out[i] = suf_wide_cut(p, s, suf_wide_sub(sum, sum));
}

/* Dealer and party of trig: one term. */
__global__ void
trig_kernel(int p, unsigned n, unsigned period, unsigned b, int l, int64_t c, size_t count, const struct suf_turn *turn, const uint32_t *table, const uint64_t *r, const uint64_t *x_hat, uint64_t *out)
{
	ELEMENT;
	struct suf_turn at = { 1 << SUF_TURN_FRAC, 0 };
	for (unsigned k = 0; k < period; k++)
		at = suf_turn_add(at, suf_turn_if(r[i] >> k, turn[k]));
	out[i] = suf_trig_term(table[x_hat[i] & suf_ring(period)], suf_trig_word(b, c, at.c, 0, at.s), suf_trig_word(b, c, at.s, 0, at.c));
	out[i] = suf_local_cut(p, n, 3, out[i] + suf_trig_constant(b, c) + suf_trig_line(p, n, l, x_hat[i], r[i], r[i] >> (n - 1)));
}

/* SPDX-License-Identifier: Apache-2.0
 * AES-128 without tables or branches, eight blocks at a time: bit k of every
 * byte lies in plane k.  The S-box is the circuit of Boyar and Peralta (eprint 2011/332).
 *
 * A 64-bit lane holds four blocks: byte 8*half + j of block `blk` is at position
 * 8*j + 4*half + blk.  So its row, j mod 4, is bits 3-4 of the position and
 * its column, 2*half + j/4, is bits 2 (high) and 5 (low).
 */
#include "kernel.h"
#include <string.h>

typedef uint64_t lanes __attribute__((vector_size(16)));
enum { BATCH = 8 };

static inline lanes all(uint64_t v)
{
	return (lanes){ v, v };
}

static inline void exchange(lanes *a, lanes *b, uint64_t low, int shift)
{
	lanes x = *a, y = *b;

	*a = (x & all(low)) | ((y & all(low)) << shift);
	*b = ((x & all(~low)) >> shift) | (y & all(~low));
}

/* Exchanges the index of a word with the low three bits of a position; its own inverse. */
static void transpose(lanes q[8])
{
	for (int i = 0; i < 8; i += 2)
		exchange(&q[i], &q[i + 1], 0x5555555555555555ull, 1);
	for (int i = 0; i < 8; i++)
		if (!(i & 2))
			exchange(&q[i], &q[i + 2], 0x3333333333333333ull, 2);
	for (int i = 0; i < 4; i++)
		exchange(&q[i], &q[i + 4], 0x0f0f0f0f0f0f0f0full, 4);
}

/* The shared non-linear middle: the inverse in GF(2^8), from t21..t24 to the six
 * factors of the output products. */
static inline void invert(lanes a, lanes b, lanes c, lanes d, lanes out[4])
{
	lanes t25 = a ^ b, t26 = a & c, t27 = d ^ t26, t29 = (t25 & t27) ^ b;
	lanes t30 = c ^ d, t31 = b ^ t26, t33 = (t31 & t30) ^ d;
	lanes t34 = c ^ t33, t35 = t27 ^ t33, t36 = d & t35;
	lanes t37 = t36 ^ t34, t38 = t27 ^ t36, t40 = t25 ^ (t29 & t38);

	out[0] = t29;
	out[1] = t33;
	out[2] = t37;
	out[3] = t40;
}

static void sub_bytes(lanes q[8])
{
	lanes x0 = q[7], x1 = q[6], x2 = q[5], x3 = q[4], x4 = q[3], x5 = q[2], x6 = q[1], x7 = q[0];
	/* top linear layer */
	lanes y14 = x3 ^ x5, y13 = x0 ^ x6, y9 = x0 ^ x3, y8 = x0 ^ x5, t0 = x1 ^ x2;
	lanes y1 = t0 ^ x7, y4 = y1 ^ x3, y12 = y13 ^ y14, y2 = y1 ^ x0, y5 = y1 ^ x6, y3 = y5 ^ y8;
	lanes t1 = x4 ^ y12, y15 = t1 ^ x5, y20 = t1 ^ x1, y6 = y15 ^ x7, y10 = y15 ^ t0, y11 = y20 ^ y9;
	lanes y7 = x7 ^ y11, y17 = y10 ^ y11, y19 = y10 ^ y8, y16 = t0 ^ y11, y21 = y13 ^ y16, y18 = x0 ^ y16;
	/* non-linear */
	lanes t2 = y12 & y15, t4 = (y3 & y6) ^ t2, t6 = (y4 & x7) ^ t2;
	lanes t7 = y13 & y16, t9 = (y5 & y1) ^ t7, t11 = (y2 & y7) ^ t7;
	lanes t12 = y9 & y11, t14 = (y14 & y17) ^ t12, t16 = (y8 & y10) ^ t12;
	lanes v[4];
	invert(t4 ^ t14 ^ y20, t6 ^ t16 ^ y19, t9 ^ t14 ^ y21, t11 ^ t16 ^ y18, v);
	lanes t29 = v[0], t33 = v[1], t37 = v[2], t40 = v[3];
	lanes t41 = t40 ^ t37, t42 = t29 ^ t33, t43 = t29 ^ t40, t44 = t33 ^ t37, t45 = t42 ^ t41;
	lanes z0 = t44 & y15, z1 = t37 & y6, z2 = t33 & x7, z3 = t43 & y16, z4 = t40 & y1, z5 = t29 & y7;
	lanes z6 = t42 & y11, z7 = t45 & y17, z8 = t41 & y10, z9 = t44 & y12, z10 = t37 & y3, z11 = t33 & y4;
	lanes z12 = t43 & y13, z13 = t40 & y5, z14 = t29 & y2, z15 = t42 & y9, z16 = t45 & y14, z17 = t41 & y8;
	/* bottom linear layer */
	lanes t46 = z15 ^ z16, t48 = z5 ^ z13, t53 = z0 ^ z3, t54 = z6 ^ z7;
	lanes t57 = z2 ^ z12 ^ t53, t58 = z4 ^ t46, t59 = z3 ^ t54, t60 = t46 ^ t57, t61 = z14 ^ t57;
	lanes t62 = z7 ^ z8 ^ t58, t63 = z9 ^ z10 ^ t58, t64 = z4 ^ t59, t65 = t61 ^ t62, t66 = z1 ^ t63;
	lanes s3 = t53 ^ t66;

	q[7] = t59 ^ t63;
	q[6] = ~(t64 ^ s3);
	q[5] = ~(z16 ^ z17 ^ t64 ^ t65);
	q[4] = s3;
	q[3] = z2 ^ z5 ^ t66;
	q[2] = z10 ^ z11 ^ t65;
	q[1] = ~(z12 ^ t48 ^ t62);
	q[0] = ~(t48 ^ t60);
}

/* Row r takes column c + r. */
static inline lanes shift_rows(lanes x)
{
	const uint64_t row0 = 0x000000ff000000ffull, row1 = row0 << 8, row2 = row0 << 16, row3 = row0 << 24;
	const uint64_t lo = 0x0f0f0f0f0f0f0f0full, even = 0xffffffffull; /* columns: high bit 0; low bit 0 */
	lanes turned = ((x & all(lo)) << 4) | ((x >> 4) & all(lo)); /* column + 2 */
	lanes next, prev;

	/* 0 <- 1, 2 <- 3 keep the high bit; 1 <- 2, 3 <- 0 change it */
	next = ((x >> 32) & all(even)) | ((turned << 32) & all(~even));
	/* 1 <- 0, 3 <- 2 keep it; 0 <- 3, 2 <- 1 change it */
	prev = ((x << 32) & all(~even)) | ((turned >> 32) & all(even));
	return (x & all(row0)) | (next & all(row1)) | (turned & all(row2)) | (prev & all(row3));
}

static inline lanes next_row(lanes x)
{
	return ((x >> 8) & all(0x00ffffff00ffffffull)) | ((x << 24) & all(0xff000000ff000000ull));
}

static inline lanes opposite_row(lanes x)
{
	return ((x >> 16) & all(0x0000ffff0000ffffull)) | ((x << 16) & all(0xffff0000ffff0000ull));
}

/* 2a + 3b + c + d = 2(a + b) + b + (c + d) for the rows a, b, c, d from here on */
static void mix_columns(lanes q[8])
{
	lanes b[8], ab[8];

	for (int k = 0; k < 8; k++) {
		b[k] = next_row(q[k]);
		ab[k] = q[k] ^ b[k];
	}
	for (int k = 0; k < 8; k++) {
		lanes twice = k ? ab[k - 1] : ab[7];
		if (k == 1 || k == 3 || k == 4)
			twice ^= ab[7];
		q[k] = twice ^ b[k] ^ opposite_row(ab[k]);
	}
}

static void add_key(lanes q[8], const lanes rk[8])
{
	for (int k = 0; k < 8; k++)
		q[k] ^= rk[k];
}

static void to_planes(lanes q[8], const struct block x[BATCH])
{
	for (int i = 0; i < 4; i++) {
		q[i] = (lanes){ x[i].lo, x[i + 4].lo };
		q[i + 4] = (lanes){ x[i].hi, x[i + 4].hi };
	}
	transpose(q);
}

static void from_planes(struct block x[BATCH], lanes q[8])
{
	transpose(q);
	for (int i = 0; i < 4; i++) {
		x[i] = (struct block){ q[i][0], q[i + 4][0] };
		x[i + 4] = (struct block){ q[i][1], q[i + 4][1] };
	}
}

static void encrypt(lanes rk[AES_ROUNDS + 1][8], struct block x[BATCH])
{
	lanes q[8];

	to_planes(q, x);
	add_key(q, rk[0]);
	for (int r = 1; r <= AES_ROUNDS; r++) {
		sub_bytes(q);
		for (int k = 0; k < 8; k++)
			q[k] = shift_rows(q[k]);
		if (r < AES_ROUNDS)
			mix_columns(q);
		add_key(q, rk[r]);
	}
	from_planes(x, q);
}

void aes_portable(const uint8_t *round_key, size_t blocks, struct block *x)
{
	lanes rk[AES_ROUNDS + 1][8];
	struct block tmp[BATCH];
	size_t i = 0;

	for (int r = 0; r <= AES_ROUNDS; r++) {
		for (int k = 0; k < BATCH; k++)
			memcpy(&tmp[k], round_key + 16 * r, 16);
		to_planes(rk[r], tmp);
	}
	for (; i + BATCH <= blocks; i += BATCH)
		encrypt(rk, x + i);
	if (i < blocks) {
		memset(tmp, 0, sizeof tmp);
		memcpy(tmp, x + i, (blocks - i) * sizeof *x);
		encrypt(rk, tmp);
		memcpy(x + i, tmp, (blocks - i) * sizeof *x);
	}
	prg_wipe(tmp, sizeof tmp);
	prg_wipe(rk, sizeof rk);
}

static void sub_word(uint8_t w[4])
{
	struct block x[BATCH] = { 0 };
	lanes q[8];

	memcpy(x, w, 4);
	to_planes(q, x);
	sub_bytes(q);
	from_planes(x, q);
	memcpy(w, x, 4);
}

void aes_expand(uint8_t round_key[AES_KEY_BYTES], const uint8_t key[16])
{
	uint8_t w[4], rcon = 1;

	memcpy(round_key, key, 16);
	for (int i = 16; i < AES_KEY_BYTES; i += 4) {
		memcpy(w, round_key + i - 4, 4);
		if (i % 16 == 0) {
			uint8_t first = w[0];
			w[0] = w[1];
			w[1] = w[2];
			w[2] = w[3];
			w[3] = first;
			sub_word(w);
			w[0] ^= rcon;
			rcon = (uint8_t)(rcon << 1 ^ (rcon >> 7) * 0x1b);
		}
		for (int k = 0; k < 4; k++)
			round_key[i + k] = round_key[i + k - 16] ^ w[k];
	}
	prg_wipe(w, sizeof w);
}

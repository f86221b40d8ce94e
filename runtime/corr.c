/* SPDX-License-Identifier: Apache-2.0
 * corr.c -- key material of a run: corrections of one word and of several, keys
 * of point functions; dealt, read by a party, and what of them the simulator
 * knows.
 *
 * Security: a correction word is v - u with u a word of the other party's
 * stream (step id, part, element), which is used for nothing else.
 */
#include "run.h"

enum { TAG_PART = 1 };

static uint32_t
part_tag(enum suf_part part)
{
	enum suf_part first = part;
	while (first > 0 && suf_part_desc[first - 1].step == suf_part_desc[part].step)
		first--;
	return TAG_PART + (uint32_t)(part - first);
}

static enum suf_err
sink_put(struct suf_run *r, struct suf_sink *sink, const void *data, size_t bytes)
{
	enum suf_err e = suf_sink_write(sink, data, bytes);
	return e ? run_fail(r, e, "%s", suf_sink_error(sink)) : run_sinks_flush(r, SUF_SINK_PIECE);
}

enum suf_err
run_sinks_flush(struct suf_run *r, size_t least)
{
	if (suf_sinks_flush(r->sink, 2, least))
		for (int p = 0; p < 2; p++)
			if (*suf_sink_error(r->sink[p]))
				return run_fail(r, SUF_EIO, "%s", suf_sink_error(r->sink[p]));
	return SUF_OK;
}

static enum suf_err
key_get(struct suf_run *r, void *to, size_t bytes)
{
	enum suf_err e = suf_source_read(r->key, to, bytes);
	return e ? run_fail(r, e, "%s", suf_source_error(r->key)) : SUF_OK;
}

/* v - u (or v ^ u) mod 2^bits */
static void
sub_pad(uint64_t *c, const uint64_t *v, const uint64_t *u, size_t count, unsigned bits, bool xored)
{
	const uint64_t m = ring_mask(bits);
	for (size_t i = 0; i < count; i++)
		c[i] = (xored ? v[i] ^ u[i] : v[i] - u[i]) & m;
}

enum suf_err
deal_corr(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, const uint64_t *v)
{
	return deal_corr_known(r, s, part, first, count, v, NULL);
}

enum suf_err
deal_corr_known(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, const uint64_t *v, uint64_t *u)
{
	uint64_t c[SUF_BLOCK];
	const unsigned bits = suf_part_bits(part, s);
	const bool xored = suf_part_desc[part].kind == KIND_XORC;
	for (size_t at = 0; at < count; at += SUF_BLOCK) {
		size_t k = count - at < SUF_BLOCK ? count - at : SUF_BLOCK;
		int to = corr_party(first + at);
		run_stream(r, &r->seed[1 - to], s->id, part_tag(part), first + at, k, bits, c);
		for (size_t i = 0; u && i < k; i++)
			u[at + i] = c[i];
		sub_pad(c, v + at, c, k, bits, xored);
		pack_bits(r->isa, r->key_buf, c, k, bits);
		enum suf_err e = sink_put(r, r->sink[to], r->key_buf, (k * bits + 7) / 8);
		if (e)
			return e;
	}
	return SUF_OK;
}

enum suf_err
eval_corr(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, uint64_t *share)
{
	const unsigned bits = suf_part_bits(part, s);
	for (size_t at = 0; at < count; at += SUF_BLOCK) {
		size_t k = count - at < SUF_BLOCK ? count - at : SUF_BLOCK;
		if (corr_party(first + at) != r->party) {
			run_stream(r, &r->seed[r->party], s->id, part_tag(part), first + at, k, bits, share + at);
			continue;
		}
		enum suf_err e = key_get(r, r->key_buf, (k * bits + 7) / 8);
		if (e)
			return e;
		unpack_bits(r->isa, share + at, r->key_buf, k, bits);
	}
	return SUF_OK;
}

void
sim_corr(struct suf_run *r, const struct suf_step *s, enum suf_part part, int party, uint64_t count, const uint64_t *v, uint64_t *share)
{
	sim_corr_at(r, s, part, party, 0, count, v, share);
}

void
sim_corr_at(struct suf_run *r, const struct suf_step *s, enum suf_part part, int party, uint64_t first, uint64_t count, const uint64_t *v, uint64_t *share)
{
	const unsigned bits = suf_part_bits(part, s);
	const bool xored = suf_part_desc[part].kind == KIND_XORC;
	for (uint64_t at = 0; at < count; at += SUF_BLOCK) {
		size_t k = count - at < SUF_BLOCK ? (size_t)(count - at) : SUF_BLOCK;
		int to = corr_party(first + at);
		run_stream(r, &r->seed[1 - to], s->id, part_tag(part), first + at, k, bits, share + at);
		if (to == party)
			sub_pad(share + at, v + at, share + at, k, bits, xored);
	}
}

/* ---- elements of several words (limbs) ------------------------------------------ */

/* c = v - u mod 2^bits, element by element */
static void
sub_wide(uint64_t *c, const uint64_t *v, const uint64_t *u, size_t count, unsigned bits)
{
	const unsigned limbs = suf_limbs(bits);
	const uint64_t top = ring_mask(bits - 64 * (limbs - 1));
	for (size_t i = 0; i < count; i++, c += limbs, v += limbs, u += limbs) {
		uint64_t borrow = 0;
		for (unsigned j = 0; j < limbs; j++) {
			const uint64_t d = v[j] - u[j], b = (v[j] < u[j]) | ((d < borrow) & (v[j] == u[j]));
			c[j] = d - borrow;
			borrow = b;
		}
		c[limbs - 1] &= top;
	}
}

/* Elements to key bytes or, `out` false, back. */
static void
pack_wide(const struct suf_run *r, uint8_t *key, uint64_t *v, size_t count, unsigned bits, bool out)
{
	const unsigned limbs = suf_limbs(bits);
	uint64_t one[SUF_BLOCK];
	for (unsigned j = 0; j < limbs; j++) {
		const unsigned n = j + 1 < limbs ? 64 : bits - 64 * j;
		for (size_t i = 0; out && i < count; i++)
			one[i] = v[i * limbs + j];
		if (out)
			pack_bits(r->isa, key, one, count, n);
		else
			unpack_bits(r->isa, one, key, count, n);
		for (size_t i = 0; !out && i < count; i++)
			v[i * limbs + j] = one[i];
		key += (count * n + 7) / 8;
	}
}

/* The words of a party's stream for elements [first, first + count), the last one of each reduced. */
static void
stream_wide(struct suf_run *r, const struct prg_stream_key *key, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, uint64_t *out)
{
	const unsigned bits = suf_part_bits(part, s), limbs = suf_limbs(bits);
	const uint64_t top = ring_mask(bits - 64 * (limbs - 1));
	run_stream(r, key, s->id, part_tag(part), first * limbs, count * limbs, 64, out);
	for (size_t i = 0; i < count; i++)
		out[i * limbs + limbs - 1] &= top;
}

enum suf_err
deal_corr_wide(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, const uint64_t *v)
{
	const unsigned bits = suf_part_bits(part, s), limbs = suf_limbs(bits);
	uint64_t c[SUF_BLOCK * (SUF_WIDE / 64)];
	for (size_t at = 0; at < count; at += SUF_BLOCK) {
		const size_t k = count - at < SUF_BLOCK ? count - at : SUF_BLOCK;
		const int to = corr_party(first + at);
		stream_wide(r, &r->seed[1 - to], s, part, first + at, k, c);
		sub_wide(c, v + at * limbs, c, k, bits);
		pack_wide(r, r->key_buf, c, k, bits, true);
		enum suf_err e = sink_put(r, r->sink[to], r->key_buf, (k * bits + 7) / 8);
		if (e)
			return e;
	}
	return SUF_OK;
}

enum suf_err
eval_corr_wide(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, uint64_t *share)
{
	const unsigned bits = suf_part_bits(part, s), limbs = suf_limbs(bits);
	for (size_t at = 0; at < count; at += SUF_BLOCK) {
		const size_t k = count - at < SUF_BLOCK ? count - at : SUF_BLOCK;
		if (corr_party(first + at) != r->party) {
			stream_wide(r, &r->seed[r->party], s, part, first + at, k, share + at * limbs);
			continue;
		}
		enum suf_err e = key_get(r, r->key_buf, (k * bits + 7) / 8);
		if (e)
			return e;
		pack_wide(r, r->key_buf, share + at * limbs, k, bits, false);
	}
	return SUF_OK;
}

void
sim_corr_wide(struct suf_run *r, const struct suf_step *s, enum suf_part part, int party, uint64_t count, const uint64_t *v, uint64_t *share)
{
	sim_corr_wide_at(r, s, part, party, 0, count, v, share);
}

void
sim_corr_wide_at(struct suf_run *r, const struct suf_step *s, enum suf_part part, int party, uint64_t first, uint64_t count, const uint64_t *v, uint64_t *share)
{
	const unsigned bits = suf_part_bits(part, s), limbs = suf_limbs(bits);
	for (uint64_t at = 0; at < count; at += SUF_BLOCK) {
		const size_t k = count - at < SUF_BLOCK ? (size_t)(count - at) : SUF_BLOCK;
		const int to = corr_party(first + at);
		stream_wide(r, &r->seed[1 - to], s, part, first + at, k, share + at * limbs);
		if (to == party)
			sub_wide(share + at * limbs, v + at * limbs, share + at * limbs, k, bits);
	}
}

/* Root i of a party: words 2i, 2i+1 of its stream. */
static void
roots(struct suf_run *r, int party, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, struct block *root)
{
	run_stream(r, &r->seed[party], s->id, part_tag(part), 2 * first, 2 * count, 64, &root->lo);
}

enum suf_err
deal_dpf(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, const uint64_t *alpha)
{
	return deal_dpf_sign(r, s, part, first, count, alpha, NULL);
}

enum suf_err
deal_dpf_sign(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count, const uint64_t *alpha, uint64_t *own0)
{
	struct block root[2][SUF_BLOCK];
	const unsigned bits = suf_part_bits(part, s);
	const size_t bytes = (size_t)dpf_key_bytes(bits, count);
	struct dpf_ctx ctx = { .isa = r->isa, .session = r->session, .id = s->id, .part = (uint32_t)(first / SUF_BLOCK) };
	roots(r, 0, s, part, first, count, root[0]);
	roots(r, 1, s, part, first, count, root[1]);
	dpf_gen_sign(&ctx, bits, count, alpha, root[0], root[1], r->key_buf, own0);
	prg_wipe(root, sizeof root);
	r->aes_calls += ctx.calls;
	for (int p = 0; p < 2; p++) {
		enum suf_err e = sink_put(r, r->sink[p], r->key_buf, bytes);
		if (e)
			return e;
	}
	return SUF_OK;
}

enum suf_err
eval_dpf(struct suf_run *r, const struct suf_step *s, enum suf_part part, uint64_t first, size_t count,
         struct block *root, const uint8_t **words)
{
	roots(r, r->party, s, part, first, count, root);
	*words = r->key_buf;
	return key_get(r, r->key_buf, (size_t)dpf_key_bytes(suf_part_bits(part, s), count));
}

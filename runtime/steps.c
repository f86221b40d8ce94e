/* SPDX-License-Identifier: Apache-2.0
 * steps.c -- tables and cost functions made from steps.def; no number of its own. */
#include "run.h"

const struct step_desc suf_step_desc[SUF_NSTEP] = {
#define STEP(name, nin, nout, form, doc) [SUF_##name] = { #name, nin, nout, FORM_##form, doc },
#define PART(step, part, kind, count, bits)
#define PADS(step, output, count, bits)
#define SENT(step, from, count, bits)
#include "steps.def"
#undef STEP
#undef PART
#undef PADS
#undef SENT
};

const struct part_desc suf_part_desc[SUF_NPART] = {
#define STEP(name, nin, nout, form, doc)
#define PART(step, part, kind, count, bits) [PART_##step##_##part] = { #part, SUF_##step, KIND_##kind },
#define PADS(step, output, count, bits)
#define SENT(step, from, count, bits)
#include "steps.def"
#undef STEP
#undef PART
#undef PADS
#undef SENT
};

uint64_t
suf_part_count(enum suf_part part, const struct suf_step *s)
{
	switch (part) {
#define STEP(name, nin, nout, form, doc)
#define PART(step, part, kind, count, bits) case PART_##step##_##part: return (uint64_t)(count);
#define PADS(step, output, count, bits)
#define SENT(step, from, count, bits)
#include "steps.def"
#undef STEP
#undef PART
#undef PADS
#undef SENT
	case SUF_NPART: break;
	}
	return 0;
}

unsigned
suf_part_bits(enum suf_part part, const struct suf_step *s)
{
	switch (part) {
#define STEP(name, nin, nout, form, doc)
#define PART(step, part, kind, count, bits) case PART_##step##_##part: return (unsigned)(bits);
#define PADS(step, output, count, bits)
#define SENT(step, from, count, bits)
#include "steps.def"
#undef STEP
#undef PART
#undef PADS
#undef SENT
	case SUF_NPART: break;
	}
	return 0;
}

/* Bytes of the blocks of a part whose correction goes to `party`. */
static uint64_t
corr_bytes(uint64_t count, unsigned bits, int party)
{
	uint64_t full = count / SUF_BLOCK, rest = count % SUF_BLOCK;
	uint64_t blocks = party == 1 ? (full + 1) / 2 : full / 2; /* even blocks correct party 1 */
	uint64_t bytes = blocks * (SUF_BLOCK / 8) * bits;
	if (rest && corr_party(full * SUF_BLOCK) == party)
		bytes += (rest * bits + 7) / 8;
	return bytes;
}

struct suf_cost
suf_part_cost(enum suf_part part, const struct suf_step *s, uint8_t output_to)
{
	struct suf_cost c = {0};
	uint64_t count = suf_part_count(part, s);
	unsigned bits = suf_part_bits(part, s);
	if (count == 0)
		return c;
	for (int p = 0; p < 2; p++)
		switch (suf_part_desc[part].kind) {
		case KIND_CORR:
		case KIND_XORC: c.key[p] = corr_bytes(count, bits, p); break;
		case KIND_DPF:  c.key[p] = dpf_key_bytes(bits, count); break;
		case KIND_MASK: c.key[p] = output_to == p || output_to == 2 ? (count * bits + 7) / 8 : 0; break;
		}
	return c;
}

/* SENT rows: who sends, how many values of how many bits. */
static void
step_sent(const struct suf_step *s, uint64_t sent[2])
{
	enum { FROM_BOTH, FROM_CLIENT } from = FROM_BOTH;
	uint64_t n = 0;
	switch (s->op) {
#define STEP(name, nin, nout, form, doc)
#define PART(step, part, kind, count, bits)
#define PADS(step, output, count, bits)
#define SENT(step, from_, count, bits) case SUF_##step: from = FROM_##from_; n = ((uint64_t)(count) * (uint64_t)(bits) + 7) / 8; break;
#include "steps.def"
#undef STEP
#undef PART
#undef PADS
#undef SENT
	default: break;
	}
	sent[0] = from == FROM_CLIENT ? 0 : n;
	sent[1] = n;
}

struct suf_cost
suf_step_cost(const struct suf_step *s, uint8_t output_to)
{
	struct suf_cost total = {0};
	for (enum suf_part part = 0; part < SUF_NPART; part++) {
		if (suf_part_desc[part].step != s->op)
			continue;
		struct suf_cost c = suf_part_cost(part, s, output_to);
		total.key[0] += c.key[0];
		total.key[1] += c.key[1];
	}
	step_sent(s, total.sent);
	return total;
}

uint64_t
suf_rows_len(const struct suf_rows *r, uint64_t row)
{
	uint64_t len = r->first + (uint64_t)r->inc * (row % r->period);
	for (uint32_t l = 0; l < r->level; l++)
		len = (len + 1) / 2;
	return len;
}

uint64_t
suf_rows_total(const struct suf_rows *r)
{
	uint64_t total = 0;
	for (uint64_t k = 0; k < r->period && k < r->count; k++)
		total += suf_rows_len(r, k) * ((r->count - k + r->period - 1) / r->period);
	return total;
}

/* SPDX-License-Identifier: Apache-2.0
 * steps.c -- tables and cost functions made from steps.def; no number of its own. */
#include "run.h"
#include "kernels/cells.h"
#include "kernels/trig.h"

const struct step_desc suf_step_desc[SUF_NSTEP] = {
#define STEP(name, nin, nout, form, doc) [SUF_##name] = { #name, nin, nout, FORM_##form, doc },
#include "steps.def"
};

const struct part_desc suf_part_desc[SUF_NPART] = {
#define PART(step, part, kind, count, bits) [PART_##step##_##part] = { #part, SUF_##step, KIND_##kind },
#include "steps.def"
};

struct suf_arity
suf_step_arity(const struct suf_step *s)
{
	const struct step_desc *d = &suf_step_desc[s->op];
#define ARITY(step, least, most, results) if (s->op == SUF_##step) return (struct suf_arity){ (least), (most), (results) };
#include "steps.def"
	return (struct suf_arity){ d->nin, d->nin, d->nout };
}

enum step_form
suf_operand_form(const struct suf_step *s, int k)
{
#define TAKES(step, k_, form) if (s->op == SUF_##step && k == (k_)) return FORM_##form;
#include "steps.def"
	(void)s;
	(void)k;
	return FORM_MASKED;
}

bool
suf_operand_owned(const struct suf_step *s, int k)
{
#define OWNED(step, operand) if (s->op == SUF_##step && k == (operand)) return true;
#include "steps.def"
	return false;
}

bool
suf_operand_blind(const struct suf_step *s, int k)
{
#define BLIND(step, operand) if (s->op == SUF_##step && k == (operand)) return true;
#include "steps.def"
	return false;
}

enum step_form
suf_result_form(const struct suf_step *s, int k)
{
#define RESULT(step, output, form, count, bits) if (s->op == SUF_##step && k == (output)) return FORM_##form;
#include "steps.def"
	(void)k;
	return suf_step_desc[s->op].form;
}

uint64_t
suf_pieces_words(const struct suf_step *s, unsigned more)
{
	return ((uint64_t)s->ca + more) << s->b;
}

/* msb is needed mod 2^(R-n-1) for the squares and mod 2^(b-n) for products in a ring of b bits. */
unsigned
suf_normsq_msb(const struct suf_step *s)
{
	const int squares = s->m + s->s - s->n - 1, products = s->b - s->n, most = squares > products ? squares : products;
	return most > 1 ? (unsigned)most : 1;
}

uint64_t
suf_shiftsq_top(const struct suf_step *s)
{
	const bool any = s->slack && s->m > s->n - s->s + 1;
	return any ? (s->s ? 2 : 1) * s->na : 0;
}

uint64_t
suf_cells_words_of(const struct suf_step *s, uint64_t count)
{
	return s->b > 6 ? count << (s->b - 6) : count;
}

unsigned
suf_cell_word_bits(const struct suf_step *s, int z)
{
	const struct suf_table *t = s->table;
	return t && t->len >= SUF_CELL_HEAD && t->v[2 * z + 1] > 0 && t->v[2 * z + 1] <= 64 ? (unsigned)t->v[2 * z + 1] : 0;
}

unsigned
suf_cellfix_bits(const struct suf_step *s, int k)
{
	if (!s->table || s->table->len < SUF_CELL_HEAD)
		return 0;
	const struct suf_cells c = suf_cells_of(s->table->v);
	const unsigned ring = (unsigned)(s->m + s->s), lost = suf_cellfix_shift(&c, k);
	return ring > lost ? ring - lost : 0;
}

uint64_t
suf_trig_terms(const struct suf_step *s)
{
	const struct suf_table *t = s->table;
	if (!t || t->len < SUF_TRIG_COEF + 1 || t->v[SUF_TRIG_TERMS] < 1 || t->v[SUF_TRIG_TERMS] > SUF_TRIG_MAX_TERMS)
		return 0;
	const uint64_t terms = (uint64_t)t->v[SUF_TRIG_TERMS], rest = t->len - (SUF_TRIG_COEF + 1);
	return rest == terms || rest == 2 * terms ? terms : 0;
}

unsigned
suf_trig_linear(const struct suf_step *s)
{
	const int64_t l = suf_trig_terms(s) ? s->table->v[SUF_TRIG_LINEAR] : -1, ring = s->m + s->s;
	return l >= 0 && l < ring ? (unsigned)(ring - l) : 0;
}

uint64_t
suf_part_count(enum suf_part part, const struct suf_step *s)
{
	switch (part) {
#define PART(step, part, kind, count, bits) case PART_##step##_##part: return (uint64_t)(count);
#include "steps.def"
	case SUF_NPART: break;
	}
	return 0;
}

unsigned
suf_part_bits(enum suf_part part, const struct suf_step *s)
{
	switch (part) {
#define PART(step, part, kind, count, bits) case PART_##step##_##part: return (unsigned)(bits);
#include "steps.def"
	case SUF_NPART: break;
	}
	return 0;
}

bool
suf_takes_key(const struct suf_step *s)
{
	for (enum suf_part part = 0; part < SUF_NPART; part++)
		if (suf_part_desc[part].step == s->op && suf_part_count(part, s))
			return true;
	return false;
}

uint64_t
suf_operand_count(const struct suf_step *s, int k)
{
#define OPERAND(step, k_, count, who) if (s->op == SUF_##step && k == (k_)) return (count);
#include "steps.def"
	return k == 0 ? s->na : k == 1 ? s->nb : 0; /* of a local step */
}

uint32_t suf_operand_pad(const struct suf_step *s, int k) { return k == 0 ? s->pad_a : k == 1 ? s->pad_b : 0; }

/* ---- key material ------------------------------------------------------------- */

/* Blocks of a part whose correction goes to one party: their number and the elements of the last, shorter one. */
struct blocks { uint64_t full, rest; };

static struct blocks
corr_blocks(uint64_t count, int party)
{
	uint64_t full = count / SUF_BLOCK, rest = count % SUF_BLOCK;
	struct blocks b = { party == corr_party(0) ? (full + 1) / 2 : full / 2, 0 };
	if (rest && corr_party(full * SUF_BLOCK) == party)
		b.rest = rest;
	return b;
}

static uint64_t
corr_bytes(struct blocks b, unsigned bits)
{
	return b.full * (SUF_BLOCK / 8) * bits + (b.rest * bits + 7) / 8;
}

/* The other party expands these blocks from its seed; the dealer does, too. */
static uint64_t
corr_prg(struct blocks b, unsigned bits)
{
	const uint64_t limbs = suf_limbs(bits);
	return b.full * prg_blocks(0, limbs * SUF_BLOCK) + prg_blocks(0, limbs * b.rest);
}

struct suf_cost
suf_part_cost(enum suf_part part, const struct suf_step *s, uint8_t output_to)
{
	struct suf_cost c = {0};
	uint64_t count = suf_part_count(part, s);
	unsigned bits = suf_part_bits(part, s);
	if (count == 0)
		return c;
	for (int p = 0; p < 2; p++) {
		const struct blocks b = corr_blocks(count, p);
		uint64_t seeds = 0;              /* AES blocks from the seed of `from`: by that party and by the dealer */
		int from = p;
		switch (suf_part_desc[part].kind) {
		case KIND_CORR:
		case KIND_XORC: c.key[p] = corr_bytes(b, bits); seeds = corr_prg(b, bits); from = 1 - p; break;
		case KIND_DPF:  c.key[p] = dpf_key_bytes(bits, count); seeds = prg_blocks(0, 2 * count); break;
		case KIND_MASK: c.key[p] = output_to == p || output_to == 2 ? (count * bits + 7) / 8 : 0; break;
		}
		c.prg[SUF_P0 + from] += seeds;
		c.prg[SUF_DEALER] += seeds;
	}
	if (suf_part_desc[part].kind == KIND_DPF)
		c.prg[SUF_DEALER] += dpf_gen_calls(bits, count);
	return c;
}

/* ---- seeds ------------------------------------------------------------------------ */

static void
add_prg(struct suf_cost *c, uint64_t count, bool parties, bool dealer)
{
	uint64_t calls = prg_blocks(0, count);
	for (int p = 0; p < 2; p++) {
		c->prg[SUF_P0 + p] += parties ? calls : 0;
		c->prg[SUF_DEALER] += dealer ? calls : 0;
	}
}

static void
add_operand(struct suf_cost *c, const struct suf_step *s, int k, bool mask)
{
	const bool weight = s->in[k].space == SUF_WEIGHT;
	if (weight || suf_operand_pad(s, k))
		add_prg(c, suf_operand_count(s, k), true, weight && mask);
}

static void
add_seeds(struct suf_cost *c, const struct suf_step *s)
{
	enum { FOR_MASK = true, FOR_SHARE = false };
#define PADS(step, output, count, bits) if (s->op == SUF_##step) add_prg(c, (count), true, true);
#define OPERAND(step, k, count, who) if (s->op == SUF_##step) add_operand(c, s, k, FOR_##who);
#include "steps.def"
	if (suf_step_desc[s->op].form == FORM_LOCAL) /* on the mask of a weight the dealer works alone */
		for (int k = 0; k < suf_step_desc[s->op].nin; k++)
			if (s->in[k].space == SUF_WEIGHT)
				add_prg(c, suf_operand_count(s, k), false, true);
}

/* ---- work --------------------------------------------------------------------------- */

bool
suf_threshold_single(const struct suf_step *s, uint32_t output)
{
	const int64_t *t = s->table->v + 2 * output;
	return t[1] == t[0];
}

uint64_t
suf_thresholds(const struct suf_step *s)
{
	uint64_t n = 0;
	for (uint32_t k = 0; k < s->table->len / 2; k++)
		n += suf_threshold_single(s, k) ? 1 : 2;
	return n;
}

/* table: the number of outputs; for each of them the number of thresholds, then those. */
uint64_t
suf_cuts_all(const struct suf_step *s)
{
	return s->table->len - 1 - (uint64_t)s->table->v[0];
}

bool
suf_cuts_odd(const struct suf_step *s)
{
	for (int64_t at = 1; at < s->table->len; at += 1 + s->table->v[at])
		if (s->table->v[at] & 1)
			return true;
	return false;
}

static void
add_work(struct suf_cost *c, const struct suf_step *s)
{
	enum { OF_DEALER = 1 << SUF_DEALER, OF_CLIENT = 1 << SUF_P1, OF_PARTY = 1 << SUF_P0 | OF_CLIENT, OF_ALL = OF_DEALER | OF_PARTY };
	(void)s;
#define WORK(step, role, aes, muls) \
	if (s->op == SUF_##step) \
		for (int r = 0; r < SUF_NROLE; r++) \
			if ((OF_##role) >> r & 1) { \
				c->prg[r] += (aes); \
				c->mul_adds[r] += (muls); \
			}
#include "steps.def"
}

/* SENT rows: who sends, how many values of how many bits. */
static void
add_sent(struct suf_cost *c, const struct suf_step *s)
{
	uint64_t *const by_P0 = &c->sent[0], *const by_P1 = &c->sent[1], *const by_P1_OFFLINE = &c->offline;
#define SENT(step, from, count, bits) if (s->op == SUF_##step) *by_##from += ((uint64_t)(count) * (uint64_t)(bits) + 7) / 8;
#include "steps.def"
}

/* ---- key bytes as in published systems -------------------------------------------------
 * Words of one, two or eight bytes; vectors of bits in words of 32; a comparison
 * key with its root and, for each level, a row of right control bits, which a key
 * for all leaves holds in one word of 32 bits for all levels. */

static uint64_t words_of(unsigned bits, uint64_t count) { return count * (bits <= 8 ? 1 : bits <= 16 ? 2 : 8); }
static uint64_t words_bits(uint64_t count) { return (count + 31) / 32 * 4; }

static uint64_t
words_tree(unsigned b, uint64_t count, uint64_t right_bits)
{
	if (b <= DPF_LEAF_BITS)
		return dpf_key_bytes(b, count);  /* a truth table in both */
	return (16 * (uint64_t)(b - DPF_LEAF_BITS) + 32) * count + right_bits;
}

static uint64_t words_dpf(unsigned b, uint64_t count) { return words_tree(b, count, b <= DPF_LEAF_BITS ? 0 : (b - DPF_LEAF_BITS) * words_bits(count)); }
static uint64_t words_dpf_all(unsigned b, uint64_t count) { return words_tree(b, count, 4 * count); }

/* The first half of a faithful truncation alone goes without the word for the top bit of the mask. */
static bool words_drop_msb(const struct suf_step *s) { return !s->slack && s->m == s->n - s->s && s->m > 16; }

/* `each` words for both values of a borrow bit, and as many for the top bit of the mask. */
static uint64_t
words_shifted(const struct suf_step *s, uint64_t count, uint64_t each)
{
	return each * ((s->s ? 2u : 1u) + s->slack) * words_of(s->m, count);
}

static uint64_t
words_cellfix(const struct suf_step *s)
{
	uint64_t bytes = 0;
	for (int k = 0; k < SUF_FIX_PARTS; k++)
		bytes += suf_cellfix_bits(s, k) ? words_of(suf_cellfix_bits(s, k), suf_limbs(suf_cellfix_bits(s, k)) * s->count) : 0;
	return bytes;
}

static uint64_t
step_words(const struct suf_step *s)
{
	switch (s->op) {
#define WORDS(step, bytes) case SUF_##step: return (bytes);
#include "steps.def"
	default: return 0;
	}
}

/* ---- a step ------------------------------------------------------------------------------ */

void
suf_cost_add(struct suf_cost *to, const struct suf_cost *c)
{
	for (int p = 0; p < 2; p++) {
		to->key[p] += c->key[p];
		to->sent[p] += c->sent[p];
	}
	for (int r = 0; r < SUF_NROLE; r++) {
		to->prg[r] += c->prg[r];
		to->mul_adds[r] += c->mul_adds[r];
	}
	to->client_key += c->client_key;
	to->offline += c->offline;
	to->words += c->words;
}

struct suf_cost
suf_step_cost(const struct suf_step *s, uint8_t output_to)
{
	struct suf_cost total = { .words = step_words(s) };
	for (enum suf_part part = 0; part < SUF_NPART; part++) {
		if (suf_part_desc[part].step != s->op)
			continue;
		struct suf_cost c = suf_part_cost(part, s, output_to);
		suf_cost_add(&total, &c);
	}
	add_seeds(&total, s);
	add_work(&total, s);
	add_sent(&total, s);
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

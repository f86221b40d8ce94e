/* SPDX-License-Identifier: Apache-2.0
 * stream_test.c -- no word of a stream serves two purposes: dealer and parties run examples and all steps while every
 * request for words is written down (the linker puts recorders around prg_stream and suf_step), and each must be the one
 * that steps.def gives its step.  Seeds, sessions and key ids of one keygen differ.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "key.h"
#include "step_harness.h"
#include "small_program.h"
#include "view_programs.h"
#include <cmocka.h>
#include "frontend/onnx.h"
#include "passes/exec.h"

void __real_prg_stream(enum suf_isa, const struct prg_stream_key *, uint32_t, uint32_t, uint64_t, size_t, unsigned, uint64_t *);
void __wrap_prg_stream(enum suf_isa, const struct prg_stream_key *, uint32_t, uint32_t, uint64_t, size_t, unsigned, uint64_t *);
enum suf_err __real_suf_step(struct suf_run *, const struct suf_step *);
enum suf_err __wrap_suf_step(struct suf_run *, const struct suf_step *);

/* ---- the record -------------------------------------------------------------- */

/* Streams are named here as the security argument does: parts from 1, pads from 0x100, an input's mask 0x200, a weight's 0. */
enum { ROLES = 3, DEALER = 2, MOST_STEPS = 1 << 16, SLOTS = 1 << 12, MOST_AHEAD = 1 << 10, TAG_PART = 1, TAG_PAD = 0x100 };
enum seed { SEED_P0, SEED_P1, SEED_MODEL0, SEED_MODEL1, SEED_CLIENT, NSEED };
struct ahead { uint32_t by, id; enum seed seed; uint64_t end; }; /* pads that are mask shares before their own step was done */
struct words { uint32_t id, tag; enum seed seed; uint64_t count; uint8_t *asked; struct words *next; };
struct record {
	struct words *head[SLOTS];
	uint32_t id[MOST_STEPS], ndone;  /* every step so far */
	struct ahead ahead[MOST_AHEAD]; uint32_t nahead;
	unsigned bad; char what[256];    /* breaches of the rules; the first of them */
	uint64_t asked;
};
static struct record *record[ROLES];
static _Thread_local struct record *here;
static _Thread_local struct suf_run *run_here;
static _Thread_local const struct suf_step *step_here;
static uint32_t same_id;                         /* mutation: step ids lose these bits */
static uint32_t same_tag;                        /* mutation: tags lose these bits */

static void __attribute__((format(printf, 2, 3)))
breach(struct record *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	if (r->bad++ == 0)
		vsnprintf(r->what, sizeof r->what, fmt, ap);
	va_end(ap);
}

static struct words *
words_of(struct record *r, enum seed seed, uint32_t id, uint32_t tag, bool make)
{
	struct words **at = &r->head[(id * 31 + tag * 7 + seed) % SLOTS];
	for (; *at; at = &(*at)->next)
		if ((*at)->seed == seed && (*at)->id == id && (*at)->tag == tag)
			return *at;
	if (make) {
		*at = calloc(1, sizeof **at);
		(*at)->id = id;
		(*at)->tag = tag;
		(*at)->seed = seed;
	}
	return *at;
}

/* Words of an element of a part: roots have two. */
static unsigned
words_each(enum suf_part part, const struct suf_step *s)
{
	return suf_part_desc[part].kind == KIND_DPF ? 2 : suf_limbs(suf_part_bits(part, s));
}

/* How many words a step has under a tag; parts: also which. */
static uint64_t
allotted(const struct suf_step *s, uint32_t tag, enum suf_part *part)
{
	uint32_t at = TAG_PART;
	for (*part = 0; *part < SUF_NPART; ++*part)
		if (suf_part_desc[*part].step == s->op && at++ == tag)
			return suf_part_count(*part, s) * words_each(*part, s);
#define PADS(step, output, count, bits) if (s->op == SUF_##step && tag == TAG_PAD + (output)) return (count);
#include "steps.def"
	return 0;
}

/* A step's own words: inside what is allotted to it, at the right party, never twice. */
static void
own_words(struct record *r, const struct suf_step *s, enum seed seed, uint32_t tag, uint64_t first, size_t count)
{
	enum suf_part part;
	uint64_t most = seed == SEED_CLIENT ? s->count : allotted(s, tag, &part);
	if (first + count > most) {
		breach(r, "step %u (%s): words %llu.. of tag %x, it has %llu", s->id, suf_step_desc[s->op].name, (unsigned long long)(first + count),
		       tag, (unsigned long long)most);
		return;
	}
	bool corr = seed <= SEED_P1 && part < SUF_NPART && suf_part_desc[part].kind != KIND_DPF;
	struct words *w = words_of(r, seed, s->id, tag, true);
	if (!w->asked) {
		w->count = most;
		w->asked = calloc((size_t)most + 1, 1);
	}
	for (uint64_t i = first; i < first + count; i++) {
		if (i >= w->count || w->asked[i]++)
			breach(r, "step %u (%s): word %llu of tag %x is used twice", s->id, suf_step_desc[s->op].name, (unsigned long long)i, tag);
		if (corr && (int)seed == corr_party(i / words_each(part, s)))
			breach(r, "step %u (%s): party %d gets a correction and has a word for %llu of tag %x", s->id, suf_step_desc[s->op].name,
			       (int)seed, (unsigned long long)i, tag);
	}
}

/* Mask shares by reference: the pads of an earlier step, and no others.  What party 1 does in advance is looked at in the end. */
static void
reference(struct record *r, const struct suf_step *s, enum seed seed, uint32_t id, uint32_t tag, uint64_t first, size_t count)
{
	struct words *w = words_of(r, seed, id, tag, false);
	if (run_here->in_advance && tag == TAG_PAD && (id == s->pad_a || id == s->pad_b) && r->nahead < MOST_AHEAD)
		r->ahead[r->nahead++] = (struct ahead){ s->id, id, seed, first + count };
	else if (tag != TAG_PAD || (id != s->pad_a && id != s->pad_b) || !w || first + count > w->count)
		breach(r, "step %u (%s) reads words of (%u, %x), which are not its own", s->id, suf_step_desc[s->op].name, id, tag);
}

static void
references_ahead(struct record *r)
{
	for (uint32_t k = 0; k < r->nahead; k++) {
		const struct ahead *a = &r->ahead[k];
		const struct words *w = words_of(r, a->seed, a->id, TAG_PAD, false);
		if (!w || a->end > w->count)
			breach(r, "step %u reads pads of step %u in advance, which are none", a->by, a->id);
	}
}

static void
weight_words(struct record *r, const struct suf_step *s, uint32_t id, uint32_t tag)
{
	for (int k = 0; k < SUF_MAX_IN; k++)
		if (tag == 0 && s->in[k].space == SUF_WEIGHT && s->in[k].at + 1 == id)
			return;
	breach(r, "step %u (%s) reads the mask of tensor %u with tag %x", s->id, suf_step_desc[s->op].name, id - 1, tag);
}

void
__wrap_prg_stream(enum suf_isa isa, const struct prg_stream_key *key, uint32_t id, uint32_t tag, uint64_t first, size_t count, unsigned bits,
                  uint64_t *out)
{
	const struct suf_step *s = step_here;
	__real_prg_stream(isa, key, id, tag, first, count, bits, out);
	if (!here || !s || count == 0)
		return;
	if (tag >= TAG_PART && tag < TAG_PAD)
		tag = ((tag - TAG_PART) & ~same_tag) + TAG_PART;
	const struct suf_run *r = run_here;
	const struct prg_stream_key *all[NSEED] = { &r->seed[0], &r->seed[1], &r->model[0], &r->model[1], &r->client };
	enum seed seed = 0;
	while (seed < NSEED && all[seed] != key)
		seed++;
	here->asked += count;
	if (seed == NSEED)
		breach(here, "step %u (%s): a seed that is none of the session's", s->id, suf_step_desc[s->op].name);
	else if (r->mode == RUN_PARTY && (seed == SEED_CLIENT ? r->party != 1 : (int)seed % 2 != r->party))
		breach(here, "step %u (%s): party %d reads from seed %d", s->id, suf_step_desc[s->op].name, r->party, (int)seed);
	else if ((seed == SEED_CLIENT) != (s->op == SUF_input) || (seed == SEED_CLIENT && (tag != RUN_TAG_INPUT || id != s->id)))
		breach(here, "step %u (%s): an input's mask from a wrong stream", s->id, suf_step_desc[s->op].name);
	else if (seed == SEED_MODEL0 || seed == SEED_MODEL1)
		weight_words(here, s, id, tag);
	else if (id == s->id)
		own_words(here, s, seed, tag, first, count);
	else
		reference(here, s, seed, id, tag, first, count);
}

enum suf_err
__wrap_suf_step(struct suf_run *r, const struct suf_step *from)
{
	struct suf_step s = *from;
	if (r->mode == RUN_PLAN || r->mode == RUN_SIM || !record[0])
		return __real_suf_step(r, from);
	if (s.op != SUF_input && s.op != SUF_output && s.op != SUF_open)
		s.id &= ~same_id;
	here = record[r->mode == RUN_DEAL ? DEALER : r->party];
	run_here = r;
	step_here = &s;
	/* party 1 goes through the program twice, and does each step once: openings are made in advance and taken online */
	const bool once = r->mode == RUN_DEAL || r->party == 0 || (r->in_advance ? s.offline && s.op != SUF_open : !s.offline || s.op == SUF_open);
	for (uint32_t k = 0; once && k < here->ndone; k++)
		if (here->id[k] == s.id)
			breach(here, "two steps have the id %u", s.id);
	if (once && here->ndone < MOST_STEPS)
		here->id[here->ndone++] = s.id;
	enum suf_err e = __real_suf_step(r, &s);
	step_here = NULL;
	here = NULL;
	return e;
}

static void
record_start(void)
{
	for (int k = 0; k < ROLES; k++) {
		record[k] = calloc(1, sizeof *record[k]);
		assert_non_null(record[k]);
	}
}

/* Breaches of all roles; the dealer expands exactly what the parties expand. */
static unsigned
record_end(char what[256], uint64_t *asked)
{
	unsigned bad = 0;
	*asked = 0;
	for (uint32_t slot = 0; slot < SLOTS; slot++)
		for (const struct words *d = record[DEALER]->head[slot]; d; d = d->next) {
			if (d->seed > SEED_P1)
				continue;
			struct words *p = words_of(record[d->seed], d->seed, d->id, d->tag, false);
			if (!p || p->count != d->count || memcmp(p->asked, d->asked, (size_t)d->count) != 0)
				breach(record[DEALER], "dealer and party %d expand different words of (%u, %x)", (int)d->seed, d->id, d->tag);
		}
	what[0] = '\0';
	for (int k = 0; k < ROLES; k++) {
		references_ahead(record[k]);
		bad += record[k]->bad;
		*asked += record[k]->asked;
		if (record[k]->bad && !what[0])
			snprintf(what, 256, "%s", record[k]->what);
		for (uint32_t slot = 0; slot < SLOTS; slot++)
			for (struct words *w = record[k]->head[slot], *next; w; w = next) {
				next = w->next;
				free(w->asked);
				free(w);
			}
		free(record[k]);
		record[k] = NULL;
	}
	return bad;
}

/* ---- programs ------------------------------------------------------------------- */

static void
run_model(const char *name, bool may_fail, char what[256], unsigned *bad, uint64_t *asked)
{
	char path[512], calibrate[512], text[256];
	snprintf(path, sizeof path, SOURCE_DIR "/examples/%s/model.onnx", name);
	snprintf(calibrate, sizeof calibrate, SOURCE_DIR "/examples/%s/calibrate.npz", name);
	const struct options opt = { .model = path, .calibrate = calibrate, .output_to = 1, .gates = "sigma" };
	struct diag *d = diag_new(stderr, false);
	diag_quiet(d, true);
	struct prog *p = onnx_import(path, &opt, d);
	assert_true(p && run_passes(p, &opt, stdout));
	struct exec *e = exec_new(p);
	const struct suf_program *sp = exec_program(e);
	uint64_t *in[4] = { NULL }, *out[4] = { NULL };
	assert_true(sp->ninput <= 4 && sp->noutput <= 4);
	for (uint32_t k = 0; k < sp->ninput; k++) {
		in[k] = calloc(exec_wire_count(&sp->input[k]), 8);
		for (uint64_t i = 0; i < exec_wire_count(&sp->input[k]); i++)
			in[k][i] = harness_random() & ring_mask(sp->input[k].bits);
	}
	for (uint32_t k = 0; k < sp->noutput; k++)
		out[k] = calloc(exec_wire_count(&sp->output[k]), 8);
	struct exec_seeds seeds;
	struct exec_parties got;
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	record_start();
	enum suf_err err = exec_run(e, &seeds, in, out, NULL, NULL, &got, text);
	*bad = record_end(what, asked);
	if (err && !may_fail)
		fail_msg("%s: %s", name, text);
	for (int k = 0; k < 4; k++) {
		free(in[k]);
		free(out[k]);
	}
	exec_free(e);
	ir_free(p);
	diag_free(d);
}

static void
test_examples(void **state)
{
	(void)state;
	static const char *const name[] = { "digits_vit", "char_gpt", "text_classifier" };
	for (int k = 0; k < 3; k++) {
		char what[256];
		unsigned bad;
		uint64_t asked;
		run_model(name[k], false, what, &bad, &asked);
		if (bad)
			fail_msg("%s: %u breaches; the first: %s", name[k], bad, what);
		assert_true(asked > 100000); /* the recorders are in place */
	}
}

/* Every kind of step that opens or deals, over more than one block. */
static void
test_steps(void **state)
{
	(void)state;
	for (int k = 0; k < VIEW_PROGRAMS; k++) {
		struct harness h;
		char what[256];
		uint64_t asked;
		harness_init(&h);
		view_secrets((uint64_t)k);
		view_program[k].make(&h, SUF_BLOCK + 8);
		record_start();
		harness_run(&h);
		const unsigned bad = record_end(what, &asked);
		if (bad)
			fail_msg("%s: %u breaches; the first: %s", view_program[k].name, bad, what);
		assert_true(asked > SUF_BLOCK);
		harness_free(&h);
	}
}

/* Steps or parts that share a name for their words must be seen. */
static void
test_it_sees(void **state)
{
	(void)state;
	char what[256];
	unsigned bad;
	uint64_t asked;
	same_id = 1;
	run_model("digits_vit", true, what, &bad, &asked);
	same_id = 0;
	assert_true(bad > 0);
	same_tag = 1;
	run_model("digits_vit", true, what, &bad, &asked);
	same_tag = 0;
	assert_true(bad > 0);
}

/* ---- seeds ------------------------------------------------------------------------ */

enum { PAIRS = 6 };
struct secret { uint8_t b[16]; };

static void
read_key(const char *dir, const char *name, struct suf_key_head *h)
{
	char path[512], text[256];
	uint8_t raw[SUF_KEY_HEADER];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	assert_int_equal(fread(raw, 1, sizeof raw, f), sizeof raw);
	fclose(f);
	assert_int_equal(suf_key_head_get(h, raw, text), SUF_OK);
}

/* All keys of one folder: every seed is another one, sessions and ids are one for each pair. */
static void
test_seeds_differ(void **state)
{
	(void)state;
	char dir[] = "/tmp/suf-stream-XXXXXX", text[SUF_TEXT], path[512];
	assert_non_null(mkdtemp(dir));
	struct suf_deal_config cfg = { .dir = dir, .count = PAIRS, .outside_client = true };
	struct suf_stats stats;
	assert_int_equal(suf_deal(&small_program, &cfg, &stats, text), SUF_OK);
	cfg.count = PAIRS / 2; /* a second call, with the same state of the weight mask */
	assert_int_equal(suf_deal(&small_program, &cfg, &stats, text), SUF_OK);
	struct secret seed[4 * PAIRS + PAIRS + 2], id[2 * PAIRS], model[2];
	uint64_t session[2 * PAIRS];
	uint32_t nseed = 0, npair = 0;
	DIR *d = opendir(dir);
	for (struct dirent *f; (f = readdir(d)) != NULL;) {
		struct suf_key_head h;
		if (!strstr(f->d_name, ".key"))
			continue;
		read_key(dir, f->d_name, &h);
		assert_true(nseed < sizeof seed / sizeof *seed);
		memcpy(&seed[nseed++], &h.seed, 16);
		if (h.kind == SUF_KEY_CLIENT)
			continue;
		struct secret *m = &model[h.kind];
		if (h.kind == SUF_KEY_P0) {
			memcpy(&id[npair], h.id, 16);
			session[npair++] = h.session;
		}
		if (nseed > 0 && npair > 1 && h.kind == SUF_KEY_P0)
			assert_memory_equal(m, &h.model_seed, 16); /* the mask of the weights outlives the runs */
		memcpy(m, &h.model_seed, 16);
	}
	rewinddir(d);
	assert_int_equal(npair, PAIRS + PAIRS / 2);
	assert_int_equal(nseed, 3 * npair);
	memcpy(&seed[nseed++], &model[0], 16);
	memcpy(&seed[nseed++], &model[1], 16);
	for (uint32_t i = 0; i < nseed; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_memory_not_equal(&seed[i], &seed[j], 16);
	for (uint32_t i = 0; i < npair; i++)
		for (uint32_t j = 0; j < i; j++) {
			assert_memory_not_equal(&id[i], &id[j], 16);
			assert_true(session[i] != session[j]);
		}
	for (struct dirent *f; (f = readdir(d)) != NULL;) {
		snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
		if (f->d_name[0] != '.')
			unlink(path);
	}
	closedir(d);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_examples), cmocka_unit_test(test_steps), cmocka_unit_test(test_it_sees), cmocka_unit_test(test_seeds_differ) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

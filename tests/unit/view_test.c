/* SPDX-License-Identifier: Apache-2.0
 * view_test.c -- what one party sees tells nothing: in small rings, over many sessions with the same secrets, all that a
 * party holds and receives (masked inputs and weights, its key, its own stream words, the peer's messages) is uniform, and
 * the same for other secrets.
 *
 * A session's view is a row of bits.  Every column, every exclusive or of two columns and every four neighbours must be
 * uniform, and no exclusive or of any number of columns may be constant (their rank over GF(2) is full).  The peer's messages
 * enter in three forms: as they are; opened, less the own pad; opened.  Each form with all the rest is uniform when every pad
 * is fresh.  Seeds are fixed: the result is always the same.  Chances below are under 1e-13 for one column in any case.
 *
 * The linker puts a wrapper around prg_stream: there own words are recorded, and there a pad is forgotten or used twice,
 * by dealer and party alike, which the statistics must see for nearly every stream of the honest party.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "step_harness.h"
#include <cmocka.h>
#include "view_programs.h"
#include "view_stats.h"

void __real_prg_stream(enum suf_isa, const struct prg_stream_key *, uint32_t, uint32_t, uint64_t, size_t, unsigned, uint64_t *);
void __wrap_prg_stream(enum suf_isa, const struct prg_stream_key *, uint32_t, uint32_t, uint64_t, size_t, unsigned, uint64_t *);
enum suf_isa __real_suf_cpu_best(void);
enum suf_isa __wrap_suf_cpu_best(void);
enum suf_err __real_suf_source_read(struct suf_source *, void *, size_t);
enum suf_err __wrap_suf_source_read(struct suf_source *, void *, size_t);

enum {
	SESSIONS = 64 * VIEW_WORDS, LATER = 64 * 14, FAULTY = 64 * 13, /* of long programs, with faults */
	BATCH = 64, LABELS = 64, ELEMENTS = 16, TAG_PAD = 0x100
};

/* ---- a party's view --------------------------------------------------------------- */

struct label { uint32_t id, tag; unsigned bits; int party; uint64_t end; };
struct view {
	struct columns c;
	struct label label[LABELS]; uint32_t nlabel; /* own streams of this session, each once */
	uint64_t pad[LABELS][ELEMENTS];  /* their last words */
};
struct secrets { struct prg_seed seed[2], model[2], client; uint64_t session; };
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };               /* slow: the statistics are for other builds */
#else
enum { SANITIZED = false };
#endif
static size_t keep;                      /* elements (bytes of the key) that are looked at: the last of every request */
static _Thread_local struct view *view_here;
static _Thread_local const struct secrets *now;

/* ---- streams, right and wrong ------------------------------------------------------- */

enum fault { NONE, ZERO, AGAIN, TWINS, FORCED }; /* forgotten; another label's words; neighbours share a word; a sign is chosen */
static struct { enum fault fault; struct label at, from; } mutation;

static void
record_words(struct view *v, const struct label *l, size_t count, const uint64_t *out)
{
	size_t n = count < keep ? count : keep;
	const bool roots = l->bits == 64;        /* a root's first word holds all of a small domain */
	for (uint32_t k = 0; k < v->nlabel; k++) /* a pad as a mask share: seen before */
		if (v->label[k].id == l->id && v->label[k].tag == l->tag && v->label[k].end == l->end)
			return;
	if (count >= SUF_BLOCK && count % SUF_BLOCK == 0 && !roots) /* a whole block before those that are looked at */
		return;
	assert_true(v->nlabel < LABELS);
	memcpy(v->pad[v->nlabel], out + count - n, n * 8);
	v->label[v->nlabel++] = *l;
	for (size_t i = count - n; i < count; i++)
		if (!roots || i % 2 == 0)
			view_put(&v->c, HELD, out[i], roots ? 8 : l->bits);
}

static int
party_of(const struct prg_stream_key *key)
{
	for (int p = 0; p < 2; p++)
		if (memcmp(key->round_key, now->seed[p].b, 16) == 0)
			return p;
	return -1;
}

/* A dealer who wants the sign +1: words of party 0 that have the special point's bit.  Roots of truth tables, two words each, whose
 * point is the mask of an input of 3 bits; or one-hots for the cells of an input of 5 bits, from.bits of them. */
static void
force_sign(enum suf_isa isa, uint64_t first, size_t count, uint64_t *word)
{
	struct prg_stream_key client;
	uint64_t r[SUF_BLOCK];
	const unsigned each = mutation.from.bits == 5 ? 1 : 2;
	prg_stream_init(&client, &now->client);
	__real_prg_stream(isa, &client, mutation.from.id, RUN_TAG_INPUT, first / each, count / each, mutation.from.bits, r);
	for (size_t i = 0; i < count / each; i++)
		word[each * i] |= 1ull << (each == 1 ? (0 - (r[i] >> 2)) & 7 : r[i]);
}

void
__wrap_prg_stream(enum suf_isa isa, const struct prg_stream_key *key, uint32_t id, uint32_t tag, uint64_t first, size_t count, unsigned bits,
                  uint64_t *out)
{
	const struct label l = { id, tag, bits, party_of(key), first + count };
	const bool hit = mutation.fault != NONE && l.party == mutation.at.party && id == mutation.at.id && tag == mutation.at.tag;
	if (hit && mutation.fault == AGAIN)
		__real_prg_stream(isa, key, mutation.from.id, mutation.from.tag, first, count, bits, out);
	else
		__real_prg_stream(isa, key, id, tag, first, count, bits, out);
	if (hit && mutation.fault == FORCED)
		force_sign(isa, first, count, out);
	for (size_t i = 0; hit && (mutation.fault == ZERO || mutation.fault == TWINS) && i < count; i++)
		out[i] = mutation.fault == ZERO ? 0 : out[i & (bits == 64 ? ~(size_t)2 : ~(size_t)1)];
	if (view_here && count)
		record_words(view_here, &l, count, out);
}

/* Asking the processor is slow in a virtual machine, and every session asks. */
static enum suf_isa best;
enum suf_isa
__wrap_suf_cpu_best(void)
{
	return best;
}

/* What the party reads from its key: the end of a block that is not whole. */
enum suf_err
__wrap_suf_source_read(struct suf_source *s, void *to, size_t n)
{
	enum suf_err e = __real_suf_source_read(s, to, n);
	const uint8_t *p = to;
	const bool whole_block = n % (SUF_BLOCK / 8) == 0;
	for (size_t i = n > keep ? n - keep : 0; view_here && !whole_block && !e && i < n; i++)
		view_put(&view_here->c, HELD, p[i], 8);
	return e;
}

/* ---- sessions -------------------------------------------------------------------------- */

/* The pad of the step that made an opened value, if no local step lies between. */
static const uint64_t *
own_pad(const struct harness *h, const struct view *v, struct suf_ref at)
{
	for (uint32_t i = 0; i < h->nitem; i++)
		for (uint32_t k = 0; k < SUF_MAX_OUT; k++) {
			const struct suf_step *s = &h->item[i].s;
			if (s->op == SUF_open || suf_step_desc[s->op].form != FORM_SHARED || s->out[k].space != SUF_WIRE || s->out[k].at != at.at)
				continue;
			for (uint32_t j = 0; j < v->nlabel; j++)
				if (v->label[j].id == s->id && v->label[j].tag == TAG_PAD + k)
					return v->pad[j];
		}
	return NULL;
}

/* early: party 1's part, sent before the input was there; NULL: made and sent now. */
static void
record_opened(const struct harness *h, struct suf_run *r, const struct suf_step *s, const uint64_t *share, const uint64_t *early)
{
	const uint64_t m = ring_mask(s->m), *x = run_wire(r, s->out[0]), *pad = own_pad(h, view_here, s->in[0]);
	const uint64_t half = s->round_half && s->s && r->party == 0 ? 1ull << (s->s - 1) : 0;
	const size_t n = s->count < keep ? (size_t)s->count : keep;
	for (size_t i = 0; i < n; i++) {
		uint64_t at = s->count - n + i, own = early && r->party == 1 ? early[at] : ((share[at] + half) & ring_mask(s->n)) >> s->s;
		view_put(&view_here->c, SENT, early && r->party == 0 ? early[at] : (x[at] - own) & m, s->m);
		if (pad)
			view_put(&view_here->c, LESS_PAD, (x[at] - (pad[i] >> s->s)) & m, s->m);
		view_put(&view_here->c, OPENED, x[at], s->m);
	}
}

/* An opening, unless the party is told nothing.  *ahead: where the next message that was sent before is. */
static void
record_opening(const struct harness *h, struct suf_run *r, const struct suf_step *s, const uint64_t *share, size_t *ahead)
{
	uint64_t *early = s->offline ? malloc(s->count * 8) : NULL;
	if (early) {
		unpack_bits(r->isa, early, r->ahead + *ahead, s->count, s->m);
		*ahead += (s->count * s->m + 7) / 8;
	}
	if (!s->one_way || r->party == 0)
		record_opened(h, r, s, share + s->in[0].at, early);
	free(early);
}

/* Shares are kept until the round is over.  Party 1 comes here in advance, too; it receives nothing then. */
static enum suf_err
body(struct suf_run *r)
{
	const struct harness *h = (const struct harness *)r->prog;
	uint64_t *share = r->mode == RUN_PARTY && !r->in_advance ? malloc(h->wires * 8) : NULL;
	size_t ahead = 0;
	enum suf_err e = SUF_OK;
	for (uint32_t i = 0, first = 0; i < h->nitem && !e; i++) {
		e = suf_step(r, &h->item[i].s);
		if (e || !h->item[i].round_after)
			continue;
		if (share)
			memcpy(share, r->wire, h->wires * 8);
		e = suf_round(r);
		for (; share && !e && first <= i; first++)
			if (h->item[first].s.op == SUF_open)
				record_opening(h, r, &h->item[first].s, share, &ahead);
	}
	free(share);
	return e;
}

static void
give(struct suf_run *r, const struct secrets *s)
{
	for (int p = 0; p < 2; p++)
		if (r->mode == RUN_DEAL || r->party == p) {
			prg_stream_init(&r->seed[p], &s->seed[p]);
			prg_stream_init(&r->model[p], &s->model[p]);
		}
	if (r->mode == RUN_DEAL)
		prg_stream_init(&r->client, &s->client);
	r->session = s->session;
	r->outside_client = true;        /* neither party knows an input's mask */
}

struct session { struct secrets s; struct suf_sink *key[2], *client; uint64_t *x_hat[8], *w_hat[8]; };
struct side { struct harness *h; int party; struct suf_chan *chan; struct session *session; uint32_t n, first; struct view *view; enum suf_err err; };

static void *
side_thread(void *p)
{
	struct side *a = p;
	struct view *v = a->view;
	struct suf_run *r = malloc(sizeof *r);
	for (uint32_t i = 0; i < a->n && !a->err; i++) {
		struct session *s = &a->session[i];
		now = &s->s;
		v->c.at = v->nlabel = 0;
		v->c.session = a->first + i;
		a->err = run_init(r, &a->h->prog, RUN_PARTY);
		r->party = a->party;
		give(r, &s->s);
		r->input_masked = true;
		r->input = (const uint64_t *const *)s->x_hat;
		r->weight = (const uint64_t *const *)s->w_hat;
		r->owned = a->party == 0 ? (const uint64_t *const *)a->h->weight_data : NULL;
		r->chan = a->chan;
		if (!a->err)
			a->err = suf_source_memory(&r->key, suf_sink_data(s->key[a->party]), suf_sink_bytes(s->key[a->party]));
		view_here = v;
		for (uint32_t k = 0; k < a->h->prog.ninput + a->h->prog.nweight; k++) {
			bool in = k < a->h->prog.ninput;
			uint32_t j = in ? k : k - a->h->prog.ninput;
			uint64_t count = in ? a->h->in_count[j] : a->h->weight_count[j];
			if (!in && a->h->weight_dealt[j]) /* public */
				continue;
			for (uint64_t e = count > keep ? count - keep : 0; e < count; e++)
				view_put(&v->c, HELD, in ? s->x_hat[j][e] : s->w_hat[j][e], in ? a->h->input[j].bits : a->h->weight[j].bits);
		}
		if (!a->err)
			a->err = run_start(r);
		view_here = NULL;
		suf_source_close(r->key);
		run_done(r);
		assert_true(v->c.session == 0 || v->c.at == v->c.n);
		v->c.n = v->c.at;
	}
	free(r);
	return NULL;
}

/* v + r for an input or a weight. */
static uint64_t *
mask(const uint64_t *v, uint64_t count, unsigned bits, const struct prg_seed *seed, int nseed, uint32_t id, uint32_t tag)
{
	uint64_t *to = malloc(count * 8), *pad = malloc(count * 8);
	memcpy(to, v, count * 8);
	for (int k = 0; k < nseed; k++) {
		struct prg_stream_key key;
		prg_stream_init(&key, &seed[k]);
		prg_stream(suf_cpu_best(), &key, id, tag, 0, count, bits, pad);
		for (uint64_t i = 0; i < count; i++)
			to[i] = (to[i] + pad[i]) & ring_mask(bits);
	}
	free(pad);
	return to;
}

static void
deal(struct harness *h, struct session *s)
{
	struct suf_run *d = malloc(sizeof *d);
	now = &s->s;
	assert_int_equal(run_init(d, &h->prog, RUN_DEAL), SUF_OK);
	give(d, &s->s);
	d->weight = h->weight_dealt;
	for (int p = 0; p < 2; p++) {
		assert_int_equal(suf_sink_memory(&s->key[p]), SUF_OK);
		d->sink[p] = s->key[p];
	}
	assert_int_equal(run_start(d), SUF_OK);
	run_done(d);
	free(d);
	for (uint32_t k = 0; k < h->prog.ninput; k++)
		s->x_hat[k] = mask(h->in_data[k], h->in_count[k], h->input[k].bits, &s->s.client, 1, h->input[k].step, RUN_TAG_INPUT);
	for (uint32_t k = 0; k < h->prog.nweight; k++)
		s->w_hat[k] = mask(h->weight_data[k], h->weight_count[k], h->weight[k].bits, s->s.model, h->weight_dealt[k] ? 0 : 2, k + 1, 0);
}

static void
session_free(struct session *s)
{
	for (int p = 0; p < 2; p++)
		assert_int_equal(suf_sink_finish(s->key[p], false), SUF_OK);
	for (int k = 0; k < 8; k++) {
		free(s->x_hat[k]);
		free(s->w_hat[k]);
	}
}

/* The same seeds at each call of a test: what differs is the secrets, or the fault. */
static void
fixed_seeds(struct secrets *s, uint32_t session, uint32_t stream)
{
	static const struct prg_seed root = { "seeds of a test" };
	struct prg_stream_key key;
	prg_stream_init(&key, &root);
	__real_prg_stream(SUF_ISA_PORTABLE, &key, session, stream, 0, sizeof *s / 8, 64, (uint64_t *)(void *)s);
}

static void
run_sessions(struct harness *h, uint32_t n, uint32_t stream, struct view *view[2])
{
	struct suf_chan *pair[2];
	struct session *batch = calloc(BATCH, sizeof *batch);
	assert_int_equal(suf_chan_pair(pair), SUF_OK);
	memset(view[0], 0, sizeof *view[0]);
	memset(view[1], 0, sizeof *view[1]);
	h->prog.wire_elems = h->wires;
	h->prog.body = body;
	for (uint32_t at = 0; at < n; at += BATCH) {
		struct side side[2];
		pthread_t thread;
		memset(batch, 0, BATCH * sizeof *batch);
		for (uint32_t i = 0; i < BATCH; i++) {
			fixed_seeds(&batch[i].s, at + i, stream);
			deal(h, &batch[i]);
		}
		for (int p = 0; p < 2; p++)
			side[p] = (struct side){ h, p, pair[p], batch, BATCH, at, view[p], SUF_OK };
		assert_int_equal(pthread_create(&thread, NULL, side_thread, &side[0]), 0);
		side_thread(&side[1]);
		pthread_join(thread, NULL);
		assert_int_equal(side[0].err, SUF_OK);
		assert_int_equal(side[1].err, SUF_OK);
		for (uint32_t i = 0; i < BATCH; i++)
			session_free(&batch[i]);
	}
	free(batch);
	suf_chan_close(pair[0]);
	suf_chan_close(pair[1]);
}

/* ---- programs ------------------------------------------------------------------------------- */

static void
sessions_of(const struct view_program *p, uint64_t count, uint32_t n, uint64_t secrets, uint32_t stream, struct view *view[2])
{
	struct harness h;
	keep = n == SESSIONS ? ELEMENTS : ELEMENTS / 2; /* fewer columns than sessions */
	view_secrets(secrets);
	harness_init(&h);
	p->make(&h, count);
	run_sessions(&h, n, stream, view);
	harness_free(&h);
}

static void
new_views(struct view *v[2])
{
	for (int p = 0; p < 2; p++) {
		v[p] = malloc(sizeof *v[p]);
		assert_non_null(v[p]);
	}
}

static void
check_views(const struct view_program *p, uint64_t before, uint32_t n)
{
	struct view *a[2], *b[2];
	struct verdict v;
	new_views(a);
	new_views(b);
	sessions_of(p, before + 8, n, 1, 1, a);
	sessions_of(p, before + 8, n, 99, 2, b);
	for (int c = 0; c < 2; c++) {
		view_judge(&a[c]->c, &b[c]->c, n / 64, &v);
		if (!view_fine(&v))
			fail_msg("%s, %u elements before: party %d sees something: %.1f deviations, chi-square %.0f, %u constants, %s in %u columns", p->name,
			         (unsigned)before, c, v.worst, v.chi, v.constant, v.differs ? "other secrets differ" : "same for other secrets", v.columns);
		free(a[c]);
		free(b[c]);
	}
}

static void
test_views(void **state)
{
	(void)state;
	for (int k = 0; k < VIEW_PROGRAMS; k += SANITIZED ? 4 : 1)
		check_views(&view_program[k], 0, SANITIZED ? LATER : SESSIONS);
}

static void
test_views_of_later_blocks(void **state)
{
	(void)state;
	for (int k = 0; k < (SANITIZED ? 1 : VIEW_PROGRAMS); k++)
		check_views(&view_program[k], view_program[k].block, LATER);
}

/* ---- mutations ------------------------------------------------------------------------------- */

static void
must_see(const struct view_program *p, enum fault fault, struct label at, struct label from, struct view *view[2])
{
	struct verdict v;
	mutation.at = at;
	mutation.from = from;
	for (uint32_t n = FAULTY; n <= SESSIONS; n += SESSIONS - FAULTY) { /* some take more sessions */
		mutation.fault = fault;
		sessions_of(p, 8, n, 1, 3, view);
		mutation.fault = NONE;
		view_judge(&view[1 - at.party]->c, NULL, n / 64, &v);
		if (!view_fine(&v))
			return;
	}
	fail_msg("%s: party %d's stream (%u, %x) %s, and party %d's view looks uniform (%.1f deviations)", p->name, at.party, at.id, at.tag,
	         fault == ZERO ? "is zero" : fault == TWINS ? "repeats words" : "is used before", 1 - at.party, v.worst);
}

/* Without a pad a look-up's sign tells of the point, but only together with all leaves: no few columns show it.
 * (Nor do they show faults behind the random carries of a narrow opening.) */
static bool
is_subtle(const struct view_program *p, const struct label *l)
{
	return l->tag == TAG_PAD && p->subtle_pads;
}

/* A pad of party 0 whose value is opened to party 0 alone hides nothing: party 1 is told neither the share nor the value. */
static bool
is_kept(const struct view_program *p, const struct label *l)
{
	struct harness h;
	bool kept = false;
	harness_init(&h);
	p->make(&h, 8);
	for (uint32_t i = 0; i < h.nitem && l->party == 0 && l->tag == TAG_PAD; i++)
		for (uint32_t j = 0; j < h.nitem && h.item[i].s.id == l->id; j++)
			kept |= h.item[j].s.one_way && h.item[j].s.in[0].at == h.item[i].s.out[0].at;
	harness_free(&h);
	return kept;
}

static void
test_faults_show(void **state)
{
	(void)state;
	struct view *view[2];
	struct label label[2][LABELS];
	uint32_t n[2], faults = 0;
	new_views(view);
	for (int k = 0; k < VIEW_PROGRAMS; k++) {
		if (!view_program[k].faults || (SANITIZED && !view_program[k].brief))
			continue;
		sessions_of(&view_program[k], 8, BATCH, 1, 3, view);
		for (int h = 0; h < 2; h++) {
			n[h] = view[h]->nlabel;
			memcpy(label[h], view[h]->label, sizeof label[h]);
		}
		for (int h = 0; h < 2; h++)
			for (uint32_t i = 0; i < n[h]; i++) {
				const struct label l = label[h][i];
				if (l.party < 0)         /* a weight's mask */
					continue;
				if (is_subtle(&view_program[k], &l) || is_kept(&view_program[k], &l))
					continue;
				must_see(&view_program[k], ZERO, l, l, view);
				faults++;
				if (h || l.bits == 1) /* two bits that are secret and uniform anyway: their sum shows in no single column */
					continue;
				must_see(&view_program[k], TWINS, l, l, view);
				faults++;
				uint32_t j = i;          /* an earlier pad, or a part of the same step */
				while (j-- > 0)
					if (label[h][j].bits == l.bits && label[h][j].party == h && label[h][j].tag / TAG_PAD == l.tag / TAG_PAD &&
					    (l.tag >= TAG_PAD || label[h][j].id == l.id) && !is_kept(&view_program[k], &label[h][j]))
						break;
				if (j < i) {
					must_see(&view_program[k], AGAIN, l, label[h][j], view);
					faults++;
				}
			}
	}
	assert_true(SANITIZED || faults > 100);
	for (int p = 0; p < 2; p++)
		free(view[p]);
}

/* Look-ups with a secret sign: x_hat and each bit of the own truth table or one-hot are independent.  They are not if somebody
 * chose the sign, for then the bit at the special point is known. */
static double
sign_shows(int which, bool forced)
{
	struct view *view[2];
	double chi = 0;
	const bool cells = which == VIEW_CELLS;
	const uint32_t bits = cells ? 5 : 3, elements = cells ? ELEMENTS : ELEMENTS / 2;
	new_views(view);
	mutation.fault = forced ? FORCED : NONE;
	mutation.at = (struct label){ .id = 2, .tag = 1, .party = 0 }; /* the first part of the second step, for a mask of the first one's */
	mutation.from = (struct label){ .id = 1, .bits = bits };
	sessions_of(&view_program[which], ELEMENTS, SESSIONS, 1, 5, view);
	mutation.fault = NONE;
	/* party 0 holds x_hat of all elements, then tables of the last ones, 8 bits each; cells have the high 3 bits of x_hat */
	for (uint32_t e = 0; e < elements; e++)
		for (uint32_t j = 0; j < 8; j++) {
			const uint32_t x = bits * (ELEMENTS - elements + e) + bits - 3, four[4] = { x, x + 1, x + 2, bits * ELEMENTS + 8 * e + j };
			chi = fmax(chi, view_four(&view[0]->c, four, VIEW_WORDS));
		}
	for (int k = 0; k < 2; k++)
		free(view[k]);
	return chi;
}

static void
test_a_chosen_sign_shows(void **state)
{
	(void)state;
	if (SANITIZED)
		return;
	static const int which[] = { VIEW_LUTC, VIEW_CELLS };
	for (int k = 0; k < 2; k++) {
		assert_true(sign_shows(which[k], false) < VIEW_FAR_CHI);
		assert_true(sign_shows(which[k], true) > VIEW_FAR_CHI);
	}
}

int
main(void)
{
	best = __real_suf_cpu_best();
	mallopt(M_MMAP_THRESHOLD, 1 << 26); /* the sessions' buffers come and go: not from the system each time */
	mallopt(M_TRIM_THRESHOLD, 1 << 28);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views), cmocka_unit_test(test_views_of_later_blocks), cmocka_unit_test(test_faults_show),
		cmocka_unit_test(test_a_chosen_sign_shows)
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

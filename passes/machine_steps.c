/* SPDX-License-Identifier: Apache-2.0
 * machine_steps.c -- how long every kind of step takes, at the dealer and at a
 * party: one step with random operands through libsuf, in memory, by the
 * thread's own clock.
 *
 * The counts of steps.def (AES blocks, multiply-adds) are the coordinates; a
 * few sizes of each kind give the constants:
 *     kinds with point functions   two domains: ns per AES block (or table addition); the rest per element
 *     products of matrices         many rows and few of one matrix: ns per multiply-add and per element
 *     all others                   one size: what the streams do not explain, per element
 * and a step of a few elements gives the fixed cost.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "kernels/trig.h"
#include "passes/machine.h"

enum { REPS = 7, MANY = 1 << 15, FEW = 8, SMALL = 512, SMALL_REPEAT = 100, ROW = 128, BITS = 50, BIG_RUN = 40 << 20, INNER = 448, COLS = 768, NUMBERS = INNER * COLS };
enum { AT_VALUE = 0, AT_BIT = 16 * MANY, AT_OUT = 32 * MANY, AT_OUT2 = 48 * MANY, WIRES = 64 * MANY };

/* One step under measurement, and what it points to. */
struct trial {
	struct suf_program prog;         /* first: the body finds the trial by it */
	struct suf_step step;
	struct suf_map map;
	struct suf_mm mm;
	struct suf_rows rows;
	struct suf_table table;
	int64_t *number;                 /* of the table; public weights */
	const uint64_t *weight[1];
	int repeat;                      /* steps of one measurement: small ones vanish in the cost of the clock */
	double ns[REPS];
};
struct timing { double ns[2], elem, prg[2], mul[2]; }; /* [0] dealer, [1] party */

double machine_cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double machine_wall_ns(void)
{
	return run_now_ms() * 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double machine_median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof *v, by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

bool step_is_product(enum suf_op op) { return op == SUF_matmul || op == SUF_wmul || op == SUF_wshare || op == SUF_omul; }

double step_elements(const struct suf_step *s)
{
	double count = (double)s->count, na = (double)s->na, nb = (double)s->nb;
	if (step_is_product(s->op) || s->op == SUF_mul || s->op == SUF_oscale || s->op == SUF_sqsum || s->op == SUF_shiftsq)
		return count + na + nb;
	if (s->op == SUF_exps)
		return (double)(s->na << s->b) * suf_limbs((unsigned)s->m + s->s);
	if (s->op == SUF_trig)
		return count * (double)suf_trig_terms(s);
	if (s->op == SUF_pieces)
		return count * (double)suf_pieces_words(s, 1);
	return count > na ? count : na;
}

/* ---- one step ----------------------------------------------------------------------- */

/* Random operands: masked values and opened bits at a party, masks at the dealer. */
static void fill(struct suf_run *r)
{
	uint64_t *w = r->mode == RUN_DEAL ? r->mask : r->wire;
	prg_stream(r->isa, &r->client, 1, 1, 0, AT_BIT, BITS, w + AT_VALUE);
	prg_stream(r->isa, &r->client, 2, 1, 0, AT_OUT - AT_BIT, 1, w + AT_BIT);
}

/* Once to warm up, then one measurement after the other. */
static enum suf_err body(struct suf_run *r)
{
	struct trial *t = (struct trial *)(uintptr_t)r->prog;
	enum suf_err e = SUF_OK;
	if (r->mode != RUN_PLAN)
		fill(r);
	for (int k = -1; k < REPS && !e; k++) {
		double start = machine_cpu_ns();
		for (int i = 0; i < t->repeat && !e; i++)
			e = suf_step(r, &t->step);
		if (k >= 0)
			t->ns[k] = (machine_cpu_ns() - start) / t->repeat;
	}
	return e;
}

static enum suf_err prepare(struct suf_run *r, struct trial *t, const uint8_t *key, size_t key_bytes)
{
	struct prg_seed seed[5];
	enum suf_err e = prg_os_random(seed, sizeof seed);
	for (int p = 0; p < 2; p++) {
		prg_stream_init(&r->seed[p], &seed[p]);
		prg_stream_init(&r->model[p], &seed[2 + p]);
	}
	prg_stream_init(&r->client, &seed[4]);
	r->party = 1;
	t->weight[0] = (const uint64_t *)(const void *)t->number;
	r->weight = t->weight;
	if (!e && r->mode == RUN_PARTY)
		e = r->plan.total.key[1] > key_bytes ? SUF_ENOMEM : suf_source_memory(&r->key, key, key_bytes);
	for (int p = 0; p < 2 && !e && r->mode == RUN_DEAL; p++)
		e = suf_sink_null(&r->sink[p]);
	return e;
}

static enum suf_err time_in(struct trial *t, enum run_mode mode, const uint8_t *key, size_t key_bytes, double *ns)
{
	struct suf_run *r = malloc(sizeof *r);
	if (!r)
		return SUF_ENOMEM;
	enum suf_err e = run_init(r, &t->prog, mode);
	if (!e)
		e = prepare(r, t, key, key_bytes);
	if (!e)
		e = run_start(r);
	suf_source_close(r->key);
	for (int p = 0; p < 2; p++)
		if (r->sink[p] && suf_sink_finish(r->sink[p], false) && !e)
			e = SUF_EIO;
	run_done(r);
	free(r);
	*ns = machine_median(t->ns, REPS);
	return e;
}

/* ---- kinds of steps --------------------------------------------------------------------- */

static struct suf_ref at(uint64_t place) { return (struct suf_ref){ SUF_WIRE, place }; }

static void set_table(struct trial *t, uint32_t len)
{
	t->table = (struct suf_table){ "table", len, t->number };
	t->step.table = &t->table;
}

static void set_map(struct trial *t, uint64_t count)
{
	t->map = (struct suf_map){ .ndim = 1, .dim = { (uint32_t)count }, .so = { 1 }, .sa = { 1 }, .sb = { 1 } };
	t->step.map = &t->map;
}

/* Rows of ROW elements, count in all. */
static uint64_t set_rows(struct trial *t, uint64_t count)
{
	uint32_t len = count < ROW ? (uint32_t)count : ROW;
	t->rows = (struct suf_rows){ .count = count / len, .first = len, .period = 1 };
	t->step.rows = &t->rows;
	t->step.c = len;
	return t->rows.count;
}

/* Sixteen cosines and a line; the coefficients do not matter. */
static void set_series(struct trial *t)
{
	enum { TERMS = 16 };
	static const int64_t series[SUF_TRIG_COEF + 1 + TERMS] = { 12, 12, 13, TERMS, 1, 2, 3 };
	t->table = (struct suf_table){ "series", sizeof series / sizeof *series, series };
	t->step.table = &t->table;
}

static void make_rows(struct suf_step *s, uint64_t count, uint64_t rows)
{
	if (s->op == SUF_row_sum || s->op == SUF_sqsum || s->op == SUF_shiftsq)
		s->count = rows;
	if (s->op == SUF_row_diff || s->op == SUF_row_next)
		s->count = count / 2;
}

/* A table of 2^b cells with the formats of a GELU. */
static void set_cells(struct trial *t, unsigned b)
{
	static const int64_t head[] = { 12, 19, 12, 12, 13, 8, 24, 30, 7 };
	memcpy(t->number, head, sizeof head);
	set_table(t, 9 + (3u << b));
}

/* A step of `count` elements; b: bits of a point function's domain.  Steps are set up as gates have them. */
static void make(struct trial *t, enum suf_op op, uint64_t count, unsigned b)
{
	struct suf_step *s = &t->step;
	*s = (struct suf_step){ .op = op, .id = 7, .count = count, .na = count, .nb = count, .n = BITS, .m = BITS, .b = (uint8_t)b, .ca = 3, .cb = 5,
	                        .in = { at(AT_VALUE), at(AT_VALUE + count), at(AT_VALUE + 2 * count) }, .out = { at(AT_OUT), at(AT_OUT2) }, .klass = "other" };
	switch (op) {
	case SUF_lin: case SUF_mul: case SUF_addx: set_map(t, count); break;
	case SUF_wscale: s->in[1] = (struct suf_ref){ SUF_PUBLIC, 0 }; set_map(t, count); break;
	case SUF_oscale: s->in[1] = (struct suf_ref){ SUF_WEIGHT, 0 }; s->define_last = 1; set_map(t, count); break;
	case SUF_shift: s->s = 12; s->m = BITS - 12; s->nb = 0; break;
	case SUF_mulc: case SUF_addc: set_map(t, count); set_table(t, (uint32_t)count); break;
	case SUF_row_sum: case SUF_row_lin: case SUF_row_diff: case SUF_row_next: case SUF_tril: case SUF_untril: case SUF_sqsum:
		make_rows(s, count, set_rows(t, count));
		break;
	case SUF_shiftsq: s->s = 12; s->slack = 1; s->in[1] = at(AT_BIT); make_rows(s, count, set_rows(t, count)); break;
	case SUF_shiftmul: s->s = 12; s->slack = 1; s->in[2] = at(AT_BIT); set_map(t, count); break;
	case SUF_pieces: s->b = 2; s->ca = 1; s->slack = 1; s->in[1] = at(AT_BIT); set_table(t, 2u << s->b); break;
	case SUF_exps: s->n = 16; s->b = 2; s->ca = 9; s->cb = 10 + 256 * 60; s->c = -92 * 512; s->s = 50; break;
	case SUF_trig: s->n = 16; s->m = 38; s->s = 12; s->b = 15; set_series(t); break;
	case SUF_lt: s->m = 1; break;
	case SUF_drelu: s->m = 1; s->nb = 0; set_table(t, 2); break;
	case SUF_trunc: s->s = s->b = 12; s->slack = 1; s->in[1] = at(AT_BIT); break;
	case SUF_sext: s->n = s->b = 38; s->in[1] = at(AT_BIT); break;
	case SUF_gapext: s->n = 38; s->nb = 0; break;
	case SUF_select: s->n = 1; s->in[0] = at(AT_BIT); break;
	case SUF_lutc: s->m = 14; s->s = 12; s->in[1] = at(AT_BIT); set_table(t, 1u << b); break;
	case SUF_tabmul: s->n = 14; s->s = 12; s->b = 1; s->in[2] = at(AT_BIT); s->in[3] = at(AT_BIT + count); break;
	case SUF_selshift: s->s = 12; s->slack = 1; s->in[1] = at(AT_BIT); s->in[2] = at(AT_BIT + count); break;
	case SUF_cuts:
		s->m = 1;
		s->s = 12;
		s->nb = 0;
		t->number[0] = t->number[1] = 1;     /* one output, one threshold */
		set_table(t, 3);
		break;
	case SUF_cutfix:
		s->n = s->m = 1;
		s->pad_a = 8;
		s->pad_b = 9;
		for (uint64_t k = 0; k < 3; k++)
			s->in[k] = at(AT_BIT + k * count);
		break;
	case SUF_cells:
		s->m = 8;
		s->s = 7;
		s->nb = 0;
		for (uint64_t k = 0; k < 4; k++)
			s->out[k] = at(AT_OUT + k * count);
		set_cells(t, b);
		break;
	case SUF_cellfix:
		s->m = 38;
		s->s = 12;
		s->b = 8;
		s->in[1] = at(AT_BIT);
		s->in[3] = s->in[4] = s->in[2];
		set_cells(t, 8);
		break;
	case SUF_normsq:
		s->n = 24;
		s->m = 40;
		s->s = 8;
		s->b = 60;
		s->nb = 0;
		s->out[2] = at(AT_OUT2 + count);
		s->count = set_rows(t, count);
		break;
	case SUF_normmul:
		s->n = 60;
		s->m = 44;
		s->s = 16;
		s->b = 24;
		s->in[3] = at(AT_VALUE + 3 * count);
		s->na = set_rows(t, count);
		break;
	case SUF_bitmul: s->na = 8 * count; s->n = 1; s->in[0] = at(AT_BIT); set_table(t, 8); break;
	case SUF_lut: s->nb = 0; set_table(t, 1u << b); break;
	case SUF_lutsign: s->n = 1; s->in[0] = at(AT_BIT); break;
	case SUF_lin4: s->m = 38; s->in[0] = at(AT_BIT); s->in[1] = at(AT_BIT + count); set_table(t, 8); break;
	case SUF_bitdot: s->na = 16 * count; s->nb = 0; s->in[0] = at(AT_BIT); set_table(t, 16); break;
	default: break;
	}
}

static void make_product(struct trial *t, enum suf_op op, uint32_t rows, uint32_t inner, uint32_t cols, unsigned bits)
{
	make(t, op, (uint64_t)rows * cols, 0);
	t->mm = (struct suf_mm){ .batch = 1, .bh = 1, .rows = rows, .inner = inner, .cols = cols, .sa = { 0, 0, inner, 1 }, .sb = { 0, 0, cols, 1 } };
	t->step.na = (uint64_t)rows * inner;
	t->step.nb = (uint64_t)inner * cols;
	t->step.n = t->step.m = (uint8_t)bits;
	t->step.in[1] = op == SUF_matmul ? at(AT_VALUE + t->step.na) : (struct suf_ref){ op == SUF_omul ? SUF_WEIGHT : SUF_PUBLIC, 0 };
	t->step.define_last = op == SUF_wshare || op == SUF_omul;
	t->step.in[2] = (struct suf_ref){ SUF_NONE, 0 };
	t->step.mm = &t->mm;
}

/* ---- from times to constants -------------------------------------------------------------- */

struct lab { struct trial t; uint8_t *key; size_t key_bytes; enum suf_err err; };

static struct timing timed(struct lab *l)
{
	struct timing got = { .elem = step_elements(&l->t.step) };
	struct suf_cost c = suf_step_cost(&l->t.step, 1);
	l->t.repeat = got.elem < SMALL && l->t.step.b < 13 ? SMALL_REPEAT : 1;
	for (int k = 0; k < 2; k++) {
		enum suf_err e = time_in(&l->t, k ? RUN_PARTY : RUN_DEAL, l->key, l->key_bytes, &got.ns[k]);
		l->err = l->err ? l->err : e;
		got.prg[k] = (double)c.prg[k ? SUF_P1 : SUF_DEALER];
		got.mul[k] = (double)c.mul_adds[k ? SUF_P1 : SUF_DEALER];
	}
	return got;
}

static struct timing time_of(struct lab *l, enum suf_op op, uint64_t count, unsigned b)
{
	make(&l->t, op, count, b);
	return timed(l);
}

static double positive(double x) { return x > 0 ? x : 0; }

static struct step_rate *rate_of(struct machine *m, int role, enum suf_op op) { return role ? &m->eval[op] : &m->deal[op]; }

/* The rest per element, then the rest of a small step is its fixed cost. */
static void finish(struct machine *m, enum suf_op op, const struct timing *large, const struct timing *small)
{
	for (int k = 0; k < 2; k++) {
		struct step_rate *r = rate_of(m, k, op);
		r->elem = positive(large->ns[k] - r->prg * large->prg[k] - r->mul * large->mul[k]) / large->elem;
		r->fixed = positive(small->ns[k] - r->prg * small->prg[k] - r->mul * small->mul[k] - r->elem * small->elem);
	}
}

static void plain_kind(struct lab *l, struct machine *m, enum suf_op op)
{
	m->deal[op].prg = m->eval[op].prg = m->stream_ns;
	struct timing large = time_of(l, op, MANY, 0), small = time_of(l, op, FEW, 0);
	finish(m, op, &large, &small);
}

static void tree_kind(struct lab *l, struct machine *m, enum suf_op op, uint64_t count, unsigned low, unsigned high)
{
	struct timing a = time_of(l, op, count, low), b = time_of(l, op, count, high), small = time_of(l, op, FEW, low);
	for (int k = 0; k < 2; k++) {
		struct step_rate *r = rate_of(m, k, op);
		bool table = b.mul[k] > a.mul[k];        /* a look-up: AES blocks go with table additions */
		if (table)
			r->mul = positive(b.ns[k] - a.ns[k]) / (b.mul[k] - a.mul[k]);
		else if (b.prg[k] > a.prg[k])
			r->prg = positive(b.ns[k] - a.ns[k]) / (b.prg[k] - a.prg[k]);
		if (!table && r->prg * a.prg[k] > a.ns[k]) /* nothing is left per element */
			r->prg = a.ns[k] / a.prg[k];
	}
	finish(m, op, &a, &small);
}

static void matrix_kind(struct lab *l, struct machine *m, enum suf_op op)
{
	struct timing t[4];
	make_product(&l->t, op, 128, INNER, COLS, 50);
	t[0] = timed(l);
	make_product(&l->t, op, 8, INNER, COLS, 50);
	t[1] = timed(l);
	make_product(&l->t, op, 2, 2, 2, 50);
	t[2] = timed(l);
	make_product(&l->t, op, 128, INNER, COLS, 64);
	t[3] = timed(l);
	for (int k = 0; k < 2; k++) {
		struct step_rate *r = rate_of(m, k, op);
		double large, thin;
		*r = (struct step_rate){ .fixed = t[2].ns[k], .prg = m->stream_ns };
		large = t[0].ns[k] - r->fixed - r->prg * t[0].prg[k];
		thin = t[1].ns[k] - r->fixed - r->prg * t[1].prg[k];
		/* large = elem e0 + mul m0, thin = elem e1 + mul m1; both large enough to be steady, eleven times as many multiply-adds for an element */
		r->mul = positive(large * t[1].elem - thin * t[0].elem) / (t[0].mul[k] * t[1].elem - t[1].mul[k] * t[0].elem);
		r->elem = positive(large - r->mul * t[0].mul[k]) / t[0].elem;
	}
	const struct step_rate *r = &m->eval[op];
	if (op == SUF_matmul)
		m->wide = r->mul > 0 ? positive(t[3].ns[1] - r->fixed - r->elem * t[3].elem - r->prg * t[3].prg[1]) / (r->mul * t[3].mul[1]) : 1;
}

/* ---- kernels ------------------------------------------------------------------------------- */

static void kernels(struct machine *m, uint64_t *word, uint8_t *packed)
{
	struct prg_seed seed = { { 1, 2, 3 } };
	struct prg_stream_key key;
	double ns[3][REPS];
	const enum suf_isa isa = suf_cpu_best();
	prg_stream_init(&key, &seed);
	for (int k = 0; k < REPS; k++) {
		double t[4];
		t[0] = machine_cpu_ns();
		prg_stream(isa, &key, 1, 1, 0, MANY, BITS, word);
		t[1] = machine_cpu_ns();
		for (size_t i = 0; i < MANY; i += SUF_BLOCK)
			pack_bits(isa, packed + i * 8, word + i, SUF_BLOCK, BITS);
		t[2] = machine_cpu_ns();
		for (size_t i = 0; i < MANY; i += SUF_BLOCK)
			unpack_bits(isa, word + i, packed + i * 8, SUF_BLOCK, BITS);
		t[3] = machine_cpu_ns();
		for (int i = 0; i < 3; i++)
			ns[i][k] = t[i + 1] - t[i];
	}
	m->stream_ns = machine_median(ns[0], REPS) / (double)prg_blocks(0, MANY);
	m->pack_ns = machine_median(ns[1], REPS) / MANY;
	m->unpack_ns = machine_median(ns[2], REPS) / MANY;
}

/* Steps that only copy: opening is queueing, and the exchange is counted with the round. */
static void border_kinds(struct machine *m)
{
	const struct step_rate copy = { .fixed = m->eval[SUF_lin].fixed, .elem = m->eval[SUF_lin].elem, .prg = m->stream_ns };
	m->deal[SUF_input] = m->eval[SUF_input] = m->deal[SUF_output] = m->eval[SUF_output] = copy;
	m->deal[SUF_output].elem += m->pack_ns;
	m->eval[SUF_output].elem += m->unpack_ns;
	m->deal[SUF_open] = m->eval[SUF_open] = (struct step_rate){ .fixed = copy.fixed, .prg = m->stream_ns };
}

static bool all_kinds(struct lab *l, struct machine *m)
{
	static const enum suf_op plain[] = { SUF_lin, SUF_mulc, SUF_addc, SUF_row_sum, SUF_row_lin, SUF_row_diff, SUF_row_next, SUF_tril, SUF_untril,
	                                     SUF_shift, SUF_addx, SUF_mul, SUF_wscale, SUF_oscale, SUF_sqsum, SUF_trunc, SUF_sext, SUF_gapext, SUF_cutfix, SUF_tabmul, SUF_selshift, SUF_select, SUF_lutsign, SUF_lin4, SUF_bitdot,
	                                     SUF_shiftmul, SUF_shiftsq, SUF_pieces, SUF_cellfix, SUF_normsq, SUF_normmul, SUF_bitmul, SUF_exps, SUF_trig };
	for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++)
		plain_kind(l, m, plain[k]);
	tree_kind(l, m, SUF_lt, MANY / 4, 12, 38);
	tree_kind(l, m, SUF_drelu, MANY / 4, 13, 38);
	tree_kind(l, m, SUF_cuts, MANY / 4, 13, 38);
	tree_kind(l, m, SUF_lut, MANY / 16, 8, 13);
	tree_kind(l, m, SUF_lutc, MANY / 16, 8, 13);
	tree_kind(l, m, SUF_cells, MANY / 2, 8, 10);
	matrix_kind(l, m, SUF_matmul);
	matrix_kind(l, m, SUF_wmul);
	matrix_kind(l, m, SUF_wshare);
	matrix_kind(l, m, SUF_omul);
	border_kinds(m);
	return l->err == SUF_OK;
}

bool machine_measure_steps(struct machine *m, char *text)
{
	struct lab l = { .key = malloc(BIG_RUN), .key_bytes = BIG_RUN };
	uint64_t *word = calloc(MANY, sizeof *word);
	uint8_t *packed = calloc(MANY, 8);
	l.t.number = calloc(NUMBERS, sizeof *l.t.number);
	l.t.prog = (struct suf_program){ .name = "calibration", .gates = "none", .weights = "masked", .wire_elems = WIRES, .output_to = 1, .body = body };
	bool ok = l.key && word && packed && l.t.number && !prg_os_random(l.key, BIG_RUN) && !prg_os_random(l.t.number, NUMBERS * sizeof *l.t.number);
	snprintf(text, 256, "no memory or no random numbers for the measurements");
	if (ok) {
		kernels(m, word, packed);
		ok = all_kinds(&l, m);
		snprintf(text, 256, "a step failed while it was measured");
	}
	free(l.key);
	free(l.t.number);
	free(word);
	free(packed);
	return ok;
}

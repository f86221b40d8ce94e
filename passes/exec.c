/* SPDX-License-Identifier: Apache-2.0
 * exec.c -- a scheduled program as a struct suf_program whose body walks the
 * steps; arrays to and from the ring; the simulation.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "passes/exec_priv.h"
#include "passes/quantize.h"

static const struct val *home(const struct val *v)
{
	for (;;) {
		if (v->def && v->def->step && v->def->step->op == SUF_open)
			v = v->def->in[0];
		else if (v->alias)
			v = v->alias;
		else
			return v;
	}
}

static void *zeroed(size_t count, size_t size)
{
	void *p = calloc(count + 1, size);
	if (!p)
		BUG("out of memory for %zu elements of %zu bytes", count, size);
	return p;
}

/* ---- the program ----------------------------------------------------------- */

static enum suf_err body(struct suf_run *r)
{
	const struct exec *e = (const struct exec *)(const void *)r->prog;
	int round = 0;
	for (size_t i = 0; i < e->nstep; i++) {
		for (; round < e->round[i]; round++)
			if (suf_round(r))
				return r->err;
		if (suf_step(r, &e->step[i]))
			return r->err;
	}
	for (; round < (int)e->prog.nrounds; round++)
		if (suf_round(r))
			return r->err;
	return SUF_OK;
}

static struct suf_ref ref_of(const struct prog *p, const struct val *v)
{
	return (struct suf_ref){ space_of(p, v), v->slot };
}

static void add_steps(struct exec *e, const struct prog *p)
{
	size_t count = 0;
	for (const struct node *n = p->first; n; n = n->next)
		count++;
	e->step = zeroed(count, sizeof *e->step);
	e->round = zeroed(count, sizeof *e->round);
	e->made = zeroed((size_t)p->next_id, sizeof(*e->made));
	for (const struct node *n = p->first; n; n = n->next) {
		struct suf_step *s = &e->step[e->nstep];
		*s = *n->step;
		s->klass = n->klass ? n->klass : "other";
		for (int k = 0; k < n->nin; k++)
			s->in[k] = ref_of(p, n->in[k]);
		for (int k = 0; k < n->nout; k++)
			s->out[k] = ref_of(p, n->out[k]);
		if (n->nout)
			e->made[s->id] = n->out[0];
		e->round[e->nstep++] = n->round;
	}
}

static struct suf_tensor tensor_of(const struct val *v, uint32_t step)
{
	struct suf_tensor t = { .name = v->name, .rank = (uint32_t)v->rank, .bits = v->type.bits, .frac = v->type.frac,
	                        .onehot = v->onehot, .step = step, .integer = v->dtype != DT_F32 };
	memcpy(t.dim, v->dim, sizeof t.dim);
	return t;
}

/* The step that sends output k out; equal outputs have one step each, in order. */
static uint32_t output_step(const struct prog *p, int k)
{
	int skip = 0;
	for (int j = 0; j < k; j++)
		skip += home(p->out[j]) == home(p->out[k]);
	for (const struct node *n = p->first; n; n = n->next)
		if (n->step->op == SUF_output && home(n->in[0]) == home(p->out[k]) && skip-- == 0)
			return n->step->id;
	BUG("no step gives the output '%s'", p->out[k]->name);
}

static void add_tensors(struct exec *e, const struct prog *p)
{
	e->in = zeroed((size_t)p->nin, sizeof *e->in);
	e->out = zeroed((size_t)p->nout, sizeof *e->out);
	for (int k = 0; k < p->nin; k++) {
		const struct node *n = p->in[k]->def;
		e->in[k] = tensor_of(p->in[k], n ? n->step->id : 0); /* 0: an input that nothing uses */
	}
	for (int k = 0; k < p->nout; k++)
		e->out[k] = tensor_of(p->out[k], output_step(p, k));
	e->prog.input = e->in;
	e->prog.ninput = (uint32_t)p->nin;
	e->prog.output = e->out;
	e->prog.noutput = (uint32_t)p->nout;
}

static void add_weights(struct exec *e, const struct prog *p)
{
	uint32_t most = 0;
	for (const struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++)
			if (n->in[k]->data && n->in[k]->slot >= most)
				most = (uint32_t)n->in[k]->slot + 1;
	e->weight = zeroed(most, sizeof *e->weight);
	e->value = zeroed(most, sizeof *e->value);
	for (const struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nin; k++) {
			const struct val *v = n->in[k];
			if (!v->data || e->value[v->slot])
				continue;
			uint64_t count = (uint64_t)ir_count(v), *w = zeroed(count, sizeof *w);
			quantize_weights(v, (int64_t *)w);
			for (uint64_t i = 0; i < count; i++)
				w[i] &= ring_mask(v->type.bits);
			e->value[v->slot] = w;
			e->weight[v->slot] = tensor_of(v, 0);
		}
	e->prog.weight = e->weight;
	e->prog.nweight = most;
}

struct exec *exec_new(struct prog *p)
{
	if (p->stage != STAGE_SCHED)
		BUG("a program of stage %d cannot be run", (int)p->stage);
	struct exec *e = zeroed(1, sizeof *e);
	e->nmade = p->next_id;
	add_steps(e, p);
	add_tensors(e, p);
	add_weights(e, p);
	e->prog.name = p->name;
	e->prog.gates = gates_label(p);
	e->prog.weights = weights_label(p->weights);
	e->prog.wire_elems = p->wire_elems;
	e->prog.output_to = (uint8_t)(p->opt ? p->opt->output_to : 1);
	e->prog.nrounds = (uint32_t)p->nrounds;
	e->prog.body = body;
	return e;
}

void exec_free(struct exec *e)
{
	if (!e)
		return;
	for (uint32_t k = 0; k < e->prog.nweight; k++)
		free(e->value[k]);
	free(e->value); free(e->weight); free(e->in); free(e->out);
	free(e->step); free(e->round); free(e->made);
	free(e);
}

const struct suf_program *exec_program(const struct exec *e) { return &e->prog; }

const struct val *exec_value(const struct exec *e, uint32_t step)
{
	return step < e->nmade ? e->made[step] : NULL;
}

/* ---- arrays ------------------------------------------------------------------- */

static uint64_t elements(const struct suf_tensor *t)
{
	uint64_t n = 1;
	for (uint32_t k = 0; k < t->rank; k++)
		n *= (uint64_t)t->dim[k];
	return n;
}

uint64_t exec_wire_count(const struct suf_tensor *t)
{
	return elements(t) * (t->onehot ? t->onehot : 1);
}

bool exec_encode(const struct suf_tensor *t, const void *data, uint64_t *to, uint64_t *bad)
{
	const uint64_t n = elements(t), mask = ring_mask(t->bits);
	if (t->onehot)
		memset(to, 0, (size_t)exec_wire_count(t) * sizeof *to);
	for (uint64_t i = 0; i < n; i++) {
		double x = t->integer ? (double)((const int64_t *)data)[i] : (double)((const float *)data)[i];
		double scaled = ldexp(x, t->frac);
		bool fits = t->onehot ? x >= 0 && x < t->onehot : fabs(scaled) < ldexp(1, t->bits - 2);
		if (!fits) {
			*bad = i;
			return false;
		}
		if (t->onehot)
			to[i * t->onehot + (uint64_t)x] = 1;
		else
			to[i] = (uint64_t)llrint(scaled) & mask;
	}
	return true;
}

/* Integers that are numbers, not row numbers, have a range that the program relies on. */
static bool in_range(const struct val *v, const void *data, uint64_t *bad)
{
	if (v->dtype != DT_I64 || v->onehot || v->from != RANGE_PROVEN)
		return true;
	for (int64_t i = 0, n = ir_count(v); i < n; i++) {
		double x = (double)((const int64_t *)data)[i];
		*bad = (uint64_t)i;
		if (x < v->lo || x > v->hi)
			return false;
	}
	return true;
}

bool exec_encode_inputs(struct prog *p, const struct exec *e, const struct examples *ex, int64_t example, uint64_t **in)
{
	const struct suf_program *sp = exec_program(e);
	for (int k = 0; k < p->nin; k++) {
		uint64_t bad = 0;
		if (!in_range(p->in[k], example_at(p, ex, k, example), &bad)) {
			diag_error(p->diag, NULL, "input-range", "element %llu of the input '%s' is not from %g to %g", (unsigned long long)bad, p->in[k]->name, p->in[k]->lo, p->in[k]->hi);
			diag_hint(p->diag, "the program relies on it; a mask holds 0 and 1");
			return false;
		}
		if (exec_encode(&sp->input[k], example_at(p, ex, k, example), in[k], &bad))
			continue;
		diag_error(p->diag, NULL, "input-range", "element %llu of the input '%s' does not fit: %s", (unsigned long long)bad, p->in[k]->name,
		           sp->input[k].onehot ? "row numbers go from 0 to the rows of the table" : "it is too large for the ring");
		diag_hint(p->diag, sp->input[k].onehot ? "the table has %u rows" : "the ring has %u bits", sp->input[k].onehot ? sp->input[k].onehot : sp->input[k].bits);
		return false;
	}
	return true;
}

int64_t exec_signed(uint64_t x, unsigned bits)
{
	return (int64_t)(x << (64 - bits)) >> (64 - bits);
}

void exec_decode(const struct suf_tensor *t, const uint64_t *from, float *to)
{
	for (uint64_t i = 0, n = elements(t); i < n; i++)
		to[i] = (float)ldexp((double)exec_signed(from[i], t->bits), -t->frac);
}

void exec_decode_integers(const struct suf_tensor *t, const uint64_t *from, int64_t *to)
{
	for (uint64_t i = 0, n = elements(t); i < n; i++)
		to[i] = exec_signed(from[i], t->bits) >> t->frac;
}

/* ---- runs ---------------------------------------------------------------------- */

enum suf_err exec_random_seeds(struct exec_seeds *s)
{
	return prg_os_random(s, sizeof *s);
}

/* The masks of the model stay, as they do between sessions. */
struct exec_seeds exec_seeds_of(const struct exec_seeds *s, uint64_t example)
{
	struct exec_seeds own = *s;
	struct prg_seed *const seed[3] = { &own.party[0], &own.party[1], &own.client };
	own.session += example;
	for (int k = 0; k < 3; k++)
		for (int i = 0; i < 8; i++)
			seed[k]->b[i] ^= (uint8_t)(example >> 8 * i);
	return own;
}

void exec_set_seeds(struct suf_run *r, const struct exec_seeds *s, int from, int to)
{
	for (int p = from; p <= to; p++) {
		prg_stream_init(&r->seed[p], &s->party[p]);
		prg_stream_init(&r->model[p], &s->model[p]);
	}
	r->session = s->session;
}

enum suf_err exec_simulate(struct exec *e, const struct exec_seeds *s, uint64_t *const *in, uint64_t *const *out,
                           exec_trace *trace, void *arg, char *text)
{
	struct suf_run *r = malloc(sizeof *r);
	if (!r)
		return SUF_ENOMEM;
	enum suf_err err = run_init(r, &e->prog, RUN_SIM);
	if (!err) {
		exec_set_seeds(r, s, 0, 1);
		prg_stream_init(&r->client, &s->client);
		r->has_client = true;
		r->weight = (const uint64_t *const *)e->value;
		r->input = (const uint64_t *const *)in;
		r->output = out;
		r->trace = trace;
		r->trace_arg = arg;
		err = run_start(r);
	}
	if (err)
		snprintf(text, 256, "%s", r->errmsg);
	run_done(r);
	free(r);
	return err;
}

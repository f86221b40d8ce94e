/* SPDX-License-Identifier: Apache-2.0
 * verify.c -- runs a program three ways and compares: the float interpreter, the
 * simulation, dealer and parties.
 *
 * The simulation knows x and r of every value.  Its x is compared with the float
 * value that it stands for, of the program before norms are folded.  What both parties see after an opening must be x + r
 * and what the dealer thinks is the mask must be r, element by element; digests
 * are compared, so that no copy of a run is kept.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "passes/exec_priv.h"
#include "passes/range.h"
#include "passes/verify.h"

struct target { struct verify_row *row; int index; uint32_t step; }; /* index: of the float results */
/* Digests of x + r and of r.  by_seeds: the sign of a table look-up lies in the seeds of the trees, the
 * simulation does not know it; the parties must still agree.  one_way: party 0 alone sees it. */
struct view { uint64_t seen, mask, party[2]; bool by_seeds, one_way; };
struct checker {
	struct target *target; int ntarget;
	void **result;                   /* of the example */
	struct view *view;               /* by step id, from the simulation */
	uint32_t wrong[3];               /* first step that differs: party 0, 1, dealer; 0: none */
	uint64_t checked[3];
};
struct listener { struct checker *c; int who; };

static const struct node *maker(const struct val *v)
{
	while (!v->def && v->alias)
		v = v->alias;
	return v->def;
}

/* ---- digests ---------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static uint64_t digest(const uint64_t *x, const uint64_t *r, uint64_t count, uint64_t mask)
{
	uint64_t h = count;
	for (uint64_t i = 0; i < count; i++)
		h = mix(h, (x[i] + (r ? r[i] : 0)) & mask);
	return h;
}

static bool is_message(const struct suf_step *s) { return s->op == SUF_open || s->op == SUF_input; }

/* ---- the simulation ------------------------------------------------------------ */

static void compare(struct checker *c, const struct target *w, const uint64_t *x)
{
	struct verify_row *row = w->row;
	const struct val *v = row->val;
	int64_t n = ir_count(v);
	for (int64_t i = 0; i < n; i++) {
		double got = ldexp((double)exec_signed(x[i], v->type.bits), -v->type.frac);
		double want = v->dtype == DT_F32 ? (double)((const float *)c->result[w->index])[i]
			: v->dtype == DT_I64 ? (double)((const int64_t *)c->result[w->index])[i] : (double)((const bool *)c->result[w->index])[i];
		double error = fabs(got - want);
		row->max_error = fmax(row->max_error, error);
		row->max_float = fmax(row->max_float, fabs(want));
		row->sum_error2 += error * error;
		row->sum_float2 += want * want;
	}
	row->count += (uint64_t)n;
}

static void on_simulation(void *arg, const struct suf_run *r, const struct suf_step *s)
{
	struct checker *c = arg;
	if (suf_step_desc[s->op].nout > 0) {
		const uint64_t at = s->out[0].at, ring = ring_mask(s->m);
		if (is_message(s))
			c->view[s->id].seen = digest(r->wire + at, r->mask + at, s->count, ring);
		if (s->op != SUF_open)
			c->view[s->id].mask = digest(r->mask + at, NULL, s->count, ring);
	}
	for (int k = 0; k < c->ntarget; k++)
		if (c->target[k].step == s->id)
			compare(c, &c->target[k], r->wire + c->target[k].row->val->slot);
}

/* ---- dealer and parties -------------------------------------------------------- */

static void on_run(void *arg, const struct suf_run *r, const struct suf_step *s)
{
	const struct listener *l = arg;
	struct view *v = &l->c->view[s->id];
	bool dealer = l->who == 2, look = dealer ? s->op != SUF_open && suf_step_desc[s->op].nout > 0 : is_message(s) && r->rounds > 0;
	if (!look || (s->one_way && l->who == 1)) /* an input step is seen before its exchange, too */
		return;
	const uint64_t *x = (dealer ? r->mask : r->wire) + s->out[0].at;
	uint64_t d = digest(x, NULL, s->count, ring_mask(s->m));
	if (!dealer)
		v->party[l->who] = d;
	bool same = d == (dealer ? v->mask : v->seen) || (!dealer && v->by_seeds);
	if (!same && !l->c->wrong[l->who])
		l->c->wrong[l->who] = s->id;
	l->c->checked[l->who]++;
}

/* ---- one example ------------------------------------------------------------------ */

struct buffers { uint64_t **in, **sim, **run; };

static uint64_t **words(struct arena *a, const struct suf_tensor *t, uint32_t n)
{
	uint64_t **list = arena_alloc(a, (n + 1) * sizeof *list);
	for (uint32_t k = 0; k < n; k++)
		list[k] = arena_alloc(a, (size_t)(exec_wire_count(&t[k]) + 1) * sizeof **list);
	return list;
}

static bool report(struct prog *p, const struct exec *e, const struct checker *c)
{
	static const char *const who[3] = { "party 0 sees", "party 1 sees", "the dealer masks" };
	bool ok = true;
	for (uint32_t id = 1; id < p->next_id; id++)
		if (c->view[id].party[0] != c->view[id].party[1] && !c->view[id].one_way) {
			diag_error(p->diag, NULL, "run-differs", "step %u: the parties see different values of '%s'", id, exec_value(e, id)->name);
			return false;
		}
	for (int k = 0; k < 3; k++) {
		const struct val *v = c->wrong[k] ? exec_value(e, c->wrong[k]) : NULL;
		if (!c->wrong[k])
			continue;
		diag_error(p->diag, NULL, "run-differs", "step %u: %s another value of '%s' than the simulation", c->wrong[k], who[k], v ? v->name : "?");
		diag_hint(p->diag, "this is a fault of sufc");
		ok = false;
	}
	return ok;
}

static bool one_example(struct prog *p, struct exec *e, const struct exec_seeds *seeds, struct checker *c, const struct buffers *b, struct verify *out)
{
	const struct suf_program *sp = exec_program(e);
	struct listener l[3] = { { c, 0 }, { c, 1 }, { c, 2 } };
	exec_trace *const trace[3] = { on_run, on_run, on_run };
	void *const arg[3] = { &l[0], &l[1], &l[2] };
	char text[256];
	if (exec_simulate(e, seeds, b->in, b->sim, on_simulation, c, text) || exec_run(e, seeds, b->in, b->run, trace, arg, &out->run, text)) {
		diag_error(p->diag, NULL, "run-failed", "%s", text);
		return false;
	}
	if (!report(p, e, c))
		return false;
	for (int k = 0; k < p->nout; k++)
		if (memcmp(b->sim[k], b->run[k], (size_t)exec_wire_count(&sp->output[k]) * sizeof **b->sim)) {
			diag_error(p->diag, NULL, "run-differs", "the output '%s' of the parties is not the simulation's", p->out[k]->name);
			return false;
		}
	out->opened += c->checked[1];
	return true;
}

/* ---- the program ------------------------------------------------------------------- */

static bool is_copy(const struct node *n)
{
	const struct suf_step *s = n->step;
	return s->op == SUF_lin && n->nin == 1 && s->ca == 1 && s->c == 0;
}

/* Values that stand for a float value, the first of each step, but no copies. */
static void choose_targets(struct prog *p, int nvals, struct checker *c, struct verify *out)
{
	int *first = arena_alloc(p->arena, (size_t)p->next_id * sizeof *first);
	c->target = arena_alloc(p->arena, (size_t)(nvals + 1) * sizeof *c->target);
	out->row = arena_alloc(p->arena, (size_t)(nvals + 1) * sizeof *out->row);
	for (int i = nvals - 1; i >= 0; i--) {
		const struct val *v = p->vals[i];
		const struct node *n = maker(v);
		if (v->source == v && !v->data && !v->onehot && n && n->op == OP_step)
			first[n->step->id] = i + 1;
	}
	for (const struct node *n = p->first; n; n = n->next) {
		int i = first[n->step->id] - 1;
		if (i < 0 || is_copy(n))
			continue;
		out->row[out->nrow] = (struct verify_row){ .val = p->vals[i] };
		c->target[c->ntarget++] = (struct target){ &out->row[out->nrow++], i, n->step->id };
	}
	c->view = arena_alloc(p->arena, (size_t)p->next_id * sizeof *c->view);
	for (const struct node *n = p->first; n; n = n->next) {
		c->view[n->step->id].one_way = n->step->one_way;
		c->view[n->step->id].by_seeds = n->step->op == SUF_open && (maker(n->in[0])->step->op == SUF_lut || maker(n->in[0])->step->op == SUF_lutc);
	}
}

/* ---- the float program ---------------------------------------------------------------- */

/* All values of all examples. */
static void ***evaluate(struct prog *p, const struct examples *ex)
{
	void ***result = arena_alloc(p->arena, (size_t)(ex->count + 1) * sizeof *result);
	for (int64_t i = 0; i < ex->count; i++) {
		const void **in = arena_alloc(p->arena, (size_t)(p->nin + 1) * sizeof *in);
		for (int k = 0; k < p->nin; k++)
			in[k] = example_at(p, ex, k, i);
		result[i] = arena_alloc(p->arena, (size_t)p->nvals * sizeof **result);
		if (!float_eval(p, in, result[i], p->arena))
			return NULL;
	}
	return result;
}

/* Does a mask of a softmax reach v, before that softmax?  Pass ranges decides how deep masks are. */
static bool holds_mask(const struct val *v, int *looks)
{
	const struct node *n = v->def;
	if (v->is_masked || --*looks < 0)
		return true;
	if (!n || (n->op != OP_add && n->op != OP_tril && n->op != OP_reshape && n->op != OP_transpose && n->op != OP_slice && n->op != OP_expand))
		return false;
	return holds_mask(n->in[0], looks) || (n->op == OP_add && holds_mask(n->in[1], looks));
}

/* Runs p to the end of stage FLOAT.  Where norms are folded, what the values of the program without folding are
 * decides; masks are compared with those of the program that is run. */
static void ***reference(struct prog *p, const struct options *opt, const struct examples *ex)
{
	const bool folds = gates_wants_folding(opt);
	struct options front = *opt;
	void ***plain = NULL, ***result;
	const char *last = folds ? "clean" : "ranges";
	int nvals;
	front.stop_after = last;
	if (!run_passes(p, &front, stderr) || (folds && !(plain = evaluate(p, ex))))
		return NULL;
	nvals = p->nvals;
	front.stop_after = "ranges";
	if (folds && !run_passes_after(p, last, &front, stderr))
		return NULL;
	result = evaluate(p, ex);
	for (int64_t i = 0; plain && result && i < ex->count; i++)
		for (int k = 0; k < nvals; k++) {
			int looks = 100;
			if (plain[i][k] && !holds_mask(p->vals[k], &looks))
				result[i][k] = plain[i][k];
		}
	return result;
}

bool verify_run(struct prog *p, const struct options *opt, const struct examples *ex, const struct exec_seeds *seeds, struct verify *out)
{
	memset(out, 0, sizeof *out);
	void ***result = reference(p, opt, ex);
	int nvals = p->nvals;
	if (!result || !run_passes_after(p, "ranges", opt, stderr))
		return false;
	struct checker c = { .ntarget = 0 };
	choose_targets(p, nvals, &c, out);
	struct exec *e = exec_new(p);
	const struct suf_program *sp = exec_program(e);
	struct buffers b = { words(p->arena, sp->input, sp->ninput), words(p->arena, sp->output, sp->noutput), words(p->arena, sp->output, sp->noutput) };
	bool ok = true;
	for (int64_t i = 0; ok && i < ex->count; i++) {
		struct exec_seeds own = exec_seeds_of(seeds, (uint64_t)i);
		c.result = result[i];
		ok = exec_encode_inputs(p, e, ex, i, b.in) && one_example(p, e, &own, &c, &b, out);
	}
	exec_free(e);
	return ok;
}

void verify_print(const struct prog *p, const struct verify *v, FILE *to)
{
	int wide = 5;
	for (int k = 0; k < v->nrow; k++)
		wide = (int)strlen(v->row[k].val->name) > wide ? (int)strlen(v->row[k].val->name) : wide;
	fprintf(to, "%-*s %5s %11s %11s %11s %9s %9s %9s\n", wide, "value", "frac", "max |float|", "max error", "rms error", "max ulp", "rms ulp", "relative");
	for (int k = 0; k < v->nrow; k++) {
		const struct verify_row *r = &v->row[k];
		double n = r->count ? (double)r->count : 1, rms = sqrt(r->sum_error2 / n), ulp = ldexp(1, r->val->type.frac), size = sqrt(r->sum_float2 / n);
		fprintf(to, "%-*s %5d %11.4g %11.3g %11.3g %9.1f %9.2f %9.2g\n", wide, r->val->name, r->val->type.frac, r->max_float, r->max_error, rms,
		        r->max_error * ulp, rms * ulp, size > 0 ? rms / size : rms);
	}
	fprintf(to, "outputs in a ring of %d bits; parties, dealer and simulation agree on %llu openings and on the outputs, bit for bit\n",
	        p->nout ? p->out[0]->type.bits : 0, (unsigned long long)v->opened);
	fprintf(to, "%u rounds; sent %llu and %llu bytes; keys %llu and %llu bytes; parties %.1f ms, dealer %.1f ms\n", v->run.rounds,
	        (unsigned long long)v->run.sent[0], (unsigned long long)v->run.sent[1], (unsigned long long)v->run.key[0],
	        (unsigned long long)v->run.key[1], v->run.party_ms, v->run.dealer_ms);
}

/* SPDX-License-Identifier: Apache-2.0
 * gate_run.c -- see gate_run.h. */
#include "gate_run.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

uint64_t
gt_random(void)
{
	static uint64_t state, started;
	if (!started) {
		if (prg_os_random(&state, sizeof state))
			fail_msg("no randomness");
		started = 1;
		printf("random state %016" PRIx64 "\n", state);
	}
	uint64_t z = state += 0x9e3779b97f4a7c15u; /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int64_t
gt_signed(uint64_t v, unsigned bits)
{
	return (int64_t)(v << (64 - bits)) >> (64 - bits);
}

int64_t gt_bits(unsigned bits) { return gt_signed(gt_random(), bits); }

int64_t *
gt_array(uint64_t count)
{
	int64_t *a = calloc(count + 1, sizeof *a);
	assert_non_null(a);
	return a;
}

bool
gt_same(const char *what, const int64_t *got, const int64_t *want, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		if (got[i] != want[i]) {
			printf("%s: element %" PRIu64 " of %" PRIu64 " is %" PRId64 ", expected %" PRId64 "\n", what, i, count, got[i], want[i]);
			return false;
		}
	return true;
}

enum weights_mode gt_weights;

void
gt_init(struct gt *t, unsigned n, unsigned f)
{
	memset(t, 0, sizeof *t);
	t->opt.output_to = 2;
	t->opt.gates = "sigma";
	t->opt.weights = gt_weights;
	t->diag = diag_new(stderr, false);
	t->p = ir_new("gate", &t->opt, t->diag);
	t->p->stage = STAGE_RING;
	t->n = n;
	t->f = f;
}

void
gt_free(struct gt *t)
{
	ir_free(t->p);
	diag_free(t->diag);
}

static struct type
ring(const struct gt *t, enum sec sec, unsigned frac)
{
	return (struct type){ .sec = sec, .bits = (uint8_t)t->n, .frac = (uint8_t)frac };
}

struct val *
gt_input(struct gt *t, struct shape s)
{
	struct val *v = ir_val(t->p, "x", DT_F32, ring(t, SEC_SECRET, t->f), s.rank, s.dim);
	ir_add_input(t->p, v);
	return v;
}

struct val *
gt_input_step(struct gt *t, struct shape s, unsigned bits, unsigned frac)
{
	struct val *v = gt_input(t, s);
	v->type = (struct type){ .sec = SEC_MASKED, .bits = (uint8_t)bits, .frac = (uint8_t)frac };
	struct suf_step st = { .op = SUF_input, .count = (uint64_t)ir_count(v), .n = v->type.bits, .m = v->type.bits };
	ir_step(t->p, NULL, NULL, st, 0, NULL, 1, &v);
	return v;
}

void
gt_output_step(struct gt *t, struct val *v)
{
	const uint64_t count = (uint64_t)ir_count(v);
	ir_add_output(t->p, v);
	struct suf_step st = { .op = SUF_output, .count = count, .na = count, .n = v->type.bits, .m = v->type.bits };
	ir_step(t->p, NULL, NULL, st, 1, &v, 0, NULL);
	t->p->stage = STAGE_SCHED;
}

struct val *
gt_const(struct gt *t, enum sec sec, unsigned frac, struct shape s, const int64_t *data)
{
	struct val *v = ir_const(t->p, "c", DT_I64, sec, s.rank, s.dim, data);
	v->type = ring(t, sec, frac);
	return v;
}

struct val *
gt_op(struct gt *t, enum op op, unsigned frac, struct shape s, int nin, ...)
{
	struct val *in[8], *out = ir_val(t->p, "y", DT_F32, ring(t, SEC_SECRET, frac), s.rank, s.dim);
	va_list ap;
	va_start(ap, nin);
	for (int k = 0; k < nin; k++)
		in[k] = va_arg(ap, struct val *);
	va_end(ap);
	ir_node(t->p, NULL, op, NULL, nin, in, 1, &out);
	return out;
}

struct val *
gt_rescale(struct gt *t, struct val *v, int shift)
{
	struct shape s = { .rank = v->rank };
	memcpy(s.dim, v->dim, sizeof s.dim);
	struct val *out = gt_op(t, OP_rescale, t->f, s, 1, v);
	ir_set_int(t->p, out->def, ATTR_shift, shift);
	return out;
}

void
gt_schedule(struct gt *t)
{
	assert_true(ir_check(t->p, STAGE_SCHED));
	assert_true(pass_schedule(t->p));
	assert_true(ir_check(t->p, STAGE_SCHED));
	assert_true(pass_plan(t->p));
	assert_true(pass_secure(t->p));
	assert_true(ir_check(t->p, STAGE_SCHED));
}

void
gt_compile(struct gt *t, struct val *out)
{
	ir_add_output(t->p, out);
	assert_true(pass_bind(t->p));
	t->p->stage = STAGE_GATE;
	assert_true(pass_expand(t->p));
	assert_true(ir_check(t->p, STAGE_SCHED));
	assert_true(pass_join_open(t->p));
	gt_schedule(t);
}

void
gt_run(struct gt *t, const int64_t *const *in, int64_t *out)
{
	struct exec *e = exec_new(t->p);
	const struct suf_program *sp = exec_program(e);
	uint64_t *wire[8] = { NULL }, count = exec_wire_count(&sp->output[0]);
	uint64_t *sim = calloc(count + 1, sizeof *sim), *run = calloc(count + 1, sizeof *run);
	for (uint32_t k = 0; k < sp->ninput; k++) {
		uint64_t n = exec_wire_count(&sp->input[k]);
		wire[k] = calloc(n + 1, sizeof **wire);
		for (uint64_t i = 0; i < n; i++)
			wire[k][i] = (uint64_t)in[k][i] & ring_mask(sp->input[k].bits);
	}
	struct exec_seeds seeds;
	struct exec_parties got;
	char text[256] = "";
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	if (exec_simulate(e, &seeds, wire, &sim, NULL, NULL, text))
		fail_msg("simulation: %s", text);
	if (exec_run(e, &seeds, wire, &run, NULL, NULL, &got, text))
		fail_msg("run: %s", text);
	for (uint64_t i = 0; i < count; i++) {
		if (sim[i] != run[i])
			fail_msg("element %" PRIu64 ": %" PRIx64 " simulated, %" PRIx64 " by the parties", i, sim[i], run[i]);
		out[i] = gt_signed(sim[i], sp->output[0].bits);
	}
	struct cost c;
	prog_cost(t->p, &c);
	for (int p = 0; p < 2; p++) {
		assert_int_equal(got.key[p], c.total.key[p]);
		assert_int_equal(got.sent[p], c.total.sent[p]);
		assert_int_equal(got.aes[p], c.total.prg[SUF_P0 + p]);
	}
	assert_int_equal(got.aes[2], c.total.prg[SUF_DEALER]);
	assert_int_equal(got.rounds, c.total.rounds);
	for (uint32_t k = 0; k < sp->ninput; k++)
		free(wire[k]);
	free(sim);
	free(run);
	exec_free(e);
}

int64_t *
gt_randoms(uint64_t count, unsigned bits)
{
	int64_t *a = gt_array(count);
	for (uint64_t i = 0; i < count; i++)
		a[i] = gt_bits(bits);
	return a;
}

int64_t
gt_raised(int64_t y, unsigned f)
{
	return (int64_t)((uint64_t)y << f | (gt_random() & ((1ull << f) - 1)));
}

void
gt_expect(struct gt *t, struct val *out, const int64_t *x, const int64_t *want, const char *what)
{
	uint64_t count = (uint64_t)ir_count(out);
	int64_t *got = gt_array(count);
	gt_compile(t, out);
	gt_run(t, &x, got);
	bool same = gt_same(what, got, want, count);
	free(got);
	assert_true(same);
	gt_free(t);
}

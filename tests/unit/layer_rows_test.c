/* SPDX-License-Identifier: Apache-2.0
 * layer_rows_test.c -- one layer of each published row really runs: dealer and both parties, random weights of the scale of
 * trained ones, keys through pipes.  Key bytes, bytes sent, rounds and generator calls of each are the predicted ones, exactly.
 *
 * The layer stands for its row: a stack is predicted to cost, class by class, a multiple of one layer, but for what
 * comes in and goes out once, and for joints of layers in a set that has some: two layers run, too, then.  Its weights
 * are hidden from the passes that look at them, as those of a row are unknown; so the layer is the row's.  The shortest
 * rows are also compared with the simulator bit for bit and with float arithmetic.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>
#include "stacks.h"
#include "passes/exec.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = true };               /* slow: the smallest row */
#else
enum { SANITIZED = false };
#endif
enum { SHORTEST = 128 };
static const uint64_t SEED = 1, MOST_MEMORY = UINT64_C(4) << 30;
static const char *const sets[] = { "sigma", "suf" };
static const struct { const char *model; int seq; } rows[] = {
	{ "gpt2", 128 }, { "gpt2", 256 }, { "gpt2", 512 }, { "bert-base", 128 }, { "bert-base", 256 }, { "bert-base", 512 }
};
enum { NSET = sizeof sets / sizeof *sets, NROW = sizeof rows / sizeof *rows };

/* ---- predictions ------------------------------------------------------------------ */

struct compiled { struct options opt; struct diag *d; struct prog *p; struct cost cost; float *want; };

/* What float arithmetic gives for the input x. */
static float *float_result(const struct prog *p, const float *x)
{
	struct arena *mem = arena_new();
	void **result = arena_alloc(mem, (size_t)p->nvals * sizeof *result);
	const size_t bytes = (size_t)ir_count(p->out[0]) * sizeof(float);
	float *out = malloc(bytes);
	assert_true(out && float_eval(p, (const void *const[]){ x }, result, mem));
	for (int i = 0; i < p->nvals; i++)
		if (p->vals[i] == p->out[0])
			memcpy(out, result[i], bytes);
	arena_free(mem);
	return out;
}

/* From the ranges on weights are not looked at, as without them. */
static void hide_weights(struct prog *p, bool hide)
{
	for (int i = 0; i < p->nvals; i++)
		if (p->vals[i]->data && p->vals[i]->type.sec == SEC_WEIGHT)
			p->vals[i]->absent = hide;
}

/* seed 0: without weights; x: the float result for it, too */
static void compile(struct compiled *c, const struct stack_kind *kind, int layers, int seq, const char *set, uint64_t seed, const float *x)
{
	struct stack_kind k = *kind;
	k.layers = layers;
	*c = (struct compiled){ .opt = { .gates = set, .output_to = 2, .ring_bits = kind->ring_bits, .stop_after = "fold_affine" }, .d = diag_new(stderr, false) };
	diag_quiet(c->d, true);
	c->p = stack_weighted(&k, seq, seed, &c->opt, c->d);
	c->want = x ? float_result(c->p, x) : NULL;
	assert_true(run_passes(c->p, &c->opt, stdout));
	hide_weights(c->p, true);
	c->opt.stop_after = NULL;
	assert_true(run_passes_after(c->p, "fold_affine", &c->opt, stdout));
	hide_weights(c->p, !seed);
	prog_cost(c->p, &c->cost);
}

static void compiled_free(struct compiled *c)
{
	free(c->want);
	ir_free(c->p);
	diag_free(c->d);
}

static uint64_t *numbers(struct cost_row *r, int k)
{
	uint64_t *const at[] = { &r->key[0], &r->key[1], &r->client_key, &r->sent[0], &r->sent[1], &r->prg[0], &r->prg[1], &r->prg[2],
	                         &r->mul_adds[0], &r->mul_adds[1], &r->mul_adds[2], &r->words };
	return k < (int)(sizeof at / sizeof *at) ? at[k] : NULL;
}

static struct cost_row *class_of(struct cost *c, const char *name)
{
	for (int k = 0; k < c->nklass; k++)
		if (!strcmp(c->klass[k].klass, name))
			return &c->klass[k];
	fail_msg("no class '%s'", name);
	return NULL;
}

/* Inputs and outputs come once, however many layers there are. */
static struct cost without_border(const struct compiled *c)
{
	struct cost inner = c->cost;
	struct cost_row border = { .rounds = 1 }, *other = class_of(&inner, "other");
	for (const struct node *n = c->p->first; n; n = n->next) {
		const struct suf_step s = cost_step(c->p, n);
		if (s.op != SUF_input && s.op != SUF_output)
			continue;
		const struct suf_cost one = suf_step_cost(&s, (uint8_t)c->opt.output_to);
		struct cost_row row = { .key = { one.key[0], one.key[1] }, .client_key = one.client_key, .sent = { one.sent[0], one.sent[1] }, .words = one.words };
		memcpy(row.prg, one.prg, sizeof row.prg);
		memcpy(row.mul_adds, one.mul_adds, sizeof row.mul_adds);
		for (int k = 0; numbers(&row, k); k++)
			*numbers(&border, k) += *numbers(&row, k);
	}
	assert_int_equal(border.sent[0], 0);
	assert_int_equal(border.sent[1], (uint64_t)ir_count(c->p->in[0]) * c->p->in[0]->type.bits / 8);
	for (int k = 0; numbers(other, k); k++) {
		*numbers(other, k) -= *numbers(&border, k);
		*numbers(&inner.total, k) -= *numbers(&border, k);
	}
	other->rounds -= border.rounds;
	inner.total.rounds -= border.rounds;
	return inner;
}

/* What `layers` layers take: each its own, and each joint of two what two layers take more than twice one. */
static uint64_t predict(uint64_t layers, uint64_t one, uint64_t two)
{
	return layers * one + (layers - 1) * (two - 2 * one); /* mod 2^64: a joint may save something */
}

static void check_class(const char *what, uint64_t layers, struct cost_row *one, struct cost_row *two, struct cost_row *stack, bool plain)
{
	for (int k = 0; numbers(one, k); k++) {
		const uint64_t a = *numbers(one, k), b = *numbers(two, k), all = *numbers(stack, k);
		if (all != predict(layers, a, b))
			fail_msg("%s: %s, number %d: %llu for %llu layers, %llu for one, %llu for two", what, one->klass, k,
			         (unsigned long long)all, (unsigned long long)layers, (unsigned long long)a, (unsigned long long)b);
		if (plain && b != 2 * a)
			fail_msg("%s: %s, number %d: %llu for one layer, %llu for two", what, one->klass, k, (unsigned long long)a, (unsigned long long)b);
	}
	if (stack->rounds != predict(layers, one->rounds, two->rounds))
		fail_msg("%s: %s has %u rounds, %u with one layer, %u with two", what, one->klass, stack->rounds, one->rounds, two->rounds);
	assert_true(!plain || two->rounds == 2 * one->rounds);
}

/* The set `sigma` has no joints: a layer takes the same wherever it stands.  `suf` leaves truncations and gains to the next layer,
 * but nothing of softmax and activation. */
static void check_stack(const char *set, const struct stack_kind *kind, int seq)
{
	struct compiled c[3];
	struct cost cost[3];
	const int layers[3] = { 1, 2, kind->layers };
	char what[64];
	snprintf(what, sizeof what, "%s, %s %d", set, kind->name, seq);
	for (int k = 0; k < 3; k++) {
		compile(&c[k], kind, layers[k], seq, set, 0, NULL);
		cost[k] = without_border(&c[k]);
		assert_int_equal(cost[k].nklass, cost[0].nklass);
	}
	const bool plain = !strcmp(set, "sigma");
	check_class(what, (uint64_t)kind->layers, &cost[0].total, &cost[1].total, &cost[2].total, plain);
	for (int k = 0; k < cost[0].nklass; k++) {
		const char *name = cost[0].klass[k].klass;
		check_class(what, (uint64_t)kind->layers, &cost[0].klass[k], class_of(&cost[1], name), class_of(&cost[2], name),
		            plain || !strcmp(name, "softmax") || !strcmp(name, "gelu"));
	}
	for (int k = 0; k < 3; k++)
		compiled_free(&c[k]);
}

static void layers_make_stacks(void **state)
{
	(void)state;
	for (int s = 0; s < NSET; s++)
		for (int r = 0; r < NROW; r++)
			check_stack(sets[s], stack_find(rows[r].model), rows[r].seq);
}

/* ---- runs -------------------------------------------------------------------------- */

static void check_same(const char *what, uint64_t measured, uint64_t predicted)
{
	if (measured != predicted)
		fail_msg("%s: %llu measured, %llu predicted", what, (unsigned long long)measured, (unsigned long long)predicted);
}

static void check_costs(const struct cost *c, const struct exec_parties *got)
{
	static const char *const who[3] = { "party 0", "party 1", "dealer" };
	static const int role[3] = { SUF_P0, SUF_P1, SUF_DEALER };
	char what[64];
	for (int k = 0; k < 3; k++) {
		snprintf(what, sizeof what, "generator calls of %s", who[k]);
		check_same(what, got->aes[k], c->total.prg[role[k]]);
		if (k == 2)
			break;
		snprintf(what, sizeof what, "key of %s", who[k]);
		check_same(what, got->key[k], c->total.key[k]);
		snprintf(what, sizeof what, "bytes sent by %s", who[k]);
		check_same(what, got->sent[k], c->total.sent[k]);
	}
	check_same("rounds", got->rounds, c->total.rounds);
}

/* Results of deviation 1, 12 fraction bits: the root of the mean square is some units, 2^-9 with the 8-bit root of `sigma`'s norms. */
static void check_result(struct exec *e, const struct exec_seeds *seeds, uint64_t *in, const uint64_t *out, const float *want)
{
	const struct suf_tensor *t = &exec_program(e)->output[0];
	const uint64_t count = exec_wire_count(t);
	uint64_t *sim = calloc(count, sizeof *sim);
	float *got = malloc(count * sizeof *got);
	char text[256];
	double sum = 0, all = 0;
	assert_true(sim && got);
	if (exec_simulate(e, seeds, (uint64_t *[]){ in }, (uint64_t *[]){ sim }, NULL, NULL, text))
		fail_msg("%s", text);
	assert_memory_equal(sim, out, count * sizeof *sim);
	exec_decode(t, out, got);
	for (uint64_t i = 0; i < count; i++) {
		sum += pow((double)got[i] - (double)want[i], 2);
		all += pow((double)want[i], 2);
	}
	printf("    as simulated; error relative to float %.5f\n", sqrt(sum / all));
	assert_true(sqrt(sum / all) < 0.01);
	free(sim);
	free(got);
}

static void run_layers(const char *set, const struct stack_kind *kind, int layers, int seq)
{
	const int64_t count = seq * kind->hidden;
	uint64_t state = 2, bad, *in = calloc((size_t)count, sizeof *in), *out = calloc((size_t)count, sizeof *out);
	float *x = malloc((size_t)count * sizeof *x);
	struct compiled c, bare;
	struct exec_seeds seeds;
	struct exec_parties got;
	char text[256];
	assert_true(in && out && x);
	stack_random(&state, count, 0, 1, x);
	compile(&bare, kind, layers, seq, set, 0, NULL);
	compile(&c, kind, layers, seq, set, SEED, seq == SHORTEST ? x : NULL);
	for (int k = 0; numbers(&c.cost.total, k); k++)
		check_same("a prediction with weights and without", *numbers(&c.cost.total, k), *numbers(&bare.cost.total, k));
	struct exec *e = exec_new(c.p);
	assert_true(exec_encode(&exec_program(e)->input[0], x, in, &bad));
	assert_int_equal(exec_random_seeds(&seeds), SUF_OK);
	if (exec_run(e, &seeds, (uint64_t *[]){ in }, (uint64_t *[]){ out }, NULL, NULL, &got, text))
		fail_msg("%s, %s %d: %s", set, kind->name, seq, text);
	printf("  %-6s %-10s %d, %d layer(s): key %llu + %llu, sent %llu + %llu, %u rounds, %.1f s\n", set, kind->name, seq, layers, (unsigned long long)got.key[0],
	       (unsigned long long)got.key[1], (unsigned long long)got.sent[0], (unsigned long long)got.sent[1], got.rounds, got.party_ms / 1e3);
	check_costs(&c.cost, &got);
	if (c.want)
		check_result(e, &seeds, in, out, c.want);
	exec_free(e);
	compiled_free(&c);
	compiled_free(&bare);
	free(in);
	free(out);
	free(x);
}

static void layers_run(void **state)
{
	(void)state;
	for (int s = 0; s < NSET; s++) {
		for (int r = 0; r < (SANITIZED ? 1 : NROW); r++)
			run_layers(sets[s], stack_find(rows[r].model), 1, rows[r].seq);
		for (int r = 0; r < NROW && !SANITIZED; r++)
			if (rows[r].seq == SHORTEST && strcmp(sets[s], "sigma"))
				run_layers(sets[s], stack_find(rows[r].model), 2, rows[r].seq);
	}
	struct rusage use;
	assert_int_equal(getrusage(RUSAGE_SELF, &use), 0);
	printf("  most memory: %ld MiB\n", use.ru_maxrss / 1024);
	assert_true(SANITIZED || (uint64_t)use.ru_maxrss * 1024 < MOST_MEMORY); /* keys of up to 9 GB are never stored */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(layers_make_stacks), cmocka_unit_test(layers_run) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}

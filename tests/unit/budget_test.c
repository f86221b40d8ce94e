/* SPDX-License-Identifier: Apache-2.0
 * budget_test.c -- --max-error: fraction bits keep the error on inputs that nobody has seen, for as little as it takes; what
 * cannot be kept is refused; without it nothing changes.  Models, weights and inputs are random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "ir_text.h"
#include "passes/budget.h"
#include "passes/exec.h"
#include "passes/machine.h"
#include "passes/precision.h"
#include "stacks.h"

enum { SEQ = 12, HIDDEN = 64, ONE = SEQ * HIDDEN, EXAMPLES = 8, FRESH = 8 };
static char path[] = "/tmp/budget.XXXXXX.npy";
static const char *const model[] = { "bert-base", "gpt2", "llama2-7b" };

/* A program on its way, with what it reports. */
struct run { struct options opt; struct diag *d; struct prog *p; char *log; size_t size; FILE *to; };

static void
start(struct run *r, int kind, double max_error, const char *set)
{
	struct stack_kind small = *stack_find(model[kind]);
	small.layers = 2, small.hidden = HIDDEN, small.heads = 4, small.ffn = 160;
	*r = (struct run){ .opt = { .gates = set, .output_to = 2, .calibrate = path, .objective = LEAST_COMM, .max_error = max_error } };
	r->to = open_memstream(&r->log, &r->size);
	r->d = diag_new(r->to, false);
	r->p = stack_weighted(&small, SEQ, 11, &r->opt, r->d);
}

static void
end(struct run *r)
{
	ir_free(r->p);
	diag_free(r->d);
	fclose(r->to);
	free(r->log);
}

static void
compiled(struct run *r, int kind, double max_error, const char *set)
{
	start(r, kind, max_error, set);
	const bool ok = run_passes(r->p, &r->opt, stdout);
	fflush(r->to);
	if (!ok)
		fail_msg("%s", r->log);
}

static uint64_t
sent(const struct prog *p)
{
	struct cost c;
	prog_cost(p, &c);
	return c.total.sent[0] + c.total.sent[1];
}

/* rms(program - float) / rms(float) on inputs that calibration did not have. */
static double
fresh_error(struct run *r, int kind)
{
	static float x[ONE], got[ONE];
	struct run f;
	struct exec *e = exec_new(r->p);
	struct exec_seeds seeds;
	char text[256] = "";
	uint64_t state = 4711, bad, in[ONE], out[ONE], *pin = in, *pout = out;
	double error = 0, size = 0;
	start(&f, kind, 0, "compact");
	assert_true(exec_random_seeds(&seeds) == SUF_OK);
	for (int k = 0; k < FRESH; k++) {
		struct exec_seeds own = exec_seeds_of(&seeds, (uint64_t)k);
		void **result = calloc((size_t)f.p->nvals, sizeof *result);
		stack_random(&state, ONE, 0, 1, x);
		assert_true(result && float_eval(f.p, (const void *const[]){ x }, result, f.p->arena));
		assert_true(exec_encode(&exec_program(e)->input[0], x, in, &bad));
		if (exec_simulate(e, &own, &pin, &pout, NULL, NULL, text))
			fail_msg("%s", text);
		exec_decode(&exec_program(e)->output[0], out, got);
		const float *want = NULL;
		for (int i = 0; i < f.p->nvals; i++)
			want = f.p->vals[i] == f.p->out[0] ? result[i] : want;
		for (int i = 0; i < ONE; i++) {
			error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
			size += (double)want[i] * want[i];
		}
		free(result);
	}
	end(&f);
	exec_free(e);
	return sqrt(error / size);
}

static int
all_bits(const struct budget *b)
{
	int sum = 0;
	for (int r = 0; r < b->nrole; r++)
		sum += b->role[r].used ? b->role[r].bits : 0;
	return sum;
}

/* Laxer errors take fewer bits and bytes; each one is kept, and used. */
static void
keeps(void **state)
{
	(void)state;
	static const double asked[] = { 0.02, 0.004, 0.0004 };
	for (int kind = 0; kind < 3; kind++) {
		int bits = 0;
		uint64_t bytes = 0;
		for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
			struct run r;
			compiled(&r, kind, asked[k], k % 2 ? "auto" : "compact");
			const struct budget *b = r.p->budget;
			const double fresh = fresh_error(&r, kind);
			print_message("%s, at most %g: estimated %.4f, measured %.4f on %d, fresh %.4f; %d bits, %llu bytes (usual bits: %.4f, %llu)\n", model[kind], asked[k],
			              b->estimated, b->measured, b->examples, fresh, all_bits(b), (unsigned long long)sent(r.p), b->table_measured,
			              (unsigned long long)b->table.comm);
			assert_true(b->measured > 0.7 * asked[k] && b->measured <= b->bound && b->bound <= asked[k]);
			assert_true(fresh <= 1.1 * asked[k]);
			assert_true(b->estimated > b->measured / 2 && b->estimated < 1.6 * b->measured); /* the model is no guess */
			assert_true(sent(r.p) == b->chosen.comm && sent(r.p) > bytes && all_bits(b) > bits);
			assert_true(asked[k] < b->table_measured || sent(r.p) < b->table.comm);
			bytes = sent(r.p);
			bits = all_bits(b);
			end(&r);
		}
	}
}

/* A machine on which everything is too large for the simulator. */
static bool slow;
void __real_machine_reference(struct machine *);
void __wrap_machine_reference(struct machine *);

void
__wrap_machine_reference(struct machine *m)
{
	__real_machine_reference(m);
	for (int k = 0; k < SUF_NSTEP && slow; k++)
		m->deal[k].fixed += 1e9;
}

/* The model alone keeps the error, too; what it cannot keep is refused. */
static void
large(void **state)
{
	(void)state;
	slow = true;
	for (int kind = 0; kind < 3; kind++) {
		struct run r;
		compiled(&r, kind, 0.004, "compact");
		const double fresh = fresh_error(&r, kind);
		print_message("%s, the model alone: estimated %.4f, fresh %.4f\n", model[kind], r.p->budget->estimated, fresh);
		assert_true(r.p->budget->measured < 0 && r.p->budget->examples == 0 && r.p->budget->estimated <= 0.004);
		assert_true(fresh > 0.001 && fresh <= 0.004);
		assert_true(sent(r.p) < r.p->budget->table.comm);
		end(&r);
	}
	struct run r;
	start(&r, 0, 1e-6, "compact");
	assert_false(run_passes(r.p, &r.opt, stdout));
	fflush(r.to);
	assert_non_null(strstr(r.log, "estimated, with the most fraction bits"));
	end(&r);
	slow = false;
}

static void
repeats(void **state)
{
	(void)state;
	struct run a, b;
	compiled(&a, 1, 0.01, "compact");
	compiled(&b, 1, 0.01, "compact");
	char *first = text_print(a.p), *second = text_print(b.p);
	assert_string_equal(first, second);
	assert_memory_equal(a.p->role_bits, b.p->role_bits, N_ROLE);
	free(first);
	free(second);
	end(&a);
	end(&b);
}

/* The table's bits, given, make the program that none makes; others another one. */
static void
default_stays(void **state)
{
	(void)state;
	struct run none, table, other;
	uint8_t bits[N_ROLE], more[N_ROLE];
	for (int r = 0; r < N_ROLE; r++)
		more[r] = bits[r] = (uint8_t)role_desc[r].bits;
	more[ROLE_attend]++;
	compiled(&none, 0, 0, "compact");
	assert_null(none.p->role_bits);
	assert_null(none.p->budget);
	start(&table, 0, 0, "compact");
	start(&other, 0, 0, "compact");
	table.p->role_bits = bits;
	other.p->role_bits = more;
	table.p->nrole_bits = other.p->nrole_bits = N_ROLE;
	assert_true(run_passes(table.p, &table.opt, stdout) && run_passes(other.p, &other.opt, stdout));
	char *a = text_print(none.p), *b = text_print(table.p), *c = text_print(other.p);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
	assert_true(sent(other.p) > sent(none.p));
	free(a);
	free(b);
	free(c);
	end(&none);
	end(&table);
	end(&other);
}

/* Stage FLOAT has the bits as text, and copies have them; given, they make the same program without --max-error. */
static void
in_text(void **state)
{
	(void)state;
	static const char source[] = "sufc-ir 1\nprogram \"m\" stage FLOAT roles [8,9,13,9,11,11,9,10,12,12]\nvalue %x : f32[2] secret input\ninput %x\noutput %x\n";
	struct run a, b;
	start(&a, 2, 0.02, "compact");
	struct prog *p = text_parse(source, a.d);
	assert_non_null(p);
	assert_int_equal(p->nrole_bits, N_ROLE);
	assert_int_equal(p->role_bits[ROLE_probability], 13);
	char *text = text_print(p), *again;
	assert_string_equal(text, source);
	ir_free(p);
	assert_null(text_parse("sufc-ir 1\nprogram \"m\" stage FLOAT roles [8,99]\n", a.d));
	a.opt.stop_after = "budget";
	assert_true(run_passes(a.p, &a.opt, stdout));
	p = ir_clone(a.p, a.d);
	assert_memory_equal(p->role_bits, a.p->role_bits, N_ROLE);
	ir_free(p);
	free(text);
	text = text_print(a.p);
	assert_non_null(strstr(text, " roles ["));
	start(&b, 2, 0, "compact");
	b.p->role_bits = a.p->role_bits;
	b.p->nrole_bits = N_ROLE;
	a.opt.stop_after = NULL;
	assert_true(run_passes_after(a.p, "budget", &a.opt, stdout) && run_passes(b.p, &b.opt, stdout));
	free(text);
	text = text_print(a.p);
	again = text_print(b.p);
	assert_string_equal(text, again);
	free(text);
	free(again);
	end(&b);
	end(&a);
}

static void
refused(int kind, double max_error, const char *set, const char *first, const char *second)
{
	struct run r;
	start(&r, kind, max_error, set);
	assert_false(run_passes(r.p, &r.opt, stdout));
	fflush(r.to);
	if (!strstr(r.log, first) || !strstr(r.log, second) || !strstr(r.log, "[max-error]"))
		fail_msg("%s", r.log);
	end(&r);
}

static void
refuses(void **state)
{
	(void)state;
	refused(0, 1e-7, "compact", "cannot be kept at 1e-07", "ask for more");
	refused(0, 0.01, "sigma", "values of one format", "--gates=compact");
	struct run r;
	start(&r, 0, 0, "compact");
	r.p->role_bits = (const uint8_t[]){ 8, 9 };
	r.p->nrole_bits = 2;
	assert_false(run_passes(r.p, &r.opt, stdout));
	end(&r);
}

static int
make_data(void **state)
{
	(void)state;
	static float x[EXAMPLES * ONE];
	uint64_t random = 42;
	char head[128];
	const int fd = mkstemps(path, 4);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "wb");
	if (!f)
		return -1;
	stack_random(&random, EXAMPLES * ONE, 0, 1, x);
	memset(head, ' ', sizeof head);
	memcpy(head, "\x93NUMPY\x01\x00\x76\x00", 10);
	const int n = snprintf(head + 10, 117, "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", EXAMPLES * SEQ, HIDDEN);
	head[10 + n] = ' ';
	head[127] = '\n';
	const bool ok = fwrite(head, 1, 128, f) == 128 && fwrite(x, sizeof x, 1, f) == 1;
	return fclose(f) || !ok ? -1 : 0;
}

static int
remove_data(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keeps), cmocka_unit_test(large), cmocka_unit_test(repeats), cmocka_unit_test(default_stays), cmocka_unit_test(in_text),
	                                    cmocka_unit_test(refuses) };
	return cmocka_run_group_tests(tests, make_data, remove_data);
}

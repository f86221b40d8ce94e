/* SPDX-License-Identifier: Apache-2.0
 * Predicted times: the constants of a machine are kept and refused as they should be, every kind of step has some, and
 * the model of rounds, bandwidth, cores and a dealer at work gives what its formulas say on a small program.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/predict.h"

static const double tiny = 1e-9;

/* A machine on which only one thing takes time. */
static struct machine free_machine(void)
{
	struct machine m = { .cores = 2, .wide = 1 };
	return m;
}

/* A random matrix product of two inputs, truncated: openings, comparisons and keys of both kinds. */
static void product(struct gt *g, int64_t rows)
{
	gt_init(g, 50, 12);
	struct val *a = gt_input(g, SHAPE(rows, 24)), *b = gt_input(g, SHAPE(24, 40));
	struct val *c = gt_op(g, OP_matmul, 24, SHAPE(rows, 40), 2, a, b);
	gt_compile(g, gt_rescale(g, c, 12));
}

static struct prediction on(const struct gt *g, const struct machine *m, const char *net)
{
	struct network n;
	struct prediction p;
	assert_true(network_parse(net, &n));
	assert_true(predict(g->p, m, &n, &p));
	return p;
}

static void test_networks(void **state)
{
	(void)state;
	struct network n;
	assert_true(network_parse("lan", &n));
	assert_true(n.gbps > 9.9 && n.gbps < 10.1 && n.rtt_ms > 0.4 && n.rtt_ms < 0.6 && !n.one_machine);
	assert_true(network_parse("wan", &n));
	assert_true(n.gbps < 0.5 && n.rtt_ms > 39 && n.rtt_ms < 41);
	assert_true(network_parse("2.5,12", &n));
	assert_true(n.gbps > 2.4 && n.gbps < 2.6 && n.rtt_ms > 11.9 && n.rtt_ms < 12.1);
	assert_true(network_parse("loopback", &n));
	assert_true(n.one_machine);
	static const char *const bad[] = { "", "fast", "1", "1,", ",3", "0,3", "-1,3", "1,-3", "1,3x", "nan,1" };
	for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
		assert_false(network_parse(bad[k], &n));
}

static void test_file(void **state)
{
	(void)state;
	char dir[] = "/tmp/predict-test-XXXXXX", path[64];
	struct machine m, back;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/new/folder/m.json", dir);
	machine_reference(&m);
	m.eval[SUF_lt].prg = 1.2345;
	m.deal[SUF_lin4].elem = 77;
	m.tls.round_ns = 4321;
	m.cores = 5;
	assert_true(machine_save(path, &m));
	assert_true(machine_load(path, &back));
	assert_true(back.measured);
	assert_int_equal(back.cores, 5);
	for (int op = 0; op < SUF_NSTEP; op++)
		for (int role = 0; role < 2; role++) {
			const struct step_rate *a = role ? &m.eval[op] : &m.deal[op], *b = role ? &back.eval[op] : &back.deal[op];
			assert_true(a->fixed - b->fixed < 1e-3 && b->fixed - a->fixed < 1e-3);
			assert_true(a->elem - b->elem < 1e-3 && b->elem - a->elem < 1e-3);
			assert_true(a->prg - b->prg < 1e-3 && b->prg - a->prg < 1e-3);
		}
	assert_true(back.tls.round_ns > 4320.5 && back.tls.round_ns < 4321.5);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("{\"version\": 1, \"cores\": 2}\n", f);
	fclose(f);
	assert_false(machine_load(path, &back));     /* constants are missing */
	assert_int_equal(unlink(path), 0);
	assert_false(machine_load(path, &back));     /* named, but not there */
	snprintf(path, sizeof path, "%s/new/folder", dir);
	rmdir(path);
	snprintf(path, sizeof path, "%s/new", dir);
	rmdir(path);
	assert_int_equal(rmdir(dir), 0);
}

/* Every kind of step costs something on the reference machine, in both roles. */
static void test_reference(void **state)
{
	(void)state;
	struct machine m;
	machine_reference(&m);
	assert_false(m.measured);
	for (int op = 0; op < SUF_NSTEP; op++) {
		assert_true(m.deal[op].fixed > 0 && m.eval[op].fixed > 0);
		assert_true(m.deal[op].elem + m.deal[op].prg > 0 && m.eval[op].elem + m.eval[op].prg > 0);
	}
	assert_true(m.stream_ns > 0 && m.plain.round_ns > 0 && m.tls.byte_ns > m.plain.byte_ns && m.eval[SUF_matmul].mul > 0);
}

static void test_rounds(void **state)
{
	(void)state;
	struct gt g;
	struct cost cost;
	struct machine m = free_machine();
	product(&g, 16);
	prog_cost(g.p, &cost);
	m.plain = (struct link_rate){ .round_ns = 1e6, .idle_round_ns = 3e6 };
	double rounds = cost.total.rounds;
	assert_true(rounds >= 3);
	double loop = on(&g, &m, "loopback").online_ms, slow = on(&g, &m, "100,20").online_ms;
	assert_true(loop > rounds - tiny && loop < rounds + tiny);
	/* half a round trip, and a longer way to wake up; bytes at 100 Gbit/s are next to nothing */
	assert_true(slow > 13 * rounds && slow < 13 * rounds + 0.01);
	m.plain = (struct link_rate){ .round_ns = 0 };
	double sent = (double)(cost.total.sent[0] > cost.total.sent[1] ? cost.total.sent[0] : cost.total.sent[1]);
	double narrow = on(&g, &m, "0.001,0").online_ms; /* a byte takes 8 us */
	assert_true(narrow > sent * 8e-3 * 0.99 && narrow < sent * 8e-3 * 1.01);
	gt_free(&g);
}

static void test_work(void **state)
{
	(void)state;
	struct gt g;
	struct cost cost;
	struct machine m = free_machine();
	product(&g, 16);
	prog_cost(g.p, &cost);
	for (int op = 0; op < SUF_NSTEP; op++) {
		m.eval[op].prg = 1e6;    /* an AES block of a party takes a millisecond, a multiply-add of the dealer two */
		m.deal[op].mul = 2e6;
	}
	struct prediction p = on(&g, &m, "loopback");
	double most = (double)(cost.total.prg[SUF_P0] > cost.total.prg[SUF_P1] ? cost.total.prg[SUF_P0] : cost.total.prg[SUF_P1]);
	double both = (double)(cost.total.prg[SUF_P0] + cost.total.prg[SUF_P1]);
	assert_true(p.online_ms >= most - 1e-3 && p.online_ms < both); /* who waits is no faster than who works */
	double sum = 0, keygen = 2 * (double)cost.total.mul_adds[SUF_DEALER];
	for (int k = 0; k < p.nklass; k++)
		sum += p.klass[k].ms;
	assert_true(sum > p.online_ms * 0.999 && sum < p.online_ms * 1.001);
	assert_true(p.keygen_ms > keygen * 0.999 && p.keygen_ms < keygen * 1.001);
	m.cores = 1;                     /* both parties on one core */
	double alone = on(&g, &m, "loopback").online_ms, remote = on(&g, &m, "lan").online_ms;
	assert_true(alone > 1.99 * p.online_ms && alone < 2.01 * p.online_ms);
	assert_true(remote < 1.1 * p.online_ms);
	gt_free(&g);
}

/* A dealer at work holds up the parties when it is slower, and takes its share of the cores. */
static void test_streamed(void **state)
{
	(void)state;
	struct gt g;
	struct machine m = free_machine();
	struct network net;
	struct prediction p;
	product(&g, 16);
	for (int op = 0; op < SUF_NSTEP; op++) {
		m.eval[op].fixed = 1e6;
		m.deal[op].fixed = 5e6;
	}
	assert_true(network_parse("loopback", &net));
	assert_true(predict(g.p, &m, &net, &p));
	double stored = p.online_ms, keygen = p.keygen_ms;
	net.streamed = true;
	assert_true(predict(g.p, &m, &net, &p));
	assert_true(p.online_ms > keygen - tiny && p.online_ms < keygen + tiny);
	assert_true(p.offline_ms < tiny && keygen > 4.9 * stored && keygen < 5.1 * stored);
	m.cores = 1;
	assert_true(predict(g.p, &m, &net, &p));
	assert_true(p.online_ms > 0.999 * (keygen + 2 * stored) && p.online_ms < 1.001 * (keygen + 2 * stored));
	gt_free(&g);
}

/* Blocks, multiply-adds and bytes of keys make the floor; calls, elements, rounds do not.  On one machine all that runs at once shares its cores. */
static void test_floor(void **state)
{
	(void)state;
	struct gt g;
	struct cost cost;
	struct machine m = free_machine();
	struct network net;
	struct prediction p;
	product(&g, 16);
	prog_cost(g.p, &cost);
	for (int op = 0; op < SUF_NSTEP; op++) {
		m.eval[op] = (struct step_rate){ .fixed = 1e9, .elem = 1e7, .prg = 1e6, .mul = 3e6 };
		m.deal[op] = (struct step_rate){ .fixed = 1e9, .elem = 1e7, .prg = 2e6, .mul = 5e6 };
	}
	m.plain = (struct link_rate){ .round_ns = 1e9, .byte_ns = 1e6 };
	m.pipe_read_ns = 7e6, m.pipe_write_ns = 11e6, m.file_read_ns = 13e6, m.file_write_ns = 17e6;
	for (int streamed = 0; streamed < 2; streamed++)
		for (m.cores = 1; m.cores < 3; m.cores++) {
			double party[2], dealer = 2 * (double)cost.total.prg[SUF_DEALER] + 5 * (double)cost.total.mul_adds[SUF_DEALER] +
				(streamed ? 11 : 17) * (double)(cost.total.key[0] + cost.total.key[1]);
			for (int k = 0; k < 2; k++)
				party[k] = (double)cost.total.prg[SUF_P0 + k] + 3 * (double)cost.total.mul_adds[SUF_P0 + k] + (streamed ? 7 : 13) * (double)cost.total.key[k];
			double most = party[0] > party[1] ? party[0] : party[1];
			assert_true(network_parse("loopback", &net));
			net.streamed = streamed;
			assert_true(predict(g.p, &m, &net, &p));
			assert_true(p.floor_ms > 0.999999 * most && p.floor_ms < 1.000001 * most);
			assert_true(p.floor_keygen_ms > 0.999999 * dealer && p.floor_keygen_ms < 1.000001 * dealer);
			const double all = (party[0] + party[1] + (streamed ? dealer : 0)) / m.cores, last = streamed && dealer > most ? dealer : most;
			assert_true(p.floor_machine_ms > 0.999999 * (all > last ? all : last) && p.floor_machine_ms < 1.000001 * (all > last ? all : last));
			assert_true(p.floor_ms < p.compute_ms && p.floor_keygen_ms < p.keygen_ms);
		}
	gt_free(&g);
}

/* All of it, for real: every constant is there and within reason.  Sanitizers make everything slow. */
static void test_measure(void **state)
{
	(void)state;
	char dir[] = "/tmp/predict-test-XXXXXX", text[256];
	struct machine m;
	assert_non_null(mkdtemp(dir));
	bool ok = machine_measure(&m, dir, text);
	if (!ok)
		print_error("%s\n", text);
	assert_true(ok);
	assert_int_equal(rmdir(dir), 0);                     /* nothing is left behind */
	assert_true(m.cores >= 1 && m.stream_ns > 0.05 && m.stream_ns < 1e4);
	assert_true(m.plain.round_ns > 100 && m.plain.byte_ns > 0 && m.tls.byte_ns > 0 && m.pipe_read_ns > 0 && m.file_write_ns > 0);
	assert_true(m.deal[SUF_lt].prg > 0 && m.eval[SUF_drelu].prg > 0 && m.eval[SUF_lut].mul > 0 && m.eval[SUF_matmul].mul > 0);
	for (int op = 0; op < SUF_NSTEP; op++)
		assert_true(m.deal[op].fixed + m.deal[op].elem > 0 && m.eval[op].fixed + m.eval[op].elem > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks), cmocka_unit_test(test_file), cmocka_unit_test(test_reference), cmocka_unit_test(test_rounds),
		cmocka_unit_test(test_work), cmocka_unit_test(test_streamed), cmocka_unit_test(test_floor), cmocka_unit_test(test_measure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

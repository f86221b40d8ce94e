/* SPDX-License-Identifier: Apache-2.0
 * choose_test.c -- gates that are chosen: the best mixture of small programs, known by trying all of them; nothing
 * better one or two changes away; what cannot be used is not; equal layers are decided together.
 *
 * The table of gates is this file's: three sets over six operations, whose gates
 * make as many steps as `spec` says, fewer behind a gate that suits them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "gate_run.h"
#include "passes/choose.h"
#include "passes/gate/build.h"
#include "passes/predict.h"

/* ---- gates ------------------------------------------------------------------------ */

enum { SETS = 3, TWO = SETS, OPS = 6, LEN = 24 }; /* TWO: second gates of sigma for relu and gelu */
static const char *const set_name[SETS] = { "sigma", "left", "right" };
static const enum op op_of[OPS] = { OP_relu, OP_gelu, OP_silu, OP_tanh, OP_sigmoid, OP_mul };

/* rounds one after the other, each with that many openings, each of the sum of that many products; 0 rounds: cannot be used. */
struct spec { int rounds, openings, products; };
static struct { struct spec gate[OPS][SETS + 1]; int suits[SETS + 1][SETS + 1]; double most; } spec; /* suits: openings less behind that set; most: largest operand */

static struct prog *original;            /* trials are other programs: weights have no values there */
static struct { char name[32]; int set; } made[256]; /* by which set a value was made in the program that is expanded */
static int nmade;

static int
set_of(const struct gate *g)
{
	int k = 0;
	while (strcmp(set_name[k], g->set))
		k++;
	return strstr(g->name, "_two") ? TWO : k;
}

static int
made_by(const struct val *v)
{
	for (int k = nmade - 1; k >= 0; k--)
		if (!strcmp(made[k].name, v->name))
			return made[k].set;
	return -1;
}

static struct val *
one_opening(struct gb *g, struct val *x, int products)
{
	struct val *sum = b_mul(g, x, x, NULL);
	for (int k = 1; k < products; k++)
		sum = b_lin(g, 1, sum, 1, b_mul(g, x, x, NULL), 0, x->type.bits, NULL);
	return b_open(g, sum);
}

static bool
expand_any(struct prog *p, struct node *n)
{
	struct gb g = { p, n };
	const int set = set_of(n->gate), before = made_by(n->in[0]);
	int op = 0;
	while (op_of[op] != n->op)
		op++;
	const struct spec s = spec.gate[op][set];
	if (!s.rounds || (spec.most > 0 && set == 2 && n->in[0]->hi > spec.most)) {
		diag_error(p->diag, &n->loc, "no-way", "not with this gate");
		return false;
	}
	if (n->nin > 1 && p != original)
		assert_true(n->in[1]->absent);
	int openings = s.openings - (before < 0 ? 0 : spec.suits[before][set]);
	struct val *x = n->in[0];
	for (int r = 0; r < s.rounds; r++) {
		struct val *y = x;                   /* not an opening: pass join_open leaves these sums alone */
		for (int k = 0; k < openings; k++)
			y = b_lin(&g, 1, y, 1, one_opening(&g, x, s.products), 0, x->type.bits, NULL);
		x = y;
	}
	nmade = nmade == 256 ? 0 : nmade;
	snprintf(made[nmade].name, sizeof made[nmade].name, "%s", n->out[0]->name);
	made[nmade++].set = set;
	return b_done(&g, x);
}

#define ANY(s, o) { .set = s, .name = #o, .op = OP_##o, .klass = "other", .expand = expand_any },
#define ALL(s) ANY(s, relu) ANY(s, gelu) ANY(s, silu) ANY(s, tanh) ANY(s, sigmoid) ANY(s, mul)
const struct gate gates[] = {
	{ .set = "local", .name = "add", .op = OP_add, .klass = "other", .expand = expand_local_add },
	{ .set = "local", .name = "concat", .op = OP_concat, .klass = "other", .expand = expand_local_concat },
	{ .set = "local", .name = "neg", .op = OP_neg, .klass = "other", .expand = expand_local_neg },
	ALL("sigma") ALL("left") ALL("right")
	{ .set = "sigma", .name = "relu_two", .op = OP_relu, .klass = "other", .expand = expand_any },
	{ .set = "sigma", .name = "gelu_two", .op = OP_gelu, .klass = "other", .expand = expand_any },
	{ .set = "partial", .name = "relu", .op = OP_relu, .klass = "other", .expand = expand_any },
};
const int ngates = sizeof gates / sizeof gates[0];

/* ---- programs ------------------------------------------------------------------------ */

static char machine_file[] = "/tmp/choose_test.XXXXXX";

static int
make_machine(void **state)
{
	struct machine m;
	(void)state;
	int fd = mkstemp(machine_file);
	machine_reference(&m);
	return fd < 0 || close(fd) || !machine_save(machine_file, &m);
}

static int
drop_machine(void **state)
{
	(void)state;
	return unlink(machine_file);
}

static void
begin(struct gt *t, enum objective objective)
{
	memset(&spec, 0, sizeof spec);
	gt_init(t, 32, 12);
	t->opt.gates = "auto";
	t->opt.objective = objective;
	t->opt.machine = machine_file;
	original = t->p;
}

static struct val *
op1(struct gt *t, enum op op, struct val *x)
{
	struct shape s = { .rank = x->rank };
	memcpy(s.dim, x->dim, sizeof s.dim);
	return gt_op(t, op, 12, s, 1, x);
}

/* relu, gelu, tanh in a chain; silu, sigmoid beside it; both joined, times a weight. */
static void
small_program(struct gt *t)
{
	static const int64_t weight[2 * LEN] = { 1, 2, 3 };
	struct val *x = gt_input(t, SHAPE(LEN));
	struct val *a = op1(t, OP_tanh, op1(t, OP_gelu, op1(t, OP_relu, x))), *b = op1(t, OP_sigmoid, op1(t, OP_silu, x));
	struct val *both = gt_op(t, OP_concat, 12, SHAPE(2 * LEN), 2, a, b);
	ir_set_int(t->p, both->def, ATTR_axis, 0);
	struct val *w = gt_const(t, SEC_WEIGHT, 0, SHAPE(2 * LEN), weight);
	ir_add_output(t->p, gt_op(t, OP_mul, 12, SHAPE(2 * LEN), 2, both, w));
}

/* The same numbers for the same seed. */
static uint64_t chance;
static int
below(int n)
{
	chance = chance * 6364136223846793005u + 1442695040888963407u;
	return (int)((chance >> 33) % (unsigned)n);
}

static void
random_gates(uint64_t seed, int coupling)
{
	chance = seed;
	for (int k = 0; k < OPS; k++)
		for (int s = 0; s < SETS; s++)
			spec.gate[k][s] = (struct spec){ 1 + below(3), 4 + below(4), 1 + below(6) };
	for (int a = 0; a < SETS; a++)
		for (int b = 0; b < SETS; b++)
			spec.suits[a][b] = below(coupling + 1);
}

/* The program with a set for each operation that has a choice; digits of `code` base SETS, in program order. */
static struct measure
measured(struct gt *t, int code)
{
	struct prog *p = ir_clone(t->p, t->diag);
	struct machine m;
	struct network net;
	struct cost cost;
	struct prediction time;
	for (struct node *n = p->first; n; n = n->next) {
		n->gate = gate_choice(p, n->op, 0) ? gate_find(set_name[code % SETS], n->op) : gate_find("local", n->op);
		if (gate_choice(p, n->op, 0))
			code /= SETS;
	}
	for (int k = 0; k < p->nvals; k++)
		p->vals[k]->absent = p->vals[k]->data != NULL;
	p->stage = STAGE_GATE;
	assert_true(run_passes_unchecked(p));
	assert_true(machine_load(machine_file, &m) && network_parse(t->opt.network ? t->opt.network : "lan", &net));
	prog_cost(p, &cost);
	assert_true(predict(p, &m, &net, &time));
	ir_free(p);
	return (struct measure){ .possible = true, .online_ms = time.online_ms, .comm = cost.total.sent[0] + cost.total.sent[1],
	                         .keys = cost.total.key[0] + cost.total.key[1], .rounds = cost.total.rounds };
}

static void
same_measure(const struct measure *a, const struct measure *b)
{
	for (int k = 0; k < MEASURES; k++)
		assert_int_equal(measure_compare((enum objective)k, a, b), 0);
}

/* What the groups' gates would take, by the other gates of one. */
static int
code_of(const struct gt *t)
{
	int code = 0, place = 1;
	for (const struct node *n = t->p->first; n; n = n->next)
		if (!gate_is_local(n->gate)) {
			code += place * set_of(n->gate);
			place *= SETS;
		}
	return code;
}

/* ---- the best ---------------------------------------------------------------------------- */

enum { CODES = 729 };

static void
begin_small(struct gt *t, enum objective objective, uint64_t seed, int coupling)
{
	static const char *const network[] = { NULL, "wan", "loopback", "0.1,1" };
	begin(t, objective);
	t->opt.network = network[seed % 4];
	small_program(t);
	random_gates(seed, coupling);
}

/* One objective finds the best of all programs, and says of each what it takes. */
static int
finds_best(const struct measure *all, enum objective objective, uint64_t seed)
{
	struct gt t;
	int best = 0;
	begin_small(&t, objective, seed, 2);
	for (int code = 1; code < CODES; code++)
		if (measure_compare(objective, &all[code], &all[best]) < 0)
			best = code;
	assert_true(pass_bind(t.p));
	const struct choice *c = t.p->choice;
	const int code = code_of(&t);
	assert_non_null(c);
	assert_int_equal(c->ngroup, OPS);
	assert_true(c->complete && c->trials < CODES / 3);
	same_measure(&c->all, &all[code]);
	if (measure_compare(objective, &c->all, &all[best]))
		fail_msg("seed %d, %s: %d was chosen, %d is best", (int)seed, objective_name[objective], code, best);
	for (int k = 0, place = 1; k < OPS; k++, place *= SETS) /* groups are in program order */
		for (int s = 0; s < SETS; s++) {
			const struct choice_option *o = &c->group[k].option[s];
			assert_string_equal(o->gate->set, set_name[s]);
			if (o->tried)
				same_measure(&o->all, &all[code + place * (s - c->group[k].taken)]);
		}
	for (int s = 0; s < SETS; s++)
		same_measure(&c->set[s].all, &all[s * (CODES - 1) / 2]);
	gt_free(&t);
	return code;
}

/* All 3^6 programs. */
static void
best_of_all(void **state)
{
	(void)state;
	static struct measure all[CODES];
	int mixed = 0, differ = 0, last = -1;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct gt t;
		begin_small(&t, LEAST_TIME, seed, 2);
		for (int code = 0; code < CODES; code++)
			all[code] = measured(&t, code);
		gt_free(&t);
		for (int objective = 0; objective < MEASURES; objective++) {
			int code = finds_best(all, (enum objective)objective, seed);
			mixed += code % SETS != code / SETS % SETS;
			differ += code != last;
			last = code;
		}
	}
	assert_true(mixed > 3 && differ > 3);
}

/* Gates that suit one another much: whatever is found, no group and no two neighbours can be changed to advantage. */
static void
nothing_better_nearby(void **state)
{
	(void)state;
	static const int neighbour[][2] = { { 0, 1 }, { 1, 2 }, { 3, 4 }, { 2, 5 }, { 4, 5 } };
	for (int seed = 1; seed <= 12; seed++) {
		struct gt t;
		begin_small(&t, (enum objective)(seed % MEASURES), (uint64_t)seed * 77, 3);
		struct gt plain = t;
		plain.p = ir_clone(t.p, t.diag);
		assert_true(pass_bind(t.p));
		const struct choice *c = t.p->choice;
		const int code = code_of(&t), power[] = { 1, 3, 9, 27, 81, 243 };
		for (int k = 0; k < 5; k++)
			for (int a = 0; a < SETS; a++)
				for (int b = 0; b < SETS; b++) {
					const int i = neighbour[k][0], j = neighbour[k][1];
					const struct measure other = measured(&plain, code + power[i] * (a - c->group[i].taken) + power[j] * (b - c->group[j].taken));
					assert_true(measure_compare(t.opt.objective, &c->all, &other) <= 0);
				}
		ir_free(plain.p);
		gt_free(&t);
	}
}

/* Two neighbours gain only together, and no set has both. */
static void
two_at_once(void **state)
{
	(void)state;
	struct gt t;
	begin(&t, LEAST_COMM);
	struct val *gelu = op1(&t, OP_gelu, op1(&t, OP_silu, gt_input(&t, SHAPE(LEN)))), *relu = op1(&t, OP_relu, gelu);
	ir_add_output(t.p, relu);
	for (int k = 0; k < OPS; k++)
		for (int s = 0; s < SETS; s++)
			spec.gate[k][s] = (struct spec){ 1, s == 0 ? 5 : 8, 1 };
	spec.gate[0][TWO] = spec.gate[1][TWO] = (struct spec){ 1, 6, 1 };
	spec.suits[TWO][TWO] = 3;                    /* 6 + 6 - 3 < 5 + 5 */
	assert_true(pass_bind(t.p));
	assert_string_equal(gelu->def->gate->name, "gelu_two");
	assert_string_equal(relu->def->gate->name, "relu_two");
	assert_string_equal(gates_label(t.p), "sigma");
	gt_free(&t);
}

static void
equal_in_the_objective(void **state)
{
	(void)state;
	struct gt t;
	begin(&t, LEAST_ROUNDS);
	ir_add_output(t.p, op1(&t, OP_relu, gt_input(&t, SHAPE(LEN))));
	spec.gate[0][0] = (struct spec){ 2, 3, 2 };
	spec.gate[0][1] = (struct spec){ 2, 2, 9 };  /* as many rounds, fewer bytes sent */
	spec.gate[0][2] = (struct spec){ 2, 2, 8 };  /* shorter keys besides */
	assert_true(pass_bind(t.p));
	assert_int_equal(code_of(&t), 2);
	assert_string_equal(gates_label(t.p), "right"); /* one set does it all */
	gt_free(&t);
}

/* ---- what is possible ------------------------------------------------------------------------ */

static void
cheap_right(void)
{
	for (int k = 0; k < OPS; k++)
		for (int s = 0; s < SETS; s++)
			spec.gate[k][s] = (struct spec){ 4 - s, 4 - s, 1 };
}

/* A set that cannot do one operation serves the others. */
static void
not_possible(void **state)
{
	(void)state;
	struct gt t;
	begin(&t, LEAST_TIME);
	small_program(&t);
	cheap_right();
	spec.gate[1][2].rounds = 0;
	assert_true(pass_bind(t.p));
	assert_int_equal(code_of(&t), 2 + 1 * 3 + 2 * 9 + 2 * 27 + 2 * 81 + 2 * 243);
	const struct choice *c = t.p->choice;
	assert_true(c->all.possible && c->set[1].all.possible && !c->set[2].all.possible);
	assert_string_equal(c->set[2].why_not, "not with this gate");
	assert_string_equal(c->group[1].option[2].why_not, "not with this gate");
	assert_int_equal(diag_errors(t.diag), 0);
	gt_free(&t);
}

/* Three changes at once are needed to leave sigma; the set that makes them cannot do two other operations. */
static void
possible_part_of_a_set(void **state)
{
	(void)state;
	struct gt t;
	begin(&t, LEAST_COMM);
	struct val *x = gt_input(&t, SHAPE(LEN));
	for (int k = 0; k < 5; k++)
		x = op1(&t, op_of[k], x);
	ir_add_output(t.p, x);
	for (int k = 0; k < OPS; k++)
		for (int s = 0; s < SETS; s++)
			spec.gate[k][s] = (struct spec){ 1, s == 0 ? 5 : 10, 1 };
	spec.suits[2][2] = 8;                        /* 10 + 2 + 2 < 5 + 5 + 5, 10 + 2 > 5 + 5 */
	spec.gate[0][2].rounds = spec.gate[4][2].rounds = 0;
	assert_true(pass_bind(t.p));
	assert_int_equal(code_of(&t), 0 + 2 * 3 + 2 * 9 + 2 * 27 + 0 * 81);
	gt_free(&t);
}

/* Where no mixture works, the pass that expands says why. */
static void
nothing_possible(void **state)
{
	(void)state;
	struct gt t;
	char *log = NULL;
	size_t size;
	FILE *f = open_memstream(&log, &size);
	begin(&t, LEAST_TIME);
	struct diag *own = diag_new(f, false);
	t.p->diag = own;
	small_program(&t);
	cheap_right();
	for (int s = 0; s < SETS; s++)
		spec.gate[1][s].rounds = 0;
	assert_true(pass_bind(t.p));
	assert_false(t.p->choice->all.possible);
	t.p->stage = STAGE_GATE;
	assert_false(run_passes_unchecked(t.p));
	assert_int_equal(diag_errors(own), 1);
	diag_free(own);
	fclose(f);
	assert_non_null(strstr(log, "not with this gate"));
	free(log);
	gt_free(&t);
}

/* The cheap gate takes small values only: nodes of one group part by their ranges. */
static void
parted_by_range(void **state)
{
	(void)state;
	struct gt t;
	begin(&t, LEAST_TIME);
	struct val *x = gt_input(&t, SHAPE(LEN)), *part[8];
	for (int k = 0; k < 8; k++) {
		struct val *y = op1(&t, OP_neg, x);
		y->lo = 0;
		y->hi = k < 3 ? 100 + k : 10;
		y->from = RANGE_CALIBRATED;
		part[k] = op1(&t, OP_relu, y);
	}
	struct val *sum = gt_op(&t, OP_concat, 12, SHAPE(8 * LEN), 8, part[0], part[1], part[2], part[3], part[4], part[5], part[6], part[7]);
	ir_set_int(t.p, sum->def, ATTR_axis, 0);
	ir_add_output(t.p, sum);
	cheap_right();
	spec.most = 50;
	assert_true(pass_bind(t.p));
	for (int k = 0; k < 8; k++)
		assert_string_equal(part[k]->def->gate->set, k < 3 ? "left" : "right");
	assert_int_equal(t.p->choice->ngroup, 2); /* 100 to 102 are of one size */
	gt_free(&t);
}

/* Without the machine's constants nothing is chosen by them. */
static void
no_constants(void **state)
{
	(void)state;
	struct gt t;
	char *log = NULL;
	size_t size;
	FILE *f = open_memstream(&log, &size);
	begin(&t, LEAST_TIME);
	struct diag *own = diag_new(f, false);
	t.p->diag = own;
	t.opt.machine = "/nowhere/machine.json";
	small_program(&t);
	cheap_right();
	assert_false(pass_bind(t.p));
	assert_int_equal(diag_errors(own), 1);
	diag_free(own);
	fclose(f);
	assert_non_null(strstr(log, "/nowhere/machine.json: cannot read the file"));
	free(log);
	gt_free(&t);
}

/* ---- groups -------------------------------------------------------------------------------------- */

enum { LAYERS = 20 };

static void
layers_together(void **state)
{
	(void)state;
	struct gt t;
	begin(&t, LEAST_TIME);
	struct val *x = gt_input(&t, SHAPE(LEN));
	for (int k = 0; k < LAYERS; k++)
		x = gt_op(&t, OP_add, 12, SHAPE(LEN), 2, x, op1(&t, OP_gelu, op1(&t, OP_relu, x)));
	ir_add_output(t.p, x);
	cheap_right();
	assert_true(pass_bind(t.p));
	const struct choice *c = t.p->choice;
	int relu = 0, gelu = 0, most = 0;
	for (int g = 0; g < c->ngroup; g++) {
		*(strcmp(c->group[g].op, "relu") ? &gelu : &relu) += c->group[g].nodes;
		most = c->group[g].nodes > most ? c->group[g].nodes : most;
		assert_int_equal(c->group[g].n, SETS + 1); /* none of the set that does not cover a model */
		assert_string_equal(c->group[g].shape, "24");
	}
	assert_int_equal(relu, LAYERS);
	assert_int_equal(gelu, LAYERS);
	assert_true(most >= LAYERS - 4 && c->ngroup <= 10);
	for (const struct node *n = t.p->first; n; n = n->next)
		assert_true(gate_is_local(n->gate) || !strcmp(n->gate->set, "right"));
	gt_free(&t);
}

/* Shapes and rules part nodes; what is given is not chosen. */
static void
rules_come_first(void **state)
{
	(void)state;
	char path[] = "/tmp/choose_test.XXXXXX";
	FILE *f = fdopen(mkstemp(path), "w");
	fputs("op relu left\nvalue y.1 sigma.gelu\nvalue y.2 auto\n", f);
	fclose(f);
	struct gt t;
	begin(&t, LEAST_TIME);
	t.opt.gates = path;
	struct val *x = gt_input(&t, SHAPE(LEN)), *y = op1(&t, OP_gelu, op1(&t, OP_relu, x));
	ir_add_output(t.p, op1(&t, OP_relu, op1(&t, OP_gelu, y)));
	cheap_right();
	assert_true(pass_bind(t.p));
	const char *const want[] = { "left", "sigma", "right", "left" };
	int k = 0;
	for (const struct node *n = t.p->first; n; n = n->next)
		assert_string_equal(n->gate->set, want[k++]);
	assert_int_equal(t.p->choice->ngroup, 1);
	assert_string_equal(t.p->choice->group[0].node, "y.2");
	assert_string_equal(gates_label(t.p), "custom");
	gt_free(&t);
	unlink(path);
}

/* A program so long that few trials are allowed: it is still not worse than the best set. */
static void
bounded(void **state)
{
	(void)state;
	struct gt t;
	begin(&t, LEAST_COMM);
	struct val *x = gt_input(&t, SHAPE(LEN));
	for (int k = 0; k < 12000; k++)
		x = k % 1000 ? op1(&t, OP_neg, x) : op1(&t, op_of[k / 1000 % 5], op1(&t, op_of[(k / 1000 + k / 3000) % 5], x));
	ir_add_output(t.p, x);
	random_gates(3, 3);
	assert_true(pass_bind(t.p));
	const struct choice *c = t.p->choice;
	assert_false(c->complete);
	assert_in_range(c->trials, 3, 45);
	for (int s = 0; s < SETS; s++)
		assert_true(c->set[s].tried && measure_compare(LEAST_COMM, &c->all, &c->set[s].all) <= 0);
	gt_free(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(best_of_all), cmocka_unit_test(nothing_better_nearby), cmocka_unit_test(two_at_once), cmocka_unit_test(equal_in_the_objective),
		cmocka_unit_test(not_possible), cmocka_unit_test(possible_part_of_a_set), cmocka_unit_test(nothing_possible), cmocka_unit_test(no_constants), cmocka_unit_test(parted_by_range), cmocka_unit_test(layers_together),
		cmocka_unit_test(rules_come_first), cmocka_unit_test(bounded),
	};
	return cmocka_run_group_tests(tests, make_machine, drop_machine);
}

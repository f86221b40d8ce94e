/* SPDX-License-Identifier: Apache-2.0
 * budget_model.c -- the relative error of a program's outputs as a function of the fraction bits of roles.
 *
 * Rounding errors of different values are independent and small, so their squares add up at the outputs:
 *
 *     error^2  =  fixed  +  sum over groups  gain_g * mean over the group's values of 4^(bits with the table - bits)
 *
 * A group is the values that the same roles decide.  Its gain is measured, not derived: the float program runs on calibration
 * inputs with uniform noise, as large as the rounding of that value, added to all values of the group and to nothing else.
 * Weights are rounded to what the program holds.  `fixed` is what gates approximate with constants of their own, as
 * docs/numerics.md says.  Takes one float run for each group and example.
 */
#include <math.h>
#include <string.h>
#include "passes/budget_priv.h"

enum { MOST_PROBES = 16, FIXED = -1, CLEAN = -2, ROPE_BITS = 9 };
/* Half-widths of uniform noise in units of the last place: a rounding to nearest; one by shares, of standard deviation 1/2.
 * Then of gates: 1/sum of a softmax, 1/sigma of a norm, relative to the result, as deviations. */
static const double nearest = 0.5, step = 0.866, soft_fixed = 0x1p-12, norm_fixed = 0x1p-13;
static const double most_work = 4e10;    /* multiply-adds of all float runs, half a minute */

/* One float run: what gets noise. */
struct probe { const struct budget_job *j; int group; int64_t example; const int *source_of; };

/* ---- noise ---------------------------------------------------------------------------- */

static uint64_t
mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* Uniform in [-1, 1), the same for the same example, value and element. */
static double
noise(const struct probe *b, int value, int64_t i)
{
	const uint64_t z = mix(mix((uint64_t)b->example << 32 | (uint32_t)value) + (uint64_t)i);
	return (double)(int64_t)z * 0x1p-63;
}

static void
add_noise(const struct probe *b, int value, float *x)
{
	const struct source *s = b->source_of[value] < 0 ? NULL : &b->j->source[b->source_of[value]];
	if (!s || s->group != b->group)
		return;
	const double wide = ldexp(s->kind == SOURCE_NEAREST ? nearest : step, -s->frac);
	for (int64_t i = 0, n = ir_count(b->j->p->vals[value]); i < n; i++)
		x[i] = (float)((double)x[i] + wide * noise(b, value, i));
}

static void
on_result(void *arg, int value, void *data)
{
	const struct probe *b = arg;
	const struct val *v = b->j->p->vals[value];
	float *x = data;
	if (v->dtype != DT_F32 || b->group == CLEAN)
		return;
	if (b->group != FIXED) {
		add_noise(b, value, x);
		return;
	}
	const enum op op = v->def->op;
	const double wide = sqrt(3) * (op == OP_softmax || op == OP_softmax_tril ? soft_fixed : op == OP_layernorm || op == OP_rmsnorm ? norm_fixed : 0);
	for (int64_t i = 0, n = wide > 0 ? ir_count(v) : 0; i < n; i++)
		x[i] = (float)((double)x[i] * (1 + wide * noise(b, value, i)));
}

/* With factors, which a reader applies to the elements of the weight itself alone. */
static const float *
rounded(const struct val *v, const float *x, int frac, struct arena *scratch)
{
	const bool raw = v->factor && x == v->data;
	const int64_t n = ir_count(v);
	float *to = arena_alloc(scratch, (size_t)n * sizeof *to);
	for (int64_t i = 0; i < n; i++)
		to[i] = (float)ldexp(rint(ldexp(raw ? ir_elem(v, i) : (double)x[i], frac)), -frac);
	return to;
}

static bool
is_rope_table(const struct prog *p, const struct val *v)
{
	for (const struct node *n = p->first; n; n = n->next)
		if (n->op == OP_rope && (n->in[1] == v || n->in[2] == v))
			return true;
	return false;
}

static const void *
on_constant(void *arg, int value, const void *data, struct arena *scratch)
{
	const struct probe *b = arg;
	const struct val *v = b->j->p->vals[value];
	if (v->dtype != DT_F32 || b->group == CLEAN)
		return data;
	if (b->group == FIXED)
		return is_rope_table(b->j->p, v) ? rounded(v, data, ROPE_BITS, scratch) : data;
	const struct source *s = b->source_of[value] < 0 ? NULL : &b->j->source[b->source_of[value]];
	return s && s->group == b->group ? rounded(v, data, s->frac, scratch) : data;
}

/* ---- runs ------------------------------------------------------------------------------- */

int64_t
budget_pick(const struct budget_job *j, int k, int of)
{
	return j->ex.count * k / of;
}

double
budget_elements(const struct budget_job *j, int k)
{
	return (double)ir_count(j->p->vals[j->out[k]]);
}

static int
place_of(const struct prog *p, const struct val *v)
{
	int i = 0;
	while (p->vals[i] != v)
		i++;
	return i;
}

/* Copies of the outputs that count. */
static bool
run(struct budget_job *j, struct probe *b, struct arena *to, float **out)
{
	struct prog *p = j->p;
	struct arena *mem = arena_new();
	const struct float_change change = { on_result, on_constant, b };
	const void **in = arena_alloc(mem, (size_t)(p->nin + 1) * sizeof *in);
	void **result = arena_alloc(mem, (size_t)(p->nvals + 1) * sizeof *result);
	for (int k = 0; k < p->nin; k++) {
		const size_t bytes = (size_t)ir_count(p->in[k]) * sizeof(float);
		in[k] = example_at(p, &j->ex, k, b->example);
		if (p->in[k]->dtype != DT_F32 || b->group < 0)
			continue;
		float *x = memcpy(arena_alloc(mem, bytes), in[k], bytes);
		add_noise(b, place_of(p, p->in[k]), x);
		in[k] = x;
	}
	const bool ok = float_eval_changed(p, in, result, mem, &change);
	for (int k = 0; ok && k < j->nout; k++) {
		const size_t bytes = (size_t)budget_elements(j, k) * sizeof(float);
		out[k] = memcpy(arena_alloc(to, bytes + 1), result[j->out[k]], bytes);
	}
	arena_free(mem);
	j->runs++;
	return ok;
}

float **
budget_float(struct budget_job *j, int64_t example)
{
	struct probe b = { .j = j, .group = CLEAN, .example = example };
	if (!j->want)
		j->want = arena_alloc(j->a, (size_t)(j->ex.count + 1) * sizeof *j->want);
	if (j->want[example])
		return j->want[example];
	float **out = arena_alloc(j->a, (size_t)(j->nout + 1) * sizeof *out);
	return run(j, &b, j->a, out) ? j->want[example] = out : NULL;
}

/* Adds squares of output k: of the error, and of the result. */
static void
add_squares(const float *got, const float *want, int64_t n, double *error, double *size)
{
	for (int64_t i = 0; i < n; i++) {
		const double d = (double)got[i] - (double)want[i];
		*error += d * d;
		*size += (double)want[i] * (double)want[i];
	}
}

/* ---- the model -------------------------------------------------------------------------- */

/* Float work of one run. */
static double
work(const struct prog *p)
{
	double sum = 1;
	for (const struct node *n = p->first; n; n = n->next) {
		const double count = (double)ir_count(n->out[0]);
		sum += n->op == OP_matmul ? count * (double)n->in[0]->dim[n->in[0]->rank - 1] : 20 * count;
	}
	return sum;
}

static int
group_of(struct budget_job *j, uint32_t roles)
{
	int g = 0;
	while (g < j->ngroup && j->group[g].roles != roles)
		g++;
	if (g == j->ngroup)
		j->group[j->ngroup++] = (struct noise_group){ .roles = roles, .gain = arena_alloc(j->a, (size_t)(j->nout + 1) * sizeof(double)) };
	return g;
}

/* One example: clean, then every group; group -1: the fixed part. */
static bool
probe_example(struct budget_job *j, int64_t example, const int *source_of, double **error, double *size)
{
	struct arena *mem = arena_new();
	float **want = budget_float(j, example), **got = arena_alloc(mem, (size_t)(j->nout + 1) * sizeof *got);
	bool ok = want != NULL;
	for (int g = FIXED; ok && g < j->ngroup; g++) {
		struct probe b = { .j = j, .group = g, .example = example, .source_of = source_of };
		ok = run(j, &b, mem, got);
		for (int k = 0; ok && k < j->nout; k++)
			add_squares(got[k], want[k], (int64_t)budget_elements(j, k), &error[g + 1][k], &(double){ 0 });
	}
	for (int k = 0; ok && k < j->nout; k++)
		add_squares(want[k], want[k], (int64_t)budget_elements(j, k), &(double){ 0 }, &size[k]);
	arena_free(mem);
	return ok;
}

bool
budget_model(struct budget_job *j)
{
	int *source_of = arena_alloc(j->a, (size_t)(j->p->nvals + 1) * sizeof *source_of);
	double **error, *size = arena_alloc(j->a, (size_t)(j->nout + 1) * sizeof *size);
	j->group = arena_alloc(j->a, (size_t)(j->nsource + 1) * sizeof *j->group);
	for (int k = 0; k < j->p->nvals; k++)
		source_of[k] = -1;
	for (int k = 0; k < j->nsource; k++) {
		struct source *s = &j->source[k];
		s->group = group_of(j, s->roles);
		j->group[s->group].count += s->count;
		source_of[s->value] = k;
	}
	error = arena_alloc(j->a, (size_t)(j->ngroup + 1) * sizeof *error);
	for (int g = 0; g <= j->ngroup; g++)
		error[g] = arena_alloc(j->a, (size_t)(j->nout + 1) * sizeof **error);
	const double most = most_work / (work(j->p) * (j->ngroup + 2));
	const int64_t allowed = most < 1 ? 1 : most < MOST_PROBES ? (int64_t)most : MOST_PROBES;
	j->probes = (int)(allowed < j->ex.count ? allowed : j->ex.count);
	for (int k = 0; k < j->probes; k++)
		if (!probe_example(j, budget_pick(j, k, j->probes), source_of, error, size))
			return false;
	j->fixed = error[0];
	for (int k = 0; k < j->nout; k++)
		for (int g = 0; g <= j->ngroup; g++) {
			const double relative = size[k] > 0 ? error[g][k] / size[k] : error[g][k];
			*(g ? &j->group[g - 1].gain[k] : &j->fixed[k]) = relative;
		}
	return true;
}

/* How many bits more than with the table; *role: who decides. */
static int
rise(const struct budget_job *j, const struct source *s, const struct role_set *at, int *role)
{
	int most = s->roles ? -100 : 0;
	*role = -1;
	for (int r = 0; r < N_ROLE; r++) {
		const int more = (int)at->bits[r] - j->table.bits[r] - s->slack[r];
		if (s->roles >> r & 1 && more > most) {
			most = more;
			*role = r;
		}
	}
	return most;
}

/* Squared relative error of each output; part: NULL or by role, of the worst output alone. */
static double
squares(const struct budget_job *j, const struct role_set *at, double *part)
{
	double worst = 0;
	for (int k = 0; k < j->nout; k++) {
		double sum = j->fixed[k], own[N_ROLE] = { 0 };
		for (int i = 0; i < j->nsource; i++) {
			const struct source *s = &j->source[i];
			const struct noise_group *g = &j->group[s->group];
			int role;
			const double e = g->gain[k] * s->count / g->count * ldexp(1, -2 * rise(j, s, at, &role));
			sum += e;
			if (role >= 0)
				own[role] += e;
		}
		if (sum >= worst && part)
			memcpy(part, own, sizeof own);
		worst = fmax(worst, sum);
	}
	return worst;
}

double
budget_estimate(const struct budget_job *j, const struct role_set *at)
{
	return sqrt(squares(j, at, NULL));
}

void
budget_shares(const struct budget_job *j, const struct role_set *at, double share[N_ROLE])
{
	double part[N_ROLE] = { 0 };
	const double all = squares(j, at, part);
	for (int r = 0; r < N_ROLE; r++)
		share[r] = all > 0 ? part[r] / all : 0;
}

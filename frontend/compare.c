/* SPDX-License-Identifier: Apache-2.0
 * compare.c -- compiles a model once for each strategy and keeps what it costs.
 */
#include <ctype.h>
#include <string.h>
#include "frontend/cmd.h"
#include "frontend/compare.h"
#include "frontend/output.h"
#include "passes/gate_rules.h"

/* ---- the command line again --------------------------------------------------- */

static const char *
quoted(struct arena *a, const char *word)
{
	const char *s = word;
	while (isalnum((unsigned char)*s) || (*s && strchr("-_./=,:+@%", *s)))
		s++;
	if (*word && !*s)
		return word;
	const char *text = "'";
	for (s = word; *s; s++)
		text = *s == '\'' ? arena_printf(a, "%s'\\''", text) : arena_printf(a, "%s%c", text, *s);
	return arena_printf(a, "%s'", text);
}

static const char *
command_line(struct arena *a, int argc, char **argv)
{
	const char *text = argc ? argv[0] : "sufc"; /* "sufc compare" is one word here */
	const char *slash = strrchr(text, '/');
	text = slash ? slash + 1 : text;
	for (int k = 1; k < argc; k++)
		text = arena_printf(a, "%s %s", text, quoted(a, argv[k]));
	return text;
}

/* ---- set up -------------------------------------------------------------------- */

bool
compare_init(struct comparison *c, const struct options *opt, int argc, char **argv)
{
	struct network own = { .gbps = 0 };
	*c = (struct comparison){ .arena = arena_new(), .output_to = opt->output_to, .weights = opt->weights, .objective = opt->objective, .only = -1 };
	c->model = opt->model ? opt->model : "";
	c->command = command_line(c->arena, argc, argv);
	network_parse("lan", &c->net[0]);
	network_parse("wan", &c->net[1]);
	c->nnet = 2;
	if (opt->network) {
		if (!network_parse(opt->network, &own))
			BUG("the network '%s' was not checked", opt->network);
		c->only = !strcmp(own.name, "lan") ? 0 : !strcmp(own.name, "wan") ? 1 : c->nnet++;
		c->net[c->only] = own;
	}
	if (machine_load(opt->machine, &c->machine)) {
		machine_note(&c->machine);
		return true;
	}
	compare_free(c);
	return false;
}

void
compare_free(struct comparison *c)
{
	for (int k = 0; k < c->n; k++)
		json_decref(c->v[k].json);
	if (c->arena)
		arena_free(c->arena);
}

/* ---- a strategy ------------------------------------------------------------------- */

/* Latency is what is left of the exchanges on a line of any speed. */
static void
predict_times(struct comparison *c, struct strategy *s, const struct prog *p)
{
	for (int k = 0; k < c->nnet; k++) {
		struct network fast = c->net[k];
		struct prediction latency;
		if (fast.gbps > 0)
			fast.gbps = 1e9;
		if (!predict(p, &c->machine, &c->net[k], &s->time[k].p) || !predict(p, &c->machine, &fast, &latency))
			BUG("a program without a schedule");
		for (int i = 0; i < s->time[k].p.nklass; i++) /* they may be the program's */
			s->time[k].p.klass[i].klass = arena_strdup(c->arena, s->time[k].p.klass[i].klass);
		const double least = latency.comm_ms < s->time[k].p.comm_ms ? latency.comm_ms : s->time[k].p.comm_ms;
		s->time[k].latency_ms = least;
		s->time[k].bandwidth_ms = s->time[k].p.comm_ms - least;
	}
}

static struct strategy *
new_strategy(struct comparison *c)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 4;
		struct strategy *v = arena_alloc(c->arena, (size_t)c->cap * sizeof *v);
		if (c->n)
			memcpy(v, c->v, (size_t)c->n * sizeof *v);
		c->v = v;
	}
	return &c->v[c->n]; /* counted when it is complete */
}

static void write_gates(const void *p, FILE *to) { gate_rules_write(p, to); }

static void
recognise(struct comparison *c, const struct prog *p)
{
	c->shape = stack_shape(p);
	c->known = published_model(&c->shape);
	for (int k = 0; k < npublished && c->known && c->npub < 2; k++)
		if (!strcmp(published[k].model, c->known->name) && published[k].seq == c->shape.seq)
			c->pub[c->npub++] = &published[k];
	if (!c->npub)
		c->known = NULL;
}

static const char *
last_pass(enum stage gives)
{
	const char *name = NULL;
	for (int k = 0; k < npasses; k++)
		if (passes[k].gives == gives)
			name = passes[k].name;
	return name;
}

int
compare_add(struct comparison *c, struct prog *p, const struct options *opt, const char *save_gates)
{
	struct strategy *s = new_strategy(c);
	struct options first = *opt;
	*s = (struct strategy){ .nnode = 0 };
	c->weights = p->weights;
	if (p->stage < STAGE_GATE) {
		first.stop_after = "bind";
		if (!run_passes(p, &first, stdout))
			return STATUS_MODEL;
	}
	if (p->stage == STAGE_GATE) {
		int status = save_gates ? output_file(p->diag, c->arena, save_gates, write_gates, p) : STATUS_OK;
		if (status)
			return status;
		if (!c->n)
			recognise(c, p);
		first.stop_after = last_pass(STAGE_GATE);
		if (!run_passes(p, &first, stdout))
			return STATUS_MODEL;
		compare_collect_gates(c, s, p);
		if (!run_passes_after(p, first.stop_after, opt, stdout))
			return STATUS_MODEL;
	}
	s->gates = arena_strdup(c->arena, gates_is_file(opt->gates) || (opt->gates && !strcmp(opt->gates, "auto")) ? opt->gates : gates_label(p));
	s->choice = p->choice ? choice_copy(c->arena, p->choice) : NULL;
	s->budget = p->budget ? budget_copy(c->arena, p->budget) : NULL;
	compare_collect(c, s, p);
	predict_times(c, s, p);
	c->n++;
	return STATUS_OK;
}

/* ---- in words ------------------------------------------------------------------------ */

const char *
compare_setting(const struct comparison *c)
{
	return arena_printf(c->arena, "weights %s, output to %s", weights_words(c->weights),
	                    c->output_to == 1 ? "party 1" : c->output_to == 0 ? "party 0" : "both parties");
}

const char *
compare_shape(const struct comparison *c)
{
	const struct stack_shape *t = &c->shape;
	if (!t->layers)
		return NULL;
	const char *batch = t->batch > 1 ? arena_printf(c->arena, ", batch %lld", (long long)t->batch) : "";
	return arena_printf(c->arena, "%d layer%s, hidden %lld, %lld head%s, feed-forward %lld, sequence %lld%s%s", t->layers, t->layers == 1 ? "" : "s",
	                    (long long)t->hidden, (long long)t->heads, t->heads == 1 ? "" : "s", (long long)t->ffn, (long long)t->seq, batch,
	                    t->causal ? ", causal" : "");
}

/* ---- classes ------------------------------------------------------------------------- */

const char *const compare_classes[COMPARE_CLASSES] = { "matmul", "truncate", "softmax", "gelu", "layernorm", "embedding", "other" };

const struct cost_row *
compare_class(const struct strategy *s, const char *name)
{
	for (int k = 0; k < s->cost.nklass; k++)
		if (!strcmp(s->cost.klass[k].klass, name))
			return &s->cost.klass[k];
	return NULL;
}

bool
compare_has_class(const struct comparison *c, const char *name)
{
	for (int k = 0; k < c->n; k++)
		if (compare_class(&c->v[k], name))
			return true;
	return false;
}

/* SPDX-License-Identifier: Apache-2.0
 * compare_json.c -- a comparison as JSON.  docs/costs.md describes the keys; they stay.
 */
#include <math.h>
#include <string.h>
#include "frontend/compare.h"
#include "frontend/report.h"

static json_t *
number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
pair(const uint64_t n[2])
{
	return json_pack("[oo]", number(n[0]), number(n[1]));
}

/* Six decimals: a nanosecond, a kilobyte of GiB. */
static json_t *
decimal(double x)
{
	return json_real(round(x * 1e6) / 1e6);
}

static json_t *
or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* The keys that every list of costs has. */
static void
set_row(json_t *to, const struct cost_row *r)
{
	json_object_set_new(to, "comm_bytes", number(r->sent[0] + r->sent[1]));
	json_object_set_new(to, "offline_comm_bytes", number(r->offline));
	json_object_set_new(to, "key_bytes", pair(r->key));
	json_object_set_new(to, "sent_bytes", pair(r->sent));
	json_object_set_new(to, "prg_calls", json_pack("[ooo]", number(r->prg[0]), number(r->prg[1]), number(r->prg[2])));
	json_object_set_new(to, "mul_adds", pair(r->mul_adds + 1));
}

static json_t *
node_json(const struct node_cost *n)
{
	json_t *o = json_object();
	json_object_set_new(o, "name", or_null(n->name));
	json_object_set_new(o, "op", or_null(n->op));
	json_object_set_new(o, "class", json_string(n->klass));
	json_object_set_new(o, "gate", or_null(n->gate));
	json_object_set_new(o, "layer", n->layer < 0 ? json_null() : json_integer(n->layer));
	set_row(o, &n->row);
	json_object_set_new(o, "rounds", number(n->row.rounds));
	return o;
}

static json_t *
timing_json(const struct comparison *c, const struct strategy *s, int k)
{
	const struct timing *t = &s->time[k];
	json_t *classes = json_object();
	for (int i = 0; i < t->p.nklass; i++)
		json_object_set_new(classes, t->p.klass[i].klass, decimal(t->p.klass[i].ms));
	return json_pack("{ss so so so so so so so so so so}", "network", c->net[k].name, "gbps", decimal(c->net[k].gbps), "rtt_ms", decimal(c->net[k].rtt_ms),
	                 "online_ms", decimal(t->p.online_ms), "compute_ms", decimal(t->p.compute_ms), "bandwidth_ms", decimal(t->bandwidth_ms),
	                 "latency_ms", decimal(t->latency_ms), "keygen_ms", decimal(t->p.keygen_ms), "key_transfer_ms", decimal(t->p.key_transfer_ms),
	                 "offline_ms", decimal(t->p.offline_ms), "classes", classes);
}

static json_t *
strategy_json(const struct comparison *c, const struct strategy *s)
{
	json_t *o = json_deep_copy(s->json), *nodes = json_array(), *layers = json_array(), *steps = json_array(), *times = json_array(), *warnings = json_array();
	json_t *ms = json_object();
	json_object_set_new(o, "gates", json_string(s->gates));
	for (int k = 0; k < c->nnet; k++) {
		json_object_set_new(ms, k == 0 ? "lan" : k == 1 ? "wan" : "custom", decimal(s->time[k].p.online_ms));
		json_array_append_new(times, timing_json(c, s, k));
	}
	for (int k = 0; k < s->nnode; k++)
		json_array_append_new(nodes, node_json(&s->node[k]));
	for (int k = 0; k < s->nlayer; k++) {
		json_t *layer = json_pack("{so}", "layer", s->layer[k].layer < 0 ? json_null() : json_integer(s->layer[k].layer));
		set_row(layer, &s->layer[k].row);
		json_array_append_new(layers, layer);
	}
	for (int k = 0; k < s->nstep; k++) {
		json_t *step = json_pack("{ss so}", "step", s->step[k].name, "count", number(s->step[k].steps));
		set_row(step, &s->step[k].row);
		json_array_append_new(steps, step);
	}
	for (int k = 0; k < s->nwarning; k++)
		json_array_append_new(warnings, json_string(s->warning[k]));
	json_object_set_new(o, "choice", s->choice ? choice_json(s->choice) : json_null());
	if (s->budget)
		json_object_set_new(o, "budget", budget_json(s->budget));
	json_object_set_new(o, "predicted_ms", ms);
	json_object_set_new(o, "times", times);
	json_object_set_new(o, "layers", layers);
	json_object_set_new(o, "nodes", nodes);
	json_object_set_new(o, "steps", steps);
	json_object_set_new(o, "warnings", warnings);
	return o;
}

static void
set_gib(json_t *to, const char *key, double gib)
{
	json_object_set_new(to, key, gib > 0 ? decimal(gib) : json_null());
}

static json_t *
published_json(const struct published *p)
{
	json_t *o = json_pack("{ss ss si ss}", "system", p->system, "model", p->model, "sequence", (int)p->seq, "source", published_source(p->source));
	set_gib(o, "comm_gib", p->comm);
	set_gib(o, "key_gib", p->key);
	set_gib(o, "total_ms", p->total_ms);
	set_gib(o, "keygen_ms", p->keygen_ms);
	set_gib(o, "comm_ms", p->comm_ms);
	json_object_set_new(o, "classes_comm_gib", json_object());
	for (const char *const *k = (const char *const[]){ "softmax", "gelu", "layernorm", NULL }; *k; k++)
		set_gib(json_object_get(o, "classes_comm_gib"), *k, published_class_gib(p, *k));
	return o;
}

static json_t *
shape_json(const struct comparison *c)
{
	const struct stack_shape *t = &c->shape;
	if (!t->layers)
		return json_null();
	return json_pack("{si sI sI sI sI sI sb sb}", "layers", t->layers, "heads", (json_int_t)t->heads, "hidden", (json_int_t)t->hidden, "feed_forward",
	                 (json_int_t)t->ffn, "sequence", (json_int_t)t->seq, "batch", (json_int_t)t->batch, "causal", t->causal, "stack_only", !t->more);
}

json_t *
compare_json(const struct comparison *c)
{
	json_t *strategies = json_array(), *rows = json_array();
	for (int k = 0; k < c->n; k++)
		json_array_append_new(strategies, strategy_json(c, &c->v[k]));
	for (int k = 0; k < c->npub; k++)
		json_array_append_new(rows, published_json(c->pub[k]));
	json_t *all = json_pack("{ss ss so sb so so}", "model", c->model, "sufc", SUFC_VERSION, "shape", shape_json(c), "machine_measured", c->machine.measured,
	                        "published", rows, "strategies", strategies);
	if (!all)
		BUG("out of memory for the comparison");
	return all;
}

void
compare_print_json(const struct comparison *c, FILE *to)
{
	json_t *all = compare_json(c);
	json_dumpf(all, to, JSON_INDENT(1));
	fputc('\n', to);
	json_decref(all);
}

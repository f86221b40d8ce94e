/* SPDX-License-Identifier: Apache-2.0
 * report_json.c -- what compare_json.c says of one program, from its costs alone; docs/costs.md describes the keys.
 */
#include <jansson.h>
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

static json_t *
class_json(const struct cost_row *r)
{
	return json_pack("{so so so}", "comm_bytes", number(r->sent[0] + r->sent[1]), "key_bytes", pair(r->key), "rounds", number(r->rounds));
}

json_t *
cost_json(const struct prog *p)
{
	struct cost c;
	json_t *classes = json_object();
	prog_cost(p, &c);
	for (int k = 0; k < c.nklass; k++)
		json_object_set_new(classes, c.klass[k].klass, class_json(&c.klass[k]));
	const struct cost_row *t = &c.total;
	return json_pack("{ss ss si so so so so so so so so so so}",
		"gates", gates_label(p), "weights", weights_label(p->weights), "ring_bits", report_ring(p),
		"rounds", number(t->rounds), "comm_bytes", number(t->sent[0] + t->sent[1]), "offline_comm_bytes", number(t->offline),
		"key_bytes", pair(t->key), "sent_bytes", pair(t->sent),
		"prg_calls", json_pack("[ooo]", number(t->prg[0]), number(t->prg[1]), number(t->prg[2])),
		"mul_adds", pair(t->mul_adds + 1), "peak_bytes", pair(c.peak), "unpacked_key_bytes", number(t->words), "classes", classes);
}

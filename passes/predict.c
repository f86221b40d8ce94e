/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- run time of a scheduled program: both parties' clocks, step by
 * step and round by round.
 *
 * A step takes fixed + elements * elem + AES blocks * prg + multiply-adds * mul
 * (machine.h), plus the reading of its key.  In a round each party packs, and
 * goes on when the other's message is there:
 *     max(own clock, the other's clock) + latency + max(bytes / bandwidth, sending and receiving) + unpacking
 * with latency = a round over loopback + half a round trip of the network; who has waited long takes longer to wake up.
 */
#include <stdlib.h>
#include <string.h>
#include "passes/predict.h"

enum { MAX_CLASS = 8 };

struct clock {                           /* a party; ns */
	double now, compute, key;
	struct class_ms klass[MAX_CLASS]; int nklass;
};
struct round { double elems[2], bytes[2]; int opens, by[MAX_CLASS]; };
struct model {
	const struct machine *m;
	const struct network *net;
	double slow;                     /* more processes than cores */
	struct clock party[2];
	double dealer;                   /* ns */
	double ahead, ahead_bytes;       /* what party 1 does and sends before the run is online */
	double floor[3];                 /* by enum suf_role, ns */
	uint64_t key[2];
	struct round round;
};

/* ---- networks ---------------------------------------------------------------------------- */

bool network_parse(const char *text, struct network *n)
{
	static const struct network known[] = { { .name = "loopback", .one_machine = true }, { .name = "lan", .gbps = 10, .rtt_ms = 0.5 },
	                                        { .name = "wan", .gbps = 0.4, .rtt_ms = 40 } };
	char *end;
	for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
		if (!strcmp(text, known[k].name)) {
			*n = known[k];
			return true;
		}
	*n = (struct network){ .gbps = strtod(text, &end) };
	if (end == text || *end != ',' || !(n->gbps > 0 && n->gbps < 1e5))
		return false;
	const char *rtt = end + 1;
	n->rtt_ms = strtod(rtt, &end);
	snprintf(n->name, sizeof n->name, "%g Gbit/s, %g ms", n->gbps, n->rtt_ms);
	return end != rtt && !*end && n->rtt_ms >= 0 && n->rtt_ms < 1e6;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static int class_of(struct clock *c, const char *name)
{
	for (int i = 0; i < c->nklass; i++)
		if (!strcmp(c->klass[i].klass, name))
			return i;
	if (c->nklass == MAX_CLASS)
		BUG("more than %d cost classes", (int)MAX_CLASS);
	c->klass[c->nklass].klass = name;
	return c->nklass++;
}

static void spend(struct clock *c, int klass, double ns)
{
	c->now += ns;
	c->klass[klass].ms += ns / 1e6;
}

/* Counted work. */
static double work_ns(const struct model *p, const struct step_rate *r, const struct suf_step *s, const struct suf_cost *c, enum suf_role role)
{
	double mul = r->mul * (step_is_product(s->op) && s->n > 52 ? p->m->wide : 1);
	return r->prg * (double)c->prg[role] + mul * (double)c->mul_adds[role];
}

/* What no counted work explains: the call, unpacking, memory. */
static double overhead_ns(const struct step_rate *r, const struct suf_step *s)
{
	return r->fixed + r->elem * step_elements(s);
}

static void add_step(struct model *p, const struct prog *prog, const struct node *n)
{
	const uint8_t output_to = (uint8_t)(prog->opt ? prog->opt->output_to : 1);
	const struct suf_step s = cost_step(prog, n);
	const struct suf_cost c = suf_step_cost(&s, output_to);
	const double read = p->net->streamed ? p->m->pipe_read_ns : p->m->file_read_ns, write = p->net->streamed ? p->m->pipe_write_ns : p->m->file_write_ns;
	const double dealt = work_ns(p, &p->m->deal[s.op], &s, &c, SUF_DEALER) + write * (double)(c.key[0] + c.key[1]);
	p->dealer += dealt + overhead_ns(&p->m->deal[s.op], &s);
	p->floor[SUF_DEALER] += dealt;
	for (int k = 0; k < 2; k++) {
		struct clock *at = &p->party[k];
		const enum suf_role role = k ? SUF_P1 : SUF_P0;
		const double work = work_ns(p, &p->m->eval[s.op], &s, &c, role) + read * (double)c.key[k];
		const double ns = p->slow * (work + overhead_ns(&p->m->eval[s.op], &s));
		int klass = class_of(at, n->klass ? n->klass : "other");
		if (k == 1 && s.offline && s.op != SUF_open)
			p->ahead += ns;
		else {
			spend(at, klass, ns);
			at->compute += ns;
			p->floor[role] += work;
		}
		p->key[k] += c.key[k];
		p->round.bytes[k] += (double)c.sent[k];
		p->round.elems[k] += c.sent[k] ? (double)s.count : 0;
		p->ahead_bytes += k == 1 ? (double)c.offline : 0;
		if (k == 0 && (s.op == SUF_open || s.op == SUF_input)) {
			p->round.opens++;
			p->round.by[klass]++;
		}
	}
}

/* ---- rounds ------------------------------------------------------------------------------------ */

/* Both clocks go to the end of the exchange; its time goes to the classes by their openings, as the runtime counts it. */
static void end_round(struct model *p)
{
	const struct machine *m = p->m;
	const struct network *net = p->net;
	const struct link_rate *link = net->tls ? &m->tls : &m->plain;
	const double delay = net->rtt_ms / 2 * 1e6, wire = net->gbps > 0 ? 8 / net->gbps : 0;
	double ready[2], packed[2];
	struct round *r = &p->round;
	for (int k = 0; k < 2; k++) {
		ready[k] = p->party[k].now;
		packed[k] = ready[k] + p->slow * m->pack_ns * r->elems[k];
	}
	for (int k = 0; k < 2; k++) {
		struct clock *at = &p->party[k];
		double start = packed[k] > packed[1 - k] ? packed[k] : packed[1 - k];
		double busy = p->slow * link->byte_ns * (r->bytes[k] + r->bytes[1 - k]) / 2, flow = wire * r->bytes[1 - k];
		double wait = start + delay + flow - packed[k];
		double latency = wait < MACHINE_LONG_WAIT_NS ? link->round_ns : link->idle_round_ns;
		double end = start + delay + latency + (busy > flow ? busy : flow) + p->slow * m->unpack_ns * r->elems[1 - k];
		for (int i = 0; i < at->nklass && r->opens; i++)
			at->klass[i].ms += (end - ready[k]) * r->by[i] / r->opens / 1e6;
		at->now = end;
	}
	*r = (struct round){ .opens = 0 };
}

/* ---- the program --------------------------------------------------------------------------------- */

/* With the dealer at work nothing ends before it does, nor before the cores have done all there is to do. */
static double with_dealer(const struct model *p, double online)
{
	double work = (p->party[0].compute + p->party[1].compute) / p->slow + p->dealer, cores = p->m->cores;
	double last = online > p->dealer ? online : p->dealer;
	if (!p->net->one_machine)
		return last;
	return last > work / cores ? last : work / cores;
}

static double link_ns(const struct model *p) { return p->net->tls ? p->m->tls.byte_ns : p->m->plain.byte_ns; }

/* The longest of them, or all of them on the machine's cores. */
static double machine_floor_ms(const struct model *p)
{
	double last = 0, sum = 0;
	for (int r = SUF_DEALER; r < SUF_NROLE; r++) {
		const double own = r == SUF_DEALER && !p->net->streamed ? 0 : p->floor[r];
		last = own > last ? own : last;
		sum += own;
	}
	const double shared = sum / (p->m->cores > 0 ? p->m->cores : 1);
	return (p->net->one_machine && shared > last ? shared : last) / 1e6;
}

static void result(const struct model *p, struct prediction *out)
{
	const struct clock *at = &p->party[p->party[1].now >= p->party[0].now];
	double key = (double)(p->key[0] > p->key[1] ? p->key[0] : p->key[1]);
	*out = (struct prediction){ .nklass = at->nklass };
	memcpy(out->klass, at->klass, sizeof out->klass);
	out->compute_ms = at->compute / 1e6;
	out->comm_ms = (at->now - at->compute) / 1e6;
	out->online_ms = (p->net->streamed ? with_dealer(p, at->now) : at->now) / 1e6;
	out->keygen_ms = p->dealer / 1e6;
	out->key_transfer_ms = key * (p->net->gbps > 0 ? 8 / p->net->gbps : p->m->pipe_read_ns) / 1e6;
	out->offline_ms = (p->net->streamed ? 0 : out->keygen_ms + out->key_transfer_ms) + (p->ahead + p->ahead_bytes * (p->net->gbps > 0 ? 8 / p->net->gbps : link_ns(p))) / 1e6;
	out->floor_ms = (p->floor[SUF_P0] > p->floor[SUF_P1] ? p->floor[SUF_P0] : p->floor[SUF_P1]) / 1e6;
	out->floor_keygen_ms = p->floor[SUF_DEALER] / 1e6;
	out->floor_machine_ms = machine_floor_ms(p);
}

bool predict(const struct prog *prog, const struct machine *m, const struct network *net, struct prediction *out)
{
	struct model *p = calloc(1, sizeof *p);
	const double cores = m->cores > 0 ? m->cores : 1;
	int round = 0;
	if (!p)
		BUG("out of memory for a prediction");
	p->m = m;
	p->net = net;
	p->slow = net->one_machine && cores < 2 ? 2 / cores : 1;
	bool ok = prog->stage == STAGE_SCHED;
	for (const struct node *n = ok ? prog->first : NULL; n; n = n->next) {
		for (; round < n->round; round++)
			end_round(p);
		add_step(p, prog, n);
	}
	for (; ok && round < prog->nrounds; round++)
		end_round(p);
	if (ok)
		result(p, out);
	free(p);
	return ok;
}

void predict_print(const struct prediction *p, FILE *to)
{
	fprintf(to, "online_ms %.3f\ncompute_ms %.3f\ncomm_ms %.3f\nkeygen_ms %.3f\nkey_transfer_ms %.3f\noffline_ms %.3f\nfloor_ms %.3f\nfloor_keygen_ms %.3f\nfloor_machine_ms %.3f\n", p->online_ms, p->compute_ms, p->comm_ms,
	        p->keygen_ms, p->key_transfer_ms, p->offline_ms, p->floor_ms, p->floor_keygen_ms, p->floor_machine_ms);
	for (int k = 0; k < p->nklass; k++)
		fprintf(to, "class_%s_ms %.3f\n", p->klass[k].klass, p->klass[k].ms);
}

/* SPDX-License-Identifier: Apache-2.0
 * report.c -- the --report text: costs by class, every tensor with its format and the source of its range, warnings.
 */
#include <string.h>
#include "frontend/report.h"
#include "ir/text.h"

const char *
report_bytes(uint64_t n, char *text)
{
	static const char *const unit[] = { "B", "kB", "MB", "GB", "TB" };
	double x = (double)n;
	int k = 0;
	while (x >= 1000 && k < 4) {
		x /= 1000;
		k++;
	}
	snprintf(text, 24, k ? "%.3g %s" : "%.0f %s", x >= 999.5 ? 999 : x, unit[k]);
	return text;
}

static void
cost_row(FILE *to, const char *name, const struct cost_row *r)
{
	fprintf(to, "%-10s %15llu %15llu %15llu %15llu %7u\n", name, (unsigned long long)r->key[0], (unsigned long long)r->key[1],
	        (unsigned long long)r->sent[0], (unsigned long long)r->sent[1], r->rounds);
}

static void
role_rows(FILE *to, const struct cost *c)
{
	const struct cost_row *t = &c->total;
	fprintf(to, "\n%-22s %17s %17s %17s\n%-22s %17llu %17llu %17llu\n%-22s %17llu %17llu %17llu\n%-22s %17s %17llu %17llu\n", "", "dealer", "party 0", "party 1",
	        "generator calls (AES)", (unsigned long long)t->prg[0], (unsigned long long)t->prg[1], (unsigned long long)t->prg[2],
	        "ring multiply-adds", (unsigned long long)t->mul_adds[0], (unsigned long long)t->mul_adds[1], (unsigned long long)t->mul_adds[2],
	        "memory, bytes", "", (unsigned long long)c->peak[0], (unsigned long long)c->peak[1]);
	fprintf(to, "\nA key with words that are not packed, without seeds, as SIGMA's program stores it: %llu bytes.\n", (unsigned long long)t->words);
}

static void
report_cost(const struct prog *p, FILE *to)
{
	struct cost c;
	prog_cost(p, &c);
	fprintf(to, "steps      %llu\nrounds     %d\n", (unsigned long long)c.steps, p->nrounds);
	if (c.total.client_key)
		fprintf(to, "client     key of %llu bytes\n", (unsigned long long)c.total.client_key);
	fprintf(to, "\nBytes of one run, exact; headers of keys and the handshake are not counted.  A round in which\n"
	            "several classes send counts for each of them.\n\n"
	            "%-10s %15s %15s %15s %15s %7s\n", "class", "key, party 0", "key, party 1", "sent, party 0", "sent, party 1", "rounds");
	for (int k = 0; k < c.nklass; k++)
		cost_row(to, c.klass[k].klass, &c.klass[k]);
	cost_row(to, "total", &c.total);
	if (c.total.offline)
		fprintf(to, "offline    %llu bytes from party 1 to party 0, whatever the input is, sent before the run goes online\n", (unsigned long long)c.total.offline);
	role_rows(to, &c);
}

static void
put_shape(FILE *to, const struct val *v)
{
	char text[160] = "[";
	size_t at = 1;
	for (int k = 0; k < v->rank; k++)
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%lld", k ? "x" : "", (long long)v->dim[k]);
	snprintf(text + at, sizeof text - at, "]");
	fprintf(to, "%-20s", text);
}

static void
put_tensor(FILE *to, const struct val *v)
{
	char format[32], range[64] = "unknown";
	snprintf(format, sizeof format, "%d.%d", v->type.bits, v->type.frac);
	if (v->lo <= v->hi)
		snprintf(range, sizeof range, "%.4g .. %.4g", v->lo, v->hi);
	put_shape(to, v);
	fprintf(to, " %6s  %-28s %-10s  %s%s%s%s\n", format, range, v->lo <= v->hi && v->from ? ir_range_name[v->from] : "", v->name,
	        v->why ? "  (" : "", v->why ? v->why : "", v->why ? ")" : "");
}

/* Helper values of gates are left out. */
static bool
is_tensor(const struct val *v)
{
	return !v->data && v->source && (v->def || v->nuse);
}

static void
report_tensors(const struct prog *p, FILE *to)
{
	int count[3] = { 0 }, unknown = 0;
	fprintf(to, "\n%-20s %6s  %-28s %-10s  %s\n", "shape", "bits", "range", "source", "tensor");
	for (int k = 0; k < p->nvals; k++) {
		const struct val *v = p->vals[k];
		if (!is_tensor(v))
			continue;
		put_tensor(to, v);
		if (v->lo <= v->hi)
			count[v->from]++;
		else
			unknown++;
	}
	fprintf(to, "\nranges: %d proven, %d calibrated, %d without a source, %d unknown\n", count[RANGE_PROVEN], count[RANGE_CALIBRATED], count[RANGE_NONE], unknown);
}

int
report_ring(const struct prog *p)
{
	int ring = 0;
	for (const struct node *n = p->first; n; n = n->next)
		for (int k = 0; k < n->nout; k++)
			ring = n->out[k]->type.bits > ring ? n->out[k]->type.bits : ring;
	return ring;
}

void
report_text(const struct prog *p, FILE *to)
{
	const struct options *o = p->opt;
	fprintf(to, "model      %s\ngates      %s\nweights    %s\noutput to  %s\nrings      up to %d bits\n",
	        o && o->model ? o->model : p->name, gates_label(p), weights_words(p->weights),
	        !o || o->output_to == 1 ? "party 1" : o->output_to == 0 ? "party 0" : "both parties", report_ring(p));
	report_cost(p, to);
	if (p->choice)
		report_choice(p->choice, to);
	if (p->budget)
		report_budget(p->budget, to);
	report_tensors(p, to);
	fprintf(to, "warnings: %d\n", diag_warnings(p->diag));
	for (int k = 0; k < diag_warnings(p->diag); k++)
		fprintf(to, "    %s\n", diag_warning_text(p->diag, k));
}

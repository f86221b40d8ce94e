/* SPDX-License-Identifier: Apache-2.0
 * report_budget.c -- which fraction bits --max-error chose and what each role contributes to the error, as text and as JSON.
 */
#include <math.h>
#include "frontend/compare.h"
#include "frontend/report.h"

/* Largest share first; roles that the program has not got last. */
static int
in_order(const struct budget *b, int *order)
{
	int n = 0;
	for (int r = 0; r < b->nrole; r++)
		if (b->role[r].used) {
			int at = n++;
			for (; at > 0 && b->role[order[at - 1]].share < b->role[r].share; at--)
				order[at] = order[at - 1];
			order[at] = r;
		}
	return n;
}

static void
put_program(FILE *to, const char *name, const struct measure *m, double error, bool measured)
{
	char key[24], comm[24], ms[24], text[32];
	snprintf(text, sizeof text, measured ? "%.3g" : "not run", error);
	fprintf(to, "%-28s %12s %12s %12s %8u %12s\n", name, text, unit_bytes((double)m->keys / 2, key), unit_bytes((double)m->comm, comm), m->rounds,
	        unit_time(m->online_ms, ms));
}

const char *
budget_basis(struct arena *a, const struct budget *b)
{
	const char *margin = b->examples > 1 ? arena_printf(a, ", %.3g with two standard errors", b->bound) : "";
	return b->measured < 0 ? arena_printf(a, "estimated %.3g, not measured: the program is too large for the simulator within this compilation", b->estimated)
		: arena_printf(a, "measured %.3g in the simulator on %d calibration example%s%s (estimated %.3g)", b->measured, b->examples,
		               b->examples == 1 ? "" : "s", margin, b->estimated);
}

void
report_budget(const struct budget *b, FILE *to)
{
	struct arena *a = arena_new();
	int order[64];
	const int n = in_order(b, order);
	fprintf(to, "\nFraction bits were chosen for a relative error of outputs of at most %g (--max-error): %s.\n"
	            "%d programs were costed; the model of errors rests on %d float runs, %d example%s.\n\n", b->asked, budget_basis(a, b), b->trials, b->runs, b->probes,
	        b->probes == 1 ? "" : "s");
	fprintf(to, "%-28s %12s %12s %12s %8s %12s\n", "fraction bits", "error", "key, mean", "sent by both", "rounds", "time");
	put_program(to, "of the table", &b->table, b->table_measured, b->table_measured >= 0);
	put_program(to, "chosen", &b->chosen, b->measured, b->measured >= 0);
	fprintf(to, "\n%-12s %5s %6s %8s  %8s  %s\n", "role", "table", "chosen", "possible", "of error", "values");
	for (int k = 0; k < n; k++) {
		const struct budget_role *r = &b->role[order[k]];
		char range[16];
		snprintf(range, sizeof range, "%d-%d", r->least, r->most);
		fprintf(to, "%-12s %5d %6d %8s  %6.1f %%  %s\n", r->name, r->table, r->bits, range, 100 * r->share, r->doc);
	}
	fprintf(to, "%-12s %5s %6s %8s  %6.1f %%  what bits do not change: constants of gates\n", "", "", "", "",
	        b->estimated > 0 ? 100 * (b->fixed / b->estimated) * (b->fixed / b->estimated) : 0);
	arena_free(a);
}

/* ---- JSON ------------------------------------------------------------------------ */

/* Six digits are enough for an error. */
static json_t *
decimal(double x)
{
	const double scale = x > 0 ? pow(10, 5 - floor(log10(x))) : 1;
	return json_real(round(x * scale) / scale);
}

static json_t *
program_json(const struct measure *m, double error)
{
	return json_pack("{so sI sI sI so}", "error", error < 0 ? json_null() : decimal(error), "key_bytes", (json_int_t)(m->keys / 2), "comm_bytes", (json_int_t)m->comm,
	                 "rounds", (json_int_t)m->rounds, "time_ms", decimal(m->online_ms));
}

json_t *
budget_json(const struct budget *b)
{
	json_t *roles = json_array();
	int order[64];
	for (int k = 0, n = in_order(b, order); k < n; k++) {
		const struct budget_role *r = &b->role[order[k]];
		json_array_append_new(roles, json_pack("{ss si si si si so ss}", "role", r->name, "table", r->table, "bits", r->bits, "least", r->least, "most", r->most,
		                                       "share", decimal(r->share), "values", r->doc));
	}
	return json_pack("{so so so so so si si si so so so}", "asked", decimal(b->asked), "estimated", decimal(b->estimated), "fixed", decimal(b->fixed),
	                 "measured", b->measured < 0 ? json_null() : decimal(b->measured),
	                 "bound", b->measured < 0 ? json_null() : decimal(b->bound), "examples", b->examples, "probes", b->probes, "programs_tried", b->trials,
	                 "table", program_json(&b->table, b->table_measured), "chosen", program_json(&b->chosen, b->measured), "roles", roles);
}

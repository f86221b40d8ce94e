/* SPDX-License-Identifier: Apache-2.0
 * compare_html.h -- the parts of the page; not for the rest of sufc.
 */
#ifndef SUFC_COMPARE_HTML_H
#define SUFC_COMPARE_HTML_H
#include "frontend/compare.h"

extern const char html_style[], html_script[];   /* compare_html_style.c */

/* compare_html_parts.c */
void html_text(FILE *, const char *);            /* &, <, >, " escaped; no control characters */
/* One stacked bar with its parts listed below.  `longest`: the value that takes the whole width.  unit: of compare.h. */
struct html_part { const char *name, *colour; double value; }; /* colour: a class of html_style */
void html_bar(FILE *, const char *title, const struct html_part *, int n, double longest, const char *(*unit)(double, char *));
void html_strategy_name(FILE *, const struct strategy *);
void html_published_name(FILE *, const struct published *);

/* Sections: compare_html_charts.c, compare_html_gates.c, compare_html_tables.c */
void html_budgets(const struct comparison *, FILE *); /* compare_html_budget.c */
void html_choices(const struct comparison *, FILE *);
void html_charts(const struct comparison *, FILE *);
void html_times(const struct comparison *, FILE *);
void html_nodes(const struct comparison *, FILE *);
void html_steps(const struct comparison *, FILE *);
void html_tensors(const struct comparison *, FILE *);
#endif

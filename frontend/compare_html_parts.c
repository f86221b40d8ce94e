/* SPDX-License-Identifier: Apache-2.0
 * compare_html_parts.c -- text and stacked bars of the page.
 */
#include <string.h>
#include "frontend/compare_html.h"

/* Length of the UTF-8 sequence at s, 0: none. */
static int
utf8_len(const unsigned char *s)
{
	int n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
	for (int k = 1; k < n; k++)
		if ((s[k] & 0xc0) != 0x80)
			return 0;
	return n;
}

void
html_text(FILE *to, const char *text)
{
	for (const unsigned char *s = (const unsigned char *)text; *s;) {
		int n = utf8_len(s);
		if (n == 0 || (*s < 0x20 && *s != '\n' && *s != '\t') || *s == 0x7f) {
			fputs("&#xfffd;", to);
			n = 1;
		} else if (strchr("&<>\"'", *s))
			fprintf(to, "&#%d;", *s);
		else
			fwrite(s, 1, (size_t)n, to);
		s += n;
	}
}

void
html_strategy_name(FILE *to, const struct strategy *s)
{
	html_text(to, s->gates);
}

void
html_published_name(FILE *to, const struct published *p)
{
	html_text(to, p->system);
	fputs(", published", to);
}

/* Lengths are in thousandths of the width; the line between two parts is one. */
static void
segments(FILE *to, const struct html_part *part, int n, double longest, const char *(*unit)(double, char *))
{
	double at = 0;
	for (int k = 0; k < n; k++) {
		const double width = 1000 * part[k].value / longest;
		char value[24];
		if (width <= 0)
			continue;
		fprintf(to, "<rect class=\"%s\" x=\"%.2f\" y=\"0\" width=\"%.2f\" height=\"10\"><title>", part[k].colour, at, width > 3 ? width - 1 : width);
		html_text(to, part[k].name);
		fprintf(to, ": %s</title></rect>", unit(part[k].value, value));
		at += width;
	}
}

void
html_bar(FILE *to, const char *title, const struct html_part *part, int n, double longest, const char *(*unit)(double, char *))
{
	char value[24];
	double all = 0;
	for (int k = 0; k < n; k++)
		all += part[k].value;
	fputs("<div class=\"chart\"><p class=\"title\"><span>", to);
	html_text(to, title);
	fprintf(to, "</span><b>%s</b></p>\n<svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"", unit(all, value));
	html_text(to, title);
	fprintf(to, ": %s in all; its parts are listed below\">", value);
	segments(to, part, n, longest > 0 ? longest : 1, unit);
	fputs("</svg>\n<ul class=\"parts\">", to);
	for (int k = 0; k < n; k++)
		if (part[k].value > 0) {
			fprintf(to, "<li><span class=\"dot %s\"></span>", part[k].colour);
			html_text(to, part[k].name);
			fprintf(to, " %s (%.*f %%)</li>", unit(part[k].value, value), part[k].value < 0.1 * all ? 1 : 0, 100 * part[k].value / all);
		}
	fputs("</ul></div>\n", to);
}

/* SPDX-License-Identifier: Apache-2.0
 * compare_html.c -- one page that explains what a model costs, also to readers
 * who never heard of masks and keys.  It needs nothing but itself: no network, no script.
 */
#include "frontend/compare_html.h"

static const double gib = 1073741824;

/* ---- head ------------------------------------------------------------------------ */

static void
head(const struct comparison *c, FILE *to)
{
	const char *shape = compare_shape(c), *title = *c->model ? c->model : "a model";
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>Costs of ", to);
	html_text(to, title);
	fprintf(to, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>What private answers cost: <code>", html_style);
	html_text(to, title);
	fputs("</code></h1>\n", to);
	if (shape) {
		fprintf(to, "<p>%s%s", c->known ? c->known->name : "A transformer of ", c->known ? ": " : "");
		html_text(to, shape);
		fputs(".</p>\n", to);
	}
	fprintf(to, "<p>Two computers, <b>party 0</b> and <b>party 1</b>, run this model together so that neither of them sees the question%s. ",
	        c->weights == WEIGHTS_PUBLIC ? "; the weights of the model are public" :
	        c->weights == WEIGHTS_OWNER ? " but the one who asks it, party 1. Party 0 owns the model, and party 1 does not see its weights" : ", and neither sees the weights of the model");
	fprintf(to, "%s. This page says what that takes.</p>\n",
	        c->output_to == 1 ? "Party 1 gets the answer" : c->output_to == 0 ? "Party 0 gets the answer" : "Both get the answer");
}

/* ---- how it works ------------------------------------------------------------------ */

static void
explain(const struct comparison *c, FILE *to)
{
	const struct strategy *s = &c->v[0];
	const struct cost_row *t = &s->cost.total;
	char a[24], b[24];
	fputs("<h2>How it works</h2>\n<ol class=\"steps\">\n", to);
	fprintf(to, "<li><b>1. Before: keys</b><p>A third computer, the <b>dealer</b>, makes two files of random-looking numbers, one for each party: the <b>keys</b>, %s and %s. "
	        "They hold what comparisons and table look-ups on hidden numbers need. The dealer sees %s, so keys can be made hours ahead. "
	        "Each pair of keys is good for one answer and is then destroyed.</p></li>\n",
	        unit_bytes((double)t->key[0], a), unit_bytes((double)t->key[1], b), c->weights == WEIGHTS_PUBLIC ? "no questions" : "neither questions nor weights");
	fputs(c->weights == WEIGHTS_PUBLIC ? "<li><b>2. Once: weights</b><p>Dealer and parties have the weights as they are.</p></li>\n" :
	      c->weights == WEIGHTS_OWNER ? "<li><b>2. Once: weights</b><p>Party 0 adds a random number, a <b>mask</b>, to every weight and gives the result to party 1. "
	      "It looks like noise there and serves all runs. Before each question, party 1 sends its part of all products with weights, which the question does not change.</p></li>\n" :
	      "<li><b>2. Once: weights</b><p>The owner of the model adds a random number, a <b>mask</b>, to every weight and gives the result to both parties. "
	      "It looks like noise to them and serves all runs.</p></li>\n", to);
	fprintf(to, "<li><b>3. For each question: rounds</b><p>The question is masked%s. Both parties compute on masked numbers. After a product, a comparison or a look-up "
	        "each of them holds one half of the result, with a fresh mask on it; to go on they send each other their halves and wait. One such exchange is a <b>round</b>. "
	        "An answer takes %u rounds, in which a party sends and receives %s.</p></li>\n", c->weights == WEIGHTS_MASKED ? ", too" : "", t->rounds, unit_bytes((double)(t->sent[0] + t->sent[1]), a));
	fputs("</ol>\n<p>So three things limit how fast answers come: how fast the parties compute, how many bytes the line carries in a second, and how long a message "
	      "is on its way: no round is shorter than that, however fast the line.</p>\n"
	      "<p>Why this is private: whatever is sent carries a mask that the receiver does not know, so it looks like noise. "
	      "That holds as long as the dealer works with neither party, the two parties do not work together, and everybody runs the program as it is.</p>\n", to);
}

/* ---- summary ------------------------------------------------------------------------ */

struct line {
	const char *name, *text;
	double (*ours)(const struct strategy *);
	double (*theirs)(const struct published *);
	const char *(*unit)(double, char *);
};

static double key0(const struct strategy *s) { return (double)s->cost.total.key[0]; }
static double key1(const struct strategy *s) { return (double)s->cost.total.key[1]; }
static double comm(const struct strategy *s) { return (double)(s->cost.total.sent[0] + s->cost.total.sent[1]); }
static double sent0(const struct strategy *s) { return (double)s->cost.total.sent[0]; }
static double sent1(const struct strategy *s) { return (double)s->cost.total.sent[1]; }
static double offline(const struct strategy *s) { return (double)s->cost.total.offline; }
static double rounds(const struct strategy *s) { return s->cost.total.rounds; }
static double lan(const struct strategy *s) { return s->time[0].p.online_ms; }
static double wan(const struct strategy *s) { return s->time[1].p.online_ms; }
static double dealer_ms(const struct strategy *s) { return s->time[0].p.keygen_ms; }
static double aes_dealer(const struct strategy *s) { return (double)s->cost.total.prg[SUF_DEALER]; }
static double aes0(const struct strategy *s) { return (double)s->cost.total.prg[SUF_P0]; }
static double aes1(const struct strategy *s) { return (double)s->cost.total.prg[SUF_P1]; }
static double mul0(const struct strategy *s) { return (double)s->cost.total.mul_adds[SUF_P0]; }
static double mul1(const struct strategy *s) { return (double)s->cost.total.mul_adds[SUF_P1]; }
static double peak0(const struct strategy *s) { return (double)s->cost.peak[0]; }
static double peak1(const struct strategy *s) { return (double)s->cost.peak[1]; }
static double ring(const struct strategy *s) { return s->ring_bits; }
static double words(const struct strategy *s) { return (double)s->cost.total.words; }
static double their_key(const struct published *p) { return p->key * gib; }
static double their_comm(const struct published *p) { return p->comm * gib; }
static double their_ms(const struct published *p) { return p->total_ms; }
static double their_keygen(const struct published *p) { return p->keygen_ms; }

static const char *
whole(double x, char *text)
{
	snprintf(text, 24, "%.0f", x);
	return text;
}

static void
line(const struct comparison *c, FILE *to, const struct line *l)
{
	char text[24];
	fprintf(to, "<tr><th>%s<small>%s</small></th>", l->name, l->text);
	for (int k = 0; k < c->n; k++)
		fprintf(to, "<td class=\"n\">%s</td>", l->ours ? l->unit(l->ours(&c->v[k]), text) : "");
	for (int k = 0; k < c->npub; k++) {
		double x = l->theirs ? l->theirs(c->pub[k]) : 0;
		fprintf(to, "<td class=\"n\">%s</td>", x > 0 ? l->unit(x, text) : "");
	}
	fputs("</tr>\n", to);
}

static void
summary(const struct comparison *c, FILE *to)
{
	static const struct line lines[] = {
		{ "Key of party 0", "from the dealer, before; good for one answer", key0, their_key, unit_bytes },
		{ "Key of party 1", "", key1, their_key, unit_bytes },
		{ "Sent and received by a party", "while the answer is computed, both directions together", comm, their_comm, unit_bytes },
		{ "Sent by party 0", "", sent0, NULL, unit_bytes },
		{ "Sent by party 1", "", sent1, NULL, unit_bytes },
		{ "Sent before by party 1", "before the question is there; new for each key, the same whatever the question", offline, NULL, unit_bytes },
		{ "Rounds", "times that both send a message and wait for the other's", rounds, NULL, whole },
		{ "Time on a LAN", "predicted: 10 Gbit/s, round trip 0.5 ms", lan, NULL, unit_time },
		{ "Time on a WAN", "predicted: 400 Mbit/s, round trip 40 ms", wan, NULL, unit_time },
		{ "Work of the dealer", "making both keys; predicted (published: measured on GPUs)", dealer_ms, their_keygen, unit_time },
		{ "AES calls of the dealer", "all random-looking numbers come from the cipher AES; calls are a measure of work", aes_dealer, NULL, unit_count },
		{ "AES calls of party 0", "", aes0, NULL, unit_count },
		{ "AES calls of party 1", "", aes1, NULL, unit_count },
		{ "Multiply-adds of party 0", "of whole numbers, most of them in products of matrices", mul0, NULL, unit_count },
		{ "Multiply-adds of party 1", "", mul1, NULL, unit_count },
		{ "Memory of party 0", "at most, during a run; keys are read piece by piece", peak0, NULL, unit_bytes },
		{ "Memory of party 1", "", peak1, NULL, unit_bytes },
		{ "Bits of a number", "the widest numbers that are computed on", ring, NULL, whole },
	};
	static const struct line only_published[] = {
		{ "Key in the published layout", "without packing of bits and without seeds: to compare with published sizes", words, their_key, unit_bytes },
		{ "Time as published", "on GPUs", NULL, their_ms, unit_time },
	};
	fputs("<h2>One answer in numbers</h2>\n<div class=\"wide\"><table><thead><tr><th></th>", to);
	for (int k = 0; k < c->n; k++) {
		fputs("<th class=\"n\">gates ", to);
		html_strategy_name(to, &c->v[k]);
		fputs("</th>", to);
	}
	for (int k = 0; k < c->npub; k++) {
		fputs("<th class=\"n\">", to);
		html_published_name(to, c->pub[k]);
		fprintf(to, " [%d]</th>", c->pub[k]->source);
	}
	fputs("</tr></thead>\n<tbody>\n", to);
	for (size_t k = 0; k < sizeof lines / sizeof lines[0]; k++)
		if (lines[k].ours != offline || c->weights == WEIGHTS_OWNER)
			line(c, to, &lines[k]);
	for (size_t k = 0; k < sizeof only_published / sizeof only_published[0] && c->npub; k++)
		line(c, to, &only_published[k]);
	fputs("</tbody></table></div>\n<p class=\"soft\">Bytes, rounds and calls are exact: a run takes just these. 1 KiB is 1024 bytes, 1 MiB 1024 KiB, 1 GiB 1024 MiB. ", to);
	fputs("Files of keys have a header of 256 bytes besides; encryption of the line adds a little to what is sent.</p>\n", to);
}

/* ---- the rest -------------------------------------------------------------------------- */

static void
sources(const struct comparison *c, FILE *to)
{
	if (!c->npub)
		return;
	fputs("<h2>Published figures</h2>\n", to);
	for (int source = 1; source < 3; source++)
		for (int k = 0; k < c->npub; k++)
			if (c->pub[k]->source == source) {
				fprintf(to, "<p>[%d] ", source);
				html_text(to, published_source(source));
				fputs(".</p>\n", to);
				break;
			}
	fputs("<p>They are of other programs on other machines: bytes compare, times do not. Figures are of the layers of the model alone, from hidden states to hidden states.", to);
	if (c->shape.more)
		fputs(" This model has more than these layers (such as an embedding, a head or another normalisation), and its own columns count all of it.", to);
	fputs("</p>\n", to);
}

static void
warnings(const struct comparison *c, FILE *to)
{
	for (int k = 0; k < c->n; k++) {
		if (!c->v[k].nwarning)
			continue;
		fputs("<h2>Warnings of the compiler", to);
		if (c->n > 1) {
			fputs(", gates ", to);
			html_strategy_name(to, &c->v[k]);
		}
		fputs("</h2>\n<ul>\n", to);
		for (int i = 0; i < c->v[k].nwarning; i++) {
			fputs("<li>", to);
			html_text(to, c->v[k].warning[i]);
			fputs("</li>\n", to);
		}
		fputs("</ul>\n", to);
	}
}

void
compare_html(const struct comparison *c, FILE *to)
{
	if (!c->n)
		BUG("a page about nothing");
	head(c, to);
	summary(c, to);
	explain(c, to);
	html_charts(c, to);
	html_times(c, to);
	html_choices(c, to);
	html_budgets(c, to);
	html_nodes(c, to);
	html_tensors(c, to);
	html_steps(c, to);
	sources(c, to);
	warnings(c, to);
	fputs("<h2>Make this page again</h2>\n<pre>", to);
	html_text(to, c->command);
	fprintf(to, "</pre>\n<p class=\"soft\">sufc %s; setting: ", SUFC_VERSION);
	html_text(to, compare_setting(c));
	fprintf(to, ".</p>\n</main>\n<script>\n%s</script>\n</body>\n</html>\n", html_script);
}

/* SPDX-License-Identifier: Apache-2.0
 * stats.c -- the --stats file: JSON with stable keys (docs/running.md lists them).
 */
#include "file.h"
#include "suf.h"
#include <stdio.h>
#include <stdlib.h>

/* A JSON string; control characters become spaces. */
static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; s && *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		fputc((unsigned char)*s < 0x20 ? ' ' : *s, f);
	}
	fputc('"', f);
}

static void put_dealer(FILE *f, const struct suf_stats *s)
{
	fprintf(f, "{\"role\":\"dealer\",\"totals\":{\"keygen_ms\":%.3f,\"key_bytes\":[%llu,%llu],\"prg_calls\":%llu,\"peak_rss_bytes\":%llu}}\n", s->ms,
		(unsigned long long)s->key[0], (unsigned long long)s->key[1], (unsigned long long)s->prg_calls, (unsigned long long)s->peak_rss);
}

static void put_party(FILE *f, const struct suf_program *prog, const struct suf_stats *s)
{
	fprintf(f, "{\"role\":%d,\"gates\":", s->role);
	put_string(f, prog->gates);
	fputs(",\"weights\":", f);
	put_string(f, prog->weights);
	fprintf(f, ",\n \"totals\":{\"online_ms\":%.3f,\"comm_ms\":%.3f,\"sent_bytes\":%llu,\"received_bytes\":%llu,\"rounds\":%u,\"key_bytes\":%llu,"
		"\"peak_rss_bytes\":%llu,\"setup_sent_bytes\":%llu,\"setup_received_bytes\":%llu,\"offline_ms\":%.3f,\"offline_sent_bytes\":%llu,\"offline_received_bytes\":%llu,\"prg_calls\":%llu},\n \"classes\":{",
		s->ms, s->comm_ms, (unsigned long long)s->sent, (unsigned long long)s->received, s->rounds, (unsigned long long)s->key[s->role],
		(unsigned long long)s->peak_rss, (unsigned long long)s->setup_sent, (unsigned long long)s->setup_received, s->offline_ms,
		(unsigned long long)s->offline_sent, (unsigned long long)s->offline_received, (unsigned long long)s->prg_calls);
	for (uint32_t k = 0; k < s->nclass; k++) {
		fputs(k ? ",\n  " : "", f);
		put_string(f, s->klass[k].name);
		fprintf(f, ":{\"ms\":%.3f,\"sent_bytes\":%llu,\"received_bytes\":%llu,\"rounds\":%u}", s->klass[k].ms, (unsigned long long)s->klass[k].sent,
			(unsigned long long)s->klass[k].received, s->klass[k].rounds);
	}
	fputs("}}\n", f);
}

enum suf_err suf_stats_save(const struct suf_program *prog, const struct suf_stats *s, const char *path, char *text)
{
	char *json = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&json, &n);
	if (!f)
		return text_fail(text, SUF_ENOMEM, "out of memory");
	if (s->role < 0)
		put_dealer(f, s);
	else
		put_party(f, prog, s);
	bool bad = fclose(f) != 0;
	enum suf_err err = bad ? text_fail(text, SUF_ENOMEM, "out of memory") : file_save(path, 0644, json, n, text);
	free(json);
	return err;
}

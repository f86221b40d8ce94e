/* SPDX-License-Identifier: Apache-2.0
 * cli_keys.c -- the commands keys (list, verify, prune) and info.
 */
#include "cli.h"
#include "session.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct keys { const char *verb, *dir, *used_dir; struct cli_files files; };
enum { OPT_USED_DIR = 256 };

static const struct argp_option keys_option[] = {
	{ "dir", 'd', "DIR", 0, "the folder with keys (.)", 0 },
	{ "used-dir", OPT_USED_DIR, "DIR", 0, "where uses are recorded (DIR)", 0 },
	{ 0 }
};

static error_t parse_keys(int key, char *arg, struct argp_state *state)
{
	struct keys *k = cli_values(state);
	switch (key) {
	case 'd': k->dir = arg; break;
	case OPT_USED_DIR: k->used_dir = arg; break;
	case ARGP_KEY_ARG:
		if (!k->verb)
			k->verb = arg;
		else
			return cli_add_file(&k->files, arg) ? ENOMEM : 0;
		break;
	case ARGP_KEY_END:
		if (!k->verb || (strcmp(k->verb, "list") && strcmp(k->verb, "verify") && strcmp(k->verb, "prune"))) {
			argp_error(state, "say list, verify or prune");
			return EINVAL;
		}
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* What is known of a key file; err: it is no whole key of this program. */
struct key_info { struct suf_key_head head; bool used; enum suf_err err; char text[SUF_TEXT]; };

static void look(const struct cli *c, const char *path, const char *used_dir, struct key_info *k)
{
	struct suf_source *s = NULL;
	uint8_t raw[SUF_KEY_HEADER];
	char ignored[SUF_TEXT];
	memset(k, 0, sizeof *k);
	k->err = suf_source_file(&s, path, k->text);
	if (!k->err && (k->err = suf_source_read(s, raw, sizeof raw)) != SUF_OK)
		text_fail(k->text, k->err, "%s", suf_source_error(s));
	suf_source_close(s);
	if (!k->err)
		k->err = suf_key_head_get(&k->head, raw, k->text);
	prg_wipe(raw, sizeof raw);
	if (k->err)
		return;
	s = NULL;
	struct suf_key_head again;
	k->err = key_open(&s, &again, c->prog, path, -1, k->head.kind, k->text);
	suf_source_close(s);
	prg_wipe(&again, sizeof again);
	k->used = suf_key_unused(used_dir, &k->head, ignored) == SUF_EREUSE;
}

static enum suf_err report(struct cli *c, const struct keys *k, const char *path, const struct key_info *info)
{
	char name[64];
	if (info->err && strcmp(k->verb, "prune") == 0)
		return SUF_OK;
	if (info->err) {
		printf("bad     %s\n", info->text);
		return strcmp(k->verb, "verify") == 0 ? info->err : SUF_OK;
	}
	suf_key_name(&info->head, name);
	if (strcmp(k->verb, "prune") != 0)
		printf("%-7s %s  %llu bytes  %s\n", info->used ? "used" : "unused", name, (unsigned long long)info->head.body_bytes, path);
	else if (info->used && unlink(path) == 0)
		printf("removed %s\n", path);
	else if (info->used)
		return text_fail(c->text, SUF_EIO, "%s: %s", path, strerror(errno));
	return SUF_OK;
}

static enum suf_err visit(struct cli *c, const struct keys *k, const char *path)
{
	struct key_info info; /* holds seeds */
	look(c, path, k->used_dir, &info);
	enum suf_err err = report(c, k, path, &info);
	prg_wipe(&info, sizeof info);
	return err;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static enum suf_err add_folder(struct cli *c, const char *dir, char ***names, size_t *n)
{
	DIR *d = opendir(dir);
	if (!d)
		return text_fail(c->text, SUF_EIO, "%s: %s", dir, strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		size_t len = strlen(e->d_name);
		if (len < 4 || strcmp(e->d_name + len - 4, ".key") != 0)
			continue;
		char **more = realloc(*names, (*n + 1) * sizeof *more), *path = malloc(strlen(dir) + len + 2);
		if (more)
			*names = more;
		if (!more || !path) {
			free(path);
			closedir(d);
			return text_fail(c->text, SUF_ENOMEM, "out of memory");
		}
		sprintf(path, "%s/%s", dir, e->d_name);
		(*names)[(*n)++] = path;
	}
	closedir(d);
	if (*n)
		qsort(*names, *n, sizeof **names, by_name);
	return SUF_OK;
}

int cli_keys(struct cli *c, int argc, char **argv)
{
	struct keys k = { .dir = "." };
	char **names = NULL;
	size_t n = 0;
	enum suf_err err = cli_parse(c, keys_option, parse_keys, "list, verify or prune [FILE...]: keys of a folder, whether they fit this program and were used; "
		"prune removes used ones.", argc, argv, &k);
	if (!k.used_dir)
		k.used_dir = k.dir;
	if (!err && !c->done) {
		if (k.files.n == 0)
			err = add_folder(c, k.dir, &names, &n);
		for (uint32_t i = 0; i < k.files.n; i++) {
			enum suf_err one = visit(c, &k, k.files.v[i].path);
			err = err ? err : one;
		}
		for (size_t i = 0; i < n; i++) {
			enum suf_err one = visit(c, &k, names[i]);
			err = err ? err : one;
		}
	}
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
	free(k.files.v);
	return cli_fail(c, err);
}

/* ---- info --------------------------------------------------------------------------- */

static const struct argp_option info_option[] = { { 0 } };

static error_t parse_info(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	(void)state;
	return key == ARGP_KEY_END ? 0 : ARGP_ERR_UNKNOWN;
}

static void print_tensors(const char *what, const struct suf_tensor *t, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		printf("%-8s %s [", what, t[k].name);
		for (uint32_t i = 0; i < t[k].rank; i++)
			printf(i ? ",%lld" : "%lld", (long long)t[k].dim[i]);
		if (t[k].onehot)
			printf("] int64, 0 to %u\n", t[k].onehot - 1);
		else
			printf("] %s, %u bits with %u of fraction\n", t[k].integer ? "int64" : "float32", t[k].bits, t[k].frac);
	}
}

static void print_roles(const char *what, const char *unit, const uint64_t n[SUF_NROLE])
{
	printf("%-8s dealer %llu, party 0 %llu, party 1 %llu %s\n", what, (unsigned long long)n[SUF_DEALER], (unsigned long long)n[SUF_P0],
		(unsigned long long)n[SUF_P1], unit);
}

int cli_info(struct cli *c, int argc, char **argv)
{
	const struct suf_program *p = c->prog;
	struct suf_plan plan;
	char hash[65];
	enum suf_err err = cli_parse(c, info_option, parse_info, "What the program is and what a run costs.", argc, argv, NULL);
	if (!err && !c->done)
		err = suf_plan(p, &plan, c->text);
	if (err || c->done)
		return cli_fail(c, err);
	suf_hex(p->hash, 32, hash);
	printf("model    %s\ngates    %s\nweights  %s, %u tensors\nhash     %s\n", p->name, p->gates, p->weights, p->nweight, hash);
	printf("output   to %s\n", p->output_to == 2 ? "both parties" : p->output_to ? "party 1" : "party 0");
	print_tensors("input", p->input, p->ninput);
	print_tensors("output", p->output, p->noutput);
	printf("rounds   %u, in %u steps\n", plan.rounds, plan.steps);
	printf("key      %llu and %llu bytes\n", (unsigned long long)plan.total.key[0], (unsigned long long)plan.total.key[1]);
	printf("sent     %llu and %llu bytes\n", (unsigned long long)plan.total.sent[0], (unsigned long long)plan.total.sent[1]);
	if (plan.total.offline)
		printf("offline  %llu bytes from party 1 to party 0, whatever the input is, before the run goes online\n", (unsigned long long)plan.total.offline);
	print_roles("prg", "AES blocks", plan.total.prg);
	print_roles("mul-adds", "ring words", plan.total.mul_adds);
	printf("memory   %llu bytes at a party: %llu of wires, %llu of weights, inputs and outputs, %llu of scratch, %llu for the largest message\n",
		(unsigned long long)suf_plan_peak(&plan), (unsigned long long)plan.wire_bytes, (unsigned long long)plan.border_bytes,
		(unsigned long long)plan.scratch_bytes, (unsigned long long)plan.msg_bytes);
	return 0;
}

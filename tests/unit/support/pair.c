/* SPDX-License-Identifier: Apache-2.0
 * pair.c -- see pair.h. */
#define _GNU_SOURCE /* asprintf */
#include "pair.h"
#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <math.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

char pair_dir[64], pair_text[SUF_TEXT];
double pair_w[PAIR_W], pair_e[PAIR_E];
float pair_x[PAIR_X];
int64_t pair_ids[SMALL_IDS] = { 3, 0 };
const void *const pair_input[2] = { pair_x, pair_ids };
static char *owned[64];
static int nowned;

char *pair_at(const char *name)
{
	char *path = NULL;
	if (asprintf(&path, "%s/%s", pair_dir, name) < 0)
		abort();
	return path;
}

const char *pair_path(const char *name)
{
	for (int i = 0; i < nowned; i++)
		if (strcmp(owned[i] + strlen(pair_dir) + 1, name) == 0)
			return owned[i];
	assert_true(nowned < 64);
	return owned[nowned++] = pair_at(name);
}

int pair_set_up(const char *name)
{
	uint32_t r[PAIR_X];
	snprintf(pair_dir, sizeof pair_dir, "/tmp/suf-%.16s-XXXXXX", name);
	if (!mkdtemp(pair_dir))
		return -1;
	RAND_bytes((uint8_t *)r, sizeof r);
	for (int i = 0; i < PAIR_X; i++)
		pair_x[i] = (float)((int)(r[i] % 40000) - 20000) / 4096.0f; /* exact in 12 fraction bits */
	return 0;
}

int pair_tear_down(void **state)
{
	char cmd[80];
	(void)state;
	while (nowned > 0)
		free(owned[--nowned]);
	snprintf(cmd, sizeof cmd, "rm -r '%s'", pair_dir);
	return system(cmd);
}

void pair_deal(const struct suf_program *prog, struct suf_deal_config cfg, char *key[3], struct suf_stats *stats)
{
	static int n;
	char name[32], *folder;
	snprintf(name, sizeof name, "keys%d", n++);
	folder = pair_at(name);
	assert_int_equal(mkdir(folder, 0700), 0);
	cfg.dir = folder;
	cfg.count = 1;
	if (suf_deal(prog, &cfg, stats, pair_text))
		fail_msg("%s", pair_text);
	key[0] = key[1] = key[2] = NULL;
	DIR *d = opendir(folder);
	for (struct dirent *f; (f = readdir(d));) {
		const int k = strstr(f->d_name, ".p0.key") ? 0 : strstr(f->d_name, ".p1.key") ? 1 : strstr(f->d_name, ".client.key") ? 2 : -1;
		if (k >= 0)
			assert_true(asprintf(&key[k], "%s/%s", folder, f->d_name) > 0);
		else if (strcmp(f->d_name, ".") && strcmp(f->d_name, "..") && (cfg.weights || strncmp(f->d_name, "model.", 6)))
			fail_msg("%s: left over", f->d_name);
	}
	closedir(d);
	free(folder);
}

void pair_free_keys(char *key[3])
{
	for (int k = 0; k < 3; k++)
		free(key[k]);
}

void *pair_run_side(void *arg)
{
	struct side *s = arg;
	void *output[] = { s->y, s->e };
	s->err = suf_party_run(s->prog, &s->cfg, s->cfg.role == 1 ? pair_input : NULL, output, &s->stats, s->text);
	return NULL;
}

void pair_run(struct side s[2])
{
	pthread_t t;
	pthread_create(&t, NULL, pair_run_side, &s[0]);
	pair_run_side(&s[1]);
	pthread_join(t, NULL);
}

void pair_sides(struct side s[2], const struct suf_program *prog, char *key[3], const char *weights)
{
	static char where[128];
	memset(s, 0, 2 * sizeof *s);
	snprintf(where, sizeof where, "unix:%s/link", pair_dir);
	for (int p = 0; p < 2; p++) {
		s[p].prog = prog;
		s[p].cfg = (struct suf_party_config){ .role = p, .key = key[p], .key_fd = -1, .weights = weights };
		s[p].cfg.link.timeout_s = 10;
	}
	s[0].cfg.link.listen = where;
	s[1].cfg.link.connect = where;
}

void pair_ok(const struct side s[2])
{
	if (s[0].err || s[1].err)
		fail_msg("party 0: %s; party 1: %s", s[0].text, s[1].text);
}

void pair_answer(const float y[PAIR_Y], const float rows[PAIR_ROWS]) { small_check(pair_x, pair_ids, pair_w, pair_e, y, rows); }

void pair_refused(struct side *s, enum suf_err want, const char *words)
{
	pair_run_side(s);
	if (s->err != want || !strstr(s->text, words) || s->stats.setup_sent)
		fail_msg("%d: %s", s->err, s->text);
}

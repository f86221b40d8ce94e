/* SPDX-License-Identifier: Apache-2.0
 * cli_test.c -- the command line of a generated program: exit statuses,
 * messages, files and statistics, on a small program.
 */
#define _GNU_SOURCE /* asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "npy.h"
#include "small_program.h"
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], message[4096];
static double w[SMALL_INNER * SMALL_COLS], e[SMALL_VOCAB * SMALL_COLS];

/* "party WORDS" in a child process inside the folder, words split at blanks; its exit status.  message: what it printed. */
static pid_t start(const char *words, const char *log)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	char *line = strdup(words), *argv[40] = { (char *)(uintptr_t)"party" };
	int argc = 1, fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	dup2(fd, 1);
	dup2(fd, 2);
	int status = suf_main(&small_program, argc, argv);
	fflush(stdout);
	free(line);
	_exit(status);
}

static int finish(pid_t pid, const char *log)
{
	int status;
	waitpid(pid, &status, 0);
	FILE *f = fopen(log, "r");
	size_t n = fread(message, 1, sizeof message - 1, f);
	message[n] = '\0';
	fclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int party(const char *words) { return finish(start(words, "log"), "log"); }

static void expect(int status, const char *says, const char *words)
{
	int got = party(words);
	if (got != status || !strstr(message, says))
		fail_msg("party %s\nstatus %d, want %d with '%s':\n%s", words, got, status, says, message);
}

static char *key_file(const char *folder, const char *suffix)
{
	char *path = NULL;
	DIR *d = opendir(folder);
	for (struct dirent *f; (f = readdir(d));)
		if (!path && strstr(f->d_name, suffix))
			assert_true(asprintf(&path, "%s/%s", folder, f->d_name) > 0);
	closedir(d);
	if (!path)
		fail_msg("no %s in %s", suffix, folder);
	return path;
}

static int set_up(void **state)
{
	float x[SMALL_ROWS * SMALL_INNER];
	int64_t ids[SMALL_IDS] = { 4, 1 }, shape[2] = { SMALL_ROWS, SMALL_INNER }, turned[2] = { SMALL_INNER, SMALL_ROWS }, nids = SMALL_IDS;
	char text[SUF_TEXT];
	(void)state;
	strcpy(dir, "/tmp/suf-cli-XXXXXX");
	if (!mkdtemp(dir) || chdir(dir) != 0)
		return -1;
	small_weights(&small_program, "party.weights", w, e);
	for (int i = 0; i < SMALL_ROWS * SMALL_INNER; i++)
		x[i] = (float)(i * i % 37 - 18) / 8;
	return npy_write("x.npy", 0644, NPY_F32, 2, shape, x, text) || npy_write("turned.npy", 0644, NPY_F32, 2, turned, x, text) ||
		npy_write("ids.npy", 0644, NPY_I64, 1, &nids, ids, text) || npy_write("real_ids.npy", 0644, NPY_F32, 1, &nids, x, text) ||
		npy_write("int_x.npy", 0644, NPY_I32, 2, shape, x, text);
}

static int tear_down(void **state)
{
	char *cmd = NULL;
	(void)state;
	int rc = chdir("/") != 0 || asprintf(&cmd, "rm -r '%s'", dir) < 0 ? -1 : system(cmd);
	free(cmd);
	return rc;
}

static void check_answer(const char *y_path, const char *e_path)
{
	struct npy x, y, got;
	char text[SUF_TEXT];
	assert_int_equal(npy_read(&x, "x.npy", NULL, text), SUF_OK);
	assert_int_equal(npy_read(&y, y_path, NULL, text), SUF_OK);
	assert_int_equal(npy_read(&got, e_path, NULL, text), SUF_OK);
	assert_true(y.type == NPY_F32 && y.rank == 2 && y.dim[0] == SMALL_ROWS && y.dim[1] == SMALL_COLS);
	for (int i = 0; i < SMALL_ROWS; i++)
		for (int j = 0; j < SMALL_COLS; j++) {
			double want = 0;
			for (int k = 0; k < SMALL_INNER; k++)
				want += npy_f64(&x, (uint64_t)(i * SMALL_INNER + k)) * w[k * SMALL_COLS + j];
			assert_true(fabs(want - npy_f64(&y, (uint64_t)(i * SMALL_COLS + j))) < 1e-4);
		}
	for (int j = 0; j < SMALL_COLS; j++) {
		assert_true(fabs(npy_f64(&got, (uint64_t)j) - e[4 * SMALL_COLS + j]) < 1e-6);
		assert_true(fabs(npy_f64(&got, (uint64_t)(SMALL_COLS + j)) - e[1 * SMALL_COLS + j]) < 1e-6);
	}
	npy_free(&x);
	npy_free(&y);
	npy_free(&got);
}

static int run_pair(const char *k0, const char *k1, const char *args0, const char *args1, int *status0)
{
	char *a = NULL, *b = NULL;
	assert_true(asprintf(&a, "run --role 0 --key %s --listen unix:link --timeout 10 %s", k0, args0) > 0);
	assert_true(asprintf(&b, "run --role 1 --key %s --connect unix:link --timeout 10 %s", k1, args1) > 0);
	pid_t pid = start(a, "log0");
	int status1 = finish(start(b, "log1"), "log1");
	char keep[sizeof message];
	memcpy(keep, message, sizeof message);
	*status0 = finish(pid, "log0");
	strncat(message, keep, sizeof message - strlen(message) - 1);
	free(a);
	free(b);
	return status1;
}

static long long number(const char *file, const char *where, const char *key)
{
	json_error_t why;
	json_t *j = json_load_file(file, 0, &why), *part = json_object_get(j, "totals");
	if (!j)
		fail_msg("%s: %s", file, why.text);
	if (where)
		part = json_object_get(json_object_get(j, "classes"), where);
	json_t *v = json_object_get(part, key);
	if (!json_is_number(v))
		fail_msg("%s: no %s", file, key);
	long long n = (long long)json_number_value(v);
	json_decref(j);
	return n;
}

static void the_whole_way(void **state)
{
	int status0;
	(void)state;
	expect(0, "", "keygen --out keys --count 2 --stats keygen.json");
	assert_string_equal(message, "");
	expect(0, "", "mask-weights --weights party.weights --owner keys/model.owner --out masked.weights");
	expect(0, "unused ", "keys list --dir keys");
	char *k0 = key_file("keys", ".p0.key"), *k1 = NULL;
	assert_true(asprintf(&k1, "%.*s.p1.key", (int)(strlen(k0) - 7), k0) > 0);
	int status1 = run_pair(k0, k1, "--weights masked.weights --stats p0.json",
		"--weights masked.weights --input x=x.npy --input ids=ids.npy --output y=y.npy --output e=e.npy --stats p1.json", &status0);
	if (status0 || status1)
		fail_msg("%d %d %s", status0, status1, message);
	assert_string_equal(message, "");
	check_answer("y.npy", "e.npy");
	assert_int_equal(number("p0.json", NULL, "sent_bytes"), number("p1.json", NULL, "received_bytes"));
	assert_int_equal(number("p0.json", NULL, "received_bytes"), 113 + 200 + 63);
	assert_int_equal(number("p1.json", NULL, "rounds"), 2);
	assert_int_equal(number("p1.json", "embedding", "sent_bytes"), 63 + 38);
	assert_true(number("p1.json", NULL, "online_ms") >= 0 && number("p0.json", NULL, "peak_rss_bytes") > 0 && number("keygen.json", NULL, "prg_calls") > 0);
	json_t *j = json_load_file("keygen.json", 0, NULL), *pair = json_object_get(json_object_get(j, "totals"), "key_bytes");
	assert_int_equal(json_array_size(pair), 2);
	assert_int_equal(json_integer_value(json_array_get(pair, 1)), 2 * number("p1.json", NULL, "key_bytes"));
	json_decref(j);
	expect(0, "used ", "keys list --dir keys");
	expect(0, k0, "keys prune --dir keys");
	assert_int_not_equal(access(k0, F_OK), 0);
	expect(0, "unused", "keys verify --dir keys");
	free(k0);
	free(k1);
}

static void a_client_outside(void **state)
{
	int status0;
	(void)state;
	expect(0, "", "keygen --out out --state keys/model.state --outside-client");
	char *k0 = key_file("out", ".p0.key"), *k1 = key_file("out", ".p1.key"), *kc = key_file("out", ".client.key"), *words = NULL;
	assert_true(asprintf(&words, "share-input --key %s --input x=x.npy --input ids=ids.npy --out in.masked", kc) > 0);
	expect(0, "", words);
	expect(5, "was used before", words);
	free(words);
	int status1 = run_pair(k0, k1, "--weights party.weights --owner keys/model.owner --masked-input in.masked", "--masked-input in.masked --masked-output y.masked", &status0);
	if (status0 || status1)
		fail_msg("%d %d %s", status0, status1, message);
	assert_true(asprintf(&words, "reveal --key %s --masked y.masked --output y=y2.npy --output e=e2.npy", kc) > 0);
	expect(0, "", words);
	check_answer("y2.npy", "e2.npy");
	free(words);
	free(k0);
	free(k1);
	free(kc);
}

static void wrong_lines(void **state)
{
	(void)state;
	expect(1, "Usage: party COMMAND", "");
	expect(0, "Usage: party COMMAND", "--help");
	expect(0, "--tls-cert", "run --help");
	expect(0, "[--tls-cert=PEM]", "run --usage");
	expect(1, "no command 'nonsense'", "nonsense");
	expect(1, "nonsense", "run --nonsense");
	expect(1, "--role 0|1 is needed", "run --key k --listen unix:x");
	expect(1, "not a number from 0 to 1", "run --role 2");
	expect(1, "--timeout wants seconds", "run --timeout soon");
	expect(1, "either --out DIR or --to-fd", "keygen");
	expect(1, "two descriptors", "keygen --to-fd 3");
	expect(1, "Too many arguments", "keygen --out keys extra");
	expect(1, "list, verify or prune", "keys");
	expect(3, "nowhere", "keygen --out nowhere/at/all");
	expect(0, "rounds   2, in 8 steps", "info");
	expect(1, "--owner", "mask-weights --weights x");
}

/* Refused before the peer is waited for: the address leads nowhere. */
static void refused(int status, const char *says, const char *key, const char *args)
{
	char *words = NULL;
	assert_true(asprintf(&words, "run --role 1 --key %s --weights masked.weights --connect 127.0.0.1:1 --plain --timeout 30 %s", key, args) > 0);
	expect(status, says, words);
	free(words);
}

static void wrong_arrays(void **state)
{
	(void)state;
	expect(0, "", "keygen --out more --state keys/model.state");
	char *k = key_file("more", ".p1.key");
	refused(1, "the shape [8,4], the program wants [4,8]", k, "--input x=turned.npy --input ids=ids.npy --output y=z.npy");
	refused(1, "the type int32, the program wants float32", k, "--input x=int_x.npy --input ids=ids.npy --output y=z.npy");
	refused(1, "the program wants int64", k, "--input x=x.npy --input ids=real_ids.npy --output y=z.npy");
	refused(1, "no value for the input 'ids'", k, "--input x=x.npy --output y=z.npy");
	refused(1, "no input 'nobody'; it has x, ids", k, "--input nobody=x.npy --output y=z.npy");
	refused(1, "which input is it?", k, "--input x.npy --output y=z.npy");
	refused(1, "given twice", k, "--input x=x.npy --input x=x.npy --output y=z.npy");
	refused(1, "the result would be lost", k, "--input x=x.npy --input ids=ids.npy");
	refused(3, "nowhere/z.npy: No such file or directory", k, "--input x=x.npy --input ids=ids.npy --output y=nowhere/z.npy");
	refused(3, "missing.npy: No such file or directory", k, "--input x=missing.npy");
	assert_int_not_equal(access("z.npy", F_OK), 0);
	free(k);
}

static void keys_verify_names_what_is_wrong(void **state)
{
	(void)state;
	char *k = key_file("more", ".p0.key"), *words = NULL;
	assert_int_equal(truncate(k, 500), 0);
	assert_true(asprintf(&words, "keys verify %s", k) > 0);
	expect(5, "the key is 500 bytes long", words);
	expect(0, "bad ", "keys list --dir more");
	expect(5, "not a key", "keys verify x.npy");
	free(words);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole_way), cmocka_unit_test(a_client_outside), cmocka_unit_test(wrong_lines), cmocka_unit_test(wrong_arrays),
		cmocka_unit_test(keys_verify_names_what_is_wrong),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

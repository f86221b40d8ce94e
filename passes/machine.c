/* SPDX-License-Identifier: Apache-2.0
 * machine.c -- constants of a machine: the file, the reference, the table.
 */
#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "passes/machine.h"

enum { VERSION = 1 };

/* Every number but those of steps: its place in the file and in the struct. */
static const struct number { const char *group, *name; size_t at; } numbers[] = {
	{ "kernels", "stream_ns", offsetof(struct machine, stream_ns) },
	{ "kernels", "wide", offsetof(struct machine, wide) },
	{ "kernels", "pack_ns", offsetof(struct machine, pack_ns) },
	{ "kernels", "unpack_ns", offsetof(struct machine, unpack_ns) },
	{ "plain", "round_ns", offsetof(struct machine, plain.round_ns) },
	{ "plain", "idle_round_ns", offsetof(struct machine, plain.idle_round_ns) },
	{ "plain", "byte_ns", offsetof(struct machine, plain.byte_ns) },
	{ "tls", "round_ns", offsetof(struct machine, tls.round_ns) },
	{ "tls", "idle_round_ns", offsetof(struct machine, tls.idle_round_ns) },
	{ "tls", "byte_ns", offsetof(struct machine, tls.byte_ns) },
	{ "keys", "pipe_read_ns", offsetof(struct machine, pipe_read_ns) },
	{ "keys", "pipe_write_ns", offsetof(struct machine, pipe_write_ns) },
	{ "keys", "file_read_ns", offsetof(struct machine, file_read_ns) },
	{ "keys", "file_write_ns", offsetof(struct machine, file_write_ns) },
};
enum { NNUMBERS = sizeof numbers / sizeof numbers[0] };

/* Two cores of an EPYC (Zen 4, AVX-512 with IFMA, VAES) in a virtual machine. */
static const struct machine reference = {
	.cpu = "reference", .cores = 2,
#define NUMBER(name, value) .name = value,
#define RATE(step, role, fixed, elem, prg, mul) .role[SUF_##step] = { fixed, elem, prg, mul },
#include "passes/machine.def"
};

void machine_reference(struct machine *m) { *m = reference; }

/* ---- where ---------------------------------------------------------------------------------- */

char *machine_path(const char *path)
{
	static const char tail[] = "/.cache/sufc/machine.json";
	if (path)
		return strdup(path);
	const struct passwd *pw = getpwuid(getuid());
	char *full = pw && pw->pw_dir ? malloc(strlen(pw->pw_dir) + sizeof tail) : NULL;
	if (full)
		sprintf(full, "%s%s", pw->pw_dir, tail);
	return full;
}

/* The folders above a file. */
static bool make_folders(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = 0;
		bool bad = mkdir(path, 0755) && errno != EEXIST;
		*at = '/';
		if (bad)
			return false;
	}
	return true;
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static double *number_at(struct machine *m, const struct number *n) { return (double *)(void *)((char *)m + n->at); }

static json_t *rates_json(const struct step_rate *r)
{
	return json_pack("[f,f,f,f]", r->fixed, r->elem, r->prg, r->mul);
}

static json_t *to_json(const struct machine *m)
{
	struct machine copy = *m;
	json_t *root = json_pack("{s:i,s:s,s:i}", "version", VERSION, "cpu", m->cpu, "cores", m->cores), *steps = json_object();
	for (size_t k = 0; k < NNUMBERS; k++) {
		if (!json_object_get(root, numbers[k].group))
			json_object_set_new(root, numbers[k].group, json_object());
		json_object_set_new(json_object_get(root, numbers[k].group), numbers[k].name, json_real(*number_at(&copy, &numbers[k])));
	}
	for (int op = 0; op < SUF_NSTEP; op++)
		json_object_set_new(steps, suf_step_desc[op].name, json_pack("{s:o,s:o}", "dealer", rates_json(&m->deal[op]), "party", rates_json(&m->eval[op])));
	json_object_set_new(root, "steps_fixed_element_aes_muladd_ns", steps);
	return root;
}

static bool good_number(const json_t *j, double *to)
{
	*to = json_number_value(j);
	return json_is_number(j) && *to >= 0 && *to < 1e12;
}

static bool read_rates(const json_t *j, struct step_rate *r)
{
	return good_number(json_array_get(j, 0), &r->fixed) && good_number(json_array_get(j, 1), &r->elem) && good_number(json_array_get(j, 2), &r->prg) &&
	       good_number(json_array_get(j, 3), &r->mul);
}

/* False: what is missing. */
static bool from_json(const json_t *root, struct machine *m, const char **missing)
{
	const char *cpu = json_string_value(json_object_get(root, "cpu"));
	const json_t *steps = json_object_get(root, "steps_fixed_element_aes_muladd_ns");
	*missing = "version";
	if (json_integer_value(json_object_get(root, "version")) != VERSION)
		return false;
	snprintf(m->cpu, sizeof m->cpu, "%s", cpu ? cpu : "?");
	*missing = "cores";
	m->cores = (int)json_integer_value(json_object_get(root, "cores"));
	if (m->cores < 1)
		return false;
	for (size_t k = 0; k < NNUMBERS; k++) {
		*missing = numbers[k].name;
		if (!good_number(json_object_get(json_object_get(root, numbers[k].group), numbers[k].name), number_at(m, &numbers[k])))
			return false;
	}
	for (int op = 0; op < SUF_NSTEP; op++) {
		const json_t *s = json_object_get(steps, suf_step_desc[op].name);
		*missing = suf_step_desc[op].name;
		if (!read_rates(json_object_get(s, "dealer"), &m->deal[op]) || !read_rates(json_object_get(s, "party"), &m->eval[op]))
			return false;
	}
	m->measured = true;
	return true;
}

/* ---- load and save -------------------------------------------------------------------------------- */

enum { WHY = 256 };

static bool explain(char *why, const char *path, const char *text, const char *detail)
{
	snprintf(why, WHY, "%s: %s%s", path, text, detail);
	return false;
}

static bool load_from(const char *path, struct machine *m, char *why)
{
	json_error_t err;
	const char *missing = "";
	json_t *root = json_load_file(path, 0, &err);
	if (!root)
		return explain(why, path, "expected constants of a machine: ", err.text);
	bool ok = from_json(root, m, &missing);
	json_decref(root);
	return ok || explain(why, path, "not the constants of this version; no good value for ", missing);
}

bool machine_try(const char *path, struct machine *m, char *why)
{
	char *where = machine_path(path);
	bool there = where && access(where, R_OK) == 0, ok = true;
	machine_reference(m);
	if (there)
		ok = load_from(where, m, why);
	else if (path)
		ok = explain(why, path, "cannot read the file: ", strerror(errno));
	if (!ok)
		machine_reference(m);
	free(where);
	return ok;
}

static bool bad_file(const char *why)
{
	fprintf(stderr, "sufc: error: %s [machine]\n    measure this machine again: sufc calibrate-machine\n", why);
	return false;
}

bool machine_load(const char *path, struct machine *m)
{
	char why[WHY];
	return machine_try(path, m, why) || bad_file(why);
}

void machine_note(const struct machine *m)
{
	if (!m->measured)
		fprintf(stderr, "sufc: note: times are those of a reference machine; for this one run sufc calibrate-machine\n");
}

bool machine_save(const char *path, const struct machine *m)
{
	char *where = machine_path(path);
	char why[WHY];
	if (!where)
		return bad_file("~/.cache: this user has no home folder; name a file with --machine");
	size_t n = strlen(where);
	char *tmp = malloc(n + 5);
	json_t *root = to_json(m);
	bool ok = tmp && make_folders(where);
	if (ok) {
		memcpy(tmp, where, n);
		memcpy(tmp + n, ".tmp", 5);
		ok = json_dump_file(root, tmp, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0 && rename(tmp, where) == 0;
	}
	if (!ok) {
		explain(why, where, "cannot write the file: ", strerror(errno));
		bad_file(why);
	}
	json_decref(root);
	free(tmp);
	free(where);
	return ok;
}

/* ---- measuring --------------------------------------------------------------------------------------- */

static void cpu_name(char *to, size_t size)
{
	char line[256], name[64] = "unknown";
	FILE *f = fopen("/proc/cpuinfo", "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "model name : %63[^\n]", name) == 1)
			break;
	if (f)
		fclose(f);
	snprintf(to, size, "%s", name);
}

bool machine_measure(struct machine *m, const char *scratch, char *text)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	memset(m, 0, sizeof *m);
	m->measured = true;
	m->cores = cores > 0 ? (int)cores : 1;
	cpu_name(m->cpu, sizeof m->cpu);
	return machine_measure_steps(m, text) && machine_measure_links(m, scratch, text);
}

/* ---- the table ------------------------------------------------------------------------------------------ */

static void put_rate(FILE *to, const char *what, double ns, double units, const char *unit)
{
	fprintf(to, "%-44s %10.1f %s\n", what, ns > 0 ? units * 1e3 / ns : 0, unit);
}

void machine_print(const struct machine *m, FILE *to)
{
	fprintf(to, "%s, %d cores%s\n", m->cpu, m->cores, m->measured ? "" : " (reference constants, not measured here)");
	put_rate(to, "generator: words of a stream", m->stream_ns, 2, "M words/s");
	put_rate(to, "dealing point functions", m->deal[SUF_lt].prg, 1, "M AES/s");
	put_rate(to, "comparisons", m->eval[SUF_lt].prg, 1, "M AES/s");
	put_rate(to, "look-ups: all leaves against a table", m->eval[SUF_lut].mul, 1, "M additions/s");
	put_rate(to, "matrix products mod 2^52", m->eval[SUF_matmul].mul, 1, "M multiply-adds/s");
	put_rate(to, "matrix products mod 2^64", m->eval[SUF_matmul].mul * m->wide, 1, "M multiply-adds/s");
	put_rate(to, "local steps: memory read and written", m->eval[SUF_lin].elem, 24, "MB/s");
	put_rate(to, "packing messages", m->pack_ns, 1, "M elements/s");
	put_rate(to, "unpacking messages", m->unpack_ns, 1, "M elements/s");
	put_rate(to, "reading keys from a pipe", m->pipe_read_ns, 1, "MB/s");
	put_rate(to, "reading keys from a file", m->file_read_ns, 1, "MB/s");
	put_rate(to, "writing keys to a pipe", m->pipe_write_ns, 1, "MB/s");
	put_rate(to, "writing keys to a file, to the disk", m->file_write_ns, 1, "MB/s");
	put_rate(to, "loopback, each way", m->plain.byte_ns, 1, "MB/s");
	put_rate(to, "loopback with TLS, each way", m->tls.byte_ns, 1, "MB/s");
	fprintf(to, "%-44s %10.1f us, with TLS %.1f us\n", "a round over loopback", m->plain.round_ns / 1e3, m->tls.round_ns / 1e3);
	fprintf(to, "%-44s %10.1f us, with TLS %.1f us\n", "a round, after waiting long", m->plain.idle_round_ns / 1e3, m->tls.idle_round_ns / 1e3);
	fprintf(to, "\n%-10s %38s   %38s\n%-10s %9s %9s %9s %9s   %9s %9s %9s %9s\n", "step, ns", "dealer", "party", "", "fixed", "element", "AES", "mul-add",
	        "fixed", "element", "AES", "mul-add");
	for (int op = 0; op < SUF_NSTEP; op++) {
		const struct step_rate *d = &m->deal[op], *e = &m->eval[op];
		fprintf(to, "%-10s %9.0f %9.2f %9.3f %9.4f   %9.0f %9.2f %9.3f %9.4f\n", suf_step_desc[op].name, d->fixed, d->elem, d->prg, d->mul, e->fixed, e->elem,
		        e->prg, e->mul);
	}
}

/* SPDX-License-Identifier: Apache-2.0
 * build_program.c -- the command that builds an emitted program, and running it.
 *
 * libsuf is looked for where --suf-dir says (an installed prefix), then beside the
 * running sufc (PREFIX/bin/sufc), then in the build folder that sufc was made in.
 */
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "backend/emit.h"

extern char **environ;

static bool
try_place(struct arena *a, const char *include, const char *lib, struct suf_place *place)
{
	if (access(arena_printf(a, "%s/suf.h", include), R_OK) || access(arena_printf(a, "%s/libsuf.a", lib), R_OK))
		return false;
	*place = (struct suf_place){ include, lib };
	return true;
}

static bool
try_prefix(struct arena *a, const char *prefix, struct suf_place *place)
{
	static const char *const lib[] = { SUFC_LIBDIR, "lib", "lib64", "." };
	static const char *const include[] = { "include/suf", "include", "runtime", "." };
	for (size_t i = 0; i < sizeof include / sizeof include[0]; i++)
		for (size_t k = 0; k < sizeof lib / sizeof lib[0]; k++)
			if (try_place(a, arena_printf(a, "%s/%s", prefix, include[i]), arena_printf(a, "%s/%s", prefix, lib[k]), place))
				return true;
	return false;
}

bool
find_suf(struct arena *a, const char *suf_dir, struct suf_place *place)
{
	if (suf_dir)
		return try_prefix(a, suf_dir, place);
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n > 0) {
		self[n] = 0;
		char *slash = strrchr(self, '/');
		*slash = 0;
		slash = strrchr(self, '/');
		if (slash && !strcmp(slash, "/bin")) {
			*slash = 0;
			if (try_prefix(a, arena_strdup(a, self), place))
				return true;
		}
	}
	return try_place(a, SUFC_RUNTIME_DIR, SUFC_LIB_DIR, place);
}

/* SUFC_CC_FLAGS: what libsuf needs at the link, e.g. a sanitizer; words between spaces. */
char **
build_command(struct arena *a, const struct suf_place *place, const char *source, const char *out, bool object)
{
	char **v = arena_alloc(a, 32 * sizeof *v), *save = NULL;
	int n = 0;
	v[n++] = arena_strdup(a, SUFC_CC);
	for (char *flag = strtok_r(arena_strdup(a, SUFC_CC_FLAGS), " ", &save); flag && n < 16; flag = strtok_r(NULL, " ", &save))
		v[n++] = flag;
	v[n++] = arena_strdup(a, "-std=c11");
	v[n++] = arena_strdup(a, "-O2");
	v[n++] = arena_printf(a, "-I%s", place->include);
	if (object)
		v[n++] = arena_strdup(a, "-c");
	v[n++] = arena_strdup(a, source);
	if (!object) {
		v[n++] = arena_printf(a, "%s/libsuf.a", place->lib);
		v[n++] = arena_strdup(a, "-lssl");
		v[n++] = arena_strdup(a, "-lcrypto");
		v[n++] = arena_strdup(a, "-lpthread");
		v[n++] = arena_strdup(a, "-lm");
	}
	v[n++] = arena_strdup(a, "-o");
	v[n++] = arena_strdup(a, out);
	return v;
}

static const char *
quoted(struct arena *a, const char *word)
{
	if (*word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=,:@%")])
		return word;
	char *text = arena_alloc(a, 4 * strlen(word) + 3), *to = text;
	*to++ = '\'';
	for (; *word; word++)
		to = *word == '\'' ? stpcpy(to, "'\\''") : (*to = *word, to + 1);
	*to = '\'';
	return text;
}

const char *
build_line(struct arena *a, char *const *command)
{
	const char *line = "";
	for (int k = 0; command[k]; k++)
		line = arena_printf(a, "%s%s%s", line, k ? " " : "", quoted(a, command[k]));
	return line;
}

bool
build_program(char *const *command, struct diag *d)
{
	pid_t pid;
	int status = -1, err = posix_spawnp(&pid, command[0], NULL, NULL, command, environ);
	if (!err)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (!err && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	static const struct loc nowhere = { .index = -1 };
	if (err)
		diag_error(d, &nowhere, "build", "cannot run %s: %s", command[0], strerror(err));
	else
		diag_error(d, &nowhere, "build", "%s failed on the emitted program", command[0]);
	diag_hint(d, err ? "install it, or write C with -o OUT.c and build it yourself" : "write C with -o OUT.c to see it");
	return false;
}

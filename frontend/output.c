/* SPDX-License-Identifier: Apache-2.0
 * output.c -- files that commands write.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "frontend/cmd.h"
#include "frontend/output.h"

int
output_error(struct diag *d, const char *path, const char *what)
{
	diag_error(d, &(struct loc){ .file = path, .index = -1 }, "write", "cannot write %s: %s", what, strerror(errno));
	return STATUS_FILES;
}

bool
output_folder(struct diag *d, struct arena *a, const char *path)
{
	char *dir = arena_strdup(a, path), *slash = strrchr(dir, '/');
	if (slash)
		*(slash == dir ? slash + 1 : slash) = 0;
	if (!access(slash ? dir : ".", W_OK | X_OK))
		return true;
	output_error(d, path, "there");
	return false;
}

/* For its owner's eyes alone from the beginning, whatever lies there under this name. */
static FILE *
open_secret(const char *path)
{
	unlink(path);
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static int
save(struct diag *d, struct arena *a, const char *path, bool secret, void (*write)(const void *, FILE *), const void *arg)
{
	const char *tmp = arena_printf(a, "%s.tmp", path);
	FILE *f = secret ? open_secret(tmp) : fopen(tmp, "w");
	if (!f)
		return output_error(d, path, "the file");
	write(arg, f);
	bool ok = !ferror(f);
	ok = fclose(f) == 0 && ok;
	if (ok && rename(tmp, path) == 0)
		return STATUS_OK;
	int status = output_error(d, path, "the file");
	unlink(tmp);
	return status;
}

int
output_file(struct diag *d, struct arena *a, const char *path, void (*write)(const void *, FILE *), const void *arg)
{
	return save(d, a, path, false, write, arg);
}

int
output_secret(struct diag *d, struct arena *a, const char *path, void (*write)(const void *, FILE *), const void *arg)
{
	return save(d, a, path, true, write, arg);
}

const char *
output_suffix(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
	return dot && dot > name ? dot : "";
}

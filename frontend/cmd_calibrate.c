/* SPDX-License-Identifier: Apache-2.0
 * cmd_calibrate.c -- sufc calibrate-machine: measures the time constants of
 * this machine, for predictions of run time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "frontend/cmd.h"
#include "passes/machine.h"

enum { KEY_MACHINE = 0x200, KEY_CORES, KEY_SHOW };

struct args { const char *machine; int cores; bool show; };

static const struct argp_option options[] = {
	{ "machine", KEY_MACHINE, "FILE.json", 0, "Where the constants go; default ~/.cache/sufc/machine.json", 0 },
	{ "cores", KEY_CORES, "N", 0, "Cores that the parties on this machine share, if fewer than it has", 0 },
	{ "show", KEY_SHOW, NULL, 0, "Print the constants that are there; measure nothing", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	char *end;
	switch (key) {
	case KEY_MACHINE: a->machine = arg; break;
	case KEY_CORES:
		a->cores = (int)strtol(arg, &end, 10);
		if (end == arg || *end || a->cores < 1 || a->cores > 4096)
			argp_error(state, "--cores: expected a whole number from 1 to 4096, found '%s'", arg);
		break;
	case KEY_SHOW: a->show = true; break;
	case ARGP_KEY_ARG: argp_error(state, "unexpected argument '%s': no model is needed", arg); break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Files of keys and a certificate live in a folder of their own while the measurement runs. */
static bool measure(struct machine *m)
{
	char dir[] = "/tmp/sufc-calibrate-XXXXXX", text[256];
	if (!mkdtemp(dir)) {
		fprintf(stderr, "sufc: error: no temporary folder could be made in /tmp [machine]\n");
		return false;
	}
	bool ok = machine_measure(m, dir, text);
	rmdir(dir);
	if (!ok)
		fprintf(stderr, "sufc: error: the machine could not be measured: %s [machine]\n", text);
	return ok;
}

int cmd_calibrate(int argc, char **argv)
{
	static const struct argp argp = { options, parse, NULL,
		"Measure how fast this machine computes, packs, reads keys and sends, in a few seconds.\v"
		"Let nothing else run meanwhile.  The constants are used wherever run times are predicted.", NULL, NULL, NULL };
	struct args a = { .machine = NULL };
	struct machine m;
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.show) {
		if (!machine_load(a.machine, &m))
			return STATUS_FILES;
		machine_note(&m);
		machine_print(&m, stdout);
		return STATUS_OK;
	}
	if (!measure(&m))
		return STATUS_FILES;
	m.cores = a.cores ? a.cores : m.cores;
	if (!machine_save(a.machine, &m))
		return STATUS_FILES;
	char *where = machine_path(a.machine);
	machine_print(&m, stdout);
	printf("\nwritten to %s\n", where ? where : "?");
	free(where);
	return STATUS_OK;
}

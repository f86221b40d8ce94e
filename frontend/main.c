/* SPDX-License-Identifier: Apache-2.0
 * main.c -- the sufc command line: which command, which exit status.
 */
#include <string.h>
#include "frontend/cmd.h"

static void
print_version(FILE *to, struct argp_state *state)
{
	(void)state;
	fprintf(to, "sufc %s\n", SUFC_VERSION);
}

static const struct command { const char *name; int (*run)(int, char **); } commands[] = {
	{ "compile", cmd_compile }, { "simulate", cmd_simulate }, { "verify", cmd_verify }, { "compare", cmd_compare }, { "fit", cmd_fit },
	{ "calibrate-machine", cmd_calibrate },
};

int
main(int argc, char **argv)
{
	argp_program_version_hook = print_version;
	argp_err_exit_status = STATUS_USAGE;
	if (argc > 1)
		for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++)
			if (!strcmp(argv[1], commands[k].name)) {
				char name[32];
				snprintf(name, sizeof name, "sufc %s", commands[k].name);
				argv[1] = name;
				return commands[k].run(argc - 1, argv + 1);
			}
	return cmd_compile(argc, argv);
}

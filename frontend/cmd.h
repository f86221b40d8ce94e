/* SPDX-License-Identifier: Apache-2.0
 * cmd.h -- the commands of sufc and what they share.
 */
#ifndef SUFC_CMD_H
#define SUFC_CMD_H
#include <argp.h>
#include "passes/passes.h"

/* Exit status of every command. */
enum { STATUS_OK = 0, STATUS_USAGE = 1, STATUS_MODEL = 2, STATUS_FILES = 3, STATUS_BUILD = 4, STATUS_PROTOCOL = 5 };

/* The options of compilation, which all commands take. */
struct common {
	struct options opt;          /* opt.model: the positional argument */
	bool json;                   /* --diagnostics=json */
	char **gates_list; int ngates; /* gates_list not NULL before parsing: --gates takes a list; opt.gates is all of it then */
	struct arena *arena;         /* owns the lists of opt; common_free */
};
void common_init(struct common *);
void common_free(struct common *);
char **words_copy(struct arena *, int argc, char **argv); /* parsing cuts and sorts the arguments */

/* A child parser for argp: reads the options of compilation and the argument MODEL into the
 * struct common that the parent gives it as input:
 *     static const struct argp_child child[] = { { &common_argp, 0, NULL, 0 }, { 0 } };
 *     case ARGP_KEY_INIT: state->child_inputs[0] = &mine->common; break;
 */
extern const struct argp common_argp;

/* "NAME=VALUE" in two; ends the program with a usage message if there is no '='. */
void split_binding(struct argp_state *, char *arg, const char **name, const char **value);

/* The model (.onnx) or program (.ir) of opt->model.  NULL: an error was reported, *status has the exit status. */
struct prog *load_model(const struct options *, struct diag *, int *status);
/* load_model and all passes; NULL and *status likewise. */
struct prog *compile_model(const struct options *, struct diag *, int *status);

int cmd_compile(int argc, char **argv);
int cmd_simulate(int argc, char **argv);   /* argv[0]: "sufc simulate" */
int cmd_verify(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_fit(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);  /* "sufc calibrate-machine" */
#endif

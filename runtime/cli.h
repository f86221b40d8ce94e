/* SPDX-License-Identifier: Apache-2.0
 * cli.h -- the command line of a generated program, one file per group of
 * commands.  Each command parses with argp and calls the public interface.
 */
#ifndef SUF_CLI_H
#define SUF_CLI_H
#include "suf.h"
#include <argp.h>

struct cli {
	const struct suf_program *prog;
	const char *name;            /* "party run", for messages */
	const char *const *pattern;  /* of the usage line */
	bool done;                   /* --help was asked for */
	bool progress_shown;
	char text[SUF_TEXT];
};
/* NAME=FILE pairs of --input, --output. */
struct cli_file { const char *name; size_t name_bytes; const char *path; };
struct cli_files { struct cli_file *v; uint32_t n; };

/* Parse with argp; options[] ends with a zero row.  SUF_EUSAGE: the message is out.  cli->done: nothing is left to do. */
SUF_MUST_USE enum suf_err cli_parse(struct cli *, const struct argp_option *, argp_parser_t, const char *doc, int argc, char **argv, void *values);
struct cli *cli_of(const struct argp_state *);  /* inside a parser */
void *cli_values(const struct argp_state *);
bool cli_unsigned(const struct argp_state *, const char *arg, uint64_t max, uint64_t *to); /* false: the message is out */
enum suf_err cli_add_file(struct cli_files *, const char *arg);

/* Print "NAME: text" to stderr; the exit status. */
int cli_fail(const struct cli *, enum suf_err);
struct suf_progress cli_progress(struct cli *); /* a line on stderr when that is a terminal */
void cli_progress_end(struct cli *);

/* cli_arrays.c: the program's arrays from and to .npy files, in its order; malloc'd, NULL where none.  cli->text is set on failure. */
SUF_MUST_USE enum suf_err cli_read_inputs(struct cli *, const struct cli_files *, void **arrays);
SUF_MUST_USE enum suf_err cli_check_folder(struct cli *, const char *path); /* a file may be written there; before a run, which costs a key */
SUF_MUST_USE enum suf_err cli_new_outputs(struct cli *, const struct cli_files *, void **arrays);   /* checks names and folders */
SUF_MUST_USE enum suf_err cli_save_outputs(struct cli *, const struct cli_files *, void *const *arrays);
void **cli_arrays(uint32_t n);
void cli_free_arrays(void **, const struct suf_tensor *, uint32_t n); /* wipes */

int cli_keygen(struct cli *, int argc, char **argv);
int cli_run(struct cli *, int argc, char **argv);
int cli_mask_weights(struct cli *, int argc, char **argv);
int cli_share_input(struct cli *, int argc, char **argv);
int cli_reveal(struct cli *, int argc, char **argv);
int cli_keys(struct cli *, int argc, char **argv);
int cli_info(struct cli *, int argc, char **argv);
#endif

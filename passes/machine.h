/* SPDX-License-Identifier: Apache-2.0
 * machine.h -- the time constants of a machine, measured by `sufc
 * calibrate-machine`, kept as JSON; predict.h turns them and the counts of
 * steps.def into times.  docs/costs.md says what each constant is.
 */
#ifndef SUFC_MACHINE_H
#define SUFC_MACHINE_H
#include <stdbool.h>
#include <stdio.h>
#include "run.h"

/* Of one kind of step in one role, in ns: for a step, an element (step_elements), an AES block and a ring
 * multiply-add (a table look-up: an addition).  Blocks of a stream cost stream_ns in all kinds. */
struct step_rate { double fixed, elem, prg, mul; };
/* Over loopback: an exchange of a few bytes; the same for a party that has waited long, so that its processor sleeps; a byte sent,
 * and one received at the same time. */
struct link_rate { double round_ns, idle_round_ns, byte_ns; };
enum { MACHINE_LONG_WAIT_NS = 200000 };          /* idle_round_ns from here on; how long systems poll before the processor sleeps */

struct machine {
	char cpu[64];
	bool measured;                   /* false: the reference constants */
	int cores;                       /* that parties, and a dealer, on this machine share */
	struct step_rate deal[SUF_NSTEP], eval[SUF_NSTEP];
	double stream_ns;                /* an AES block of a stream: two words */
	double wide;                     /* multiply-add of a matrix product mod 2^64, in multiply-adds mod 2^52 */
	double pack_ns, unpack_ns;       /* an element of a message */
	struct link_rate plain, tls;
	double pipe_read_ns, pipe_write_ns, file_read_ns, file_write_ns; /* a byte of key material, beyond what a step in memory costs */
};

double step_elements(const struct suf_step *);   /* what .elem counts */
bool step_is_product(enum suf_op);               /* of matrices */

/* path NULL: the user's cache folder.  machine_load takes reference constants when there is no file there; machine_note says so on
 * standard error.  False: an error was printed (a file that cannot be read, or is no such file). */
bool machine_load(const char *path, struct machine *);
bool machine_try(const char *path, struct machine *, char *why); /* prints nothing; false: reference constants; why: 256 bytes */
void machine_note(const struct machine *);
bool machine_save(const char *path, const struct machine *); /* makes the cache folder */
void machine_reference(struct machine *);
void machine_print(const struct machine *, FILE *);
char *machine_path(const char *path);            /* malloc'ed; NULL: the user has no home folder */

/* Measures all of it; takes a few seconds.  scratch: a folder for files of keys.  False: *text (256 bytes) says why. */
bool machine_measure(struct machine *, const char *scratch, char *text);
bool machine_measure_steps(struct machine *, char *text);                        /* machine_steps.c */
bool machine_measure_links(struct machine *, const char *scratch, char *text);   /* machine_links.c */

/* Medians of repeated measurements. */
double machine_median(double *v, int n);         /* sorts v */
double machine_cpu_ns(void);                     /* of this thread */
double machine_wall_ns(void);
#endif

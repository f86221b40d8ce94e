/* SPDX-License-Identifier: Apache-2.0
 * exec.h -- run a scheduled program inside the compiler, through libsuf and
 * without emitting C: what `simulate`, `verify` and tests use.
 */
#ifndef SUFC_EXEC_H
#define SUFC_EXEC_H
#include "passes/examples.h"
#include "passes/passes.h"
#include "run.h"

struct exec;
struct exec *exec_new(struct prog *);    /* stage SCHED, planned; the program must outlive it */
void exec_free(struct exec *);           /* NULL is allowed */
const struct suf_program *exec_program(const struct exec *);
const struct val *exec_value(const struct exec *, uint32_t step); /* first output of the step with this id; NULL: none */

/* Everything random of one session. */
struct exec_seeds { struct prg_seed party[2], model[2], client; uint64_t session; };
SUF_MUST_USE enum suf_err exec_random_seeds(struct exec_seeds *);
struct exec_seeds exec_seeds_of(const struct exec_seeds *, uint64_t example); /* the sessions of many examples */

/* Elements of a tensor on the wire: rows * onehot for row numbers. */
uint64_t exec_wire_count(const struct suf_tensor *);
/* The user's array (float or int64_t as .integer says) as ring elements.  False: *bad is the first element that does not fit. */
bool exec_encode(const struct suf_tensor *, const void *data, uint64_t *to, uint64_t *bad);
bool exec_encode_inputs(struct prog *, const struct exec *, const struct examples *, int64_t example, uint64_t **in); /* false: an error was reported */
void exec_decode(const struct suf_tensor *, const uint64_t *from, float *to); /* signed, over 2^frac */
void exec_decode_integers(const struct suf_tensor *, const uint64_t *from, int64_t *to);

typedef void exec_trace(void *, const struct suf_run *, const struct suf_step *);
/* One run in the clear with exactly the arithmetic of the protocol.  in[k], out[k] by prog->in, prog->out; text: 256 bytes. */
SUF_MUST_USE enum suf_err exec_simulate(struct exec *, const struct exec_seeds *, uint64_t *const *in, uint64_t *const *out,
                                        exec_trace *, void *arg, char *text);

/* One run of dealer and both parties: three threads, keys through pipes, messages through a socket pair. */
struct exec_parties {
	double dealer_ms, party_ms;
	uint64_t key[2], sent[2];        /* bytes, measured */
	uint32_t rounds;
	uint64_t aes[3];                 /* party 0, 1, dealer */
};
SUF_MUST_USE enum suf_err exec_run(struct exec *, const struct exec_seeds *, uint64_t *const *in, uint64_t *const *out,
                                   exec_trace *const trace[3], void *const arg[3], struct exec_parties *, char *text);
#endif

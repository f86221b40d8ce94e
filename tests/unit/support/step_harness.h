/* SPDX-License-Identifier: Apache-2.0
 * step_harness.h -- runs a hand-made list of steps through the simulator, the
 * dealer and both parties (threads over a socket pair) under the same seeds,
 * and checks on the way: simulator and parties agree bit for bit; key and
 * message bytes, generator calls and rounds are the predicted ones.
 */
#ifndef STEP_HARNESS_H
#define STEP_HARNESS_H
#include "run.h"

struct item { struct suf_step s; bool round_after; };
struct harness {
	struct suf_program prog;     /* first: the body finds the harness by it */
	struct item *item; uint32_t nitem, cap;
	uint32_t next_id;
	struct suf_tensor input[8], output[8], weight[8];
	uint64_t *in_data[8], *out_sim[8], *out_party[2][8];
	uint64_t *weight_data[8], *weight_hat[8];
	const uint64_t *weight_dealt[8]; /* what the dealer knows: public ones */
	uint64_t in_count[8], out_count[8], weight_count[8];
	uint64_t wires;              /* wire elements handed out */
	uint64_t sent[2], key[2], prg[3]; uint32_t rounds; /* measured by the last run; sent: offline, too; prg: dealer, party 0, party 1 */
	struct prg_seed seed[2], model[2], client; uint64_t session;
	bool same_seeds;             /* the next run takes those of the last one */
	uint8_t *ahead[2]; uint64_t *wire[2]; /* at the parties when the last run ended: offline messages, all wires */
	uint64_t offline;            /* bytes of those messages */
};
void harness_init(struct harness *);
void harness_free(struct harness *);
struct suf_ref harness_wire(struct harness *, uint64_t count);
/* A step with a fresh id; in[] and out[] set by the caller in *s before.  Returns the id. */
uint32_t harness_step(struct harness *, struct suf_step s);
void harness_round(struct harness *);            /* exchange after the last step */
/* An input of count elements of `bits` bits: the wire (round 0 is closed by harness_round). */
struct suf_ref harness_input(struct harness *, uint64_t count, unsigned bits, const uint64_t *x);
struct suf_ref harness_weight(struct harness *, uint64_t count, unsigned bits, const uint64_t *w);
struct suf_ref harness_public(struct harness *, uint64_t count, unsigned bits, const uint64_t *w); /* everybody knows it */
/* Open a SHARED wire in place (n bits), s dropped bits to m; returns the same ref. */
struct suf_ref harness_open(struct harness *, struct suf_ref, uint64_t count, unsigned n);
int harness_output(struct harness *, struct suf_ref, uint64_t count, unsigned bits); /* index */
/* Runs everything with fresh random seeds, or with the same_seeds; fails the cmocka test on any difference. */
void harness_run(struct harness *);
uint64_t harness_random(void);                   /* 64 random bits, seeded per process; printed on failure */
uint64_t *harness_ring(uint64_t count, unsigned bits); /* random ring elements; the caller frees them */
int64_t harness_signed(uint64_t v, unsigned bits);
#endif

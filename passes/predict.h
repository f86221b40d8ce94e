/* SPDX-License-Identifier: Apache-2.0
 * predict.h -- how long a scheduled program takes on a machine and a network,
 * from the counts of steps.def and the constants of machine.h.
 */
#ifndef SUFC_PREDICT_H
#define SUFC_PREDICT_H
#include "passes/machine.h"
#include "passes/passes.h"

struct network {
	char name[48];
	double gbps, rtt_ms;             /* of each direction; 0: loopback, whose constants are the machine's */
	bool tls;                        /* cleared by network_parse */
	bool one_machine;                /* the processes share machine.cores; network_parse: loopback only */
	bool streamed;                   /* the dealer works at the same time; cleared by network_parse */
};
/* "loopback", "lan" (10 Gbit/s, 0.5 ms), "wan" (400 Mbit/s, 40 ms) or "GBPS,RTT_MS". */
bool network_parse(const char *, struct network *);

struct class_ms { const char *klass; double ms; };
struct prediction {
	double online_ms;                /* of the slower party, the key is there; streamed: with the dealer at work */
	double compute_ms, comm_ms;      /* online_ms = compute_ms + comm_ms (streamed: + waiting for the dealer) */
	double keygen_ms;                /* the dealer's work alone */
	double key_transfer_ms;          /* the larger key over the network; loopback: through a pipe */
	double offline_ms;               /* keygen_ms + key_transfer_ms (streamed: 0), and what party 1 does and sends before the run is online */
	double floor_machine_ms;         /* of all that runs at once (both parties; streamed: the dealer, too) on the cores that there are */
	double floor_ms, floor_keygen_ms; /* counted work alone, of the slower party and of the dealer, each on a core of its own: AES blocks,
	                                    multiply-adds, bytes of keys; docs/costs.md */
	struct class_ms klass[8]; int nklass; /* of online_ms, the slower party */
};
/* False: the program is not at stage SCHED. */
bool predict(const struct prog *, const struct machine *, const struct network *, struct prediction *);
void predict_print(const struct prediction *, FILE *);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * chan.h -- the link between two parties, and byte streams for keys.
 *
 * Kinds: TLS 1.3 over TCP with mutual authentication (OpenSSL); plain TCP,
 * loopback addresses only unless `allow_remote_plain`; Unix socket; an
 * in-process socket pair for tests.  Lengths from the peer are never trusted:
 * both sides know how much to expect.
 */
#ifndef SUF_CHAN_H
#define SUF_CHAN_H
#include "suf.h"

struct suf_chan;
/* err: at least 256 bytes, gets a text when the result is not SUF_OK. */
SUF_MUST_USE enum suf_err suf_chan_open(struct suf_chan **, const struct suf_chan_config *, char *err);
SUF_MUST_USE enum suf_err suf_chan_pair(struct suf_chan *pair[2]);  /* in-process, AF_UNIX socket pair */
/* Send and receive at the same time (full duplex, no deadlock at any size); either count may be 0. */
SUF_MUST_USE enum suf_err suf_chan_exchange(struct suf_chan *, const void *out, size_t nout, void *in, size_t nin);
uint64_t suf_chan_sent(const struct suf_chan *), suf_chan_received(const struct suf_chan *); /* payload bytes, all kinds of message */
double suf_chan_wait_ms(const struct suf_chan *);   /* time spent inside exchange */
const char *suf_chan_error(const struct suf_chan *); /* text of the last failure: "peer closed the connection after 1234 bytes" */
void suf_chan_close(struct suf_chan *);              /* NULL is allowed */
#endif

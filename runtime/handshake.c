/* SPDX-License-Identifier: Apache-2.0
 * handshake.c -- the first message between two parties: they compare protocol
 * version, roles, program, key and weight epoch before anything that is masked
 * leaves.  Both see both messages and apply symmetric rules, so either both
 * go on or both stop.
 */
#include "session.h"
#include <string.h>

enum { HELLO_BYTES = 160, HELLO_VERSION = 2 };
enum { AT_MAGIC = 0, AT_VERSION = 8, AT_ROLE = 12, AT_FLAGS = 16, AT_PROGRAM = 24, AT_ID = 56, AT_EPOCH = 72, AT_INPUT = 88, AT_WEIGHTS = 120 };
static const char magic[8] = "SUFPEER1";

static void put(uint8_t to[HELLO_BYTES], const struct hello *h)
{
	memset(to, 0, HELLO_BYTES);
	memcpy(to + AT_MAGIC, magic, sizeof magic);
	memcpy(to + AT_VERSION, &h->version, 4);
	memcpy(to + AT_ROLE, &h->role, 4);
	memcpy(to + AT_FLAGS, &h->flags, 4);
	memcpy(to + AT_PROGRAM, h->program, sizeof h->program);
	memcpy(to + AT_ID, h->id, sizeof h->id);
	memcpy(to + AT_EPOCH, h->epoch, sizeof h->epoch);
	memcpy(to + AT_INPUT, h->input, sizeof h->input);
	memcpy(to + AT_WEIGHTS, h->weights, sizeof h->weights);
}

static void get(struct hello *h, const uint8_t from[HELLO_BYTES])
{
	memcpy(&h->version, from + AT_VERSION, 4);
	memcpy(&h->role, from + AT_ROLE, 4);
	memcpy(&h->flags, from + AT_FLAGS, 4);
	memcpy(h->program, from + AT_PROGRAM, sizeof h->program);
	memcpy(h->id, from + AT_ID, sizeof h->id);
	memcpy(h->epoch, from + AT_EPOCH, sizeof h->epoch);
	memcpy(h->input, from + AT_INPUT, sizeof h->input);
	memcpy(h->weights, from + AT_WEIGHTS, sizeof h->weights);
}

static enum suf_err differ(char *text, const char *what, const uint8_t *mine, const uint8_t *theirs, size_t n)
{
	char a[65], b[65];
	suf_hex(mine, n, a);
	suf_hex(theirs, n, b);
	return text_fail(text, SUF_EPROTO, "the parties differ in %s: here %s, at the peer %s", what, a, b);
}

/* What party 1 lacks: no weights there, and party 0 does not send any. */
static enum suf_err check_weights(const struct hello *p0, const struct hello *p1, char *text)
{
	if (!(p1->flags & HELLO_HAS_WEIGHTS) && !(p0->flags & HELLO_SENDS_WEIGHTS))
		return text_fail(text, SUF_EPROTO, "party 1 has no weights and party 0 does not send them: give party 1 the masked weights, or party 0 the plain ones with --owner");
	return SUF_OK;
}

enum suf_err handshake(struct suf_chan *chan, const struct hello *mine_, struct hello *theirs, char *text)
{
	uint8_t out[HELLO_BYTES], in[HELLO_BYTES];
	struct hello mine = *mine_;
	mine.version = HELLO_VERSION;
	put(out, &mine);
	enum suf_err err = suf_chan_exchange(chan, out, sizeof out, in, sizeof in);
	if (err)
		return text_fail(text, err, "handshake: %s", suf_chan_error(chan));
	get(theirs, in);
	if (memcmp(in, magic, sizeof magic) != 0)
		return text_fail(text, SUF_EPROTO, "the peer is not a party of a sufc program");
	if (theirs->version != mine.version)
		return text_fail(text, SUF_EPROTO, "the parties differ in the protocol version: here %u, at the peer %u", mine.version, theirs->version);
	if (theirs->role > 1 || theirs->role == mine.role)
		return text_fail(text, SUF_EPROTO, "both parties run with role %u; one must be 0, the other 1", theirs->role);
	if (memcmp(mine.program, theirs->program, 32) != 0)
		return differ(text, "the program (hash)", mine.program, theirs->program, 32);
	if (memcmp(mine.id, theirs->id, 16) != 0)
		return differ(text, "the key (id): the two keys are not of one pair", mine.id, theirs->id, 16);
	if (memcmp(mine.epoch, theirs->epoch, 16) != 0)
		return differ(text, "the epoch of the weight mask", mine.epoch, theirs->epoch, 16);
	if ((mine.flags ^ theirs->flags) & HELLO_OUTSIDE_CLIENT)
		return text_fail(text, SUF_EPROTO, "only one of the two keys is for a client outside of the parties");
	if (memcmp(mine.input, theirs->input, 32) != 0)
		return differ(text, "the masked input file (SHA-256)", mine.input, theirs->input, 32);
	static const uint8_t none[16];
	if (memcmp(mine.weights, theirs->weights, 16) != 0 && memcmp(mine.weights, none, 16) != 0 && memcmp(theirs->weights, none, 16) != 0)
		return differ(text, "the weights that were masked (tag): mask the same ones for both", mine.weights, theirs->weights, 16);
	return mine.role == 0 ? check_weights(&mine, theirs, text) : check_weights(theirs, &mine, text);
}

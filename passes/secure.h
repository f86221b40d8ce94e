/* SPDX-License-Identifier: Apache-2.0
 * secure.h -- what the parts of pass `secure` share: rules that make the proof of docs/security.md apply to a program.
 *
 * Everything is derived again from the rows of runtime/steps.def and from who reads what; nothing that ir_check found is used
 * but that pointers are there and arities right.  A step is known by its rows alone, its row MASKOF says how it is checked:
 */
#ifndef SUFC_SECURE_H
#define SUFC_SECURE_H
#include "ir/check.h"
#include "run.h"

enum mask_of {
	MASK_LINEAR,             /* a linear image of the operands, all shares or all masked (weights, too): so is the mask; shares keep their pads */
	MASK_FLOOR,              /* top bits of a masked operand, m <= n - s: the mask's; nobody has shares of it */
	MASK_JOINS,              /* linear: a share, first, and masked values: the share keeps its pads, the other masks are added to its mask */
	MASK_IMAGE,              /* the image of a masked operand, first, under public weights (PUBLIC): so is the mask; nobody has shares of it */
	MASK_PADS,               /* of SHARED results: fresh pads alone (PADS), so the pads are shares of the mask */
	MASK_MORE,               /* fresh pads and something else: nobody has shares of it */
	MASK_OPENED,             /* that of the share which is opened; its top bits if bits are dropped */
	MASK_CLIENT,             /* the client's stream */
	MASK_NONE                /* no result */
};

/* What is known of a value from the steps that made it. */
struct fact {
	const struct val *val;
	const struct node *maker;
	int output, at;                      /* which result of maker; its place in the program */
	enum sec form;                       /* derived; val->type.sec must say the same */
	const struct node *open;             /* SHARED: what opens it */
	int openings;                        /* SHARED with pads of its own: how many openings its pads go into */
	int seen;                            /* scratch: the last search that came here */
	bool early;                          /* SHARED: party 1's share depends on nothing online */
	bool party0;                         /* MASKED: party 0 alone knows it */
};

struct secure {
	const struct prog *p;
	struct arena *a;
	struct pos_map index;                /* value -> its fact */
	struct fact *fact; int nfact;
	const struct node **by_id;           /* step id -> its step, if it came by */
	int now;                             /* place of the step that is looked at */
	int round, sent;                     /* round of the last step; last round in which something is sent */
	int reports;
	struct places *places;
};

/* A rule of docs/security.md ("Rules") does not hold; n NULL: the program's. */
void secure_fail(struct secure *, int rule, const struct node *n, const struct val *, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
struct fact *secure_fact(const struct secure *, const struct val *); /* through views; NULL: nothing made it so far */
struct fact *secure_operand(const struct secure *, const struct fact *, int k); /* in[k] of its maker, if it was made before: chains of these end */
uint64_t secure_count(const struct val *);                /* elements on the wire */

/* secure_rows.c: what the rows of steps.def say. */
enum mask_of secure_mask(const struct suf_step *);
bool secure_sends(const struct suf_step *);              /* a message: it has a row SENT */
bool secure_takes_weight(const struct suf_step *, int k);
bool secure_takes_public(const struct suf_step *, int k); /* that everybody knows, and nothing else */
bool secure_wants_shares(const struct suf_step *, int k); /* of the mask of in[k]: it has a row OPERAND */
bool secure_reduces(const struct node *);                /* a local step that keeps elements and their order, mod 2^m */
unsigned secure_share_bits(const struct suf_step *, int k); /* bits of the part that holds them; 0: none, they have to be pads */
uint32_t secure_factors(const struct suf_step *, int k, const int64_t **list); /* public factors of operand k of a linear step; how many */
void secure_numbers(struct secure *, const struct node *); /* R1, R3, R9, R12: widths and counts of parts, pads, results, messages are those of the values */
void secure_gaps(struct secure *, const struct node *); /* R6: operands that have to leave a bit free, where their range is known */
void secure_companions(struct secure *, const struct node *); /* R5: rows FROM, WITH */

/* secure_owner.c: R10, what is offline depends on nothing online, and party 1 reads nothing that party 0 alone learns. */
void secure_owner(struct secure *, const struct node *); /* before the results of the step are noted */
bool secure_is_early(const struct secure *, const struct node *); /* derived: party 1's part of the step depends on nothing online */
bool secure_is_party0(const struct secure *, const struct node *); /* derived: its masked results are party 0's alone */
/* secure_open.c: R1, each element of a padded share goes into one opening at most. */
void secure_openings(struct secure *);
/* secure_place.c: R2, what a step reads from the wire buffer is what was written for it. */
void secure_place_init(struct secure *);
void secure_place_read(struct secure *, const struct node *, const struct val *);
void secure_place_write(struct secure *, const struct node *, const struct val *);
#endif

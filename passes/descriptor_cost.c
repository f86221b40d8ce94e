/* SPDX-License-Identifier: Apache-2.0
 * descriptor_cost.c -- what a descriptor's gate takes, estimated for choosing between forms: comparison trees, one-hot
 * trees and hidden words (docs/suf.md); `sufc --report` has the exact numbers of a program.
 */
#include <math.h>
#include "dpf.h"
#include "passes/descriptor.h"

/* Bytes of one element's tree over b bits. */
static double
tree(unsigned b)
{
	return b ? (double)dpf_key_bytes(b, 1024) / 1024 : 0;
}

static unsigned
log2_up(uint32_t n)
{
	unsigned k = 0;
	while ((uint64_t)1 << k < n)
		k++;
	return k;
}

static struct desc_cost
table_cost(const struct descriptor *d, unsigned n)
{
	const bool split = descriptor_split_needed(d), slope = d->tail[0].slope || d->tail[1].slope, shift = slope && d->in > d->out;
	const unsigned s = d->in - d->e, w = descriptor_cell_bits(d), bits = (d->ncell > 0 ? 1u : 0u) + split;
	struct desc_cost c = { .sent = n };              /* in bits until the end */
	if (shift) {                                     /* carry of the line; slope, intercepts, gap */
		c.key += tree(d->in - d->out) + 6.0 * n / 8;
		c.sent += 1;
	}
	if (bits) {                                      /* carry; each bit for both carries, and the bit itself */
		c.key += tree(s) + tree(n - s);
		c.sent += (s ? 1 + bits : 0) + bits;
	}
	if (d->ncell) {
		c.key += 2 * tree(log2_up(d->ncell)) + (8.0 * n + 4.0 * (n - w) + w) / 8;
		c.sent += w;
	}
	c.key += split ? n / 8.0 : 0;
	c.sent /= 8;
	return c;
}

/* Bits of the largest |value| in 2^-scale, with sign and gap. */
static unsigned
pieces_ring(const struct descriptor *d, unsigned n)
{
	const unsigned in = d->frac > d->out ? d->frac : d->out;
	const double lo = ldexp(d->lo, (int)d->frac), hi = ldexp(d->hi, (int)d->frac), step = fmax(1, (hi - lo) / 4096);
	double most = 1;
	for (double t = lo; t < hi; t += step)
		most = fmax(most, fabs((double)descriptor_eval(d, in, (int64_t)t * ((int64_t)1 << (in - d->frac)))));
	double bits = log2(most) + d->scale - d->out;
	for (int side = 0; side < 2; side++)
		if (d->tail[side].kind == TAIL_LINE && d->tail[side].slope)
			bits = fmax(bits, (double)n - (d->in - d->frac) + d->scale - d->frac - 2);
	return (unsigned)fmin(64, ceil(bits) + 2);
}

static struct desc_cost
pieces_cost(const struct descriptor *d, unsigned n)
{
	const unsigned cut = d->in - d->frac, m = n - cut, ring = pieces_ring(d, n), words = (d->degree + 1) * ring;
	const int parts = d->npiece + (d->tail[0].kind == TAIL_LINE) + (d->tail[1].kind == TAIL_LINE);
	struct desc_cost c = { .key = words / 8.0, .sent = ring };
	if (parts > 1) {                                 /* every part for both values of the wrap bit */
		c.key = tree(m) + 2.0 * parts * words / 8;
		c.sent += log2_up((uint32_t)parts) + 1;
	}
	if (cut) {
		c.key += tree(cut) + (1 + 3.0 * m) / 8;
		c.sent += 1 + m;
	}
	if (d->scale > d->out) {
		c.key += tree(d->scale - d->out) + (1 + 3.0 * n) / 8;
		c.sent += 1 + n;
	}
	c.sent /= 8;
	return c;
}

struct desc_cost
descriptor_cost(const struct descriptor *d, unsigned n)
{
	struct desc_cost c = d->form == DESC_TABLE ? table_cost(d, n) : pieces_cost(d, n);
	c.total = c.key + 2 * c.sent;
	return c;
}

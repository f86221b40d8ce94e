/* SPDX-License-Identifier: Apache-2.0
 * vertex_cut.h -- the cheapest vertices without which no path leads from a source to a sink.
 */
#ifndef SUFC_VERTEX_CUT_H
#define SUFC_VERTEX_CUT_H
#include <stdbool.h>
#include <stdint.h>
#include "ir.h"

struct vertex {
	int64_t cost;            /* > 0 */
	bool source, sink;       /* may be cut, too */
	bool reached, cut;       /* result: reached from a source by vertices that are not cut; a cut one is reached itself */
};
struct edge { int from, to; };

/* Of all cheapest cuts the one next to the sources.  Sums of costs must fit 62 bits. */
void vertex_cut(struct arena *, struct vertex *, int nvertex, const struct edge *, int nedge);
#endif

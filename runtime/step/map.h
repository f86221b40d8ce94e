/* SPDX-License-Identifier: Apache-2.0
 * map.h -- walking a strided map: one call per run along the last axis. */
#ifndef SUF_STEP_MAP_H
#define SUF_STEP_MAP_H
#include "run.h"

/* Offsets of one run along the last axis of a map. */
struct map_run { uint64_t out, a, b; uint32_t len; int64_t so, sa, sb; };

/* Start: idx all zero, *run for the first run.  Then map_next until it returns false. */
static inline void
map_first(const struct suf_map *m, uint32_t idx[SUF_MAX_DIM], struct map_run *run)
{
	uint32_t last = m->ndim - 1;
	for (uint32_t k = 0; k < SUF_MAX_DIM; k++)
		idx[k] = 0;
	*run = (struct map_run){ m->out0, m->a0, m->b0, m->dim[last], m->so[last], m->sa[last], m->sb[last] };
}

static inline bool
map_next(const struct suf_map *m, uint32_t idx[SUF_MAX_DIM], struct map_run *run)
{
	for (uint32_t k = m->ndim - 1; k-- > 0;) {
		run->out += (uint64_t)m->so[k];
		run->a += (uint64_t)m->sa[k];
		run->b += (uint64_t)m->sb[k];
		if (++idx[k] < m->dim[k])
			return true;
		run->out -= (uint64_t)m->so[k] * m->dim[k];
		run->a -= (uint64_t)m->sa[k] * m->dim[k];
		run->b -= (uint64_t)m->sb[k] * m->dim[k];
		idx[k] = 0;
	}
	return false;
}
#endif

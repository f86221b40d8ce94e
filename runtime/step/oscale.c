/* SPDX-License-Identifier: Apache-2.0
 * oscale.c -- product of a masked value with weights of party 0, element by element, broadcast by the strides of suf_map;
 * protocol, what is opened and what hides it: owned.h. */
#include "map.h"
#include "owned.h"

static void
scale(struct suf_run *r, const struct suf_step *s, const uint64_t *w, const uint64_t *bias, const uint64_t *a, uint64_t *c, void *work)
{
	const uint64_t ring = ring_mask(s->n);
	uint32_t idx[SUF_MAX_DIM];
	struct map_run m;
	(void)r, (void)bias, (void)work;     /* a matrix product needs them */
	map_first(s->map, idx, &m);
	do {
		for (int64_t i = 0; i < m.len; i++)
			c[(int64_t)m.out + i * m.so] = a[(int64_t)m.a + i * m.sa] * w[(int64_t)m.b + i * m.sb] & ring;
	} while (map_next(s->map, idx, &m));
}

static size_t no_bytes(const struct suf_step *s) { (void)s; return 0; }

static const struct owned oscale = { PART_oscale_r_a, scale, no_bytes, false };

static enum suf_err oscale_deal(struct suf_run *r, const struct suf_step *s) { return owned_deal(&oscale, r, s); }
static enum suf_err oscale_eval(struct suf_run *r, const struct suf_step *s) { return owned_eval(&oscale, r, s); }
static enum suf_err oscale_sim(struct suf_run *r, const struct suf_step *s) { return owned_sim(&oscale, r, s); }
static size_t oscale_scratch(const struct suf_step *s) { return owned_scratch(&oscale, s); }

const struct step_impl step_oscale = { oscale_deal, oscale_eval, oscale_sim, NULL, oscale_scratch };

/* SPDX-License-Identifier: Apache-2.0
 * lin.c -- the strided linear steps lin, mulc, addc.  Local: nothing is opened,
 * no key.  Applied alike to masks, masked values and shares. */
#include "map.h"

static void
lin_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	const uint64_t ca = (uint64_t)s->ca, cb = (uint64_t)s->cb, c = constants ? (uint64_t)s->c : 0, m = ring_mask(s->m);
	uint32_t idx[SUF_MAX_DIM];
	struct map_run r;
	map_first(s->map, idx, &r);
	do {
		const uint64_t *pa = a + r.a, *pb = b && cb ? b + r.b : NULL;
		uint64_t *po = out + r.out;
		if (pb)
			for (int64_t i = 0; i < r.len; i++)
				po[i * r.so] = (ca * pa[i * r.sa] + cb * pb[i * r.sb] + c) & m;
		else
			for (int64_t i = 0; i < r.len; i++)
				po[i * r.so] = (ca * pa[i * r.sa] + c) & m;
	} while (map_next(s->map, idx, &r));
}

static void
mulc_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	const uint64_t m = ring_mask(s->m);
	uint32_t idx[SUF_MAX_DIM];
	struct map_run r;
	(void)constants;
	(void)b;
	map_first(s->map, idx, &r);
	do {
		const int64_t *t = s->table->v + r.b;
		for (int64_t i = 0; i < r.len; i++)
			out[(int64_t)r.out + i * r.so] = (a[(int64_t)r.a + i * r.sa] * (uint64_t)t[i * r.sb]) & m;
	} while (map_next(s->map, idx, &r));
}

static void
addc_local(const struct suf_step *s, bool constants, const uint64_t *a, const uint64_t *b, uint64_t *out)
{
	const uint64_t m = ring_mask(s->m);
	uint32_t idx[SUF_MAX_DIM];
	struct map_run r;
	(void)b;
	map_first(s->map, idx, &r);
	do {
		const int64_t *t = s->table->v + r.b;
		for (int64_t i = 0; i < r.len; i++)
			out[(int64_t)r.out + i * r.so] = (a[(int64_t)r.a + i * r.sa] + (constants ? (uint64_t)t[i * r.sb] : 0)) & m;
	} while (map_next(s->map, idx, &r));
}

const struct step_impl step_lin = { .local = lin_local };
const struct step_impl step_mulc = { .local = mulc_local };
const struct step_impl step_addc = { .local = addc_local };

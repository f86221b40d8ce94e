/* SPDX-License-Identifier: Apache-2.0
 * omul.c -- product of a masked value with a matrix of party 0; protocol, what is opened and what hides it: owned.h. */
#include "owned.h"
#include "public.h"

static const struct owned omul = { PART_omul_r_a, public_product, public_scratch, true };

static enum suf_err omul_deal(struct suf_run *r, const struct suf_step *s) { return owned_deal(&omul, r, s); }
static enum suf_err omul_eval(struct suf_run *r, const struct suf_step *s) { return owned_eval(&omul, r, s); }
static enum suf_err omul_sim(struct suf_run *r, const struct suf_step *s) { return owned_sim(&omul, r, s); }
static size_t omul_scratch(const struct suf_step *s) { return owned_scratch(&omul, s); }

const struct step_impl step_omul = { omul_deal, omul_eval, omul_sim, NULL, omul_scratch };

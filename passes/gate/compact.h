#ifndef STUBC
#define STUBC
#include "passes/gate/build.h"
#include "passes/gate/compact_chain.h"
struct val *b_shift(struct gb *, struct val *, unsigned s, unsigned m);
struct val *b_matmul_last(struct gb *, struct val *, struct val *, struct val *, const struct suf_mm *, const struct suf_rows *);
struct val *b_mul_last(struct gb *, struct val *, struct val *, const struct suf_map *);


struct val *b_exps(struct gb *, struct val *, const struct suf_rows *, unsigned b, int64_t origin, unsigned f, unsigned A, unsigned B, unsigned s, unsigned m);
struct val *b_normsq(struct gb *, struct val *, const struct suf_rows *, unsigned w, int64_t c, unsigned s, unsigned m, struct val **, struct val **);
struct val *b_normmul(struct gb *, struct val *rho, struct val *x, struct val *, struct val *, const struct suf_rows *, unsigned s, unsigned m);
struct val *b_bitmul(struct gb *, struct val *bits, unsigned K, struct val *w, int64_t c, const int64_t *, unsigned s, unsigned m, const char *);
struct val *b_row_scale(struct gb *, struct val *z, unsigned K, struct val **bits);
uint32_t b_pad_step(const struct val *);
#endif

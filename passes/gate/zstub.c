#include "passes/gate/compact.h"
#include "passes/gate/compact_cells.h"
#pragma GCC diagnostic ignored "-Wunused-parameter"
struct val *b_shift(struct gb *g, struct val *x, unsigned s, unsigned m){BUG("stub");}
struct val *b_matmul_last(struct gb *g, struct val *a, struct val *b, struct val *c, const struct suf_mm *m, const struct suf_rows *r){BUG("stub");}
struct val *b_mul_last(struct gb *g, struct val *a, struct val *b, const struct suf_map *m){BUG("stub");}
struct val *b_exps(struct gb *g, struct val *x, const struct suf_rows *r, unsigned b, int64_t origin, unsigned f, unsigned A, unsigned B, unsigned s, unsigned m){BUG("stub");}
struct val *b_normsq(struct gb *g, struct val *x, const struct suf_rows *r, unsigned w, int64_t c, unsigned s, unsigned m, struct val **a, struct val **b){BUG("stub");}
struct val *b_normmul(struct gb *g, struct val *rho, struct val *x, struct val *r, struct val *mm, const struct suf_rows *rr, unsigned s, unsigned m){BUG("stub");}
struct val *b_bitmul(struct gb *g, struct val *bits, unsigned K, struct val *w, int64_t c, const int64_t *t, unsigned s, unsigned m, const char *n){BUG("stub");}
struct val *b_row_scale(struct gb *g, struct val *z, unsigned K, struct val **bits){BUG("stub");}
const struct cell_table *cells_fit(struct gb *g, const char *n, double (*f)(double, void *), void *a, double from, double step, unsigned b, unsigned cell, unsigned F){BUG("stub");}
struct val *b_cells(struct gb *g, struct val *x, const struct cell_table *t, int64_t origin, unsigned s, unsigned m){BUG("stub");}

#ifndef STUBD
#define STUBD
#include "passes/gate/build.h"
struct cell_table { int x; };
const struct cell_table *cells_fit(struct gb *, const char *, double (*)(double, void *), void *, double from, double step, unsigned b, unsigned cell, unsigned F);
struct val *b_cells(struct gb *, struct val *, const struct cell_table *, int64_t origin, unsigned s, unsigned m);
#endif

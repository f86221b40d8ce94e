/* SPDX-License-Identifier: Apache-2.0
 * fixexp.h -- the exponential function in integers alone, so that dealer, parties and simulator agree to the bit on every machine. */
#ifndef SUF_FIXEXP_H
#define SUF_FIXEXP_H
#include <stdint.h>

/* m 2^e, 2^62 <= m < 2^63 */
struct fix { uint64_t m; int e; };
/* e^(v / 2^f), |v| < 2^24, f <= 16; v is public.  Relative error below 2^-36. */
struct fix fix_exp(int64_t v, unsigned f);
/* round(x 2^scale), at most 63 bits (BUG of the caller otherwise: the top ones are lost); 0 if below 1/2. */
uint64_t fix_round(struct fix x, int scale);
#endif

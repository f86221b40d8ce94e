/* SPDX-License-Identifier: Apache-2.0
 * fixexp.c -- e^x = 2^(x log2 e): the whole part is an exponent, the fraction a product of roots of two.  All of it is public. */
#include "fixexp.h"

enum { ROOTS = 44, FRACTION = 60 };
static const uint64_t log2_e = 0x171547652b82fe17; /* log2(e) 2^60 */
/* 2^(2^-k) 2^62 for k = 1, 2 .. */
static const uint64_t root[ROOTS] = {
	0x5a827999fcef3242, 0x4c1bf828c6dc54b8, 0x45cae0f1f545eb73, 0x42d561b3e6243d8a,
	0x4166c34c5615d0ec, 0x40b268f9de0183ba, 0x4058f6a7ecccd5b6, 0x402c6be96af2fb58,
	0x4016321b687027a8, 0x400b18178ba33b14, 0x40058bce410147e8, 0x4002c5d7bff71daf,
	0x400162e807ee7e5b, 0x4000b1730df6a524, 0x400058b9497b8152, 0x40002c5c955dd701,
	0x4000162e46d6f26c, 0x40000b1722757b1b, 0x4000058b90fd3e0c, 0x400002c5c86f3f26,
	0x40000162e433c79b, 0x400000b17218edd0, 0x40000058b90c3968, 0x4000002c5c860d54,
	0x400000162e4302d2, 0x4000000b17218073, 0x400000058b90bffc, 0x40000002c5c85fef,
	0x4000000162e42ff3, 0x40000000b17217f9, 0x4000000058b90bfc, 0x400000002c5c85fe,
	0x40000000162e42ff, 0x400000000b17217f, 0x40000000058b90c0, 0x4000000002c5c860,
	0x400000000162e430, 0x4000000000b17218, 0x400000000058b90c, 0x40000000002c5c86,
	0x4000000000162e43, 0x40000000000b1721, 0x4000000000058b91, 0x400000000002c5c8,
};

struct fix
fix_exp(int64_t v, unsigned f)
{
	const __int128 t = (__int128)v * (__int128)log2_e; /* |t| < 2^86 */
	const uint64_t fraction = (uint64_t)((unsigned __int128)t >> f) & ((UINT64_C(1) << FRACTION) - 1);
	struct fix x = { UINT64_C(1) << 62, (int)(t >> (FRACTION + f)) - 62 };
	for (unsigned k = 1; k <= ROOTS; k++)
		if (fraction >> (FRACTION - k) & 1)
			x.m = (uint64_t)((unsigned __int128)x.m * root[k - 1] >> 62);
	return x;
}

uint64_t
fix_round(struct fix x, int scale)
{
	const int e = x.e + scale;
	if (e >= 0)
		return x.m << (e < 63 ? e : 63);
	return e < -63 ? 0 : ((x.m >> (-e - 1)) + 1) >> 1;
}

/* SPDX-License-Identifier: Apache-2.0
 * pack.c -- see pack.h; the kernels do all widths but that of a word. */
#include "pack.h"
#include "kernel.h"
#include <string.h>

void pack_bits(enum suf_isa isa, uint8_t *to, const uint64_t *from, size_t count, unsigned bits)
{
	if (bits < 64)
		kernel_of(isa)->pack(to, from, count, bits);
	else
		memcpy(to, from, count * sizeof *from);
}

void unpack_bits(enum suf_isa isa, uint64_t *to, const uint8_t *from, size_t count, unsigned bits)
{
	if (bits < 64)
		kernel_of(isa)->unpack(to, from, count, bits);
	else
		memcpy(to, from, count * sizeof *to);
}

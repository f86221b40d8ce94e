/* SPDX-License-Identifier: Apache-2.0
 * store.h -- what a program has beyond its public part: a hash table of names.
 * For build.c and clone.c only.
 */
#ifndef SUFC_STORE_H
#define SUFC_STORE_H
#include "ir.h"

struct name_entry { struct val *val; uint32_t next_suffix; };
struct store {
	struct prog prog;        /* first: a struct prog * is a struct store * */
	struct name_entry *name; /* open addressing, size a power of two, at most half full */
	uint32_t nname, name_size;
	int val_size;
	uint32_t next_unnamed;
};

static inline struct store *
store_of(const struct prog *p)
{
	return (struct store *)(uintptr_t)p;
}

/* Where a name is, or would be. */
struct name_entry *name_slot(const struct store *, const char *name);
#endif

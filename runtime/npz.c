/* SPDX-License-Identifier: Apache-2.0
 * npz.c -- finding a stored member of a zip archive, by its central directory;
 * zip64 included, because NumPy writes it.  Layout: PKWARE APPNOTE 4.3 and 4.5.3.
 */
#include "npz.h"
#include "file.h"
#include <stdio.h>
#include <string.h>

enum { EOCD = 22, CENTRAL = 46, LOCAL = 30, LOCATOR64 = 20, EOCD64 = 56 };
struct zip { const uint8_t *p; uint64_t bytes, dir, ndir; };
struct entry { const char *name; uint32_t name_bytes; uint16_t method, flags; uint64_t stored, size, at; };

static uint16_t get16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static uint32_t get32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static uint64_t get64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }

/* The end of the central directory: the last record of the file but for a comment. */
static bool find_directory(struct zip *z)
{
	if (z->bytes < EOCD)
		return false;
	uint64_t at = z->bytes - EOCD, stop = at > 65535 ? at - 65535 : 0;
	while (get32(z->p + at) != 0x06054b50) {
		if (at == stop)
			return false;
		at--;
	}
	z->ndir = get16(z->p + at + 10);
	z->dir = get32(z->p + at + 16);
	if (at >= LOCATOR64 && get32(z->p + at - LOCATOR64) == 0x07064b50) {
		uint64_t end64 = get64(z->p + at - LOCATOR64 + 8);
		if (z->bytes < EOCD64 || end64 > z->bytes - EOCD64 || get32(z->p + end64) != 0x06064b50)
			return false;
		z->ndir = get64(z->p + end64 + 32);
		z->dir = get64(z->p + end64 + 48);
	}
	return z->dir <= z->bytes;
}

/* Fields of 0xffffffff stand in the zip64 extra field, in this order. */
static bool read_extra64(struct entry *e, const uint8_t *x, uint64_t n)
{
	while (n >= 4) {
		uint64_t id = get16(x), size = get16(x + 2);
		x += 4;
		n -= 4;
		if (size > n)
			return false;
		if (id == 1) {
			uint64_t *field[3] = { &e->size, &e->stored, &e->at };
			for (int i = 0; i < 3; i++)
				if (*field[i] == 0xffffffff) {
					if (size < 8)
						return false;
					*field[i] = get64(x);
					x += 8;
					size -= 8;
				}
			return true;
		}
		x += size;
		n -= size;
	}
	return true;
}

/* The entry at *at of the directory; advances *at. */
static bool read_central(const struct zip *z, uint64_t *at, struct entry *e)
{
	if (*at > z->bytes || z->bytes - *at < CENTRAL || get32(z->p + *at) != 0x02014b50)
		return false;
	const uint8_t *c = z->p + *at;
	uint64_t extra = get16(c + 30), comment = get16(c + 32);
	e->flags = get16(c + 8);
	e->method = get16(c + 10);
	e->stored = get32(c + 20);
	e->size = get32(c + 24);
	e->name_bytes = get16(c + 28);
	e->at = get32(c + 42);
	e->name = (const char *)c + CENTRAL;
	if (e->name_bytes + extra + comment > z->bytes - *at - CENTRAL || !read_extra64(e, c + CENTRAL + e->name_bytes, extra))
		return false;
	*at += CENTRAL + e->name_bytes + extra + comment;
	return true;
}

static bool is_named(const struct entry *e, const char *member)
{
	size_t n = member ? strlen(member) : 0;
	return member && (e->name_bytes == n || (e->name_bytes == n + 4 && memcmp(e->name + n, ".npy", 4) == 0)) && memcmp(e->name, member, n) == 0;
}

enum suf_err npz_find(const uint8_t *p, size_t bytes, const char *path, const char *member, const uint8_t **data, size_t *data_bytes, char *text)
{
	struct zip z = { p, bytes, 0, 0 };
	struct entry e = { 0 }, found = { 0 };
	bool have = false;
	if (!find_directory(&z))
		return text_fail(text, SUF_EIO, "%s: not a whole .npz archive (no directory at its end)", path);
	uint64_t at = z.dir;
	for (uint64_t i = 0; i < z.ndir; i++) {
		if (!read_central(&z, &at, &e))
			return text_fail(text, SUF_EIO, "%s: the directory of the archive is damaged", path);
		if (is_named(&e, member) || z.ndir == 1) {
			found = e;
			have = true;
		}
	}
	if (!have)
		return text_fail(text, SUF_EIO, "%s: the archive has %llu members, none of them named '%s.npy'", path, (unsigned long long)z.ndir, member ? member : "");
	if (found.method != 0 || (found.flags & 1) || found.stored != found.size)
		return text_fail(text, SUF_EIO, "%s: member '%.*s' is compressed or encrypted; write the archive with numpy.savez, not savez_compressed",
			path, (int)found.name_bytes, found.name);
	if (found.at > bytes || bytes - found.at < LOCAL || get32(p + found.at) != 0x04034b50)
		return text_fail(text, SUF_EIO, "%s: the archive is damaged", path);
	uint64_t skip = LOCAL + (uint64_t)get16(p + found.at + 26) + get16(p + found.at + 28);
	if (skip > bytes - found.at || found.size > bytes - found.at - skip)
		return text_fail(text, SUF_EIO, "%s: the archive is cut off", path);
	*data = p + found.at + skip;
	*data_bytes = (size_t)found.size;
	return SUF_OK;
}

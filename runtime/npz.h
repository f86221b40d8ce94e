/* SPDX-License-Identifier: Apache-2.0
 * npz.h -- finding a stored member of a zip archive (.npz), for npy.c.
 */
#ifndef SUF_NPZ_H
#define SUF_NPZ_H
#include "suf.h"

/* *data points into the archive.  member NULL or absent from an archive with one member: that one. */
SUF_MUST_USE enum suf_err npz_find(const uint8_t *zip, size_t bytes, const char *path, const char *member, const uint8_t **data, size_t *data_bytes, char *text);
#endif

/* SPDX-License-Identifier: Apache-2.0
 * npy.h -- arrays in NumPy's .npy files (versions 1 to 3) and in .npz archives
 * (stored members, as np.savez writes them; not np.savez_compressed).
 * Little-endian, C order.
 */
#ifndef SUF_NPY_H
#define SUF_NPY_H
#include "suf.h"

enum npy_type { NPY_F32, NPY_F64, NPY_I32, NPY_I64, NPY_BOOL, NPY_U8, NPY_U64, NPY_NTYPE };
struct npy {
	enum npy_type type;
	uint32_t rank; int64_t dim[8];
	uint64_t count;              /* elements */
	void *data;                  /* owned; npy_free */
};
size_t npy_size(enum npy_type);      /* bytes per element */
const char *npy_name(enum npy_type); /* "float32" */
/* path: an .npy file, or an .npz archive with a member MEMBER.npy (or with one member only); MEMBER may be NULL. */
SUF_MUST_USE enum suf_err npy_read(struct npy *, const char *path, const char *member, char *text);
SUF_MUST_USE enum suf_err npy_parse(struct npy *, const uint8_t *file, size_t bytes, const char *path, const char *member, char *text);
/* Written to NAME.tmp and renamed.  mode: 0600 for shares. */
SUF_MUST_USE enum suf_err npy_write(const char *path, unsigned mode, enum npy_type, uint32_t rank, const int64_t *dim, const void *data, char *text);
void npy_free(struct npy *);         /* wipes the data: it may be an input */
/* Element i as a number. */
double npy_f64(const struct npy *, uint64_t i);
#endif

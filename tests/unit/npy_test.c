/* SPDX-License-Identifier: Apache-2.0
 * npy_test.c -- .npy and .npz files: bytes that NumPy wrote, our own written
 * and read back, and damaged ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "npy.h"
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As written by NumPy 2.4: savez(ids=[[5, -7, 2**40]] int64, x=[1.5, -2.25] float32); savez_compressed(x=zeros(50));
 * save of arange(6).reshape(2, 3) as float64, and in Fortran order as float32; of array(True); of a big-endian array. */
static const uint8_t savez[] = {
	80, 75, 3, 4, 45, 0, 0, 0, 0, 0, 0, 0, 33, 0, 163, 220, 82, 121, 255, 255, 255, 255, 255, 255,
	255, 255, 7, 0, 20, 0, 105, 100, 115, 46, 110, 112, 121, 1, 0, 16, 0, 152, 0, 0, 0, 0, 0, 0,
	0, 152, 0, 0, 0, 0, 0, 0, 0, 147, 78, 85, 77, 80, 89, 1, 0, 118, 0, 123, 39, 100, 101, 115,
	99, 114, 39, 58, 32, 39, 60, 105, 56, 39, 44, 32, 39, 102, 111, 114, 116, 114, 97, 110, 95, 111, 114, 100,
	101, 114, 39, 58, 32, 70, 97, 108, 115, 101, 44, 32, 39, 115, 104, 97, 112, 101, 39, 58, 32, 40, 49, 44,
	32, 51, 41, 44, 32, 125, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 10, 5, 0, 0, 0, 0, 0, 0,
	0, 249, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 1, 0, 0, 80, 75, 3, 4, 45, 0, 0,
	0, 0, 0, 0, 0, 33, 0, 135, 81, 137, 79, 255, 255, 255, 255, 255, 255, 255, 255, 5, 0, 20, 0, 120,
	46, 110, 112, 121, 1, 0, 16, 0, 136, 0, 0, 0, 0, 0, 0, 0, 136, 0, 0, 0, 0, 0, 0, 0,
	147, 78, 85, 77, 80, 89, 1, 0, 118, 0, 123, 39, 100, 101, 115, 99, 114, 39, 58, 32, 39, 60, 102, 52,
	39, 44, 32, 39, 102, 111, 114, 116, 114, 97, 110, 95, 111, 114, 100, 101, 114, 39, 58, 32, 70, 97, 108, 115,
	101, 44, 32, 39, 115, 104, 97, 112, 101, 39, 58, 32, 40, 50, 44, 41, 44, 32, 125, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 10, 0, 0, 192, 63, 0, 0, 16, 192, 80, 75, 1, 2, 45, 3, 45, 0,
	0, 0, 0, 0, 0, 0, 33, 0, 163, 220, 82, 121, 152, 0, 0, 0, 152, 0, 0, 0, 7, 0, 0, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 128, 1, 0, 0, 0, 0, 105, 100, 115, 46, 110, 112, 121, 80, 75, 1,
	2, 45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 33, 0, 135, 81, 137, 79, 136, 0, 0, 0, 136, 0, 0,
	0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 1, 209, 0, 0, 0, 120, 46, 110, 112, 121,
	80, 75, 5, 6, 0, 0, 0, 0, 2, 0, 2, 0, 104, 0, 0, 0, 144, 1, 0, 0, 0, 0,
};
static const uint8_t savez_compressed[] = {
	80, 75, 3, 4, 45, 0, 0, 0, 8, 0, 0, 0, 33, 0, 117, 82, 141, 139, 255, 255, 255, 255, 255, 255,
	255, 255, 5, 0, 20, 0, 120, 46, 110, 112, 121, 1, 0, 16, 0, 72, 1, 0, 0, 0, 0, 0, 0, 72,
	0, 0, 0, 0, 0, 0, 0, 155, 236, 23, 234, 27, 16, 201, 200, 80, 198, 80, 173, 158, 146, 90, 156, 92,
	164, 110, 165, 160, 110, 147, 102, 162, 174, 163, 160, 158, 150, 95, 84, 82, 148, 152, 23, 159, 95, 148, 146, 10,
	18, 119, 75, 204, 41, 78, 5, 138, 23, 103, 36, 22, 164, 2, 249, 26, 166, 6, 58, 154, 58, 10, 181, 10,
	228, 3, 46, 134, 97, 2, 0, 80, 75, 1, 2, 45, 3, 45, 0, 0, 0, 8, 0, 0, 0, 33, 0, 117,
	82, 141, 139, 72, 0, 0, 0, 72, 1, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 128,
	1, 0, 0, 0, 0, 120, 46, 110, 112, 121, 80, 75, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, 51, 0,
	0, 0, 127, 0, 0, 0, 0, 0,
};
static const uint8_t save_f64[] = {
	147, 78, 85, 77, 80, 89, 1, 0, 118, 0, 123, 39, 100, 101, 115, 99, 114, 39, 58, 32, 39, 60, 102, 56,
	39, 44, 32, 39, 102, 111, 114, 116, 114, 97, 110, 95, 111, 114, 100, 101, 114, 39, 58, 32, 70, 97, 108, 115,
	101, 44, 32, 39, 115, 104, 97, 112, 101, 39, 58, 32, 40, 50, 44, 32, 51, 41, 44, 32, 125, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 240, 63,
	0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 8, 64, 0, 0, 0, 0, 0, 0, 16, 64,
	0, 0, 0, 0, 0, 0, 20, 64,
};
static const uint8_t save_fortran[] = {
	147, 78, 85, 77, 80, 89, 1, 0, 118, 0, 123, 39, 100, 101, 115, 99, 114, 39, 58, 32, 39, 60, 102, 52,
	39, 44, 32, 39, 102, 111, 114, 116, 114, 97, 110, 95, 111, 114, 100, 101, 114, 39, 58, 32, 84, 114, 117, 101,
	44, 32, 39, 115, 104, 97, 112, 101, 39, 58, 32, 40, 50, 44, 32, 51, 41, 44, 32, 125, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 10, 0, 0, 0, 0, 0, 0, 64, 64, 0, 0, 128, 63, 0, 0, 128, 64,
	0, 0, 0, 64, 0, 0, 160, 64,
};
static const uint8_t save_bool[] = {
	147, 78, 85, 77, 80, 89, 1, 0, 118, 0, 123, 39, 100, 101, 115, 99, 114, 39, 58, 32, 39, 124, 98, 49,
	39, 44, 32, 39, 102, 111, 114, 116, 114, 97, 110, 95, 111, 114, 100, 101, 114, 39, 58, 32, 70, 97, 108, 115,
	101, 44, 32, 39, 115, 104, 97, 112, 101, 39, 58, 32, 40, 41, 44, 32, 125, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 10, 1,
};
static const uint8_t save_big_endian[] = {
	147, 78, 85, 77, 80, 89, 1, 0, 118, 0, 123, 39, 100, 101, 115, 99, 114, 39, 58, 32, 39, 62, 102, 52,
	39, 44, 32, 39, 102, 111, 114, 116, 114, 97, 110, 95, 111, 114, 100, 101, 114, 39, 58, 32, 70, 97, 108, 115,
	101, 44, 32, 39, 115, 104, 97, 112, 101, 39, 58, 32, 40, 49, 44, 41, 44, 32, 125, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
	32, 32, 32, 32, 32, 32, 32, 10, 63, 128, 0, 0,
};
static char text[256];

static void numpy_archive(void **state)
{
	struct npy a;
	(void)state;
	assert_int_equal(npy_parse(&a, savez, sizeof savez, "f.npz", "ids", text), SUF_OK);
	assert_int_equal(a.type, NPY_I64);
	assert_int_equal(a.rank, 2);
	assert_int_equal(a.dim[0], 1);
	assert_int_equal(a.dim[1], 3);
	assert_int_equal(((int64_t *)a.data)[1], -7);
	assert_true(npy_f64(&a, 2) == 1099511627776.0);
	npy_free(&a);
	assert_int_equal(npy_parse(&a, savez, sizeof savez, "f.npz", "x", text), SUF_OK);
	assert_true(a.type == NPY_F32 && a.rank == 1 && npy_f64(&a, 1) == -2.25);
	npy_free(&a);
	assert_int_equal(npy_parse(&a, savez, sizeof savez, "f.npz", "y", text), SUF_EIO);
	assert_string_equal(text, "f.npz: the archive has 2 members, none of them named 'y.npy'");
	assert_int_equal(npy_parse(&a, savez_compressed, sizeof savez_compressed, "f.npz", NULL, text), SUF_EIO);
	assert_non_null(strstr(text, "write the archive with numpy.savez"));
}

static void numpy_files(void **state)
{
	struct npy a;
	(void)state;
	assert_int_equal(npy_parse(&a, save_f64, sizeof save_f64, "f.npy", NULL, text), SUF_OK);
	assert_true(a.type == NPY_F64 && a.rank == 2 && a.dim[0] == 2 && a.dim[1] == 3 && npy_f64(&a, 5) == 5.0);
	npy_free(&a);
	assert_int_equal(npy_parse(&a, save_bool, sizeof save_bool, "f.npy", NULL, text), SUF_OK);
	assert_true(a.type == NPY_BOOL && a.rank == 0 && a.count == 1 && npy_f64(&a, 0) == 1.0);
	npy_free(&a);
	assert_int_equal(npy_parse(&a, save_fortran, sizeof save_fortran, "f.npy", NULL, text), SUF_EIO);
	assert_non_null(strstr(text, "Fortran order; save numpy.ascontiguousarray(x)"));
	assert_int_equal(npy_parse(&a, save_big_endian, sizeof save_big_endian, "f.npy", NULL, text), SUF_EIO);
	assert_non_null(strstr(text, "'>f4'"));
	assert_int_equal(npy_parse(&a, save_f64, sizeof save_f64 - 1, "f.npy", NULL, text), SUF_EIO);
	assert_string_equal(text, "f.npy: 47 bytes of data, its shape and type want 48");
}

static void written_arrays_come_back(void **state)
{
	char dir[] = "/tmp/suf-npy-XXXXXX", path[64];
	struct npy a;
	struct stat st;
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/x.npy", dir);
	for (uint32_t rank = 0; rank <= 8; rank++)
		for (int type = 0; type < NPY_NTYPE; type++) {
			int64_t dim[8];
			uint8_t data[8 * 6561], shape[8];
			uint64_t n = 1;
			RAND_bytes(shape, sizeof shape);
			for (uint32_t i = 0; i < rank; i++)
				n *= (uint64_t)(dim[i] = 1 + shape[i] % 3);
			size_t bytes = (size_t)n * npy_size((enum npy_type)type);
			RAND_bytes(data, (int)bytes);
			assert_int_equal(npy_write(path, 0600, (enum npy_type)type, rank, dim, data, text), SUF_OK);
			assert_int_equal(npy_read(&a, path, NULL, text), SUF_OK);
			assert_int_equal(a.type, type);
			assert_int_equal(a.rank, rank);
			for (uint32_t i = 0; i < rank; i++)
				assert_int_equal(a.dim[i], dim[i]);
			assert_memory_equal(a.data, data, bytes);
			npy_free(&a);
			assert_int_equal(stat(path, &st), 0);
			assert_int_equal((st.st_size - (off_t)bytes) % 64, 0);
			assert_int_equal(st.st_mode & 0777, 0600);
		}
	unlink(path);
	assert_int_equal(npy_read(&a, path, NULL, text), SUF_EIO);
	assert_non_null(strstr(text, "No such file"));
	assert_int_equal(npy_read(&a, dir, NULL, text), SUF_EIO);
	assert_int_equal(npy_write("/dev/full", 0600, NPY_U8, 0, NULL, "x", text), SUF_EIO);
	assert_string_equal(text, "/dev/full: No space left on device");
	rmdir(dir);
}

/* Every single-bit flip and cut: an error or a sane array, never a crash (exact-size copies for the address sanitizer). */
static void damaged_files_never_crash(const uint8_t *file, size_t n, const char *member)
{
	struct npy a;
	int refused = 0;
	for (size_t k = 0; k < 8 * n + n; k++) {
		size_t cut = k < 8 * n ? n : k - 8 * n;
		uint8_t *bad = malloc(cut ? cut : 1);
		memcpy(bad, file, cut);
		if (k < 8 * n)
			bad[k / 8] ^= (uint8_t)(1 << k % 8);
		if (npy_parse(&a, bad, cut, "bad", member, text)) {
			assert_null(a.data);
			refused++;
		} else
			assert_true(a.count <= n);
		npy_free(&a);
		free(bad);
	}
	assert_true(refused > (int)n);
}

static void damage(void **state)
{
	(void)state;
	damaged_files_never_crash(savez, sizeof savez, "ids");
	damaged_files_never_crash(save_f64, sizeof save_f64, NULL);
	damaged_files_never_crash(savez_compressed, sizeof savez_compressed, NULL);
}

static void hostile_shapes(void **state)
{
	const char *shape[] = { "(99999999999999999999999,)", "(4294967296, 4294967296, 2)", "(9223372036854775807, 2)", "(1,2,3,4,5,6,7,8,9)",
		"(-1,)", "(1", "(1 2)", "()()", "(9223372036854775807,)" };
	struct npy a;
	(void)state;
	for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++) {
		uint8_t file[256] = "\x93NUMPY\x01\x00";
		int n = snprintf((char *)file + 10, 200, "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }\n", shape[i]);
		file[8] = (uint8_t)n;
		assert_int_equal(npy_parse(&a, file, 10 + (size_t)n, "bad", NULL, text), SUF_EIO);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numpy_archive), cmocka_unit_test(numpy_files), cmocka_unit_test(written_arrays_come_back),
		cmocka_unit_test(damage), cmocka_unit_test(hostile_shapes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

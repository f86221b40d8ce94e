/* SPDX-License-Identifier: Apache-2.0
 * npy.c -- look at .npy files without Python: the demo, the benchmark and the tests use it.
 *
 *     npy info FILE           type and shape
 *     npy print FILE          the elements, one row of the last axis per line
 *     npy argmax FILE         index of the largest element of each row of the last axis
 *     npy score A LABELS      share of those indices that equal LABELS, in percent
 *     npy diff A B            largest and root mean square difference of B from A, also relative to A's root mean square
 *     npy close A B LIMIT     like diff; exit status 1 when the largest difference is above LIMIT
 */
#include "npy.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *text)
{
	fprintf(stderr, "npy: %s\n", text);
	return 3;
}

static uint64_t row_length(const struct npy *a)
{
	return a->rank ? (uint64_t)a->dim[a->rank - 1] : 1;
}

static void print_info(const struct npy *a)
{
	printf("%s", npy_name(a->type));
	for (uint32_t k = 0; k < a->rank; k++)
		printf("%c%lld", k ? 'x' : ' ', (long long)a->dim[k]);
	printf("\n");
}

static void print_rows(const struct npy *a)
{
	uint64_t row = row_length(a);

	for (uint64_t i = 0; i < a->count; i++)
		printf("%.9g%c", npy_f64(a, i), (i + 1) % row ? ' ' : '\n');
}

static uint64_t largest_of_row(const struct npy *a, uint64_t first)
{
	uint64_t best = 0;

	for (uint64_t i = 1; i < row_length(a); i++)
		if (npy_f64(a, first + i) > npy_f64(a, first + best))
			best = i;
	return best;
}

static void print_argmax(const struct npy *a)
{
	for (uint64_t first = 0; first < a->count; first += row_length(a))
		printf("%s%llu", first ? " " : "", (unsigned long long)largest_of_row(a, first));
	printf("\n");
}

static int score(const struct npy *a, const struct npy *labels)
{
	uint64_t row = row_length(a), right = 0;

	if (row == 0 || labels->count == 0 || labels->count != a->count / row)
		return fail("the labels are not one per row");
	for (uint64_t i = 0; i < labels->count; i++)
		right += npy_f64(labels, i) == (double)largest_of_row(a, i * row);
	printf("%.2f %% of %llu\n", 100 * (double)right / (double)labels->count, (unsigned long long)labels->count);
	return 0;
}

static int compare(const struct npy *a, const struct npy *b, double limit)
{
	double largest = 0, squares = 0, norm = 0;

	if (a->rank != b->rank || memcmp(a->dim, b->dim, a->rank * sizeof a->dim[0]) != 0) {
		print_info(a);
		print_info(b);
		return fail("the shapes differ");
	}
	for (uint64_t i = 0; i < a->count; i++) {
		double x = npy_f64(a, i), d = fabs(npy_f64(b, i) - x);
		if (!(d <= largest)) /* NaN counts as large */
			largest = isnan(d) ? INFINITY : d;
		squares += d * d;
		norm += x * x;
	}
	double n = a->count ? (double)a->count : 1;
	printf("largest %.3g, rms %.3g, relative %.3g\n", largest, sqrt(squares / n), norm > 0 ? sqrt(squares / norm) : 0.0);
	return largest <= limit ? 0 : 1;
}

/* limit < 0: b holds labels. */
static int two_files(const char *path_a, const char *path_b, double limit)
{
	struct npy a, b;
	char text[512];
	int status;

	if (npy_read(&a, path_a, NULL, text) != SUF_OK)
		return fail(text);
	if (npy_read(&b, path_b, NULL, text) != SUF_OK) {
		npy_free(&a);
		return fail(text);
	}
	status = limit < 0 ? score(&a, &b) : compare(&a, &b, limit);
	npy_free(&a);
	npy_free(&b);
	return status;
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*print)(const struct npy *); } one_file[] = {
		{"info", print_info}, {"print", print_rows}, {"argmax", print_argmax},
	};
	struct npy a;
	char text[512];

	for (size_t k = 0; k < sizeof one_file / sizeof one_file[0] && argc == 3; k++) {
		if (strcmp(argv[1], one_file[k].name) != 0)
			continue;
		if (npy_read(&a, argv[2], NULL, text) != SUF_OK)
			return fail(text);
		one_file[k].print(&a);
		npy_free(&a);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "diff") == 0)
		return two_files(argv[2], argv[3], INFINITY);
	if (argc == 4 && strcmp(argv[1], "score") == 0)
		return two_files(argv[2], argv[3], -1);
	if (argc == 5 && strcmp(argv[1], "close") == 0)
		return two_files(argv[2], argv[3], fabs(atof(argv[4])));
	fprintf(stderr, "usage: npy info|print|argmax FILE; npy score A LABELS; npy diff A B; npy close A B LIMIT\n");
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0
 * json_at.c -- prints the values at paths of a JSON file, one a line:  json_at FILE strategies.0.key_bytes.1 ...
 * Objects and lists are printed as their number of members; status 1: something is not there.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const json_t *
at(const json_t *v, char *path)
{
	char *save = NULL;
	for (char *key = strtok_r(path, ".", &save); key && v; key = strtok_r(NULL, ".", &save))
		v = json_is_array(v) ? json_array_get(v, (size_t)strtoul(key, NULL, 10)) : json_object_get(v, key);
	return v;
}

static void
print(const json_t *v)
{
	if (json_is_string(v))
		puts(json_string_value(v));
	else if (json_is_integer(v))
		printf("%lld\n", (long long)json_integer_value(v));
	else if (json_is_real(v))
		printf("%.9g\n", json_real_value(v));
	else if (json_is_object(v) || json_is_array(v))
		printf("%zu\n", json_is_object(v) ? json_object_size(v) : json_array_size(v));
	else
		puts(json_is_null(v) ? "null" : json_is_true(v) ? "true" : "false");
}

int
main(int argc, char **argv)
{
	json_error_t err;
	json_t *all = argc > 1 ? json_load_file(argv[1], JSON_REJECT_DUPLICATES, &err) : NULL;
	if (!all) {
		fprintf(stderr, "json_at: %s: %s\n", argc > 1 ? argv[1] : "usage: json_at FILE PATH...", argc > 1 ? err.text : "");
		return 1;
	}
	for (int k = 2; k < argc; k++) {
		char *path = strdup(argv[k]);
		const json_t *v = path ? at(all, path) : NULL;
		free(path);
		if (!v) {
			fprintf(stderr, "json_at: %s has no %s\n", argv[1], argv[k]);
			json_decref(all);
			return 1;
		}
		print(v);
	}
	json_decref(all);
	return 0;
}

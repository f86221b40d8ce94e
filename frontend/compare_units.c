/* SPDX-License-Identifier: Apache-2.0
 * compare_units.c -- numbers with three or four digits and a unit.
 */
#include <string.h>
#include "frontend/compare.h"

static const char *
scaled(double x, double base, double next, const char *const *unit, int n, char *text)
{
	int k = 0;
	while (x >= next && k < n - 1) {
		x /= base;
		k++;
	}
	snprintf(text, 24, "%.*f %s", k == 0 ? 0 : x >= 99.95 ? 1 : x >= 9.995 ? 2 : 3, x, unit[k]);
	return text;
}

const char *
unit_bytes(double bytes, char *text)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	return scaled(bytes, 1024, 500, unit, 5, text);
}

const char *
unit_count(double n, char *text)
{
	static const char *const unit[] = { "", "k", "M", "G", "T" };
	scaled(n, 1000, 999.5, unit, 5, text);
	text[strlen(text) - (n < 999.5)] = 0; /* no blank where there is no unit */
	return text;
}

const char *
unit_time(double ms, char *text)
{
	if (ms < 1000)
		snprintf(text, 24, "%.*f ms", ms < 9.995 ? 2 : ms < 99.95 ? 1 : 0, ms);
	else if (ms < 120e3)
		snprintf(text, 24, "%.*f s", ms < 9995 ? 2 : 1, ms / 1e3);
	else
		snprintf(text, 24, "%.*f min", ms < 9.995 * 60e3 ? 2 : 1, ms / 60e3);
	return text;
}

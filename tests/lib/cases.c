/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cases - see cases.h.
 */
#include "tests/lib/cases.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool cases_path(const char *name, char *out, size_t cap)
{
	const char *env = getenv("BELFRY_CONFORMANCE");
	const char *root = env != NULL ? env : "../shared/conformance";

	if (access(root, R_OK) != 0) {
		printf("skipped: no cases at %s\n", root);
		return false;
	}
	ck_assert_int_lt(snprintf(out, cap, "%s/%s", root, name), (int)cap);
	return true;
}

json_t *cases_load(const char *name)
{
	char path[1024];
	json_error_t why;
	json_t *j;

	if (!cases_path(name, path, sizeof path))
		return NULL;
	j = json_load_file(path, JSON_ALLOW_NUL, &why);
	ck_assert_msg(j != NULL, "%s: %s", path, why.text);
	return j;
}

size_t cases_text(const json_t *v, char *out, size_t cap)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *s = json_string_value(json_object_get(v, "base64"));
	unsigned bits = 0, have = 0;
	size_t n = 0;

	if (json_is_string(v)) {
		n = json_string_length(v);
		ck_assert_uint_lt(n, cap);
		memcpy(out, json_string_value(v), n);
		return n;
	}
	ck_assert_ptr_nonnull(s);
	for (; *s != '\0' && *s != '='; s++) {
		bits = bits << 6 | (unsigned)(strchr(digits, *s) - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			ck_assert_uint_lt(n, cap);
			out[n++] = (char)(bits >> have);
		}
	}
	return n;
}

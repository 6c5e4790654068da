// SPDX-License-Identifier: Apache-2.0
// f64_conv - std::to_chars and std::from_chars for C; see f64_conv.h. No exceptions, no allocation.
#include "base/f64_conv.h"

#include <charconv>
#include <cstring>
#include <system_error>

size_t f64_conv_digits(double v, char *digits, int *exp10)
{
	char text[32]; // d.dddddddddddddddde-308
	char *end = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr;
	char *e = end[-4] == 'e' ? end - 4 : end - 5; // two digits or three
	int exp = 0;
	size_t n = 1;

	digits[0] = text[0];
	if (e > text + 2) {
		n = (size_t)(e - text) - 1;
		std::memcpy(digits + 1, text + 2, n - 1);
	}
	for (const char *p = e + 2; p < end; p++)
		exp = exp * 10 + (*p - '0');
	*exp10 = e[1] == '-' ? -exp : exp;
	return n;
}

int f64_conv_parse(const char *p, size_t n, double *out)
{
	auto r = std::from_chars(p, p + n, *out, std::chars_format::general);

	if (r.ptr != p + n || r.ec == std::errc::invalid_argument)
		return -1;
	return r.ec == std::errc::result_out_of_range ? 1 : 0;
}

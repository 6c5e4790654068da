// SPDX-License-Identifier: Apache-2.0
// f64_conv - std::to_chars and std::from_chars for C; see f64_conv.h. No exceptions, no allocation.
#include "base/f64_conv.h"

#include <charconv>
#include <cstdlib>
#include <system_error>

size_t f64_conv_digits(double v, char *digits, int *exp10)
{
	char text[32]; // d.dddddddddddddddde-308
	auto end = std::to_chars(text, text + sizeof text, v, std::chars_format::scientific).ptr;
	const char *p = text;
	size_t n = 0;

	for (; p < end && *p != 'e'; p++)
		if (*p != '.' && n < F64_CONV_DIGITS)
			digits[n++] = *p;
	p++; // the e; from_chars takes no plus sign
	if (p < end && *p == '+')
		p++;
	*exp10 = 0;
	std::from_chars(p, end, *exp10);
	return n;
}

int f64_conv_parse(const char *p, size_t n, double *out)
{
	auto r = std::from_chars(p, p + n, *out, std::chars_format::general);

	if (r.ptr != p + n || r.ec == std::errc::invalid_argument)
		return -1;
	return r.ec == std::errc::result_out_of_range ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* f64 - text forms of float64 as Go and Prometheus write them, laid out here from the shortest
 * digits that f64_conv.cc finds; see f64.h. */
#include "base/f64.h"

#include <math.h>

#include "base/f64_conv.h"
#include "base/num.h"

/* An out-of-range number is infinite or nearly zero: the position of its first digit tells. */
static double out_of_range(struct str s)
{
	size_t e = 0;
	long long exp = 0, first = 0; /* power of ten of the first digit that is not 0 */
	bool dot = false, found = false;

	for (; e < s.n && s.p[e] != 'e' && s.p[e] != 'E'; e++) {
		if (s.p[e] == '.') {
			dot = true;
		} else if (!found) {
			first -= dot;
			found = s.p[e] != '0';
		} else if (!dot) {
			first++;
		}
	}
	if (e < s.n && !str_to_i64(str_sub(s, e + (s.p[e + 1] == '+') + 1, s.n), &exp))
		exp = s.p[e + 1] == '-' ? INT32_MIN : INT32_MAX;
	return num_clamp_i64((double)first + (double)exp) > 0 ? INFINITY : 0.0;
}

bool f64_parse(struct str s, double *out)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	double v = 0;
	int rc;

	if (s.n > 0 && (minus || s.p[0] == '+'))
		s = str_sub(s, 1, s.n);
	if (s.n == 0)
		return false;
	if (s.p[0] == '.' || (s.p[0] >= '0' && s.p[0] <= '9')) {
		rc = f64_conv_parse(s.p, s.n, &v);
		if (rc < 0)
			return false;
		if (rc > 0)
			v = out_of_range(s);
	} else if (str_eq_nocase(s, STR("inf")) || str_eq_nocase(s, STR("infinity"))) {
		v = INFINITY;
	} else if (str_eq_nocase(s, STR("nan"))) {
		v = normal_nan();
		minus = false;
	} else {
		return false;
	}
	*out = minus ? -v : v;
	return true;
}

/* NaN, infinities and zero have no digits: written here, true when it was one of them. */
static bool print_special(struct buf *b, double v, const char *zero)
{
	if (isnan(v))
		buf_c(b, "NaN");
	else if (isinf(v))
		buf_c(b, v > 0 ? "+Inf" : "-Inf");
	else if (v == 0)
		buf_printf(b, "%s%s", signbit(v) ? "-" : "", zero);
	else
		return false;
	return true;
}

static void add_zeros(struct buf *b, int n)
{
	for (int i = 0; i < n; i++)
		buf_ch(b, '0');
}

void f64_print_plain(struct buf *b, double v)
{
	char digits[F64_CONV_DIGITS];
	int exp, n;

	if (print_special(b, v, "0"))
		return;
	if (v < 0)
		buf_ch(b, '-');
	n = (int)f64_conv_digits(fabs(v), digits, &exp);
	if (exp < 0) {
		buf_c(b, "0.");
		add_zeros(b, -exp - 1);
		buf_add(b, digits, (size_t)n);
		return;
	}
	buf_add(b, digits, (size_t)MIN_OF(n, exp + 1));
	add_zeros(b, exp + 1 - n);
	if (n > exp + 1) {
		buf_ch(b, '.');
		buf_add(b, digits + exp + 1, (size_t)(n - exp - 1));
	}
}

void f64_print_exp(struct buf *b, double v)
{
	char digits[F64_CONV_DIGITS];
	size_t n;
	int exp;

	if (print_special(b, v, "0e+00"))
		return;
	if (v < 0)
		buf_ch(b, '-');
	n = f64_conv_digits(fabs(v), digits, &exp);
	buf_ch(b, digits[0]);
	if (n > 1) {
		buf_ch(b, '.');
		buf_add(b, digits + 1, n - 1);
	}
	buf_printf(b, "e%c%02d", exp < 0 ? '-' : '+', exp < 0 ? -exp : exp);
}

void f64_print(struct buf *b, double v)
{
	double a = fabs(v);

	if (a != 0 && (a < 1e-6 || a >= 1e21) && isfinite(v))
		f64_print_exp(b, v);
	else
		f64_print_plain(b, v);
}

void f64_print_g(struct buf *b, double v)
{
	double a = fabs(v);

	if (a != 0 && (a < 1e-4 || a >= 1e21) && isfinite(v))
		f64_print_exp(b, v);
	else
		f64_print_plain(b, v);
}

void f64_print_time(struct buf *b, long long ms)
{
	unsigned long long u = ms < 0 ? 0ULL - (unsigned long long)ms : (unsigned long long)ms;

	if (ms < 0)
		buf_ch(b, '-');
	buf_u64(b, u / 1000);
	if (u % 1000 != 0)
		buf_printf(b, ".%03llu", u % 1000);
}

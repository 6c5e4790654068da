/* SPDX-License-Identifier: Apache-2.0 */
/* f64 - text forms of float64 as Go and Prometheus write them, laid out here from the shortest
 * digits that f64_conv.cc finds; see f64.h. */
#include "base/f64.h"

#include <math.h>
#include <string.h>

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

static char *put_str(char *to, const char *p, size_t n)
{
	memcpy(to, p, n);
	return to + n;
}

/* Two digits at a time, from the last. */
static char *put_u64(char *to, uint64_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char text[20];
	size_t at = sizeof text;

	for (; v >= 100; v /= 100) {
		at -= 2;
		memcpy(text + at, pairs + 2 * (v % 100), 2);
	}
	if (v >= 10) {
		at -= 2;
		memcpy(text + at, pairs + 2 * v, 2);
	} else {
		text[--at] = (char)('0' + v);
	}
	return put_str(to, text + at, sizeof text - at);
}

/* n digits, the first of them at 10^exp: -7 < exp < 21. */
static char *put_plain(char *to, const char *digits, size_t n, int exp)
{
	size_t whole = exp < 0 ? 0 : (size_t)exp + 1;

	if (exp < 0) {
		to = put_str(to, "0.00000", (size_t)(1 - exp));
		return put_str(to, digits, n);
	}
	if (n <= whole) {
		to = put_str(to, digits, n);
		memset(to, '0', whole - n);
		return to + whole - n;
	}
	to = put_str(to, digits, whole);
	*to++ = '.';
	return put_str(to, digits + whole, n - whole);
}

static char *put_exp(char *to, const char *digits, size_t n, int exp)
{
	unsigned u = exp < 0 ? 0U - (unsigned)exp : (unsigned)exp;

	*to++ = digits[0];
	if (n > 1) {
		*to++ = '.';
		to = put_str(to, digits + 1, n - 1);
	}
	*to++ = 'e';
	*to++ = exp < 0 ? '-' : '+';
	if (u < 10)
		*to++ = '0';
	return put_u64(to, u);
}

size_t f64_text(char *to, double v)
{
	char digits[F64_CONV_DIGITS], *p = to;
	double a = fabs(v);
	size_t n;
	int exp;

	if (isnan(v))
		return (size_t)(put_str(p, "NaN", 3) - to);
	if (isinf(v))
		return (size_t)(put_str(p, v > 0 ? "+Inf" : "-Inf", 4) - to);
	if (signbit(v))
		*p++ = '-';
	if (a < 9007199254740992.0 && (double)(uint64_t)a == a) /* its digits are the shortest */
		return (size_t)(put_u64(p, (uint64_t)a) - to);
	n = f64_conv_digits(a, digits, &exp);
	if (a < 1e-6 || a >= 1e21)
		p = put_exp(p, digits, n, exp);
	else
		p = put_plain(p, digits, n, exp);
	return (size_t)(p - to);
}

void f64_print(struct buf *b, double v)
{
	char text[F64_TEXT];

	buf_add(b, text, f64_text(text, v));
}

void f64_print_g(struct buf *b, double v)
{
	double a = fabs(v);

	if (a != 0 && (a < 1e-4 || a >= 1e21) && isfinite(v))
		f64_print_exp(b, v);
	else
		f64_print_plain(b, v);
}

size_t f64_time_text(char *to, long long ms)
{
	unsigned long long u = ms < 0 ? 0ULL - (unsigned long long)ms : (unsigned long long)ms;
	unsigned part = (unsigned)(u % 1000);
	char *p = to;

	if (ms < 0)
		*p++ = '-';
	p = put_u64(p, u / 1000);
	if (part != 0) {
		*p++ = '.';
		*p++ = (char)('0' + part / 100);
		*p++ = (char)('0' + part / 10 % 10);
		*p++ = (char)('0' + part % 10);
	}
	return (size_t)(p - to);
}

void f64_print_time(struct buf *b, long long ms)
{
	char text[F64_TIME_TEXT];

	buf_add(b, text, f64_time_text(text, ms));
}

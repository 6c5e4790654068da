/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_printf - Go's fmt.Sprintf for the values of templates. What does not fit is written as
 * Go writes it: %!d(string=x), %!s(MISSING), %!(EXTRA int=1).
 */
#include <stdio.h>

#include "base/f64.h"
#include "base/num.h"
#include "base/quote.h"
#include "rules/template_private.h"

#define MAX_WIDTH 1000 /* no report needs more; keeps "%999999999d" from filling the output */

struct spec {
	bool minus, plus, sharp, space, zero, has_width, has_prec;
	int width, prec;
	char verb;
};

struct printer {
	struct buf *b;
	const struct tv *args;
	size_t n, next;
	bool reordered; /* %[2]d was used: no complaint about extra arguments */
};

/* --- padding --- */

static size_t runes(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void fill(struct buf *b, char c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_ch(b, c);
}

/* Zeros go between the sign and the digits. */
static void pad(struct buf *b, const struct spec *sp, struct str s, bool numeric)
{
	size_t n = runes(s), w = sp->has_width ? (size_t)sp->width : 0;
	bool zeros = sp->zero && !sp->minus;

	if (w <= n) {
		buf_str(b, s);
	} else if (sp->minus) {
		buf_str(b, s);
		fill(b, ' ', w - n);
	} else if (zeros && numeric && (s.p[0] == '-' || s.p[0] == '+' || s.p[0] == ' ')) {
		buf_ch(b, s.p[0]);
		fill(b, '0', w - n);
		buf_str(b, str_sub(s, 1, s.n));
	} else {
		fill(b, zeros ? '0' : ' ', w - n);
		buf_str(b, s);
	}
}

/* --- numbers --- */

static void digits_of(struct buf *b, uint64_t v, unsigned base, bool upper)
{
	char tmp[72];
	size_t i = sizeof tmp;

	do {
		tmp[--i] = (upper ? "0123456789ABCDEF" : "0123456789abcdef")[v % base];
		v /= base;
	} while (v > 0);
	buf_add(b, tmp + i, sizeof tmp - i);
}

static void put_int(struct buf *b, const struct spec *sp, int64_t v)
{
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	unsigned base = sp->verb == 'b'                      ? 2
			: sp->verb == 'o' || sp->verb == 'O' ? 8
			: sp->verb == 'x' || sp->verb == 'X' ? 16
							     : 10;
	struct spec padding = *sp;
	struct buf num, out;

	buf_init(&num, 4096);
	buf_init(&out, 4096);
	digits_of(&num, u, base, sp->verb == 'X');
	if (v < 0)
		buf_ch(&out, '-');
	else if (sp->plus)
		buf_ch(&out, '+');
	else if (sp->space)
		buf_ch(&out, ' ');
	if (sp->verb == 'O')
		buf_c(&out, "0o");
	if (sp->sharp && sp->verb != 'O')
		buf_c(&out, base == 16  ? (sp->verb == 'X' ? "0X" : "0x")
			    : base == 8 ? "0"
			    : base == 2 ? "0b"
					: "");
	if (sp->has_prec) {
		padding.zero = false;
		if (num.n < (size_t)sp->prec)
			fill(&out, '0', (size_t)sp->prec - num.n);
	}
	if (!(sp->has_prec && sp->prec == 0 && v == 0))
		buf_str(&out, buf_view(&num));
	pad(b, &padding, buf_view(&out), true);
	buf_fini(&out);
	buf_fini(&num);
}

/* A code point: %c, %q, %U. */
static void put_rune(struct buf *b, const struct spec *sp, int64_t v)
{
	unsigned long rune = v < 0 || v > 0x10ffff ? 0xfffd : (unsigned long)v;
	struct buf s;

	buf_init(&s, 64);
	if (sp->verb == 'U') {
		buf_printf(&s, "U+%04llX", (unsigned long long)v);
	} else {
		if (sp->verb == 'q')
			buf_ch(&s, '\'');
		quote_add_rune(&s, rune);
		if (sp->verb == 'q')
			buf_ch(&s, '\'');
	}
	pad(b, sp, buf_view(&s), false);
	buf_fini(&s);
}

/* "%e" and friends with a precision: C's are the same but for what is no number. */
static void put_precise(struct buf *b, char verb, int prec, double v)
{
	switch (verb) {
	case 'e': buf_printf(b, "%.*e", prec, v); break;
	case 'E': buf_printf(b, "%.*E", prec, v); break;
	case 'G': buf_printf(b, "%.*G", prec, v); break;
	case 'g': buf_printf(b, "%.*g", prec, v); break;
	default: buf_printf(b, "%.*f", prec, v); break;
	}
}

static void put_float(struct buf *b, const struct spec *sp, double v)
{
	struct spec padding = *sp;
	struct buf s;
	bool general = sp->verb == 'v' || sp->verb == 'g' || sp->verb == 'G';

	buf_init(&s, 4096);
	if (isnan(v) || isinf(v)) {
		padding.zero = false;
		buf_c(&s, isnan(v) ? (sp->plus ? "+NaN" : "NaN") : v < 0 ? "-Inf" : "+Inf");
	} else {
		if (!signbit(v) && sp->plus)
			buf_ch(&s, '+');
		else if (!signbit(v) && sp->space)
			buf_ch(&s, ' ');
		if (general && !sp->has_prec)
			tv_print_float(&s, v);
		else if (sp->verb == 'x' || sp->verb == 'X')
			buf_printf(&s, "%a", v);
		else
			put_precise(&s, sp->verb == 'v' ? 'g' : sp->verb,
				sp->has_prec ? sp->prec : 6, v);
	}
	pad(b, &padding, buf_view(&s), true);
	buf_fini(&s);
}

/* --- texts --- */

static void put_hex(struct buf *b, const struct spec *sp, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (sp->space && i > 0)
			buf_ch(b, ' ');
		if (sp->sharp && (i == 0 || sp->space))
			buf_c(b, sp->verb == 'X' ? "0X" : "0x");
		buf_printf(b, sp->verb == 'X' ? "%02X" : "%02x", c);
	}
}

static void put_str(struct buf *b, const struct spec *sp, struct str s)
{
	struct buf t;

	if (sp->has_prec) {
		size_t n = 0, i = 0;

		while (i < s.n && n < (size_t)sp->prec) {
			unsigned long rune;

			i += quote_rune(str_sub(s, i, s.n), &rune);
			n++;
		}
		s = str_sub(s, 0, i);
	}
	buf_init(&t, b->max);
	if (sp->verb == 'q' && sp->sharp && str_find(s, '`') == s.n && str_find(s, '\n') == s.n) {
		buf_ch(&t, '`');
		buf_str(&t, s);
		buf_ch(&t, '`');
	} else if (sp->verb == 'q') {
		quote_go(&t, s);
	} else if (sp->verb == 'x' || sp->verb == 'X') {
		put_hex(&t, sp, s);
	} else {
		buf_str(&t, s);
	}
	b->failed = b->failed || t.failed;
	pad(b, sp, buf_view(&t), false);
	buf_fini(&t);
}

static void put_bad(struct buf *b, char verb, const struct tv *v)
{
	buf_printf(b, "%%!%c(", verb);
	if (v->kind == TV_NONE || v->kind == TV_NIL) {
		buf_c(b, "<nil>");
	} else {
		buf_c(b, tv_type(v));
		buf_ch(b, '=');
		tv_print(b, v);
	}
	buf_ch(b, ')');
}

/* Whole values under %v and %s, as text. */
static void put_printed(struct buf *b, const struct spec *sp, const struct tv *v)
{
	struct spec plain = *sp;
	struct buf t;

	buf_init(&t, b->max);
	if (v->kind == TV_NONE || v->kind == TV_NIL)
		buf_c(&t, "<nil>");
	else
		tv_print(&t, v);
	b->failed = b->failed || t.failed;
	plain.has_prec = plain.has_prec && sp->verb == 's';
	put_str(b, &plain, buf_view(&t));
	buf_fini(&t);
}

static bool verb_is(char verb, const char *set)
{
	return verb != '\0' && strchr(set, verb) != NULL;
}

static void put(struct buf *b, const struct spec *sp, const struct tv *v)
{
	if (sp->verb == 'T') {
		put_str(b, sp,
			str_c(v->kind == TV_NONE || v->kind == TV_NIL ? "<nil>" : tv_type(v)));
	} else if (v->kind == TV_INT && verb_is(sp->verb, "vdboOxX")) {
		put_int(b, sp, v->u.i);
	} else if (v->kind == TV_INT && verb_is(sp->verb, "cqU")) {
		put_rune(b, sp, v->u.i);
	} else if (v->kind == TV_FLOAT && verb_is(sp->verb, "vgGeEfFxX")) {
		put_float(b, sp, v->u.f);
	} else if (v->kind == TV_DURATION && verb_is(sp->verb, "dboOxX")) {
		put_int(b, sp, v->u.i);
	} else if (v->kind == TV_STR && verb_is(sp->verb, "vsqxX")) {
		put_str(b, sp, v->u.s);
	} else if (v->kind == TV_BOOL && verb_is(sp->verb, "vt")) {
		put_printed(b, sp, v);
	} else if (sp->verb == 'v' ||
		   (sp->verb == 's' && v->kind != TV_INT && v->kind != TV_FLOAT &&
			   v->kind != TV_BOOL && v->kind != TV_NONE && v->kind != TV_NIL)) {
		put_printed(b, sp, v);
	} else {
		put_bad(b, sp->verb, v);
	}
}

/* --- the format --- */

static bool number(struct str f, size_t *i, int *out)
{
	size_t start = *i;
	int v = 0;

	while (*i < f.n && f.p[*i] >= '0' && f.p[*i] <= '9') {
		v = MIN_OF(v * 10 + (f.p[*i] - '0'), MAX_WIDTH);
		(*i)++;
	}
	*out = v;
	return *i > start;
}

/* "[3]": the next argument is the third. */
static void arg_index(struct printer *p, struct str f, size_t *i)
{
	size_t k = *i + 1;
	int v;

	if (*i >= f.n || f.p[*i] != '[' || !number(f, &k, &v) || k >= f.n || f.p[k] != ']')
		return;
	p->next = v > 0 ? (size_t)v - 1 : p->n;
	p->reordered = true;
	*i = k + 1;
}

/* A number or `*`. */
static bool width(struct printer *p, struct str f, size_t *i, int *out)
{
	arg_index(p, f, i);
	if (*i >= f.n || f.p[*i] != '*')
		return number(f, i, out);
	(*i)++;
	if (p->next >= p->n || p->args[p->next].kind != TV_INT) {
		buf_c(p->b, "%!(BADWIDTH)");
		p->next++;
		return false;
	}
	*out = (int)MAX_OF(MIN_OF(p->args[p->next].u.i, MAX_WIDTH), -MAX_WIDTH);
	p->next++;
	return true;
}

static void flags(struct str f, size_t *i, struct spec *sp)
{
	for (; *i < f.n; (*i)++) {
		switch (f.p[*i]) {
		case '-': sp->minus = true; break;
		case '+': sp->plus = true; break;
		case '#': sp->sharp = true; break;
		case ' ': sp->space = true; break;
		case '0': sp->zero = true; break;
		default: return;
		}
	}
}

/* Behind a %; moves *i behind the verb. */
static void directive(struct printer *p, struct str f, size_t *i)
{
	struct spec sp = {0};

	flags(f, i, &sp);
	sp.has_width = width(p, f, i, &sp.width);
	if (sp.width < 0) {
		sp.minus = true;
		sp.width = -sp.width;
	}
	if (*i < f.n && f.p[*i] == '.') {
		(*i)++;
		sp.has_prec = true;
		(void)width(p, f, i, &sp.prec); /* "%.f" is a precision of 0 */
		if (sp.prec < 0)
			sp.has_prec = false;
	}
	arg_index(p, f, i);
	if (*i >= f.n) {
		buf_c(p->b, "%!(NOVERB)");
		return;
	}
	sp.verb = f.p[(*i)++];
	if (sp.verb == '%') {
		buf_ch(p->b, '%');
	} else if (p->next >= p->n) {
		buf_printf(p->b, p->reordered ? "%%!%c(BADINDEX)" : "%%!%c(MISSING)", sp.verb);
	} else {
		put(p->b, &sp, &p->args[p->next]);
		p->next++;
	}
}

void tmpl_printf(struct buf *b, struct str f, const struct tv *args, size_t n)
{
	struct printer p = {.b = b, .args = args, .n = n};

	for (size_t i = 0; i < f.n && !b->failed;) {
		if (f.p[i] != '%') {
			buf_ch(b, f.p[i++]);
			continue;
		}
		i++;
		directive(&p, f, &i);
	}
	if (p.reordered || p.next >= n)
		return;
	buf_c(b, "%!(EXTRA ");
	for (size_t i = p.next; i < n; i++) {
		if (i > p.next)
			buf_c(b, ", ");
		if (args[i].kind == TV_NONE || args[i].kind == TV_NIL) {
			buf_c(b, "<nil>");
			continue;
		}
		buf_c(b, tv_type(&args[i]));
		buf_ch(b, '=');
		tv_print(b, &args[i]);
	}
	buf_ch(b, ')');
}

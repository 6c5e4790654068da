/* SPDX-License-Identifier: Apache-2.0 */
/* template_func_text - the functions Prometheus adds: texts, addresses, links, other templates. */
#include <arpa/inet.h>

#include "base/num.h"
#include "base/quote.h"
#include "base/regex.h"
#include "rules/template_private.h"

/* --- letters: ASCII, Latin-1, Latin Extended-A, Greek, Cyrillic --- */

static bool is_upper(unsigned long c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7) ||
	       (c >= 0x391 && c <= 0x3a9) || (c >= 0x400 && c <= 0x42f);
}

static unsigned long lower(unsigned long c)
{
	if (!is_upper(c))
		return c >= 0x100 && c <= 0x137 && c != 0x130 && c % 2 == 0 ? c + 1 : c;
	return c >= 0x400 && c <= 0x40f ? c + 80 : c + 32;
}

static unsigned long upper(unsigned long c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7) ||
		(c >= 0x3b1 && c <= 0x3c9 && c != 0x3c2) || (c >= 0x430 && c <= 0x44f))
		return c - 32;
	if (c >= 0x450 && c <= 0x45f)
		return c - 80;
	return c >= 0x100 && c <= 0x137 && c != 0x131 && c % 2 == 1 ? c - 1 : c;
}

enum casing { CASE_LOWER, CASE_UPPER, CASE_TITLE, CASE_WORDS };

/* Go's strings.Title: a word starts behind what is no letter, digit or underscore. */
static bool ends_word(unsigned long c)
{
	if (c < 0x80)
		return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			 (c >= '0' && c <= '9') || c == '_');
	return c == 0xa0 || c == 0x2028 || c == 0x2029 || c == 0x3000 ||
	       (c >= 0x2000 && c <= 0x200a);
}

/* Where Unicode's rules see no end of a word between letters: "don't", "db.internal". */
static bool inside_word(unsigned long c)
{
	return c == '\'' || c == '.' || c == ':';
}

static int recase(struct tmpl_exec *x, const struct tv *arg, struct tv *out, enum casing how)
{
	struct str s;
	struct buf b;
	bool start = true;

	if (tmpl_arg_str(x, arg, &s) != 0)
		return -1;
	buf_init(&b, x->out->max);
	for (size_t i = 0, n; i < s.n; i += n) {
		unsigned long c;

		n = quote_rune(str_sub(s, i, s.n), &c);
		if (c == 0xffffffff) {
			buf_add(&b, s.p + i, n);
		} else {
			if (how == CASE_UPPER || (how >= CASE_TITLE && start))
				c = upper(c);
			else if (how != CASE_TITLE)
				c = lower(c);
			quote_add_rune(&b, c);
		}
		start = ends_word(c) && !(how == CASE_WORDS && inside_word(c));
	}
	return tmpl_take(x, &b, out);
}

static int f_title(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return recase(x, &args[0], out, CASE_TITLE);
}

int tmpl_f_words(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return recase(x, &args[0], out, CASE_WORDS);
}

static int f_to_upper(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return recase(x, &args[0], out, CASE_UPPER);
}

static int f_to_lower(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return recase(x, &args[0], out, CASE_LOWER);
}

/* --- regular expressions --- */

static struct regex *compile(struct tmpl_exec *x, struct str pattern)
{
	struct err e;
	struct regex *re = regex_new_search(pattern, &e);

	if (re == NULL)
		(void)tmpl_fail(x, "%s", e.msg);
	return re;
}

static int f_match(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str pattern, s;
	struct regex *re;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &pattern) != 0 || tmpl_arg_str(x, &args[1], &s) != 0)
		return -1;
	re = compile(x, pattern);
	if (re == NULL)
		return -1;
	*out = tv_bool(regex_match(re, s));
	regex_free(re);
	return 0;
}

static int f_re_replace_all(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str pattern, by, s;
	struct regex *re;
	struct buf b;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &pattern) != 0 || tmpl_arg_str(x, &args[1], &by) != 0 ||
		tmpl_arg_str(x, &args[2], &s) != 0)
		return -1;
	re = compile(x, pattern);
	if (re == NULL)
		return -1;
	buf_init(&b, x->out->max);
	(void)regex_replace_all(re, s, by, &b);
	regex_free(re);
	return tmpl_take(x, &b, out);
}

/* --- addresses --- */

/* As Go's net.SplitHostPort; false when it is not host:port. */
static bool split_host_port(struct str s, struct str *host, struct str *port)
{
	size_t colon = s.n, end;

	while (colon > 0 && s.p[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return false;
	colon--;
	*port = str_sub(s, colon + 1, s.n);
	if (s.p[0] == '[') {
		end = str_find(s, ']');
		if (end == s.n || end + 1 != colon)
			return false;
		*host = str_sub(s, 1, end);
	} else {
		*host = str_sub(s, 0, colon);
		if (str_find(*host, ':') < host->n)
			return false;
	}
	return str_find(*host, '[') == host->n && str_find(*host, ']') == host->n &&
	       str_find(*port, '[') == port->n && str_find(*port, ']') == port->n;
}

static bool is_address(struct str s)
{
	unsigned char raw[sizeof(struct in6_addr)];
	char text[64];

	if (s.n == 0 || s.n >= sizeof text)
		return false;
	memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

static int f_strip_port(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str s, host, port;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &s) != 0)
		return -1;
	*out = tv_str(split_host_port(s, &host, &port) ? host : s);
	return 0;
}

static int f_strip_domain(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str s, host, port = STR_NULL;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &s) != 0)
		return -1;
	if (!split_host_port(s, &host, &port)) {
		host = s;
		port = STR_NULL;
	}
	*out = tv_str(s);
	if (is_address(host))
		return 0;
	host = str_sub(host, 0, str_find(host, '.'));
	*out = tv_str(host);
	if (port.n == 0)
		return 0;
	if (str_find(host, ':') < host.n)
		*out = tv_str(arena_printf(
			x->a, "[%.*s]:%.*s", (int)host.n, host.p, (int)port.n, port.p));
	else
		*out = tv_str(
			arena_printf(x->a, "%.*s:%.*s", (int)host.n, host.p, (int)port.n, port.p));
	return out->u.s.p != NULL ? 0 : tmpl_fail(x, "the text is too long");
}

/* --- links --- */

static int link_to(struct tmpl_exec *x, const struct tv *arg, struct tv *out, char tab)
{
	struct str expr;
	struct buf b;

	if (tmpl_arg_str(x, arg, &expr) != 0)
		return -1;
	buf_init(&b, x->out->max);
	buf_c(&b, "/graph?g0.expr=");
	tmpl_escape_query(&b, expr);
	buf_printf(&b, "&g0.tab=%c", tab);
	return tmpl_take(x, &b, out);
}

static int f_graph_link(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return link_to(x, &args[0], out, '0');
}

static int f_table_link(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	return link_to(x, &args[0], out, '1');
}

static int f_external_url(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)args;
	(void)n;
	*out = tv_str(x->env->external_url);
	return 0;
}

static int f_path_prefix(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct str url = x->env->external_url;
	size_t i = 0;

	(void)args;
	(void)n;
	while (i < url.n && !str_starts(str_sub(url, i, url.n), STR("://")))
		i++;
	if (i < url.n)
		url = str_sub(url, i + 3, url.n);
	url = str_sub(url, str_find(url, '/'), url.n);
	*out = tv_str(str_sub(url, 0, MIN_OF(str_find(url, '?'), str_find(url, '#'))));
	return 0;
}

/* --- templates --- */

/* {{ tmpl $name . }}: a template whose name is known only when it runs. */
static int f_tmpl(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct buf b, *outer = x->out;
	struct str name;
	int rc;

	(void)n;
	if (tmpl_arg_str(x, &args[0], &name) != 0)
		return -1;
	buf_init(&b, outer->max);
	x->out = &b;
	rc = tmpl_call(x, name, args[1]);
	x->out = outer;
	if (rc != 0) {
		buf_fini(&b);
		return -1;
	}
	return tmpl_take(x, &b, out);
}

/* Arguments as a map: arg0, arg1, ... */
static int f_args(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	struct tv_field *f = ARENA_ARRAY(x->a, n, struct tv_field);

	for (size_t i = 0; f != NULL && i < n; i++)
		f[i] = (struct tv_field){arena_printf(x->a, "arg%zu", i), &args[i]};
	*out = tv_map(x->a, f, n);
	return x->a->failed ? tmpl_fail(x, "the template needs too much memory") : 0;
}

/* No escaping happens in a rule's texts: nothing to do. */
static int f_safe_html(struct tmpl_exec *x, const struct tv *args, size_t n, struct tv *out)
{
	(void)n;
	*out = tv_str(STR_NULL);
	return tmpl_arg_str(x, &args[0], &out->u.s);
}

/* Both rules and notifications know these. */
const struct tmpl_func tmpl_common_funcs[] = {
	{"toUpper", 1, 1, f_to_upper},
	{"toLower", 1, 1, f_to_lower},
	{"match", 2, 2, f_match},
	{"reReplaceAll", 3, 3, f_re_replace_all},
	{NULL, 0, 0, NULL},
};

const struct tmpl_func tmpl_text_funcs[] = {
	{"title", 1, 1, f_title},
	{"stripPort", 1, 1, f_strip_port},
	{"stripDomain", 1, 1, f_strip_domain},
	{"graphLink", 1, 1, f_graph_link},
	{"tableLink", 1, 1, f_table_link},
	{"externalURL", 0, 0, f_external_url},
	{"pathPrefix", 0, 0, f_path_prefix},
	{"tmpl", 2, 2, f_tmpl},
	{"args", 0, TMPL_ANY, f_args},
	{"safeHtml", 1, 1, f_safe_html},
	{NULL, 0, 0, NULL},
};

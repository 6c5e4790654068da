/* SPDX-License-Identifier: Apache-2.0 */
/* jsonw - streaming writer; a bit per depth remembers whether a comma is due. See jsonw.h. */
#include "base/jsonw.h"

#include "base/assert.h"
#include "base/dur.h"
#include "base/f64.h"
#include "base/num.h"

#define DEPTH_MAX 32u

void jsonw_init(struct jsonw *j, struct buf *b)
{
	*j = (struct jsonw){.b = b};
}

/* Before a value or a key: a comma unless it is the first, or follows its key. */
static void sep(struct jsonw *j)
{
	uint32_t bit;

	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (j->depth == 0)
		return;
	bit = UINT32_C(1) << (j->depth - 1u);
	if ((j->comma & bit) != 0)
		buf_ch(j->b, ',');
	j->comma |= bit;
}

static void open(struct jsonw *j, char c)
{
	sep(j);
	buf_ch(j->b, c);
	ASSERT(j->depth < DEPTH_MAX);
	j->comma &= ~(UINT32_C(1) << j->depth);
	j->depth++;
}

static void shut(struct jsonw *j, char c)
{
	ASSERT(j->depth > 0);
	ASSERT(!j->after_key);
	j->depth--;
	buf_ch(j->b, c);
}

void jsonw_object(struct jsonw *j)
{
	open(j, '{');
}

void jsonw_object_end(struct jsonw *j)
{
	shut(j, '}');
}

void jsonw_array(struct jsonw *j)
{
	open(j, '[');
}

void jsonw_array_end(struct jsonw *j)
{
	shut(j, ']');
}

/* Bytes of the valid UTF-8 character at p, 0 when it is not one. */
static size_t utf8_len(const char *p, size_t left)
{
	unsigned char c = (unsigned char)*p;
	size_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;

	return n <= left && str_is_utf8(str_n(p, n)) ? n : 0;
}

static void escape_byte(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"': buf_c(b, "\\\""); break;
	case '\\': buf_c(b, "\\\\"); break;
	case '\n': buf_c(b, "\\n"); break;
	case '\r': buf_c(b, "\\r"); break;
	case '\t': buf_c(b, "\\t"); break;
	default: buf_printf(b, "\\u%04x", c); break;
	}
}

void jsonw_escape(struct buf *b, struct str s)
{
	size_t i = 0, from = 0;

	while (i < s.n) {
		unsigned char c = (unsigned char)s.p[i];
		size_t n;

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			i++;
			continue;
		}
		n = c >= 0x80 ? utf8_len(s.p + i, s.n - i) : 0;
		if (n > 0) {
			i += n;
			continue;
		}
		buf_add(b, s.p + from, i - from);
		if (c >= 0x80)
			buf_c(b, "\xef\xbf\xbd");
		else
			escape_byte(b, c);
		from = ++i;
	}
	buf_add(b, s.p + from, i - from);
}

static void quoted(struct jsonw *j, struct str s)
{
	buf_ch(j->b, '"');
	jsonw_escape(j->b, s);
	buf_ch(j->b, '"');
}

void jsonw_key_str(struct jsonw *j, struct str key)
{
	ASSERT(!j->after_key);
	sep(j);
	quoted(j, key);
	buf_ch(j->b, ':');
	j->after_key = true;
}

void jsonw_key(struct jsonw *j, const char *key)
{
	jsonw_key_str(j, str_c(key));
}

void jsonw_str(struct jsonw *j, struct str s)
{
	sep(j);
	quoted(j, s);
}

void jsonw_c(struct jsonw *j, const char *s)
{
	jsonw_str(j, str_c(s));
}

void jsonw_bool(struct jsonw *j, bool v)
{
	sep(j);
	buf_c(j->b, v ? "true" : "false");
}

void jsonw_i64(struct jsonw *j, int64_t v)
{
	sep(j);
	buf_i64(j->b, v);
}

void jsonw_f64(struct jsonw *j, double v)
{
	sep(j);
	if (isfinite(v))
		f64_print(j->b, v);
	else
		buf_c(j->b, "null");
}

void jsonw_f64_str(struct jsonw *j, double v)
{
	sep(j);
	buf_ch(j->b, '"');
	f64_print(j->b, v);
	buf_ch(j->b, '"');
}

void jsonw_null(struct jsonw *j)
{
	sep(j);
	buf_c(j->b, "null");
}

void jsonw_raw(struct jsonw *j, struct str text)
{
	sep(j);
	buf_str(j->b, text);
}

void jsonw_labels(struct jsonw *j, struct labels ls)
{
	jsonw_object(j);
	for (size_t i = 0; i < ls.n; i++) {
		jsonw_key_str(j, ls.v[i].name);
		jsonw_str(j, ls.v[i].value);
	}
	jsonw_object_end(j);
}

void jsonw_time(struct jsonw *j, int64_t ms)
{
	sep(j);
	f64_print_time(j->b, ms);
}

void jsonw_rfc3339(struct jsonw *j, int64_t ms)
{
	sep(j);
	buf_ch(j->b, '"');
	time_print_rfc3339(j->b, ms);
	buf_ch(j->b, '"');
}

void jsonw_kv_str(struct jsonw *j, const char *key, struct str s)
{
	jsonw_key(j, key);
	jsonw_str(j, s);
}

void jsonw_kv_c(struct jsonw *j, const char *key, const char *s)
{
	jsonw_key(j, key);
	jsonw_c(j, s);
}

void jsonw_kv_i64(struct jsonw *j, const char *key, int64_t v)
{
	jsonw_key(j, key);
	jsonw_i64(j, v);
}

void jsonw_kv_f64(struct jsonw *j, const char *key, double v)
{
	jsonw_key(j, key);
	jsonw_f64(j, v);
}

void jsonw_kv_bool(struct jsonw *j, const char *key, bool v)
{
	jsonw_key(j, key);
	jsonw_bool(j, v);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* key - StatsD names and tags as labels; see key.h. */
#include "agent/statsd/key.h"

#include "base/limits.h"

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The input is valid UTF-8: a character of several bytes becomes one "_". */
void statsd_escape(struct str name, struct buf *out)
{
	char before = '\0';

	if (name.n > 0 && name.p[0] >= '0' && name.p[0] <= '9')
		buf_ch(out, '_');
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (is_plain(c))
			buf_ch(out, c);
		else if (((unsigned char)c & 0xc0) != 0x80 && !(c == '-' && before == '-'))
			buf_ch(out, '_');
		before = c;
	}
}

static struct str escaped(struct arena *a, struct str name, struct str suffix)
{
	struct str out = STR_NULL;
	struct buf b;

	buf_init(&b, 2 * (name.n + suffix.n) + 2);
	statsd_escape(name, &b);
	if (!str_ends(buf_view(&b), suffix))
		buf_str(&b, suffix);
	if (!b.failed)
		out = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

/* Of tags with the same label name the last one stands. */
static void put_label(struct label *v, size_t *n, struct str name, struct str value)
{
	for (size_t i = 0; i < *n; i++) {
		if (str_eq(v[i].name, name)) {
			v[i].value = value;
			return;
		}
	}
	v[(*n)++] = (struct label){name, value};
}

static enum statsd_reason read_tags(struct str tags, struct arena *a, struct label *v, size_t *n)
{
	struct str tag;

	while (str_split(&tags, ',', &tag)) {
		size_t colon;
		struct str name, value;

		if (tag.n > 0 && tag.p[0] == '#') /* old PHP clients put one before each */
			tag = str_sub(tag, 1, tag.n);
		colon = str_find(tag, ':');
		name = str_sub(tag, 0, colon);
		value = str_sub(tag, colon + 1, tag.n);
		if (name.n == 0 || value.n == 0 || str_eq(name, LABEL_NAME))
			continue;
		if (name.n > LIMIT_LABEL_NAME || value.n > LIMIT_LABEL_VALUE ||
			*n >= LIMIT_STATSD_TAGS)
			return STATSD_TOO_LONG;
		name = escaped(a, name, STR_NULL);
		if (name.p == NULL || str_eq(name, LABEL_NAME))
			return name.p == NULL ? STATSD_LIMIT : STATSD_BAD_NAME;
		put_label(v, n, name, value);
	}
	return STATSD_OK;
}

enum statsd_reason statsd_labels(
	const struct statsd_line *l, struct str counter_suffix, struct arena *a, struct labels *out)
{
	struct label *v;
	size_t n = 0;
	enum statsd_reason r;
	struct str suffix = l->kind == STATSD_COUNTER ? counter_suffix : STR_NULL;

	if (l->name.n == 0 || str_find(l->name, '|') < l->name.n)
		return STATSD_BAD_NAME;
	if (l->name.n > LIMIT_STATSD_NAME || l->container.n > LIMIT_LABEL_VALUE)
		return STATSD_TOO_LONG;
	if (!str_is_utf8(l->name) || !str_is_utf8(l->tags) || !str_is_utf8(l->container))
		return STATSD_BAD_UTF8;
	v = ARENA_ARRAY(a, LIMIT_STATSD_TAGS + 2, struct label);
	if (v == NULL)
		return STATSD_LIMIT;
	r = read_tags(l->tags, a, v, &n);
	if (r != STATSD_OK)
		return r;
	if (l->container.n > 0)
		put_label(v, &n, STR("container_id"), l->container);
	v[n++] = (struct label){LABEL_NAME, escaped(a, l->name, suffix)};
	if (a->failed || !labels_sort(v, &n))
		return STATSD_LIMIT;
	*out = (struct labels){v, n};
	return STATSD_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cli_text - what people type (matchers, times) and read (ages, labels). */
#include <math.h>

#include "agent/cli.h"
#include "base/dur.h"
#include "base/labels.h"
#include "base/matcher_parse.h"
#include "base/num.h"
#include "base/quote.h"
#include "base/tz.h"

int cli_matcher(struct arena *a, struct str s, bool first, struct matcher *m, struct err *e)
{
	bool word = s.n > 0;

	for (size_t i = 0; i < s.n; i++)
		word = word && strchr("=!~{}\",", s.p[i]) == NULL;
	if (first && word)
		return matcher_init(m, MATCH_EQ, STR("alertname"), s, e);
	return matcher_parse_one(a, s, m, e);
}

void cli_matcher_print(struct buf *b, const struct matcher *m)
{
	static const char *const ops[] = {"=", "!=", "=~", "!~"};

	quote_go(b, m->name);
	buf_c(b, ops[m->op]);
	quote_go(b, m->value);
}

int cli_filters(struct cli *c, struct buf *path, int argc, char **argv, struct err *e)
{
	for (int i = 0; i < argc; i++) {
		struct matcher m;
		struct buf text;

		if (cli_matcher(&c->arena, str_c(argv[i]), i == 0, &m, e) != 0)
			return -1;
		buf_init(&text, 1u << 20);
		cli_matcher_print(&text, &m);
		buf_c(path, "&filter=");
		cli_encode(path, buf_view(&text));
		buf_fini(&text);
		matcher_fini(&m);
	}
	return path->failed ? err_set(e, ERR_LIMIT, 0, "too many matchers") : 0;
}

bool cli_time(struct str s, int64_t now_ms, int64_t *ms)
{
	struct err e;
	int64_t ago;
	double v;

	if (str_eq(s, STR("now"))) {
		*ms = now_ms;
		return true;
	}
	if (s.n > 1 && (s.p[0] == '-' || s.p[0] == '+') &&
		dur_parse(str_sub(s, 1, s.n), &ago, &e) == 0) {
		*ms = s.p[0] == '-' ? i64_sub_sat(now_ms, ago) : i64_add_sat(now_ms, ago);
		return true;
	}
	if (time_parse_rfc3339(s, ms))
		return true;
	if (!str_to_f64(s, &v) || !isfinite(v))
		return false;
	*ms = num_clamp_i64(v * 1000);
	return true;
}

void cli_clean(struct buf *b, struct str s)
{
	for (size_t i = 0; i < s.n;) {
		unsigned long c;
		size_t n = quote_rune(str_sub(s, i, s.n), &c);

		if (c > 0x10ffff)
			buf_printf(b, "\\x%02x", (unsigned char)s.p[i]);
		else if (c == '\n')
			buf_c(b, "\\n");
		else if (c < 0x20 || (c >= 0x7f && c < 0xa0))
			buf_printf(b, "\\x%02x", (unsigned)c);
		else if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
			 c == 0x200e || c == 0x200f)
			buf_printf(b, "\\u%04x", (unsigned)c); /* turns the line's direction */
		else
			buf_add(b, s.p + i, n);
		i += n;
	}
}

struct str cli_member(const json_t *obj, const char *key)
{
	const json_t *v = key != NULL ? json_object_get(obj, key) : obj;

	if (!json_is_string(v))
		return STR("");
	return str_n(json_string_value(v), json_string_length(v));
}

void cli_age(struct buf *b, int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};

	if (ms < 0)
		ms = 0;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		int64_t n = ms / units[i].ms, rest = ms % units[i].ms;

		if (n == 0 && i + 1 < ARRAY_LEN(units))
			continue;
		buf_printf(b, "%lld%s", (long long)n, units[i].name);
		if (i + 1 < ARRAY_LEN(units) && rest / units[i + 1].ms > 0)
			buf_printf(b, " %lld%s", (long long)(rest / units[i + 1].ms),
				units[i + 1].name);
		return;
	}
}

/* The reader's: TZ as a zone's name, else the machine's. NULL: UTC. */
static const struct tz *local_zone(void)
{
	static const struct tz *zone;
	static struct arena mem;
	static bool asked;
	struct err e;

	if (!asked) {
		/* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
		const char *name = getenv("TZ");

		asked = true;
		arena_init(&mem, 1u << 20);
		if (name != NULL && name[0] == ':')
			name++;
		zone = tz_load(
			&mem, name != NULL && name[0] != '\0' ? str_c(name) : STR("Local"), &e);
	}
	return zone;
}

void cli_when(struct buf *b, struct str rfc3339)
{
	const struct tz *zone = local_zone();
	struct civil c;
	int64_t ms;

	if (!time_parse_rfc3339(rfc3339, &ms)) {
		cli_clean(b, rfc3339);
		return;
	}
	civil_from_ms(i64_add_sat(ms, (int64_t)tz_offset(zone, ms) * 1000), &c);
	buf_printf(b, "%04lld-%02d-%02d %02d:%02d:%02d ", (long long)c.year, c.month, c.day, c.hour,
		c.minute, c.second);
	buf_str(b, tz_name(zone, ms));
}

static bool skipped(const char *name, const char *const *skip)
{
	for (; skip != NULL && *skip != NULL; skip++) {
		if (strcmp(name, *skip) == 0)
			return true;
	}
	return false;
}

void cli_labels(struct buf *b, const json_t *labels, const char *const *skip)
{
	const char *name;
	json_t *value;
	bool any = false;

	json_object_foreach((json_t *)(uintptr_t)labels, name, value)
	{
		struct buf quoted;

		if (skipped(name, skip))
			continue;
		buf_c(b, any ? ", " : "");
		any = true;
		if (label_name_is_legacy(str_c(name))) {
			buf_c(b, name);
		} else {
			buf_ch(b, '"');
			cli_clean(b, str_c(name));
			buf_ch(b, '"');
		}
		buf_ch(b, '=');
		buf_init(&quoted, 1u << 20);
		labels_print_value(&quoted, cli_member(value, NULL));
		cli_clean(b, buf_view(&quoted));
		buf_fini(&quoted);
	}
}

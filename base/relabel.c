/* SPDX-License-Identifier: Apache-2.0 */
/* relabel - checking and applying relabelling rules; see relabel.h. */
#include "base/relabel.h"

#include <locale.h>
#include <pthread.h>
#include <wctype.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/md5.h"
#include "base/num.h"
#include "base/quote.h"

#define RESULT_BYTES 65536u /* of one replacement: far above what a label may hold */

static const char *const names[] = {
	[RELABEL_NONE] = "",
	[RELABEL_REPLACE] = "replace",
	[RELABEL_KEEP] = "keep",
	[RELABEL_DROP] = "drop",
	[RELABEL_KEEPEQUAL] = "keepequal",
	[RELABEL_DROPEQUAL] = "dropequal",
	[RELABEL_HASHMOD] = "hashmod",
	[RELABEL_LABELMAP] = "labelmap",
	[RELABEL_LABELDROP] = "labeldrop",
	[RELABEL_LABELKEEP] = "labelkeep",
	[RELABEL_LOWERCASE] = "lowercase",
	[RELABEL_UPPERCASE] = "uppercase",
};

const struct relabel_rule relabel_defaults = {
	.action = RELABEL_REPLACE,
	.separator = {";", 1},
	.regex = {"(.*)", 4},
	.replacement = {"$1", 2},
};

enum relabel_action relabel_action_of(struct str name)
{
	for (size_t i = 1; i < ARRAY_LEN(names); i++) {
		if (str_eq_nocase(name, str_c(names[i])))
			return (enum relabel_action)i;
	}
	return RELABEL_NONE;
}

const char *relabel_action_name(enum relabel_action a)
{
	return names[a];
}

/* ---- checks ---- */

static bool has_var(struct str s)
{
	return str_find(s, '$') < s.n;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool name_ok(const struct relabel_rule *r, struct str s)
{
	return s.n > 0 && (r->legacy_names ? label_name_is_legacy(s) : str_is_utf8(s));
}

/* A name that may hold $1 and ${1}. */
static bool template_ok(const struct relabel_rule *r, struct str s)
{
	if (!r->legacy_names)
		return name_ok(r, s);
	if (s.n == 0 || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool braces;
		size_t from;

		if (is_word(s.p[i]))
			continue;
		if (s.p[i] != '$')
			return false;
		braces = i + 1 < s.n && s.p[i + 1] == '{';
		from = i += 1 + braces;
		while (i < s.n && is_word(s.p[i]))
			i++;
		if (i == from || (braces && (i == s.n || s.p[i] != '}')))
			return false;
		i -= !braces;
	}
	return true;
}

static int bad_field(
	const struct relabel_rule *r, struct str value, const char *field, struct err *e)
{
	return err_set(e, ERR_INPUT, 0, "\"" STR_FMT "\" is invalid '%s' for %s action",
		STR_ARG(value), field, names[r->action]);
}

static bool separator_is_default(const struct relabel_rule *r)
{
	return str_eq(r->separator, relabel_defaults.separator);
}

static bool replacement_is_default(const struct relabel_rule *r)
{
	return str_eq(r->replacement, relabel_defaults.replacement);
}

static int check_target(const struct relabel_rule *r, struct err *e)
{
	bool simple = r->action == RELABEL_LOWERCASE || r->action == RELABEL_UPPERCASE ||
		      r->action == RELABEL_KEEPEQUAL || r->action == RELABEL_DROPEQUAL;
	bool ok = r->action == RELABEL_REPLACE && has_var(r->target_label)
			  ? template_ok(r, r->target_label)
			  : name_ok(r, r->target_label);

	if (r->action != RELABEL_REPLACE && r->action != RELABEL_HASHMOD && !simple)
		return 0;
	if (r->target_label.n == 0)
		return err_set(e, ERR_INPUT, 0,
			"relabel configuration for %s action requires 'target_label' value",
			names[r->action]);
	if (!ok)
		return bad_field(r, r->target_label, "target_label", e);
	if (simple && !replacement_is_default(r))
		return err_set(e, ERR_INPUT, 0, "'replacement' can not be set for %s action",
			names[r->action]);
	return 0;
}

static int check(const struct relabel_rule *r, struct err *e)
{
	bool regex_given = !str_eq(r->regex, relabel_defaults.regex);

	if (r->action == RELABEL_NONE)
		return err_set(e, ERR_INPUT, 0, "relabel action cannot be empty");
	if (r->action == RELABEL_HASHMOD && r->modulus == 0)
		return err_set(e, ERR_INPUT, 0,
			"relabel configuration for hashmod requires non-zero modulus");
	if (check_target(r, e) != 0)
		return -1;
	if (r->action == RELABEL_LABELMAP && !template_ok(r, r->replacement))
		return bad_field(r, r->replacement, "replacement", e);
	if ((r->action == RELABEL_KEEPEQUAL || r->action == RELABEL_DROPEQUAL) &&
		(regex_given || r->modulus != 0 || !separator_is_default(r)))
		return err_set(e, ERR_INPUT, 0,
			"%s action requires only 'source_labels' and 'target_label', and no other "
			"fields",
			names[r->action]);
	if ((r->action == RELABEL_LABELDROP || r->action == RELABEL_LABELKEEP) &&
		(r->n_source_labels > 0 || r->target_label.n > 0 || r->modulus != 0 ||
			!separator_is_default(r) || !replacement_is_default(r)))
		return err_set(e, ERR_INPUT, 0,
			"%s action requires only 'regex', and no other fields", names[r->action]);
	return 0;
}

int relabel_rule_init(struct relabel_rule *r, struct err *e)
{
	r->re = NULL;
	if (check(r, e) != 0)
		return -1;
	r->re = regex_new(r->regex, e);
	return r->re != NULL ? 0 : err_wrap(e, "regex");
}

void relabel_rule_fini(struct relabel_rule *r)
{
	regex_free(r->re);
	r->re = NULL;
}

/* ---- application ---- */

static locale_t utf8;

static void make_locale(void)
{
	utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); /* without it: ASCII only */
}

static struct str recase(struct arena *a, struct str s, bool upper)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct str out;
	struct buf b;

	(void)pthread_once(&once, make_locale);
	buf_init(&b, RESULT_BYTES);
	for (size_t i = 0, n; i < s.n; i += n) {
		unsigned long c;

		n = quote_rune(str_sub(s, i, s.n), &c);
		if (c > 0x10ffff)
			c = 0xfffd; /* not UTF-8: as Go writes it */
		else if (c < 0x80 || utf8 == (locale_t)0)
			c = upper && c >= 'a' && c <= 'z'    ? c - 32
			    : !upper && c >= 'A' && c <= 'Z' ? c + 32
							     : c;
		else
			c = upper ? towupper_l((wint_t)c, utf8) : towlower_l((wint_t)c, utf8);
		quote_add_rune(&b, c);
	}
	if (b.failed)
		a->failed = true;
	out = b.failed ? STR("") : arena_str(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

/* The source labels' values joined. */
static struct str source(const struct relabel_rule *r, struct labels_builder *lb)
{
	struct str out;
	struct buf b;

	if (r->n_source_labels == 0)
		return STR("");
	if (r->n_source_labels == 1)
		return labels_builder_get(lb, r->source_labels[0]);
	buf_init(&b, 16 * RESULT_BYTES);
	for (size_t i = 0; i < r->n_source_labels; i++) {
		if (i > 0)
			buf_str(&b, r->separator);
		buf_str(&b, labels_builder_get(lb, r->source_labels[i]));
	}
	if (b.failed)
		lb->a->failed = true;
	out = b.failed ? STR("") : arena_str(lb->a, buf_view(&b));
	buf_fini(&b);
	return out;
}

/* A template with the groups of a match; false when val does not match. */
static bool expand(const struct relabel_rule *r, struct str val, struct str template,
	struct arena *a, struct str *out)
{
	struct buf b;
	bool matched;

	buf_init(&b, RESULT_BYTES);
	matched = regex_expand(r->re, val, template, &b) == 1;
	if (b.failed)
		a->failed = true;
	*out = matched && !b.failed ? arena_str(a, buf_view(&b)) : STR("");
	buf_fini(&b);
	return matched;
}

static void replace(const struct relabel_rule *r, struct str val, struct labels_builder *lb)
{
	struct str target = r->target_label, value = r->replacement;

	if (has_var(target) ? !expand(r, val, target, lb->a, &target) : !regex_match(r->re, val))
		return;
	if (!name_ok(r, target))
		return;
	if (has_var(value))
		(void)expand(r, val, value, lb->a, &value); /* it matches */
	labels_builder_set(lb, target, value);
}

static void hashmod(const struct relabel_rule *r, struct str val, struct labels_builder *lb)
{
	uint8_t sum[MD5_BYTES];
	uint64_t v = 0;

	md5(val, sum);
	for (size_t i = 8; i < MD5_BYTES; i++)
		v = v << 8 | sum[i];
	labels_builder_set(lb, r->target_label,
		arena_printf(lb->a, "%llu", (unsigned long long)(v % r->modulus)));
}

/* labelmap, labeldrop, labelkeep: over the labels as they were before. */
static void each_name(const struct relabel_rule *r, struct labels_builder *lb)
{
	size_t n = lb->n;
	struct label *v = ARENA_ARRAY(lb->a, n, struct label);

	if (v == NULL || lb->v == NULL)
		return;
	memcpy(v, lb->v, n * sizeof *v);
	for (size_t i = 0; i < n; i++) {
		struct str to;

		if (v[i].value.n == 0)
			continue; /* not there */
		if (r->action != RELABEL_LABELMAP) {
			if (regex_match(r->re, v[i].name) == (r->action == RELABEL_LABELDROP))
				labels_builder_del(lb, v[i].name);
		} else if (expand(r, v[i].name, r->replacement, lb->a, &to) && to.n > 0) {
			labels_builder_set(lb, to, v[i].value);
		}
	}
}

static bool apply_one(const struct relabel_rule *r, struct labels_builder *lb)
{
	struct str val = source(r, lb);

	switch (r->action) {
	case RELABEL_KEEP: return regex_match(r->re, val);
	case RELABEL_DROP: return !regex_match(r->re, val);
	case RELABEL_KEEPEQUAL: return str_eq(labels_builder_get(lb, r->target_label), val);
	case RELABEL_DROPEQUAL: return !str_eq(labels_builder_get(lb, r->target_label), val);
	case RELABEL_REPLACE: replace(r, val, lb); break;
	case RELABEL_HASHMOD: hashmod(r, val, lb); break;
	case RELABEL_LABELMAP:
	case RELABEL_LABELDROP:
	case RELABEL_LABELKEEP: each_name(r, lb); break;
	case RELABEL_LOWERCASE:
	case RELABEL_UPPERCASE:
		labels_builder_set(
			lb, r->target_label, recase(lb->a, val, r->action == RELABEL_UPPERCASE));
		break;
	case RELABEL_NONE: break;
	}
	return true;
}

bool relabel_apply(const struct relabel_rule *v, size_t n, struct labels_builder *b)
{
	for (size_t i = 0; i < n; i++) {
		if (!apply_one(&v[i], b))
			return false;
	}
	return true;
}

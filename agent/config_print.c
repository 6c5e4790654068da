/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_print - a configuration as YAML with defaults filled in; what changed between two that
 * needs a restart.
 */
#include "agent/config_load.h"
#include "base/dur.h"
#include "base/limits.h"

struct strs {
	const struct str *v;
	size_t n;
};
struct list {
	const char *v;
	size_t n;
};

static bool is_plain(struct str s)
{
	static const char *const words[] = {
		"true", "false", "yes", "no", "on", "off", "null", "y", "n"};

	if (s.n == 0 || !((s.p[0] >= 'a' && s.p[0] <= 'z') || (s.p[0] >= 'A' && s.p[0] <= 'Z') ||
				s.p[0] == '/' || s.p[0] == '_'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    strchr("_./-@", c) != NULL) ||
			c == '\0')
			return false;
	}
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (str_eq_nocase(s, str_c(words[i])))
			return false;
	}
	return true;
}

static void put_str(struct buf *out, struct str s)
{
	if (is_plain(s)) {
		buf_str(out, s);
		return;
	}
	buf_ch(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_c(out, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_ch(out, (char)c);
	}
	buf_ch(out, '"');
}

static void put_size(struct buf *out, uint64_t v)
{
	static const char *const units[] = {"", "KB", "MB", "GB", "TB", "PB", "EB"};
	size_t u = 0;

	while (v != 0 && v % 1024 == 0 && u < 6) {
		v /= 1024;
		u++;
	}
	buf_u64(out, v);
	buf_c(out, units[u]);
}

static void put_strs(struct buf *out, const struct strs *list)
{
	buf_ch(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		buf_c(out, i > 0 ? ", " : "");
		put_str(out, list->v[i]);
	}
	buf_ch(out, ']');
}

/* {a: b, c: d}; values of one name that follow each other are a list in params. */
static void put_pairs(struct buf *out, const struct labels *list, bool lists)
{
	buf_ch(out, '{');
	for (size_t i = 0; i < list->n; i++) {
		bool same = i > 0 && lists && str_eq(list->v[i].name, list->v[i - 1].name);

		if (!same) {
			buf_c(out, i == 0 ? "" : lists ? "], " : ", ");
			put_str(out, list->v[i].name);
			buf_c(out, lists ? ": [" : ": ");
		} else {
			buf_c(out, ", ");
		}
		put_str(out, list->v[i].value);
	}
	buf_c(out, lists && list->n > 0 ? "]}" : "}");
}

static void put_matchers(struct buf *out, const struct list *list)
{
	const struct matcher *m = (const struct matcher *)(const void *)list->v;

	buf_ch(out, '[');
	for (size_t i = 0; i < list->n; i++) {
		struct buf one;

		buf_init(&one, 1u << 20);
		matcher_print(&one, &m[i]);
		buf_c(out, i > 0 ? ", " : "");
		put_str(out, buf_view(&one));
		buf_fini(&one);
	}
	buf_ch(out, ']');
}

/* As YAML's flow style, which is nearly JSON. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void put_node(struct buf *out, const struct yaml_node *node, bool secret, unsigned depth)
{
	double number;
	bool b;

	if (depth > LIMIT_YAML_DEPTH || node->kind == YAML_NULL) {
		buf_c(out, "null");
		return;
	}
	if (node->kind == YAML_SCALAR && secret) {
		buf_c(out, "<secret>");
		return;
	}
	if (node->kind == YAML_SCALAR) {
		if (!node->quoted && (yaml_to_bool(node, &b) || str_to_f64(node->scalar, &number)))
			buf_str(out, node->scalar); /* stays what it is */
		else
			put_str(out, node->scalar);
		return;
	}
	buf_ch(out, node->kind == YAML_SEQ ? '[' : '{');
	for (size_t i = 0; i < node->n && !out->failed; i++) {
		if (i > 0)
			buf_c(out, ", ");
		if (node->kind == YAML_SEQ) {
			put_node(out, node->items[i], secret, depth + 1);
			continue;
		}
		put_str(out, node->pairs[i].key->scalar);
		buf_c(out, ": ");
		put_node(out, node->pairs[i].value,
			secret || config_key_is_secret(node->pairs[i].key->scalar), depth + 1);
	}
	buf_ch(out, node->kind == YAML_SEQ ? ']' : '}');
}

void config_print_value(const struct config_key *k, const void *place, struct buf *out)
{
	if (k->flags & CF_SECRET) {
		buf_c(out, "<secret>");
		return;
	}
	switch (k->type) {
	case CT_STR:
	case CT_ENUM: put_str(out, *(const struct str *)place); break;
	case CT_BOOL: buf_c(out, *(const bool *)place ? "true" : "false"); break;
	case CT_WINDOW:
	case CT_DUR:
		if (k->type == CT_WINDOW && *(const int64_t *)place == INT64_MAX)
			buf_c(out, "unlimited");
		else
			dur_print(out, *(const int64_t *)place);
		break;
	case CT_SIZE: put_size(out, *(const uint64_t *)place); break;
	case CT_UINT: buf_u64(out, *(const uint64_t *)place); break;
	case CT_STRS: put_strs(out, place); break;
	case CT_LABELS:
	case CT_PAIRS: put_pairs(out, place, false); break;
	case CT_PARAMS: put_pairs(out, place, true); break;
	case CT_MATCHERS: put_matchers(out, place); break;
	case CT_NODE:
		if (k->flags & CF_SHOWN)
			put_node(out, *(const struct yaml_node *const *)place, false, 0);
		break;
	case CT_MAP:
	case CT_LIST:
	case CT_UNBUILT: break;
	}
}

/* Nothing was given and there is no default: not worth a line. */
static bool is_empty(const struct config_key *k, const void *place)
{
	static const char zero[sizeof(struct list)];

	if (k->flags & CF_MERGED)
		return true;
	switch (k->type) {
	case CT_STR:
	case CT_ENUM: return k->def == NULL && ((const struct str *)place)->n == 0;
	case CT_LABELS:
	case CT_PAIRS:
	case CT_PARAMS:
	case CT_MATCHERS:
	case CT_LIST: return ((const struct list *)place)->n == 0;
	case CT_STRS: return k->def == NULL && ((const struct list *)place)->n == 0;
	case CT_DUR:
	case CT_WINDOW:
	case CT_SIZE:
	case CT_UINT: return k->def == NULL && memcmp(place, zero, 8) == 0;
	case CT_BOOL: return false;
	case CT_MAP: return *(const struct yaml_node *const *)place == NULL && k->doc != NULL;
	case CT_NODE:
		return (k->flags & CF_SHOWN) == 0 ||
		       *(const struct yaml_node *const *)place == NULL;
	case CT_UNBUILT: return true;
	}
	return true;
}

static void indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_c(out, "  ");
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void print_section(
	const struct config_section *s, const void *from, unsigned depth, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		const char *place = (const char *)from + k->off;
		const struct list *list = (const struct list *)(const void *)place;

		if (is_empty(k, place))
			continue;
		indent(out, depth);
		buf_c(out, k->name);
		buf_c(out, ":");
		if (k->type == CT_MAP) {
			size_t before = out->n;

			buf_ch(out, '\n');
			print_section(k->sub, place, depth + 1, out);
			if (!out->failed && out->n == before + 1) {
				out->n = before;
				buf_c(out, " {}\n");
			}
		} else if (k->type == CT_LIST) {
			buf_ch(out, '\n');
			for (size_t j = 0; j < list->n && !out->failed; j++) {
				indent(out, depth);
				buf_c(out, "-\n");
				print_section(k->sub, list->v + j * k->sub->size, depth + 1, out);
			}
		} else {
			buf_ch(out, ' ');
			config_print_value(k, place, out);
			buf_ch(out, '\n');
		}
	}
}

void config_print(const struct config *c, struct buf *out)
{
	const struct config_private *p = (const struct config_private *)(const void *)c;

	print_section(&config_root, &p->root, 0, out);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the table without its lists */
static void compare(const struct config_section *s, const void *a, const void *b, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];
		struct buf x, y;

		if (k->type == CT_MAP && k->sub != s)
			compare(k->sub, (const char *)a + k->off, (const char *)b + k->off, out);
		if (!(k->flags & CF_FIXED))
			continue;
		buf_init(&x, 1u << 20);
		buf_init(&y, 1u << 20);
		config_print_value(k, (const char *)a + k->off, &x);
		config_print_value(k, (const char *)b + k->off, &y);
		if (!str_eq(buf_view(&x), buf_view(&y)))
			buf_printf(out, "%s%s.%s", out->n > 0 ? ", " : "", s->name, k->name);
		buf_fini(&x);
		buf_fini(&y);
	}
}

void config_fixed_changes(
	const struct config *running, const struct config *wanted, struct buf *out)
{
	const struct config_private *a = (const struct config_private *)(const void *)running;
	const struct config_private *b = (const struct config_private *)(const void *)wanted;

	compare(&config_root, &a->root, &b->root, out);
}

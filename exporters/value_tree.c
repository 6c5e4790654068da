/* SPDX-License-Identifier: Apache-2.0 */
/*
 * value_tree - values of any shape from the configuration as JSON, their texts expanded as
 * templates (webhook payload, PagerDuty details).
 *
 * As in Alertmanager a text that comes out as YAML of another shape (a number, a list, what toJson
 * made) is taken as that; what cannot be read as YAML stays a string. What came out is final: it is
 * not expanded again.
 */
#include "base/num.h"
#include "base/yaml.h"
#include "exporters/chat.h"

#define TEXT_MAX ((size_t)1 << 20)

static bool is_json_number(struct str s)
{
	size_t i = s.n > 0 && s.p[0] == '-', digits = i;

	while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
		i++;
	if (i == digits || (i - digits > 1 && s.p[digits] == '0'))
		return false;
	if (i < s.n && s.p[i] == '.') {
		digits = ++i;
		while (i < s.n && s.p[i] >= '0' && s.p[i] <= '9')
			i++;
		if (i == digits)
			return false;
	}
	return i == s.n && s.n < 30;
}

static bool is_number(const struct yaml_node *node)
{
	return !node->quoted && is_json_number(node->scalar);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the YAML, LIMIT_YAML_DEPTH */
static void put_yaml(struct jsonw *j, const struct yaml_node *node)
{
	bool b;

	switch (node->kind) {
	case YAML_NULL: jsonw_null(j); return;
	case YAML_SCALAR:
		if (!node->quoted && yaml_to_bool(node, &b))
			jsonw_bool(j, b);
		else if (is_number(node))
			jsonw_raw(j, node->scalar);
		else
			jsonw_str(j, node->scalar);
		return;
	case YAML_SEQ:
		jsonw_array(j);
		for (size_t i = 0; i < node->n; i++)
			put_yaml(j, node->items[i]);
		jsonw_array_end(j);
		return;
	case YAML_MAP:
		jsonw_object(j);
		for (size_t i = 0; i < node->n; i++) {
			jsonw_key_str(j, node->pairs[i].key->scalar);
			put_yaml(j, node->pairs[i].value);
		}
		jsonw_object_end(j);
		return;
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the YAML, LIMIT_YAML_DEPTH */
static bool fits_depth(const struct yaml_node *node, unsigned depth)
{
	if (depth > 16) /* the JSON writer has 32 levels, the tree around it takes some */
		return false;
	for (size_t i = 0; node->kind == YAML_SEQ && i < node->n; i++) {
		if (!fits_depth(node->items[i], depth + 1))
			return false;
	}
	for (size_t i = 0; node->kind == YAML_MAP && i < node->n; i++) {
		if (!fits_depth(node->pairs[i].value, depth + 1))
			return false;
	}
	return true;
}

/* A text as what it is when read as YAML. */
static void put_text(struct jsonw *j, struct str text)
{
	struct arena a;
	struct diag_file f = {STR("value"), text};
	const struct yaml_node *const *docs = NULL;
	struct diag *d;
	size_t n = 0;
	bool b;

	arena_init(&a, (size_t)64 << 20);
	d = diag_new(&a);
	if (str_is_utf8(text) && d != NULL)
		docs = yaml_parse(&a, &f, d, &n);
	if (docs == NULL || diag_errors(d) > 0 || n > 1 || (n == 1 && !fits_depth(docs[0], 0)))
		jsonw_str(j, text);
	else if (n == 0)
		jsonw_null(j);
	else if (docs[0]->kind == YAML_SCALAR && !is_number(docs[0]) && !yaml_to_bool(docs[0], &b))
		jsonw_str(j, text); /* not what YAML makes of quotes and line breaks */
	else
		put_yaml(j, docs[0]);
	arena_fini(&a);
}

static void put_template(struct jsonw *j, struct str text, bool key, struct chat_form *f)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	if (!str_has(text, STR("{{")))
		buf_str(&b, text);
	else if (!chat_expand(f, text, "payload", TEXT_MAX, &b) && f->note.n > 0)
		buf_str(&b, text);
	if (key)
		jsonw_key_str(j, buf_view(&b));
	else
		put_text(j, buf_view(&b));
	buf_fini(&b);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the configuration, VALUE_TREE_DEPTH */
void value_tree_write(struct jsonw *j, const struct value_tree *t, struct chat_form *f)
{
	switch (t->kind) {
	case VALUE_TEXT: put_template(j, t->text, false, f); return;
	case VALUE_JSON: jsonw_raw(j, t->text); return;
	case VALUE_MAP:
		jsonw_object(j);
		for (size_t i = 0; i < t->n; i++) {
			put_template(j, t->v[i].key, true, f);
			value_tree_write(j, &t->v[i], f);
		}
		jsonw_object_end(j);
		return;
	case VALUE_LIST:
		jsonw_array(j);
		for (size_t i = 0; i < t->n; i++)
			value_tree_write(j, &t->v[i], f);
		jsonw_array_end(j);
		return;
	}
}

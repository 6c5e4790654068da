/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_scalar - single values: environment variables in them, and their types.
 */
#include <stdlib.h>

#include "agent/config_load.h"
#include "base/dur.h"
#include "base/num.h"

#define SCALAR_MAX (1u << 20) /* bytes of a value after its variables were expanded */

/* ---- environment ---- */

/* "${NAME}" or "${NAME:-default}" at s; its length, or 0 when it is something else. */
static size_t variable_len(struct str s, struct str *name, struct str *dflt, bool *has_default)
{
	size_t i = 2, close;

	if (!str_starts(s, STR("${")))
		return 0;
	while (i < s.n && (s.p[i] == '_' || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
				  (s.p[i] >= 'a' && s.p[i] <= 'z') ||
				  (i > 2 && s.p[i] >= '0' && s.p[i] <= '9')))
		i++;
	*name = str_sub(s, 2, i);
	if (name->n == 0 || name->n > 255 || i == s.n)
		return 0; /* ${1} and the like are not ours */
	*has_default = str_starts(str_sub(s, i, s.n), STR(":-"));
	if (!*has_default)
		return s.p[i] == '}' ? i + 1 : 0;
	close = str_find(str_sub(s, i, s.n), '}');
	if (close == s.n - i)
		return 0;
	*dflt = str_sub(s, i + 2, i + close);
	return i + close + 1;
}

static bool expand(struct loader *l, const struct yaml_node *node, struct buf *b)
{
	struct str s = node->scalar, name, dflt = STR_NULL;
	bool ok = true, has_default;

	for (size_t i = 0; i < s.n;) {
		size_t n = variable_len(str_sub(s, i, s.n), &name, &dflt, &has_default);
		char var[256];
		const char *value;

		if (n == 0) {
			bool escaped = str_starts(str_sub(s, i, s.n), STR("$${"));

			buf_ch(b, s.p[i]);
			i += escaped ? 2 : 1;
			if (escaped)
				buf_ch(b, '{'), i++;
			continue;
		}
		memcpy(var, name.p, name.n);
		var[name.n] = '\0';
		value = getenv(var); /* NOLINT(concurrency-mt-unsafe): nobody calls setenv */
		if (value != NULL && (value[0] != '\0' || !has_default)) {
			buf_c(b, value);
		} else if (has_default) {
			buf_str(b, dflt);
		} else {
			diag_error(l->diag, yaml_scalar_pos(node, i, (unsigned)n),
				"environment variable \"%s\" is not set; ${%s:-x} would give a "
				"default",
				var, var);
			ok = false;
		}
		i += n;
	}
	return ok;
}

bool config_scalar(
	struct loader *l, const char *what, const struct yaml_node *node, struct str *out)
{
	struct buf b;
	bool ok;

	if (node->kind != YAML_SCALAR && node->kind != YAML_NULL) {
		diag_error(l->diag, node->pos, "%s must be a single value, not a %s", what,
			node->kind == YAML_MAP ? "map" : "list");
		return false;
	}
	*out = node->scalar;
	if (l->alertmanager || !str_has(node->scalar, STR("${")))
		return true;
	buf_init(&b, SCALAR_MAX);
	ok = expand(l, node, &b);
	*out = arena_str(l->arena, buf_view(&b));
	if (ok && (b.failed || out->p == NULL || !str_is_utf8(*out))) {
		diag_error(l->diag, node->pos,
			"%s: the variables in it are too long or no valid UTF-8", what);
		ok = false;
	}
	buf_fini(&b);
	return ok;
}

/* ---- single values ---- */

static bool set_bool(struct str text, void *place)
{
	const struct yaml_node n = {.kind = YAML_SCALAR, .scalar = text};

	return yaml_to_bool(&n, place);
}

static bool in_choices(struct str text, const char *choices)
{
	struct str rest = str_c(choices), one;

	if (text.n == 0) /* a bar at the end: nothing may be chosen */
		return str_ends(rest, STR("|"));
	while (str_split(&rest, '|', &one)) {
		if (str_eq(one, text))
			return true;
		if (rest.p == NULL)
			break;
	}
	return false;
}

static bool set_size(const struct config_key *k, struct str text, uint64_t *place, struct err *e)
{
	if (size_parse(text, place, e) != 0)
		return false;
	if ((k->flags & CF_UNIT) && *place != 0 && text.p[text.n - 1] != 'B') {
		(void)err_set(e, ERR_INPUT, 0,
			"\"" STR_FMT "\" has no unit; write for example 10MB", STR_ARG(text));
		return false;
	}
	return true;
}

static bool set_uint(struct str text, uint64_t *place, struct err *e)
{
	unsigned long long v;

	if (!str_to_u64(text, &v) || text.p[0] == '+') {
		(void)err_set(e, ERR_INPUT, 0,
			"\"" STR_FMT "\" is not a whole number; write for example 100",
			STR_ARG(text));
		return false;
	}
	*place = v;
	return true;
}

bool config_scalar_set(const struct config_key *k, struct str text, void *place, struct err *e)
{
	switch (k->type) {
	case CT_STR: *(struct str *)place = text; return true;
	case CT_BOOL:
		if (set_bool(text, place))
			return true;
		(void)err_set(e, ERR_INPUT, 0, "\"" STR_FMT "\" is neither true nor false",
			STR_ARG(text));
		return false;
	case CT_WINDOW:
		if (str_eq(text, STR("unlimited"))) {
			*(int64_t *)place = INT64_MAX;
			return true;
		}
		return dur_parse(text, place, e) == 0;
	case CT_DUR: return dur_parse(text, place, e) == 0;
	case CT_SIZE: return set_size(k, text, place, e);
	case CT_UINT: return set_uint(text, place, e);
	case CT_ENUM:
		if (in_choices(text, k->choices)) {
			*(struct str *)place = text;
			return true;
		}
		(void)err_set(e, ERR_INPUT, 0, "\"" STR_FMT "\" is none of %s", STR_ARG(text),
			k->choices);
		return false;
	case CT_STRS:
	case CT_LABELS:
	case CT_PAIRS:
	case CT_PARAMS:
	case CT_MATCHERS:
	case CT_NODE:
	case CT_MAP:
	case CT_LIST:
	case CT_UNBUILT: break;
	}
	return false;
}

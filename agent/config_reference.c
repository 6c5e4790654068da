/* SPDX-License-Identifier: Apache-2.0 */
/* config_reference - the reference page of all keys, from the schema. */
#include "agent/config_schema.h"
#include "base/assert.h"
#include "base/num.h"

static const char *type_name(const struct config_key *k)
{
	switch (k->type) {
	case CT_STR: return k->flags & CF_SECRET ? "secret" : "string";
	case CT_BOOL: return "true or false";
	case CT_WINDOW: return "duration or unlimited";
	case CT_DUR: return "duration";
	case CT_SIZE: return "size";
	case CT_UINT: return "number";
	case CT_ENUM: return "one of";
	case CT_STRS: return k->flags & CF_ONE_OR_MANY ? "string or list" : "list of strings";
	case CT_LABELS:
	case CT_PAIRS: return "map of strings";
	case CT_PARAMS: return "map of lists";
	case CT_MATCHERS: return "matchers";
	case CT_NODE: return k->choices != NULL ? k->choices : "matchers";
	case CT_MAP: return "section";
	case CT_LIST: return "list of sections";
	case CT_UNBUILT: break;
	}
	return "";
}

static void put_choices(const char *choices, struct buf *out)
{
	buf_c(out, " `");
	for (; *choices != '\0'; choices++) {
		if (*choices == '|')
			buf_c(out, "` `");
		else
			buf_ch(out, *choices);
	}
	buf_c(out, "`");
}

static void put_key(const struct config_key *k, struct buf *out)
{
	buf_printf(out, "| `%s` | %s", k->name, type_name(k));
	if (k->type == CT_ENUM)
		put_choices(k->choices, out);
	buf_c(out, " | ");
	if (k->flags & CF_REQUIRED)
		buf_c(out, "required");
	else if (k->def != NULL)
		buf_printf(out, "`%s`", k->def[0] != '\0' ? k->def : "\"\"");
	buf_printf(out, " | %s%s |\n",
		k->doc != NULL                          ? k->doc
		: k->sub != NULL && k->sub->doc != NULL ? k->sub->doc
							: "",
		k->flags & CF_FIXED ? " *A change needs a restart.*" : "");
}

static void put_unbuilt(const struct config_section *s, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];

		if (k->type != CT_UNBUILT)
			continue;
		buf_c(out, any ? ", " : "\nNot supported by this version, and refused: ");
		buf_printf(out, "`%s`", k->name);
		if (k->def != NULL)
			buf_printf(out, " (only `%s`)", k->def);
		any = true;
	}
	if (any)
		buf_c(out, ".\n");
}

/* Sections that stand in several others are told once. */
struct told {
	const struct config_section *v[128];
	size_t n;
};

static bool tell(struct told *t, const struct config_section *s)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->v[i] == s)
			return false;
	}
	ASSERT(t->n < ARRAY_LEN(t->v));
	t->v[t->n++] = s;
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): every section once */
static void put_section(const struct config_section *s, struct told *t, struct buf *out)
{
	bool any = false;

	if (!tell(t, s))
		return;
	buf_printf(out, "\n## %s\n\n", s->name[0] != '\0' ? s->name : "Top level");
	if (s->doc != NULL)
		buf_printf(out, "%s\n\n", s->doc);
	for (size_t i = 0; i < s->n; i++) {
		if (s->keys[i].type == CT_UNBUILT || s->keys[i].type == CT_MATCHERS)
			continue;
		if (!any)
			buf_c(out, "| key | type | default | meaning |\n|---|---|---|---|\n");
		any = true;
		put_key(&s->keys[i], out);
	}
	put_unbuilt(s, out);
	for (size_t i = 0; i < s->n; i++) {
		const struct config_key *k = &s->keys[i];

		if (k->sub != NULL)
			put_section(k->sub, t, out);
	}
}

void config_reference(struct buf *out)
{
	struct told t = {.n = 0};

	buf_c(out,
		"# Configuration: belfry.yml\n\n"
		"<!-- Generated from the schema in agent/config_schema*.c by `belfry help config`. "
		"-->\n\n"
		"One YAML file. Prometheus's and Alertmanager's keys keep their names and meaning. "
		"Unknown keys are errors, and so are keys whose feature this version lacks.\n\n"
		"- Durations are written as in Prometheus: `15s`, `1h30m`, `2w`.\n"
		"- Sizes are powers of 1024: `512`, `10MB`, `1.5GiB`.\n"
		"- `${VAR}` and `${VAR:-default}` are replaced from the environment in any value; "
		"`$${` stands for `${`.\n"
		"- A secret `x` may be given as `x_file`: a file that holds it, relative to the "
		"configuration's folder. Its trailing line end is cut. It is read when the "
		"configuration is loaded.\n"
		"- `SIGHUP` and `POST /-/reload` load the file again. A bad one changes "
		"nothing.\n");
	put_section(&config_root, &t, out);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* pack_render - a pack with its parameters as a rule file; see pack.h. */
#include <math.h>
#include <stdio.h>

#include "base/dur.h"
#include "base/limits.h"
#include "base/num.h"
#include "rules/pack_internal.h"

#define SCALE_MIN  0.0001
#define SCALE_MAX  10000.0
#define SAMPLE_MAX 3600.0 /* seconds */

struct writer {
	struct arena *a;
	struct diag *d;
	const struct pack *p;
	const struct pack_use *use;
	struct pack_values val;
	struct buf *b;
};

/* --- settings --- */

static struct diag_pos set_pos(const struct pack_use *use, struct str name, bool value)
{
	const struct yaml_node *map = use->set_node;

	for (size_t i = 0; map != NULL && i < map->n; i++) {
		if (str_eq(map->pairs[i].key->scalar, name))
			return value ? map->pairs[i].value->pos : map->pairs[i].key->pos;
	}
	return (struct diag_pos){0};
}

static void unknown_setting(const struct writer *w, struct str name)
{
	struct str *names = ARENA_ARRAY(w->a, w->p->n_params + 2, struct str), near;
	struct diag_pos at = set_pos(w->use, name, false);

	if (names == NULL)
		return;
	for (size_t i = 0; i < w->p->n_params; i++)
		names[i] = w->p->params[i].name;
	names[w->p->n_params] = STR("time_scale");
	names[w->p->n_params + 1] = STR("scrape_interval");
	near = diag_nearest(name, names, w->p->n_params + 2);
	if (near.n > 0)
		diag_error(w->d, at,
			"pack " STR_FMT " has no parameter \"" STR_FMT "\", did you mean \"" STR_FMT
			"\"?",
			STR_ARG(w->p->name), STR_ARG(name), STR_ARG(near));
	else
		diag_error(w->d, at,
			"pack " STR_FMT " has no parameter \"" STR_FMT
			"\"; belfry packs show " STR_FMT " lists them",
			STR_ARG(w->p->name), STR_ARG(name), STR_ARG(w->p->name));
}

static void out_of_range(const struct writer *w, struct str name, double min, double max)
{
	diag_error(w->d, set_pos(w->use, name, true), STR_FMT " must be a number from %g to %g",
		STR_ARG(name), min, max);
}

static void read_scale(struct writer *w, const struct label *s)
{
	double v = 0;

	if (!str_to_f64(s->value, &v) || !(v >= SCALE_MIN) || v > SCALE_MAX)
		out_of_range(w, s->name, SCALE_MIN, SCALE_MAX);
	else
		w->val.time_scale = v;
}

static void read_interval(struct writer *w, const struct label *s)
{
	double v = 0;

	if (!str_to_f64(s->value, &v) || !(v >= 0) || v > SAMPLE_MAX)
		out_of_range(w, s->name, 0, SAMPLE_MAX);
	else
		w->val.sample_ms = num_clamp_i64(v * 1000);
}

static void read_set(struct writer *w)
{
	const struct pack *p = w->p;
	double *v = ARENA_ARRAY(w->a, p->n_params, double);

	w->val = (struct pack_values){v, 1, PACK_SAMPLE_DEFAULT * 1000};
	for (size_t i = 0; v != NULL && i < p->n_params; i++)
		v[i] = p->params[i].def;
	for (size_t i = 0; v != NULL && i < w->use->n_set; i++) {
		const struct label *s = &w->use->set[i];
		const struct pack_param *q = NULL;
		double num = 0;

		if (str_eq(s->name, STR("time_scale"))) {
			read_scale(w, s);
			continue;
		}
		if (str_eq(s->name, STR("scrape_interval"))) {
			read_interval(w, s);
			continue;
		}
		for (size_t j = 0; j < p->n_params; j++) {
			if (str_eq(p->params[j].name, s->name))
				q = &p->params[j];
		}
		if (q == NULL && w->use->ignore_foreign)
			continue;
		if (q == NULL)
			unknown_setting(w, s->name);
		else if (!str_to_f64(s->value, &num) || !isfinite(num) ||
			 ((q->min < 0 || q->max > 0) && !(num >= q->min && num <= q->max)))
			out_of_range(w, s->name, q->min, q->max);
		else
			v[q - p->params] = num;
	}
}

/* --- writing --- */

/* As a double-quoted scalar, which holds any text. */
static void quoted(struct buf *b, struct str s)
{
	buf_ch(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_c(b, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(b, "\\x%02x", c);
		else
			buf_ch(b, (char)c);
	}
	buf_ch(b, '"');
}

static void write_duration(const struct writer *w, const struct yaml_node *map, const char *key)
{
	const struct yaml_node *n = yaml_get(map, str_c(key));
	struct err e;
	int64_t ms;

	if (n == NULL || n->kind != YAML_SCALAR)
		return;
	if (dur_parse(n->scalar, &ms, &e) != 0) {
		diag_error(w->d, n->pos, "%s: %s", key, e.msg);
		return;
	}
	buf_printf(w->b, "        %s: ", key);
	dur_print(w->b, pack_scale_ms(ms, w->val.time_scale));
	buf_ch(w->b, '\n');
}

static void write_expr(const struct writer *w, const struct yaml_node *n)
{
	struct buf text;
	struct str rest, line;
	struct err e = {0};

	if (n == NULL || n->kind != YAML_SCALAR)
		return;
	buf_init(&text, (size_t)1 << 20);
	if (pack_expr(w->a, w->p, n->scalar, &w->val, &text, &e) != 0)
		diag_error(w->d, yaml_scalar_pos(n, e.off, 1), "%s", e.msg);
	buf_c(w->b, "        expr: |2-\n");
	rest = buf_view(&text);
	while (str_split(&rest, '\n', &line)) {
		buf_c(w->b, "          ");
		buf_str(w->b, line);
		buf_ch(w->b, '\n');
	}
	buf_fini(&text);
}

/* A runbook's page stands below the pack's own folder until somebody says where it really is. */
static bool write_runbook(const struct writer *w, const struct yaml_pair *p)
{
	struct str base = w->use->runbooks, page = p->value->scalar;

	if (!str_eq(p->key->scalar, STR("runbook_url")) || !str_starts(page, STR("runbooks/")))
		return false;
	if (base.n == 0)
		return true;
	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	page = arena_printf(w->a, "%.*s%.*s", (int)base.n, base.p, (int)(page.n - 8), page.p + 8);
	buf_c(w->b, "          runbook_url: ");
	quoted(w->b, page);
	buf_ch(w->b, '\n');
	return true;
}

static void write_map(const struct writer *w, const struct yaml_node *map, const char *key)
{
	const struct yaml_node *n = yaml_get(map, str_c(key));

	if (n == NULL || n->kind != YAML_MAP || n->n == 0)
		return;
	buf_printf(w->b, "        %s:\n", key);
	for (size_t i = 0; i < n->n; i++) {
		if (write_runbook(w, &n->pairs[i]))
			continue;
		buf_c(w->b, "          ");
		buf_str(w->b, n->pairs[i].key->scalar);
		buf_c(w->b, ": ");
		quoted(w->b, n->pairs[i].value->scalar);
		buf_ch(w->b, '\n');
	}
}

static bool is_disabled(const struct writer *w, struct str alert)
{
	for (size_t i = 0; i < w->use->n_disable; i++) {
		if (str_eq(w->use->disable[i], alert))
			return true;
	}
	return false;
}

static void write_rule(const struct writer *w, const struct yaml_node *rule)
{
	const struct yaml_node *record = yaml_get(rule, STR("record")),
			       *alert = yaml_get(rule, STR("alert"));
	const struct yaml_node *name = record != NULL ? record : alert;

	if (name == NULL || (record == NULL && is_disabled(w, name->scalar)))
		return;
	buf_c(w->b, record != NULL ? "      - record: " : "      - alert: ");
	buf_str(w->b, name->scalar);
	buf_ch(w->b, '\n');
	write_expr(w, yaml_get(rule, STR("expr")));
	write_duration(w, rule, "for");
	write_duration(w, rule, "keep_firing_for");
	write_map(w, rule, "labels");
	write_map(w, rule, "annotations");
}

static void write_group(const struct writer *w, const struct yaml_node *group)
{
	const struct yaml_node *rules = yaml_get(group, STR("rules")),
			       *interval = yaml_get(group, STR("interval"));

	buf_c(w->b, "  - name: ");
	buf_str(w->b, yaml_get(group, STR("name"))->scalar);
	if (interval != NULL)
		buf_printf(w->b, "\n    interval: " STR_FMT, STR_ARG(interval->scalar));
	buf_c(w->b, "\n    rules:\n");
	for (size_t i = 0; rules != NULL && i < rules->n; i++)
		write_rule(w, rules->items[i]);
}

static void write_head(const struct writer *w)
{
	buf_printf(w->b, "# Pack " STR_FMT ": " STR_FMT "\n", STR_ARG(w->p->name),
		STR_ARG(w->p->title));
	for (size_t i = 0; i < w->p->n_params; i++)
		buf_printf(w->b, "#   %.*s: %.15g\n", (int)w->p->params[i].name.n,
			w->p->params[i].name.p, w->val.v[i]);
	buf_printf(w->b, "#   time_scale: %.15g\n#   scrape_interval: %.15g\ngroups:\n",
		w->val.time_scale, (double)w->val.sample_ms / 1000);
}

static bool has_alert(const struct yaml_node *groups, struct str name)
{
	for (size_t i = 0; i < groups->n; i++) {
		const struct yaml_node *rules = yaml_get(groups->items[i], STR("rules"));

		for (size_t j = 0; rules != NULL && j < rules->n; j++) {
			const struct yaml_node *n = yaml_get(rules->items[j], STR("alert"));

			if (n != NULL && str_eq(n->scalar, name))
				return true;
		}
	}
	return false;
}

static void check_disable(const struct writer *w, const struct yaml_node *groups)
{
	const struct yaml_node *list = w->use->disable_node;

	for (size_t i = 0; !w->use->ignore_foreign && i < w->use->n_disable; i++) {
		if (has_alert(groups, w->use->disable[i]))
			continue;
		diag_error(w->d,
			list != NULL && i < list->n ? list->items[i]->pos : (struct diag_pos){0},
			"pack " STR_FMT " has no alert \"" STR_FMT "\"", STR_ARG(w->p->name),
			STR_ARG(w->use->disable[i]));
	}
}

struct str pack_render(
	struct arena *a, const struct pack *p, const struct pack_use *use, struct diag *d)
{
	const struct yaml_node *groups = yaml_get(p->rules, STR("groups"));
	struct buf b;
	struct writer w = {.a = a, .d = d, .p = p, .use = use, .b = &b};
	size_t before = diag_errors(d);
	struct str out = STR_NULL;

	buf_init(&b, LIMIT_YAML_BYTES);
	read_set(&w);
	if (groups != NULL && w.val.v != NULL) {
		check_disable(&w, groups);
		write_head(&w);
		for (size_t i = 0; i < groups->n; i++)
			write_group(&w, groups->items[i]);
	}
	if (b.failed)
		diag_error(
			d, (struct diag_pos){0}, "pack " STR_FMT " is too large", STR_ARG(p->name));
	if (diag_errors(d) == before && !a->failed)
		out = arena_str(a, buf_view(&b));
	buf_fini(&b);
	return out;
}

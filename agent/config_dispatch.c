/* SPDX-License-Identifier: Apache-2.0 */
/* config_dispatch - time intervals and the routes that use them; inhibition rules, packs' included.
 */
#include "agent/config_load.h"
#include "base/limits.h"
#include "exporters/time_interval.h"

/* ---- time intervals ---- */

static const struct named_interval *find_interval(const struct loader *l, struct str name)
{
	const struct notify_config *c = &l->p->pub.notify;

	for (size_t i = 0; i < c->n_intervals; i++) {
		if (str_eq(c->intervals[i].name, name))
			return &c->intervals[i];
	}
	return NULL;
}

static void unknown_key(struct loader *l, const struct yaml_node *map)
{
	for (size_t i = 0; i < map->n; i++) {
		struct str key = map->pairs[i].key->scalar;

		if (!str_eq(key, STR("name")) && !str_eq(key, STR("time_intervals")))
			diag_error(l->diag, map->pairs[i].key->pos,
				"unknown key \"" STR_FMT
				"\": an entry has a name and time_intervals",
				STR_ARG(key));
	}
}

static void read_named(
	struct loader *l, const struct yaml_node *node, struct named_interval *v, size_t *n)
{
	const struct yaml_node *name, *list;
	struct time_interval *intervals;
	struct str text;

	if (node->kind != YAML_MAP) {
		diag_error(l->diag, node->pos, "an entry has a name and time_intervals");
		return;
	}
	unknown_key(l, node);
	name = yaml_get(node, STR("name"));
	list = yaml_get(node, STR("time_intervals"));
	if (name == NULL || !config_scalar(l, "name", name, &text) || text.n == 0) {
		diag_error(l->diag, name != NULL ? name->pos : node->pos,
			"missing name in time interval");
		return;
	}
	if (find_interval(l, text) != NULL)
		diag_error(l->diag, name->pos, "time interval \"" STR_FMT "\" is not unique",
			STR_ARG(text));
	v[*n].name = text;
	if (time_intervals_read(l->arena, list, l->diag, &intervals, &v[*n].n))
		v[*n].v = intervals;
	else
		v[*n].n = 0;
	(*n)++;
	l->p->pub.notify.n_intervals = *n;
}

void config_finish_intervals(struct loader *l)
{
	const struct conf_root *r = &l->p->root;
	const struct yaml_node *const lists[] = {r->time_intervals, r->mute_time_intervals};
	struct notify_config *out = &l->p->pub.notify;
	struct named_interval *v;
	size_t n = 0, max = 0;

	for (size_t i = 0; i < 2; i++)
		max += lists[i] != NULL && lists[i]->kind == YAML_SEQ ? lists[i]->n : 0;
	v = ARENA_ARRAY(l->arena, max, struct named_interval);
	out->intervals = v;
	out->n_intervals = 0;
	for (size_t i = 0; v != NULL && i < 2; i++) {
		if (lists[i] == NULL)
			continue;
		if (lists[i]->kind != YAML_SEQ || lists[i]->n > LIMIT_INTERVALS) {
			diag_error(l->diag, lists[i]->pos,
				"a list of at most %u named time intervals is wanted",
				LIMIT_INTERVALS);
			continue;
		}
		for (size_t k = 0; k < lists[i]->n; k++)
			read_named(l, lists[i]->items[k], v, &n);
	}
}

/* ---- routes ---- */

static void undefined(struct loader *l, struct diag_pos at, struct str name)
{
	const struct notify_config *c = &l->p->pub.notify;
	struct str *names = ARENA_ARRAY(l->arena, c->n_intervals, struct str), near;

	for (size_t i = 0; names != NULL && i < c->n_intervals; i++)
		names[i] = c->intervals[i].name;
	near = names != NULL ? diag_nearest(name, names, c->n_intervals) : STR("");
	if (near.n > 0)
		diag_error(l->diag, at,
			"undefined time interval \"" STR_FMT "\", did you mean \"" STR_FMT "\"?",
			STR_ARG(name), STR_ARG(near));
	else
		diag_error(l->diag, at, "undefined time interval \"" STR_FMT "\"", STR_ARG(name));
}

static const struct named_interval *const *named(struct loader *l, const struct conf_route *r,
	const char *key, const struct str *names, size_t *n)
{
	const struct yaml_node *node = yaml_get(r->node, str_c(key));
	const struct named_interval **v =
		arena_alloc(l->arena, *n, sizeof(const struct named_interval *));
	size_t found = 0;

	for (size_t i = 0; v != NULL && i < *n; i++) {
		const struct named_interval *one = find_interval(l, names[i]);
		struct diag_pos at = config_pos(r->node, key);

		if (node != NULL && node->kind == YAML_SEQ && node->n == *n)
			at = node->items[i]->pos;
		if (one != NULL)
			v[found++] = one;
		else
			undefined(l, at, names[i]);
	}
	*n = found;
	return v;
}

void config_route_intervals(
	struct loader *l, const struct conf_route *r, bool is_root, struct route_config *out)
{
	out->n_mute = r->n_mute;
	out->n_active = r->n_active;
	if (is_root && r->n_mute > 0)
		diag_error(l->diag, config_pos(r->node, "mute_time_intervals"),
			"root route must not have any mute time intervals");
	if (is_root && r->n_active > 0)
		diag_error(l->diag, config_pos(r->node, "active_time_intervals"),
			"root route must not have any active time intervals");
	out->mute = named(l, r, "mute_time_intervals", r->mute, &out->n_mute);
	out->active = named(l, r, "active_time_intervals", r->active, &out->n_active);
}

/* ---- inhibition ---- */

static void finish_inhibit(struct loader *l, struct conf_inhibit *r, struct inhibit_rule *out)
{
	static const struct config_matcher_keys source = {
		"source_match", "source_match_re", "source_matchers"};
	static const struct config_matcher_keys target = {
		"target_match", "target_match_re", "target_matchers"};

	config_matchers_read(l, &source,
		(const struct yaml_node *const[]){
			r->source_match, r->source_match_re, r->source_lines},
		&r->source, &r->n_source);
	config_matchers_read(l, &target,
		(const struct yaml_node *const[]){
			r->target_match, r->target_match_re, r->target_lines},
		&r->target, &r->n_target);
	for (size_t i = 0; i < r->n_equal; i++) {
		if (r->equal[i].n == 0)
			diag_error(
				l->diag, config_pos(r->node, "equal"), "equal: empty label name");
	}
	*out = (struct inhibit_rule){
		r->name, r->source, r->target, r->n_source, r->n_target, r->equal, r->n_equal};
}

static size_t pack_rules(const struct loader *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n_pack_inhibits; i++)
		n += l->pack_inhibits[i]->kind == YAML_SEQ ? l->pack_inhibits[i]->n : 0;
	return n;
}

static void add_pack(
	struct loader *l, const struct yaml_node *list, struct inhibit_rule *v, size_t *n)
{
	for (size_t i = 0; list->kind == YAML_SEQ && i < list->n; i++) {
		struct conf_inhibit *one = ARENA_NEW(l->arena, struct conf_inhibit);

		if (one == NULL)
			return;
		if (list->items[i]->kind != YAML_MAP) {
			diag_error(l->diag, list->items[i]->pos, "an inhibition rule is a map");
			continue;
		}
		config_decode(l, &config_inhibit, list->items[i], one);
		finish_inhibit(l, one, &v[(*n)++]);
	}
}

void config_finish_inhibit(struct loader *l)
{
	struct conf_root *r = &l->p->root;
	struct notify_config *out = &l->p->pub.notify;
	size_t n = 0, max = r->n_inhibit + pack_rules(l);
	struct inhibit_rule *v;

	if (max > LIMIT_INHIBIT_RULES) {
		diag_error(l->diag, config_pos(r->node, "inhibit_rules"),
			"more than %u inhibition rules, those of packs included",
			LIMIT_INHIBIT_RULES);
		return;
	}
	v = ARENA_ARRAY(l->arena, max, struct inhibit_rule);
	for (size_t i = 0; v != NULL && i < r->n_inhibit; i++)
		finish_inhibit(l, &r->inhibit[i], &v[n++]);
	for (size_t i = 0; v != NULL && i < l->n_pack_inhibits; i++)
		add_pack(l, l->pack_inhibits[i], v, &n);
	out->inhibit_rules = v;
	out->n_inhibit_rules = n;
}

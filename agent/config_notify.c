/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_notify - checks routes, fills in what they inherit, compiles matchers.
 */
#include "agent/config_receiver.h"
#include "base/limits.h"
#include "base/num.h"

/* ---- routes ---- */

static void check_receiver(struct loader *l, const struct conf_route *r)
{
	const struct conf_root *root = &l->p->root;
	struct str *names, near;

	if (r->receiver.n == 0)
		return;
	for (size_t i = 0; i < root->n_receivers; i++) {
		if (str_eq(root->receivers[i].name, r->receiver))
			return;
	}
	names = ARENA_ARRAY(l->arena, root->n_receivers, struct str);
	if (names == NULL)
		return;
	for (size_t i = 0; i < root->n_receivers; i++)
		names[i] = root->receivers[i].name;
	near = diag_nearest(r->receiver, names, root->n_receivers);
	if (near.n > 0)
		diag_error(l->diag, config_pos(r->node, "receiver"),
			"unknown receiver \"" STR_FMT "\", did you mean \"" STR_FMT "\"?",
			STR_ARG(r->receiver), STR_ARG(near));
	else
		diag_error(l->diag, config_pos(r->node, "receiver"),
			"unknown receiver \"" STR_FMT "\": there is none of this name in receivers",
			STR_ARG(r->receiver));
}

static void check_group_by(struct loader *l, struct conf_route *r, struct route_config *out)
{
	const struct yaml_node *node = yaml_get(r->node, STR("group_by"));

	if (node == NULL || node->kind != YAML_SEQ || node->n != r->n_group_by)
		return;
	for (size_t i = 0; i < r->n_group_by; i++) {
		struct str name = r->group_by[i];

		if (str_eq(name, STR("...")))
			out->group_by_all = true;
		if (name.n == 0)
			diag_error(l->diag, node->items[i]->pos, "group_by: empty label name");
		for (size_t k = 0; k < i && i < 1000; k++) {
			if (str_eq(name, r->group_by[k]))
				diag_error(l->diag, node->items[i]->pos,
					"group_by: \"" STR_FMT "\" stands twice", STR_ARG(name));
		}
	}
	if (out->group_by_all && r->n_group_by > 1)
		diag_error(l->diag, node->pos, "group_by: '...' stands alone");
	if (node->n == 0)
		diag_warn(l->diag, node->pos,
			"an empty group_by changes nothing: the parent's holds; at the root all "
			"alerts "
			"are one group");
}

static void inherit_labels(struct loader *l, struct conf_route *r, const struct conf_route *up)
{
	struct labels_builder b;

	labels_builder_init(&b, l->arena, up->labels);
	for (size_t i = 0; i < r->labels.n; i++)
		labels_builder_set(&b, r->labels.v[i].name, r->labels.v[i].value);
	r->labels = labels_builder_done(&b);
}

static void inherit_route(struct loader *l, struct conf_route *r, const struct conf_route *up)
{
	if (r->receiver.n == 0)
		r->receiver = up->receiver;
	if (r->n_group_by == 0) {
		r->group_by = up->group_by;
		r->n_group_by = up->n_group_by;
	}
	if (!config_given(r->node, "group_wait"))
		r->group_wait_ms = up->group_wait_ms;
	if (!config_given(r->node, "group_interval"))
		r->group_interval_ms = up->group_interval_ms;
	if (!config_given(r->node, "repeat_interval"))
		r->repeat_interval_ms = up->repeat_interval_ms;
	if (up->labels.n > 0)
		inherit_labels(l, r, up);
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void finish_route(struct loader *l, struct conf_route *r, const struct conf_route *up,
	bool up_group_all, struct route_config *out)
{
	struct route_config *below = ARENA_ARRAY(l->arena, r->n_routes, struct route_config);
	static const struct config_matcher_keys keys = {"match", "match_re", "matchers"};
	bool own_group = r->n_group_by > 0;

	config_matchers_read(l, &keys,
		(const struct yaml_node *const[]){r->match, r->match_re, r->matcher_lines},
		&r->matchers, &r->n_matchers);
	check_receiver(l, r);
	check_group_by(l, r, out);
	config_route_intervals(l, r, up->node == NULL, out);
	if (!own_group)
		out->group_by_all = up_group_all;
	inherit_route(l, r, up);
	if (r->repeat_interval_ms < r->group_interval_ms &&
		config_given(r->node, "repeat_interval"))
		diag_warn(l->diag, config_pos(r->node, "repeat_interval"),
			"repeat_interval is shorter than group_interval, which then sets the pace");
	for (size_t i = 0; below != NULL && i < r->n_routes; i++)
		finish_route(l, &r->routes[i], r, out->group_by_all, &below[i]);
	out->receiver = r->receiver;
	out->matchers = r->matchers;
	out->n_matchers = r->n_matchers;
	out->group_by = out->group_by_all ? NULL : r->group_by;
	out->n_group_by = out->group_by_all ? 0 : r->n_group_by;
	out->continue_ = r->continue_;
	out->group_wait_ms = r->group_wait_ms;
	out->group_interval_ms = r->group_interval_ms;
	out->repeat_interval_ms = r->repeat_interval_ms;
	out->labels = r->labels;
	out->routes = below;
	out->n_routes = below != NULL ? r->n_routes : 0;
}

static void check_root(struct loader *l, const struct conf_root *r)
{
	const struct conf_route *route = &r->route;

	if (route->node == NULL) {
		if (r->n_receivers > 0)
			diag_error(l->diag, config_pos(r->node, "receivers"),
				"receivers are given but no route: nobody would be told");
		return;
	}
	if (route->receiver.n == 0)
		diag_error(l->diag, route->node->pos, "route needs \"receiver\"");
	if (route->n_matchers > 0)
		diag_error(l->diag, route->node->pos,
			"the root route takes every alert: it has no matchers");
	if (route->continue_)
		diag_error(l->diag, config_pos(route->node, "continue"),
			"the root route has nothing to continue to");
}

void config_finish_notify(struct loader *l)
{
	static const struct conf_route belfrys = {
		.group_wait_ms = 5000, .group_interval_ms = 60000, .repeat_interval_ms = 14400000};
	static const struct conf_route alertmanagers = {.group_wait_ms = 30000,
		.group_interval_ms = 300000,
		.repeat_interval_ms = 14400000};
	const struct conf_route *top = l->alertmanager ? &alertmanagers : &belfrys;
	struct conf_root *r = &l->p->root;
	struct notify_config *out = &l->p->pub.notify;

	config_finish_receivers(l);
	config_finish_intervals(l);
	if (r->route.node != NULL)
		finish_route(l, &r->route, top, false, &out->root);
	check_root(l, r);
	config_finish_inhibit(l);
	out->resolve_timeout_ms = r->global.resolve_timeout_ms;
	out->group_ticks = r->notifications.group_ticks;
	out->resolve_waits = !r->notifications.resolve_at_once;
	out->drop_suppressed_ends = !r->notifications.resolve_suppressed;
	out->external_url = r->web.external_url;
	out->expiry_ms = LIMIT_OUTBOX_EXPIRY_MS;
}

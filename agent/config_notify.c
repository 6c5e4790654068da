/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_notify - checks routes and receivers, fills in what they inherit, compiles matchers.
 */
#include "agent/config_load.h"
#include "base/limits.h"
#include "base/matcher_parse.h"
#include "base/num.h"

/* ---- receivers ---- */

static void finish_slack(struct loader *l, struct conf_slack *s)
{
	const char *wrong;
	bool own = config_given(s->node, "api_url");

	if (s->pub.api_url.n == 0 && !own && !config_given(s->node, "api_url_file"))
		s->pub.api_url = l->p->root.global.slack_api_url;
	if (s->pub.api_url.n == 0) {
		if (!config_given(s->node, "api_url_file"))
			diag_error(l->diag, s->node->pos,
				"no Slack URL: give api_url here or slack_api_url in global");
		return;
	}
	wrong = config_check_url(s->pub.api_url);
	if (wrong != NULL)
		diag_error(l->diag, own ? config_pos(s->node, "api_url") : s->node->pos,
			"api_url: %s", wrong);
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

static void inherit(struct loader *l, struct str *own, const struct yaml_node *node,
	const char *key, struct str from)
{
	(void)l;
	if (own->n == 0 && !config_given(node, key))
		*own = from;
}

static void check_headers(struct loader *l, const struct conf_email *s)
{
	const struct yaml_node *node = yaml_get(s->node, STR("headers"));

	for (size_t i = 0; i < s->pub.n_headers; i++) {
		struct str name = s->pub.headers[i].name;
		struct diag_pos at = i < node->n ? node->pairs[i].key->pos : node->pos;
		bool bad = name.n == 0;

		for (size_t k = 0; k < name.n; k++)
			bad = bad || name.p[k] <= ' ' || name.p[k] == ':' || name.p[k] == 0x7f;
		if (bad)
			diag_error(l->diag, at, "headers: not a header name");
		if (has_control(s->pub.headers[i].value))
			diag_error(
				l->diag, at, "headers: a value must not hold control characters");
		for (size_t k = 0; k < i && i < 1000; k++) {
			if (str_eq_nocase(name, s->pub.headers[k].name))
				diag_error(l->diag, at, "headers: \"" STR_FMT "\" stands twice",
					STR_ARG(name));
		}
	}
}

static void finish_email(struct loader *l, struct conf_email *s)
{
	const struct conf_global *g = &l->p->root.global;
	struct email_config *c = &s->pub;
	const char *wrong;

	inherit(l, &c->from, s->node, "from", g->smtp_from);
	inherit(l, &c->smarthost, s->node, "smarthost", g->smtp_smarthost);
	inherit(l, &c->hello, s->node, "hello", g->smtp_hello);
	inherit(l, &c->auth_username, s->node, "auth_username", g->smtp_auth_username);
	inherit(l, &c->auth_identity, s->node, "auth_identity", g->smtp_auth_identity);
	if (!config_given(s->node, "auth_password_file"))
		inherit(l, &c->auth_password, s->node, "auth_password", g->smtp_auth_password);
	if (!config_given(s->node, "require_tls"))
		c->require_tls = g->smtp_require_tls;
	if (!config_given(s->node, "tls_config"))
		s->tls = g->smtp_tls;
	c->ca_file = s->tls.ca_file;
	c->server_name = s->tls.server_name;
	c->insecure_skip_verify = s->tls.insecure_skip_verify;
	if (c->from.n == 0)
		diag_error(
			l->diag, s->node->pos, "no sender: give from here or smtp_from in global");
	if (c->smarthost.n == 0) {
		diag_error(l->diag, s->node->pos,
			"no mail server: give smarthost here or smtp_smarthost in global");
	} else {
		wrong = config_check_host_port(c->smarthost, true);
		if (wrong != NULL)
			diag_error(
				l->diag, config_pos(s->node, "smarthost"), "smarthost: %s", wrong);
	}
	if (has_control(c->to) || has_control(c->from) || has_control(c->hello))
		diag_error(l->diag, s->node->pos,
			"to, from and hello must not hold control characters");
	check_headers(l, s);
}

static void finish_webhook(struct loader *l, struct conf_webhook *s)
{
	const struct conf_webhook_http *h = &s->http;
	int given = config_given(h->node, "basic_auth") + config_given(h->node, "authorization") +
		    (config_given(h->node, "bearer_token") ||
			    config_given(h->node, "bearer_token_file"));
	const char *wrong = s->pub.url.n > 0 ? config_check_url(s->pub.url) : NULL;

	if (wrong != NULL)
		diag_error(l->diag, config_pos(s->node, "url"), "url: %s", wrong);
	if (given > 1)
		diag_error(l->diag, h->node->pos,
			"at most one of basic_auth, authorization and bearer_token may be given");
	if (h->auth.node != NULL && !str_eq_nocase(h->auth.type, STR("Bearer")))
		diag_error(l->diag, config_pos(h->auth.node, "type"),
			"authorization of type \"" STR_FMT "\" is not supported by this version; "
			"only Bearer is",
			STR_ARG(h->auth.type));
	s->pub.basic_user = h->basic.username;
	s->pub.basic_password = h->basic.password;
	s->pub.bearer = h->auth.credentials.n > 0 ? h->auth.credentials : h->bearer;
	if (s->pub.timeout_ms == 0)
		s->pub.timeout_ms = LIMIT_SEND_TIMEOUT_MS;
}

static void finish_receiver(struct loader *l, struct conf_receiver *s, struct receiver_config *out)
{
	struct slack_config *slack = ARENA_ARRAY(l->arena, s->n_slack, struct slack_config);
	struct email_config *email = ARENA_ARRAY(l->arena, s->n_email, struct email_config);
	struct webhook_config *webhook = ARENA_ARRAY(l->arena, s->n_webhook, struct webhook_config);

	struct integration *v =
		ARENA_ARRAY(l->arena, s->n_slack + s->n_email + s->n_webhook, struct integration);
	size_t n = 0;

	if (slack == NULL || email == NULL || webhook == NULL || v == NULL)
		return;
	for (size_t i = 0; i < s->n_slack; i++) {
		finish_slack(l, &s->slack[i]);
		slack[i] = s->slack[i].pub;
		v[n++] = (struct integration){INT_SLACK, i, slack[i].send_resolved, &slack[i]};
	}
	for (size_t i = 0; i < s->n_email; i++) {
		finish_email(l, &s->email[i]);
		email[i] = s->email[i].pub;
		v[n++] = (struct integration){INT_EMAIL, i, email[i].send_resolved, &email[i]};
	}
	for (size_t i = 0; i < s->n_webhook; i++) {
		finish_webhook(l, &s->webhook[i]);
		webhook[i] = s->webhook[i].pub;
		v[n++] =
			(struct integration){INT_WEBHOOK, i, webhook[i].send_resolved, &webhook[i]};
	}
	*out = (struct receiver_config){s->name, v, n};
}

/* ---- matchers ---- */

struct matcher_list {
	struct matcher *v;
	size_t n, cap;
};

static void add_matchers(struct loader *l, struct matcher_list *list, struct matcher *m, size_t n)
{
	size_t need = list->n + n;

	if (n == 0)
		return; /* "{}" */
	if (need > list->cap) {
		size_t cap = MAX_OF(need, list->cap * 2);
		struct matcher *v = ARENA_ARRAY(l->arena, cap, struct matcher);

		if (v == NULL) {
			for (size_t i = 0; i < n; i++)
				matcher_fini(&m[i]);
			return;
		}
		if (list->n > 0)
			memcpy(v, list->v, list->n * sizeof *v);
		list->v = v;
		list->cap = cap;
	}
	memcpy(list->v + list->n, m, n * sizeof *m);
	list->n = need;
}

static void matcher_line(struct loader *l, const struct yaml_node *node, struct matcher_list *list)
{
	struct matcher *m;
	struct str text;
	struct err e = {0};
	size_t n;

	if (node->kind == YAML_NULL) {
		diag_error(l->diag, node->pos, "empty entry in matchers");
		return;
	}
	if (!config_scalar(l, "matchers", node, &text))
		return;
	if (matchers_parse(l->arena, text, &m, &n, &e) == 0)
		add_matchers(l, list, m, n);
	else
		diag_error(l->diag,
			text.p == node->scalar.p ? yaml_scalar_pos(node, e.off, 1) : node->pos,
			"matchers: %s", e.msg);
}

static void matcher_map(struct loader *l, const char *key, enum matcher_op op,
	const struct yaml_node *node, struct matcher_list *list)
{
	if (node == NULL)
		return;
	if (node->kind != YAML_MAP) {
		diag_error(l->diag, node->pos, "%s must be a map of labels and values", key);
		return;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_pair *p = &node->pairs[i];
		struct matcher m;
		struct str value;
		struct err e = {0};

		if (p->key->scalar.n == 0)
			diag_error(l->diag, p->key->pos, "%s: empty label name", key);
		else if (op == MATCH_RE && p->value->kind == YAML_NULL)
			diag_error(l->diag, p->key->pos, "%s: \"" STR_FMT "\" has no expression",
				key, STR_ARG(p->key->scalar));
		else if (!config_scalar(l, key, p->value, &value))
			continue;
		else if (matcher_init(&m, op, p->key->scalar, value, &e) != 0)
			diag_error(l->diag, p->value->pos, "%s: %s", key, e.msg);
		else
			add_matchers(l, list, &m, 1);
	}
}

static void finish_matchers(struct loader *l, struct conf_route *r)
{
	const struct yaml_node *lines = r->matcher_lines;
	struct matcher_list list = {NULL, 0, 0};
	struct config_matchers *keep;

	matcher_map(l, "match", MATCH_EQ, r->match, &list);
	matcher_map(l, "match_re", MATCH_RE, r->match_re, &list);
	if (lines != NULL && lines->kind == YAML_SEQ) {
		for (size_t i = 0; i < lines->n; i++)
			matcher_line(l, lines->items[i], &list);
	} else if (lines != NULL) {
		matcher_line(l, lines, &list);
	}
	r->matchers = list.v;
	r->n_matchers = list.n;
	if (list.n == 0)
		return;
	keep = ARENA_NEW(l->arena, struct config_matchers);
	if (keep == NULL) {
		for (size_t i = 0; i < list.n; i++)
			matcher_fini(&list.v[i]);
		r->n_matchers = 0;
		return;
	}
	*keep = (struct config_matchers){list.v, list.n, l->p->matchers};
	l->p->matchers = keep;
}

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

static void inherit_route(struct conf_route *r, const struct conf_route *up)
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
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as the file, LIMIT_YAML_DEPTH */
static void finish_route(struct loader *l, struct conf_route *r, const struct conf_route *up,
	bool up_group_all, struct route_config *out)
{
	struct route_config *below = ARENA_ARRAY(l->arena, r->n_routes, struct route_config);
	bool own_group = r->n_group_by > 0;

	finish_matchers(l, r);
	check_receiver(l, r);
	check_group_by(l, r, out);
	if (!own_group)
		out->group_by_all = up_group_all;
	inherit_route(r, up);
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
	static const struct conf_route top = {
		.group_wait_ms = 5000, .group_interval_ms = 60000, .repeat_interval_ms = 14400000};
	struct conf_root *r = &l->p->root;
	struct notify_config *out = &l->p->pub.notify;
	struct receiver_config *v = ARENA_ARRAY(l->arena, r->n_receivers, struct receiver_config);

	for (size_t i = 0; v != NULL && i < r->n_receivers; i++) {
		struct conf_receiver *one = &r->receivers[i];

		finish_receiver(l, one, &v[i]);
		for (size_t k = 0; k < i; k++) {
			if (one->name.n > 0 && str_eq(r->receivers[k].name, one->name)) {
				diag_error(l->diag, config_pos(one->node, "name"),
					"receiver \"" STR_FMT "\" stands twice; first in line %u",
					STR_ARG(one->name),
					config_pos(r->receivers[k].node, "name").line);
				break;
			}
		}
	}
	if (r->route.node != NULL)
		finish_route(l, &r->route, &top, false, &out->root);
	check_root(l, r);
	out->receivers = v;
	out->n_receivers = v != NULL ? r->n_receivers : 0;
	out->external_url = r->web.external_url;
	out->expiry_ms = LIMIT_OUTBOX_EXPIRY_MS;
}

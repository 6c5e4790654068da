/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_schema_notify - the keys of Alertmanager's part of belfry.yml; and look-ups over the whole
 * table.
 */
#include "agent/config_schema.h"
#include "base/num.h"

#define YEAR INT64_C(31536000000)

/* ---- routes ---- */

static const struct config_key route_keys[] = {
	CK(CT_STR, struct conf_route, receiver, "receiver", NULL, 0,
		"Who is told; the parent's when not given."),
	CK(CT_NODE, struct conf_route, matcher_lines, "matchers", NULL, 0,
		"Alerts this route takes: a list such as severity=\"critical\"; all must match."),
	CK(CT_NODE, struct conf_route, match, "match", NULL, 0,
		"Older form: a map of labels and values."),
	CK(CT_NODE, struct conf_route, match_re, "match_re", NULL, 0,
		"Older form: a map of labels and regular expressions."),
	CK(CT_STRS, struct conf_route, group_by, "group_by", NULL, CF_NAMES,
		"Labels whose values make a group, one message each; ['...']: every alert apart."),
	CK(CT_DUR, struct conf_route, group_wait_ms, "group_wait", NULL, 0,
		"A new group waits this long for more alerts. 5s at the root."),
	CK_RANGE(CT_DUR, struct conf_route, group_interval_ms, "group_interval", NULL, 0, 1, YEAR,
		"Least time between messages about a group that changed. 1m at the root."),
	CK_RANGE(CT_DUR, struct conf_route, repeat_interval_ms, "repeat_interval", NULL, 0, 1, YEAR,
		"A group that did not change is told again after this. 4h at the root."),
	CK(CT_BOOL, struct conf_route, continue_, "continue", "false", 0,
		"Alerts of this route are offered to the following ones too."),
	CK(CT_MATCHERS, struct conf_route, matchers, "matchers", NULL, 0,
		NULL), /* what is printed */
	CK_SUB(CT_LIST, struct conf_route, routes, "routes", config_route, 0, "Routes below."),
	CK(CT_STRS, struct conf_route, mute, "mute_time_intervals", NULL, 0,
		"Inside any of these time intervals nothing is told; not inherited."),
	CK(CT_STRS, struct conf_route, active, "active_time_intervals", NULL, 0,
		"Outside all of these time intervals nothing is told; not inherited."),
	CK(CT_LABELS, struct conf_route, labels, "labels", NULL, 0,
		"What templates and webhooks know as routeLabels, added to the parent's."),
};
const struct config_section config_route = CONFIG_SECTION("route", route_keys, struct conf_route,
	"Which receiver is told of which alerts, and how they are grouped. The first route below "
	"that matches takes an alert; the root takes what no other does.");

/* ---- inhibition ---- */

static const struct config_key inhibit_keys[] = {
	CK(CT_STR, struct conf_inhibit, name, "name", NULL, 0, "For people."),
	CK(CT_NODE, struct conf_inhibit, source_lines, "source_matchers", NULL, 0,
		"Alerts that inhibit others while they fire."),
	CK(CT_NODE, struct conf_inhibit, source_match, "source_match", NULL, 0,
		"Older form: a map of labels and values."),
	CK(CT_NODE, struct conf_inhibit, source_match_re, "source_match_re", NULL, 0,
		"Older form: a map of labels and regular expressions."),
	CK(CT_MATCHERS, struct conf_inhibit, source, "source_matchers", NULL, 0, NULL),
	CK(CT_NODE, struct conf_inhibit, target_lines, "target_matchers", NULL, 0,
		"Alerts that are not told meanwhile."),
	CK(CT_NODE, struct conf_inhibit, target_match, "target_match", NULL, 0,
		"Older form: a map of labels and values."),
	CK(CT_NODE, struct conf_inhibit, target_match_re, "target_match_re", NULL, 0,
		"Older form: a map of labels and regular expressions."),
	CK(CT_MATCHERS, struct conf_inhibit, target, "target_matchers", NULL, 0, NULL),
	CK(CT_STRS, struct conf_inhibit, equal, "equal", NULL, CF_NAMES,
		"Labels that both alerts must have the same value of; a missing one is empty."),
};
const struct config_section config_inhibit = CONFIG_SECTION("inhibit_rules[]", inhibit_keys,
	struct conf_inhibit, "An alert is not told while another one fires that explains it.");

/* ---- how notifications behave ---- */

static const struct config_key notifications_keys[] = {
	CK(CT_BOOL, struct conf_notifications, group_ticks, "group_ticks", "false", 0,
		"Groups are looked at every group_interval only, as Alertmanager does; repetitions "
		"then slip to the next one. Otherwise times are kept to the second."),
	CK(CT_BOOL, struct conf_notifications, resolve_at_once, "resolve_at_once", "true", 0,
		"A group that is over is told so at once, without waiting for group_interval."),
	CK(CT_BOOL, struct conf_notifications, resolve_suppressed, "resolve_suppressed", "true", 0,
		"An alert that was told, and silenced, inhibited or muted afterwards, is told when "
		"it ends."),
};
const struct config_section config_notifications =
	CONFIG_SECTION("notifications", notifications_keys, struct conf_notifications,
		"When messages are sent, beyond the routes.");

/* ---- look-ups ---- */

const struct config_key *config_key_find(const struct config_section *s, struct str name)
{
	for (size_t i = 0; i < s->n; i++) {
		if (str_eq(str_c(s->keys[i].name), name))
			return &s->keys[i];
	}
	return NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion): the table nests 4 levels; routes are left out */
static const char *find_in(const struct config_section *s, struct str name, unsigned depth)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct config_section *sub = s->keys[i].sub;
		const char *found;

		if (sub == NULL || sub == s || depth > 6)
			continue;
		if (config_key_find(sub, name) != NULL)
			return sub->name;
		found = find_in(sub, name, depth + 1);
		if (found != NULL)
			return found;
	}
	return NULL;
}

const char *config_key_elsewhere(struct str name)
{
	if (config_key_find(&config_root, name) != NULL)
		return "";
	return find_in(&config_root, name, 0);
}

bool config_key_is_secret(struct str name)
{
	static const char *const parts[] = {"password", "passwd", "secret", "token", "credential",
		"api_key", "apikey", "routing_key", "service_key", "user_key", "webhook_url",
		"slack_api_url", "private_key", "http_headers"};

	if (str_ends(name, STR("_file")))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (str_has(name, str_c(parts[i])))
			return true;
	}
	return str_eq(name, STR("api_url")) || str_eq(name, STR("url")) ||
	       str_eq(name, STR("key")) || str_eq(name, STR("topic"));
}

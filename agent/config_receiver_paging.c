/* SPDX-License-Identifier: Apache-2.0 */
/* config_receiver_paging - services that wake people: PagerDuty, Opsgenie, Pushover. */
#include "agent/config_receiver.h"
#include "base/num.h"

#define TEXT(S, field, key, text) CK(CT_STR, S, field, key, NULL, CF_TEMPLATE, text)

/* ---- PagerDuty ---- */

struct conf_pd_link {
	const struct yaml_node *node;
	struct pagerduty_link pub;
};
struct conf_pd_image {
	const struct yaml_node *node;
	struct pagerduty_image pub;
};
struct conf_pagerduty {
	struct conf_kind head;
	struct pagerduty_config pub;
	struct str service_key;
	const struct yaml_node *details;
	struct conf_pd_link *links;
	size_t n_links;
	struct conf_pd_image *images;
	size_t n_images;
};

static const struct config_key link_keys[] = {
	TEXT(struct conf_pd_link, pub.href, "href", "Where it leads."),
	TEXT(struct conf_pd_link, pub.text, "text", "What it says."),
};
static const struct config_section link_section =
	CONFIG_SECTION("receivers[].pagerduty_configs[].links[]", link_keys, struct conf_pd_link,
		"A link of the incident.");

static const struct config_key image_keys[] = {
	TEXT(struct conf_pd_image, pub.src, "src", "Its address."),
	TEXT(struct conf_pd_image, pub.alt, "alt", "What stands for it."),
	TEXT(struct conf_pd_image, pub.href, "href", "Where it leads."),
};
static const struct config_section image_section =
	CONFIG_SECTION("receivers[].pagerduty_configs[].images[]", image_keys, struct conf_pd_image,
		"An image of the incident.");

#define PD(field, key, text) TEXT(struct conf_pagerduty, pub.field, key, text)

static const struct config_key pagerduty_keys[] = {
	CK_KIND(struct conf_pagerduty, "true"),
	CK(CT_STR, struct conf_pagerduty, pub.routing_key, "routing_key", NULL, CF_SECRET,
		"Integration key of the service (events API, version 2)."),
	CK(CT_STR, struct conf_pagerduty, service_key, "service_key", NULL,
		CF_SECRET | CF_CHECK_ONLY, "Of the events API, version 1: checked only."),
	CK(CT_STR, struct conf_pagerduty, pub.url, "url", NULL, 0,
		"Address of the events API; global.pagerduty_url when not given."),
	PD(description, "description", "Title of the incident."),
	PD(severity, "severity",
		"critical, error, warning or info; of the alerts' label severity when not given."),
	PD(source, "source", "What is affected; the alerts' instance, job or service."),
	PD(class_, "class", "Kind of the event."),
	PD(component, "component", "Part at fault."),
	PD(group, "group", "Group of parts."),
	PD(client, "client", "Who watches: belfry."),
	PD(client_url, "client_url", "Link to who watches."),
	{.name = "details",
		.type = CT_NODE,
		.flags = CF_SHOWN,
		.off = offsetof(struct conf_pagerduty, details),
		.choices = "map",
		.doc = "Further details; belfry's own are kept unless they have the same names. "
		       "Texts are templates."},
	CK_SUB(CT_LIST, struct conf_pagerduty, links, "links", link_section, 0, NULL),
	CK_SUB(CT_LIST, struct conf_pagerduty, images, "images", image_section, 0, NULL),
	CK(CT_DUR, struct conf_pagerduty, pub.timeout_ms, "timeout", "0s", 0,
		"Time for one attempt. 0: 10s."),
};
RECEIVER_SECTION(pagerduty, "PagerDuty: an incident a group, resolved when the whole group is.");

static void finish_pagerduty(struct loader *l, void *conf)
{
	struct conf_pagerduty *s = conf;
	struct pagerduty_config *c = &s->pub;
	struct pagerduty_link *links = ARENA_ARRAY(l->arena, s->n_links, struct pagerduty_link);
	struct pagerduty_image *images = ARENA_ARRAY(l->arena, s->n_images, struct pagerduty_image);

	receiver_inherit(&c->url, s->head.node, "url", l->p->root.global.pagerduty_url);
	if (c->url.n == 0)
		c->url = STR("https://events.pagerduty.com/v2/enqueue");
	receiver_url(l, s->head.node, "url", c->url);
	if (!receiver_has(s->head.node, "service_key"))
		receiver_needs(l, s->head.node, "routing_key", NULL);
	if (s->details != NULL && s->details->kind != YAML_MAP && s->details->kind != YAML_NULL)
		diag_error(l->diag, s->details->pos, "details must be a map of keys and values");
	c->details = receiver_tree(l, s->details);
	if (links == NULL || images == NULL)
		return;
	for (size_t i = 0; i < s->n_links; i++)
		links[i] = s->links[i].pub;
	for (size_t i = 0; i < s->n_images; i++)
		images[i] = s->images[i].pub;
	c->links = links;
	c->n_links = s->n_links;
	c->images = images;
	c->n_images = s->n_images;
}
RECEIVER_KIND(pagerduty, INT_PAGERDUTY, true, finish_pagerduty);

/* ---- Opsgenie ---- */

struct conf_responder {
	const struct yaml_node *node;
	struct opsgenie_responder pub;
};
struct conf_opsgenie {
	struct conf_kind head;
	struct opsgenie_config pub;
	struct conf_responder *responders;
	size_t n_responders;
};

static const struct config_key responder_keys[] = {
	TEXT(struct conf_responder, pub.id, "id", "By id, or"),
	TEXT(struct conf_responder, pub.name, "name",
		"by name (of type teams: several, separated by commas), or"),
	TEXT(struct conf_responder, pub.username, "username", "by user name."),
	TEXT(struct conf_responder, pub.type, "type", "team, teams, user, escalation or schedule."),
};
static const struct config_section responder_section =
	CONFIG_SECTION("receivers[].opsgenie_configs[].responders[]", responder_keys,
		struct conf_responder, "Who is told.");

#define OG(field, key, text) TEXT(struct conf_opsgenie, pub.field, key, text)

static const struct config_key opsgenie_keys[] = {
	CK_KIND(struct conf_opsgenie, "true"),
	CK(CT_STR, struct conf_opsgenie, pub.api_key, "api_key", NULL, CF_SECRET,
		"API key; global.opsgenie_api_key when not given."),
	CK(CT_STR, struct conf_opsgenie, pub.api_url, "api_url", NULL, 0,
		"Address of the API; global.opsgenie_api_url when not given."),
	OG(message, "message", "Title, at most 130 characters are sent."),
	OG(description, "description", "Text."),
	OG(source, "source", "Who says so."),
	CK(CT_PAIRS, struct conf_opsgenie, pub.details, "details", NULL, CF_TEMPLATE,
		"Further details beside the common labels."),
	OG(entity, "entity", "What is affected."),
	OG(actions, "actions", "Actions that may be taken, separated by commas."),
	OG(tags, "tags", "Tags, separated by commas."),
	OG(note, "note", "A note."),
	OG(priority, "priority", "P1 to P5; by the label severity when not given."),
	CK_SUB(CT_LIST, struct conf_opsgenie, responders, "responders", responder_section, 0, NULL),
	CK(CT_BOOL, struct conf_opsgenie, pub.update_alerts, "update_alerts", "false", 0,
		"Message and description of an open alert are kept up to date."),
};
RECEIVER_SECTION(opsgenie, "Opsgenie: an alert a group, closed when the whole group is resolved.");

static void check_responder(struct loader *l, const struct conf_responder *r)
{
	static const char *const types[] = {"team", "teams", "user", "escalation", "schedule"};
	bool known = str_has(r->pub.type, STR("{{"));

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		known = known || str_eq_nocase(r->pub.type, str_c(types[i]));
	if (!known)
		diag_error(l->diag, config_pos(r->node, "type"),
			"type of a responder must be team, teams, user, escalation or schedule");
	if (r->pub.id.n == 0 && r->pub.name.n == 0 && r->pub.username.n == 0)
		diag_error(l->diag, r->node->pos, "a responder needs id, name or username");
}

static void finish_opsgenie(struct loader *l, void *conf)
{
	struct conf_opsgenie *s = conf;
	struct opsgenie_config *c = &s->pub;
	const struct conf_global *g = &l->p->root.global;
	struct opsgenie_responder *v =
		ARENA_ARRAY(l->arena, s->n_responders, struct opsgenie_responder);

	receiver_inherit(&c->api_key, s->head.node, "api_key", g->opsgenie_api_key);
	receiver_inherit(&c->api_url, s->head.node, "api_url", g->opsgenie_api_url);
	if (c->api_url.n == 0)
		c->api_url = STR("https://api.opsgenie.com/");
	receiver_url(l, s->head.node, "api_url", c->api_url);
	c->api_url = receiver_with_slash(l, c->api_url);
	receiver_needs(l, s->head.node, "api_key", "opsgenie_api_key");
	for (size_t i = 0; v != NULL && i < s->n_responders; i++) {
		check_responder(l, &s->responders[i]);
		v[i] = s->responders[i].pub;
	}
	c->responders = v;
	c->n_responders = v != NULL ? s->n_responders : 0;
}
RECEIVER_KIND(opsgenie, INT_OPSGENIE, true, finish_opsgenie);

/* ---- Pushover ---- */

struct conf_pushover {
	struct conf_kind head;
	struct pushover_config pub;
};

#define PO(field, key, text) TEXT(struct conf_pushover, pub.field, key, text)

static const struct config_key pushover_keys[] = {
	CK_KIND(struct conf_pushover, "true"),
	CK(CT_STR, struct conf_pushover, pub.user_key, "user_key", NULL, CF_SECRET,
		"Key of the user or group."),
	CK(CT_STR, struct conf_pushover, pub.token, "token", NULL, CF_SECRET,
		"Token of the application."),
	CK(CT_STR, struct conf_pushover, pub.api_url, "api_url", NULL, 0,
		"Address of the API; Pushover's when not given. belfry's own key."),
	PO(title, "title", "Title."),
	PO(message, "message", "Text."),
	PO(url, "url", "Link; the runbook, else belfry's page."),
	PO(url_title, "url_title", "What the link says."),
	PO(device, "device", "Only this device of the user."),
	PO(sound, "sound", "Sound."),
	PO(priority, "priority",
		"-2 to 2. When not given, 2 (until it is acknowledged) while a critical alert "
		"fires, 1 for others, 0 when resolved; Alertmanager's file: 2 while firing."),
	CK_RANGE(CT_DUR, struct conf_pushover, pub.retry_ms, "retry", "1m", 0, 30000, 10800000,
		"Of priority 2: how often it is repeated."),
	CK_RANGE(CT_DUR, struct conf_pushover, pub.expire_ms, "expire", "1h", 0, 30000, 10800000,
		"Of priority 2: how long it is repeated."),
	CK(CT_DUR, struct conf_pushover, pub.ttl_ms, "ttl", "0s", 0,
		"The message is deleted after this. 0: never."),
	CK(CT_BOOL, struct conf_pushover, pub.html, "html", "false", 0, "The text is HTML."),
	CK(CT_BOOL, struct conf_pushover, pub.monospace, "monospace", "false", 0,
		"The text is shown in a fixed pitch."),
};
RECEIVER_SECTION(pushover, "Pushover.");

static void finish_pushover(struct loader *l, void *conf)
{
	struct conf_pushover *s = conf;

	receiver_needs(l, s->head.node, "user_key", NULL);
	receiver_needs(l, s->head.node, "token", NULL);
	if (s->pub.html && s->pub.monospace)
		diag_error(l->diag, config_pos(s->head.node, "monospace"),
			"at most one of html and monospace may be given");
	if (l->alertmanager && s->pub.priority.n == 0)
		s->pub.priority = STR("{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}");
	if (s->pub.api_url.n == 0)
		s->pub.api_url = STR("https://api.pushover.net/1/messages.json");
	receiver_url(l, s->head.node, "api_url", s->pub.api_url);
}
RECEIVER_KIND(pushover, INT_PUSHOVER, true, finish_pushover);

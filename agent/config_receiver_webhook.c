/* SPDX-License-Identifier: Apache-2.0 */
/* config_receiver_webhook - webhook_configs: any HTTP server. */
#include "agent/config_receiver.h"
#include "base/limits.h"

struct conf_webhook {
	struct conf_kind head;
	struct webhook_config pub;
	const struct yaml_node *payload;
};

static const struct config_key webhook_keys[] = {
	CK_KIND(struct conf_webhook, "true"),
	CK(CT_STR, struct conf_webhook, pub.url, "url", NULL, CF_SECRET | CF_REQUIRED,
		"Where messages are posted."),
	CK(CT_UINT, struct conf_webhook, pub.max_alerts, "max_alerts", "0", 0,
		"Alerts in one message; the rest is counted. 0: all."),
	CK(CT_DUR, struct conf_webhook, pub.timeout_ms, "timeout", "0s", 0,
		"Time for one attempt. 0: 10s."),
	{.name = "payload",
		.type = CT_NODE,
		.flags = CF_SHOWN,
		.off = offsetof(struct conf_webhook, payload),
		.choices = "any value",
		.doc = "What is posted as JSON instead of version 4's body; its texts are "
		       "templates, and a text that comes out as YAML of another shape is taken as "
		       "that."},
};
RECEIVER_SECTION(webhook, "Any HTTP server: Alertmanager's webhook, version 4.");

#define TEMPLATED "url: a template in a URL is only checked: belfry cannot run with it"

static void finish_webhook(struct loader *l, void *conf)
{
	struct conf_webhook *s = conf;

	if (!str_has(s->pub.url, STR("{{")))
		receiver_url(l, s->head.node, "url", s->pub.url);
	else if (l->check)
		diag_warn(l->diag, config_pos(s->head.node, "url"), "%s", TEMPLATED);
	else
		diag_error(l->diag, config_pos(s->head.node, "url"), "%s", TEMPLATED);
	s->pub.payload = receiver_tree(l, s->payload);
	s->pub.send_resolved = s->head.send_resolved;
	if (s->pub.timeout_ms == 0)
		s->pub.timeout_ms = LIMIT_SEND_TIMEOUT_MS;
}

RECEIVER_KIND(webhook, INT_WEBHOOK, true, finish_webhook);

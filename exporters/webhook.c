/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook - Alertmanager's generic webhook body, version 4 (reference notify.md C).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/jsonw.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/integration.h"
#include "exporters/message.h"
#include "exporters/notify_template.h"

static const struct str zero_time = {"0001-01-01T00:00:00Z", 20};

static void alert(const struct message *m, const struct message_alert *al, struct jsonw *j)
{
	struct buf url;
	char fp[17];

	(void)snprintf(fp, sizeof fp, "%016llx", (unsigned long long)al->fingerprint);
	buf_init(&url, 8192);
	message_graph_url(m, al, &url);
	jsonw_object(j);
	jsonw_kv_c(j, "status", al->firing ? "firing" : "resolved");
	jsonw_key(j, "labels");
	jsonw_labels(j, al->labels);
	jsonw_key(j, "annotations");
	jsonw_labels(j, al->annotations);
	jsonw_key(j, "startsAt");
	jsonw_rfc3339(j, al->starts_at_ms);
	jsonw_key(j, "endsAt");
	if (al->firing)
		jsonw_str(j, zero_time);
	else
		jsonw_rfc3339(j, al->ends_at_ms);
	jsonw_kv_str(j, "generatorURL", buf_view(&url));
	jsonw_kv_c(j, "fingerprint", fp);
	/* beyond version 4: what the receiver would otherwise have to ask for */
	jsonw_kv_f64(j, "value", al->value);
	jsonw_kv_f64(j, "currentValue", al->current);
	jsonw_kv_f64(j, "worstValue", al->worst);
	jsonw_object_end(j);
	buf_fini(&url);
}

/* What the route says of its alerts: templates over the group, as the function routeLabels. */
static void route_labels(const struct message *m, struct jsonw *j)
{
	struct chat_form f = {.m = m};
	struct buf b;

	buf_init(&f.note, 4096);
	buf_init(&b, (size_t)64 << 10);
	jsonw_key(j, "routeLabels");
	jsonw_object(j);
	for (size_t i = 0; i < m->route_labels.n; i++) {
		buf_reset(&b);
		(void)chat_expand(&f, m->route_labels.v[i].value, "labels of the route", 16384, &b);
		jsonw_key_str(j, m->route_labels.v[i].name);
		jsonw_str(j, buf_view(&b));
	}
	jsonw_object_end(j);
	buf_fini(&b);
	buf_fini(&f.note);
}

static void put_receiver(const struct message *m, struct jsonw *j)
{
	struct arena a;

	arena_init(&a, (size_t)64 << 10);
	jsonw_kv_str(j, "receiver", notify_template_receiver(&a, m->receiver));
	arena_fini(&a);
}

/* The configured body instead of ours. */
static void payload_of(const struct message *m, const struct webhook_config *c, struct buf *out)
{
	struct chat_form f = {.m = m};
	struct jsonw j;

	buf_init(&f.note, 4096);
	jsonw_init(&j, out);
	value_tree_write(&j, c->payload, &f);
	buf_fini(&f.note);
}

void webhook_render(const struct message *m, const struct webhook_config *c, struct buf *out)
{
	size_t n = c->max_alerts > 0 ? MIN_OF(m->n, (size_t)c->max_alerts) : m->n, written = 0;
	struct jsonw j;

	if (c->payload != NULL) {
		payload_of(m, c, out);
		return;
	}
	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_kv_c(&j, "version", "4");
	jsonw_kv_str(&j, "groupKey", m->group_key);
	put_receiver(m, &j);
	jsonw_kv_c(&j, "status", m->firing ? "firing" : "resolved");
	jsonw_kv_c(&j, "notification_reason", message_reason_text(m->reason));
	jsonw_key(&j, "groupLabels");
	jsonw_labels(&j, m->group_labels);
	jsonw_key(&j, "commonLabels");
	jsonw_labels(&j, m->common_labels);
	jsonw_key(&j, "commonAnnotations");
	jsonw_labels(&j, m->common_annotations);
	route_labels(m, &j);
	jsonw_kv_str(&j, "externalURL", m->external_url);
	jsonw_kv_str(&j, "dedupKey", m->id);
	if (m->note.n > 0)
		jsonw_kv_str(&j, "note", m->note);
	jsonw_key(&j, "alerts");
	jsonw_array(&j);
	/* ten thousands of alerts do not fit: the worst come first */
	for (; written < n && out->n < out->max / 2; written++)
		alert(m, &m->alerts[written], &j);
	jsonw_array_end(&j);
	jsonw_kv_i64(&j, "truncatedAlerts", (int64_t)(m->n - written));
	jsonw_object_end(&j);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	(void)e;
	webhook_render(m, in->conf, payload);
	return 0;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct webhook_config *c = in->conf;
	struct send_request *req = integration_http(c->url, c->timeout_ms, d);

	if (integration_http_options(req, &c->http, e) == 0)
		return req;
	send_request_free(req);
	return NULL;
}

const struct integration_type integration_webhook = {
	.name = "webhook", .parallel = 4, .pairs = true, .render = render, .request = request};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * webhook - Alertmanager's generic webhook body, version 4 (reference notify.md C).
 */
#include <stdio.h>

#include "base/json.h"
#include "base/num.h"
#include "exporters/message.h"

static const struct str zero_time = {"0001-01-01T00:00:00Z", 20};

static void alert(const struct message *m, const struct message_alert *al, struct json *j)
{
	struct buf url;
	char fp[17];

	(void)snprintf(fp, sizeof fp, "%016llx", (unsigned long long)al->fingerprint);
	buf_init(&url, 8192);
	message_graph_url(m, al, &url);
	json_object(j);
	json_kv_c(j, "status", al->firing ? "firing" : "resolved");
	json_key(j, "labels");
	json_labels(j, al->labels);
	json_key(j, "annotations");
	json_labels(j, al->annotations);
	json_key(j, "startsAt");
	json_rfc3339(j, al->starts_at_ms);
	json_key(j, "endsAt");
	if (al->firing)
		json_str(j, zero_time);
	else
		json_rfc3339(j, al->ends_at_ms);
	json_kv_str(j, "generatorURL", buf_view(&url));
	json_kv_c(j, "fingerprint", fp);
	/* beyond version 4: what the receiver would otherwise have to ask for */
	json_kv_f64(j, "value", al->value);
	json_kv_f64(j, "currentValue", al->current);
	json_kv_f64(j, "worstValue", al->worst);
	json_object_end(j);
	buf_fini(&url);
}

void webhook_render(const struct message *m, const struct webhook_config *c, struct buf *out)
{
	size_t n = c->max_alerts > 0 ? MIN_OF(m->n, (size_t)c->max_alerts) : m->n;
	struct json j;

	json_init(&j, out);
	json_object(&j);
	json_kv_c(&j, "version", "4");
	json_kv_str(&j, "groupKey", m->group_key);
	json_kv_i64(&j, "truncatedAlerts", (int64_t)(m->n - n));
	json_kv_str(&j, "receiver", m->receiver);
	json_kv_c(&j, "status", m->firing ? "firing" : "resolved");
	json_kv_c(&j, "notification_reason", message_reason_text(m->reason));
	json_key(&j, "groupLabels");
	json_labels(&j, m->group_labels);
	json_key(&j, "commonLabels");
	json_labels(&j, m->common_labels);
	json_key(&j, "commonAnnotations");
	json_labels(&j, m->common_annotations);
	json_kv_str(&j, "externalURL", m->external_url);
	json_kv_str(&j, "dedupKey", m->id);
	json_key(&j, "alerts");
	json_array(&j);
	for (size_t i = 0; i < n; i++)
		alert(m, &m->alerts[i], &j);
	json_array_end(&j);
	json_object_end(&j);
}

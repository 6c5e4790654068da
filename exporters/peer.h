/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peer - Alertmanagers that are handed the alerts of belfry's rules (`alerting.alertmanagers`), as
 * Prometheus does it (reference notify.md E): firing ones again every minute with endsAt four
 * resend delays ahead, resolved ones at once and for 15 minutes more.
 *
 * What a peer holds is a state that is told again, so nothing is stored here: what a peer missed
 * comes with the next round, and what waits longer than a round is superseded and dropped.
 *
 *   rule threads: peers_sink ─► update ─► peer thread: table of alerts ─► packets of 64
 *                 (passes the batch on)          one queue a peer ─► sender ─► result ─┘
 *
 * One thread owns table and queues (started with the first peer); all that reaches it are messages
 * of one queue. A slow peer has its own queue and one request at a time: it delays nobody.
 */
#ifndef BELFRY_EXPORTERS_PEER_H
#define BELFRY_EXPORTERS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/labels.h"
#include "base/relabel.h"
#include "exporters/notify.h"
#include "exporters/sender.h"
#include "rules/alert_event.h"

/* One entry of `alertmanagers`: Alertmanagers that are spoken to alike. Plain data in the
 * configuration's arena. */
struct peer_group_config {
	const struct str *urls; /* http://host:9093/prefix/api/v2/alerts */
	size_t n_urls;
	const struct str *dropped; /* by relabel_configs: shown only */
	size_t n_dropped;
	int64_t timeout_ms;
	struct http_options http;
	const struct relabel_rule *relabel; /* its alert_relabel_configs */
	size_t n_relabel;
};
struct peer_config {
	const struct peer_group_config *groups;
	size_t n_groups;
	const struct relabel_rule *relabel; /* alerting.alert_relabel_configs */
	size_t n_relabel;
	struct labels external_labels;
	struct str external_url;
	int64_t evaluation_interval_ms;
};

struct peers;

/* cfg is borrowed until peers_free, or until a peers_reload with another returned. notify is asked
 * which alerts fire when peers are configured later than they fired; NULL: nobody is asked. */
int peers_new(struct peers **out, const struct peer_config *cfg, struct notify *notify,
	struct sender sender, struct err *e) MUST_CHECK;
/* The sink for rules: passes every batch on to `next`, and costs nothing without peers. Once,
 * before rules start. */
struct alert_sink peers_sink(struct peers *p, struct alert_sink next);
/* Waits until the peer thread took it. Everything is told to the new peers at once. */
void peers_reload(struct peers *p, const struct peer_config *cfg);
/* After rules have stopped: nothing more is sent. */
void peers_stop(struct peers *p);
/* After the sender was stopped (it reports to us). NULL is fine. */
void peers_free(struct peers *p);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * state_schema - state.db: times are Unix ms, label sets are blobs of (varint length, bytes) pairs
 * in name order.
 */
#include "storage/state_schema.h"

#include "base/num.h"

static const char version_1[] =
	/* last finished slot of a rule group (file;group) */
	"CREATE TABLE rule_group(key TEXT PRIMARY KEY, slot_ms INTEGER NOT NULL) WITHOUT ROWID;"
	/* every pending or firing alert: written at transitions, read at start */
	"CREATE TABLE alert(rule_key TEXT NOT NULL, fingerprint INTEGER NOT NULL, state INTEGER "
	"NOT NULL,"
	" labels BLOB NOT NULL, annotations BLOB NOT NULL, active_at_ms INTEGER NOT NULL,"
	" fired_at_ms INTEGER NOT NULL, keep_firing_since_ms INTEGER NOT NULL, value REAL, current "
	"REAL,"
	" worst REAL, PRIMARY KEY(rule_key, fingerprint)) WITHOUT ROWID;"
	/* notifier: instance id and counter of message ids */
	"CREATE TABLE notify_meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	/* groups of alerts; sent: what each integration was told last (exporters/notify_store.c) */
	"CREATE TABLE notify_group(key TEXT PRIMARY KEY, route TEXT NOT NULL, labels BLOB NOT NULL,"
	" incident_ms INTEGER NOT NULL, flushed_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,"
	" sent BLOB NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE notify_member(group_key TEXT NOT NULL, fingerprint INTEGER NOT NULL,"
	" labels BLOB NOT NULL, annotations BLOB NOT NULL, firing INTEGER NOT NULL,"
	" starts_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, value REAL, current REAL, worst "
	"REAL,"
	" threshold REAL, op TEXT NOT NULL, rule TEXT NOT NULL, rule_group TEXT NOT NULL,"
	" expr TEXT NOT NULL, PRIMARY KEY(group_key, fingerprint, labels)) WITHOUT ROWID;"
	/* messages until the receiver accepted them; kind: 0 slack, 1 email, 2 webhook */
	"CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, message_id TEXT NOT NULL UNIQUE,"
	" receiver TEXT NOT NULL, kind INTEGER NOT NULL, idx INTEGER NOT NULL, group_key TEXT NOT "
	"NULL,"
	" title TEXT NOT NULL, firing INTEGER NOT NULL, payload BLOB NOT NULL, created_ms INTEGER "
	"NOT NULL,"
	" expires_ms INTEGER NOT NULL, next_ms INTEGER NOT NULL, attempts INTEGER NOT NULL,"
	" degraded INTEGER NOT NULL, parked INTEGER NOT NULL, error TEXT NOT NULL);"
	/* what became of messages: delivered, parked, expired; the newest are kept */
	"CREATE TABLE notify_history(id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL,"
	" message_id TEXT NOT NULL, receiver TEXT NOT NULL, kind INTEGER NOT NULL, title TEXT NOT "
	"NULL,"
	" outcome TEXT NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL);";

/* whom `sent` speaks of: a configuration may name others later; '' in rows of version 1 */
static const char version_2[] =
	"ALTER TABLE notify_group ADD COLUMN receiver TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE notify_group ADD COLUMN n_slack INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE notify_group ADD COLUMN n_email INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE notify_group ADD COLUMN n_sent INTEGER NOT NULL DEFAULT 0;";

/* one block a part */
static const char version_3[] =
	/* dispatcher: silences, alerts from outside */
	"CREATE TABLE silence(id TEXT PRIMARY KEY, matchers BLOB NOT NULL, starts_ms INTEGER NOT "
	"NULL,"
	" ends_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, created_by TEXT NOT NULL,"
	" comment TEXT NOT NULL, annotations BLOB NOT NULL, recurring TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE external_alert(labels BLOB PRIMARY KEY, annotations BLOB NOT NULL,"
	" starts_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,"
	" timed_out INTEGER NOT NULL, generator_url TEXT NOT NULL) WITHOUT ROWID;"
	/* delivery: what an integration keeps about a thread (Slack's ts), steps, acknowledgements
	 */
	"CREATE TABLE thread_data(thread TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, data TEXT NOT "
	"NULL)"
	" WITHOUT ROWID;"
	"ALTER TABLE outbox ADD COLUMN thread TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE outbox ADD COLUMN step INTEGER NOT NULL DEFAULT 0;"
	/* content: the message packed, or NULL; ends: resolved alerts it tells, -1: not known;
	 * tried: receivers that gave it up before */
	"ALTER TABLE outbox ADD COLUMN content BLOB;"
	"ALTER TABLE outbox ADD COLUMN ends INTEGER NOT NULL DEFAULT -1;"
	"ALTER TABLE outbox ADD COLUMN first INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE outbox ADD COLUMN tried TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE outbox ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE outbox ADD COLUMN graph TEXT;" /* what its graph shows (exporters/graph.h) */
	"ALTER TABLE outbox ADD COLUMN png INTEGER NOT NULL DEFAULT 0;"
	/* incidents: escalation and acknowledgement (exporters/incident.c) */
	"CREATE TABLE incident(group_key TEXT PRIMARY KEY, incident_ms INTEGER NOT NULL, "
	"started_ms "
	"INTEGER NOT NULL, delivered_ms INTEGER NOT NULL, done BLOB NOT NULL, acked_ms INTEGER NOT "
	"NULL, acked_by TEXT NOT NULL, ack_note TEXT NOT NULL, acked BLOB NOT NULL) WITHOUT ROWID;"
	/* whom `sent` speaks of, one "kind/index" each; NULL in older rows, which use n_slack... */
	"ALTER TABLE notify_group ADD COLUMN told TEXT;"
	/* history: transitions and suppressions of alerts (kind: enum history_kind), attempts of
	 * messages (outcome: enum attempt_outcome), people's marks, links in messages */
	"CREATE TABLE history(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, fingerprint INTEGER "
	"NOT "
	"NULL, kind INTEGER NOT NULL, detail TEXT NOT NULL, value REAL, worst REAL, threshold "
	"REAL, op "
	"TEXT);"
	"CREATE INDEX history_alert_events ON history(fingerprint);"
	"CREATE TABLE history_alert(fingerprint INTEGER PRIMARY KEY, name TEXT NOT NULL, labels "
	"BLOB "
	"NOT NULL, last_ms INTEGER NOT NULL);"
	"CREATE INDEX history_alert_name ON history_alert(name);"
	"CREATE TABLE attempt(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, message_id TEXT NOT "
	"NULL, receiver TEXT NOT NULL, outcome INTEGER NOT NULL, n INTEGER NOT NULL, detail TEXT "
	"NOT "
	"NULL);"
	"CREATE INDEX attempt_message ON attempt(message_id);"
	"CREATE TABLE mark(id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, group_key TEXT NOT NULL,"
	" incident_ms INTEGER NOT NULL, what TEXT NOT NULL, who TEXT NOT NULL, note TEXT NOT NULL);"
	"CREATE TABLE link(token TEXT PRIMARY KEY, group_key TEXT NOT NULL, incident_ms INTEGER "
	"NOT "
	"NULL, labels BLOB NOT NULL, title TEXT NOT NULL, created_ms INTEGER NOT NULL) WITHOUT "
	"ROWID;"
	/* rules: label sets that belfry_absent_after rules know; last_ms 0: it is there */
	"CREATE TABLE alert_seen(rule_key TEXT NOT NULL, labels BLOB NOT NULL, since_ms INTEGER "
	"NOT "
	"NULL,"
	" last_ms INTEGER NOT NULL, PRIMARY KEY(rule_key, labels)) WITHOUT ROWID;"
	/* heartbeats: when belfry's own last beat was due (exporters/watchdog.c) */
	"CREATE TABLE watchdog(id INTEGER PRIMARY KEY CHECK(id = 0), beat_ms INTEGER NOT NULL);";

const char *const state_migrations[] = {version_1, version_2, version_3};
const int state_version = (int)ARRAY_LEN(state_migrations);

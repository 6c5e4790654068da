/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dispatch_rig - the notifier with its state.db, a configuration from text, a clock that stands
 * still until it is told to pass, and receivers (webhooks) whose messages become short lines.
 *
 * One rig a process; all calls from the test's thread.
 */
#ifndef BELFRY_TESTS_LIB_DISPATCH_RIG_H
#define BELFRY_TESTS_LIB_DISPATCH_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "exporters/notify_api.h"

#define RIG_T0 INT64_C(1767225600000) /* Thursday 2026-01-01T00:00:00Z, when each test begins */

/* A webhook receiver with this name, for configurations: "- " RIG_WEBHOOK("w"). */
#define RIG_WEBHOOK(name)                                                                          \
	"{name: " name ", webhook_configs: [{url: 'http://127.0.0.1:1/" name "'}]}"

/* A PagerDuty receiver: lines "p: open 1", "p: close 1", keys counted as they come. */
#define RIG_PAGER(name)                                                                            \
	"{name: " name ", pagerduty_configs: [{url: 'http://127.0.0.1:1/" name                     \
	"', routing_key: k}]}"

void rig_init(void);
void rig_fini(void);
void rig_start(const char *yaml);
void rig_stop(void);
/* Stop and start again with the same state.db; yaml NULL: the same configuration. */
void rig_restart(const char *yaml);
void rig_reload(const char *yaml);
/* The same as rig_restart(NULL), with these statements in state.db between. */
void rig_restart_after(const char *sql);
/* From now on this receiver answers 404. */
void rig_refuse(const char *name);
struct notify *rig_notify(void);
int64_t rig_now(void);

/* A rule of ours: labels as "alertname=A,team=db". Firing again tells of a value only. */
void rig_fire(const char *labels);
void rig_resolve(const char *labels);
/* POST /api/v2/alerts; times in ms after now, 0: not given. Returns the error's text or "". */
const char *rig_post(const char *labels, int64_t starts_ms, int64_t ends_ms);
/* Silences: matchers as amtool writes them, "team=db,severity=~a|b"; id into rig_id. */
const char *rig_silence(const char *matchers, int64_t starts_ms, int64_t ends_ms);
const char *rig_silence_recurring(const char *matchers, const char *recurring, int64_t ends_ms);
extern char rig_id[37];
/* Time goes on; everything that is due then is done. */
void rig_pass(int64_t ms);
/* What receivers were told since the last call, a line each, sorted: "w: A+ B-", + firing, - over;
 * an alert is alertname and, behind a slash, its instance. */
const char *rig_told(void);
/* The group of the last webhook. */
extern char rig_group[512];

#endif

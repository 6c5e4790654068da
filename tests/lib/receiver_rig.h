/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receiver_rig - a message on its way to one of the simple receivers: rendered, made into requests,
 * answered.
 *
 * One at a time: everything is global. rig_setup and rig_teardown are a test's fixture.
 */
#ifndef BELFRY_TESTS_LIB_RECEIVER_RIG_H
#define BELFRY_TESTS_LIB_RECEIVER_RIG_H

#include <jansson.h>

#include "exporters/chat.h"
#include "tests/lib/message_fixture.h"

/* Configurations of each kind; a test that changes one puts it back. */
extern struct pagerduty_config rig_pagerduty;
extern struct opsgenie_config rig_opsgenie;
extern struct msteamsv2_config rig_msteams;
extern struct discord_config rig_discord;
extern struct telegram_config rig_telegram;
extern struct ntfy_config rig_ntfy;
extern struct pushover_config rig_pushover;
extern struct mattermost_config rig_mattermost;
extern struct rocketchat_config rig_rocketchat;

enum {
	RIG_PAGERDUTY,
	RIG_OPSGENIE,
	RIG_MSTEAMS,
	RIG_DISCORD,
	RIG_TELEGRAM,
	RIG_NTFY,
	RIG_PUSHOVER,
	RIG_MATTERMOST,
	RIG_ROCKETCHAT,
	RIG_KINDS
};
extern const struct integration rig_all[RIG_KINDS];

extern struct message_fixture rig_fixture;
extern struct buf rig_payload;
extern struct delivery rig_d; /* of the last rig_render; tests set step, degraded and graph */
extern struct send_request *rig_req; /* of the last rig_ask */

void rig_setup(void);
void rig_teardown(void);
/* Another message. */
void rig_plan(const struct message_plan *p);
void rig_render(const struct integration *in);
void rig_ask(const struct integration *in);
/* status 0: none came. What judge() keeps goes into the next request. */
enum verdict rig_answer(const struct integration *in, int status, const char *reply);
/* Of the request; "": there is none. */
const char *rig_header(const char *name);
/* Of the request; the caller's to json_decref. */
json_t *rig_body(void);
/* The string at a path like "payload/summary" or "embeds/0/title". */
const char *rig_at(json_t *j, const char *path);

#endif

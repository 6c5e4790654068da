/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack_schema - Slack's documented limits and shapes as a checker of message payloads
 * (../shared/reference/notify.md A3): what it passes, Slack takes.
 *
 * Stricter than Slack: keys it does not know are refused too, and the total of all blocks is held
 * to 10,000 characters where Slack's undocumented limit is about 13,200.
 */
#ifndef BELFRY_TESTS_LIB_SLACK_SCHEMA_H
#define BELFRY_TESTS_LIB_SLACK_SCHEMA_H

#include <jansson.h>
#include <stddef.h>

/* NULL when fine, else what is wrong ("blocks[3].text: 3001 characters"), until the next call. */
const char *slack_schema_check(const char *body, size_t len);
/* The same for a parsed payload. */
const char *slack_schema_check_json(const json_t *payload);
/* Characters (code points) of UTF-8. */
size_t slack_schema_chars(const char *s);

#endif

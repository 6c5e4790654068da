/* SPDX-License-Identifier: Apache-2.0 */
/* slack_schema - see slack_schema.h. Recursion is over shapes, at most four levels deep. */
#include "tests/lib/slack_schema.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

static char wrong[300];

static bool __attribute__((format(printf, 1, 2))) fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(wrong, sizeof wrong, fmt, ap);
	va_end(ap);
	return false;
}

size_t slack_schema_chars(const char *s)
{
	size_t n = 0;

	for (; *s != '\0'; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static bool keys(const json_t *o, const char *where, const char *const *known)
{
	const char *key;
	json_t *value;

	if (!json_is_object(o))
		return fail("%s: not an object", where);
	json_object_foreach((json_t *)(uintptr_t)o, key, value)
	{
		bool found = false;

		for (size_t i = 0; known[i] != NULL; i++)
			found = found || strcmp(known[i], key) == 0;
		if (!found)
			return fail("%s: unknown key %s", where, key);
	}
	return true;
}

/* A string of min to max characters; absent is fine unless min > 0. */
static bool string(const json_t *o, const char *key, const char *where, size_t min, size_t max)
{
	const json_t *v = json_object_get(o, key);
	size_t n;

	if (v == NULL)
		return min == 0 || fail("%s: no %s", where, key);
	if (!json_is_string(v))
		return fail("%s.%s: not a string", where, key);
	if (json_string_length(v) != strlen(json_string_value(v)))
		return fail("%s.%s: holds NUL", where, key);
	n = slack_schema_chars(json_string_value(v));
	if (n < min || n > max)
		return fail("%s.%s: %zu characters", where, key, n);
	for (const char *p = json_string_value(v); *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t')
			return fail("%s.%s: control character %d", where, key, *p);
	}
	return true;
}

static bool url(const json_t *o, const char *key, const char *where)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!string(o, key, where, 0, 3000))
		return false;
	if (s != NULL && strncmp(s, "http://", 7) != 0 && strncmp(s, "https://", 8) != 0)
		return fail("%s.%s: not a link", where, key);
	return true;
}

/* mrkdwn: what stands in angle brackets is a date, a link, or a call that was asked for. */
static bool mrkdwn(const char *s, const char *where)
{
	for (; *s != '\0'; s++) {
		if (*s == '>')
			return fail("%s: a bare >", where);
		if (*s != '<')
			continue;
		if (strncmp(s, "<!date^", 7) != 0 && strncmp(s, "<http", 5) != 0)
			return fail("%s: a call or a bare <: %.30s", where, s);
		s = strchr(s, '>');
		if (s == NULL)
			return fail("%s: < is never closed", where);
	}
	return true;
}

static bool text_object(const json_t *o, const char *where, size_t max, bool plain_only)
{
	static const char *const known[] = {"type", "text", "emoji", "verbatim", NULL};
	const char *type = json_string_value(json_object_get(o, "type"));

	if (!keys(o, where, known) || !string(o, "text", where, 1, max))
		return false;
	if (type == NULL || (strcmp(type, "plain_text") != 0 && strcmp(type, "mrkdwn") != 0))
		return fail("%s: not a text object", where);
	if (strcmp(type, "mrkdwn") != 0)
		return true;
	return plain_only ? fail("%s: plain_text only", where)
			  : mrkdwn(json_string_value(json_object_get(o, "text")), where);
}

static bool section(const json_t *b, const char *where)
{
	static const char *const known[] = {
		"type", "block_id", "text", "fields", "accessory", "expand", NULL};
	const json_t *fields = json_object_get(b, "fields"), *text = json_object_get(b, "text");

	if (!keys(b, where, known))
		return false;
	if (text == NULL && json_array_size(fields) == 0)
		return fail("%s: neither text nor fields", where);
	if (text != NULL && !text_object(text, where, 3000, false))
		return false;
	if (json_array_size(fields) > 10)
		return fail("%s: %zu fields", where, json_array_size(fields));
	for (size_t i = 0; i < json_array_size(fields); i++) {
		if (!text_object(json_array_get(fields, i), where, 2000, false))
			return false;
	}
	return true;
}

static bool context(const json_t *b, const char *where)
{
	static const char *const known[] = {"type", "block_id", "elements", NULL};
	const json_t *v = json_object_get(b, "elements");

	if (!keys(b, where, known))
		return false;
	if (json_array_size(v) < 1 || json_array_size(v) > 10)
		return fail("%s: %zu elements", where, json_array_size(v));
	for (size_t i = 0; i < json_array_size(v); i++) {
		if (!text_object(json_array_get(v, i), where, 2000, false))
			return false;
	}
	return true;
}

static bool actions(const json_t *b, const char *where)
{
	static const char *const known[] = {"type", "block_id", "elements", NULL};
	static const char *const known_button[] = {"type", "text", "action_id", "url", "value",
		"style", "confirm", "accessibility_label", NULL};
	const json_t *v = json_object_get(b, "elements");

	if (!keys(b, where, known))
		return false;
	if (json_array_size(v) < 1 || json_array_size(v) > 25)
		return fail("%s: %zu elements", where, json_array_size(v));
	for (size_t i = 0; i < json_array_size(v); i++) {
		const json_t *e = json_array_get(v, i);
		const char *style = json_string_value(json_object_get(e, "style"));

		if (!keys(e, where, known_button) ||
			!text_object(json_object_get(e, "text"), where, 75, true) ||
			!url(e, "url", where) || !string(e, "value", where, 0, 2000) ||
			!string(e, "action_id", where, 0, 255))
			return false;
		if (style != NULL && strcmp(style, "primary") != 0 && strcmp(style, "danger") != 0)
			return fail("%s: style %s", where, style);
	}
	return true;
}

static bool block(const json_t *b, const char *where)
{
	const char *type = json_string_value(json_object_get(b, "type"));

	if (type == NULL)
		return fail("%s: no type", where);
	if (!string(b, "block_id", where, 0, 255))
		return false;
	if (strcmp(type, "section") == 0)
		return section(b, where);
	if (strcmp(type, "context") == 0)
		return context(b, where);
	if (strcmp(type, "actions") == 0)
		return actions(b, where);
	if (strcmp(type, "header") == 0)
		return text_object(json_object_get(b, "text"), where, 150, true);
	if (strcmp(type, "divider") == 0)
		return true;
	return fail("%s: type %s", where, type);
}

/* All strings of a value, added up. NOLINTNEXTLINE(misc-no-recursion): jansson bounds the depth */
static size_t total(const json_t *v)
{
	size_t n = 0, i;
	const char *key;
	json_t *one;

	if (json_is_string(v))
		return slack_schema_chars(json_string_value(v));
	json_array_foreach((json_t *)(uintptr_t)v, i, one) n += total(one);
	json_object_foreach((json_t *)(uintptr_t)v, key, one) n += total(one);
	return n;
}

static bool blocks(const json_t *v, const char *where)
{
	char at[80];

	if (v == NULL)
		return true;
	if (!json_is_array(v) || json_array_size(v) > 45)
		return fail("%s: %zu blocks", where, json_array_size(v));
	for (size_t i = 0; i < json_array_size(v); i++) {
		(void)snprintf(at, sizeof at, "%s[%zu]", where, i);
		if (!block(json_array_get(v, i), at))
			return false;
	}
	return total(v) <= 10000 || fail("%s: %zu characters in all", where, total(v));
}

static bool legacy_lists(const json_t *a)
{
	const json_t *fields = json_object_get(a, "fields"), *acts = json_object_get(a, "actions");

	for (size_t i = 0; i < json_array_size(fields); i++) {
		const json_t *f = json_array_get(fields, i);

		if (!string(f, "title", "field", 0, 300) || !string(f, "value", "field", 0, 2000) ||
			!json_is_boolean(json_object_get(f, "short")))
			return false;
	}
	if (json_array_size(acts) > 5)
		return fail("%zu actions", json_array_size(acts));
	for (size_t i = 0; i < json_array_size(acts); i++) {
		const json_t *f = json_array_get(acts, i);

		if (!string(f, "type", "action", 1, 40) || !string(f, "text", "action", 1, 75) ||
			!url(f, "url", "action"))
			return false;
	}
	return true;
}

static bool attachment(const json_t *a)
{
	static const char *const known[] = {"color", "fallback", "blocks", "title", "title_link",
		"pretext", "text", "mrkdwn_in", "fields", "actions", "callback_id", "footer",
		"image_url", "thumb_url", NULL};
	const char *color = json_string_value(json_object_get(a, "color"));

	if (!keys(a, "attachment", known) || !string(a, "fallback", "attachment", 0, 1000) ||
		!string(a, "title", "attachment", 0, 1024) ||
		!string(a, "text", "attachment", 0, 8000) ||
		!string(a, "pretext", "attachment", 0, 8000) ||
		!string(a, "footer", "attachment", 0, 300) || !url(a, "title_link", "attachment") ||
		!url(a, "image_url", "attachment") || !url(a, "thumb_url", "attachment"))
		return false;
	if (color == NULL || (color[0] == '#' && strlen(color) != 7))
		return fail("attachment: color %s", color != NULL ? color : "missing");
	return legacy_lists(a) && blocks(json_object_get(a, "blocks"), "attachment.blocks");
}

const char *slack_schema_check_json(const json_t *p)
{
	static const char *const known[] = {"text", "attachments", "blocks", "channel", "username",
		"icon_emoji", "icon_url", "link_names", "thread_ts", "ts", "reply_broadcast",
		"unfurl_links", "unfurl_media", "metadata", NULL};
	const json_t *list = json_object_get(p, "attachments");
	bool fine = keys(p, "payload", known) && string(p, "text", "payload", 0, 4000) &&
		    blocks(json_object_get(p, "blocks"), "blocks");

	for (size_t i = 0; fine && i < json_array_size(list); i++)
		fine = attachment(json_array_get(list, i));
	if (fine && json_array_size(list) > 1)
		fine = fail("%zu attachments", json_array_size(list));
	if (fine && json_object_get(p, "text") == NULL && json_array_size(list) == 0)
		fine = fail("no_text");
	return fine ? NULL : wrong;
}

const char *slack_schema_check(const char *body, size_t len)
{
	json_error_t at;
	json_t *p = json_loadb(body, len, JSON_REJECT_DUPLICATES, &at);
	const char *said;

	if (p == NULL) {
		(void)fail("no JSON at %d: %s", at.position, at.text);
		return wrong;
	}
	said = slack_schema_check_json(p);
	json_decref(p);
	return said;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack_fields - the message of Alertmanager's configuration: one attachment of templates (title,
 * text, fields, actions, ...), reference notify.md A5.
 *
 * What a template makes is the user's mrkdwn and stays as it is; only calls (<!channel>) that come
 * from labels are broken. A template that fails leaves belfry's own words in its place and a note.
 */
#include "base/num.h"
#include "exporters/notify_template.h"
#include "exporters/slack.h"

#define FIELDS_MAX  20u
#define ACTIONS_MAX 5u /* buttons of one attachment */

struct fields {
	const struct message *m;
	struct jsonw j;
	struct buf value, failures;
	bool tainted;
};

bool slack_is_templated(const struct slack_config *c, const struct message *m)
{
	static const char *const names[] = {"slack.default.title", "slack.default.titlelink",
		"slack.default.pretext", "slack.default.text", "slack.default.fallback",
		"slack.default.color", "slack.default.footer"};
	const struct str given[] = {c->title, c->title_link, c->pretext, c->text, c->message_text,
		c->color, c->footer, c->fallback, c->callback_id, c->image_url, c->thumb_url};

	if (c->n_fields > 0 || c->n_actions > 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		if (given[i].n > 0)
			return true;
	}
	for (size_t i = 0; m->templates != NULL && i < ARRAY_LEN(names); i++) {
		if (notify_template_field(m->templates, STR(""), names[i]).n > 0)
			return true;
	}
	return false;
}

/* Some label of an alert may bring a call along. */
static bool is_tainted(const struct message *m)
{
	for (size_t i = 0; i < m->n; i++) {
		for (size_t k = 0; k < m->alerts[i].labels.n; k++) {
			struct str v = m->alerts[i].labels.v[k].value;

			if (str_find(v, '<') < v.n)
				return true;
		}
	}
	return false;
}

/* text's result in f->value; false when it is empty or the template failed. */
static bool expand(struct fields *f, const char *what, struct str text)
{
	struct buf raw;
	bool ok;

	buf_reset(&f->value);
	if (text.n == 0)
		return false;
	buf_init(&raw, (size_t)64 << 10);
	ok = notify_template_render(f->m->templates, text, what, f->m, false, &raw, &f->failures);
	if (ok)
		slack_untaint(&f->value, buf_view(&raw), text, f->tainted);
	buf_fini(&raw);
	return ok && !f->value.failed && f->value.n > 0;
}

static bool put(struct fields *f, const char *key, struct str text, size_t max)
{
	struct str s;

	if (!expand(f, key, text))
		return false;
	s = buf_view(&f->value);
	jsonw_key(&f->j, key);
	if (s.n <= max) {
		jsonw_str(&f->j, s);
		return true;
	}
	f->value.n = slack_clip(s, max - 3).n;
	buf_c(&f->value, "…");
	jsonw_str(&f->j, buf_view(&f->value));
	return true;
}

static struct str or_default(const struct fields *f, struct str text, const char *name)
{
	return notify_template_default(f->m->templates, text, name);
}

static void title(struct fields *f, const struct slack_config *c)
{
	struct buf own;

	if (put(f, "title", or_default(f, c->title, "slack.default.title"), SLACK_TITLE_MAX))
		return;
	buf_init(&own, (size_t)8 << 10);
	slack_headline(f->m, c, &own);
	jsonw_kv_str(&f->j, "title", slack_clip(buf_view(&own), SLACK_TITLE_MAX));
	buf_fini(&own);
}

/* The text when its template failed: the alert is told all the same. */
static void text(struct fields *f, const struct slack_config *c)
{
	struct str t = or_default(f, c->text, "slack.default.text");
	size_t failed = f->failures.n;
	struct buf own;

	if (put(f, "text", t, SLACK_TEXT_MAX) || f->failures.n == failed)
		return;
	buf_init(&own, (size_t)16 << 10);
	slack_long_text(f->m, &own);
	jsonw_kv_str(&f->j, "text", buf_view(&own));
	buf_fini(&own);
}

static void field_list(struct fields *f, const struct slack_config *c)
{
	if (c->n_fields == 0)
		return;
	jsonw_key(&f->j, "fields");
	jsonw_array(&f->j);
	for (size_t i = 0; i < MIN_OF(c->n_fields, (size_t)FIELDS_MAX); i++) {
		jsonw_object(&f->j);
		(void)put(f, "title", c->fields[i].title, 300);
		(void)put(f, "value", c->fields[i].value, 2000);
		jsonw_kv_bool(&f->j, "short", c->fields[i].is_short);
		jsonw_object_end(&f->j);
	}
	jsonw_array_end(&f->j);
}

static void confirm(struct fields *f, const struct slack_action *a)
{
	if (a->confirm_text.n == 0)
		return;
	jsonw_key(&f->j, "confirm");
	jsonw_object(&f->j);
	(void)put(f, "title", a->confirm_title, 100);
	(void)put(f, "text", a->confirm_text, 300);
	(void)put(f, "ok_text", a->confirm_ok, 30);
	(void)put(f, "dismiss_text", a->confirm_dismiss, 30);
	jsonw_object_end(&f->j);
}

/* A link (url) or, for an app of one's own, a name and value: never both. */
static void action_list(struct fields *f, const struct slack_config *c)
{
	if (c->n_actions == 0)
		return;
	jsonw_key(&f->j, "actions");
	jsonw_array(&f->j);
	for (size_t i = 0; i < MIN_OF(c->n_actions, (size_t)ACTIONS_MAX); i++) {
		const struct slack_action *a = &c->actions[i];

		jsonw_object(&f->j);
		(void)put(f, "type", a->type, 40);
		(void)put(f, "text", a->text, 75);
		(void)put(f, "style", a->style, 40);
		if (!put(f, "url", a->url, 3000)) {
			(void)put(f, "name", a->name, 255);
			(void)put(f, "value", a->value, 2000);
			confirm(f, a);
		}
		jsonw_object_end(&f->j);
	}
	jsonw_array_end(&f->j);
}

static void mrkdwn_in(struct fields *f, const struct slack_config *c)
{
	static const struct str usual[] = {{"fallback", 8}, {"pretext", 7}, {"text", 4}};
	const struct str *v = c->n_mrkdwn_in > 0 ? c->mrkdwn_in : usual;
	size_t n = c->n_mrkdwn_in > 0 ? c->n_mrkdwn_in : ARRAY_LEN(usual);

	jsonw_key(&f->j, "mrkdwn_in");
	jsonw_array(&f->j);
	for (size_t i = 0; i < n; i++)
		jsonw_str(&f->j, v[i]);
	jsonw_array_end(&f->j);
}

static void footer(struct fields *f, const struct slack_config *c)
{
	if (f->failures.n > 0)
		jsonw_kv_str(&f->j, "footer", slack_clip(buf_view(&f->failures), 290));
	else
		(void)put(f, "footer", or_default(f, c->footer, "slack.default.footer"), 290);
}

/* Why the message comes this way stands where a pretext would. */
static void own_note(struct fields *f)
{
	buf_reset(&f->value);
	slack_escape(&f->value, f->m->note, SLACK_MRKDWN, 600);
	jsonw_kv_str(&f->j, "pretext", buf_view(&f->value));
}

static void attachment(struct fields *f, const struct slack_config *c)
{
	jsonw_object(&f->j);
	if (!put(f, "color", or_default(f, c->color, "slack.default.color"), 20))
		jsonw_kv_c(&f->j, "color", f->m->firing ? "danger" : "good");
	title(f, c);
	(void)put(f, "title_link", or_default(f, c->title_link, "slack.default.titlelink"),
		SLACK_URL_MAX);
	if (f->m->note.n > 0)
		own_note(f);
	else
		(void)put(f, "pretext", or_default(f, c->pretext, "slack.default.pretext"),
			SLACK_TEXT_MAX);
	text(f, c);
	(void)put(f, "fallback", or_default(f, c->fallback, "slack.default.fallback"), 1000);
	(void)put(f, "callback_id", or_default(f, c->callback_id, "slack.default.callbackid"), 255);
	(void)put(f, "image_url", c->image_url, SLACK_URL_MAX);
	(void)put(f, "thumb_url", c->thumb_url, SLACK_URL_MAX);
	field_list(f, c);
	action_list(f, c);
	mrkdwn_in(f, c);
	footer(f, c);
	jsonw_object_end(&f->j);
}

void slack_fields_members(const struct message *m, const struct slack_config *c, struct buf *full)
{
	struct fields f = {.m = m, .tainted = is_tainted(m)};
	struct buf object;

	buf_init(&f.value, (size_t)64 << 10);
	buf_init(&f.failures, 1000);
	buf_init(&object, (size_t)64 << 10);
	jsonw_init(&f.j, &object);
	jsonw_object(&f.j);
	(void)put(&f, "text", c->message_text, 3900);
	if (c->link_names)
		jsonw_kv_bool(&f.j, "link_names", true);
	jsonw_key(&f.j, "attachments");
	jsonw_array(&f.j);
	attachment(&f, c);
	jsonw_array_end(&f.j);
	jsonw_object_end(&f.j);
	buf_str(full, str_sub(buf_view(&object), 1, object.n - 1)); /* members without braces */
	buf_fini(&object);
	buf_fini(&f.failures);
	buf_fini(&f.value);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pagerduty - the events API, version 2 (reference notify.md C): an incident a group, opened by its
 * first message, resolved when the whole group is.
 *
 * The stored payload is two lines of JSON without the routing key, which is put in front when a
 * request is made: the whole event, and the same without details, links and images, for an event
 * that PagerDuty refuses (400).
 */
#include "base/limits.h"
#include "base/num.h"
#include "exporters/chat.h"
#include "exporters/graph.h"

#define SUMMARY_MAX 1024u
#define FIELD_MAX   250u
#define LINKS_MAX   20u
#define EVENT_MAX   500000u /* of 512 kB */

static struct str severity(struct chat_form *f, const struct pagerduty_config *c)
{
	static const char *const known[] = {"critical", "error", "warning", "info"};
	struct str label = labels_get(f->m->alerts[0].labels, STR("severity"));
	struct str s = STR("error"); /* nothing is known of it */
	struct buf b;

	buf_init(&b, 4096);
	if (chat_expand(f, c->severity, "severity", FIELD_MAX, &b))
		label = str_trim(buf_view(&b));
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq_nocase(label, str_c(known[i])))
			s = str_c(known[i]);
	}
	if (str_eq_nocase(label, STR("page")))
		s = STR("critical");
	else if (str_eq_nocase(label, STR("none")))
		s = STR("info");
	buf_fini(&b);
	return s;
}

static void summary(struct jsonw *j, struct chat_form *f, const struct pagerduty_config *c)
{
	const struct message *m = f->m;
	struct buf b, tmp;

	buf_init(&b, (size_t)64 << 10);
	buf_init(&tmp, (size_t)1 << 20);
	if (!chat_expand(f, chat_template(m, c->description, "pagerduty.default.description"),
		    "description", SUMMARY_MAX, &b)) {
		message_subject(m, &tmp);
		buf_c(&tmp, ": ");
		message_summary(chat_lead(m), &tmp);
		if (m->n > 1)
			buf_printf(&tmp, " (+%zu more)", m->n - 1);
		chat_escape(&b, buf_view(&tmp), CHAT_PLAIN, SUMMARY_MAX);
	}
	jsonw_kv_str(j, "summary", buf_view(&b));
	buf_fini(&tmp);
	buf_fini(&b);
}

/* What is affected; PagerDuty wants something. */
static void source(struct jsonw *j, struct chat_form *f, const struct pagerduty_config *c)
{
	static const char *const labels[] = {"instance", "service", "job", "host", "cluster"};
	struct str s = STR("");
	struct buf b;

	buf_init(&b, 8192);
	if (chat_expand(f, c->source, "source", FIELD_MAX, &b)) {
		s = buf_view(&b);
	} else {
		for (size_t i = 0; s.n == 0 && i < ARRAY_LEN(labels); i++)
			s = labels_get(f->m->alerts[0].labels, str_c(labels[i]));
		chat_escape(&b, s.n > 0 ? s : STR("belfry"), CHAT_PLAIN, FIELD_MAX);
		s = buf_view(&b);
	}
	jsonw_kv_str(j, "source", s);
	buf_fini(&b);
}

static void kv_clean(struct jsonw *j, const char *key, struct buf *text, size_t max)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	chat_escape(&b, buf_view(text), CHAT_PLAIN, max);
	if (b.n > 0)
		jsonw_kv_str(j, key, buf_view(&b));
	buf_fini(&b);
	buf_reset(text);
}

static void put_labels(struct jsonw *j, const char *key, struct labels ls)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	jsonw_key(j, key);
	jsonw_object(j);
	for (size_t i = 0; i < ls.n; i++) {
		jsonw_key_str(j, str_sub(ls.v[i].name, 0, 200));
		chat_escape(&b, ls.v[i].value, CHAT_PLAIN, 1000);
		jsonw_str(j, buf_view(&b));
		buf_reset(&b);
	}
	jsonw_object_end(j);
	buf_fini(&b);
}

static void alert(struct jsonw *j, const struct message *m, const struct message_alert *al)
{
	struct buf tmp;

	buf_init(&tmp, (size_t)1 << 20);
	jsonw_object(j);
	jsonw_kv_c(j, "status", al->firing ? "firing" : "resolved");
	message_summary(al, &tmp);
	kv_clean(j, "summary", &tmp, 500);
	message_values(m, al, &tmp);
	kv_clean(j, "value", &tmp, 200);
	put_labels(j, "labels", al->labels);
	jsonw_key(j, "since");
	jsonw_rfc3339(j, al->starts_at_ms);
	jsonw_object_end(j);
	buf_fini(&tmp);
}

static bool is_own(const struct pagerduty_config *c, const char *name)
{
	for (size_t i = 0; c->details != NULL && i < c->details->n; i++) {
		if (str_eq(c->details->v[i].key, str_c(name)))
			return false;
	}
	return true;
}

static void details(struct jsonw *j, struct chat_form *f, const struct pagerduty_config *c)
{
	const struct message_alert *v[LIMIT_MESSAGE_ALERTS];
	const struct message *m = f->m;
	size_t most = message_worst(m, v, ARRAY_LEN(v));
	struct buf tmp;

	buf_init(&tmp, (size_t)1 << 20);
	jsonw_key(j, "custom_details");
	jsonw_object(j);
	if (m->note.n > 0 && is_own(c, "note")) {
		buf_str(&tmp, m->note);
		kv_clean(j, "note", &tmp, 500);
	}
	if (is_own(c, "num_firing"))
		jsonw_kv_i64(j, "num_firing", (int64_t)m->n_firing);
	if (is_own(c, "num_resolved"))
		jsonw_kv_i64(j, "num_resolved", (int64_t)m->n_resolved);
	if (is_own(c, "description")) {
		buf_str(&tmp, labels_get(chat_lead(m)->annotations, STR("description")));
		kv_clean(j, "description", &tmp, 2000);
	}
	if (is_own(c, "trend")) {
		buf_printf(&tmp, "%c%c", GRAPH_MARK_BYTE, GRAPH_MARK_SPARK);
		jsonw_kv_str(j, "trend", buf_view(&tmp));
		buf_reset(&tmp);
	}
	if (is_own(c, "alerts")) {
		jsonw_key(j, "alerts");
		jsonw_array(j);
		for (size_t i = 0; i < most; i++)
			alert(j, m, v[i]);
		jsonw_array_end(j);
		if (m->n > LIMIT_MESSAGE_ALERTS)
			jsonw_kv_i64(j, "more", (int64_t)(m->n - LIMIT_MESSAGE_ALERTS));
	}
	for (size_t i = 0; c->details != NULL && i < c->details->n; i++) {
		jsonw_key_str(j, c->details->v[i].key);
		value_tree_write(j, &c->details->v[i], f);
	}
	kv_clean(j, "template_errors", &f->note, 1000);
	jsonw_object_end(j);
	buf_fini(&tmp);
}

static void links(struct jsonw *j, struct chat_form *f, const struct pagerduty_config *c)
{
	struct chat_link v[CHAT_LINKS_MAX];
	struct buf tmp, href;
	size_t n;

	buf_init(&tmp, (size_t)64 << 10);
	buf_init(&href, (size_t)64 << 10);
	n = chat_links(f->m, 2000, v, &tmp);
	jsonw_key(j, "links");
	jsonw_array(j);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(j);
		jsonw_kv_str(j, "href", v[i].url);
		jsonw_kv_c(j, "text", v[i].text);
		jsonw_object_end(j);
	}
	for (size_t i = 0; i < MIN_OF(c->n_links, (size_t)LINKS_MAX); i++) {
		buf_reset(&href);
		if (!chat_expand(f, c->links[i].href, "href", 2000, &href))
			continue;
		jsonw_object(j);
		jsonw_kv_str(j, "href", buf_view(&href));
		chat_put(j, "text", f, c->links[i].text, FIELD_MAX);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	buf_fini(&href);
	buf_fini(&tmp);
}

static void images(struct jsonw *j, struct chat_form *f, const struct pagerduty_config *c)
{
	struct buf src;

	if (c->n_images == 0)
		return;
	buf_init(&src, (size_t)64 << 10);
	jsonw_key(j, "images");
	jsonw_array(j);
	for (size_t i = 0; i < MIN_OF(c->n_images, (size_t)LINKS_MAX); i++) {
		buf_reset(&src);
		if (!chat_expand(f, c->images[i].src, "src", 2000, &src))
			continue;
		jsonw_object(j);
		jsonw_kv_str(j, "src", buf_view(&src));
		chat_put(j, "href", f, c->images[i].href, 2000);
		chat_put(j, "alt", f, c->images[i].alt, FIELD_MAX);
		jsonw_object_end(j);
	}
	jsonw_array_end(j);
	buf_fini(&src);
}

static void client(struct jsonw *j, struct chat_form *f, const struct pagerduty_config *c)
{
	struct buf b;

	buf_init(&b, (size_t)64 << 10);
	if (!chat_expand(f, c->client, "client", FIELD_MAX, &b))
		buf_c(&b, "belfry");
	jsonw_kv_str(j, "client", buf_view(&b));
	buf_reset(&b);
	if (!chat_expand(f, c->client_url, "client_url", 2000, &b))
		buf_str(&b, f->m->page_url.n > 0 ? f->m->page_url : f->m->external_url);
	if (b.n > 0)
		jsonw_kv_str(j, "client_url", buf_view(&b));
	buf_fini(&b);
}

static void event(
	struct chat_form *f, const struct pagerduty_config *c, bool whole, struct buf *out)
{
	const struct message *m = f->m;
	struct jsonw j;

	jsonw_init(&j, out);
	jsonw_object(&j);
	jsonw_kv_c(&j, "event_action", m->firing ? "trigger" : "resolve");
	jsonw_kv_str(&j, "dedup_key", str_sub(m->thread, 0, 255));
	if (m->firing) {
		client(&j, f, c);
		jsonw_key(&j, "payload");
		jsonw_object(&j);
		summary(&j, f, c);
		source(&j, f, c);
		jsonw_kv_str(&j, "severity", severity(f, c));
		jsonw_key(&j, "timestamp");
		jsonw_rfc3339(&j, m->alerts[0].starts_at_ms);
		chat_put(&j, "component", f, c->component, FIELD_MAX);
		chat_put(&j, "group", f, c->group, FIELD_MAX);
		chat_put(&j, "class", f, c->class_, FIELD_MAX);
		if (whole)
			details(&j, f, c);
		jsonw_object_end(&j);
		if (whole) {
			links(&j, f, c);
			images(&j, f, c);
		}
	}
	jsonw_object_end(&j);
}

static int render(
	const struct message *m, const struct integration *in, struct buf *payload, struct err *e)
{
	struct chat_form f = {.m = m};
	struct buf whole;

	(void)e;
	buf_init(&f.note, 4096);
	buf_init(&whole, (size_t)8 << 20);
	event(&f, in->conf, true, &whole);
	if (whole.failed || whole.n > EVENT_MAX)
		chat_count_truncated("pagerduty");
	else
		buf_str(payload, buf_view(&whole));
	if (payload->n > 0)
		buf_ch(payload, '\n');
	event(&f, in->conf, false, payload);
	buf_fini(&whole);
	buf_fini(&f.note);
	return 0;
}

static struct send_request *request(
	const struct integration *in, const struct delivery *d, struct err *e)
{
	const struct pagerduty_config *c = in->conf;
	struct send_request *req = chat_request(c->url, &c->http, c->timeout_ms, d, e);
	struct str line = chat_line(d->payload, d->degraded ? 1 : 0);
	struct buf b;

	if (req == NULL)
		return NULL;
	if (line.n == 0) /* it was too large to have a whole form */
		line = chat_line(d->payload, 0);
	buf_init(&b, line.n + c->routing_key.n * 6 + 64);
	send_request_hide(req, c->routing_key);
	buf_c(&b, "{\"routing_key\":\"");
	jsonw_escape(&b, c->routing_key);
	buf_c(&b, "\",");
	buf_str(&b, str_sub(line, 1, line.n));
	chat_set_body(req, buf_view(&b), d);
	buf_fini(&b);
	return req;
}

static void place(const struct integration *in, struct buf *out)
{
	const struct pagerduty_config *c = in->conf;

	buf_str(out, c->url);
	buf_ch(out, ' ');
	buf_str(out, c->routing_key);
}

const struct integration_type integration_pagerduty = {.name = "pagerduty",
	.parallel = 4,
	.pairs = true,
	.closes = true,
	.place = place,
	.render = render,
	.request = request,
	.judge = integration_judge_form /* a bad event: once more without what may be wrong */};

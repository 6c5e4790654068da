/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_rig - see dispatch_rig.h. */
#include "tests/lib/dispatch_rig.h"

#include <check.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/matcher_parse.h"
#include "base/num.h"
#include "exporters/notify.h"
#include "rules/alert_event.h"
#include "storage/state.h"

#define LINES_MAX 4096u

static struct {
	char dir[64];
	struct state *state;
	struct notify *notify;
	struct config *config;
	int64_t now;
	char *lines[LINES_MAX]; /* the state writer adds, the test reads after a settled call */
	size_t n;
	char text[65536];
	char *pager_keys[64];
	char refused[32];
} rig;

char rig_id[37];
char rig_group[512];

struct notify *rig_notify(void)
{
	return rig.notify;
}

int64_t rig_now(void)
{
	return rig.now;
}

/* --- receivers --- */

static int by_text(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static void add_alert(const json_t *alert, char *out, size_t size)
{
	const json_t *labels = json_object_get(alert, "labels");
	const char *instance = json_string_value(json_object_get(labels, "instance"));
	const char *status = json_string_value(json_object_get(alert, "status"));

	(void)snprintf(out, size, "%s%s%s%s",
		json_string_value(json_object_get(labels, "alertname")),
		instance != NULL ? "/" : "", instance != NULL ? instance : "",
		strcmp(status, "firing") == 0 ? "+" : "-");
}

static unsigned pager_key(const char *key)
{
	unsigned i = 0;

	while (i < ARRAY_LEN(rig.pager_keys) && rig.pager_keys[i] != NULL &&
		strcmp(rig.pager_keys[i], key) != 0)
		i++;
	ck_assert_uint_lt(i, ARRAY_LEN(rig.pager_keys));
	if (rig.pager_keys[i] == NULL)
		rig.pager_keys[i] = strdup(key);
	return i + 1;
}

static void answer(struct send_request *req, json_t *body, const char *line)
{
	const char *place = strrchr(req->url, '/') + 1;

	ck_assert_uint_lt(rig.n, LINES_MAX);
	rig.lines[rig.n++] = strdup(line);
	json_decref(body);
	req->status = strcmp(place, rig.refused) == 0 ? 404 : 200;
	req->transport_ok = true;
	req->reply = strdup("ok");
	req->reply_len = 2;
	req->on_done(req, req->arg);
}

static void on_page(struct send_request *req, json_t *body, const char *action)
{
	char line[128];

	(void)snprintf(line, sizeof line, "%s: %s %u", strrchr(req->url, '/') + 1,
		strcmp(action, "trigger") == 0 ? "open" : "close",
		pager_key(json_string_value(json_object_get(body, "dedup_key"))));
	answer(req, body, line);
}

static bool on_send(void *ctx, struct send_request *req)
{
	json_t *body = json_loadb(req->body, req->body_len, 0, NULL);
	const json_t *alerts = json_object_get(body, "alerts");
	char line[4096], one[256][64];
	const char *sorted[256];
	size_t n = json_array_size(alerts);
	int len;

	(void)ctx;
	ck_assert_msg(body != NULL, "no JSON: %.*s", (int)req->body_len, req->body);
	if (json_object_get(body, "event_action") != NULL) {
		on_page(req, body, json_string_value(json_object_get(body, "event_action")));
		return true;
	}
	(void)snprintf(rig_group, sizeof rig_group, "%s",
		json_string_value(json_object_get(body, "groupKey")));
	n = MIN_OF(n, ARRAY_LEN(sorted));
	for (size_t i = 0; i < n; i++) {
		add_alert(json_array_get(alerts, i), one[i], sizeof one[i]);
		sorted[i] = one[i];
	}
	qsort(sorted, n, sizeof sorted[0], by_text);
	len = snprintf(line, sizeof line, "%s:", strrchr(req->url, '/') + 1);
	for (size_t i = 0; i < n && (size_t)len < sizeof line - 70; i++)
		len += snprintf(line + len, sizeof line - (size_t)len, " %s", sorted[i]);
	answer(req, body, line);
	return true;
}

/* What was said and what is due now is done: a job behind those, with the tick in its transaction.
 */
static void settle(void)
{
	struct err e;

	ck_assert_msg(notify_post_alerts(rig.notify, NULL, 0, &e) == 0, "%s", e.msg);
}

const char *rig_told(void)
{
	size_t len = 0;

	settle();
	settle();
	qsort(rig.lines, rig.n, sizeof rig.lines[0], by_text);
	rig.text[0] = '\0';
	for (size_t i = 0; i < rig.n; i++) {
		int n = snprintf(rig.text + len, sizeof rig.text - len, "%s%s", i > 0 ? "\n" : "",
			rig.lines[i]);

		ck_assert(n > 0 && (size_t)n < sizeof rig.text - len);
		len += (size_t)n;
		free(rig.lines[i]);
	}
	rig.n = 0;
	return rig.text;
}

/* --- life --- */

static struct config *load(const char *yaml)
{
	struct arena a;
	struct diag *d;
	struct config *c;
	struct buf out;

	arena_init(&a, LIMIT_CONFIG_BYTES);
	d = diag_new(&a);
	c = config_load_text(STR("rig.yml"), str_c(yaml), NULL, d);
	buf_init(&out, 1u << 20);
	diag_print(d, &out);
	ck_assert_msg(c != NULL, "%s", out.p);
	buf_fini(&out);
	arena_fini(&a);
	return c;
}

void rig_init(void)
{
	hash_init();
	log_init(LOG_ERROR, LOG_LOGFMT);
	memset(&rig, 0, sizeof rig);
	(void)snprintf(rig.dir, sizeof rig.dir, "/tmp/belfry-dispatch-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.dir));
	rig.now = RIG_T0;
	clock_restore();
	clock_inject(rig.now, 0);
}

static void run(void)
{
	struct sender s = {.submit = on_send};
	struct err e;

	ck_assert_msg(state_open(&rig.state, rig.dir, &e) == 0, "%s", e.msg);
	ck_assert_msg(
		notify_new(&rig.notify, rig.state, &rig.config->notify, s, &e) == 0, "%s", e.msg);
	ck_assert_int_eq(state_start(rig.state, &e), 0);
	settle();
}

void rig_start(const char *yaml)
{
	rig.config = load(yaml);
	run();
}

static void halt(void)
{
	settle();
	notify_quiesce(rig.notify);
	state_stop(rig.state);
	notify_free(rig.notify);
	state_free(rig.state);
	rig.notify = NULL;
	rig.state = NULL;
}

void rig_stop(void)
{
	if (rig.notify != NULL)
		halt();
	config_free(rig.config);
	rig.config = NULL;
}

void rig_restart(const char *yaml)
{
	halt();
	if (yaml != NULL) {
		config_free(rig.config);
		rig.config = load(yaml);
	}
	run();
}

void rig_restart_after(const char *sql)
{
	char path[128];
	sqlite3 *db;

	halt();
	(void)snprintf(path, sizeof path, "%s/state.db", rig.dir);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
		sqlite3_errmsg(db));
	ck_assert_int_gt(sqlite3_changes(db), 0);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	run();
}

void rig_refuse(const char *name)
{
	(void)snprintf(rig.refused, sizeof rig.refused, "%s", name);
}

void rig_reload(const char *yaml)
{
	struct config *old = rig.config;

	rig.config = load(yaml);
	notify_reload(rig.notify, &rig.config->notify);
	config_free(old);
	settle();
}

void rig_fini(void)
{
	char cmd[128];

	rig_stop();
	for (size_t i = 0; i < rig.n; i++)
		free(rig.lines[i]);
	for (size_t i = 0; i < ARRAY_LEN(rig.pager_keys); i++)
		free(rig.pager_keys[i]);
	clock_restore();
	(void)snprintf(cmd, sizeof cmd, "rm -rf %s", rig.dir);
	ck_assert_int_eq(system(cmd), 0); /* NOLINT(cert-env33-c): a fixed command of a test */
}

void rig_pass(int64_t ms)
{
	rig.now += ms;
	clock_inject(rig.now, 0);
	settle();
}

/* --- alerts --- */

static struct labels read_labels(struct arena *a, const char *text)
{
	struct str rest = str_c(text), pair, name;
	struct label *v = ARENA_ARRAY(a, 32, struct label);
	size_t n = 0;

	while (str_split(&rest, ',', &pair)) {
		ck_assert(str_split(&pair, '=', &name));
		v[n++] = (struct label){arena_str(a, name), arena_str(a, pair)};
	}
	ck_assert(labels_sort(v, &n));
	return (struct labels){v, n};
}

static void say(const char *labels, enum alert_state from, enum alert_state to)
{
	struct alert_batch *b = alert_batch_new((size_t)1 << 20);
	struct alert_rule_info *info = ARENA_NEW(&b->arena, struct alert_rule_info);
	struct alert_sink sink = notify_sink(rig.notify);
	struct labels ls = read_labels(&b->arena, labels);

	*info = (struct alert_rule_info){.group = STR("g"),
		.name = labels_get(ls, STR("alertname")),
		.expr = STR("a > 0.9"),
		.rule_key = arena_str(&b->arena, str_c(labels))};
	b->events = ARENA_NEW(&b->arena, struct alert_event);
	b->n = 1;
	b->changed = from != to;
	b->group_key = STR("f;g");
	b->events[0] = (struct alert_event){.from = from,
		.to = to,
		.labels = ls,
		.fingerprint = labels_fingerprint(ls),
		.active_at_ms = rig.now,
		.fired_at_ms = rig.now,
		.resolved_at_ms = to == ALERT_INACTIVE ? rig.now : 0,
		.value = 1,
		.current = 1,
		.worst = 1,
		.threshold = 0.9,
		.op = ">",
		.rule = info};
	ck_assert(sink.submit(sink.ctx, b));
	settle();
}

void rig_fire(const char *labels)
{
	say(labels, ALERT_PENDING, ALERT_FIRING);
}

void rig_resolve(const char *labels)
{
	say(labels, ALERT_FIRING, ALERT_INACTIVE);
}

static const char *result(int rc, const struct err *e)
{
	static char text[ERR_MSG_MAX];

	(void)snprintf(text, sizeof text, "%s", rc == 0 ? "" : e->msg);
	settle();
	return text;
}

const char *rig_post(const char *labels, int64_t starts_ms, int64_t ends_ms)
{
	struct external_alert v = {.starts_at_ms = starts_ms != 0 ? rig.now + starts_ms : 0,
		.ends_at_ms = ends_ms != 0 ? rig.now + ends_ms : 0,
		.generator_url = STR("http://prometheus/graph")};
	struct arena a;
	struct err e = {0};
	int rc;

	arena_init(&a, 1u << 20);
	v.labels = read_labels(&a, labels);
	rc = notify_post_alerts(rig.notify, &v, 1, &e);
	arena_fini(&a);
	return result(rc, &e);
}

/* --- silences --- */

static const char *put_silence(
	const char *matchers, const char *recurring, int64_t starts_ms, int64_t ends_ms)
{
	struct silence_matcher m[16];
	struct silence_view v = {.matchers = m,
		.starts_at_ms = rig.now + starts_ms,
		.ends_at_ms = rig.now + ends_ms,
		.created_by = STR("me"),
		.comment = STR("why"),
		.recurring = str_c(recurring)};
	struct matcher *parsed;
	struct arena a;
	struct err e = {0};
	int rc;

	arena_init(&a, 1u << 20);
	ck_assert_msg(
		matchers_parse(&a, str_c(matchers), &parsed, &v.n_matchers, &e) == 0, "%s", e.msg);
	for (size_t i = 0; i < v.n_matchers; i++) {
		m[i] = (struct silence_matcher){parsed[i].name, parsed[i].value,
			parsed[i].op == MATCH_RE || parsed[i].op == MATCH_NRE,
			parsed[i].op == MATCH_EQ || parsed[i].op == MATCH_RE};
	}
	rc = notify_silence_put(rig.notify, &v, rig_id, &e);
	for (size_t i = 0; i < v.n_matchers; i++)
		matcher_fini(&parsed[i]);
	arena_fini(&a);
	return result(rc, &e);
}

const char *rig_silence(const char *matchers, int64_t starts_ms, int64_t ends_ms)
{
	return put_silence(matchers, "", starts_ms, ends_ms);
}

const char *rig_silence_recurring(const char *matchers, const char *recurring, int64_t ends_ms)
{
	return put_silence(matchers, recurring, 0, ends_ms);
}

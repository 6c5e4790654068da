/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: a corpus of good files that load and bad ones with all their messages
 * (tests/data/config; BELFRY_UPDATE=1 writes the expected messages anew), the values that come out,
 * secrets that never do.
 */
#include <check.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config.h"
#include "base/fd.h"
#include "base/limits.h"
#include "exporters/receiver_config.h"
#include "tests/lib/suite.h"

static struct arena arena;
static struct diag *d;
static struct buf out;
static struct config *c;

static void setup(void)
{
	arena_init(&arena, LIMIT_CONFIG_BYTES);
	buf_init(&out, 1u << 22);
	d = diag_new(&arena);
	c = NULL;
}

static void teardown(void)
{
	config_free(c);
	c = NULL;
	buf_fini(&out);
	arena_fini(&arena);
}

static void again(void)
{
	teardown();
	setup();
}

static const char *printed(void)
{
	buf_reset(&out);
	diag_print(d, &out);
	ck_assert(!out.failed);
	return out.p != NULL ? out.p : "";
}

static void load(const char *text)
{
	again();
	c = config_load_text(STR("belfry.yml"), str_c(text), NULL, d);
	ck_assert((c == NULL) == (diag_errors(d) > 0));
}

static void loads(const char *text)
{
	load(text);
	ck_assert_msg(c != NULL, "%s", printed());
}

static void refused(const char *text, const char *message)
{
	load(text);
	ck_assert_msg(c == NULL, "accepted: %s", text);
	ck_assert_msg(strstr(printed(), message) != NULL, "wanted %s\ngot %s", message, out.p);
}

#define SLACK(r, i)   ((const struct slack_config *)(r).v[i].conf)
#define EMAIL(r, i)   ((const struct email_config *)(r).v[i].conf)
#define WEBHOOK(r, i) ((const struct webhook_config *)(r).v[i].conf)
#define SAME(s, text) ck_assert_msg(str_eq((s), STR(text)), "got %.*s", (int)(s).n, (s).p)

START_TEST(an_empty_file_gives_the_defaults_of_the_reference)
{
	loads("");
	ck_assert_int_eq(c->scrape_interval_ms, 15000);
	ck_assert_int_eq(c->scrape_timeout_ms, 10000);
	ck_assert_int_eq(c->evaluation_interval_ms, 15000);
	ck_assert_str_eq(c->storage.dir, "/var/lib/belfry");
	ck_assert_int_eq(c->storage.retention_ms, INT64_C(15) * 86400000);
	ck_assert_uint_eq(c->storage.retention_size, 0);
	ck_assert_int_eq(c->storage.ooo_window_ms, 3600000);
	ck_assert(!c->storage.durability_power);
	ck_assert_uint_eq(c->storage.max_series, 1000000);
	ck_assert_uint_eq(c->n_web_listen, 1);
	SAME(c->web_listen[0], "127.0.0.1:2355");
	ck_assert_uint_eq(c->statsd.n_listen, 1);
	SAME(c->statsd.listen[0], "udp://127.0.0.1:8125");
	ck_assert_int_eq(c->statsd.flush_interval_ms, 10000);
	SAME(c->statsd.counter_suffix, "_total");
	ck_assert(c->remote_write_receiver && c->self_enabled);
	ck_assert(!c->query_experimental);
	ck_assert_int_eq(c->query_timeout_ms, 120000);
	ck_assert_uint_eq(c->query_max_samples, 50000000);
	ck_assert_uint_eq(c->query_max_memory, 256u << 20);
	ck_assert_uint_eq(c->query_max_concurrency, 20);
	ck_assert_int_eq(c->query_lookback_ms, 300000);
	ck_assert_uint_eq(c->scrape.n_jobs, 0);
	ck_assert_uint_eq(c->notify.root.receiver.n, 0);
	ck_assert_int_eq(c->notify.expiry_ms, 86400000);
}
END_TEST

START_TEST(what_the_conformance_runs_use_loads)
{
	loads("storage: {retention: 0, out_of_order_window: unlimited}\n"
	      "statsd: {listen: []}\n"
	      "host: {enabled: false}\n"
	      "self: {enabled: false}\n"
	      "query: {experimental: true}\n");
	ck_assert_int_eq(c->storage.retention_ms, 0);
	ck_assert_int_eq(c->storage.ooo_window_ms, INT64_MAX);
	ck_assert_uint_eq(c->statsd.n_listen, 0);
	ck_assert(!c->self_enabled && c->query_experimental);
}
END_TEST

START_TEST(jobs_inherit_from_global)
{
	loads("global: {scrape_interval: 5s, sample_limit: 7, external_labels: {b: x, a: 1}}\n"
	      "scrape_configs:\n"
	      "- job_name: one\n"
	      "  static_configs: [{targets: ['h:1', '[::1]:2'], labels: {z: '', y: q}}]\n"
	      "- job_name: two\n"
	      "  scrape_interval: 1m\n"
	      "  scrape_timeout: 30s\n"
	      "  sample_limit: 9\n"
	      "  scheme: https\n"
	      "  params: {m: [a, b], k: [c]}\n"
	      "  authorization: {credentials: tok}\n"
	      "  tls_config: {insecure_skip_verify: true}\n");
	ck_assert_uint_eq(c->scrape.n_jobs, 2);
	ck_assert_int_eq(c->scrape.jobs[0].interval_ms, 5000);
	ck_assert_int_eq(c->scrape.jobs[0].timeout_ms, 5000);
	ck_assert_uint_eq(c->scrape.jobs[0].sample_limit, 7);
	ck_assert(c->scrape.jobs[0].honor_timestamps && c->scrape.jobs[0].follow_redirects);
	ck_assert_uint_eq(c->scrape.jobs[0].statics[0].n_targets, 2);
	SAME(c->scrape.jobs[0].statics[0].targets[1], "[::1]:2");
	ck_assert_uint_eq(c->scrape.jobs[0].statics[0].labels.n, 1);
	ck_assert_int_eq(c->scrape.jobs[1].timeout_ms, 30000);
	ck_assert_uint_eq(c->scrape.jobs[1].sample_limit, 9);
	ck_assert_uint_eq(c->scrape.jobs[1].n_params, 3);
	SAME(c->scrape.jobs[1].params[1].value, "b");
	SAME(c->scrape.jobs[1].bearer, "tok");
	ck_assert(c->scrape.jobs[1].insecure_skip_verify);
	ck_assert_uint_eq(c->external_labels.n, 2);
	SAME(c->external_labels.v[0].name, "a");
}
END_TEST

START_TEST(routes_and_receivers_inherit)
{
	const struct route_config *r;

	loads("global: {slack_api_url: 'https://hooks.slack.com/x', smtp_smarthost: 'm:25',\n"
	      "  smtp_from: a@b, smtp_require_tls: false}\n"
	      "route:\n"
	      "  receiver: s\n"
	      "  group_by: [alertname]\n"
	      "  routes:\n"
	      "  - matchers: [severity=\"critical\", 'team=~\"a|b\"']\n"
	      "    group_wait: 0s\n"
	      "    continue: true\n"
	      "    routes: [{match: {x: 2}, match_re: {y: 'z.*'}, receiver: e}]\n"
	      "  - matchers: '{a=\"b\"}'\n"
	      "    group_by: ['...']\n"
	      "receivers:\n"
	      "- name: s\n"
	      "  slack_configs: [{channel: '#x'}, {api_url: 'http://h/y', send_resolved: no}]\n"
	      "- name: e\n"
	      "  email_configs: [{to: 'x@y, z@y', headers: {Subject: hi}}]\n"
	      "  webhook_configs: [{url: 'http://u', http_config: {basic_auth: {username: u}}}]\n");
	r = &c->notify.root;
	ck_assert_int_eq(r->group_wait_ms, 5000);
	ck_assert_int_eq(r->group_interval_ms, 60000);
	ck_assert_int_eq(r->repeat_interval_ms, 14400000);
	ck_assert_uint_eq(r->n_routes, 2);
	SAME(r->routes[0].receiver, "s");
	ck_assert_uint_eq(r->routes[0].n_matchers, 2);
	ck_assert(matcher_matches(&r->routes[0].matchers[1], STR("b")));
	ck_assert_int_eq(r->routes[0].group_wait_ms, 0);
	ck_assert(r->routes[0].continue_);
	SAME(r->routes[0].group_by[0], "alertname");
	ck_assert_uint_eq(r->routes[0].routes[0].n_matchers, 2);
	ck_assert_int_eq(r->routes[0].routes[0].group_wait_ms, 0);
	SAME(r->routes[0].routes[0].receiver, "e");
	ck_assert(r->routes[1].group_by_all);
	SAME(SLACK(c->notify.receivers[0], 0)->api_url, "https://hooks.slack.com/x");
	ck_assert(SLACK(c->notify.receivers[0], 0)->send_resolved);
	ck_assert(!SLACK(c->notify.receivers[0], 1)->send_resolved);
	SAME(EMAIL(c->notify.receivers[1], 0)->smarthost, "m:25");
	SAME(EMAIL(c->notify.receivers[1], 0)->from, "a@b");
	ck_assert(!EMAIL(c->notify.receivers[1], 0)->require_tls);
	ck_assert(EMAIL(c->notify.receivers[1], 0)->send_resolved);
	ck_assert_uint_eq(EMAIL(c->notify.receivers[1], 0)->n_headers, 1);
	SAME(WEBHOOK(c->notify.receivers[1], 1)->http.basic_user, "u");
	ck_assert_int_eq(WEBHOOK(c->notify.receivers[1], 1)->timeout_ms, LIMIT_SEND_TIMEOUT_MS);
}
END_TEST

START_TEST(environment_variables_are_expanded)
{
	setenv("BELFRY_T1", "7s", 1);
	setenv("BELFRY_EMPTY", "", 1);
	unsetenv("BELFRY_UNSET");
	loads("global: {scrape_interval: '${BELFRY_T1}', scrape_timeout: '${BELFRY_UNSET:-3s}'}\n"
	      "storage: {path: '/x/${BELFRY_EMPTY}${BELFRY_EMPTY:-y}/$${BELFRY_T1}/${1}'}\n"
	      "self: {enabled: '${BELFRY_UNSET:-false}'}\n");
	ck_assert_int_eq(c->scrape_interval_ms, 7000);
	ck_assert_int_eq(c->scrape_timeout_ms, 3000);
	ck_assert_str_eq(c->storage.dir, "/x/y/${BELFRY_T1}/${1}");
	ck_assert(!c->self_enabled);
	refused("storage: {path: '/a/${BELFRY_UNSET}'}\n",
		"belfry.yml:1:21: environment variable \"BELFRY_UNSET\" is not set");
	setenv("BELFRY_T1", "canary-value", 1);
	refused("global: {scrape_interval: '${BELFRY_T1}'}\n",
		"belfry.yml:1:27: scrape_interval: what the variable holds is not a valid value");
	ck_assert_ptr_null(strstr(out.p, "canary"));
}
END_TEST

START_TEST(flags_override_the_file)
{
	struct config_flags f = {.storage_path = "/tmp/x", .web_listen = "127.0.0.1:0"};

	again();
	c = config_load_text(STR("f"), STR("web: {listen: 'localhost:1'}"), &f, d);
	ck_assert_ptr_nonnull(c);
	ck_assert_str_eq(c->storage.dir, "/tmp/x");
	SAME(c->web_listen[0], "127.0.0.1:0");
	again();
	f.web_listen = "0.0.0.0:80";
	c = config_load_text(STR("f"), STR(""), &f, d);
	ck_assert_ptr_null(c);
	ck_assert_ptr_nonnull(strstr(printed(), "can be reached from other machines"));
}
END_TEST

START_TEST(secrets_are_never_shown)
{
	static const char *const texts[] = {
		"global: {slack_api_url: CANARY}\nroute: {receiver: x}\n",
		"global:\n  smtp_auth_password: [CANARY]\n",
		"global:\n  smtp_auth_password: CANARY\n  smtp_auth_password: CANARY\n",
		"global:\n  smtp_auth_pasword: CANARY\n",
		"global:\n  smtp_auth_password: 'CANARY\n  x: 1\n",
		"global:\n  smtp_auth_password: |\n    CANARY\n    CANARY\n :\n",
		"global: {smtp_auth_password: \"CANARY\" x}\n",
		"nonsense: {password: {x: CANARY}}\n",
		"a: &p CANARY\nglobal: {smtp_auth_password: *p, x: 1}\n",
		"route: {receiver: w}\nreceivers: [{name: w, webhook_configs: [{url: "
		"'CANARY'}]}]\n",
		"route: {receiver: w}\nreceivers: [{name: w, pagerduty_configs: [{routing_key: "
		"CANARY, x: 1}]}]\n",
		"route: {receiver: w}\nreceivers: [{name: w, telegram_configs: [{bot_token: "
		"'CANARY/..', chat_id: 1}]}]\n",
		"route: {receiver: w}\nreceivers: [{name: w, ntfy_configs: [{topic: CANARY, url: "
		"'u:CANARY@h'}]}]\n",
		"route: {receiver: w}\nreceivers: [{name: w, webhook_configs: [{url: 'http://h', "
		"http_config: {http_headers: {X-A: {secrets: [\"CANARY\\n\"]}}}}]}]\n",
		"scrape_configs: [{job_name: j, bearer_token: CANARY, basic_auth: {password: "
		"CANARY}}]\n",
		"scrape_configs: [{job_name: j, static_configs: [{targets: "
		"['http://u:CANARY@h/']}]}]\n",
		"web: {external_url: 'ftp://u:CANARY@h/'}\n",
		"web: {auth: {users: {a: {token: CANARY}}}}\n",
		"global:\n  slack_api_url: https://h/CANARY\n  slack_api_url_file: x\n",
		"remote_write: [{url: 'http://u:CANARY@h', basic_auth: {password: CANARY}}]\n",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		load(texts[i]);
		ck_assert_msg(c == NULL, "accepted %s", texts[i]);
		ck_assert_msg(strstr(printed(), "CANARY") == NULL, "%s\n%s", texts[i], out.p);
		ck_assert(!str_has(diag_first(d), STR("CANARY")));
	}
}
END_TEST

START_TEST(printing_hides_secrets_and_reads_back)
{
	loads("global: {slack_api_url: 'https://h/CANARY', smtp_auth_password: CANARY}\n"
	      "scrape_configs: [{job_name: j, bearer_token: CANARY}]\n"
	      "route: {receiver: w, routes: [{matchers: ['a=\"x y\"']}]}\n"
	      "receivers: [{name: w, webhook_configs: [{url: 'http://h/CANARY'}],\n"
	      "  slack_configs: [{channel: c}]}]\n");
	buf_reset(&out);
	config_print(c, &out);
	ck_assert_ptr_null(strstr(out.p, "CANARY"));
	ck_assert_ptr_nonnull(strstr(out.p, "slack_api_url: <secret>\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "retention: 15d\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "out_of_order_window: 1h\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "repeat_interval: 4h\n"));

	loads("global: {external_labels: {a: 'x: \"y\"', b: 'yes'}}\n"
	      "web: {listen: [localhost:1, 'unix:/x']}\n"
	      "scrape_configs: [{job_name: 'j {', params: {a: [b, 'c d'], e: [f]},\n"
	      "  static_configs: [{targets: ['h:1'], labels: {k: v}}]}]\n"
	      "route: {receiver: w, routes: [{matchers: ['a=~\"x \\\"y\"', b!=c]}]}\n"
	      "receivers: [{name: w}]\n");
	{
		struct buf first, second;
		struct config *back;

		buf_init(&first, 1u << 20);
		buf_init(&second, 1u << 20);
		config_print(c, &first);
		back = config_load_text(STR("back"), buf_view(&first), NULL, d);
		ck_assert_msg(back != NULL, "%s\n%s", first.p, printed());
		config_print(back, &second);
		ck_assert_str_eq(first.p, second.p);
		config_free(back);
		buf_fini(&first);
		buf_fini(&second);
	}
}
END_TEST

START_TEST(values_of_any_shape_are_printed_as_they_stand)
{
	loads("route: {receiver: a}\n"
	      "receivers:\n"
	      "- name: a\n"
	      "  webhook_configs:\n"
	      "  - url: http://h/\n"
	      "    payload: {count: 1, s: '1', t: no, x: a b, token: CANARY, l: [1.5, null, "
	      "\"a\\nb\"]}\n"
	      "    http_config: {http_headers: {X-A: {values: [CANARY]}}}\n");
	config_print(c, &out);
	ck_assert_ptr_nonnull(strstr(out.p,
		"payload: {count: 1, s: \"1\", t: no, x: \"a b\", token: <secret>, l: [1.5, null, "
		"\"a\\nb\"]}\n"));
	ck_assert_ptr_nonnull(strstr(out.p, "http_headers: <secret>\n"));
	ck_assert_ptr_null(strstr(out.p, "CANARY"));
}
END_TEST

START_TEST(keys_that_need_a_restart_are_named)
{
	struct config *a, *b;

	a = config_load_text(STR("a"), STR("web: {listen: 'localhost:1'}\n"), NULL, d);
	b = config_load_text(STR("b"),
		STR("storage: {path: /y, retention: 3d}\nstatsd: {listen: []}\n"
		    "global: {scrape_interval: 1m}\nself: {enabled: false}\n"),
		NULL, d);
	ck_assert(a != NULL && b != NULL);
	config_fixed_changes(a, b, &out);
	ck_assert_str_eq(out.p, "storage.path, web.listen, statsd.listen, self.enabled");
	buf_reset(&out);
	config_fixed_changes(a, a, &out);
	ck_assert_uint_eq(out.n, 0);
	config_free(a);
	config_free(b);
}
END_TEST

/* ---- files ---- */

static void write_file(const char *path, struct str text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text.p, 1, text.n, f), text.n);
	ck_assert_int_eq(fclose(f), 0);
}

START_TEST(secrets_come_from_files_and_rules_from_patterns)
{
	char dir[] = "/tmp/belfry-config-XXXXXX", path[200], back[200];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(getcwd(back, sizeof back));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mkdir("rules.d", 0700), 0);
	write_file("rules.d/b.yml", STR(""));
	write_file("rules.d/a.yml", STR(""));
	write_file("rules.d/c.txt", STR(""));
	write_file("one.rules", STR(""));
	write_file("url", STR("https://h/x\r\n\n"));
	write_file("c.yml", STR("global: {slack_api_url_file: url}\n"
				"rule_files: [rules.d/*.yml, one.rules, none*.yml]\n"
				"route: {receiver: s}\n"
				"receivers: [{name: s, slack_configs: [{channel: x}]}]\n"));
	snprintf(path, sizeof path, "%s/c.yml", dir);
	ck_assert_int_eq(chdir(back), 0);
	c = config_load(path, NULL, d);
	ck_assert_msg(c != NULL, "%s", printed());
	SAME(SLACK(c->notify.receivers[0], 0)->api_url, "https://h/x");
	ck_assert_uint_eq(c->n_rule_files, 3);
	ck_assert(str_ends(c->rule_files[0], STR("/one.rules")));
	ck_assert(str_ends(c->rule_files[1], STR("/rules.d/a.yml")));
	ck_assert(str_ends(c->rule_files[2], STR("/rules.d/b.yml")));
	again();

	ck_assert_int_eq(chdir(dir), 0);
	write_file("c.yml", STR("global: {smtp_auth_password: x}\n"));
	ck_assert_int_eq(chmod("c.yml", 0644), 0);
	c = config_load("c.yml", NULL, d);
	ck_assert_ptr_nonnull(c);
	ck_assert_ptr_nonnull(strstr(printed(), "everybody may read it"));
	again();
	ck_assert_int_eq(chmod("c.yml", 0600), 0);
	c = config_load("c.yml", NULL, d);
	ck_assert(c != NULL && diag_warnings(d) == 0);
	ck_assert_int_eq(chdir(back), 0);
	snprintf(path, sizeof path, "rm -r %s", dir);
	ck_assert_int_eq(system(path), 0);
}
END_TEST

START_TEST(an_alertmanager_file_is_taken_as_it_is)
{
	char dir[] = "/tmp/belfry-config-XXXXXX", path[200], command[300], back[200];
	const struct route_config *r;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_ptr_nonnull(getcwd(back, sizeof back));
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(mkdir("am", 0700), 0);
	write_file("am/url", STR("https://h/x\n"));
	write_file("am/am.yml", STR("global: {slack_api_url_file: url, resolve_timeout: 7m}\n"
				    "route: {receiver: s, routes: [{match: {a: '${b}'}}]}\n"
				    "receivers:\n"
				    "- name: s\n"
				    "  slack_configs: [{channel: x}, {send_resolved: true}]\n"
				    "  email_configs: [{to: a@b, from: c@d, smarthost: 'm:25'}]\n"
				    "  webhook_configs: [{url: 'http://h'}]\n"));
	ck_assert_int_eq(chmod("am/am.yml", 0600), 0);
	write_file("b.yml", STR("alertmanager_config_file: am/am.yml\n"
				"global: {scrape_interval: 5s}\n"));
	snprintf(path, sizeof path, "%s/b.yml", dir);
	ck_assert_int_eq(chdir(back), 0);
	c = config_load(path, NULL, d);
	ck_assert_msg(c != NULL && diag_warnings(d) == 0, "%s", printed());
	ck_assert_int_eq(c->scrape_interval_ms, 5000);
	r = &c->notify.root;
	SAME(r->receiver, "s");
	ck_assert_int_eq(r->group_wait_ms, 30000);
	ck_assert_int_eq(r->group_interval_ms, 300000);
	ck_assert(matcher_matches(&r->routes[0].matchers[0], STR("${b}")));
	SAME(SLACK(c->notify.receivers[0], 0)->api_url, "https://h/x");
	ck_assert(!c->notify.receivers[0].v[0].send_resolved);
	ck_assert(c->notify.receivers[0].v[1].send_resolved);
	ck_assert(!EMAIL(c->notify.receivers[0], 2)->send_resolved);
	ck_assert(!EMAIL(c->notify.receivers[0], 2)->threading);
	ck_assert(c->notify.receivers[0].v[3].send_resolved);
	again();

	snprintf(command, sizeof command, "echo 'route: {receiver: s}' >> %s", path);
	ck_assert_int_eq(system(command), 0);
	c = config_load(path, NULL, d);
	ck_assert_ptr_null(c);
	ck_assert_ptr_nonnull(strstr(printed(), "b.yml:3:1: route stands in the file of"));
	again();

	snprintf(command, sizeof command, "echo 'scrape_configs: []' >> %s/am/am.yml", dir);
	ck_assert_int_eq(system(command), 0);
	c = config_load(path, NULL, d);
	ck_assert_ptr_null(c);
	ck_assert_ptr_nonnull(strstr(printed(), "am.yml:8:1: unknown key \"scrape_configs\""));
	again();

	snprintf(command, sizeof command, "rm -r %s/am", dir);
	ck_assert_int_eq(system(command), 0);
	c = config_load(path, NULL, d);
	ck_assert_ptr_null(c);
	ck_assert_ptr_nonnull(strstr(printed(), "b.yml:1:27: alertmanager_config_file: "));
	snprintf(command, sizeof command, "rm -r %s", dir);
	ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(slack_has_a_webhook_or_a_token_in_either_of_two_ways)
{
	const struct receiver_config *r;

	loads("global: {slack_app_token: xoxb-1, slack_app_url: 'http://s/api/chat.postMessage'}\n"
	      "route: {receiver: r}\n"
	      "receivers:\n"
	      "- name: r\n"
	      "  slack_configs:\n"
	      "  - channel: a\n"
	      "  - api_url: https://hooks.slack.com/x\n"
	      "  - api_url: https://slack.com/api/chat.postMessage\n"
	      "    http_config: {authorization: {credentials: xoxb-2}}\n"
	      "    update_message: false\n");
	r = &c->notify.receivers[0];
	SAME(SLACK(*r, 0)->bot_token, "xoxb-1");
	SAME(SLACK(*r, 0)->api_url, "http://s/api/chat.postMessage");
	ck_assert(SLACK(*r, 0)->update_message && SLACK(*r, 0)->thread);
	ck_assert_uint_eq(SLACK(*r, 1)->bot_token.n, 0);
	ck_assert(!SLACK(*r, 1)->update_message);
	SAME(SLACK(*r, 1)->api_url, "https://hooks.slack.com/x");
	SAME(SLACK(*r, 2)->bot_token, "xoxb-2");
	ck_assert_uint_eq(SLACK(*r, 2)->http.bearer.n, 0);
	ck_assert(!SLACK(*r, 2)->update_message);
}
END_TEST

START_TEST(receivers_take_what_they_lack_from_global)
{
	const struct receiver_config *r;
	const struct telegram_config *t;
	const struct msteamsv2_config *teams;
	const struct rocketchat_config *rc;
	const struct opsgenie_config *og;

	loads("global:\n"
	      "  http_config: {proxy_url: 'http://p:1', basic_auth: {username: u}}\n"
	      "  telegram_bot_token: '1:a'\n"
	      "  telegram_api_url: http://t/\n"
	      "  rocketchat_token: tok\n"
	      "  rocketchat_token_id: id\n"
	      "  opsgenie_api_key: key\n"
	      "  opsgenie_api_url: http://og/x\n"
	      "route: {receiver: r}\n"
	      "receivers:\n"
	      "- name: r\n"
	      "  labels: {team: a}\n"
	      "  telegram_configs: [{chat_id: -5}, {chat_id: 6, bot_token: '2:b', http_config: "
	      "{authorization: {type: X, credentials: y}}}]\n"
	      "  msteamsv2_configs: [{webhook_url: 'http://w', http_config: {no_proxy: ''}}]\n"
	      "  rocketchat_configs: [{channel: c}]\n"
	      "  opsgenie_configs: [{}]\n");
	r = &c->notify.receivers[0];
	ck_assert_uint_eq(r->n, 5);
	SAME(labels_get(r->labels, STR("team")), "a");
	og = r->v[0].conf;
	SAME(og->api_url, "http://og/x/");
	SAME(og->api_key, "key");
	teams = r->v[1].conf;
	SAME(teams->http.proxy_url, "http://p:1");
	ck_assert_uint_eq(teams->http.basic_user.n, 0); /* its http_config replaces global's */
	t = r->v[2].conf;
	SAME(t->bot_token, "1:a");
	SAME(t->api_url, "http://t");
	SAME(t->http.basic_user, "u");
	SAME(t->chat_id, "-5");
	t = r->v[3].conf;
	SAME(t->bot_token, "2:b");
	SAME(t->http.authorization, "X y");
	ck_assert_uint_eq(t->http.proxy_url.n, 0);
	rc = r->v[4].conf;
	SAME(rc->api_url, "https://open.rocket.chat/");
	SAME(rc->token_id, "id");
	ck_assert_int_eq(r->v[4].kind, INT_ROCKETCHAT);
}
END_TEST

START_TEST(what_is_only_checked_is_no_error_of_a_check)
{
	static const struct config_flags check = {.check = true};
	static const char text[] =
		"tracing: {endpoint: h}\n"
		"route: {receiver: s}\n"
		"receivers:\n"
		"- name: s\n"
		"  sns_configs: [{topic_arn: a}]\n"
		"  victorops_configs: [{api_key_file: /nonexistent, routing_key: x}]\n"
		"  pagerduty_configs: [{service_key: x}]\n"
		"  webhook_configs: [{url: 'http://h/{{ .Status }}'}]\n";

	c = config_load_text(STR("belfry.yml"), str_c(text), &check, d);
	ck_assert_msg(c != NULL, "%s", printed());
	(void)printed(); /* but whoever checks is told what a run would say */
	ck_assert_ptr_nonnull(
		strstr(out.p, "belfry.yml:5:3: warning: sns_configs is only checked"));
	ck_assert_ptr_nonnull(strstr(out.p, "belfry.yml:8:27: warning: url: a template"));
	refused(text, "belfry.yml:5:3: sns_configs is only checked: belfry cannot run with it");
	ck_assert_ptr_nonnull(strstr(out.p, "belfry.yml:6:3: victorops_configs is only"));
	ck_assert_ptr_nonnull(strstr(out.p, "belfry.yml:7:24: service_key is only"));
	ck_assert_ptr_nonnull(strstr(out.p, "belfry.yml:8:27: url: a template"));
}
END_TEST

START_TEST(a_file_that_is_none_is_refused_without_waiting)
{
	ck_assert_ptr_null(config_load("/nonexistent/belfry.yml", NULL, d));
	ck_assert_ptr_nonnull(strstr(printed(), "/nonexistent/belfry.yml"));
	again();
	ck_assert_ptr_null(config_load("/dev/zero", NULL, d));
	again();
	ck_assert_ptr_null(config_load("/tmp", NULL, d));
}
END_TEST

static size_t each_file(const char *pattern, void (*fn)(const char *name))
{
	char back[4096];
	size_t n;
	glob_t g;

	ck_assert_ptr_nonnull(getcwd(back, sizeof back));
	ck_assert_int_eq(chdir("tests/data/config"), 0);
	ck_assert_int_eq(glob(pattern, 0, NULL, &g), 0);
	n = g.gl_pathc;
	for (size_t i = 0; i < n; i++) {
		again();
		fn(g.gl_pathv[i]);
	}
	globfree(&g);
	ck_assert_int_eq(chdir(back), 0);
	return n;
}

static void good_file(const char *name)
{
	c = config_load(name, NULL, d);
	ck_assert_msg(c != NULL, "%s", printed());
}

static void bad_file(const char *name)
{
	char golden[300];
	struct str want;
	struct err e;

	snprintf(golden, sizeof golden, "%.*s.err", (int)strlen(name) - 4, name);
	c = config_load(name, NULL, d);
	ck_assert_msg(c == NULL, "%s was accepted", name);
	printed();
	if (getenv("BELFRY_UPDATE") != NULL)
		write_file(golden, buf_view(&out));
	ck_assert_msg(fd_read_file(golden, 1u << 20, &arena, &want, &e) == 0, "%s", e.msg);
	ck_assert_msg(str_eq(want, buf_view(&out)), "%s wanted:\n%.*s\ngot:\n%s", name, (int)want.n,
		want.p, out.p);
}

START_TEST(every_good_file_loads)
{
	ck_assert_uint_ge(each_file("good/*.yml", good_file), 5);
}
END_TEST

START_TEST(every_bad_file_is_refused_with_its_messages)
{
	unsetenv("BELFRY_UNSET");
	ck_assert_uint_ge(each_file("bad/*.yml", bad_file), 60);
}
END_TEST

START_TEST(the_reference_page_is_up_to_date)
{
	struct str page;
	struct err e;

	config_reference(&out);
	ck_assert(!out.failed);
	if (getenv("BELFRY_UPDATE") != NULL)
		write_file("docs/reference/config.md", buf_view(&out));
	ck_assert_msg(fd_read_file("docs/reference/config.md", 1u << 20, &arena, &page, &e) == 0,
		"%s", e.msg);
	ck_assert_msg(str_eq(page, buf_view(&out)),
		"docs/reference/config.md differs: run BELFRY_UPDATE=1 build/.../test_config");
}
END_TEST

START_TEST(all_errors_of_a_file_are_told_at_once)
{
	refused("global: {scrape_interval: 5 minutes, nope: 1}\n"
		"web: {listen: 7}\n"
		"scrape_configs: [{scheme: ftp}]\n",
		"belfry.yml:1:27: scrape_interval: \"5 minutes\" is not a duration; write for "
		"example "
		"5m\n");
	ck_assert_ptr_nonnull(strstr(out.p, "unknown key \"nope\" in global"));
	ck_assert_ptr_nonnull(strstr(out.p, "belfry.yml:2:15: listen: "));
	ck_assert_ptr_nonnull(strstr(out.p, "needs \"job_name\""));
	ck_assert_ptr_nonnull(strstr(out.p, "\"ftp\" is none of http|https"));
	ck_assert_uint_eq(diag_errors(d), 5);
}
END_TEST

START_TEST(a_hostile_file_is_refused_in_time)
{
	struct buf b;

	buf_init(&b, LIMIT_YAML_BYTES);
	buf_c(&b, "receivers:\n");
	while (b.n < 3000000)
		buf_printf(&b, "- name: a%zu\n", b.n);
	buf_c(&b, "x: [\n");
	load(b.p);
	ck_assert_ptr_null(c);
	buf_reset(&b);
	while (b.n < 3000000)
		buf_c(&b, "password: x\n");
	load(b.p);
	ck_assert_ptr_null(c);
	printed();
	buf_fini(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("config");
	TCase *tc = tcase_create("config");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, an_empty_file_gives_the_defaults_of_the_reference);
	tcase_add_test(tc, what_the_conformance_runs_use_loads);
	tcase_add_test(tc, jobs_inherit_from_global);
	tcase_add_test(tc, routes_and_receivers_inherit);
	tcase_add_test(tc, environment_variables_are_expanded);
	tcase_add_test(tc, flags_override_the_file);
	tcase_add_test(tc, secrets_are_never_shown);
	tcase_add_test(tc, printing_hides_secrets_and_reads_back);
	tcase_add_test(tc, values_of_any_shape_are_printed_as_they_stand);
	tcase_add_test(tc, keys_that_need_a_restart_are_named);
	tcase_add_test(tc, secrets_come_from_files_and_rules_from_patterns);
	tcase_add_test(tc, an_alertmanager_file_is_taken_as_it_is);
	tcase_add_test(tc, slack_has_a_webhook_or_a_token_in_either_of_two_ways);
	tcase_add_test(tc, receivers_take_what_they_lack_from_global);
	tcase_add_test(tc, what_is_only_checked_is_no_error_of_a_check);
	tcase_add_test(tc, a_file_that_is_none_is_refused_without_waiting);
	tcase_add_test(tc, every_good_file_loads);
	tcase_add_test(tc, every_bad_file_is_refused_with_its_messages);
	tcase_add_test(tc, the_reference_page_is_up_to_date);
	tcase_add_test(tc, all_errors_of_a_file_are_told_at_once);
	tcase_add_test(tc, a_hostile_file_is_refused_in_time);
	suite_add_tcase(s, tc);
	return suite_run(s);
}

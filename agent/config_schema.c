/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_schema - the keys of belfry.yml outside notifications; see config_schema.h.
 *
 * Keys that Prometheus has and this version has not are listed as CK_UNBUILT: a file that uses
 * them is refused by name instead of being read as if they did nothing. The second argument is
 * the one value that changes nothing and is therefore taken.
 */
#include "agent/config_schema.h"

#include "base/limits.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

/* ---- HTTP clients ---- */

static const struct config_key auth_keys[] = {
	CK(CT_STR, struct conf_auth, type, "type", "Bearer", 0,
		"Scheme of the Authorization header; only Bearer in this version."),
	CK(CT_STR, struct conf_auth, credentials, "credentials", NULL, CF_SECRET,
		"What follows the scheme."),
};
const struct config_section config_auth = CONFIG_SECTION(
	"authorization", auth_keys, struct conf_auth, "The Authorization header of requests.");

static const struct config_key basic_keys[] = {
	CK(CT_STR, struct conf_basic, username, "username", NULL, 0, "User name."),
	CK(CT_STR, struct conf_basic, password, "password", NULL, CF_SECRET, "Password."),
	CK_UNBUILT("username_file", NULL),
};
const struct config_section config_basic = CONFIG_SECTION(
	"basic_auth", basic_keys, struct conf_basic, "User name and password sent with requests.");

static const struct config_key tls_keys[] = {
	CK(CT_STR, struct conf_tls, ca_file, "ca_file", NULL, CF_PATH,
		"Certificates that may sign the server's; the system's when not given."),
	CK(CT_STR, struct conf_tls, cert_file, "cert_file", NULL, CF_PATH,
		"Client certificate; needs key_file."),
	CK(CT_STR, struct conf_tls, key_file, "key_file", NULL, CF_PATH,
		"Key of the client certificate."),
	CK(CT_STR, struct conf_tls, server_name, "server_name", NULL, 0,
		"Name the server's certificate must have, when not the address's."),
	CK(CT_BOOL, struct conf_tls, insecure_skip_verify, "insecure_skip_verify", "false", 0,
		"Take any certificate. Only for tests."),
	CK_UNBUILT("ca", NULL),
	CK_UNBUILT("cert", NULL),
	CK_UNBUILT_SECRET("key"),
	CK_UNBUILT("min_version", "TLS12"),
	CK_UNBUILT("max_version", NULL),
};
static const struct config_section tls = CONFIG_SECTION(
	"scrape_configs[].tls_config", tls_keys, struct conf_tls, "TLS towards a target.");

/* ---- scraping ---- */

static const struct config_key static_keys[] = {
	CK(CT_STRS, struct conf_static, pub.targets, "targets", NULL, 0,
		"Addresses as host:port; the port may be left out."),
	CK(CT_LABELS, struct conf_static, pub.labels, "labels", NULL, 0,
		"Labels of every series of these targets."),
};
const struct config_section config_static = CONFIG_SECTION(
	"scrape_configs[].static_configs[]", static_keys, struct conf_static, "Fixed targets.");

static const struct config_key scrape_keys[] = {
	CK(CT_STR, struct conf_scrape, pub.job_name, "job_name", NULL, CF_REQUIRED,
		"Value of the label job; unique."),
	CK_RANGE(CT_DUR, struct conf_scrape, pub.interval_ms, "scrape_interval", NULL, 0, 10, YEAR,
		"Time between scrapes; global.scrape_interval when not given."),
	CK_RANGE(CT_DUR, struct conf_scrape, pub.timeout_ms, "scrape_timeout", NULL, 0, 10, YEAR,
		"A scrape that takes longer fails; at most the interval. The smaller of "
		"global.scrape_timeout and the interval when not given."),
	CK(CT_STR, struct conf_scrape, pub.metrics_path, "metrics_path", "/metrics", 0,
		"Path of the page."),
	CK_ENUM(struct conf_scrape, pub.scheme, "scheme", "http", 0, "http|https", "Protocol."),
	CK(CT_PARAMS, struct conf_scrape, pub.params, "params", NULL, 0,
		"Query parameters: a list of values for each name."),
	CK(CT_BOOL, struct conf_scrape, pub.honor_labels, "honor_labels", "false", 0,
		"Labels of the page win over the target's; otherwise they become exported_*."),
	CK(CT_BOOL, struct conf_scrape, pub.honor_timestamps, "honor_timestamps", "true", 0,
		"Timestamps of the page are used."),
	CK_SUB(CT_MAP, struct conf_scrape, basic, "basic_auth", config_basic, 0,
		"User name and password."),
	CK_SUB(CT_MAP, struct conf_scrape, auth, "authorization", config_auth, 0,
		"Authorization header."),
	CK(CT_STR, struct conf_scrape, pub.bearer, "bearer_token", NULL, CF_SECRET,
		"Bearer token; the same as authorization.credentials."),
	CK_SUB(CT_MAP, struct conf_scrape, tls, "tls_config", tls, 0, "TLS towards the target."),
	CK(CT_BOOL, struct conf_scrape, pub.follow_redirects, "follow_redirects", "true", 0,
		"Redirects are followed, on the same host only."),
	CK(CT_SIZE, struct conf_scrape, pub.body_size_limit, "body_size_limit", NULL, CF_UNIT,
		"A larger page fails the scrape, after decompression. 0: 64MB."),
	CK(CT_UINT, struct conf_scrape, pub.sample_limit, "sample_limit", NULL, 0,
		"More samples fail the scrape. 0: none."),
	CK(CT_UINT, struct conf_scrape, pub.label_limit, "label_limit", NULL, 0,
		"A sample with more labels fails the scrape. 0: none."),
	CK(CT_UINT, struct conf_scrape, pub.label_name_length_limit, "label_name_length_limit",
		NULL, 0, "A longer label name fails the scrape. 0: none."),
	CK(CT_UINT, struct conf_scrape, pub.label_value_length_limit, "label_value_length_limit",
		NULL, 0, "A longer label value fails the scrape. 0: none."),
	CK_SUB(CT_LIST, struct conf_scrape, statics, "static_configs", config_static, 0,
		"Targets by address."),
	CK_UNBUILT("relabel_configs", NULL),
	CK_UNBUILT("metric_relabel_configs", NULL),
	CK_UNBUILT("oauth2", NULL),
	CK_UNBUILT("enable_http2", "true"),
	CK_UNBUILT("enable_compression", "true"),
	CK_UNBUILT("proxy_url", NULL),
	CK_UNBUILT("no_proxy", NULL),
	CK_UNBUILT("proxy_from_environment", "false"),
	CK_UNBUILT("proxy_connect_header", NULL),
	CK_UNBUILT_SECRET("http_headers"),
	CK_UNBUILT("scrape_protocols", NULL),
	CK_UNBUILT("fallback_scrape_protocol", NULL),
	CK_UNBUILT("track_timestamps_staleness", "false"),
	CK_UNBUILT("scrape_native_histograms", "false"),
	CK_UNBUILT("scrape_classic_histograms", "false"),
	CK_UNBUILT("always_scrape_classic_histograms", "false"),
	CK_UNBUILT("convert_classic_histograms_to_nhcb", "false"),
	CK_UNBUILT("native_histogram_bucket_limit", "0"),
	CK_UNBUILT("native_histogram_min_bucket_factor", "0"),
	CK_UNBUILT("extra_scrape_metrics", "false"),
	CK_UNBUILT("target_limit", "0"),
	CK_UNBUILT("keep_dropped_targets", "0"),
	CK_UNBUILT("metric_name_validation_scheme", "utf8"),
	CK_UNBUILT("metric_name_escaping_scheme", NULL),
	CK_UNBUILT("scrape_failure_log_file", NULL),
	CK_UNBUILT("aws_sd_configs", NULL),
	CK_UNBUILT("azure_sd_configs", NULL),
	CK_UNBUILT("consul_sd_configs", NULL),
	CK_UNBUILT("digitalocean_sd_configs", NULL),
	CK_UNBUILT("dns_sd_configs", NULL),
	CK_UNBUILT("docker_sd_configs", NULL),
	CK_UNBUILT("dockerswarm_sd_configs", NULL),
	CK_UNBUILT("ec2_sd_configs", NULL),
	CK_UNBUILT("eureka_sd_configs", NULL),
	CK_UNBUILT("file_sd_configs", NULL),
	CK_UNBUILT("gce_sd_configs", NULL),
	CK_UNBUILT("hetzner_sd_configs", NULL),
	CK_UNBUILT("http_sd_configs", NULL),
	CK_UNBUILT("ionos_sd_configs", NULL),
	CK_UNBUILT("kubernetes_sd_configs", NULL),
	CK_UNBUILT("kuma_sd_configs", NULL),
	CK_UNBUILT("lightsail_sd_configs", NULL),
	CK_UNBUILT("linode_sd_configs", NULL),
	CK_UNBUILT("marathon_sd_configs", NULL),
	CK_UNBUILT("nerve_sd_configs", NULL),
	CK_UNBUILT("nomad_sd_configs", NULL),
	CK_UNBUILT("oci_sd_configs", NULL),
	CK_UNBUILT("openstack_sd_configs", NULL),
	CK_UNBUILT("outscale_sd_configs", NULL),
	CK_UNBUILT("ovhcloud_sd_configs", NULL),
	CK_UNBUILT("puppetdb_sd_configs", NULL),
	CK_UNBUILT("scaleway_sd_configs", NULL),
	CK_UNBUILT("serverset_sd_configs", NULL),
	CK_UNBUILT("stackit_sd_configs", NULL),
	CK_UNBUILT("triton_sd_configs", NULL),
	CK_UNBUILT("uyuni_sd_configs", NULL),
	CK_UNBUILT("vultr_sd_configs", NULL),
};
static const struct config_section scrape = CONFIG_SECTION("scrape_configs[]", scrape_keys,
	struct conf_scrape, "A job: a group of targets that are scraped alike.");

/* ---- global ---- */

static const struct config_key global_keys[] = {
	CK_RANGE(CT_DUR, struct conf_global, scrape_interval_ms, "scrape_interval", "15s", 0, 10,
		YEAR, "Time between scrapes."),
	CK_RANGE(CT_DUR, struct conf_global, scrape_timeout_ms, "scrape_timeout", "10s", 0, 10,
		YEAR, "A scrape that takes longer fails; at most the interval."),
	CK_RANGE(CT_DUR, struct conf_global, evaluation_interval_ms, "evaluation_interval", "15s",
		0, 10, YEAR, "Time between evaluations of rule groups that name none."),
	CK(CT_DUR, struct conf_global, query_offset_ms, "rule_query_offset", "0s", 0,
		"Rules look this far back, for samples that come late."),
	CK(CT_LABELS, struct conf_global, external_labels, "external_labels", NULL, 0,
		"Labels of this belfry: added to what leaves it."),
	CK(CT_SIZE, struct conf_global, body_size_limit, "body_size_limit", NULL, CF_UNIT,
		"For jobs that name none: a larger page fails the scrape. 0: 64MB."),
	CK(CT_UINT, struct conf_global, sample_limit, "sample_limit", NULL, 0,
		"For jobs that name none: more samples fail the scrape. 0: none."),
	CK(CT_UINT, struct conf_global, label_limit, "label_limit", NULL, 0,
		"For jobs that name none: a sample with more labels fails the scrape. 0: none."),
	CK(CT_UINT, struct conf_global, label_name_length_limit, "label_name_length_limit", NULL, 0,
		"For jobs that name none: a longer label name fails the scrape. 0: none."),
	CK(CT_UINT, struct conf_global, label_value_length_limit, "label_value_length_limit", NULL,
		0, "For jobs that name none: a longer label value fails the scrape. 0: none."),
	CK(CT_STR, struct conf_global, slack_api_url, "slack_api_url", NULL, CF_SECRET,
		"Incoming webhook for Slack receivers that name none."),
	CK(CT_STR, struct conf_global, smtp_smarthost, "smtp_smarthost", NULL, 0,
		"Mail server as host:port, for e-mail receivers that name none."),
	CK(CT_STR, struct conf_global, smtp_from, "smtp_from", NULL, 0, "Sender address."),
	CK(CT_STR, struct conf_global, smtp_hello, "smtp_hello", "localhost", 0,
		"Name said to the mail server."),
	CK(CT_STR, struct conf_global, smtp_auth_username, "smtp_auth_username", NULL, 0,
		"User at the mail server."),
	CK(CT_STR, struct conf_global, smtp_auth_password, "smtp_auth_password", NULL, CF_SECRET,
		"Password at the mail server."),
	CK(CT_STR, struct conf_global, smtp_auth_identity, "smtp_auth_identity", NULL, 0,
		"Identity for AUTH PLAIN."),
	CK(CT_BOOL, struct conf_global, smtp_require_tls, "smtp_require_tls", "true", 0,
		"Mail is only sent over TLS."),
	CK_SUB(CT_MAP, struct conf_global, smtp_tls, "smtp_tls_config", config_smtp_tls, 0,
		"TLS towards the mail server."),
	CK(CT_STR, struct conf_global, smtp_auth_secret, "smtp_auth_secret", NULL, CF_SECRET,
		"Secret for AUTH CRAM-MD5, instead of a password."),
	CK(CT_STR, struct conf_global, smtp_auth_token, "smtp_auth_token", NULL, CF_SECRET,
		"Access token for AUTH XOAUTH2, instead of a password."),
	CK(CT_BOOL, struct conf_global, smtp_implicit_tls, "smtp_force_implicit_tls", NULL, 0,
		"TLS from the first byte (true) or by STARTTLS (false); by the port when not "
		"given: 465 is implicit."),
	CK(CT_DUR, struct conf_global, resolve_timeout_ms, "resolve_timeout", "5m", 0,
		"An alert posted without an end is resolved when it was not posted again for this "
		"long."),
	CK_SUB(CT_MAP, struct conf_global, http, "http_config", config_http, 0,
		"For receivers that have none of their own."),
	CK(CT_STR, struct conf_global, slack_app_token, "slack_app_token", NULL, CF_SECRET,
		"Bot token for Slack receivers that name none."),
	CK(CT_STR, struct conf_global, slack_app_url, "slack_app_url", NULL, 0,
		"Address of chat.postMessage for bot tokens; Slack's when not given."),
	CK(CT_STR, struct conf_global, pagerduty_url, "pagerduty_url", NULL, 0,
		"Address of the events API, version 2; PagerDuty's when not given."),
	CK(CT_STR, struct conf_global, opsgenie_api_url, "opsgenie_api_url", NULL, 0,
		"Address of the API; Opsgenie's when not given."),
	CK(CT_STR, struct conf_global, opsgenie_api_key, "opsgenie_api_key", NULL, CF_SECRET,
		"API key for Opsgenie receivers that name none."),
	CK(CT_STR, struct conf_global, telegram_api_url, "telegram_api_url", NULL, 0,
		"Address of the bot API; Telegram's when not given."),
	CK(CT_STR, struct conf_global, telegram_bot_token, "telegram_bot_token", NULL, CF_SECRET,
		"Bot token for Telegram receivers that name none."),
	CK(CT_STR, struct conf_global, mattermost_webhook_url, "mattermost_webhook_url", NULL,
		CF_SECRET, "Incoming webhook for Mattermost receivers that name none."),
	CK(CT_STR, struct conf_global, rocketchat_api_url, "rocketchat_api_url", NULL, 0,
		"Address of the Rocket.Chat server; https://open.rocket.chat/ when not given."),
	CK(CT_STR, struct conf_global, rocketchat_token, "rocketchat_token", NULL, CF_SECRET,
		"Token for Rocket.Chat receivers that name none."),
	CK(CT_STR, struct conf_global, rocketchat_token_id, "rocketchat_token_id", NULL, CF_SECRET,
		"User id of that token."),
	CK(CT_STR, struct conf_global, jira_api_url, "jira_api_url", NULL, 0, "Checked only."),
	CK(CT_STR, struct conf_global, victorops_api_url, "victorops_api_url", NULL, 0,
		"Checked only."),
	CK(CT_STR, struct conf_global, victorops_api_key, "victorops_api_key", NULL, CF_SECRET,
		"Checked only."),
	CK(CT_STR, struct conf_global, webex_api_url, "webex_api_url", NULL, 0, "Checked only."),
	CK(CT_STR, struct conf_global, wechat_api_url, "wechat_api_url", NULL, 0, "Checked only."),
	CK(CT_STR, struct conf_global, wechat_api_secret, "wechat_api_secret", NULL, CF_SECRET,
		"Checked only."),
	CK(CT_STR, struct conf_global, wechat_api_corp_id, "wechat_api_corp_id", NULL, 0,
		"Checked only."),
	CK_UNBUILT("query_log_file", NULL),
	CK_UNBUILT("scrape_failure_log_file", NULL),
	CK_UNBUILT("scrape_protocols", NULL),
	CK_UNBUILT("scrape_native_histograms", "false"),
	CK_UNBUILT("always_scrape_classic_histograms", "false"),
	CK_UNBUILT("convert_classic_histograms_to_nhcb", "false"),
	CK_UNBUILT("extra_scrape_metrics", "false"),
	CK_UNBUILT("target_limit", "0"),
	CK_UNBUILT("keep_dropped_targets", "0"),
	CK_UNBUILT("metric_name_validation_scheme", "utf8"),
	CK_UNBUILT("metric_name_escaping_scheme", NULL),
};
static const struct config_section global = CONFIG_SECTION("global", global_keys,
	struct conf_global, "What holds for all jobs, rules and receivers that say nothing else.");

/* ---- belfry's own ---- */

static const struct config_key storage_keys[] = {
	CK(CT_STR, struct conf_storage, path, "path", "/var/lib/belfry", CF_FIXED | CF_PATH,
		"Folder of all data."),
	CK(CT_DUR, struct conf_storage, retention_ms, "retention", "15d", 0,
		"How long samples are kept. 0: for ever."),
	CK(CT_SIZE, struct conf_storage, retention_size, "retention_size", "0", 0,
		"The oldest data goes when there is more. 0: no limit."),
	CK(CT_WINDOW, struct conf_storage, ooo_window_ms, "out_of_order_window", "1h", 0,
		"Samples this much older than the newest are taken; unlimited: any time, ahead "
		"as well."),
	CK_ENUM(struct conf_storage, durability, "durability", "process", CF_FIXED, "process|power",
		"What acknowledged samples survive: the end of the process, or a power cut too."),
	CK_RANGE(CT_UINT, struct conf_storage, max_series, "max_series", "1000000", 0, 1,
		LIMIT_MAX_SERIES, "Series in memory; new ones beyond it are refused."),
	CK(CT_SIZE, struct conf_storage, min_free, "min_free", "0", 0,
		"Below this much free disk only alerting goes on. 0: the larger of 100MB and 2 %."),
	CK_UNBUILT("tsdb", NULL),
	CK_UNBUILT("exemplars", NULL),
};
static const struct config_section storage = CONFIG_SECTION(
	"storage", storage_keys, struct conf_storage, "Where samples are kept, and for how long.");

static const struct config_key web_keys[] = {
	CK(CT_STRS, struct conf_web, listen, "listen", "127.0.0.1:2355", CF_FIXED | CF_ONE_OR_MANY,
		"host:port or unix:/path; one or a list. Beyond this machine only with insecure."),
	CK(CT_STR, struct conf_web, external_url, "external_url", NULL, CF_FIXED,
		"How people reach belfry: links in messages start with it."),
	CK(CT_BOOL, struct conf_web, insecure, "insecure", "false", CF_FIXED,
		"Allows listening beyond this machine without authentication."),
	CK_UNBUILT("tls", NULL),
	CK_UNBUILT_SECRET("auth"),
	CK_UNBUILT("limits", NULL),
};
static const struct config_section web =
	CONFIG_SECTION("web", web_keys, struct conf_web, "HTTP: API and page.");

static const struct config_key statsd_keys[] = {
	CK(CT_STRS, struct conf_statsd, listen, "listen", "udp://127.0.0.1:8125", CF_FIXED,
		"udp://host:port, a list; [] turns StatsD off."),
	CK_RANGE(CT_DUR, struct conf_statsd, flush_interval_ms, "flush_interval", "10s", CF_FIXED,
		100, HOUR, "How often what was received becomes samples."),
	CK(CT_STR, struct conf_statsd, counter_suffix, "counter_suffix", "_total", CF_FIXED,
		"Added to the names of counters; \"\" keeps them."),
	CK(CT_DUR, struct conf_statsd, idle_timeout_ms, "idle_timeout", "1d", CF_FIXED,
		"A series without packets for this long ends. 0: never."),
	CK_ENUM(struct conf_statsd, timers, "timers", "native", CF_FIXED, "native",
		"What timers become: native histograms."),
	CK_UNBUILT("mappings", NULL),
	CK_UNBUILT("mapping_file", NULL),
};
static const struct config_section statsd =
	CONFIG_SECTION("statsd", statsd_keys, struct conf_statsd, "StatsD over UDP.");

static const struct config_key receive_keys[] = {
	CK(CT_BOOL, struct conf_switch, enabled, "enabled", "true", CF_FIXED,
		"Takes samples at /api/v1/write."),
};
static const struct config_section remote_write_receiver = CONFIG_SECTION(
	"remote_write_receiver", receive_keys, struct conf_switch, "Prometheus remote write.");

static const struct config_key self_keys[] = {
	CK(CT_BOOL, struct conf_switch, enabled, "enabled", "true", CF_FIXED,
		"Keeps belfry's own metrics in its own store, every global.scrape_interval, or "
		"evaluation_interval when that is shorter (but not below 5s)."),
};
static const struct config_section self =
	CONFIG_SECTION("self", self_keys, struct conf_switch, "belfry's own metrics.");

/* Known and not built: only "enabled: false" is true of this version. */
static const struct config_key absent_keys[] = {
	CK_UNBUILT("enabled", "false"),
	CK_UNBUILT("promote_resource_attributes", NULL),
	CK_UNBUILT("promote_all_resource_attributes", NULL),
	CK_UNBUILT("ignore_resource_attributes", NULL),
	CK_UNBUILT("translation_strategy", NULL),
	CK_UNBUILT("keep_identifying_resource_attributes", NULL),
	CK_UNBUILT("convert_histograms_to_nhcb", NULL),
	CK_UNBUILT("promote_scope_metadata", NULL),
	CK_UNBUILT("label_name_underscore_sanitization", NULL),
	CK_UNBUILT("label_name_preserve_multiple_underscores", NULL),
};
static const struct config_section otlp = CONFIG_SECTION(
	"otlp", absent_keys, struct conf_switch, "OTLP: not in this version, always off.");
static const struct config_section host = {"host", absent_keys, 1, sizeof(struct conf_switch),
	"This machine's own metrics: not in this version, always off."};

static const struct config_key pack_keys[] = {
	CK(CT_STR, struct conf_pack, use, "use", NULL, CF_REQUIRED,
		"Name of a pack that ships with belfry (belfry packs list), or the path of the "
		"rule "
		"file of one of your own, with its .pack file beside it."),
	CK(CT_PAIRS, struct conf_pack, set, "set", NULL, 0,
		"Parameters of the pack (belfry packs show NAME lists them), and time_scale, which "
		"multiplies all windows, offsets, for and keep_firing_for; windows keep three "
		"times "
		"scrape_interval (5 seconds)."),
	CK(CT_STRS, struct conf_pack, disable, "disable", NULL, 0,
		"Alerts of the pack that are left out."),
	CK(CT_STR, struct conf_pack, runbooks, "runbooks", NULL, 0,
		"Where the runbook pages are: runbook_url is this, a slash and the alert's name. "
		"Without it belfry's own pages, below web.external_url."),
};
static const struct config_section pack = CONFIG_SECTION("packs", pack_keys, struct conf_pack,
	"Rule packs: rules that ship with belfry, with their inhibitions.");

static const struct config_key watchdog_keys[] = {
	CK(CT_STR, struct conf_watchdog, pub.url, "webhook_url", NULL, CF_SECRET,
		"Where a beat is posted to, as JSON: a service that calls somebody when beats stay "
		"away. Without it there are none."),
	CK(CT_STR, struct conf_watchdog, pub.authorization, "authorization", NULL, CF_SECRET,
		"Value of the Authorization header, for example \"GenieKey ...\"."),
	CK_RANGE(CT_DUR, struct conf_watchdog, pub.interval_ms, "interval", "1m", 0, 5 * SECOND,
		DAY, "Time between beats; the service should allow three to be missed."),
	CK(CT_DUR, struct conf_watchdog, pub.max_wait_ms, "max_wait", "15m", 0,
		"No beat while a message waits longer than this for its receiver. 0: it may."),
};
static const struct config_section watchdog =
	CONFIG_SECTION("watchdog", watchdog_keys, struct conf_watchdog,
		"Dead man's switch: beats that stop when rules, state.db or delivery do.");

static const struct config_key query_keys[] = {
	CK(CT_BOOL, struct conf_query, experimental, "experimental", "false", 0,
		"PromQL's experimental functions."),
	CK_RANGE(CT_DUR, struct conf_query, timeout_ms, "timeout", "2m", 0, 1, DAY,
		"A query that takes longer is ended."),
	CK_RANGE(CT_UINT, struct conf_query, max_samples, "max_samples", "50000000", 0, 1,
		INT64_C(10000000000), "Samples one query may hold."),
	CK_RANGE(CT_SIZE, struct conf_query, max_memory, "max_memory", "256MB", 0, 1 << 20,
		INT64_C(1) << 40, "Memory one query may take."),
	CK_RANGE(CT_UINT, struct conf_query, max_concurrency, "max_concurrency", "20", CF_FIXED, 1,
		1024, "Queries at the same time."),
	CK_RANGE(CT_DUR, struct conf_query, lookback_ms, "lookback_delta", "5m", 0, 1, DAY,
		"How old the newest sample of a series may be to count."),
	CK_UNBUILT("url", NULL),
};
static const struct config_section query =
	CONFIG_SECTION("query", query_keys, struct conf_query, "Bounds of queries.");

static const struct config_key root_keys[] = {
	CK_SUB(CT_MAP, struct conf_root, global, "global", global, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, storage, "storage", storage, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, web, "web", web, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, statsd, "statsd", statsd, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, remote_write_receiver, "remote_write_receiver",
		remote_write_receiver, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, otlp, "otlp", otlp, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, host, "host", host, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, self, "self", self, 0, NULL),
	CK_SUB(CT_LIST, struct conf_root, scrape, "scrape_configs", scrape, 0, NULL),
	CK(CT_STRS, struct conf_root, rule_files, "rule_files", "rules.d/*.yml", 0,
		"Rule files, relative to this file's folder. The last part of a path may hold "
		"wildcards; a path without must exist."),
	CK_SUB(CT_LIST, struct conf_root, packs, "packs", pack, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, watchdog, "watchdog", watchdog, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, route, "route", config_route, 0,
		"Which receiver is told of which alerts."),
	CK_SUB(CT_LIST, struct conf_root, receivers, "receivers", config_receiver, 0, NULL),
	CK_SUB(CT_MAP, struct conf_root, alerting, "alerting", config_alerting, 0, NULL),
	CK_SUB(CT_LIST, struct conf_root, alertmanagers, "alertmanagers", config_alertmanager, 0,
		"The same as alerting.alertmanagers."),
	CK_SUB(CT_MAP, struct conf_root, query, "query", query, 0, NULL),
	CK(CT_STRS, struct conf_root, templates, "templates", NULL, 0,
		"Files of notification templates, relative to this file's folder; wildcards as in "
		"a shell. A definition replaces an earlier one of its name, belfry's own too."),
	CK_SUB(CT_LIST, struct conf_root, inhibit, "inhibit_rules", config_inhibit, 0, NULL),
	{.name = "time_intervals",
		.type = CT_NODE,
		.flags = CF_SHOWN,
		.off = offsetof(struct conf_root, time_intervals),
		.choices = "list",
		.doc = "Times that come back, for routes: a list of name and time_intervals, each "
		       "with times, weekdays, days_of_month, months, years and location."},
	{.name = "mute_time_intervals",
		.type = CT_NODE,
		.flags = CF_SHOWN,
		.off = offsetof(struct conf_root, mute_time_intervals),
		.choices = "list",
		.doc = "The older name of time_intervals."},
	CK_SUB(CT_MAP, struct conf_root, notifications, "notifications", config_notifications, 0,
		NULL),
	CK(CT_STR, struct conf_root, alertmanager_config_file, "alertmanager_config_file", NULL,
		CF_PATH | CF_MERGED,
		"An Alertmanager configuration as it is, with all of Alertmanager's defaults, "
		"instead of route, receivers and their like here."),
	CK_UNBUILT("scrape_config_files", NULL),
	CK_UNBUILT("remote_write", NULL),
	CK_UNBUILT("remote_read", NULL),
	CK(CT_NODE, struct conf_root, tracing, "tracing", NULL, CF_NO_EFFECT,
		"Tracing: belfry has none."),
	CK_UNBUILT("runtime", NULL),
	CK(CT_NODE, struct conf_root, event_recorder, "event_recorder", NULL, CF_NO_EFFECT,
		"belfry records all events in state.db."),
};
const struct config_section config_root = CONFIG_SECTION("", root_keys, struct conf_root, NULL);

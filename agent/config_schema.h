/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_schema - the one table of all configuration keys: name, type, default, range, text.
 *
 * It drives reading, suggestions, defaults, secrets, what needs a restart, printing and the
 * reference page. Sections nest as the file does; a section's values are written into a struct
 * whose first member is the YAML node they came from (for checks that need a place).
 */
#ifndef BELFRY_AGENT_CONFIG_SCHEMA_H
#define BELFRY_AGENT_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/config.h"
#include "base/yaml.h"

enum config_type {
	CT_STR,      /* struct str */
	CT_BOOL,     /* bool */
	CT_DUR,      /* int64_t ms */
	CT_WINDOW,   /* int64_t ms, "unlimited" is INT64_MAX */
	CT_SIZE,     /* uint64_t bytes */
	CT_UINT,     /* uint64_t */
	CT_ENUM,     /* struct str, one of `choices` */
	CT_STRS,     /* const struct str *, size_t */
	CT_LABELS,   /* struct labels */
	CT_PAIRS,    /* const struct label *, size_t: a map of strings in file order */
	CT_PARAMS,   /* const struct label *, size_t: a map of lists of strings */
	CT_MATCHERS, /* const struct matcher *, size_t */
	CT_NODE,     /* const struct yaml_node *: checked elsewhere */
	CT_MAP,      /* the struct of `sub` */
	CT_LIST,     /* struct of `sub` *, size_t */
	CT_UNBUILT   /* known, refused unless empty or equal to `def` */
};

enum {
	CF_SECRET = 1,        /* never shown; has a _file twin */
	CF_FIXED = 2,         /* a change needs a restart */
	CF_REQUIRED = 4,      /* must be there and not empty */
	CF_PATH = 8,          /* a file name, relative to the configuration's folder */
	CF_ONE_OR_MANY = 16,  /* a list of one may be written as a scalar */
	CF_UNIT = 32,         /* a size must have a unit, as in Prometheus */
	CF_NAMES = 64,        /* a list of label names */
	CF_FILE = 128,        /* has a _file twin without being a secret */
	CF_TEMPLATE = 256,    /* text (or values of a map) of receivers that is a template */
	CF_HTML = 512,        /* a template whose values are escaped for HTML */
	CF_CHECK_ONLY = 1024, /* read and checked, but refused by `run` when it says something */
	CF_MERGED = 4096,     /* names a file; what came from it is printed instead */
	CF_SHOWN = 8192,      /* a node that is printed as it was written */
	CF_NO_EFFECT = 2048,  /* read, without effect here: a warning */
};

struct config_section;

struct config_key {
	const char *name;
	enum config_type type;
	unsigned flags;
	size_t off;
	const char *def;     /* as written in the file; lists by blanks; NULL: none */
	const char *choices; /* "a|b|c" */
	int64_t min, max;    /* when max is not 0 */
	const struct config_section *sub;
	const char *doc;
};

struct config_section {
	const char *name; /* dotted, as the reference page shows it */
	const struct config_key *keys;
	size_t n;
	size_t size; /* of its struct */
	const char *doc;
};

/* ---- what the sections are read into ---- */

struct conf_auth {
	const struct yaml_node *node;
	struct str type, credentials;
};
struct conf_basic {
	const struct yaml_node *node;
	struct str username, password;
};
struct conf_tls {
	const struct yaml_node *node;
	struct str ca_file, cert_file, key_file, server_name;
	struct str ca, cert, key, min_version, max_version; /* receivers: only checked */
	bool insecure_skip_verify;
};
/* http_config of receivers. */
struct conf_oauth2 {
	const struct yaml_node *node;
	struct str client_id, client_secret, token_url, client_certificate_key,
		client_certificate_key_id, signature_algorithm, iss, audience, grant_type;
	const struct str *scopes;
	size_t n_scopes;
	const struct label *endpoint_params, *claims;
	size_t n_endpoint_params, n_claims;
	struct conf_tls tls;
	struct str proxy_url, no_proxy;
	bool proxy_from_environment;
	const struct yaml_node *proxy_connect_header;
};
struct conf_http {
	const struct yaml_node *node;
	struct conf_auth auth;
	struct conf_basic basic;
	struct str bearer;
	struct conf_oauth2 oauth2;
	struct conf_tls tls;
	bool follow_redirects, enable_http2, proxy_from_environment;
	struct str proxy_url, no_proxy;
	const struct yaml_node *headers, *proxy_connect_header;
};
struct conf_static {
	const struct yaml_node *node;
	struct scrape_static pub;
};
struct conf_scrape {
	const struct yaml_node *node;
	struct scrape_job pub;
	struct conf_auth auth;
	struct conf_basic basic;
	struct conf_tls tls;
	const struct conf_static *statics;
	size_t n_statics;
};
struct conf_relabel {
	const struct yaml_node *node;
	struct str action, separator, regex, target_label, replacement;
	const struct str *source_labels;
	size_t n_source_labels;
	uint64_t modulus;
};
struct conf_alertmanager {
	const struct yaml_node *node;
	struct str scheme, path_prefix, api_version;
	int64_t timeout_ms;
	struct conf_http http; /* its keys stand beside ours */
	struct conf_static *statics;
	size_t n_statics;
	struct conf_relabel *relabel;
	size_t n_relabel;
	struct conf_relabel *alert_relabel;
	size_t n_alert_relabel;
};
struct conf_alerting {
	const struct yaml_node *node;
	struct conf_alertmanager *alertmanagers;
	size_t n_alertmanagers;
	struct conf_relabel *relabel;
	size_t n_relabel;
};
struct conf_global {
	const struct yaml_node *node;
	int64_t scrape_interval_ms, scrape_timeout_ms, evaluation_interval_ms, query_offset_ms;
	struct labels external_labels;
	uint64_t body_size_limit, sample_limit, label_limit, label_name_length_limit,
		label_value_length_limit;
	struct str smtp_from, smtp_hello, smtp_smarthost, smtp_auth_username, smtp_auth_password,
		smtp_auth_identity;
	bool smtp_require_tls, smtp_implicit_tls;
	struct conf_tls smtp_tls;
	struct str smtp_auth_secret, smtp_auth_token;
	int64_t resolve_timeout_ms;
	struct conf_http http;
	struct str slack_api_url, slack_app_token, slack_app_url, pagerduty_url, opsgenie_api_url,
		opsgenie_api_key, rocketchat_api_url, rocketchat_token, rocketchat_token_id,
		telegram_api_url, telegram_bot_token, mattermost_webhook_url;
	/* of receivers that are only checked */
	struct str jira_api_url, victorops_api_url, victorops_api_key, webex_api_url,
		wechat_api_url, wechat_api_secret, wechat_api_corp_id;
};
struct conf_storage {
	const struct yaml_node *node;
	struct str path, durability;
	int64_t retention_ms, ooo_window_ms;
	uint64_t retention_size, max_series, min_free;
};
struct conf_web {
	const struct yaml_node *node;
	const struct str *listen;
	size_t n_listen;
	struct str external_url;
	bool insecure;
};
struct conf_statsd {
	const struct yaml_node *node;
	const struct str *listen;
	size_t n_listen;
	int64_t flush_interval_ms, idle_timeout_ms;
	struct str counter_suffix, timers;
};
struct conf_switch {
	const struct yaml_node *node;
	bool enabled;
};
struct conf_pack {
	const struct yaml_node *node;
	struct str use, runbooks;
	const struct label *set;
	size_t n_set;
	const struct str *disable;
	size_t n_disable;
};
struct conf_watchdog {
	const struct yaml_node *node;
	struct watchdog_config pub;
};
struct conf_query {
	const struct yaml_node *node;
	bool experimental;
	int64_t timeout_ms, lookback_ms;
	uint64_t max_samples, max_memory, max_concurrency;
};
struct conf_route {
	const struct yaml_node *node;
	struct str receiver;
	const struct str *group_by;
	size_t n_group_by;
	int64_t group_wait_ms, group_interval_ms, repeat_interval_ms;
	bool continue_;
	const struct yaml_node *match, *match_re, *matcher_lines;
	const struct matcher *matchers; /* all three of them */
	size_t n_matchers;
	struct conf_route *routes;
	size_t n_routes;
	struct labels labels;
	const struct str *mute; /* names of time intervals */
	size_t n_mute;
	const struct str *active;
	size_t n_active;
};
struct conf_inhibit {
	const struct yaml_node *node;
	struct str name;
	const struct yaml_node *source_match, *source_match_re, *source_lines;
	const struct yaml_node *target_match, *target_match_re, *target_lines;
	const struct matcher *source; /* all three of them */
	size_t n_source;
	const struct matcher *target;
	size_t n_target;
	const struct str *equal;
	size_t n_equal;
};
struct conf_notifications {
	const struct yaml_node *node;
	bool group_ticks, resolve_at_once, resolve_suppressed;
};
struct conf_root {
	const struct yaml_node *node;
	struct conf_global global;
	struct conf_storage storage;
	struct conf_web web;
	struct conf_statsd statsd;
	struct conf_switch remote_write_receiver, otlp, host, self;
	const struct str *rule_files;
	size_t n_rule_files;
	const struct str *templates;
	size_t n_templates;
	struct conf_pack *packs;
	size_t n_packs;
	struct conf_watchdog watchdog;
	struct conf_scrape *scrape;
	size_t n_scrape;
	struct conf_route route;
	struct conf_receiver *receivers;
	size_t n_receivers;
	struct conf_alerting alerting;
	struct conf_alertmanager *alertmanagers;
	size_t n_alertmanagers;
	struct conf_query query;
	struct conf_inhibit *inhibit;
	size_t n_inhibit;
	const struct yaml_node *time_intervals, *mute_time_intervals;
	struct conf_notifications notifications;
	const struct yaml_node *tracing, *event_recorder;
	struct str alertmanager_config_file;
};

/* The whole file. */
extern const struct config_section config_root;
/* Sections of Alertmanager's part (agent/config_schema_notify.c, config_receiver*.c). */
extern const struct config_section config_inhibit, config_notifications;
extern const struct config_section config_route, config_receiver, config_smtp_tls, config_http;
/* agent/config_peer.c, agent/config_relabel.c */
extern const struct config_section config_alerting, config_alertmanager, config_relabel;
/* Shared sections of HTTP clients. */
extern const struct config_section config_http_auth, config_http_basic, config_http_tls,
	config_static;
extern const struct config_section config_auth, config_basic;

const struct config_key *config_key_find(const struct config_section *s, struct str name);
/* The dotted path of a key with this name anywhere else in the file, or NULL. */
const char *config_key_elsewhere(struct str name);
/* A name that usually holds a secret, known or not ("password", "x_token"). */
bool config_key_is_secret(struct str name);

/* Field names and designators cannot stand in parentheses. NOLINTBEGIN(bugprone-macro-parentheses)
 */
#define CK(kind, S, field, key, dflt, fl, text)                                                    \
	{                                                                                          \
		.name = key, .type = kind, .flags = fl, .off = offsetof(S, field), .def = dflt,    \
		.doc = text                                                                        \
	}
#define CK_RANGE(kind, S, field, key, dflt, fl, lo, hi, text)                                      \
	{                                                                                          \
		.name = key, .type = kind, .flags = fl, .off = offsetof(S, field), .def = dflt,    \
		.min = lo, .max = hi, .doc = text                                                  \
	}
#define CK_ENUM(S, field, key, dflt, fl, words, text)                                              \
	{                                                                                          \
		.name = key, .type = CT_ENUM, .flags = fl, .off = offsetof(S, field), .def = dflt, \
		.choices = words, .doc = text                                                      \
	}
#define CK_SUB(kind, S, field, key, section, fl, text)                                             \
	{                                                                                          \
		.name = key, .type = kind, .flags = fl, .off = offsetof(S, field),                 \
		.sub = &section, .doc = text                                                       \
	}
#define CK_UNBUILT(key, only)                                                                      \
	{                                                                                          \
		.name = key, .type = CT_UNBUILT, .def = only                                       \
	}
#define CK_UNBUILT_SECRET(key)                                                                     \
	{                                                                                          \
		.name = key, .type = CT_UNBUILT, .flags = CF_SECRET                                \
	}
#define CONFIG_SECTION(dotted, table, S, text)                                                     \
	{                                                                                          \
		dotted, table, sizeof(table) / sizeof((table)[0]), sizeof(S), text                 \
	}

/* NOLINTEND(bugprone-macro-parentheses) */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_receiver_http - http_config of receivers, as Prometheus's HTTP clients have it: keys,
 * what excludes what, and what it comes to for a request (struct http_options).
 */
#include <unistd.h>

#include "agent/config_receiver.h"
#include "base/fd.h"
#include "base/num.h"

#define HEADER_FILE_MAX 8192u

static const struct config_key http_auth_keys[] = {
	CK(CT_STR, struct conf_auth, type, "type", "Bearer", 0,
		"Scheme of the Authorization header."),
	CK(CT_STR, struct conf_auth, credentials, "credentials", NULL, CF_SECRET,
		"What follows the scheme."),
};
const struct config_section config_http_auth = CONFIG_SECTION("http_config.authorization",
	http_auth_keys, struct conf_auth, "The Authorization header of requests.");

static const struct config_key http_basic_keys[] = {
	CK(CT_STR, struct conf_basic, username, "username", NULL, CF_FILE, "User name."),
	CK(CT_STR, struct conf_basic, password, "password", NULL, CF_SECRET, "Password."),
};
const struct config_section config_http_basic = CONFIG_SECTION("http_config.basic_auth",
	http_basic_keys, struct conf_basic, "User name and password sent with requests.");

const struct config_key config_tls_keys[CONFIG_TLS_KEYS] = {
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
	CK(CT_STR, struct conf_tls, ca, "ca", NULL, CF_CHECK_ONLY, "Checked only: use ca_file."),
	CK(CT_STR, struct conf_tls, cert, "cert", NULL, CF_CHECK_ONLY,
		"Checked only: use cert_file."),
	CK(CT_STR, struct conf_tls, key, "key", NULL, CF_CHECK_ONLY | CF_SECRET,
		"Checked only: use key_file."),
	{.name = "min_version",
		.type = CT_ENUM,
		.flags = CF_CHECK_ONLY,
		.off = offsetof(struct conf_tls, min_version),
		.def = "TLS12",
		.choices = "TLS10|TLS11|TLS12|TLS13",
		.doc = "Only TLS12 can be run."},
	CK_ENUM(struct conf_tls, max_version, "max_version", NULL, CF_CHECK_ONLY,
		"TLS10|TLS11|TLS12|TLS13", "Checked only."),
};
const struct config_section config_http_tls = CONFIG_SECTION(
	"http_config.tls_config", config_tls_keys, struct conf_tls, "TLS towards the receiver.");

static const struct config_key oauth2_keys[] = {
	CK(CT_STR, struct conf_oauth2, client_id, "client_id", NULL, 0, NULL),
	CK(CT_STR, struct conf_oauth2, client_secret, "client_secret", NULL, CF_SECRET, NULL),
	CK(CT_STR, struct conf_oauth2, token_url, "token_url", NULL, 0, NULL),
	CK(CT_STRS, struct conf_oauth2, scopes, "scopes", NULL, 0, NULL),
	CK(CT_PAIRS, struct conf_oauth2, endpoint_params, "endpoint_params", NULL, 0, NULL),
	CK(CT_STR, struct conf_oauth2, client_certificate_key, "client_certificate_key", NULL,
		CF_SECRET, NULL),
	CK(CT_STR, struct conf_oauth2, client_certificate_key_id, "client_certificate_key_id", NULL,
		0, NULL),
	CK(CT_STR, struct conf_oauth2, signature_algorithm, "signature_algorithm", NULL, 0, NULL),
	CK(CT_STR, struct conf_oauth2, iss, "iss", NULL, 0, NULL),
	CK(CT_STR, struct conf_oauth2, audience, "audience", NULL, 0, NULL),
	CK(CT_STR, struct conf_oauth2, grant_type, "grant_type", NULL, 0, NULL),
	CK(CT_PAIRS, struct conf_oauth2, claims, "claims", NULL, 0, NULL),
	CK_SUB(CT_MAP, struct conf_oauth2, tls, "tls_config", config_http_tls, 0, NULL),
	CK(CT_STR, struct conf_oauth2, proxy_url, "proxy_url", NULL, 0, NULL),
	CK(CT_STR, struct conf_oauth2, no_proxy, "no_proxy", NULL, 0, NULL),
	CK(CT_BOOL, struct conf_oauth2, proxy_from_environment, "proxy_from_environment", "false",
		0, NULL),
	CK(CT_NODE, struct conf_oauth2, proxy_connect_header, "proxy_connect_header", NULL, 0,
		NULL),
};
static const struct config_section oauth2 = CONFIG_SECTION("http_config.oauth2", oauth2_keys,
	struct conf_oauth2, "Checked only: belfry fetches no tokens.");

static const struct config_key http_keys[] = {
	CK_SUB(CT_MAP, struct conf_http, basic, "basic_auth", config_http_basic, 0,
		"User name and password."),
	CK_SUB(CT_MAP, struct conf_http, auth, "authorization", config_http_auth, 0,
		"Authorization header."),
	CK(CT_STR, struct conf_http, bearer, "bearer_token", NULL, CF_SECRET,
		"Bearer token; the same as authorization.credentials."),
	CK_SUB(CT_MAP, struct conf_http, oauth2, "oauth2", oauth2, CF_CHECK_ONLY, NULL),
	CK_SUB(CT_MAP, struct conf_http, tls, "tls_config", config_http_tls, 0,
		"TLS towards the receiver."),
	CK(CT_BOOL, struct conf_http, follow_redirects, "follow_redirects", "true", 0,
		"Redirects that keep the method are followed, on the same host only."),
	CK(CT_BOOL, struct conf_http, enable_http2, "enable_http2", "true", CF_NO_EFFECT,
		"belfry speaks HTTP/1.1."),
	CK(CT_STR, struct conf_http, proxy_url, "proxy_url", NULL, 0, "Proxy."),
	CK(CT_STR, struct conf_http, no_proxy, "no_proxy", NULL, 0,
		"Hosts that are reached without the proxy, separated by commas."),
	CK(CT_BOOL, struct conf_http, proxy_from_environment, "proxy_from_environment", "false",
		CF_CHECK_ONLY, "Checked only: belfry takes no proxy from the environment."),
	CK(CT_NODE, struct conf_http, proxy_connect_header, "proxy_connect_header", NULL,
		CF_CHECK_ONLY, "Checked only."),
	{.name = "http_headers",
		.type = CT_NODE,
		.flags = CF_SECRET | CF_SHOWN,
		.off = offsetof(struct conf_http, headers),
		.choices = "map",
		.doc = "Further headers: a name with its values, secrets or files, each a list."},
};
const struct config_section config_http = CONFIG_SECTION(
	"http_config", http_keys, struct conf_http, "How the server of a receiver is spoken to.");

/* ---- headers ---- */

struct header_list {
	struct label *v;
	size_t n, cap;
};

static bool is_reserved(struct str name)
{
	static const char *const reserved[] = {"authorization", "host", "content-encoding",
		"content-length", "content-type", "user-agent", "connection", "keep-alive",
		"proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
		"transfer-encoding", "x-prometheus-remote-write-version",
		"x-prometheus-remote-read-version", "x-prometheus-scrape-timeout-seconds",
		"x-amz-date", "x-amz-security-token", "x-amz-content-sha256"};

	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (str_eq_nocase(name, str_c(reserved[i])))
			return true;
	}
	return false;
}

static bool is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("()<>@,;:\\\"/[]?={}", s.p[i]))
			return false;
	}
	return s.n > 0;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (((unsigned char)s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

static void add_header(struct loader *l, struct header_list *list, struct str name,
	const struct yaml_node *from, bool file)
{
	struct str value, path;
	struct err e = {0};

	if (!config_scalar(l, "http_headers", from, &value))
		return;
	if (file) {
		path = arena_str(l->arena, config_path(l, value));
		value = STR("");
		if (l->no_files || path.p == NULL || memchr(path.p, '\0', path.n) != NULL)
			return;
		if (fd_read_file(path.p, HEADER_FILE_MAX, l->arena, &value, &e) != 0) {
			if (l->check)
				diag_warn(l->diag, from->pos, "http_headers: %s", e.msg);
			else
				diag_error(l->diag, from->pos, "http_headers: %s", e.msg);
			return;
		}
		value = str_trim(value);
	}
	if (has_control(value))
		diag_error(l->diag, from->pos,
			"http_headers: a value must not hold control characters");
	else if (list->n < list->cap)
		list->v[list->n++] = (struct label){name, value};
}

static void one_header(struct loader *l, const struct yaml_pair *p, struct header_list *list)
{
	struct str name = p->key->scalar;

	if (!is_token(name) || is_reserved(name)) {
		diag_error(l->diag, p->key->pos,
			is_token(name) ? "http_headers: \"" STR_FMT "\" is set by belfry itself"
				       : "http_headers: \"" STR_FMT "\" is not a header name",
			STR_ARG(name));
		return;
	}
	if (p->value->kind != YAML_MAP) {
		diag_error(l->diag, p->value->pos,
			"http_headers: a header has values, secrets or files");
		return;
	}
	for (size_t i = 0; i < p->value->n; i++) {
		const struct yaml_pair *q = &p->value->pairs[i];
		bool file = str_eq(q->key->scalar, STR("files"));

		if (!file && !str_eq(q->key->scalar, STR("values")) &&
			!str_eq(q->key->scalar, STR("secrets")))
			diag_error(l->diag, q->key->pos,
				"http_headers: unknown key \"" STR_FMT
				"\"; known here: values, secrets, files",
				STR_ARG(q->key->scalar));
		else if (q->value->kind != YAML_SEQ)
			diag_error(l->diag, q->value->pos, "http_headers: " STR_FMT " is a list",
				STR_ARG(q->key->scalar));
		else
			for (size_t k = 0; k < q->value->n; k++)
				add_header(l, list, name, q->value->items[k], file);
	}
}

static void finish_headers(struct loader *l, const struct conf_http *h, struct http_options *out)
{
	const struct yaml_node *node = h->headers;
	struct header_list list = {NULL, 0, 0};

	if (node == NULL || node->kind == YAML_NULL)
		return;
	if (node->kind != YAML_MAP) {
		diag_error(l->diag, node->pos, "http_headers must be a map of header names");
		return;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct yaml_node *v = node->pairs[i].value;

		for (size_t k = 0; v->kind == YAML_MAP && k < v->n; k++)
			list.cap += v->pairs[k].value->n;
	}
	list.v = ARENA_ARRAY(l->arena, list.cap, struct label);
	for (size_t i = 0; list.v != NULL && i < node->n; i++)
		one_header(l, &node->pairs[i], &list);
	out->headers = list.v;
	out->n_headers = list.n;
}

/* ---- checks ---- */

static void check_auth(struct loader *l, const struct conf_http *h)
{
	int given = config_given(h->node, "basic_auth") + config_given(h->node, "authorization") +
		    receiver_has(h->node, "bearer_token") + config_given(h->node, "oauth2");
	struct str type = str_trim(h->auth.type);

	if (given > 1)
		diag_error(l->diag, h->node->pos,
			"at most one of basic_auth, authorization, bearer_token and oauth2 may be "
			"given");
	if (h->auth.node == NULL)
		return;
	if (str_eq_nocase(type, STR("basic")))
		diag_error(l->diag, config_pos(h->auth.node, "type"),
			"authorization of type \"basic\": use basic_auth");
	else if (!is_token(type))
		diag_error(l->diag, config_pos(h->auth.node, "type"),
			"authorization: not the name of a scheme");
	if (has_control(h->auth.credentials))
		diag_error(l->diag, config_pos(h->auth.node, "credentials"),
			"authorization: credentials must not hold control characters");
}

static bool is_proxy(struct str url)
{
	static const char *const schemes[] = {"http://", "https://", "socks5://", "socks5h://"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct str s = str_c(schemes[i]);

		if (url.n > s.n && str_eq_nocase(str_sub(url, 0, s.n), s))
			return url.p[s.n] != '/';
	}
	return !str_has(url, STR("://")); /* a host alone: HTTP */
}

static void check_proxy(struct loader *l, const struct conf_http *h)
{
	if (h->proxy_from_environment && (h->proxy_url.n > 0 || h->no_proxy.n > 0))
		diag_error(l->diag, config_pos(h->node, "proxy_from_environment"),
			"proxy_from_environment excludes proxy_url and no_proxy");
	else if (h->no_proxy.n > 0 && h->proxy_url.n == 0)
		diag_error(l->diag, config_pos(h->node, "no_proxy"), "no_proxy needs proxy_url");
	else if (has_control(h->proxy_url) || str_has(h->proxy_url, STR(" ")))
		diag_error(l->diag, config_pos(h->node, "proxy_url"),
			"proxy_url: not a URL: it holds white space or control characters");
	else if (h->proxy_url.n > 0 && !is_proxy(h->proxy_url))
		diag_error(l->diag, config_pos(h->node, "proxy_url"),
			"proxy_url: expected http://, https://, socks5:// or socks5h:// and a "
			"host");
}

static void check_tls(struct loader *l, const struct conf_tls *t)
{
	if (t->node == NULL)
		return;
	if (receiver_has(t->node, "cert") && (t->key_file.n == 0 && t->key.n == 0))
		diag_error(l->diag, t->node->pos, "a client certificate needs its key");
	if (receiver_has(t->node, "key") && (t->cert_file.n == 0 && t->cert.n == 0))
		diag_error(l->diag, t->node->pos, "a client key needs its certificate");
	if ((t->ca_file.n > 0 && t->ca.n > 0) || (t->cert_file.n > 0 && t->cert.n > 0) ||
		(t->key_file.n > 0 && t->key.n > 0))
		diag_error(l->diag, t->node->pos,
			"tls_config: a text and its file exclude each "
			"other");
}

/* Not there or not to be read: told now and not by the first alert. */
static void check_files(struct loader *l, const struct conf_tls *t)
{
	static const char *const keys[] = {"ca_file", "cert_file", "key_file"};
	const struct str paths[] = {t->ca_file, t->cert_file, t->key_file};

	for (size_t i = 0; i < ARRAY_LEN(paths) && !l->no_files; i++) {
		struct str path = arena_str(l->arena, paths[i]); /* ends with a NUL */

		if (path.n > 0 && access(path.p, R_OK) != 0)
			diag_warn(l->diag, config_pos(t->node, keys[i]),
				"%s: " STR_FMT " cannot be read", keys[i], STR_ARG(path));
	}
}

static void check_oauth2(struct loader *l, const struct conf_oauth2 *o)
{
	if (o->node == NULL)
		return;
	if (o->client_id.n == 0)
		diag_error(l->diag, o->node->pos, "oauth2 needs client_id");
	if (!receiver_has(o->node, "client_secret") &&
		!receiver_has(o->node, "client_certificate_key"))
		diag_error(l->diag, o->node->pos, "oauth2 needs client_secret");
	if (o->token_url.n == 0)
		diag_error(l->diag, o->node->pos, "oauth2 needs token_url");
	check_tls(l, &o->tls);
}

void config_finish_http(struct loader *l, const struct conf_http *h, const struct http_options *up,
	struct http_options *out)
{
	struct str type = str_trim(h->auth.type), credentials = h->auth.credentials;

	if (h->node == NULL && up != NULL) {
		*out = *up;
		return;
	}
	*out = (struct http_options){.follow_redirects = h->follow_redirects,
		.basic_user = h->basic.username,
		.basic_password = h->basic.password,
		.bearer = h->bearer,
		.proxy_url = h->proxy_url,
		.no_proxy = h->no_proxy,
		.ca_file = h->tls.ca_file,
		.cert_file = h->tls.cert_file,
		.key_file = h->tls.key_file,
		.server_name = h->tls.server_name,
		.insecure_skip_verify = h->tls.insecure_skip_verify};
	if (h->node == NULL)
		return;
	if (credentials.n > 0 && str_eq_nocase(type, STR("Bearer")))
		out->bearer = credentials;
	else if (credentials.n > 0)
		out->authorization = arena_printf(l->arena, "%.*s %.*s", (int)type.n, type.p,
			(int)credentials.n, credentials.p);
	finish_headers(l, h, out);
	check_auth(l, h);
	check_proxy(l, h);
	check_tls(l, &h->tls);
	check_files(l, &h->tls);
	check_oauth2(l, &h->oauth2);
}

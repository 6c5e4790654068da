/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_peer - Alertmanagers alerts are handed to: `alerting` as in Prometheus, and its
 * `alertmanagers` at the top level too.
 */
#include "agent/config_load.h"
#include "agent/config_receiver.h"
#include "base/limits.h"
#include "base/relabel.h"

static const struct config_key alertmanager_keys[] = {
	CK_ENUM(struct conf_alertmanager, scheme, "scheme", "http", 0, "http|https", "Protocol."),
	CK(CT_STR, struct conf_alertmanager, path_prefix, "path_prefix", "/", 0,
		"What stands before /api/v2/alerts."),
	CK_RANGE(CT_DUR, struct conf_alertmanager, timeout_ms, "timeout", "10s", 0, 10, 3600000,
		"Longest time for one request."),
	CK_ENUM(struct conf_alertmanager, api_version, "api_version", "v2", 0, "v2",
		"Version of Alertmanager's API."),
	CK_SUB(CT_LIST, struct conf_alertmanager, statics, "static_configs", config_static, 0,
		"Addresses of Alertmanagers."),
	CK_SUB(CT_LIST, struct conf_alertmanager, relabel, "relabel_configs", config_relabel, 0,
		"Changes or drops addresses (__address__, __scheme__, __alerts_path__)."),
	CK_SUB(CT_LIST, struct conf_alertmanager, alert_relabel, "alert_relabel_configs",
		config_relabel, 0, "Changes or drops alerts for these alone."),
	CK_SUB(CT_MAP, struct conf_alertmanager, http.basic, "basic_auth", config_http_basic, 0,
		"User name and password."),
	CK_SUB(CT_MAP, struct conf_alertmanager, http.auth, "authorization", config_http_auth, 0,
		"Authorization header."),
	CK(CT_STR, struct conf_alertmanager, http.bearer, "bearer_token", NULL, CF_SECRET,
		"Bearer token; the same as authorization.credentials."),
	CK_SUB(CT_MAP, struct conf_alertmanager, http.tls, "tls_config", config_http_tls, 0,
		"TLS towards Alertmanager."),
	CK(CT_BOOL, struct conf_alertmanager, http.follow_redirects, "follow_redirects", "true", 0,
		"Redirects that keep the method are followed, on the same host only."),
	CK(CT_BOOL, struct conf_alertmanager, http.enable_http2, "enable_http2", "true",
		CF_NO_EFFECT, "belfry speaks HTTP/1.1."),
	CK(CT_STR, struct conf_alertmanager, http.proxy_url, "proxy_url", NULL, 0, "Proxy."),
	CK(CT_STR, struct conf_alertmanager, http.no_proxy, "no_proxy", NULL, 0,
		"Hosts that are reached without the proxy, separated by commas."),
	{.name = "http_headers",
		.type = CT_NODE,
		.off = offsetof(struct conf_alertmanager, http.headers),
		.choices = "map",
		.doc = "Further headers: a name with its values, secrets or files, each a list."},
	CK_UNBUILT("proxy_from_environment", "false"),
	CK_UNBUILT("proxy_connect_header", NULL),
	CK_UNBUILT_SECRET("oauth2"),
	CK_UNBUILT_SECRET("sigv4"),
	CK_UNBUILT("google_iam", NULL),
	CK_UNBUILT("azure_sd_configs", NULL),
	CK_UNBUILT("consul_sd_configs", NULL),
	CK_UNBUILT("dns_sd_configs", NULL),
	CK_UNBUILT("docker_sd_configs", NULL),
	CK_UNBUILT("dockerswarm_sd_configs", NULL),
	CK_UNBUILT("ec2_sd_configs", NULL),
	CK_UNBUILT("eureka_sd_configs", NULL),
	CK_UNBUILT("file_sd_configs", NULL),
	CK_UNBUILT("gce_sd_configs", NULL),
	CK_UNBUILT("http_sd_configs", NULL),
	CK_UNBUILT("kubernetes_sd_configs", NULL),
	CK_UNBUILT("marathon_sd_configs", NULL),
	CK_UNBUILT("nerve_sd_configs", NULL),
	CK_UNBUILT("nomad_sd_configs", NULL),
	CK_UNBUILT("openstack_sd_configs", NULL),
	CK_UNBUILT("puppetdb_sd_configs", NULL),
	CK_UNBUILT("serverset_sd_configs", NULL),
	CK_UNBUILT("triton_sd_configs", NULL),
};
const struct config_section config_alertmanager =
	CONFIG_SECTION("alerting.alertmanagers[]", alertmanager_keys, struct conf_alertmanager,
		"Alertmanagers that are handed the alerts of all rules, each with a queue of its "
		"own.");

static const struct config_key alerting_keys[] = {
	CK_SUB(CT_LIST, struct conf_alerting, alertmanagers, "alertmanagers", config_alertmanager,
		0, NULL),
	CK_SUB(CT_LIST, struct conf_alerting, relabel, "alert_relabel_configs", config_relabel, 0,
		"Changes or drops alerts before they are handed to Alertmanagers."),
};
const struct config_section config_alerting = CONFIG_SECTION(
	"alerting", alerting_keys, struct conf_alerting, "Alertmanagers behind belfry.");

/* "/", "a", "/a/" and the API's path as one path. */
static struct str alerts_path(struct loader *l, struct str prefix)
{
	static const char api[] = "/api/v2/alerts";

	while (prefix.n > 0 && prefix.p[0] == '/')
		prefix = str_sub(prefix, 1, prefix.n);
	while (prefix.n > 0 && prefix.p[prefix.n - 1] == '/')
		prefix.n--;
	if (prefix.n == 0)
		return str_c(api);
	return arena_printf(l->arena, "/%.*s%s", (int)prefix.n, prefix.p, api);
}

/* What one entry comes to while its addresses are read. */
struct reading {
	struct loader *l;
	const struct conf_alertmanager *c;
	const struct relabel_rule *rules; /* its relabel_configs */
	size_t n_rules;
	struct str *urls, *dropped;
	size_t n_urls, n_dropped;
};

static struct str url_of(struct loader *l, const struct labels_builder *b)
{
	struct str scheme = labels_builder_get(b, STR("__scheme__"));
	struct str address = labels_builder_get(b, STR("__address__"));
	struct str path = labels_builder_get(b, STR("__alerts_path__"));

	return arena_printf(l->arena, "%.*s://%.*s%.*s", (int)scheme.n, scheme.p, (int)address.n,
		address.p, (int)path.n, path.p);
}

/* One address as a URL, after its relabelling. */
static void add_target(
	struct reading *x, struct labels given, struct str address, struct diag_pos at)
{
	struct loader *l = x->l;
	struct labels_builder b;
	const char *wrong;
	struct str url;
	bool kept;

	labels_builder_init(&b, l->arena, given);
	labels_builder_set(&b, STR("__address__"), address);
	labels_builder_set(&b, STR("__scheme__"), x->c->scheme);
	labels_builder_set(&b, STR("__alerts_path__"), alerts_path(l, x->c->path_prefix));
	kept = relabel_apply(x->rules, x->n_rules, &b);
	address = labels_builder_get(&b, STR("__address__"));
	wrong = address.n == 0 ? "an address is empty" : config_check_host_port(address, false);
	if (wrong == NULL && address.p[0] == ':')
		wrong = "the host is missing; write host:port";
	url = url_of(l, &b);
	if (wrong == NULL)
		wrong = config_check_url(url);
	if (wrong != NULL)
		diag_error(l->diag, at, "targets: %s", wrong);
	else if (kept)
		x->urls[x->n_urls++] = url;
	else
		x->dropped[x->n_dropped++] = url;
}

static void add_static(struct reading *x, const struct conf_static *s)
{
	const struct yaml_node *list = yaml_get(s->node, STR("targets"));

	for (size_t i = 0; i < s->pub.n_targets; i++) {
		bool placed = list != NULL && list->kind == YAML_SEQ && list->n == s->pub.n_targets;

		add_target(x, s->pub.labels, s->pub.targets[i],
			placed ? list->items[i]->pos : s->node->pos);
	}
}

static void finish_one(struct loader *l, struct conf_alertmanager *c, struct peer_group_config *out)
{
	struct reading x = {.l = l, .c = c};
	size_t n = 0;

	for (size_t i = 0; i < c->n_statics; i++)
		n += c->statics[i].pub.n_targets;
	x.urls = ARENA_ARRAY(l->arena, n, struct str);
	x.dropped = ARENA_ARRAY(l->arena, n, struct str);
	if (x.urls == NULL || x.dropped == NULL)
		return;
	config_finish_relabel(l, "relabel_configs", c->relabel, c->n_relabel, &x.rules, &x.n_rules);
	config_finish_relabel(l, "alert_relabel_configs", c->alert_relabel, c->n_alert_relabel,
		&out->relabel, &out->n_relabel);
	for (size_t i = 0; i < c->n_statics; i++)
		add_static(&x, &c->statics[i]);
	c->http.node = c->node;
	config_finish_http(l, &c->http, NULL, &out->http);
	out->timeout_ms = c->timeout_ms;
	out->urls = x.urls;
	out->n_urls = x.n_urls;
	out->dropped = x.dropped;
	out->n_dropped = x.n_dropped;
}

void config_finish_peers(struct loader *l)
{
	struct conf_root *r = &l->p->root;
	struct peer_config *out = &l->p->pub.peers;
	size_t n = r->alerting.n_alertmanagers + r->n_alertmanagers, targets = 0;
	struct peer_group_config *v = ARENA_ARRAY(l->arena, n, struct peer_group_config);

	config_finish_relabel(l, "alert_relabel_configs", r->alerting.relabel,
		r->alerting.n_relabel, &out->relabel, &out->n_relabel);
	for (size_t i = 0; v != NULL && i < n; i++) {
		bool nested = i < r->alerting.n_alertmanagers;

		finish_one(l,
			nested ? &r->alerting.alertmanagers[i]
			       : &r->alertmanagers[i - r->alerting.n_alertmanagers],
			&v[i]);
		targets += v[i].n_urls;
	}
	if (targets > LIMIT_PEERS)
		diag_error(l->diag, r->node != NULL ? r->node->pos : (struct diag_pos){0},
			"%zu Alertmanagers; alerts can be handed to %u", targets, LIMIT_PEERS);
	out->groups = v;
	out->n_groups = v != NULL ? n : 0;
	out->external_labels = r->global.external_labels;
	out->external_url = r->web.external_url;
	out->evaluation_interval_ms = r->global.evaluation_interval_ms;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* config_receiver_email - email_configs: the mail server, who signs in how, headers and texts. */
#include "agent/config_receiver.h"
#include "base/num.h"
#include "exporters/mail_text.h"

struct conf_threading {
	const struct yaml_node *node;
	bool enabled;
	struct str by_date;
};
struct conf_email {
	struct conf_kind head; /* without http_config */
	struct email_config pub;
	struct conf_tls tls;
	struct conf_threading threading;
	bool implicit_tls;
};

const struct config_section config_smtp_tls =
	CONFIG_SECTION("receivers[].email_configs[].tls_config", config_tls_keys, struct conf_tls,
		"TLS towards the mail server.");

static const struct config_key threading_keys[] = {
	CK(CT_BOOL, struct conf_threading, enabled, "enabled", "true", 0,
		"All messages of an incident are one conversation."),
	CK_ENUM(struct conf_threading, by_date, "thread_by_date", "none", 0, "none|daily",
		"daily: one conversation a day."),
};
static const struct config_section threading =
	CONFIG_SECTION("receivers[].email_configs[].threading", threading_keys,
		struct conf_threading, "Conversations.");

static const struct config_key email_keys[] = {
	CK(CT_BOOL, struct conf_email, head.send_resolved, "send_resolved", "true", 0,
		"Resolved alerts are told too."),
	CK(CT_STR, struct conf_email, pub.to, "to", NULL, CF_REQUIRED | CF_TEMPLATE,
		"Recipients, separated by commas."),
	CK(CT_STR, struct conf_email, pub.from, "from", NULL, CF_TEMPLATE,
		"Sender; global.smtp_from when not given."),
	CK(CT_STR, struct conf_email, pub.smarthost, "smarthost", NULL, 0,
		"Mail server as host:port; global.smtp_smarthost when not given."),
	CK(CT_STR, struct conf_email, pub.hello, "hello", NULL, 0,
		"Name said to the mail server; global.smtp_hello when not given."),
	CK(CT_STR, struct conf_email, pub.auth_username, "auth_username", NULL, 0,
		"User at the mail server; global.smtp_auth_username when not given."),
	CK(CT_STR, struct conf_email, pub.auth_password, "auth_password", NULL, CF_SECRET,
		"Password for AUTH PLAIN or LOGIN; global.smtp_auth_password when not given."),
	CK(CT_STR, struct conf_email, pub.auth_secret, "auth_secret", NULL, CF_SECRET,
		"Secret for AUTH CRAM-MD5; global.smtp_auth_secret when not given."),
	CK(CT_STR, struct conf_email, pub.auth_token, "auth_token", NULL, CF_SECRET,
		"Access token for AUTH XOAUTH2; global.smtp_auth_token when not given."),
	CK(CT_STR, struct conf_email, pub.auth_identity, "auth_identity", NULL, 0,
		"Identity for AUTH PLAIN; global.smtp_auth_identity when not given."),
	CK(CT_BOOL, struct conf_email, pub.require_tls, "require_tls", NULL, 0,
		"Mail is only sent over TLS; global.smtp_require_tls when not given."),
	CK(CT_BOOL, struct conf_email, implicit_tls, "force_implicit_tls", NULL, 0,
		"TLS from the first byte (true) or by STARTTLS (false); by the port when neither "
		"this nor global.smtp_force_implicit_tls is given: 465 is implicit."),
	CK_SUB(CT_MAP, struct conf_email, tls, "tls_config", config_smtp_tls, 0,
		"TLS towards the mail server; global.smtp_tls_config when not given."),
	CK(CT_PAIRS, struct conf_email, pub.headers, "headers", NULL, CF_TEMPLATE,
		"Further headers, or others than belfry's own; values are templates."),
	CK(CT_STR, struct conf_email, pub.html, "html", NULL, CF_TEMPLATE | CF_HTML,
		"HTML part; belfry's own when neither html nor text is given."),
	CK(CT_STR, struct conf_email, pub.text, "text", NULL, CF_TEMPLATE, "Text part."),
	CK_SUB(CT_MAP, struct conf_email, threading, "threading", threading, 0, NULL),
	CK(CT_BOOL, struct conf_email, pub.graph, "graph", "true", 0, "A graph in the HTML part."),
	CK(CT_DUR, struct conf_email, pub.timeout_ms, "timeout", "0s", 0,
		"Time for one attempt. 0: 10s."),
};
RECEIVER_SECTION(email, "E-mail.");

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

static bool is_header_name(struct str name)
{
	for (size_t k = 0; k < name.n; k++) {
		if (name.p[k] <= ' ' || name.p[k] == ':' || name.p[k] == 0x7f)
			return false;
	}
	return name.n > 0;
}

static void check_headers(struct loader *l, const struct conf_email *s)
{
	const struct yaml_node *node = yaml_get(s->head.node, STR("headers"));

	for (size_t i = 0; i < s->pub.n_headers; i++) {
		struct str name = s->pub.headers[i].name;
		struct diag_pos at = i < node->n ? node->pairs[i].key->pos : node->pos;

		if (!is_header_name(name))
			diag_error(l->diag, at, "headers: not a header name");
		if (has_control(s->pub.headers[i].value))
			diag_error(
				l->diag, at, "headers: a value must not hold control characters");
		for (size_t k = 0; k < i && i < 1000; k++) {
			if (str_eq_nocase(name, s->pub.headers[k].name))
				diag_error(l->diag, at, "headers: \"" STR_FMT "\" stands twice",
					STR_ARG(name));
		}
		if (s->threading.enabled && s->threading.node != NULL &&
			(str_eq_nocase(name, STR("References")) ||
				str_eq_nocase(name, STR("In-Reply-To"))))
			diag_error(l->diag, at,
				"headers: \"" STR_FMT "\" is what threading sets; turn it off",
				STR_ARG(name));
	}
}

/* One way to sign in: what is given here goes before global's. */
static void finish_auth(const struct loader *l, struct conf_email *s)
{
	const struct conf_global *g = &l->p->root.global;
	struct email_config *c = &s->pub;
	const struct yaml_node *node = s->head.node;
	bool own = receiver_has(node, "auth_password") || receiver_has(node, "auth_secret") ||
		   receiver_has(node, "auth_token");

	receiver_inherit(&c->auth_username, node, "auth_username", g->smtp_auth_username);
	receiver_inherit(&c->auth_identity, node, "auth_identity", g->smtp_auth_identity);
	if (own)
		return;
	receiver_inherit(&c->auth_password, node, "auth_password", g->smtp_auth_password);
	receiver_inherit(&c->auth_secret, node, "auth_secret", g->smtp_auth_secret);
	receiver_inherit(&c->auth_token, node, "auth_token", g->smtp_auth_token);
}

static void finish_tls(const struct loader *l, struct conf_email *s)
{
	const struct conf_global *g = &l->p->root.global;
	struct email_config *c = &s->pub;

	if (!config_given(s->head.node, "require_tls"))
		c->require_tls = g->smtp_require_tls;
	if (!config_given(s->head.node, "tls_config"))
		s->tls = g->smtp_tls;
	if (config_given(s->head.node, "force_implicit_tls"))
		c->tls = s->implicit_tls ? MAIL_TLS_IMPLICIT : MAIL_TLS_STARTTLS;
	else if (config_given(g->node, "smtp_force_implicit_tls"))
		c->tls = g->smtp_implicit_tls ? MAIL_TLS_IMPLICIT : MAIL_TLS_STARTTLS;
	c->ca_file = s->tls.ca_file;
	c->cert_file = s->tls.cert_file;
	c->key_file = s->tls.key_file;
	c->server_name = s->tls.server_name;
	c->insecure_skip_verify = s->tls.insecure_skip_verify;
}

/* What could never be sent. Alertmanager takes it and fails when it fires: there it is a warning.
 */
static void check_recipients(struct loader *l, const char *key, struct str list, struct diag_pos at)
{
	struct mail_who who;
	bool bad = false;
	size_t n = 0;

	if (str_has(list, STR("{{")))
		return;
	while (mail_next_address(&list, &who, &bad))
		n++;
	if (!bad && n > 0)
		return;
	if (l->alertmanager)
		diag_warn(l->diag, at, "%s: not a mail address; write for example ops@example.org",
			key);
	else
		diag_error(l->diag, at, "%s: not a mail address; write for example ops@example.org",
			key);
}

static void check_email(struct loader *l, const struct conf_email *s)
{
	const struct email_config *c = &s->pub;
	const struct yaml_node *node = s->head.node;
	const char *wrong;

	if (c->from.n == 0)
		diag_error(l->diag, node->pos, "no sender: give from here or smtp_from in global");
	if (c->smarthost.n == 0) {
		diag_error(l->diag, node->pos,
			"no mail server: give smarthost here or smtp_smarthost in global");
	} else {
		wrong = config_check_host_port(c->smarthost, true);
		if (wrong != NULL)
			diag_error(l->diag, config_pos(node, "smarthost"), "smarthost: %s", wrong);
	}
	if (has_control(c->to) || has_control(c->from) || has_control(c->hello))
		diag_error(
			l->diag, node->pos, "to, from and hello must not hold control characters");
	if (c->to.n > 0)
		check_recipients(l, "to", c->to, config_pos(node, "to"));
	if (config_given(node, "from"))
		check_recipients(l, "from", c->from, config_pos(node, "from"));
	if ((c->cert_file.n > 0) != (c->key_file.n > 0))
		diag_error(l->diag, config_pos(node, "tls_config"),
			"cert_file and key_file go together");
	check_headers(l, s);
}

static void finish_email(struct loader *l, void *conf)
{
	struct conf_email *s = conf;
	const struct conf_global *g = &l->p->root.global;
	struct email_config *c = &s->pub;

	receiver_inherit(&c->from, s->head.node, "from", g->smtp_from);
	receiver_inherit(&c->smarthost, s->head.node, "smarthost", g->smtp_smarthost);
	receiver_inherit(&c->hello, s->head.node, "hello", g->smtp_hello);
	finish_auth(l, s);
	finish_tls(l, s);
	c->has_html = config_given(s->head.node, "html");
	c->has_text = config_given(s->head.node, "text");
	c->threading = s->threading.enabled && (s->threading.node != NULL || !l->alertmanager);
	c->thread_by =
		str_eq(s->threading.by_date, STR("daily")) ? MAIL_THREAD_DAY : MAIL_THREAD_INCIDENT;
	c->send_resolved = s->head.send_resolved;
	check_email(l, s);
}

const struct receiver_kind receiver_email = {.key = "email_configs",
	.off = offsetof(struct conf_receiver, email),
	.kind = INT_EMAIL,
	.section = &config_email,
	.pub_off = offsetof(struct conf_email, pub),
	.http_off = SIZE_MAX,
	.am_send_resolved = false,
	.finish = finish_email};

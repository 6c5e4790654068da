/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_alertmanager - alertmanager_config_file: an Alertmanager configuration as it is.
 *
 * Its keys are a part of belfry.yml's, so the same table reads it, cut down to what Alertmanager
 * knows; they are read over belfry.yml's own, which must have none of them. While the notifications
 * are finished, the loader stands in that file: its folder, its places, Alertmanager's defaults,
 * and no ${VAR}, which Alertmanager takes literally.
 */
#include <sys/stat.h>

#include "agent/config_load.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/num.h"

static const char *const top_keys[] = {"route", "receivers", "inhibit_rules", "time_intervals",
	"mute_time_intervals", "templates", "tracing", "event_recorder"};

static bool is_top_key(struct str name)
{
	for (size_t i = 0; i < ARRAY_LEN(top_keys); i++) {
		if (str_eq(name, str_c(top_keys[i])))
			return true;
	}
	return false;
}

/* Keys of global that are Alertmanager's. */
static bool is_global_key(struct str name)
{
	static const char *const starts[] = {"smtp_", "slack_", "pagerduty_", "opsgenie_",
		"telegram_", "mattermost_", "rocketchat_", "jira_", "victorops_", "webex_",
		"wechat_", "resolve_timeout", "http_config"};

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		if (str_starts(name, str_c(starts[i])))
			return true;
	}
	return false;
}

/* The keys of a section that `is` likes; `sub` replaces the sub-section of global. NULL: no memory.
 */
static struct config_section *cut(struct loader *l, const struct config_section *from,
	bool (*is)(struct str name), const struct config_section *sub)
{
	struct config_section *s = ARENA_NEW(l->arena, struct config_section);
	struct config_key *keys = ARENA_ARRAY(l->arena, from->n, struct config_key);
	size_t n = 0;

	if (s == NULL || keys == NULL)
		return NULL;
	for (size_t i = 0; i < from->n; i++) {
		struct str name = str_c(from->keys[i].name);
		bool global = sub != NULL && str_eq(name, STR("global"));

		if (!is(name) && !global)
			continue;
		keys[n] = from->keys[i];
		if (global)
			keys[n].sub = sub;
		n++;
	}
	*s = *from;
	s->keys = keys;
	s->n = n;
	return s;
}

/* What belfry knows beyond Alertmanager 0.33. Found by putting every key of the table, and every
 * _file of a secret, before amtool 0.33.1. */
static const struct {
	const char *section, *key; /* its _file too */
	unsigned since;            /* minor version of the Alertmanager that has it, 0: none */
} beyond[] = {
	{"route", "labels", 34},
	{"receivers[]", "fallback", 0},
	{"receivers[]", "escalate", 0},
	{"receivers[]", "ntfy_configs", 0},
	{"receivers[].slack_configs[]", "mention", 0},
	{"receivers[].slack_configs[]", "thread", 0},
	{"receivers[].slack_configs[]", "graph", 0},
	{"receivers[].email_configs[]", "auth_token", 0},
	{"receivers[].email_configs[]", "graph", 0},
	{"receivers[].email_configs[]", "timeout", 0},
	{"receivers[].discord_configs[]", "graph", 0},
	{"receivers[].telegram_configs[]", "graph", 0},
	{"receivers[].pushover_configs[]", "api_url", 0},
	{"receivers[].sns_configs[].sigv4", "secret_key_file", 0},
	{"global", "smtp_auth_token", 0},
};

void config_alertmanager_key(
	struct loader *l, const struct config_section *s, const struct yaml_node *key)
{
	struct str name = key->scalar;

	for (size_t i = 0; i < ARRAY_LEN(beyond); i++) {
		struct str known = str_c(beyond[i].key);
		bool twin = name.n == known.n + 5 && str_starts(name, known) &&
			    str_ends(name, STR("_file"));

		if (!str_eq(str_c(s->name), str_c(beyond[i].section)) ||
			(!twin && !str_eq(name, known)))
			continue;
		if (beyond[i].since == 0)
			diag_error(l->diag, key->pos,
				STR_FMT " is belfry's own: no Alertmanager knows it",
				STR_ARG(name));
		else if (beyond[i].since > l->alertmanager_minor)
			diag_error(l->diag, key->pos,
				STR_FMT
				" is not known to Alertmanager 0.%u: it came with 0.%u; belfry "
				"itself takes it",
				STR_ARG(name), l->alertmanager_minor, beyond[i].since);
		return;
	}
}

static void refuse_mixture(struct loader *l, const struct yaml_node *root)
{
	const struct yaml_node *global = yaml_get(root, STR("global"));

	for (size_t i = 0; root != NULL && i < root->n; i++) {
		const struct yaml_node *key = root->pairs[i].key;

		if (is_top_key(key->scalar) && root->pairs[i].value->kind != YAML_NULL)
			diag_error(l->diag, key->pos,
				STR_FMT " stands in the file of alertmanager_config_file; it "
					"cannot be here as well",
				STR_ARG(key->scalar));
	}
	for (size_t i = 0; global != NULL && global->kind == YAML_MAP && i < global->n; i++) {
		const struct yaml_node *key = global->pairs[i].key;

		if (is_global_key(key->scalar) && global->pairs[i].value->kind != YAML_NULL)
			diag_error(l->diag, key->pos,
				"global." STR_FMT " stands in the file of "
				"alertmanager_config_file; it cannot be here as well",
				STR_ARG(key->scalar));
	}
}

/* Its text, kept for messages; NULL when it cannot be read (told). */
static const struct diag_file *read_file(struct loader *l, struct str path)
{
	struct diag_pos at = config_pos(l->p->root.node, "alertmanager_config_file");
	const struct diag_file *f = NULL;
	struct str text = STR_NULL;
	struct arena a;
	struct stat st;
	struct err e = {0};

	path = arena_str(l->arena, path);
	if (path.p == NULL || memchr(path.p, '\0', path.n) != NULL)
		return NULL;
	arena_init(&a, LIMIT_YAML_BYTES + 65536u);
	if (stat(path.p, &st) == 0 && !S_ISREG(st.st_mode))
		diag_error(l->diag, at, "alertmanager_config_file: " STR_FMT " is not a file",
			STR_ARG(path));
	else if (fd_read_file(path.p, LIMIT_YAML_BYTES, &a, &text, &e) != 0)
		diag_error(l->diag, at, "alertmanager_config_file: %s", e.msg);
	else
		f = config_keep_file(l->diag, path, text);
	if (text.n > 0)
		explicit_bzero((char *)(uintptr_t)text.p, text.n);
	arena_fini(&a);
	return f;
}

static void warn_readable(struct loader *l, const char *path)
{
	struct stat st;

	if (l->p->inline_secrets && stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0)
		diag_warn(l->diag, (struct diag_pos){0},
			"%s holds secrets and everybody may read it: chmod o-r, or give secrets by "
			"their _file keys",
			path);
}

static void decode(struct loader *l, const struct yaml_node *node)
{
	const struct config_key *global = config_key_find(&config_root, STR("global"));
	const struct config_section *sub = cut(l, global->sub, is_global_key, NULL);
	const struct config_section *top =
		sub != NULL ? cut(l, &config_root, is_top_key, sub) : NULL;
	bool own_secrets = l->p->inline_secrets;

	if (top == NULL)
		return;
	l->p->inline_secrets = false;
	config_decode(l, top, node, &l->p->root);
	warn_readable(l, l->file->path.p);
	l->p->inline_secrets = own_secrets;
	if (l->p->root.route.node == NULL)
		diag_error(l->diag, node != NULL ? node->pos : (struct diag_pos){l->file, 1, 1, 0},
			"an Alertmanager configuration has a route");
}

void config_alertmanager_begin(struct loader *l, struct config_place *own)
{
	struct conf_root *r = &l->p->root;
	struct str path = r->alertmanager_config_file;
	const struct diag_file *f;
	const struct yaml_node *node;
	size_t slash = path.n, errors;

	*own = (struct config_place){r->node, r->global.node, l->file, l->folder};
	if (path.n == 0)
		return;
	refuse_mixture(l, r->node);
	f = l->no_files ? NULL : read_file(l, path);
	if (f == NULL)
		return;
	l->file = f;
	while (slash > 0 && path.p[slash - 1] != '/')
		slash--;
	l->folder = str_sub(path, 0, slash);
	l->alertmanager = true;
	errors = diag_errors(l->diag);
	node = config_parse(l);
	if (node != NULL || diag_errors(l->diag) == errors) /* an empty file has no route */
		decode(l, node);
}

void config_alertmanager_end(struct loader *l, const struct config_place *own)
{
	l->p->root.node = own->root;
	l->p->root.global.node = own->global;
	l->file = own->file;
	l->folder = own->folder;
	l->alertmanager = false;
}

/* Addresses in global are wrong or right whoever uses them. */
void config_global_addresses(struct loader *l)
{
	const struct conf_global *g = &l->p->root.global;
	const struct {
		const char *key;
		struct str value;
		bool secret; /* amtool shows and takes it as <secret> */
	} urls[] = {
		{"slack_api_url", g->slack_api_url, true},
		{"slack_app_url", g->slack_app_url, false},
		{"pagerduty_url", g->pagerduty_url, false},
		{"opsgenie_api_url", g->opsgenie_api_url, false},
		{"rocketchat_api_url", g->rocketchat_api_url, false},
		{"telegram_api_url", g->telegram_api_url, false},
		{"mattermost_webhook_url", g->mattermost_webhook_url, true},
		{"jira_api_url", g->jira_api_url, false},
		{"victorops_api_url", g->victorops_api_url, false},
		{"webex_api_url", g->webex_api_url, false},
		{"wechat_api_url", g->wechat_api_url, false},
	};
	const char *wrong;

	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct str v = urls[i].value;

		if (!config_given(g->node, urls[i].key) || (v.n == 0 && !l->alertmanager) ||
			(urls[i].secret && l->check && str_eq(v, STR("<secret>"))))
			continue;
		wrong = config_check_url(v);
		if (wrong != NULL)
			diag_error(l->diag, config_pos(g->node, urls[i].key), "%s: %s", urls[i].key,
				wrong);
	}
	if (g->smtp_smarthost.n == 0)
		return;
	wrong = config_check_host_port(g->smtp_smarthost, true);
	if (wrong != NULL)
		diag_error(l->diag, config_pos(g->node, "smtp_smarthost"), "smtp_smarthost: %s",
			wrong);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_load - what the files agent/config_*.c share while a configuration is being read.
 */
#ifndef BELFRY_AGENT_CONFIG_LOAD_H
#define BELFRY_AGENT_CONFIG_LOAD_H

#include "agent/config_schema.h"

struct config_matchers { /* compiled matchers that must be ended */
	struct matcher *m;
	size_t n;
	struct config_matchers *next;
};

/* What struct config hides: the sections as read, for printing and comparing. */
struct config_private {
	struct config pub; /* first: a config is cast to this */
	struct conf_root root;
	struct config_matchers *matchers;
	struct notify_templates *templates;
	bool inline_secrets; /* the file itself holds some */
};

struct loader {
	struct config_private *p;
	struct arena *arena;
	struct diag *diag;
	const struct diag_file *file;
	struct str folder; /* of the file, "" or with a slash at its end */
	bool no_files;     /* fuzzing: nothing but the text is read */
	/* lists of inhibit_rules that come with packs */
	const struct yaml_node **pack_inhibits;
	size_t n_pack_inhibits;
	bool check;                  /* nothing will run: see struct config_flags */
	bool alertmanager;           /* the file is Alertmanager's: so are the defaults */
	unsigned alertmanager_minor; /* not 0: nothing that Alertmanager 0.<this> does not know */
};

/* Fill the struct `out` of section s from a map (NULL: defaults only). Everything wrong is told. */
void config_decode(
	struct loader *l, const struct config_section *s, const struct yaml_node *node, void *out);
/* Names of the keys matchers stand under. */
struct config_matcher_keys {
	const char *match, *match_re, *matchers;
};
/* nodes: of these keys, NULL when not given. The matchers are ended with the configuration. */
void config_matchers_read(struct loader *l, const struct config_matcher_keys *k,
	const struct yaml_node *const nodes[3], const struct matcher **out, size_t *n);
/* A scalar with ${VAR} expanded; false when a variable is missing or it is no scalar (told). */
bool config_scalar(
	struct loader *l, const char *what, const struct yaml_node *node, struct str *out);
/* Read text by the type of a key into its place. False and *e: what it is not. */
bool config_scalar_set(const struct config_key *k, struct str text, void *place, struct err *e);
/* Mark every scalar below a key that usually holds a secret. */
void config_hide_secrets(struct loader *l, const struct yaml_node *root);
/* The same by looks, when the text is not even YAML. */
void config_hide_secrets_in_text(struct loader *l);
/* A path relative to the configuration's folder. */
struct str config_path(struct loader *l, struct str path);
/* The same for glob(): the folder is taken as it is, the pattern not. STR_NULL when it is too long.
 */
struct str config_pattern(struct loader *l, struct str pattern);

/* The place of a key's value in a map, of the map itself when the key is not there. */
struct diag_pos config_pos(const struct yaml_node *map, const char *key);
bool config_given(const struct yaml_node *map, const char *key);

/* A template-valued field of a receiver: parsed, kept for runs, tried; what is wrong is told at its
 * place (value is the node of the scalar; text what became of it). html: it is escaped by context.
 * After config_load_templates. */
void config_template(struct loader *l, const struct yaml_node *value, const char *what,
	struct str text, bool html);
/* Read the files of `templates:`. */
void config_load_templates(struct loader *l);

/* NULL when fine, else what is wrong with it. */
const char *config_check_url(struct str url);
const char *config_check_host_port(struct str s, bool port_needed);
bool config_is_loopback(struct str listen);

/* The file as diagnostics keep it; NULL when that takes too much memory (told). */
const struct diag_file *config_keep_file(struct diag *d, struct str path, struct str text);
/* l->file as one map; NULL when it is empty or none (told). */
const struct yaml_node *config_parse(struct loader *l);

/* Where the loader stands. */
struct config_place {
	const struct yaml_node *root, *global;
	const struct diag_file *file;
	struct str folder;
};
/* Between the two, notifications come from alertmanager_config_file when there is one. */
void config_alertmanager_begin(struct loader *l, struct config_place *own);
void config_alertmanager_end(struct loader *l, const struct config_place *own);
/* What global says of receivers' servers; between the two above. */
void config_global_addresses(struct loader *l);
/* A key of s that belfry knows and the Alertmanager of l->alertmanager_minor does not is told. */
void config_alertmanager_key(
	struct loader *l, const struct config_section *s, const struct yaml_node *key);

/* Checks and final structs, part by part. */
void config_finish_scrape(struct loader *l);
void config_finish_notify(struct loader *l);
void config_finish_receivers(struct loader *l); /* fills pub.notify.receivers */
void config_finish_intervals(struct loader *l); /* before the routes, which name them */
void config_finish_inhibit(struct loader *l);
/* What a route names of the intervals. */
void config_route_intervals(
	struct loader *l, const struct conf_route *r, bool is_root, struct route_config *out);
void config_finish_rule_files(struct loader *l);
void config_finish_packs(struct loader *l);
void config_finish_peers(struct loader *l); /* fills pub.peers */
/* A relabel_configs list as rules in the arena, checked and compiled; `what` names the key. */
void config_finish_relabel(struct loader *l, const char *what, const struct conf_relabel *v,
	size_t n, const struct relabel_rule **out, size_t *n_out);

/* One value as YAML, on the rest of its line. Secrets as <secret>. */
void config_print_value(const struct config_key *k, const void *place, struct buf *out);

#endif

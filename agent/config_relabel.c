/* SPDX-License-Identifier: Apache-2.0 */
/* config_relabel - relabel_configs of all kinds: keys, checks, compiled rules. */
#include "agent/config_load.h"
#include "base/relabel.h"

static const struct config_key keys[] = {
	CK(CT_STRS, struct conf_relabel, source_labels, "source_labels", NULL, 0,
		"Labels whose values are taken, joined by the separator."),
	CK(CT_STR, struct conf_relabel, separator, "separator", ";", 0,
		"Stands between the values."),
	CK(CT_STR, struct conf_relabel, target_label, "target_label", NULL, 0,
		"Label that is written."),
	CK(CT_STR, struct conf_relabel, regex, "regex", "(.*)", 0,
		"What the value, or the label's name, must match as a whole."),
	CK(CT_UINT, struct conf_relabel, modulus, "modulus", NULL, 0,
		"hashmod: the value's hash is taken modulo this."),
	CK(CT_STR, struct conf_relabel, replacement, "replacement", "$1", 0,
		"What is written; $1 and ${1} are the expression's groups."),
	CK(CT_STR, struct conf_relabel, action, "action", "replace", 0,
		"replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, "
		"labelkeep, lowercase or uppercase."),
};
const struct config_section config_relabel = CONFIG_SECTION("relabel_configs[]", keys,
	struct conf_relabel, "A step that changes or drops a label set, as in Prometheus.");

static void free_regex(void *arg)
{
	regex_free(arg);
}

static void check_names(struct loader *l, const char *what, const struct conf_relabel *c)
{
	for (size_t i = 0; i < c->n_source_labels; i++) {
		if (c->source_labels[i].n == 0 || !str_is_utf8(c->source_labels[i]))
			diag_error(l->diag, config_pos(c->node, "source_labels"),
				"%s: source_labels holds what is no label name", what);
	}
}

void config_finish_relabel(struct loader *l, const char *what, const struct conf_relabel *v,
	size_t n, const struct relabel_rule **out, size_t *n_out)
{
	struct relabel_rule *rules = ARENA_ARRAY(l->arena, n, struct relabel_rule);

	*out = rules;
	*n_out = 0;
	for (size_t i = 0; rules != NULL && i < n; i++) {
		const struct conf_relabel *c = &v[i];
		struct relabel_rule *r = &rules[*n_out];
		struct err e = {0};

		*r = (struct relabel_rule){
			.action = relabel_action_of(c->action),
			.source_labels = c->source_labels,
			.n_source_labels = c->n_source_labels,
			.separator = c->separator,
			.regex = c->regex,
			.target_label = c->target_label,
			.replacement = c->replacement,
			.modulus = c->modulus,
		};
		check_names(l, what, c);
		if (r->action == RELABEL_NONE && c->action.n > 0)
			diag_error(l->diag, config_pos(c->node, "action"),
				"%s: unknown relabel action \"" STR_FMT "\"", what,
				STR_ARG(c->action));
		else if (relabel_rule_init(r, &e) != 0)
			diag_error(l->diag, c->node->pos, "%s: %s", what, e.msg);
		else if (arena_on_release(l->arena, free_regex, r->re))
			(*n_out)++;
	}
}

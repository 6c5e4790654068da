/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relabel - Prometheus's relabel_configs: rules that change or drop a label set.
 *
 * A rule is filled in by its owner, checked and compiled once by relabel_rule_init, and is
 * immutable afterwards: any number of threads may apply it. Strings are borrowed, the compiled
 * expression is owned (relabel_rule_fini). Semantics: Prometheus's documentation of relabel_config;
 * label names are UTF-8 unless legacy_names.
 */
#ifndef BELFRY_BASE_RELABEL_H
#define BELFRY_BASE_RELABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/labels.h"
#include "base/regex.h"
#include "base/str.h"

enum relabel_action {
	RELABEL_NONE, /* not given: an error */
	RELABEL_REPLACE,
	RELABEL_KEEP,
	RELABEL_DROP,
	RELABEL_KEEPEQUAL,
	RELABEL_DROPEQUAL,
	RELABEL_HASHMOD,
	RELABEL_LABELMAP,
	RELABEL_LABELDROP,
	RELABEL_LABELKEEP,
	RELABEL_LOWERCASE,
	RELABEL_UPPERCASE
};

struct relabel_rule {
	enum relabel_action action;
	const struct str *source_labels;
	size_t n_source_labels;
	struct str separator, regex, target_label, replacement;
	uint64_t modulus;
	bool legacy_names;
	struct regex *re; /* made by relabel_rule_init */
};

/* What a file that says nothing means: replace, ";", "(.*)", "$1". */
extern const struct relabel_rule relabel_defaults;

/* In any case of letters; RELABEL_NONE when it is none. */
enum relabel_action relabel_action_of(struct str name);
const char *relabel_action_name(enum relabel_action a);

/* Checks and compiles; on failure nothing is to be freed. */
int relabel_rule_init(struct relabel_rule *r, struct err *e) MUST_CHECK;
void relabel_rule_fini(struct relabel_rule *r);

/* The rules in order over the set in b; new strings live in b's arena. False: the set is dropped.
 * A result over 64 KiB fails the arena: check b->a->failed. */
bool relabel_apply(const struct relabel_rule *v, size_t n, struct labels_builder *b);

#endif

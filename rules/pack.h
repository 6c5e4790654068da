/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pack - rule packs: rule files that ship with belfry, with parameters.
 *
 * A pack NAME is two files. NAME.yml is an ordinary Prometheus rule file that stands on its own,
 * with every parameter at its default. Where a number is a parameter, a comment behind it says so:
 * `pool:utilisation:ratio > 0.9 # $pool_saturation` (comments are part of PromQL). NAME.pack, in
 * YAML too, has the title, the parameters with their ranges, other packs it brings along, and the
 * inhibitions that come with it.
 *
 * pack_render() gives what belfry really uses: a rule file again, with the numbers put in,
 * switched-off alerts left out, and every duration multiplied by time_scale: ranges, subqueries,
 * offsets, predict_linear's horizon, `for` and `keep_firing_for`. A range over samples that were
 * not recorded by a rule does not shrink below three times scrape_interval (a setting like
 * time_scale, 5 s): fewer samples make no rate. It works on parsed expressions, never on text.
 * Recorded names keep the window that stands in them.
 */
#ifndef BELFRY_RULES_PACK_H
#define BELFRY_RULES_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"
#include "base/labels.h"
#include "base/yaml.h"

struct pack_param {
	struct str name, doc;
	double def, min, max; /* min and max: both 0 when any number will do */
};

struct pack {
	struct str name, title, doc;
	const struct pack_param *params;
	size_t n_params;
	const struct str *uses; /* names of packs that come along */
	size_t n_uses;
	const struct yaml_node *inhibit_rules; /* a list as Alertmanager has it, or NULL */
	const struct yaml_node *rules;         /* the document of NAME.yml */
};

/* How a pack is used. */
struct pack_use {
	const struct label *set; /* parameter and value; time_scale and scrape_interval, too */
	size_t n_set;
	const struct yaml_node *set_node; /* the map they came from, for places; or NULL */
	const struct str *disable;        /* alerts that are left out */
	size_t n_disable;
	const struct yaml_node *disable_node; /* the list they came from, or NULL */
	struct str runbooks; /* where runbook pages are; "": alerts get no runbook_url */
	bool ignore_foreign; /* settings of another pack are passed over (for packs that come along)
			      */
};

/* Built-in packs, in the order of their names. */
size_t pack_count(void);
struct str pack_name(size_t i);
/* The built-in pack of that name, or NULL (nothing told). Everything lives in a. Faults of the
 * pack itself are told in d. */
const struct pack *pack_builtin(struct arena *a, struct str name, struct diag *d);
/* A pack out of two texts; `rules` and `meta` must outlive it. NULL: d says why. */
const struct pack *pack_parse(struct arena *a, const struct diag_file *rules,
	const struct diag_file *meta, struct diag *d);

/* The effective rule file as YAML, or a NULL view when d says what is wrong. */
struct str pack_render(
	struct arena *a, const struct pack *p, const struct pack_use *use, struct diag *d);

#endif

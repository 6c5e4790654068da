/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packs - belfry packs list|show: what packs there are, what can be set, and the rules that a
 * setting really gives (a rule file that Prometheus takes too).
 */
#include "agent/packs.h"

#include <stdio.h>

#include "base/limits.h"
#include "base/num.h"
#include "rules/pack.h"

static const struct yaml_node *groups_of(const struct pack *p)
{
	return yaml_get(p->rules, STR("groups"));
}

static void count_rules(const struct pack *p, size_t *alerts, size_t *records)
{
	const struct yaml_node *groups = groups_of(p);

	*alerts = *records = 0;
	for (size_t i = 0; groups != NULL && i < groups->n; i++) {
		const struct yaml_node *rules = yaml_get(groups->items[i], STR("rules"));

		for (size_t j = 0; rules != NULL && j < rules->n; j++) {
			if (yaml_get(rules->items[j], STR("alert")) != NULL)
				++*alerts;
			else
				++*records;
		}
	}
}

/* What was wrong, on standard error; the exit code. */
static int finish(struct diag *d)
{
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	diag_print(d, &b);
	if (b.n > 0)
		(void)fwrite(b.p, 1, b.n, stderr);
	buf_fini(&b);
	return diag_errors(d) > 0 ? 1 : 0;
}

int packs_list_main(int argc, char **argv)
{
	struct arena a;
	struct diag *d;
	int rc;

	(void)argv;
	if (argc != 1) {
		(void)fprintf(stderr, "usage: belfry packs list\n");
		return 2;
	}
	arena_init(&a, LIMIT_CONFIG_BYTES);
	d = diag_new(&a);
	(void)printf("%-10s %7s %10s  %s\n", "PACK", "ALERTS", "PARAMETERS", "WATCHES");
	for (size_t i = 0; i < pack_count(); i++) {
		const struct pack *p = pack_builtin(&a, pack_name(i), d);
		size_t alerts, records;

		if (p == NULL)
			continue;
		count_rules(p, &alerts, &records);
		(void)printf("%-10.*s %7zu %10zu  %.*s\n", (int)p->name.n, p->name.p, alerts,
			p->n_params, (int)p->title.n, p->title.p);
	}
	rc = finish(d);
	arena_fini(&a);
	return rc;
}

static void print_params(const struct pack *p)
{
	(void)printf("# " STR_FMT "\n#\n# Parameters (packs: [{use: " STR_FMT
		     ", set: {…}}] in belfry.yml), with their defaults:\n",
		STR_ARG(p->doc), STR_ARG(p->name));
	for (size_t i = 0; i < p->n_params; i++)
		(void)printf("#   %-24.*s %-10.10g " STR_FMT "\n", (int)p->params[i].name.n,
			p->params[i].name.p, p->params[i].def, STR_ARG(p->params[i].doc));
	(void)printf("#   %-24s %-10d Multiplies all windows, offsets, for and keep_firing_for.\n",
		"time_scale", 1);
	(void)printf(
		"#   %-24s %-10d Seconds between samples; windows that time_scale shrinks keep "
		"three of them.\n",
		"scrape_interval", 5);
	for (size_t i = 0; i < p->n_uses; i++)
		(void)printf("# Brings along: " STR_FMT "\n", STR_ARG(p->uses[i]));
	(void)printf("# As it is now:\n#\n");
}

static int show(struct str name, struct str runbooks, const struct label *set, size_t n_set)
{
	struct pack_use use = {.set = set, .n_set = n_set, .runbooks = runbooks};
	const struct pack *p;
	struct str text;
	struct arena a;
	struct diag *d;
	int rc;

	arena_init(&a, LIMIT_CONFIG_BYTES);
	d = diag_new(&a);
	p = pack_builtin(&a, name, d);
	if (p == NULL && diag_errors(d) == 0)
		diag_error(d, (struct diag_pos){0},
			"there is no pack \"" STR_FMT "\"; see belfry packs list", STR_ARG(name));
	if (p != NULL) {
		text = pack_render(&a, p, &use, d);
		if (text.p != NULL) {
			print_params(p);
			(void)fwrite(text.p, 1, text.n, stdout);
		}
	}
	rc = finish(d);
	arena_fini(&a);
	return rc;
}

int packs_show_main(int argc, char **argv)
{
	struct label set[LIMIT_PACK_SETTINGS];
	struct str name = STR_NULL, runbooks = STR("");
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		struct str arg = str_c(argv[i]);
		size_t eq;

		if (str_eq(arg, STR("--runbooks")) && i + 1 < argc) {
			runbooks = str_c(argv[++i]);
		} else if (str_eq(arg, STR("--set")) && i + 1 < argc && n < ARRAY_LEN(set)) {
			arg = str_c(argv[++i]);
			eq = str_find(arg, '=');
			set[n++] = (struct label){str_sub(arg, 0, eq), str_sub(arg, eq + 1, arg.n)};
		} else if (name.n == 0 && arg.n > 0 && arg.p[0] != '-') {
			name = arg;
		} else {
			name.n = 0;
			break;
		}
	}
	if (name.n > 0)
		return show(name, runbooks, set, n);
	(void)fprintf(stderr,
		"usage: belfry packs show NAME [--set PARAMETER=VALUE]... [--runbooks URL]\n");
	return 2;
}

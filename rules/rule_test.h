/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rule_test - rule unit tests in promtool's file format: what a test file says, and running it.
 *
 * rule_test_file.c reads, rule_test_run.c evaluates on a store in a temporary directory,
 * rule_test_report.c says what differs, rule_test.c is the command.
 */
#ifndef BELFRY_RULES_RULE_TEST_H
#define BELFRY_RULES_RULE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/err.h"
#include "base/labels.h"
#include "rules/series_notation.h"

struct rule_test_series {
	struct labels labels;
	const struct series_value *v; /* one each interval, from the start on */
	size_t n;
};

struct rule_test_alert {
	struct labels labels; /* with alertname */
	struct labels annotations;
};

struct rule_test_alerts { /* an item of alert_rule_test */
	struct str name;
	int64_t at_ms; /* after the start */
	unsigned line;
	struct rule_test_alert *want;
	size_t n;
};

struct rule_test_sample {
	struct labels labels;
	double v;
	const struct hist *h; /* NULL: a float */
};

struct rule_test_query { /* an item of promql_expr_test */
	struct str expr;
	int64_t at_ms;
	unsigned line;
	struct rule_test_sample *want;
	size_t n;
};

struct rule_test {
	struct str name;
	unsigned line;
	int64_t interval_ms, start_ms;
	struct labels external_labels;
	struct str external_url;
	struct rule_test_series *series;
	struct rule_test_alerts *alerts;
	struct rule_test_query *queries;
	size_t n_series, n_alerts, n_queries;
};

struct rule_test_file {
	struct str path;
	struct str *rule_files; /* patterns resolved, in order */
	size_t n_rule_files;
	int64_t interval_ms; /* of evaluation */
	struct str *order;   /* group_eval_order */
	size_t n_order;
	bool fuzzy; /* values may differ in the last bit */
	struct rule_test *tests;
	size_t n;
};

/* One difference, as a report shows it; texts live in the run's arena. */
struct rule_test_failure {
	struct rule_test_failure *next;
	struct str what;      /* "alert InstanceDown at 5m" */
	struct str want, got; /* a line each; both empty: `what` says it all */
	unsigned line;        /* of the test file, 0: none */
};

struct rule_test_result {
	struct rule_test_failure *first, **last;
	double seconds;
};

/* NULL when d has errors. Everything lives in a. */
struct rule_test_file *rule_test_load(struct arena *a, struct str path, struct diag *d);

/* Run one test: failures are added to *res, texts in `a`. -1 and *e only when the test could not
 * be run at all. */
struct rule_set;
int rule_test_run(const struct rule_test_file *f, const struct rule_test *t,
	const struct rule_set *rules, struct arena *a, struct rule_test_result *res,
	struct err *e) MUST_CHECK;

/* rule_test_compare.c */
void rule_test_fail(struct rule_test_result *res, struct arena *a, unsigned line, struct str what,
	struct str want, struct str got);
void rule_test_compare_alerts(const struct rule_test_alerts *c, struct rule_test_alert *got,
	size_t n, struct arena *a, struct rule_test_result *res);
void rule_test_compare_samples(const struct rule_test_query *c, struct rule_test_sample *got,
	size_t n, bool fuzzy, struct arena *a, struct rule_test_result *res);

/* rule_test_report.c */
struct rule_test_report {
	bool diff;
	struct buf *junit;    /* NULL: none wanted */
	size_t tests, failed; /* of the file */
	struct buf cases;     /* of the file, as XML */
	double seconds;
};
void rule_test_report_test(struct rule_test_report *r, const struct rule_test_file *f,
	const struct rule_test *t, const struct rule_test_result *res);
/* The file could not be read: `text` says why. */
void rule_test_report_broken(struct rule_test_report *r, struct str path, struct str text);
void rule_test_report_file(struct rule_test_report *r, struct str path);

#endif

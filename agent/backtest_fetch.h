/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backtest_fetch - what rules read, brought from a running belfry, or anything that speaks
 * Prometheus's API, into a data directory that goes away with the process (below TMPDIR),
 * also when a signal ends it (backtest_stop.h).
 *
 * Asked is remote read, whose answers are exact: staleness marks, native histograms. A server
 * without it is asked by instant queries of range selectors, which give raw samples too, but
 * neither of these two: a series then ends five minutes late, as for any query without marks.
 * Stretches of time are as long as answers stay of a handy size; a server that refuses one in a
 * way that may be for its limits is asked for half of it; any other refusal ends the fetch.
 *
 *   backtest_fetch.c    selectors and stretches
 *   backtest_http.c     requests
 *   backtest_samples.c  answers into batches
 */
#ifndef BELFRY_AGENT_BACKTEST_FETCH_H
#define BELFRY_AGENT_BACKTEST_FETCH_H

#include <stdbool.h>

#include "exporters/past.h"
#include "rules/rule_set.h"
#include "storage/store.h"

struct bt_fetch_opts {
	const char *url;
	const struct rule_set *sets[2]; /* the second may be NULL */
	int64_t begin_ms, to_ms;        /* of the evaluation; what it reads before is fetched too */
	struct labels external; /* taken off: a Prometheus adds its own to what it hands out */
	bool progress;
};

struct bt_fetched {
	struct store *store;
	char dir[4096];
	uint64_t samples;
	bool exact; /* by remote read */
};

/* Afterwards out is to be ended, also when this failed. */
int bt_fetch(struct bt_fetched *out, const struct bt_fetch_opts *o, struct err *e) MUST_CHECK;
void bt_fetched_fini(struct bt_fetched *f);
/* bt_past_read's counterpart. *found false: this server does not know. */
int bt_past_fetch(const char *url, int64_t from_ms, int64_t to_ms, struct arena *a,
	struct past *out, bool *found, struct err *e) MUST_CHECK;

/* --- backtest_http.c --- */
struct bt_http;
struct bt_answer {
	long status;
	struct buf body;
};
struct bt_http *bt_http_new(const char *url);
void bt_http_free(struct bt_http *h);
/* type NULL: a GET. -1: no answer, with why; ERR_LIMIT: it is too large; ERR_AGAIN: it took too
 * long; ERR_CANCEL: a signal came. */
int bt_http_ask(struct bt_http *h, const char *path, const char *type, struct str body,
	struct bt_answer *out, struct err *e) MUST_CHECK;
/* What an answer that is no success says, as an error with the status as its code. -1. */
int bt_http_refused(const struct bt_answer *a, struct err *e);

/* Whether a belfry is asked. */
bool bt_http_is_belfry(struct bt_http *h);
/* The external labels of a server's /api/v1/status/config; false when it does not tell. */
bool bt_http_external(struct bt_http *h, struct arena *a, struct labels *out);

/* --- backtest_samples.c --- */
struct batch;
/* A remote read answer of one query. ERR_LIMIT: too much for a batch. */
int bt_samples_read(
	struct str body, struct labels external, struct batch *b, struct err *e) MUST_CHECK;
/* The answer of an instant query, a matrix. *hists: histograms that it cannot give. */
int bt_samples_matrix(struct str body, struct labels external, struct batch *b, size_t *hists,
	struct err *e) MUST_CHECK;

#endif

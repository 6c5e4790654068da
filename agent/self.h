/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self - stores belfry's own metrics (base/metrics.h) as series job="belfry", instance=the listen
 * address, once a scrape interval, on the loop: the same names as /metrics, without a transfer.
 */
#ifndef BELFRY_AGENT_SELF_H
#define BELFRY_AGENT_SELF_H

#include "agent/app.h"

struct self_metrics;

int self_start(struct self_metrics **out, struct app *app, const struct config *c,
	struct err *e) MUST_CHECK;
void self_stop(struct self_metrics *s);
/* Gauges of the process itself; once, at start, with or without `self`. */
void self_process_metrics(const struct app *app);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key - from a StatsD name and DogStatsD tags to Prometheus labels; done once per series.
 *
 * Names are escaped as statsd_exporter's are: what is not [a-zA-Z0-9_] becomes "_", a run of dashes
 * one "_", a leading digit gets one in front. A counter's name gets the configured suffix unless it
 * ends in it already. Tags without a value or with an empty one are left out; of equal names the
 * last wins; a container id becomes the label container_id.
 */
#ifndef BELFRY_AGENT_STATSD_KEY_H
#define BELFRY_AGENT_STATSD_KEY_H

#include "agent/statsd/parse.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/labels.h"

void statsd_escape(struct str name, struct buf *out);
/* STATSD_OK and sorted labels in `a`, or why not. */
enum statsd_reason statsd_labels(const struct statsd_line *l, struct str counter_suffix,
	struct arena *a, struct labels *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* graph_spec - what graph_spec() wrote, read back: for sources of graphs. */
#ifndef BELFRY_EXPORTERS_GRAPH_SPEC_H
#define BELFRY_EXPORTERS_GRAPH_SPEC_H

#include "exporters/graph.h"

struct graph_spec_alert {
	struct labels labels;
	int64_t fired_ms, ended_ms;
	double value;
};

struct graph_spec {
	struct str expr, rule, group, title;
	char op[3];
	double threshold;
	struct graph_spec_alert alerts[GRAPH_SERIES_MAX];
	size_t n;
};

/* Strings in a. ERR_CORRUPT: our own text is not what we wrote. */
int graph_spec_parse(
	struct arena *a, struct str text, struct graph_spec *out, struct err *e) MUST_CHECK;

#endif

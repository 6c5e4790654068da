/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route - the routing tree, flattened, and which of its nodes an alert reaches.
 *
 * Semantics of Alertmanager (reference notify.md D4): depth first; the first matching child stops
 * unless `continue`; a node is reached itself when no child matched. The key of a node joins the
 * matchers on its path with "/" and names its groups across restarts and reloads.
 */
#ifndef BELFRY_EXPORTERS_ROUTE_H
#define BELFRY_EXPORTERS_ROUTE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/labels.h"
#include "exporters/notify.h"

struct route_node {
	const struct route_config *cfg;
	struct str key; /* "{}/{team="db"}"; equal siblings get "#2", "#3" behind */
	const struct receiver_config *receiver;
	size_t end; /* index behind the last node of this subtree */
};

struct route_table {
	struct route_node *v; /* depth first; v[0] is the root */
	size_t n;
};

/* Everything lives in a; cfg is borrowed. n is 0 when nothing is routed. */
void route_table_init(struct route_table *t, struct arena *a, const struct notify_config *cfg);
/* Indexes of the nodes the labels reach, at most max; returns how many. */
size_t route_match(const struct route_table *t, struct labels ls, size_t *out, size_t max);
/* The labels that name the alert's group at this node. Array in a, strings borrowed. */
struct labels route_group_labels(const struct route_config *cfg, struct labels ls, struct arena *a);
/* The node with this key, or t->n. */
size_t route_find(const struct route_table *t, struct str key);

#endif

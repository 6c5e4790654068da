/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap - a binary min-heap of timers that lie inside their owners' structs.
 *
 * A node knows its place, so that moving and removing take O(log n). Owner: whoever called
 * heap_init; nodes are the caller's and must be removed before they are freed. Growth aborts
 * without memory: bound the nodes yourself. One thread at a time.
 */
#ifndef BELFRY_BASE_HEAP_H
#define BELFRY_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	size_t place; /* 1-based; 0: not in a heap */
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
};

void heap_init(struct heap *h);
void heap_fini(struct heap *h);
/* Put it in, or move it to its new key. */
void heap_set(struct heap *h, struct heap_node *node, int64_t key);
/* Nothing happens when it is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
/* The node with the smallest key, or NULL. */
struct heap_node *heap_min(const struct heap *h);
/* Its key, or INT64_MAX. */
int64_t heap_key(const struct heap *h);

#endif

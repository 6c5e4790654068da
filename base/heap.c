/* SPDX-License-Identifier: Apache-2.0 */
/* heap - see heap.h. Invariant: v[i]->place == i + 1, v[(i - 1) / 2]->key <= v[i]->key. */
#include "base/heap.h"

#include <stdlib.h>

#include "base/assert.h"

void heap_init(struct heap *h)
{
	*h = (struct heap){0};
}

void heap_fini(struct heap *h)
{
	free(h->v);
	*h = (struct heap){0};
}

static void place(struct heap *h, size_t i, struct heap_node *node)
{
	h->v[i] = node;
	node->place = i + 1;
}

static void sift_up(struct heap *h, size_t i)
{
	struct heap_node *node = h->v[i];

	while (i > 0 && h->v[(i - 1) / 2]->key > node->key) {
		place(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, node);
}

static void sift_down(struct heap *h, size_t i)
{
	struct heap_node *node = h->v[i];

	for (size_t c; (c = 2 * i + 1) < h->n; i = c) {
		if (c + 1 < h->n && h->v[c + 1]->key < h->v[c]->key)
			c++;
		if (h->v[c]->key >= node->key)
			break;
		place(h, i, h->v[c]);
	}
	place(h, i, node);
}

void heap_set(struct heap *h, struct heap_node *node, int64_t key)
{
	node->key = key;
	if (node->place == 0) {
		if (h->n == h->cap) {
			h->cap = h->cap > 0 ? h->cap * 2 : 64;
			h->v = reallocarray(h->v, h->cap, sizeof(struct heap_node *));
			ASSERT(h->v != NULL);
		}
		place(h, h->n++, node);
	}
	ASSERT(h->v[node->place - 1] == node);
	sift_up(h, node->place - 1);
	sift_down(h, node->place - 1);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	size_t i;
	struct heap_node *last;

	if (node->place == 0)
		return;
	i = node->place - 1;
	ASSERT(i < h->n && h->v[i] == node);
	last = h->v[--h->n];
	node->place = 0;
	if (last == node)
		return;
	place(h, i, last);
	sift_up(h, i);
	sift_down(h, last->place - 1);
}

struct heap_node *heap_min(const struct heap *h)
{
	return h->n > 0 ? h->v[0] : NULL;
}

int64_t heap_key(const struct heap *h)
{
	return h->n > 0 ? h->v[0]->key : INT64_MAX;
}

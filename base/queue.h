/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue - bounded queue of owned messages between threads, with an eventfd for event loops.
 *
 * Any number of senders and receivers. A message is a pointer; pushing gives it away, a refused
 * push leaves it with the caller. One eventfd write per empty -> non-empty.
 */
#ifndef BELFRY_BASE_QUEUE_H
#define BELFRY_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct queue;

/* cap >= 1 messages; `weight_max` bounds the sum of weights (0: no such bound). Aborts without
 * memory. */
struct queue *queue_new(size_t cap, size_t weight_max);
/* The queue must be empty or its messages be nobody's. */
void queue_free(struct queue *q);
/* False when full or closed: the message stays the caller's. */
bool queue_push(struct queue *q, void *msg, size_t weight) MUST_CHECK;
/* Waits up to real_ms for room; false when still full, or closed. */
bool queue_push_wait(struct queue *q, void *msg, size_t weight, int real_ms) MUST_CHECK;
/* Next message; waits up to real_ms (0: not at all, -1: for ever). NULL when none came or closed
 * and empty. */
void *queue_pop(struct queue *q, int real_ms);
/* The same; waits no longer than until the clock shows due_mono_ms (INT64_MAX: never), and may
 * return earlier. */
void *queue_pop_due(struct queue *q, int64_t due_mono_ms, int real_ms);
/* Refuse further pushes and wake all waiters; queue_pop still hands out what is left. */
void queue_close(struct queue *q);
bool queue_is_closed(struct queue *q);
/* Readable while messages wait; never read it yourself, call queue_pop(q, 0) until NULL. A queue
 * whose eventfd nobody asked for does not write to it. */
int queue_fd(struct queue *q);
size_t queue_len(struct queue *q);
size_t queue_cap(const struct queue *q);
size_t queue_weight(struct queue *q);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* queue - ring of pointers under one mutex, two conditions and an eventfd; see queue.h. */
#include "base/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/num.h"
#include "base/steps.h"

struct slot {
	void *msg;
	size_t weight;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty, not_full;
	struct slot *ring;
	size_t cap, head, n;
	size_t weight, weight_max;
	bool closed;
	_Atomic bool watched; /* somebody asked for the eventfd: others need no system calls */
	int efd;
};

struct queue *queue_new(size_t cap, size_t weight_max)
{
	struct queue *q = calloc(1, sizeof *q);
	pthread_condattr_t attr;

	ASSERT(q != NULL);
	ASSERT(cap > 0);
	q->ring = calloc(cap, sizeof *q->ring);
	ASSERT(q->ring != NULL);
	q->cap = cap;
	q->weight_max = weight_max;
	q->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT(q->efd >= 0);
	(void)pthread_mutex_init(&q->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&q->not_empty, &attr);
	(void)pthread_cond_init(&q->not_full, &attr);
	(void)pthread_condattr_destroy(&attr);
	return q;
}

void queue_free(struct queue *q)
{
	if (q == NULL)
		return;
	for (; q->n > 0; q->n--)
		steps_work_end();
	(void)close(q->efd);
	(void)pthread_cond_destroy(&q->not_full);
	(void)pthread_cond_destroy(&q->not_empty);
	(void)pthread_mutex_destroy(&q->lock);
	free(q->ring);
	free(q);
}

static void signal_fd(const struct queue *q)
{
	uint64_t one = 1;

	if (write(q->efd, &one, sizeof one) != (ssize_t)sizeof one)
		return; /* already readable: the counter is full */
}

static void clear_fd(const struct queue *q)
{
	uint64_t seen;

	if (read(q->efd, &seen, sizeof seen) != (ssize_t)sizeof seen)
		return; /* was not readable */
}

static struct timespec deadline_in(int real_ms)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += real_ms / 1000;
	ts.tv_nsec += (long)(real_ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

/* A message heavier than the whole bound is taken by an empty queue: it must pass some time. */
static bool has_room(const struct queue *q, size_t weight)
{
	if (q->n == q->cap)
		return false;
	return q->weight_max == 0 || q->n == 0 ||
	       weight <= q->weight_max - MIN_OF(q->weight, q->weight_max);
}

bool queue_push_wait(struct queue *q, void *msg, size_t weight, int real_ms)
{
	struct timespec until = deadline_in(real_ms > 0 ? real_ms : 0);
	bool ok;

	ASSERT(msg != NULL);
	(void)pthread_mutex_lock(&q->lock);
	while (!q->closed && !has_room(q, weight) && real_ms > 0) {
		if (pthread_cond_timedwait(&q->not_full, &q->lock, &until) != 0)
			break;
	}
	ok = !q->closed && has_room(q, weight);
	if (ok) {
		q->ring[(q->head + q->n) % q->cap] = (struct slot){msg, weight};
		q->weight += weight;
		steps_work_begin();
		if (q->n++ == 0 && atomic_load(&q->watched))
			signal_fd(q);
		(void)pthread_cond_signal(&q->not_empty);
	}
	(void)pthread_mutex_unlock(&q->lock);
	return ok;
}

bool queue_push(struct queue *q, void *msg, size_t weight)
{
	return queue_push_wait(q, msg, weight, 0);
}

/* False: the time is over. */
static bool wait_for_message(struct queue *q, int64_t due_mono_ms, int real_ms, int64_t began_ns)
{
	int64_t left = -1;

	if (real_ms >= 0) {
		left = real_ms - (clock_real_ns() - began_ns) / 1000000;
		if (left <= 0)
			return false;
	}
	/* woken without a moment to wait for: the clock was set */
	return steps_wait(&q->not_empty, &q->lock, due_mono_ms, left) || due_mono_ms == INT64_MAX;
}

void *queue_pop_due(struct queue *q, int64_t due_mono_ms, int real_ms)
{
	int64_t began_ns = real_ms > 0 ? clock_real_ns() : 0;
	void *msg = NULL;

	(void)pthread_mutex_lock(&q->lock);
	while (q->n == 0 && !q->closed && real_ms != 0) {
		if (!wait_for_message(q, due_mono_ms, real_ms, began_ns))
			break;
	}
	if (q->n > 0) {
		struct slot s = q->ring[q->head];

		msg = s.msg;
		q->weight -= s.weight;
		q->head = (q->head + 1) % q->cap;
		if (--q->n == 0 && atomic_load(&q->watched))
			clear_fd(q);
		steps_work_end(); /* the receiver's from here on */
		(void)pthread_cond_signal(&q->not_full);
	}
	(void)pthread_mutex_unlock(&q->lock);
	return msg;
}

void *queue_pop(struct queue *q, int real_ms)
{
	return queue_pop_due(q, INT64_MAX, real_ms);
}

void queue_close(struct queue *q)
{
	(void)pthread_mutex_lock(&q->lock);
	q->closed = true;
	(void)pthread_cond_broadcast(&q->not_empty);
	(void)pthread_cond_broadcast(&q->not_full);
	signal_fd(q);
	(void)pthread_mutex_unlock(&q->lock);
}

bool queue_is_closed(struct queue *q)
{
	bool closed;

	(void)pthread_mutex_lock(&q->lock);
	closed = q->closed;
	(void)pthread_mutex_unlock(&q->lock);
	return closed;
}

int queue_fd(struct queue *q)
{
	if (!atomic_load(&q->watched)) {
		(void)pthread_mutex_lock(&q->lock);
		atomic_store(&q->watched, true);
		if (q->n > 0)
			signal_fd(q);
		(void)pthread_mutex_unlock(&q->lock);
	}
	return q->efd;
}

size_t queue_len(struct queue *q)
{
	size_t n;

	(void)pthread_mutex_lock(&q->lock);
	n = q->n;
	(void)pthread_mutex_unlock(&q->lock);
	return n;
}

size_t queue_cap(const struct queue *q)
{
	return q->cap;
}

size_t queue_weight(struct queue *q)
{
	size_t w;

	(void)pthread_mutex_lock(&q->lock);
	w = q->weight;
	(void)pthread_mutex_unlock(&q->lock);
	return w;
}

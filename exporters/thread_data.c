/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread_data - the small text an integration keeps about an incident's thread; see
 * outbox_internal.h. Forgotten when the thread's last message was delivered, or after 30 days.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/num.h"
#include "exporters/notify_internal.h"

static struct thread_data *find(const struct notify *n, struct str thread)
{
	struct map_iter it;

	for (struct thread_data *t = map_first(&n->threads, hash_str(thread), &it); t != NULL;
		t = map_next(&n->threads, &it)) {
		if (!t->over && str_eq(str_c(t->thread), thread))
			return t;
	}
	return NULL;
}

static void mark(struct notify *n, struct thread_data *t)
{
	if (t->dirty)
		return;
	t->dirty = true;
	t->next_dirty = n->dirty_threads;
	n->dirty_threads = t;
}

struct str thread_get(const struct notify *n, struct str thread)
{
	const struct thread_data *t = thread.n > 0 ? find(n, thread) : NULL;

	return t != NULL ? str_c(t->data) : STR("");
}

void thread_put(struct notify *n, struct str thread, struct str data)
{
	struct thread_data *t;

	if (thread.n == 0 || data.n > LIMIT_THREAD_DATA)
		return;
	if (data.n > 0 && memchr(data.p, '\0', data.n) != NULL)
		return; /* comes from the other side's answer: nothing of ours holds a NUL */
	t = find(n, thread);
	if (t == NULL && n->threads.n >= LIMIT_THREADS) {
		METRIC_LIMIT("threads");
		return;
	}
	if (t == NULL) {
		t = calloc(1, sizeof *t);
		ASSERT(t != NULL);
		t->thread = str_dup_c(thread);
		t->hash = hash_str(thread);
		ASSERT(t->thread != NULL);
		map_add(&n->threads, t->hash, t);
	}
	free(t->data);
	t->data = str_dup_c(data);
	ASSERT(t->data != NULL);
	t->at_ms = clock_wall_ms();
	mark(n, t);
}

void thread_over(struct notify *n, struct str thread)
{
	struct thread_data *t = thread.n > 0 ? find(n, thread) : NULL;

	if (t == NULL)
		return;
	t->over = true;
	mark(n, t);
}

void thread_prune(struct notify *n, int64_t before_ms)
{
	struct thread_data *t;
	size_t pos = 0;

	while ((t = map_each(&n->threads, &pos)) != NULL) {
		if (t->over || t->at_ms >= before_ms)
			continue;
		t->over = true;
		mark(n, t);
	}
}

void thread_free(struct notify *n, struct thread_data *t)
{
	map_remove(&n->threads, t->hash, t);
	free(t->thread);
	free(t->data);
	free(t);
}

void thread_free_all(struct notify *n)
{
	struct thread_data *t;
	size_t pos = 0;

	while ((t = map_each(&n->threads, &pos)) != NULL) {
		thread_free(n, t);
		pos = 0; /* the table shifted */
	}
	map_fini(&n->threads);
}

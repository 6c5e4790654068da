/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/queue.h"
#include "tests/lib/suite.h"

static int readable(struct queue *q)
{
	struct pollfd p = {.fd = queue_fd(q), .events = POLLIN};

	return poll(&p, 1, 0);
}

START_TEST(queue_refuses_past_its_bounds_and_keeps_order)
{
	struct queue *q = queue_new(3, 100);
	int v[4];

	ck_assert(queue_push(q, &v[0], 60));
	ck_assert(!queue_push(q, &v[1], 60)); /* too heavy together */
	ck_assert(queue_push(q, &v[1], 40));
	ck_assert(!queue_push(q, &v[2], 1));
	ck_assert_uint_eq(queue_len(q), 2);
	ck_assert_uint_eq(queue_weight(q), 100);
	ck_assert_ptr_eq(queue_pop(q, 0), &v[0]);
	ck_assert_ptr_eq(queue_pop(q, 0), &v[1]);
	ck_assert_ptr_null(queue_pop(q, 0));
	ck_assert(queue_push(q, &v[3], 1000)); /* heavier than all of it: alone it passes */
	ck_assert_ptr_eq(queue_pop(q, 0), &v[3]);
	queue_free(q);
}
END_TEST

START_TEST(queue_fd_is_readable_while_messages_wait)
{
	struct queue *q = queue_new(4, 0);
	int v;

	ck_assert_int_eq(readable(q), 0);
	ck_assert(queue_push(q, &v, 1) && queue_push(q, &v, 1));
	ck_assert_int_eq(readable(q), 1);
	ck_assert_ptr_nonnull(queue_pop(q, 0));
	ck_assert_int_eq(readable(q), 1);
	ck_assert_ptr_nonnull(queue_pop(q, 0));
	ck_assert_int_eq(readable(q), 0);
	queue_free(q);
}
END_TEST

START_TEST(queue_fd_asked_for_late_is_readable_all_the_same)
{
	struct queue *q = queue_new(4, 0);
	int v;

	ck_assert(queue_push(q, &v, 1) && queue_push(q, &v, 1));
	ck_assert_ptr_nonnull(queue_pop(q, 0));
	ck_assert_int_eq(readable(q), 1);
	ck_assert_ptr_nonnull(queue_pop(q, 0));
	ck_assert_int_eq(readable(q), 0);
	queue_free(q);
}
END_TEST

START_TEST(queue_closed_takes_nothing_and_hands_out_the_rest)
{
	struct queue *q = queue_new(4, 0);
	int v;

	ck_assert(queue_push(q, &v, 1));
	queue_close(q);
	ck_assert(!queue_push(q, &v, 1));
	ck_assert_ptr_eq(queue_pop(q, -1), &v);
	ck_assert_ptr_null(queue_pop(q, -1));
	ck_assert(queue_is_closed(q));
	queue_free(q);
}
END_TEST

#define SENDERS 4
#define EACH    20000

static void *sender(void *arg)
{
	struct queue *q = arg;

	for (uintptr_t i = 1; i <= EACH; i++)
		ck_assert(queue_push_wait(
			q, (void *)i, 1, 30000)); /* NOLINT(performance-no-int-to-ptr) */
	return NULL;
}

START_TEST(queue_loses_nothing_between_threads)
{
	struct queue *q = queue_new(64, 0);
	pthread_t threads[SENDERS];
	uint64_t sum = 0;

	for (int i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, sender, q), 0);
	for (int i = 0; i < SENDERS * EACH; i++)
		sum += (uintptr_t)queue_pop(q, -1);
	for (int i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(sum, (uint64_t)SENDERS * EACH * (EACH + 1) / 2);
	ck_assert_uint_eq(queue_len(q), 0);
	queue_free(q);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("queue");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, queue_refuses_past_its_bounds_and_keeps_order);
	tcase_add_test(t, queue_fd_is_readable_while_messages_wait);
	tcase_add_test(t, queue_fd_asked_for_late_is_readable_all_the_same);
	tcase_add_test(t, queue_closed_takes_nothing_and_hands_out_the_rest);
	tcase_add_test(t, queue_loses_nothing_between_threads);
	suite_add_tcase(s, t);
	return suite_run(s);
}
